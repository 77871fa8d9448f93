//! What messages are matched by, as keyed 128-bit hashes: no text is kept, and without the secret
//! nobody can make two collide (RFC 3261 §17.1.3, §17.2.3, §8.2.2.2).

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use base::Rng;

use crate::{Message, Method};

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Key(u64, u64);

/// The branch prefix of RFC 3261 peers.
const MAGIC: &str = "z9hG4bK";

#[derive(Debug)]
pub(super) struct Keyring {
    secrets: [u64; 2],
}

impl Keyring {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self { secrets: [rng.next_u64(), rng.next_u64()] }
    }

    fn hash(&self, kind: u8, parts: &[&str]) -> Key {
        let half = |secret: u64| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(secret);
            hasher.write_u8(kind);
            for part in parts {
                part.hash(&mut hasher);
            }
            hasher.finish()
        };
        Key(half(self.secrets[0]), half(self.secrets[1]))
    }

    /// A request's server transaction; an ACK or CANCEL asks with INVITE for its INVITE's.
    pub(super) fn server(&self, request: &Message, method: &Method) -> Option<Key> {
        let via = request.via().ok()?;
        if let Some(branch) = via.branch().filter(|branch| has_magic(branch)) {
            let host = via.host().to_ascii_lowercase();
            let port = via.port().unwrap_or(5060).to_string();
            return Some(self.hash(0, &[branch, &host, &port, method.as_str()]));
        }
        // RFC 2543: the To tag is left out, because an ACK has the response's.
        let cseq = request.cseq().ok()?.to_string();
        let tag = request.from_tag().unwrap_or("");
        let (uri, call_id) = (request.uri_text(), request.call_id());
        Some(self.hash(1, &[uri, tag, call_id, &cseq, via.as_str(), method.as_str()]))
    }

    /// The ACK of a 2xx to that INVITE whose To got that tag.
    pub(super) fn ack(&self, request: &Message, local_tag: &str) -> Option<Key> {
        let cseq = request.cseq().ok()?.to_string();
        let tag = request.from_tag().unwrap_or("");
        Some(self.hash(2, &[request.call_id(), tag, local_tag, &cseq]))
    }

    /// A request outside a dialog, whichever way it came here.
    pub(super) fn merge(&self, request: &Message) -> Option<Key> {
        if request.to_tag().is_some() {
            return None;
        }
        let cseq = request.cseq().ok()?.to_string();
        let tag = request.from_tag()?;
        let method = request.method_ref().as_str();
        Some(self.hash(3, &[request.call_id(), tag, &cseq, method]))
    }

    /// One of our own requests.
    pub(super) fn client(&self, branch: &str, method: &Method) -> Key {
        self.hash(4, &[branch, method.as_str()])
    }

    /// A dialog of a forked INVITE.
    pub(super) fn fork(&self, to_tag: &str) -> Key {
        self.hash(5, &[to_tag])
    }

    /// A tag for a stateless response: the same for each retransmission (§8.2.7).
    pub(super) fn stateless_tag(&self, request: &Message) -> String {
        let via = request.headers(crate::Name::VIA).next().unwrap_or("");
        let Key(tag, _) = self.hash(6, &[request.call_id(), via]);
        let mut text = String::with_capacity(16);
        _ = write!(text, "{tag:016x}");
        text
    }
}

fn has_magic(branch: &str) -> bool {
    branch.len() > MAGIC.len()
        && branch.get(..MAGIC.len()).is_some_and(|start| start.eq_ignore_ascii_case(MAGIC))
}

/// A branch of ours: 128 random bits.
pub(super) fn new_branch(rng: &mut Rng) -> String {
    format!("{MAGIC}{}", rng.hex::<16>())
}
