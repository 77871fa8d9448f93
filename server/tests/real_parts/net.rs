//! Free ports, a plain HTTP client and the registration of a phone, for tests.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::Value;

/// A UDP port that is free now and that no other test of this process was given. Below the ports
/// that the kernel hands to clients, so that none of them takes it in between.
pub(crate) fn free_port(address: IpAddr) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = (std::process::id() % 1000) as u16;
    for _ in 0..2000 {
        let turn = offset.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 5100 + turn % 2000 * 2;
        if UdpSocket::bind((address, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port on {address}");
}

/// Whether this machine has IPv6; if not, a test that needs it says so.
pub(crate) fn has_ipv6() -> bool {
    let has = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        eprintln!("this machine has no IPv6: nothing to try");
    }
    has
}

/// An HTTP answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and headers.
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header's value, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// One request on one connection. A busy machine may need long to answer.
pub(crate) fn http(
    server: SocketAddr,
    method: &str,
    path: &str,
    key: &str,
    body: Option<&Value>,
) -> Answer {
    let stream = TcpStream::connect(server).expect("the API");
    stream.set_read_timeout(Some(Duration::from_secs(100))).expect("a limit");
    http_over(stream, server, method, path, key, body)
}

/// The same on whatever carries it.
pub(crate) fn http_over(
    mut stream: impl Read + Write,
    server: SocketAddr,
    method: &str,
    path: &str,
    key: &str,
    body: Option<&Value>,
) -> Answer {
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("to send");
    let mut raw = Vec::new();
    // Who hangs up without a word of TLS has said all the same what there is.
    let read = stream.read_to_end(&mut raw);
    assert!(read.is_ok() || raw.len() > 12, "an answer: {read:?}");
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n").expect("the end of the headers");
    let headers = String::from_utf8_lossy(&raw[..end]).into_owned();
    let status = headers.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
    let mut body = raw[end + 4..].to_vec();
    if headers.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        body = unchunk(&body);
    }
    Answer { status, head: headers, body }
}

fn unchunk(mut raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = raw.windows(2).position(|w| w == b"\r\n") {
        let size = std::str::from_utf8(&raw[..end]).expect("a chunk's size");
        let size = usize::from_str_radix(size.split(';').next().unwrap_or("").trim(), 16)
            .expect("a chunk's size");
        if size == 0 {
            break;
        }
        body.extend_from_slice(&raw[end + 2..end + 2 + size]);
        raw = &raw[end + 4 + size..];
    }
    body
}

/// Registers an agent's phone whose SIP port is `phone`, from that very port, and gives the final
/// status. The port is free again afterwards, for a SIPp that then plays the phone.
pub(crate) fn register(
    server: SocketAddr,
    phone: SocketAddr,
    agent: &str,
    domain: &str,
    password: &str,
) -> Vec<u16> {
    let socket = UdpSocket::bind(phone).expect("the phone's port");
    socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a limit");
    let mut statuses = Vec::new();
    let mut authorization = String::new();
    for cseq in 1..=2 {
        let request = format!(
            "REGISTER sip:{domain} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {phone};branch=z9hG4bK-{agent}-{port}-{cseq};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{agent}@{domain}>;tag={port}\r\n\
             To: <sip:{agent}@{domain}>\r\nCall-ID: reg-{agent}-{port}@test\r\n\
             CSeq: {cseq} REGISTER\r\nContact: <sip:{agent}@{phone}>;expires=300\r\n\
             {authorization}Content-Length: 0\r\n\r\n",
            port = phone.port(),
        );
        let answer = ask(&socket, server, &request, &format!("CSeq: {cseq} REGISTER"));
        let status = answer[8..11].parse().expect("a status");
        statuses.push(status);
        if status != 401 {
            break;
        }
        let challenge = answer
            .lines()
            .filter_map(|line| line.strip_prefix("WWW-Authenticate: "))
            .find(|challenge| challenge.contains("algorithm=MD5"))
            .expect("an MD5 challenge");
        authorization =
            format!("Authorization: {}\r\n", digest(challenge, agent, password, domain));
    }
    statuses
}

/// Sends until the final answer with these words comes, as a phone does over UDP.
fn ask(socket: &UdpSocket, server: SocketAddr, request: &str, with: &str) -> String {
    let mut buffer = [0; 4096];
    for _ in 0..60 {
        socket.send_to(request.as_bytes(), server).expect("to send");
        while let Ok((length, _)) = socket.recv_from(&mut buffer) {
            let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if !answer.starts_with("SIP/2.0 1") && answer.contains(with) {
                return answer;
            }
        }
    }
    panic!("no answer to\n{request}");
}

/// RFC 2617 §3.2.2 with qop=auth, written apart from the product so that they check each other.
pub(crate) fn digest(challenge: &str, user: &str, password: &str, domain: &str) -> String {
    digest_of(challenge, user, password, "REGISTER", &format!("sip:{domain}"))
}

/// The same for any request.
pub(crate) fn digest_of(
    challenge: &str,
    user: &str,
    password: &str,
    method: &str,
    uri: &str,
) -> String {
    let field = |name: &str| {
        let start = challenge.find(&format!("{name}=\"")).expect("a field") + name.len() + 2;
        challenge[start..].split('"').next().unwrap_or("").to_owned()
    };
    let md5 = |text: String| {
        use md5::Digest;
        md5::Md5::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect::<String>()
    };
    let (realm, nonce) = (field("realm"), field("nonce"));
    let ha1 = md5(format!("{user}:{realm}:{password}"));
    let ha2 = md5(format!("{method}:{uri}"));
    let response = md5(format!("{ha1}:{nonce}:00000001:c0ffee:auth:{ha2}"));
    format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         response=\"{response}\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c0ffee\""
    )
}
