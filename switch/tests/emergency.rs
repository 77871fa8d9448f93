//! Calls for help go out whatever stands in the way of others: who may dial what, limits of the
//! tenant, of the trunk and of the engine, the agent's own second call, a drain.

use std::net::SocketAddr;

use switch::{Input, Limits};

use crate::rig::{ALICE, BOB, DEMO, Phone, Rig, SDP_PCMU};

const CARRIER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 51)), 5060);

/// One trunk for one call at a time, a tenant of one call, an agent who may dial nobody.
fn narrow() -> String {
    let trunk = r#"
[[trunks]]
id = "one"
sources = ["127.0.0.51"]
targets = [{ uri = "sip:127.0.0.51" }]
probe_s = 0
concurrent_calls = 1
calls_per_second = 1
"#;
    let tenant = r#"country = "US"
caller_id = "+15550100"
routes = [{ prefix = "+1", trunk = "one" }]
skills = [{ id = "sales" }, { id = "billing" }]"#;
    let limits = r#"[tenants.limits]
concurrent_calls = 1
calls_per_second = 1
outbound_concurrent_calls = 1
outbound_calls_per_second = 1

[[tenants.queues]]
id = "sales""#;
    let demo = DEMO
        .replace(r#"skills = [{ id = "sales" }, { id = "billing" }]"#, tenant)
        .replacen("[[tenants.queues]]\nid = \"sales\"", limits, 1)
        .replace(r#""bob-secret","#, r#""bob-secret", may_dial = "none","#);
    format!("{trunk}{demo}")
}

#[test]
fn no_limit_and_no_bar_holds_a_call_for_help_back() {
    let limits = Limits { calls: 1, ..Limits::default() };
    let mut rig = Rig::with_limits(&narrow(), limits, 20_000..=29_999);
    rig.register_both();
    // Alice's call takes up all that may be: of the trunk, the tenant and the engine.
    let mut alice = rig.agent_dials(ALICE, "alice", "+12125550123", "");
    let carrier = Phone::new(CARRIER, rig.expect(CARRIER, "INVITE"));
    rig.send(CARRIER, &carrier.respond("200 OK", Some(SDP_PCMU)));
    rig.expect(CARRIER, "ACK");
    let ok = rig.expect(ALICE, "SIP/2.0 200");
    rig.agent_acks(&mut alice, &ok);
    // Hers would be the second of each, and Bob may dial nobody.
    let second = rig.agent_dials(ALICE, "alice", "+12125550124", "");
    let refused = rig.expect_final(ALICE);
    assert!(refused.status().unwrap().as_u16() >= 400);
    rig.send(ALICE, &second.ack(&refused));
    let barred = rig.agent_dials(BOB, "bob", "+12125550124", "");
    let refused = rig.expect_final(BOB);
    assert!(refused.status().unwrap().as_u16() >= 400);
    rig.send(BOB, &barred.ack(&refused));
    rig.expect_silence(CARRIER);
    rig.input(Input::Drain);
    for written in ["911", "9-1-1", "112"] {
        let bob = rig.agent_dials(BOB, "bob", written, "");
        let help = Phone::new(CARRIER, rig.expect(CARRIER, "INVITE sip:"));
        assert!(help.invite.uri_text().starts_with("sip:911@") || written == "112", "{written}");
        rig.send(CARRIER, &help.respond("486 Busy Here", None));
        rig.expect(CARRIER, "ACK");
        let refused = rig.expect_final(BOB);
        rig.send(BOB, &bob.ack(&refused));
    }
    alice.extra.clear();
    rig.agent_hangs_up(&mut alice, "");
    rig.confirm_bye(CARRIER);
    rig.finish();
}
