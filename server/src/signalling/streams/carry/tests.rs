//! Pings of ours on a virtual clock, over a pipe.

use sip::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::super::framed;
use super::*;
use crate::config::Limits;
use crate::wake::{self, Bell};

const EVERY: Duration = Duration::from_secs(95);

/// A connection that we have made, its far end, and what the signalling thread is told.
fn connection(
    every: Duration,
) -> (DuplexStream, mpsc::Receiver<StreamInput>, tokio::task::JoinHandle<()>) {
    let (sender, inputs) = wake::queue(64, &Bell::new().unwrap());
    let streams = Streams::new(&Limits::default(), Some(every), sender);
    let (own, far) = tokio::io::duplex(4096);
    let end = |text: &str| text.parse().unwrap();
    let remote = end("192.0.2.1:5060");
    let flow =
        Flow { transport: Transport::Tcp, local: end("192.0.2.9:5060"), remote, connection: 1 };
    let hop = sip::resolve::Hop { transport: Transport::Tcp, remote, server_name: None };
    let way = Some(Way { hop, identity: None });
    let carried = tokio::spawn(async move {
        carry(&streams, flow, Vec::new(), way, framed::halves(own)).await;
    });
    (far, inputs, carried)
}

/// The ping, or nothing when the connection has ended.
async fn ping(far: &mut DuplexStream) -> Option<[u8; 4]> {
    let mut ping = [0; 4];
    far.read_exact(&mut ping).await.ok().map(|_| ping)
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_and_stops_is_gone_ten_seconds_after_the_next() {
    let (mut far, mut inputs, carried) = connection(EVERY);
    let Some(StreamInput::Opened { writer, .. }) = inputs.recv().await else { panic!() };
    let began = Instant::now();
    for n in 1..=3_u32 {
        assert_eq!(ping(&mut far).await.unwrap(), *b"\r\n\r\n");
        let elapsed = began.elapsed();
        assert!(elapsed >= EVERY * n && elapsed < EVERY * n * 5 / 4, "{n}: {elapsed:?}");
        far.write_all(b"\r\n").await.unwrap();
    }
    assert_eq!(ping(&mut far).await.unwrap(), *b"\r\n\r\n");
    let asked = Instant::now();
    assert!(matches!(inputs.recv().await, Some(StreamInput::Closed { .. })));
    assert_eq!(asked.elapsed().as_secs(), 10);
    drop(writer);
    carried.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_instead_of_the_answer_shows_a_peer_alive_too() {
    let (mut far, mut inputs, _carried) = connection(EVERY);
    let Some(StreamInput::Opened { writer: _writer, .. }) = inputs.recv().await else { panic!() };
    ping(&mut far).await.unwrap();
    far.write_all(b"\r\n").await.unwrap();
    ping(&mut far).await.unwrap();
    far.write_all(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    assert!(matches!(inputs.recv().await, Some(StreamInput::Message { .. })));
    assert!(ping(&mut far).await.is_some(), "still there");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_answered_a_ping_need_not() {
    let (mut far, mut inputs, _carried) = connection(EVERY);
    let Some(StreamInput::Opened { writer: _writer, .. }) = inputs.recv().await else { panic!() };
    for _ in 0..5 {
        assert!(ping(&mut far).await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn pings_that_are_closer_than_the_patience_do_not_prolong_it() {
    let (mut far, mut inputs, carried) = connection(Duration::from_secs(2));
    let Some(StreamInput::Opened { writer: _writer, .. }) = inputs.recv().await else { panic!() };
    ping(&mut far).await.unwrap();
    far.write_all(b"\r\n").await.unwrap();
    let began = Instant::now();
    assert!(matches!(inputs.recv().await, Some(StreamInput::Closed { .. })));
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    carried.await.unwrap();
}
