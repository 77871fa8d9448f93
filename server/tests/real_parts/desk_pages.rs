//! The agent's page in Chromium beside other tabs, loaded again, and after the server was started
//! again: calls ring in the newest tab, and a page has its calls back as they were. Who hears whom
//! is told by content.

use serde_json::json;

use crate::browser::Page;
use crate::desk::{
    AGENT_HZ, BOB_HZ, CALLER_HZ, Stage, ask_bob, calls_sales, click, is_accessible, press, says,
    stage,
};
use crate::desk_calls::{bob_has_the_caller, plays, run};
use crate::parts::LIMIT;
use crate::strowger::{ACME, Setup, Strowger};

impl Stage {
    /// Her page, and another tab of the same browser, in which her calls ring then.
    fn two_tabs(&self) -> (Page<'_>, Page<'_>) {
        let older = self.desk();
        let newer = self.signed_in("newer", json!({"beside": "alice"}));
        click(&newer, ".desk-turn-on");
        says(&older, "[data-notice=elsewhere]", "ring in another tab");
        (older, newer)
    }
}

/// The first one takes the phone back, and then is alone.
#[test]
fn the_older_of_two_tabs_says_that_calls_ring_elsewhere_and_has_them_again_when_it_wants_them() {
    let stage = stage("desk-tabs");
    let (older, newer) = stage.two_tabs();
    says(&older, ".desk-bar", "Rings elsewhere");
    is_accessible(&older);
    let (mut carrier, mut dialog, _) = stage.talking(&newer);
    older.until("document.querySelectorAll('.call').length", |calls| *calls == 0);
    carrier.hangs_up(&mut dialog);
    says(&newer, ".desk-now", "Wrap-up");
    click(&newer, ".desk-wrap-up-actions .primary");
    stage.server.agent_is(ACME, "alice", "available");

    // With the keyboard: the notice's button is the first of the page's after the bar.
    run(&older, "document.querySelector('[data-notice=elsewhere] button').focus()");
    press(&older, &["Enter"]);
    says(&newer, "[data-notice=elsewhere]", "ring in another tab");
    older.until("document.querySelector('[data-notice=elsewhere]').hidden", |is| *is == true);
    let (mut carrier, mut dialog, _) = stage.talking(&older);
    // While it talks, a newer one takes what comes next; this call stays here.
    click(&newer, "[data-notice=elsewhere] button");
    says(&older, "[data-notice=elsewhere]", "This call stays here");
    carrier.voice.hears(AGENT_HZ, 1.0);
    newer.told("close", json!({}));
    older.until("document.querySelector('[data-notice=elsewhere]').hidden", |is| *is == true);
    says(&older, ".desk-bar", "Ready");
    carrier.voice.hears(AGENT_HZ, 1.0);
    carrier.hangs_up(&mut dialog);
}

/// The browser copies what the tab keeps: the copy is a newer page, and leaves the call alone.
#[test]
fn a_tab_that_was_duplicated_is_a_page_of_its_own_and_the_call_stays_with_the_other() {
    let stage = stage("desk-copy");
    let older = stage.desk();
    let (mut carrier, mut dialog, id) = stage.talking(&older);
    let since = |page: &Page<'_>| {
        let script = "Number(sessionStorage.getItem('strowger.phone.since'))";
        page.told("evaluate", json!({ "script": script })).as_f64().expect("a time")
    };
    let kept = "Object.keys(JSON.parse(sessionStorage.getItem('strowger.calls') ?? '{}')).length";
    older.until(kept, |calls| *calls == 1);
    let was = since(&older);
    let copy = stage.copied("copy", "alice");
    says(&copy, ".desk-bar", "Ready");
    says(&older, "[data-notice=elsewhere]", "This call stays here");
    carrier.voice.hears(AGENT_HZ, 1.0);
    copy.until("document.querySelectorAll('.call').length", |calls| *calls == 0);
    copy.until(kept, |calls| *calls == 0);
    let came = since(&copy);
    assert!(came > was, "{came} is not after {was}");
    for kind in ["call.agent_lost", "call.ended"] {
        stage.server.told(ACME, &id, kind, 0);
    }
    carrier.hangs_up(&mut dialog);
    says(&older, ".desk-now", "Wrap-up");
    click(&older, ".desk-wrap-up-actions .primary");
    stage.server.agent_is(ACME, "alice", "available");

    // Neither is taken for the other's copy when it is loaded again.
    for page in [&older, &copy] {
        page.told("reload", json!({}));
    }
    says(&copy, ".desk-bar", "Ready");
    says(&older, ".desk-bar", "Rings elsewhere");
    assert_eq!((since(&older), since(&copy)), (was, came));
    let (mut carrier, mut dialog, _) = stage.talking(&copy);
    older.until("document.querySelectorAll('.call').length", |calls| *calls == 0);
    carrier.hangs_up(&mut dialog);
}

/// They connect again in the other order.
#[test]
fn tabs_keep_their_order_when_the_server_was_started_again() {
    let stage = stage("desk-restart");
    let (older, newer) = stage.two_tabs();
    run(
        &older,
        "globalThis.real = WebSocket; \
         globalThis.WebSocket = function late() { throw new Error('later'); }",
    );
    let Stage { folder, server, provisioning, .. } = &stage;
    server.signal("KILL");
    server.is_gone();
    let (http, provisioning) = (Some(server.http), Some(provisioning.clone()));
    let setup = Setup { http, provisioning, ..Setup::default() };
    let server = Strowger::start_with(folder.path(), &setup);
    says(&newer, ".desk-bar", "Ready");
    server.agent_is(ACME, "alice", "available");
    run(&older, "globalThis.WebSocket = globalThis.real; dispatchEvent(new Event('online'))");
    says(&older, ".desk-bar", "Rings elsewhere");
    newer.until("document.querySelector('[data-notice=elsewhere]').hidden", |is| *is == true);

    let (mut carrier, mut dialog) = calls_sales(&server);
    click(&newer, ".call .accept");
    carrier.voice.hears(AGENT_HZ, 1.0);
    older.until("document.querySelectorAll('.call').length", |calls| *calls == 0);
    carrier.hangs_up(&mut dialog);
}

/// She asks bob about a caller who waits, is muted meanwhile, and the page is loaded again: all of
/// it is as it was.
#[test]
fn a_page_that_is_loaded_again_has_its_calls_as_they_were_held_muted_and_about_each_other() {
    let stage = stage("desk-as-it-was");
    let page = stage.desk();
    let mut bob = stage.bob();
    let (mut carrier, mut dialog, _) = stage.talking(&page);
    stage.put("bob/do-not-disturb", &json!({"on": false}));
    ask_bob(&page);
    bob.takes();
    bob.voice.hears(AGENT_HZ, 1.0);
    let kept = "Object.keys(JSON.parse(sessionStorage.getItem('strowger.calls') ?? '{}')).length";
    page.until(kept, |calls| *calls == 2);
    click(&page, ".call:not([data-state=held]) .call-talks button:nth-child(2)");
    says(&page, ".call", "Unmute");
    page.told("reload", json!({}));
    says(&page, ".call-consulting:not([hidden])", "Hand");
    says(&page, ".call[data-state=held]", "On hold");
    says(&page, ".call:not([data-state=held])", "Unmute");
    carrier.voice.hears_no_more(AGENT_HZ);
    bob.voice.hears_no_more(AGENT_HZ);
    click(&page, ".call:not([data-state=held]) .call-talks button:nth-child(2)");
    bob.voice.hears(AGENT_HZ, 1.0);
    click(&page, ".call-consulting:not([hidden]) .accept");
    bob_has_the_caller(&page, &mut bob, &mut carrier, &mut dialog);
}

/// All three talk, and her page is loaded again: the two go on, and then all three do.
#[test]
fn a_page_that_is_loaded_again_while_three_talk_hears_and_is_heard_by_both_again() {
    let stage = stage("desk-among-three");
    let page = stage.desk_with(json!({"init": "player.js"}));
    let (mut carrier, mut dialog, id) = stage.talking(&page);
    let mut bob = stage.asked_bob(&page);
    click(&page, ".call-consulting:not([hidden]) button:nth-child(2)");
    bob.voice.hears(CALLER_HZ, 1.0);
    carrier.voice.hears(AGENT_HZ, 1.0);
    for times in 1..=3 {
        page.told("reload", json!({}));
        carrier.voice.hears(BOB_HZ, 0.5);
        stage.server.told(ACME, &id, "call.agent_returned", times);
        carrier.voice.hears(AGENT_HZ, 0.5);
        bob.voice.hears(AGENT_HZ, 0.5);
        for hertz in [CALLER_HZ, BOB_HZ] {
            plays(&page, hertz, "");
        }
        says(&page, ".call-people", "Let go");
    }
    is_accessible(&page);
    for kind in ["call.participant_left", "call.ended"] {
        stage.server.told(ACME, &id, kind, 0);
    }
    // What can be done with them can be done again.
    click(&page, ".call-people button[aria-label*='bob' i]");
    bob.hears_bye();
    carrier.voice.hears(AGENT_HZ, 1.0);
    carrier.hangs_up(&mut dialog);
    let call = &stage.server.ended_calls(ACME, 2, LIMIT)[1];
    assert_eq!((&call["id"], &call["agent"]), (&json!(id), &json!("alice")));
}
