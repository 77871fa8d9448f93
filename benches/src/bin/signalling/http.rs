//! One request to the HTTP API.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The status of a GET, and how many milliseconds it took.
pub(crate) fn get(api: SocketAddr, path: &str, key: &str) -> Result<(u16, f64), String> {
    let began = Instant::now();
    let answer = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(api)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let head = format!("GET {path} HTTP/1.1\r\nHost: {api}\r\nAuthorization: Bearer {key}");
        write!(stream, "{head}\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = answer().map_err(|error| format!("GET {path}: {error}"))?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok((status, began.elapsed().as_secs_f64() * 1000.0))
}
