//! Supervisors in a conversation: who may, in which role they are in the mix, and what becomes of
//! them when the call moves or ends.

use media::{Command, Member, Role, StreamId};
use routing::Supervision::{self, Barge, Listen, Whisper};
use switch::{ApiError, ApiReply, ApiRequest, Cause, LegKind};

use crate::rig::agent::Asked;
use crate::rig::{ALICE, BOB, Call, DEMO, Phone, Rig, TRUNK, address, sdp};

const SUE: std::net::SocketAddr = address([127, 0, 0, 20], 5060);

fn provisioning() -> String {
    DEMO.replace(
        "agents = [\n",
        "listen_code = \"*31\"\nwhisper_code = \"*32\"\nagents = [\n\
         { id = \"sue\", password = \"sue-secret\", supervises = [\"sales\"] },\n",
    )
}

/// A caller talks with Alice; Bob and the supervisor Sue have phones.
fn connected() -> (Rig, Call, Phone) {
    connected_as(&provisioning())
}

fn connected_as(provisioning: &str) -> (Rig, Call, Phone) {
    let mut rig = Rig::with(provisioning);
    rig.register_both();
    rig.register(SUE, "sue");
    let (call, phone) = rig.connect_alice();
    (rig, call, phone)
}

fn supervise(rig: &mut Rig, by: &str, mode: Supervision) -> Result<ApiReply, ApiError> {
    let (call, agent) = (rig.last_call(), by.parse().unwrap());
    rig.request("acme", ApiRequest::Supervise { call, agent, mode, of: None })
}

fn ring_sue(rig: &mut Rig, mode: Supervision) -> Phone {
    let reply = supervise(rig, "sue", mode);
    assert!(matches!(reply, Ok(ApiReply::Rings(_))), "{reply:?}");
    Phone::new(SUE, rig.expect(SUE, "INVITE"))
}

fn join_sue(rig: &mut Rig, mode: Supervision) -> Phone {
    let sue = ring_sue(rig, mode);
    rig.phone_answers(&sue);
    sue
}

fn party(stream: StreamId) -> Member {
    Member::party(stream)
}

fn placed(stream: StreamId, role: Role) -> Member {
    Member { stream, role, muted: false }
}

fn hang_up_all(rig: &mut Rig, call: &mut Call, others: &[std::net::SocketAddr]) {
    rig.caller_hangs_up(call);
    for other in others {
        rig.confirm_bye(*other);
    }
    rig.advance_ms(3000);
}

#[test]
fn a_whisper_is_in_the_mix_as_a_coach_from_its_first_order_on_and_nothing_before() {
    let (mut rig, mut call, _) = connected();
    let before = rig.commands.len();
    let sue = ring_sue(&mut rig, Whisper);
    assert!(sue.invite.header(sip::Name::FROM).unwrap().contains("alice@acme.example"));
    rig.send(SUE, &sue.respond("180 Ringing", None));
    let streams = rig.streams();
    let joins = |rig: &Rig| {
        let joining = |c: &&Command| matches!(c, Command::Bridge { .. } | Command::Mix { .. });
        rig.commands[before..].iter().filter(joining).count()
    };
    assert_eq!(joins(&rig), 0, "while it rings nothing changes");
    rig.phone_answers(&sue);
    assert_eq!(joins(&rig), 1, "one order puts all of them in their places");
    let coach = placed(streams[2], Role::Coach { of: streams[1] });
    assert_eq!(rig.mix().unwrap(), [party(streams[0]), party(streams[1]), coach]);
    let told = serde_json::json!({"leg": 3, "agent": "sue", "mode": "whisper", "of": "alice"});
    assert_eq!(rig.events_of("call.supervised"), [told]);
    assert_eq!(rig.events_of("call.held"), [] as [serde_json::Value; 0]);

    hang_up_all(&mut rig, &mut call, &[ALICE, SUE]);
    assert_eq!(rig.mix(), None);
    let ended = &rig.events_of("call.supervision_ended")[0];
    assert_eq!((&ended["agent"], &ended["cause"]), (&"sue".into(), &"normal".into()));
    let legs = &rig.record().legs;
    assert_eq!(legs.iter().map(|leg| leg.kind).collect::<Vec<_>>()[2], LegKind::Supervisor);
    assert_eq!(rig.record().agent.as_ref().unwrap().as_str(), "alice");
    rig.finish();
}

#[test]
fn modes_change_in_place_and_the_recording_has_the_supervisor_in_barge_alone() {
    let (mut rig, mut call, _) = connected();
    join_sue(&mut rig, Listen);
    let (id, streams) = (rig.last_call(), rig.streams());
    let taps = |rig: &Rig| {
        let mut tapped = Vec::new();
        for command in &rig.commands {
            match command {
                Command::Tap { stream, channel, .. } => tapped.push((*stream, *channel)),
                Command::Untap { stream } => tapped.retain(|(known, _)| known != stream),
                _ => {}
            }
        }
        tapped
    };
    let change = |rig: &mut Rig, mode| {
        let agent = "sue".parse().unwrap();
        let asked = ApiRequest::ChangeSupervision { call: id, agent, mode };
        assert!(matches!(rig.request("acme", asked), Ok(ApiReply::Accepted)));
    };
    let two = [(streams[0], media::Channel::Left), (streams[1], media::Channel::Right)];
    for (mode, role) in [
        (Listen, Role::Listener),
        (Whisper, Role::Coach { of: streams[1] }),
        (Barge, Role::Party),
        (Listen, Role::Listener),
    ] {
        change(&mut rig, mode);
        assert_eq!(rig.mix().unwrap()[2], placed(streams[2], role), "{mode:?}");
        let recorded = taps(&rig);
        assert_eq!(recorded[..2], two, "{mode:?}");
        let is_recorded = recorded.get(2) == Some(&(streams[2], media::Channel::Right));
        assert_eq!(is_recorded, mode == Barge, "{mode:?}: {recorded:?}");
    }
    assert_eq!(rig.events_of("call.supervision_changed").len(), 3, "the first was no change");
    hang_up_all(&mut rig, &mut call, &[ALICE, SUE]);
    rig.finish();
}

#[test]
fn a_supervisor_who_hangs_up_leaves_the_two_as_they_were() {
    let (mut rig, mut call, _) = connected();
    let streams = rig.streams();
    assert_eq!(rig.bridged(), Some((streams[0], streams[1])));
    let mut sue = join_sue(&mut rig, Barge);
    assert_eq!(rig.bridged(), None);
    let bye = sue.next("BYE", None);
    rig.send(SUE, &bye);
    rig.expect(SUE, "SIP/2.0 200");
    assert_eq!(rig.mix(), None);
    assert_eq!(rig.bridged(), Some((streams[0], streams[1])));
    rig.expect_silence(ALICE);
    rig.expect_silence(TRUNK);

    // Once more, and the API lets them go.
    join_sue(&mut rig, Listen);
    let (call_id, agent) = (rig.last_call(), "sue".parse().unwrap());
    let asked = ApiRequest::EndSupervision { call: call_id, agent };
    assert!(matches!(rig.request("acme", asked.clone()), Ok(ApiReply::Accepted)));
    rig.confirm_bye(SUE);
    assert!(matches!(rig.request("acme", asked), Err(ApiError::NotFound)));
    hang_up_all(&mut rig, &mut call, &[ALICE]);
    assert_eq!(rig.record().cause, Cause::Normal);
    rig.finish();
}

#[test]
fn only_who_has_the_right_supervises_and_only_what_talks() {
    let (mut rig, mut call, _) = connected();
    let is_forbidden = |reply: Result<ApiReply, ApiError>| {
        matches!(reply, Err(ApiError::Refused { cause: Cause::Forbidden, .. }))
    };
    assert!(is_forbidden(supervise(&mut rig, "bob", Listen)), "bob supervises nothing");
    assert!(matches!(supervise(&mut rig, "gina", Listen), Err(ApiError::NotFound)));
    let (id, agent) = (rig.last_call(), "gina".parse().unwrap());
    let foreign = ApiRequest::Supervise { call: id, agent, mode: Listen, of: None };
    assert!(matches!(rig.request("globex", foreign), Err(ApiError::NotFound)));
    let (agent, of) = ("sue".parse().unwrap(), Some("bob".parse().unwrap()));
    let other = ApiRequest::Supervise { call: id, agent, mode: Listen, of };
    assert!(matches!(rig.request("acme", other), Err(ApiError::Conflict(_))), "bob is elsewhere");
    rig.expect_silence(SUE);

    join_sue(&mut rig, Listen);
    assert!(matches!(supervise(&mut rig, "sue", Listen), Err(ApiError::Conflict(_))), "twice");
    hang_up_all(&mut rig, &mut call, &[ALICE, SUE]);

    let mut call = rig.dial("+15550100");
    assert!(supervise(&mut rig, "sue", Listen).is_err(), "nobody talks yet");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_phone_that_does_not_answer_or_refuses_leaves_no_trace_but_its_event() {
    let (mut rig, mut call, _) = connected();
    let sue = ring_sue(&mut rig, Listen);
    rig.send(SUE, &sue.respond("180 Ringing", None));
    rig.advance_ms(45_000);
    rig.confirm_cancel(&sue);
    let failed =
        |rig: &Rig, at: usize| rig.events_of("call.supervision_failed")[at]["cause"].clone();
    assert_eq!(failed(&rig, 0), "no_answer");
    let sue = ring_sue(&mut rig, Listen);
    rig.send(SUE, &sue.respond("486 Busy Here", None));
    rig.expect(SUE, "ACK");
    assert_eq!(failed(&rig, 1), "busy");
    let unreadable = ring_sue(&mut rig, Listen);
    rig.send(SUE, &unreadable.respond("200 OK", None));
    rig.expect(SUE, "ACK");
    rig.confirm_bye(SUE);
    assert_eq!(rig.events_of("call.supervision_failed").len(), 3);
    assert_eq!(rig.mix(), None);
    rig.expect_silence(ALICE);
    hang_up_all(&mut rig, &mut call, &[ALICE]);
    assert_eq!(rig.record().legs.len(), 2);
    rig.finish();
}

#[test]
fn a_supervisor_who_answers_as_the_call_ends_is_hung_up_at_once() {
    let (mut rig, mut call, _) = connected();
    let sue = ring_sue(&mut rig, Barge);
    rig.send(SUE, &sue.respond("180 Ringing", None));
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.expect(SUE, "CANCEL");
    // The 200 crossed the CANCEL.
    rig.phone_answers(&sue);
    rig.confirm_bye(SUE);
    assert!(rig.events_of("call.supervised").is_empty());
    assert_eq!(rig.mix(), None);
    rig.finish();
}

#[test]
fn while_the_agent_holds_the_caller_the_supervisor_stays_with_the_agent() {
    let (mut rig, mut call, mut alice) = connected();
    join_sue(&mut rig, Whisper);
    let (id, streams) = (rig.last_call(), rig.streams());
    let coach = placed(streams[2], Role::Coach { of: streams[1] });
    let hold = |rig: &mut Rig, holds| {
        let reply = rig.request("acme", ApiRequest::Hold { call: id, holds });
        assert!(matches!(reply, Ok(ApiReply::Accepted)), "{reply:?}");
    };
    hold(&mut rig, true);
    assert_eq!(rig.mix().unwrap(), [party(streams[1]), coach]);
    assert_eq!(rig.last_play().unwrap().0, streams[0], "the caller hears music");
    hold(&mut rig, false);
    assert_eq!(rig.mix().unwrap(), [party(streams[0]), party(streams[1]), coach]);

    // The phone's own hold: what it sends then is heard by nobody.
    let reinvite = alice.next("INVITE", Some(&sdp("sendonly", alice.cseq)));
    rig.send(ALICE, &reinvite);
    rig.expect(ALICE, "SIP/2.0 200");
    let holding = Member { muted: true, ..party(streams[1]) };
    assert_eq!(rig.mix().unwrap(), [party(streams[0]), holding, coach]);
    hang_up_all(&mut rig, &mut call, &[ALICE, SUE]);
    rig.finish();
}

#[test]
fn a_whisper_follows_a_transfer_to_the_next_agent_and_never_reaches_the_caller() {
    let (mut rig, mut call, _) = connected();
    join_sue(&mut rig, Whisper);
    let (id, streams) = (rig.last_call(), rig.streams());
    let asked = ApiRequest::Transfer { call: id, to: "bob".to_owned() };
    assert!(matches!(rig.request("acme", asked), Ok(ApiReply::Accepted)));
    let coach = |of: usize| placed(streams[2], Role::Coach { of: rig_stream(&streams, of) });
    assert_eq!(rig.mix().unwrap(), [party(streams[1]), coach(1)], "the caller hears music");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    let all = rig.streams();
    rig.phone_answers(&bob);
    rig.confirm_bye(ALICE);
    let next = placed(all[2], Role::Coach { of: all[3] });
    assert_eq!(rig.mix().unwrap(), [party(all[0]), party(all[3]), next]);
    for command in &rig.commands {
        if let Command::Mix { members, .. } = command {
            let heard = members.iter().find(|one| one.stream == all[2]).unwrap();
            assert!(!heard.is_heard_by(all[0]), "{members:?}");
        }
    }
    assert!(rig.events_of("call.supervision_ended").is_empty());
    hang_up_all(&mut rig, &mut call, &[BOB, SUE]);
    rig.finish();
}

fn rig_stream(streams: &[StreamId], at: usize) -> StreamId {
    streams[at]
}

#[test]
fn when_no_agent_is_left_in_it_supervision_ends() {
    let (mut rig, mut call, _) = connected();
    join_sue(&mut rig, Listen);
    let asked = ApiRequest::Transfer { call: rig.last_call(), to: "+15550101".to_owned() };
    assert!(matches!(rig.request("acme", asked), Ok(ApiReply::Accepted)));
    rig.confirm_bye(ALICE);
    rig.confirm_bye(SUE);
    assert_eq!(rig.events_of("call.supervision_ended")[0]["cause"], "normal");
    assert_eq!(rig.mix(), None);
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.phone_answers(&bob);
    let streams = rig.streams();
    assert_eq!(rig.bridged(), Some((streams[0], streams[3])));
    hang_up_all(&mut rig, &mut call, &[BOB]);
    rig.finish();
}

#[test]
fn a_supervisor_dials_the_code_and_is_in_the_conversation_as_it_says() {
    let (mut rig, mut call, _) = connected();
    let id = rig.last_call();
    let mut dialled = rig.agent_dials(SUE, "sue", "*32alice", "");
    let ok = rig.expect_final(SUE);
    assert_eq!(ok.status().unwrap().as_u16(), 200);
    rig.agent_acks(&mut dialled, &ok);
    let streams = rig.streams();
    let coach = placed(streams[2], Role::Coach { of: streams[1] });
    assert_eq!(rig.mix().unwrap(), [party(streams[0]), party(streams[1]), coach]);
    assert!(rig.story(id).contains(&"call.supervised"));
    assert_eq!(rig.records[0].cause, Cause::PickedUp, "what is left of the INVITE's own call");
    rig.expect_silence(ALICE);
    rig.agent_hangs_up(&mut dialled, "");
    assert_eq!(rig.bridged(), Some((streams[0], streams[1])));

    // Who may not is told so, whether anybody talks or not.
    for (who, at, code, status) in
        [("bob", BOB, "*31alice", 403), ("sue", SUE, "*31bob", 480), ("sue", SUE, "*31nobody", 404)]
    {
        let asked: Asked = rig.agent_dials(at, who, code, "");
        let refused = rig.expect_final(at);
        assert_eq!(refused.status().unwrap().as_u16(), status, "{who} {code}");
        let ack = asked.ack(&refused);
        rig.send(at, &ack);
    }
    hang_up_all(&mut rig, &mut call, &[ALICE]);
    rig.finish();
}

#[test]
fn queues_pass_a_supervisor_over_and_agents_hear_of_one_where_the_tenant_says_so() {
    let told = provisioning().replace("listen_code", "tells_supervision = true\nlisten_code");
    for (provisioning, tones) in [(provisioning(), 0), (told, 1)] {
        let (mut rig, mut call, _) = connected_as(&provisioning);
        let streams = rig.streams();
        let before = rig.commands.len();
        join_sue(&mut rig, Listen);
        let plays = rig.commands[before..].iter().filter(|command| {
            matches!(command, Command::Play { stream, looped: false, .. } if *stream == streams[1])
        });
        assert_eq!(plays.count(), tones);
        let ApiReply::Agents(agents) = rig.request("acme", ApiRequest::Agents).unwrap() else {
            panic!("no agents");
        };
        let sue = agents.iter().find(|agent| agent.id.as_str() == "sue").unwrap();
        assert_eq!(sue.direct_calls.len(), 1);
        hang_up_all(&mut rig, &mut call, &[ALICE, SUE]);
        rig.finish();
    }
}

#[test]
fn a_supervisors_lost_media_or_phone_ends_supervision_and_nothing_else() {
    let (mut rig, mut call, _) = connected();
    join_sue(&mut rig, Listen);
    let stream = rig.streams()[2];
    rig.media(media::Event::RtpTimeout { stream });
    assert!(rig.mix().is_some(), "who only listens need not send");
    let (id, agent) = (rig.last_call(), "sue".parse().unwrap());
    let asked = ApiRequest::ChangeSupervision { call: id, agent, mode: Barge };
    rig.request("acme", asked).unwrap();
    rig.media(media::Event::RtpTimeout { stream });
    rig.confirm_bye(SUE);
    assert_eq!(rig.events_of("call.supervision_ended")[0]["cause"], "media_timeout");
    // The next one's port is not to be had at all.
    rig.bad_opens = 9;
    assert!(supervise(&mut rig, "sue", Listen).is_ok());
    assert_eq!(rig.events_of("call.supervision_failed")[0]["cause"], "media_failed");
    rig.bad_opens = 0;
    rig.expect_silence(ALICE);
    hang_up_all(&mut rig, &mut call, &[ALICE]);
    rig.finish();
}

#[test]
fn a_live_call_shows_its_legs_with_their_parts() {
    let (mut rig, mut call, _) = connected();
    join_sue(&mut rig, Whisper);
    let id = rig.last_call();
    let stream = rig.streams()[1];
    let stats = Box::new(crate::rig::stats());
    rig.media(media::Event::Figures { stream, stats });
    let ApiReply::Call(live) = rig.request("acme", ApiRequest::Call { call: id }).unwrap() else {
        panic!("no call");
    };
    let kinds: Vec<LegKind> = live.legs.iter().map(|leg| leg.kind).collect();
    assert_eq!(kinds, [LegKind::Caller, LegKind::Agent, LegKind::Supervisor]);
    assert!(live.legs.iter().all(|leg| leg.answered && !leg.held && !leg.muted));
    assert_eq!(live.legs[2].mode, Some(Whisper));
    assert_eq!(live.legs[1].stats.as_ref().unwrap().packets_lost, 1);
    assert!(live.legs[0].stats.is_none() && !live.held);
    hang_up_all(&mut rig, &mut call, &[ALICE, SUE]);
    rig.finish();
}

#[test]
fn poor_audio_is_told_once_and_told_again_when_it_is_good() {
    let (mut rig, mut call, _) = connected();
    let stream = rig.streams()[1];
    for mos_centi in [420, 315, 305, 320, 290, 355, 360, 410, 0] {
        let stats = Box::new(media::StreamStats { mos_centi, ..crate::rig::stats() });
        rig.media(media::Event::Figures { stream, stats });
    }
    let told = rig.events_of("call.quality");
    let said: Vec<_> =
        told.iter().map(|one| (one["quality"].clone(), one["mos"].clone())).collect();
    assert_eq!(said, [("poor".into(), 3.05.into()), ("good".into(), 3.6.into())]);
    assert_eq!(told[0]["agent"], "alice");
    hang_up_all(&mut rig, &mut call, &[ALICE]);
    rig.finish();
}

#[test]
fn talkers_are_told_where_the_tenant_wants_it_at_most_twice_a_second_and_the_last_word_comes() {
    let wanted = provisioning().replace("listen_code", "tells_talking = true\nlisten_code");
    for (provisioning, is_told) in [(provisioning(), false), (wanted, true)] {
        let (mut rig, mut call, _) = connected_as(&provisioning);
        join_sue(&mut rig, Barge);
        let stream = rig.streams()[0];
        for n in 0..11 {
            rig.media(media::Event::Talking { stream, talking: n % 2 == 0 });
            rig.advance_ms(10);
        }
        assert_eq!(rig.events_of("call.talking").len(), usize::from(is_told));
        rig.media(media::Event::Talking { stream, talking: false });
        rig.advance_ms(600);
        let told = rig.events_of("call.talking");
        assert_eq!(told.len(), if is_told { 2 } else { 0 });
        if is_told {
            assert_eq!((&told[0]["talking"], &told[1]["talking"]), (&true.into(), &false.into()));
            assert_eq!(told[0]["number"], "+4930123456");
        }
        rig.media(media::Event::Talking { stream, talking: true });
        hang_up_all(&mut rig, &mut call, &[ALICE, SUE]);
        rig.finish();
    }
}

#[test]
fn an_attended_transfer_during_a_whisper_lets_the_supervisor_follow() {
    let call_waiting = provisioning().replace(
        "password = \"alice-secret\",",
        "password = \"alice-secret\", call_waiting = true,",
    );
    let (mut rig, mut call, mut alice) = connected_as(&call_waiting);
    join_sue(&mut rig, Whisper);
    let mut second = rig.agent_dials(ALICE, "alice", "bob", "");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.phone_answers(&bob);
    let ok = rig.expect_final(ALICE);
    rig.agent_acks(&mut second, &ok);
    let replaces = format!(
        "<sip:bob@{}?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3D{}>",
        crate::rig::SWITCH,
        second.call_id,
        second.to_tag,
        second.tag
    );
    rig.send(ALICE, &alice.refer(&replaces));
    rig.expect(ALICE, "SIP/2.0 202");
    rig.confirm_bye(ALICE);
    rig.confirm(ALICE, "NOTIFY");
    rig.confirm_bye(ALICE);
    let s = rig.streams();
    let coach = placed(s[2], Role::Coach { of: s[4] });
    assert_eq!(rig.mix().unwrap(), [party(s[0]), party(s[4]), coach], "the caller, Bob, Sue");
    hang_up_all(&mut rig, &mut call, &[BOB, SUE]);
    rig.finish();
}
