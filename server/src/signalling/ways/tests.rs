//! Ways to listeners of the test's own: made once, shared while they live, refused with a reason.

use base::Duration;
use rcgen::{CertificateParams, KeyPair};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::config::{self, Certificate, Limits};
use crate::signalling::streams::StreamInput;
use crate::tls;
use crate::wake::{self, Bell};

struct Bench {
    ways: Ways,
    inputs: mpsc::Receiver<StreamInput>,
    /// The sending halves of open connections.
    open: Vec<mpsc::Sender<bytes::Bytes>>,
    keeper: Keeper,
}

impl Bench {
    fn new(tls: config::Tls) -> Self {
        let (sender, inputs) = wake::queue(64, &Bell::new().unwrap());
        let streams = Streams::new(&Limits::default(), None, sender);
        let keeper = tls::keep(tls).unwrap();
        let listeners = Listeners {
            tcp: vec!["0.0.0.0:5060".parse().unwrap()],
            tls: vec!["192.0.2.1:5061".parse().unwrap()],
        };
        let runtime = Handle::current();
        let out = Out { runtime, streams, keeper: keeper.clone(), listeners };
        let ports = ["127.0.0.1:0", "127.0.0.3:0"].map(|at| UdpPort::bind(at.parse().unwrap()));
        let ports: Vec<UdpPort> = ports.into_iter().map(Result::unwrap).collect();
        Self { ways: Ways::new(out, ports.into()), inputs, open: Vec::new(), keeper }
    }

    /// What is heard next of connections.
    async fn next(&mut self) -> StreamInput {
        let limit = std::time::Duration::from_secs(30);
        let next = tokio::time::timeout(limit, self.inputs.recv());
        next.await.expect("something within 30 s").unwrap()
    }

    /// What the switch is told next because of a connection.
    async fn told(&mut self) -> Vec<Input> {
        match self.next().await {
            StreamInput::Opened { flow, writer, way, .. } => {
                self.open.push(writer);
                self.ways.opened(way.unwrap(), flow)
            }
            StreamInput::Unreached { way, why } => self.ways.unreached(&way, &why),
            other => panic!("{other:?}"),
        }
    }
}

fn hop(transport: Transport, remote: SocketAddr, name: Option<&str>) -> Hop {
    Hop { transport, remote, server_name: name.map(Into::into) }
}

fn connected(input: Input) -> (ConnectId, Result<Flow, String>) {
    let Input::Connected { id, result } = input else { panic!("{input:?}") };
    (id, result)
}

#[tokio::test]
async fn datagrams_leave_from_the_socket_that_is_bound_to_the_address_on_the_way() {
    let mut bench = Bench::new(config::Tls::default());
    let local = bench.ways.ports[0].local();
    let remote = "127.0.0.2:5060".parse().unwrap();
    let found = bench.ways.find(ConnectId(1), hop(Transport::Udp, remote, None), None).unwrap();
    assert_eq!(connected(found), (ConnectId(1), Ok(Flow::udp(local, remote))));
    let outside = "192.0.2.1:5060".parse().unwrap();
    let found = bench.ways.find(ConnectId(2), hop(Transport::Udp, outside, None), None).unwrap();
    assert!(connected(found).1.is_err(), "loopback reaches nobody else");
}

#[tokio::test]
async fn one_connection_serves_all_who_ask_for_it_while_it_lives() {
    let mut bench = Bench::new(config::Tls::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = hop(Transport::Tcp, listener.local_addr().unwrap(), None);
    assert!(bench.ways.find(ConnectId(1), there.clone(), None).is_none());
    // Over TCP nobody shows who he is: a trunk's name makes no difference.
    let trunk = Some(TrunkId::new("carrier-a").unwrap());
    assert!(bench.ways.find(ConnectId(2), there.clone(), trunk).is_none());
    let told: Vec<_> = bench.told().await.into_iter().map(connected).collect();
    let flow = told[0].1.clone().unwrap();
    assert_eq!(told, [(ConnectId(1), Ok(flow)), (ConnectId(2), Ok(flow))]);
    assert_eq!((flow.transport, flow.remote), (Transport::Tcp, listener.local_addr().unwrap()));
    assert_eq!(flow.local.to_string(), "127.0.0.1:5060", "where the peer can connect to us");
    let _accepted = listener.accept().await.unwrap();

    let again = bench.ways.find(ConnectId(3), there.clone(), None).unwrap();
    assert_eq!(connected(again), (ConnectId(3), Ok(flow)));
    bench.ways.closed(&flow);
    assert!(bench.ways.find(ConnectId(4), there, None).is_none(), "a new one is made");
    assert_ne!(connected(bench.told().await.remove(0)).1.unwrap().connection, flow.connection);
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_with_the_reason_in_time() {
    let mut bench = Bench::new(config::Tls::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    assert!(bench.ways.find(ConnectId(1), hop(Transport::Tcp, closed, None), None).is_none());
    let (id, result) = connected(bench.told().await.remove(0));
    assert_eq!(id, ConnectId(1));
    assert!(result.unwrap_err().contains("refused"));

    // It accepts, and says nothing: that is no TLS.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = hop(Transport::Tls, silent.local_addr().unwrap(), Some("carrier.example"));
    assert!(bench.ways.find(ConnectId(2), there, None).is_none());
    let told = tokio::time::timeout(Duration::from_secs(30), bench.told()).await.unwrap();
    assert!(connected(told.into_iter().next().unwrap()).1.unwrap_err().contains("handshake"));
}

/// A server that takes WebSockets at one path, answering the upgrade with `protocol`, and sends
/// back what it gets.
#[allow(clippy::result_large_err, reason = "it is the library's type")]
async fn echo(listener: TcpListener, at: &'static str, protocol: &'static str) {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
    while let Ok((stream, _)) = listener.accept().await {
        let answer = move |request: &Request, mut response: Response| {
            assert_eq!(request.headers()["sec-websocket-protocol"], "sip");
            if request.uri().path() != at {
                let mut refusal = ErrorResponse::new(None);
                *refusal.status_mut() = axum::http::StatusCode::NOT_FOUND;
                return Err(refusal);
            }
            let chosen = protocol.parse().unwrap();
            response.headers_mut().insert("sec-websocket-protocol", chosen);
            Ok(response)
        };
        let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, answer).await else {
            continue;
        };
        while let Some(Ok(message)) = socket.next().await {
            if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn over_websocket_messages_go_both_ways_and_the_server_is_found_at_its_usual_paths() {
    for path in ["/sip", "/ws"] {
        let mut bench = Bench::new(config::Tls::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = hop(Transport::Ws, listener.local_addr().unwrap(), None);
        let server = tokio::spawn(echo(listener, path, "sip"));
        assert!(bench.ways.find(ConnectId(1), there.clone(), None).is_none());
        let flow = connected(bench.told().await.remove(0)).1.unwrap();
        assert_eq!((flow.transport, flow.remote), (Transport::Ws, there.remote));
        let message = "OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n";
        bench.open[0].send(message.into()).await.unwrap();
        let StreamInput::Message { flow: over, bytes } = bench.next().await else {
            panic!("no message");
        };
        assert_eq!((over, &bytes[..]), (flow, message.as_bytes()));
        server.abort();
    }
}

#[tokio::test]
async fn a_websocket_that_does_not_carry_sip_is_none_and_neither_is_a_web_server() {
    for (path, protocol, told) in [("/sip", "mqtt", ""), ("/elsewhere", "sip", "/sip, /ws, /")] {
        let mut bench = Bench::new(config::Tls::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = hop(Transport::Ws, listener.local_addr().unwrap(), None);
        let server = tokio::spawn(echo(listener, path, protocol));
        assert!(bench.ways.find(ConnectId(1), there, None).is_none());
        let why = connected(bench.told().await.remove(0)).1.unwrap_err();
        assert!(!why.is_empty() && why.contains(told), "{why}");
        server.abort();
    }
}

#[tokio::test]
async fn over_tls_the_peer_must_be_who_it_was_asked_for_as() {
    let folder = std::env::temp_dir().join(format!("strowger-ways-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["carrier.example".to_owned()]).unwrap();
    let own = params.self_signed(&key).unwrap();
    let (chain, key_file) = (folder.join("own.pem"), folder.join("own.key"));
    std::fs::write(&chain, own.pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    let certificate = Certificate { chain: chain.clone(), key: key_file, trunks: Vec::new() };
    let mut bench = Bench::new(config::Tls {
        certificates: vec![certificate],
        server_ca: Some(chain),
        ..config::Tls::default()
    });
    std::fs::remove_dir_all(&folder).unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(bench.keeper.borrow().sip());
    tokio::spawn(async move {
        let mut accepted = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            accepted.push(acceptor.accept(stream).await);
        }
    });
    let find = |bench: &mut Bench, id, name| {
        assert!(
            bench.ways.find(ConnectId(id), hop(Transport::Tls, at, Some(name)), None).is_none()
        );
    };
    find(&mut bench, 1, "carrier.example");
    let flow = connected(bench.told().await.remove(0)).1.unwrap();
    assert_eq!((flow.transport, flow.remote), (Transport::Tls, at));
    find(&mut bench, 2, "other.example");
    let told = connected(bench.told().await.remove(0)).1.unwrap_err();
    assert!(told.contains("certificate"), "{told}");
}
