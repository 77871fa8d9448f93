//! Pages in bad networks: what is lost and comes late, browsers that move, and ICE that begins
//! anew. That both hear each other is told by what they hear.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::pages::{AGENT_HZ, CALLER_HZ, stage_with};
use crate::parts::LIMIT;
use crate::path::Path;
use crate::strowger::{ACME, Setup};

/// A handshake and a call while of 100 packets so many are lost each way, and all come up to so
/// much late.
fn talks_over(name: &str, loss: u64, jitter_ms: u64) {
    let path = Path::new();
    let stage = stage_with(name, Setup { config: path.config(), ..Setup::default() });
    let page = stage.registered("jssip");
    path.is_bad(loss, jitter_ms);
    let (mut carrier, mut dialog) = stage.caller();
    page.tells("ringing", 1);
    page.does("answer", json!([]));
    stage.both_hear((&carrier, &page), 3.0);
    // For as long as consent would take to be lost.
    let until = Instant::now() + Duration::from_secs(31);
    while Instant::now() < until {
        stage.both_hear((&carrier, &page), 1.0);
    }
    let (passed, lost) = path.counts();
    let share = 100 * lost / (passed + lost);
    assert!(passed > 2_000 && share.abs_diff(loss) < 4, "{passed} passed, {lost} lost");
    let types = stage.server.event_types(ACME, &stage.call());
    assert!(types.iter().all(|kind| kind != "call.agent_lost"), "{types:?}");
    carrier.hangs_up(&mut dialog);
    assert_eq!(stage.server.ended_calls(ACME, 1, LIMIT)[0]["cause"], "normal");
}

#[test]
fn a_page_talks_while_a_tenth_is_lost_and_some_comes_thirty_milliseconds_late() {
    talks_over("page-loss-10", 10, 30);
}

#[test]
fn a_page_talks_while_a_fifth_is_lost_and_some_comes_sixty_milliseconds_late() {
    talks_over("page-loss-20", 20, 60);
}

/// In mid-call the browser's address changes, several times, without a word from the page.
#[test]
fn a_page_whose_address_changes_in_mid_call_is_heard_and_hears_again() {
    let path = Path::new();
    let setup = Setup { config: path.config(), ..Setup::default() };
    let stage = stage_with("page-moves", setup);
    let page = stage.registered("jssip");
    let (mut carrier, mut dialog) = stage.talking(&page);
    for _ in 0..4 {
        let moved = Instant::now();
        path.moves();
        stage.both_hear((&carrier, &page), 0.5);
        eprintln!("heard again after {:?}", moved.elapsed());
    }
    let types = stage.server.event_types(ACME, &stage.call());
    assert!(types.iter().all(|kind| kind != "call.agent_lost"), "{types:?}");
    carrier.hangs_up(&mut dialog);
    assert_eq!(stage.server.ended_calls(ACME, 1, LIMIT)[0]["cause"], "normal");
}

/// The page restarts ICE, as libraries do when a network changes; at the same time it does change.
fn restarts_ice(library: &str) {
    let path = Path::new();
    let setup = Setup { config: path.config(), ..Setup::default() };
    let stage = stage_with(&format!("page-restarts-{library}"), setup);
    let page = stage.registered(library);
    let (mut carrier, mut dialog) = stage.talking(&page);
    let mut before = page.does("fragments", json!([]));
    for moves in [false, true] {
        if moves {
            path.moves();
        }
        page.does("restart", json!([]));
        stage.both_hear((&carrier, &page), 1.0);
        let after = page.does("fragments", json!([]));
        assert!(after[0] != before[0] && after[1] != before[1], "{before} {after}");
        before = after;
    }
    carrier.hangs_up(&mut dialog);
    assert_eq!(stage.server.ended_calls(ACME, 1, LIMIT)[0]["cause"], "normal");
}

#[test]
fn jssip_restarts_ice_in_mid_call_and_both_hear_each_other() {
    restarts_ice("jssip");
}

#[test]
fn sipjs_restarts_ice_in_mid_call_and_both_hear_each_other() {
    restarts_ice("sipjs");
}

/// Of several workers it is not always the one whose leg it is that the kernel gives a browser's
/// packets to.
#[test]
fn with_several_workers_all_pages_come_in_by_one_port() {
    let rtp = "[rtp]\nports = \"0\"\naddress = \"127.0.0.1\"\nworkers = 4\n".to_owned();
    let setup = Setup { rtp: Some(rtp), ..Setup::default() };
    let stage = stage_with("page-workers", setup);
    let page = stage.registered("jssip");
    for call in 1..=4 {
        let (mut carrier, mut dialog) = stage.talking_again(&page, call);
        page.does("hold", json!([]));
        page.tells("hold local", call);
        page.does("resume", json!([]));
        page.tells("unhold local", call);
        carrier.voice.hears(AGENT_HZ, 1.0);
        page.receives(CALLER_HZ, 1.0);
        carrier.hangs_up(&mut dialog);
        stage.server.ended_calls(ACME, call as usize, LIMIT);
        stage.server.agent_is(ACME, "alice", "available");
    }
    let metrics = || {
        let answer = stage.server.get("/metrics", "");
        String::from_utf8_lossy(&answer.body).into_owned()
    };
    let of = |name: &str| -> f64 {
        let metrics = metrics();
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    };
    // Figures are told now and then.
    let deadline = Instant::now() + LIMIT / 4;
    while of("strowger_webrtc_packets_handed_over_total") <= 100.0 {
        assert!(Instant::now() < deadline, "{}", metrics());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(of("strowger_webrtc_packets_lost_total"), 0.0);
}
