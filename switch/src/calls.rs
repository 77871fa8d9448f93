//! The table of calls, by call and by tenant.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base::{CallId, TenantId};

use crate::call::Call;

/// All calls whose record is still to come.
#[derive(Default)]
pub(crate) struct Calls {
    /// Boxed: a call is large, and the table moves what it holds when it grows.
    calls: HashMap<CallId, Box<Call>>,
    by_tenant: BTreeMap<TenantId, BTreeSet<CallId>>,
}

impl Calls {
    pub(crate) fn insert(&mut self, call: Call) {
        self.by_tenant.entry(call.tenant.clone()).or_default().insert(call.id);
        self.calls.insert(call.id, Box::new(call));
    }

    pub(crate) fn get(&self, call: CallId) -> Option<&Call> {
        self.calls.get(&call).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, call: CallId) -> Option<&mut Call> {
        self.calls.get_mut(&call).map(Box::as_mut)
    }

    /// A call, if it is this tenant's.
    pub(crate) fn of_tenant(&self, tenant: &TenantId, call: CallId) -> Option<&Call> {
        self.get(call).filter(|call| call.tenant == *tenant)
    }

    /// A tenant's calls, newest first.
    pub(crate) fn all_of(&self, tenant: &TenantId) -> impl Iterator<Item = &Call> {
        let ids = self.by_tenant.get(tenant).into_iter().flatten().rev();
        ids.filter_map(|id| self.get(*id))
    }

    /// Every call, by tenant and in the order of their beginning.
    pub(crate) fn ids(&self) -> Vec<CallId> {
        self.by_tenant.values().flatten().copied().collect()
    }

    pub(crate) fn remove(&mut self, call: CallId) -> Option<Box<Call>> {
        let call = self.calls.remove(&call)?;
        if let Some(calls) = self.by_tenant.get_mut(&call.tenant) {
            calls.remove(&call.id);
            if calls.is_empty() {
                self.by_tenant.remove(&call.tenant);
            }
        }
        Some(call)
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }
}
