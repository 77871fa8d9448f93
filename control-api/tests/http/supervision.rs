//! Supervisors and further parties: who may bring them in, and who sees them.

use serde_json::{Value, json};

use crate::sample::{ACME, ALICE, GLOBEX, SUPERVISOR, call, conversation, ending, event};
use crate::stand::Stand;

fn path(rest: &str) -> String {
    format!("/api/v1/calls/{}{rest}", call(1))
}

async fn post(stand: &Stand, key: &str, rest: &str, body: &Value) -> (u16, Value) {
    let answer = stand.ask("POST", &path(rest)).key(key).json(body).answer().await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn a_supervisor_is_rung_changes_mode_and_is_let_go() {
    let stand = Stand::new().await;
    for key in [ACME, SUPERVISOR] {
        let wish = json!({"agent": "zoe", "mode": "whisper"});
        let (status, body) = post(&stand, key, "/supervise", &wish).await;
        assert_eq!((status, &body["data"]), (202, &json!({"id": call(1), "leg": 3})));
    }
    let change = stand.ask("PATCH", &path("/supervise/zoe")).key(ACME);
    assert_eq!(change.json(&json!({"mode": "barge"})).answer().await.status, 200);
    assert_eq!(stand.ask("DELETE", &path("/supervise/zoe")).key(ACME).answer().await.status, 200);
    let gone = stand.ask("DELETE", &path("/supervise/alice")).key(ACME).answer().await;
    assert_eq!((gone.status, &gone.json()["code"]), (404, &json!("SUPERVISOR_NOT_FOUND")));
    assert_eq!(stand.asked().len(), 5);
}

#[tokio::test]
async fn who_may_not_is_told_so_and_an_agents_key_learns_nothing() {
    let stand = Stand::new().await;
    let code = async |key: &str, wish: Value| {
        let (status, body) = post(&stand, key, "/supervise", &wish).await;
        format!("{status} {}", body["code"].as_str().unwrap_or_default())
    };
    let wish = |agent: &str| json!({"agent": agent, "mode": "listen"});
    assert_eq!(code(ACME, wish("alice")).await, "403 CALL_REFUSED", "she has no right to");
    assert_eq!(code(ACME, wish("gina")).await, "404 AGENT_NOT_FOUND", "another tenant's");
    assert_eq!(code(GLOBEX, wish("gina")).await, "404 CALL_NOT_FOUND", "another tenant's call");
    assert_eq!(code(ALICE, wish("zoe")).await, "404 AGENT_NOT_FOUND", "not her own agent");
    assert_eq!(code(ALICE, json!({"mode": "listen"})).await, "404 CALL_NOT_FOUND");
    assert_eq!(code(ACME, json!({"mode": "listen"})).await, "400 INVALID_PARAMETER");
    let wrong = json!({"agent": "zoe", "mode": "spy"});
    assert_eq!(code(ACME, wrong).await, "400 INVALID_PARAMETER");
}

#[tokio::test]
async fn participants_are_brought_in_muted_held_and_taken_out() {
    let stand = Stand::new().await;
    let other = json!({"call": call(2), "ends_with_host": true});
    for wish in [json!({"to": "bob"}), json!({"to": "+15550123"}), other] {
        assert_eq!(post(&stand, ACME, "/participants", &wish).await.0, 202, "{wish}");
    }
    for wish in [json!({}), json!({"to": "bob", "call": call(2)}), json!({"to": " "})] {
        assert_eq!(post(&stand, ACME, "/participants", &wish).await.0, 400, "{wish}");
    }
    for what in ["mute", "unmute", "hold", "resume"] {
        let known = stand.ask("POST", &path(&format!("/participants/2/{what}"))).key(ACME);
        assert_eq!(known.answer().await.status, 200, "{what}");
        for (key, leg, status) in [(ACME, "9", 404), (GLOBEX, "2", 404), (ALICE, "2", 403)] {
            let ask = stand.ask("POST", &path(&format!("/participants/{leg}/{what}"))).key(key);
            assert_eq!(ask.answer().await.status, status, "{what} {leg}");
        }
    }
    let remove = async |key: &str, leg: &str| {
        let ask = stand.ask("DELETE", &path(&format!("/participants/{leg}"))).key(key);
        ask.answer().await.status
    };
    assert_eq!([remove(ACME, "2").await, remove(ACME, "x").await], [200, 404]);
    assert_eq!([remove(GLOBEX, "2").await, remove(ALICE, "2").await], [404, 200], "her own call");
    let bob = json!({"to": "bob"});
    assert_eq!(post(&stand, ALICE, "/participants", &bob).await.0, 202, "into her own call");
    let legs = stand.get(&path("/participants"), ACME).await.data();
    assert_eq!(legs.as_array().unwrap().len(), 3);
    assert_eq!(stand.get(&path("/participants"), GLOBEX).await.status, 404);
}

#[tokio::test]
async fn a_repeated_wish_brings_in_one_supervisor() {
    let stand = Stand::new().await;
    let wish = json!({"agent": "zoe", "mode": "listen"});
    for _ in 0..3 {
        let ask = stand.ask("POST", &path("/supervise")).key(ACME).json(&wish);
        let answer = ask.with("Idempotency-Key", "once").answer().await;
        assert_eq!(answer.status, 202);
    }
    assert_eq!(stand.asked().len(), 1);
}

#[tokio::test]
async fn a_live_call_shows_its_legs_and_an_agent_who_is_not_told_sees_no_supervisor() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let supervised = json!({"leg": 3, "agent": "zoe", "mode": "listen", "of": "alice"});
    stand.append(&[event("acme", 6, call(1), "call.supervised", supervised)]).await;
    let kinds = async |key: &str| {
        let data = stand.get(&path(""), key).await.data();
        let legs = data["legs"].as_array().unwrap().clone();
        legs.iter().map(|leg| leg["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(ACME).await, ["caller", "agent", "supervisor"]);
    assert_eq!(kinds(ALICE).await, ["caller", "agent"]);
    let live = stand.get(&path(""), ACME).await.data();
    assert_eq!((&live["held"], &live["legs"][0]["state"]), (&json!(true), &json!("held")));
    assert_eq!(
        (&live["legs"][1]["muted"], &live["legs"][2]["mode"]),
        (&json!(true), &json!("listen"))
    );
    let told = async |key: &str| {
        let events = stand.get(&path("/events"), key).await.data();
        events.as_array().unwrap().iter().any(|one| one["type"] == "call.supervised")
    };
    assert!(told(ACME).await && !told(ALICE).await);
    stand.append(&ending("acme", 7, call(1))).await;
    assert_eq!(kinds(ALICE).await, ["caller"], "as the record has it");
}
