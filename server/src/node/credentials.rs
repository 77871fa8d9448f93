//! Credentials that everybody knows, or none, on an address that others can reach: the node does
//! not start with them, and takes no provisioning that brings them.

use std::net::SocketAddr;

use routing::{Agent, ApiKey, Provisioning, Secret};
use sip::digest;
use store::{key_digest, provisioned_key_digest};

/// Why these credentials must not be reachable where the node listens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialFault {
    /// No key opens the API from outside: it would be reachable and useless, or worse.
    #[error(
        "http.listen: {0} is reachable from outside, but no API key is provisioned for that; \
         listen on 127.0.0.1, or apply a provisioning whose platform_keys hold a key of 24 \
         characters or more"
    )]
    NoKey(SocketAddr),
    /// A key that everybody knows.
    #[error(
        "http.listen: {0} is reachable from outside, and the API key {1:?} is a published one; \
         listen on 127.0.0.1, or set loopback_only = true for it"
    )]
    PublishedKey(SocketAddr, String),
    /// A phone's password that everybody knows.
    #[error(
        "sip: {0} is reachable from outside, and the password of agent {1:?} is a published one; \
         give the agent another, or set loopback_only = true for it"
    )]
    PublishedPassword(SocketAddr, String),
}

/// Keys of the demo begin so; they are printed in the documentation.
const PUBLISHED_KEY: &str = "demo-";
/// The demo's keys: what is stored, or was written as `sha256:`, no longer shows how it begins.
const PUBLISHED_KEYS: [&str; 3] = ["demo-platform", "demo-acme-admin", "demo-globex-admin"];
/// The passwords of the demo's agents.
const PUBLISHED_PASSWORDS: [&str; 3] = ["alice-secret", "bob-secret", "gina-secret"];

/// Where a node can be reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    http: SocketAddr,
    /// A SIP address that others reach, if there is one.
    sip: Option<SocketAddr>,
}

impl Reach {
    pub(super) fn new(http: SocketAddr, sip: impl IntoIterator<Item = SocketAddr>) -> Self {
        let outside = |address: &SocketAddr| !address.ip().is_loopback();
        Self { http, sip: sip.into_iter().find(outside) }
    }

    /// Checks the credentials of a provisioning.
    ///
    /// # Errors
    /// What must change before the node may take it.
    pub(crate) fn check(&self, provisioning: &Provisioning) -> Result<(), CredentialFault> {
        self.check_passwords(provisioning)?;
        self.check_keys(provisioning)
    }

    fn check_passwords(&self, provisioning: &Provisioning) -> Result<(), CredentialFault> {
        let Some(sip) = self.sip else { return Ok(()) };
        for tenant in &provisioning.tenants {
            let realm = tenant.domain.to_ascii_lowercase();
            let is_open =
                |agent: &&Agent| !agent.loopback_only && is_published_password(agent, &realm);
            if let Some(agent) = tenant.agents.iter().find(is_open) {
                return Err(CredentialFault::PublishedPassword(sip, agent.id.to_string()));
            }
        }
        Ok(())
    }

    fn check_keys(&self, provisioning: &Provisioning) -> Result<(), CredentialFault> {
        let listen = self.http;
        if listen.ip().is_loopback() {
            return Ok(());
        }
        let of_tenants = provisioning.tenants.iter().flat_map(|tenant| &tenant.api_keys);
        let from_outside: Vec<&ApiKey> = provisioning
            .platform_keys
            .iter()
            .chain(of_tenants)
            .filter(|key| !key.loopback_only)
            .collect();
        if let Some(key) = from_outside.iter().find(|key| is_published(&key.key)) {
            return Err(CredentialFault::PublishedKey(listen, key.name.clone()));
        }
        if from_outside.iter().all(|key| key.key.is_empty()) {
            return Err(CredentialFault::NoKey(listen));
        }
        Ok(())
    }
}

/// By itself, or by what is kept of it.
fn is_published_password(agent: &Agent, realm: &str) -> bool {
    let known = agent.password.as_str();
    PUBLISHED_PASSWORDS.iter().any(|published| {
        known == *published || known == digest::keep(agent.id.as_str(), realm, published)
    })
}

fn is_published(key: &Secret) -> bool {
    let digest = provisioned_key_digest(key);
    key.starts_with(PUBLISHED_KEY)
        || PUBLISHED_KEYS.iter().any(|published| key_digest(published) == digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use routing::Role;
    use std::net::{IpAddr, Ipv4Addr};

    const OUTSIDE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5060);
    const INSIDE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5060);

    impl Reach {
        fn of(http: SocketAddr, sip: SocketAddr) -> Self {
            Self::new(http, [sip])
        }
    }

    fn keys(key: &str, loopback_only: bool) -> Provisioning {
        let key = ApiKey {
            name: "the key".into(),
            key: Secret::new(key),
            role: Role::Platform,
            agent: None,
            loopback_only,
        };
        Provisioning { platform_keys: vec![key], ..Provisioning::default() }
    }

    #[test]
    fn an_api_reachable_from_outside_needs_a_key_of_its_own() {
        let (outside, inside) = (Reach::of(OUTSIDE, INSIDE), Reach::of(INSIDE, INSIDE));
        let none = Provisioning::default();
        assert_eq!(outside.check(&none), Err(CredentialFault::NoKey(OUTSIDE)));
        assert_eq!(inside.check(&none), Ok(()));
        let demo = keys("demo-platform", true);
        assert_eq!(outside.check(&demo), Err(CredentialFault::NoKey(OUTSIDE)));
        let published = outside.check(&keys("demo-platform", false));
        assert!(matches!(published, Err(CredentialFault::PublishedKey(..))));
        assert_eq!(outside.check(&keys("a-key-of-more-than-24-characters", false)), Ok(()));
    }

    #[test]
    fn a_published_key_is_known_by_its_digest_too_which_is_all_that_the_store_keeps() {
        let outside = Reach::of(OUTSIDE, INSIDE);
        let text = include_str!("../../../fixtures/demo.toml");
        let demo: Provisioning = toml::from_str(text).unwrap();
        let of_tenants = demo.tenants.iter().flat_map(|tenant| &tenant.api_keys);
        let published: Vec<_> = demo.platform_keys.iter().chain(of_tenants).collect();
        assert!(published.len() >= 3);
        for key in published {
            let digest = key_digest(&key.key);
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let stored = outside.check(&keys(&format!("sha256:{hex}"), false));
            assert!(matches!(stored, Err(CredentialFault::PublishedKey(..))), "{}", key.name);
        }
        let own = format!("sha256:{}", "5a".repeat(32));
        assert_eq!(outside.check(&keys(&own, false)), Ok(()));
    }

    #[test]
    fn the_demo_may_be_reached_by_sip_because_its_agents_are_on_loopback_only() {
        let text = include_str!("../../../fixtures/demo.toml");
        let demo: Provisioning = toml::from_str(text).unwrap();
        let reach = Reach::of(INSIDE, OUTSIDE);
        assert_eq!(reach.check(&demo), Ok(()));
        let open = text.replace(", loopback_only = true }", " }");
        let open: Provisioning = toml::from_str(&open).unwrap();
        assert_eq!(
            reach.check(&open),
            Err(CredentialFault::PublishedPassword(OUTSIDE, "alice".into()))
        );
        assert_eq!(Reach::of(INSIDE, INSIDE).check(&open), Ok(()));
        let mut kept = open;
        let alice = &mut kept.tenants[0].agents[0];
        alice.password = Secret::new(digest::keep("alice", "acme.example", "alice-secret"));
        assert!(reach.check(&kept).is_err(), "what is kept of it shows it too");
    }
}
