//! RTCP of all streams: reports sent about every five seconds, reports read, silences noticed.

use std::net::SocketAddr;

use base::{Duration, Instant, Rng, UnixTime};

use super::deadlines::Kind;
use super::figures::delay_since;
use super::mixing::stream_at;
use super::stream::Stream;
use super::{MAX_WAITING, Plane};
use crate::capture::Body;
use crate::rtcp::{self, ReceiverReport, ReportBlock, SenderReport, packet_type};
use crate::{Batch, Event, Port, Slot, secure};

/// Nothing from the far end for this long is told.
pub(super) const SILENCE: Duration = Duration::from_secs(60);
/// The mean time between reports (RFC 3550 §6.2: at least 5 s).
const INTERVAL: Duration = Duration::from_secs(5);
/// Seconds from 1900, where NTP begins, to 1970.
const NTP_TO_UNIX: i64 = 2_208_988_800;
/// A round trip beyond this is a mistake of somebody's clock.
const MAX_ROUND_TRIP: u32 = 30 << 16;

/// A time from half to one and a half of the mean (RFC 3550 §6.3.1), so that streams do not
/// report in step.
pub(super) fn interval(rng: &mut Rng) -> Duration {
    let nanos = INTERVAL.as_nanos() as u64;
    Duration::from_nanos(nanos / 2 + rng.below(nanos))
}

impl Plane {
    pub(super) fn send_report(&mut self, now: Instant, slot: Slot, out: &mut Batch) {
        let ntp = ntp(self.wall, now);
        let next = now + interval(&mut self.rng);
        let Self { streams, captures, .. } = self;
        let Some(stream) = stream_at(streams, slot) else { return };
        let figures = stream.end_stretch();
        if let Some((port, to)) = stream.rtcp_target() {
            out.push_with(slot, port, to, |into| {
                let start = into.len();
                write_report(stream, now, ntp, into);
                let written = into.get(start..).unwrap_or_default();
                captures.note_sent(now, stream, (to, port), &[], Body::Plain(written));
                secure::seal_rtcp(stream.secure.as_deref_mut(), into, start)
            });
        }
        self.deadlines.set(next, slot, Kind::Report);
        let room = self.events.len() < MAX_WAITING;
        self.events.extend(figures.filter(|_| room));
    }

    pub(super) fn look_for_silence(&mut self, now: Instant, slot: Slot) {
        let Some(stream) = self.stream_mut(slot) else { return };
        let (id, since) = (stream.id, stream.heard_at);
        let should_send = stream.remote.is_some_and(|remote| remote.direction.sends());
        let mut next = since + SILENCE;
        if next <= now {
            let new = stream.rare.silence_told != Some(since);
            if should_send && new {
                stream.rare.silence_told = Some(since);
                self.events.push_back(Event::RtpTimeout { stream: id });
            }
            next = now + SILENCE;
        }
        self.deadlines.set(next, slot, Kind::Silence);
    }

    pub(super) fn handle_rtcp(
        &mut self,
        now: Instant,
        slot: Slot,
        (port, source): (Port, SocketAddr),
        compound: &mut [u8],
    ) {
        let ntp_now = ntp_middle(ntp(self.wall, now));
        let Self { streams, captures, .. } = self;
        let Some(stream) = stream_at(streams, slot) else { return };
        let known = stream.is_rtcp_source(source) && !stream.is_unproven(port);
        let opened = known.then(|| secure::open_rtcp(now, stream.secure.as_deref_mut(), compound));
        let Some(compound) = opened.flatten().filter(|compound| rtcp_plausible(compound)) else {
            return self.refuse(now, slot, source);
        };
        if stream.latch.source().is_some() {
            stream.rare.rtcp_source = Some(source);
        }
        captures.note_received(now, stream, (source, port), &[], Body::Plain(compound));
        for packet in rtcp::packets(compound) {
            let mut blocks = match packet.packet_type {
                packet_type::SENDER_REPORT => {
                    let Some((report, blocks)) = SenderReport::read(&packet) else { continue };
                    stream.rare.last_sr = Some((ntp_middle(report.ntp), now));
                    blocks
                }
                packet_type::RECEIVER_REPORT => match ReceiverReport::read(&packet) {
                    Some((_, blocks)) => blocks,
                    None => continue,
                },
                packet_type::EXTENDED_REPORT => {
                    stream.read_extended(now, ntp_now, &packet);
                    continue;
                }
                // A BYE ends nothing: signalling does.
                _ => continue,
            };
            for _ in 0..packet.count {
                let Some(block) = ReportBlock::read(&mut blocks) else { break };
                measure_round_trip(stream, ntp_now, &block);
                stream.mind_loss(&block);
                stream.note_far_report(&block);
            }
        }
    }
}

/// A compound starts with a report (RFC 3550 appendix A.2).
fn rtcp_plausible(compound: &[u8]) -> bool {
    rtcp::packets(compound).next().is_some_and(|first| {
        matches!(first.packet_type, packet_type::SENDER_REPORT | packet_type::RECEIVER_REPORT)
    })
}

fn write_report(stream: &mut Stream, now: Instant, ntp: u64, into: &mut Vec<u8>) {
    let block = stream.reception.report().map(|block| match stream.rare.last_sr {
        Some((last_sr, at)) => {
            ReportBlock { last_sr, delay_since_last_sr: delay_since(now, at), ..block }
        }
        None => block,
    });
    let ssrc = stream.egress.ssrc;
    if stream.egress.packets > stream.rare.packets_at_report {
        stream.rare.packets_at_report = stream.egress.packets;
        let [latest, _] = stream.rare.sent_srs;
        stream.rare.sent_srs = [ntp_middle(ntp), latest];
        let report = SenderReport {
            ssrc,
            ntp,
            timestamp: stream.egress.timestamp_at(now),
            packets: (stream.egress.packets & 0xffff_ffff) as u32,
            bytes: (stream.egress.bytes & 0xffff_ffff) as u32,
        };
        rtcp::write_sender_report(into, &report, block.as_ref());
    } else {
        rtcp::write_receiver_report(into, ssrc, block.as_ref());
    }
    rtcp::write_cname(into, ssrc, &stream.rare.cname);
    stream.write_extended(now, ntp, into);
}

/// RFC 3550 §6.4.1: now, less the time of our report, less the time the far end kept it.
fn measure_round_trip(stream: &mut Stream, ntp_now: u32, block: &ReportBlock) {
    let ours = block.ssrc == stream.egress.ssrc;
    if !ours || block.last_sr == 0 || !stream.rare.sent_srs.contains(&block.last_sr) {
        return;
    }
    stream.rare.round_trip =
        measure(ntp_now, block.last_sr, block.delay_since_last_sr).or(stream.rare.round_trip);
}

/// The round trip by a time of ours that came back after a delay; `None` if it cannot be.
pub(super) fn measure(ntp_now: u32, sent: u32, delay: u32) -> Option<Duration> {
    let units = ntp_now.wrapping_sub(sent).wrapping_sub(delay);
    let nanos = (u64::from(units) * 1_000_000_000) >> 16;
    (units <= MAX_ROUND_TRIP).then(|| Duration::from_nanos(nanos))
}

/// The wall clock's time as NTP writes it: seconds since 1900, and 2^-32 of them.
fn ntp(wall: UnixTime, now: Instant) -> u64 {
    let micros = wall.after(now.since(Instant::ZERO)).as_micros();
    let seconds = (micros.div_euclid(1_000_000) + NTP_TO_UNIX).cast_unsigned() & 0xffff_ffff;
    let fraction = (micros.rem_euclid(1_000_000).cast_unsigned() << 32) / 1_000_000;
    (seconds << 32) | fraction
}

/// The middle 32 bits, by which reports name reports.
pub(super) fn ntp_middle(ntp: u64) -> u32 {
    ((ntp >> 16) & 0xffff_ffff) as u32
}
