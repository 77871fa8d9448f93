//! Strowger: tenants, each with a number, a queue and agents, made for the occasion.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Child;

use benches::child;

use super::ADDRESS;
use crate::messages::tenant_number;
use crate::wire::free_port;

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
    let provisioned = document(provision);
    let (child, ready) = child::strowger(folder, (binary, None), &config, &provisioned)?;
    Ok((child, sip, Some(child::address(&ready, "http")?)))
}

fn document(provision: &Provision) -> String {
    let tenants = (0..provision.tenants).map(|tenant| {
        let agents = (tenant..provision.agents).step_by(provision.tenants);
        let number = tenant_number(tenant);
        child::tenant(&format!("load-{tenant}"), &number, provision.record, agents)
    });
    "[[trunks]]\nid = \"load\"\nsources = [\"127.0.0.2\"]\n".to_owned()
        + &tenants.collect::<String>()
}
