//! Flows that branch on what the signature of the caller's number is worth.

use switch::Cause;

use crate::rig::{Call, DEMO, Rig, TRUNK, header};
use crate::signatures::{fetched, rig_with, signed};

const CALLED: &str = "+15550100";

/// Callers who are not signed for wait in another queue; those that somebody else signed for are
/// not even answered.
fn flows() -> String {
    let main =
        r#"steps = [{ do = "play", prompt = "greeting" }, { do = "queue", queue = "sales" }]"#;
    let screened = r#"steps = [
    { do = "branch", signature = ["failed"], flow = "closed" },
    { do = "branch", signature = ["A", "B"], flow = "known" },
    { do = "branch", signature = ["none", "unchecked"], flow = "support" },
    { do = "queue", queue = "sales" },
]

[[tenants.flows]]
id = "known"
steps = [{ do = "play", prompt = "greeting" }, { do = "queue", queue = "sales" }]"#;
    assert!(DEMO.contains(main));
    DEMO.replacen(main, screened, 1)
}

fn routed(rig: &Rig) -> Vec<String> {
    let flows = rig.events_of("call.routed");
    flows.iter().map(|event| event["flow"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_caller_whom_somebody_vouches_for_goes_one_way_and_one_without_a_signature_another() {
    let mut rig = rig_with(&flows(), "verify = true");
    let mut call = signed(&mut rig, CALLED, 0);
    fetched(&mut rig, "provider.pem");
    rig.caller_is_answered(&mut call);
    rig.finish_prompt();
    assert_eq!(rig.events_of("call.queued")[0]["queue"], "sales");
    let why = &rig.events_of("call.routed")[1]["reasons"][0];
    assert_eq!(why, "the caller's signature is \"B\"");
    rig.caller_hangs_up(&mut call);

    let mut plain = rig.dial(CALLED);
    assert_eq!(rig.events_of("call.queued")[1]["queue"], "support");
    rig.caller_hangs_up(&mut plain);
    assert_eq!(routed(&rig), ["main", "known", "main", "support"]);
    let worth: Vec<_> = rig.records.iter().map(|r| (r.verstat, r.attestation.clone())).collect();
    let want =
        [(Some("TN-Validation-Passed"), Some("B".to_owned())), (Some("No-TN-Validation"), None)];
    assert_eq!(worth, want);
    rig.finish();
}

#[test]
fn a_caller_that_somebody_else_signed_for_is_turned_away_before_the_call_is_answered() {
    let mut rig = rig_with(&flows(), "verify = true");
    let call = signed(&mut rig, CALLED, 0);
    fetched(&mut rig, "other-root.pem");
    let refused = rig.expect(TRUNK, "SIP/2.0 486");
    assert!(header(&refused, "Reason").contains("cause=17"));
    rig.send(TRUNK, &call.ack_refusal(&refused));
    assert_eq!(routed(&rig), ["main", "closed"]);
    let record = rig.record();
    assert_eq!((record.verstat, record.cause), (Some("TN-Validation-Failed"), Cause::Busy));
    assert!(record.answered_at.is_none());
    rig.finish();
}

#[test]
fn where_nobody_looks_the_signature_is_unchecked() {
    let mut rig = Rig::with(&flows());
    let mut call = rig.dial(CALLED);
    assert_eq!(routed(&rig), ["main", "support"]);
    rig.caller_hangs_up(&mut call);
    assert_eq!(rig.record().verstat, None);
    rig.finish();
}

#[test]
fn a_branch_may_come_after_other_steps() {
    let late = DEMO.replacen(
        r#"{ do = "queue", queue = "sales" }]"#,
        r#"{ do = "branch", signature = ["unchecked"], flow = "closed" }]"#,
        1,
    );
    let mut rig = Rig::with(&late);
    let mut call = Call::new(&mut rig, TRUNK, CALLED);
    rig.send(TRUNK, &call.invite());
    rig.caller_is_answered(&mut call);
    rig.finish_prompt();
    rig.confirm_bye(TRUNK);
    assert_eq!(rig.record().cause, Cause::Busy);
    rig.finish();
}

#[test]
fn flows_that_dial_each_others_numbers_end_the_call() {
    let circle = DEMO
        .replacen(
            r#"steps = [{ do = "hangup", cause = "busy" }]"#,
            r#"steps = [{ do = "dial", to = "+15550103" }]"#,
            1,
        )
        .replacen(
            r#"steps = [{ do = "queue", queue = "support" }]"#,
            r#"steps = [{ do = "dial", to = "+15550102" }]"#,
            1,
        );
    let mut rig = Rig::with(&circle);
    let mut call = Call::new(&mut rig, TRUNK, "+15550102");
    rig.send(TRUNK, &call.invite());
    rig.caller_is_answered(&mut call);
    rig.confirm_bye(TRUNK);
    assert_eq!(rig.record().cause, Cause::NoRoute);
    rig.finish();
}
