//! Which environment variables Obs reads, and in which order: the first one that is set and not
//! blank wins, and code wins over all of them.

use std::fmt;

/// The service's name.
pub const SERVICE: &[&str] = &[
    "OBS_SERVICE_NAME",
    "OTEL_SERVICE_NAME",
    "POWERTOOLS_SERVICE_NAME",
    "AWS_LAMBDA_FUNCTION_NAME",
];
/// The deployment environment (`dev`, `staging`, `prod`, …).
pub const ENVIRONMENT: &[&str] = &["OBS_ENVIRONMENT", "DEPLOYMENT_ENVIRONMENT"];
/// The CloudWatch namespace of metrics.
pub const NAMESPACE: &[&str] =
    &["OBS_METRICS_NAMESPACE", "POWERTOOLS_METRICS_NAMESPACE", "AWS_EMF_NAMESPACE"];
/// Where the CloudWatch agent takes EMF documents: `tcp://host:port` or `udp://host:port`.
pub const EMF_AGENT: &[&str] = &["AWS_EMF_AGENT_ENDPOINT"];
/// The log group that EMF documents for the CloudWatch agent name.
pub const EMF_LOG_GROUP: &[&str] = &["AWS_EMF_LOG_GROUP_NAME"];
/// The log stream that EMF documents for the CloudWatch agent name.
pub const EMF_LOG_STREAM: &[&str] = &["AWS_EMF_LOG_STREAM_NAME"];
/// The log level, in `EnvFilter`'s grammar.
pub const LEVEL: &[&str] =
    &["OBS_LOG_LEVEL", "RUST_LOG", "AWS_LAMBDA_LOG_LEVEL", "POWERTOOLS_LOG_LEVEL"];
/// The log format: `json` or `text`.
pub const LOG_FORMAT: &[&str] = &["OBS_LOG_FORMAT", "AWS_LAMBDA_LOG_FORMAT"];
/// The event bus that alerts go to.
pub const ALERTS_BUS: &[&str] = &["OBS_ALERTS_BUS"];
/// The `Source` of alerts on the bus.
pub const ALERTS_SOURCE: &[&str] = &["OBS_ALERTS_SOURCE"];
/// Where the X-Ray daemon listens.
pub const XRAY_DAEMON: &[&str] = &["AWS_XRAY_DAEMON_ADDRESS"];
/// Which road traces take: `xray`, `otlp`, `none`.
pub const TRACES: &[&str] = &["OBS_TRACES"];
/// What is known of the resource beside what is found out: `key=value,key=value`.
pub const RESOURCE_ATTRIBUTES: &[&str] = &["OTEL_RESOURCE_ATTRIBUTES"];
/// Switches all of Obs off.
pub const DISABLED: &[&str] = &["OBS_DISABLED"];
/// Switches metrics off.
pub const METRICS_DISABLED: &[&str] = &["OBS_DISABLED", "OBS_METRICS_DISABLED"];
/// Switches traces off.
pub const TRACES_DISABLED: &[&str] = &["OBS_DISABLED", "OTEL_SDK_DISABLED"];

/// The first variable of `names` that is set and not blank.
///
/// ```
/// # use obs_core::env;
/// assert_eq!(env::first(&["OBS_NO_SUCH_VARIABLE"]), None);
/// ```
pub fn first(names: &[&str]) -> Option<String> {
    first_of(names, |name| std::env::var(name).ok())
}

/// As [`first()`], reading from `lookup` instead of the process, for tests and for embedding.
pub fn first_of(names: &[&str], lookup: impl Fn(&str) -> Option<String>) -> Option<String> {
    first_named(names, lookup).map(|(_, value)| value)
}

/// As [`first_of`], with the name of the variable that won, for error messages.
pub fn first_named<'n>(
    names: &[&'n str],
    lookup: impl Fn(&str) -> Option<String>,
) -> Option<(&'n str, String)> {
    names.iter().find_map(|name| {
        let value = lookup(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| (*name, value.to_owned()))
    })
}

/// `key=value,key=value` of the first variable of `names` that is set, as OpenTelemetry writes
/// headers and resource attributes: keys and values are percent-encoded, the later of two equal keys
/// wins.
///
/// # Errors
///
/// The variable is not of that form. The error does not show what it holds, which may be a secret.
pub fn pairs(
    names: &[&str],
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Vec<(String, String)>, InvalidPairs> {
    let Some((name, text)) = first_named(names, lookup) else { return Ok(Vec::new()) };
    let mut pairs = Vec::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let fault = || InvalidPairs { name: name.to_owned() };
        let (key, value) = pair.split_once('=').ok_or_else(fault)?;
        let value = percent_decoded(value.trim()).ok_or_else(fault)?;
        let key = percent_decoded(key.trim()).filter(|key| !key.is_empty()).ok_or_else(fault)?;
        set_pair(&mut pairs, key, value);
    }
    Ok(pairs)
}

/// Adds a pair, in the place of one with this key.
pub fn set_pair(pairs: &mut Vec<(String, String)>, key: String, value: String) {
    match pairs.iter_mut().find(|(known, _)| *known == key) {
        Some((_, old)) => *old = value,
        None => pairs.push((key, value)),
    }
}

/// A variable that is not of the form `key=value,key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPairs {
    name: String,
}

impl fmt::Display for InvalidPairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not of the form key=value,key=value", self.name)
    }
}

impl std::error::Error for InvalidPairs {}

/// Whether any of `names` is set to `true`, `1`, `yes` or `on` (in any case).
pub fn flag(names: &[&str]) -> bool {
    names.iter().any(|name| std::env::var(name).is_ok_and(|value| is_true(&value)))
}

/// Whether this process is a Lambda function: the runtime API's address is there.
pub fn is_lambda() -> bool {
    std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        decoded.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(decoded).ok()
}

fn is_true(value: &str) -> bool {
    ["true", "1", "yes", "on"].iter().any(|yes| value.trim().eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vars: &[(&str, &str)], expected: Option<(&str, &str)>) {
        let lookup = |name: &str| {
            vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        let found = first_named(LEVEL, lookup);
        assert_eq!(found.as_ref().map(|(name, value)| (*name, value.as_str())), expected);
    }

    #[test]
    fn the_first_variable_that_is_not_blank_wins() {
        check(&[], None);
        check(&[("RUST_LOG", "debug")], Some(("RUST_LOG", "debug")));
        check(&[("RUST_LOG", "debug"), ("OBS_LOG_LEVEL", "warn")], Some(("OBS_LOG_LEVEL", "warn")));
        check(&[("RUST_LOG", " debug "), ("OBS_LOG_LEVEL", "  ")], Some(("RUST_LOG", "debug")));
    }

    #[test]
    fn pairs_are_percent_decoded_and_the_later_wins() {
        let check = |text: &str, expected: Option<&[(&str, &str)]>| {
            let found = pairs(&["X"], |name| (name == "X").then(|| text.to_owned()));
            let expected = expected.map(|pairs| {
                pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
            });
            assert_eq!(found.ok(), expected, "{text:?}");
        };
        check("", Some(&[]));
        check(" a = 1 ,, b=x%20y%2C,a=2", Some(&[("a", "2"), ("b", "x y,")]));
        check("a==", Some(&[("a", "=")]));
        for wrong in ["hunter2", "=x", "a=%zz", "a=%f", "a=%ff"] {
            check(wrong, None);
        }
        let error = pairs(&["X"], |_| Some("hunter2".to_owned())).unwrap_err();
        assert_eq!(error.to_string(), "X is not of the form key=value,key=value");
    }

    #[test]
    fn flags_take_the_usual_words() {
        for (value, expected) in
            [("true", true), ("TRUE", true), (" 1 ", true), ("on", true), ("0", false), ("", false)]
        {
            assert_eq!(is_true(value), expected, "{value:?}");
        }
    }
}
