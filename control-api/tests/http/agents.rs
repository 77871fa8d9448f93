//! Agents and queues: as the engine tells them, and an agent's state.

use serde_json::json;

use crate::sample::{ACME, ALICE, GLOBEX, PLATFORM, SUPERVISOR, call, conversation, event};
use crate::stand::Stand;

#[tokio::test]
async fn agents_are_shown_as_they_are_now() {
    let stand = Stand::new().await;
    let mut rows = stand.get("/api/v1/agents", ACME).await.data();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    assert!(rows[0]["since"].take().as_str().unwrap().ends_with('Z'));
    let expected = json!({"id": "alice", "name": "The Agent", "state": "busy", "reason": null,
        "since": null, "state_s": 2.5, "reachable": true, "next": "available",
        "call_id": call(1), "direct_call_ids": [], "wrap_up": null, "do_not_disturb": false,
        "supervises": false,
        "skills": ["sales"], "queues": ["sales"]});
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

#[tokio::test]
async fn an_agent_says_whether_to_be_disturbed_and_where_calls_go_instead() {
    let stand = Stand::new().await;
    let put = async |agent: &str, what: &str, key: &str, body: serde_json::Value| {
        let path = format!("/api/v1/agents/{agent}/{what}");
        stand.ask("PUT", &path).key(key).json(&body).answer().await
    };
    let on = json!({"on": true});
    assert_eq!(put("alice", "do-not-disturb", ALICE, on.clone()).await.data(), on);
    assert_eq!(stand.asked(), ["acme SetDoNotDisturb { agent: alice, on: true }"]);
    assert_eq!(put("zoe", "do-not-disturb", ALICE, on.clone()).await.code(), "AGENT_NOT_FOUND");
    assert_eq!(put("alice", "do-not-disturb", GLOBEX, on).await.code(), "AGENT_NOT_FOUND");

    let forward = json!({"no_answer": "102", "no_answer_s": 10});
    let set = put("alice", "forward", ALICE, forward).await.data();
    let expected = json!({"always": null, "busy": null, "no_answer": "102", "no_answer_s": 10});
    assert_eq!(set, expected);
    let toll = put("alice", "forward", ALICE, json!({"always": "+1900"})).await;
    assert_eq!((toll.status, toll.code().as_str()), (409, "CONFLICT"));
    let hasty = put("alice", "forward", ALICE, json!({"no_answer": "1", "no_answer_s": 1})).await;
    assert_eq!(hasty.status, 400);
    let now = stand.get("/api/v1/agents/alice/forward", ALICE).await.data();
    assert_eq!(now["no_answer_s"], 20);
}

#[tokio::test]
async fn how_many_messages_wait_is_not_for_agents_to_say() {
    let stand = Stand::new().await;
    let put = async |key: &str| {
        let path = "/api/v1/agents/alice/messages-waiting";
        stand.ask("PUT", path).key(key).json(&json!({"new": 2})).answer().await
    };
    assert_eq!(put(ACME).await.data(), json!({"new": 2, "old": 0}));
    assert_eq!(put(ALICE).await.status, 403);
    let asked = "acme SetMessagesWaiting { agent: alice, waiting: Waiting { new: 2, old: 0 } }";
    assert_eq!(stand.asked(), [asked]);
}

#[tokio::test]
async fn calls_that_were_nobodys_are_the_platforms_to_see() {
    let stand = Stand::new().await;
    let answer = stand.get("/api/v1/refused-calls", PLATFORM).await.json();
    assert_eq!(answer["total"], 1);
    let call = &answer["data"][0];
    assert_eq!((&call["status"], &call["source"]), (&json!(403), &json!("203.0.113.9:5060")));
    assert!(call["ladder"][0]["summary"].as_str().unwrap().starts_with("INVITE"));
    assert_eq!(stand.get("/api/v1/refused-calls", ACME).await.status, 403);
}

#[tokio::test]
async fn a_page_gets_what_it_registers_with_and_only_for_an_agent_of_its_own() {
    let stand = Stand::new().await;
    let post = async |agent: &str, key: &str, body: serde_json::Value| {
        let path = format!("/api/v1/agents/{agent}/sip-token");
        stand.ask("POST", &path).key(key).json(&body).answer().await
    };
    let answer = post("alice", ALICE, json!({"lifetime_s": 600})).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let mut token = answer.data();
    let password = token["password"].take();
    assert_eq!(password.as_str().unwrap().len(), 43);
    let expected = json!({"ws_url": "ws://test/sip",
        "uri": "sip:alice@acme.example", "realm": "acme.example", "display_name": "The Agent",
        "username": "1763000600:alice", "password": null,
        "expires_at": "2025-11-13T02:23:20.000000Z", "expires_in_s": 600});
    assert_eq!(token, expected);
    let behind_a_proxy = stand.ask("POST", "/api/v1/agents/alice/sip-token").key(ACME);
    let behind_a_proxy = behind_a_proxy
        .with("X-Forwarded-Proto", "https")
        .with("X-Forwarded-Host", "pbx.example")
        .json(&json!({}));
    let token = behind_a_proxy.answer().await.data();
    assert_eq!(
        (&token["ws_url"], &token["expires_in_s"]),
        (&json!("wss://pbx.example/sip"), &json!(3600))
    );

    for (agent, key) in [("zoe", ALICE), ("nobody", ACME), ("alice", GLOBEX)] {
        assert_eq!(post(agent, key, json!({})).await.code(), "AGENT_NOT_FOUND", "{agent}");
    }
    for lifetime in [0, 59, 43_201] {
        let refused = post("alice", ACME, json!({"lifetime_s": lifetime})).await;
        assert_eq!(refused.code(), "INVALID_PARAMETER", "{lifetime}");
    }
    assert_eq!(stand.asked().len(), 2, "only what was allowed reached the engine");
}

#[tokio::test]
async fn a_calls_priority_is_changed_by_those_who_may_and_says_who() {
    let stand = Stand::new().await;
    let path = |number| format!("/api/v1/calls/{}", call(number));
    let patch = async |number, key: &str, body: serde_json::Value| {
        stand.ask("PATCH", &path(number)).key(key).json(&body).answer().await
    };
    let body = json!({"priority": 200});
    assert_eq!(patch(1, SUPERVISOR, body.clone()).await.status, 200);
    assert_eq!(patch(2, SUPERVISOR, body.clone()).await.code(), "CALL_NOT_FOUND");
    assert_eq!(patch(1, ALICE, body.clone()).await.status, 403);
    assert_eq!(patch(1, GLOBEX, body).await.code(), "CALL_NOT_FOUND");
    for wrong in [json!({"priority": 256}), json!({"priority": 1, "queue": "x"}), json!({})] {
        assert_eq!(patch(1, ACME, wrong).await.code(), "INVALID_BODY");
    }
    let asked = stand.asked();
    assert!(asked[0].contains("priority: 200") && asked[0].contains("by: \"supervisor\""));
}

#[tokio::test]
async fn an_agent_is_told_where_a_call_is_that_rang_her_and_nothing_of_others() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let started = json!({"from": "+4930123456", "to": "+15550100"});
    let rung = |agent: &str| json!({"queue": "sales", "agent": agent});
    let listens = json!({"agent": "alice", "mode": "listen", "of": "zoe"});
    stand
        .append(&[
            event("acme", 6, call(2), "call.started", started.clone()),
            event("acme", 7, call(2), "call.offered", rung("alice")),
            event("acme", 8, call(2), "call.connected", rung("zoe")),
            event("acme", 9, call(3), "call.started", started),
            event("acme", 10, call(3), "call.connected", rung("zoe")),
            event("acme", 11, call(3), "call.supervised", listens),
        ])
        .await;
    let ask = async |agent: &str, number, key: &str| {
        stand.get(&format!("/api/v1/agents/{agent}/calls/{}", call(number)), key).await
    };
    let here = json!({"id": call(1), "state": "connected", "is_here": true, "queue": null});
    assert_eq!(ask("alice", 1, ALICE).await.data(), here);
    assert_eq!(ask("alice", 1, SUPERVISOR).await.data(), here);
    // Whoever has it, the engine knows it no more.
    let over = json!({"id": call(2), "state": "ended", "is_here": false, "queue": null});
    assert_eq!(ask("alice", 2, ALICE).await.data(), over);
    assert_eq!(ask("alice", 3, ALICE).await.code(), "CALL_NOT_FOUND", "she listened in");
    assert_eq!(ask("alice", 9, ALICE).await.code(), "CALL_NOT_FOUND");
    assert_eq!(ask("zoe", 2, ALICE).await.code(), "AGENT_NOT_FOUND", "not her own");
    assert_eq!(ask("zoe", 1, ACME).await.code(), "CALL_NOT_FOUND", "never zoe's");
}
