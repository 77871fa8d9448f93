//! Health, readiness and metrics.

use serde_json::json;

use crate::sample::{ACME, PLATFORM};
use crate::stand::Stand;

#[tokio::test]
async fn health_is_the_process_and_readiness_is_taking_calls() {
    let stand = Stand::new().await;
    assert_eq!(stand.ask("GET", "/healthz").answer().await.json(), json!({"status": "ok"}));
    let ready = stand.ask("GET", "/readyz").answer().await;
    assert_eq!((ready.status, &ready.json()["status"]), (200, &json!("ready")));
    stand.ready.as_ref().unwrap().send_replace(false);
    let draining = stand.ask("GET", "/readyz").answer().await;
    assert_eq!((draining.status, &draining.json()["takes_calls"]), (503, &json!(false)));
    stand.ready.as_ref().unwrap().send_replace(true);
    stand.store.close().await;
    let broken = stand.ask("GET", "/readyz").answer().await;
    assert_eq!((broken.status, &broken.json()["store"]), (503, &json!(false)));
    assert_eq!(stand.ask("GET", "/healthz").answer().await.status, 200);
    let answer = stand.get("/api/v1/calls", ACME).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "STORE_UNAVAILABLE"));
    // Keys and what the engine knows do not need it.
    assert_eq!(stand.get("/api/v1/agents", ACME).await.status, 200);
    assert_eq!(stand.get("/api/v1/queues", ACME).await.status, 200);
    assert_eq!(stand.get("/api/v1/agents", "wrong").await.status, 401);
    let end = format!("/api/v1/calls/{}/end", crate::sample::call(1));
    assert_eq!(stand.ask("POST", &end).key(ACME).answer().await.status, 202);
}

#[tokio::test]
async fn metrics_are_for_this_machine_and_for_the_platform() {
    let stand = Stand::new().await;
    let answer = stand.ask("GET", "/metrics").answer().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "strowger_up 1\n"));
    assert!(answer.header("content-type").starts_with("text/plain"));
    let outside = || stand.ask("GET", "/metrics").with("X-Forwarded-For", "203.0.113.9");
    assert_eq!(outside().answer().await.status, 401);
    assert_eq!(outside().key(PLATFORM).answer().await.status, 401, "that key is for loopback");
}
