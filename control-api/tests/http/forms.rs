//! The forms that every answer has.

use serde_json::json;

use crate::sample::{ACME, call, conversation};
use crate::stand::Stand;

#[tokio::test]
async fn a_list_is_a_page_with_its_place_among_the_pages() {
    let stand = Stand::new().await;
    for n in 0..5_u64 {
        stand.append(&conversation("acme", n * 5 + 1, call(u128::from(n) + 1))).await;
    }
    let answer = stand.get("/api/v1/calls?state=connected&page=2&per_page=2", ACME).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let mut page = answer.json();
    assert_eq!(page["data"].take().as_array().unwrap().len(), 2);
    let around = |n: u32| format!("/api/v1/calls?state=connected&page={n}&per_page=2");
    let expected = json!({"data": null, "current_page": 2, "last_page": 3, "per_page": 2,
        "total": 5, "next_page_url": around(3), "prev_page_url": around(1)});
    assert_eq!(page, expected);
    let next = stand.get(&around(3), ACME).await.json();
    assert_eq!((next["data"].as_array().unwrap().len(), &next["next_page_url"]), (1, &json!(null)));
}

#[tokio::test]
async fn one_thing_is_data_with_a_message() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let answer = stand.get(&format!("/api/v1/calls/{}", call(1)), ACME).await.json();
    assert_eq!(answer.as_object().unwrap().len(), 2);
    assert!(answer["data"].is_object() && answer["message"].is_string());
}

#[tokio::test]
async fn every_mistake_is_answered_in_json_with_its_code() {
    let stand = Stand::new().await;
    let path = "/api/v1/agents/alice/state";
    let put = |body: &str| stand.ask("PUT", path).key(ACME).bytes(body.as_bytes().to_vec());
    let json_type = "application/json";
    let calls = [
        (stand.ask("GET", "/api/v1/nothing").key(ACME), 404, "PATH_NOT_FOUND"),
        (stand.ask("GET", "/nothing"), 404, "PATH_NOT_FOUND"),
        (stand.ask("DELETE", "/api/v1/calls").key(ACME), 405, "METHOD_NOT_ALLOWED"),
        (stand.ask("GET", "/api/v1/calls?state=asleep").key(ACME), 400, "INVALID_PARAMETER"),
        (stand.ask("GET", "/api/v1/calls?page=x").key(ACME), 400, "INVALID_PARAMETER"),
        (stand.ask("GET", "/api/v1/calls?colour=red").key(ACME), 400, "INVALID_PARAMETER"),
        (stand.ask("GET", "/api/v1/calls?per_page=100000").key(ACME), 400, "INVALID_PARAMETER"),
        (stand.ask("GET", "/api/v1/calls?from=yesterday").key(ACME), 400, "INVALID_PARAMETER"),
        (stand.ask("GET", "/api/v1/calls/not-a-number").key(ACME), 404, "CALL_NOT_FOUND"),
        (put("{").with("Content-Type", json_type), 400, "BAD_JSON"),
        (put("{}").with("Content-Type", json_type), 422, "INVALID_BODY"),
        (put("{\"state\":\"break\",\"x\":1}").with("Content-Type", json_type), 422, "INVALID_BODY"),
        (put("{\"state\":\"break\"}"), 415, "NOT_JSON"),
        (put(&"x".repeat(100_000)).with("Content-Type", json_type), 413, "BODY_TOO_LARGE"),
    ];
    for (ask, status, code) in calls {
        let answer = ask.answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_request_id_comes_back_and_a_bad_one_is_replaced() {
    let stand = Stand::new().await;
    let ask = |id: &str| stand.ask("GET", "/api/v1/calls").key(ACME).with("X-Request-Id", id);
    assert_eq!(ask("abc-123").answer().await.header("x-request-id"), "abc-123");
    for bad in ["a b", "<script>", &"x".repeat(500)] {
        let answer = ask(bad).answer().await;
        assert_eq!(answer.header("x-request-id").len(), 32, "{bad}");
    }
    let refused = stand.ask("GET", "/api/v1/calls").answer().await;
    assert_eq!((refused.status, refused.header("x-request-id").len()), (401, 32));
}

#[tokio::test]
async fn no_answer_can_be_framed_sniffed_cached_or_run() {
    let stand = Stand::new().await;
    for path in ["/api/v1/calls", "/api/v1/nothing", "/healthz", "/openapi.json"] {
        let answer = stand.get(path, ACME).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
    }
}
