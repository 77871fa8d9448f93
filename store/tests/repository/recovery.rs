//! After `kill -9`: every call that was up gets its end, once.

use serde_json::{Value, json};
use store::{CallFilter, CallState};

use crate::on_both;
use crate::sample::{at, call, conversation, event, tenant};

on_both! {
    async fn calls_that_were_up_end_with_engine_restart_and_an_event_each(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&conversation("acme", 1, call(1))).await.unwrap();
        store.append(&conversation("acme", 7, call(2))[..1]).await.unwrap();
        store.append(&conversation("globex", 1, call(3))).await.unwrap();
        let over = event("globex", 7, call(3), "call.ended", json!({"cause": "normal"}));
        store.append(&[over]).await.unwrap();
        drop(store); // as a killed process leaves it: no goodbye

        let store = backend.open().await;
        let events = store.recover_open_calls(at(105)).await.unwrap();
        let told: Vec<_> =
            events.iter().map(|event| (event.sequence, event.call, event.kind.as_ref())).collect();
        let end = "call.ended";
        assert_eq!(told, [(8, Some(call(1)), end), (9, Some(call(2)), end)]);
        let data: Value = serde_json::from_str(&events[0].data).unwrap();
        assert_eq!(data["cause"], "engine_restart");
        assert_eq!((&data["duration_ms"], &data["talk_ms"]), (&json!(104_000), &json!(100_000)));
        assert_eq!((&data["agent"], &data["estimated"]), (&json!("alice"), &json!(true)));
        assert_eq!(store.events_after(&tenant("acme"), 7, 10).await.unwrap(), events);

        let row = store.call(&tenant("acme"), call(1)).await.unwrap().unwrap();
        assert_eq!((row.state, row.ended_at), (CallState::Ended, Some(at(105))));
        assert_eq!((row.sip_status, row.q850), (Some(503), Some(41)));
        assert_eq!(row.ended_by.as_deref(), Some("engine"));
        assert_eq!(row.agent.unwrap().as_str(), "alice");
        let row = store.call(&tenant("globex"), call(3)).await.unwrap().unwrap();
        assert_eq!(row.cause.as_deref(), Some("normal"));

        // They are found by their numbers like any other call that is over.
        for (of, calls) in [("acme", vec![call(2), call(1)]), ("globex", vec![call(3)])] {
            let filter = CallFilter { number: Some("+1".to_owned()), ..CallFilter::default() };
            let found = store.search_calls(&tenant(of), &filter, None, 9).await.unwrap();
            let mut ids: Vec<_> = found.rows.iter().map(|row| row.id).collect();
            ids.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!(ids, calls);
        }

        assert!(store.recover_open_calls(at(200)).await.unwrap().is_empty());
        assert_eq!(store.last_sequence(&tenant("acme")).await.unwrap(), 9);
    }
}
