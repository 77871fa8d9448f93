//! A database of an earlier version, opened by this one, has lost nothing.

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use store::CallFilter;

use crate::on_both;
use crate::sample::{at, call, conversation, tenant};

/// The third step taken back, with two decisions about the first call.
const BEFORE_DECISIONS: &str = "
    ALTER TABLE calls DROP COLUMN decisions;
    DELETE FROM _sqlx_migrations WHERE version = 3;
    CREATE TABLE decisions (
        tenant_id TEXT NOT NULL,
        call_id   TEXT NOT NULL,
        position  BIGINT NOT NULL,
        at        BIGINT NOT NULL,
        summary   TEXT NOT NULL,
        detail    TEXT NOT NULL,
        PRIMARY KEY (tenant_id, call_id, position)
    );
";

/// The fourth step and the sixth, which needs it, taken back.
const BEFORE_EXPLORER: &str = "
    DROP TABLE number_pages;
    DROP INDEX events_of_trunks;
    DELETE FROM _sqlx_migrations WHERE version = 6;
    DROP INDEX calls_to_search;
    ALTER TABLE calls DROP COLUMN numbers;
    ALTER TABLE calls DROP COLUMN codecs;
    ALTER TABLE calls DROP COLUMN lowest_mos;
    DROP TABLE call_quality;
    DROP TABLE call_notes;
    DELETE FROM _sqlx_migrations WHERE version = 4;
";

async fn run(url: &str, sql: String) {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql));
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        sql.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sql.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

on_both! {
    async fn decisions_that_were_rows_of_their_own_stand_with_their_call(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&conversation("acme", 1, call(1))).await.unwrap();
        store.append(&conversation("acme", 7, call(2))).await.unwrap();
        store.close().await;
        let detail = json!({"reasons": ["\"sip:1@a\" was dialled", "it's 1"]}).to_string();
        let quoted = detail.replace('\'', "''");
        let rows: Vec<String> = [(2, "alice rings"), (1, "the number's flow is \"main\"")]
            .into_iter()
            .map(|(position, summary)| {
                let (time, summary) = (at(position).as_micros(), summary.replace('\'', "''"));
                let id = call(1);
                format!("('acme', '{id}', {position}, {time}, '{summary}', '{quoted}')")
            })
            .collect();
        let insert = format!("INSERT INTO decisions VALUES {};", rows.join(", "));
        run(backend.url(), format!("{BEFORE_DECISIONS}{insert}")).await;

        let store = backend.open().await;
        let decisions = store.decisions(&tenant("acme"), call(1)).await.unwrap();
        let told: Vec<_> = decisions.iter().map(|d| (d.at, d.summary.as_str())).collect();
        assert_eq!(told, [(at(1), "the number's flow is \"main\""), (at(2), "alice rings")]);
        assert!(decisions.iter().all(|decision| decision.detail == detail), "{decisions:?}");
        assert_eq!(store.decisions(&tenant("acme"), call(2)).await.unwrap(), []);
        let events = store.call_events(&tenant("acme"), call(2)).await.unwrap();
        assert_eq!(events.len(), 6);
    }

    async fn calls_of_an_earlier_version_are_found_by_what_their_legs_say(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&conversation("acme", 1, call(1))).await.unwrap();
        store.close().await;
        let legs = json!([{"kind": "caller", "codec": "PCMU", "mos": 4.41},
            {"kind": "agent", "codec": "opus", "mos": 3.2}, {"kind": "trunk", "codec": null}]);
        let end = format!("UPDATE calls SET state = 'ended', legs = '{legs}';");
        let scope = "SELECT set_config('strowger.tenant', '*', false);";
        let scope = if backend.url().starts_with("sqlite:") { "" } else { scope };
        run(backend.url(), format!("{scope}{end}{BEFORE_EXPLORER}")).await;

        let store = backend.open().await;
        let found = async |filter: CallFilter| {
            store.search_calls(&tenant("acme"), &filter, None, 10).await.unwrap().rows.len()
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(found(CallFilter { codec: text("opus"), ..CallFilter::default() }).await, 1);
        assert_eq!(found(CallFilter { number: text("30123"), ..CallFilter::default() }).await, 1);
        let bad = |mos_below| CallFilter { mos_below: Some(mos_below), ..CallFilter::default() };
        assert_eq!((found(bad(321)).await, found(bad(320)).await), (1, 0));
    }
}
