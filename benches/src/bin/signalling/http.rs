//! How long the HTTP API takes.

use std::net::SocketAddr;
use std::time::Instant;

/// The status of a GET, and how many milliseconds it took.
pub(crate) fn get(api: SocketAddr, path: &str, key: &str) -> Result<(u16, f64), String> {
    let began = Instant::now();
    let (status, _) = benches::http::ask(api, "GET", path, key, "")?;
    Ok((status, began.elapsed().as_secs_f64() * 1000.0))
}
