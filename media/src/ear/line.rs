//! The far end's line of time: sequence numbers and timestamps without their wraps.

use crate::Codec;
use crate::pcm::Rate;
use crate::rtp::Header;

/// Sequence numbers back from the newest that are known to have come or not.
const WINDOW: i64 = 64;

/// One source in one codec.
pub(super) struct Line {
    pub(super) ssrc: u32,
    pub(super) codec: Codec,
    /// Samples and ticks of the timestamp's clock in a second.
    hz: i64,
    clock: i64,
    newest_timestamp: u32,
    newest_ticks: i64,
    newest_sequence: i64,
    /// Bit n: the packet n before the newest has come.
    came: u64,
    /// The number and the time that would confirm a jump.
    suspect: Option<(u16, u32)>,
}

/// A packet's place on its line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// The first sample, counted from the line's first.
    pub(super) position: i64,
    pub(super) sequence: i64,
    ticks: i64,
}

impl Line {
    /// A line that begins with this packet, at position 0.
    pub(super) fn new(rate: Rate, codec: Codec, header: &Header) -> Self {
        Self {
            ssrc: header.ssrc,
            codec,
            hz: i64::from(rate.hz()),
            clock: i64::from(codec.clock_rate()),
            newest_timestamp: header.timestamp,
            newest_ticks: 0,
            newest_sequence: i64::from(header.sequence),
            came: 0,
            suspect: None,
        }
    }

    /// So many ticks in samples.
    pub(super) fn samples(&self, ticks: i64) -> i64 {
        (ticks * self.hz).div_euclid(self.clock)
    }

    pub(super) fn place(&self, header: &Header) -> Place {
        let later = header.timestamp.wrapping_sub(self.newest_timestamp).cast_signed();
        let newest = (self.newest_sequence & 0xffff) as u16;
        let ahead = header.sequence.wrapping_sub(newest).cast_signed();
        let ticks = self.newest_ticks + i64::from(later);
        let sequence = self.newest_sequence + i64::from(ahead);
        Place { position: self.samples(ticks), sequence, ticks }
    }

    /// Takes note of a packet. False when it has come before.
    pub(super) fn note(&mut self, place: Place, header: &Header) -> bool {
        let ahead = place.sequence - self.newest_sequence;
        if ahead > 0 {
            self.came = if ahead < WINDOW { self.came << ahead } else { 0 };
            self.newest_sequence = place.sequence;
        }
        if place.ticks > self.newest_ticks {
            self.newest_timestamp = header.timestamp;
            self.newest_ticks = place.ticks;
        }
        let back = self.newest_sequence - place.sequence;
        if back >= WINDOW {
            return true;
        }
        let bit = 1_u64 << back;
        let new = self.came & bit == 0;
        self.came |= bit;
        new
    }

    /// Takes note of a number that came without speech: an event's.
    pub(super) fn note_number(&mut self, sequence: i64) {
        let ahead = sequence - self.newest_sequence;
        if ahead > 0 {
            self.came = if ahead < WINDOW { self.came << ahead } else { 0 };
            self.newest_sequence = sequence;
        }
        let back = self.newest_sequence - sequence;
        if back < WINDOW {
            self.came |= 1 << back;
        }
    }

    /// Whether the packet of this number has come, as far back as is known.
    pub(super) fn has_come(&self, sequence: i64) -> bool {
        let back = self.newest_sequence - sequence;
        (0..WINDOW).contains(&back) && self.came & (1 << back) != 0
    }

    /// A packet whose time is far from where its line is. True when it is to be believed: it
    /// follows on the newest one, or a second such packet follows on it.
    pub(super) fn believes_jump(&mut self, header: &Header, ticks: u32) -> bool {
        let follows = header.sequence == ((self.newest_sequence + 1) & 0xffff) as u16;
        let confirmed = self.suspect == Some((header.sequence, header.timestamp));
        let next = (header.sequence.wrapping_add(1), header.timestamp.wrapping_add(ticks));
        self.suspect = Some(next);
        follows || confirmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u16, timestamp: u32) -> Header {
        Header { payload_type: 0, marker: false, sequence, timestamp, ssrc: 1 }
    }

    #[test]
    fn wraps_of_number_and_timestamp_are_no_jumps() {
        let first = header(0xffff, 0xffff_ff60);
        let mut line = Line::new(Rate::Full, Codec::Pcmu, &first);
        assert!(line.note(line.place(&first), &first));
        let second = header(0, 0);
        let place = line.place(&second);
        assert_eq!((place.position, place.sequence), (960, 0x1_0000));
        assert!(line.note(place, &second));
        assert!(!line.note(line.place(&first), &first), "it came before");
        assert!(line.has_come(0xffff) && !line.has_come(0xfffe));
        assert!(line.note(line.place(&header(0xfffe, 0)), &header(0xfffe, 0)));
    }

    #[test]
    fn a_lone_packet_from_elsewhere_is_not_believed_and_two_are() {
        let first = header(10, 1000);
        let mut line = Line::new(Rate::Narrow, Codec::Pcmu, &first);
        assert!(!line.believes_jump(&header(500, 1_000_000), 160));
        assert!(!line.believes_jump(&header(9000, 77), 160));
        assert!(line.believes_jump(&header(9001, 237), 160));
        assert!(line.believes_jump(&header(11, 5_000_000), 160), "its number follows");
    }
}
