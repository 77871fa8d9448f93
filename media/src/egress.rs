//! One unbroken RTP stream towards a far end, whatever feeds it: what we say ourselves (a prompt,
//! converted speech, a mix) or relayed packets.
//!
//! SSRC, sequence numbers and timestamps are our own. When the feed changes, numbers go on by one,
//! the timestamp by the time that passed, and the marker is set; when only the way changes by which
//! the same speech comes, the timestamp goes on by what was said and no marker is set. Inside a
//! relayed feed, gaps and order of the incoming numbers are kept, so that loss before us is seen as
//! loss behind us.

use base::{Duration, Instant, Rng};

use crate::rtp::Header;
use crate::{CLOCK_RATE, Slot};

/// Packets after a change of feed in which one from before it can still come late.
const YOUNG: u16 = 200;
/// A pause after which nothing before it matters: half the range of timestamps is never passed.
const MAX_PAUSE: Duration = Duration::from_secs(3600);
/// How long after a change of its way the same speech must have come again.
const SEAM: Duration = Duration::from_millis(400);

#[derive(Clone, Debug)]
pub(crate) struct Egress {
    pub(crate) ssrc: u32,
    /// Ticks a second of the timestamps: that of the codec we send.
    clock_rate: u32,
    /// The next number.
    sequence: u16,
    /// The newest audio packet: its timestamp, moment and ticks.
    timestamp: u32,
    at: Instant,
    length: u32,
    feed: Feed,
    event: Option<EventTime>,
    /// The timestamp of the event that we press ourselves.
    own_event: u32,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

#[derive(Clone, Copy, Debug)]
enum Feed {
    /// Nothing, or not the same any more.
    Changed,
    /// The same speech, which since then comes by another way.
    Rerouted(Instant),
    Own,
    Relay(Relay),
}

/// What is added to the incoming numbers.
#[derive(Clone, Copy, Debug)]
struct Relay {
    from: Slot,
    ssrc: u32,
    sequence_offset: u16,
    /// Unknown until audio comes, if the first packets continue an event begun before.
    timestamp_offset: Option<u32>,
    first: u16,
    packets: u16,
}

/// An RFC 4733 event under way keeps its timestamp over changes of the feed: it stays one event.
#[derive(Clone, Copy, Debug)]
struct EventTime {
    from: Slot,
    ssrc: u32,
    incoming: u32,
    outgoing: u32,
}

/// A packet to relay, as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    pub(crate) from: Slot,
    pub(crate) header: Header,
    /// Ticks of audio; `None` for an event.
    pub(crate) audio: Option<u32>,
    /// The payload type towards this far end.
    pub(crate) payload_type: u8,
}

impl Egress {
    pub(crate) fn new(ssrc: u32, now: Instant, rng: &mut Rng) -> Self {
        Self {
            ssrc,
            clock_rate: CLOCK_RATE,
            sequence: (rng.next_u32() & 0x7fff) as u16,
            timestamp: rng.next_u32(),
            at: now,
            length: 0,
            feed: Feed::Changed,
            event: None,
            own_event: 0,
            packets: 0,
            bytes: 0,
        }
    }

    /// The next packet is from another feed, or from a new piece of the same.
    pub(crate) fn change_feed(&mut self) {
        self.feed = Feed::Changed;
    }

    /// What is relayed from there begins anew; nothing if something else is the feed.
    pub(crate) fn begin_anew(&mut self, from: Slot) {
        if matches!(self.feed, Feed::Relay(relay) if relay.from == from) {
            self.feed = Feed::Changed;
        }
    }

    /// The same speech goes on from another of our ways of passing it: to the next packet there is
    /// neither a gap nor an overlap.
    pub(crate) fn reroute(&mut self, now: Instant) {
        self.feed = Feed::Rerouted(now);
    }

    /// Timestamps count at this rate from the next packet on (RFC 7160 §4.1: the SSRC stays, and the
    /// timestamp goes on from its last value by the time that passed).
    pub(crate) fn set_clock_rate(&mut self, clock_rate: u32) {
        if clock_rate != self.clock_rate && clock_rate > 0 {
            let length = u64::from(self.length) * u64::from(clock_rate);
            let length = length / u64::from(self.clock_rate);
            self.length = u32::try_from(length).unwrap_or(u32::MAX);
            self.clock_rate = clock_rate;
            self.feed = Feed::Changed;
        }
    }

    /// The header of a packet of `length` ticks of what we say ourselves, begun at `at`.
    pub(crate) fn stamp_own(&mut self, at: Instant, length: u32, payload_type: u8) -> Header {
        let marker = matches!(self.feed, Feed::Changed | Feed::Relay(_));
        let timestamp = self.resumed(at);
        self.feed = Feed::Own;
        (self.timestamp, self.at, self.length) = (timestamp, at, length);
        let sequence = self.next_sequence();
        Header { payload_type, marker, sequence, timestamp, ssrc: self.ssrc }
    }

    /// The header of a relayed packet, or `None` when it comes too late to be told apart from what
    /// was sent before the feed changed.
    pub(crate) fn stamp_relay(&mut self, now: Instant, incoming: &Incoming) -> Option<Header> {
        let Incoming { from, header, audio, payload_type } = *incoming;
        let (mut relay, changed) = match self.feed {
            Feed::Relay(relay) if relay.from == from && relay.ssrc == header.ssrc => (relay, false),
            Feed::Rerouted(_) => (self.begin_relay(from, &header), false),
            _ => (self.begin_relay(from, &header), true),
        };
        let since_first = header.sequence.wrapping_sub(relay.first).cast_signed();
        if since_first < 0 && relay.packets < YOUNG {
            return None;
        }
        let mut timestamp = self.relayed_timestamp(now, incoming, &mut relay);
        let behind = timestamp.wrapping_sub(self.timestamp).cast_signed() < 0;
        if behind && !changed && relay.packets == 0 && audio.is_some() {
            // An event of our own came between, and the far end's clock had stood still before it.
            timestamp = self.resumed(now);
            relay.timestamp_offset = Some(timestamp.wrapping_sub(header.timestamp));
        }
        let sequence = header.sequence.wrapping_add(relay.sequence_offset);
        if sequence.wrapping_sub(self.sequence).cast_signed() >= 0 {
            self.sequence = sequence.wrapping_add(1);
        }
        relay.packets = relay.packets.saturating_add(1);
        self.feed = Feed::Relay(relay);
        let newer = timestamp.wrapping_sub(self.timestamp).cast_signed() >= 0;
        if let Some(length) = audio
            && newer
        {
            (self.timestamp, self.at, self.length) = (timestamp, now, length);
        }
        let marker = header.marker || (changed && audio.is_some());
        Some(Header { payload_type, marker, sequence, timestamp, ssrc: self.ssrc })
    }

    /// The header of an event that is let through beside what we say ourselves.
    pub(crate) fn stamp_event_over_own(&mut self, now: Instant, incoming: &Incoming) -> Header {
        let timestamp = self.known_event(incoming).unwrap_or_else(|| self.resumed(now));
        self.remember_event(incoming, timestamp);
        let Header { marker, .. } = incoming.header;
        let sequence = self.next_sequence();
        let payload_type = incoming.payload_type;
        Header { payload_type, marker, sequence, timestamp, ssrc: self.ssrc }
    }

    /// The header of an event of our own (RFC 4733); all packets of one have one timestamp. Relayed
    /// packets that are older than the last one are too late from here on.
    pub(crate) fn stamp_own_event(
        &mut self,
        now: Instant,
        begins: bool,
        payload_type: u8,
    ) -> Header {
        if begins {
            self.own_event = self.resumed(now);
            (self.timestamp, self.at, self.length) = (self.own_event, now, 0);
        }
        if let Feed::Relay(relay) = &mut self.feed {
            relay.first = self.sequence.wrapping_sub(relay.sequence_offset);
            relay.sequence_offset = relay.sequence_offset.wrapping_add(1);
            relay.packets = 0;
        }
        let (sequence, timestamp) = (self.next_sequence(), self.own_event);
        Header { payload_type, marker: begins, sequence, timestamp, ssrc: self.ssrc }
    }

    /// An incoming packet is not passed on, and shall not look lost.
    pub(crate) fn skip_relay(&mut self, from: Slot, header: &Header) {
        if let Feed::Relay(relay) = &mut self.feed
            && relay.from == from
            && relay.ssrc == header.ssrc
        {
            relay.sequence_offset = relay.sequence_offset.wrapping_sub(1);
        }
    }

    /// The timestamp of `now`, for a sender report.
    pub(crate) fn timestamp_at(&self, now: Instant) -> u32 {
        self.timestamp.wrapping_add(self.ticks(now.since(self.at)))
    }

    pub(crate) fn count(&mut self, payload: usize) {
        self.packets += 1;
        self.bytes += payload as u64;
    }

    fn begin_relay(&self, from: Slot, header: &Header) -> Relay {
        Relay {
            from,
            ssrc: header.ssrc,
            sequence_offset: self.sequence.wrapping_sub(header.sequence),
            timestamp_offset: None,
            first: header.sequence,
            packets: 0,
        }
    }

    fn relayed_timestamp(&mut self, now: Instant, incoming: &Incoming, relay: &mut Relay) -> u32 {
        let arrived = incoming.header.timestamp;
        let is_event = incoming.audio.is_none();
        if is_event && let Some(known) = self.known_event(incoming) {
            return known;
        }
        let offset =
            relay.timestamp_offset.unwrap_or_else(|| self.resumed(now).wrapping_sub(arrived));
        relay.timestamp_offset = Some(offset);
        let timestamp = arrived.wrapping_add(offset);
        if is_event {
            self.remember_event(incoming, timestamp);
        }
        timestamp
    }

    fn known_event(&self, incoming: &Incoming) -> Option<u32> {
        let Header { ssrc, timestamp, .. } = incoming.header;
        let event = self.event?;
        let same = event.from == incoming.from && event.ssrc == ssrc && event.incoming == timestamp;
        same.then_some(event.outgoing)
    }

    fn remember_event(&mut self, incoming: &Incoming, outgoing: u32) {
        let Header { ssrc, timestamp, .. } = incoming.header;
        self.event = Some(EventTime { from: incoming.from, ssrc, incoming: timestamp, outgoing });
    }

    /// The timestamp of a packet at `at` that follows on the last one: by the time that passed, and
    /// never into what was already sent; or right behind it if the same speech only changed its way.
    fn resumed(&self, at: Instant) -> u32 {
        let behind = match self.feed {
            Feed::Rerouted(since) if at < since + SEAM => self.length,
            _ => self.ticks(at.since(self.at).min(MAX_PAUSE)).max(self.length),
        };
        self.timestamp.wrapping_add(behind)
    }

    /// A length of time as timestamps count it, without what is above their 32 bits.
    fn ticks(&self, time: Duration) -> u32 {
        let ticks = time.as_nanos() * u128::from(self.clock_rate) / 1_000_000_000;
        (ticks & 0xffff_ffff) as u32
    }

    fn next_sequence(&mut self) -> u16 {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        sequence
    }
}
