//! Who we are towards browsers: a key and a certificate of our own, made anew at each start, which
//! nobody signs (RFC 8827 §6.5). Its fingerprint travels in SDP.

use std::sync::Arc;

use base::{Duration, UnixTime};
use dimpl::{Config, DtlsCertificate};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

use super::der::{
    self, BIT_STRING, COMMON_NAME, EC_PUBLIC_KEY, ECDSA_SHA256, GENERALIZED_TIME, INTEGER,
    OBJECT_ID, SECP256R1, SEQUENCE, SET, UTF8_STRING, VERSION,
};
use super::{DtlsRole, Fingerprint, provider};
use crate::MAX_DATAGRAM;

/// How long our certificate says it holds. Nobody looks: the fingerprint decides.
const LIFETIME: Duration = Duration::from_secs(365 * 86_400);
/// How long before now it begins, for a clock that is behind ours.
const BACKDATED: Duration = Duration::from_secs(86_400);
/// How long the first flight of a handshake waits for its answer: far ends are near, or a fraction
/// of a second away.
const FIRST_RETRY: Duration = Duration::from_millis(200);
/// How often a flight is repeated, each time after twice as long: 25 s in all.
const RETRIES: usize = 6;
/// A handshake takes no longer.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// The longest datagram of ours: it passes through every tunnel.
const MTU: usize = 1200;

/// How many datagrams of a flight may wait for those before them.
const WAITING: usize = 30;

/// Bytes that a datagram of ours, or a certificate of theirs, may have: there is no longer one, for
/// all of it waits until it is complete.
pub const ROOM: usize = WAITING * MAX_DATAGRAM;

/// What DTLS is told the time in. It is never read from a clock here: only carried on from what
/// std's clock said at the origin of ours.
#[allow(clippy::disallowed_types, reason = "it is the type that DTLS takes")]
pub(super) type StdInstant = std::time::Instant;

/// Our key, our certificate, and how we do DTLS: one for the process.
#[derive(Clone)]
pub struct Identity {
    /// For whoever begins a handshake, and for whoever waits for the other to begin.
    active: Arc<Config>,
    passive: Arc<Config>,
    pub(super) certificate: DtlsCertificate,
    /// What std's clock said at our clock's origin: DTLS is told the time in its terms.
    pub(super) origin: StdInstant,
    fingerprint: Fingerprint,
}

/// Why we have none: the system gave no randomness, or the cryptography failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no key for DTLS: {0}")]
pub struct NoIdentity(String);

impl Identity {
    /// Draws a key. `wall` is the wall's time, for the certificate; `origin` what std's clock said
    /// at [`base::Instant::ZERO`].
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn draw(wall: UnixTime, origin: StdInstant) -> Result<Self, NoIdentity> {
        let random = SystemRandom::new();
        let none = |why: &str| NoIdentity(why.to_owned());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
            .map_err(|_| none("no randomness"))?;
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random)
                .map_err(|_| none("a key that cannot be read"))?;
        let mut serial = [0; 16];
        ring::rand::SecureRandom::fill(&random, &mut serial).map_err(|_| none("no randomness"))?;
        let signed = certificate(wall, serial, key.public_key().as_ref());
        let signature = key.sign(&random, &signed).map_err(|_| none("it signs nothing"))?;
        let certificate = der::build(
            SEQUENCE,
            &[&signed, &algorithm(), &der::build(BIT_STRING, &[&[0], signature.as_ref()])],
        );
        let (active, passive) = (config(DtlsRole::Active)?, config(DtlsRole::Passive)?);
        let fingerprint = Fingerprint::of(&certificate);
        let private_key = pkcs8.as_ref().to_vec();
        let certificate = DtlsCertificate { certificate, private_key };
        Ok(Self { active, passive, certificate, origin, fingerprint })
    }

    /// How we do DTLS with that part in the handshake.
    pub(super) fn config(&self, role: DtlsRole) -> Arc<Config> {
        match role {
            DtlsRole::Active => self.active.clone(),
            DtlsRole::Passive => self.passive.clone(),
        }
    }

    /// The fingerprint of our certificate, for SDP.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.fingerprint)
    }
}

fn config(role: DtlsRole) -> Result<Arc<Config>, NoIdentity> {
    // Which address a handshake comes from has been proven by ICE: no cookie is needed.
    let config = Config::builder()
        .with_crypto_provider(provider::provider(role))
        .use_server_cookie(false)
        .flight_start_rto(FIRST_RETRY)
        .flight_retries(RETRIES)
        .handshake_timeout(HANDSHAKE)
        .max_queue_rx(WAITING)
        .mtu(MTU)
        .build();
    config.map(Arc::new).map_err(|error| NoIdentity(error.to_string()))
}

/// The part of a certificate that is signed (RFC 5280 §4.1.2). Its serial number is random:
/// Firefox takes no two certificates of one issuer with the same.
fn certificate(wall: UnixTime, mut serial: [u8; 16], point: &[u8]) -> Vec<u8> {
    // A positive number, in the fewest bytes.
    let [first, ..] = &mut serial;
    *first = (*first & 0x7f) | 0x40;
    let from = UnixTime::from_micros(wall.as_micros() - BACKDATED.as_micros() as i64);
    let until = wall.after(LIFETIME);
    let name = der::build(
        SEQUENCE,
        &[&der::build(
            SET,
            &[&der::build(
                SEQUENCE,
                &[&der::build(OBJECT_ID, &[COMMON_NAME]), &der::build(UTF8_STRING, &[b"strowger"])],
            )],
        )],
    );
    let key_kind = der::build(
        SEQUENCE,
        &[&der::build(OBJECT_ID, &[EC_PUBLIC_KEY]), &der::build(OBJECT_ID, &[SECP256R1])],
    );
    der::build(
        SEQUENCE,
        &[
            &der::build(VERSION, &[&der::build(INTEGER, &[&[2]])]),
            &der::build(INTEGER, &[&serial]),
            &algorithm(),
            &name,
            &der::build(SEQUENCE, &[&time(from), &time(until)]),
            &name,
            &der::build(SEQUENCE, &[&key_kind, &der::build(BIT_STRING, &[&[0], point])]),
        ],
    )
}

fn algorithm() -> Vec<u8> {
    der::build(SEQUENCE, &[&der::build(OBJECT_ID, &[ECDSA_SHA256])])
}

/// `YYYYMMDDHHMMSSZ`.
fn time(at: UnixTime) -> Vec<u8> {
    let seconds = at.as_micros().div_euclid(1_000_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    der::build(GENERALIZED_TIME, &[text.as_bytes()])
}

/// The date so many days after 1970-01-01, in the proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    // Years begin in March here, so that the leap day is a year's last.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let first = (153 * month + 2) / 5;
    let (month, late) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + late, month, day - first + 1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (20_778, (2026, 11, 21)),
            (-1, (1969, 12, 31)),
        ] {
            assert_eq!(civil(days), date);
        }
        let text = time(UnixTime::from_micros(951_827_696_000_000));
        assert_eq!(&text[2..], b"20000229123456Z");
    }
}
