//! Searching calls, exporting them, how a call fared, and what is written about it.

use serde_json::json;

use crate::client::Answer;
use crate::sample::{ACME, ALICE, GLOBEX, SUPERVISOR, call, conversation, ending};
use crate::stand::Stand;

/// The call 1 is over, the call 2 is up.
async fn stand() -> Stand {
    stand_with(Stand::new().await).await
}

async fn stand_with(stand: Stand) -> Stand {
    let mut batch = conversation("acme", 1, call(1));
    batch.extend(ending("acme", 6, call(1)));
    batch.extend(conversation("acme", 7, call(2)));
    stand.append(&batch).await;
    stand
}

async fn found(stand: &Stand, key: &str, query: &str) -> Answer {
    stand.get(&format!("/api/v1/calls/search{query}"), key).await
}

async fn finds_calls(stand: &Stand) {
    let all = found(stand, ACME, "").await.json();
    let ids = |answer: &serde_json::Value| {
        let rows = answer["data"].as_array().unwrap().iter();
        rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (one, two) = (call(1).to_string(), call(2).to_string());
    assert_eq!(ids(&all), [two.clone(), one.clone()]);
    assert_eq!((&all["total"], &all["next"]), (&json!(2), &json!(null)));
    let first = found(stand, ACME, "?limit=1").await.json();
    assert_eq!((ids(&first), &first["next"]), (vec![two.clone()], &json!(two)));
    let second = found(stand, ACME, &format!("?limit=1&before={two}")).await.json();
    assert_eq!((ids(&second), &second["next"]), (vec![one.clone()], &json!(null)));
    for (query, expected) in [
        ("?number=(030)+12-34%2F56", 0),
        ("?number=30+12-34", 2),
        ("?state=ended&cause=normal&recorded=true&codec=pcmu&direction=inbound", 1),
        ("?mos_below=4.5&min_duration_s=60&max_duration_s=62", 1),
        ("?mos_below=4.4", 0),
        ("?queue=sales&agent=alice", 2),
        ("?from=2030-01-01T00:00:00Z", 0),
    ] {
        let answer = found(stand, ACME, query).await.json();
        assert_eq!(answer["data"].as_array().unwrap().len(), expected, "{query}");
    }
    assert_eq!(found(stand, GLOBEX, "").await.json()["total"], 0);
    assert_eq!(found(stand, ALICE, "").await.json()["total"], 2);
    assert_eq!(found(stand, ALICE, "?agent=zoe").await.status, 403);
}

#[tokio::test]
async fn calls_are_found_from_one_place_on() {
    finds_calls(&stand().await).await;
}

#[tokio::test]
async fn calls_are_found_from_one_place_on_postgresql_too() {
    let Some(stand) = Stand::on_postgres().await else { return };
    finds_calls(&stand_with(stand).await).await;
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_refused_by_its_name() {
    let stand = stand().await;
    for (query, name) in [
        ("?direction=up", "direction"),
        ("?mos_below=9", "mos_below"),
        ("?number=-", "number"),
        ("?before=x", "before"),
        ("?limit=1001", "limit"),
        ("?state=over", "state"),
        ("?page=2", "query"),
    ] {
        let answer = found(&stand, ACME, query).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.json()["details"]["parameter"], name, "{query}");
    }
}

#[tokio::test]
async fn what_is_found_is_exported_as_csv_and_as_json() {
    let stand = stand().await;
    let csv = stand.get("/api/v1/calls/export?state=ended", ACME).await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(csv.header("content-disposition").contains("calls.csv"));
    let text = csv.text();
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("id,started_at,state,direction,from,"));
    assert!(lines[1].contains(",ended,inbound,+4930123456,,+15550100,carrier-a,sales,alice,"));
    assert_eq!(lines[0].split(',').count(), lines[1].split(',').count());
    let json = stand.get("/api/v1/calls/export?format=json", SUPERVISOR).await.json();
    assert_eq!(json.as_array().unwrap().len(), 2);
    assert_eq!(json[1]["cause"], "normal");
    let none = stand.get("/api/v1/calls/export?format=json&cause=busy", ACME).await.json();
    assert_eq!(none, json!([]));
    assert_eq!(stand.get("/api/v1/calls/export?format=xml", ACME).await.status, 400);
    assert_eq!(stand.get("/api/v1/calls/export", GLOBEX).await.text().lines().count(), 1);
}

#[tokio::test]
async fn how_each_leg_fared_is_told_of_a_call_that_is_over_and_of_one_that_is_up() {
    let stand = stand().await;
    let path = |number| format!("/api/v1/calls/{}/quality", call(number));
    let over = stand.get(&path(1), ACME).await.data();
    let first = &over[0]["samples"][0];
    assert_eq!(
        (&over[0]["kind"], over[0]["samples"].as_array().unwrap().len()),
        (&json!("caller"), 2)
    );
    assert_eq!(first["at_s"], 5.0);
    assert_eq!((&first["mos"], &first["jitter_ms"]), (&json!(4.4), &json!(1.25)));
    assert_eq!((&first["round_trip_ms"], &first["far_loss_percent"]), (&json!(20.0), &json!(null)));
    assert_eq!(over[0]["samples"][1]["mos"], json!(null), "nothing came");
    assert_eq!(over[1]["kind"], "supervisor");
    let told = stand.get(&path(1), ALICE).await.data();
    assert_eq!(told.as_array().unwrap().len(), 1, "an agent learns of no supervisor");
    // The engine that is played knows the call 1 alone.
    let live = Stand::new().await;
    live.append(&conversation("acme", 1, call(1))).await;
    let legs = live.get(&path(1), ACME).await.data();
    assert_eq!((legs.as_array().unwrap().len(), &legs[0]["samples"][0]["mos"]), (3, &json!(4.12)));
    assert_eq!(stand.get(&path(1), GLOBEX).await.status, 404);
}

#[tokio::test]
async fn notes_are_written_by_whoever_sees_the_call() {
    let stand = stand().await;
    let path = format!("/api/v1/calls/{}/notes", call(2));
    let write = async |key: &str, text: &str| {
        stand.ask("POST", &path).key(key).json(&json!({ "text": text })).answer().await
    };
    assert_eq!(stand.get(&path, ACME).await.data(), json!([]));
    let note = write(ALICE, " calls back on Monday\n").await;
    assert_eq!(note.status, 201);
    assert_eq!(note.data()["text"], "calls back on Monday");
    assert_eq!(write(SUPERVISOR, "well done").await.data()["id"], 2);
    let notes = stand.get(&path, ACME).await.data();
    assert_eq!((&notes[0]["author"], &notes[1]["author"]), (&json!("alice"), &json!("supervisor")));
    assert_eq!(write(GLOBEX, "not mine").await.status, 404);
    for wrong in ["", "  ", &"x".repeat(2001)] {
        assert_eq!(write(ACME, wrong).await.status, 400);
    }
}

#[tokio::test]
async fn all_there_is_of_a_call_is_one_file() {
    let stand = stand().await;
    let path = format!("/api/v1/calls/{}/export", call(1));
    let answer = stand.get(&path, ACME).await;
    assert!(answer.header("content-disposition").ends_with(".json\""));
    let whole = answer.json();
    assert_eq!(whole["call"]["id"], call(1).to_string());
    let length = |part: &str| whole[part].as_array().unwrap().len();
    assert_eq!((length("events"), length("ladder"), length("why")), (6, 2, 1));
    assert_eq!((length("quality"), length("notes"), length("recordings")), (2, 0, 0));
    assert_eq!(stand.get(&path, GLOBEX).await.status, 404);
    let told = stand.get(&path, ALICE).await.json();
    assert_eq!(told["quality"].as_array().unwrap().len(), 1);
}
