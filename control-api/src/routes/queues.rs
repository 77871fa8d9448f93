//! `/api/v1/queues`: how many wait where, and how long.

use axum::extract::State;
use axum::http::Uri;
use routing::{AlarmSnapshot, QueueAlarm, QueueAlarms, QueueSnapshot};
use serde::Serialize;
use switch::{ApiReply, ApiRequest};
use utoipa::ToSchema;

use super::agents::strange;
use super::call_views::seconds;
use super::calls::ListQuery;
use super::queue_alarms::AlarmLimits;
use crate::answer::{PageOf, page};
use crate::auth::Scoped;
use crate::fault::Fault;
use crate::params::Params;
use crate::state::Api;

/// A queue. Counts are since the engine began.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueueView {
    /// The queue, as in the provisioning.
    #[schema(example = "sales")]
    id: String,
    /// What people call it.
    name: String,
    /// Calls that wait in it.
    waiting: u32,
    /// Calls for which an agent is being rung.
    ringing: u32,
    /// Seconds that the call that waits the longest has waited.
    longest_wait_s: f64,
    /// Agents who could be rung at once.
    agents_free: u32,
    /// Agents who have the skills and are in the queue, in whatever state.
    agents: u32,
    /// Calls that an agent took.
    answered: u64,
    /// Calls whose caller left before.
    abandoned: u64,
    /// Calls that waited as long as the queue allows.
    expired: u64,
    /// Calls that found the queue full.
    refused: u64,
    /// The mean wait of answered calls in seconds.
    average_wait_s: f64,
    /// The wait in seconds that the service level counts as good.
    service_level_s: u32,
    /// How much of what left the queue was answered within that, in percent.
    service_level_percent: Option<u8>,
    /// The alarms that are raised.
    alarms: Vec<AlarmView>,
    /// From which figures on they are; 0 is not watched.
    alarm_limits: AlarmLimits,
}

/// An alarm that is raised.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlarmView {
    /// What is wrong: `longest_wait`, `waiting`, `service_level` or `no_agent`.
    #[schema(value_type = String, example = "longest_wait")]
    alarm: QueueAlarm,
    /// The threshold, if it is a number.
    limit: Option<u32>,
    /// For how many milliseconds it has been raised.
    raised_ms: u64,
}

impl From<AlarmSnapshot> for AlarmView {
    fn from(of: AlarmSnapshot) -> Self {
        let AlarmSnapshot { alarm, limit, raised_ms } = of;
        Self { alarm, limit, raised_ms }
    }
}

impl QueueView {
    fn of(limits: QueueAlarms, row: QueueSnapshot) -> Self {
        Self {
            name: if row.name.is_empty() { row.id.to_string() } else { row.name },
            id: row.id.to_string(),
            waiting: row.waiting,
            ringing: row.ringing,
            longest_wait_s: seconds(row.longest_wait_ms),
            agents_free: row.agents_free,
            agents: row.agents,
            answered: row.answered,
            abandoned: row.abandoned,
            expired: row.expired,
            refused: row.refused,
            average_wait_s: seconds(row.average_wait_ms),
            service_level_s: row.service_level_s,
            service_level_percent: row.service_level_percent,
            alarms: row.alarms.into_iter().map(AlarmView::from).collect(),
            alarm_limits: limits.into(),
        }
    }
}

/// Lists queues, by name.
#[utoipa::path(get, path = "/api/v1/queues", tag = "queues", params(ListQuery),
    responses((status = 200, description = "A page of queues", body = PageOf<QueueView>)))]
pub(crate) async fn list(
    State(api): State<Api>,
    scoped: Scoped,
    Params(query): Params<ListQuery>,
    uri: Uri,
) -> Result<PageOf<QueueView>, Fault> {
    scoped.sees_all()?;
    let page = page(query.page, query.per_page)?;
    let reply = api.engine.ask(&scoped.tenant, "tenant", ApiRequest::Queues).await?;
    let ApiReply::Queues(rows) = reply else { return Err(strange(&reply)) };
    let directory = api.directory();
    let limits = |row: &QueueSnapshot| {
        directory.queue(&scoped.tenant, &row.id).map(|queue| queue.alarms).unwrap_or_default()
    };
    let view = |row: QueueSnapshot| QueueView::of(limits(&row), row);
    Ok(PageOf::of(rows.into_iter().map(view).collect(), page, &uri))
}
