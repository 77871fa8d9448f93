//! SIPp as the callee (its own `uas` scenario): what answering alone costs a known tool.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};

use benches::child::command;

use super::{ADDRESS, until_it_answers};
use crate::wire::free_port;

pub(super) fn start(folder: &Path) -> Result<(Child, SocketAddr, Option<SocketAddr>), String> {
    let sip = SocketAddr::new(ADDRESS, free_port(ADDRESS)?);
    let (address, port) = (sip.ip().to_string(), sip.port().to_string());
    let mut child = command(folder, Path::new("sipp"), None)?
        .args(["-sn", "uas", "-i", &address, "-mi", &address, "-p", &port, "-nostdin"])
        .args(["-buff_size", "4194304", "-aa"])
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    until_it_answers(&mut child, sip)?;
    Ok((child, sip, None))
}
