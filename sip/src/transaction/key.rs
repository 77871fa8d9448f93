//! What messages are matched by, as keyed 128-bit hashes: no text is kept, and without the secret
//! nobody can make two collide (RFC 3261 §17.1.3, §17.2.3, §8.2.2.2).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

use base::Rng;

use crate::{Message, Method, Name};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key(u64, u64);

impl Hash for Key {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.0); // it is a hash, and of a secret
    }
}

/// A table by [`Key`], or by numbers of our own: nobody outside can choose where things lie in it,
/// so a multiplication spreads them well enough.
pub(super) type Table<K, V> = HashMap<K, V, BuildHasherDefault<Spread>>;

#[derive(Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.0 ^ number) * 0x9e37_79b9_7f4a_7c15;
        #[allow(clippy::cast_possible_truncation, reason = "both halves are taken")]
        let halves = (product as u64, (product >> 64) as u64);
        self.0 = halves.0 ^ halves.1;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The branch prefix of RFC 3261 peers.
const MAGIC: &str = "z9hG4bK";

#[derive(Debug)]
pub(super) struct Keyring {
    secrets: [u64; 2],
    /// What is being hashed: kept, so that hashing allocates nothing.
    parts: Vec<u8>,
}

impl Keyring {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self { secrets: [rng.next_u64(), rng.next_u64()], parts: Vec::new() }
    }

    /// Kinds of keys never meet; each text is set off from the next by a byte that none holds.
    fn fill(&mut self, kind: u8, number: u32, texts: &[&str]) {
        self.parts.clear();
        self.parts.push(kind);
        self.parts.extend_from_slice(&number.to_le_bytes());
        for text in texts {
            self.parts.extend_from_slice(text.as_bytes());
            self.parts.push(0xff);
        }
    }

    fn hash(&mut self, kind: u8, number: u32, texts: &[&str]) -> Key {
        self.fill(kind, number, texts);
        self.finish()
    }

    fn finish(&self) -> Key {
        let half = |secret: u64| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(secret);
            hasher.write(&self.parts);
            hasher.finish()
        };
        Key(half(self.secrets[0]), half(self.secrets[1]))
    }

    /// A request's server transaction; an ACK or CANCEL asks with INVITE for its INVITE's.
    pub(super) fn server(&mut self, request: &Message, method: &Method) -> Option<Key> {
        let via = request.via().ok()?;
        let method = method.as_str();
        if let Some(branch) = via.branch().filter(|branch| has_magic(branch)) {
            let port = via.port().unwrap_or(5060).into();
            self.fill(0, port, &[branch, via.host(), method]);
            let host = 1 + 4 + branch.len() + 1;
            self.parts[host..host + via.host().len()].make_ascii_lowercase();
            return Some(self.finish());
        }
        // RFC 2543: the To tag is left out, because an ACK has the response's.
        let tag = request.from_tag().unwrap_or("");
        let (uri, call_id) = (request.uri_text(), request.call_id());
        Some(self.hash(1, request.cseq().ok()?, &[uri, tag, call_id, via.as_str(), method]))
    }

    /// The ACK of a 2xx to that INVITE whose To got that tag.
    pub(super) fn ack(&mut self, request: &Message, local_tag: &str) -> Option<Key> {
        let tag = request.from_tag().unwrap_or("");
        Some(self.hash(2, request.cseq().ok()?, &[request.call_id(), tag, local_tag]))
    }

    /// A request outside a dialog, whichever way it came here.
    pub(super) fn merge(&mut self, request: &Message) -> Option<Key> {
        if request.to_tag().is_some() {
            return None;
        }
        let (tag, method) = (request.from_tag()?, request.method_ref().as_str());
        Some(self.hash(3, request.cseq().ok()?, &[request.call_id(), tag, method]))
    }

    /// One of our own requests.
    pub(super) fn client(&mut self, branch: &str, method: &Method) -> Key {
        self.hash(4, 0, &[branch, method.as_str()])
    }

    /// A dialog of a forked INVITE.
    pub(super) fn fork(&mut self, to_tag: &str) -> Key {
        self.hash(5, 0, &[to_tag])
    }

    /// A tag for a stateless response: the same for each retransmission (§8.2.7).
    pub(super) fn stateless_tag(&mut self, request: &Message) -> String {
        let via = request.header(Name::VIA).unwrap_or("");
        let Key(tag, _) = self.hash(6, 0, &[request.call_id(), via]);
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
