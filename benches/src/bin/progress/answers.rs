//! People and machines that answer, and the beeps of machines.

use media::progress::{AnswerTimes, AnsweredBy, Listener, Listening, Verdict};

use crate::corpus::Sample;
use crate::line::{LINES, Line};

/// A beep is told so long after its end at most, in milliseconds.
const SOON: u64 = 800;

#[derive(Default)]
struct Row {
    human: u32,
    machine: u32,
    fax: u32,
    unknown: u32,
    after: Vec<u64>,
}

/// Prints a table of confusion.
pub(crate) fn measure(samples: &[Sample], line: Line, names: bool) {
    println!(
        "\n{}: who answers | human machine fax unknown | right after, median and 90 %",
        line.name
    );
    let mut rows = std::collections::BTreeMap::<(String, String), Row>::new();
    let (mut beeps, mut missed, mut false_beeps, mut cut, mut tones) = (0, 0, 0, 0, 0);
    let listening = Listening { country: None, answer: Some(AnswerTimes::default()) };
    for (n, sample) in samples.iter().enumerate() {
        let told = line.hear(&sample.pcm, n as u64, &listening);
        let row = rows.entry((sample.who.clone(), sample.source.clone())).or_default();
        let answered = told.iter().find_map(|(at, verdict)| match verdict {
            Verdict::Answered(answer) => Some((*at, *answer)),
            _ => None,
        });
        let (by, place) = match answered.map(|(_, answer)| answer.by) {
            Some(AnsweredBy::Human) => ("human", &mut row.human),
            Some(AnsweredBy::Machine) => ("machine", &mut row.machine),
            Some(AnsweredBy::Fax) => ("fax", &mut row.fax),
            Some(AnsweredBy::Unknown) | None => ("unknown", &mut row.unknown),
        };
        *place += 1;
        if by == sample.who {
            row.after.extend(answered.map(|(at, _)| at));
        } else if names && sample.who != "music" {
            println!("  {} is taken for {by}: {answered:?}", sample.name);
        }
        let heard = told.iter().filter(|(_, verdict)| *verdict == Verdict::Beep);
        let is_right =
            |at: u64| sample.beeped > 0 && at >= sample.beeped && at <= sample.beeped + SOON;
        let right = heard.clone().any(|(at, _)| is_right(*at));
        beeps += u32::from(sample.beeped > 0);
        if sample.beeped > 0 && !right {
            missed += 1;
            if names {
                println!("  {}: no beep at {}: {told:?}", sample.name, sample.beeped);
            }
        }
        for (at, _) in heard.filter(|(at, _)| !is_right(*at)) {
            false_beeps += 1;
            if names {
                println!("  {}: a beep at {at}, not {}", sample.name, sample.beeped);
            }
        }
        let over = told.iter().find(|(_, verdict)| *verdict == Verdict::GreetingOver);
        cut += u32::from(over.is_some_and(|(at, _)| *at < sample.ended));
        for (at, verdict) in &told {
            if let Verdict::Tone(tone) = verdict {
                tones += 1;
                if names {
                    println!("  {}: {tone:?} at {at}", sample.name);
                }
            }
        }
    }
    for ((who, source), mut row) in rows {
        row.after.sort_unstable();
        let at = |part: f64| {
            let place = (row.after.len() as f64 * part) as usize;
            row.after.get(place).map_or(0.0, |at| *at as f64 / 1000.0)
        };
        let (human, machine, fax, unknown) = (row.human, row.machine, row.fax, row.unknown);
        let (median, most) = (at(0.5), at(0.9));
        let after = format!("{median:.1} s, {most:.1} s");
        println!("| {who}, {source} | {human} | {machine} | {fax} | {unknown} | {after} |");
    }
    println!(
        "beeps: {beeps}, not heard {missed}, heard where none was {false_beeps} in {} samples; \
         greetings cut into {cut}; tones heard in speech and music {tones}",
        samples.len()
    );
}

/// When somebody speaks, for choosing weights.
pub(crate) fn print_speech(samples: &[Sample]) {
    for (place, line) in LINES.iter().enumerate() {
        for (n, sample) in samples.iter().enumerate() {
            let mut listener = Listener::new(&Listening::default());
            let mut digits = String::new();
            line.each_tick(&sample.pcm, n as u64, &mut |_, tick| {
                listener.hear(tick, &mut |_| {});
                digits.push(if listener.is_speaking() { '1' } else { '0' });
            });
            println!("{place}\t{}\t{}\t{digits}", sample.name, sample.who);
        }
    }
}
