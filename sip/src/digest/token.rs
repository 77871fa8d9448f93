//! Short-lived credentials that nobody keeps: the user's name says until when they are good, and the
//! password is a keyed hash of it, the scheme of the REST API for access to TURN services. Whoever
//! holds one proves to be the user by an ordinary digest (RFC 7616), and learns nothing of the
//! user's password.

use std::fmt;

use base::{Rng, UnixTime};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

/// Says what the hash is for: the key makes nothing else.
const PURPOSE: &[u8] = b"sip token 1";

/// What tokens are made with; who has it again, after a restart, takes them again.
#[derive(Clone)]
pub struct TokenKey(hmac::Key);

/// A user's name and password until a time.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// `EXPIRES:USER`, in seconds since 1970.
    pub username: String,
    /// 43 characters.
    pub password: String,
    /// Until when it is good: a whole second.
    pub expires: UnixTime,
}

impl TokenKey {
    /// A new one. `rng` must be secret.
    #[must_use]
    pub fn new(rng: &mut Rng) -> Self {
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        Self::of(&secret)
    }

    /// Of a secret that is kept.
    #[must_use]
    pub fn of(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Credentials of a realm's user. They are void when the password changes: `kept` is what is
    /// [kept](super::keep) of it.
    #[must_use]
    pub fn issue(&self, realm: &str, user: &str, kept: &str, expires: UnixTime) -> Token {
        let seconds = expires.as_micros().max(0) / 1_000_000;
        let username = format!("{seconds}:{user}");
        let password = self.password(realm, &username, kept);
        Token { username, password, expires: UnixTime::from_micros(seconds * 1_000_000) }
    }

    /// The password that belongs to a token's name.
    #[must_use]
    pub fn password(&self, realm: &str, username: &str, kept: &str) -> String {
        let mut hash = hmac::Context::with_key(&self.0);
        for part in [PURPOSE, realm.as_bytes(), username.as_bytes(), kept.as_bytes()] {
            // Its length first: no two lists of parts are the same bytes.
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        URL_SAFE_NO_PAD.encode(hash.sign())
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(***)")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, ***)", self.username)
    }
}

/// Whose token a name is, and until when it says to be good. A plain user's name is none.
#[must_use]
pub fn token_of(username: &str) -> Option<(UnixTime, &str)> {
    let (seconds, user) = username.split_once(':')?;
    let plain = !seconds.is_empty() && seconds.len() <= 12 && !seconds.starts_with('0');
    let digits = seconds.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = seconds.parse().ok().filter(|_| plain && digits)?;
    Some((UnixTime::from_micros(seconds * 1_000_000), user))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_token_belongs_to_one_realm_user_time_password_and_key() {
        let key = TokenKey::new(&mut Rng::from_seed(1));
        let token = key.issue("acme.example", "alice", "ha1:x", at(1_763_000_000));
        assert_eq!(token.username, "1763000000:alice");
        assert_eq!(token.password.len(), 43);
        let same = key.password("acme.example", &token.username, "ha1:x");
        assert_eq!(token.password, same);
        let others = [
            key.password("globex.example", "1763000000:alice", "ha1:x"),
            key.password("acme.example", "1763000001:alice", "ha1:x"),
            key.password("acme.example", "1763000000:bob", "ha1:x"),
            key.password("acme.example", "1763000000:alice", "ha1:y"),
            TokenKey::new(&mut Rng::from_seed(2)).password(
                "acme.example",
                "1763000000:alice",
                "ha1:x",
            ),
        ];
        assert!(!others.contains(&token.password));
        assert!(!format!("{token:?}{key:?}").contains(&token.password));
    }

    #[test]
    fn a_token_is_good_again_for_whoever_has_the_secret_again() {
        let [one, again] = [7, 7].map(|byte| TokenKey::of(&[byte; 32]));
        let token = one.issue("acme.example", "alice", "ha1:x", at(1_763_000_000));
        let password = |key: &TokenKey| key.password("acme.example", &token.username, "ha1:x");
        assert_eq!(token.password, password(&again));
        assert_ne!(token.password, password(&TokenKey::of(&[8; 32])));
    }

    #[test]
    fn a_name_is_a_tokens_only_in_the_one_way_it_is_written() {
        assert_eq!(token_of("1763000000:alice"), Some((at(1_763_000_000), "alice")));
        for plain in ["alice", ":alice", "01:alice", "+1:alice", "1a:alice", "9999999999999:a"] {
            assert_eq!(token_of(plain), None, "{plain}");
        }
    }
}
