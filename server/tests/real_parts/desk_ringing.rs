//! Pages that are loaded again, or lose their connection, while somebody whom the agent has called
//! still rings: it rings on, and they are talked with when they answer. Who hears whom is told by
//! content.

use serde_json::json;

use crate::browser::Page;
use crate::desk::{AGENT_HZ, BOB_HZ, Stage, ask_bob, click, is_accessible, press, says, stage};
use crate::desk_calls::{bob_has_the_caller, plays, run};
use crate::parts::LIMIT;
use crate::strowger::ACME;
use crate::ua::Ua;

/// Of the ringing tone of the demo's country, and of nobody's voice.
const RINGING_HZ: f64 = 480.0;
const KEPT: &str =
    "Object.keys(JSON.parse(sessionStorage.getItem('strowger.calls') ?? '{}')).length";

impl Stage {
    /// Alice, who talks with a caller, has called bob about it; his phone rings.
    fn asking(&self, page: &Page<'_>) -> (Ua, String) {
        let mut bob = self.bob();
        self.put("bob/do-not-disturb", &json!({"on": false}));
        ask_bob(page);
        let invite = bob.expect("INVITE ");
        bob.respond(&invite, "180 Ringing", "", "");
        page.until(KEPT, |calls| *calls == 2);
        (bob, invite)
    }
}

#[test]
fn whom_she_asks_rings_on_when_her_page_is_loaded_again_and_gets_the_caller() {
    let stage = stage("desk-rings-on");
    let page = stage.desk_with(json!({"init": "player.js"}));
    let (mut carrier, mut dialog, _) = stage.talking(&page);
    let (mut bob, invite) = stage.asking(&page);
    for _ in 0..3 {
        page.told("reload", json!({}));
        says(&page, ".call:not([data-state=held])", "Ringing");
        says(&page, ".call[data-state=held]", "On hold");
        plays(&page, RINGING_HZ, "");
    }
    is_accessible(&page);
    carrier.voice.hears_no_more(AGENT_HZ);
    bob.takes_call(&invite);
    bob.voice.hears(AGENT_HZ, 1.0);
    plays(&page, BOB_HZ, "");
    says(&page, ".call:not([data-state=held])", "Talking");
    // It is still asked about the caller.
    click(&page, ".call-consulting:not([hidden]) .accept");
    bob_has_the_caller(&page, &mut bob, &mut carrier, &mut dialog);
    let causes: Vec<_> = stage.server.ended_calls(ACME, 2, LIMIT);
    assert!(causes.iter().all(|call| call["cause"] != "transport_failed"), "{causes:#?}");
}

/// Her phone's connections from here on are the test's to close, and to hold back.
pub(crate) const HELD: &str = "(() => {
  const Real = WebSocket;
  const open = new Set();
  let isGone = false;
  globalThis.WebSocket = class extends Real {
    constructor(...given) {
      if (isGone) throw new Error('gone');
      super(...given);
      open.add(this);
    }
  };
  globalThis.goes = () => {
    isGone = true;
    for (const one of open) one.close();
    open.clear();
  };
  globalThis.comes = () => (isGone = false);
})()";

/// Bob answers while her page has no connection: music, and then alice.
#[test]
fn whom_she_asks_may_answer_while_her_page_has_no_connection() {
    let stage = stage("desk-answered-meanwhile");
    let page = stage.signed_in("alice", json!({"init": "player.js"}));
    run(&page, HELD);
    click(&page, ".desk-turn-on");
    stage.server.agent_is(ACME, "alice", "available");
    let (mut carrier, mut dialog, _) = stage.talking(&page);
    let (mut bob, invite) = stage.asking(&page);
    run(&page, "goes()");
    says(&page, ".call[data-state=held]", "On hold");
    page.until("document.querySelectorAll('.call').length", |calls| *calls == 1);
    bob.takes_call(&invite);
    let waits = bob.voice.hears_no_more(AGENT_HZ);
    assert!(waits.rms() > 0.005, "there is music");
    run(&page, "comes()");
    bob.voice.hears(AGENT_HZ, 1.0);
    plays(&page, BOB_HZ, "");
    carrier.voice.hears_no_more(AGENT_HZ);
    // Muted or not, held or not, about whom: as it was. She goes back to her caller.
    says(&page, ".call-consulting:not([hidden])", "Hand");
    click(&page, ".call-consulting:not([hidden]) button:nth-child(3)");
    bob.hears_bye();
    carrier.voice.hears(AGENT_HZ, 1.0);
    carrier.hangs_up(&mut dialog);
}

/// A call of hers that is about nobody, and a page that does not come back.
#[test]
fn whom_she_called_rings_no_more_when_her_page_does_not_come_back() {
    let stage = stage("desk-rings-no-more");
    let page = stage.desk();
    let mut bob = stage.bob();
    stage.put("bob/do-not-disturb", &json!({"on": false}));
    page.told("fill", json!({"selector": ".desk-dial input", "text": "bob"}));
    press(&page, &["Enter"]);
    let invite = bob.expect("INVITE ");
    bob.respond(&invite, "180 Ringing", "", "");
    says(&page, ".call", "Ringing");
    page.told("close", json!({}));
    let cancel = bob.expect("CANCEL ");
    assert!(cancel.contains("transport_failed"), "{cancel}");
    bob.respond(&cancel, "200 OK", "", "");
    bob.respond(&invite, "487 Request Terminated", "", "");
    bob.expect("ACK ");
    let call = &stage.server.ended_calls(ACME, 1, LIMIT)[0];
    assert_eq!((&call["cause"], &call["agent"]), (&json!("transport_failed"), &json!("alice")));
}
