//! How long a search takes among a million finished calls, in SQLite on disk: the newest, the
//! oldest by keyset, by a part of a number that is rare, common or not there, and what else is not
//! there, for which all of the index is read; the calls of one number, as an agent's desk asks for
//! them; pages of the list; and what a call costs when it is written.
//! `STROWGER_CALLS=N` takes another number of calls, `STROWGER_URL=postgres://...` an empty
//! PostgreSQL in place of SQLite. `STROWGER_KEEP=folder` keeps the SQLite file there, and a later
//! run takes the calls that are in it; with `STROWGER_SECONDS=N` a run writes for so long at most
//! and searches only when all calls are there.
#![allow(clippy::expect_used, missing_docs)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use base::{CallId, RecordingId, TenantId, UnixTime};
use routing::{Provisioning, Tenant};
use store::{
    Append, CallFilter, CallRow, CallState, DecisionRow, FinalRecord, Page, RecordingFilter,
    RecordingRow, RecordingState, Store,
};

const BATCH: u32 = 600;
const TIMES: usize = 5;
/// Every so many calls one is recorded.
const RECORDED: u32 = 4;
const START: i64 = 1_795_168_800_000_000;

fn main() {
    // `cargo test` builds benches and runs them with this.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let calls = std::env::var("STROWGER_CALLS").ok().and_then(|n| n.parse().ok());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let own = || std::env::temp_dir().join(format!("strowger-search-{}", std::process::id()));
    let kept = std::env::var_os("STROWGER_KEEP").map(PathBuf::from);
    let folder = kept.clone().unwrap_or_else(own);
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = format!("sqlite:{}", folder.join("search.db").display());
    let url = std::env::var("STROWGER_URL").unwrap_or(file);
    runtime.block_on(measure(&url, calls.unwrap_or(1_000_000)));
    if kept.is_none() {
        std::fs::remove_dir_all(&folder).expect("the folder");
    }
}

async fn measure(url: &str, calls: u32) {
    let tenant = TenantId::new("acme").expect("a name");
    let document = r#"{"id":"acme","domain":"acme.example"}"#;
    let acme: Tenant = serde_json::from_str(document).expect("a tenant");
    let provisioning = Provisioning { tenants: vec![acme], ..Provisioning::default() };
    let store = Store::open(url).await.expect("the store");
    store.apply(&provisioning, &[]).await.expect("the tenant");
    if fill(&store, &tenant, calls).await {
        search(&store, &tenant).await;
        list(&store, &tenant).await;
    }
    store.close().await;
}

/// Writes the calls that are not there yet; says whether all of them are.
async fn fill(store: &Store, tenant: &TenantId, calls: u32) -> bool {
    let newest = store.search_calls(tenant, &CallFilter::default(), None, 1).await;
    let newest = newest.expect("to search").rows.first().map(|row| row.id.as_u128());
    let there = newest.map_or(0, |id| u32::try_from(id).expect("a call of ours") + 1);
    let seconds = std::env::var("STROWGER_SECONDS").ok().and_then(|n| n.parse().ok());
    let most = seconds.map_or(Duration::MAX, Duration::from_secs);
    let (mut writing, mut next) = (Duration::ZERO, there);
    while next < calls && writing < most {
        let until = calls.min(next + BATCH);
        let mut batch: Vec<Append> = (next..until).map(|number| over(tenant, number)).collect();
        let recorded = (next..until).filter(|number| number.is_multiple_of(RECORDED));
        batch.extend(recorded.map(|number| recording(tenant, number)));
        let began = Instant::now();
        store.append(&batch).await.expect("to append");
        writing += began.elapsed();
        next = until;
    }
    if next > there {
        let each = writing.as_secs_f64() * 1e6 / f64::from(next - there);
        println!("{:28} {each:>19.1} us", "a call, written");
    }
    println!("{next} of {calls} calls are there");
    next >= calls
}

async fn search(store: &Store, tenant: &TenantId) {
    let any = CallFilter::default;
    let queue = "sales".parse().ok();
    let text = |text: &str| Some(text.to_owned());
    let hour = |from: i64| CallFilter {
        started_from: Some(at(from)),
        started_until: Some(at(from + 3600)),
        ..any()
    };
    for (what, filter, before) in [
        ("the newest", any(), None),
        ("the oldest, by keyset", any(), Some(500)),
        ("a queue", CallFilter { queue: "sales".parse().ok(), ..any() }, None),
        ("one number", CallFilter { number: text("0000017"), ..any() }, None),
        ("four digits", CallFilter { number: text("7654"), ..any() }, None),
        ("four digits, the oldest", CallFilter { number: text("7654"), ..any() }, Some(20_000)),
        ("four digits and a queue", CallFilter { queue, number: text("7654"), ..any() }, None),
        ("everybody's number", CallFilter { number: text("5550100"), ..any() }, None),
        ("a number that is not there", CallFilter { number: text("99999999"), ..any() }, None),
        ("an agent who is not there", CallFilter { agent: "zoe".parse().ok(), ..any() }, None),
        ("a cause that never was", CallFilter { cause: text("timeout"), ..any() }, None),
        ("an old hour", hour(7200), None),
    ] {
        let before = before.map(CallId::from_u128);
        timed(what, async || {
            let found = store.search_calls(tenant, &filter, before, 100).await;
            found.expect("to search").rows.len()
        })
        .await;
    }
}

/// What an agent's desk asks about whoever calls, and a page of the list.
async fn list(store: &Store, tenant: &TenantId) {
    let numbers = [("a caller's calls", "+49300000017"), ("a stranger's calls", "+3225550100")];
    for (what, number) in numbers {
        timed(what, async || {
            let found = store.calls_with(tenant, number, CallId::from_u128(0), 10).await;
            found.expect("to look up").len()
        })
        .await;
    }
    timed("a recorded call", async || {
        let call = store.call(tenant, CallId::from_u128(400)).await.expect("to look up");
        call.map_or(0, |call| call.recordings.len())
    })
    .await;
    let page = Page { page: 1, per_page: 100 };
    timed("the recordings of a call", async || {
        let filter =
            RecordingFilter { call: Some(CallId::from_u128(800)), ..RecordingFilter::default() };
        store.recordings(tenant, &filter, page).await.expect("to list").rows.len()
    })
    .await;
    let any = CallFilter::default;
    for (what, filter) in [
        ("a page of the list", any()),
        ("a page of those over", CallFilter { state: Some(CallState::Ended), ..any() }),
        ("a page of those up", CallFilter { state: Some(CallState::Connected), ..any() }),
        ("a page of a direction", CallFilter { direction: Some("inbound".to_owned()), ..any() }),
        ("a page of four digits", CallFilter { number: Some("7654".to_owned()), ..any() }),
        ("a page of no cause", CallFilter { cause: Some("timeout".to_owned()), ..any() }),
    ] {
        timed(what, async || store.calls(tenant, &filter, page).await.expect("to list").rows.len())
            .await;
    }
}

/// Asks it several times: how many rows came, and the time that half of them took at the most.
async fn timed(what: &str, ask: impl AsyncFn() -> usize) {
    let mut times = Vec::new();
    let mut rows = 0;
    for _ in 0..TIMES {
        let began = Instant::now();
        rows = ask().await;
        times.push(began.elapsed());
    }
    times.sort();
    println!("{what:28} {rows:4} rows {:>9}", shown(times[TIMES / 2]));
}

fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_micros(START + seconds * 1_000_000)
}

fn over(tenant: &TenantId, number: u32) -> Append {
    let started_at = at(i64::from(number) * 3);
    let call = CallRow {
        tenant: tenant.clone(),
        id: CallId::from_u128(number.into()),
        state: CallState::Ended,
        direction: "inbound".into(),
        trunk: "carrier-a".parse().ok(),
        from: format!("+4930{number:07}"),
        from_name: None,
        to: "+15550100".to_owned(),
        verstat: None,
        attestation: None,
        diversions: "[]".to_owned(),
        queue: if number.is_multiple_of(2) { "sales" } else { "support" }.parse().ok(),
        agent: "alice".parse().ok(),
        started_at,
        answered_at: Some(started_at),
        connected_at: Some(started_at),
        ended_at: Some(started_at),
        duration_ms: Some(8133),
        wait_ms: Some(3108),
        talk_ms: Some(5024),
        cause: Some("normal".to_owned()),
        sip_status: None,
        q850: Some(16),
        ended_by: Some("caller".to_owned()),
        reason: None,
        recording: number.is_multiple_of(RECORDED).then(|| RecordingId::from_u128(number.into())),
        recordings: Vec::new(),
        legs: r#"[{"leg":1,"kind":"caller","codec":"PCMU","mos":4.41,"packets_sent":402}]"#.into(),
    };
    let decision = |_| DecisionRow {
        at: started_at,
        summary: "queue sales offers the call to alice: the longest idle of two".to_owned(),
        detail: r#"{"considered":[{"agent":"alice","verdict":{"verdict":"chosen"}}]}"#.to_owned(),
    };
    Append::Call(Box::new(FinalRecord {
        call,
        ladder: Vec::new(),
        decisions: (0..4).map(decision).collect(),
        codecs: "pcmu".to_owned(),
        lowest_mos: Some(441),
        quality: String::new(),
    }))
}

fn recording(tenant: &TenantId, number: u32) -> Append {
    let started_at = at(i64::from(number) * 3);
    Append::Recording(Box::new(RecordingRow {
        tenant: tenant.clone(),
        id: RecordingId::from_u128(number.into()),
        call: CallId::from_u128(number.into()),
        state: RecordingState::Completed,
        started_at,
        completed_at: Some(started_at),
        location: Some(format!("acme/2026/11/{number:032x}.enc")),
        wrapped_key: Some(vec![7; 60]),
        duration_ms: Some(5024),
        bytes: Some(80_384),
        gaps_ms: Some(0),
        failure: None,
    }))
}
