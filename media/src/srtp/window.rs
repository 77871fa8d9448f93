//! Which packets there were: the replay window (RFC 3711 §3.3.2), and the rollover counter guessed
//! from the 16 bits that a packet carries (§3.3.1, appendix A).

/// Packets that a late one may be behind the newest.
const WINDOW: u64 = 128;

/// The newest packet, and which of those before it there were.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    newest: Option<u64>,
    /// Bit `n`: the packet `n` before the newest.
    seen: u128,
}

impl Window {
    /// The index of an RTP packet with this sequence number: the one nearest to the newest.
    pub(super) fn index_of(&self, sequence: u16) -> u64 {
        let Some(newest) = self.newest else { return u64::from(sequence) };
        let rollovers = newest >> 16;
        let (at, ahead) = (i64::from(sequence), (newest & 0xffff).cast_signed());
        let rollovers = if at - ahead > 0x8000 {
            rollovers.saturating_sub(1)
        } else if ahead - at > 0x8000 {
            rollovers + 1
        } else {
            rollovers
        };
        (rollovers << 16) | u64::from(sequence)
    }

    /// Whether there was a packet of this index, or might have been: then it is not to be taken.
    pub(super) fn was_there(&self, index: u64) -> bool {
        let Some(newest) = self.newest else { return false };
        let Some(behind) = newest.checked_sub(index) else { return false };
        behind >= WINDOW || self.seen >> behind & 1 == 1
    }

    /// A packet of this index is there.
    pub(super) fn note(&mut self, index: u64) {
        let Some(newest) = self.newest else {
            (self.newest, self.seen) = (Some(index), 1);
            return;
        };
        match index.checked_sub(newest) {
            Some(ahead) => {
                let kept = if ahead < WINDOW { self.seen << ahead } else { 0 };
                (self.newest, self.seen) = (Some(index), kept | 1);
            }
            None => self.seen |= 1_u128.checked_shl((newest - index) as u32).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(packets: &[u64]) -> Window {
        let mut window = Window::default();
        packets.iter().for_each(|index| window.note(*index));
        window
    }

    #[test]
    fn a_packet_is_there_once_and_what_is_too_late_to_tell_counts_as_there() {
        let window = window(&[1000, 1001, 1003, 1002, 1127]);
        for index in [1000, 1001, 1002, 1003, 1127] {
            assert!(window.was_there(index), "{index}");
        }
        assert!(!window.was_there(1004) && !window.was_there(1128));
        assert!(window.was_there(999), "128 behind");
        assert!(!self::window(&[5, 5 + 200]).was_there(205 - 127));
        assert!(self::window(&[5, 5 + 200]).was_there(205 - 128));
    }

    #[test]
    fn the_rollover_counter_follows_the_sequence_number_both_ways() {
        let before = window(&[0xfff0]);
        assert_eq!(before.index_of(0xffff), 0xffff);
        assert_eq!(before.index_of(3), 0x1_0003, "it has rolled over");
        let after = window(&[0x1_0003]);
        assert_eq!(after.index_of(0xfffe), 0xfffe, "a late one from before");
        assert_eq!(window(&[3]).index_of(0xfffe), 0xfffe, "nothing is before the first round");
        assert_eq!(Window::default().index_of(0x9000), 0x9000);
    }
}
