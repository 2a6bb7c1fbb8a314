//! Addresses that are sent to.

use std::fmt;

use hyper::Uri;

/// A checked address, `http` or `https`. Its path and query may be secrets, as those of webhooks are:
/// `Debug` and `Display` show `https://host:port` only.
///
/// ```
/// use obs_core::http::Endpoint;
///
/// let endpoint = Endpoint::below("https://logs.example.com:3100/", "/loki/api/v1/push")?;
/// assert_eq!(endpoint.expose(), "https://logs.example.com:3100/loki/api/v1/push");
/// assert_eq!(endpoint.to_string(), "https://logs.example.com:3100");
/// # Ok::<(), obs_core::http::InvalidEndpoint>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    uri: Uri,
}

impl Endpoint {
    /// The address as it is.
    ///
    /// # Errors
    ///
    /// It is no address, has another scheme, no host, a port that is none, or a user name or password.
    pub fn new(address: &str) -> Result<Self, InvalidEndpoint> {
        let fault = |fault| InvalidEndpoint { shown: shown(address), fault };
        checked(address).map(|uri| Self { uri }).map_err(fault)
    }

    /// The address that a base address stands for: `path`, which begins with a slash, below it,
    /// unless it ends so already.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::new`]; or it has a query and does not end so.
    pub fn below(base: &str, path: &str) -> Result<Self, InvalidEndpoint> {
        let given = Self::new(base)?;
        if given.uri.path().trim_end_matches('/').ends_with(path) {
            return Ok(given);
        }
        if given.uri.query().is_some() {
            let fault = "has a query; give the whole address, with its path".to_owned();
            return Err(InvalidEndpoint { shown: shown(base), fault });
        }
        let base = base.trim();
        let (base, _fragment) = base.split_once('#').unwrap_or((base, ""));
        Self::new(&format!("{}{path}", base.trim_end_matches('/')))
    }

    /// The whole address. Not for errors and logs.
    pub fn expose(&self) -> String {
        self.uri.to_string()
    }

    /// Whether it is spoken to over TLS.
    pub fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.uri.authority().map(|authority| authority.as_str());
        write!(f, "{}://{}", self.uri.scheme_str().unwrap_or("http"), authority.unwrap_or_default())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// An address that is not taken, and why. Shows the address without what may be secret.
#[derive(Clone, Debug)]
pub struct InvalidEndpoint {
    shown: String,
    fault: String,
}

impl InvalidEndpoint {
    /// The address as it may be shown: scheme and host.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// What is wrong with it, and what to do; for after the address, which it does not repeat.
    pub fn fault(&self) -> &str {
        &self.fault
    }
}

impl fmt::Display for InvalidEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the address {:?} {}", self.shown, self.fault)
    }
}

impl std::error::Error for InvalidEndpoint {}

fn checked(address: &str) -> Result<Uri, String> {
    const NO_SCHEME: &str = "has no scheme; begin with http:// or https://";
    let address = address.trim();
    let uri: Uri = match address.parse() {
        Ok(uri) => uri,
        // A host with a path is none either, and this says more.
        Err(_) if !address.is_empty() && !address.contains("://") => {
            return Err(NO_SCHEME.to_owned());
        }
        Err(error) => return Err(format!("is no address: {error}")),
    };
    match uri.scheme_str() {
        Some("http" | "https") => {}
        Some(_) => return Err("has another scheme; use http:// or https://".to_owned()),
        None => return Err(NO_SCHEME.to_owned()),
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err("names no host".to_owned());
    }
    let Some(authority) = uri.authority().map(|authority| authority.as_str()) else {
        return Err("names no host".to_owned());
    };
    if authority.contains('@') {
        return Err("holds a user name or password; give them as a header".to_owned());
    }
    // After the host, and after the brackets of one that has colons.
    let port = authority.rsplit_once(']').map_or(authority, |(_, port)| port);
    if port.contains(':') && uri.port_u16().is_none() {
        return Err("has a port that is none".to_owned());
    }
    Ok(uri)
}

/// Scheme and host of what may be no address at all: user name, password, path and query may be secrets.
fn shown(address: &str) -> String {
    const SHOWN: usize = 200;
    let address = address.trim();
    let (scheme, rest) = match address.find("://") {
        Some(at) => address.split_at(at + "://".len()),
        None => ("", address),
    };
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let host = rest.get(..end).unwrap_or_default();
    let shown = match host.rfind('@').and_then(|at| host.get(at..)) {
        Some(host) => format!("{scheme}…{host}"),
        None => format!("{scheme}{host}"),
    };
    match shown.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", shown.get(..end).unwrap_or_default()),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_goes_below_a_base_address() {
        let check = |base: &str, expected: &str| {
            let endpoint = Endpoint::below(base, "/v1/metrics").unwrap();
            assert_eq!(endpoint.expose(), expected);
        };
        check("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/metrics");
        check(" http://[::1]:4318/ ", "http://[::1]:4318/v1/metrics");
        check("https://example.com/otlp/", "https://example.com/otlp/v1/metrics");
        check("https://example.com/otlp#part", "https://example.com/otlp/v1/metrics");
        check("https://example.com/v1/metrics", "https://example.com/v1/metrics");
        check("https://example.com/v1/metrics?a=b", "https://example.com/v1/metrics?a=b");
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        let check = |address: &str, expected: &str| {
            let error = Endpoint::below(address, "/v1/metrics").unwrap_err();
            assert!(error.fault().contains(expected), "{address:?}: {error}");
        };
        check("", "no address");
        check("127.0.0.1:4318", "scheme");
        check("localhost", "scheme");
        check("127.0.0.1:3100/loki", "scheme");
        check("ftp://example.com", "http://");
        check("http://", "no address");
        check("http://exa mple.com", "no address");
        check("http://example.com:99999", "port");
        check("http://[::1]:99999", "port");
        check("http://example.com:", "port");
        check("https://user:secret@example.com", "header");
        check("https://example.com/?token=1", "query");
    }

    #[test]
    fn scenario_42_of_an_address_only_the_host_is_shown() {
        let check = |address: &str, expected: &str| assert_eq!(shown(address), expected);
        check("https://hooks.example.com/services/T0/SECRET", "https://hooks.example.com");
        check("https:/hooks.example.com/services/SECRET", "https:");
        check("hooks.example.com\\services\\SECRET", "hooks.example.com");
        check("https://user:SECRET@example.com/a?key=1", "https://…@example.com");
        check("user:SECRET@example.com", "…@example.com");
        check("https://example.com?key=SECRET", "https://example.com");
        check("https://example.com#SECRET", "https://example.com");
        check("http://127.0.0.1:4318", "http://127.0.0.1:4318");
        assert_eq!(shown(&"ä".repeat(300)).chars().count(), 201);

        let endpoint = Endpoint::new("https://hooks.example.com:444/SECRET?a=SECRET").unwrap();
        assert_eq!(format!("{endpoint} {endpoint:?}").matches("hooks.example.com:444").count(), 2);
        assert!(!format!("{endpoint} {endpoint:?}").contains("SECRET"));
        for address in
            ["https://example.com:x/SECRET", "ftp://example.com/SECRET", "https://a@b/SECRET"]
        {
            let error = Endpoint::new(address).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
        }
    }
}
