//! Guessing and flooding: what is slowed down, and who never is.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

use base::Instant;
use sip::{Pace, Patience, Source, Throttle};

fn source(text: &str) -> Source {
    Source::of(text.parse().unwrap())
}

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

#[test]
fn a_source_may_send_its_burst_and_then_its_pace() {
    let mut pace = Pace::new(10, 50, 100);
    let flood = source("198.51.100.7");
    let passed = (0..500).filter(|_| pace.allows(at(1), &flood)).count();
    assert_eq!(passed, 50);
    let passed = (0..500).filter(|_| pace.allows(at(2), &flood)).count();
    assert_eq!(passed, 10);
    assert!(pace.allows(at(2), &source("198.51.100.8")), "the neighbour is not slowed down");
}

#[test]
fn one_customers_64_bits_of_addresses_are_one_source_and_a_mapped_address_is_ipv4() {
    assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::9"));
    assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
    assert_eq!(source("::ffff:198.51.100.7"), source("198.51.100.7"));
}

#[test]
fn however_many_sources_there_are_the_tables_stay_bounded() {
    let mut pace = Pace::new(1, 2, 1000);
    let mut throttle = Throttle::new(1000);
    for n in 0..50_000_u32 {
        let from = Source::of(std::net::Ipv4Addr::from(n).into());
        pace.allows(at(1), &from);
        throttle.failed(at(1), from, "alice");
        throttle.succeeded(at(1), from, "bob");
    }
    assert!(pace.len() <= 1000 && throttle.len() <= 3000);
}

#[test]
fn the_fifth_wrong_password_in_a_row_is_the_last_that_is_looked_at_for_12_s() {
    let mut throttle = Throttle::new(100);
    let from = source("198.51.100.7");
    for _ in 0..5 {
        assert_eq!(throttle.verdict(at(1), from, "alice"), Patience::Check);
        throttle.failed(at(1), from, "alice");
    }
    assert_eq!(throttle.verdict(at(1), from, "alice"), Patience::Challenge);
    assert_eq!(throttle.verdict(at(12), from, "alice"), Patience::Challenge);
    assert_eq!(throttle.verdict(at(13), from, "alice"), Patience::Check);
    assert_eq!(throttle.verdict(at(1), from, "bob"), Patience::Check);
}

#[test]
fn a_source_that_tries_every_name_is_met_with_silence_but_each_user_has_one_go() {
    let mut throttle = Throttle::new(100);
    let from = source("198.51.100.7");
    for n in 0..30 {
        throttle.failed(at(1), from, &format!("agent-{n}"));
    }
    assert!(throttle.is_exhausted(at(1), from));
    assert_eq!(throttle.verdict(at(1), from, "agent-7"), Patience::Silence);
    assert_eq!(throttle.verdict(at(1), from, "alice"), Patience::Check);
    throttle.failed(at(1), from, "alice");
    assert_eq!(throttle.verdict(at(1), from, "alice"), Patience::Silence);
}

#[test]
fn a_user_who_was_right_from_there_is_never_locked_out() {
    let mut throttle = Throttle::new(100);
    let from = source("198.51.100.7");
    throttle.succeeded(at(1), from, "alice");
    for _ in 0..10_000 {
        throttle.failed(at(2), from, "alice");
    }
    assert_eq!(throttle.verdict(at(2), from, "alice"), Patience::Check);
    assert!(throttle.knows(at(2), from));
    assert_eq!(throttle.verdict(at(3 * 86_400), source("198.51.100.8"), "alice"), Patience::Check);
}

/// A day of a botnet: every source guesses at alice once a second, and at other names too.
#[test]
fn a_distributed_guess_is_slowed_source_by_source_and_alice_gets_in_from_home_and_from_anywhere() {
    let mut throttle = Throttle::new(2_000);
    let home = source("192.0.2.10");
    throttle.succeeded(at(0), home, "alice");
    let bots: Vec<_> = (0..500_u32)
        .map(|n| Source::of(std::net::Ipv4Addr::from(0x0a00_0000 + n).into()))
        .collect();
    let mut looked_at = vec![0_u32; bots.len()];
    let minutes = 10;
    for second in 1..60 * minutes {
        for (bot, looked) in bots.iter().zip(&mut looked_at) {
            if throttle.verdict(at(second), *bot, "alice") == Patience::Check {
                *looked += 1;
                throttle.failed(at(second), *bot, "alice");
            }
        }
        assert_eq!(throttle.verdict(at(second), home, "alice"), Patience::Check);
        let elsewhere = Source::of(std::net::Ipv4Addr::from(0xc633_6400 + second as u32).into());
        assert_eq!(throttle.verdict(at(second), elsewhere, "alice"), Patience::Check, "roaming");
    }
    let most = 5 + u32::try_from(60 * minutes / 12).unwrap();
    assert!(looked_at.iter().all(|looked| *looked <= most), "{:?}", looked_at.iter().max());
    assert!(throttle.len() <= 6_000);
}
