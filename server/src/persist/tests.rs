//! Rows that no database takes, among those it does: nothing is held up and nothing is lost.

use std::path::PathBuf;
use std::time::Duration;

use base::{CallId, RecordingId, TenantId, UnixTime};
use routing::Provisioning;
use serde_json::{Value, json};
use store::{Append, EventRow, RecordingRow, RecordingState, Store};
use tokio::sync::broadcast;

use super::{Journal, drain, start};

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("persist-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

async fn provisioned(folder: &std::path::Path) -> Store {
    let url = format!("sqlite:{}", folder.join("strowger.db").display());
    let store = Store::open(&url).await.unwrap();
    let tenant = |id: &str| json!({ "id": id, "domain": format!("{id}.example") });
    let document = json!({ "tenants": [tenant("acme"), tenant("globex")] });
    let provisioning: Provisioning = serde_json::from_value(document).unwrap();
    store.apply(&provisioning, &[]).await.unwrap();
    store
}

fn event(tenant: &str, sequence: u64) -> Append {
    Append::Event(EventRow {
        tenant: TenantId::new(tenant).unwrap(),
        sequence,
        call: None,
        at: UnixTime::from_micros(1_795_168_800_000_000),
        kind: "agent.registered".into(),
        data: format!("{{\"agent\":\"a{sequence}\"}}"),
    })
}

fn recording_of_nobody() -> Append {
    Append::Recording(Box::new(RecordingRow {
        tenant: TenantId::new("nobody").unwrap(),
        id: RecordingId::from_u128(1),
        call: CallId::from_u128(2),
        state: RecordingState::Recording,
        started_at: UnixTime::from_micros(1_795_168_800_000_000),
        completed_at: None,
        location: None,
        wrapped_key: None,
        duration_ms: None,
        bytes: None,
        gaps_ms: None,
        failure: None,
    }))
}

/// Good rows of two tenants, with an unknown tenant's event, an unknown tenant's recording (a
/// broken constraint), a repeated event and a gap among them.
fn mixed() -> Vec<Append> {
    vec![
        event("acme", 1),
        event("nobody", 1),
        event("globex", 1),
        recording_of_nobody(),
        event("acme", 2),
        event("acme", 5),
        event("globex", 1),
        event("acme", 6),
        event("globex", 2),
    ]
}

async fn log(store: &Store, tenant: &str) -> Vec<(u64, String)> {
    let tenant = TenantId::new(tenant).unwrap();
    let rows = store.events_after(&tenant, 0, 100).await.unwrap();
    rows.into_iter().map(|row| (row.sequence, row.kind.into_owned())).collect()
}

async fn assert_taken(store: &Store, folder: &std::path::Path, rejected: usize) {
    let (seen, missing) = ("agent.registered".to_owned(), "event.missing".to_owned());
    let acme = [&seen, &seen, &missing, &missing, &seen, &seen];
    let acme: Vec<(u64, String)> = (1..).zip(acme.into_iter().cloned()).collect();
    assert_eq!(log(store, "acme").await, acme);
    assert_eq!(log(store, "globex").await, [(1, seen.clone()), (2, seen)]);
    let text = std::fs::read_to_string(folder.join("rejected.jsonl")).unwrap();
    let entries: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.len(), rejected, "{text}");
    assert!(entries.iter().all(|entry| entry["why"].is_string()), "{text}");
    assert!(text.contains("\"nobody\"") && text.contains("Recording"), "{text}");
}

#[tokio::test]
async fn a_journal_with_rows_that_no_store_takes_is_drained_and_they_are_set_aside() {
    let folder = folder("drain");
    let store = provisioned(&folder).await;
    let mut journal = Journal::open(&folder).unwrap();
    journal.append(&mixed()).unwrap();
    drop(journal);
    let edited = std::fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    std::fs::write(folder.join("journal.jsonl"), format!("no row at all\n{edited}")).unwrap();
    let mut journal = Journal::open(&folder).unwrap();
    drain(&store, &mut journal).await.unwrap();
    assert!(!journal.has_rows());
    // Two of nobody's, the repeated event, and the line that is no row.
    assert_taken(&store, &folder, 4).await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_writer_goes_on_behind_them_and_subscribers_hear_the_rest_in_order() {
    let folder = folder("live");
    let store = provisioned(&folder).await;
    let mut journal = Journal::open(&folder).unwrap();
    journal.append(&mixed()).unwrap();
    let (committed, mut heard) = broadcast::channel(100);
    let (intake, writer) = start(store.clone(), journal, committed, 16).unwrap();
    let acme = TenantId::new("acme").unwrap();
    let mut numbers = Vec::new();
    while numbers.len() < 6 {
        let next = tokio::time::timeout(Duration::from_secs(30), heard.recv());
        let event = next.await.expect("the rest within 30 s").unwrap();
        if event.tenant == acme {
            numbers.push(event.sequence);
        }
    }
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    drop(intake);
    tokio::task::spawn_blocking(|| writer.join()).await.unwrap().unwrap();
    assert_taken(&store, &folder, 3).await;
    assert_eq!(std::fs::metadata(folder.join("journal.jsonl")).unwrap().len(), 0);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_go_through_the_writer_and_come_back_as_they_were() {
    let folder = folder("settings");
    let store = provisioned(&folder).await;
    let (sender, _events) = broadcast::channel(16);
    let journal = Journal::open(&folder).unwrap();
    let (intake, writer) = start(store.clone(), journal, sender, 64).unwrap();
    let tenant = TenantId::new("acme").unwrap();
    let settings = |agent: &str, new| switch::AgentSettings {
        tenant: tenant.clone(),
        agent: agent.parse().unwrap(),
        do_not_disturb: new == 1,
        forward: (new > 1).then(|| switch::SetForward {
            set: routing::Forward { busy: Some("102".to_owned()), ..routing::Forward::default() },
            provisioned: routing::Forward::default(),
        }),
        waiting: switch::Waiting { new, old: 7 },
    };
    for (agent, new) in [("alice", 1), ("bob", 2), ("alice", 3)] {
        intake.put_async(super::Item::Settings(Box::new(settings(agent, new)))).await;
    }
    drop(intake);
    tokio::task::spawn_blocking(|| writer.join()).await.unwrap().unwrap();
    let kept = store.agent_settings(&tenant).await.unwrap();
    let kept: Vec<_> = kept.into_iter().map(super::settings_of).collect();
    assert_eq!(kept, [settings("alice", 3), settings("bob", 2)]);
    store.close().await;
    std::fs::remove_dir_all(folder).unwrap();
}
