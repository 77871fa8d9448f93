//! Kamailio as a plain stateful proxy: `tm` and `rr`, no database, no registrar; one next hop.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};

use benches::child::{command, write};

use super::{ADDRESS, until_it_answers};
use crate::wire::free_port;

const ROUTES: &str = include_str!("../../../../../fixtures/kamailio/proxy.cfg");

pub(super) fn start(
    folder: &Path,
    callee: SocketAddr,
) -> Result<(Child, SocketAddr, Option<SocketAddr>), String> {
    let sip = SocketAddr::new(ADDRESS, free_port(ADDRESS)?);
    let config = format!(
        "#!KAMAILIO\ndebug=1\nlog_stderror=yes\nchildren=4\nmaxbuffer=4194304\n\
         disable_tcp=yes\ndns=no\nrev_dns=no\nauto_aliases=no\nlisten=udp:{sip}\n{}",
        ROUTES.replace("NEXT_HOP", &callee.to_string())
    );
    write(folder, "kamailio.cfg", config.as_bytes())?;
    // Debian puts it where only root's path leads.
    let found = ["/usr/sbin/kamailio", "/usr/local/sbin/kamailio"];
    let program = found.iter().map(Path::new).find(|path| path.exists());
    let mut child = command(folder, program.unwrap_or(Path::new("kamailio")), None)?
        .args(["-DD", "-E", "-m", "512", "-M", "16", "-Y"])
        .arg(folder)
        .args(["-f", "kamailio.cfg"])
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    until_it_answers(&mut child, sip)?;
    Ok((child, sip, None))
}
