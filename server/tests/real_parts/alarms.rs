//! Alarms of queues: set by a supervisor in one browser, they hold in another and are told as
//! events, raised by SIPp's callers and cleared when they are gone.

use serde_json::{Value, json};

use crate::browser::{Browsers, Page};
use crate::parts::{ACME_SALES, CARRIER_A, LIMIT, carrier};
use crate::scenario::Step;
use crate::strowger::{ACME, Folder, Strowger};

/// Calls, and waits.
const WAITS: [Step; 6] =
    [Step::Invite, Step::MayCome(100), Step::Expect(200), Step::Ack, Step::Told, Step::Bye];

/// Follows the events in the page, as a platform does, and keeps the alarms among them.
const FOLLOW: &str = "void (async () => { globalThis.alarms = []; \
    const answer = await fetch('/api/v1/events?after=0', \
        { headers: { Authorization: 'Bearer demo-acme-admin' } }); \
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader(); \
    let text = ''; \
    for (;;) { const { value, done } = await reader.read(); if (done) return; \
        const lines = (text + value).split('\\n'); text = lines.pop(); \
        for (const line of lines.filter((one) => one.startsWith('data: '))) { \
            const { type, data } = JSON.parse(line.slice(6)); \
            if (type.startsWith('alarm.')) alarms.push([type, data.queue, data.alarm, data.limit]); \
        } } })()";

fn floor<'a>(browsers: &'a Browsers, folder: &Folder, server: &Strowger, name: &str) -> Page<'a> {
    let url = format!("http://{}/", server.http);
    let page = browsers.site(folder.path(), &url, name, 1000.0);
    page.fills("#key", ACME);
    page.clicks("button[type=submit]");
    page.sees("main h1");
    page.goes("#/floor");
    page.sees("[data-queue=sales]");
    page
}

#[test]
fn thresholds_set_in_one_browser_hold_in_another_and_their_alarms_are_events() {
    let folder = Folder::new("alarms");
    let server = Strowger::start(folder.path());
    let browsers = Browsers::start();
    let one = floor(&browsers, &folder, &server, "one");
    let other = floor(&browsers, &folder, &server, "other");
    other.says(FOLLOW);

    // What cannot be is told in the dialog; what can holds for everybody.
    one.clicks(".alarm-button");
    one.clicks("text=Thresholds");
    one.fills("[aria-label='Longest wait (s) of Sales']", "90000");
    one.clicks("dialog >> text=Save");
    assert!(one.sees("dialog .problem:not(:empty)").contains("out of range"));
    one.can_be_read("alarm-limits");
    one.fills("[aria-label='Longest wait (s) of Sales']", "120");
    one.fills("[aria-label='Waiting of Sales']", "2");
    one.clicks("[aria-label='No agent of Sales']");
    one.clicks("dialog >> text=Save");
    let set = |queues: &Value| {
        let sales = queues.as_array()?.iter().find(|queue| queue["id"] == "sales")?;
        (sales["alarm_limits"]["waiting"] == 2).then(|| sales["alarm_limits"].clone())
    };
    let limits = server.eventually("the thresholds", "/api/v1/queues", ACME, LIMIT, set);
    let expected = json!({"longest_wait_s": 120, "waiting": 2, "service_level_percent": 0,
        "no_agent": false});
    assert_eq!(limits, expected);

    // Two wait: an alarm, in both browsers and among the events.
    let sipp = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 2, &WAITS);
    server.calls_are(ACME, 2, "queued");
    let alarm = "document.querySelector('[data-queue=sales] .wall-alarm').textContent";
    for page in [&one, &other] {
        page.until(alarm, |said| said == "2 or more wait");
        page.until("document.querySelector('.alarm-number').textContent", |said| said == "1");
    }
    let raised = json!([["alarm.raised", "sales", "waiting", 2]]);
    other.until("globalThis.alarms", |said| *said == raised);

    // They go, and five seconds later so does the alarm.
    sipp.hang_up();
    sipp.succeed(LIMIT);
    for page in [&one, &other] {
        page.until("document.querySelector('.alarm-number').textContent", |said| said == "");
    }
    other.until("globalThis.alarms.at(-1).slice(0, 3)", |said| {
        *said == json!(["alarm.cleared", "sales", "waiting"])
    });
}
