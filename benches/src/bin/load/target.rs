//! The server under load: a child with a provisioning of its own in a folder of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Child;

use benches::child;

/// Enough RTP ports for 400 calls a second: a port rests for some seconds after its call.
const CONFIG: &str = "drain_deadline_s = 1\n[sip]\nudp = [\"127.0.0.1:0\"]\ntcp = []\n\
                      [http]\nlisten = \"127.0.0.1:0\"\n[rtp]\nports = \"10000-31999\"\n\
                      address = \"127.0.0.1\"\n";

/// The running server.
pub(crate) struct Target {
    child: Child,
    pub(crate) pid: u32,
    pub(crate) sip: SocketAddr,
    folder: PathBuf,
}

impl Target {
    pub(crate) fn start(binary: &Path, agents: usize, record: bool) -> Result<Self, String> {
        let folder = child::folder("strowger-load")?;
        let provisioning = "[[trunks]]\nid = \"load\"\nsources = [\"127.0.0.2\"]\n".to_owned()
            + &child::tenant("load", "+15550100", record, 0..agents);
        let started = child::strowger(&folder, (binary, None), CONFIG, &provisioning);
        let (child, ready) = child::or_why(started, &folder)?;
        let sip = child::address(&ready, "sip_udp")?;
        Ok(Self { pid: child.id(), child, sip, folder })
    }

    pub(crate) fn stop(mut self) {
        child::end(&mut self.child, &self.folder);
    }
}
