//! A small SIP phone over whatever carries it: TLS, WebSocket, secure WebSocket. It registers an
//! agent, takes a call and hears the BYE.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket, client::IntoClientRequest};

use crate::certificates::{Authority, Files};
use crate::net::digest;
use crate::parts::LIMIT;

pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A way to carry messages.
pub(crate) trait Wire {
    fn send(&mut self, message: &str) -> io::Result<()>;
    fn receive(&mut self) -> io::Result<String>;
}

/// A stream whose messages end by their Content-Length.
pub(crate) struct Framed<S> {
    pub(crate) stream: S,
    waiting: Vec<u8>,
}

impl<S: Read + Write> Framed<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, waiting: Vec::new() }
    }

    fn cut(&mut self) -> Option<String> {
        let head = self.waiting.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let text = String::from_utf8_lossy(&self.waiting[..head]).to_ascii_lowercase();
        let length = text.split("content-length:").nth(1)?.lines().next()?.trim().parse();
        let end = head + length.unwrap_or(0_usize);
        (self.waiting.len() >= end).then(|| {
            let message = self.waiting.drain(..end).collect::<Vec<_>>();
            String::from_utf8_lossy(&message).into_owned()
        })
    }
}

impl<S: Read + Write> Wire for Framed<S> {
    fn send(&mut self, message: &str) -> io::Result<()> {
        self.stream.write_all(message.as_bytes())?;
        self.stream.flush()
    }

    fn receive(&mut self) -> io::Result<String> {
        loop {
            if let Some(message) = self.cut() {
                return Ok(message);
            }
            let mut buffer = [0; 4096];
            let length = self.stream.read(&mut buffer)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.waiting.extend_from_slice(&buffer[..length]);
        }
    }
}

impl<S: Read + Write> Wire for WebSocket<S> {
    fn send(&mut self, message: &str) -> io::Result<()> {
        self.write(Message::text(message)).map_err(io::Error::other)?;
        self.flush().map_err(io::Error::other)
    }

    fn receive(&mut self) -> io::Result<String> {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.read().map_err(io::Error::other)? {
                Message::Text(text) => return Ok(text.to_string()),
                Message::Close(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
                // Pings say that the other end lives, not that it has anything to say.
                _ if Instant::now() > deadline => return Err(io::ErrorKind::TimedOut.into()),
                _ => {}
            }
        }
    }
}

pub(crate) fn tcp(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).expect("the server");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream
}

/// A TLS connection whose handshake is done, or why there is none.
pub(crate) fn tls(
    server: SocketAddr,
    name: &str,
    authority: &Authority,
    own: Option<&Files>,
) -> io::Result<Tls> {
    tls_by(server, name, &authority.file, own)
}

/// The same with the authority's file.
pub(crate) fn tls_by(
    server: SocketAddr,
    name: &str,
    authority: &Path,
    own: Option<&Files>,
) -> io::Result<Tls> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_file(authority).expect("an authority");
    roots.add(root).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(files) => {
            let chain = CertificateDer::from_pem_file(&files.chain).expect("a certificate");
            let key = PrivateKeyDer::from_pem_file(&files.key).expect("a key");
            builder.with_client_auth_cert(vec![chain], key).expect("a certificate with its key")
        }
    };
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    let mut stream = StreamOwned::new(connection, tcp(server));
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// The other end of TLS: a server that asks for a certificate by the authority and takes nobody
/// without one. Gives the connection when the handshake is done.
pub(crate) fn tls_server(
    stream: TcpStream,
    authority: &Authority,
    own: &Files,
) -> io::Result<StreamOwned<ServerConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_file(&authority.file).expect("an authority");
    roots.add(root).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
        .build()
        .expect("a verifier");
    let chain = CertificateDer::from_pem_file(&own.chain).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(&own.key).expect("a key");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![chain], key)
        .expect("a certificate with its key");
    let connection = ServerConnection::new(Arc::new(config)).expect("a connection");
    let mut stream = StreamOwned::new(connection, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// The handshake of a WebSocket; the error holds the HTTP status of a refusal.
pub(crate) fn websocket<S: Read + Write>(
    stream: S,
    url: &str,
    headers: &[(&'static str, &str)],
) -> Result<WebSocket<S>, u16> {
    let mut request = url.into_client_request().expect("a request");
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a value"));
    }
    match tungstenite::client(request, stream) {
        Ok((socket, answer)) => {
            let protocol = answer.headers().get("sec-websocket-protocol");
            assert_eq!(protocol.and_then(|value| value.to_str().ok()), Some("sip"));
            Ok(socket)
        }
        Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
            Err(answer.status().as_u16())
        }
        Err(other) => panic!("no answer of HTTP: {other}"),
    }
}

/// An agent's phone on a wire.
pub(crate) struct Client<W> {
    pub(crate) wire: W,
    /// The token in its Via.
    pub(crate) transport: &'static str,
    /// What it wants to be called at.
    pub(crate) contact: String,
}

impl<W: Wire> Client<W> {
    /// Registers as an agent of acme; gives the statuses.
    pub(crate) fn register(&mut self, agent: &str) -> Vec<u16> {
        let (mut statuses, mut authorization) = (Vec::new(), String::new());
        for cseq in 1..=2 {
            let request = format!(
                "REGISTER sip:acme.example SIP/2.0\r\n\
                 Via: SIP/2.0/{via} phone.invalid;branch=z9hG4bK-{agent}-{cseq};rport\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:{agent}@acme.example>;tag=t{agent}\r\n\
                 To: <sip:{agent}@acme.example>\r\nCall-ID: register-{agent}\r\n\
                 CSeq: {cseq} REGISTER\r\nContact: <{contact}>;expires=300\r\n\
                 {authorization}Content-Length: 0\r\n\r\n",
                via = self.transport,
                contact = self.contact,
            );
            self.wire.send(&request).expect("to send");
            let answer = self.wire.receive().expect("an answer to REGISTER");
            let status: u16 = answer[8..11].parse().expect("a status");
            statuses.push(status);
            if status != 401 {
                break;
            }
            let challenge = answer
                .lines()
                .filter_map(|line| line.strip_prefix("WWW-Authenticate: "))
                .find(|challenge| challenge.contains("algorithm=MD5,"))
                .or_else(|| answer.lines().find(|line| line.contains("algorithm=MD5")))
                .expect("an MD5 challenge");
            let secret = format!("{agent}-secret");
            let value = digest(challenge, agent, &secret, "acme.example");
            authorization = format!("Authorization: {value}\r\n");
        }
        statuses
    }

    /// Waits for an INVITE and answers it; gives the INVITE, once its ACK has come.
    pub(crate) fn answer_call(&mut self) -> String {
        let invite = self.next_request("INVITE");
        let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.4\r\ns=-\r\nc=IN IP4 127.0.0.4\r\nt=0 0\r\n\
                   m=audio 39998 RTP/AVP 0\r\n";
        let contact = self.contact.clone();
        self.wire.send(&reply(&invite, "180 Ringing", &contact, "")).expect("to send");
        self.wire.send(&reply(&invite, "200 OK", &contact, sdp)).expect("to send");
        self.next_request("ACK");
        invite
    }

    /// Waits for the BYE and answers it.
    pub(crate) fn hear_bye(&mut self) {
        let bye = self.next_request("BYE");
        let contact = self.contact.clone();
        self.wire.send(&reply(&bye, "200 OK", &contact, "")).expect("to send");
    }

    fn next_request(&mut self, method: &str) -> String {
        let (mut others, deadline) = (Vec::new(), Instant::now() + LIMIT);
        while Instant::now() < deadline {
            match self.wire.receive() {
                Ok(message) if message.starts_with(&format!("{method} ")) => return message,
                Ok(message) => others.push(message),
                Err(error) => panic!("{error} instead of {method}, after {others:#?}"),
            }
        }
        panic!("no {method}, but {others:#?}");
    }
}

/// An answer to a request, made from its own header fields.
pub(crate) fn reply(request: &str, status: &str, contact: &str, sdp: &str) -> String {
    let head = request.split("\r\n\r\n").next().unwrap_or_default();
    let mut answer = format!("SIP/2.0 {status}\r\n");
    for line in head.lines().skip(1) {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            "to" if !line.contains(";tag=") => answer += &format!("{line};tag=phone\r\n"),
            "via" | "from" | "to" | "call-id" | "cseq" | "record-route" => {
                answer += &format!("{line}\r\n");
            }
            _ => {}
        }
    }
    answer += &format!("Contact: <{contact}>\r\n");
    if !sdp.is_empty() {
        answer += "Content-Type: application/sdp\r\n";
    }
    format!("{answer}Content-Length: {}\r\n\r\n{sdp}", sdp.len())
}
