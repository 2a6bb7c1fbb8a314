//! The validator holds its property for mutated documents, and for every input that once broke it.
//!
//! The same property is libFuzzer's target in `fuzz/`. The mutator is seeded: a failure here fails
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
#[path = "../fuzz/tree.rs"]
mod tree;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use tree::Tree;

/// What is put in the place of a value.
const LITERALS: &[&str] = &[
    "null",
    "true",
    "0",
    "-0",
    "-1",
    "1",
    "60",
    "60.0",
    "1e15",
    "3e108",
    "-1e400",
    "1e-400",
    "18446744073709551616",
    "1700000000000",
    "1700000000000.0",
    "2348542582773833227889480596789337e75",
    "[]",
    "{}",
    "[[]]",
    "\"\"",
    "\" \"",
    "\":a\"",
    "\"AWS/x\"",
    "\"a\\nb\"",
    "\"\\u2028\"",
    "\"é\"",
    "\"\\ud800\"",
    "\"\\ufdd0\"",
    "\"Second\"",
    "\"Seconds\"",
    "{\"Values\":[1,2],\"Counts\":[1,0]}",
    "{\"Values\":[1]}",
    "{\"Name\":\"A\"}",
    "NaN",
    "1e",
    "",
];

/// What is put as a key, beside those that the documents have.
const KEYS: &[&str] = &[
    "_aws",
    "Timestamp",
    "CloudWatchMetrics",
    "Namespace",
    "Dimensions",
    "Metrics",
    "Name",
    "Unit",
    "StorageResolution",
    "Values",
    "Counts",
    "",
    "~",
    "/",
    "a/b~c",
    "a\nb",
    "\u{1b}[0m",
    "größe",
];

/// What is put between any two characters.
const TOKENS: &[&str] = &[
    "{", "}", "[", "]", "\"", "\\", ":", ",", "\\u005f", "\\u", "\n", "\r", "\u{0}", "\u{fffd}",
    "é", "\u{feff}", "_aws", "1e400", "-", ".", " ", "\"a\":1,", "[[[[[[[[",
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

fn count(node: &Tree) -> usize {
    1 + match node {
        Tree::Array(items) => items.iter().map(count).sum(),
        Tree::Object(members) => members.iter().map(|(_, node)| count(node)).sum(),
        _ => 0,
    }
}

/// The `n`th node, the root being the first.
fn nth<'t>(node: &'t mut Tree, n: &mut usize) -> Option<&'t mut Tree> {
    if *n == 0 {
        return Some(node);
    }
    *n -= 1;
    match node {
        Tree::Array(items) => items.iter_mut().find_map(|item| nth(item, n)),
        Tree::Object(members) => members.iter_mut().find_map(|(_, member)| nth(member, n)),
        _ => None,
    }
}

fn any<'t>(tree: &'t mut Tree, random: &mut Random) -> &'t mut Tree {
    let mut n = random.below(count(tree));
    nth(tree, &mut n).unwrap()
}

/// A key or a string of the document: what a name, a reference or a unit may be changed to.
fn text(tree: &mut Tree, random: &mut Random) -> String {
    let node = any(tree, random).clone();
    match node {
        Tree::String(text) => text,
        Tree::Object(members) if !members.is_empty() => {
            members[random.below(members.len())].0.clone()
        }
        _ => random.one(KEYS).to_owned(),
    }
}

fn mutate(tree: &mut Tree, other: &mut Tree, random: &mut Random) {
    let texts = (text(tree, random), text(other, random));
    let donor = any(other, random).clone();
    let node = any(tree, random);
    let at = random.next();
    let within = |len: usize| usize::try_from(at % u64::try_from(len.max(1)).unwrap()).unwrap();
    match (random.below(10), node) {
        (0, node) => *node = Tree::Literal(random.one(LITERALS).to_owned()),
        (1, node) => *node = donor,
        (2, node) => *node = Tree::String(if at.is_multiple_of(2) { texts.0 } else { texts.1 }),
        (3, Tree::Object(members)) => members.push((texts.0, donor)),
        (4, Tree::Object(members)) if !members.is_empty() => {
            let n = within(members.len());
            members.swap_remove(n);
        }
        (5, Tree::Object(members)) if !members.is_empty() => {
            let n = within(members.len());
            members[n].0 = if at.is_multiple_of(3) { random.one(KEYS).to_owned() } else { texts.1 };
        }
        (6, Tree::Object(members)) if !members.is_empty() => {
            let member = members[within(members.len())].clone();
            members.push(member);
        }
        (3, Tree::Array(items)) => items.push(donor),
        (4, Tree::Array(items)) if !items.is_empty() => {
            let n = within(items.len());
            items.swap_remove(n);
        }
        (5, Tree::Array(items)) if !items.is_empty() => {
            let item = items[within(items.len())].clone();
            let more = random.one(&[&1, &29, &98, &99, &100]);
            // A large item is not made a hundred: that takes long and says no more.
            let more = if count(&item) > 10 { 1 } else { *more };
            items.extend(std::iter::repeat_n(item, more));
        }
        (6, Tree::Array(items)) => items.reverse(),
        (7, Tree::String(text)) => {
            *text = text.repeat(*random.one(&[&0, &2, &26, &255, &1025]));
            text.truncate(text.floor_char_boundary(3_000));
        }
        (8, node) => {
            let depth = *random.one(&[&1, &2, &60, &120, &130]);
            *node = Tree::Literal(format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        }
        (_, Tree::Literal(number)) => *number = random.one(LITERALS).to_owned(),
        (_, Tree::String(text)) => text.push_str(random.one(TOKENS)),
        (_, node) => *node = Tree::Array(vec![node.clone()]),
    }
}

/// One more dimension in a set, or in whatever else is an array of texts: a member that is a text.
fn refer(tree: &mut Tree, random: &mut Random) {
    let Tree::Object(members) = &*tree else { return };
    let texts: Vec<String> = members
        .iter()
        .filter(|(_, node)| matches!(node, Tree::String(_)))
        .map(|(key, _)| key.clone())
        .collect();
    let Some(name) = texts.get(random.below(texts.len())) else { return };
    let sets: Vec<usize> = (0..count(tree))
        .filter(|&n| match nth(tree, &mut n.clone()) {
            Some(Tree::Array(items)) => items.iter().all(|item| matches!(item, Tree::String(_))),
            _ => false,
        })
        .collect();
    let Some(&set) = sets.get(random.below(sets.len())) else { return };
    if let Some(Tree::Array(items)) = nth(tree, &mut set.clone()) {
        items.push(Tree::String(name.clone()));
    }
}

/// Damage to the text, and to the bytes: what is cut, doubled, put in, or no UTF-8.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let end = (at + random.below(20)).min(bytes.len());
    match random.below(6) {
        0 => drop(bytes.drain(at..end)),
        1 => bytes.truncate(at),
        2 => {
            let doubled = bytes[at..end].to_vec();
            bytes.splice(at..at, doubled);
        }
        3 => drop(bytes.splice(at..at, random.one(TOKENS).bytes())),
        4 => {
            // In a string it is the same character, and most letters are in strings.
            if let Some(letter) = bytes.get(at).copied().filter(u8::is_ascii_alphabetic) {
                bytes.splice(at..=at, format!("\\u{letter:04x}").into_bytes());
            }
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
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
fn check(
    input: &[u8],
    name: &str,
) -> Result<obs_metrics::emf::Document, obs_metrics::emf::Violations> {
    catch_unwind(AssertUnwindSafe(|| property::check(input))).unwrap_or_else(|panic| {
        let shown = String::from_utf8_lossy(&input[..input.len().min(20_000)]);
        eprintln!("{name}: {} bytes, to be kept in fuzz/crashes:\n{shown}", input.len());
        resume_unwind(panic)
    })
}

#[test]
fn what_once_broke_it_holds() {
    for (name, input) in files("crashes").into_iter().chain(files("corpus/emf_validate")) {
        // Whatever it says of them.
        drop(check(&input, &name));
    }
}

#[test]
fn mutated_documents_hold() {
    let seeds: Vec<(String, Tree)> = files("corpus/emf_validate")
        .into_iter()
        .filter_map(|(name, bytes)| Some((name, serde_json::from_slice(&bytes).ok()?)))
        .collect();
    let small: Vec<_> =
        seeds.iter().filter(|(_, tree)| tree.to_string().len() < 1_000).cloned().collect();
    let inputs = number("OBS_FUZZ_INPUTS", 20_000);
    let mut random = Random(number("OBS_FUZZ_SEED", 1));
    let mut accepted = 0;
    let mut rules = BTreeMap::new();
    for n in 0..inputs {
        // A large seed takes as long as twenty small ones.
        let of = if random.below(20) == 0 { &seeds } else { &small };
        let (name, seed) = &of[random.below(of.len())];
        let (mut tree, mut other) = (seed.clone(), of[random.below(of.len())].1.clone());
        // Most inputs have one thing wrong, and some have many.
        for _ in 0..*random.one(&[&0, &1, &1, &1, &2, &4, &8]) {
            match random.below(16) {
                0 => refer(&mut tree, &mut random),
                _ => mutate(&mut tree, &mut other, &mut random),
            }
        }
        let mut input = tree.to_string().into_bytes();
        for _ in 0..*random.one(&[&0, &0, &0, &0, &1, &3]) {
            damage(&mut input, &mut random);
        }
        match check(&input, &format!("input {n}, from {name}")) {
            Ok(_) => accepted += 1,
            Err(violations) => {
                for violation in &violations {
                    *rules.entry(violation.rule().as_str()).or_insert(0_u64) += 1;
                }
            }
        }
    }
    // A mutator that only breaks, or only breaks JSON, would find nothing.
    assert!(accepted > inputs / 50, "{accepted} of {inputs}");
    assert!(rules.len() >= 25 || inputs < 20_000, "{rules:?}");
    eprintln!("{inputs} inputs, {accepted} accepted; {rules:?}");
}
