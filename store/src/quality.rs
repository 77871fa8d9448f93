//! How each leg of a call fared while it was up.

use base::{CallId, TenantId};

use crate::bulk::Bulk;
use crate::db::{Scope, Tx, Value, values};
use crate::rows::FinalRecord;
use crate::{Result, Store};

static QUALITY: Bulk = Bulk::new(
    "INSERT INTO call_quality (tenant_id, call_id, legs)",
    3,
    " ON CONFLICT (tenant_id, call_id) DO UPDATE SET legs = excluded.legs",
);

impl Store {
    /// The history of each leg of a call that is over, a JSON array as its record had it; `None`
    /// while it runs, and of a call in which nothing was measured.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn quality(&self, tenant: &TenantId, call: CallId) -> Result<Option<String>> {
        let sql = "SELECT legs FROM call_quality WHERE tenant_id = $1 AND call_id = $2";
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        tx.row(sql, &values![tenant, call]).await?.map(|row| row.get("legs")).transpose()
    }
}

pub(crate) async fn put_quality(tx: &mut Tx, records: &[&FinalRecord]) -> Result<()> {
    let rows: Vec<Value<'_>> = records
        .iter()
        .filter(|record| !record.quality.is_empty())
        .flat_map(|record| values![&record.call.tenant, record.call.id, &record.quality])
        .collect();
    QUALITY.run(tx, &rows).await
}
