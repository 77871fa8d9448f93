//! The queues' statistics: from the log, exact to an event, and the same after a restart.

use base::{CallId, UnixTime};
use serde_json::{Value, json};
use store::{Append, EventRow};

use crate::sample::{ACME, ALICE, GLOBEX, PLATFORM, call, tenant};
use crate::stand::Stand;

const PATH: &str = "/api/v1/queues/statistics";

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_micros()).unwrap()
}

/// An event so many seconds ago.
fn ago(sequence: u64, seconds: i64, of: CallId, kind: &'static str, data: Value) -> Append {
    let at = UnixTime::from_micros(now() - seconds * 1_000_000);
    let data = data.to_string();
    let kind = kind.into();
    Append::Event(EventRow { tenant: tenant("acme"), sequence, call: Some(of), at, kind, data })
}

/// A call that waits so many seconds, and is answered then, at that time ago.
fn answered(first: u64, seconds: i64, waited: i64, of: CallId) -> [Append; 2] {
    let queued = json!({"queue": "sales", "position": 1});
    let connected = json!({"queue": "sales", "agent": "alice", "wait_ms": 1});
    [
        ago(first, seconds + waited, of, "call.queued", queued),
        ago(first + 1, seconds, of, "call.connected", connected),
    ]
}

#[tokio::test]
async fn the_statistics_follow_the_log_event_by_event() {
    let stand = Stand::new().await;
    // Two hours ago: not among the last 30 minutes.
    stand.append(&answered(1, 7200, 5, call(1))).await;
    stand.append(&answered(3, 60, 30, call(2))).await;
    let since = UnixTime::from_micros(now() - 4 * 3_600_000_000).to_string();
    let path = format!("{PATH}?since={since}");
    let told = stand.get(&path, ACME).await.data();
    assert_eq!(told["sequence"], 4);
    let sales = &told["queues"][0];
    assert_eq!((&sales["id"], &sales["service_level_s"]), (&json!("sales"), &json!(20)));
    let today = json!({"answered": 2, "answered_in_time": 1, "abandoned": 0, "expired": 0,
        "service_level_percent": 50.0, "abandoned_percent": 0.0, "average_wait_s": 17.5});
    assert_eq!(sales["today"], today);
    assert_eq!(sales["last_30_minutes"]["answered"], 1);
    assert_eq!(sales["last_30_minutes"]["service_level_percent"], 0.0);

    // One more arrives, is raised, and gives up.
    let raised = json!({"queue": "sales", "priority": 9, "was": 0, "position": 1, "by": "sue"});
    let queued = json!({"queue": "sales", "position": 1});
    stand.append(&[ago(5, 9, call(3), "call.queued", queued)]).await;
    stand.append(&[ago(6, 5, call(3), "call.priority_changed", raised)]).await;
    let told = stand.get(&path, ACME).await.data();
    let waiting = &told["waiting"][0];
    assert_eq!((&waiting["call"], &waiting["queue"]), (&json!(call(3)), &json!("sales")));
    assert_eq!(waiting["priority"], 9);
    let gone = json!({"cause": "caller_abandoned", "ended_by": "caller"});
    stand.append(&[ago(7, 1, call(3), "call.ended", gone)]).await;
    let told = stand.get(&path, ACME).await.data();
    assert_eq!((&told["sequence"], &told["waiting"]), (&json!(7), &json!([])));
    assert_eq!(told["queues"][0]["last_30_minutes"]["abandoned_percent"], 50.0);

    // Whoever begins anew, as a server does that was restarted, knows the same.
    let anew = stand.restarted().await;
    let again = anew.get(&path, ACME).await.data();
    assert_eq!(again["queues"], told["queues"]);
}

#[tokio::test]
async fn the_statistics_are_a_tenants_own_and_not_for_its_agents() {
    let stand = Stand::new().await;
    stand.append(&answered(1, 60, 5, call(1))).await;
    assert_eq!(stand.get(PATH, ALICE).await.status, 403);
    let others = stand.get(PATH, GLOBEX).await.data();
    assert_eq!(
        (&others["sequence"], &others["queues"][0]["today"]["answered"]),
        (&json!(0), &json!(0))
    );
    let named = stand.get(&format!("{PATH}?tenant=acme"), PLATFORM).await.data();
    assert_eq!(named["sequence"], 2);
    for wrong in ["since=yesterday", "since=2020-01-01T00:00:00Z", "until=now"] {
        assert_eq!(stand.get(&format!("{PATH}?{wrong}"), ACME).await.status, 400, "{wrong}");
    }
}
