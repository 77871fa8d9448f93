//! What the types alone cannot say about a configuration, and the readings of its text values.

use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::ops::RangeInclusive;

use super::{Config, ConfigFault, Place, Rtp};

pub(super) fn check(config: &Config, place: &Place<'_>) -> Result<(), ConfigFault> {
    let fault = |key: &str, problem: String, cure: &str| {
        Err(ConfigFault::of_key(place, key, problem, cure))
    };
    let sip_tls = config.sip_tls();
    if config.sip.udp.is_empty() && config.sip.tcp.is_empty() && sip_tls.is_empty() {
        let cure = "give at least one address, such as udp = [\"0.0.0.0:5060\"]";
        return fault("sip.udp", "no SIP address at all".into(), cure);
    }
    for (key, wanted) in [("sip.tls", !sip_tls.is_empty()), ("http.tls", config.http.tls)] {
        if wanted && config.tls.certificates.is_empty() {
            let cure = "add [[tls.certificates]] with its `chain` and `key`";
            return fault(key, "TLS needs a certificate".into(), cure);
        }
    }
    let has_scheme = |origin: &&String| *origin == "*" || origin.contains("://");
    if let Some(origin) = config.http.sip_origins.iter().find(|origin| !has_scheme(origin)) {
        let problem = format!("{origin:?} is no origin");
        return fault("http.sip_origins", problem, "write \"https://crm.example.net\"");
    }
    let locals = config.sip.udp.iter().chain(&config.sip.tcp).chain(&sip_tls);
    if let Some(local) = locals.into_iter().find(|local| !config.rtp.carries(local.ip())) {
        let problem = format!("{} has no audio for peers of SIP on {local}", config.rtp.address);
        return fault("rtp.address", problem, "write \"::\", which carries IPv6 and IPv4");
    }
    if let Err(problem) = config.rtp.range() {
        return fault("rtp.ports", problem, "write \"20000-29999\", or \"0\" for free ports");
    }
    super::interfaces::check(&config.rtp, place)?;
    super::webrtc::check(config, place)?;
    if config.recordings.folder.is_some() && config.recordings.s3.is_some() {
        let problem = "recordings have two destinations".to_owned();
        return fault("recordings.folder", problem, "keep either `folder` or `[recordings.s3]`");
    }
    if let Some(s3) = &config.recordings.s3
        && (s3.access_key.is_empty() || s3.secret_key.is_empty())
    {
        let cure = "set access_key and secret_key here, or STROWGER_S3_ACCESS_KEY and \
                    STROWGER_S3_SECRET_KEY in the environment";
        return fault("recordings.s3", "the bucket's credentials are empty".into(), cure);
    }
    if let Some(url) = &config.database.url
        && !["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme))
    {
        let cure = "write sqlite:FILE or postgres://user@host/database";
        return fault("database.url", "unknown kind of database".into(), cure);
    }
    let directives = tracing_subscriber::EnvFilter::builder().parse(&config.log.level);
    if let Err(error) = directives {
        return fault("log.level", error.to_string(), "write error, warn, info, debug or trace");
    }
    for (key, value) in [
        ("sip.calls", config.sip.calls as u64),
        ("recordings.part_kib", config.recordings.part_kib),
    ] {
        if value == 0 {
            return fault(
                key,
                "0 means never here, and never is not allowed".into(),
                "write 1 or more",
            );
        }
    }
    config.limits.check(place)
}

/// Ports of one free block: `rtp.ports = "0"`.
const BLOCK: u16 = 2000;

/// Ports that are written as the first and the last.
pub(super) fn range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let wrong = || format!("{text:?} is not a range of ports");
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    let from: u16 = from.trim().parse().map_err(|_| wrong())?;
    let to: u16 = to.trim().parse().map_err(|_| wrong())?;
    let pairs =
        to.checked_sub(from).map_or(0, |length| (length + u16::from(from.is_multiple_of(2))) / 2);
    if from == 0 || pairs == 0 {
        return Err(format!("{text:?} holds no even RTP port with its RTCP port"));
    }
    Ok(from..=to)
}

impl Rtp {
    /// The ports, or none for "any free block".
    pub(crate) fn range(&self) -> Result<Option<RangeInclusive<u16>>, String> {
        if self.ports.trim() == "0" {
            return Ok(None);
        }
        range(&self.ports).map(Some)
    }

    /// What SDP says for our address; none: our own end of each peer's signalling.
    pub(crate) fn shown(&self, sip: Option<IpAddr>) -> Option<IpAddr> {
        let bound = Some(self.address).filter(|address| !address.is_unspecified());
        self.advertised.or(bound).or(sip)
    }

    /// Whether sockets on `address` carry packets of that family.
    fn carries(&self, other: IpAddr) -> bool {
        self.address.is_ipv4() == other.is_ipv4() || self.address == Ipv6Addr::UNSPECIFIED
    }

    /// The ports to use: the written ones, or a block whose first port is free now.
    ///
    /// # Errors
    /// When every block below the kernel's ephemeral ports (32768) is taken.
    pub(crate) fn ports(&self, start: u16) -> Result<RangeInclusive<u16>, String> {
        if let Some(range) = self.range()? {
            return Ok(range);
        }
        // From 10000 to 32000, eleven blocks, beginning anywhere.
        (0..11_u16)
            .map(|step| 10_000 + (start.wrapping_add(step) % 11) * BLOCK)
            .find(|first| UdpSocket::bind((self.address, *first)).is_ok())
            .map(|first| first..=first + BLOCK - 1)
            .ok_or_else(|| "no free block of RTP ports".to_owned())
    }
}
