//! Calls: live and over.

use serde_json::json;
use store::{Append, RecordingState};

use crate::sample::{ACME, ALICE, SUPERVISOR, call, conversation, ending, event, recording_row};
use crate::stand::Stand;

/// The call 1 is over, the call 2 is up, and newer.
async fn two_calls() -> Stand {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    stand.append(&ending("acme", 6, call(1))).await;
    let row = recording_row("acme", RecordingState::Completed);
    stand.append(&[Append::Recording(Box::new(row))]).await;
    stand.append(&conversation("acme", 7, call(2))).await;
    stand
}

fn path(number: u128, rest: &str) -> String {
    format!("/api/v1/calls/{}{rest}", call(number))
}

#[tokio::test]
async fn calls_are_listed_newest_first_and_filtered() {
    let stand = two_calls().await;
    let ids = async |query: &str| -> String {
        let rows = stand.get(&format!("/api/v1/calls{query}"), ACME).await.data();
        let id = |row: &serde_json::Value| row["id"].as_str().unwrap().to_owned();
        rows.as_array().unwrap().iter().map(id).collect::<Vec<_>>().join(" ")
    };
    let (one, two) = (call(1).to_string(), call(2).to_string());
    assert_eq!(ids("").await, format!("{two} {one}"));
    assert_eq!(ids("?state=ended").await, one);
    assert_eq!(ids("?state=connected&queue=sales&agent=alice").await, two);
    assert_eq!(ids("?agent=zoe").await, "");
    assert_eq!(ids("?from=2026-11-20T10:00:07Z").await, two);
    assert_eq!(ids("?to=2026-11-20T10:00:07Z").await, one);
}

#[tokio::test]
async fn a_call_that_is_over_shows_its_record() {
    let stand = two_calls().await;
    let row = stand.get(&path(1, ""), ACME).await.data();
    for (field, expected) in [
        ("state", json!("ended")),
        ("from", json!("+4930123456")),
        ("to", json!("+15550100")),
        ("direction", json!("inbound")),
        ("queue", json!("sales")),
        ("agent", json!("alice")),
        ("duration_s", json!(61.5)),
        ("talk_s", json!(57.0)),
        ("cause", json!("normal")),
        ("started_at", json!("2026-11-20T10:00:01.000000Z")),
        ("recording_id", json!(crate::sample::recording(77))),
        ("recording_ids", json!([crate::sample::recording(77)])),
        ("legs", json!([{"kind": "caller", "codec": "PCMU", "mos": 4.4}])),
    ] {
        assert_eq!(row[field], expected, "{field}");
    }
    let live = stand.get(&path(2, ""), ACME).await.data();
    assert_eq!((&live["state"], &live["ended_at"]), (&json!("connected"), &json!(null)));
    assert_eq!(live["legs"], json!([]));
}

#[tokio::test]
async fn the_events_of_a_call_are_cloud_events_in_order() {
    let stand = two_calls().await;
    let events = stand.get(&path(1, "/events"), ACME).await.data();
    let events = events.as_array().unwrap();
    let types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let expected = [
        "call.started",
        "call.answered",
        "call.queued",
        "call.offered",
        "call.connected",
        "call.ended",
    ];
    assert_eq!(types, expected);
    let first = json!({"specversion": "1.0", "id": "1", "source": "acme", "type": "call.started",
        "subject": call(1), "time": "2026-11-20T10:00:01.000000Z", "sequence": 1,
        "datacontenttype": "application/json",
        "data": {"trunk": "carrier-a", "from": "+4930123456", "to": "+15550100"}});
    assert_eq!(events[0], first);
    let page = stand.get(&path(1, "/events?per_page=2&page=3"), ACME).await.json();
    assert_eq!((&page["total"], &page["data"][1]["type"]), (&json!(6), &json!("call.ended")));
}

#[tokio::test]
async fn a_ladder_comes_as_rows_as_a_diagram_or_as_a_capture() {
    let stand = two_calls().await;
    let rows = stand.get(&path(1, "/ladder"), ACME).await.data();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    assert_eq!((&rows[0]["direction"], &rows[1]["direction"]), (&json!("in"), &json!("out")));
    assert_eq!(rows[1]["summary"], "100 Trying (INVITE)");
    assert!(rows[0]["message"].as_str().unwrap().starts_with("INVITE sip:+15550100@"));
    let answer = stand.get(&path(1, "/ladder?format=text"), ACME).await;
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert!(answer.text().contains("- INVITE -") && answer.text().contains("strowger"));
    let answer = stand.get(&path(1, "/ladder?format=pcap"), ACME).await;
    assert_eq!(answer.header("content-type"), "application/vnd.tcpdump.pcap");
    assert_eq!(answer.body[..4], 0xa1b2_c3d4_u32.to_le_bytes());
    let invite = answer.body.windows(16).any(|text| text == b"INVITE sip:+1555");
    assert!(invite, "the message is in the capture");
    assert_eq!(stand.get(&path(1, "/ladder?format=pdf"), ACME).await.status, 400);
}

#[tokio::test]
async fn ladder_and_reasons_of_a_live_call_come_from_the_engine() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let rows = stand.get(&path(1, "/ladder"), ACME).await.data();
    assert_eq!((&rows[0]["summary"], &rows[0]["transport"]), (&json!("INVITE"), &json!("udp")));
    let why = stand.get(&path(1, "/why"), ACME).await.data();
    assert_eq!((&why[0]["decided"], &why[0]["cause"]), (&json!("end"), &json!("normal")));
    assert_eq!(why[0]["summary"], "the call ended (normal), by caller");
}

#[tokio::test]
async fn why_tells_the_decision_and_the_candidates() {
    let stand = two_calls().await;
    let why = stand.get(&path(1, "/why"), ACME).await.data();
    assert_eq!(why[0]["at"], "2026-11-20T10:00:04.000000Z");
    assert_eq!(why[0]["summary"], "alice rings: longest idle");
    assert_eq!(why[0]["decision"]["considered"][0]["verdict"], "missing_skill");
}

#[tokio::test]
async fn ending_a_call_asks_the_engine_and_a_call_that_is_over_cannot_be_ended() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let end = async |number| stand.ask("POST", &path(number, "/end")).key(ACME).answer().await;
    let answer = end(1).await;
    assert_eq!((answer.status, &answer.json()["data"]["id"]), (202, &json!(call(1))));
    assert!(stand.asked().iter().any(|asked| asked.starts_with("acme EndCall")));
    stand.append(&ending("acme", 6, call(1))).await;
    let answer = end(1).await;
    assert_eq!((answer.status, answer.code().as_str()), (409, "CALL_ENDED"));
    // The engine has let go of this one, but its last events are not stored yet.
    stand.append(&conversation("acme", 7, call(2))).await;
    assert_eq!(end(2).await.code(), "CALL_ENDED");
    assert_eq!(end(3).await.code(), "CALL_NOT_FOUND");
}

#[tokio::test]
async fn texts_of_strangers_come_back_as_they_came_and_as_data_only() {
    let stand = Stand::new().await;
    let hostile = "\"><script>alert(1)</script>'; DROP TABLE calls; --\u{202e}";
    let data = json!({"trunk": "carrier-a", "from": hostile, "to": "+15550100"});
    stand.append(&[event("acme", 1, call(1), "call.started", data)]).await;
    let answer = stand.get(&path(1, ""), ACME).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.data()["from"], hostile);
}

#[tokio::test]
async fn a_call_is_made_once_for_one_key_and_refusals_say_why() {
    let stand = Stand::new().await;
    let make = async |body: serde_json::Value| {
        let ask = stand.ask("POST", "/api/v1/calls").key(ACME).json(&body);
        ask.with("Idempotency-Key", &format!("lead {}", body["to"])).answer().await
    };
    let wish = json!({"agent": "alice", "to": "+15550123", "first": "customer"});
    let made = make(wish.clone()).await;
    assert_eq!((made.status, &made.data()["id"]), (201, &json!(call(3))));
    let asked = stand.asked().len();
    assert_eq!(make(wish).await.body, made.body);
    assert_eq!(stand.asked().len(), asked, "the engine is not asked again");

    let refused = make(json!({"agent": "alice", "to": "+1900"})).await;
    assert_eq!((refused.status, refused.code()), (403, "CALL_REFUSED".to_owned()));
    assert_eq!(refused.json()["details"]["cause"], "forbidden");
    for (wish, parameter) in [
        (json!({"agent": "alice", "to": " "}), "to"),
        (json!({"agent": "Not A Name", "to": "1"}), "agent"),
        (json!({"agent": "alice", "to": "2", "first": "nobody"}), "first"),
        (json!({"agent": "alice", "to": "3", "timeout_s": 4}), "timeout_s"),
    ] {
        let fault = make(wish).await;
        assert_eq!((fault.status, &fault.json()["details"]["parameter"]), (400, &json!(parameter)));
    }
}

#[tokio::test]
async fn a_call_is_transferred_and_held_by_those_who_may() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let post = async |number, step: &str, body: Option<serde_json::Value>| {
        let ask = stand.ask("POST", &path(number, step)).key(ACME);
        match body {
            Some(body) => ask.json(&body).answer().await,
            None => ask.answer().await,
        }
    };
    assert_eq!(post(1, "/transfer", Some(json!({"to": "bob"}))).await.status, 202);
    assert_eq!(post(1, "/hold", None).await.status, 202);
    assert_eq!(post(1, "/resume", None).await.status, 202);
    assert_eq!(post(9, "/hold", None).await.status, 404);
    assert_eq!(post(1, "/transfer", Some(json!({}))).await.status, 422);
}

#[tokio::test]
async fn keys_are_pressed_and_kept_by_those_who_steer_and_read_by_an_admin_alone() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let post = async |step: &str, key, body: serde_json::Value| {
        stand.ask("POST", &path(1, step)).key(key).json(&body).answer().await
    };
    assert_eq!(post("/digits", ACME, json!({"digits": "1,2#", "leg": "agent"})).await.status, 202);
    assert_eq!(post("/secure", ACME, json!({"on": true, "speech": true})).await.status, 202);
    assert_eq!(post("/secure", ACME, json!({"on": false})).await.status, 202);
    for (wish, parameter) in [
        (json!({"digits": ""}), "digits"),
        (json!({"digits": "12x"}), "digits"),
        (json!({"digits": "1".repeat(33)}), "digits"),
        (json!({"digits": "1", "leg": "nobody"}), "leg"),
        (json!({"digits": "1", "each_ms": 39}), "each_ms"),
        (json!({"digits": "1", "gap_ms": 6000}), "gap_ms"),
    ] {
        let fault = post("/digits", ACME, wish).await;
        assert_eq!((fault.status, &fault.json()["details"]["parameter"]), (400, &json!(parameter)));
    }
    // What is asked of the engine may be printed; what is pressed is not.
    assert!(stand.asked().iter().all(|asked| !asked.contains("1,2#")), "{:?}", stand.asked());
    let kept = stand.get(&path(1, "/digits"), ACME).await;
    assert_eq!(kept.data()["attributes"]["pin"], "1710");
    assert_eq!(kept.data()["secured"][0], json!({"leg": 1, "on": true, "digits": "4929"}));
    for key in [SUPERVISOR, ALICE] {
        assert_eq!(stand.get(&path(1, "/digits"), key).await.status, 403);
    }
    assert_eq!(post("/secure", ALICE, json!({"on": true})).await.status, 403);
}

#[tokio::test]
async fn a_ringing_call_is_picked_up_for_an_agent_and_by_an_agent_only_for_themselves() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let post = async |key: &str, agent: &str, number| {
        let ask = stand.ask("POST", &path(number, "/pickup")).key(key);
        ask.json(&json!({"agent": agent})).answer().await
    };
    let taken = post(ACME, "zoe", 1).await;
    assert_eq!((taken.status, taken.data()["id"].as_str()), (202, Some(&*call(3).to_string())));
    assert_eq!(post(ACME, "zoe", 9).await.status, 404);
    assert_eq!(post(ACME, "not a name", 1).await.status, 400);
    assert_eq!(post(ALICE, "zoe", 1).await.status, 404, "another agent");
    assert_eq!(post(ALICE, "alice", 1).await.status, 404, "the switch is asked, and says no");
    let asked = stand.asked();
    assert!(asked.iter().any(|ask| ask.contains("own_wish: true")), "{asked:?}");
}
