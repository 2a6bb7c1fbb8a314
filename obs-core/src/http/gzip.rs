//! Compression of bodies.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

/// `body` compressed with gzip, at the fastest level: telemetry repeats itself so much that the others
/// gain little for what they cost. The header is `Content-Encoding: gzip`.
pub fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing into memory does not fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_is_compressed_reads_back() {
        for body in [Vec::new(), b"a".to_vec(), b"line after line\n".repeat(10_000)] {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(gzip(&body).as_slice()).read_to_end(&mut plain).unwrap();
            assert_eq!(plain, body);
        }
    }
}
