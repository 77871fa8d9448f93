//! The keys that are provisioned now, by digest: in memory, so that a database that is away does not
//! lock everybody out of the calls that are up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use routing::Directory;
use store::{KeyRow, provisioned_key_digest};

/// As many as the provisioning has; made anew when that changes.
#[derive(Default)]
pub(crate) struct KeyTable(Mutex<Option<Indexed>>);

struct Indexed {
    /// What it was made from.
    of: Arc<Directory>,
    keys: BTreeMap<[u8; 32], KeyRow>,
}

impl KeyTable {
    /// The key with this digest, if it is provisioned.
    pub(crate) fn find(&self, directory: &Arc<Directory>, digest: &[u8; 32]) -> Option<KeyRow> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !table.as_ref().is_some_and(|table| Arc::ptr_eq(&table.of, directory)) {
            *table = Some(Indexed { of: Arc::clone(directory), keys: index(directory) });
        }
        table.as_ref()?.keys.get(digest).cloned()
    }
}

fn index(directory: &Directory) -> BTreeMap<[u8; 32], KeyRow> {
    let row = |(tenant, key): (Option<&base::TenantId>, &routing::ApiKey)| {
        let digest = provisioned_key_digest(&key.key);
        let row = KeyRow {
            tenant: tenant.cloned(),
            digest,
            name: key.name.clone(),
            role: key.role,
            agent: key.agent.clone(),
            loopback_only: key.loopback_only,
        };
        (digest, row)
    };
    directory.api_keys().map(row).collect()
}
