//! Extended reports (RFC 3611): sent to far ends whose SDP asks for them, read from all.

use base::Instant;

use super::figures::delay_since;
use super::report::{measure, ntp_middle};
use super::stream::Stream;
use crate::quality;
use crate::rtcp::{
    self, Dlrr, Packet, RECEIVER, UNKNOWN, VoipMetrics, XrBlock, write_extended_report,
};

/// What extended reports need to remember.
#[derive(Debug, Default)]
pub(super) struct Extended {
    /// The far end's last reference time: whose, the middle of it, and when it came.
    last_rr: Option<(u32, u32, Instant)>,
    /// The middles of our last two reference times, the only ones an answer may name.
    sent_rrs: [u32; 2],
    /// The longest wait in the jitter buffer so far, in milliseconds.
    longest_wait: u16,
}

/// The longest wait there can be, in milliseconds.
const BUFFER_LIMIT_MS: u16 = 400;

impl Stream {
    /// Appends what the far end asked for, behind a report.
    pub(super) fn write_extended(&mut self, now: Instant, ntp: u64, into: &mut Vec<u8>) {
        let wanted = self.remote.map(|remote| remote.xr).unwrap_or_default();
        let mut blocks = Vec::new();
        if wanted.round_trip {
            let [latest, _] = self.rare.extended.sent_rrs;
            self.rare.extended.sent_rrs = [ntp_middle(ntp), latest];
            blocks.push(XrBlock::ReceiverReferenceTime(ntp));
        }
        if let Some((ssrc, last_rr, at)) = self.rare.extended.last_rr {
            blocks.push(XrBlock::Dlrr(Dlrr { ssrc, last_rr, delay: delay_since(now, at) }));
        }
        if let Some(ssrc) = self.reception.ssrc() {
            if wanted.voip_metrics {
                blocks.push(XrBlock::Voip(self.voip_metrics(ssrc)));
            }
            let account = self.reception.account.as_mut().filter(|_| wanted.statistics);
            blocks.extend(
                account.and_then(|account| account.take_statistics(ssrc)).map(XrBlock::Statistics),
            );
        }
        write_extended_report(into, self.egress.ssrc, &blocks);
    }

    /// Reads what the far end tells.
    pub(super) fn read_extended(&mut self, now: Instant, ntp_now: u32, packet: &Packet<'_>) {
        let Some((sender, blocks)) = rtcp::read_extended_report(packet) else { return };
        for block in blocks {
            match block {
                XrBlock::ReceiverReferenceTime(ntp) => {
                    self.rare.extended.last_rr = Some((sender, ntp_middle(ntp), now));
                }
                XrBlock::Dlrr(Dlrr { ssrc, last_rr, delay }) => {
                    let known = self.rare.extended.sent_rrs.contains(&last_rr) && last_rr != 0;
                    if ssrc == self.egress.ssrc && known {
                        self.rare.round_trip =
                            measure(ntp_now, last_rr, delay).or(self.rare.round_trip);
                    }
                }
                XrBlock::Voip(metrics) if metrics.ssrc == self.egress.ssrc => {
                    let (listening, _) = metrics.mos;
                    let known = (10..=50).contains(&listening);
                    self.rare.live.far.mos_centi = known.then(|| u16::from(listening) * 10);
                }
                _ => {}
            }
        }
    }

    fn voip_metrics(&mut self, ssrc: u32) -> VoipMetrics {
        let stats = self.stats();
        let (expected, _) = self.reception.expected_and_received();
        let part = |count: u64| ((count * 256) / u64::from(expected.max(1))).min(255) as u8;
        let milliseconds =
            |us: Option<u32>| u16::try_from(us.unwrap_or(0) / 1000).unwrap_or(u16::MAX);
        let (has_buffer, discarded) = (self.ear().is_some(), self.unheard());
        let all = self.packets_received + stats.packets_lost;
        let path = self.path((stats.packets_lost + discarded) as f64 / all.max(1) as f64);
        let rating = quality::rating(stats.codec, &path);
        let listening =
            quality::rating(stats.codec, &quality::Path { delay: Default::default(), ..path });
        let tenths = |rating: f64| (quality::mos(rating) * 10.0).round() as u8;
        let buffer = milliseconds(stats.buffer_us);
        let longest = &mut self.rare.extended.longest_wait;
        *longest = buffer.max(*longest);
        let mut metrics = VoipMetrics {
            ssrc,
            loss_rate: part(stats.packets_lost),
            discard_rate: part(discarded),
            densities: (0, 0),
            durations: (0, 0),
            round_trip: milliseconds(stats.round_trip_us),
            end_delay: buffer.saturating_add(20),
            // 0 dBm0 is 6 dB below overload: close enough to RFC 3611's "dBm0".
            signal_level: stats.heard_dbov.map_or(UNKNOWN, |level| (level + 6).cast_unsigned()),
            // 100 is the best that a block can say (RFC 3611 §4.7.5).
            rating: rating.min(100.0).round() as u8,
            mos: (tenths(listening), tenths(rating)),
            receiver: if has_buffer { RECEIVER } else { 0 },
            buffer: (buffer, *longest, if has_buffer { BUFFER_LIMIT_MS } else { 0 }),
        };
        let packet = self.remote.map_or(20, |remote| remote.ptime.as_millis() as u32);
        if let Some(account) = &self.reception.account {
            account.fill(&mut metrics, packet);
        }
        metrics
    }
}
