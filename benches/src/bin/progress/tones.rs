//! The tones of all networks: at several levels, in noise, begun in their middle.

use base::Rng;
use media::progress::{Information, Listening, ProgressTone, Verdict};
use media::{Codec, G711, Tone};

use crate::line::LINES;

const COUNTRIES: [&str; 18] = [
    "AT", "AU", "BR", "CA", "CH", "DE", "ES", "FR", "GB", "IE", "IN", "IT", "JP", "MX", "NL", "PL",
    "SE", "US",
];
const SECONDS: usize = 14;
const EACH: u64 = 4;

/// What of it was told right, otherwise, and not at all.
#[derive(Default)]
struct Count {
    right: u32,
    wrong: u32,
    none: u32,
    after: Vec<u64>,
}

impl Count {
    fn add(&mut self, told: &[(u64, Verdict)], right: ProgressTone) {
        let tone = told.iter().find_map(|(at, verdict)| match verdict {
            Verdict::Tone(tone) => Some((*at, *tone)),
            _ => None,
        });
        match tone {
            Some((at, tone)) if tone == right => {
                self.right += 1;
                self.after.push(at);
            }
            Some(_) => self.wrong += 1,
            None => self.none += 1,
        }
    }

    fn show(&mut self, what: &str) {
        self.after.sort_unstable();
        let median = self.after.get(self.after.len() / 2).map_or(0.0, |at| *at as f64 / 1000.0);
        let Self { right, wrong, none, .. } = self;
        println!("| {what} | {right} | {wrong} | {none} | {median:.1} s |");
    }
}

pub(crate) fn measure(names: bool) {
    for line in LINES {
        println!("\n{}: tone | right otherwise not at all | median after", line.name);
        for (tone, meant) in [
            (Tone::Ringing, ProgressTone::Ringing),
            (Tone::Busy, ProgressTone::Busy),
            (Tone::Congestion, ProgressTone::Congestion),
        ] {
            for hinted in [true, false] {
                let mut count = Count::default();
                for (place, country) in COUNTRIES.into_iter().enumerate() {
                    for n in 0..EACH {
                        let seed = place as u64 * 100 + n;
                        let pcm = played(tone, country, seed);
                        let code = country.as_bytes();
                        let hint = hinted.then(|| [code[0], code[1]]);
                        let listening = Listening { country: hint, answer: None };
                        let told = line.hear(&pcm, seed, &listening);
                        let wrong = count.wrong + count.none;
                        count.add(&told, meant);
                        if names && count.wrong + count.none > wrong {
                            println!("  {country} {tone:?} {hinted}: {told:?}");
                        }
                    }
                }
                let known = if hinted { "country known" } else { "country not known" };
                count.show(&format!("{}, {known}", tone.name()));
            }
        }
        let (mut information, mut fax) = (Count::default(), Count::default());
        for seed in 0..40 {
            let told = line.hear(&special(seed), seed, &Listening::default());
            let kind = [
                Information::Intercept,
                Information::VacantNumber,
                Information::NoCircuit,
                Information::Reorder,
            ];
            information.add(&told, ProgressTone::Information(kind[seed as usize % 4]));
            let told = line.hear(&faxes(seed), seed, &Listening::default());
            fax.add(&told, ProgressTone::Fax);
        }
        information.show("special information, with its kind");
        fax.show("fax, calling and answering");
    }
}

/// A tone as it comes: at some level, begun anywhere in its cadence, a little off in its clock.
fn played(tone: Tone, country: &str, seed: u64) -> Vec<i16> {
    let mut rng = Rng::from_seed(seed);
    let cadence = tone.cadence(Some(country));
    let codes = cadence.encoded(Codec::Pcma);
    let cycle: Vec<i16> = codes.iter().map(|code| G711::Pcma.decode(*code)).collect();
    let gain = 10_f64.powf(-(rng.below(160) as f64 / 10.0) / 20.0);
    let speed = 0.97 + rng.below(60) as f64 / 1000.0;
    let start = rng.below(cycle.len() as u64) as f64;
    (0..SECONDS * 8000)
        .map(|n| {
            let at = (start + n as f64 * speed) as usize % cycle.len();
            (f64::from(cycle[at]) * gain) as i16
        })
        .collect()
}

fn sine(pcm: &mut Vec<i16>, hertz: f64, millis: usize, level: f64) {
    let from = pcm.len();
    pcm.extend((0..millis * 8).map(|n| {
        let turn = std::f64::consts::TAU * hertz * (from + n) as f64 / 8000.0;
        (turn.sin() * level) as i16
    }));
}

fn special(seed: u64) -> Vec<i16> {
    let mut rng = Rng::from_seed(seed);
    let level = 8000.0 * 10_f64.powf(-(rng.below(100) as f64 / 10.0) / 20.0);
    let notes = match seed % 4 {
        0 => [(913.8, 274), (1370.6, 274), (1776.7, 380)],
        1 => [(985.2, 380), (1370.6, 274), (1776.7, 380)],
        2 => [(985.2, 380), (1428.5, 380), (1776.7, 380)],
        _ => [(913.8, 274), (1428.5, 380), (1776.7, 380)],
    };
    let mut pcm = vec![0; rng.below(8000) as usize];
    for (hertz, millis) in notes {
        sine(&mut pcm, hertz, millis, level);
    }
    pcm.extend([0; 16_000]);
    pcm
}

fn faxes(seed: u64) -> Vec<i16> {
    let mut rng = Rng::from_seed(seed);
    let level = 8000.0 * 10_f64.powf(-(rng.below(100) as f64 / 10.0) / 20.0);
    let mut pcm = vec![0; rng.below(8000) as usize];
    if seed.is_multiple_of(2) {
        sine(&mut pcm, 2100.0 + rng.below(20) as f64 - 10.0, 3000, level);
        pcm.extend([0; 8000]);
    } else {
        for _ in 0..3 {
            sine(&mut pcm, 1100.0 + rng.below(40) as f64 - 20.0, 500, level);
            pcm.extend([0; 24_000]);
        }
    }
    pcm
}
