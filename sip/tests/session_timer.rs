//! Session timers, both roles (RFC 4028).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use base::Instant;
use sip::header::{MinSe, SessionExpires};
use sip::{
    Message, Name, Request, Response, SessionTimer, SessionTimerConfig, SessionTimerError,
    SessionTimerOutput, StatusCode,
};
use support::*;

fn timer() -> SessionTimer {
    SessionTimer::new(SessionTimerConfig::default())
}

fn request(lines: &str) -> Message {
    let text = peer_request("INVITE", "z9hG4bK1", 7, "");
    Message::parse(text.replace("Max-F", &format!("{lines}Max-F")).into()).unwrap()
}

fn answer(status: u16, lines: &str) -> Message {
    let mut bench = Bench::new();
    bench.request(udp(), invite());
    let text = peer_response(bench.last(), status, "t");
    Message::parse(text.replace("Content-L", &format!("{lines}Content-L")).into()).unwrap()
}

/// The 2xx to that request.
fn granted(timer: &mut SessionTimer, lines: &str) -> Response {
    let granted = timer.on_request(&request(lines)).unwrap();
    timer.grant(at(0), granted, Response::new(StatusCode::OK))
}

/// When what happens, up to that second.
fn run(timer: &mut SessionTimer, end: u64) -> Vec<(u64, SessionTimerOutput)> {
    let mut all = Vec::new();
    while let Some(next) = timer.poll_timeout().filter(|next| *next <= at(end * 1000)) {
        timer.handle_timeout(next);
        while let Some(output) = timer.poll_output() {
            all.push((next.since(Instant::ZERO).as_secs(), output));
        }
    }
    all
}

#[test]
fn we_refresh_at_half_time_with_what_the_peer_takes_and_hang_up_when_nothing_helps() {
    for (allow, update) in [("", false), ("Allow: INVITE, UPDATE\r\n", true)] {
        let mut timer = timer();
        let sent = timer.put(invite());
        assert_eq!(sent.get(Name::SESSION_EXPIRES), Some("1800"));
        assert_eq!(sent.get(Name::SUPPORTED), Some("timer"));
        let lines = format!("{allow}Session-Expires: 1800;refresher=uac\r\n");
        timer.on_success(at(0), &answer(200, &lines));
        assert_eq!(timer.agreed(), Some((1800, true)));
        let refresh = SessionTimerOutput::Refresh { update };
        let all = run(&mut timer, 10_000);
        assert_eq!(all, [(900, refresh), (1_768, SessionTimerOutput::Expired)]);
    }
}

#[test]
fn a_refresh_that_succeeds_starts_the_time_anew_and_keeps_the_roles() {
    let mut timer = timer();
    timer.on_success(at(0), &answer(200, "Session-Expires: 600;refresher=uac\r\n"));
    assert_eq!(run(&mut timer, 400).len(), 1);
    let again = timer.put(invite());
    assert_eq!(again.get(Name::SESSION_EXPIRES), Some("600;refresher=uac"));
    timer.on_success(at(301_000), &answer(200, "Session-Expires: 600;refresher=uac\r\n"));
    let all = run(&mut timer, 860);
    assert_eq!(all, [(601, SessionTimerOutput::Refresh { update: false })]);
    timer.retry(at(601_000), seconds(3));
    assert_eq!(run(&mut timer, 700)[0].0, 604, "a refresh refused with 491 is tried again");
}

#[test]
fn a_peer_that_is_to_refresh_and_does_not_is_hung_up_on_before_the_end() {
    let mut timer = timer();
    let lines = "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n";
    let response = granted(&mut timer, lines);
    assert_eq!(response.get(Name::SESSION_EXPIRES), Some("90;refresher=uac"));
    assert_eq!(response.get(Name::REQUIRE), Some("timer"));
    assert_eq!(timer.agreed(), Some((90, false)));
    let again = timer.put(invite());
    assert_eq!(again.get(Name::SESSION_EXPIRES), Some("90;refresher=uas"), "a hold of ours");
    assert_eq!(run(&mut timer, 10_000), [(60, SessionTimerOutput::Expired)]);
    let response = granted(&mut timer, lines);
    assert!(response.refused().is_none());
    assert_eq!(run(&mut timer, 59), [], "a refresh of theirs starts it anew");
}

#[test]
fn too_short_an_interval_is_refused_with_the_least_we_take() {
    let config = SessionTimerConfig { least: MinSe(300), ..SessionTimerConfig::default() };
    let mut timer = SessionTimer::new(config);
    let short = "Supported: timer\r\nSession-Expires: 299\r\n";
    let refused = timer.on_request(&request(short)).unwrap_err();
    assert!(matches!(refused, SessionTimerError::TooSmall(_)));
    assert_eq!(refused.response().status(), StatusCode::SESSION_INTERVAL_TOO_SMALL);
    assert_eq!(refused.response().get(Name::MIN_SE), Some("300"));
    // One that does not know timers would not know what a 422 is: a proxy asked for it.
    let response = granted(&mut timer, "Session-Expires: 120\r\n");
    assert_eq!(response.get(Name::SESSION_EXPIRES), Some("120;refresher=uas"));
    let broken = timer.on_request(&request("Session-Expires: soon\r\n")).unwrap_err();
    assert_eq!(broken.response().status(), StatusCode::BAD_REQUEST);
}

#[test]
fn a_422_raises_our_interval_and_is_not_followed_for_ever() {
    let mut timer = SessionTimer::new(SessionTimerConfig { interval: 90, ..Default::default() });
    let mut told = Vec::new();
    for least in [200, 150, 300, 400, 500, 600] {
        let again = timer.on_too_small(&answer(422, &format!("Min-SE: {least}\r\n")));
        let sent: Request = timer.put(invite());
        told.push((again, sent.get(Name::SESSION_EXPIRES).unwrap().to_owned()));
    }
    let again: Vec<_> = told.iter().map(|(again, _)| *again).collect();
    assert_eq!(again, [true, false, true, true, true, false]);
    assert_eq!(told[0].1, "200");
    assert_eq!(timer.put(invite()).get(Name::MIN_SE), Some("600"));
    assert!(!timer.on_too_small(&answer(422, "")), "without Min-SE there is nothing to do");
}

#[test]
fn who_refreshes_is_as_in_table_2() {
    for (lines, expected, require) in [
        ("Session-Expires: 1800\r\n", Some("1800;refresher=uas"), None),
        ("k: timer\r\nSession-Expires: 4000\r\n", Some("1800;refresher=uac"), Some("timer")),
        ("k: timer\r\nx: 1800;refresher=uas\r\n", Some("1800;refresher=uas"), None),
        ("k: timer\r\nx: 4000\r\nMin-SE: 2000\r\n", Some("2000;refresher=uac"), Some("timer")),
        ("k: timer\r\n", Some("1800;refresher=uas"), None),
        ("", None, None),
    ] {
        let response = granted(&mut timer(), lines);
        assert_eq!(response.get(Name::SESSION_EXPIRES), expected, "{lines}");
        assert_eq!(response.get(Name::REQUIRE), require, "{lines}");
    }
}

#[test]
fn a_peer_without_timers_has_none_unless_we_want_to_know_that_it_lives() {
    let mut plain = timer();
    plain.on_success(at(0), &answer(200, ""));
    assert_eq!(plain.poll_timeout(), None);
    let mut alone = SessionTimer::new(SessionTimerConfig { alone: true, ..Default::default() });
    alone.on_success(at(0), &answer(200, ""));
    assert_eq!(run(&mut alone, 1_000)[0].0, 900);
    let response = granted(&mut alone, "");
    let expires = SessionExpires::parse(response.get(Name::SESSION_EXPIRES).unwrap()).unwrap();
    assert_eq!(expires.to_string(), "1800;refresher=uas");
}

#[test]
fn no_number_a_peer_can_send_breaks_the_clock() {
    for lines in ["0", "1", "4294967295", "99999999999999999999"] {
        let mut timer = timer();
        timer.on_success(at(0), &answer(200, &format!("x: {lines};refresher=uac\r\n")));
        assert!(timer.poll_timeout().unwrap() >= at(45_000), "{lines}");
        _ = granted(&mut timer, &format!("Session-Expires: {lines}\r\nMin-SE: {lines}\r\n"));
        assert!(timer.poll_timeout().unwrap() >= at(45_000), "{lines}");
    }
}
