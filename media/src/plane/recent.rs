//! What a far end's decoder got last, of a codec whose ends remember: who speaks to it next begins
//! where it stands, else it would burst out until both agree again.

use crate::Codec;

/// 120 ms of G.722: then what went before matters no more.
const BYTES: usize = 960;

pub(super) struct Recent {
    bytes: [u8; BYTES],
    /// Where the next byte goes, and how many there are.
    next: usize,
    length: usize,
}

impl Recent {
    /// For a codec that needs it: of the others Opus copes by itself, and G.711 remembers nothing.
    pub(super) fn of(codec: Codec) -> Option<Box<Self>> {
        let recent = Self { bytes: [0; BYTES], next: 0, length: 0 };
        (codec == Codec::G722).then(|| Box::new(recent))
    }

    /// A payload went.
    pub(super) fn note(&mut self, payload: &[u8]) {
        let payload = payload.get(payload.len().saturating_sub(BYTES)..).unwrap_or_default();
        let before_end = payload.len().min(BYTES - self.next);
        let (first, second) = payload.split_at(before_end);
        if let Some(into) = self.bytes.get_mut(self.next..self.next + first.len()) {
            into.copy_from_slice(first);
        }
        if let Some(into) = self.bytes.get_mut(..second.len()) {
            into.copy_from_slice(second);
        }
        self.next = (self.next + payload.len()) % BYTES;
        self.length = (self.length + payload.len()).min(BYTES);
    }

    /// All of it, in two parts, the oldest first.
    pub(super) fn parts(&self) -> [&[u8]; 2] {
        let (new, old) = self.bytes.split_at(self.next);
        if self.length < BYTES { [new, &[]] } else { [old, new] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_are_kept_in_their_order() {
        let mut recent = Recent::of(Codec::G722).unwrap_or_else(|| unreachable!());
        let all: Vec<u8> = (0..5000_u32).map(|n| (n % 251) as u8).collect();
        for (n, payload) in all.chunks(160).enumerate() {
            recent.note(payload);
            let so_far = all.len().min((n + 1) * 160);
            assert_eq!(recent.parts().concat(), all[so_far.saturating_sub(BYTES)..so_far]);
        }
        assert!(Recent::of(Codec::Pcmu).is_none());
    }
}
