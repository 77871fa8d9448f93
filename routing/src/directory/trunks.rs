//! Whose call it is: trunks by what they prove, and the tenants they serve.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use base::TenantId;

use super::Directory;
use crate::{Network, Trunk};

/// What proves that a call is a trunk's, indexed. The numbers are places in the list of trunks.
pub(super) struct Proofs {
    networks: BTreeMap<Network, Vec<usize>>,
    /// The prefix lengths in use, longest first.
    prefixes: Vec<u8>,
    /// Those that any address may be.
    anywhere: Vec<usize>,
    users: BTreeMap<String, usize>,
}

impl Proofs {
    /// Passes over what cannot be read: the checks tell it.
    pub(super) fn gather(trunks: &[Trunk]) -> Self {
        let mut networks: BTreeMap<Network, Vec<usize>> = BTreeMap::new();
        let mut anywhere = Vec::new();
        let mut users = BTreeMap::new();
        for (at, trunk) in trunks.iter().enumerate() {
            for network in trunk.sources.iter().filter_map(|source| source.parse().ok()) {
                networks.entry(network).or_default().push(at);
            }
            let proves_itself = !trunk.certificates.is_empty() || trunk.credentials.is_some();
            if trunk.sources.is_empty() && proves_itself {
                anywhere.push(at);
            }
            if let Some(credentials) = &trunk.credentials {
                users.entry(credentials.user.clone()).or_insert(at);
            }
        }
        let prefixes: BTreeSet<u8> = networks.keys().map(Network::prefix).collect();
        let prefixes = prefixes.into_iter().rev().collect();
        Self { networks, prefixes, anywhere, users }
    }

    /// The sources that several trunks share.
    pub(super) fn shared(&self) -> impl Iterator<Item = (&Network, &[usize])> {
        self.networks.iter().map(|(n, at)| (n, at.as_slice())).filter(|(_, at)| at.len() > 1)
    }
}

impl Directory {
    /// The trunks that a call from this address can be of, over a connection whose client
    /// certificate has these names (none without one). Those with `credentials` must still prove
    /// them. The longest prefix wins; where several are left, the called number decides, see
    /// [`route_among`](crate::route_among). Nobody's if it is a stranger's.
    #[must_use]
    pub fn trunks_for<N: AsRef<str>>(&self, source: IpAddr, names: &[N]) -> Vec<&Trunk> {
        let named = |name: &String| names.iter().any(|n| n.as_ref().eq_ignore_ascii_case(name));
        let certified =
            |trunk: &&Trunk| trunk.certificates.is_empty() || trunk.certificates.iter().any(named);
        let places = |places: &[usize]| -> Vec<&Trunk> {
            let trunks = places.iter().filter_map(|at| self.provisioning.trunks.get(*at));
            trunks.filter(certified).collect()
        };
        let fits = |prefix: &&u8| source.to_canonical().is_ipv6() || **prefix <= 32;
        self.proofs
            .prefixes
            .iter()
            .filter(fits)
            .filter_map(|p| self.proofs.networks.get(&Network::holding(source, *p)))
            .map(|at| places(at))
            .find(|trunks| !trunks.is_empty())
            .unwrap_or_else(|| places(&self.proofs.anywhere))
    }

    /// The trunk that a call from this address, without a certificate, can be of: the first of
    /// those that need no password, if there are several. Nobody's if it is a stranger's.
    #[must_use]
    pub fn trunk_of(&self, source: IpAddr) -> Option<&Trunk> {
        let trunks = self.trunks_for::<&str>(source, &[]);
        let open = trunks.iter().find(|trunk| trunk.credentials.is_none());
        open.or(trunks.first()).copied()
    }

    /// The trunk that authenticates as this user.
    #[must_use]
    pub fn trunk_by_credentials(&self, user: &str) -> Option<&Trunk> {
        self.provisioning.trunks.get(*self.proofs.users.get(user)?)
    }

    /// Whether the trunk may call the tenant's numbers, and the tenant call out over it: it lists
    /// the tenant, or a parent, or lists nobody.
    #[must_use]
    pub fn trunk_serves(&self, trunk: &Trunk, tenant: &TenantId) -> bool {
        let Some(index) = self.tenants.get(tenant) else { return false };
        trunk.tenants.as_ref().is_none_or(|listed| {
            index
                .line
                .iter()
                .filter_map(|at| self.provisioning.tenants.get(*at))
                .any(|t| listed.contains(&t.id))
        })
    }
}
