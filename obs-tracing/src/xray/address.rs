//! Where the X-Ray daemon listens.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::error::Error;

/// One of the daemon's addresses: a host (a name or an IP address) and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DaemonAddress {
    host: String,
    port: u16,
}

impl DaemonAddress {
    /// Reads where segments are sent, over UDP: `host:port`, or `tcp:host:port udp:host:port` in
    /// either order, the two forms of `AWS_XRAY_DAEMON_ADDRESS`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let [_, udp] = parts(text)?;
        match udp {
            Some(udp) => Self::read(text, udp),
            None => Err(Error::invalid_address(text, "has no udp part")),
        }
    }

    /// Reads where the daemon's proxy listens, over TCP, in the same forms.
    pub(crate) fn parse_tcp(text: &str) -> Result<Self, Error> {
        let [tcp, _] = parts(text)?;
        match tcp {
            Some(tcp) => Self::read(text, tcp),
            None => {
                Err(Error::invalid_address(text, "has no tcp part, where sampling rules come from"))
            }
        }
    }

    fn read(text: &str, part: &str) -> Result<Self, Error> {
        let Some((host, port)) = part.rsplit_once(':') else {
            return Err(Error::invalid_address(text, "has no port"));
        };
        let port = match port.parse() {
            Ok(0) | Err(_) => return Err(Error::invalid_address(text, "has no valid port")),
            Ok(port) => port,
        };
        let host = match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
            Some(Some(ipv6)) => ipv6,
            None if !host.contains([':', ']']) => host,
            _ => return Err(Error::invalid_address(text, "has an IPv6 address without brackets")),
        };
        if host.is_empty() {
            return Err(Error::invalid_address(text, "has no host"));
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// Looks the host up. Of several addresses an IPv4 one is taken: the daemon listens on
    /// 127.0.0.1 unless told otherwise, and `localhost` is often ::1 first.
    pub(crate) fn resolve(&self) -> io::Result<SocketAddr> {
        let found: Vec<SocketAddr> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        found.iter().find(|address| address.is_ipv4()).or(found.first()).copied().ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "the daemon's host has no address")
        })
    }
}

/// The address for TCP and the one for UDP, which may be one.
fn parts(text: &str) -> Result<[Option<&str>; 2], Error> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    match parts[..] {
        [] => Err(Error::invalid_address(text, "is blank")),
        [only] => Ok(match (only.strip_prefix("tcp:"), only.strip_prefix("udp:")) {
            (None, None) => [Some(only); 2],
            one => one.into(),
        }),
        [first, second] => match (first.split_once(':'), second.split_once(':')) {
            (Some(("tcp", tcp)), Some(("udp", udp))) | (Some(("udp", udp)), Some(("tcp", tcp))) => {
                Ok([Some(tcp), Some(udp)])
            }
            _ => Err(Error::invalid_address(text, "is not one of tcp and one of udp")),
        },
        _ => Err(Error::invalid_address(text, "has more than two parts")),
    }
}

impl Default for DaemonAddress {
    /// `127.0.0.1:2000`.
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: 2000 }
    }
}

impl fmt::Display for DaemonAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        match (DaemonAddress::parse(text), expected) {
            (Ok(address), Some(expected)) => assert_eq!(address.to_string(), expected, "{text:?}"),
            (Err(error), None) => {
                assert!(error.is_invalid_address());
                assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
            }
            (found, _) => panic!("{text:?}: {found:?}"),
        }
    }

    #[test]
    fn both_forms_of_the_variable_are_read() {
        check("127.0.0.1:2000", Some("127.0.0.1:2000"));
        check("169.254.79.129:2000", Some("169.254.79.129:2000"));
        check(" xray-daemon.internal:3000 ", Some("xray-daemon.internal:3000"));
        check("[::1]:2000", Some("[::1]:2000"));
        check("tcp:127.0.0.1:2000 udp:127.0.0.2:2001", Some("127.0.0.2:2001"));
        check("udp:daemon:2001  tcp:127.0.0.1:2000", Some("daemon:2001"));
        check("udp:127.0.0.1:2000", Some("127.0.0.1:2000"));
    }

    #[test]
    fn what_is_not_an_address_is_refused_with_a_reason() {
        for text in [
            "",
            "  ",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:0",
            "127.0.0.1:70000",
            "127.0.0.1:http",
            ":2000",
            "::1:2000",
            "[::1:2000",
            "tcp:127.0.0.1:2000",
            "tcp:127.0.0.1:2000 tcp:127.0.0.1:2000",
            "udp:a:1 udp:b:2",
            "tcp:a:1 udp:b:2 udp:c:3",
            "127.0.0.1:2000 127.0.0.1:2001",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn the_proxy_has_the_tcp_part() {
        for (text, expected) in [
            ("127.0.0.1:2000", Some("127.0.0.1:2000")),
            ("tcp:127.0.0.1:2000 udp:127.0.0.2:2001", Some("127.0.0.1:2000")),
            ("udp:daemon:2001  tcp:[::1]:2000", Some("[::1]:2000")),
            ("tcp:daemon:2000", Some("daemon:2000")),
            ("udp:daemon:2000", None),
            ("tcp:daemon udp:daemon:2000", None),
        ] {
            let address = DaemonAddress::parse_tcp(text).ok().map(|address| address.to_string());
            assert_eq!(address.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn host_names_are_looked_up() {
        let address = DaemonAddress::parse("localhost:2000").unwrap();
        assert!(address.resolve().unwrap().ip().is_loopback());
        assert_eq!(DaemonAddress::default().resolve().unwrap(), "127.0.0.1:2000".parse().unwrap());
    }
}
