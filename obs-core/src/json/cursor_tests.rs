use proptest::prelude::{any, prop_assert_eq, proptest};

use super::*;
use crate::json;

/// What the cursor writes, in front of something that it must not touch.
fn written(write: impl FnOnce(&mut Cursor<'_>)) -> String {
    let mut buffer = [0; 1024];
    let mut cursor = Cursor::new(&mut buffer);
    write(&mut cursor);
    cursor.bytes(b"|");
    String::from_utf8(cursor.written().unwrap().to_vec()).unwrap()
}

fn appended(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut buf = Vec::new();
    write(&mut buf);
    buf.push(b'|');
    String::from_utf8(buf).unwrap()
}

fn check_float(value: f64) {
    assert_eq!(written(|c| c.float(value)), appended(|buf| json::float(buf, value)), "{value}");
}

#[test]
fn numbers_are_written_as_elsewhere() {
    for value in [0, 1, 9, 10, 99_999_999, 100_000_000, u64::MAX] {
        assert_eq!(written(|c| c.uint(value)), format!("{value}|"));
    }
    for value in [0, -1, 7, -99_999_999, i64::MIN, i64::MAX] {
        assert_eq!(written(|c| c.int(value)), format!("{value}|"));
    }
    for millis in [0, 999, 999_999_999_999, 1_000_000_000_000, 9_999_999_999_999, u64::MAX] {
        assert_eq!(written(|c| c.millis(millis)), format!("{millis}|"));
    }
    for millis in (1_000_000_000_000..11_000_000_000_000).step_by(9_999_999_937) {
        assert_eq!(written(|c| c.millis(millis)), format!("{millis}|"));
    }
    for millis in [0, 999, 1_700_000_000_000, u64::MAX] {
        assert_eq!(written(|c| c.millis(millis)), format!("{millis}|"));
    }
    for value in [0.0, -0.0, 1.275, 98.6, -98.6, 0.5, 0.001, 0.1, 1e-7, 99_999.999, 1e300] {
        check_float(value);
    }
    for value in [100_000.001, 1e15 + 0.5, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 250.0] {
        check_float(value);
    }
}

#[test]
fn strings_of_any_length_are_written() {
    for len in 0..200 {
        let text: String = ('a'..='z').cycle().take(len).collect();
        assert_eq!(written(|c| c.string(&text)), format!("\"{text}\"|"));
    }
}

#[test]
fn a_piece_is_its_bytes() {
    for len in [0, 1, 31, 32, 33, 64, 300] {
        let bytes: Vec<u8> = (b'a'..=b'z').cycle().take(len).collect();
        let piece = Piece::new(&bytes);
        assert_eq!(piece.as_bytes(), bytes);
        let expected = format!("{}|", String::from_utf8(bytes).unwrap());
        assert_eq!(written(|c| c.piece(&piece)), expected);
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let piece = Piece::new(b"abc");
    for size in 0..64 {
        let mut buffer = vec![0; size];
        let mut cursor = Cursor::new(&mut buffer);
        for _ in 0..30 {
            cursor.piece(&piece);
        }
        cursor.string("text");
        cursor.float(1.5);
        cursor.bytes(b"x");
        assert_eq!((cursor.len(), cursor.written()), (None, None), "{size}");
    }
    let mut cursor = Cursor::new(&mut []);
    cursor.bytes(b"");
    assert_eq!((cursor.len(), cursor.written()), (Some(0), Some(&b""[..])));
}

#[test]
fn all_numbers_of_three_digits_on_both_sides_of_the_point_are_written() {
    for n in 0..=1_001_000 {
        check_float(f64::from(n) / 1000.0);
    }
    for n in (0..1_001_000).step_by(7) {
        check_float(f64::from(-n) / 1000.0);
    }
}

proptest! {
    #[test]
    fn any_text_is_written_as_elsewhere(text in "\\PC{0,80}|[ -~]{0,80}|.{0,20}") {
        prop_assert_eq!(written(|c| c.string(&text)), appended(|buf| json::string(buf, &text)));
    }

    #[test]
    fn any_whole_number_is_written(n in any::<u64>(), k in 0..3000_u64) {
        for n in [n, n >> 40, n >> 52, k] {
            prop_assert_eq!(written(|c| c.uint(n)), format!("{n}|"));
            prop_assert_eq!(written(|c| c.millis(n)), format!("{n}|"));
        }
    }

    #[test]
    fn any_number_is_written_as_elsewhere(n in any::<f64>(), k in -200_000_000_i64..200_000_000) {
        check_float(n);
        check_float(k as f64 / 1000.0);
        check_float(k as f64);
    }
}
