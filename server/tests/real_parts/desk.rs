//! The agent's page in Chromium, with a carrier that calls and a colleague's phone: who calls and
//! what came of it, a recording that is paused (judged by what the decrypted recording holds),
//! asking first, talking together, and what the page says when something is wrong.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::audio::Sound;
use crate::baresip::AMPLITUDE;
use crate::browser::{Browsers, Page};
use crate::net::http;
use crate::parts::{ACME_SALES, AGENTS, CARRIER_A, LIMIT, speaking_agent, speaking_carrier};
use crate::provisioning::demo;
use crate::strowger::{ACME, Folder, Strowger};
use crate::talking::recorded;
use crate::ua::{Dialog, Ua};

pub(crate) const CALLER_HZ: f64 = 440.0;
pub(crate) const AGENT_HZ: f64 = 1000.0;
pub(crate) const BOB_HZ: f64 = 700.0;
pub(crate) const ALICE: &str = "desk-alice";
pub(crate) const CALLER: &str = "+4930123456";

pub(crate) struct Stage {
    pub(crate) server: Strowger,
    pub(crate) browsers: Browsers,
    pub(crate) provisioning: PathBuf,
    // Goes after the server, which writes into it to its last.
    pub(crate) folder: Folder,
}

/// The demo with a key of alice's own, who is rung while she talks, codes for her queue, and time
/// to write calls up.
fn provisioning(folder: &Folder) -> PathBuf {
    let alice = "password = \"alice-secret\"";
    let keys = format!(
        "api_keys = [\n    {{ name = \"alice\", key = \"{ALICE}\", role = \"agent\", \
         agent = \"alice\", loopback_only = true }},\n"
    );
    let changes = [
        ("wrap_up_s = 2, wrap_up_extend_s = 120", "wrap_up_s = 100, wrap_up_extend_s = 120"),
        (alice, &*format!("{alice}, call_waiting = true")),
        ("api_keys = [\n", &*keys),
    ];
    demo(folder.path(), "", &changes)
}

pub(crate) fn stage(name: &str) -> Stage {
    let folder = Folder::new(name);
    let browsers = Browsers::start();
    let provisioning = provisioning(&folder);
    let server = Strowger::provisioned(folder.path(), provisioning.clone());
    Stage { folder, server, browsers, provisioning }
}

impl Stage {
    /// Alice's page, signed in with her own key, its phone on.
    pub(crate) fn desk(&self) -> Page<'_> {
        self.desk_with(json!({}))
    }

    /// The same; `more` is for the driver.
    pub(crate) fn desk_with(&self, more: Value) -> Page<'_> {
        let page = self.signed_in("alice", more);
        click(&page, ".desk-turn-on");
        self.server.agent_is(ACME, "alice", "available");
        page
    }

    /// A page of that name that has signed in with her key; `more` is for the driver.
    pub(crate) fn signed_in(&self, name: &str, more: Value) -> Page<'_> {
        let url = format!("http://{}/", self.server.http);
        let page = self.browsers.site_with(self.folder.path(), &url, (name, AGENT_HZ), more);
        page.told("fill", json!({"selector": "#key", "text": ALICE}));
        page.told("click", json!({"selector": "button[type=submit]"}));
        page
    }

    /// That page's tab, duplicated.
    pub(crate) fn copied(&self, name: &str, of: &str) -> Page<'_> {
        let url = format!("http://{}/", self.server.http);
        let more = json!({ "copies": of });
        self.browsers.site_with(self.folder.path(), &url, (name, AGENT_HZ), more)
    }

    /// The caller and alice talk.
    pub(crate) fn talking(&self, page: &Page<'_>) -> (Ua, Dialog, String) {
        let (carrier, dialog) = calls_sales(&self.server);
        click(page, ".call .accept");
        carrier.voice.hears(AGENT_HZ, 0.5);
        let id = self.server.newest_talk(ACME);
        (carrier, dialog, id)
    }

    /// She asks bob, whose phone registers then, while her caller waits.
    pub(crate) fn asked_bob(&self, page: &Page<'_>) -> Ua {
        let mut bob = Ua::new(AGENTS, self.server.sip, BOB_HZ);
        bob.registers("bob");
        ask_bob(page);
        bob.takes();
        bob.voice.hears(AGENT_HZ, 1.0);
        bob
    }

    pub(crate) fn call(&self, id: &str) -> Value {
        self.server.data(&format!("/api/v1/calls/{id}"), ACME)
    }

    /// The call, once it is so: what happened is told when it is stored.
    pub(crate) fn call_when(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/api/v1/calls/{id}");
        self.server.eventually("it", &path, ACME, LIMIT, |call| is_so(call).then(|| call.clone()))
    }
}

/// A carrier calls the sales queue, and talks.
pub(crate) fn calls_sales(server: &Strowger) -> (Ua, Dialog) {
    let mut carrier = Ua::new(CARRIER_A, server.sip, CALLER_HZ);
    let from = format!("sip:{CALLER}@{}", carrier.at);
    let to = format!("sip:{ACME_SALES}@{}", server.sip);
    let sdp = carrier.sdp();
    let mut dialog = carrier.invites(&from, &to, &sdp);
    carrier.talks(&mut dialog);
    (carrier, dialog)
}

pub(crate) fn click(page: &Page<'_>, selector: &str) {
    page.told("click", json!({ "selector": selector }));
}

pub(crate) fn press(page: &Page<'_>, keys: &[&str]) {
    for key in keys {
        page.told("press", json!({ "key": key }));
    }
}

/// Waits until a part of the page says that.
#[track_caller]
pub(crate) fn says(page: &Page<'_>, selector: &str, words: &str) {
    let deadline = std::time::Instant::now() + LIMIT;
    loop {
        let found = format!("[...document.querySelectorAll({selector:?})]");
        let script = format!("{found}.map((one) => one.innerText).join(' / ')");
        let text = page.told("evaluate", json!({ "script": script }));
        if text.as_str().unwrap_or_default().contains(words) {
            return;
        }
        let late = std::time::Instant::now() > deadline;
        assert!(!late, "{selector} says {text}, not {words:?}: {:#}", page.told("log", json!({})));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

/// What axe-core finds, light and dark; a picture of each, where somebody wants to look at them.
#[track_caller]
pub(crate) fn is_accessible(page: &Page<'_>) {
    for theme in ["light", "dark"] {
        let script = format!("document.documentElement.dataset.theme = '{theme}'; 0");
        page.told("evaluate", json!({ "script": script }));
        if let Ok(folder) = std::env::var("STROWGER_PICTURES") {
            let test = std::thread::current().name().unwrap_or_default().replace("::", "-");
            let line = std::panic::Location::caller().line();
            let path = format!("{folder}/{test:.60}-{line}-{theme}.png");
            page.told("picture", json!({ "path": path }));
        }
        assert_eq!(page.told("accessibility", json!({})), json!([]), "{theme}");
    }
    page.told("evaluate", json!({"script": "delete document.documentElement.dataset.theme; 0"}));
}

#[test]
fn what_is_said_while_the_recording_is_paused_is_nowhere_in_it_and_its_time_goes_on() {
    let stage = stage("desk-pause");
    let page = stage.desk();
    let (mut carrier, mut dialog, id) = stage.talking(&page);
    says(&page, ".call-recording", "Recorded");
    is_accessible(&page);
    carrier.voice.hears(AGENT_HZ, 1.5);
    click(&page, ".call-recording-button");
    says(&page, ".call-recording", "Recording paused");
    stage.call_when(&id, |call| call["recording_state"] == "paused");
    carrier.voice.hears(AGENT_HZ, 2.0);
    click(&page, ".call-recording-button");
    says(&page, ".call-recording", "Recorded");
    carrier.voice.hears(AGENT_HZ, 1.5);
    carrier.hangs_up(&mut dialog);

    let wav = recorded(&stage.server, &id);
    let call = stage.call(&id);
    let pause = &call["recording_pauses"][0];
    let recording = call["recording_id"].as_str().expect("a recording");
    let row = stage.server.data(&format!("/api/v1/recordings/{recording}"), ACME);
    let (from, lasts) = (after(&row["started_at"], &pause["at"]), seconds(&pause["duration_s"]));
    assert!(lasts >= 2.0 && pause["ended"] == "request" && pause["by"] == "alice", "{pause}");
    let gaps = row["gaps_ms"].as_f64().expect("milliseconds");
    // A busy machine leaves those who speak here no time for some packets: gaps that are real, and
    // that no narrower bound tells from the machine's. A pause that counted would be all of itself.
    assert!(gaps < 0.25 * lasts * 1000.0, "a pause of {lasts} s is no gap, {gaps} ms");
    for (channel, hertz) in [(0, CALLER_HZ), (1, AGENT_HZ)] {
        let sound = Sound::from_wav(&wav, channel);
        let length = sound.samples.len() as f64 / sound.rate;
        assert!((length - seconds(&row["duration_s"])).abs() < 0.02, "{length} of {row}");
        let talk = seconds(&call["talk_s"]);
        assert!((length - talk).abs() < 0.1, "{length} s of a talk of {talk} s");
        // The row's times are told to the microsecond: 20 ms are a packet.
        let place = |at: f64| ((at * sound.rate) as usize).min(sound.samples.len());
        let silent = &sound.samples[place(from + 0.02)..place(from + lasts - 0.02)];
        assert!(silent.iter().all(|sample| *sample == 0), "channel {channel} holds sound");
        let part = |range: std::ops::Range<usize>| Sound {
            samples: sound.samples[range].to_vec(),
            rate: sound.rate,
        };
        let before = part(0..place(from)).seconds_with_tone(hertz, AMPLITUDE);
        let later = part(place(from + lasts)..sound.samples.len());
        let later = later.seconds_with_tone(hertz, AMPLITUDE);
        assert!(before >= 0.8 && later >= 0.8, "channel {channel}: {before} s and {later} s");
    }
}

/// The server is killed in the middle of a pause: what the next start makes of the recording is
/// silent from the pause on.
#[test]
fn after_kill_9_in_a_pause_nothing_of_it_is_in_the_recording() {
    let folder = Folder::new("pause-kill");
    let server = Strowger::start(folder.path());
    let alice = speaking_agent(folder.path(), &server, "alice", AGENT_HZ);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, CALLER_HZ);
    alice.hears(CALLER_HZ, 2.0);
    let id = server.newest_talk(ACME);
    let path = format!("/api/v1/calls/{id}/recording/pause");
    assert_eq!(http(server.http, "POST", &path, ACME, Some(&json!({}))).status, 202);
    alice.hears(CALLER_HZ, 6.0);
    caller.hears(AGENT_HZ, 4.0);
    server.kill();
    drop((caller, alice));

    let server = Strowger::start(folder.path());
    server.ended_calls(ACME, 1, LIMIT);
    let wav = recorded(&server, &id);
    let call = server.data(&format!("/api/v1/calls/{id}"), ACME);
    let recording = call["recording_id"].as_str().expect("a recording");
    let row = server.data(&format!("/api/v1/recordings/{recording}"), ACME);
    let from = after(&row["started_at"], &call["recording_pauses"][0]["at"]) + 0.02;
    for channel in [0, 1] {
        let sound = Sound::from_wav(&wav, channel);
        let paused = &sound.samples[(from * sound.rate) as usize..];
        assert!(paused.len() as f64 > 2.0 * sound.rate, "{} samples", paused.len());
        assert!(paused.iter().all(|sample| *sample == 0), "channel {channel} holds sound");
        assert!(sound.rms() > 0.01, "before the pause there is some");
    }
}

fn seconds(value: &Value) -> f64 {
    value.as_f64().expect("seconds")
}

/// Seconds from one time to another, both of the same minute or the next.
fn after(one: &Value, other: &Value) -> f64 {
    let of = |time: &Value| {
        let text = time.as_str().expect("a time");
        let part = |range: std::ops::Range<usize>| text[range].parse::<f64>().expect("a number");
        part(11..13) * 3600.0 + part(14..16) * 60.0 + part(17..26)
    };
    (of(other) - of(one)).rem_euclid(86_400.0)
}

#[test]
fn what_came_of_a_call_is_written_down_and_shown_when_the_same_number_calls_again() {
    let stage = stage("desk-wrap-up");
    let page = stage.desk();
    let (mut carrier, mut dialog, id) = stage.talking(&page);
    says(&page, ".desk-facts", CALLER);
    says(&page, ".desk-before-panel", "No call with this number yet");
    let known = json!({"known": {"Tariff": "Gold"}});
    let path = format!("/api/v1/calls/{id}/known");
    assert_eq!(http(stage.server.http, "PUT", &path, ACME, Some(&known)).status, 202);
    says(&page, ".desk-facts", "Gold");
    page.told("fill", json!({"selector": "#desk-notes", "text": "Wants it by Friday"}));
    carrier.hangs_up(&mut dialog);
    says(&page, ".desk-now", "Wrap-up");
    says(&page, ".desk-clock", "left");
    click(&page, ".desk-code-choice");
    says(&page, ".desk-saved", "Saved");
    // A page that is loaded again goes on with the same wrap-up.
    page.told("reload", json!({}));
    says(&page, ".desk-clock", "left");
    says(&page, ".desk-wrap-panel", "One minute more");
    is_accessible(&page);
    click(&page, ".desk-wrap-up-actions .primary");
    stage.server.agent_is(ACME, "alice", "available");
    let said = stage.call_when(&id, |call| call["wrap_ups"][0]["name"] == "Order taken");
    let said = &said["wrap_ups"][0];
    assert_eq!(
        (&said["name"], &said["notes"]),
        (&json!("Order taken"), &json!("Wants it by Friday"))
    );
    assert_eq!(said["by"], Value::Null, "she said so herself");

    let (mut carrier, mut dialog, _) = stage.talking(&page);
    says(&page, ".desk-past", "Wants it by Friday");
    says(&page, ".desk-past", "Order taken");
    carrier.hangs_up(&mut dialog);
    says(&page, ".desk-now", "Wrap-up");
    click(&page, ".desk-choice[aria-haspopup]");
    click(&page, ".desk-menu-item");
    says(&page, ".desk-now", "Break");
    says(&page, ".desk-now", "Short break");
}

#[test]
fn a_colleague_is_asked_first_then_all_three_talk_and_then_she_goes_back_to_the_caller() {
    let stage = stage("desk-three");
    let page = stage.desk();
    let (mut carrier, mut dialog, id) = stage.talking(&page);
    let mut bob = stage.asked_bob(&page);
    carrier.voice.hears_no_more(AGENT_HZ);
    is_accessible(&page);
    click(&page, ".call-consulting:not([hidden]) button:nth-child(3)");
    bob.hears_bye();
    carrier.voice.hears(AGENT_HZ, 1.0);

    ask_bob(&page);
    bob.takes();
    bob.voice.hears(AGENT_HZ, 1.0);
    click(&page, ".call-consulting:not([hidden]) button:nth-child(2)");
    bob.voice.hears(CALLER_HZ, 1.0);
    bob.voice.hears(AGENT_HZ, 1.0);
    carrier.voice.hears(BOB_HZ, 1.0);
    carrier.voice.hears(AGENT_HZ, 1.0);
    says(&page, ".call-people", "Let go");
    assert_eq!(stage.call(&id)["state"], "connected");
    click(&page, ".call-people li:last-child button");
    bob.hears_bye();
    carrier.voice.hears(AGENT_HZ, 1.0);
    carrier.hangs_up(&mut dialog);
}

/// She sends the caller on to bob, whom she has asked; the other one is told plainly when the server
/// is gone.
#[test]
fn whoever_was_asked_first_gets_the_caller_and_a_lost_server_is_told_plainly() {
    let stage = stage("desk-over");
    let page = stage.desk();
    let (mut carrier, mut dialog, _) = stage.talking(&page);
    let mut bob = stage.asked_bob(&page);
    click(&page, ".call-consulting:not([hidden]) .accept");
    carrier.voice.hears(BOB_HZ, 1.0);
    bob.voice.hears(CALLER_HZ, 1.0);
    says(&page, ".desk-idle", "No call");
    carrier.hangs_up(&mut dialog);
    bob.hears_bye();
    let Stage { server, .. } = &stage;
    server.signal("KILL");
    says(&page, "[data-notice=lost]", "No connection to the server");
}

pub(crate) fn ask_bob(page: &Page<'_>) {
    click(page, ".call-talks button:nth-child(4)");
    page.told("fill", json!({"selector": ".call-sending:not([hidden]) input", "text": "bob"}));
    click(page, ".call-sending:not([hidden]) button[type=button]");
}

/// With the keyboard alone: accept, hold, mute, hang up; and the same call after the page was loaded
/// again.
#[test]
fn a_keyboard_is_enough_and_a_page_that_is_loaded_again_has_its_call() {
    let stage = stage("desk-keyboard");
    let page = stage.desk();
    let (mut carrier, _dialog) = calls_sales(&stage.server);
    says(&page, ".call", "Accept");
    press(&page, &["Enter"]);
    carrier.voice.hears(AGENT_HZ, 0.5);
    page.told("reload", json!({}));
    carrier.voice.hears(AGENT_HZ, 0.5);
    says(&page, ".call", "Hang up");
    let focus = "document.querySelector('.call-talks button').focus(); 0";
    page.told("evaluate", json!({ "script": focus }));
    press(&page, &["Space"]);
    says(&page, ".call", "Take back");
    press(&page, &["Space"]);
    carrier.voice.hears(AGENT_HZ, 0.5);
    press(&page, &["Tab", "Space"]);
    says(&page, ".call", "Unmute");
    carrier.voice.hears_no_more(AGENT_HZ);
    press(&page, &["Tab", "Tab", "Tab", "Tab", "Enter"]);
    carrier.hears_bye();
    says(&page, ".desk-now", "Wrap-up");
}

/// One second of what a browser measures: so many packets of fifty did not come, and such a share of
/// ours did not arrive.
const QUALITY: &str = "import('/console/phone/quality.js').then(({ Quality }) => {
  const meter = new Quality();
  let [lost, came] = [0, 0];
  const words = [];
  const second = (gone, theirs, server = null) => {
    lost += gone;
    came += 50 - gone;
    const stats = [{ type: 'inbound-rtp', packetsLost: lost, packetsReceived: came },
      { type: 'remote-inbound-rtp', fractionLost: theirs, roundTripTime: 0.05 }];
    const { word } = meter.take(stats, server && { loss_percent: server }, false);
    if (words.at(-1) !== word) words.push(word);
  };
  const seconds = (count, ...given) => { for (let n = 0; n < count; n += 1) second(...given); };
  seconds(5, 0, 0);
  seconds(1, 2, 0);
  seconds(15, 0, 0);
  seconds(6, 3, 0);
  seconds(15, 0, 0);
  seconds(6, 0, 0.05);
  seconds(2, 0, 0);
  seconds(2, 0, 0.05);
  seconds(15, 0, 0);
  seconds(6, 0, 0, 4);
  seconds(6, 3, 0, 4);
  return words;
})";

#[test]
fn quality_is_told_in_words_before_it_is_bad_and_does_not_flicker() {
    let stage = stage("desk-quality");
    let page = stage.desk();
    let words = page.told("evaluate", json!({ "script": QUALITY }));
    let told = ["good", "heard", "good", "said", "good", "said", "both"];
    assert_eq!(words, json!(told), "one bad second in between is no word, nor is one good one");
    says(&page, ".desk-idle", "No call");
    is_accessible(&page);
}
