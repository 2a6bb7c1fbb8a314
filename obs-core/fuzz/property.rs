//! What must hold for any text that is searched for secrets; it fails by panicking.
//!
//! The fuzz target and `tests/redact_fuzz.rs` both call [`check`].

use std::borrow::Cow;
use std::time::{Duration, Instant};

use obs_core::json;
use obs_core::redact::{REDACTED, Redactor};

/// More than a slow machine takes for any input of a fuzzer without optimization, and far less than
/// the square of a large one.
const MOST: Duration = Duration::from_secs(10);
const MOST_PER_BYTE: Duration = Duration::from_micros(20);

/// What is planted, and what of it must be gone.
const SECRETS: &[(&str, &str)] = &[
    ("zoe.q+7@mail.planted.example", "planted.example"),
    ("zoe%40planted.example", "planted.example"),
    ("5105105105105100", "5105105105105100"),
    ("5105 1051 0510 5100", "1051 0510 5100"),
    ("3714-496353-98431", "496353-98431"),
    ("Bearer pl4nted.t0ken-x_y/z+==", "pl4nted"),
    ("Basic cGxhbnRlZDpwbGFudGVk", "cGxhbnRlZDpwbGFudGVk"),
    ("AKIAPLANTEDPLANTED77", "PLANTED77"),
    ("ASIAPLANTEDPLANTED77", "PLANTED77"),
    ("eyJwbGFudGVk.eyJwbGFudGVk.cGxhbnRlZA", "bGFudGVk"),
    ("GB33BUKB20201555555555", "20201555555555"),
    ("GB33 BUKB 2020 1555 5555 55", "2020 1555 5555 55"),
    ("password=pl4nted", "pl4nted"),
    ("Api-Key: pl4nted", "pl4nted"),
    ("\"clientSecret\":\"pl4nted, or so\"", "pl4nted"),
    ("{\\\"token\\\":\\\"pl4nted, or so\\\"}", "pl4nted"),
    ("Authorization: Bearer pl4nted", "pl4nted"),
    ("?a=b&access_token=pl4nted&c=d", "pl4nted"),
    ("X { secret: Some(\"pl4nted, or so\") }", "pl4nted"),
];

/// What stands between a planted secret and the text around it, so that neither is a part of the other.
const BETWEEN: &[&str] = &["\n", " | ", ") ", "] ", ", ", "\" ", "\t", "\n\u{2028}", "→ "];

/// Checks one input.
pub(crate) fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let redactor = Redactor::standard().field("iban");
    let started = Instant::now();
    let redacted = redactor.redact(&text);
    let elapsed = started.elapsed();
    let most = MOST + MOST_PER_BYTE * u32::try_from(text.len()).unwrap_or(u32::MAX);
    assert!(elapsed < most, "{elapsed:?} for {} bytes", text.len());

    match &redacted {
        Cow::Borrowed(same) => assert_eq!(*same, text, "borrowed, and so unchanged"),
        Cow::Owned(changed) => {
            assert!(changed.contains(REDACTED), "changed, but nothing is redacted");
            assert_ne!(*changed, text, "owned, and so changed");
        }
    }
    assert_eq!(redactor.redact(&redacted), redacted, "once is enough: {text:?}");
    for off in [Redactor::default(), Redactor::none()] {
        assert!(matches!(off.redact(&text), Cow::Borrowed(_)), "nothing is looked for");
    }
    encoded(&redactor, &text, &redacted);
    planted(&redactor, input, &text);
}

/// In a JSON string, what is left is the same.
fn encoded(redactor: &Redactor, text: &str, redacted: &str) {
    let mut out = b"{\"a\":".to_vec();
    let start = out.len();
    json::string(&mut out, text);
    redactor.redact_encoded(&mut out, start);
    let mut expected = Vec::new();
    json::string(&mut expected, redacted);
    assert_eq!(out[start..], expected, "encoded {text:?}");
    let read: String = serde_json::from_slice(&out[start..]).expect("it is JSON still");
    assert_eq!(read, redacted);
}

/// A secret that is put into the text is not in what is left of it.
fn planted(redactor: &Redactor, input: &[u8], text: &str) {
    let choice = |place: usize| usize::from(input.get(place).copied().unwrap_or_default());
    let (secret, gone) = SECRETS[choice(0) % SECRETS.len()];
    let [before, behind] = [choice(1), choice(2)].map(|n| BETWEEN[n % BETWEEN.len()]);
    let mut at = choice(3) % (text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    // A quotation that is open would end at the first of the secret's own marks, and what is behind it
    // is nobody's value.
    let is_quoted = secret.contains('"') && text[..at].contains(['"', '\'', '`']);
    if text.contains(gone) || is_quoted {
        return;
    }
    let whole = format!("{}{before}{secret}{behind}{}", &text[..at], &text[at..]);
    let left = redactor.redact(&whole);
    assert!(!left.contains(gone), "{secret:?} is left of {whole:?}: {left:?}");
}
