//! One tenant never sees another's rows: by every query, and on PostgreSQL by the second wall.

use sqlx::{Connection, PgConnection, Row};
use store::{CallFilter, Page, RecordingFilter};

use crate::backend::Backend;
use crate::on_both;
use crate::sample::{call, conversation, recording, tenant};

const ALL: Page = Page { page: 1, per_page: 100 };

on_both! {
    async fn another_tenants_ids_find_nothing(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&conversation("acme", 1, call(1))).await.unwrap();
        let globex = tenant("globex");
        assert_eq!(store.call(&globex, call(1)).await.unwrap(), None);
        assert_eq!(store.ladder(&globex, call(1)).await.unwrap(), None);
        assert_eq!(store.decisions(&globex, call(1)).await.unwrap(), []);
        assert_eq!(store.call_events(&globex, call(1)).await.unwrap(), []);
        assert_eq!(store.events_after(&globex, 0, 100).await.unwrap(), []);
        assert_eq!(store.recording(&globex, recording(77)).await.unwrap(), None);
        let filter = CallFilter::default();
        assert_eq!(store.calls(&globex, &filter, ALL).await.unwrap().total, 0);
        let filter = RecordingFilter::default();
        assert_eq!(store.recordings(&globex, &filter, ALL).await.unwrap().total, 0);
    }

    async fn two_tenants_may_use_the_same_identifiers(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&conversation("acme", 1, call(1))).await.unwrap();
        store.append(&conversation("globex", 1, call(1))).await.unwrap();
        for owner in ["acme", "globex"] {
            let row = store.call(&tenant(owner), call(1)).await.unwrap().unwrap();
            assert_eq!(row.tenant, tenant(owner));
        }
    }
}

/// What a query without any condition sees of each table, in a transaction of that tenant.
async fn seen(connection: &mut PgConnection, who: Option<&str>) -> Vec<(String, i64)> {
    let mut tx = connection.begin().await.unwrap();
    if let Some(who) = who {
        let sql = "SELECT set_config('strowger.tenant', $1, true)";
        sqlx::query(sql).bind(who).execute(&mut *tx).await.unwrap();
    }
    let mut seen = Vec::new();
    for sql in [
        "SELECT 'events', tenant_id, COUNT(*) FROM events GROUP BY tenant_id ORDER BY tenant_id",
        "SELECT 'calls', tenant_id, COUNT(*) FROM calls GROUP BY tenant_id ORDER BY tenant_id",
        "SELECT 'agents', tenant_id, COUNT(*) FROM agents GROUP BY tenant_id ORDER BY tenant_id",
        "SELECT 'keys', tenant_id, COUNT(*) FROM api_keys GROUP BY tenant_id ORDER BY tenant_id",
    ] {
        for row in sqlx::query(sql).fetch_all(&mut *tx).await.unwrap() {
            let (table, owner): (String, String) = (row.get(0), row.get(1));
            seen.push((format!("{table} of {owner}"), row.get(2)));
        }
    }
    seen
}

#[tokio::test]
async fn on_postgresql_a_query_that_forgets_its_tenant_still_sees_only_one() {
    let Some(backend) = Backend::postgres().await else { return };
    let store = backend.provisioned().await;
    store.append(&conversation("acme", 1, call(1))).await.unwrap();
    store.append(&conversation("globex", 1, call(2))).await.unwrap();
    let mut connection = PgConnection::connect(backend.url()).await.unwrap();
    let own = |owner: &str| {
        [("events", 6), ("calls", 1), ("agents", 2), ("keys", 1)]
            .map(|(table, count)| (format!("{table} of {owner}"), count))
            .to_vec()
    };
    assert_eq!(seen(&mut connection, Some("acme")).await, own("acme"));
    assert_eq!(seen(&mut connection, Some("globex")).await, own("globex"));
    assert_eq!(seen(&mut connection, Some("initech")).await, []);
    assert_eq!(seen(&mut connection, None).await, []);
    let sql = "INSERT INTO sequences (tenant_id, last_sequence) VALUES ('acme', 9)";
    assert!(sqlx::query(sql).execute(&mut connection).await.is_err());
}
