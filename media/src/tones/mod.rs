//! Call progress tones as each country's networks play them (ITU-T E.180 and its supplement 2).

mod countries;

use base::Duration;

use crate::{CLOCK_RATE, Prompt};

/// Level of a tone of one frequency, as a part of full scale: about -15 dBm0 (E.180 §7 asks for
/// -10 +- 5 at the subscriber). Two frequencies share it.
const LEVEL: f64 = 0.25;
/// Each burst swells and fades over this long, so that it does not click.
const RAMP: Duration = Duration::from_millis(4);
/// The special information tone of all networks (E.180 §3.5.1): three notes and a pause.
const INFORMATION: Cadence =
    &[tone(950, 0, 330), tone(1400, 0, 330), tone(1800, 0, 330), tone(0, 0, 1000)];
/// What a voice mailbox plays before it records.
const BEEP: Cadence = &[tone(1400, 0, 400)];

/// What a tone says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Tone {
    /// Dial now.
    Dial,
    /// The other end rings.
    Ringing,
    /// The other end is busy.
    Busy,
    /// The network has no way there.
    Congestion,
    /// Somebody else calls, to who is talking.
    CallWaiting,
    /// An announcement follows: the call cannot be put through.
    Information,
    /// Speak after it.
    Beep,
}

impl Tone {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Dial,
        Self::Ringing,
        Self::Busy,
        Self::Congestion,
        Self::CallWaiting,
        Self::Information,
        Self::Beep,
    ];

    /// As provisioning spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dial => "dial",
            Self::Ringing => "ringing",
            Self::Busy => "busy",
            Self::Congestion => "congestion",
            Self::CallWaiting => "call_waiting",
            Self::Information => "information",
            Self::Beep => "beep",
        }
    }

    /// One cadence as a country (ISO 3166-1, two letters, any case) plays it, pauses included: to be
    /// played again and again. A country that is not in the table has the tones that E.180
    /// recommends for new networks.
    #[must_use]
    pub fn cadence(self, country: Option<&str>) -> Prompt {
        let network = country.map_or(&countries::RECOMMENDED, countries::of);
        let mut pcm = Vec::new();
        network.cadence(self).iter().for_each(|part| part.write(&mut pcm));
        Prompt::from_pcm(&pcm)
    }
}

/// How each country, by its code, and the rest of the world, without one, play a tone.
pub(crate) fn cadences(tone: Tone) -> impl Iterator<Item = (&'static str, &'static [Part])> {
    countries::all().map(move |(code, network)| (code, network.cadence(tone)))
}

/// The tones of a country's networks.
#[derive(Debug)]
struct Network {
    dial: Cadence,
    ringing: Cadence,
    busy: Cadence,
    congestion: Cadence,
    call_waiting: Cadence,
}

impl Network {
    fn cadence(&self, tone: Tone) -> Cadence {
        match tone {
            Tone::Dial => self.dial,
            Tone::Ringing => self.ringing,
            Tone::Busy => self.busy,
            Tone::Congestion => self.congestion,
            Tone::CallWaiting => self.call_waiting,
            Tone::Information => INFORMATION,
            Tone::Beep => BEEP,
        }
    }
}

/// Bursts and pauses, in order.
type Cadence = &'static [Part];

/// A frequency or two at once for so long; no frequency is a pause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) hertz: [u16; 2],
    pub(crate) millis: u16,
}

/// A burst of one or two frequencies, 0 for none.
const fn tone(hertz: u16, with: u16, millis: u16) -> Part {
    Part { hertz: [hertz, with], millis }
}

impl Part {
    fn write(self, pcm: &mut Vec<i16>) {
        let length = samples(Duration::from_millis(u64::from(self.millis)));
        let ramp = samples(RAMP);
        let voices = self.hertz.iter().filter(|hertz| **hertz != 0).count().max(1) as f64;
        for at in 0..length {
            let from_edge = at.min(length - 1 - at);
            let gain = (from_edge as f64 / ramp as f64).min(1.0) * LEVEL / voices;
            let wave = |hertz: u16| {
                let turns = f64::from(hertz) * at as f64 / f64::from(CLOCK_RATE);
                (turns * std::f64::consts::TAU).sin()
            };
            let sum: f64 = self.hertz.iter().map(|hertz| wave(*hertz)).sum();
            // A float-to-integer cast saturates.
            pcm.push((sum * gain * 32_767.0).round() as i16);
        }
    }
}

fn samples(length: Duration) -> usize {
    usize::try_from(length.as_micros() * u128::from(CLOCK_RATE) / 1_000_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::G711;

    /// The power at a frequency, as a part of what a tone of full scale has.
    fn power(pcm: &[i16], hertz: f64) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        for (at, sample) in pcm.iter().enumerate() {
            let angle = hertz * at as f64 / 8000.0 * std::f64::consts::TAU;
            re += f64::from(*sample) * angle.cos();
            im += f64::from(*sample) * angle.sin();
        }
        let scale = 2.0 / (pcm.len() as f64 * 32_768.0);
        (re * scale).powi(2) + (im * scale).powi(2)
    }

    fn pcm(tone: Tone, country: Option<&str>) -> Vec<i16> {
        let prompt = tone.cadence(country);
        prompt.encoded(crate::Codec::Pcma).iter().map(|code| G711::Pcma.decode(*code)).collect()
    }

    #[test]
    fn germany_rings_with_425_hz_for_one_second_of_five() {
        let ringing = pcm(Tone::Ringing, Some("de"));
        assert_eq!(ringing.len(), 40_000);
        let (burst, pause) = ringing.split_at(8000);
        assert!((power(burst, 425.0).sqrt() - LEVEL).abs() < 0.01, "{}", power(burst, 425.0));
        assert!(pause.iter().all(|sample| sample.abs() <= 8), "A-law has no zero, but little");
    }

    #[test]
    fn north_america_and_britain_ring_with_two_frequencies() {
        let us = pcm(Tone::Ringing, Some("US"));
        assert_eq!(us.len(), 48_000);
        let both = [440.0, 480.0].map(|hertz| power(&us[..16_000], hertz).sqrt());
        assert!(both.iter().all(|level| (level - LEVEL / 2.0).abs() < 0.01), "{both:?}");
        let gb = pcm(Tone::Ringing, Some("GB"));
        let bursts = [0..3200, 4800..8000].map(|part| power(&gb[part], 450.0).sqrt() > 0.1);
        assert_eq!((bursts, gb.len()), ([true; 2], 24_000), "it rings twice");
    }

    #[test]
    fn every_country_has_every_tone_in_whole_milliseconds_and_without_a_click_at_its_seams() {
        for country in countries::known().chain(["XX"]) {
            for tone in Tone::ALL {
                let pcm = pcm(tone, Some(country));
                assert!(!pcm.is_empty() && pcm.len().is_multiple_of(8), "{country} {tone:?}");
                let (first, last) = (pcm[0], pcm[pcm.len() - 1]);
                assert!(first.abs() < 400 && last.abs() < 400, "{country} {tone:?}");
            }
        }
    }

    #[test]
    fn the_information_tone_rises_in_three_notes() {
        let notes = pcm(Tone::Information, None);
        for (place, hertz) in [950.0, 1400.0, 1800.0].into_iter().enumerate() {
            let note = &notes[place * 2640..(place + 1) * 2640];
            assert!(power(note, hertz).sqrt() > 0.2, "{hertz}");
        }
    }
}
