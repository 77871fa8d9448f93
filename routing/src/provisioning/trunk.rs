//! What a provisioning file says of trunks: who they are, how they are reached, and what is
//! changed on calls that pass.

use base::{TenantId, TrunkId};
use serde::{Deserialize, Serialize};

use super::{Dtmf, Encryption, is_default, is_false, is_true, yes};
use crate::Secret;

/// A carrier's trunk. A call is its own when everything holds that is listed of `sources`,
/// `certificates` and `credentials`; calls go out over its `targets`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trunk {
    /// Its name.
    pub id: TrunkId,
    /// What people call it; its id if empty.
    #[serde(default)]
    pub name: String,
    /// The addresses it sends from: `192.0.2.7`, `192.0.2.0/24` or `2001:db8::/32`. The longest
    /// prefix wins. Any address if empty.
    #[serde(default)]
    pub sources: Vec<String>,
    /// The names of which its client certificate must hold one (mutual TLS, RFC 5922 §7.1). Needs
    /// no certificate if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<String>,
    /// What it must authenticate with (digest). Needs no password if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// The tenants whose numbers it may call and who may call out over it; every tenant if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenants: Option<Vec<TenantId>>,
    /// How many calls it may have at once, both ways together; no limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_calls: Option<u32>,
    /// How many calls may start in a second, both ways together; no limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<u32>,
    /// Where calls to it are sent. With `register` and no targets, to its registrar.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TrunkTarget>,
    /// What we answer its challenges with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticate: Option<Credentials>,
    /// How we register with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<TrunkRegistration>,
    /// Seconds between two OPTIONS requests to each target; 0 sends none. See
    /// [`Trunk::probes_every_s`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_s: Option<u32>,
    /// The codecs it gets, best first: `PCMU`, `PCMA`, `G722`, `opus`. The first two if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codecs: Vec<String>,
    /// Whether its audio is encrypted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub encryption: Encryption,
    /// Whether its audio goes by WebRTC alone: ICE, and keys by DTLS, over the port that browsers
    /// use. Then `encryption` does not matter.
    #[serde(default, skip_serializing_if = "is_false")]
    pub webrtc: bool,
    /// How keys are exchanged with it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dtmf: Dtmf,
    /// Whether it may send, and gets, comfort noise in place of silence (RFC 3389).
    #[serde(default, skip_serializing_if = "is_false")]
    pub comfort_noise: bool,
    /// Whether it may be sent an offer in a conversation, once, so that nothing has to be converted.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub avoid_transcoding: bool,
    /// Whether it gets extended RTCP reports (RFC 3611) where its SDP asks for them.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub rtcp_xr: bool,
    /// What is done to header fields, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderRule>,
    /// What is done to numbers: of each direction and place, the first rule that fits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<NumberRule>,
    /// The country of the national numbers it sends and gets: `DE` (ISO 3166-1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// How it wants numbers written.
    #[serde(default)]
    pub format: NumberFormat,
    /// Whether a caller's identity is believed when it asserts one, and asserted to it (RFC 3325).
    #[serde(default, skip_serializing_if = "is_false")]
    pub trusts_identity: bool,
    /// Whether one that is trusted so is told the caller by Remote-Party-ID too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub remote_party_id: bool,
    /// Whether those called over it see who called a call that is sent on to them, instead of a
    /// number of the tenant's; the carrier has to allow numbers that are not the tenant's.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shows_caller: bool,
    /// How it is told who sent a call on. See [`Trunk::tells_diversions_by`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversion: Option<DiversionHeader>,
    /// Whether transfers (REFER) of its callers to numbers outside go out to it; otherwise they end
    /// here.
    #[serde(default, skip_serializing_if = "is_false")]
    pub passes_refer: bool,
    /// Whether its own REFERs are obeyed, within the tenant; otherwise they are refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub takes_refer: bool,
    /// Whether what it plays before the answer (183 with SDP) is heard.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub early_media: bool,
    /// Whether a tone that it lets be heard before the answer, busy or that there is no way there,
    /// ends the attempt.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tones_end_calls: bool,
    /// Whether emergency calls go out over it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub emergency: bool,
    /// Signatures of caller numbers (STIR/SHAKEN, RFC 8224).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stir: Option<TrunkStir>,
    /// The recording servers that get a copy of its calls (SIPREC): other trunks, tried one after
    /// the other. As the tenant says if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub siprec: Vec<TrunkId>,
}

impl Trunk {
    /// Seconds between probes (OPTIONS) if `probe_s` does not say.
    pub const PROBE_S: u32 = 30;

    /// A trunk that says nothing but its name: every other key as if left out.
    #[must_use]
    pub fn new(id: TrunkId) -> Self {
        Self {
            id,
            name: String::new(),
            sources: Vec::new(),
            certificates: Vec::new(),
            credentials: None,
            tenants: None,
            concurrent_calls: None,
            calls_per_second: None,
            targets: Vec::new(),
            authenticate: None,
            register: None,
            probe_s: None,
            codecs: Vec::new(),
            encryption: Encryption::default(),
            webrtc: false,
            dtmf: Dtmf::default(),
            comfort_noise: false,
            avoid_transcoding: true,
            rtcp_xr: true,
            headers: Vec::new(),
            numbers: Vec::new(),
            country: None,
            format: NumberFormat::default(),
            trusts_identity: false,
            remote_party_id: false,
            shows_caller: false,
            diversion: None,
            passes_refer: false,
            takes_refer: false,
            early_media: true,
            tones_end_calls: false,
            emergency: false,
            stir: None,
            siprec: Vec::new(),
        }
    }

    /// How it is told who sent a call on; by both if it says nothing and is trusted with callers'
    /// identities, else not at all.
    #[must_use]
    pub fn tells_diversions_by(&self) -> DiversionHeader {
        let usual =
            if self.trusts_identity { DiversionHeader::Both } else { DiversionHeader::None };
        self.diversion.unwrap_or(usual)
    }

    /// Whether calls can be sent to it at all.
    #[must_use]
    pub fn takes_calls(&self) -> bool {
        !self.targets.is_empty() || self.register.is_some()
    }

    /// Where calls to it are sent, by priority: its targets, else its registrar.
    #[must_use]
    pub fn outbound_targets(&self) -> Vec<TrunkTarget> {
        if self.targets.is_empty() {
            return self.register.iter().map(|r| TrunkTarget::new(&r.registrar)).collect();
        }
        let mut targets = self.targets.clone();
        targets.sort_by_key(|target| target.priority);
        targets
    }

    /// Seconds between two OPTIONS requests to each target; none are sent if absent.
    #[must_use]
    pub fn probes_every_s(&self) -> Option<u32> {
        let every = self.probe_s.unwrap_or(Self::PROBE_S);
        (every > 0 && !self.targets.is_empty()).then_some(every)
    }
}

/// A user name and password for digest authentication (RFC 7616).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// The only realm whose challenges are answered with it; any of that trunk's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
}

/// Where calls to a trunk are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkTarget {
    /// A SIP address without a user: `sip:carrier.example`, `sip:192.0.2.7:5060;transport=tcp`.
    pub uri: String,
    /// The lowest goes first; the next one when those do not answer.
    #[serde(default)]
    pub priority: u16,
    /// Its share of the calls among targets of the same priority.
    #[serde(default = "one")]
    pub weight: u16,
}

impl TrunkTarget {
    /// A target of priority 0 and weight 1.
    #[must_use]
    pub fn new(uri: &str) -> Self {
        Self { uri: uri.to_owned(), priority: 0, weight: 1 }
    }
}

/// How we register with a carrier (RFC 3261 §10.2), with the trunk's `authenticate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkRegistration {
    /// Where: `sip:registrar.carrier.example;transport=tls`.
    pub registrar: String,
    /// What we register: `sip:4930123@carrier.example`.
    pub aor: String,
    /// The user of our Contact; the user of `aor` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_user: Option<String>,
    /// For how many seconds we ask, 60 to 86400.
    #[serde(default = "hour")]
    pub expires_s: u32,
}

/// Which way a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the trunk to us.
    Inbound,
    /// From us to the trunk.
    Outbound,
}

/// A rule about a header field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderRule {
    /// On which INVITEs: those from the trunk, or those to it.
    pub direction: Direction,
    /// What is done.
    pub action: HeaderAction,
    /// The field's name: `X-Account`. Fields that SIP itself needs cannot be named.
    pub name: String,
    /// The field's value, for `set`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// What a header rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderAction {
    /// The field gets this value, instead of any that it has.
    Set,
    /// The field is taken out.
    Remove,
    /// The field goes on to the other leg as it came; without a rule none does.
    Pass,
}

/// A rule about a number: one that starts with `prefix` loses its first `strip` characters and gets
/// `prepend` in front.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberRule {
    /// On which calls.
    pub direction: Direction,
    /// On which of the two numbers.
    pub which: NumberPlace,
    /// What the number starts with; every number if empty.
    #[serde(default)]
    pub prefix: String,
    /// How many characters are taken off its front.
    #[serde(default)]
    pub strip: u8,
    /// What is put in front of the rest.
    #[serde(default)]
    pub prepend: String,
}

/// Which number of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberPlace {
    /// The calling number.
    Caller,
    /// The called number.
    Called,
}

/// How a trunk wants numbers written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NumberFormat {
    /// `+4930123456`
    #[default]
    #[serde(rename = "e164")]
    E164,
    /// `4930123456`
    #[serde(rename = "plain")]
    Plain,
    /// `030123456` within the trunk's country, `0043...` (its international prefix) outside.
    #[serde(rename = "national")]
    National,
    /// `004930123456`
    #[serde(rename = "international00")]
    International00,
}

/// What is done about signed caller numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkStir {
    /// Whether the signatures of its calls are verified.
    #[serde(default = "yes")]
    pub verify: bool,
    /// Whether its calls are refused without a valid signature.
    #[serde(default, skip_serializing_if = "is_false")]
    pub require: bool,
    /// What signs our calls to it; they go unsigned if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<StirKey>,
}

/// A key that signs caller numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StirKey {
    /// Where others find its certificate: an https URL.
    pub certificate_url: String,
    /// The P-256 private key, PKCS #8 in PEM.
    pub private_key: Secret,
}

/// How somebody is told who sent a call on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiversionHeader {
    /// Not at all.
    None,
    /// By Diversion (RFC 5806).
    Diversion,
    /// By History-Info (RFC 7044).
    HistoryInfo,
    /// By both.
    Both,
}

impl DiversionHeader {
    /// Whether Diversion tells it.
    #[must_use]
    pub fn by_diversion(self) -> bool {
        matches!(self, Self::Diversion | Self::Both)
    }

    /// Whether History-Info tells it.
    #[must_use]
    pub fn by_history(self) -> bool {
        matches!(self, Self::HistoryInfo | Self::Both)
    }
}

fn one() -> u16 {
    1
}

fn hour() -> u32 {
    3600
}
