//! Bytes on the wire as a test writes them, and what comes back, over any transport.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::{self, WebSocket};

use crate::net::free_port;
use crate::sip_client::Tls;

/// Longer than an answer takes on a busy machine; an answer that must come ends the waiting.
const LATEST: Duration = Duration::from_secs(30);
/// So long nothing must come, where nothing may.
const QUIET: Duration = Duration::from_millis(700);
/// One look at what has come.
const NAP: Duration = Duration::from_millis(20);

/// What came back for a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    /// The final response.
    Status(u16),
    /// Nothing.
    Nothing,
}

/// A stream to the server, of whatever kind.
pub(crate) trait Stream: Read + Write {
    /// How long a read waits.
    fn patience(&self, limit: Duration);
}

impl Stream for TcpStream {
    fn patience(&self, limit: Duration) {
        self.set_read_timeout(Some(limit)).expect("a limit");
    }
}

impl Stream for Tls {
    fn patience(&self, limit: Duration) {
        self.sock.patience(limit);
    }
}

/// A way to send one message, whole, to the server.
pub(crate) enum Way {
    /// From SIP's own port of an address of its own, where those are answered who send without
    /// `rport`; and from the other ports that a Via may name instead.
    Datagrams { ports: Vec<UdpSocket>, server: SocketAddr },
    /// Over a connection.
    Stream(Box<dyn Stream>),
    /// Over a WebSocket, one message in a frame.
    Socket(Box<WebSocket<Box<dyn Stream>>>),
}

impl Way {
    /// Over UDP from port 5060 of an address that nobody else has.
    pub(crate) fn udp(from: IpAddr, server: SocketAddr) -> Self {
        let bind = |port| {
            let socket = UdpSocket::bind((from, port)).expect("a port of an address of its own");
            socket.set_read_timeout(Some(Duration::from_millis(5))).expect("a limit");
            socket
        };
        Self::Datagrams { ports: [5060, 5050, 6050, 19_823].map(bind).into(), server }
    }

    /// Over TCP from an address.
    pub(crate) fn tcp(from: IpAddr, server: SocketAddr) -> Self {
        Self::Stream(Box::new(connect(from, server)))
    }

    /// Sends the message and gives the final response with its Call-ID; where none is due, the
    /// first that comes while it is quiet.
    pub(crate) fn ask(&mut self, message: &[u8], call_id: &str, is_due: bool) -> Heard {
        self.send(message);
        self.hear(call_id, is_due)
    }

    pub(crate) fn send(&mut self, message: &[u8]) {
        match self {
            Self::Datagrams { ports, server } => {
                ports[0].send_to(message, *server).expect("to send");
            }
            Self::Socket(socket) => {
                let _ = socket.send(tungstenite::Message::binary(message.to_vec()));
            }
            Self::Stream(stream) => {
                // A server that has heard enough may have closed it.
                let _ = stream.write_all(message).and_then(|()| stream.flush());
            }
        }
    }

    pub(crate) fn hear(&mut self, call_id: &str, is_due: bool) -> Heard {
        let deadline = Instant::now() + if is_due { LATEST } else { QUIET };
        let mut all = Vec::new();
        let mut buffer = vec![0; 65_536];
        while Instant::now() < deadline {
            let read = match self {
                Self::Datagrams { ports, .. } => datagram(ports, &mut buffer),
                Self::Stream(stream) => {
                    stream.patience(NAP);
                    stream.read(&mut buffer)
                }
                Self::Socket(socket) => frame(socket, &mut buffer),
            };
            match read {
                Ok(0) => break,
                Ok(length) => all.extend_from_slice(&buffer[..length]),
                Err(error) if is_a_wait(&error) => {}
                Err(_) => break,
            }
            if let Some(status) = final_status(&all, call_id) {
                return Heard::Status(status);
            }
        }
        Heard::Nothing
    }
}

/// What one frame holds; nothing when the other end has closed.
fn frame(socket: &mut WebSocket<Box<dyn Stream>>, buffer: &mut [u8]) -> std::io::Result<usize> {
    socket.get_ref().patience(NAP);
    match socket.read() {
        Ok(tungstenite::Message::Close(_)) => Ok(0),
        Ok(message) => {
            let bytes = message.into_data();
            buffer[..bytes.len()].copy_from_slice(&bytes);
            Ok(bytes.len())
        }
        Err(tungstenite::Error::Io(error)) => Err(error),
        Err(_) => Ok(0),
    }
}

fn is_a_wait(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

fn datagram(ports: &[UdpSocket], buffer: &mut [u8]) -> std::io::Result<usize> {
    let read = ports.iter().find_map(|socket| socket.recv(buffer).ok());
    read.ok_or_else(|| std::io::ErrorKind::TimedOut.into())
}

/// A TCP connection from an address.
pub(crate) fn connect(from: IpAddr, server: SocketAddr) -> TcpStream {
    // A port that another connection to there has is free for all others, and may be given here.
    let tries = (0..10).find_map(|_| match connect_by(free_port(from), from, server) {
        Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => None,
        connected => Some(connected),
    });
    tries.expect("a port").expect("the server")
}

fn connect_by(port: u16, from: IpAddr, server: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(server),
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::new(from, port).into())?;
    socket.connect(&server.into())?;
    Ok(socket.into())
}

/// The first final response to a request with this Call-ID.
fn final_status(all: &[u8], call_id: &str) -> Option<u16> {
    let text = String::from_utf8_lossy(all);
    // The status line, and the version in the Vias.
    let mut responses = text.split("SIP/2.0 ").skip(1).filter_map(|response| {
        let status: u16 = response.get(..3)?.parse().ok()?;
        let own = call_id.is_empty() || response.contains(&format!("\r\nCall-ID: {call_id}\r\n"));
        (own && status >= 200).then_some(status)
    });
    responses.next()
}
