//! Another tenant's ids on every route: not found, and not a word of it.

use serde_json::json;
use store::{Append, RecordingState};

use crate::sample::{ACME, GLOBEX, call, conversation, ending, recording, recording_row};
use crate::stand::Stand;

#[tokio::test]
async fn another_tenants_things_are_not_found_on_any_route() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    stand.append(&ending("acme", 6, call(1))).await;
    stand.append(&conversation("acme", 7, call(2))).await;
    let row = recording_row("acme", RecordingState::Recording);
    stand.append(&[Append::Recording(Box::new(row))]).await;
    let document = control_api::document();
    let paths = document["paths"].as_object().unwrap();
    let mut tried = 0;
    // The platform's own route is closed to every tenant's key alike; what is provisioned has names
    // that each tenant may use, and another's cannot be named.
    let named = ["/tenants/", "/provisioning/", "/prompts/", "/keys/", "/queues/"];
    let of_tenants = |path: &str| path.contains('{') && !named.iter().any(|p| path.contains(p));
    for (path, item) in paths.iter().filter(|(path, _)| of_tenants(path)) {
        let id = if path.contains("recordings") {
            recording(77).to_string()
        } else {
            call(1).to_string()
        };
        let path = path.replace("{id}", &id).replace("{name}", "alice");
        let path = path.replace("{agent}", "zoe").replace("{leg}", "2");
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            if path.contains("/capture") {
                let capture = format!("/api/v1/calls/{}/capture", call(1));
                stand.ask("POST", &capture).key(ACME).json(&json!({})).answer().await;
            }
            let ask = |key| {
                let ask = stand.ask(&method, &path).key(key);
                if has_body(&method, &path) { ask.json(&body_of(&path)) } else { ask }
            };
            let theirs = ask(ACME).answer().await;
            assert_ne!(theirs.status, 404, "{method} {path} is there");
            let ours = ask(GLOBEX).answer().await;
            assert_eq!(ours.status, 404, "{method} {path}: {}", ours.text());
            let nobody = {
                let ghost = "0123456789abcdef0123456789abcdef";
                let path = path.replace(&id, ghost).replace("alice", "ghost");
                let ask = stand.ask(&method, &path).key(GLOBEX);
                let ask = if has_body(&method, &path) { ask.json(&body_of(&path)) } else { ask };
                ask.answer().await
            };
            assert_eq!(ours.body, nobody.body, "{method} {path}: existence leaks");
            for word in ["acme", "+15550100", "+4930123456", "alice"] {
                assert!(!ours.text().contains(word), "{method} {path} tells {word}");
            }
            tried += 1;
        }
    }
    assert!(tried >= 8, "{tried} routes with an id");
}

fn has_body(method: &str, path: &str) -> bool {
    let posts = [
        "/transfer",
        "/digits",
        "/secure",
        "/pickup",
        "/supervise",
        "/participants",
        "/sip-token",
        "/capture",
        "/extend",
        "/notes",
    ];
    matches!(method, "PUT" | "PATCH")
        || method == "POST" && posts.iter().any(|end| path.ends_with(end))
}

/// What a request with a body takes on that path.
fn body_of(path: &str) -> serde_json::Value {
    match path.rsplit('/').next() {
        Some("do-not-disturb") => json!({"on": true}),
        Some("sip-token") => json!({"lifetime_s": 60}),
        Some("capture") => json!({}),
        Some("notes") => json!({"text": "a note"}),
        Some("digits") => json!({"digits": "1#"}),
        Some("secure") => json!({"on": true}),
        Some("transfer") => json!({"to": "102"}),
        Some("pickup") => json!({"agent": "alice"}),
        Some("supervise") => json!({"agent": "zoe", "mode": "listen"}),
        Some("zoe") => json!({"mode": "whisper"}),
        Some("participants") => json!({"to": "102"}),
        Some("forward") => json!({"always": "101"}),
        Some("extend") => json!({"seconds": 60}),
        Some("wrap-up") => json!({"notes": "x"}),
        Some("known") => json!({"known": {"a": "b"}}),
        Some("messages-waiting") => json!({"new": 1}),
        Some(call) if call.len() == 32 => json!({"priority": 200}),
        _ => json!({"state": "break"}),
    }
}

#[tokio::test]
async fn lists_hold_the_callers_tenant_alone() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let row = recording_row("acme", RecordingState::Recording);
    stand.append(&[Append::Recording(Box::new(row))]).await;
    for path in ["calls", "agents", "queues", "recordings"] {
        let path = format!("/api/v1/{path}");
        assert!(stand.get(&path, ACME).await.json()["total"].as_u64() > Some(0), "{path}");
        assert_eq!(stand.get(&path, GLOBEX).await.json()["total"], 0, "{path}");
    }
}

#[tokio::test]
async fn a_stream_and_a_ticket_carry_their_own_tenants_events_alone() {
    let stand = Stand::new().await;
    let mut theirs = stand.ask("GET", "/api/v1/events?after=0").key(GLOBEX).sse().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    stand.append(&conversation("globex", 1, call(9))).await;
    for _ in 0..5 {
        assert_eq!(theirs.next().await["source"], "globex");
    }
    let ticket = stand.ask("POST", "/api/v1/events/ticket").key(GLOBEX).answer().await.data();
    let path =
        format!("/api/v1/events?after=0&tenant=acme&ticket={}", ticket["ticket"].as_str().unwrap());
    let mut theirs = stand.ask("GET", &path).sse().await;
    assert_eq!(theirs.next().await["source"], "globex");
}

#[tokio::test]
async fn every_route_of_the_api_wants_a_key() {
    let stand = Stand::new().await;
    let paths = control_api::document()["paths"].as_object().unwrap();
    let mut tried = 0;
    // A newcomer's link is in place of a key.
    let wants_one = |path: &str| path.starts_with("/api/") && !path.ends_with("/sign-in");
    for (path, item) in paths.iter().filter(|(path, _)| wants_one(path)) {
        for method in item.as_object().unwrap().keys() {
            let answer = stand.ask(&method.to_uppercase(), path).json(&json!({})).answer().await;
            assert_eq!(answer.status, 401, "{method} {path}");
            tried += 1;
        }
    }
    assert!(tried >= 17, "{tried} routes");
}
