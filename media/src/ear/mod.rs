//! Reception of one far end: packets in as they come, exactly 20 ms of sound out at every tick.
//!
//! Packets wait on a shelf until their time; how long that is follows from how late they were so
//! far. What is missing is made up from what was heard, and where the wait must become longer or
//! shorter, pitch periods are put in or left out. Everything is bounded and made once.

mod figures;
mod lateness;
mod line;
mod noise;
mod play;
mod shelf;
mod sound;
mod stretch;

use base::Instant;

use crate::conceal::Concealer;
use crate::meter::Meter;
use crate::pcm::{self, Rate};
use crate::rtp::Header;
use crate::{Codec, Decoder};
pub use figures::EarFigures;
use figures::{Counts, Skew};
use lateness::Lateness;
use line::Line;
use noise::Noise;
use shelf::{Content, Put, Shelf};
use sound::Sound;

/// A packet earlier or later than this against the others is on another line of time.
const JUMP_MS: i64 = 2000;
/// How long an event's packet stands in for speech: senders repeat it every 20 to 50 ms.
const EVENT_MS: i64 = 100;

/// Decoded samples up to this are what a codec makes of nothing.
pub(crate) const NOTHING: u16 = 2;

/// What a tick's sound is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Heard {
    /// Nothing: no packets, or a key is pressed.
    Silence,
    /// Noise that stands for a silence of the far end.
    Noise,
    /// What the far end said.
    Speech,
    /// Some of it is made up, because packets are missing.
    Concealed,
}

/// Reception of one far end.
pub struct Ear {
    rate: Rate,
    shelf: Shelf,
    sound: Sound,
    lateness: Lateness,
    concealer: Concealer,
    noise: Noise,
    line: Option<Line>,
    decoder: Option<(Codec, Decoder)>,
    /// The decoder is for the line that is to begin.
    prepared: bool,
    /// A talkspurt is under way: `next` is the position of the sample after the last decoded one.
    playing: bool,
    next: i64,
    /// The number of the packet decoded last.
    last_sequence: i64,
    /// Samples of the last packet.
    packet: usize,
    /// Samples made up while nothing was there, for which no time of the line has passed yet.
    debt: i64,
    /// The last packet was one of a pause, after which its sender may be silent (Opus DTX); how much
    /// of that silence its decoder has filled since.
    pause: Option<usize>,
    /// Nothing moved at the end of that packet.
    is_still: bool,
    /// Where the packet decoded last ended, and its number.
    ended: Option<(i64, i64)>,
    /// Until when an event stands in for speech, in samples of our clock.
    event_until: i64,
    /// When time was scaled last.
    stretched_at: i64,
    /// How often in a row nothing was found then that could be moved.
    vain: u8,
    /// The power of what is said, in squared samples, over about a second.
    level: f32,
    meter: Meter,
    counts: Counts,
    skew: Skew,
}

impl Ear {
    /// An ear that hears at `rate`. All its memory is allocated here, but for a decoder's at the
    /// first packet of a codec.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            shelf: Shelf::new(),
            sound: Sound::new(rate),
            lateness: Lateness::new(rate),
            concealer: Concealer::new(rate),
            noise: Noise::silence(),
            line: None,
            decoder: None,
            prepared: false,
            playing: false,
            next: 0,
            last_sequence: 0,
            packet: rate.per_tick(),
            debt: 0,
            pause: None,
            is_still: false,
            ended: None,
            event_until: i64::MIN,
            stretched_at: 0,
            vain: 0,
            level: 0.0,
            meter: Meter::default(),
            counts: Counts::default(),
            skew: Skew::default(),
        }
    }

    /// Makes ready for packets of a codec, of which these were the last ones that went by unheard:
    /// a decoder with a memory begins with what they left in it.
    pub fn prepare(&mut self, codec: Codec, recent: [&[u8]; 2]) {
        let mut decoder = Decoder::new(codec, self.rate);
        let mut unheard = [0; pcm::MAX_PER_PACKET];
        for payload in recent.into_iter().filter(|payload| !payload.is_empty()) {
            decoder.decode(payload, &mut unheard);
        }
        self.decoder = Some((codec, decoder));
        self.prepared = true;
    }

    /// The rate it hears at.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// A packet of speech, of any length and in any order. Another SSRC or codec than the last
    /// packet's begins anew.
    pub fn handle_packet(&mut self, now: Instant, header: &Header, codec: Codec, payload: &[u8]) {
        let ticks = codec.ticks(payload);
        if ticks == 0 {
            self.counts.unreadable += 1;
            return;
        }
        self.put(now, header, (Content::Speech(codec), codec), ticks, payload);
    }

    /// A description of the noise that stands for silence from here on (RFC 3389).
    pub fn handle_comfort_noise(&mut self, now: Instant, header: &Header, payload: &[u8]) {
        let codec = match (&self.line, &self.decoder) {
            (Some(line), _) if line.ssrc == header.ssrc => line.codec,
            // It may be the first that is heard of the far end.
            (None, Some((codec, _))) => *codec,
            _ => return,
        };
        let payload = payload.get(..payload.len().min(32)).unwrap_or_default();
        self.put(now, header, (Content::Noise, codec), 0, payload);
    }

    /// A packet of an event (RFC 4733): what it stands in for is not missing.
    pub fn handle_event(&mut self, now: Instant, header: &Header) {
        let Some(line) = &mut self.line else { return };
        if line.ssrc != header.ssrc {
            return;
        }
        // The timestamp is the event's beginning, which may be long ago: only the number counts.
        let place = line.place(header);
        line.note_number(place.sequence);
        let rate = self.rate;
        self.event_until = samples(rate, now) + EVENT_MS * rate.samples(1) as i64;
    }

    /// Whether a talkspurt is under way.
    pub(crate) fn is_playing(&self) -> bool {
        self.playing
    }

    /// Samples of speech that wait to be heard.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let decoded = if self.playing { self.sound.ahead() } else { 0 };
        decoded + self.shelf.speech()
    }

    /// Power of what was decoded since it was last taken, in dBov; `None` if nothing was.
    pub(crate) fn take_level(&mut self) -> Option<i8> {
        self.meter.take()
    }

    /// What reception came to so far.
    #[must_use]
    pub fn figures(&self) -> EarFigures {
        self.counts.figures(self.rate, self.wait(), self.shelf.evicted(), &self.skew)
    }

    /// In a pause that is not sent: whether nothing at all moved in the last packet of it.
    pub(crate) fn is_still_pause(&self) -> Option<bool> {
        self.pause.map(|_| self.is_still)
    }

    /// How long what comes waits before it is heard, in milliseconds.
    pub(crate) fn wait_ms(&self) -> u32 {
        u32::try_from(self.wait() / self.rate.samples(1) as i64).unwrap_or(0)
    }

    /// The same in samples of our clock.
    fn wait(&self) -> i64 {
        self.lateness.target() - self.lateness.fastest()
    }

    fn put(
        &mut self,
        now: Instant,
        header: &Header,
        (content, codec): (Content, Codec),
        ticks: u32,
        payload: &[u8],
    ) {
        let arrival = samples(self.rate, now);
        let same = |line: &Line| line.ssrc == header.ssrc && line.codec == codec;
        if !self.line.as_ref().is_some_and(same) {
            self.begin(arrival, header, codec);
        }
        let jump = JUMP_MS * self.rate.samples(1) as i64;
        let Some(line) = &mut self.line else { return };
        let mut place = line.place(header);
        let off = arrival - place.position - self.lateness.fastest();
        if off.abs() > jump {
            if !line.believes_jump(header, ticks) {
                self.counts.discarded += 1;
                return;
            }
            self.begin(arrival, header, codec);
            let Some(line) = &self.line else { return };
            place = line.place(header);
        }
        let Some(line) = &mut self.line else { return };
        let length = line.samples(i64::from(ticks));
        if !line.note(place, header) {
            self.counts.duplicates += 1;
            return;
        }
        self.counts.packets += 1;
        if content != Content::Noise {
            let length = usize::try_from(length).unwrap_or(0);
            self.lateness.note(arrival - place.position, length);
            self.skew.note(self.rate, now, arrival - place.position);
        }
        if self.playing && place.position + length.max(1) <= self.next {
            self.counts.late += 1;
            return;
        }
        let length = usize::try_from(length).unwrap_or(0);
        match self.shelf.put(content, (place.position, length), place.sequence, payload) {
            Put::Taken => {}
            Put::Twice => self.counts.duplicates += 1,
            Put::TooLarge => self.counts.discarded += 1,
        }
    }

    /// A line begins: what waits of the last one is gone, what was heard of it fades.
    fn begin(&mut self, arrival: i64, header: &Header, codec: Codec) {
        let line = Line::new(self.rate, codec, header);
        self.counts.lines += 1;
        self.line = Some(line);
        self.shelf.clear();
        self.lateness.begin(arrival);
        self.skew = Skew::default();
        (self.pause, self.ended) = (None, None);
        self.pause();
        self.noise = Noise::silence();
        let prepared = std::mem::take(&mut self.prepared);
        match &mut self.decoder {
            Some((old, _)) if *old == codec && prepared => {}
            Some((old, decoder)) if *old == codec => decoder.reset(),
            decoder => *decoder = Some((codec, Decoder::new(codec, self.rate))),
        }
    }

    /// The talkspurt is over: the next packet's time is chosen anew.
    fn pause(&mut self) {
        self.playing = false;
        self.debt = 0;
    }
}

/// A reading of our clock in samples.
fn samples(rate: Rate, at: Instant) -> i64 {
    const SECOND: u64 = 1_000_000_000;
    let (seconds, rest) = (at.as_nanos() / SECOND, at.as_nanos() % SECOND);
    let hz = u64::from(rate.hz());
    (seconds * hz + rest * hz / SECOND).cast_signed()
}
