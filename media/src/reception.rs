//! What a receiver keeps of one source: sequence, loss, jitter (RFC 3550 appendix A.1, A.3, A.8).

use base::Instant;

use crate::account::Account;
use crate::rtcp::ReportBlock;
use crate::rtp::Header;

/// A jump forward of this many packets or more is a restart, not loss.
const MAX_DROPOUT: u16 = 3000;
/// Packets later than this are no longer "late".
const MAX_MISORDER: u16 = 100;

/// What a packet is to its source's history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Arrival {
    /// It belongs to it: in order, after a loss, late or twice.
    Continues,
    /// A history begins with it.
    Begins,
    /// A far jump: drop it, and believe the next one that follows on it.
    Suspect,
}

/// The history of a far end's packets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reception {
    source: Option<Source>,
    /// For extended reports, if the far end wants them.
    pub(crate) account: Option<Box<Account>>,
    /// Lost from sources and histories before this one.
    lost_before: u64,
}

#[derive(Clone, Debug)]
struct Source {
    ssrc: u32,
    base: u32,
    highest: u16,
    cycles: u32,
    /// The number that would make a jump a restart.
    after_jump: Option<u16>,
    received: u32,
    /// How often packets were missing before one that came.
    spells: u32,
    expected_prior: u32,
    received_prior: u32,
    timestamp: u32,
    transit: u32,
    /// Ticks of the timestamps in a second.
    clock: u32,
    /// In sixteenths of a timestamp unit.
    jitter: u32,
}

impl Reception {
    /// Takes a packet in. `clock` is what its timestamps count a second in; none for events, whose
    /// timestamps stand still.
    pub(crate) fn handle_packet(
        &mut self,
        now: Instant,
        header: &Header,
        clock: Option<u32>,
    ) -> Arrival {
        let Some(source) = self.source.as_mut().filter(|source| source.ssrc == header.ssrc) else {
            return self.begin(now, header, clock);
        };
        let ahead = header.sequence.wrapping_sub(source.highest);
        if ahead < MAX_DROPOUT {
            if header.sequence < source.highest {
                source.cycles = source.cycles.wrapping_add(1 << 16);
            }
            source.highest = header.sequence;
            source.spells += u32::from(ahead > 1);
        } else if ahead <= 0_u16.wrapping_sub(MAX_MISORDER) {
            if source.after_jump == Some(header.sequence) {
                return self.begin(now, header, clock);
            }
            source.after_jump = Some(header.sequence.wrapping_add(1));
            return Arrival::Suspect;
        }
        source.after_jump = None;
        source.received = source.received.wrapping_add(1);
        if let Some(account) = &mut self.account {
            account.note(header.sequence, ahead);
        }
        if let Some(clock) = clock
            && header.timestamp != source.timestamp
        {
            let moved = source.measure_jitter(now, header.timestamp, clock);
            if let (Some(account), Some(moved)) = (&mut self.account, moved) {
                account.note_jitter(moved);
            }
        }
        Arrival::Continues
    }

    /// Packets lost over all histories; late and doubled ones count against loss, as in A.3.
    pub(crate) fn lost(&self) -> u64 {
        let lost = self.source.as_ref().map_or(0, Source::lost);
        self.lost_before + u64::try_from(lost).unwrap_or(0)
    }

    /// Packets of this history that should have come, and that came.
    pub(crate) fn expected_and_received(&self) -> (u32, u32) {
        self.source.as_ref().map_or((0, 0), |source| (source.expected(), source.received))
    }

    /// The source that is heard.
    pub(crate) fn ssrc(&self) -> Option<u32> {
        self.source.as_ref().map(|source| source.ssrc)
    }

    /// How much longer losses in a row are than chance makes them (G.107's BurstR).
    pub(crate) fn burstiness(&self) -> f64 {
        let Some(source) = &self.source else { return 1.0 };
        let lost = source.lost().max(0) as f64;
        let part = lost / f64::from(source.expected().max(1));
        (lost / f64::from(source.spells.max(1)) * (1.0 - part)).max(1.0)
    }

    /// The jitter in microseconds.
    pub(crate) fn jitter_us(&self) -> u32 {
        self.source.as_ref().map_or(0, |source| {
            let us = u64::from(source.jitter >> 4) * 1_000_000 / u64::from(source.clock);
            u32::try_from(us).unwrap_or(u32::MAX)
        })
    }

    /// The source's account since the last such block; its last-report fields are left 0.
    pub(crate) fn report(&mut self) -> Option<ReportBlock> {
        let source = self.source.as_mut()?;
        let expected = source.expected();
        let of_interval = expected.wrapping_sub(source.expected_prior);
        let received = source.received.wrapping_sub(source.received_prior);
        source.expected_prior = expected;
        source.received_prior = source.received;
        let lost = i64::from(of_interval) - i64::from(received);
        let fraction =
            if of_interval == 0 || lost <= 0 { 0 } else { (lost << 8) / i64::from(of_interval) };
        Some(ReportBlock {
            ssrc: source.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: i32::try_from(source.lost()).unwrap_or(i32::MAX),
            highest_sequence: source.extended(),
            jitter: source.jitter >> 4,
            last_sr: 0,
            delay_since_last_sr: 0,
        })
    }

    fn begin(&mut self, now: Instant, header: &Header, clock: Option<u32>) -> Arrival {
        let clock = clock.unwrap_or(crate::CLOCK_RATE);
        self.lost_before = self.lost();
        self.source = Some(Source {
            ssrc: header.ssrc,
            base: u32::from(header.sequence),
            highest: header.sequence,
            cycles: 0,
            after_jump: None,
            received: 1,
            spells: 0,
            expected_prior: 0,
            received_prior: 0,
            timestamp: header.timestamp,
            transit: ticks(now, clock).wrapping_sub(header.timestamp),
            clock,
            jitter: 0,
        });
        Arrival::Begins
    }
}

impl Source {
    fn extended(&self) -> u32 {
        self.cycles.wrapping_add(u32::from(self.highest))
    }

    fn expected(&self) -> u32 {
        self.extended().wrapping_sub(self.base).wrapping_add(1)
    }

    fn lost(&self) -> i64 {
        i64::from(self.expected()) - i64::from(self.received)
    }

    /// How far the packet came from where the last one let expect it, in ticks.
    fn measure_jitter(&mut self, now: Instant, timestamp: u32, clock: u32) -> Option<u32> {
        let transit = ticks(now, clock).wrapping_sub(timestamp);
        if clock != self.clock {
            (self.clock, self.jitter) = (clock, 0);
            (self.transit, self.timestamp) = (transit, timestamp);
            return None;
        }
        // A jump of the far end's clock is no jitter: beyond two seconds, start anew.
        let moved = transit.wrapping_sub(self.transit).cast_signed().unsigned_abs();
        (self.transit, self.timestamp) = (transit, timestamp);
        if moved < 2 * clock {
            self.jitter = self.jitter + moved - ((self.jitter + 8) >> 4);
            return Some(moved);
        }
        None
    }
}

/// A reading of the clock in samples, as timestamps count.
pub(crate) fn samples(at: Instant) -> u32 {
    // 125 us a sample; timestamps wrap, so the upper bits do not matter.
    ((at.as_nanos() / 125_000) & 0xffff_ffff) as u32
}

/// A reading of the clock in ticks of a rate; they wrap.
fn ticks(at: Instant, rate: u32) -> u32 {
    if rate == crate::CLOCK_RATE {
        return samples(at);
    }
    let ticks = u128::from(at.as_nanos()) * u128::from(rate) / 1_000_000_000;
    (ticks & 0xffff_ffff) as u32
}

#[cfg(test)]
mod tests {
    use base::Duration;

    use super::*;

    const PCM: Option<u32> = Some(8000);

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Header {
        Header { payload_type: 0, marker: false, sequence, timestamp, ssrc }
    }

    fn feed(reception: &mut Reception, sequences: impl IntoIterator<Item = u16>) {
        for sequence in sequences {
            reception.handle_packet(Instant::ZERO, &packet(1, sequence, 0), PCM);
        }
    }

    #[test]
    fn one_packet_of_four_lost_is_64_of_256_and_counted_once() {
        let mut reception = Reception::default();
        feed(&mut reception, (0..100).filter(|n| n % 4 != 2));
        let block = reception.report().unwrap();
        assert_eq!((block.fraction_lost, block.cumulative_lost), (64, 25));
        feed(&mut reception, 100..200);
        let block = reception.report().unwrap();
        assert_eq!((block.fraction_lost, block.cumulative_lost), (0, 25));
        assert_eq!(reception.lost(), 25);
    }

    #[test]
    fn a_wrap_of_the_sequence_number_is_a_cycle_and_no_loss() {
        let mut reception = Reception::default();
        feed(&mut reception, [65_533, 65_534, 65_535, 0, 1, 2]);
        let block = reception.report().unwrap();
        assert_eq!(block.highest_sequence, 65_536 + 2);
        assert_eq!(block.cumulative_lost, 0);
        feed(&mut reception, [65_535]);
        assert_eq!(
            reception.report().unwrap().highest_sequence,
            65_538,
            "a late one moves nothing"
        );
    }

    #[test]
    fn doubled_packets_make_the_loss_negative_in_the_report_and_zero_in_the_record() {
        let mut reception = Reception::default();
        feed(&mut reception, [5, 5, 5, 6]);
        assert_eq!(reception.report().unwrap().cumulative_lost, -2);
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn a_far_jump_is_believed_at_its_second_packet_and_keeps_the_loss_before_it() {
        let mut reception = Reception::default();
        feed(&mut reception, [1, 2, 4]);
        let jump = |n| packet(1, n, 0);
        assert_eq!(reception.handle_packet(Instant::ZERO, &jump(30_000), PCM), Arrival::Suspect);
        assert_eq!(reception.handle_packet(Instant::ZERO, &jump(30_001), PCM), Arrival::Begins);
        assert_eq!(reception.lost(), 1);
        let other = packet(9, 7, 0);
        assert_eq!(reception.handle_packet(Instant::ZERO, &other, PCM), Arrival::Begins);
        assert_eq!(reception.report().unwrap().ssrc, 9);
    }

    #[test]
    fn jitter_follows_the_recursion_of_appendix_a_8() {
        // Packets of 20 ms, each second one 5 ms (40 samples) late: |D| is 40 every time.
        let mut reception = Reception::default();
        let mut expected = 0_u32;
        for n in 0..200_u16 {
            let late = if n % 2 == 1 { 5 } else { 0 };
            let at = Instant::from_millis(u64::from(n) * 20 + late);
            reception.handle_packet(at, &packet(1, n, u32::from(n) * 160), PCM);
            if n > 0 {
                expected = expected + 40 - ((expected + 8) >> 4);
            }
        }
        assert_eq!(reception.report().unwrap().jitter, expected >> 4);
        assert_eq!(expected >> 4, 39, "it converges to the mean deviation");
        assert_eq!(reception.jitter_us(), 39 * 125);
    }

    #[test]
    fn the_jitter_of_a_48_khz_clock_is_measured_on_that_clock() {
        let mut reception = Reception::default();
        for n in 0..200_u16 {
            let late = if n % 2 == 1 { 5 } else { 0 };
            let at = Instant::from_millis(u64::from(n) * 20 + late);
            reception.handle_packet(at, &packet(1, n, u32::from(n) * 960), Some(48_000));
        }
        assert!((4900..=5000).contains(&reception.jitter_us()), "{}", reception.jitter_us());
    }

    #[test]
    fn events_whose_timestamp_stands_still_are_no_jitter() {
        let mut reception = Reception::default();
        for n in 0..50_u16 {
            let at = Instant::ZERO + Duration::from_millis(u64::from(n) * 20);
            reception.handle_packet(at, &packet(1, n, 0), (n == 0).then_some(8000));
        }
        assert_eq!(reception.jitter_us(), 0);
    }
}
