//! A plain HTTP/1.1 client, so that a test sees what is on the wire.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub(crate) fn data(&self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text());
        self.json()["data"].take()
    }

    /// The code of an error of the API's form.
    pub(crate) fn code(&self) -> String {
        let body = self.json();
        assert!(body["error"].is_string() && body["details"].is_object(), "{body}");
        body["code"].as_str().expect("a code").to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A request that is being written.
pub(crate) struct Ask {
    server: SocketAddr,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(server: SocketAddr, method: &str, path: &str) -> Self {
        let (method, path) = (method.to_owned(), path.to_owned());
        Self { server, method, path, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.with("Authorization", &format!("Bearer {key}"))
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.bytes(body.to_string().into_bytes()).with("Content-Type", "application/json")
    }

    pub(crate) fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    async fn send(&self) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.server).await.unwrap();
        let mut head = format!("{} {} HTTP/1.1\r\nHost: test\r\n", self.method, self.path);
        head.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n", self.body.len()));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // A server that refuses a body need not read it.
        let _ = stream.write_all(&self.body).await;
        BufReader::new(stream)
    }

    /// The whole answer.
    pub(crate) async fn answer(self) -> Answer {
        timeout(LIMIT, async {
            let mut stream = self.send().await;
            let (status, headers) = head(&mut stream).await;
            let mut body = Vec::new();
            if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
                while let Some(chunk) = chunk(&mut stream).await {
                    body.extend(chunk);
                }
            } else {
                let _ = stream.read_to_end(&mut body).await;
            }
            Answer { status, headers, body }
        })
        .await
        .expect("an answer in time")
    }

    /// A stream of server-sent events, read past its first comment.
    pub(crate) async fn sse(self) -> Sse {
        let mut stream = self.send().await;
        let (status, headers) = timeout(LIMIT, head(&mut stream)).await.expect("an answer");
        assert_eq!((status, headers["content-type"].as_str()), (200, "text/event-stream"));
        let mut sse = Sse { stream, text: String::new() };
        assert_eq!(sse.block().await, ": subscribed");
        sse
    }
}

async fn head(stream: &mut BufReader<TcpStream>) -> (u16, BTreeMap<String, String>) {
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    let status = line.split(' ').nth(1).and_then(|text| text.parse().ok()).expect("a status");
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    (status, headers)
}

async fn chunk(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let size = usize::from_str_radix(line.trim(), 16).ok().filter(|size| *size > 0)?;
    let mut bytes = vec![0; size + 2];
    stream.read_exact(&mut bytes).await.ok()?;
    bytes.truncate(size);
    Some(bytes)
}

/// An open stream of server-sent events.
pub(crate) struct Sse {
    stream: BufReader<TcpStream>,
    text: String,
}

impl Sse {
    async fn block(&mut self) -> String {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return block;
            }
            let chunk = timeout(LIMIT, chunk(&mut self.stream)).await.expect("more in time");
            self.text.push_str(&String::from_utf8(chunk.expect("the stream goes on")).unwrap());
        }
    }

    /// The next event as its CloudEvent; its `id` must be its sequence.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            let block = self.block().await;
            let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
            let Some(data) = field("data: ") else { continue };
            let event: Value = serde_json::from_str(data).unwrap();
            assert_eq!(field("id: "), Some(event["sequence"].to_string().as_str()));
            return event;
        }
    }

    /// The sequences of the next `count` events.
    pub(crate) async fn sequences(&mut self, count: usize) -> Vec<u64> {
        let mut sequences = Vec::new();
        while sequences.len() < count {
            sequences.push(self.next().await["sequence"].as_u64().unwrap());
        }
        sequences
    }

    /// Whether the server ends the stream.
    pub(crate) async fn ends(mut self) -> bool {
        timeout(LIMIT, async { while chunk(&mut self.stream).await.is_some() {} }).await.is_ok()
    }
}
