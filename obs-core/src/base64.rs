//! Base64, for what is sent.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends `bytes` in base64 to `out`: RFC 4648, with padding, on one line.
///
/// ```
/// let mut out = Vec::new();
/// obs_core::base64::encode(b"foob", &mut out);
/// assert_eq!(out, b"Zm9vYg==");
/// ```
pub fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(encoded_len(bytes.len()));
    let mut triples = bytes.chunks_exact(3);
    for triple in &mut triples {
        out.extend_from_slice(&quartet(triple));
    }
    let rest = triples.remainder();
    if !rest.is_empty() {
        let mut last = quartet(rest);
        last[rest.len() + 1..].fill(b'=');
        out.extend_from_slice(&last);
    }
}

/// How many bytes [`encode`] makes of so many.
pub const fn encoded_len(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

fn quartet(triple: &[u8]) -> [u8; 4] {
    let byte = |at: usize| u32::from(triple.get(at).copied().unwrap_or(0));
    let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    [18, 12, 6, 0].map(|shift| DIGITS[(bits >> shift & 0x3f) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let check = |plain: &[u8], expected: &str| {
            let mut out = b"before".to_vec();
            encode(plain, &mut out);
            assert_eq!(out, format!("before{expected}").into_bytes());
            assert_eq!(encoded_len(plain.len()), expected.len());
        };
        check(b"", "");
        check(b"f", "Zg==");
        check(b"fo", "Zm8=");
        check(b"foo", "Zm9v");
        check(b"foob", "Zm9vYg==");
        check(b"fooba", "Zm9vYmE=");
        check(b"foobar", "Zm9vYmFy");
        check(b"Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        check(&[0xfb, 0xff, 0xfe], "+//+");
    }
}
