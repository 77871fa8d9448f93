//! Recordings: followed by their events and by the recorder's own reports, in any order.

use serde_json::json;
use store::{Append, Page, RecordingFilter, RecordingRow, RecordingState};

use crate::on_both;
use crate::sample::{at, call, conversation, event, recording, tenant};

fn report(state: RecordingState) -> RecordingRow {
    let done = state == RecordingState::Completed;
    RecordingRow {
        tenant: tenant("acme"),
        id: recording(77),
        call: call(1),
        state,
        started_at: at(6),
        completed_at: done.then(|| at(70)),
        location: done.then(|| "acme/2026/11/77.wav.enc".to_owned()),
        wrapped_key: Some(vec![0, 1, 255]),
        duration_ms: done.then_some(50_000),
        bytes: done.then_some(1_600_300),
        gaps_ms: done.then_some(20),
        failure: None,
    }
}

on_both! {
    async fn a_recording_appears_when_it_starts_and_completes_once(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&conversation("acme", 1, call(1))).await.unwrap();
        let read = async || store.recording(&tenant("acme"), recording(77)).await.unwrap().unwrap();
        let begun = (read().await.state, read().await.started_at);
        assert_eq!(begun, (RecordingState::Recording, at(6)));
        let completed = json!({"recording": recording(77), "duration_ms": 50_000,
            "bytes": 1_600_300, "location": "acme/2026/11/77.wav.enc", "gaps_ms": 20});
        let kind = "recording.completed";
        store.append(&[event("acme", 7, call(1), kind, completed)]).await.unwrap();
        let row = read().await;
        assert_eq!((row.state, row.completed_at), (RecordingState::Completed, Some(at(7))));
        assert_eq!((row.bytes, row.wrapped_key), (Some(1_600_300), None));
        // The recorder's reports come late and out of order: nothing is lost, nothing goes back.
        for state in [RecordingState::Completed, RecordingState::Recording] {
            store.append(&[Append::Recording(Box::new(report(state)))]).await.unwrap();
        }
        assert_eq!(read().await, report(RecordingState::Completed));
    }

    async fn a_recording_that_is_deleted_leaves_its_row_and_never_comes_back(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&conversation("acme", 1, call(1))).await.unwrap();
        let report = report(RecordingState::Completed);
        let told = [Append::Recording(Box::new(report.clone()))];
        store.append(&told).await.unwrap();
        let old = async |before| store.recordings_before(&tenant("acme"), before, 10).await.unwrap();
        assert_eq!(old(at(6)).await, []);
        assert_eq!(old(at(7)).await, std::slice::from_ref(&report));
        let elsewhere = store.recordings_before(&tenant("globex"), at(7), 10).await.unwrap();
        assert_eq!(elsewhere, []);
        store.recording_deleted(&tenant("acme"), report.id).await.unwrap();
        assert_eq!(old(at(7)).await, []);
        let row = store.recording(&tenant("acme"), report.id).await.unwrap().unwrap();
        assert_eq!((row.state, row.location), (RecordingState::Deleted, None));
        assert_eq!((row.bytes, row.duration_ms), (None, report.duration_ms));
        store.append(&told).await.unwrap();
        let row = store.recording(&tenant("acme"), report.id).await.unwrap().unwrap();
        assert_eq!(row.state, RecordingState::Deleted);
    }

    async fn a_recording_may_begin_and_complete_in_one_batch(backend: &Backend) {
        let store = backend.provisioned().await;
        let completed = json!({"recording": recording(77), "duration_ms": 50_000,
            "bytes": 1_600_300, "location": "acme/2026/11/77.wav.enc", "gaps_ms": 20});
        let mut batch = conversation("acme", 1, call(1));
        batch.push(event("acme", 7, call(1), "recording.completed", completed));
        for state in [RecordingState::Recording, RecordingState::Completed] {
            batch.push(Append::Recording(Box::new(report(state))));
        }
        store.append(&batch).await.unwrap();
        let row = store.recording(&tenant("acme"), recording(77)).await.unwrap().unwrap();
        let expected = RecordingRow { started_at: at(6), ..report(RecordingState::Completed) };
        assert_eq!(row, RecordingRow { completed_at: row.completed_at, ..expected });
    }

    async fn a_failed_recording_says_why(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&conversation("acme", 1, call(1))).await.unwrap();
        let failed = json!({"recording": recording(77), "why": "the disk is full"});
        store.append(&[event("acme", 7, call(1), "recording.failed", failed)]).await.unwrap();
        let filter = RecordingFilter { call: Some(call(1)), state: Some(RecordingState::Failed) };
        let page = Page { page: 1, per_page: 10 };
        let list = store.recordings(&tenant("acme"), &filter, page).await.unwrap();
        assert_eq!((list.total, list.rows[0].failure.as_deref()), (1, Some("the disk is full")));
        let other = RecordingFilter { call: Some(call(2)), state: None };
        assert_eq!(store.recordings(&tenant("acme"), &other, page).await.unwrap().total, 0);
    }
}
