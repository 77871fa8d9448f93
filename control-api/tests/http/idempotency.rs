//! A POST with an `Idempotency-Key` is done once.

use serde_json::json;

use crate::client::Answer;
use crate::sample::{ACME, GLOBEX, SUPERVISOR, call, conversation};
use crate::stand::Stand;

async fn ticket(stand: &Stand, api_key: &str, key: &str) -> Answer {
    let ask = stand.ask("POST", "/api/v1/events/ticket").key(api_key);
    ask.with("Idempotency-Key", key).answer().await
}

#[tokio::test]
async fn the_same_request_again_gets_the_same_answer_and_is_not_done_again() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let path = format!("/api/v1/calls/{}/end", call(1));
    let end = || stand.ask("POST", &path).key(ACME).with("Idempotency-Key", "end-1").answer();
    let (first, second) = (end().await, end().await);
    assert_eq!((first.status, second.status), (202, 202));
    assert_eq!(first.body, second.body);
    assert_eq!(
        (first.header("idempotency-replayed"), second.header("idempotency-replayed")),
        ("", "true")
    );
    assert_eq!(second.header("content-type"), "application/json");
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    assert_eq!(stand.asked().len(), 1);
}

#[tokio::test]
async fn another_body_under_the_same_key_is_a_conflict() {
    let stand = Stand::new().await;
    let post = |body: serde_json::Value| {
        let ask = stand.ask("POST", "/api/v1/provisioning").key(crate::sample::PLATFORM);
        ask.with("Idempotency-Key", "p-1").json(&body).answer()
    };
    let body = json!({"provisioning": crate::sample::provisioning()});
    assert_eq!(post(body.clone()).await.status, 200);
    assert_eq!(post(body).await.header("idempotency-replayed"), "true");
    let other = post(json!({"provisioning": {}})).await;
    assert_eq!((other.status, other.code().as_str()), (409, "IDEMPOTENCY_KEY_REUSED"));
    assert_eq!(stand.provisioned.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_is_its_bearers_own_and_replays_only_to_whom_it_was_told() {
    let stand = Stand::new().await;
    let acme = ticket(&stand, ACME, "k").await;
    assert_eq!(acme.body, ticket(&stand, ACME, "k").await.body);
    assert_ne!(acme.body, ticket(&stand, GLOBEX, "k").await.body);
    assert_ne!(acme.body, ticket(&stand, SUPERVISOR, "k").await.body);
    assert_ne!(acme.body, ticket(&stand, ACME, "l").await.body);
    let path = "/api/v1/events/ticket";
    let proxied = stand.ask("POST", path).key(ACME).with("Idempotency-Key", "k").with("Via", "x");
    assert_eq!(proxied.answer().await.status, 401);
}

#[tokio::test]
async fn a_key_that_cannot_be_one_is_refused() {
    let stand = Stand::new().await;
    assert_eq!(ticket(&stand, ACME, "").await.status, 400);
    assert_eq!(ticket(&stand, ACME, &"x".repeat(256)).await.status, 400);
    assert_eq!(ticket(&stand, ACME, &"x".repeat(255)).await.status, 201);
}
