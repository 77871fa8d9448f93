//! DTLS 1.2 and 1.3 (RFC 6347, RFC 9147) as far as WebRTC needs it (RFC 5764, RFC 8827): a
//! handshake whose certificates are known by their fingerprints in SDP, and the keys for SRTP that
//! it gives. The protocol is `dimpl`'s, the cryptography `ring`'s (`provider/`).

mod der;
mod fingerprint;
mod identity;
mod provider;
mod request;

use base::Instant;
use dimpl::{Dtls, Error, KeyingMaterial, Output, SrtpProfile, UnexpectedMessageError};

pub use fingerprint::Fingerprint;
use identity::StdInstant;
pub use identity::{Identity, NoIdentity, ROOM};

use crate::srtp::{MASTER_BYTES, MasterKey, Profile, SrtpKeys};

/// `ContentType.alert` (RFC 5246 §6.2.1).
const ALERT: u8 = 21;

/// Who begins the handshake (`a=setup`, RFC 8842 §5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DtlsRole {
    /// We do, as its client.
    Active,
    /// They do.
    Passive,
}

/// What came of driving a handshake.
pub enum Progress<'a> {
    /// Send this.
    Send(&'a [u8]),
    /// The far end showed its certificate, and proved that it is its own.
    Certificate(&'a [u8]),
    /// The keys, if they are for encryption that we have.
    Keys(Option<SrtpKeys>),
    /// The far end says goodbye.
    Closed,
}

/// Why a handshake, or what came after it, is over.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("DTLS: {0}")]
pub struct Broken(String);

/// One leg's association.
pub struct Association {
    dtls: Dtls,
    origin: StdInstant,
    /// Driven so far: its clock may not run backward.
    at: Instant,
    role: DtlsRole,
}

impl Association {
    /// Nothing was said yet.
    #[must_use]
    pub fn new(identity: &Identity, role: DtlsRole, now: Instant) -> Self {
        let origin = identity.origin;
        let (config, certificate) = (identity.config(role), identity.certificate.clone());
        let mut dtls = Dtls::new_auto(config, certificate, time(origin, now));
        dtls.set_active(role == DtlsRole::Active);
        Self { dtls, origin, at: now, role }
    }

    /// Our part in it.
    #[must_use]
    pub fn role(&self) -> DtlsRole {
        self.role
    }

    /// A datagram of the far end's.
    ///
    /// # Errors
    /// When the association is over.
    pub fn handle_packet(&mut self, now: Instant, packet: &[u8]) -> Result<(), Broken> {
        self.handle_timeout(now)?;
        match self.dtls.handle_packet(packet) {
            // What overtakes the first words of the far end that we greeted comes again with them.
            Err(Error::UnexpectedMessage(
                UnexpectedMessageError::UnrecognizedAutoServerResponse,
            )) if packet.first() != Some(&ALERT) => Ok(()),
            taken => taken.map_err(|error| Broken(error.to_string())),
        }
    }

    /// Time passed.
    ///
    /// # Errors
    /// When the association is over.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Broken> {
        self.at = self.at.max(now);
        let at = time(self.origin, self.at);
        self.dtls.handle_timeout(at).map_err(|error| Broken(error.to_string()))
    }

    /// Says goodbye, if it was greeted.
    pub fn close(&mut self) {
        let _ = self.dtls.close();
    }

    /// Takes out what there is; afterwards, when to call again. `room` is [`ROOM`] bytes.
    pub fn drain(
        &mut self,
        room: &mut [u8],
        mut take: impl FnMut(Progress<'_>),
    ) -> Option<Instant> {
        // It is done long before; nothing that a peer sends may keep us here.
        for _ in 0..64 {
            match self.dtls.poll_output(room) {
                Output::Packet(packet) => match self.role {
                    DtlsRole::Active => take(Progress::Send(packet)),
                    DtlsRole::Passive => take(Progress::Send(&request::widened_datagram(packet))),
                },
                Output::PeerCert(certificate) => take(Progress::Certificate(certificate)),
                Output::KeyingMaterial(material, profile) => {
                    take(Progress::Keys(keys(&material, profile, self.role)));
                }
                Output::CloseNotify => take(Progress::Closed),
                Output::Timeout(at) => {
                    let nanos = at.saturating_duration_since(self.origin).as_nanos();
                    let at = Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
                    return Some(at);
                }
                Output::BufferTooSmall { .. } => return None,
                _ => {}
            }
        }
        None
    }
}

/// A reading of our clock as std's would have it.
fn time(origin: StdInstant, now: Instant) -> StdInstant {
    origin + now.since(Instant::ZERO)
}

/// The keys of both directions out of what the handshake exported (RFC 5764 §4.2): the client's
/// key, the server's, the client's salt, the server's.
fn keys(material: &KeyingMaterial, profile: SrtpProfile, role: DtlsRole) -> Option<SrtpKeys> {
    let profile = match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Profile::AesCm128HmacSha1_80,
        SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
        SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
        _ => return None,
    };
    let (key, salt) = (profile.key_bytes(), profile.salt_bytes());
    let (keys, salts) = material.split_at_checked(2 * key)?;
    let master = |keys: &[u8], salts: &[u8]| {
        let mut bytes = [0; MASTER_BYTES];
        let bytes = bytes.get_mut(..key + salt)?;
        bytes.iter_mut().zip(keys.iter().chain(salts)).for_each(|(to, from)| *to = *from);
        MasterKey::new(profile, bytes)
    };
    let client = master(keys.get(..key)?, salts.get(..salt)?)?;
    let server = master(keys.get(key..)?, salts.get(salt..2 * salt)?)?;
    Some(match role {
        DtlsRole::Active => SrtpKeys { ours: client, theirs: server.into() },
        DtlsRole::Passive => SrtpKeys { ours: server, theirs: client.into() },
    })
}
