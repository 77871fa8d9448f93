//! Keys: collected by steps of a flow, chosen in menus, told to far ends as each wants it, pressed
//! by the API, and kept from everybody where they are secret.

use base::Duration;
use media::{Command, Digit, DigitOut, DigitSource, Masking, StreamId};
use switch::{ApiError, ApiReply, ApiRequest, CallDigits, Keys, Side};

use crate::rig::{ALICE, BOB, Call, DEMO, Rig, SDP_PCMA, TRUNK};

const CANARY: &str = "49291710";

/// The demo with these steps behind `+15550102`, and a flow `other` that hangs up.
fn flow(steps: &str) -> Rig {
    Rig::with(&provisioning(steps))
}

fn provisioning(steps: &str) -> String {
    let closed =
        "[[tenants.flows]]\nid = \"closed\"\nsteps = [{ do = \"hangup\", cause = \"busy\" }]";
    assert!(DEMO.contains(closed));
    let flow =
        |id: &str, steps: &str| format!("[[tenants.flows]]\nid = \"{id}\"\nsteps = [{steps}]\n\n");
    let other = "{ do = \"queue\", queue = \"sales\" }";
    let flows = flow("closed", steps) + &flow("other", other);
    DEMO.replace(closed, &flows)
}

fn stream(rig: &Rig) -> StreamId {
    rig.streams()[0]
}

fn down(rig: &mut Rig) {
    let stream = stream(rig);
    rig.media(media::Event::KeyDown { stream });
}

fn press_on(rig: &mut Rig, stream: StreamId, keys: &str, masked: bool) {
    for key in keys.chars() {
        let (digit, duration) = (Digit::from_char(key).unwrap(), Duration::from_millis(100));
        let by = DigitSource::Event;
        rig.media(media::Event::KeyDown { stream });
        rig.media(media::Event::Digit { stream, digit, duration, by, masked });
    }
}

/// The caller presses keys.
fn press(rig: &mut Rig, keys: &str) {
    let stream = stream(rig);
    press_on(rig, stream, keys, false);
}

fn kept(rig: &mut Rig) -> CallDigits {
    let Ok(ApiReply::Calls(calls)) = rig.request("acme", ApiRequest::ListLive) else { panic!() };
    let call = calls[0].id;
    match rig.request("acme", ApiRequest::Digits { call }) {
        Ok(ApiReply::Digits(digits)) => digits,
        other => panic!("{other:?}"),
    }
}

fn last_mask(rig: &Rig) -> Option<(StreamId, Masking)> {
    rig.commands.iter().rev().find_map(|command| match command {
        Command::Mask { stream, masking } => Some((*stream, *masking)),
        _ => None,
    })
}

fn stops(rig: &Rig) -> usize {
    rig.commands.iter().filter(|one| matches!(one, Command::StopPlaying { .. })).count()
}

const PIN: &str = r#"{ do = "collect", prompt = "greeting", into = "pin", min = 4, max = 8 },
    { do = "queue", queue = "sales" }"#;

#[test]
fn digits_up_to_the_terminator_are_kept_and_told_by_their_number_alone() {
    let mut rig = flow(PIN);
    let mut call = rig.dial("+15550102");
    rig.finish_prompt();
    press(&mut rig, "4929#");
    assert_eq!(rig.events_of("call.queued").len(), 1, "the flow goes on");
    let told = &rig.events_of("call.digits")[0];
    assert_eq!(told["into"], "pin");
    assert_eq!((told["outcome"].as_str(), told["count"].as_u64()), (Some("collected"), Some(4)));
    assert!(told.get("digits").is_none());
    assert_eq!(kept(&mut rig).attributes, [("pin".to_owned(), "4929".to_owned())]);
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn the_most_digits_or_a_pause_after_enough_complete_them() {
    for (keys, waits_ms) in [(CANARY, 0), ("4929", 3000)] {
        let mut rig = flow(PIN);
        let mut call = rig.dial("+15550102");
        rig.finish_prompt();
        press(&mut rig, keys);
        assert_eq!(rig.events_of("call.digits").len(), usize::from(waits_ms == 0));
        rig.advance_ms(waits_ms);
        assert_eq!(kept(&mut rig).attributes, [("pin".to_owned(), keys.to_owned())]);
        rig.caller_hangs_up(&mut call);
        rig.finish();
    }
}

#[test]
fn a_key_stops_the_prompt_at_once_and_counts() {
    let mut rig = flow(PIN);
    let mut call = rig.dial("+15550102");
    assert_eq!(stops(&rig), 0);
    down(&mut rig);
    assert_eq!(stops(&rig), 1, "before it is known which key it is");
    press(&mut rig, "4929#");
    assert_eq!(kept(&mut rig).attributes[0].1, "4929");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_prompt_that_has_to_be_heard_is_not_stopped() {
    let mut rig = flow(&PIN.replace("max = 8", "max = 8, uninterruptible = true"));
    let mut call = rig.dial("+15550102");
    press(&mut rig, "1111#");
    assert_eq!((stops(&rig), rig.events_of("call.digits").len()), (0, 0));
    rig.finish_prompt();
    press(&mut rig, "4929#");
    assert_eq!(kept(&mut rig).attributes[0].1, "4929");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn who_presses_nothing_or_too_little_is_asked_three_times_and_then_the_flow_goes_on() {
    let mut rig = flow(&PIN.replace("max = 8", "max = 8, invalid = \"music\""));
    let mut call = rig.dial("+15550102");
    rig.finish_prompt();
    rig.advance_ms(4999);
    assert_eq!(rig.events_of("call.digits").len(), 0);
    rig.advance_ms(1);
    assert_eq!(rig.events_of("call.digits")[0]["outcome"], "timeout");
    rig.finish_prompt(); // what says that it was wrong
    rig.finish_prompt();
    press(&mut rig, "12#");
    assert_eq!(rig.events_of("call.digits")[1]["outcome"], "invalid");
    // A key while that is said answers what is asked next.
    press(&mut rig, "1");
    rig.advance_ms(3000);
    assert_eq!(rig.events_of("call.digits").len(), 3);
    assert_eq!(rig.events_of("call.queued").len(), 1);
    assert_eq!(kept(&mut rig).attributes, []);
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_caller_who_hangs_up_while_asked_leaves_nothing_behind() {
    let mut rig = flow(PIN);
    let mut call = rig.dial("+15550102");
    press(&mut rig, "49");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

const MENU: &str = r#"{ do = "menu", prompt = "greeting", extensions = true, choices = [
    { digits = "1", flow = "other" },
    { digits = "2", queue = "support" },
    { digits = "3", dial = "bob" },
    { digits = "4" },
    { digits = "45", flow = "other" },
] }, { do = "hangup", cause = "busy" }"#;

#[test]
fn a_choice_leads_to_its_flow_its_queue_its_agent_or_the_next_step() {
    for (keys, event) in
        [("1", "call.routed"), ("2", "call.queued"), ("3", "call.dialled"), ("45", "call.routed")]
    {
        let mut rig = flow(MENU);
        rig.register(BOB, "bob");
        let mut call = rig.dial("+15550102");
        let before = rig.events_of(event).len();
        press(&mut rig, keys);
        let is_offered = event == "call.queued" && !rig.events_of("call.offered").is_empty();
        assert!(rig.events_of(event).len() > before || is_offered, "{keys}");
        let told = &rig.events_of("call.digits")[0];
        assert_eq!(told["digits"], keys, "what stands in provisioning is no secret");
        rig.caller_hangs_up(&mut call);
    }
    let mut rig = flow(MENU);
    let call = rig.dial("+15550102");
    press(&mut rig, "4");
    assert!(rig.records.is_empty() && rig.events_of("call.digits").is_empty(), "45 may follow");
    rig.advance_ms(3000);
    rig.confirm_bye(call.at);
    assert_eq!(rig.record().cause, switch::Cause::Busy, "the next step");
    rig.finish();
}

#[test]
fn an_extension_is_dialled_and_a_number_outside_is_not() {
    let text = provisioning(MENU).replace(r#"{ id = "bob","#, r#"{ id = "bob", extension = "77","#);
    let mut rig = Rig::with(&text);
    rig.register(BOB, "bob");
    let mut call = rig.dial("+15550102");
    press(&mut rig, "70");
    assert_eq!(rig.events_of("call.digits")[0]["outcome"], "invalid");
    assert!(rig.events_of("call.dialled").is_empty());
    rig.finish_prompt();
    press(&mut rig, "77");
    assert_eq!(rig.events_of("call.dialled")[0]["agent"], "bob");
    rig.expect(BOB, "INVITE");
    rig.caller_hangs_up(&mut call);
}

#[test]
fn a_menu_that_leads_back_to_itself_may_be_walked_round_for_ever() {
    let menu = MENU.replace(
        "flow = \"other\" },\n    { digits = \"2\"",
        "flow = \"closed\" },\n    { digits = \"2\"",
    );
    let mut rig = flow(&menu);
    let mut call = rig.dial("+15550102");
    for _ in 0..50 {
        press(&mut rig, "1");
    }
    assert!(rig.records.is_empty());
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

/// A request in a dialog with a digit in it.
fn info(text: &str, key: char) -> String {
    let body = format!("Signal={key}\r\nDuration=250\r\n");
    let length = body.len();
    let head = format!("Content-Type: application/dtmf-relay\r\nContent-Length: {length}\r\n\r\n");
    text.replace("Content-Length: 0\r\n\r\n", &(head + &body))
}

#[test]
fn digits_by_info_are_collected_too_and_stop_the_prompt() {
    let mut rig = flow(PIN);
    let mut call = rig.dial("+15550102");
    for key in "4929#".chars() {
        let text = info(&call.next("INFO", None), key);
        rig.send(TRUNK, &text);
        rig.expect(TRUNK, "SIP/2.0 200");
    }
    assert_eq!(stops(&rig), 1);
    assert_eq!(kept(&mut rig).attributes[0].1, "4929");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn without_events_tones_are_listened_for_while_digits_are_asked_for_and_no_longer() {
    let mut rig = flow(PIN);
    let mut call = Call::new(&mut rig, TRUNK, "+15550102").with_sdp(SDP_PCMA);
    rig.send(TRUNK, &call.invite());
    rig.caller_is_answered(&mut call);
    let listens = |rig: &Rig| {
        let told = rig.commands.iter().filter_map(|command| match command {
            Command::DigitWays { ways, .. } => Some(ways.listen),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(listens(&rig), [true]);
    press(&mut rig, "4929#");
    assert_eq!(listens(&rig), [true, false]);
    rig.caller_hangs_up(&mut call);
    rig.finish();
    let mut rig = flow(PIN);
    let mut call = rig.dial("+15550102");
    assert!(listens(&rig).is_empty(), "who has events is believed");
    rig.caller_hangs_up(&mut call);
}

#[test]
fn secret_digits_are_masked_while_they_are_asked_for() {
    let mut rig = flow(&PIN.replace("max = 8", "max = 8, secret = true, show = true"));
    let mut call = rig.dial("+15550102");
    let caller = stream(&rig);
    assert_eq!(last_mask(&rig), Some((caller, Masking::Digits)));
    press_on(&mut rig, caller, "4929#", true);
    assert_eq!(last_mask(&rig), Some((caller, Masking::Off)));
    assert!(rig.events_of("call.digits")[0].get("digits").is_none(), "a secret is never shown");
    assert_eq!(kept(&mut rig).attributes[0].1, "4929");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

fn with_dtmf(agent: &str, trunk: &str) -> String {
    DEMO.replace(
        r#"password = "alice-secret","#,
        &format!(r#"password = "alice-secret", dtmf = "{agent}","#),
    )
    .replace("sources = [\"127.0.0.2\"]", &format!("sources = [\"127.0.0.2\"]\ndtmf = \"{trunk}\""))
}

#[test]
fn who_wants_info_is_told_by_info_and_is_offered_no_events() {
    let mut rig = Rig::with(&with_dtmf("info", "auto"));
    rig.register(ALICE, "alice");
    let (mut call, phone) = rig.connect_alice();
    let offer = String::from_utf8_lossy(&phone.invite.body()).into_owned();
    assert!(!offer.contains("telephone-event"), "{offer}");
    let elsewhere = rig.commands.iter().any(
        |one| matches!(one, Command::DigitWays { ways, .. } if ways.out == DigitOut::Elsewhere),
    );
    assert!(elsewhere, "the plane leaves it to us");
    press(&mut rig, "7");
    let told = rig.expect(ALICE, "INFO");
    assert_eq!(&*told.body(), b"Signal=7\r\nDuration=100\r\n");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
}

#[test]
fn info_becomes_events_for_who_has_agreed_to_them() {
    let mut rig = Rig::with(&with_dtmf("info", "auto"));
    rig.register(ALICE, "alice");
    let (mut call, mut phone) = rig.connect_alice();
    let text = info(&phone.next("INFO", None), '5');
    rig.send(ALICE, &text);
    rig.expect(ALICE, "SIP/2.0 200");
    let pressed: Vec<_> = rig
        .commands
        .iter()
        .filter_map(|one| match one {
            Command::SendDigits { stream, digits, each, .. } => {
                Some((*stream, digits.to_string(), each.as_millis()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(pressed, [(stream(&rig), "5".to_owned(), 250)]);
    assert_eq!(rig.count(TRUNK, "INFO"), 0);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
}

#[test]
fn info_and_events_become_each_other_on_legs_of_opus_and_g722() {
    for (format, line) in [(111, "a=rtpmap:111 opus/48000/2\r\n"), (9, "")] {
        let codecs = r#"codecs = ["opus", "G722", "PCMU"], password = "alice-secret","#;
        let text = with_dtmf("info", "auto").replace(r#"password = "alice-secret","#, codecs);
        let mut rig = Rig::with(&text);
        rig.register(ALICE, "alice");
        let (mut call, mut phone) = rig.ring_alice();
        let answer = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.3\r\ns=-\r\nc=IN IP4 127.0.0.3\r\nt=0 0\r\n\
             m=audio 40010 RTP/AVP {format}\r\n{line}a=sendrecv\r\n"
        );
        rig.send(ALICE, &phone.respond("200 OK", Some(&answer)));
        rig.expect(ALICE, "ACK");
        let text = info(&phone.next("INFO", None), '5');
        rig.send(ALICE, &text);
        rig.expect(ALICE, "SIP/2.0 200");
        let pressed = rig.commands.iter().rev().find_map(|one| match one {
            Command::SendDigits { stream, digits, .. } => Some((*stream, digits.to_string())),
            _ => None,
        });
        assert_eq!(pressed, Some((stream(&rig), "5".to_owned())), "{format}");
        press(&mut rig, "7");
        let told = rig.expect(ALICE, "INFO");
        assert_eq!(&*told.body(), b"Signal=7\r\nDuration=100\r\n", "{format}");
        rig.caller_hangs_up(&mut call);
        rig.confirm_bye(ALICE);
    }
}

#[test]
fn the_api_presses_keys_towards_the_side_it_names() {
    let mut rig = Rig::with(&with_dtmf("info", "rfc4733"));
    rig.register(ALICE, "alice");
    let (mut live, _) = rig.connect_alice();
    let call = rig.events.iter().find_map(|event| event.call).unwrap();
    let (each, gap) = (Duration::from_millis(100), Duration::from_millis(60));
    let asked =
        |leg| ApiRequest::SendDigits { call, leg, digits: Keys("1,2".to_owned()), each, gap };
    rig.request("acme", asked(Side::Customer)).unwrap();
    let caller = stream(&rig);
    let to_caller = rig.commands.iter().any(|one| {
        matches!(one, Command::SendDigits { stream, digits, .. }
            if *stream == caller && &**digits == "1,2")
    });
    assert!(to_caller);
    rig.request("acme", asked(Side::Agent)).unwrap();
    rig.expect(ALICE, "INFO");
    assert_eq!(&*rig.expect(ALICE, "INFO").body(), b"Signal=2\r\nDuration=100\r\n");
    assert!(matches!(rig.request("globex", asked(Side::Agent)), Err(ApiError::NotFound)));
    rig.caller_hangs_up(&mut live);
    rig.confirm_bye(ALICE);
}

#[test]
fn what_a_secured_caller_presses_is_known_to_the_api_alone() {
    let mut rig = Rig::with(&with_dtmf("info", "auto"));
    rig.register(ALICE, "alice");
    let (mut live, _) = rig.connect_alice();
    let call = rig.events.iter().find_map(|event| event.call).unwrap();
    let secure = |speech| ApiRequest::Secure { call, leg: Side::Customer, speech };
    rig.request("acme", secure(Some(true))).unwrap();
    let caller = stream(&rig);
    assert_eq!(last_mask(&rig), Some((caller, Masking::All)));
    press_on(&mut rig, caller, "4929", true);
    for key in "1710".chars() {
        let text = info(&live.next("INFO", None), key);
        rig.send(TRUNK, &text);
        rig.expect(TRUNK, "SIP/2.0 200");
    }
    rig.request("acme", secure(None)).unwrap();
    assert_eq!(last_mask(&rig), Some((caller, Masking::Off)));
    let secured = kept(&mut rig).secured;
    assert_eq!(
        (secured[0].leg.0, secured[0].is_on, secured[0].digits.as_str()),
        (1, false, CANARY)
    );
    assert_eq!(rig.events_of("call.secured")[0]["speech"], true);
    assert_eq!(rig.events_of("call.unsecured")[0]["count"], 8);
    // The agent, the events, the ladder and what is printed of answers know nothing of it.
    assert_eq!(rig.count(ALICE, "INFO"), 0);
    assert!(!rig.commands.iter().any(|one| matches!(one, Command::SendDigits { .. })));
    assert!(!format!("{:?}", kept(&mut rig)).contains("4929"));
    press_on(&mut rig, caller, "6", false);
    rig.expect(ALICE, "INFO"); // what comes afterwards is told again
    rig.caller_hangs_up(&mut live);
    rig.confirm_bye(ALICE);
    let record = rig.record();
    let ladder: Vec<_> = record
        .ladder
        .iter()
        .map(|line| String::from_utf8_lossy(&line.bytes).into_owned())
        .collect();
    assert!(ladder.iter().any(|line| line.contains("Signal=***")));
    for key in CANARY.chars() {
        assert!(!ladder.iter().any(|line| line.contains(&format!("Signal={key}"))));
    }
    let events = format!("{:?}", rig.events);
    assert!(!events.contains(CANARY) && !events.contains("4929"));
}

const AHEAD: &str = r#"{ do = "play", prompt = "greeting" },
    { do = "collect", prompt = "greeting", into = "pin", min = 4, max = 8, type_ahead = true },
    { do = "menu", type_ahead = true, choices = [{ digits = "1", queue = "sales" }] },
    { do = "hangup" }"#;

#[test]
fn keys_pressed_before_they_are_asked_for_count_where_the_flow_says_so() {
    let mut rig = flow(AHEAD);
    let mut call = rig.dial("+15550102");
    // All of it while the first prompt is heard, which goes on.
    press(&mut rig, "4929#1");
    assert_eq!((stops(&rig), rig.events_of("call.digits").len()), (0, 0));
    rig.finish_prompt();
    assert_eq!(rig.events_of("call.prompt_started").len(), 1, "nothing is asked that was answered");
    assert_eq!(kept(&mut rig).attributes, [("pin".to_owned(), "4929".to_owned())]);
    assert_eq!(rig.events_of("call.queued").len(), 1, "and the menu had its key, too");
    rig.caller_hangs_up(&mut call);
    rig.finish();

    // Some of it: the rest is waited for.
    let mut rig = flow(AHEAD);
    let mut call = rig.dial("+15550102");
    press(&mut rig, "49");
    rig.finish_prompt();
    press(&mut rig, "29#");
    assert_eq!(kept(&mut rig).attributes[0].1, "4929");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn what_was_typed_wrongly_or_where_the_flow_does_not_say_so_is_forgotten() {
    let mut rig = flow(AHEAD);
    let mut call = rig.dial("+15550102");
    press(&mut rig, "49#1");
    rig.finish_prompt();
    assert_eq!(rig.events_of("call.digits")[0]["outcome"], "invalid");
    assert!(rig.events_of("call.queued").is_empty(), "it is asked, and nothing is left over");
    rig.caller_hangs_up(&mut call);
    rig.finish();

    let mut rig = flow(&AHEAD.replace("type_ahead = true", "type_ahead = false"));
    let mut call = rig.dial("+15550102");
    press(&mut rig, "4929#1");
    rig.finish_prompt();
    assert!(kept(&mut rig).attributes.is_empty() && rig.events_of("call.digits").is_empty());
    rig.finish_prompt();
    press(&mut rig, "1710#");
    assert_eq!(kept(&mut rig).attributes[0].1, "1710");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn secret_keys_are_masked_from_the_prompt_on_in_which_they_may_be_typed() {
    let steps = AHEAD.replace("max = 8,", "max = 8, secret = true,");
    let mut rig = flow(&steps);
    let mut call = rig.dial("+15550102");
    let caller = stream(&rig);
    assert_eq!(last_mask(&rig), Some((caller, Masking::Digits)), "while the greeting plays");
    press_on(&mut rig, caller, "4929#", true);
    rig.finish_prompt();
    assert_eq!(kept(&mut rig).attributes[0].1, "4929");
    assert_eq!(last_mask(&rig), Some((caller, Masking::Off)));
    rig.caller_hangs_up(&mut call);
    rig.finish();

    // One who is sent elsewhere in the middle of that prompt is heard again.
    let mut rig = flow(&steps);
    let mut live = rig.dial("+15550102");
    let (call, caller) = (rig.last_call(), stream(&rig));
    assert_eq!(last_mask(&rig), Some((caller, Masking::Digits)));
    rig.request("acme", ApiRequest::Transfer { call, to: "sales".to_owned() }).unwrap();
    assert_eq!(last_mask(&rig), Some((caller, Masking::Off)));
    rig.caller_hangs_up(&mut live);
    rig.finish();
}
