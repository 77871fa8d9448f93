//! English: which fragments say a number, an amount, a day, a time.

use super::{Currency, Fragment, Utterance, below_hundred, groups, month, ordinal};

/// What it says besides numbers, days and months.
pub(super) const WORDS: &[Fragment] = &[
    "hundred", "thousand", "million", "billion", "and", "minus", "oh", "am", "pm", "euro", "euros",
    "dollar", "dollars", "pound", "pounds", "cent", "cents", "penny", "pence", "minute", "minutes",
];

/// Appends what says it. Digits are no matter of grammar.
pub(super) fn say(said: &mut Vec<Fragment>, what: &Utterance) {
    match *what {
        Utterance::Digits(_) => {}
        Utterance::Number(number) => signed(said, number),
        Utterance::Money { hundredths, currency } => money(said, hundredths, currency),
        Utterance::Date { year, month: of_year, day } => {
            said.extend([month(of_year), ordinal(day)]);
            if let Some(year) = year {
                self::year(said, year);
            }
        }
        Utterance::Time { hour, minute } => time(said, hour, minute),
        Utterance::Minutes(minutes) => {
            number(said, u64::from(minutes));
            said.push(if minutes == 1 { "minute" } else { "minutes" });
        }
    }
}

fn signed(said: &mut Vec<Fragment>, value: i64) {
    if value < 0 {
        said.push("minus");
    }
    number(said, value.unsigned_abs());
}

/// 2,015,007 is "two million fifteen thousand and seven".
fn number(said: &mut Vec<Fragment>, value: u64) {
    if value == 0 {
        said.push(below_hundred(0));
        return;
    }
    let [billions, millions, thousands, rest] = groups(value);
    for (group, word) in [(billions, "billion"), (millions, "million"), (thousands, "thousand")] {
        if group > 0 {
            below_thousand(said, group);
            said.push(word);
        }
    }
    if rest > 0 {
        if value > 1000 && rest < 100 {
            said.push("and");
        }
        below_thousand(said, rest);
    }
}

fn below_thousand(said: &mut Vec<Fragment>, value: u32) {
    let (hundreds, rest) = (value / 100, value % 100);
    if hundreds > 0 {
        said.extend([below_hundred(hundreds), "hundred"]);
        if rest > 0 {
            said.push("and");
        }
    }
    if rest > 0 {
        said.push(below_hundred(rest));
    }
}

/// 1905 is "nineteen oh five", 2007 "two thousand and seven", 2026 "twenty twenty-six".
fn year(said: &mut Vec<Fragment>, year: u16) {
    let (century, rest) = (u32::from(year) / 100, u32::from(year) % 100);
    match (century, rest) {
        (0..=9 | 20, 0..=9) | (0..=9, _) => number(said, u64::from(year)),
        (10 | 30 | 40 | 50 | 60 | 70 | 80 | 90, 0) => number(said, u64::from(year)),
        (_, 0) => said.extend([below_hundred(century), "hundred"]),
        (_, 1..=9) => said.extend([below_hundred(century), "oh", below_hundred(rest)]),
        _ => said.extend([below_hundred(century), below_hundred(rest)]),
    }
}

/// On the twelve-hour clock: 15:05 is "three oh five p.m.".
fn time(said: &mut Vec<Fragment>, hour: u8, minute: u8) {
    let on_the_clock = if hour.is_multiple_of(12) { 12 } else { hour % 12 };
    said.push(below_hundred(u32::from(on_the_clock)));
    match minute {
        0 => {}
        1..=9 => said.extend(["oh", below_hundred(u32::from(minute))]),
        _ => said.push(below_hundred(u32::from(minute))),
    }
    said.push(if hour < 12 { "am" } else { "pm" });
}

/// 12.50 EUR is "twelve euros and fifty cents".
fn money(said: &mut Vec<Fragment>, hundredths: i64, currency: Currency) {
    let amount = hundredths.unsigned_abs();
    let (whole, part) = (amount / 100, (amount % 100) as u32);
    if hundredths < 0 {
        said.push("minus");
    }
    let (one, many) = match currency {
        Currency::Euro => ("euro", "euros"),
        Currency::Dollar => ("dollar", "dollars"),
        Currency::Pound => ("pound", "pounds"),
    };
    let (one_part, many_parts) = match currency {
        Currency::Pound => ("penny", "pence"),
        Currency::Euro | Currency::Dollar => ("cent", "cents"),
    };
    if whole > 0 || part == 0 {
        number(said, whole);
        said.push(if whole == 1 { one } else { many });
    }
    if part > 0 {
        if whole > 0 {
            said.push("and");
        }
        said.extend([below_hundred(part), if part == 1 { one_part } else { many_parts }]);
    }
}
