//! Reads the few fields of an answer that matter: too little for a protobuf crate.

/// A field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message with their numbers, until its end or the first that cannot be read;
/// fixed-size numbers are passed over.
pub(super) fn fields(message: &[u8]) -> impl Iterator<Item = (u64, Field<'_>)> {
    let mut rest = message;
    std::iter::from_fn(move || {
        loop {
            let key = varint(&mut rest)?;
            let field = match key & 7 {
                0 => Field::Number(varint(&mut rest)?),
                1 => {
                    take(&mut rest, 8)?;
                    continue;
                }
                2 => {
                    let length = usize::try_from(varint(&mut rest)?).ok()?;
                    Field::Bytes(take(&mut rest, length)?)
                }
                5 => {
                    take(&mut rest, 4)?;
                    continue;
                }
                _ => return None,
            };
            return Some((key >> 3, field));
        }
    })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = *take(rest, 1)? else { return None };
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_read_until_one_that_cannot_be() {
        // 1: 300; 2: "ab"; 3: a fixed64; 4: a fixed32; 5: -1 as int64; and a length that is too long.
        let message = [
            &[0x08, 0xac, 0x02, 0x12, 0x02, b'a', b'b', 0x19][..],
            &[0; 8],
            &[0x25, 0, 0, 0, 0, 0x28],
            &[0xff; 9],
            &[0x01, 0x32, 0x05, b'x'],
        ]
        .concat();
        let found: Vec<_> = fields(&message).collect();
        assert_eq!(
            found,
            [(1, Field::Number(300)), (2, Field::Bytes(b"ab")), (5, Field::Number(u64::MAX))]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(fields(&bytes).count() <= bytes.len());
        }
    }
}
