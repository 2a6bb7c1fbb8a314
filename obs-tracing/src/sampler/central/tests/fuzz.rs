//! The property of `property.rs` for mutated answers, seeded, and for every input that once broke it.
//!
//! `OBS_FUZZ_INPUTS` runs more of them, `OBS_FUZZ_SEED` others.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use crate::sampler::central::property::sampling_rules;

/// What is put into an input.
const PIECES: &[&str] = &[
    "*",
    "?",
    "*a",
    "*a*a*a*b",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "-1",
    "0",
    "1",
    "1.5",
    "1e400",
    "9223372036854775808",
    "\\u0000",
    "\\ud800",
    "ä",
    "K",
    "ſ",
    "İ",
    "\u{2028}",
    "/",
    "\n",
    "\r\n",
    " ",
    "\"RuleName\"",
    "\"Default\"",
    "\"Attributes\":{\"a\":\"*\"}",
    "\"Version\":1",
    "\"FixedRate\":0.5",
    "\"ReservoirQuota\":7",
    "\"ReservoirQuotaTTL\":1.7e9",
    "\"Interval\":0",
    "HTTP/1.1 200 OK\r\n",
    "content-length: 5\r\n",
    "transfer-encoding: chunked\r\n",
    "ffffffff\r\n",
];

fn corpus(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

fn check(input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| sampling_rules(input))) {
        eprintln!("the input was: {:?}", String::from_utf8_lossy(input));
        resume_unwind(panic);
    }
}

#[test]
fn what_is_in_the_corpus_holds_and_is_read() {
    let inputs = corpus("corpus/sampling_rules");
    let rules = inputs.iter().filter(|input| {
        let body = input.splitn(2, |byte| *byte == b'\n').nth(1).unwrap();
        super::super::document::read_rules(body).is_ok_and(|page| !page.rules.is_empty())
    });
    assert!(rules.count() >= 2, "the corpus has lost its rules");
    inputs.iter().for_each(|input| check(input));
}

#[test]
fn mutated_answers_hold_too() {
    let seeds = corpus("corpus/sampling_rules");
    let mut state = number("OBS_FUZZ_SEED", 1);
    let mut below = |n: usize| usize::try_from(splitmix(&mut state) % n.max(1) as u64).unwrap();
    for _ in 0..number("OBS_FUZZ_INPUTS", 3_000) {
        let mut input = seeds[below(seeds.len())].clone();
        for _ in 0..=below(6) {
            let at = below(input.len() + 1);
            let end = (at + below(20)).min(input.len());
            match below(5) {
                0 => drop(input.drain(at..end)),
                1 => {
                    let part = input[at..end].to_vec();
                    input.splice(at..at, part);
                }
                2 if at < input.len() => input[at] ^= 1 << below(8),
                3 => {
                    let other = &seeds[below(seeds.len())];
                    let from = below(other.len());
                    input.truncate(at);
                    input.extend_from_slice(&other[from..]);
                }
                _ => {
                    let piece = PIECES[below(PIECES.len())];
                    let times = if below(20) == 0 { below(300) } else { 1 };
                    input.splice(at..at, piece.repeat(times).into_bytes());
                }
            }
        }
        check(&input);
    }
}

/// Steele, Lea and Flood's generator: small, and the same everywhere.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
