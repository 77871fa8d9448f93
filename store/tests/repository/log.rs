//! The log of events: dense, all or nothing, from any point.

use serde_json::json;
use store::StoreError;

use crate::on_both;
use crate::sample::{call, event, tenant};

fn ticks(owner: &str, from: u64, to: u64) -> Vec<store::Append> {
    (from..=to).map(|n| event(owner, n, call(1), "queue.stats", json!({"waiting": n}))).collect()
}

on_both! {
    async fn events_come_back_in_order_from_any_point(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&ticks("acme", 1, 150)).await.unwrap();
        store.append(&ticks("acme", 151, 153)).await.unwrap();
        let read = store.events_after(&tenant("acme"), 0, 1000).await.unwrap();
        assert!(read.iter().map(|event| event.sequence).eq(1..=153));
        assert_eq!(read[152].data, r#"{"waiting":153}"#);
        assert_eq!(read[152].kind, "queue.stats");
        let some = store.events_after(&tenant("acme"), 100, 5).await.unwrap();
        assert!(some.iter().map(|event| event.sequence).eq(101..=105));
        assert_eq!(some[0], read[100]);
        assert!(store.events_after(&tenant("acme"), 153, 10).await.unwrap().is_empty());
    }

    async fn what_became_of_trunks_is_read_newest_first(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&ticks("acme", 1, 10)).await.unwrap();
        for (sequence, state) in [(11, "down"), (12, "up"), (13, "down")] {
            let told = json!({"trunk": "carrier-a", "state": state});
            let change = event("acme", sequence, call(1), "trunk.state_changed", told);
            store.append(&[change]).await.unwrap();
        }
        let read = async |owner: &str, limit| {
            let rows = store.last_trunk_events(&tenant(owner), limit).await.unwrap();
            rows.iter().map(|row| row.sequence).collect::<Vec<_>>()
        };
        assert_eq!(read("acme", 2).await, [13, 12]);
        assert_eq!(read("acme", 9).await, [13, 12, 11]);
        assert_eq!(read("globex", 9).await, [0_u64; 0]);
    }

    async fn events_of_some_kinds_are_read_without_the_others(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&ticks("acme", 1, 10)).await.unwrap();
        for (sequence, kind) in [(11, "call.queued"), (12, "queue.stats"), (13, "call.ended")] {
            store.append(&[event("acme", sequence, call(1), kind, json!({}))]).await.unwrap();
        }
        let kinds = ["call.queued", "call.ended"];
        let read = async |owner: &str, range, limit| {
            let rows = store.events_of_kinds(&tenant(owner), range, &kinds, limit).await.unwrap();
            rows.iter().map(|row| row.sequence).collect::<Vec<_>>()
        };
        assert_eq!(read("acme", (0, 13), 10).await, [11, 13]);
        assert_eq!(read("acme", (0, 13), 1).await, [11]);
        assert_eq!(read("acme", (0, 12), 10).await, [11]);
        assert_eq!(read("acme", (11, 13), 10).await, [13]);
        assert!(read("globex", (0, 13), 10).await.is_empty());
    }

    async fn the_log_is_entered_at_a_time(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&ticks("acme", 1, 100)).await.unwrap();
        let first = store.events_after(&tenant("acme"), 0, 100).await.unwrap();
        for event in [&first[0], &first[1], &first[49], &first[99]] {
            let before = store.last_sequence_before(&tenant("acme"), event.at).await.unwrap();
            assert_eq!(before, event.sequence - 1);
        }
        let later = base::UnixTime::from_micros(first[99].at.as_micros() + 1);
        assert_eq!(store.last_sequence_before(&tenant("acme"), later).await.unwrap(), 100);
        assert_eq!(store.last_sequence_before(&tenant("globex"), later).await.unwrap(), 0);
    }

    async fn a_gap_is_refused_and_nothing_of_its_batch_is_stored(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&ticks("acme", 1, 3)).await.unwrap();
        let mut batch = ticks("globex", 1, 2);
        batch.extend(ticks("acme", 5, 5));
        let refusal = store.append(&batch).await.unwrap_err();
        assert!(matches!(refusal, StoreError::Gap { last: 3, found: 5, .. }), "{refusal}");
        let mut batch = ticks("acme", 4, 5);
        batch.extend(ticks("acme", 7, 7));
        let refusal = store.append(&batch).await.unwrap_err();
        assert!(matches!(refusal, StoreError::Gap { last: 5, found: 7, .. }), "{refusal}");
        assert!(matches!(store.append(&ticks("acme", 3, 4)).await, Err(StoreError::Gap { .. })));
        assert!(matches!(store.append(&ticks("globex", 0, 0)).await, Err(StoreError::Gap { .. })));
        let last = [(tenant("acme"), 3), (tenant("globex"), 0)];
        assert_eq!(store.last_sequences().await.unwrap(), last);
        assert!(store.events_after(&tenant("globex"), 0, 10).await.unwrap().is_empty());
        store.append(&ticks("acme", 4, 4)).await.unwrap();
        assert_eq!(store.last_sequence(&tenant("acme")).await.unwrap(), 4);
    }

    async fn of_two_writers_with_the_same_sequence_exactly_one_wins(backend: &Backend) {
        let (one, two) = (backend.provisioned().await, backend.open().await);
        let (first, second) = (ticks("acme", 1, 40), ticks("acme", 1, 40));
        let (a, b) = tokio::join!(one.append(&first), two.append(&second));
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
        assert_eq!(one.events_after(&tenant("acme"), 0, 100).await.unwrap().len(), 40);
    }

    async fn an_event_of_a_tenant_that_nobody_provisioned_is_refused(backend: &Backend) {
        let store = backend.provisioned().await;
        let refusal = store.append(&ticks("initech", 1, 1)).await.unwrap_err();
        assert!(matches!(refusal, StoreError::UnknownTenant(_)), "{refusal}");
    }

    async fn hostile_texts_are_stored_as_they_came(backend: &Backend) {
        let store = backend.provisioned().await;
        let hostile = "'; DROP TABLE events; -- \" <script>\u{202e} \u{1f4de} \\ %_";
        let data = json!({"trunk": "carrier-a", "from": hostile, "to": hostile});
        store.append(&[event("acme", 1, call(1), "call.started", data.clone())]).await.unwrap();
        let row = store.call(&tenant("acme"), call(1)).await.unwrap().unwrap();
        assert_eq!((row.from.as_str(), row.to.as_str()), (hostile, hostile));
        let read = store.events_after(&tenant("acme"), 0, 10).await.unwrap();
        assert_eq!(read[0].data, data.to_string());
    }

    async fn readers_go_on_while_a_writer_appends(backend: &Backend) {
        let store = backend.provisioned().await;
        let writer = store.clone();
        let writing = tokio::spawn(async move {
            for batch in 0..20 {
                writer.append(&ticks("acme", batch * 10 + 1, batch * 10 + 10)).await.unwrap();
            }
        });
        let mut seen = 0;
        while seen < 200 {
            for event in store.events_after(&tenant("acme"), seen, 64).await.unwrap() {
                assert_eq!(event.sequence, seen + 1);
                seen = event.sequence;
            }
        }
        writing.await.unwrap();
    }

    async fn the_log_survives_a_restart(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&ticks("acme", 1, 9)).await.unwrap();
        store.close().await;
        let store = backend.open().await;
        assert_eq!(store.last_sequence(&tenant("acme")).await.unwrap(), 9);
        assert!(store.is_reachable().await);
        store.append(&ticks("acme", 10, 10)).await.unwrap();
    }
}

#[tokio::test]
async fn an_address_of_no_known_kind_is_refused_without_showing_a_password() {
    let refusal = store::Store::open("mysql://root:hunter2@localhost/x").await.err().unwrap();
    assert!(refusal.to_string().contains("sqlite:PATH"), "{refusal}");
    assert!(!refusal.to_string().contains("hunter2"), "{refusal}");
    assert!(store::Store::open("sqlite::memory:").await.is_err());
}
