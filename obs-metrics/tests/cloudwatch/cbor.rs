//! As much of CBOR as the SDK writes, read into JSON's values, and the map of an error.

use serde_json::{Map, Number, Value};

/// Reads one item, which is all of `bytes`.
pub(crate) fn read(bytes: &[u8]) -> Value {
    let mut reader = Reader(bytes);
    let value = reader.item();
    assert!(reader.0.is_empty(), "{} bytes behind the item", reader.0.len());
    value
}

/// A map of texts.
pub(crate) fn write(pairs: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[0x78, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let pairs = pairs.iter().flat_map(|(name, value)| [text(name), text(value)].concat());
    std::iter::once(0xbf).chain(pairs).chain([0xff]).collect()
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes(&mut self, n: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(n);
        self.0 = rest;
        taken.to_vec()
    }

    fn item(&mut self) -> Value {
        let first = self.bytes(1)[0];
        if first == 0xfb {
            let number = f64::from_be_bytes(self.bytes(8).try_into().unwrap());
            return Number::from_f64(number).map_or(Value::Null, Value::Number);
        }
        let (major, info) = (first >> 5, first & 0x1f);
        let n = match info {
            0..24 => Some(u64::from(info)),
            24..28 => {
                Some(self.bytes(1 << (info - 24)).iter().fold(0, |n, b| n << 8 | u64::from(*b)))
            }
            31 => None,
            _ => panic!("{first:#x}"),
        };
        let length = n.map(|n| usize::try_from(n).unwrap());
        match major {
            0 => n.unwrap().into(),
            3 => String::from_utf8(self.bytes(length.unwrap())).unwrap().into(),
            4 => (0..length.unwrap()).map(|_| self.item()).collect(),
            5 => {
                assert_eq!(length, None, "the SDK writes maps without their length");
                let mut map = Map::new();
                while self.0[0] != 0xff {
                    let Value::String(name) = self.item() else { panic!("a key that is no text") };
                    assert!(map.insert(name, self.item()).is_none(), "a key twice");
                }
                self.bytes(1);
                map.into()
            }
            // A tag: what it says is known.
            6 => self.item(),
            _ => panic!("{first:#x}"),
        }
    }
}
