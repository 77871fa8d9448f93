//! German: which fragments say a number, an amount, a day, a time.

use super::{Currency, Fragment, Utterance, below_hundred, groups, month, ordinal};

/// What it says besides numbers, days and months. "1" alone is "eins".
pub(super) const WORDS: &[Fragment] = &[
    "ein",
    "eine",
    "hundert",
    "tausend",
    "million",
    "millionen",
    "milliarde",
    "milliarden",
    "minus",
    "uhr",
    "euro",
    "dollar",
    "pfund",
    "cent",
    "pence",
    "minute",
    "minuten",
];

/// Appends what says it. Digits are no matter of grammar.
pub(super) fn say(said: &mut Vec<Fragment>, what: &Utterance) {
    match *what {
        Utterance::Digits(_) => {}
        Utterance::Number(number) => signed(said, number),
        Utterance::Money { hundredths, currency } => money(said, hundredths, currency),
        Utterance::Date { year, month: of_year, day } => {
            said.extend([ordinal(day), month(of_year)]);
            if let Some(year) = year {
                self::year(said, year);
            }
        }
        Utterance::Time { hour, minute } => {
            counted(said, u64::from(hour), "ein");
            said.push("uhr");
            if minute > 0 {
                said.push(below_hundred(u32::from(minute)));
            }
        }
        Utterance::Minutes(minutes) => {
            counted(said, u64::from(minutes), "eine");
            said.push(if minutes == 1 { "minute" } else { "minuten" });
        }
    }
}

fn signed(said: &mut Vec<Fragment>, value: i64) {
    if value < 0 {
        said.push("minus");
    }
    number(said, value.unsigned_abs());
}

/// Before a noun a lone one is "ein" or "eine".
fn counted(said: &mut Vec<Fragment>, value: u64, one: Fragment) {
    if value == 1 { said.push(one) } else { number(said, value) }
}

/// 2.015.007 is "zwei Millionen fünfzehn tausend sieben".
fn number(said: &mut Vec<Fragment>, value: u64) {
    if value == 0 {
        said.push(below_hundred(0));
        return;
    }
    let [billions, millions, thousands, rest] = groups(value);
    let nouns = [(billions, "milliarde", "milliarden"), (millions, "million", "millionen")];
    for (group, one, many) in nouns {
        if group > 0 {
            below_thousand(said, group, "eine");
            said.push(if group == 1 { one } else { many });
        }
    }
    if thousands > 0 {
        below_thousand(said, thousands, "ein");
        said.push("tausend");
    }
    if rest > 0 {
        below_thousand(said, rest, below_hundred(1));
    }
}

/// `one` is how a one at the end sounds: "ein tausend", "eine Million", "ein hundert eins".
fn below_thousand(said: &mut Vec<Fragment>, value: u32, one: Fragment) {
    let (hundreds, rest) = (value / 100, value % 100);
    match hundreds {
        0 => {}
        1 => said.extend(["ein", "hundert"]),
        _ => said.extend([below_hundred(hundreds), "hundert"]),
    }
    match rest {
        0 => {}
        1 => said.push(one),
        _ => said.push(below_hundred(rest)),
    }
}

/// 1984 is "neunzehn hundert vierundachtzig", 2026 "zwei tausend sechsundzwanzig".
fn year(said: &mut Vec<Fragment>, year: u16) {
    let (century, rest) = (u32::from(year) / 100, u32::from(year) % 100);
    if !(11..=19).contains(&century) {
        return number(said, u64::from(year));
    }
    said.extend([below_hundred(century), "hundert"]);
    if rest > 0 {
        said.push(below_hundred(rest));
    }
}

/// 12,50 EUR is "zwölf Euro fünfzig".
fn money(said: &mut Vec<Fragment>, hundredths: i64, currency: Currency) {
    let amount = hundredths.unsigned_abs();
    let (whole, part) = (amount / 100, (amount % 100) as u32);
    if hundredths < 0 {
        said.push("minus");
    }
    let (unit, parts) = match currency {
        Currency::Euro => ("euro", "cent"),
        Currency::Dollar => ("dollar", "cent"),
        Currency::Pound => ("pfund", "pence"),
    };
    if whole == 0 && part > 0 {
        counted(said, u64::from(part), "ein");
        said.push(parts);
        return;
    }
    counted(said, whole, "ein");
    said.push(unit);
    if part > 0 {
        said.push(below_hundred(part));
    }
}
