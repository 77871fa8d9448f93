//! `/api/v1/queues/statistics`: what became of the calls of each queue, today and lately.

use axum::extract::State;
use base::UnixTime;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::call_views::seconds;
use crate::answer::Answer;
use crate::auth::Scoped;
use crate::clock;
use crate::fault::Fault;
use crate::params::{Params, filter_time};
use crate::state::Api;
use crate::statistics::{Counts, Tally, Waiting};

/// Calls that wait, told one by one; a board of more is told by its numbers.
const MOST_WAITING: usize = 1000;
const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// Since when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Since {
    /// Where `today` begins, to the quarter of an hour: at most a day ago; the last midnight in UTC
    /// unless told.
    since: Option<String>,
    /// Whose, with a platform key.
    #[serde(rename = "tenant")]
    _tenant: Option<String>,
}

/// The statistics of a tenant's queues.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Statistics {
    /// The last event that is counted: whoever counts the later ones in keeps it up to date.
    sequence: u64,
    /// Where `today` begins.
    since: String,
    /// By name.
    queues: Vec<QueueFigures>,
    /// The calls that wait or that an agent is rung for, the first to come first; at most 1,000.
    waiting: Vec<WaitingCall>,
}

/// A queue's.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueueFigures {
    /// The queue, as in the provisioning.
    #[schema(example = "sales")]
    id: String,
    /// What people call it.
    name: String,
    /// The wait in seconds that the service level counts as good.
    service_level_s: u32,
    /// Of the calls that left it since `since`.
    today: Figures,
    /// Of the calls that left it in the last 30 minutes.
    last_30_minutes: Figures,
}

/// What became of calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Figures {
    /// Calls that an agent took.
    answered: u64,
    /// Of them, within the service level.
    answered_in_time: u64,
    /// Calls that ended while they waited.
    abandoned: u64,
    /// Calls that waited as long as the queue allows.
    expired: u64,
    /// How much of all that left the queue was answered within the service level, in percent.
    service_level_percent: Option<f64>,
    /// How much of it was abandoned.
    abandoned_percent: Option<f64>,
    /// The mean wait of the answered ones, in seconds.
    average_wait_s: Option<f64>,
}

/// A call that waits.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WaitingCall {
    /// The call.
    call: String,
    /// Where.
    queue: String,
    /// Since when.
    since: String,
    /// What it was raised or lowered to; 0 unless somebody did.
    priority: u8,
}

/// Tells what became of the calls of each queue.
///
/// Counted from the tenant's log of events, so that a restart changes nothing. Not for the role
/// `agent`.
#[utoipa::path(get, path = "/api/v1/queues/statistics", tag = "queues", params(Since),
    responses((status = 200, description = "The statistics", body = Answer<Statistics>)))]
pub(crate) async fn queues(
    State(api): State<Api>,
    scoped: Scoped,
    Params(query): Params<Since>,
) -> Result<Answer<Statistics>, Fault> {
    scoped.sees_all()?;
    let now = clock::now();
    let since = since(query.since.as_deref(), now)?;
    let directory = api.directory();
    let tenant = directory.tenant(&scoped.tenant);
    let queues = tenant.map(|tenant| tenant.queues.as_slice()).unwrap_or_default();
    let look = |tally: &Tally| {
        let mut waiting: Vec<_> = tally.waiting.iter().collect();
        waiting.sort_by_key(|(call, one)| (one.since, **call));
        let figures = queues.iter().map(|queue| QueueFigures {
            id: queue.id.to_string(),
            name: if queue.name.is_empty() { queue.id.to_string() } else { queue.name.clone() },
            service_level_s: queue.service_level_s,
            today: Figures::of(tally.since(&queue.id, since)),
            last_30_minutes: Figures::of(tally.lately(&queue.id, now)),
        });
        Statistics {
            sequence: tally.sequence,
            since: since.to_string(),
            queues: figures.collect(),
            waiting: waiting.into_iter().take(MOST_WAITING).map(WaitingCall::of).collect(),
        }
    };
    let statistics = api.statistics.of(&api, &scoped.tenant, now, look).await?;
    Ok(Answer::new(statistics, "the queues' statistics"))
}

fn since(text: Option<&str>, now: UnixTime) -> Result<UnixTime, Fault> {
    let midnight = now.as_micros().div_euclid(DAY_US) * DAY_US;
    let since = filter_time("since", text)?.unwrap_or(UnixTime::from_micros(midnight));
    // An hour more: the day on which clocks are put back has 25.
    let is_recent = now.as_micros() - since.as_micros() <= DAY_US + DAY_US / 24;
    if is_recent { Ok(since) } else { Err(Fault::invalid("since", "at most a day ago")) }
}

impl Figures {
    fn of(counts: Counts) -> Self {
        let percent = |part: u64| (counts.left() > 0).then(|| tenths(part, counts.left()));
        let average = counts.wait_ms.checked_div(counts.answered);
        Self {
            answered: counts.answered,
            answered_in_time: counts.in_time,
            abandoned: counts.abandoned,
            expired: counts.expired,
            service_level_percent: percent(counts.in_time),
            abandoned_percent: percent(counts.abandoned),
            average_wait_s: average.map(seconds),
        }
    }
}

/// Percent, to a tenth.
#[allow(clippy::cast_precision_loss)] // counts of a day's calls are small
fn tenths(part: u64, whole: u64) -> f64 {
    (part * 1000 / whole) as f64 / 10.0
}

impl WaitingCall {
    fn of((call, one): (&base::CallId, &Waiting)) -> Self {
        Self {
            call: call.to_string(),
            queue: one.queue.to_string(),
            since: one.since.to_string(),
            priority: one.priority,
        }
    }
}
