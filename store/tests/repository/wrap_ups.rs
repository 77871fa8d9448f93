//! What calls came to, and the calls with one number.

use serde_json::json;
use store::Append;

use crate::on_both;
use crate::sample::{call, conversation, event, tenant};

fn said(owner: &str, sequence: u64, of: u128, data: serde_json::Value) -> Append {
    event(owner, sequence, call(of), "call.wrapped_up", data)
}

on_both! {
    async fn the_last_word_of_each_agent_of_a_call_holds(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&conversation("acme", 1, call(1))).await.unwrap();
        store.append(&[
            said("acme", 7, 1, json!({"agent": "alice", "queue": "sales", "code": "order"})),
            said("acme", 8, 1, json!({"agent": "zoe", "notes": "It's \"urgent\"\n2 lines"})),
            said("acme", 9, 1, json!({"agent": "alice", "code": "refund", "notes": "n",
                "by": "ops"})),
            said("acme", 10, 2, json!({"agent": "zoe", "code": "other"})),
            said("acme", 11, 2, json!({"notes": "nobody says so"})),
        ]).await.unwrap();
        store.append(&[
            said("globex", 1, 1, json!({"agent": "gina", "notes": "of another tenant"})),
        ]).await.unwrap();
        let rows = store.wrap_ups(&tenant("acme"), &[call(1), call(2), call(3)]).await.unwrap();
        let told: Vec<_> = rows.iter().map(|row| {
            (row.call, row.agent.as_str(), row.code.as_deref(), row.notes.as_deref())
        }).collect();
        assert_eq!(told, [
            (call(1), "zoe", None, Some("It's \"urgent\"\n2 lines")),
            (call(1), "alice", Some("refund"), Some("n")),
            (call(2), "zoe", Some("other"), None),
        ]);
        assert_eq!((rows[1].by.as_deref(), rows[1].queue.as_ref()), (Some("ops"), None));
        assert_eq!(rows[0].at, crate::sample::at(8));
        assert!(store.wrap_ups(&tenant("acme"), &[]).await.unwrap().is_empty());
        let events = store.call_events(&tenant("acme"), call(1)).await.unwrap();
        assert_eq!(events.len(), 9, "they stand in the log as well");
    }

    async fn the_calls_with_a_number_are_the_tenants_own_on_either_side_newest_first(
        backend: &Backend
    ) {
        let store = backend.provisioned().await;
        let started = |of: u128, sequence, from: &str, to: &str| {
            let data = json!({"from": from, "to": to});
            event("acme", sequence, call(of), "call.started", data)
        };
        store.append(&[
            started(1, 1, "+4930123456", "+15550100"),
            started(2, 2, "alice", "+4930123456"),
            started(3, 3, "+4930123457", "+15550100"),
            started(4, 4, "+4930123456", "+15550100"),
            started(6, 5, "+4930123456", "+4930123456"),
        ]).await.unwrap();
        let number = "+4930123456";
        let data = json!({"from": number, "to": "+15550200"});
        store.append(&[event("globex", 1, call(5), "call.started", data)]).await.unwrap();
        let acme = tenant("acme");
        let ids = async |besides, most| {
            let rows = store.calls_with(&acme, number, call(besides), most).await.unwrap();
            rows.iter().map(|row| row.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(4, 10).await, [call(6), call(2), call(1)]);
        assert_eq!(ids(9, 3).await, [call(6), call(4), call(2)]);
    }
}
