//! Default or empty credentials on an address that others can reach: the node does not start.

use std::net::SocketAddr;

use routing::{ApiKey, Provisioning};

/// Why the API must not listen where it was told to.
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
}

/// Keys of the demo begin so; they are printed in the documentation.
const PUBLISHED: &str = "demo-";

/// Checks the keys against the API's address.
///
/// # Errors
/// What must change before the node may start.
pub(super) fn check(
    listen: SocketAddr,
    provisioning: &Provisioning,
) -> Result<(), CredentialFault> {
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
    if let Some(key) = from_outside.iter().find(|key| key.key.starts_with(PUBLISHED)) {
        return Err(CredentialFault::PublishedKey(listen, key.name.clone()));
    }
    if from_outside.iter().all(|key| key.key.is_empty()) {
        return Err(CredentialFault::NoKey(listen));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use routing::{Role, Secret};

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
        let outside = SocketAddr::from(([0, 0, 0, 0], 8080));
        let inside = SocketAddr::from(([127, 0, 0, 1], 8080));
        let none = Provisioning::default();
        assert_eq!(check(outside, &none), Err(CredentialFault::NoKey(outside)));
        assert_eq!(check(inside, &none), Ok(()));
        let demo = keys("demo-platform", true);
        assert_eq!(check(outside, &demo), Err(CredentialFault::NoKey(outside)));
        let published = check(outside, &keys("demo-platform", false));
        assert!(matches!(published, Err(CredentialFault::PublishedKey(..))));
        assert_eq!(check(outside, &keys("a-key-of-more-than-24-characters", false)), Ok(()));
    }
}
