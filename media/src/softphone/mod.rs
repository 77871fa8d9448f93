//! A small audio endpoint, sans-IO: speaks given PCM, hears what comes, counts. It is the
//! built-in far end of demo, simulation and load; it shares the packet formats with the engine,
//! not its plane.
//!
//! From the first `handle_timeout` after [`Softphone::new`] it sends a packet every 20 ms: speech
//! while it has any, silence otherwise.

mod jitter;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use base::{Duration, Instant};
use bytes::Bytes;

use crate::reception::{Arrival, Reception};
use crate::rtcp::{self, SenderReport};
use crate::rtp::{self, Header};
use crate::secure::{self, Secure};
use crate::srtp::SrtpKeys;
use crate::{Codec, Port, RemoteMedia};
use jitter::JitterBuffer;

const TICK: Duration = Duration::from_millis(20);
const SAMPLES: u32 = 160;
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// Event packets after the last of an event, as RFC 4733 §2.5.1.4 repeats it.
const END_REPEATS: u16 = 3;

/// What a softphone sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// From which of its sockets.
    pub port: Port,
    /// To whom.
    pub to: SocketAddr,
    /// The datagram.
    pub bytes: Bytes,
}

/// What it counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SoftphoneStats {
    /// RTP packets sent.
    pub packets_sent: u64,
    /// RTP packets that could be read.
    pub packets_received: u64,
    /// Missing by sequence number.
    pub packets_lost: u64,
    /// Came after their time to be heard.
    pub packets_late: u64,
    /// Interarrival jitter in microseconds.
    pub jitter_us: u32,
    /// How often the far end's SSRC changed or its numbers jumped: 0 for an unbroken stream.
    pub restarts: u64,
    /// Round trip by the far end's reports.
    pub round_trip: Option<Duration>,
}

/// The endpoint.
#[derive(Debug)]
pub struct Softphone {
    ssrc: u32,
    remote: RemoteMedia,
    secure: Option<Box<Secure>>,
    sequence: u16,
    timestamp: u32,
    next_tick: Option<Instant>,
    next_report: Instant,
    speech: Option<Speech>,
    digits: VecDeque<(u8, u16)>,
    event: Option<SentEvent>,
    ear: JitterBuffer,
    reception: Reception,
    heard_digits: Vec<u8>,
    heard_event: Option<u32>,
    last_sr: Option<(u32, Instant)>,
    bytes_sent: u64,
    stats: SoftphoneStats,
    outputs: VecDeque<Transmit>,
}

#[derive(Debug)]
struct Speech {
    pcm: Arc<[i16]>,
    looped: bool,
    position: usize,
}

/// An RFC 4733 event under way.
#[derive(Clone, Copy, Debug)]
struct SentEvent {
    event: u8,
    timestamp: u32,
    played: u16,
    duration: u16,
    ends: u16,
}

impl Softphone {
    /// An endpoint that talks to `remote`, and plays what it hears `delay` after it came. It keeps
    /// what it heard if `keep` (at most an hour), else it only counts.
    #[must_use]
    pub fn new(ssrc: u32, remote: RemoteMedia, delay: Duration, keep: bool) -> Self {
        Self {
            ssrc,
            remote,
            secure: None,
            sequence: (ssrc >> 17) as u16,
            timestamp: ssrc.rotate_left(7),
            next_tick: None,
            next_report: Instant::ZERO,
            speech: None,
            digits: VecDeque::new(),
            event: None,
            ear: JitterBuffer::new(delay, keep),
            reception: Reception::default(),
            heard_digits: Vec::new(),
            heard_event: None,
            last_sr: None,
            bytes_sent: 0,
            stats: SoftphoneStats::default(),
            outputs: VecDeque::new(),
        }
    }

    /// The far end moved or changed its codec.
    pub fn set_remote(&mut self, remote: RemoteMedia) {
        self.remote = remote;
    }

    /// What both ends agreed on; in the clear without.
    pub fn set_keys(&mut self, keys: Option<&SrtpKeys>) {
        secure::agree(self.poll_timeout(), &mut self.secure, keys);
    }

    /// Speaks 16-bit samples at 8 kHz, from the next packet on.
    pub fn speak(&mut self, pcm: Arc<[i16]>, looped: bool) {
        self.speech = Some(Speech { pcm, looped, position: 0 });
    }

    /// Falls silent.
    pub fn hush(&mut self) {
        self.speech = None;
    }

    /// Presses a key (0 to 15: digits, `*`, `#`, A to D) for a time.
    pub fn press(&mut self, event: u8, length: Duration) {
        let samples = u16::try_from(length.as_millis() * 8).unwrap_or(u16::MAX);
        self.digits.push_back((event, samples.max(160)));
    }

    /// What was heard since the last call, with silence where nothing came.
    pub fn take_heard(&mut self) -> Vec<i16> {
        self.ear.take_heard()
    }

    /// Keys the far end pressed, in order.
    #[must_use]
    pub fn heard_digits(&self) -> &[u8] {
        &self.heard_digits
    }

    /// The counts so far.
    #[must_use]
    pub fn stats(&self) -> SoftphoneStats {
        SoftphoneStats {
            packets_lost: self.reception.lost(),
            jitter_us: self.reception.jitter_us(),
            packets_late: self.ear.late(),
            ..self.stats
        }
    }

    /// A datagram came in.
    pub fn handle_packet(&mut self, now: Instant, port: Port, packet: &[u8]) {
        let is_rtcp = port == Port::Rtcp || rtp::is_rtcp(packet);
        let Some(packet) = self.opened(now, packet, is_rtcp) else { return };
        if is_rtcp {
            return self.handle_rtcp(now, &packet);
        }
        let Some(parsed) = rtp::parse(&packet) else { return };
        let payload = packet.get(parsed.payload_start..parsed.payload_end).unwrap_or_default();
        let header = parsed.header;
        let is_event = self.remote.telephone_event == Some(header.payload_type);
        let clock = (!is_event).then_some(self.remote.codec.clock_rate());
        self.stats.packets_received += 1;
        let first = self.stats.packets_received == 1;
        if self.reception.handle_packet(now, &header, clock) == Arrival::Begins && !first {
            self.stats.restarts += 1;
        }
        if is_event {
            self.hear_event(&header, payload);
        } else if let Some(codec) = self.codec_of(header.payload_type) {
            self.ear.push(now, header.timestamp, codec, payload);
        }
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.ear.play(now);
        let mut due = *self.next_tick.get_or_insert(now);
        while due <= now {
            self.send_packet();
            due += TICK;
        }
        self.next_tick = Some(due);
        if self.next_report <= now {
            if self.next_report != Instant::ZERO {
                self.send_report(now);
            }
            self.next_report = now + REPORT_INTERVAL;
        }
    }

    /// The next datagram to send.
    pub fn poll_output(&mut self) -> Option<Transmit> {
        self.outputs.pop_front()
    }

    /// The next deadline: at once before the first packet.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.next_tick.unwrap_or(Instant::ZERO)
    }

    /// A datagram in the clear, if it is the far end's: copied only if it was sealed.
    fn opened<'a>(
        &mut self,
        now: Instant,
        packet: &'a [u8],
        is_rtcp: bool,
    ) -> Option<Cow<'a, [u8]>> {
        let Some(secure) = self.secure.as_deref_mut() else { return Some(Cow::Borrowed(packet)) };
        let mut copy = packet.to_vec();
        let length = if is_rtcp {
            secure::open_rtcp(now, Some(secure), &mut copy)?.len()
        } else {
            secure::open_rtp(now, Some(secure), &mut copy)?.len()
        };
        copy.truncate(length);
        Some(Cow::Owned(copy))
    }

    fn codec_of(&self, payload_type: u8) -> Option<Codec> {
        if payload_type == self.remote.payload_type {
            Some(self.remote.codec)
        } else {
            Codec::from_static_payload_type(payload_type)
        }
    }

    /// Sends the next 20 ms: an event's update in place of audio while a key is pressed.
    fn send_packet(&mut self) {
        if self.event.is_none()
            && self.remote.telephone_event.is_some()
            && let Some((event, duration)) = self.digits.pop_front()
        {
            let timestamp = self.timestamp;
            self.event = Some(SentEvent { event, timestamp, played: 0, duration, ends: 0 });
        }
        match (self.event, self.remote.telephone_event) {
            (Some(event), Some(payload_type)) => self.send_event(event, payload_type),
            _ => self.send_audio(),
        }
        self.timestamp = self.timestamp.wrapping_add(SAMPLES);
    }

    fn send_audio(&mut self) {
        // It speaks G.711 only: in other codecs it would be silent, and sends nothing.
        let Some(law) = self.remote.codec.law() else { return };
        let mut payload = [law.silence(); SAMPLES as usize];
        if let Some(speech) = &mut self.speech {
            for code in &mut payload {
                if speech.looped && speech.position >= speech.pcm.len() {
                    speech.position = 0;
                }
                let Some(sample) = speech.pcm.get(speech.position) else { break };
                *code = law.encode(*sample);
                speech.position += 1;
            }
        }
        self.send_rtp(self.remote.payload_type, false, self.timestamp, &payload);
    }

    fn send_event(&mut self, mut event: SentEvent, payload_type: u8) {
        let marker = event.played == 0;
        event.played = event.played.saturating_add(SAMPLES as u16).min(event.duration);
        let ends = event.played == event.duration;
        event.ends += u16::from(ends);
        let [high, low] = event.played.to_be_bytes();
        // End bit, and a volume of -10 dBm0.
        let payload = [event.event, (u8::from(ends) << 7) | 10, high, low];
        self.send_rtp(payload_type, marker, event.timestamp, &payload);
        self.event = (event.ends < END_REPEATS).then_some(event);
    }

    fn send_rtp(&mut self, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) {
        let Self { ssrc, sequence, .. } = *self;
        let header = Header { payload_type, marker, sequence, timestamp, ssrc };
        self.sequence = sequence.wrapping_add(1);
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend_from_slice(payload);
        if !secure::seal_rtp(self.secure.as_deref_mut(), &mut bytes, 0) {
            return;
        }
        self.stats.packets_sent += 1;
        self.bytes_sent += payload.len() as u64;
        let to = self.remote.rtp;
        self.outputs.push_back(Transmit { port: Port::Rtp, to, bytes: bytes.into() });
    }

    fn send_report(&mut self, now: Instant) {
        let mut block = self.reception.report();
        if let (Some(block), Some((last_sr, at))) = (&mut block, self.last_sr) {
            block.last_sr = last_sr;
            let delay = (now.since(at).as_nanos() << 16) / 1_000_000_000;
            block.delay_since_last_sr = u32::try_from(delay).unwrap_or(u32::MAX);
        }
        let report = SenderReport {
            ssrc: self.ssrc,
            ntp: ntp(now),
            timestamp: self.timestamp,
            packets: (self.stats.packets_sent & 0xffff_ffff) as u32,
            bytes: (self.bytes_sent & 0xffff_ffff) as u32,
        };
        let mut bytes = Vec::new();
        rtcp::write_sender_report(&mut bytes, &report, block.as_ref());
        rtcp::write_cname(&mut bytes, self.ssrc, "softphone");
        if !secure::seal_rtcp(self.secure.as_deref_mut(), &mut bytes, 0) {
            return;
        }
        let to = self.remote.rtcp;
        self.outputs.push_back(Transmit { port: Port::Rtcp, to, bytes: bytes.into() });
    }

    fn handle_rtcp(&mut self, now: Instant, compound: &[u8]) {
        for packet in rtcp::packets(compound) {
            let Some((report, mut blocks)) = SenderReport::read(&packet) else { continue };
            self.last_sr = Some(((report.ntp >> 16 & 0xffff_ffff) as u32, now));
            let Some(block) = rtcp::ReportBlock::read(&mut blocks) else { continue };
            if packet.count > 0 && block.ssrc == self.ssrc && block.last_sr != 0 {
                let middle = (ntp(now) >> 16 & 0xffff_ffff) as u32;
                let units =
                    middle.wrapping_sub(block.last_sr).wrapping_sub(block.delay_since_last_sr);
                let nanos = (u64::from(units) * 1_000_000_000) >> 16;
                self.stats.round_trip = Some(Duration::from_nanos(nanos));
            }
        }
    }

    /// An event is one key, however many packets tell of it: they share a timestamp.
    fn hear_event(&mut self, header: &Header, payload: &[u8]) {
        if let [event, ..] = payload
            && self.heard_event != Some(header.timestamp)
            && self.heard_digits.len() < 1024
        {
            self.heard_event = Some(header.timestamp);
            self.heard_digits.push(*event);
        }
    }
}

/// A time in NTP's format from an origin of our own: good for round trips.
fn ntp(now: Instant) -> u64 {
    let nanos = now.as_nanos() + 1_000_000_000;
    ((nanos / 1_000_000_000) << 32) | (((nanos % 1_000_000_000) << 32) / 1_000_000_000)
}
