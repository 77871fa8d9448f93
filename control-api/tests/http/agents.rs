//! Agents and queues: as the engine tells them, and an agent's state.

use serde_json::json;

use crate::sample::{ACME, ALICE, GLOBEX, SUPERVISOR, call};
use crate::stand::Stand;

#[tokio::test]
async fn agents_are_shown_as_they_are_now() {
    let stand = Stand::new().await;
    let mut rows = stand.get("/api/v1/agents", ACME).await.data();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    assert!(rows[0]["since"].take().as_str().unwrap().ends_with('Z'));
    let expected = json!({"id": "alice", "name": "The Agent", "state": "busy", "reason": null,
        "since": null, "state_s": 2.5, "reachable": true, "next": "available",
        "call_id": call(1), "skills": ["sales"], "queues": ["sales"]});
    assert_eq!(rows[0], expected);
    assert!(!rows.to_string().contains("secret-of"), "passwords stay inside");
}

#[tokio::test]
async fn queues_are_shown_as_they_are_now() {
    let stand = Stand::new().await;
    let rows = stand.get("/api/v1/queues", ACME).await.data();
    assert_eq!((&rows[0]["id"], &rows[0]["name"]), (&json!("sales"), &json!("sales")));
    assert_eq!((&rows[0]["waiting"], &rows[0]["longest_wait_s"]), (&json!(3), &json!(12.5)));
    assert_eq!(rows[0]["service_level_percent"], 80);
}

#[tokio::test]
async fn an_agents_state_is_set_by_those_who_may() {
    let stand = Stand::new().await;
    let put = async |agent: &str, key: &str, body: serde_json::Value| {
        let path = format!("/api/v1/agents/{agent}/state");
        stand.ask("PUT", &path).key(key).json(&body).answer().await
    };
    let lunch = json!({"state": "break", "reason": "lunch"});
    let answer = put("alice", ACME, lunch.clone()).await;
    assert_eq!(answer.data(), json!({"id": "alice", "state": "break", "reason": "lunch"}));
    let asked = "acme SetAgentState { agent: alice, state: Break, reason: Some(\"lunch\") }";
    assert_eq!(stand.asked(), [asked]);
    assert_eq!(put("alice", SUPERVISOR, lunch.clone()).await.status, 200);
    assert_eq!(put("alice", ALICE, lunch.clone()).await.status, 200);

    assert_eq!(put("zoe", ALICE, lunch.clone()).await.code(), "AGENT_NOT_FOUND");
    assert_eq!(put("nobody", ACME, lunch.clone()).await.code(), "AGENT_NOT_FOUND");
    assert_eq!(put("alice", GLOBEX, lunch).await.code(), "AGENT_NOT_FOUND");
    for state in ["busy", "ringing", "wrap_up", "asleep"] {
        assert_eq!(put("alice", ACME, json!({"state": state})).await.status, 400, "{state}");
    }
    let long = json!({"state": "break", "reason": "x".repeat(201)});
    assert_eq!(put("alice", ACME, long).await.status, 400);
    let refused = put("alice", ACME, json!({"state": "offline"})).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "CONFLICT"));
    assert_eq!(stand.asked().len(), 4, "only what was allowed reached the engine");
}
