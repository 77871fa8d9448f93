//! What agents' phones are set to outlives the switch: it says what to keep, and takes it up again.

use base::AgentId;
use routing::Forward;
use switch::{AgentSettings, ApiReply, ApiRequest, Input, Waiting};

use crate::rig::{ALICE, BOB, DEMO, Phone, Rig};

fn alice() -> AgentId {
    AgentId::new("alice").unwrap()
}

fn ask(rig: &mut Rig, request: ApiRequest) -> ApiReply {
    rig.request("acme", request).unwrap()
}

fn set_all(rig: &mut Rig) {
    let agent = alice();
    ask(rig, ApiRequest::SetDoNotDisturb { agent, on: true });
    let forward = Forward { busy: Some("bob".to_owned()), ..Forward::default() };
    ask(rig, ApiRequest::SetForward { agent: alice(), forward });
    let waiting = Waiting { new: 3, old: 7 };
    ask(rig, ApiRequest::SetMessagesWaiting { agent: alice(), waiting });
}

/// The engine is killed, and starts again with what was kept last and that provisioning.
fn again(kept: &AgentSettings, provisioning: &str) -> Rig {
    let mut rig = Rig::with(provisioning);
    rig.input(Input::Settings(vec![kept.clone()]));
    rig
}

fn shown(rig: &mut Rig) -> (bool, Option<String>, Waiting) {
    let ApiReply::Agents(agents) = ask(rig, ApiRequest::Agents) else { panic!("agents") };
    let off = agents.iter().find(|agent| agent.id == alice()).unwrap().do_not_disturb;
    let ApiReply::Forward(forward) = ask(rig, ApiRequest::Forward { agent: alice() }) else {
        panic!("a forward")
    };
    let ApiReply::MessagesWaiting(waiting) =
        ask(rig, ApiRequest::MessagesWaiting { agent: alice() })
    else {
        panic!("messages")
    };
    (off, forward.busy, waiting)
}

#[test]
fn all_that_a_phone_was_set_to_is_there_after_a_restart() {
    let mut before = Rig::new();
    set_all(&mut before);
    assert_eq!(before.settings.len(), 3, "each change is kept");
    let kept = before.settings.pop().unwrap();
    assert!(kept.do_not_disturb && kept.forward.is_some());
    let mut rig = again(&kept, DEMO);
    let waiting = Waiting { new: 3, old: 7 };
    assert_eq!(shown(&mut rig), (true, Some("bob".to_owned()), waiting));
    // It holds: a direct call to Alice goes to Bob.
    rig.register_both();
    let caller = std::net::SocketAddr::from(([127, 0, 0, 12], 5060));
    assert_eq!(caller, BOB);
    let mut call = rig.dial("+15550100");
    rig.finish_prompt();
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.expect_silence(ALICE);
    rig.send(BOB, &bob.respond("180 Ringing", None));
    rig.caller_hangs_up(&mut call);
    rig.confirm_cancel(&bob);
    // And it can be taken back, which is kept too.
    ask(&mut rig, ApiRequest::SetDoNotDisturb { agent: alice(), on: false });
    let last = rig.settings.last().unwrap();
    assert!(!last.do_not_disturb && last.waiting == waiting && last.forward.is_some());
    rig.finish();
}

#[test]
fn do_not_disturb_is_told_when_it_changes_and_not_when_it_is_set_again_as_it_is() {
    let mut rig = Rig::new();
    for on in [false, true, true, false] {
        ask(&mut rig, ApiRequest::SetDoNotDisturb { agent: alice(), on });
    }
    let told = |on: bool| serde_json::json!({"agent": "alice", "on": on});
    assert_eq!(rig.events_of("agent.do_not_disturb_changed"), [told(true), told(false)]);
}

#[test]
fn a_forward_goes_when_the_provisioning_says_something_new() {
    let mut before = Rig::new();
    set_all(&mut before);
    let changed = DEMO.replace(
        r#"password = "alice-secret","#,
        r#"password = "alice-secret", forward = { always = "bob" },"#,
    );
    let mut rig = again(&before.settings[2], &changed);
    assert_eq!(shown(&mut rig), (true, None, Waiting { new: 3, old: 7 }));
    // The same while it runs: and that the forward is gone is kept.
    before.provision(&changed);
    let last = before.settings.last().unwrap();
    assert_eq!((before.settings.len(), last.forward.clone()), (4, None));
    assert!(last.do_not_disturb);
}

#[test]
fn nothing_is_left_of_an_agent_who_is_taken_out() {
    let mut before = Rig::new();
    set_all(&mut before);
    let (kept, line) = (before.settings[2].clone(), "    { id = \"alice\"");
    let start = DEMO.find(line).unwrap();
    let end = start + DEMO[start..].find('\n').unwrap() + 1;
    let without = format!("{}{}", &DEMO[..start], &DEMO[end..]);
    before.provision(&without);
    let last = before.settings.last().unwrap();
    assert_eq!((last.do_not_disturb, last.waiting), (false, Waiting::default()));
    assert_eq!(last.forward, None);
    // One who was taken out while the engine stood still.
    let mut rig = again(&kept, &without);
    assert!(rig.request("acme", ApiRequest::Forward { agent: alice() }).is_err());
    assert!(rig.settings.is_empty());
}
