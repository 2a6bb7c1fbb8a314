//! Addresses of OTLP endpoints.

use hyper::Uri;

/// The path of metrics in OTLP over HTTP.
const PATH: &str = "/v1/metrics";

/// The address that a base address stands for: `/v1/metrics` below it, unless it ends so already.
pub(crate) fn below(base: &str) -> Result<Uri, String> {
    let uri = exact(base)?;
    if uri.path().trim_end_matches('/').ends_with(PATH) {
        return Ok(uri);
    }
    if uri.query().is_some() {
        return Err("has a query; give the whole address, with its path".to_owned());
    }
    exact(&format!("{}{PATH}", base.trim().trim_end_matches('/')))
}

/// The address as it is. The text of an error is for after the address, and does not repeat it.
pub(crate) fn exact(address: &str) -> Result<Uri, String> {
    let uri: Uri = address.trim().parse().map_err(|error| format!("is no address: {error}"))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        Some(other) => return Err(format!("begins with {other}://; use http:// or https://")),
        None => return Err("has no scheme; begin with http:// or https://".to_owned()),
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err("names no host".to_owned());
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("holds a user name or password; give them as a header".to_owned());
    }
    if uri.authority().is_some_and(|authority| {
        // After the host, and after the brackets of one that has colons.
        let port = authority.as_str().rsplit_once(']').map_or(authority.as_str(), |(_, port)| port);
        port.contains(':') && authority.port_u16().is_none()
    }) {
        return Err("has a port that is none".to_owned());
    }
    Ok(uri)
}

/// The address as it may be shown: without user name, password and query, which may be secrets.
pub(crate) fn shown(address: &str) -> String {
    const SHOWN: usize = 200;
    let address = address.trim();
    let end = address.find(['?', '#']).unwrap_or(address.len());
    let (address, _) = address.split_at(end);
    let shown = match (address.find("://"), address.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}://…{}", &address[..scheme], &address[at..])
        }
        (None, Some(at)) => format!("…{}", &address[at..]),
        _ => address.to_owned(),
    };
    match shown.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// CloudWatch's own endpoint for OTLP metrics.
pub(crate) fn cloudwatch(region: &str) -> String {
    // A partition of its own, with domains of its own.
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://monitoring.{region}.{suffix}{PATH}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_go_below_a_base_address() {
        let check = |base: &str, expected: &str| {
            assert_eq!(below(base).map(|uri| uri.to_string()), Ok(expected.to_owned()));
        };
        check("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/metrics");
        check(" http://[::1]:4318/ ", "http://[::1]:4318/v1/metrics");
        check("https://example.com/otlp/", "https://example.com/otlp/v1/metrics");
        check("https://example.com/v1/metrics", "https://example.com/v1/metrics");
        check("https://example.com/v1/metrics?a=b", "https://example.com/v1/metrics?a=b");
        check(
            &cloudwatch("eu-central-1"),
            "https://monitoring.eu-central-1.amazonaws.com/v1/metrics",
        );
        check(
            &cloudwatch("cn-north-1"),
            "https://monitoring.cn-north-1.amazonaws.com.cn/v1/metrics",
        );
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        let check = |address: &str, expected: &str| {
            let fault = below(address).unwrap_err();
            assert!(fault.contains(expected), "{address:?}: {fault}");
        };
        check("", "no address");
        check("127.0.0.1:4318", "scheme");
        check("localhost", "scheme");
        check("ftp://example.com", "ftp://");
        check("http://", "no address");
        check("http://exa mple.com", "no address");
        check("http://example.com:99999", "port");
        check("http://[::1]:99999", "port");
        check("http://example.com:", "port");
        check("https://user:secret@example.com", "header");
        check("https://example.com/?token=1", "query");
    }

    #[test]
    fn secrets_in_an_address_are_not_shown() {
        assert_eq!(shown("https://user:secret@example.com/a?key=1"), "https://…@example.com/a");
        assert_eq!(shown("user:secret@example.com"), "…@example.com");
        assert_eq!(shown("http://127.0.0.1:4318"), "http://127.0.0.1:4318");
        assert_eq!(shown(&"ä".repeat(300)).chars().count(), 201);
    }
}
