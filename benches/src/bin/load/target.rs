//! The server under load: a child with a provisioning of its own in a folder of its own.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const MUSIC: &[u8] = include_bytes!("../../../../fixtures/audio/hold-music.wav");
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
        let folder = std::env::temp_dir().join(format!("strowger-load-{}", std::process::id()));
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))
        };
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        write("music.wav", MUSIC)?;
        write("provisioning.toml", provisioning(agents, record).as_bytes())?;
        write("strowger.toml", CONFIG.as_bytes())?;
        let binary = binary.canonicalize().map_err(|e| format!("{}: {e}", binary.display()))?;
        let mut child = Command::new(binary)
            .args(["serve", "--config", "strowger.toml", "--apply", "provisioning.toml", "--json"])
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let output = child.stdout.take().ok_or("no standard output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
        let ready: serde_json::Value =
            serde_json::from_str(&line).map_err(|_| format!("the server did not start: {line}"))?;
        let sip = ready["sip_udp"].as_str().and_then(|at| at.parse().ok());
        let sip = sip.ok_or_else(|| format!("no SIP address in {line}"))?;
        Ok(Self { pid: child.id(), child, sip, folder })
    }

    /// Ends it at once.
    pub(crate) fn stop(mut self) {
        // It may have ended by itself; its folder goes either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn provisioning(agents: usize, record: bool) -> String {
    let mut text = format!(
        "[[trunks]]\nid = \"load\"\nsources = [\"127.0.0.2\"]\n\n[[tenants]]\nid = \"load\"\n\
         domain = \"load.example\"\nprompts = [{{ id = \"music\", file = \"music.wav\" }}]\n\
         queues = [{{ id = \"all\", music = \"music\", record = {record}, \
         wrap_up_s = 0 }}]\n\
         flows = [{{ id = \"all\", steps = [{{ do = \"queue\", queue = \"all\" }}] }}]\n\
         numbers = [{{ number = \"+15550100\", flow = \"all\" }}]\nagents = [\n"
    );
    for agent in 0..agents {
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "  {{ id = \"agent-{agent}\", password = \"load-secret-{agent}\", \
             available_on_register = true }},"
        );
    }
    text.push_str("]\n");
    text
}
