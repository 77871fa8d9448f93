//! Streams of events: every event once and in order, from any point, at any pace.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::sample::{ACME, call, conversation, ticks};
use crate::stand::{Stand, append};

/// Appends events `from..=to` of acme in uneven batches, on its own.
fn keep_appending(stand: &Stand, from: u64, to: u64) -> tokio::task::JoinHandle<()> {
    let (store, committed) = stand.writer();
    tokio::spawn(async move {
        let mut next = from;
        while next <= to {
            let last = to.min(next + next % 7);
            append(&store, &committed, &ticks("acme", next, last)).await;
            next = last + 1;
        }
    })
}

#[tokio::test]
async fn without_a_place_to_resume_from_a_stream_begins_now() {
    let stand = Stand::new().await;
    stand.append(&ticks("acme", 1, 3)).await;
    let mut sse = stand.ask("GET", "/api/v1/events").key(ACME).sse().await;
    stand.append(&conversation("acme", 4, call(1))).await;
    let event = sse.next().await;
    assert_eq!((event["sequence"].as_u64(), &event["type"]), (Some(4), &"call.started".into()));
    assert_eq!(event["subject"], call(1).to_string());
    assert_eq!(event["data"]["from"], "+4930123456");
    assert_eq!(sse.sequences(4).await, [5, 6, 7, 8]);
}

async fn resumes_gap_free(stand: &Stand) {
    stand.append(&ticks("acme", 1, 700)).await;
    let writing = keep_appending(stand, 701, 1500);
    let mut seen = 0_u64;
    // Breaks off again and again, each time resuming by the last sequence it saw.
    while seen < 1500 {
        let ask = stand.ask("GET", "/api/v1/events?after=0").key(ACME);
        let mut sse = ask.with("Last-Event-ID", &seen.to_string()).sse().await;
        let count = 400.min(usize::try_from(1500 - seen).unwrap());
        for sequence in sse.sequences(count).await {
            assert_eq!(sequence, seen + 1);
            seen = sequence;
        }
    }
    writing.await.unwrap();
}

#[tokio::test]
async fn a_stream_that_breaks_off_resumes_without_a_gap_while_appends_go_on() {
    resumes_gap_free(&Stand::new().await).await;
}

#[tokio::test]
async fn the_same_on_postgresql() {
    let Some(stand) = Stand::on_postgres().await else { return };
    resumes_gap_free(&stand).await;
    stand.append(&conversation("acme", 1501, call(1))).await;
    let path = format!("/api/v1/calls/{}", call(1));
    assert_eq!(stand.get(&path, ACME).await.data()["state"], "connected");
    assert_eq!(stand.get(&path, crate::sample::GLOBEX).await.status, 404);
}

#[tokio::test]
async fn a_slow_subscriber_misses_nothing_and_holds_nobody_up() {
    let stand = Stand::new().await;
    let mut slow = stand.ask("GET", "/api/v1/events").key(ACME).sse().await;
    let mut quick = stand.ask("GET", "/api/v1/events").key(ACME).sse().await;
    // Far more than the broadcast, the sockets and the buffers hold.
    let writing = keep_appending(&stand, 1, 3000);
    assert!(quick.sequences(3000).await.into_iter().eq(1..=3000));
    writing.await.unwrap();
    assert!(slow.sequences(3000).await.into_iter().eq(1..=3000));
}

#[tokio::test]
async fn a_place_that_is_none_is_refused() {
    let stand = Stand::new().await;
    stand.append(&ticks("acme", 1, 3)).await;
    for path in ["/api/v1/events?after=4", "/api/v1/events?after=-1", "/api/v1/events?after=x"] {
        assert_eq!(stand.get(path, ACME).await.code(), "INVALID_PARAMETER", "{path}");
    }
    let ask = stand.ask("GET", "/api/v1/events").key(ACME).with("Last-Event-ID", "abc");
    assert_eq!(ask.answer().await.code(), "INVALID_PARAMETER");
}

#[tokio::test]
async fn streams_end_when_the_engine_does() {
    let mut stand = Stand::new().await;
    let sse = stand.ask("GET", "/api/v1/events").key(ACME).sse().await;
    stand.ready.as_ref().unwrap().send_replace(false);
    while stand.ask("GET", "/readyz").answer().await.status != 503 {}
    drop(stand.ready.take());
    assert!(sse.ends().await);
}

type Socket = tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>;

async fn socket(
    stand: &Stand,
    path: &str,
    key: Option<&str>,
) -> Result<Socket, tungstenite::Error> {
    let mut request = format!("ws://{}{path}", stand.address).into_client_request().unwrap();
    if let Some(key) = key {
        let value = format!("Bearer {key}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
    }
    let stream = tokio::net::TcpStream::connect(stand.address).await.unwrap();
    Ok(tokio_tungstenite::client_async(request, stream).await?.0)
}

async fn next(socket: &mut Socket) -> Value {
    loop {
        let message = tokio::time::timeout(crate::client::LIMIT, socket.next()).await.unwrap();
        match message.unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_websocket_replays_and_then_goes_on_live() {
    let stand = Stand::new().await;
    stand.append(&ticks("acme", 1, 300)).await;
    let mut socket = socket(&stand, "/api/v1/events/ws?after=10", Some(ACME)).await.unwrap();
    let writing = keep_appending(&stand, 301, 600);
    for expected in 11..=600_u64 {
        let event = next(&mut socket).await;
        assert_eq!(event["sequence"].as_u64(), Some(expected));
        assert_eq!((&event["specversion"], &event["source"]), (&"1.0".into(), &"acme".into()));
    }
    writing.await.unwrap();
    socket.send(Message::Close(None)).await.unwrap();
}

#[tokio::test]
async fn a_ticket_opens_one_stream_once_and_nothing_else() {
    let stand = Stand::new().await;
    stand.append(&ticks("acme", 1, 3)).await;
    let ticket = async || {
        let answer = stand.ask("POST", "/api/v1/events/ticket").key(ACME).answer().await;
        assert_eq!(answer.status, 201);
        answer.data()["ticket"].as_str().unwrap().to_owned()
    };
    let path = format!("/api/v1/events/ws?after=0&ticket={}", ticket().await);
    let mut open = socket(&stand, &path, None).await.unwrap();
    assert_eq!(next(&mut open).await["sequence"], 1);
    let again = socket(&stand, &path, None).await.err().unwrap();
    assert!(matches!(again, tungstenite::Error::Http(answer) if answer.status() == 401));

    let path = format!("/api/v1/events?after=2&ticket={}", ticket().await);
    assert_eq!(stand.ask("GET", &path).sse().await.next().await["sequence"], 3);
    let path = format!("/api/v1/calls?ticket={}", ticket().await);
    assert_eq!(stand.ask("GET", &path).answer().await.status, 401);
    let refused = socket(&stand, "/api/v1/events/ws", None).await.err().unwrap();
    assert!(matches!(refused, tungstenite::Error::Http(answer) if answer.status() == 401));
    let plain = stand.get("/api/v1/events/ws", ACME).await;
    assert_eq!((plain.status, plain.code().as_str()), (426, "NOT_A_WEBSOCKET"));
}

#[tokio::test]
async fn a_websocket_client_that_floods_is_closed() {
    let stand = Stand::new().await;
    let mut socket = socket(&stand, "/api/v1/events/ws", Some(ACME)).await.unwrap();
    let _ = socket.send(Message::text("x".repeat(1 << 20))).await;
    let closed = async {
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() {
                return;
            }
        }
    };
    assert!(tokio::time::timeout(crate::client::LIMIT, closed).await.is_ok());
}
