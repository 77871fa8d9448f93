//! What agents' phones are set to through the API, in place of what is provisioned.

use base::TenantId;

use crate::db::{Row, Scope, Step, damaged, values};
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

/// The last ones hold.
pub(crate) fn upsert(settings: &AgentSettingsRow) -> Step<'_> {
    let sql = "INSERT INTO agent_settings \
               (tenant_id, agent_id, do_not_disturb, forward, waiting_new, waiting_old) \
               VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (tenant_id, agent_id) DO UPDATE SET \
               do_not_disturb = excluded.do_not_disturb, forward = excluded.forward, \
               waiting_new = excluded.waiting_new, waiting_old = excluded.waiting_old";
    let row = values![
        &settings.tenant,
        settings.agent.as_str(),
        settings.do_not_disturb,
        settings.forward.as_deref(),
        u64::from(settings.waiting_new),
        u64::from(settings.waiting_old),
    ];
    Step::new(sql, row.to_vec())
}
