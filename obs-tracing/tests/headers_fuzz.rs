//! Trace and baggage headers hold their property for mutated headers, and for every input that once
//! broke it.
//!
//! The same property is libFuzzer's target in `fuzz/`. The mutator is seeded: a failure here fails
//! again, and prints its input.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says of what"
)]

#[path = "../fuzz/headers_property.rs"]
mod headers_property;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use headers_property::Reached;

/// What is put between any two bytes.
const TOKENS: &[&str] = &[
    "Root=",
    ";Root=",
    "Parent=",
    ";Parent=",
    ";Sampled=1",
    ";Sampled=?",
    "Self=",
    ";Lineage=1:2:0",
    "1-5759e988-bd862e3fe1be46a994272793",
    "53995c3f42cd8ad8",
    "0000000000000000",
    "00-",
    "ff-",
    "01-",
    "-01",
    "-",
    "\n",
    "\n\n",
    "x-amzn-trace-id: ",
    "TRACEPARENT: ",
    "tracestate: ",
    "baggage: ",
    "a=1",
    "a=1,b=2",
    ",",
    ";",
    "=",
    "%",
    "%2C",
    "%ff",
    "%C3%A9",
    "+",
    "?",
    " ",
    "\t",
    "\r",
    "\u{0}",
    "\u{7f}",
    "é",
    "\u{fffd}",
    "\u{1f980}",
    "token=x",
    "jane@example.com",
    "\\",
    "\"",
];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }

    fn one<'t, T: ?Sized>(&mut self, of: &[&'t T]) -> &'t T {
        of[self.below(of.len())]
    }
}

fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    files
}

/// Damage: what is cut, doubled, put in, taken from another, changed by a bit, or made long.
fn damage(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = (at + random.below(40)).min(input.len());
    match random.below(9) {
        0 => drop(input.drain(at..end)),
        1 => input.truncate(at),
        2 => {
            let doubled = input[at..end].to_vec();
            input.splice(at..at, doubled);
        }
        3 | 4 => drop(input.splice(at..at, random.one(TOKENS).bytes())),
        5 => {
            let from = random.below(other.len());
            let to = (from + random.below(80)).min(other.len());
            input.splice(at..end, other[from..to].iter().copied());
        }
        6 => {
            let part = input[at..end].repeat(*random.one(&[&2, &20, &40, &200]));
            input.splice(at..at, part);
            input.truncate(40_000);
        }
        7 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = *random.one(&[&b'0', &b'9', &b'a', &b'F', &b'-', &b'=', &b' ']);
            }
        }
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text}: no number")),
        Err(_) => default,
    }
}

/// Checks, and names the input where it fails.
fn check(input: &[u8], name: &str) -> Reached {
    catch_unwind(AssertUnwindSafe(|| headers_property::check(input))).unwrap_or_else(|panic| {
        let shown = input[..input.len().min(20_000)].escape_ascii();
        eprintln!("{name}: {} bytes, to be kept in fuzz/crashes/headers:\n{shown}", input.len());
        resume_unwind(panic)
    })
}

#[test]
fn what_once_broke_it_holds() {
    for (name, input) in files("crashes/headers").into_iter().chain(files("corpus/headers")) {
        // Whatever it leads to.
        let _ = check(&input, &name);
    }
}

#[test]
fn mutated_headers_hold() {
    let seeds = files("corpus/headers");
    let inputs = number("OBS_FUZZ_INPUTS", 20_000);
    let mut random = Random(number("OBS_FUZZ_SEED", 1));
    let mut reached = BTreeMap::new();
    for n in 0..inputs {
        let (name, seed) = &seeds[random.below(seeds.len())];
        let other = &seeds[random.below(seeds.len())].1;
        let mut input = seed.clone();
        // Most inputs have one thing wrong, and some have many.
        for _ in 0..*random.one(&[&0, &1, &1, &1, &2, &4, &8, &16]) {
            damage(&mut input, other, &mut random);
        }
        *reached.entry(check(&input, &format!("input {n}, from {name}"))).or_insert(0_u64) += 1;
    }
    // A mutator that only breaks would find nothing.
    let with = |is: fn(&Reached) -> bool| -> u64 {
        reached.iter().filter(|(reached, _)| is(reached)).map(|(_, n)| n).sum()
    };
    for (what, n) in [
        ("trace", with(|reached| reached.trace)),
        ("no trace", with(|reached| !reached.trace)),
        ("tracestate", with(|reached| reached.trace_state)),
        ("baggage", with(|reached| reached.baggage)),
        ("question", with(|reached| reached.question)),
    ] {
        assert!(n > inputs / 100, "{what}: {n} of {inputs}");
    }
    eprintln!("{inputs} inputs; {reached:?}");
}
