//! `/api/v1/queues/{queue}/alarms`: from which figures on an alarm of a queue is raised.

use axum::extract::{Path, State};
use base::QueueId;
use routing::QueueAlarms;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer::Answer;
use crate::auth::Scoped;
use crate::fault::Fault;
use crate::params::Body;
use crate::provisioned::tenant_of;
use crate::state::Api;

/// The thresholds of a queue; 0 is not watched.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlarmLimits {
    /// Somebody has waited for so many seconds.
    #[schema(example = 120)]
    longest_wait_s: u32,
    /// So many callers wait.
    waiting: u32,
    /// Less than so many percent of the last 30 minutes' callers were answered in time.
    service_level_percent: u8,
    /// Somebody waits, and no agent of the queue is there.
    no_agent: bool,
}

impl From<QueueAlarms> for AlarmLimits {
    fn from(of: QueueAlarms) -> Self {
        let QueueAlarms { longest_wait_s, waiting, service_level_percent, no_agent } = of;
        Self { longest_wait_s, waiting, service_level_percent, no_agent }
    }
}

impl From<AlarmLimits> for QueueAlarms {
    fn from(of: AlarmLimits) -> Self {
        let AlarmLimits { longest_wait_s, waiting, service_level_percent, no_agent } = of;
        Self { longest_wait_s, waiting, service_level_percent, no_agent }
    }
}

/// Sets a queue's thresholds: they are provisioned, and hold for everybody. Not for the role
/// `agent`.
#[utoipa::path(put, path = "/api/v1/queues/{queue}/alarms", tag = "queues",
    params(("queue" = String, Path, description = "The queue")), request_body = AlarmLimits,
    responses((status = 200, description = "They hold", body = Answer<AlarmLimits>),
        (status = 422, description = "One of them is out of range",
            body = crate::fault::ErrorBody)))]
pub(crate) async fn set(
    State(api): State<Api>,
    scoped: Scoped,
    Path(queue): Path<String>,
    Body(limits): Body<AlarmLimits>,
) -> Result<Answer<AlarmLimits>, Fault> {
    scoped.sees_all()?;
    let queue: QueueId = queue.parse().map_err(|_| Fault::not_found("queue"))?;
    let limits = QueueAlarms::from(limits);
    api.change(false, Vec::new(), |provisioning| {
        let tenant = tenant_of(provisioning, &scoped.tenant)?;
        let found = tenant.queues.iter_mut().find(|one| one.id == queue);
        found.ok_or_else(|| Fault::not_found("queue"))?.alarms = limits;
        Ok(())
    })
    .await?;
    Ok(Answer::new(limits.into(), "the thresholds hold"))
}
