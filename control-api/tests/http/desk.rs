//! What an agent's desk asks: pausing a recording, what a call came to, who called before, and the
//! events of the agent's own calls.

use serde_json::{Value, json};

use crate::client::Answer;
use crate::sample::{ACME, ALICE, GLOBEX, SUPERVISOR, call, conversation, ending, event};
use crate::stand::Stand;

fn path(number: u128, rest: &str) -> String {
    format!("/api/v1/calls/{}{rest}", call(number))
}

async fn put(stand: &Stand, key: &str, path: &str, body: Value) -> Answer {
    stand.ask("PUT", path).key(key).json(&body).answer().await
}

#[tokio::test]
async fn a_recording_is_paused_by_its_agent_and_by_those_who_see_all() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let post = async |key: &str, number, rest: &str| {
        stand.ask("POST", &path(number, rest)).key(key).answer().await.status
    };
    for key in [ALICE, SUPERVISOR, ACME] {
        assert_eq!(post(key, 1, "/recording/pause?seconds=30").await, 202);
        assert_eq!(post(key, 1, "/recording/resume").await, 202);
    }
    assert_eq!(post(ALICE, 9, "/recording/pause").await, 404);
    assert_eq!(post(GLOBEX, 1, "/recording/pause").await, 404, "another tenant's");
    for wrong in ["0", "3601", "x"] {
        assert_eq!(post(ACME, 1, &format!("/recording/pause?seconds={wrong}")).await, 400);
    }
    let asked = stand.asked();
    let own = asked.iter().find(|ask| ask.contains("PauseRecording")).unwrap();
    assert!(own.contains("agent: Some") && own.contains("lasts: 30s"), "{own}");
    assert!(asked.iter().any(|ask| ask.contains("PauseRecording") && ask.contains("agent: None")));
}

#[tokio::test]
async fn a_call_says_that_it_is_paused_and_where_it_was() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let recording = crate::sample::recording(77).to_string();
    let paused = json!({"recording": recording, "by": "alice", "lasts_s": 60});
    let resumed = json!({"recording": recording, "why": "limit", "paused_ms": 1500});
    stand
        .append(&[
            event("acme", 6, call(1), "recording.started", json!({"recording": recording})),
            event("acme", 7, call(1), "recording.paused", paused.clone()),
            event("acme", 8, call(1), "recording.resumed", resumed),
            event("acme", 9, call(1), "recording.paused", paused),
        ])
        .await;
    let one = stand.get(&path(1, ""), ALICE).await.data();
    assert_eq!(one["recording_state"], "paused");
    assert!(one["recording_paused_until"].is_string());
    let pauses = one["recording_pauses"].as_array().unwrap();
    assert_eq!(pauses.len(), 2);
    assert_eq!((&pauses[0]["duration_s"], &pauses[0]["ended"]), (&json!(1.5), &json!("limit")));
    assert_eq!((&pauses[1]["duration_s"], &pauses[1]["by"]), (&Value::Null, &json!("alice")));
}

#[tokio::test]
async fn what_a_call_came_to_is_said_by_its_agent_with_a_code_of_its_queue() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let said = json!({"code": "order", "notes": " wants two \n of them "});
    for key in [ALICE, SUPERVISOR] {
        assert_eq!(put(&stand, key, &path(1, "/wrap-up"), said.clone()).await.status, 200);
    }
    let asked = stand.asked();
    let of: Vec<&String> = asked.iter().filter(|ask| ask.contains("WrappedUp")).collect();
    assert!(of[0].contains("by: None") && of[1].contains("by: Some(\"supervisor\")"), "{of:?}");
    assert!(of[0].contains("wants two \\n of them\""), "{of:?}");
    let refused = async |body: Value| put(&stand, ALICE, &path(1, "/wrap-up"), body).await.status;
    assert_eq!(refused(json!({"code": "unheard-of"})).await, 400);
    assert_eq!(refused(json!({"notes": "x".repeat(2001)})).await, 400);
    assert_eq!(refused(json!({"notes": "\u{7}"})).await, 400);
    assert_eq!(refused(json!({"notes": "x", "agent": "zoe"})).await, 404, "not her own");
    assert_eq!(put(&stand, GLOBEX, &path(1, "/wrap-up"), json!({})).await.status, 404);
    let form = stand.get(&path(1, "/wrap-up"), ALICE).await.data();
    let codes =
        json!([{"code": "order", "name": "Order taken"}, {"code": "other", "name": "other"}]);
    assert_eq!((&form["codes"], &form["said"]), (&codes, &json!([])));
}

#[tokio::test]
async fn an_agent_finishes_her_own_wrap_up_and_makes_it_longer_where_that_is_permitted() {
    let stand = Stand::new().await;
    let post = async |key: &str, agent: &str, rest: &str, body: Value| {
        let ask = stand.ask("POST", &format!("/api/v1/agents/{agent}/wrap-up/{rest}"));
        ask.key(key).json(&body).answer().await.status
    };
    assert_eq!(post(ALICE, "alice", "finish", json!({})).await, 200);
    assert_eq!(post(ALICE, "zoe", "finish", json!({})).await, 404);
    assert_eq!(post(SUPERVISOR, "zoe", "finish", json!({})).await, 200);
    assert_eq!(post(ALICE, "alice", "extend", json!({"seconds": 60})).await, 409);
    assert_eq!(post(ALICE, "alice", "extend", json!({"seconds": 0})).await, 400);
}

#[tokio::test]
async fn who_calls_is_known_by_the_calls_before_and_only_while_she_has_one_with_them() {
    let stand = Stand::new().await;
    let mut batch = conversation("acme", 1, call(1));
    let started = json!({"from": "+4930123456", "to": "+15550100", "direction": "inbound"});
    batch.push(event("acme", 6, call(2), "call.started", started));
    let connected = json!({"agent": "zoe", "queue": "sales", "wait_ms": 10});
    batch.push(event("acme", 7, call(2), "call.connected", connected));
    let said = json!({"agent": "zoe", "queue": "sales", "code": "order", "notes": "by friday"});
    batch.push(event("acme", 8, call(2), "call.wrapped_up", said));
    batch.push(event("acme", 9, call(3), "call.started", json!({"from": "+49309", "to": "x"})));
    stand.append(&batch).await;
    let history = stand.get(&path(1, "/history"), ALICE).await.data();
    assert_eq!(history["number"], "+4930123456");
    assert_eq!(history["calls"].as_array().unwrap().len(), 1, "{history:#}");
    let before = &history["calls"][0];
    assert_eq!((&before["id"], &before["agent"]), (&json!(call(2)), &json!("zoe")));
    let wrap_up = &before["wrap_ups"][0];
    assert_eq!((&wrap_up["name"], &wrap_up["notes"]), (&json!("Order taken"), &json!("by friday")));
    assert_eq!(before["legs"], Value::Null, "what came to pass, and no more");
    for number in [2, 3] {
        assert_eq!(stand.get(&path(number, "/history"), ALICE).await.status, 404, "not hers");
    }
    assert_eq!(
        stand.get(&path(2, "/history"), ACME).await.data()["calls"][0]["id"],
        json!(call(1))
    );
    let listed = stand.get("/api/v1/calls", ACME).await.data();
    let of_two = listed.as_array().unwrap().iter().find(|one| one["id"] == json!(call(2))).unwrap();
    assert_eq!(of_two["wrap_ups"][0]["code"], "order");
}

#[tokio::test]
async fn a_program_tells_what_it_knows_and_an_agents_key_does_not() {
    let stand = Stand::new().await;
    let tell = async |key: &str, number, known: Value| {
        put(&stand, key, &path(number, "/known"), json!({"known": known})).await.status
    };
    assert_eq!(tell(ACME, 1, json!({"customer no.": "4711"})).await, 202);
    assert_eq!(tell(ALICE, 1, json!({"a": "b"})).await, 403);
    assert_eq!(tell(ACME, 9, json!({"a": "b"})).await, 404);
    for wrong in [json!({"": "b"}), json!({"a": "x".repeat(201)}), json!({"a<b": "c"})] {
        assert_eq!(tell(ACME, 1, wrong).await, 400);
    }
}

#[tokio::test]
async fn an_agents_own_stream_tells_her_own_calls_and_states_alone() {
    let stand = Stand::new().await;
    let mut batch = conversation("acme", 1, call(8));
    batch.push(event("acme", 6, call(9), "call.started", json!({"from": "a", "to": "b"})));
    batch.push(event(
        "acme",
        7,
        call(9),
        "call.offered",
        json!({"agent": "zoe", "queue": "sales"}),
    ));
    batch.extend(ending("acme", 8, call(8)));
    stand.append(&batch).await;
    let mut own = stand.ask("GET", "/api/v1/events?after=0").key(ALICE).sse().await;
    assert_eq!(own.sequences(3).await, [4, 5, 8], "from when it rings her until it is over");
    // She came while the call 1 was hers already.
    let held = event("acme", 9, call(1), "call.held", json!({"by": "caller"}));
    let others = event("acme", 10, call(9), "call.held", json!({"by": "caller"}));
    let state = json!({"agent": "alice", "state": "break"});
    let mut of_agent = event("acme", 11, call(1), "agent.state_changed", state);
    if let store::Append::Event(row) = &mut of_agent {
        row.call = None;
    }
    stand.append(&[held, others, of_agent]).await;
    assert_eq!(own.sequences(2).await, [9, 11]);
}
