//! A capture follows who is in the call, and its beginning and end are told.

use base::CallId;
use media::{CaptureId, CaptureOrder, Command, StreamId};
use switch::{ApiError, ApiReply, ApiRequest, CaptureEnd, CaptureWish, Side};

use crate::rig::{ALICE, Rig};

fn wish(leg: Option<Side>) -> CaptureWish {
    let (capture, by) = (CaptureId(7), "ops".to_owned());
    CaptureWish { capture, leg, received: true, sent: true, payload: true, by }
}

fn start(rig: &mut Rig, call: CallId, leg: Option<Side>) -> Result<ApiReply, ApiError> {
    rig.request("acme", ApiRequest::Capture { call, wish: wish(leg) })
}

/// What was last ordered of each stream.
fn orders(rig: &Rig, stream: StreamId) -> Vec<Option<CaptureOrder>> {
    let orders = rig.commands.iter().filter_map(|command| match command {
        Command::Capture { stream: of, order } if *of == stream => Some(*order),
        _ => None,
    });
    orders.collect()
}

#[test]
fn a_capture_takes_in_the_legs_that_are_there_and_those_that_come_and_ends_with_the_call() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let mut call = rig.dial("+15550100");
    let id = rig.last_call();
    let Ok(ApiReply::Capturing(legs)) = start(&mut rig, id, None) else { panic!() };
    assert_eq!(legs.len(), 1);
    let caller = rig.streams()[0];
    let order = orders(&rig, caller)[0].unwrap();
    assert_eq!((order.capture, order.local), (CaptureId(7), legs[0].local));
    assert!(start(&mut rig, id, None).is_err(), "one at a time");
    rig.finish_prompt();
    let agent = rig.streams()[1];
    assert_eq!(orders(&rig, agent).len(), 1, "{:?}", orders(&rig, agent));
    rig.caller_hangs_up(&mut call);
    assert_eq!(orders(&rig, caller).last(), Some(&None));
    let started = rig.events_of("call.capture_started");
    assert_eq!((&started[0]["by"], &started[0]["payload"]), (&"ops".into(), &"audio".into()));
    let stopped = rig.events_of("call.capture_stopped");
    assert_eq!((stopped.len(), &stopped[0]["why"]), (1, &"call_ended".into()));
    assert!(start(&mut rig, id, None).is_err(), "it is over");
    rig.finish();
}

#[test]
fn one_side_alone_is_captured_and_what_has_enough_is_ended_once() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    let id = rig.last_call();
    assert_eq!(
        rig.request("globex", ApiRequest::Capture { call: id, wish: wish(None) }).err(),
        Some(ApiError::NotFound)
    );
    start(&mut rig, id, Some(Side::Agent)).unwrap();
    let (caller, agent) = (rig.streams()[0], rig.streams()[1]);
    assert_eq!((orders(&rig, caller).len(), orders(&rig, agent).len()), (0, 1));
    for _ in 0..2 {
        let (capture, why) = (CaptureId(7), CaptureEnd::Bytes);
        rig.request("acme", ApiRequest::EndCapture { call: id, capture, why }).unwrap();
    }
    assert_eq!(orders(&rig, agent).last(), Some(&None));
    let stopped = rig.events_of("call.capture_stopped");
    assert_eq!((stopped.len(), &stopped[0]["why"]), (1, &"bytes".into()));
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}
