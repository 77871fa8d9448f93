//! Strowger: tenants, each with a number, a queue and agents, made for the occasion.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};

use super::{ADDRESS, command, write};
use crate::messages::tenant_number;
use crate::wire::free_port;

const MUSIC: &[u8] = include_bytes!("../../../../../fixtures/audio/hold-music.wav");

/// What is provisioned.
pub(crate) struct Provision {
    pub(crate) agents: usize,
    /// Agent `n` is of tenant `n % tenants`.
    pub(crate) tenants: usize,
    /// Whether audio is recorded.
    pub(crate) record: bool,
    /// Threads for audio; 0 is one a core.
    pub(crate) workers: usize,
}

pub(super) fn start(
    folder: &Path,
    binary: &Path,
    provision: &Provision,
) -> Result<(Child, SocketAddr, Option<SocketAddr>), String> {
    let sip = SocketAddr::new(ADDRESS, free_port(ADDRESS)?);
    // A port rests after its call, and 10,000 calls at once take two pairs each.
    let config = format!(
        "drain_deadline_s = 1\n[sip]\nudp = [\"{sip}\"]\ntcp = []\n\
         [http]\nlisten = \"127.0.0.1:0\"\n\
         [rtp]\nports = \"6000-65519\"\naddress = \"127.0.0.1\"\nworkers = {}\n",
        provision.workers
    );
    write(folder, "music.wav", MUSIC)?;
    write(folder, "provisioning.toml", document(provision).as_bytes())?;
    write(folder, "strowger.toml", config.as_bytes())?;
    let binary = binary.canonicalize().map_err(|error| format!("{}: {error}", binary.display()))?;
    let mut child = command(folder, &binary)?
        .args(["serve", "--config", "strowger.toml", "--apply", "provisioning.toml", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let output = child.stdout.take().ok_or("no standard output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
    let ready: serde_json::Value =
        serde_json::from_str(&line).map_err(|_| format!("it did not start: {line}"))?;
    let api = ready["http"].as_str().and_then(|at| at.parse().ok());
    Ok((child, sip, Some(api.ok_or_else(|| format!("no HTTP address in {line}"))?)))
}

fn document(provision: &Provision) -> String {
    let mut text = "[[trunks]]\nid = \"load\"\nsources = [\"127.0.0.2\"]\n".to_owned();
    for tenant in 0..provision.tenants {
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            "\n[[tenants]]\nid = \"load-{tenant}\"\ndomain = \"load-{tenant}.example\"\n\
             prompts = [{{ id = \"music\", file = \"music.wav\" }}]\n\
             api_keys = [{{ key = \"load-{tenant}\", loopback_only = true }}]\n\
             queues = [{{ id = \"all\", music = \"music\", record = {record}, wrap_up_s = 0 }}]\n\
             flows = [{{ id = \"all\", steps = [{{ do = \"queue\", queue = \"all\" }}] }}]\n\
             numbers = [{{ number = \"{number}\", flow = \"all\" }}]\nagents = [\n",
            record = provision.record,
            number = tenant_number(tenant),
        );
        for agent in (tenant..provision.agents).step_by(provision.tenants) {
            let _ = writeln!(
                text,
                "  {{ id = \"agent-{agent}\", password = \"load-secret-{agent}\", \
                 available_on_register = true }},"
            );
        }
        text.push_str("]\n");
    }
    text
}
