use std::sync::Arc;

use super::*;
use crate::cloudwatch::convert::datums_of;
use crate::datum::{Datum, Kind, SeriesKey};
use crate::dimensions::DimensionSet;
use crate::unit::{Resolution, Unit};

/// A part of so many characters in its name.
fn part(name: usize, timestamp_millis: u64) -> Part {
    let datum = Datum {
        key: Arc::new(SeriesKey {
            name: "n".repeat(name),
            unit: Unit::Count,
            resolution: Resolution::Standard,
            kind: Kind::Distribution,
            dimensions: Arc::new(DimensionSet::default()),
        }),
        timestamp_millis,
        values: vec![(1.0, 1)].into(),
    };
    let sent = datums_of(&datum).next().unwrap();
    Part::new(sent, None, timestamp_millis)
}

fn sizes(packer: &mut Packer) -> Vec<usize> {
    std::iter::from_fn(|| packer.pack("App", Instant::now()))
        .map(|request| {
            let bytes: usize = request.parts.iter().map(|part| part.bytes).sum();
            assert!(bytes + frame_bytes("App") <= MAX_BYTES || request.parts.len() == 1);
            request.parts.len()
        })
        .collect()
}

#[test]
fn scenario_24_a_request_takes_a_thousand_metrics() {
    let mut packer = Packer::default();
    for n in 0..2_500 {
        assert_eq!(packer.is_full("App"), n >= 1_000);
        packer.add(part(1, 0));
    }
    assert_eq!(sizes(&mut packer), [1_000, 1_000, 500]);
    assert!(!packer.is_full("App") && packer.bytes == 0);
}

#[test]
fn a_request_takes_a_megabyte() {
    let mut packer = Packer::default();
    let each = part(10_000, 0).bytes;
    let fit = (MAX_BYTES - frame_bytes("App")) / each;
    (0..fit + 1).for_each(|_| packer.add(part(10_000, 0)));
    assert!(packer.is_full("App"));
    assert_eq!(sizes(&mut packer), [fit, 1]);
    // One that no request takes goes alone.
    [5, 2 * MAX_BYTES, 5].into_iter().for_each(|name| packer.add(part(name, 0)));
    assert_eq!(sizes(&mut packer), [1, 1, 1]);
    packer.add(part(5, 0));
    assert_eq!(packer.take_all().count(), 1);
    assert!(packer.pack("App", Instant::now()).is_none());
}

#[test]
fn scenario_25_what_left_the_window_is_taken_out() {
    const NOW: u64 = 1_700_000_000_000;
    const HOUR: u64 = 3_600_000;
    let now = Instant::now();
    let times = [NOW, NOW - 15 * 24 * HOUR, NOW + 3 * HOUR, NOW - 13 * 24 * HOUR];
    let parts = times.iter().map(|time| part(1, *time)).collect();
    let mut request = Request { parts, failures: 0, tried: now, due: now };
    let millis = |parts: &[Part]| parts.iter().map(|p| p.timestamp_millis).collect::<Vec<_>>();
    assert_eq!(millis(&request.take_out_of_window(NOW)), times[1..3]);
    assert_eq!(millis(&request.parts), [times[0], times[3]]);
    assert!(request.take_out_of_window(NOW).is_empty());
    // While it waited.
    assert_eq!(millis(&request.take_out_of_window(NOW + 2 * 24 * HOUR)), [times[3]]);
}

#[test]
fn halves_are_all_of_it() {
    let now = Instant::now();
    for (n, expected) in [(2, [1, 1]), (5, [2, 3])] {
        let parts = (0..n).map(|_| part(1, 0)).collect();
        let request = Request { parts, failures: 3, tried: now, due: now };
        assert_eq!(request.halves(now).map(|half| half.parts.len()), expected);
    }
}
