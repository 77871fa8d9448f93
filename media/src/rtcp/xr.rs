//! Extended reports (RFC 3611): a receiver's clock and the answer to it, statistics, VoIP metrics.

use super::{Packet, packet_type, word, write_packet};

/// Block types (RFC 3611 §4).
mod block_type {
    pub(super) const RECEIVER_REFERENCE_TIME: u8 = 4;
    pub(super) const DLRR: u8 = 5;
    pub(super) const STATISTICS_SUMMARY: u8 = 6;
    pub(super) const VOIP_METRICS: u8 = 7;
}

/// Blocks of one packet that are read: a peer's list may be longer than its use.
const MAX_BLOCKS: usize = 32;

/// One block of an extended report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XrBlock {
    /// The sender's wall clock, as NTP writes it: §4.4. Asks for a [`XrBlock::Dlrr`].
    ReceiverReferenceTime(u64),
    /// What came of such a clock: §4.5.
    Dlrr(Dlrr),
    /// Loss and jitter of a range of packets: §4.6.
    Statistics(Statistics),
    /// What a call sounds like: §4.7.
    Voip(VoipMetrics),
}

/// Delay since the last receiver reference time of a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dlrr {
    /// The source whose time it was.
    pub ssrc: u32,
    /// The middle 32 bits of that time.
    pub last_rr: u32,
    /// How long ago it came, in 65536ths of a second.
    pub delay: u32,
}

/// The statistics summary.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// The source it is about.
    pub ssrc: u32,
    /// The first sequence number, and the one after the last.
    pub sequences: (u16, u16),
    /// Packets lost and packets that came twice.
    pub lost: u32,
    /// Packets that came more than once.
    pub duplicates: u32,
    /// Least, most, mean and standard deviation of the jitter between packets, in ticks.
    pub jitter: [u32; 4],
}

/// The VoIP metrics. Values that are not known are 127 (ratings, levels) or 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VoipMetrics {
    /// The source it is about.
    pub ssrc: u32,
    /// Lost in the network, in 256ths.
    pub loss_rate: u8,
    /// Thrown away by the jitter buffer, in 256ths.
    pub discard_rate: u8,
    /// Part that is missing within bursts and within gaps, in 256ths.
    pub densities: (u8, u8),
    /// Mean length of bursts and of gaps, in milliseconds.
    pub durations: (u16, u16),
    /// The last round trip between RTP interfaces, in milliseconds.
    pub round_trip: u16,
    /// What the end adds by itself, in milliseconds.
    pub end_delay: u16,
    /// Level of speech in dBm0; 127 is unknown.
    pub signal_level: u8,
    /// R, 0 to 100.
    pub rating: u8,
    /// MOS for listening and for conversation, in tenths.
    pub mos: (u8, u8),
    /// Concealment and kind of jitter buffer (§4.7.6).
    pub receiver: u8,
    /// Delay of the jitter buffer now, at the most so far, and at the most there can be, in ms.
    pub buffer: (u16, u16, u16),
}

/// A gap ends where two losses are closer than this many packets (RFC 3611 §4.7.2).
pub const GMIN: u8 = 16;
/// Enhanced concealment, an adaptive buffer that adapts moderately.
pub const RECEIVER: u8 = 0b1011_0101;
/// A value that is not known.
pub const UNKNOWN: u8 = 127;

impl VoipMetrics {
    fn write(&self, into: &mut Vec<u8>) {
        let Self { ssrc, loss_rate, discard_rate, densities, .. } = *self;
        into.extend_from_slice(&ssrc.to_be_bytes());
        into.extend_from_slice(&[loss_rate, discard_rate, densities.0, densities.1]);
        for value in [self.durations.0, self.durations.1, self.round_trip, self.end_delay] {
            into.extend_from_slice(&value.to_be_bytes());
        }
        into.extend_from_slice(&[self.signal_level, UNKNOWN, UNKNOWN, GMIN]);
        into.extend_from_slice(&[self.rating, UNKNOWN, self.mos.0, self.mos.1]);
        into.extend_from_slice(&[self.receiver, 0]);
        for value in [self.buffer.0, self.buffer.1, self.buffer.2] {
            into.extend_from_slice(&value.to_be_bytes());
        }
    }

    fn read(mut body: &[u8]) -> Option<Self> {
        let body = &mut body;
        let ssrc = word(body)?;
        let [loss_rate, discard_rate, burst, gap] = word(body)?.to_be_bytes();
        let (lengths, delays) = (word(body)?, word(body)?);
        let [signal_level, _, _, _] = word(body)?.to_be_bytes();
        let [rating, _, listening, conversation] = word(body)?.to_be_bytes();
        let (last, most) = (word(body)?, word(body)?);
        let halves = |word: u32| ((word >> 16) as u16, (word & 0xffff) as u16);
        Some(Self {
            ssrc,
            loss_rate,
            discard_rate,
            densities: (burst, gap),
            durations: halves(lengths),
            round_trip: halves(delays).0,
            end_delay: halves(delays).1,
            signal_level,
            rating,
            mos: (listening, conversation),
            receiver: (last >> 24) as u8,
            buffer: (halves(last).1, halves(most).0, halves(most).1),
        })
    }
}

impl Statistics {
    fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.ssrc.to_be_bytes());
        into.extend_from_slice(&self.sequences.0.to_be_bytes());
        into.extend_from_slice(&self.sequences.1.to_be_bytes());
        for word in [self.lost, self.duplicates].into_iter().chain(self.jitter).chain([0]) {
            into.extend_from_slice(&word.to_be_bytes());
        }
    }

    fn read(mut body: &[u8]) -> Option<Self> {
        let body = &mut body;
        let (ssrc, range) = (word(body)?, word(body)?);
        let (lost, duplicates) = (word(body)?, word(body)?);
        let jitter = [word(body)?, word(body)?, word(body)?, word(body)?];
        let sequences = ((range >> 16) as u16, (range & 0xffff) as u16);
        Some(Self { ssrc, sequences, lost, duplicates, jitter })
    }
}

/// Appends an extended report of these blocks; nothing if there are none.
pub fn write_extended_report(into: &mut Vec<u8>, ssrc: u32, blocks: &[XrBlock]) {
    if blocks.is_empty() {
        return;
    }
    write_packet(into, 0, packet_type::EXTENDED_REPORT, |into| {
        into.extend_from_slice(&ssrc.to_be_bytes());
        for block in blocks {
            // Loss, duplicates and jitter are told; how far packets may travel is not.
            let (kind, specific, words) = match block {
                XrBlock::ReceiverReferenceTime(_) => {
                    (block_type::RECEIVER_REFERENCE_TIME, 0, 2_u16)
                }
                XrBlock::Dlrr(_) => (block_type::DLRR, 0, 3),
                XrBlock::Statistics(_) => (block_type::STATISTICS_SUMMARY, 0xe0, 9),
                XrBlock::Voip(_) => (block_type::VOIP_METRICS, 0, 8),
            };
            into.extend_from_slice(&[kind, specific]);
            into.extend_from_slice(&words.to_be_bytes());
            match block {
                XrBlock::ReceiverReferenceTime(ntp) => into.extend_from_slice(&ntp.to_be_bytes()),
                XrBlock::Dlrr(dlrr) => {
                    for word in [dlrr.ssrc, dlrr.last_rr, dlrr.delay] {
                        into.extend_from_slice(&word.to_be_bytes());
                    }
                }
                XrBlock::Statistics(statistics) => statistics.write(into),
                XrBlock::Voip(metrics) => metrics.write(into),
            }
        }
    });
}

/// Who sent an extended report, and its blocks of the kinds known here, to the first that does
/// not fit.
#[must_use]
pub fn read_extended_report<'a>(
    packet: &Packet<'a>,
) -> Option<(u32, impl Iterator<Item = XrBlock> + use<'a>)> {
    if packet.packet_type != packet_type::EXTENDED_REPORT {
        return None;
    }
    let mut rest = packet.body;
    let ssrc = word(&mut rest)?;
    let next = move || -> Option<Option<XrBlock>> {
        let ([kind, _, high, low], after) = rest.split_first_chunk::<4>()?;
        let (body, behind) =
            after.split_at_checked(4 * usize::from(u16::from_be_bytes([*high, *low])))?;
        rest = behind;
        Some(read_block(*kind, body))
    };
    Some((ssrc, std::iter::from_fn(next).take(MAX_BLOCKS).flatten()))
}

fn read_block(kind: u8, mut body: &[u8]) -> Option<XrBlock> {
    match kind {
        block_type::RECEIVER_REFERENCE_TIME => {
            let high = u64::from(word(&mut body)?);
            Some(XrBlock::ReceiverReferenceTime((high << 32) | u64::from(word(&mut body)?)))
        }
        // One of ours at the most is meant: the first that names anybody.
        block_type::DLRR => {
            let body = &mut body;
            let (ssrc, last_rr, delay) = (word(body)?, word(body)?, word(body)?);
            Some(XrBlock::Dlrr(Dlrr { ssrc, last_rr, delay }))
        }
        block_type::STATISTICS_SUMMARY => Statistics::read(body).map(XrBlock::Statistics),
        block_type::VOIP_METRICS => VoipMetrics::read(body).map(XrBlock::Voip),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks() -> [XrBlock; 4] {
        [
            XrBlock::ReceiverReferenceTime(0x0123_4567_89ab_cdef),
            XrBlock::Dlrr(Dlrr { ssrc: 1, last_rr: 2, delay: 3 }),
            XrBlock::Statistics(Statistics {
                ssrc: 9,
                sequences: (65_530, 12),
                lost: 3,
                duplicates: 1,
                jitter: [1, 90, 30, 8],
            }),
            XrBlock::Voip(VoipMetrics {
                ssrc: 9,
                loss_rate: 12,
                discard_rate: 1,
                densities: (90, 3),
                durations: (120, 4000),
                round_trip: 80,
                end_delay: 60,
                signal_level: 0xf0,
                rating: 88,
                mos: (43, 42),
                receiver: RECEIVER,
                buffer: (40, 90, 400),
            }),
        ]
    }

    #[test]
    fn all_blocks_survive_their_bytes_and_have_the_lengths_of_the_rfc() {
        let mut bytes = Vec::new();
        write_extended_report(&mut bytes, 7, &blocks());
        // Header and SSRC, then 3, 4, 10 and 9 words.
        assert_eq!(bytes.len(), 8 + 4 * (3 + 4 + 10 + 9));
        let packet = super::super::packets(&bytes).next().unwrap();
        assert_eq!(packet.packet_type, 207);
        let (ssrc, read) = read_extended_report(&packet).unwrap();
        assert_eq!(ssrc, 7);
        assert_eq!(read.collect::<Vec<_>>(), blocks());
    }

    #[test]
    fn unknown_blocks_are_passed_over_and_cut_ones_end_the_reading() {
        let mut bytes = vec![0x80, 207, 0, 6, 0, 0, 0, 5, 200, 0, 0, 1, 1, 2, 3, 4];
        bytes.extend_from_slice(&[4, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
        let packet = super::super::packets(&bytes).next().unwrap();
        let (_, read) = read_extended_report(&packet).unwrap();
        assert_eq!(read.collect::<Vec<_>>(), [XrBlock::ReceiverReferenceTime(0x1_0000_0002)]);
        let cut = Packet { body: &packet.body[..packet.body.len() - 4], ..packet };
        assert_eq!(read_extended_report(&cut).unwrap().1.count(), 0);
    }
}
