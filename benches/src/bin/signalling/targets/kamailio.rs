//! Kamailio as a plain stateful proxy: `tm` and `rr`, no database, no registrar; one next hop.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};

use super::{ADDRESS, command, until_it_answers, write};
use crate::wire::free_port;

const ROUTES: &str = r#"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
request_route {
    if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
    if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
    if (has_totag()) {
        if (loose_route()) { t_relay(); exit; }
        if (is_method("ACK") && t_check_trans()) { t_relay(); exit; }
        sl_send_reply("404", "Not here");
        exit;
    }
    record_route();
    $du = "sip:CALLEE";
    t_relay();
}
"#;

pub(super) fn start(
    folder: &Path,
    callee: SocketAddr,
) -> Result<(Child, SocketAddr, Option<SocketAddr>), String> {
    let sip = SocketAddr::new(ADDRESS, free_port(ADDRESS)?);
    let config = format!(
        "#!KAMAILIO\ndebug=1\nlog_stderror=yes\nchildren=4\nmaxbuffer=4194304\n\
         disable_tcp=yes\ndns=no\nrev_dns=no\nauto_aliases=no\nlisten=udp:{sip}\n{}",
        ROUTES.replace("CALLEE", &callee.to_string())
    );
    write(folder, "kamailio.cfg", config.as_bytes())?;
    // Debian puts it where only root's path leads.
    let found = ["/usr/sbin/kamailio", "/usr/local/sbin/kamailio"];
    let program = found.iter().map(Path::new).find(|path| path.exists());
    let mut child = command(folder, program.unwrap_or(Path::new("kamailio")))?
        .args(["-DD", "-E", "-m", "512", "-M", "16", "-Y"])
        .arg(folder)
        .args(["-f", "kamailio.cfg"])
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    until_it_answers(&mut child, sip)?;
    Ok((child, sip, None))
}
