//! Captures over HTTP: who may, how much, what the file is, and when it is gone.

use std::net::SocketAddr;

use base::UnixTime;
use control_api::CapturedDatagram;
use serde_json::{Value, json};
use switch::{CaptureEnd, CaptureId};

use crate::client::Answer;
use crate::sample::{ACME, ALICE, GLOBEX, PLATFORM, SUPERVISOR, call, conversation, ending};
use crate::stand::Stand;

fn path(of: u128) -> String {
    format!("/api/v1/calls/{}/capture", call(of))
}

async fn start(stand: &Stand, of: u128, key: &str, wish: Value) -> Answer {
    stand.ask("POST", &path(of)).key(key).json(&wish).answer().await
}

/// A datagram of a far end towards us.
fn put(stand: &Stand, capture: u64, bytes: &[u8]) {
    stand.captures.put(&CapturedDatagram {
        capture: CaptureId(capture),
        at: UnixTime::from_micros(1_795_168_800_000_123),
        stream: 1,
        from: SocketAddr::from(([192, 0, 2, 7], 4000)),
        to: SocketAddr::from(([198, 51, 100, 1], 20_000)),
        bytes,
        length: bytes.len(),
    });
}

#[tokio::test]
async fn a_capture_begins_is_fetched_while_it_runs_stopped_and_deleted() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let begun = start(&stand, 1, ACME, json!({"seconds": 30, "leg": "agent"})).await;
    assert_eq!(begun.status, 201);
    let view = begun.data();
    assert_eq!((&view["running"], &view["bounds"]["seconds"]), (&json!(true), &json!(30)));
    assert_eq!(
        (&view["bounds"]["bytes"], &view["bounds"]["packets"]),
        (&json!(8 << 20), &json!(60_000))
    );
    assert_eq!(view["legs"][0]["local"], "198.51.100.1:20000");
    let asked = stand.asked().pop().unwrap();
    assert!(asked.contains("leg: Some(Agent)") && asked.contains("by: \"admin\""), "{asked}");
    assert!(asked.contains("payload: true") && asked.contains("sent: true"), "{asked}");
    assert_eq!(start(&stand, 1, ACME, json!({})).await.code(), "CAPTURE_RUNNING");

    let capture = view["capture"].as_u64().unwrap();
    put(&stand, capture, b"\x80\x00hello");
    stand.captures.note_dropped(CaptureId(capture), 1, 3);
    let file = stand.get(&path(1), ACME).await;
    assert_eq!(file.header("content-type"), "application/vnd.tcpdump.pcap");
    assert_eq!((file.header("x-capture-packets"), file.header("x-capture-dropped")), ("1", "3"));
    assert_eq!(file.header("cache-control"), "no-store");
    assert_eq!(file.body[..4], 0xa1b2_c3d4_u32.to_le_bytes());
    assert!(file.body.ends_with(b"\x80\x00hello"));

    let stop = stand.ask("POST", &format!("{}/stop", path(1))).key(ACME).answer().await;
    assert_eq!((&stop.data()["ended"], &stop.data()["packets"]), (&json!("stopped"), &json!(1)));
    assert!(stand.asked().pop().unwrap().contains("EndCapture"));
    let known = stand.get(&format!("{}?format=json", path(1)), ACME).await.data();
    assert_eq!(known["ends"][0]["from"], "192.0.2.7:4000");
    assert_eq!(stand.get(&path(1), ACME).await.status, 200, "it is kept");
    assert_eq!(stand.ask("DELETE", &path(1)).key(ACME).answer().await.status, 200);
    assert_eq!(stand.get(&path(1), ACME).await.code(), "CAPTURE_NOT_FOUND");
    assert_eq!(start(&stand, 1, ACME, json!({})).await.status, 201, "and another may begin");
}

#[tokio::test]
async fn only_an_administrator_may_and_nobody_anothers() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    for key in [SUPERVISOR, ALICE] {
        assert_eq!(start(&stand, 1, key, json!({})).await.status, 403);
        for method in ["GET", "DELETE"] {
            assert_eq!(stand.ask(method, &path(1)).key(key).answer().await.status, 403);
        }
    }
    assert_eq!(start(&stand, 1, GLOBEX, json!({})).await.code(), "CALL_NOT_FOUND");
    assert_eq!(start(&stand, 9, ACME, json!({})).await.code(), "CALL_NOT_FOUND");
    let of_acme = format!("{}?tenant=acme", path(1));
    let begun = stand.ask("POST", &of_acme).key(PLATFORM).json(&json!({})).answer().await;
    assert_eq!(begun.status, 201);
    put(&stand, begun.data()["capture"].as_u64().unwrap(), b"secret");
    for method in ["GET", "DELETE"] {
        let theirs = stand.ask(method, &path(1)).key(GLOBEX).answer().await;
        assert_eq!(theirs.code(), "CAPTURE_NOT_FOUND");
    }
    let stop = stand.ask("POST", &format!("{}/stop", path(1))).key(GLOBEX).answer().await;
    assert_eq!(stop.status, 404);
    assert!(stand.get(&path(1), ACME).await.body.ends_with(b"secret"), "it runs on");
}

#[tokio::test]
async fn a_call_that_is_over_begins_none_and_its_capture_is_there_after_it() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    let capture = start(&stand, 1, ACME, json!({})).await.data()["capture"].as_u64().unwrap();
    put(&stand, capture, b"words");
    stand.append(&ending("acme", 6, call(1))).await;
    stand.captures.ended(CaptureId(capture), CaptureEnd::CallEnded);
    let file = stand.get(&path(1), ACME).await;
    assert_eq!(file.header("x-capture-ended"), "call_ended");
    assert!(file.body.ends_with(b"words"));
    stand.append(&conversation("acme", 7, call(2))).await;
    stand.append(&ending("acme", 12, call(2))).await;
    assert_eq!(start(&stand, 2, ACME, json!({})).await.code(), "CALL_ENDED");
}

#[tokio::test]
async fn bounds_hold_and_wishes_that_make_no_sense_are_named() {
    let stand = Stand::new().await;
    stand.append(&conversation("acme", 1, call(1))).await;
    for (wish, parameter) in [
        (json!({"seconds": 0}), "seconds"),
        (json!({"seconds": 601}), "seconds"),
        (json!({"bytes": (32 << 20) + 1}), "bytes"),
        (json!({"packets": 500_001}), "packets"),
        (json!({"direction": "up"}), "direction"),
        (json!({"payload": "video"}), "payload"),
        (json!({"leg": "nobody"}), "leg"),
    ] {
        let fault = start(&stand, 1, ACME, wish).await;
        assert_eq!((fault.status, &fault.json()["details"]["parameter"]), (400, &json!(parameter)));
    }
    let fault = stand.ask("GET", &format!("{}?format=wav", path(1))).key(ACME).answer().await;
    assert_eq!(fault.status, 400);
    let begun = start(&stand, 1, ACME, json!({"packets": 2, "direction": "sent"})).await.data();
    let capture = begun["capture"].as_u64().unwrap();
    (0..5).for_each(|_| put(&stand, capture, b"x"));
    let over = stand.captures.review();
    assert_eq!((over[0].capture, over[0].why), (CaptureId(capture), CaptureEnd::Packets));
    let known = stand.get(&format!("{}?format=json", path(1)), ACME).await.data();
    assert_eq!((&known["packets"], &known["dropped"]), (&json!(2), &json!(3)));
    assert_eq!((&known["running"], &known["ended"]), (&json!(false), &json!("packets")));
}

#[tokio::test]
async fn a_tenant_that_forbids_audio_gets_headers_alone() {
    let stand = Stand::new().await;
    stand.append(&conversation("globex", 1, call(1))).await;
    let refused = start(&stand, 1, GLOBEX, json!({"payload": "audio"})).await;
    assert_eq!(refused.code(), "CAPTURE_AUDIO_FORBIDDEN");
    start(&stand, 1, GLOBEX, json!({})).await;
    let asked = stand.asked().pop().unwrap();
    assert!(asked.contains("globex") && asked.contains("payload: false"), "{asked}");
}
