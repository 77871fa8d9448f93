//! Calls for help go out whatever stands in the way of others: who may dial what, limits of the
//! tenant, of the trunk and of the engine, the agent's own second call, a drain.

use switch::{Input, Limits};

use crate::rig::{ALICE, BOB, OUT, Phone, Rig, calls_out};

/// One trunk for one call at a time, a tenant of one call, an agent who may dial nobody.
fn narrow() -> String {
    let limits = r#"[tenants.limits]
concurrent_calls = 1
calls_per_second = 1
outbound_concurrent_calls = 1
outbound_calls_per_second = 1

[[tenants.queues]]
id = "sales""#;
    calls_out("concurrent_calls = 1\ncalls_per_second = 1")
        .replacen("routes = [{", "routes = [{ prefix = \"+1\",", 1)
        .replacen("[[tenants.queues]]\nid = \"sales\"", limits, 1)
        .replace(r#""bob-secret","#, r#""bob-secret", may_dial = "none","#)
}

#[test]
fn no_limit_and_no_bar_holds_a_call_for_help_back() {
    let limits = Limits { calls: 1, ..Limits::default() };
    let mut rig = Rig::with_limits(&narrow(), limits, 20_000..=29_999);
    rig.register_both();
    // Alice's call takes up all that may be: of the trunk, the tenant and the engine.
    let mut alice = rig.agent_dials(ALICE, "alice", "+12125550123", "");
    let carrier = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    rig.phone_answers(&carrier);
    rig.agent_is_answered(&mut alice);
    // Hers would be the second of each, and Bob may dial nobody.
    let second = rig.agent_dials(ALICE, "alice", "+12125550124", "");
    let refused = rig.expect_final(ALICE);
    assert!(refused.status().unwrap().as_u16() >= 400);
    rig.send(ALICE, &second.ack(&refused));
    let barred = rig.agent_dials(BOB, "bob", "+12125550124", "");
    let refused = rig.expect_final(BOB);
    assert!(refused.status().unwrap().as_u16() >= 400);
    rig.send(BOB, &barred.ack(&refused));
    rig.expect_silence(OUT);
    rig.input(Input::Drain);
    for written in ["911", "9-1-1", "112"] {
        let bob = rig.agent_dials(BOB, "bob", written, "");
        let help = Phone::new(OUT, rig.expect(OUT, "INVITE sip:"));
        assert!(help.invite.uri_text().starts_with("sip:911@") || written == "112", "{written}");
        rig.send(OUT, &help.respond("486 Busy Here", None));
        rig.expect(OUT, "ACK");
        let refused = rig.expect_final(BOB);
        rig.send(BOB, &bob.ack(&refused));
    }
    alice.extra.clear();
    rig.agent_hangs_up(&mut alice, "");
    rig.confirm_bye(OUT);
    rig.finish();
}
