//! Pages that come back too late, in Chromium: the call that rang in them, or that they had, has
//! gone meanwhile, and they say where to.

use serde_json::json;

use crate::browser::Page;
use crate::desk::{
    AGENT_HZ, CALLER, CALLER_HZ, Stage, calls_sales, click, is_accessible, says, stage,
};
use crate::desk_calls::run;
use crate::desk_ringing::HELD;
use crate::strowger::ACME;
use crate::ua::{Dialog, Ua};

const CALLS: &str = "document.querySelectorAll('.call').length";
const NOTICE: &str = "[data-notice=gone]";

impl Stage {
    /// Alice's page, whose connections are the test's to close and to hold back.
    fn held_desk(&self) -> Page<'_> {
        let page = self.signed_in("alice", json!({}));
        run(&page, HELD);
        click(&page, ".desk-turn-on");
        self.server.agent_is(ACME, "alice", "available");
        page
    }

    /// Bob, whom no queue rang until now, is rung and talks with whoever called.
    fn bob_takes(&self, bob: &mut Ua, carrier: &Ua) {
        self.put("bob/do-not-disturb", &json!({"on": false}));
        bob.takes();
        carrier.voice.hears(crate::desk::BOB_HZ, 0.5);
        bob.voice.hears(CALLER_HZ, 0.5);
    }
}

/// A caller whom alice's page rings for.
fn rings(stage: &Stage, page: &Page<'_>) -> (Ua, Dialog) {
    let called = calls_sales(&stage.server);
    says(page, ".call-rings:not([hidden])", "Accept");
    called
}

fn is_seen(page: &Page<'_>) {
    click(page, &format!("{NOTICE} button"));
    page.until(&format!("document.querySelector('{NOTICE}').hidden"), |is| *is == true);
}

#[test]
fn a_page_without_a_connection_says_afterwards_where_the_call_went_that_rang_in_it() {
    let stage = stage("desk-gone-ringing");
    let page = stage.held_desk();
    let mut bob = stage.bob();
    let (mut carrier, mut dialog) = rings(&stage, &page);
    run(&page, "goes()");
    says(&page, "[data-notice=lost]", "No connection");
    // Nobody would hear of it.
    page.until("document.querySelector('.call .accept').disabled", |is| *is == true);
    stage.bob_takes(&mut bob, &carrier);
    run(&page, "comes()");
    says(&page, NOTICE, &format!("the call with {CALLER} went on to another agent"));
    page.until(CALLS, |calls| *calls == 0);
    is_accessible(&page);
    is_seen(&page);
    carrier.hangs_up(&mut dialog);
    bob.hears_bye();

    // Bob writes his call up: nobody else is there, and the caller gives up.
    stage.server.agent_is(ACME, "alice", "available");
    let (mut carrier, mut dialog) = rings(&stage, &page);
    run(&page, "goes()");
    says(&page, "[data-notice=lost]", "No connection");
    carrier.hangs_up(&mut dialog);
    run(&page, "comes()");
    says(&page, NOTICE, &format!("the call with {CALLER} ended"));
    page.until(CALLS, |calls| *calls == 0);
    is_seen(&page);

    // There again soon enough, nothing is to be told: it rings anew, once, and is taken.
    let (mut carrier, mut dialog) = rings(&stage, &page);
    run(&page, "goes()");
    says(&page, "[data-notice=lost]", "No connection");
    run(&page, "comes()");
    says(&page, ".desk-bar", "Ready");
    says(&page, ".call-rings:not([hidden])", "Accept");
    page.until(CALLS, |calls| *calls == 1);
    click(&page, ".call .accept");
    carrier.voice.hears(AGENT_HZ, 1.0);
    page.until(&format!("document.querySelector('{NOTICE}').hidden"), |is| *is == true);
    carrier.hangs_up(&mut dialog);
}

#[test]
fn a_page_that_had_no_connection_for_too_long_says_where_its_call_went_and_shows_it_no_more() {
    let stage = stage("desk-gone-talking");
    let page = stage.held_desk();
    let mut bob = stage.bob();
    let (mut carrier, mut dialog, id) = stage.talking(&page);
    run(&page, "goes()");
    stage.call_when(&id, |call| call["state"] == "queued");
    run(&page, "comes()");
    says(&page, NOTICE, &format!("the call with {CALLER} went back to the queue"));
    page.until(CALLS, |calls| *calls == 0);
    stage.bob_takes(&mut bob, &carrier);
    carrier.hangs_up(&mut dialog);
    bob.hears_bye();
}

#[test]
fn a_page_that_is_loaded_again_too_late_says_where_its_call_went() {
    let stage = stage("desk-gone-loaded");
    let page = stage.desk();
    let mut bob = stage.bob();
    let (mut carrier, mut dialog, _) = stage.talking(&page);
    page.told("goto", json!({"url": "about:blank"}));
    stage.bob_takes(&mut bob, &carrier);
    page.told("goto", json!({"url": format!("http://{}/#/phone", stage.server.http)}));
    says(&page, NOTICE, &format!("the call with {CALLER} went on to another agent"));
    is_seen(&page);
    carrier.hangs_up(&mut dialog);
    bob.hears_bye();
}
