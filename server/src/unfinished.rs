//! Recordings that the store believes to run although no process records them: the last one was
//! killed after its recorder had finished and before the store had heard of it.

use std::path::Path;

use recorder::{Archive, Report};
use store::{Page, RecordingFilter, RecordingRow, RecordingState, Store};
use tokio::sync::mpsc;

/// Rows asked for at once.
const PAGE: u32 = 200;

/// Those without an entry in the spool; what has one is completed by the recorder. To be asked
/// before the recorder starts and before the first call.
///
/// # Errors
/// The database's.
pub(crate) async fn find(store: &Store, spool: &Path) -> store::Result<Vec<RecordingRow>> {
    let filter =
        RecordingFilter { state: Some(RecordingState::Recording), ..RecordingFilter::default() };
    let mut found = Vec::new();
    for (tenant, _) in store.last_sequences().await? {
        let mut page = Page { page: 1, per_page: PAGE };
        loop {
            let rows = store.recordings(&tenant, &filter, page).await?.rows;
            page.page += 1;
            let is_last = rows.len() < PAGE as usize;
            found.extend(rows);
            if is_last {
                break;
            }
        }
    }
    found.retain(|row| !spool.join(format!("{}.json", row.id)).exists());
    Ok(found)
}

/// Looks for each in the archive and reports it as its recorder would have.
pub(crate) async fn report(
    rows: Vec<RecordingRow>,
    archive: Archive,
    reports: mpsc::Sender<Report>,
) {
    for row in rows {
        let RecordingRow { tenant, id, call, started_at, .. } = row;
        let report = match archive.find(&tenant, id, started_at).await {
            Ok(Some(finished)) => {
                tracing::info!(recording = %id, "found a recording whose end was not told");
                Report::Completed(finished)
            }
            Ok(None) => {
                let why = "neither spool nor archive has it after a restart".to_owned();
                Report::Failed { tenant, recording: id, call, why }
            }
            Err(error) => {
                // It may be there: the next start looks again.
                tracing::warn!(recording = %id, %error, "the archive cannot tell of a recording");
                continue;
            }
        };
        if reports.send(report).await.is_err() {
            return;
        }
    }
}
