//! The console in Chromium: a newcomer's first call by the demo's link, the calls that are found
//! and one call on one page, and what is administered; read by axe-core in light and in dark, and
//! by keys.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::browser::{Browsers, Page};
use crate::net::http;
use crate::parts::LIMIT;
use crate::strowger::{ACME, Folder, lines_of};

/// `strowger demo --keep`, as a newcomer starts it.
struct Demo {
    child: Child,
    http: std::net::SocketAddr,
    /// What it prints for the newcomer.
    link: String,
}

impl Demo {
    fn start(folder: &Folder) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_strowger"))
            .args(["demo", "--keep", "--data"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the strowger binary");
        let lines = lines_of(&mut child);
        let mut told = String::new();
        let link = loop {
            let line = lines.recv_timeout(LIMIT).unwrap_or_else(|why| {
                let _ = child.kill();
                panic!("the demo does not start, {why}:\n{told}");
            });
            told.push_str(&line);
            told.push('\n');
            let line = line.trim();
            if line.starts_with("http://") && line.contains("/#/welcome/") {
                break line.to_owned();
            }
        };
        let address = link["http://".len()..].split('/').next().expect("its address");
        let http = address.parse().expect("an address");
        Self { child, http, link }
    }

    fn get(&self, path: &str) -> Value {
        let answer = http(self.http, "GET", path, ACME, None);
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// The call from that number, when it is over and its recording is stored.
    fn recorded(&self, from: &str) -> Value {
        let path = format!("/api/v1/calls/search?recorded=true&state=ended&number={from}");
        let deadline = std::time::Instant::now() + LIMIT;
        loop {
            let found = self.get(&path);
            let id = found["data"][0]["recording_id"].as_str();
            if let Some(id) = id {
                let recording = self.get(&format!("/api/v1/recordings/{id}"));
                if recording["data"]["state"] == "completed" {
                    return found["data"][0].clone();
                }
            }
            assert!(std::time::Instant::now() < deadline, "{path}: {found}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Page<'_> {
    pub(crate) fn clicks(&self, selector: &str) {
        self.told("click", json!({ "selector": selector }));
    }

    pub(crate) fn fills(&self, selector: &str, text: &str) {
        self.told("fill", json!({ "selector": selector, "text": text }));
    }

    pub(crate) fn sees(&self, selector: &str) -> String {
        let seen = self.told("see", json!({ "selector": selector }));
        seen.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn says(&self, script: &str) -> Value {
        self.told("evaluate", json!({ "script": script }))
    }

    /// Waits until the script gives that.
    #[track_caller]
    fn comes_to(&self, script: &str, expected: &str) {
        self.until(script, |is| is == expected);
    }

    pub(crate) fn presses(&self, key: &str) {
        self.told("press", json!({ "key": key }));
    }

    /// Nothing serious is found by axe-core, in light and in dark, and nothing is wider than the
    /// page; a picture of each, where somebody wants to look at them.
    #[track_caller]
    pub(crate) fn can_be_read(&self, name: &str) {
        for theme in ["light", "dark"] {
            self.says(&format!("document.documentElement.dataset.theme = '{theme}'"));
            if let Ok(folder) = std::env::var("STROWGER_PICTURES") {
                self.told("picture", json!({ "path": format!("{folder}/{name}-{theme}.png") }));
            }
            let found = self.told("accessibility", json!({}));
            assert_eq!(found, json!([]), "{name}, {theme}");
        }
        self.says("delete document.documentElement.dataset.theme");
        let wide = "document.documentElement.scrollWidth - innerWidth";
        assert!(self.says(wide).as_f64() <= Some(0.0), "{name} is wider than the page");
    }

    pub(crate) fn goes(&self, hash: &str) {
        self.says(&format!("void (location.hash = '{hash}')"));
    }
}

/// What timelines make of some events, with the names that agents have.
const SENTENCES: &str = "import('/console/describe.js').then(({ describe }) => {
  const model = { agentName: (id) => (id === 'alice' ? 'Alice' : id), queueName: (id) => id };
  return [['call.audio_silent', { leg: 1, kind: 'caller' }],
    ['call.participant_left', { leg: 3, number: '+4930', cause: 'normal' }],
    ['call.picked_up', { by: 'alice', from: 'bob' }],
    ['call.ringing', { trunk: 'carrier-a' }], ['call.ringing', { agent: 'alice' }],
    ['call.digits', { outcome: 'collected', count: 4 }],
    ['call.supervised', { agent: 'bob', mode: 'whisper', of: 'alice' }],
    ['siprec.started', { server: 'vault' }],
    ['call.caller_verified', { verdict: 'TN-Validation-Passed' }],
    ['agent.do_not_disturb_changed', { agent: 'alice', on: false }],
    ['something.new', {}]].map(([type, body]) => describe({ type, body }, model));
})";
const TOLD: [&str; 11] = [
    "Nothing but silence comes from the caller",
    "Left, while the others go on: +4930",
    "Picked up by Alice",
    "It rings there",
    "Alice's phone rings",
    "Keys pressed: 4, not shown",
    "bob speaks to Alice alone",
    "vault gets a copy of the conversation",
    "The caller's number is proven",
    "Alice can be called again",
    "something.new",
];

#[test]
fn a_newcomer_has_a_first_call_by_a_link_and_sees_all_of_it() {
    let folder = Folder::new("first-call");
    // No browser is beside it while the demo listens to its own call.
    let browsers = Browsers::start();
    let demo = Demo::start(&folder);
    let page = browsers.site(folder.path(), &demo.link, "newcomer", 1000.0);
    // No key was typed, and the code is gone from the address.
    page.clicks("text=Switch on");
    page.comes_to("location.hash", "#/welcome");
    page.can_be_read("welcome");

    // A customer calls: the page rings, they talk, and the customer says back what was said.
    page.clicks("text=Call me");
    page.clicks("text=Answer");
    page.sees(".welcome-log li[data-kind='call.connected']");
    page.can_be_read("welcome-call");
    std::thread::sleep(Duration::from_secs(8));
    page.clicks("text=Hang up");
    page.clicks("a.button.primary:has-text('Open the call')");
    let call = demo.recorded("15551234567");
    assert_eq!((&call["agent"], &call["cause"]), (&json!("bob"), &json!("normal")));
    page.comes_to("location.hash", &format!("#/calls/{}", call["id"].as_str().unwrap()));

    // Its page: reasons, ladder, quality as a chart, and the recording as a wave that keys move in.
    page.sees(".why-list h3");
    page.sees(".ladder-list summary");
    page.sees("svg.chart");
    page.clicks("text=Load recording");
    page.sees(".player-time");
    page.says("document.querySelector('.wave-box').focus()");
    page.presses("ArrowRight");
    page.comes_to("document.querySelector('.wave-box').getAttribute('aria-valuenow')", "5");
    page.says("document.querySelector('svg.chart').focus()");
    page.presses("Home");
    page.sees(".chart-said:has-text('MOS')");
    page.fills("#note", "the first call");
    page.clicks("text=Add note");
    assert_eq!(page.sees(".note-text"), "the first call");
    page.can_be_read("call");
    page.told("size", json!({"width": 390, "height": 780}));
    page.can_be_read("call-small");
    page.goes("#/floor");
    page.sees(".wall-tile");
    let cut = "[...document.querySelectorAll('.wall-tile dt, .panel-head')]\
        .filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.innerText)";
    assert_eq!(page.says(cut), json!([]), "words are cut off in a small window");
    page.can_be_read("floor-small");
    page.told("size", json!({"width": 1280, "height": 720}));
    assert_eq!(page.says(SENTENCES), json!(TOLD), "what happened is told in words");

    // The other way round: the newcomer calls in and hears the greeting, then the colleague.
    page.goes("#/welcome");
    page.clicks("text=Call in");
    page.sees(".welcome-log li[data-kind='call.connected']");
    page.clicks("text=Hang up");
    let call = demo.recorded("bob");
    assert_eq!((&call["agent"], &call["queue"]), (&json!("alice"), &json!("sales")));
    let again = browsers.site(folder.path(), &demo.link, "again", 1000.0);
    // The link opens once.
    again.sees(".problem:has-text('used')");
}

#[test]
fn calls_are_found_shared_by_address_and_what_is_provisioned_is_changed_in_the_page() {
    let folder = Folder::new("explorer");
    // No browser is beside it while the demo listens to its own call.
    let browsers = Browsers::start();
    let demo = Demo::start(&folder);
    let page = browsers.site(folder.path(), &demo.link, "explorer", 1000.0);
    page.sees("h1");

    // Found by part of a number and by quality; the address says what was asked for.
    page.goes("#/calls");
    page.sees(".found tbody tr");
    page.fills("#find-number", "765-43");
    let until = |expected| {
        page.comes_to("document.querySelector('.found-total').textContent", expected);
    };
    page.comes_to("location.hash", "#/calls?number=765-43");
    until("1 call");
    page.goes("#/calls?number=999&recorded=true");
    until("0 calls");
    page.comes_to("document.querySelector('#find-recorded').value", "true");
    page.goes("#/calls?cause=normal&codec=pcma&mos_below=4.0");
    until("0 calls");
    page.goes("#/calls?direction=inbound&period=day");
    until("1 call");
    page.can_be_read("calls");
    page.says("document.querySelector('.found td.from a').focus()");
    page.presses("Enter");
    page.sees(".ladder-list summary");

    // A number is pointed elsewhere; a mistake stands at its field.
    page.goes("#/admin");
    page.sees("text=+15550101");
    page.can_be_read("admin-numbers");
    page.goes("#/admin/queues");
    page.clicks("[aria-label='Edit sales']");
    page.fills("#form-ring_timeout_s", "999");
    page.clicks("text=Save");
    page.sees("#form-ring_timeout_s-fault:has-text('out of range')");
    page.can_be_read("admin-fault");
    page.fills("#form-ring_timeout_s", "15");
    page.fills("#form-wrap_up_codes", "order = Order taken\nlater");
    page.fills("#form-wrap_up_s", "9");
    page.clicks("text=Save");
    let deadline = std::time::Instant::now() + LIMIT / 4;
    let wrap_up =
        || demo.get("/api/v1/provisioning")["data"]["tenant"]["queues"][0]["wrap_up_s"].take();
    while wrap_up() != 9 {
        assert!(std::time::Instant::now() < deadline, "the queue was not changed");
        std::thread::sleep(Duration::from_millis(100));
    }
    let queue = demo.get("/api/v1/provisioning")["data"]["tenant"]["queues"][0].take();
    let codes = json!([{"code": "order", "name": "Order taken"}, {"code": "later", "name": ""}]);
    assert_eq!((&queue["wrap_up_codes"], &queue["needs"]), (&codes, &json!(["sales"])));

    a_skill_is_made_and_given(&page, &demo);
    what_would_happen_is_told(&page);
    for area in ["queues", "flows", "prompts", "agents", "skills", "trunks", "keys"] {
        page.goes(&format!("#/admin/{area}"));
        page.sees(".things tbody tr");
        page.can_be_read(&format!("admin-{area}"));
    }
    a_key_is_shown_once(&page, &demo);
}

fn a_skill_is_made_and_given(page: &Page<'_>, demo: &Demo) {
    page.goes("#/admin/skills");
    page.clicks("text=New skill");
    page.fills("#form-id", "spanish");
    page.clicks("dialog >> text=Save");
    page.sees(".things tr:has-text('spanish')");
    page.goes("#/admin/agents");
    page.clicks("[aria-label='Edit alice']");
    page.clicks("label:has-text('spanish')");
    page.fills("[id='form-forward.no_answer']", "bob");
    page.can_be_read("admin-agent");
    page.clicks("dialog >> text=Save");
    page.sees(".things tr:has-text('Alice'):has-text('spanish')");
    let agents = demo.get("/api/v1/provisioning")["data"]["tenant"]["agents"].take();
    let alice = agents.as_array().expect("agents").iter().find(|one| one["id"] == "alice");
    assert_eq!(alice.expect("alice")["forward"]["no_answer"], "bob");
}

fn what_would_happen_is_told(page: &Page<'_>) {
    page.goes("#/admin/numbers");
    page.fills("#explain-number", "0015550100");
    page.clicks("text=Ask");
    assert!(page.sees(".explain-reasons").contains("which is +15550100"));
    assert!(page.sees(".explained .flow-other").contains("Queue"));
    page.can_be_read("admin-explain");
    page.fills("#explain-number", "+4930");
    page.clicks("text=Ask");
    page.sees(".explained .field-fault");
}

/// A key is shown once, opens what it says, and is revoked.
fn a_key_is_shown_once(page: &Page<'_>, demo: &Demo) {
    page.clicks("text=New key");
    page.fills("#form-name", "the wallboard");
    page.clicks("dialog >> text=Save");
    page.sees("#new-key-title");
    let key = page.says("document.querySelector('#new-key').value");
    let key = key.as_str().expect("a key").to_owned();
    assert_eq!(http(demo.http, "GET", "/api/v1/calls", &key, None).status, 200);
    page.clicks("text=I have it");
    page.clicks(
        "[aria-label='Revoke the key for the wallboard?'], [aria-label^='Delete the wallboard']",
    );
    page.clicks("dialog >> button.danger");
    let deadline = std::time::Instant::now() + LIMIT / 4;
    while http(demo.http, "GET", "/api/v1/calls", &key, None).status != 401 {
        assert!(std::time::Instant::now() < deadline, "the key still opens");
        std::thread::sleep(Duration::from_millis(100));
    }
}
