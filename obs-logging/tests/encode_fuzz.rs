//! The encoder holds its property for seeded stories, and for every input that once broke it.
//!
//! The property is libFuzzer's target in `fuzz/` too. A failure here fails again, and prints its input.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says of what"
)]

#[path = "../fuzz/callsites.rs"]
mod callsites;
#[path = "../fuzz/property.rs"]
mod property;
#[path = "../fuzz/values.rs"]
mod values;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

/// What texts are made of: what JSON escapes, what is redacted, what looks like our own.
const TOKENS: &[&str] = &[
    "plain",
    "\"",
    "\\",
    "\n",
    "\r\n",
    "\u{0}",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "é",
    "€",
    "🦀",
    "jane@example.com",
    "4111 1111 1111 1111",
    "password=hunter2",
    "Bearer abc.def",
    "AKIAIOSFODNN7EXAMPLE",
    "[REDACTED]",
    "…[truncated 7 bytes]",
    ",\"level\":\"INFO\"",
    "}\n{",
    "Caused by:\n    0: x",
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

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap()).unwrap()
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
    files
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text}: no number")),
        Err(_) => default,
    }
}

/// Checks, and shows the input where it fails.
fn check(input: &[u8], name: &str) -> (usize, usize) {
    catch_unwind(AssertUnwindSafe(|| property::check(input))).unwrap_or_else(|panic| {
        let shown = input.escape_ascii();
        eprintln!("{name}: {} bytes, to be kept in fuzz/crashes:\n{shown}", input.len());
        resume_unwind(panic)
    })
}

#[test]
fn scenario_29_what_once_broke_it_holds() {
    let inputs: Vec<_> = files("crashes").into_iter().chain(files("corpus/encode")).collect();
    assert!(inputs.len() >= 4, "the corpus is there");
    for (name, input) in inputs {
        check(&input, &name);
    }
}

#[test]
fn scenario_18_28_29_30_seeded_stories_hold() {
    let mut random = Random(number("OBS_FUZZ_SEED", 1));
    let inputs = number("OBS_FUZZ_INPUTS", 2_000);
    let (mut lines, mut cut) = (0, 0);
    for n in 0..inputs {
        let input = story(&mut random);
        let (more, of_them_cut) = check(&input, &format!("input {n}"));
        lines += more;
        cut += of_them_cut;
    }
    // Otherwise nothing was tested.
    let inputs = usize::try_from(inputs).unwrap();
    assert!(lines > inputs * 2, "{lines} lines of {inputs} stories");
    assert!(cut > lines / 100 && cut < lines / 2, "{cut} of {lines} lines were cut");
}

/// What the property reads as a few operations; now and then with a byte that is another.
fn story(random: &mut Random) -> Vec<u8> {
    let mut input: Vec<u8> = (0..6).map(|_| random.byte()).collect();
    // In some of them from so few callsites that a limit is reached.
    let is_loop = random.below(4) == 0;
    let callsites = if is_loop { 2 } else { 256 };
    for _ in 0..random.below(60) {
        let operation = if is_loop && random.below(2) == 0 { 11 } else { random.byte() % 16 };
        input.push(operation);
        let number = u8::try_from(random.below(callsites)).unwrap();
        match operation {
            0 | 1 => {
                input.push(number);
                values(callsites::span(number).fields().len(), random, &mut input);
            }
            // Of which span it is, the input does not say.
            6 => {
                input.push(number);
                values(random.below(6), random, &mut input);
            }
            7 => {
                input.push(number);
                values(1, random, &mut input);
            }
            10 => {}
            2..=5 | 8 | 9 => input.push(number),
            _ => {
                input.push(number);
                values(callsites::event(number).fields().len(), random, &mut input);
                input.push(random.byte());
            }
        }
    }
    if random.below(8) == 0 && !input.is_empty() {
        let at = random.below(input.len());
        input[at] = random.byte();
    }
    input
}

fn values(count: usize, random: &mut Random, input: &mut Vec<u8>) {
    for _ in 0..count {
        let kind = random.byte() % 15;
        input.push(kind);
        match kind {
            1..=5 | 13 => text(random, input),
            6..=8 => input.extend_from_slice(&random.next().to_le_bytes()),
            9 => input.push(random.byte()),
            10 => {
                input.extend_from_slice(&random.next().to_le_bytes());
                input.push(random.byte());
            }
            11 | 12 => {
                let has_cause = random.below(2) == 0;
                input.push(u8::from(!has_cause));
                for _ in 0..=usize::from(has_cause) {
                    text(random, input);
                }
                input.push(random.byte());
            }
            _ => {}
        }
    }
}

/// With its length before it, which says of a few that they are said again and again.
fn text(random: &mut Random, input: &mut Vec<u8>) {
    let mut text = String::new();
    for _ in 0..random.below(4) {
        text.push_str(TOKENS[random.below(TOKENS.len())]);
    }
    if random.below(24) == 0 {
        input.push(201 + random.byte() % 55);
        text.push_str("filled");
        input.extend_from_slice(&text.as_bytes()[..6]);
    } else {
        input.push(u8::try_from(text.len()).unwrap());
        input.extend_from_slice(text.as_bytes());
    }
}
