//! Numbers on their way through a trunk: its rules, its country and the form it wants.

use super::{E164, NumberError, Written};
use crate::{Country, Destination, Direction, NumberFormat, NumberPlace, NumberRule, Trunk};

/// Reads the number that a trunk calls, as the trunk writes it: its inbound rules, then its country.
///
/// # Errors
/// When it is no number.
pub fn read_called(trunk: &Trunk, text: &str) -> Result<E164, NumberError> {
    read(trunk, NumberPlace::Called, text)
}

/// Reads the number that calls over a trunk, as the trunk writes it.
///
/// # Errors
/// When it is no number.
pub fn read_caller(trunk: &Trunk, text: &str) -> Result<E164, NumberError> {
    read(trunk, NumberPlace::Caller, text)
}

/// The called number as a trunk wants it: its form, then its outbound rules.
#[must_use]
pub fn called_for(trunk: &Trunk, to: &Destination) -> String {
    let text = match to {
        Destination::Number(number) => formatted(trunk, number),
        Destination::ShortCode(digits) | Destination::Emergency(digits) => digits.to_string(),
    };
    changed(trunk, Direction::Outbound, NumberPlace::Called, text)
}

/// The calling number as a trunk wants it: its form, then its outbound rules.
#[must_use]
pub fn caller_for(trunk: &Trunk, caller: &E164) -> String {
    changed(trunk, Direction::Outbound, NumberPlace::Caller, formatted(trunk, caller))
}

fn read(trunk: &Trunk, which: NumberPlace, text: &str) -> Result<E164, NumberError> {
    let country = match trunk.format {
        NumberFormat::Plain => None,
        _ => trunk.country.as_deref().and_then(Country::new),
    };
    let written = Written::read(text);
    let number = written.number()?;
    let plain = match (&number.context, number.global) {
        (_, true) => format!("+{}", number.digits),
        (Some(context), false) => format!("+{context}{}", number.digits),
        (None, false) => number.digits.clone(),
    };
    match rule(trunk, Direction::Inbound, which, &plain) {
        Some(rule) => E164::normalise_in(&rule.applied(&plain), country),
        None => E164::of_written(&written, country),
    }
}

fn formatted(trunk: &Trunk, number: &E164) -> String {
    let country = trunk.country.as_deref().and_then(Country::new);
    match (trunk.format, country) {
        (NumberFormat::E164, _) => number.as_str().to_owned(),
        (NumberFormat::Plain, _) => number.digits().to_owned(),
        (NumberFormat::National, Some(home)) if home.calling_code() == number.calling_code() => {
            number.national()
        }
        (NumberFormat::National, Some(home)) => number.as_dialled_in(home),
        (NumberFormat::National, None) | (NumberFormat::International00, _) => {
            format!("00{}", number.digits())
        }
    }
}

fn changed(trunk: &Trunk, direction: Direction, which: NumberPlace, text: String) -> String {
    match rule(trunk, direction, which, &text) {
        Some(rule) => rule.applied(&text),
        None => text,
    }
}

/// The first of its rules that fits.
fn rule<'a>(
    trunk: &'a Trunk,
    direction: Direction,
    which: NumberPlace,
    text: &str,
) -> Option<&'a NumberRule> {
    let fits = |rule: &&NumberRule| {
        rule.direction == direction && rule.which == which && text.starts_with(&rule.prefix)
    };
    trunk.numbers.iter().find(fits)
}

impl NumberRule {
    /// The text without its first `strip` characters and with `prepend` in front.
    fn applied(&self, text: &str) -> String {
        let rest = text.get(usize::from(self.strip)..).unwrap_or("");
        format!("{}{rest}", self.prepend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunk(toml: &str) -> Trunk {
        toml::from_str(&format!("id = \"carrier\"\n{toml}")).unwrap()
    }

    fn to(number: &str) -> Destination {
        Destination::Number(E164::normalise(number).unwrap())
    }

    #[test]
    fn a_number_goes_out_in_the_form_that_the_trunk_wants() {
        let forms = |number: &str| {
            ["e164", "plain", "national", "international00"].map(|format| {
                called_for(&trunk(&format!("country = \"DE\"\nformat = \"{format}\"")), &to(number))
            })
        };
        assert_eq!(
            forms("+4930123456"),
            ["+4930123456", "4930123456", "030123456", "004930123456"]
        );
        assert_eq!(forms("+4312345678")[2], "004312345678");
        let us = trunk("country = \"US\"\nformat = \"national\"");
        assert_eq!(called_for(&us, &to("+4930123456")), "0114930123456");
        assert_eq!(caller_for(&us, &E164::normalise("+12125550100").unwrap()), "2125550100");
    }

    #[test]
    fn of_the_rules_for_a_number_the_first_that_fits_is_applied_after_the_form() {
        let trunk = trunk(
            r#"format = "plain"
            numbers = [
                { direction = "inbound", which = "called", prefix = "1", prepend = "9" },
                { direction = "outbound", which = "caller", prepend = "7" },
                { direction = "outbound", which = "called", prefix = "49",
                  strip = 2, prepend = "0" },
                { direction = "outbound", which = "called", prepend = "00" },
            ]"#,
        );
        assert_eq!(called_for(&trunk, &to("+4930123456")), "030123456");
        assert_eq!(called_for(&trunk, &to("+15550100")), "0015550100");
        assert_eq!(called_for(&trunk, &Destination::Emergency("112".into())), "00112");
        assert_eq!(caller_for(&trunk, &E164::normalise("+15550100").unwrap()), "715550100");
    }

    #[test]
    fn what_a_trunk_sends_is_read_by_its_rules_and_in_its_country() {
        let german = trunk(
            r#"country = "DE"
            numbers = [
                { direction = "inbound", which = "called", prefix = "49", prepend = "+" },
            ]"#,
        );
        for text in ["030123456", "4930123456", "+4930123456", "tel:30123456;phone-context=+49"] {
            assert_eq!(read_called(&german, text).unwrap().as_str(), "+4930123456", "{text}");
        }
        assert_eq!(read_caller(&german, "0171 1234567").unwrap().as_str(), "+491711234567");
        let plain = trunk("country = \"DE\"\nformat = \"plain\"");
        assert_eq!(read_called(&plain, "43123456").unwrap().as_str(), "+43123456");
        assert_eq!(read_called(&trunk(""), "030123"), Err(NumberError::National));
    }

    #[test]
    fn a_rule_that_takes_off_more_than_there_is_leaves_what_it_puts_in_front() {
        let rule = NumberRule {
            direction: Direction::Inbound,
            which: NumberPlace::Called,
            prefix: String::new(),
            strip: 9,
            prepend: "112".to_owned(),
        };
        assert_eq!(rule.applied("0815"), "112");
    }
}
