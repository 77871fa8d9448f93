//! What is said from recorded fragments: digits, numbers, money, dates and times.
//!
//! A language is a grammar (which fragments, in which order) and a [`Voice`] (their audio). The
//! numbers to ninety-nine are a fragment each, so that they sound as people say them.

mod english;
mod german;
mod voice;

pub use voice::{Voice, VoiceError};

/// The largest amount that can be said, to either side of nought.
pub const MAX: i64 = 999_999_999_999;

/// A fragment's name: what a voice's index, and a tenant's own recordings, call it.
pub type Fragment = &'static str;

/// A short pause between groups of digits.
pub const PAUSE: Fragment = "pause";

/// A language whose grammar is known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// Its tag (BCP 47).
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The language of a tag, whatever its region: `de-AT` is German.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next()?;
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// Every fragment its grammar can ask for, once each.
    pub fn fragments(self) -> impl Iterator<Item = Fragment> {
        let words = match self {
            Self::English => english::WORDS,
            Self::German => german::WORDS,
        };
        let shared = [PAUSE, "plus", "star", "hash"];
        NUMBERS.iter().chain(ORDINALS).chain(MONTHS).chain(words).copied().chain(shared)
    }
}

/// A currency that amounts are said in, with two decimals.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Currency {
    /// Euro.
    Euro,
    /// Dollar.
    Dollar,
    /// Pound.
    Pound,
}

impl Currency {
    /// The currency of a code (ISO 4217), in any case.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let known = [("EUR", Self::Euro), ("USD", Self::Dollar), ("GBP", Self::Pound)];
        known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(code)).map(|(_, it)| it)
    }
}

/// Something to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Utterance {
    /// One by one, in groups of three: `0`-`9`, `+`, `*` and `#`; anything else is passed over.
    Digits(String),
    /// A whole number; beyond [`MAX`] it is said digit by digit.
    Number(i64),
    /// An amount in hundredths of the currency.
    Money {
        /// Cents.
        hundredths: i64,
        /// Of what.
        currency: Currency,
    },
    /// A day.
    Date {
        /// 0 to 9999; `None`: only the day and the month.
        year: Option<u16>,
        /// 1 to 12.
        month: u8,
        /// 1 to 31.
        day: u8,
    },
    /// A time of day.
    Time {
        /// 0 to 23.
        hour: u8,
        /// 0 to 59.
        minute: u8,
    },
    /// A stretch of time in whole minutes.
    Minutes(u32),
}

/// Why a text is nothing that can be said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what} are written {how}")]
pub struct UtteranceError {
    /// What it should have been.
    pub what: &'static str,
    /// How such a thing is written.
    pub how: &'static str,
}

impl Utterance {
    /// The fragments that say it, in order.
    #[must_use]
    pub fn fragments(&self, language: Language) -> Vec<Fragment> {
        let mut said = Vec::new();
        match self {
            Self::Digits(text) => digits(&mut said, text),
            Self::Number(number) if number.unsigned_abs() > MAX.unsigned_abs() => {
                digits(&mut said, &number.to_string());
            }
            _ if language == Language::English => english::say(&mut said, self),
            _ => german::say(&mut said, self),
        }
        said
    }

    /// A whole number: `-12`, `1250`.
    ///
    /// # Errors
    /// When the text is no such number.
    pub fn number(text: &str) -> Result<Self, UtteranceError> {
        let error = UtteranceError { what: "numbers", how: "as 1250 or -12" };
        text.trim().parse().map(Self::Number).map_err(|_| error)
    }

    /// An amount and its currency: `12.50 EUR`.
    ///
    /// # Errors
    /// When the text is no such amount, or the currency is unknown.
    pub fn money(text: &str) -> Result<Self, UtteranceError> {
        let error = UtteranceError { what: "amounts", how: "as 12.50 EUR (or USD, GBP)" };
        let (amount, code) = text.trim().split_once(' ').ok_or(error)?;
        let currency = Currency::from_code(code.trim()).ok_or(error)?;
        let (whole, part) = amount.split_once('.').unwrap_or((amount, "00"));
        let negative = whole.starts_with('-');
        let whole: i64 = whole.parse().map_err(|_| error)?;
        let part: i64 = match part.len() {
            2 if part.bytes().all(|b| b.is_ascii_digit()) => part.parse().map_err(|_| error)?,
            _ => return Err(error),
        };
        if whole.unsigned_abs() > MAX.unsigned_abs() {
            return Err(error);
        }
        let part = if negative { -part } else { part };
        Ok(Self::Money { hundredths: whole * 100 + part, currency })
    }

    /// A day: `2026-07-14`.
    ///
    /// # Errors
    /// When the text is no such day.
    pub fn date(text: &str) -> Result<Self, UtteranceError> {
        let error = UtteranceError { what: "dates", how: "as 2026-07-14" };
        let parts: Vec<u16> =
            text.trim().split('-').map_while(|part| part.parse().ok()).take(4).collect();
        let [year, month @ 1..=12, day @ 1..=31] = parts[..] else { return Err(error) };
        if year > 9999 || day > days_of(year, month) {
            return Err(error);
        }
        Ok(Self::Date { year: Some(year), month: month as u8, day: day as u8 })
    }

    /// A time of day: `15:05`.
    ///
    /// # Errors
    /// When the text is no such time.
    pub fn time(text: &str) -> Result<Self, UtteranceError> {
        let error = UtteranceError { what: "times", how: "as 15:05" };
        let (hour, minute) = text.trim().split_once(':').ok_or(error)?;
        let (Ok(hour @ 0..=23), Ok(minute @ 0..=59)) = (hour.parse(), minute.parse()) else {
            return Err(error);
        };
        Ok(Self::Time { hour, minute })
    }
}

/// Days of a month (the Gregorian calendar).
fn days_of(year: u16, month: u16) -> u16 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Digit by digit, with a pause after each three that others follow.
fn digits(said: &mut Vec<Fragment>, text: &str) {
    let known = |c: char| match c {
        '+' => Some("plus"),
        '*' => Some("star"),
        '#' => Some("hash"),
        '-' if text.starts_with('-') => None,
        _ => c.to_digit(10).map(below_hundred),
    };
    for (place, fragment) in text.chars().filter_map(known).enumerate() {
        if place > 0 && place % 3 == 0 {
            said.push(PAUSE);
        }
        said.push(fragment);
    }
}

/// The fragment of 0 to 99.
fn below_hundred(number: u32) -> Fragment {
    NUMBERS.get(number as usize).copied().unwrap_or(PAUSE)
}

/// The fragment of a day of the month.
fn ordinal(day: u8) -> Fragment {
    ORDINALS.get(usize::from(day).saturating_sub(1)).copied().unwrap_or(PAUSE)
}

/// The fragment of a month.
fn month(month: u8) -> Fragment {
    MONTHS.get(usize::from(month).saturating_sub(1)).copied().unwrap_or(PAUSE)
}

/// A number in groups of three decimal places: billions, millions, thousands, the rest.
fn groups(number: u64) -> [u32; 4] {
    let group = |unit: u64| (number / unit % 1000) as u32;
    [group(1_000_000_000), group(1_000_000), group(1000), group(1)]
}

const MONTHS: &[Fragment] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const ORDINALS: &[Fragment] = &[
    "1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "9th", "10th", "11th", "12th", "13th",
    "14th", "15th", "16th", "17th", "18th", "19th", "20th", "21st", "22nd", "23rd", "24th", "25th",
    "26th", "27th", "28th", "29th", "30th", "31st",
];

const NUMBERS: &[Fragment] = &[
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32",
    "33", "34", "35", "36", "37", "38", "39", "40", "41", "42", "43", "44", "45", "46", "47", "48",
    "49", "50", "51", "52", "53", "54", "55", "56", "57", "58", "59", "60", "61", "62", "63", "64",
    "65", "66", "67", "68", "69", "70", "71", "72", "73", "74", "75", "76", "77", "78", "79", "80",
    "81", "82", "83", "84", "85", "86", "87", "88", "89", "90", "91", "92", "93", "94", "95", "96",
    "97", "98", "99",
];
