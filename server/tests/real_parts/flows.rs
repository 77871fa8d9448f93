//! The editor of flows in Chromium: a menu is built from nothing with the keyboard alone, what the
//! API finds wrong stands where it is, and a call of SIPp's goes through it to the right queue.

use serde_json::{Value, json};

use crate::browser::{Browsers, Page};
use crate::parts::{ACME_SALES, CARRIER_A, LIMIT, carrier};
use crate::scenario::Step;
use crate::strowger::{ACME, Folder, Strowger};

const SIGNED_IN_HZ: f64 = 1000.0;
/// How many steps the page shows.
const COUNT: &str = "document.querySelectorAll('.flow-step').length";

/// Calls, presses 2, and waits.
const PRESSES: [Step; 7] = [
    Step::Invite,
    Step::MayCome(100),
    Step::Expect(200),
    Step::Ack,
    Step::Press('2'),
    Step::Told,
    Step::Bye,
];

/// What is built.
fn expected() -> Value {
    json!([
        {"do": "menu", "prompt": "greeting", "choices": [
            {"digits": "1", "queue": "sales"}, {"digits": "2", "queue": "support"}]},
        {"do": "queue", "queue": "sales"},
        {"do": "hangup", "cause": "unavailable"},
    ])
}

#[track_caller]
fn is_focused(page: &Page<'_>, label: &str) {
    let script = "(({ labels, ariaLabel, textContent }) => \
        labels?.[0]?.textContent ?? ariaLabel ?? textContent)(document.activeElement)";
    page.until(script, |is| *is == json!(label));
}

impl Page<'_> {
    fn focuses(&self, selector: &str) {
        self.sees(selector);
        self.says(&format!("document.querySelector(\"{selector}\").focus()"));
    }

    fn types(&self, text: &str) {
        self.told("type", json!({ "text": text }));
    }

    /// From one control to the next, to the one that is called so.
    #[track_caller]
    fn tabs_to(&self, label: &str) {
        self.presses("Tab");
        is_focused(self, label);
    }
}

/// The editor's steps, as its other view has them.
fn steps(page: &Page<'_>) -> Value {
    page.clicks("#flow-as-json");
    let text = page.says("document.querySelector('#flow-json').value");
    page.clicks("#flow-as-steps");
    serde_json::from_str(text.as_str().expect("a text")).expect("JSON")
}

pub(crate) fn signed_in<'a>(
    browsers: &'a Browsers,
    folder: &Folder,
    server: &Strowger,
    key: &str,
) -> Page<'a> {
    let url = format!("http://{}/", server.http);
    let page = browsers.site(folder.path(), &url, "admin", SIGNED_IN_HZ);
    page.fills("#key", key);
    page.clicks("button[type=submit]");
    page.sees("main h1");
    page
}

/// Its name, a menu, and two choices: the second with the key of the first, which the API finds
/// wrong at the field, and which is mended there.
fn builds_a_menu(page: &Page<'_>) {
    page.focuses("#flow-id");
    page.types("reception");
    page.focuses("#flow-add-kind");
    page.types("Menu");
    page.tabs_to("Where:");
    page.tabs_to("Add");
    page.presses("Enter");
    is_focused(page, "What is played");
    page.types("greeting");
    page.tabs_to("Played after a wrong key");
    page.tabs_to("Extensions can be dialled, too");
    page.tabs_to("Keys");
    page.tabs_to("Leads to");
    page.types("Queue");
    page.tabs_to("Queue");
    page.types("Sales");
    page.focuses(".flow-choices-box > button");
    page.presses("Enter");
    is_focused(page, "Keys");
    page.presses("Control+A");
    page.types("1");
    page.tabs_to("Leads to");
    page.types("Queue");
    page.tabs_to("Queue");
    page.types("Support");
    page.focuses("#flow-save");
    page.presses("Enter");
    let fault = ".flow-choice:nth-child(2) .form-field:first-child .field-fault";
    let said = json!("another choice has the same – remove one");
    page.until(&format!("document.querySelector('{fault}').textContent"), |is| *is == said);
    is_focused(page, "Keys");
    page.can_be_read("flow-fault");
    page.presses("Control+A");
    page.types("2");
}

/// Who chooses nothing waits in sales; an end that comes too early is moved to where it belongs.
fn adds_what_follows(page: &Page<'_>) {
    page.focuses("#flow-add-kind");
    page.types("Hang");
    page.focuses("#flow-add");
    page.presses("Enter");
    is_focused(page, "The caller's side is told");
    page.types("nobody");
    page.focuses("#flow-add-place");
    page.presses("End");
    page.focuses("#flow-add-kind");
    page.types("Queue");
    page.focuses("#flow-add");
    page.presses("Enter");
    is_focused(page, "Queue");
    page.types("Sales");
    page.focuses("#flow-save");
    page.presses("Enter");
    let fault = "document.querySelector('.flow-step:nth-child(3) > .field-fault').textContent";
    page.until(&format!("{fault}.startsWith('the step before it hangs up')"), |is| {
        *is == json!(true)
    });
    page.focuses(".flow-step:nth-child(3) .flow-title");
    page.presses("Alt+ArrowUp");
    let place = "document.activeElement.closest('li').querySelector('.step-mark').textContent";
    page.until(place, |is| *is == json!("2"));
    assert_eq!(steps(page), expected());
}

/// What is taken away comes back; JSON that is none is told, and nothing is lost.
fn undoes_and_writes_json(page: &Page<'_>) {
    page.focuses(".flow-step:nth-child(2) .flow-title");
    page.presses("Delete");
    page.until(COUNT, |is| *is == json!(2));
    page.focuses("#flow-undo");
    page.presses("Enter");
    page.until(COUNT, |is| *is == json!(3));
    page.clicks("#flow-as-json");
    page.fills("#flow-json", "[{]");
    page.clicks("#flow-as-steps");
    assert!(page.sees("#flow-json-fault:not(:empty)").contains("no JSON"));
    page.can_be_read("flow-json");
    page.fills("#flow-json", &expected().to_string());
}

/// What leads here is told, and what is not saved stays while another page is looked at.
fn keeps_a_draft(page: &Page<'_>) {
    page.goes("#/admin/flows/reception");
    assert!(page.sees(".flow-from").contains(ACME_SALES));
    page.clicks(".flow-step:nth-child(3) [data-tool=remove]");
    page.goes("#/admin/queues");
    page.sees("text=Support");
    page.goes("#/admin/flows/reception");
    assert_eq!(page.sees(".flow-state"), "Not saved yet.");
    page.until(COUNT, |is| *is == json!(2));
    page.clicks("#flow-discard");
    page.until(COUNT, |is| *is == json!(3));
}

#[test]
fn a_menu_is_built_from_nothing_by_keys_and_a_call_goes_through_it_to_the_right_queue() {
    let folder = Folder::new("flows");
    let server = Strowger::start(folder.path());
    let browsers = Browsers::start();
    let page = signed_in(&browsers, &folder, &server, ACME);
    page.goes("#/admin/flows");
    page.sees(".things .steps");
    page.focuses(".admin-tools button");
    page.presses("Enter");
    builds_a_menu(&page);
    adds_what_follows(&page);
    undoes_and_writes_json(&page);
    page.focuses("#flow-save");
    page.presses("Enter");
    page.until("location.hash", |is| *is == json!("#/admin/flows/reception"));
    page.sees(".flow-choices-read");
    page.can_be_read("flow");
    let live = server.data("/api/v1/provisioning", ACME);
    let flows = live["tenant"]["flows"].as_array().expect("flows");
    let made = flows.iter().find(|flow| flow["id"] == "reception").expect("the new flow");
    assert_eq!(made["steps"], expected());

    // The number leads there, and a caller who presses 2 waits in support.
    page.goes("#/admin/numbers");
    page.clicks("[aria-label='Edit +15550100']");
    page.focuses("#form-flow");
    page.types("reception");
    page.clicks("dialog >> text=Save");
    page.sees(".things tr:has-text('+15550100'):has-text('reception')");
    let caller = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &PRESSES);
    let queue = server.eventually("the queue", "/api/v1/calls", ACME, LIMIT, |calls| {
        calls[0]["queue"].as_str().map(str::to_owned)
    });
    assert_eq!(queue, "support");
    caller.hang_up();
    caller.succeed(LIMIT);
    keeps_a_draft(&page);
}
