//! The supervisor's page in Chromium, beside two agents' pages: the wallboard moves with the events,
//! callers are raised and moved, and what is whispered in the page reaches the agent alone.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::baresip::AMPLITUDE;
use crate::browser::{Browsers, Page};
use crate::net::http;
use crate::parts::{LIMIT, carrier};
use crate::scenario::Step;
use crate::strowger::{ACME, Folder, Setup, Strowger};
use crate::ua::{Dialog, Ua, body};

const CALLERS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const PHONES: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 71));
const CALLER_HZ: f64 = 440.0;
const ALICE_HZ: f64 = 1000.0;
const BOB_HZ: f64 = 700.0;
const SUE_HZ: f64 = 1700.0;
/// So much of a tone is less than a packet of it would leave in a window of 100 ms.
const NOTHING: f64 = 0.02;
const TOM_HZ: f64 = 2300.0;
const SUE: &str = "sue-key";
const TOM: &str = "tom-key";

struct Stage {
    server: Strowger,
    browsers: Browsers,
    // Goes after the server, which writes into it to its last.
    folder: Folder,
}

/// Two agents for sales and two supervisors; and as many more as a page is to be filled with.
fn provisioning(folder: &Folder, more: usize) -> PathBuf {
    let path = folder.path().join("provisioning.toml");
    let others: String = (0..more)
        .map(|n| {
            format!(
                "    {{ id = \"n{n}\", name = \"Agent {n:04}\", password = \"n{n}-secret\", \
                 loopback_only = true }},\n"
            )
        })
        .collect();
    let text = format!(
        r#"
[[trunks]]
id = "callers"
sources = ["{CALLERS}"]

[[tenants]]
id = "acme"
name = "Acme"
domain = "acme.example"
prompts = [{{ id = "music", tone = "ringing" }}]
agents = [
    {{ id = "alice", name = "Alice", password = "alice-secret", loopback_only = true,
       available_on_register = true }},
    {{ id = "bob", name = "Bob", password = "bob-secret", loopback_only = true,
       available_on_register = true }},
    {{ id = "sue", name = "Sue", password = "sue-secret", loopback_only = true,
       supervises = "everything" }},
    {{ id = "tom", name = "Tom", password = "tom-secret", loopback_only = true,
       supervises = "everything" }},
{others}]
queues = [
    {{ id = "sales", name = "Sales", music = "music", agents = ["alice", "bob"] }},
    {{ id = "support", name = "Support", music = "music", agents = ["bob"] }},
]
flows = [{{ id = "main", steps = [{{ do = "queue", queue = "sales" }}] }}]
numbers = [{{ number = "+15550100", flow = "main" }}]
api_keys = [
    {{ name = "test", key = "{ACME}", role = "admin", loopback_only = true }},
    {{ name = "Sue's page", key = "{SUE}", role = "supervisor", agent = "sue",
       loopback_only = true }},
    {{ name = "Tom's page", key = "{TOM}", role = "supervisor", agent = "tom",
       loopback_only = true }},
]
"#
    );
    std::fs::write(&path, text).expect("the provisioning");
    path
}

fn stage(name: &str, more: usize) -> Stage {
    let folder = Folder::new(name);
    let browsers = Browsers::start();
    let provisioning = Some(provisioning(&folder, more));
    let pages = Some(browsers.origin.clone());
    let setup = Setup { provisioning, pages, ..Setup::default() };
    let server = Strowger::start_with(folder.path(), &setup);
    Stage { folder, server, browsers }
}

impl Stage {
    /// The supervisor's page, signed in: it begins with the floor.
    fn sue(&self) -> Page<'_> {
        self.supervisor("sue", SUE, SUE_HZ)
    }

    fn supervisor(&self, name: &str, key: &str, hertz: f64) -> Page<'_> {
        let url = format!("http://{}/", self.server.http);
        let page = self.browsers.site(self.folder.path(), &url, name, hertz);
        page.told("fill", json!({"selector": "#key", "text": key}));
        page.told("click", json!({"selector": "button[type=submit]"}));
        assert_eq!(page.told("see", json!({"selector": ".wall h2"})), "Queues");
        page
    }

    /// An agent's page of JsSIP's, registered with a token.
    fn agent(&self, name: &str, hertz: f64) -> Page<'_> {
        let page = self.browsers.phone(self.folder.path(), "jssip", name, hertz);
        let path = format!("/api/v1/agents/{name}/sip-token");
        let asked = json!({"lifetime_s": 600});
        let token = http(self.server.http, "POST", &path, ACME, Some(&asked)).json()["data"].take();
        let account = json!([{"ws": token["ws_url"], "uri": token["uri"],
            "user": token["username"], "password": token["password"]}]);
        page.does("register", account);
        page.tells("registered", 1);
        self.server.agent_is(ACME, name, "available");
        page
    }

    fn caller(&self) -> (Ua, Dialog) {
        let mut caller = Ua::new(CALLERS, self.server.sip, CALLER_HZ);
        let to = format!("sip:+15550100@{}", self.server.sip);
        let mut dialog = caller.calls(&format!("sip:+4930123456@{}", caller.at), &to);
        let sdp = caller.sdp();
        caller.ask(&mut dialog, "INVITE", "", &sdp);
        let ok = caller.expect("SIP/2.0 200");
        caller.ack(&mut dialog, &ok, "");
        caller.voice.talks_to(body(&ok));
        (caller, dialog)
    }

    fn call(&self) -> String {
        self.server.newest_talk(ACME)
    }
}

/// Waits until the page shows that there.
#[track_caller]
fn shows(page: &Page<'_>, selector: &str, wanted: &str) {
    let deadline = Instant::now() + LIMIT / 4;
    loop {
        let seen = page.told("see", json!({ "selector": selector }));
        if seen.as_str().is_some_and(|seen| seen.contains(wanted)) {
            return;
        }
        assert!(Instant::now() < deadline, "{selector} says {seen}, not {wanted}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A page moves the focus in answer to an event of the browser's, which may come a little later.
fn focus_is(page: &Page<'_>, property: &str, wanted: &str) {
    let deadline = Instant::now() + LIMIT / 4;
    let script = format!("document.activeElement.{property}");
    loop {
        let is = page.told("evaluate", json!({ "script": script }));
        if is == wanted {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "the {property} of what has the focus: {is}, not {wanted}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until no dialog is there: when the server has answered it goes, and gives the focus back.
fn dialog_is_gone(page: &Page<'_>) {
    let deadline = Instant::now() + LIMIT / 4;
    let there = json!({"script": "document.querySelector('dialog') !== null"});
    while page.told("evaluate", there.clone()) == true {
        assert!(Instant::now() < deadline, "the dialog stays");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn press(page: &Page<'_>, keys: &[&str]) {
    for key in keys {
        page.told("press", json!({ "key": key }));
    }
}

#[test]
fn what_a_supervisor_whispers_in_the_page_reaches_the_agent_and_never_the_caller() {
    let stage = stage("floor-whisper", 0);
    let sue = stage.sue();
    let alice = stage.agent("alice", ALICE_HZ);
    shows(&sue, ".floor-agents .chip[data-kind=available] .chip-count", "1");
    let (mut carrier, mut dialog) = stage.caller();
    alice.tells("ringing", 1);
    alice.does("answer", json!([]));
    carrier.voice.hears(ALICE_HZ, 1.0);
    let _bob = stage.agent("bob", BOB_HZ);
    let id = stage.call();

    // Her phone is off: the page asks, turns it on, and takes the call that it has asked for.
    sue.told("click", json!({"selector": ".act-listen:visible"}));
    sue.told("click", json!({"selector": "dialog button[type=submit]"}));
    shows(&sue, ".supervise-bar", "Alice with +4930123456");
    alice.hears(CALLER_HZ, 1.0);
    let heard = alice.heard().loudest(SUE_HZ);
    assert!(heard < NOTHING, "{heard} of who listens");

    sue.told("click", json!({"selector": ".supervise-bar >> text=Whisper"}));
    alice.hears(SUE_HZ, 2.0);
    alice.hears(CALLER_HZ, 1.0);
    let leaked = carrier.voice.heard_for(2.0).loudest(SUE_HZ);
    assert!(leaked < NOTHING, "the caller heard {leaked} of the whisper");
    assert_eq!(sue.told("accessibility", json!({})), json!([]));

    sue.told("click", json!({"selector": ".supervise-bar >> text=Barge in"}));
    carrier.voice.hears(SUE_HZ, 1.0);

    sue.told("click", json!({"selector": ".supervise-bar >> text=Leave"}));
    carrier.voice.hears(ALICE_HZ, 1.0);
    carrier.voice.hears_no_more(SUE_HZ);
    carrier.hangs_up(&mut dialog);
    stage.server.ended_calls(ACME, 1, LIMIT);
    for (kind, times) in
        [("call.supervised", 1), ("call.supervision_changed", 2), ("call.supervision_ended", 1)]
    {
        stage.server.told(ACME, &id, kind, times);
    }
}

/// The page's own phone takes part in the first conversation.
fn takes_part(page: &Page<'_>) {
    page.told("click", json!({"selector": ".act-listen:visible"}));
    page.told("click", json!({"selector": "dialog button[type=submit]"}));
    shows(page, ".supervise-bar", "Alice with +4930123456");
}

/// Has the supervisor's page be in it in that mode, which the page shows.
fn comes_to(page: &Page<'_>, mode: &str) {
    page.told("click", json!({"selector": format!(".supervise-bar >> text={mode}")}));
    shows(page, ".supervise-bar button[aria-pressed=true]", mode);
}

impl Stage {
    /// Alice, at a phone on her desk, and a caller talk.
    fn talk_at_a_desk_phone(&self) -> (Ua, Dialog, Ua) {
        let mut alice = Ua::new(PHONES, self.server.sip, ALICE_HZ);
        alice.registers("alice");
        self.server.agent_is(ACME, "alice", "available");
        let (carrier, dialog) = self.caller();
        alice.takes();
        carrier.voice.hears(ALICE_HZ, 1.0);
        alice.voice.hears(CALLER_HZ, 1.0);
        (carrier, dialog, alice)
    }
}

/// What she whispered she whispers on, on whichever page she is, and the caller hears nothing of
/// it; when the call is over meanwhile, she is told so.
#[test]
fn a_supervisor_who_loads_the_page_again_whispers_on_and_the_caller_hears_nothing_of_it() {
    let stage = stage("floor-reload", 0);
    let sue = stage.sue();
    let (mut carrier, mut dialog, mut alice) = stage.talk_at_a_desk_phone();
    takes_part(&sue);
    comes_to(&sue, "Whisper");
    alice.voice.hears(SUE_HZ, 1.0);
    let before = carrier.voice.heard().samples.len();
    for page in ["#/floor", "#/calls"] {
        sue.told("evaluate", json!({"script": format!("void (location.hash = '{page}')")}));
        sue.told("reload", json!({}));
        shows(&sue, ".supervise-bar button[aria-pressed=true]", "Whisper");
        shows(&sue, ".supervise-bar", "Alice with +4930123456");
        alice.voice.hears(SUE_HZ, 1.0);
    }
    let mut heard = carrier.voice.heard();
    heard.samples.drain(..before.min(heard.samples.len()));
    let leaked = heard.loudest(SUE_HZ);
    assert!(leaked < NOTHING, "the caller heard {leaked} of the whisper");
    assert!(heard.seconds_with_tone(ALICE_HZ, AMPLITUDE) > 1.0);
    stage.server.told(ACME, &stage.call(), "call.supervised", 3);

    // The call ends while her page is away.
    sue.told("evaluate", json!({"script": "void (location.href = 'about:blank')"}));
    carrier.hangs_up(&mut dialog);
    alice.hears_bye();
    stage.server.ended_calls(ACME, 1, LIMIT);
    let url = format!("location.href = 'http://{}/'", stage.server.http);
    sue.told("evaluate", json!({"script": format!("void ({url})")}));
    shows(&sue, ".toast", "no longer in the conversation");
    shows(&sue, "body:has(.supervise-bar[hidden])", "");
}

/// Neither hears the other's whisper, the caller hears neither; and each joins and leaves alone.
#[test]
fn two_supervisors_are_in_one_conversation_each_in_their_own_way() {
    let stage = stage("floor-two", 0);
    let sue = stage.sue();
    let tom = stage.supervisor("tom", TOM, TOM_HZ);
    let (mut carrier, mut dialog, mut alice) = stage.talk_at_a_desk_phone();
    takes_part(&sue);
    takes_part(&tom);
    comes_to(&sue, "Whisper");
    alice.voice.hears(SUE_HZ, 1.0);
    let heard = alice.voice.heard_for(1.0).loudest(TOM_HZ);
    assert!(heard < NOTHING, "{heard} of who listens");
    comes_to(&tom, "Whisper");
    alice.voice.hears(TOM_HZ, 1.0);
    alice.voice.hears(SUE_HZ, 1.0);
    let heard = carrier.voice.heard_for(2.0);
    for hertz in [SUE_HZ, TOM_HZ] {
        let leaked = heard.loudest(hertz);
        assert!(leaked < NOTHING, "the caller heard {leaked} of {hertz} Hz");
    }
    comes_to(&tom, "Barge in");
    carrier.voice.hears(TOM_HZ, 1.0);
    let leaked = carrier.voice.heard_for(1.0).loudest(SUE_HZ);
    assert!(leaked < NOTHING, "the caller heard {leaked} of the other's whisper");
    sue.told("click", json!({"selector": ".supervise-bar >> text=Leave"}));
    carrier.voice.hears(TOM_HZ, 1.0);
    stage.server.told(ACME, &stage.call(), "call.supervision_ended", 1);
    alice.voice.hears_no_more(SUE_HZ);
    carrier.hangs_up(&mut dialog);
    alice.hears_bye();
}

/// Calls, and waits.
const WAITS: [Step; 6] =
    [Step::Invite, Step::MayCome(100), Step::Expect(200), Step::Ack, Step::Told, Step::Bye];

/// Marks, in the page, when the number of those who wait changes.
const WATCH: &str = "globalThis.seen = []; new MutationObserver(() => seen.push([Date.now(), \
    document.querySelector('[data-queue=sales] .wall-waiting').textContent])).observe(\
    document.querySelector('[data-queue=sales] .wall-waiting'), \
    { childList: true, characterData: true, subtree: true })";

/// SIPp calls three times; nobody is there. By keyboard alone one is raised, one moved, one ended.
#[test]
fn callers_who_wait_are_raised_moved_and_ended_with_the_keyboard_alone() {
    let stage = stage("floor-keyboard", 0);
    let sue = stage.sue();
    shows(&sue, "[data-queue=sales]", "Sales");
    sue.told("evaluate", json!({"script": WATCH}));
    let sipp = carrier(stage.folder.path(), &stage.server, CALLERS, "+15550100", 3, &WAITS);
    stage.server.calls_are(ACME, 3, "queued");
    shows(&sue, "[data-queue=sales] .wall-waiting", "3");
    shows(&sue, "[data-queue=sales] .wall-alarm", "no agent is there");
    delays(&stage, &sue);

    // From the last row, which came last: its priority.
    let focus = "document.querySelectorAll('.floor-calls .row-main')[0].focus()";
    sue.told("evaluate", json!({"script": focus}));
    press(&sue, &["End", "Tab", "Enter"]);
    shows(&sue, "dialog h2", "Priority");
    press(&sue, &["ArrowDown", "Enter"]);
    dialog_is_gone(&sue);
    shows(&sue, ".call-row .raised", "first");
    let path = "/api/v1/queues/statistics";
    stage.server.eventually("its priority", path, ACME, LIMIT, |statistics| {
        (statistics["waiting"][2]["priority"] == 200).then_some(())
    });

    // The first row is that one now: it goes to the other queue.
    sue.told("evaluate", json!({"script": focus}));
    press(&sue, &["Home", "Tab", "Tab", "Enter"]);
    shows(&sue, "dialog h2", "Move");
    sue.told("type", json!({"text": "support"}));
    press(&sue, &["Enter"]);
    dialog_is_gone(&sue);
    shows(&sue, "[data-queue=support] .wall-waiting", "1");
    shows(&sue, "[data-queue=sales] .wall-waiting", "2");

    // And one is ended.
    sue.told("evaluate", json!({"script": focus}));
    press(&sue, &["Home", "Tab", "Tab", "Tab", "Enter"]);
    shows(&sue, "dialog h2", "End this call?");
    press(&sue, &["Tab", "Enter"]);
    dialog_is_gone(&sue);
    let over = |calls: &Value| calls[0]["cause"].as_str().map(str::to_owned);
    let path = "/api/v1/calls?state=ended";
    assert_eq!(stage.server.eventually("an end", path, ACME, LIMIT, over), "api_request");

    // An agent is sent to lunch, with the keyboard too.
    let agent = "document.querySelector('.floor-agents .row-main').focus()";
    sue.told("evaluate", json!({"script": agent}));
    press(&sue, &["ArrowDown", "Enter"]);
    shows(&sue, "dialog h2", "Bob");
    press(&sue, &["Escape"]);
    dialog_is_gone(&sue);
    focus_is(&sue, "className", "row-main agent-main");
    press(&sue, &["Enter"]);
    shows(&sue, "dialog h2", "Bob");
    press(&sue, &["ArrowUp", "Tab"]);
    sue.told("type", json!({"text": "Lunch"}));
    press(&sue, &["Enter"]);
    dialog_is_gone(&sue);
    stage.server.agent_is(ACME, "bob", "break");

    // What others set is seen: nobody may call her.
    let quiet = json!({"on": true});
    let path = "/api/v1/agents/alice/do-not-disturb";
    assert_eq!(http(stage.server.http, "PUT", path, ACME, Some(&quiet)).status, 200);
    shows(&sue, ".floor-agent:has-text('Alice')", "Wants no calls");

    // An alarm that was seen is quiet, and there still.
    sue.told("click", json!({"selector": ".alarm-button"}));
    shows(&sue, ".alarm-list", "no agent is there");
    sue.told("click", json!({"selector": ".alarm button"}));
    shows(&sue, ".alarm-list", "Was seen");
    press(&sue, &["Escape"]);

    // Another page begins at its heading.
    sue.told("click", json!({"selector": "nav a[href='#/board']"}));
    focus_is(&sue, "tagName", "H1");
    sue.told("click", json!({"selector": "nav a[href='#/floor']"}));
    shows(&sue, "[data-queue=sales]", "Sales");

    for theme in ["light", "dark"] {
        let script = format!("document.documentElement.dataset.theme = '{theme}'");
        sue.told("evaluate", json!({ "script": script }));
        assert_eq!(sue.told("accessibility", json!({})), json!([]), "{theme}");
    }
    drop(sipp);
}

/// How long after an event the figure changes, by the clock of this machine.
fn delays(stage: &Stage, page: &Page<'_>) {
    let seen = page.told("evaluate", json!({"script": "globalThis.seen"}));
    let calls = stage.server.data("/api/v1/queues/statistics", ACME)["waiting"].clone();
    let queued = calls.as_array().expect("calls").iter().map(|call| {
        let at = call["since"].as_str().expect("a time").to_owned();
        let script = format!("Date.parse('{at}')");
        page.told("evaluate", json!({ "script": script })).as_i64().expect("milliseconds")
    });
    let queued: Vec<i64> = queued.collect();
    let shown: Vec<(i64, &str)> = seen
        .as_array()
        .expect("changes")
        .iter()
        .map(|one| (one[0].as_i64().unwrap_or(0), one[1].as_str().unwrap_or("")))
        .collect();
    for (number, at) in (1..).zip(&queued) {
        let wanted = shown
            .iter()
            .find(|(_, text)| text.parse::<usize>().is_ok_and(|waiting| waiting >= number));
        if let Some((when, _)) = wanted {
            println!("waiting {number}: shown {} ms after its event", when - at);
        }
    }
}

/// A thousand agents change state one after the other while the page is looked at.
#[test]
fn a_thousand_agents_stay_fast() {
    let stage = stage("floor-thousand", 1000);
    let sue = stage.sue();
    shows(&sue, ".floor-agents .chip[data-kind=all] .chip-count", "1,004");
    let rows = "document.querySelectorAll('.floor-agent').length";
    let there = sue.told("evaluate", json!({"script": rows})).as_u64().expect("rows");
    assert!(there < 60, "{there} rows are there, of those in sight and a few beyond");
    let watch = "globalThis.frames = []; let last = performance.now(); \
        const step = (now) => { \
            frames.push(now - last); last = now; requestAnimationFrame(step); }; \
        requestAnimationFrame(step)";
    sue.told("evaluate", json!({"script": format!("(() => {{ {watch} }})()")}));
    let began = Instant::now();
    for n in 0..200 {
        let path = format!("/api/v1/agents/n{n}/state");
        let state = json!({"state": "break", "reason": "lunch"});
        http(stage.server.http, "PUT", &path, ACME, Some(&state));
    }
    let took = began.elapsed();
    shows(&sue, ".floor-agents .chip[data-kind=break] .chip-count", "200");
    let script = "(() => { const all = [...frames].sort((a, b) => a - b); \
        const at = (part) => Math.round(all[Math.floor(part * (all.length - 1))]); \
        return [all.length, at(0.5), at(0.95), at(1)]; })()";
    let frames: Value = sue.told("evaluate", json!({ "script": script }));
    println!("200 changes of 1,004 agents in {took:?}: frames, p50, p95, longest in ms: {frames}");
    let agent = "document.querySelector('.floor-agents .row-main').focus()";
    sue.told("evaluate", json!({"script": agent}));
    press(&sue, &["End"]);
    shows(&sue, ".floor-agent:focus-within", "Tom");
}
