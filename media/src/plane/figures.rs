//! How a stream is, for the call's record and, every few seconds, for whoever watches it live.

use base::{Duration, Instant};

use super::stream::Stream;
use crate::ear::Ear;
use crate::meter::Meter;
use crate::quality::{self, Path};
use crate::rtcp::ReportBlock;
use crate::{Codec, Event, FarReport, StreamStats};

/// What the last stretch between two reports came to, and what the far end told.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// How loud the far end is, and what it is told.
    pub(super) heard: Meter,
    pub(super) said: Meter,
    /// Expected and received when the stretch began, and what had come too late to be heard.
    prior: (u32, u32),
    prior_unheard: u64,
    ssrc: Option<u32>,
    /// Packets received and sent when the stretch began.
    packets: (u64, u64),
    loss_permille: u16,
    heard_dbov: Option<i8>,
    said_dbov: Option<i8>,
    pub(super) far: FarReport,
}

impl Stream {
    /// Totals so far, and the state of the last whole stretch.
    pub(super) fn stats(&self) -> StreamStats {
        let lost = self.reception.lost();
        let round_trip = self.rare.round_trip;
        let ear = self.ear().map(|ear| ear.figures());
        let micros = |length: Duration| u32::try_from(length.as_micros()).unwrap_or(u32::MAX);
        let live = &self.rare.live;
        let all = (self.packets_received + lost).max(1) as f64;
        StreamStats {
            packets_sent: self.egress.packets,
            bytes_sent: self.egress.bytes,
            packets_received: self.packets_received,
            bytes_received: self.bytes_received,
            packets_lost: lost,
            jitter_us: self.reception.jitter_us(),
            round_trip_us: round_trip.map(micros),
            mos_centi: self.mos_centi((lost + self.unheard()) as f64 / all),
            loss_permille: live.loss_permille,
            buffer_us: ear.map(|ear| micros(ear.delay)),
            concealed_ms: ear
                .map_or(0, |ear| u32::try_from(ear.concealed.as_millis()).unwrap_or(u32::MAX)),
            skew_ppm: ear.map(|ear| ear.skew_ppm),
            heard_dbov: live.heard_dbov,
            said_dbov: live.said_dbov,
            far: live.far,
            refused_packets: self.rare.refused,
            tap_dropped: self.rare.tap_dropped,
            codec: self.remote.map_or(Codec::Pcmu, |remote| remote.codec),
        }
    }

    pub(super) fn ear(&self) -> Option<&Ear> {
        self.voice.as_ref()?.ear.as_deref()
    }

    /// What came and was not heard: too late for the jitter buffer, or not to be placed in it. For
    /// quality it is as lost as what never came. What is relayed is heard elsewhere.
    pub(super) fn unheard(&self) -> u64 {
        let figures = self.ear().map(|ear| ear.figures());
        figures.map_or(0, |figures| figures.late + figures.discarded)
    }

    /// The quality with so much loss; 0 if nothing was received.
    fn mos_centi(&self, loss: f64) -> u16 {
        if self.packets_received == 0 {
            return 0;
        }
        let codec = self.remote.map_or(Codec::Pcmu, |remote| remote.codec);
        quality::mos_centi(codec, &self.path(loss))
    }

    /// From the far end's mouth to the ear behind us.
    pub(super) fn path(&self, loss: f64) -> Path {
        let buffer = match self.ear() {
            Some(ear) => ear.figures().delay,
            // Whoever hears it behind us has a buffer of about twice the jitter.
            None => Duration::from_micros(u64::from(self.reception.jitter_us()) * 2),
        };
        // Half the way there and back, a packet of 20 ms, and as much again to code and play it.
        let delay =
            self.rare.round_trip.unwrap_or_default() / 2 + Duration::from_millis(40) + buffer;
        Path { loss, burstiness: self.reception.burstiness(), delay }
    }

    /// A stretch is over. What to tell of it; nothing if nothing went either way.
    pub(super) fn end_stretch(&mut self) -> Option<Event> {
        let (expected, received) = self.reception.expected_and_received();
        let (ssrc, unheard) = (self.reception.ssrc(), self.unheard());
        let live = &mut self.rare.live;
        if std::mem::replace(&mut live.ssrc, ssrc) != ssrc {
            live.prior = (0, 0);
        }
        let (expected_before, received_before) = live.prior;
        live.prior = (expected, received);
        let expected = expected.wrapping_sub(expected_before).cast_signed().max(0);
        let came = received.wrapping_sub(received_before).cast_signed().clamp(0, expected);
        let part = f64::from(expected - came) / f64::from(expected.max(1));
        live.loss_permille = (part * 1000.0).round() as u16;
        // A new ear counts from nothing.
        let unheard_before = std::mem::replace(&mut live.prior_unheard, unheard);
        let unheard = unheard.saturating_sub(unheard_before) as f64;
        let part = (part + unheard / f64::from(expected.max(1))).min(1.0);
        let mut voice = self.voice.as_mut();
        let said = voice.as_mut().and_then(|voice| voice.mouth.as_mut()?.take_level());
        let heard = voice.and_then(|voice| voice.ear.as_mut()?.take_level());
        live.said_dbov = live.said.take().or(said);
        live.heard_dbov = live.heard.take().or(heard);
        let packets = (self.packets_received, self.egress.packets);
        if std::mem::replace(&mut live.packets, packets) == packets {
            return None;
        }
        let mos_centi = if expected > 0 { self.mos_centi(part) } else { 0 };
        let stats = StreamStats { mos_centi, ..self.stats() };
        Some(Event::Figures { stream: self.id, stats: Box::new(stats) })
    }

    /// What a report says of the packets we send.
    pub(super) fn note_far_report(&mut self, block: &ReportBlock) {
        if block.ssrc != self.egress.ssrc {
            return;
        }
        let clock = self.remote.map_or(crate::CLOCK_RATE, |remote| remote.codec.clock_rate());
        let jitter = u64::from(block.jitter) * 1_000_000 / u64::from(clock);
        let far = &mut self.rare.live.far;
        far.loss_permille = Some((u32::from(block.fraction_lost) * 1000 / 256) as u16);
        far.jitter_us = Some(u32::try_from(jitter).unwrap_or(u32::MAX));
    }
}

/// How long ago, in 65536ths of a second.
pub(super) fn delay_since(now: Instant, then: Instant) -> u32 {
    let delay = (now.since(then).as_nanos() << 16) / 1_000_000_000;
    u32::try_from(delay).unwrap_or(u32::MAX)
}
