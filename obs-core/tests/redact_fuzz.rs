//! The redactor holds its property for mutated texts, and for every input that once broke it; and its
//! time is proportional to the text, whatever is in it.
//!
//! The property is libFuzzer's target in `fuzz/` too. The mutator is seeded: a failure here fails
//! again, and prints its input.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says of what"
)]

#[path = "../fuzz/property.rs"]
mod property;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use obs_core::Redactor;
use obs_core::json;

/// What texts are made of: all that any pattern looks at, and what it must not trip over.
const TOKENS: &[&str] = &[
    "jane",
    "@",
    "example.com",
    ".",
    "%40",
    "b\u{fc}cher",
    "-",
    "_",
    "+",
    "'",
    "4",
    "12",
    "4111",
    "1111",
    "411111",
    "11111",
    "4111111111111111",
    "378282246310005",
    "4111 1111 1111 1111",
    "3782-822463-10005",
    "40",
    "1700000000000",
    "DE",
    "89",
    "DE89370400440532013000",
    "DE89 3704 0044 0532 0130 00",
    "GB29NWBK",
    "Bearer ",
    "bearer",
    "Basic ",
    "dTpw",
    "QWxhZGRpbjpvcGVu",
    "abc123",
    "==",
    "~",
    "Digest ",
    "AKIA",
    "ASIA",
    "IOSFODNN7EXAMPLE",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJ",
    "eyJhbGciOiJub25lIn0",
    "e30",
    "eyJa.b.c",
    "password",
    "token",
    "tokens",
    "Set-Cookie",
    "authorization",
    "secret",
    "api key",
    "iban",
    "x",
    "=",
    ":",
    ": ",
    "::",
    " = ",
    "=>",
    "//",
    "arn:aws:",
    "&",
    "?",
    ";",
    "; ",
    ",",
    ", ",
    "\"",
    "\\\"",
    "\\\\\\\"",
    "\\",
    "'",
    "`",
    "b\"",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    " {",
    "Some(",
    "<",
    ">",
    "[REDACTED]",
    "[",
    "REDACTED",
    "]",
    " ",
    "  ",
    "\n",
    "\t",
    "\r",
    "\u{0}",
    "\u{1b}",
    "\u{85}",
    "\u{2028}",
    "\u{7f}",
    "\u{e9}",
    "\u{7d42}",
    "\u{1f600}",
    "\\u0040",
    "\\n",
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
fn check(input: &[u8], name: &str) {
    catch_unwind(AssertUnwindSafe(|| property::check(input))).unwrap_or_else(|panic| {
        let shown = String::from_utf8_lossy(input);
        eprintln!("{name}: {} bytes, to be kept in fuzz/crashes:\n{shown:?}", input.len());
        resume_unwind(panic)
    });
}

#[test]
fn scenario_41_what_once_broke_it_holds() {
    let inputs: Vec<_> = files("crashes").into_iter().chain(files("corpus/redact")).collect();
    assert!(inputs.len() >= 8, "the corpus is there");
    for (name, input) in inputs {
        check(&input, &name);
    }
}

#[test]
fn scenario_41_mutated_texts_hold() {
    let seeds = files("corpus/redact");
    let mut random = Random(number("OBS_FUZZ_SEED", 1));
    let (mut changed, inputs) = (0_u64, number("OBS_FUZZ_INPUTS", 20_000));
    for n in 0..inputs {
        let (name, mut input) = match random.below(2) {
            0 => seeds[random.below(seeds.len())].clone(),
            _ => ("tokens".to_owned(), Vec::new()),
        };
        for _ in 0..=random.below(12) {
            mutate(&mut input, &mut random);
        }
        check(&input, &format!("input {n} of {name}"));
        let text = String::from_utf8_lossy(&input);
        changed += u64::from(Redactor::standard().redact(&text) != text);
    }
    // Otherwise nothing was tested.
    assert!(changed > inputs / 10 && changed < inputs, "{changed} of {inputs} had secrets");
}

/// Puts something in, takes something out, or breaks a byte.
fn mutate(input: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = (at + random.below(12)).min(input.len());
    match random.below(12) {
        0 => drop(input.drain(at..end)),
        1 => {
            let doubled = input[at..end].to_vec();
            input.splice(at..at, doubled);
        }
        2 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        // As it stands in JSON, once more.
        3 => {
            let mut quoted = Vec::new();
            json::escaped(&mut quoted, &String::from_utf8_lossy(&input[at..]));
            input.splice(at.., quoted);
        }
        4..=7 => drop(input.splice(at..at, TOKENS[random.below(TOKENS.len())].bytes())),
        _ => input.extend_from_slice(TOKENS[random.below(TOKENS.len())].as_bytes()),
    }
}

/// The least time of a few runs.
fn time(work: impl Fn()) -> Duration {
    let runs = (0..3).map(|_| {
        let started = Instant::now();
        work();
        started.elapsed()
    });
    runs.min().unwrap()
}

#[test]
fn scenario_41_the_time_is_proportional_to_the_text() {
    let redactor = Redactor::standard().field("iban");
    let tokens: Vec<String> = TOKENS.iter().map(|token| (*token).to_owned()).collect();
    let of_two = [
        "@",
        "a@",
        "a@b",
        "%40",
        "a%40",
        "=",
        "token=",
        "token=(",
        "token: \"",
        "token: \\\"",
        "token=b\"",
        "token: {\"",
        "cookie=a; ",
        ":",
        "::",
        "eyJ",
        "eyJ.",
        ".eyJ",
        "-eyJ",
        "eyJ-",
        "eyJa.b",
        "1",
        "4111 ",
        "1111-",
        "4111111111111111 ",
        "DE89 ",
        "DE89",
        "Bearer ",
        "Bearer a",
        "basic ",
        "Basic a",
        "AKIA",
        "\\",
        "\"",
        "token \\\"",
        "[",
        "token: [",
        "arn:secret:",
        "a.",
        "@a.",
        "-",
        "@-",
        "_=",
        " =",
        "token ",
        "Authorization: Digest ",
        "[REDACTED]",
        "token=[REDACTED]",
        "\u{e9}",
        "\u{e9}@",
        "x{",
        "token: x {",
    ];
    for part in of_two.iter().map(|part| (*part).to_owned()).chain(tokens) {
        // What comes before and behind decides whether something ends.
        for (before, behind) in [("", ""), ("token=\"", "\""), ("x@", "@y.de"), ("eyJ", ".a.b")] {
            let text =
                |bytes: usize| format!("{before}{}{behind}", part.repeat(bytes / part.len()));
            let (small, large) = (text(8 * 1024), text(8 * 8 * 1024));
            let search = |text: &str| drop(redactor.redact(text));
            // Eight times the text takes eight times as long; the square of it would take 64 times. A
            // machine that is busy may need a second try.
            let tries =
                std::iter::repeat_with(|| (time(|| search(&small)), time(|| search(&large))));
            let is_linear =
                |(few, many): &(Duration, Duration)| *many < *few * 24 + Duration::from_millis(20);
            let mut tries = tries.take(5).skip_while(|times| !is_linear(times));
            assert!(tries.next().is_some(), "{part:?} between {before:?} and {behind:?}");
        }
    }
}
