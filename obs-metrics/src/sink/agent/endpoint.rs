//! The agent's address.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// Where the agent listens unless it is configured otherwise.
const DEFAULT_PORT: u16 = 25888;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) protocol: Protocol,
    host: String,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Scheme,
    Host,
    Port(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str("does not begin with tcp:// or udp://"),
            Self::Host => f.write_str("has no host, or one that is none"),
            Self::Port(port) => write!(f, "has the port {port:?}, which is not one of 1 to 65535"),
        }
    }
}

impl Endpoint {
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(Fault::Scheme)?;
        let protocol = match scheme.to_ascii_lowercase().as_str() {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return Err(Fault::Scheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // An IPv6 address stands in brackets, since it has colons of its own.
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(Fault::Host)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| Fault::Host)?;
                (host, port)
            }
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        let of_a_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(of_a_host) {
            return Err(Fault::Host);
        }
        let port = match port.strip_prefix(':') {
            Some(digits) => match digits.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(Fault::Port(digits.to_owned())),
            },
            None if port.is_empty() => DEFAULT_PORT,
            None => return Err(Fault::Host),
        };
        Ok(Self { protocol, host: host.to_owned(), port })
    }

    /// The addresses of the host now. May block on a name server.
    pub(super) fn resolve(&self) -> io::Result<impl Iterator<Item = SocketAddr> + use<>> {
        (self.host.as_str(), self.port).to_socket_addrs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(Protocol, &str, u16), Fault>) {
        let expected = expected.map(|(protocol, host, port)| Endpoint {
            protocol,
            host: host.to_owned(),
            port,
        });
        assert_eq!(Endpoint::parse(text), expected, "{text:?}");
    }

    #[test]
    fn addresses_are_read() {
        check("tcp://127.0.0.1:25888", Ok((Protocol::Tcp, "127.0.0.1", 25888)));
        check(" UDP://agent.internal:1/ ", Ok((Protocol::Udp, "agent.internal", 1)));
        check("udp://cwagent", Ok((Protocol::Udp, "cwagent", 25888)));
        check("tcp://[::1]:65535", Ok((Protocol::Tcp, "::1", 65535)));
        check("tcp://[fe80::1]", Ok((Protocol::Tcp, "fe80::1", 25888)));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "127.0.0.1:25888", "http://agent:1", "tcp:/agent", "://agent"] {
            check(text, Err(Fault::Scheme));
        }
        for text in [
            "tcp://",
            "tcp://:1",
            "tcp://a b",
            "tcp://user@agent",
            "tcp://[::1",
            "tcp://[x]:1",
            "tcp://[::1]1",
            "tcp://agent/path:1",
            "tcp://größe:1",
        ] {
            check(text, Err(Fault::Host));
        }
        for (text, port) in [
            ("tcp://agent:", ""),
            ("tcp://agent:0", "0"),
            ("tcp://agent:65536", "65536"),
            ("tcp://agent:1/path", "1/path"),
            // IPv6 without brackets.
            ("tcp://fe80::1:25888", ":1:25888"),
        ] {
            check(text, Err(Fault::Port(port.to_owned())));
        }
    }

    #[test]
    fn an_address_is_resolved() {
        let endpoint = Endpoint::parse("tcp://127.0.0.1:7").unwrap();
        assert_eq!(
            endpoint.resolve().unwrap().collect::<Vec<_>>(),
            ["127.0.0.1:7".parse().unwrap()]
        );
    }
}
