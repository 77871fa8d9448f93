//! The watch over conversations: a far end that should be heard and is not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use media::{Codec, Command, Direction, Event, RemoteMedia};
use rig::{A, B, Rig, far, remote};

fn audio(n: u16) -> media::rtp::Header {
    rig::audio(n, u32::from(n) * 160)
}

/// Both talk, a packet each 20 ms, for so long; `b` only if it is not silent.
fn talk(rig: &mut Rig, from: u16, millis: u64, b_talks: bool) -> u16 {
    let packets = (millis / 20) as u16;
    for n in from..from + packets {
        rig.rtp(A, audio(n), &[0x55; 160]);
        if b_talks {
            rig.rtp(B, audio(n), &[0x55; 160]);
        }
        rig.millis(20);
    }
    from + packets
}

fn told(rig: &mut Rig) -> Vec<Event> {
    let mut events = rig.take_events();
    events.retain(|event| matches!(event, Event::Unheard { .. } | Event::HeardAgain { .. }));
    events
}

#[test]
fn a_far_end_that_stops_is_told_at_3_and_at_5_seconds_and_once_when_it_is_heard_again() {
    let mut rig = Rig::pair(Codec::Pcma);
    rig.order(Command::Bridge { a: A, b: B });
    let at = talk(&mut rig, 0, 10_000, true);
    assert_eq!(told(&mut rig), [], "both are heard");
    let at = talk(&mut rig, at, 3_300, false);
    let events = told(&mut rig);
    let [Event::Unheard { stream: B, quiet, heard: true }] = events[..] else {
        panic!("{events:?}")
    };
    assert!((3000..3300).contains(&quiet.as_millis()), "{quiet:?}");
    let at = talk(&mut rig, at, 10_000, false);
    let events = told(&mut rig);
    let [Event::Unheard { stream: B, quiet, heard: true }] = events[..] else {
        panic!("{events:?}")
    };
    assert!((5000..5600).contains(&quiet.as_millis()), "{quiet:?}");
    let at = talk(&mut rig, at, 2_000, true);
    assert_eq!(told(&mut rig), [Event::HeardAgain { stream: B }]);
    talk(&mut rig, at, 10_000, true);
    assert_eq!(told(&mut rig), []);
}

#[test]
fn who_holds_who_may_be_silent_and_who_is_alone_are_not_missed() {
    let silent = |change: &dyn Fn(RemoteMedia) -> RemoteMedia, joined: bool| {
        let mut rig = Rig::pair(Codec::Pcma);
        let remote = change(remote(B, Codec::Pcma));
        rig.order(Command::SetRemote { stream: B, remote, srtp: None });
        if joined {
            rig.order(Command::Bridge { a: A, b: B });
        }
        talk(&mut rig, 0, 8_000, false);
        told(&mut rig).len()
    };
    assert_eq!(silent(&|remote| remote, true), 2);
    assert_eq!(silent(&|remote| remote, false), 0);
    assert_eq!(silent(&|r| RemoteMedia { direction: Direction::RecvOnly, ..r }, true), 0);
    assert_eq!(silent(&|r| RemoteMedia { comfort_noise: Some(13), ..r }, true), 0);
}

#[test]
fn a_far_end_that_went_to_another_port_is_found_there_after_relatch() {
    let mut rig = Rig::pair(Codec::Pcma);
    rig.order(Command::Bridge { a: A, b: B });
    let at = talk(&mut rig, 0, 1_000, true);
    let moved = std::net::SocketAddr::new(far(B).ip(), far(B).port() + 200);
    let stranger: std::net::SocketAddr = "203.0.113.66:5000".parse().unwrap();
    let other = |n: u16| media::rtp::Header { ssrc: 0xbeef, ..audio(n) };
    talk(&mut rig, at, 3_200, false);
    for n in 0..20 {
        assert!(rig.rtp_from(B, moved, other(n), &[0x55; 160]).is_empty(), "another SSRC");
        rig.millis(20);
    }
    rig.order(Command::Relatch { stream: B });
    for n in 20..40 {
        assert!(rig.rtp_from(B, stranger, other(n), &[0x55; 160]).is_empty(), "a stranger");
        rig.millis(20);
    }
    let mut heard = 0;
    for n in 40..60 {
        heard += usize::from(!rig.rtp_from(B, moved, other(n), &[0x55; 160]).is_empty());
        rig.millis(20);
    }
    assert!(heard >= 16, "{heard} packets from the new port were passed on");
    rig.millis(800);
    assert!(told(&mut rig).contains(&Event::HeardAgain { stream: B }));
}
