//! Finding calls by what is known of them; how their legs fared; what people wrote about them.

use base::CallId;
use serde_json::json;
use store::{Append, CallFilter, CallRow, CallState, FinalRecord, Found, MOST_NOTES, Page, Store};

use crate::on_both;
use crate::sample::{at, call, conversation, event, recording, tenant};

/// A call that is over: every third is recorded, every fifth was bad, of two queues.
fn over(number: u32) -> Append {
    let call = CallRow {
        tenant: tenant("acme"),
        id: call(number.into()),
        state: CallState::Ended,
        direction: if number.is_multiple_of(4) { "outbound" } else { "inbound" }.into(),
        trunk: Some("carrier-a".parse().unwrap()),
        from: format!("+4930{number:07}"),
        from_name: None,
        to: "+15550100".to_owned(),
        verstat: None,
        attestation: None,
        diversions: "[]".to_owned(),
        queue: Some(if number.is_multiple_of(2) { "sales" } else { "support" }.parse().unwrap()),
        agent: Some("alice".parse().unwrap()),
        started_at: at(i64::from(number)),
        answered_at: None,
        connected_at: None,
        ended_at: Some(at(i64::from(number) + 60)),
        duration_ms: Some(u64::from(number) * 1000),
        wait_ms: None,
        talk_ms: None,
        cause: Some(if number.is_multiple_of(7) { "busy" } else { "normal" }.to_owned()),
        sip_status: None,
        q850: None,
        ended_by: None,
        reason: None,
        recording: number.is_multiple_of(3).then(|| recording(number.into())),
        recordings: Vec::new(),
        legs: "[]".to_owned(),
    };
    Append::Call(Box::new(FinalRecord {
        call,
        ladder: Vec::new(),
        decisions: Vec::new(),
        codecs: if number.is_multiple_of(2) { "opus,pcmu" } else { "pcma" }.to_owned(),
        lowest_mos: Some(if number.is_multiple_of(5) { 250 } else { 440 }),
        quality: String::new(),
    }))
}

async fn full(store: &Store) {
    let calls: Vec<Append> = (1..=30).map(over).collect();
    store.append(&calls).await.unwrap();
}

async fn search(store: &Store, filter: CallFilter, before: Option<CallId>, limit: u32) -> Found {
    store.search_calls(&tenant("acme"), &filter, before, limit).await.unwrap()
}

fn numbers(found: &Found) -> Vec<u128> {
    found.rows.iter().map(|row| row.id.as_u128()).collect()
}

on_both! {
    async fn a_search_reads_on_from_the_last_call_until_there_are_no_more(backend: &Backend) {
        let store = backend.provisioned().await;
        full(&store).await;
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let found = search(&store, CallFilter::default(), before, 8).await;
            assert_eq!(found.total, before.is_none().then_some(30));
            seen.extend(numbers(&found));
            before = found.rows.last().map(|row| row.id);
            if !found.has_more {
                break;
            }
        }
        let expected: Vec<u128> = (1..=30).rev().collect();
        assert_eq!(seen, expected);
        let nowhere = search(&store, CallFilter::default(), Some(call(999)), 8).await;
        assert_eq!(nowhere, Found::default());
    }

    async fn calls_of_one_instant_are_each_found_once(backend: &Backend) {
        let store = backend.provisioned().await;
        let at_once = (1..=9).map(over).map(|append| {
            let Append::Call(mut record) = append else { panic!() };
            record.call.started_at = at(1);
            Append::Call(record)
        });
        store.append(&at_once.collect::<Vec<_>>()).await.unwrap();
        let first = search(&store, CallFilter::default(), None, 5).await;
        let rest = search(&store, CallFilter::default(), Some(call(5)), 5).await;
        assert_eq!((numbers(&first), numbers(&rest)), (vec![9, 8, 7, 6, 5], vec![4, 3, 2, 1]));
    }

    async fn calls_are_found_by_each_thing_that_is_known_of_them(backend: &Backend) {
        let store = backend.provisioned().await;
        full(&store).await;
        let found = async |filter| numbers(&search(&store, filter, None, 100).await);
        let any = CallFilter::default;
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(found(CallFilter { number: text("00017"), ..any() }).await, [17]);
        assert_eq!(found(CallFilter { number: text("+155501"), ..any() }).await.len(), 30);
        assert_eq!(found(CallFilter { number: text("%"), ..any() }).await, [0_u128; 0]);
        assert_eq!(found(CallFilter { number: text("_"), ..any() }).await, [0_u128; 0]);
        assert_eq!(found(CallFilter { cause: text("busy"), ..any() }).await, [28, 21, 14, 7]);
        assert_eq!(found(CallFilter { direction: text("outbound"), ..any() }).await.len(), 7);
        assert_eq!(found(CallFilter { is_recorded: Some(true), ..any() }).await.len(), 10);
        assert_eq!(found(CallFilter { is_recorded: Some(false), ..any() }).await.len(), 20);
        assert_eq!(found(CallFilter { shortest_ms: Some(28_000), ..any() }).await, [30, 29, 28]);
        assert_eq!(found(CallFilter { longest_ms: Some(2000), ..any() }).await, [2, 1]);
        assert_eq!(found(CallFilter { codec: text("OPUS"), ..any() }).await.len(), 15);
        let bad = CallFilter { mos_below: Some(310), ..any() };
        assert_eq!(found(bad.clone()).await, [30, 25, 20, 15, 10, 5]);
        let queue = Some("sales".parse().unwrap());
        assert_eq!(found(CallFilter { queue, is_recorded: Some(true), ..bad }).await, [30]);
        let span = CallFilter {
            started_from: Some(at(10)), started_until: Some(at(13)), ..any()
        };
        assert_eq!(found(span).await, [12, 11, 10]);
        let none = store.search_calls(&tenant("globex"), &any(), None, 10).await.unwrap();
        assert_eq!(none.rows, []);
    }

    async fn a_part_of_a_number_is_found_on_every_page_of_numbers_and_with_everything_else(
        backend: &Backend
    ) {
        let store = backend.provisioned().await;
        let calls: Vec<Append> = (1..=400).map(over).collect();
        // Pages of every fullness: single calls, and more than two pages at once.
        for batch in calls[..60].chunks(7).chain(calls[60..].chunks(85)) {
            store.append(batch).await.unwrap();
        }
        store.append(&calls[100..110]).await.unwrap();
        let by = |part: &str| CallFilter { number: Some(part.to_owned()), ..CallFilter::default() };
        let fits = |part: &'static str| {
            let has = move |number: &u32| format!("+4930{number:07}").contains(part);
            (1..=400_u32).rev().filter(has).map(u128::from).collect::<Vec<_>>()
        };
        for part in ["00017", "30000", "37", "0399", "+49300000400", "99", "1234567"] {
            let found = search(&store, by(part), None, 500).await;
            assert_eq!(numbers(&found), fits(part), "{part}");
            assert_eq!(found.total, Some(fits(part).len() as u64), "{part}");
        }
        // Page by page, of a queue, and between two times.
        let first = search(&store, by("37"), None, 5).await;
        assert!(first.has_more && first.total == Some(fits("37").len() as u64));
        let rest = search(&store, by("37"), first.rows.last().map(|row| row.id), 500).await;
        assert_eq!([numbers(&first), numbers(&rest)].concat(), fits("37"));
        let sales = CallFilter { queue: Some("sales".parse().unwrap()), ..by("37") };
        let even = fits("37").into_iter().filter(|number| number % 2 == 0).collect::<Vec<_>>();
        assert_eq!(numbers(&search(&store, sales, None, 500).await), even);
        let span =
            CallFilter { started_from: Some(at(137)), started_until: Some(at(337)), ..by("37") };
        let within = fits("37").into_iter().filter(|number| (137..337).contains(number));
        assert_eq!(numbers(&search(&store, span, None, 500).await), within.collect::<Vec<_>>());
    }

    async fn what_most_calls_have_in_their_number_is_found_and_not_counted(backend: &Backend) {
        let store = backend.provisioned().await;
        for batch in (1..=10_100).map(over).collect::<Vec<_>>().chunks(1000) {
            store.append(batch).await.unwrap();
        }
        let by = |part: &str| CallFilter { number: Some(part.to_owned()), ..CallFilter::default() };
        let found = search(&store, by("5550100"), None, 3).await;
        assert_eq!(numbers(&found), [10_100, 10_099, 10_098]);
        assert!(found.has_more && !found.total_is_exact);
        let one = search(&store, by("+49300000042"), None, 3).await;
        assert_eq!((numbers(&one), one.total), (vec![42], Some(1)));
        let sales = CallFilter { queue: Some("sales".parse().unwrap()), ..by("5550100") };
        assert_eq!(search(&store, sales, None, 3).await.total, Some(5050));
    }

    async fn live_calls_stand_among_those_that_are_over(backend: &Backend) {
        let store = backend.provisioned().await;
        full(&store).await;
        let started = json!({"from": "+49301112", "to": "+15550100"});
        // Event 1 is of second 1: behind the call 1, which is of the same second.
        store.append(&[event("acme", 1, call(77), "call.started", started)]).await.unwrap();
        let found = search(&store, CallFilter::default(), None, 100).await;
        assert_eq!(numbers(&found)[28..], [2, 77, 1]);
        let number = Some("301112".to_owned());
        let one = search(&store, CallFilter { number, ..CallFilter::default() }, None, 9).await;
        assert_eq!((numbers(&one), one.total), (vec![77], Some(1)));
        let up = CallFilter { state: Some(CallState::Setup), ..CallFilter::default() };
        assert_eq!(numbers(&search(&store, up, None, 9).await), [77]);
        let ended = CallFilter { state: Some(CallState::Ended), ..CallFilter::default() };
        assert_eq!(search(&store, ended, None, 9).await.total, Some(30));
    }

    async fn a_page_of_the_list_is_cut_out_of_live_and_finished_calls_alike(backend: &Backend) {
        let store = backend.provisioned().await;
        let mut calls: Vec<Append> = (1..=40).map(over).collect();
        // Up to the thirtieth, a live one beside every finished one.
        calls.extend((1..=30_u32).map(|number| {
            let from = format!("+4930{number:07}");
            let started = json!({"from": from, "to": "+15550100"});
            event("acme", number.into(), call(u128::from(number) + 100), "call.started", started)
        }));
        store.append(&calls).await.unwrap();
        let beside = |number: u128| [(number <= 30).then_some(number + 100), Some(number)];
        let every: Vec<u128> = (1..=40).rev().flat_map(beside).flatten().collect();
        let twenties: Vec<u128> = (20..30).rev().flat_map(beside).flatten().collect();
        let with = |part: &str| CallFilter { number: Some(part.into()), ..CallFilter::default() };
        for (filter, fitting) in [
            (CallFilter::default(), every),
            (with("+4930999"), Vec::new()),
            (with("+4930000002"), twenties),
        ] {
            for per_page in [1, 3, 7, 10, 64, 100] {
                let mut pages = Vec::new();
                for page in 1..=72_u32.div_ceil(per_page) {
                    let page = Page { page, per_page };
                    let listed = store.calls(&tenant("acme"), &filter, page).await.unwrap();
                    assert_eq!(listed.total, fitting.len() as u64);
                    assert!(listed.rows.len() <= per_page as usize);
                    pages.extend(listed.rows.iter().map(|row| row.id.as_u128()));
                }
                assert_eq!(pages, fitting, "{filter:?}, {per_page} on a page");
            }
        }
    }

    async fn how_the_legs_fared_is_kept_with_the_record(backend: &Backend) {
        let store = backend.provisioned().await;
        let legs = r#"[{"leg":1,"kind":"caller","samples":[[5000,440,0,900,null,null,null]]}]"#;
        let Append::Call(mut record) = over(1) else { panic!() };
        legs.clone_into(&mut record.quality);
        store.append(&[Append::Call(record), over(2)]).await.unwrap();
        let acme = tenant("acme");
        assert_eq!(store.quality(&acme, call(1)).await.unwrap().as_deref(), Some(legs));
        assert_eq!(store.quality(&acme, call(2)).await.unwrap(), None);
        assert_eq!(store.quality(&tenant("globex"), call(1)).await.unwrap(), None);
    }

    async fn notes_stay_in_order_and_their_number_is_bounded(backend: &Backend) {
        let store = backend.provisioned().await;
        store.append(&conversation("acme", 1, call(1))).await.unwrap();
        let (acme, globex) = (tenant("acme"), tenant("globex"));
        for number in 1..=MOST_NOTES {
            let text = format!("note {number}");
            let note = (at(10), "the wallboard", text.as_str());
            let added = store.add_note(&acme, call(1), note).await.unwrap().unwrap();
            assert_eq!(added.position, number);
        }
        let over_full = store.add_note(&acme, call(1), (at(11), "x", "y")).await.unwrap();
        assert_eq!(over_full, None);
        let notes = store.notes(&acme, call(1)).await.unwrap();
        assert_eq!((notes.len() as u64, notes[1].text.as_str()), (MOST_NOTES, "note 2"));
        assert_eq!((notes[0].at, notes[0].author.as_str()), (at(10), "the wallboard"));
        assert_eq!(store.notes(&globex, call(1)).await.unwrap(), []);
        assert!(store.add_note(&globex, call(1), (at(1), "x", "y")).await.is_err());
    }

    async fn one_prompts_audio_is_read_by_itself(backend: &Backend) {
        let store = backend.provisioned().await;
        let music = "music".parse().unwrap();
        let heard = store.prompt(&tenant("acme"), &music).await.unwrap();
        assert_eq!(heard.unwrap(), b"RIFF acme music \0\x01");
        let none = "none".parse().unwrap();
        assert_eq!(store.prompt(&tenant("acme"), &none).await.unwrap(), None);
    }
}
