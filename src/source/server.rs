//! A host and a port, as the operator writes them.

use std::fmt;
use std::str::FromStr;

/// Where a program listens: `localhost:2947`, `192.0.2.1:5000`, `[2001:db8::1]:2947`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// A name or an address, an IPv6 address without its brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl Server {
    /// What an operator may write.
    pub const ALLOWED: &'static str = "a host and port, as in \"localhost:2947\" or \"[2001:db8::1]:2947\"";
}

impl FromStr for Server {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (host, port) = text.rsplit_once(':')?;
            let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let host = address.or(Some(host).filter(|host| !host.contains(':')))?;
            let port = port.parse().ok().filter(|port| *port > 0)?;
            (!host.is_empty()).then(|| Self { host: host.to_owned(), port })
        };
        parse().ok_or_else(|| format!("`{text}` is not a host and port: allowed is {}", Self::ALLOWED))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_read_and_written_back() {
        for text in ["localhost:2947", "192.0.2.1:5000", "[2001:db8::1]:2947"] {
            assert_eq!(text.parse::<Server>().unwrap().to_string(), text);
        }
        for text in ["", "localhost", ":2947", "localhost:", "localhost:0", "localhost:65536", "::1:2947", "[::1:2947"]
        {
            assert!(text.parse::<Server>().is_err(), "{text}");
        }
    }
}
