//! One Via: the transport, who sent it, and where the response goes
//! (RFC 3261 §20.42, RFC 3581, RFC 5118 §4.5).

use std::net::IpAddr;

use super::error::HeaderError;
use super::scan::{self, Params};
use super::uri::{host_ip, host_port};

/// `SIP/2.0/UDP host:port;branch=...`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Via<'a> {
    text: &'a str,
    transport: &'a str,
    host: &'a str,
    port: Option<u16>,
    params: Params<'a>,
}

const fn bad(problem: &'static str) -> HeaderError {
    HeaderError::new("Via", problem)
}

impl<'a> Via<'a> {
    /// Parses one Via (not a list).
    ///
    /// # Errors
    /// When the protocol, transport, host or port is not one.
    pub fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let text = scan::trim(text);
        let rest = match text.strip_prefix("SIP/2.0/") {
            Some(rest) => rest,
            None => behind_protocol(text)?,
        };
        let rest = scan::skip_blanks(rest);
        let end = scan::run(rest.as_bytes(), scan::TOKEN);
        let (transport, rest) = rest.split_at(end);
        if transport.is_empty() {
            return Err(bad("no transport"));
        }
        if !rest.starts_with([' ', '\t']) {
            return Err(bad("no sent-by"));
        }
        let end = scan::position(rest.as_bytes(), b';').unwrap_or(rest.len());
        let (host, port) = sent_by(scan::trim(&rest[..end]))?;
        Ok(Self { text, transport, host, port, params: Params::new(&rest[end..]) })
    }

    /// The whole text.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// The transport as written.
    #[must_use]
    pub const fn transport(&self) -> &'a str {
        self.transport
    }

    /// The host of sent-by, IPv6 with brackets if it was written so.
    #[must_use]
    pub const fn host(&self) -> &'a str {
        self.host
    }

    /// The port of sent-by, if given.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The host as an address, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        host_ip(self.host)
    }

    /// The parameters.
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// The `branch` parameter.
    #[must_use]
    pub fn branch(&self) -> Option<&'a str> {
        self.params.value("branch")
    }

    /// Whether `rport` is there: the response goes to where the request came from.
    #[must_use]
    pub fn wants_rport(&self) -> bool {
        self.params.get("rport").is_some()
    }

    /// The value of `rport`, as a server filled it in.
    #[must_use]
    pub fn rport(&self) -> Option<u16> {
        self.params.value("rport")?.parse().ok()
    }

    /// The `received` address; brackets are allowed (RFC 5118 §4.5).
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        host_ip(self.params.value("received")?)
    }
}

/// What stands behind `SIP / 2.0 /`. Any version: one that is not 2.0 must be answered too (with
/// 505).
fn behind_protocol(text: &str) -> Result<&str, HeaderError> {
    let (name, rest) = text.split_once('/').ok_or(bad("no protocol"))?;
    let (version, rest) = rest.split_once('/').ok_or(bad("no version"))?;
    let is_sip = scan::trim(name).eq_ignore_ascii_case("SIP");
    if !is_sip || !scan::is_token(scan::trim(version).as_bytes()) {
        return Err(bad("not SIP"));
    }
    Ok(rest)
}

/// Host and port, with white space allowed around the colon.
fn sent_by(text: &str) -> Result<(&str, Option<u16>), HeaderError> {
    host_port(text).map_err(|error| error.of("Via"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_via_comes_apart_white_space_and_ipv6_included() {
        let via = Via::parse("SIP / 2.0 / UDP  first.example.com : 4000;ttl=16 ;branch=z9hG4bKa")
            .unwrap();
        assert_eq!(
            (via.transport(), via.host(), via.port(), via.branch()),
            ("UDP", "first.example.com", Some(4000), Some("z9hG4bKa"))
        );
        let via = Via::parse("SIP/2.0/TCP [2001:db8::9:1]:6050;received=[2001:db8::9:255];rport")
            .unwrap();
        assert_eq!(via.ip(), Some("2001:db8::9:1".parse().unwrap()));
        assert_eq!(via.received(), Some("2001:db8::9:255".parse().unwrap()));
        assert!(via.wants_rport());
        assert_eq!(via.rport(), None);
        assert_eq!(Via::parse("SIP/2.0/UDP [::1];rport=5070").unwrap().rport(), Some(5070));
    }

    #[test]
    fn broken_vias_are_refused() {
        for text in [
            "",
            "SIP/2.0/UDP",
            "SIP/2,0/UDP h",
            "HTTP/2.0/UDP h",
            "SIP/2.0/UDP h:x",
            "SIP/2.0/UDP ;branch=z9",
            "SIP/2.0/U,D h",
            "SIP/2.0/UDP [::1:5060",
        ] {
            assert!(Via::parse(text).is_err(), "{text}");
        }
    }
}
