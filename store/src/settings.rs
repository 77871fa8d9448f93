//! What agents' phones are set to through the API, in place of what is provisioned.

use base::TenantId;

use crate::bulk::Bulk;
use crate::db::{Row, Scope, Tx, Value, damaged, values};
use crate::rows::AgentSettingsRow;
use crate::{Result, Store};

impl Store {
    /// The settings of all agents of a tenant that have any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agent_settings(&self, tenant: &TenantId) -> Result<Vec<AgentSettingsRow>> {
        let sql = "SELECT tenant_id, agent_id, do_not_disturb, forward, waiting_new, waiting_old \
                   FROM agent_settings WHERE tenant_id = $1 ORDER BY agent_id";
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        let rows = tx.rows(sql, &values![tenant]).await?;
        rows.iter().map(settings_row).collect()
    }
}

fn settings_row(row: &Row) -> Result<AgentSettingsRow> {
    let count = |column| {
        let number = row.count(column)?;
        u32::try_from(number).map_err(|_| damaged(column, &number.to_string()))
    };
    Ok(AgentSettingsRow {
        tenant: row.id("tenant_id")?,
        agent: row.id("agent_id")?,
        do_not_disturb: row.get("do_not_disturb")?,
        forward: row.get("forward")?,
        waiting_new: count("waiting_new")?,
        waiting_old: count("waiting_old")?,
    })
}

static SETTINGS: Bulk = Bulk::new(
    "INSERT INTO agent_settings (tenant_id, agent_id, do_not_disturb, forward, waiting_new, \
     waiting_old)",
    6,
    " ON CONFLICT (tenant_id, agent_id) DO UPDATE SET \
     do_not_disturb = excluded.do_not_disturb, forward = excluded.forward, \
     waiting_new = excluded.waiting_new, waiting_old = excluded.waiting_old",
);

/// The settings of agents, each of another: the last ones hold.
pub(crate) async fn put_settings(tx: &mut Tx, all: &[&AgentSettingsRow]) -> Result<()> {
    let mut rows: Vec<Value<'_>> = Vec::with_capacity(all.len() * 6);
    for settings in all {
        rows.extend(values![
            &settings.tenant,
            settings.agent.as_str(),
            settings.do_not_disturb,
            settings.forward.as_deref(),
            u64::from(settings.waiting_new),
            u64::from(settings.waiting_old),
        ]);
    }
    SETTINGS.run(tx, &rows).await
}
