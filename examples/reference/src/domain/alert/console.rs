//! Links into the AWS console.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The page of a log group. Nothing where the region or the name cannot be one.
///
/// The console reads what follows `#` in an encoding of its own: encoded as a URI component twice,
/// with `$` in the place of the percent signs.
#[must_use]
pub fn log_group(region: &str, name: &str) -> Option<String> {
    // CloudWatch Logs: 1 to 512 of these characters (CreateLogGroup).
    let valid = (1..=512).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./#".contains(&b));
    let name = component(&component(name)).replace('%', "$");
    valid.then(|| cloudwatch(region, &format!("logsV2:log-groups/log-group/{name}")))?
}

/// The page of a trace, by its id in X-Ray's form.
#[must_use]
pub fn trace(region: &str, xray_trace_id: &str) -> Option<String> {
    cloudwatch(region, &format!("xray:traces/{}", component(xray_trace_id)))
}

fn cloudwatch(region: &str, fragment: &str) -> Option<String> {
    // The region comes with the event and becomes part of a host name.
    let valid = (1..=32).contains(&region.len())
        && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !valid {
        return None;
    }
    let domain = if region.starts_with("cn-") {
        "console.amazonaws.cn"
    } else if region.starts_with("us-gov-") {
        "console.amazonaws-us-gov.com"
    } else {
        "console.aws.amazon.com"
    };
    Some(format!("https://{region}.{domain}/cloudwatch/home?region={region}#{fragment}"))
}

/// What `encodeURIComponent` leaves as it is.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

fn component(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_groups_are_encoded_as_the_console_does() {
        assert_eq!(
            log_group("eu-west-1", "/aws/lambda/obs-reference-dev-pipeline").as_deref(),
            Some(
                "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1\
                 #logsV2:log-groups/log-group/$252Faws$252Flambda$252Fobs-reference-dev-pipeline"
            )
        );
        let odd = log_group("eu-west-1", "a#b_c.d").unwrap();
        assert!(odd.ends_with("/log-group/a$2523b_c.d"), "{odd}");
        assert_eq!(log_group("eu-west-1", ""), None);
        assert_eq!(log_group("eu-west-1", "a b"), None);
        assert_eq!(log_group("eu-west-1", &"a".repeat(513)), None);
    }

    #[test]
    fn traces_and_partitions() {
        let id = "1-5e1b4151-5ac6c58dc39a6b6b1a4c8c5e";
        assert_eq!(
            trace("us-east-1", id).unwrap(),
            format!(
                "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#xray:traces/{id}"
            )
        );
        assert!(
            trace("cn-north-1", id)
                .unwrap()
                .starts_with("https://cn-north-1.console.amazonaws.cn/")
        );
        assert!(
            trace("us-gov-west-1", id)
                .unwrap()
                .starts_with("https://us-gov-west-1.console.amazonaws-us-gov.com/")
        );
        for region in ["", "evil.example.com/", "EU", &"a".repeat(33)] {
            assert_eq!(trace(region, id), None, "{region}");
        }
    }
}
