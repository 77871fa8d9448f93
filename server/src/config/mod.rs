//! `strowger.toml`: every key has a default, an unknown key is an error with a cure.

mod captures;
mod fault;
mod interfaces;
mod limits;
mod place;
mod rules;
mod stir;
mod tls;
mod webrtc;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

pub use captures::Captures;
pub use fault::ConfigFault;
pub(crate) use fault::from_toml;
pub use interfaces::Interface;
pub use limits::Limits;
pub(crate) use place::Place;
pub use stir::Stir;
pub use tls::{Certificate, Tls, TlsVersion};
pub use webrtc::Webrtc;

/// The whole file. [`Config::default`] is what `strowger serve` runs on without one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the embedded database, the recordings' spool and the journal live.
    pub data_dir: PathBuf,
    /// How long live calls may go on after the first SIGTERM, in seconds.
    pub drain_deadline_s: u64,
    /// SIP signalling.
    pub sip: Sip,
    /// API and console.
    pub http: Http,
    /// Certificates, for SIP and HTTP.
    pub tls: Tls,
    /// Names of trunks' servers.
    pub dns: Dns,
    /// Signatures of caller numbers.
    pub stir: Stir,
    /// A copy of all signalling for Homer.
    pub hep: Hep,
    /// RTP and RTCP.
    pub rtp: Rtp,
    /// Browsers.
    pub webrtc: Webrtc,
    /// What must last.
    pub database: Database,
    /// Where recordings go.
    pub recordings: Recordings,
    /// Captures of calls' RTP.
    pub captures: Captures,
    /// What the process says about itself.
    pub log: Log,
    /// What strangers can make us hold.
    pub limits: Limits,
}

/// SIP signalling.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sip {
    /// UDP sockets; port 0 takes a free one.
    pub udp: Vec<SocketAddr>,
    /// TCP listeners; port 0 takes a free one.
    pub tcp: Vec<SocketAddr>,
    /// TLS listeners; by default port 5061 of all addresses if there are `tls.certificates`.
    pub tls: Option<Vec<SocketAddr>>,
    /// What all peers are told to send to (NAT). By default each is told the address of ours that
    /// it reaches, also when `udp` or `tcp` listen on all of them.
    pub advertised: Option<IpAddr>,
    /// Calls at once, over all tenants; the next one is refused with 503.
    pub calls: usize,
    /// How often peers are pinged over the TCP and TLS connections that we make, in seconds;
    /// 0: never.
    pub keep_alive_s: u64,
}

impl Sip {
    /// How often peers are pinged over the connections that we make.
    pub(crate) fn keep_alive(&self) -> Option<Duration> {
        (self.keep_alive_s > 0).then(|| Duration::from_secs(self.keep_alive_s))
    }
}

/// API and console.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// The listener; port 0 takes a free one.
    pub listen: SocketAddr,
    /// HTTPS, with the certificates of `[tls]`.
    pub tls: bool,
    /// Pages of other sites whose scripts may speak SIP over WebSocket: origins such as
    /// `https://crm.example.net`, or `*`. Pages of our own always may.
    pub sip_origins: Vec<String>,
}

/// Names of trunks' servers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// Whom to ask; by default what `/etc/resolv.conf` says.
    pub servers: Vec<SocketAddr>,
}

/// A copy of all signalling for Homer (HEP3 over UDP).
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hep {
    /// Where Homer listens; none: no copy.
    pub server: Option<SocketAddr>,
    /// Our number there.
    pub capture_id: u32,
    /// Better in `STROWGER_HEP_PASSWORD`.
    pub password: Option<String>,
}

impl std::fmt::Debug for Hep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hep")
            .field("server", &self.server)
            .field("capture_id", &self.capture_id)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .finish()
    }
}

/// RTP and RTCP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rtp {
    /// `"20000-29999"`, or `"0"`: a free block of 2000 ports.
    pub ports: String,
    /// The address that sockets bind; `::` carries IPv4 too.
    pub address: IpAddr,
    /// What SDP tells all peers (NAT). By default `address`; if that is `0.0.0.0` or `::`, then
    /// `sip.advertised`, or the address of ours that the peer's signalling reached.
    pub advertised: Option<IpAddr>,
    /// Media workers; 0: one per core.
    pub workers: u16,
    /// The class of service of RTP and RTCP (RFC 2474): 46 is expedited forwarding.
    pub dscp: u8,
    /// Whether the kernel hands all RTP to one socket a worker and takes it back by the dozen.
    pub kernel: KernelPath,
    /// How long packets may gather, in microseconds, before a busy worker wakes up for all of them.
    pub gather_us: u16,
    /// The nice level of the media workers (setpriority(2)): less goes before more.
    pub nice: i8,
    /// Other addresses, for the peers of some networks.
    pub interfaces: Vec<Interface>,
}

/// Whether RTP goes the way that needs `CAP_BPF`, `CAP_NET_ADMIN` and `CAP_NET_RAW`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KernelPath {
    /// If the process may; a socket a port otherwise.
    Auto,
    /// Never.
    Off,
    /// Or the server does not start.
    Require,
}

/// What must last.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:FILE` or `postgres://...`; by default `strowger.db` in the data folder.
    pub url: Option<String>,
    /// How long the SIP messages of calls are kept, in days; 0: for ever.
    pub ladder_days: u32,
}

/// Where recordings go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recordings {
    /// A local folder; by default `recordings` in the data folder. Not together with `s3`.
    pub folder: Option<PathBuf>,
    /// An S3 bucket.
    pub s3: Option<S3>,
    /// Size of the parts in which a recording goes up while its call runs, in KiB. S3 itself takes
    /// nothing below 5120; some of its likes do.
    pub part_kib: u64,
    /// The key ring that wraps the recordings' keys; by default `keyring.json` in the data folder.
    pub keyring: Option<PathBuf>,
}

/// An S3 bucket, of AWS or of anything that speaks its protocol.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// `https://...`; by default AWS's own for the region.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The bucket; it must exist.
    pub bucket: String,
    /// The region; `us-east-1` unless told.
    #[serde(default = "default_region")]
    pub region: String,
    /// Put before every object's name.
    #[serde(default)]
    pub prefix: String,
    /// Better in `STROWGER_S3_ACCESS_KEY`.
    #[serde(default)]
    pub access_key: String,
    /// Better in `STROWGER_S3_SECRET_KEY`.
    #[serde(default)]
    pub secret_key: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For eyes.
    Text,
    /// One object a line.
    Json,
}

/// What the process says about itself, on standard error.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or `target=level` pairs with commas between.
    pub level: String,
    /// Text or JSON.
    pub format: LogFormat,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./data"),
            drain_deadline_s: 300,
            sip: Sip::default(),
            http: Http::default(),
            tls: Tls::default(),
            dns: Dns::default(),
            stir: Stir::default(),
            hep: Hep::default(),
            rtp: Rtp::default(),
            webrtc: Webrtc::default(),
            database: Database::default(),
            recordings: Recordings::default(),
            captures: Captures::default(),
            log: Log::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Sip {
    fn default() -> Self {
        let any = SocketAddr::from(([0, 0, 0, 0], 5060));
        Self {
            udp: vec![any],
            tcp: vec![any],
            tls: None,
            advertised: None,
            calls: 20_000,
            keep_alive_s: 95,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8080));
        Self { listen, tls: false, sip_origins: Vec::new() }
    }
}

impl Default for Rtp {
    fn default() -> Self {
        Self {
            ports: "20000-29999".into(),
            address: IpAddr::from([0, 0, 0, 0]),
            advertised: None,
            workers: 0,
            dscp: 46,
            kernel: KernelPath::Auto,
            gather_us: 1000,
            nice: -10,
            interfaces: Vec::new(),
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self { url: None, ladder_days: 90 }
    }
}

impl Default for Recordings {
    fn default() -> Self {
        Self { folder: None, s3: None, part_kib: 5 * 1024, keyring: None }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text }
    }
}

fn default_region() -> String {
    "us-east-1".into()
}

impl Config {
    /// Reads and checks a file, then lets the environment's secrets override it.
    ///
    /// # Errors
    /// The first fault, with file, line, key and cure.
    pub fn load(path: &Path) -> Result<Self, ConfigFault> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ConfigFault::of_file(path, format!("cannot be read: {error}"), "check the path")
        })?;
        Self::parse(path, &text)
    }

    /// The embedded defaults with the environment's secrets over them.
    ///
    /// # Errors
    /// A fault of the environment's values.
    pub fn embedded() -> Result<Self, ConfigFault> {
        Self::parse(Path::new("(embedded defaults)"), "")
    }

    /// Checks a file's text; `path` is only for the messages.
    ///
    /// # Errors
    /// The first fault, with file, line, key and cure.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigFault> {
        let mut config: Self =
            toml::from_str(text).map_err(|error| from_toml(path, text, &error))?;
        config.take_environment(|name| std::env::var(name).ok());
        rules::check(&config, &Place::new(path, text))?;
        Ok(config)
    }

    fn take_environment(&mut self, variable: impl Fn(&str) -> Option<String>) {
        if let Some(url) = variable("STROWGER_DATABASE_URL") {
            self.database.url = Some(url);
        }
        if let Some(password) = variable("STROWGER_HEP_PASSWORD") {
            self.hep.password = Some(password);
        }
        if let Some(path) = variable("STROWGER_KEYRING") {
            self.recordings.keyring = Some(PathBuf::from(path));
        }
        if let Some(s3) = &mut self.recordings.s3 {
            if let Some(key) = variable("STROWGER_S3_ACCESS_KEY") {
                s3.access_key = key;
            }
            if let Some(key) = variable("STROWGER_S3_SECRET_KEY") {
                s3.secret_key = key;
            }
        }
    }

    /// The database's URL, the default included.
    #[must_use]
    pub fn database_url(&self) -> String {
        match &self.database.url {
            Some(url) => url.clone(),
            None => format!("sqlite:{}", self.data_dir.join("strowger.db").display()),
        }
    }

    /// The listeners of SIP over TLS, the default included.
    #[must_use]
    pub fn sip_tls(&self) -> Vec<SocketAddr> {
        match &self.sip.tls {
            Some(listeners) => listeners.clone(),
            None if self.tls.certificates.is_empty() => Vec::new(),
            None => vec![SocketAddr::from(([0, 0, 0, 0], 5061))],
        }
    }

    /// Where SIP can be reached: its own listeners, and HTTP's for WebSocket.
    pub(crate) fn sip_listeners(&self) -> impl Iterator<Item = SocketAddr> {
        let own = self.sip.udp.iter().chain(&self.sip.tcp).copied();
        own.chain(self.sip_tls()).chain([self.http.listen])
    }

    /// The folder of finished recordings, when they do not go to S3.
    #[must_use]
    pub fn recordings_folder(&self) -> PathBuf {
        self.recordings.folder.clone().unwrap_or_else(|| self.data_dir.join("recordings"))
    }

    /// The key ring's file.
    #[must_use]
    pub fn keyring(&self) -> PathBuf {
        self.recordings.keyring.clone().unwrap_or_else(|| self.data_dir.join("keyring.json"))
    }
}

#[cfg(test)]
mod tests;
