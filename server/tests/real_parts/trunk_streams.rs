//! Trunks over connections: a second server of ours as the carrier over WebSocket, a connection
//! that breaks under a call, one that dies without a word.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};

use serde_json::Value;

use crate::certificates::Authority;
use crate::name_server::{NameServer, Record};
use crate::parts::{ACME_SALES, CARRIER_A, LIMIT, PATIENT, TALK, agent, carrier};
use crate::provisioning::{demo, outside, sends_on, trunk};
use crate::sip_client::{Framed, Wire, reply};
use crate::strowger::{ACME, Folder, Setup, Strowger};
use crate::trunks::trunk_is;

/// A number that the far server has, and ours calls over the trunk.
const FAR: &str = "+12125550123";

/// A carrier of ours: whoever calls its number from 127.0.0.1 gets bob.
fn far_server(folder: &Folder, setup: Setup) -> Strowger {
    let us = trunk("us", IpAddr::from([127, 0, 0, 1]), "");
    let provisioning = Some(demo(folder.path(), &us, &[(ACME_SALES, FAR), (ACME_SALES, FAR)]));
    Strowger::start_with(folder.path(), &Setup { provisioning, ..setup })
}

/// A server whose sales number calls the far one over a trunk to there.
pub(crate) fn near_server(folder: &Folder, target: &str, setup: Setup) -> Strowger {
    let keys = format!("probe_s = 5\ntargets = [{{ uri = \"{target}\" }}]");
    let provisioning = Some(sends_on(folder.path(), &keys, FAR));
    Strowger::start_with(folder.path(), &Setup { provisioning, ..setup })
}

/// The transports of the messages of a kind that went to the far server, by the call's ladder.
pub(crate) fn sent_over(server: &Strowger, call: &Value, method: &str) -> Vec<String> {
    let path = format!("/api/v1/calls/{}/ladder", call["id"].as_str().expect("its id"));
    let ladder = server.data(&path, ACME);
    let rows = ladder.as_array().expect("messages").iter();
    let sent = rows.filter(|row| {
        let text = row["message"].as_str().expect("a message");
        row["direction"] == "out" && text.starts_with(method)
    });
    sent.map(|row| row["transport"].as_str().expect("a transport").to_owned()).collect()
}

fn call_through(near: &Strowger, folder: &Folder, transport: &str) {
    trunk_is(near, "up");
    let caller = carrier(folder.path(), near, CARRIER_A, ACME_SALES, 1, &PATIENT);
    near.calls_are(ACME, 1, "connected");
    caller.hang_up();
    caller.succeed(LIMIT);
    let call = near.ended_calls(ACME, 1, LIMIT).remove(0);
    for method in ["INVITE", "ACK", "BYE"] {
        assert_eq!(sent_over(near, &call, method), [transport], "{method}");
    }
}

#[test]
fn a_call_goes_out_over_websocket_to_another_server() {
    let folders = [Folder::new("ws-near"), Folder::new("ws-far")];
    let far = far_server(&folders[1], Setup::default());
    let target = format!("sip:{};transport=ws", far.http);
    let near = near_server(&folders[0], &target, Setup::default());
    call_through(&near, &folders[0], "ws");
    let call = far.ended_calls(ACME, 1, LIMIT).remove(0);
    assert_eq!(
        (&call["trunk"], &call["cause"]),
        (&Value::from("us"), &Value::from("caller_abandoned"))
    );
}

#[test]
fn a_call_goes_out_over_secure_websocket_to_a_server_of_that_name_only() {
    let folders = [Folder::new("wss-near"), Folder::new("wss-far")];
    let authority = Authority::new(folders[1].path(), "authority");
    let own = authority.certify(folders[1].path(), "own", &["sbc.carrier.example"]);
    let names = NameServer::start(vec![
        ("sbc.carrier.example", Record::Address([127, 0, 0, 1].into())),
        ("other.carrier.example", Record::Address([127, 0, 0, 1].into())),
    ]);
    let far =
        far_server(&folders[1], Setup { config: own.table(), https: true, ..Setup::default() });
    let config = format!(
        "[dns]\nservers = [\"{}\"]\n[tls]\nserver_ca = \"{}\"\n",
        names.at,
        authority.file.display()
    );
    let setup = || Setup { config: config.clone(), ..Setup::default() };
    let port = far.http.port();
    let target = format!("sip:sbc.carrier.example:{port};transport=wss");
    let near = near_server(&folders[0], &target, setup());
    call_through(&near, &folders[0], "wss");
    drop(near);

    let stranger = Folder::new("wss-stranger");
    let target = format!("sip:other.carrier.example:{port};transport=wss");
    let near = near_server(&stranger, &target, setup());
    trunk_is(&near, "down");
}

/// Passes connections on until they are cut.
struct Passage {
    at: SocketAddr,
    through: Arc<Mutex<Vec<TcpStream>>>,
}

impl Passage {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("its address");
        let through = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&through);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let far = TcpStream::connect(server).expect("the server");
                let clone = |stream: &TcpStream| stream.try_clone().expect("a handle");
                kept.lock().expect("connections").extend([clone(&near), clone(&far)]);
                for (from, to) in [(clone(&near), clone(&far)), (far, near)] {
                    std::thread::spawn(move || pass(from, to));
                }
            }
        });
        Self { at, through }
    }

    fn cut(&self) {
        for stream in self.through.lock().expect("connections").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
}

#[test]
fn a_call_outlives_the_connection_that_it_was_made_over() {
    let folders = [Folder::new("cut-near"), Folder::new("cut-far")];
    let far = far_server(&folders[1], Setup::default());
    let passage = Passage::to(far.sip_tcp);
    let target = format!("sip:{};transport=tcp", passage.at);
    let near = near_server(&folders[0], &target, Setup::default());
    trunk_is(&near, "up");
    let bob = agent(folders[1].path(), &far, "bob", "acme.example", 1, &TALK);
    far.agent_is(ACME, "bob", "available");
    let caller = carrier(folders[0].path(), &near, CARRIER_A, ACME_SALES, 1, &PATIENT);
    far.calls_are(ACME, 1, "connected");
    near.calls_are(ACME, 1, "connected");
    passage.cut();
    caller.hang_up();
    caller.succeed(LIMIT);
    bob.succeed(LIMIT);
    let call = far.ended_calls(ACME, 1, LIMIT).remove(0);
    assert_eq!(call["cause"], "normal", "the BYE came over another connection: {call}");
    let call = near.ended_calls(ACME, 1, LIMIT).remove(0);
    // Twice, if the first was lost with the connection.
    assert!(sent_over(&near, &call, "BYE").iter().all(|transport| transport == "tcp"));
}

#[test]
fn a_registrar_that_leaves_a_ping_unanswered_is_registered_with_again_over_a_new_connection() {
    let folder = Folder::new("silent-registrar");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let registrar = listener.local_addr().expect("its address");
    let (registered, registrations) = mpsc::channel();
    std::thread::spawn(move || {
        // Each connection takes the registration and answers one ping, then nothing any more.
        let mut silent = Vec::new();
        for stream in listener.incoming().map_while(Result::ok) {
            let mut wire = Framed::new(stream);
            let request = wire.receive().expect("a REGISTER");
            let contact = request.lines().find_map(|line| line.strip_prefix("Contact: <"));
            let contact = contact.and_then(|line| line.split('>').next()).expect("a Contact");
            let answer = reply(&request, "200 OK", contact, "").replace(
                &format!("Contact: <{contact}>"),
                &format!("Contact: <{contact}>;expires=600"),
            );
            wire.send(&answer).expect("to answer");
            let mut ping = [0; 4];
            wire.stream.read_exact(&mut ping).expect("a ping");
            assert_eq!(&ping, b"\r\n\r\n");
            wire.stream.write_all(b"\r\n").expect("to answer it");
            let _ = registered.send(request);
            silent.push(wire);
        }
    });
    let keys = format!(
        "probe_s = 0\nregister = {{ registrar = \"sip:{registrar};transport=tcp\", \
         aor = \"sip:4930123@carrier.example\", expires_s = 600 }}\n"
    );
    let provisioning = Some(demo(folder.path(), &outside(&keys), &[]));
    let setup = Setup { provisioning, keep_alive_s: Some(1), ..Setup::default() };
    let server = Strowger::start_with(folder.path(), &setup);
    let first = registrations.recv_timeout(LIMIT).expect("a registration");
    trunk_is(&server, "up");
    let second = registrations.recv_timeout(LIMIT).expect("another one");
    let call_id = |request: &str| {
        request.lines().find(|line| line.starts_with("Call-ID:")).map(str::to_owned)
    };
    assert_eq!(call_id(&first), call_id(&second), "it is the same registration");
    server.kill();
}
