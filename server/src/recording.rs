//! Between the switch and the recorder: orders one way, reports the other.

use recorder::{Finished, Report};
use store::{RecordingRow, RecordingState, Store};
use switch::{RecordCommand, RecordingOutcome, RecordingReport};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::persist::{Intake, Item};
use crate::signalling::{Control, Handle};

/// The orders' sending end.
pub(crate) struct Commands {
    clock: Clock,
    queue: mpsc::Sender<recorder::Command>,
}

impl Commands {
    pub(crate) fn new(clock: Clock, queue: mpsc::Sender<recorder::Command>) -> Self {
        Self { clock, queue }
    }

    /// Sends from the signalling thread. The recorder empties its queue at every turn, so a full
    /// one is waited for.
    pub(crate) fn send(&self, command: RecordCommand) {
        let command = match command {
            RecordCommand::Start { tenant, call, recording, tap, at, now } => {
                recorder::Command::Start { tenant, recording, call, tap, at, now }
            }
            RecordCommand::Pause { recording, tap, now } => {
                recorder::Command::Pause { recording, tap, now }
            }
            RecordCommand::Resume { recording, tap, now } => {
                recorder::Command::Resume { recording, tap, now }
            }
            RecordCommand::Stop { recording, tap } => {
                recorder::Command::Stop { recording, tap, now: self.clock.now() }
            }
        };
        let sent = match self.queue.try_send(command) {
            Err(mpsc::error::TrySendError::Full(command)) => {
                self.queue.blocking_send(command).is_ok()
            }
            result => result.is_ok(),
        };
        if !sent {
            tracing::error!("the recorder has ended");
        }
    }
}

/// The row that shows a recording as soon as it begins.
pub(crate) fn row_of(command: &RecordCommand) -> Option<RecordingRow> {
    let RecordCommand::Start { tenant, call, recording, at, .. } = command else { return None };
    Some(RecordingRow {
        tenant: tenant.clone(),
        id: *recording,
        call: *call,
        state: RecordingState::Recording,
        started_at: *at,
        completed_at: None,
        location: None,
        wrapped_key: None,
        duration_ms: None,
        bytes: None,
        gaps_ms: None,
        failure: None,
    })
}

/// Carries reports to the store and, as events, through the switch; until the recorder has ended.
pub(crate) async fn carry_reports(
    mut reports: mpsc::Receiver<Report>,
    clock: Clock,
    (store, intake, signalling): (Store, Intake, Handle),
) {
    while let Some(report) = reports.recv().await {
        let Some((row, report)) = translate(report, clock, &store).await else { continue };
        intake.put_async(Item::Recording(Box::new(row))).await;
        // At the very end the switch is gone already; the row tells the same.
        let _ = signalling.control.send(Control::Recording(report)).await;
    }
}

async fn translate(
    report: Report,
    clock: Clock,
    store: &Store,
) -> Option<(RecordingRow, RecordingReport)> {
    match report {
        Report::Completed(finished) => Some(completed(finished, clock)),
        Report::Recovered { finished, lost_bytes } => {
            let recording = finished.recording;
            tracing::info!(%recording, lost_bytes, "a recording of an earlier run is whole now");
            metrics::counter!("strowger_recordings_recovered_total").increment(1);
            Some(completed(finished, clock))
        }
        Report::Delayed { tenant, recording, why, .. } => {
            tracing::warn!(%tenant, %recording, why, "the object store does not take a recording");
            metrics::counter!("strowger_recordings_delayed_total").increment(1);
            None
        }
        Report::Failed { tenant, recording, call, why } => {
            tracing::error!(%tenant, %recording, why, "a recording is lost");
            metrics::counter!("strowger_recordings_failed_total").increment(1);
            let known = store.recording(&tenant, recording).await.ok().flatten();
            let started_at = known.map_or_else(|| clock.unix(), |row| row.started_at);
            let row = RecordingRow {
                tenant: tenant.clone(),
                id: recording,
                call,
                state: RecordingState::Failed,
                started_at,
                completed_at: Some(clock.unix()),
                location: None,
                wrapped_key: None,
                duration_ms: None,
                bytes: None,
                gaps_ms: None,
                failure: Some(why.clone()),
            };
            let outcome = RecordingOutcome::Failed { why };
            Some((row, RecordingReport { tenant, call, recording, outcome }))
        }
    }
}

fn completed(finished: Finished, clock: Clock) -> (RecordingRow, RecordingReport) {
    metrics::counter!("strowger_recordings_completed_total").increment(1);
    if let Some(why) = &finished.cut_short {
        tracing::warn!(recording = %finished.recording, why, "a recording ends early");
    }
    let Finished { tenant, recording, call, duration_ms, bytes, location, gaps_ms, .. } = finished;
    let row = RecordingRow {
        tenant: tenant.clone(),
        id: recording,
        call,
        state: RecordingState::Completed,
        started_at: finished.started_at,
        completed_at: Some(clock.unix()),
        location: Some(location.clone()),
        wrapped_key: serde_json::to_vec(&finished.wrapped_key).ok(),
        duration_ms: Some(duration_ms),
        bytes: Some(bytes),
        gaps_ms: Some(gaps_ms),
        failure: None,
    };
    let outcome = RecordingOutcome::Completed { duration_ms, bytes, location, gaps_ms };
    (row, RecordingReport { tenant, call, recording, outcome })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{CallId, RecordingId, TenantId, UnixTime};

    #[test]
    fn a_recording_that_was_cut_short_is_whole_as_far_as_it_goes_and_not_a_failed_one() {
        let finished = Finished {
            tenant: TenantId::new("acme").unwrap(),
            recording: RecordingId::from_u128(1),
            call: CallId::from_u128(2),
            started_at: UnixTime::from_micros(3),
            duration_ms: 4000,
            bytes: 64_100,
            wav_bytes: 64_044,
            location: "acme/1.wav.tink".to_owned(),
            wrapped_key: recorder::WrappedKey {
                key_id: "k1".to_owned(),
                algorithm: "A256GCM".to_owned(),
                wrapped: "00".repeat(60),
            },
            gaps_ms: 0,
            pauses: Vec::new(),
            cut_short: Some("the engine was stopped".to_owned()),
        };
        let (row, report) = completed(finished, Clock::start());
        assert_eq!(row.state, RecordingState::Completed);
        assert_eq!((row.duration_ms, row.failure), (Some(4000), None));
        assert!(matches!(report.outcome, RecordingOutcome::Completed { .. }));
    }
}
