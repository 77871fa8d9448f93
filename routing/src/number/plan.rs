//! The world's numbering plan: countries, national numbers, premium rates. The one place that
//! knows the library behind it (docs/decisions/phone-numbers.md).

use std::fmt;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, PhoneNumberType, Region};

use super::E164;

/// A country that has telephone numbers: `DE` (ISO 3166-1 alpha-2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// A country by its two letters, capital or small.
    #[must_use]
    pub fn new(iso: &str) -> Option<Self> {
        let [a, b] = *iso.as_bytes() else { return None };
        let letters = [a.to_ascii_uppercase(), b.to_ascii_uppercase()];
        let country = letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))?;
        (country.calling_code() != 0).then_some(country)
    }

    /// Its two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }

    /// Its country code: 49 for Germany.
    #[must_use]
    pub fn calling_code(&self) -> u32 {
        let code = self.region().and_then(|r| PHONE_NUMBER_UTIL.get_country_code_for_region(r));
        code.and_then(|code| u32::try_from(code).ok()).unwrap_or(0)
    }

    /// The digits of the number, with country code, that somebody in this country dials so.
    pub(super) fn international(&self, dialled: &str) -> String {
        let code = self.calling_code().to_string();
        match PHONE_NUMBER_UTIL.parse(dialled, self.region()) {
            Ok(number) if number.is_valid() || !dialled.starts_with(&code) => digits(&number),
            // Nobody's number as it stands: then perhaps the country code was dialled.
            Ok(_) => dialled.to_owned(),
            Err(_) => format!("{code}{dialled}"),
        }
    }

    fn of(region: Region) -> Option<Self> {
        Self::new(&region.as_region_str())
    }

    fn region(&self) -> Option<Region> {
        self.as_str().parse().ok()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl E164 {
    /// The country that has the number; the main one of its country code if nobody has. None for
    /// satellites, international networks and what no country has.
    #[must_use]
    pub fn country(&self) -> Option<Country> {
        let code = i32::try_from(self.calling_code()).ok()?;
        let mut sharing = PHONE_NUMBER_UTIL.get_regions_for_country_calling_code(code)?;
        let shared = sharing.len() > 1;
        let main = Country::of(sharing.next()?);
        // Few countries share their code: most numbers need no closer look.
        let found = shared.then(|| self.likely(|n| n.get_region_code().and_then(Country::of)));
        found.flatten().or(main)
    }

    /// Its country code: 49 in `+4930123456`; 1 to 3 digits.
    #[must_use]
    pub fn calling_code(&self) -> u32 {
        let digits = self.0.trim_start_matches('+');
        digits.get(..calling_code_length(digits)).and_then(|d| d.parse().ok()).unwrap_or(0)
    }

    /// Whether calls to it cost more than the way there: premium rates and shared costs.
    #[must_use]
    pub fn is_premium(&self) -> bool {
        let kind = |number: &PhoneNumber| match number.get_type() {
            PhoneNumberType::Unknown => None,
            known => Some(known),
        };
        let dear = [PhoneNumberType::PremiumRate, PhoneNumberType::SharedCost];
        self.likely(kind).is_some_and(|kind| dear.contains(&kind))
    }

    /// As dialled within its country: digits alone, `030123456`.
    pub(super) fn national(&self) -> String {
        match self.parsed(&self.0) {
            Some(number) => only_digits(&number.format_as(PhoneNumberFormat::National)),
            None => self.digits().to_owned(),
        }
    }

    /// As dialled in another country, with that one's international prefix: `01149301...`.
    pub(super) fn as_dialled_in(&self, country: Country) -> String {
        let abroad = country.region().zip(self.parsed(&self.0)).map(|(region, number)| {
            only_digits(&number.format_out_of_country_calling_number(region))
        });
        abroad.unwrap_or_else(|| format!("00{}", self.digits()))
    }

    /// Asks about the number, or, if it has digits too many or too few, about the number that
    /// an exchange would take it for: it passes over what follows a complete number.
    fn likely<T>(&self, ask: impl Fn(&PhoneNumber) -> Option<T>) -> Option<T> {
        let asked = |text: &str| ask(&self.parsed(text)?);
        if let Some(answer) = asked(&self.0) {
            return Some(answer);
        }
        let shorter = (6..self.0.len()).rev().filter_map(|end| asked(self.0.get(..end)?));
        let longer = (1..=15_usize.saturating_sub(self.0.len()))
            .filter_map(|more| asked(&format!("{}{}", self.0, "0".repeat(more))));
        shorter.chain(longer).next()
    }

    fn parsed(&self, text: &str) -> Option<PhoneNumber> {
        PHONE_NUMBER_UTIL.parse(text, None).ok()
    }
}

/// Takes the zero out that people write as in `+49 (0) 30 123456`, and exchanges pass over;
/// where the zero belongs to the number (Italy), it stays.
pub(super) fn without_trunk_zero(global: String) -> String {
    if global.as_bytes().get(calling_code_length(&global)) != Some(&b'0') {
        return global;
    }
    match PHONE_NUMBER_UTIL.parse(format!("+{global}"), None) {
        Ok(number) => digits(&number),
        Err(_) => global,
    }
}

/// How many digits of the number are its country code (ITU-T E.164 §6.2.1: no code begins another).
fn calling_code_length(digits: &str) -> usize {
    match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        [b'2', b'0' | b'7', ..]
        | [b'3', b'0'..=b'4' | b'6' | b'9', ..]
        | [b'4', b'0' | b'1' | b'3'..=b'9', ..]
        | [b'5', b'1'..=b'8', ..]
        | [b'6', b'0'..=b'6', ..]
        | [b'8', b'1' | b'2' | b'4' | b'6', ..]
        | [b'9', b'0'..=b'5' | b'8', ..] => 2,
        _ => 3,
    }
}

fn digits(number: &PhoneNumber) -> String {
    only_digits(&number.format_as(PhoneNumberFormat::E164))
}

fn only_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> E164 {
        E164::normalise(text).unwrap()
    }

    fn country(iso: &str) -> Country {
        Country::new(iso).unwrap()
    }

    #[test]
    fn a_country_is_one_that_has_telephone_numbers() {
        assert_eq!((country("DE").calling_code(), country("us").calling_code()), (49, 1));
        for nowhere in ["", "D", "DEU", "XX", "001", "0a", "ÄÖ"] {
            assert_eq!(Country::new(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn every_country_code_has_the_length_that_the_plan_gives_it() {
        for code in PHONE_NUMBER_UTIL.get_supported_calling_codes() {
            let code = code.to_string();
            assert_eq!(calling_code_length(&format!("{code}5550100")), code.len(), "{code}");
        }
    }

    #[test]
    fn a_number_has_the_country_that_it_is_in_and_not_only_its_code() {
        for (text, expected) in [
            ("+4930123456", Some("DE")),
            ("+12125550100", Some("US")),
            ("+18765551234", Some("JM")),
            ("+390212345678", Some("IT")),
            ("+74951234567", Some("RU")),
            ("+77172123456", Some("KZ")),
            ("+881612345678", None),
        ] {
            let found = number(text).country().map(|country| country.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        assert_eq!(number("+15550100").country(), Some(country("US")), "nobody's: the main one");
    }

    #[test]
    fn digits_after_a_complete_number_hide_neither_its_country_nor_its_price() {
        assert_eq!(number("+187655512349999").country(), Some(country("JM")));
        for premium in ["+4990011234567", "+499001123456", "+49900112345", "+19005551234"] {
            assert!(number(premium).is_premium(), "{premium}");
        }
        for fair in ["+4930123456", "+491711234567", "+12125550100", "+498001234567", "+15550100"] {
            assert!(!number(fair).is_premium(), "{fair}");
        }
    }

    #[test]
    fn a_zero_that_exchanges_pass_over_is_taken_out_and_one_that_counts_is_not() {
        assert_eq!(number("+49 (0)30 123456").as_str(), "+4930123456");
        assert_eq!(number("+44 (0)20 7946 0018").as_str(), "+442079460018");
        assert_eq!(number("+39 02 1234567").as_str(), "+39021234567");
    }

    #[test]
    fn a_number_is_written_as_dialled_at_home_and_abroad() {
        let berlin = number("+4930123456");
        assert_eq!(berlin.national(), "030123456");
        assert_eq!(berlin.as_dialled_in(country("US")), "0114930123456");
        assert_eq!(berlin.as_dialled_in(country("AT")), "004930123456");
        assert_eq!(number("+12125550100").national(), "2125550100");
    }
}
