//! Calls: projected from their events while they are up, their record when they are over.

use serde_json::json;
use store::{
    Append, CallFilter, CallRow, CallState, DecisionRow, EventRow, FinalRecord, LadderRow, Page,
    Store,
};

use crate::on_both;
use crate::sample::{at, call, conversation, event, recording, tenant};

const ALL: Page = Page { page: 1, per_page: 100 };

async fn shown(store: &Store) -> CallRow {
    store.call(&tenant("acme"), call(1)).await.unwrap().unwrap()
}

fn record_of(row: CallRow) -> Append {
    let message = |seconds, sent, text: &str| LadderRow {
        at: at(seconds),
        sent,
        transport: "udp".into(),
        local: "127.0.0.1:5060".into(),
        remote: "127.0.0.2:5060".into(),
        bytes: text.as_bytes().to_vec(),
    };
    let decision = |seconds, summary: &str| DecisionRow {
        at: at(seconds),
        summary: summary.to_owned(),
        detail: json!({"summary": summary}).to_string(),
    };
    Append::Call(Box::new(FinalRecord {
        call: row,
        ladder: vec![message(1, false, "INVITE"), message(1, true, "SIP/2.0 100 Trying")],
        decisions: vec![decision(1, "the number has the flow main"), decision(4, "alice rings")],
        codecs: "opus,pcmu".to_owned(),
        lowest_mos: Some(382),
        quality: r#"[{"leg":1,"samples":[[5000,382,12,900,null,null,null]]}]"#.to_owned(),
    }))
}

fn ended(mut row: CallRow) -> CallRow {
    row.state = CallState::Ended;
    row.ended_at = Some(at(60));
    row.duration_ms = Some(59_000);
    row.talk_ms = Some(55_000);
    row.cause = Some("normal".to_owned());
    row.sip_status = Some(200);
    row.q850 = Some(16);
    row.ended_by = Some("caller".to_owned());
    row.legs = json!([{"kind": "caller", "codec": "pcmu"}]).to_string();
    row
}

on_both! {
    async fn a_live_call_is_where_its_last_event_put_it(backend: &Backend) {
        let store = backend.provisioned().await;
        let mut states = Vec::new();
        for step in conversation("acme", 1, call(1)) {
            store.append(&[step]).await.unwrap();
            let row = shown(&store).await;
            states.push((row.state.as_str(), row.agent.is_some()));
        }
        let expected = [("setup", false), ("flow", false), ("queued", false), ("ringing", true),
            ("connected", true), ("connected", true)];
        assert_eq!(states, expected);
        let row = shown(&store).await;
        assert_eq!((row.from.as_str(), row.to.as_str()), ("+4930123456", "+15550100"));
        assert_eq!((row.started_at, row.answered_at), (at(1), Some(at(2))));
        assert_eq!((row.connected_at, row.wait_ms), (Some(at(5)), Some(4000)));
        assert_eq!(row.queue.unwrap().as_str(), "sales");
        assert_eq!(row.trunk.unwrap().as_str(), "carrier-a");
        assert_eq!((row.recording, row.direction.as_ref()), (Some(recording(77)), "inbound"));
    }

    async fn a_call_says_what_its_callers_number_is_worth_and_who_sent_it_on(backend: &Backend) {
        let store = backend.provisioned().await;
        let diversions = json!([{"by": "+4930123456", "reason": "no-answer"}]);
        let from_to = json!({"trunk": "carrier-a", "from": "+4930123456", "from_name": "Carla",
            "to": "+15550100", "diversions": diversions});
        let verified = json!({"verdict": "TN-Validation-Passed", "attestation": "B"});
        let steps = [("call.started", from_to), ("call.caller_verified", verified)];
        for (at, (kind, data)) in steps.into_iter().enumerate() {
            let step = event("acme", at as u64 + 1, call(1), kind, data);
            store.append(&[step]).await.unwrap();
        }
        let row = shown(&store).await;
        assert_eq!(row.from_name.as_deref(), Some("Carla"));
        assert_eq!(row.verstat.as_deref(), Some("TN-Validation-Passed"));
        assert_eq!(row.attestation.as_deref(), Some("B"));
        assert_eq!(row.diversions, diversions.to_string());
        let mut over = ended(row);
        over.diversions = json!([{"by": "alice", "reason": "user-busy"}]).to_string();
        over.reason = Some("Q.850;cause=16".to_owned());
        store.append(&[record_of(over.clone())]).await.unwrap();
        assert_eq!(shown(&store).await, over);
    }

    async fn a_call_names_all_of_its_recordings_and_the_last_one_by_itself(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&conversation("acme", 1, call(1))).await.unwrap();
        let again = json!({"recording": recording(78)});
        store.append(&[event("acme", 7, call(1), "recording.started", again)]).await.unwrap();
        let row = shown(&store).await;
        assert_eq!((row.recording, row.recordings.len()), (Some(recording(78)), 2));
        assert_eq!(row.recordings, [recording(77), recording(78)]);
        // The record, which only names the last, takes none away.
        let record = CallRow { recordings: Vec::new(), ..ended(row) };
        store.append(&[record_of(record)]).await.unwrap();
        let listed = store.calls(&tenant("acme"), &CallFilter::default(), ALL).await.unwrap();
        assert_eq!(listed.rows[0].recordings, [recording(77), recording(78)]);
    }

    async fn a_batch_leaves_the_same_row_as_its_events_one_by_one(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&conversation("acme", 1, call(1))).await.unwrap();
        for step in conversation("globex", 1, call(1)) {
            store.append(&[step]).await.unwrap();
        }
        let mut other = store.call(&tenant("globex"), call(1)).await.unwrap().unwrap();
        other.tenant = tenant("acme");
        assert_eq!(shown(&store).await, other);
    }

    async fn an_agent_who_did_not_answer_is_no_longer_shown_as_ringing(backend: &Backend) {
        let store = backend.provisioned().await;
        let events = conversation("acme", 1, call(1));
        store.append(&events[..4]).await.unwrap();
        let failed = json!({"agent": "alice", "why": "no_answer", "status": null});
        store.append(&[event("acme", 5, call(1), "call.attempt_failed", failed)]).await.unwrap();
        let row = shown(&store).await;
        assert_eq!((row.state, row.agent), (CallState::Queued, None));
    }

    async fn old_ladders_are_forgotten_and_their_calls_are_not(backend: &Backend) {
        let store = backend.provisioned().await;
        let began = |seconds: i64| {
            let millis = u128::from(at(seconds).as_millis().cast_unsigned());
            base::CallId::from_u128((millis << 80) | 7)
        };
        let (old, new) = (began(0), began(100));
        for (first, id) in [(1, old), (7, new)] {
            store.append(&conversation("acme", first, id)).await.unwrap();
            let row = store.call(&tenant("acme"), id).await.unwrap().unwrap();
            store.append(&[record_of(ended(row))]).await.unwrap();
        }
        assert_eq!(store.forget_ladders(at(100)).await.unwrap(), 1);
        assert_eq!(store.forget_ladders(at(100)).await.unwrap(), 0);
        let ladder = async |id| store.ladder(&tenant("acme"), id).await.unwrap().map(|l| l.len());
        assert_eq!((ladder(old).await, ladder(new).await), (None, Some(2)));
        assert!(store.call(&tenant("acme"), old).await.unwrap().is_some());
        assert_eq!(store.decisions(&tenant("acme"), old).await.unwrap().len(), 2);
    }

    async fn the_record_replaces_the_projection_and_brings_ladder_and_reasons(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&conversation("acme", 1, call(1))).await.unwrap();
        assert_eq!(store.ladder(&tenant("acme"), call(1)).await.unwrap(), None);
        let record = ended(shown(&store).await);
        let end = event("acme", 7, call(1), "call.ended", json!({"cause": "normal"}));
        let last = [record_of(record.clone()), end];
        store.append(&last).await.unwrap();
        assert_eq!(shown(&store).await, record);
        let ladder = store.ladder(&tenant("acme"), call(1)).await.unwrap().unwrap();
        assert_eq!((ladder.len(), ladder[1].sent, ladder[1].at), (2, true, at(1)));
        assert_eq!(ladder[1].bytes, b"SIP/2.0 100 Trying");
        let decisions = store.decisions(&tenant("acme"), call(1)).await.unwrap();
        assert_eq!(decisions.len(), 2);
        assert_eq!(decisions[1].summary, "alice rings");
        // The same record again, as after a commit whose answer was lost.
        store.append(&last[..1]).await.unwrap();
        assert_eq!(store.decisions(&tenant("acme"), call(1)).await.unwrap(), decisions);
    }

    async fn a_hundred_calls_in_one_batch_fare_as_each_alone(backend: &Backend) {
        let store = backend.provisioned().await;
        let acme = tenant("acme");
        let (mut alone, mut together) = (Vec::new(), [Vec::new(), Vec::new(), Vec::new()]);
        for number in 1..=100 {
            let first = u64::try_from(number).unwrap() * 6 - 5;
            let events = conversation("acme", first, call(number));
            // Every third call begins in an earlier batch; every fifth one ends in this one.
            let (earlier, now) = events.split_at(if number % 3 == 0 { 3 } else { 0 });
            for event in conversation("globex", first, call(number)) {
                store.append(&[event]).await.unwrap();
            }
            let mut row = store.call(&tenant("globex"), call(number)).await.unwrap().unwrap();
            row.tenant = acme.clone();
            if number % 5 == 0 {
                row = ended(row);
                together[2].push(record_of(row.clone()));
            }
            alone.push(row);
            together[0].extend_from_slice(earlier);
            together[1].extend_from_slice(now);
        }
        let sequence = |row: &Append| match row {
            Append::Event(event) => event.sequence,
            other => panic!("{other:?}"),
        };
        let [earlier, now, records] = together;
        // The same numbers in the order of the batches.
        let mut numbers: Vec<u64> = earlier.iter().chain(&now).map(sequence).collect();
        numbers.sort_unstable();
        let renumbered: Vec<Append> = earlier.into_iter().chain(now).zip(numbers)
            .map(|(row, number)| match row {
                Append::Event(event) => Append::Event(EventRow { sequence: number, ..event }),
                other => other,
            })
            .collect();
        let (first, second) = renumbered.split_at(99);
        store.append(first).await.unwrap();
        store.append(&[second, &records].concat()).await.unwrap();
        for row in alone {
            assert_eq!(store.call(&acme, row.id).await.unwrap().unwrap(), row);
            let decisions = store.decisions(&acme, row.id).await.unwrap();
            let ladder = store.ladder(&acme, row.id).await.unwrap();
            let is_over = row.state == CallState::Ended;
            assert_eq!((decisions.len(), ladder.is_some()), (if is_over { 2 } else { 0 }, is_over));
        }
    }

    async fn an_event_after_the_end_does_not_bring_a_call_back(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&conversation("acme", 1, call(1))).await.unwrap();
        store.append(&[record_of(ended(shown(&store).await))]).await.unwrap();
        let late = event("acme", 7, call(1), "call.queued", json!({"queue": "sales"}));
        store.append(&[late]).await.unwrap();
        assert_eq!(shown(&store).await.state, CallState::Ended);
    }

    async fn the_list_is_newest_first_filtered_and_paged(backend: &Backend) {
        let store = backend.provisioned().await;
        for number in 0..7 {
            let first = number * 6 + 1;
            store.append(&conversation("acme", first, call(number.into()))).await.unwrap();
        }
        let newest = store.call(&tenant("acme"), call(6)).await.unwrap().unwrap();
        store.append(&[record_of(ended(newest))]).await.unwrap();
        let acme = tenant("acme");
        let list = async |filter, page| store.calls(&acme, &filter, page).await.unwrap();

        let all = list(CallFilter::default(), Page { page: 2, per_page: 3 }).await;
        assert_eq!(all.total, 7);
        let ids: Vec<_> = all.rows.iter().map(|row| row.id.as_u128()).collect();
        assert_eq!(ids, [3, 2, 1]);
        let live = CallFilter { state: Some(CallState::Connected), ..CallFilter::default() };
        assert_eq!(list(live, ALL).await.total, 6);
        let late = CallFilter { started_from: Some(at(31)), ..CallFilter::default() };
        assert_eq!(list(late, ALL).await.total, 2);
        let early = CallFilter { started_until: Some(at(31)), ..CallFilter::default() };
        assert_eq!(list(early, ALL).await.total, 5);
        let theirs = CallFilter {
            queue: Some("sales".parse().unwrap()),
            agent: Some("zoe".parse().unwrap()),
            ..CallFilter::default()
        };
        assert_eq!(list(theirs, ALL).await.rows, []);
    }

    async fn a_call_shows_its_own_events_alone(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&conversation("acme", 1, call(1))).await.unwrap();
        store.append(&conversation("acme", 7, call(2))).await.unwrap();
        let events = store.call_events(&tenant("acme"), call(2)).await.unwrap();
        assert!(events.iter().map(|event| event.sequence).eq(7..=12));
    }
}
