//! Protobuf, as far as it is written here.

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low(value) | 0x80);
        value >>= 7;
    }
    out.push(low(value));
}

/// The lowest seven bits.
fn low(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}

/// How many bytes [`varint`] takes.
pub(super) const fn varint_len(value: usize) -> usize {
    let bits = usize::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// How many bytes a field of bytes takes whose number is below 16.
pub(super) const fn bytes_len(length: usize) -> usize {
    1 + varint_len(length) + length
}

pub(super) fn uint(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3 | VARINT);
    varint(out, value);
}

pub(super) fn fixed64(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3 | FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn fixed32(out: &mut Vec<u8>, field: u64, value: u32) {
    varint(out, field << 3 | FIXED32);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    bytes_head(out, field, value.len());
    out.extend_from_slice(value);
}

pub(super) fn string(out: &mut Vec<u8>, field: u64, value: &str) {
    bytes(out, field, value.as_bytes());
}

/// What stands in front of a field of so many bytes.
pub(super) fn bytes_head(out: &mut Vec<u8>, field: u64, length: usize) {
    varint(out, field << 3 | BYTES);
    varint(out, length as u64);
}

/// A message within a message. Its length stands in front of it and is known behind it: most are
/// shorter than 128 bytes, the others are moved.
pub(super) fn message(out: &mut Vec<u8>, field: u64, write: impl FnOnce(&mut Vec<u8>)) {
    varint(out, field << 3 | BYTES);
    let at = out.len();
    out.push(0);
    write(out);
    let length = out.len() - at - 1;
    let more = varint_len(length) - 1;
    if more > 0 {
        let end = out.len();
        out.resize(end + more, 0);
        out.copy_within(at + 1..end, at + 1 + more);
    }
    let mut rest = length as u64;
    for (place, byte) in out[at..=at + more].iter_mut().enumerate() {
        let is_last = place == more;
        *byte = low(rest) | if is_last { 0 } else { 0x80 };
        rest >>= 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_right_at_each_border() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
            let mut body = Vec::new();
            message(&mut body, 2, |out| out.resize(out.len() + length, b'x'));
            let mut expected = Vec::new();
            bytes(&mut expected, 2, &vec![b'x'; length]);
            assert!(body == expected, "{length}");
            assert_eq!(body.len(), bytes_len(length));
            let mut number = Vec::new();
            varint(&mut number, length as u64);
            assert_eq!(number.len(), varint_len(length));
        }
    }

    #[test]
    fn messages_nest() {
        let mut out = Vec::new();
        message(&mut out, 1, |out| message(out, 1, |out| string(out, 3, &"y".repeat(200))));
        assert_eq!(out[..8], [0x0a, 0xce, 0x01, 0x0a, 0xcb, 0x01, 0x1a, 0xc8]);
        assert_eq!(out.len(), 209);
    }
}
