//! Where alerts go and whom they come from: the names that EventBridge takes.

use std::fmt;

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    Blank,
    TooLong { characters: usize, limit: usize },
    ReservedPrefix,
    Character { found: char, allowed: &'static str },
    NotAnEventBusArn,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Blank => f.write_str("is blank"),
            Problem::TooLong { characters, limit } => {
                write!(f, "has {characters} characters, and {limit} are allowed")
            }
            Problem::ReservedPrefix => f.write_str(
                "begins with `aws.`, which EventBridge keeps for AWS services: use your own, like `myapp.alerts`",
            ),
            Problem::Character { found, allowed } => {
                write!(f, "contains {found:?}, and only {allowed} are allowed")
            }
            Problem::NotAnEventBusArn => f.write_str(
                "is no ARN of an event bus: arn:aws:events:REGION:ACCOUNT:event-bus/NAME",
            ),
        }
    }
}

/// The longest source. EventBridge documents none for custom sources; 256 is what it takes for the
/// names of partner sources, and a rule's pattern has to hold it.
const MAX_SOURCE: usize = 256;
/// The longest name of a bus (EventBridge, `CreateEventBus`).
const MAX_BUS_NAME: usize = 256;
/// The longest ARN of a bus (EventBridge, `PutEventsRequestEntry.EventBusName`).
const MAX_BUS_ARN: usize = 1600;

/// A source: our own, so not one of the `aws.` ones, and visible ASCII without blanks.
pub(crate) fn check_source(source: &str) -> Result<(), Problem> {
    check_length(source, MAX_SOURCE)?;
    if source.len() >= 4 && source.as_bytes()[..4].eq_ignore_ascii_case(b"aws.") {
        return Err(Problem::ReservedPrefix);
    }
    check_characters(source, "letters, digits and . _ - / : #", |c| {
        c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '#')
    })
}

/// A bus: its name, or its ARN where it is in another account.
pub(crate) fn check_bus(bus: &str) -> Result<(), Problem> {
    if bus.starts_with("arn:") {
        return check_bus_arn(bus);
    }
    check_length(bus, MAX_BUS_NAME)?;
    check_characters(bus, BUS_CHARACTERS, is_bus_character)
}

/// A detail type: up to 128 characters (EventBridge, `PutEventsRequestEntry`).
pub(crate) fn check_detail_type(detail_type: &str) -> Result<(), Problem> {
    check_length(detail_type, crate::Alert::MAX_DETAIL_TYPE)?;
    check_characters(detail_type, "printable characters", |c| !c.is_control())
}

/// `arn:PARTITION:events:REGION:ACCOUNT:event-bus/NAME`
fn check_bus_arn(arn: &str) -> Result<(), Problem> {
    check_length(arn, MAX_BUS_ARN)?;
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, partition, "events", region, account, resource] = parts[..] else {
        return Err(Problem::NotAnEventBusArn);
    };
    let name = resource.strip_prefix("event-bus/").unwrap_or_default();
    let is_word = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    if partition.starts_with("aws") && is_word(partition) && is_word(region) && is_account {
        check_length(name, MAX_BUS_NAME).map_err(|_| Problem::NotAnEventBusArn)?;
        return check_characters(name, BUS_CHARACTERS, is_bus_character);
    }
    Err(Problem::NotAnEventBusArn)
}

const BUS_CHARACTERS: &str = "letters, digits and . _ - /";

fn is_bus_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/')
}

fn check_length(text: &str, limit: usize) -> Result<(), Problem> {
    let characters = text.chars().count();
    if text.trim().is_empty() {
        Err(Problem::Blank)
    } else if characters > limit {
        Err(Problem::TooLong { characters, limit })
    } else {
        Ok(())
    }
}

fn check_characters(
    text: &str,
    allowed: &'static str,
    is_allowed: impl Fn(char) -> bool,
) -> Result<(), Problem> {
    match text.chars().find(|c| !is_allowed(*c)) {
        Some(found) => Err(Problem::Character { found, allowed }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(checked: fn(&str) -> Result<(), Problem>, text: &str, expected: Result<(), &str>) {
        let found = checked(text).map_err(|problem| problem.to_string());
        match (&found, expected) {
            (Ok(()), Ok(())) => {}
            (Err(problem), Err(part)) if problem.contains(part) => {}
            _ => panic!("{text:?}: found {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn sources() {
        for source in ["myapp.alerts", "com.example/orders-2", "a", "awsome.alerts"] {
            check(check_source, source, Ok(()));
        }
        check(check_source, "", Err("blank"));
        check(check_source, "  ", Err("blank"));
        check(check_source, "aws.alerts", Err("begins with `aws.`"));
        check(check_source, "AWS.alerts", Err("begins with `aws.`"));
        check(check_source, "my app", Err("contains ' '"));
        check(check_source, "äpp", Err("contains 'ä'"));
        check(check_source, &"a".repeat(256), Ok(()));
        check(check_source, &"a".repeat(257), Err("has 257 characters, and 256 are allowed"));
    }

    #[test]
    fn buses() {
        for bus in [
            "default",
            "observability",
            "aws.partner/example.com/test/1",
            "arn:aws:events:eu-central-1:123456789012:event-bus/observability",
            "arn:aws-us-gov:events:us-gov-west-1:123456789012:event-bus/a/b.c_d-e",
        ] {
            check(check_bus, bus, Ok(()));
        }
        check(check_bus, "", Err("blank"));
        check(check_bus, "my bus", Err("contains ' '"));
        check(check_bus, &"b".repeat(257), Err("has 257 characters"));
        for arn in [
            "arn:",
            "arn:aws:sns:eu-central-1:123456789012:event-bus/b",
            "arn:aws:events:eu-central-1:12345:event-bus/b",
            "arn:aws:events::123456789012:event-bus/b",
            "arn:aws:events:eu-central-1:123456789012:rule/b",
            "arn:aws:events:eu-central-1:123456789012:event-bus/",
            "arn:gcp:events:eu-central-1:123456789012:event-bus/b",
        ] {
            check(check_bus, arn, Err("is no ARN of an event bus"));
        }
        check(
            check_bus,
            "arn:aws:events:eu-central-1:123456789012:event-bus/b b",
            Err("contains ' '"),
        );
    }

    #[test]
    fn detail_types() {
        check(check_detail_type, "Business Alert", Ok(()));
        check(check_detail_type, &"ü".repeat(128), Ok(()));
        check(check_detail_type, &"ü".repeat(129), Err("128 are allowed"));
        check(check_detail_type, "\n", Err("blank"));
        check(check_detail_type, "two\nlines", Err("printable"));
    }
}
