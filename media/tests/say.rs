//! What is said, word by word, and that the voices we ship know every word of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use media::say::{Currency, Language, MAX, Utterance, Voice};

fn said(language: Language, what: &Utterance) -> String {
    what.fragments(language).join(" ")
}

fn english(what: &Utterance) -> String {
    said(Language::English, what)
}

fn german(what: &Utterance) -> String {
    said(Language::German, what)
}

#[test]
fn english_numbers_are_said_in_groups_with_and_before_the_last_part() {
    let number = |n| english(&Utterance::Number(n));
    assert_eq!(number(0), "0");
    assert_eq!(number(21), "21");
    assert_eq!(number(100), "1 hundred");
    assert_eq!(number(342), "3 hundred and 42");
    assert_eq!(number(1000), "1 thousand");
    assert_eq!(number(1005), "1 thousand and 5");
    assert_eq!(number(1100), "1 thousand 1 hundred");
    assert_eq!(number(-2_015_007), "minus 2 million 15 thousand and 7");
    assert_eq!(number(1_000_000_001), "1 billion and 1");
    assert_eq!(number(123_456), "1 hundred and 23 thousand 4 hundred and 56");
}

#[test]
fn german_ones_are_ein_eine_or_eins_by_what_follows() {
    let number = |n| german(&Utterance::Number(n));
    assert_eq!(number(1), "1");
    assert_eq!(number(101), "ein hundert 1");
    assert_eq!(number(1001), "ein tausend 1");
    assert_eq!(number(21_000), "21 tausend");
    assert_eq!(number(201_000), "2 hundert ein tausend");
    assert_eq!(number(1_000_000), "eine million");
    assert_eq!(number(2_015_007), "2 millionen 15 tausend 7");
    assert_eq!(number(-3_000_000_000), "minus 3 milliarden");
}

#[test]
fn a_number_beyond_words_is_said_digit_by_digit() {
    assert_eq!(
        english(&Utterance::Number(MAX + 1)),
        "1 0 0 pause 0 0 0 pause 0 0 0 pause 0 0 0 pause 0"
    );
    assert!(english(&Utterance::Number(i64::MIN)).starts_with("9 2 2 pause 3"));
}

#[test]
fn a_telephone_number_is_said_in_groups_of_three() {
    let number = Utterance::Digits("+49 30 1234-5*#".to_owned());
    assert_eq!(english(&number), "plus 4 9 pause 3 0 1 pause 2 3 4 pause 5 star hash");
}

#[test]
fn amounts_are_said_in_the_currencys_own_words() {
    let money = |text: &str| Utterance::money(text).unwrap();
    assert_eq!(english(&money("12.50 EUR")), "12 euros and 50 cents");
    assert_eq!(english(&money("1.01 gbp")), "1 pound and 1 penny");
    assert_eq!(english(&money("-0.05 USD")), "minus 5 cents");
    assert_eq!(english(&money("0 USD")), "0 dollars");
    assert_eq!(german(&money("1.00 EUR")), "ein euro");
    assert_eq!(german(&money("12.05 EUR")), "12 euro 5");
    assert_eq!(german(&money("0.01 GBP")), "ein pence");
    let huge = Utterance::Money { hundredths: i64::MIN, currency: Currency::Euro };
    assert!(!huge.fragments(Language::German).is_empty());
    for wrong in ["12,50 EUR", "12.5 EUR", "12.50", "12.50 XYZ", " EUR", "1000000000000 EUR"] {
        assert!(Utterance::money(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn dates_and_years_are_said_as_people_say_them() {
    let date = |text: &str| Utterance::date(text).unwrap();
    assert_eq!(english(&date("2026-07-14")), "july 14th 20 26");
    assert_eq!(english(&date("1905-03-01")), "march 1st 19 oh 5");
    assert_eq!(english(&date("2007-12-31")), "december 31st 2 thousand and 7");
    assert_eq!(english(&date("1900-01-02")), "january 2nd 19 hundred");
    assert_eq!(english(&date("2000-02-29")), "february 29th 2 thousand");
    assert_eq!(german(&date("1984-07-03")), "3rd july 19 hundert 84");
    assert_eq!(german(&date("2026-07-21")), "21st july 2 tausend 26");
    let birthday = Utterance::Date { year: None, month: 5, day: 4 };
    assert_eq!(english(&birthday), "may 4th");
    for wrong in ["2026-02-29", "2026-13-01", "2026-04-31", "26/07/14", "2026-07", "2026-07-01-1"] {
        assert!(Utterance::date(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn times_are_said_on_the_clock_of_the_language() {
    let time = |text: &str| Utterance::time(text).unwrap();
    assert_eq!(english(&time("15:05")), "3 oh 5 pm");
    assert_eq!(english(&time("00:00")), "12 am");
    assert_eq!(english(&time("12:30")), "12 30 pm");
    assert_eq!(german(&time("15:05")), "15 uhr 5");
    assert_eq!(german(&time("01:00")), "ein uhr");
    assert_eq!(german(&Utterance::Minutes(1)), "eine minute");
    assert_eq!(english(&Utterance::Minutes(12)), "12 minutes");
    for wrong in ["24:00", "9", "12:60", "-1:00"] {
        assert!(Utterance::time(wrong).is_err(), "{wrong}");
    }
}

fn voice(language: Language) -> Voice {
    let (index, audio) = match language {
        Language::English => {
            let audio: &[u8] = include_bytes!("../../fixtures/say/en.ulaw");
            (include_str!("../../fixtures/say/en.tsv"), audio)
        }
        Language::German => {
            let audio: &[u8] = include_bytes!("../../fixtures/say/de.ulaw");
            (include_str!("../../fixtures/say/de.tsv"), audio)
        }
    };
    Voice::read(index, audio).unwrap()
}

#[test]
fn the_voices_know_every_fragment_that_their_grammar_can_ask_for() {
    for language in Language::ALL {
        let voice = voice(language);
        for fragment in language.fragments() {
            let prompt =
                voice.fragment(fragment).unwrap_or_else(|| panic!("{language:?} {fragment}"));
            let millis = prompt.duration().as_millis();
            assert!((80..2000).contains(&millis), "{language:?} {fragment}: {millis} ms");
        }
        let known: std::collections::BTreeSet<_> = language.fragments().collect();
        let asked = (-1100..130_000)
            .step_by(37)
            .map(Utterance::Number)
            .chain((0..24).map(|hour| Utterance::Time { hour, minute: hour }))
            .chain((0..=9999).step_by(7).map(|year| Utterance::Date {
                year: Some(year),
                month: (year % 12) as u8 + 1,
                day: (year % 28) as u8 + 1,
            }))
            .chain([Utterance::Digits("+0123456789*#".to_owned()), Utterance::Minutes(1)]);
        for utterance in asked {
            for fragment in utterance.fragments(language) {
                assert!(known.contains(fragment), "{language:?} {utterance:?}: {fragment}");
            }
        }
    }
}

#[test]
fn an_index_that_does_not_fit_its_audio_is_refused_with_the_place() {
    assert_eq!(Voice::read("one\t0", &[0; 8]).unwrap_err().to_string().split('`').count(), 3);
    assert!(Voice::read("one\t4\t5\n", &[0; 8]).unwrap_err().to_string().contains("\"one\""));
    assert!(Voice::read(&format!("one\t{}\t2\n", usize::MAX), &[0; 8]).is_err());
}
