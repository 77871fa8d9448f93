//! The agent's page in Chromium with several calls and several devices: a second call, a caller who
//! is sent on, microphones that are unplugged, loudspeakers that are chosen, and what a browser
//! refuses. Who hears whom is told by content.

use std::time::Duration;

use serde_json::{Value, json};

use crate::audio::Sound;
use crate::baresip::AMPLITUDE;
use crate::browser::Page;
use crate::desk::{
    AGENT_HZ, BOB_HZ, CALLER_HZ, Stage, calls_sales, click, is_accessible, press, says, stage,
};
use crate::net::http;
use crate::parts::AGENTS;
use crate::strowger::ACME;
use crate::ua::{Dialog, Ua};

/// Of the second microphone in `tests/browser/devices.js`.
const TABLE_HZ: f64 = 1300.0;

impl Stage {
    /// Bob, who has registered and is rung by no queue.
    pub(crate) fn bob(&self) -> Ua {
        let mut bob = Ua::new(AGENTS, self.server.sip, BOB_HZ);
        bob.registers("bob");
        self.put("bob/do-not-disturb", &json!({"on": true}));
        bob
    }

    pub(crate) fn put(&self, path: &str, what: &Value) {
        let path = format!("/api/v1/agents/{path}");
        assert_eq!(http(self.server.http, "PUT", &path, ACME, Some(what)).status, 200, "{path}");
    }

    /// Bob calls alice, whose page rings.
    fn bob_calls(&self, bob: &mut Ua) -> Dialog {
        let dialog = bob.dials("bob", "alice");
        bob.expect("SIP/2.0 180");
        dialog
    }
}

/// Whoever called is answered, and talks.
fn is_answered(caller: &mut Ua, dialog: &mut Dialog) {
    caller.talks(dialog);
}

/// They hear each other without her, until the caller hangs up.
#[track_caller]
pub(crate) fn bob_has_the_caller(
    page: &Page<'_>,
    bob: &mut Ua,
    carrier: &mut Ua,
    dialog: &mut Dialog,
) {
    carrier.voice.hears(BOB_HZ, 1.0);
    bob.voice.hears(CALLER_HZ, 1.0);
    says(page, ".desk-idle", "No call");
    carrier.hangs_up(dialog);
    bob.hears_bye();
}

/// Nothing of that tone, beyond what was on its way.
#[track_caller]
pub(crate) fn has_no(heard: &Sound, hertz: f64) {
    let seconds = heard.seconds_with_tone(hertz, AMPLITUDE);
    assert!(seconds < 0.3, "{seconds} s of {hertz} Hz");
}

/// Waits until the page plays that tone, on the loudspeaker of that name (`""` is the system's).
#[track_caller]
pub(crate) fn plays(page: &Page<'_>, hertz: f64, sink: &str) {
    page.until(&format!("globalThis.plays({hertz})"), |players| {
        let mut players = players.as_array().into_iter().flatten();
        players.any(|one| one["sink"] == sink && one["level"].as_f64() > Some(0.02))
    });
}

pub(crate) fn run(page: &Page<'_>, script: &str) {
    page.told("evaluate", json!({ "script": format!("{script}; 0") }));
}

#[test]
fn a_second_call_is_taken_while_the_first_waits_or_is_declined_and_disturbs_no_key_press() {
    let stage = stage("desk-second");
    let page = stage.desk();
    let mut bob = stage.bob();
    let (mut carrier, mut dialog, _) = stage.talking(&page);
    // Declined: the first call goes on as if nothing had been.
    run(&page, "document.querySelector('.call-talks button:nth-child(2)').focus()");
    let second = stage.bob_calls(&mut bob);
    says(&page, ".call-rings:not([hidden])", "Hold and accept");
    is_accessible(&page);
    let focus = "document.activeElement.parentElement.className";
    page.until(focus, |is| is.as_str().is_some_and(|is| is.contains("call-talks")));
    click(&page, ".call-rings:not([hidden]) .reject");
    let busy = bob.expect("SIP/2.0 486");
    bob.ack_refusal(&second, &busy);
    carrier.voice.hears(AGENT_HZ, 0.5);

    // Given up before it was taken: the same.
    let given_up = stage.bob_calls(&mut bob);
    says(&page, ".call-rings:not([hidden])", "Hold and accept");
    bob.cancel(&given_up);
    let ended = bob.expect("SIP/2.0 487");
    bob.ack_refusal(&given_up, &ended);
    page.until("document.querySelectorAll('.call').length", |calls| *calls == 1);

    // Taken: the first caller hears music, and neither hears the other.
    let mut second = stage.bob_calls(&mut bob);
    click(&page, ".call-rings:not([hidden]) .accept");
    is_answered(&mut bob, &mut second);
    bob.voice.hears(AGENT_HZ, 1.0);
    let waits = carrier.voice.hears_no_more(AGENT_HZ);
    assert!(waits.rms() > 0.005, "there is music");
    has_no(&bob.voice.heard_for(1.0), CALLER_HZ);
    says(&page, ".call[data-state=held]", "On hold");
    is_accessible(&page);

    // She goes to and fro between them, and one of them hangs up.
    click(&page, ".call[data-state=held] .call-talks button:first-child");
    carrier.voice.hears(AGENT_HZ, 1.0);
    bob.voice.hears_no_more(AGENT_HZ);
    bob.hangs_up(&mut second);
    page.until("document.querySelectorAll('.call').length", |calls| *calls == 1);
    carrier.voice.hears(AGENT_HZ, 1.0);
    carrier.hangs_up(&mut dialog);
}

#[test]
fn a_caller_is_sent_on_at_once_and_is_back_when_nobody_takes_the_call() {
    let stage = stage("desk-sent");
    let page = stage.desk();
    let mut bob = stage.bob();
    let (mut carrier, mut dialog, _) = stage.talking(&page);
    stage.put("bob/do-not-disturb", &json!({"on": false}));
    let send = || {
        click(&page, ".call-talks button:nth-child(4)");
        page.told("fill", json!({"selector": ".call-sending:not([hidden]) input", "text": "bob"}));
        press(&page, &["Enter"]);
    };
    send();
    let invite = bob.expect("INVITE ");
    bob.respond(&invite, "180 Ringing", "", "");
    says(&page, ".call", "Being transferred to bob");
    carrier.voice.hears_no_more(AGENT_HZ);
    bob.respond(&invite, "486 Busy Here", "", "");
    bob.expect("ACK ");
    says(&page, ".toast", "bob has not taken it");
    says(&page, ".call", "Talking");
    carrier.voice.hears(AGENT_HZ, 1.0);

    send();
    bob.takes();
    bob_has_the_caller(&page, &mut bob, &mut carrier, &mut dialog);
}

/// Its tone tells which microphone it is.
#[test]
fn an_unplugged_microphone_is_told_at_once_and_the_caller_hears_the_next_one() {
    let stage = stage("desk-unplugged");
    let page = stage.desk_with(json!({"init": "devices.js"}));
    let (mut carrier, mut dialog, _) = stage.talking(&page);
    // One that was chosen is there again when it is plugged in again.
    click(&page, ".desk-devices summary");
    page.told(
        "evaluate",
        json!({"script": "(() => { const field = \
        document.querySelector('#device-microphone'); field.value = 'table'; \
        field.dispatchEvent(new Event('change')); })()"}),
    );
    carrier.voice.hears(TABLE_HZ, 1.0);
    run(&page, "devices.unplug('table')");
    says(&page, ".toast", "unplugged: headset is used now");
    carrier.voice.hears(AGENT_HZ, 1.0);
    run(&page, "devices.plug('table', 1300)");
    says(&page, ".toast", "there again: table");
    carrier.voice.hears(TABLE_HZ, 1.0);

    // The last one: there is none, and then one that was never seen.
    run(&page, "devices.unplug('headset'); devices.unplug('table')");
    says(&page, "[data-notice=microphone]", "unplugged: nobody hears you");
    says(&page, ".call", "Your microphone was unplugged");
    is_accessible(&page);
    carrier.voice.hears_no_more(TABLE_HZ);
    // She is muted meanwhile, and stays so.
    click(&page, ".call-talks button:nth-child(2)");
    run(&page, "devices.plug('stick', 1500)");
    page.until("document.querySelector('[data-notice=microphone]').hidden", |is| *is == true);
    carrier.voice.hears_no_more(1500.0);
    click(&page, ".call-talks button:nth-child(2)");
    carrier.voice.hears(1500.0, 1.0);
    carrier.hangs_up(&mut dialog);
}

#[test]
fn the_loudspeaker_and_what_it_rings_on_are_chosen_apart_and_a_second_call_only_knocks() {
    let stage = stage("desk-speakers");
    let page = stage.desk_with(json!({"init": "player.js"}));
    let mut bob = stage.bob();
    click(&page, ".desk-devices summary");
    let options = "[...document.querySelectorAll('#device-speaker option')]";
    let count = format!("{options}.length");
    page.until(&count, |count| count.as_u64() >= Some(3));
    let script = format!("{options}.slice(1).map((one) => one.value)");
    let found = page.told("evaluate", json!({ "script": script }));
    let id = |at: usize| found[at].as_str().expect("a loudspeaker").to_owned();
    let (own, bell) = (id(found.as_array().map_or(0, |all| all.len() - 1)), id(0));
    assert_ne!(own, bell);
    for (which, id) in [("speaker", &own), ("ringer", &bell)] {
        let script = format!(
            "(() => {{ const field = document.querySelector('#device-{which}'); \
             field.value = '{id}'; field.dispatchEvent(new Event('change')); }})()"
        );
        page.told("evaluate", json!({ "script": script }));
    }
    is_accessible(&page);
    let (mut carrier, mut dialog) = calls_sales(&stage.server);
    plays(&page, 425.0, &bell);
    click(&page, ".call .accept");
    carrier.voice.hears(AGENT_HZ, 0.5);
    plays(&page, CALLER_HZ, &own);
    // The bell is silent, and knocks where she listens. Its tone is the caller's: he is quiet.
    let second = stage.bob_calls(&mut bob);
    says(&page, ".call-rings:not([hidden])", "Hold and accept");
    let bell_rings = format!(
        "globalThis.plays(425).some(({{sink, level}}) => sink === '{bell}' && level > 0.02)"
    );
    for _ in 0..15 {
        assert_eq!(page.told("evaluate", json!({ "script": bell_rings })), false);
        std::thread::sleep(Duration::from_millis(100));
    }
    bob.cancel(&second);
    // It is the same after the page was loaded again.
    page.told("reload", json!({}));
    carrier.voice.hears(AGENT_HZ, 0.5);
    plays(&page, CALLER_HZ, &own);
    carrier.hangs_up(&mut dialog);
}

/// A browser as it is: it asks for the microphone, and plays nothing before the page was touched.
#[test]
fn what_the_browser_refuses_is_told_in_plain_words_and_can_be_mended() {
    let stage = stage("desk-refused");
    let page = stage.signed_in("alice", json!({"strict": true, "init": "player.js"}));
    click(&page, ".desk-turn-on");
    says(&page, ".problem", "allow it beside the address");
    is_accessible(&page);
    page.told("permit", json!({"microphone": true}));
    click(&page, ".desk-turn-on");
    stage.server.agent_is(ACME, "alice", "available");
    let (mut carrier, mut dialog, _) = stage.talking(&page);

    // Taken away in mid-call, and given again.
    page.told("permit", json!({"microphone": false}));
    says(&page, "[data-notice=microphone]", "gives this page no microphone");
    carrier.voice.hears_no_more(AGENT_HZ);
    page.told("permit", json!({"microphone": true}));
    page.until("document.querySelector('[data-notice=microphone]').hidden", |is| *is == true);
    carrier.voice.hears(AGENT_HZ, 1.0);
    // Chromium plays to a page that has a microphone, though nobody has touched it yet.
    page.told("reload", json!({}));
    carrier.voice.hears(AGENT_HZ, 1.0);
    plays(&page, CALLER_HZ, "");
    // Another browser does not.
    run(&page, "sessionStorage.setItem('test.holds', '')");
    page.told("reload", json!({}));
    carrier.voice.hears(AGENT_HZ, 1.0);
    says(&page, "[data-notice=sound]", "until you click or press a key");
    is_accessible(&page);
    click(&page, "[data-notice=sound] button");
    plays(&page, CALLER_HZ, "");
    page.until("document.querySelector('[data-notice=sound]').hidden", |is| *is == true);
    carrier.hangs_up(&mut dialog);
}

/// The first of two notes is a second on its way: the second waits for it.
#[test]
fn notes_that_are_saved_twice_quickly_are_never_swapped() {
    let stage = stage("desk-notes");
    let page = stage.desk();
    let (mut carrier, mut dialog, id) = stage.talking(&page);
    run(
        &page,
        "const real = globalThis.fetch; let late = 1000; globalThis.fetch = async (url, how) => { \
         if (how?.method === 'PUT' && String(url).includes('wrap-up')) { const wait = late; \
         late = 0; await new Promise((done) => setTimeout(done, wait)); } \
         return real(url, how); }",
    );
    for text in ["the first", "the second"] {
        page.told("fill", json!({"selector": "#desk-notes", "text": text}));
        run(&page, "document.querySelector('#desk-notes').dispatchEvent(new Event('change'))");
    }
    let written = |call: &Value| call["wrap_ups"][0]["notes"] == "the second";
    stage.call_when(&id, written);
    says(&page, ".desk-saved", "Saved");
    std::thread::sleep(Duration::from_millis(1500));
    assert!(written(&stage.call(&id)), "{:#}", stage.call(&id)["wrap_ups"]);

    // Of those that programs say one after the other the last one holds, however quickly.
    for n in 0..50 {
        let said = json!({"agent": "alice", "notes": format!("note {n}")});
        let path = format!("/api/v1/calls/{id}/wrap-up");
        assert_eq!(http(stage.server.http, "PUT", &path, ACME, Some(&said)).status, 200);
    }
    stage.call_when(&id, |call| call["wrap_ups"][0]["notes"] == "note 49");
    carrier.hangs_up(&mut dialog);
}

#[test]
fn do_not_disturb_is_shown_whoever_sets_it_and_nobody_is_put_through_meanwhile() {
    let stage = stage("desk-quiet");
    let page = stage.desk();
    let mut bob = stage.bob();
    stage.put("alice/do-not-disturb", &json!({"on": true}));
    let pressed = "document.querySelector('.desk-choice[data-kind=quiet]').ariaPressed";
    page.until(pressed, |is| is == "true");
    says(&page, ".desk-now", "Do not disturb");
    is_accessible(&page);
    let refused = bob.dials("bob", "alice");
    let busy = bob.expect("SIP/2.0 486");
    bob.ack_refusal(&refused, &busy);

    // In one tab it is ended, and another one sees it.
    let other = stage.signed_in("other", json!({"beside": "alice"}));
    click(&other, ".desk-turn-on");
    other.until(pressed, |is| is == "true");
    click(&other, ".desk-choice[data-kind=quiet]");
    page.until(pressed, |is| is == "false");
    let (mut carrier, mut dialog, _) = stage.talking(&other);
    carrier.hangs_up(&mut dialog);
}
