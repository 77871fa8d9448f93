//! What an extended report tells of a source beyond a plain one: bursts and gaps of loss (RFC 3611
//! §4.7.2 and appendix A.2), packets that came twice, the spread of the jitter (§4.6).
//!
//! Kept only for far ends that ask for it.

use crate::rtcp::{GMIN, Statistics, VoipMetrics};

/// Kept from the moment it was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    /// Received since the last loss.
    received: u32,
    /// Lost in the spell under way.
    lost: u32,
    /// Transitions between the states: 1 gap, 2 received in a burst, 3 lost in a burst, 4 lost in
    /// a gap.
    c11: u32,
    c13: u32,
    c14: u32,
    c22: u32,
    c23: u32,
    c33: u32,
    /// Since the last report.
    since: Since,
    /// Bit n: the packet n before the newest has come.
    came: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Since {
    first: Option<u16>,
    last: u16,
    lost: u32,
    duplicates: u32,
    jitters: u32,
    least: u32,
    most: u32,
    sum: u64,
    squares: u64,
}

impl Account {
    /// A packet came, `ahead` of the newest one: 1 for the next, 0 or wrapped for an older one.
    pub(crate) fn note(&mut self, sequence: u16, ahead: u16) {
        let since = &mut self.since;
        since.first.get_or_insert(sequence);
        let back = 0_u16.wrapping_sub(ahead);
        if ahead == 0 || back < 100 {
            let bit = 1_u64.checked_shl(u32::from(back)).unwrap_or(0);
            let twice = self.came & bit != 0;
            since.duplicates += u32::from(twice);
            self.came |= bit;
            since.lost = since.lost.saturating_sub(u32::from(!twice));
            return;
        }
        self.came = self.came.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
        since.last = sequence;
        since.lost = since.lost.saturating_add(u32::from(ahead - 1));
        for _ in 1..ahead {
            self.lose();
        }
        self.received = self.received.saturating_add(1);
    }

    /// How much later or earlier a packet came against the one before it, in ticks.
    pub(crate) fn note_jitter(&mut self, ticks: u32) {
        let since = &mut self.since;
        since.least = if since.jitters == 0 { ticks } else { since.least.min(ticks) };
        since.most = since.most.max(ticks);
        since.jitters += 1;
        since.sum += u64::from(ticks);
        since.squares += u64::from(ticks).pow(2);
    }

    fn lose(&mut self) {
        let received = std::mem::take(&mut self.received);
        if received >= u32::from(GMIN) {
            if self.lost == 1 {
                self.c14 += 1;
            } else {
                self.c13 += 1;
            }
            self.lost = 1;
            self.c11 = self.c11.saturating_add(received);
        } else {
            self.lost += 1;
            if received == 0 {
                self.c33 += 1;
            } else {
                self.c23 += 1;
                self.c22 = self.c22.saturating_add(received - 1);
            }
        }
    }

    /// The statistics since they were last taken; `None` if nothing came.
    pub(crate) fn take_statistics(&mut self, ssrc: u32) -> Option<Statistics> {
        let since = std::mem::take(&mut self.since);
        let count = u64::from(since.jitters.max(1));
        let mean = since.sum / count;
        let deviation = (since.squares / count).saturating_sub(mean * mean).isqrt();
        let word = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        Some(Statistics {
            ssrc,
            sequences: (since.first?, since.last.wrapping_add(1)),
            lost: since.lost,
            duplicates: since.duplicates,
            jitter: [since.least, since.most, word(mean), word(deviation)],
        })
    }

    /// Fills in densities and durations, with packets of `packet_ms`.
    pub(crate) fn fill(&self, metrics: &mut VoipMetrics, packet_ms: u32) {
        let mut all = *self;
        // The spell under way ends here.
        if all.received >= u32::from(GMIN) {
            if all.lost == 1 {
                all.c14 += 1
            } else {
                all.c13 += 1
            }
            all.c11 = all.c11.saturating_add(all.received);
        }
        let part = |of: u32, whole: u32| f64::from(of) / f64::from(whole.max(1));
        let byte = |part: f64| (part * 256.0).round().clamp(0.0, 255.0) as u8;
        let (c31, c32) = (all.c13, all.c23);
        let p32 = part(c32, c31 + c32 + all.c33);
        let p23 = if all.c22 + all.c23 == 0 { 1.0 } else { 1.0 - part(all.c22, all.c22 + all.c23) };
        let in_burst = all.c23 + all.c33 > 0;
        let burst = if in_burst { p23 / (p23 + p32) } else { 0.0 };
        metrics.densities = (byte(burst), byte(part(all.c14, all.c11 + all.c14)));
        let total = all.c11 + all.c14 + 2 * all.c13 + all.c22 + 2 * all.c23 + all.c33;
        let gaps = all.c11 + all.c14 + all.c13;
        let length = |packets: u32| {
            let ms = u64::from(packets) * u64::from(packet_ms) / u64::from(all.c13.max(1));
            u16::try_from(ms).unwrap_or(u16::MAX)
        };
        metrics.durations = (if in_burst { length(total - gaps) } else { 0 }, length(gaps));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn metrics(account: &Account) -> VoipMetrics {
        let mut metrics = VoipMetrics {
            ssrc: 1,
            loss_rate: 0,
            discard_rate: 0,
            densities: (0, 0),
            durations: (0, 0),
            round_trip: 0,
            end_delay: 0,
            signal_level: 127,
            rating: 127,
            mos: (127, 127),
            receiver: 0,
            buffer: (0, 0, 0),
        };
        account.fill(&mut metrics, 20);
        metrics
    }

    fn feed(account: &mut Account, lost: impl Fn(u16) -> bool, count: u16) {
        let mut last = u16::MAX;
        for n in (0..count).filter(|n| !lost(*n)) {
            account.note(n, n.wrapping_sub(last));
            last = n;
        }
    }

    #[test]
    fn single_losses_far_apart_are_of_the_gap() {
        let mut account = Account::default();
        feed(&mut account, |n| n % 50 == 49, 1000);
        let metrics = metrics(&account);
        assert_eq!(metrics.densities.0, 0);
        assert!((4..=6).contains(&metrics.densities.1), "2 % are 5 of 256: {metrics:?}");
        assert_eq!(metrics.durations.0, 0);
        let statistics = account.take_statistics(1).unwrap();
        assert_eq!((statistics.sequences, statistics.lost), ((0, 999), 19));
    }

    #[test]
    fn losses_close_together_are_a_burst_of_their_own_length_and_density() {
        // Ten packets out of a hundred lose every other one.
        let mut account = Account::default();
        feed(&mut account, |n| n % 100 >= 90 && n % 2 == 1, 1000);
        let metrics = metrics(&account);
        assert!((115..=150).contains(&metrics.densities.0), "about half: {metrics:?}");
        assert!((140..=220).contains(&metrics.durations.0), "nine packets: {metrics:?}");
        assert!((1600..=2100).contains(&metrics.durations.1), "{metrics:?}");
    }

    #[test]
    fn late_packets_are_not_lost_and_twice_is_counted() {
        let mut account = Account::default();
        for (sequence, ahead) in [(1, 1), (2, 1), (4, 2), (3, u16::MAX), (4, 0), (5, 1)] {
            account.note(sequence, ahead);
        }
        let statistics = account.take_statistics(9).unwrap();
        assert_eq!((statistics.lost, statistics.duplicates), (0, 1));
        assert!(account.take_statistics(9).is_none());
        for ticks in [10, 20, 30] {
            account.note_jitter(ticks);
        }
        account.note(6, 1);
        assert_eq!(account.take_statistics(9).unwrap().jitter, [10, 30, 20, 8]);
    }
}
