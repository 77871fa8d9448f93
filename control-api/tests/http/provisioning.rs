//! Provisioning over the API.

use serde_json::{Value, json};

use crate::client::Answer;
use crate::sample::{ACME, PLATFORM, provisioning};
use crate::stand::Stand;

async fn post(stand: &Stand, key: &str, body: &Value) -> Answer {
    stand.ask("POST", "/api/v1/provisioning").key(key).json(body).answer().await
}

#[tokio::test]
async fn a_provisioning_reaches_the_engine_with_its_prompts() {
    let stand = Stand::new().await;
    // RIFF....WAVE
    let prompt = json!({"tenant": "acme", "id": "music", "wav_base64": "UklGRi4uLi5XQVZF"});
    let body = json!({"provisioning": provisioning(), "prompts": [prompt]});
    let answer = post(&stand, PLATFORM, &body).await;
    let expected = json!({"tenants": 2, "trunks": 1, "numbers": 2, "agents": 4, "queues": 2,
        "prompts": 2});
    assert_eq!(answer.data(), expected);
    let provisioned = stand.provisioned.lock().unwrap();
    assert_eq!(provisioned[0].provisioning, crate::sample::typed_provisioning());
    assert_eq!(provisioned[0].prompts[0].wav, b"RIFF....WAVE");
}

#[tokio::test]
async fn the_platform_suspends_a_tenant_and_nobody_else_does() {
    let stand = Stand::new().await;
    let put = async |key: &str, tenant: &str, body: Value| {
        let path = format!("/api/v1/tenants/{tenant}/suspension");
        stand.ask("PUT", &path).key(key).json(&body).answer().await
    };
    let wish = json!({"suspended": true});
    assert_eq!(put(PLATFORM, "acme", wish.clone()).await.status, 200);
    assert_eq!(put(ACME, "acme", wish.clone()).await.status, 403);
    assert_eq!(put(PLATFORM, "nobody", wish).await.status, 404);
    assert_eq!(put(PLATFORM, "acme", json!({})).await.status, 422);
    let mut expected = crate::sample::typed_provisioning();
    for tenant in &mut expected.tenants {
        tenant.suspended = tenant.id.as_str() == "acme";
    }
    let provisioned = stand.provisioned.lock().unwrap();
    assert_eq!(provisioned.len(), 1);
    assert_eq!(provisioned[0].provisioning, expected);
    assert!(provisioned[0].prompts.is_empty(), "those that are there stay");
}

#[tokio::test]
async fn large_prompts_fit() {
    let stand = Stand::new().await;
    let wav = format!("UklGRgAA{}", "AAAA".repeat(1 << 20));
    let prompt = json!({"tenant": "acme", "id": "music", "wav_base64": wav});
    let body = json!({"provisioning": provisioning(), "prompts": [prompt]});
    assert_eq!(post(&stand, PLATFORM, &body).await.status, 200);
}

#[tokio::test]
async fn what_is_wrong_is_told_all_at_once_and_changes_nothing() {
    let stand = Stand::new().await;
    let mut wrong = provisioning();
    wrong["tenants"][0]["numbers"][0]["flow"] = json!("nowhere");
    wrong["tenants"][1]["queues"][0]["music"] = json!("silence");
    let answer = post(&stand, PLATFORM, &json!({"provisioning": wrong})).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "INVALID_PROVISIONING"));
    let problems = answer.json()["details"]["problems"].take();
    assert!(problems.as_array().unwrap().len() >= 2, "{problems}");
    let first = &problems[0];
    assert!(first["path"].is_string() && first["problem"].is_string() && first["cure"].is_string());
    assert!(!problems.to_string().contains("secret-of"), "{problems}");

    let stray = json!({"tenant": "acme", "id": "aria", "wav_base64": "UklGRg=="});
    let body = json!({"provisioning": provisioning(), "prompts": [stray]});
    assert_eq!(post(&stand, PLATFORM, &body).await.status, 422);
    let garbage = json!({"tenant": "acme", "id": "music", "wav_base64": "!!"});
    let body = json!({"provisioning": provisioning(), "prompts": [garbage]});
    assert_eq!(post(&stand, PLATFORM, &body).await.code(), "INVALID_PARAMETER");
    assert!(stand.provisioned.lock().unwrap().is_empty());

    let no_wav = json!({"tenant": "acme", "id": "music", "wav_base64": "AAAA"});
    let body = json!({"provisioning": provisioning(), "prompts": [no_wav]});
    let answer = post(&stand, PLATFORM, &body).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.json()["details"]["problems"][0]["problem"], "acme/music: no WAV file");
}

#[tokio::test]
async fn only_the_platform_provisions() {
    let stand = Stand::new().await;
    let answer = post(&stand, ACME, &json!({"provisioning": provisioning()})).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "FORBIDDEN"));
    assert!(stand.provisioned.lock().unwrap().is_empty());
}
