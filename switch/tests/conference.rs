//! More than two in a call: further parties called in or brought along, taken out, muted and held
//! aside; who leaves, and when the call ends.

use std::net::SocketAddr;

use base::{CallId, LegId};
use media::{Channel, Command, Member, StreamId};
use switch::{ApiError, ApiReply, ApiRequest, Cause};

use crate::rig::agent::Asked;
use crate::rig::{ALICE, BOB, Call, DEMO, Phone, Rig, SDP_PCMU, TRUNK, sdp};

fn provisioning() -> String {
    DEMO.replace(
        "password = \"alice-secret\",",
        "password = \"alice-secret\", call_waiting = true,",
    )
}

/// A caller talks with Alice, and Bob has a phone.
fn connected() -> (Rig, Call, Phone) {
    let mut rig = Rig::with(&provisioning());
    rig.register_both();
    let (call, phone) = rig.connect_alice();
    (rig, call, phone)
}

fn asks(rig: &mut Rig, request: ApiRequest) {
    let reply = rig.request("acme", request);
    assert!(matches!(reply, Ok(ApiReply::Accepted)), "{reply:?}");
}

fn add(rig: &mut Rig, to: &str, ends_with_host: Option<bool>) -> Result<ApiReply, ApiError> {
    let (call, to) = (rig.last_call(), to.to_owned());
    rig.request("acme", ApiRequest::AddParticipant { call, to, ends_with_host })
}

/// Bob is called in and answers.
fn join_bob(rig: &mut Rig, ends_with_host: Option<bool>) -> Phone {
    assert!(matches!(add(rig, "bob", ends_with_host), Ok(ApiReply::Accepted)));
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("180 Ringing", None));
    rig.phone_answers(&bob);
    bob
}

/// Who is recorded, and on which side.
fn taps(rig: &Rig) -> Vec<(StreamId, Channel)> {
    let mut tapped: Vec<(StreamId, Channel)> = Vec::new();
    for command in &rig.commands {
        match command {
            Command::Tap { stream, channel, .. } => tapped.push((*stream, *channel)),
            Command::Untap { stream } | Command::Close { stream } => {
                tapped.retain(|(known, _)| known != stream);
            }
            _ => {}
        }
    }
    tapped
}

fn parties(streams: &[StreamId]) -> Vec<Member> {
    streams.iter().copied().map(Member::party).collect()
}

fn end(rig: &mut Rig, at: SocketAddr, phone: &mut Phone) {
    let bye = phone.next("BYE", None);
    rig.send(at, &bye);
    rig.expect(at, "SIP/2.0 200");
}

#[test]
fn a_third_party_is_called_in_and_the_call_has_one_record_of_all_legs() {
    let (mut rig, mut call, _) = connected();
    let bob = join_bob(&mut rig, None);
    let from = bob.invite.header(sip::Name::FROM).unwrap();
    assert!(from.contains("alice@acme.example"), "who has the call invites: {from}");
    let streams = rig.streams();
    assert_eq!(rig.mix().unwrap(), parties(&streams));
    let sides = [Channel::Left, Channel::Right, Channel::Right];
    assert_eq!(taps(&rig), streams.iter().copied().zip(sides).collect::<Vec<_>>());
    let joined = serde_json::json!({"leg": 3, "agent": "bob"});
    assert_eq!(rig.events_of("call.participant_joined"), [joined]);
    rig.expect_silence(ALICE);
    rig.expect_silence(TRUNK);

    // The caller leaves: Alice and Bob go on, in a bridge and on their side of the recording.
    rig.caller_hangs_up(&mut call);
    rig.expect_silence(ALICE);
    assert_eq!((rig.mix(), rig.bridged()), (None, Some((streams[2], streams[1]))));
    assert_eq!(taps(&rig), [(streams[1], Channel::Right), (streams[2], Channel::Right)]);
    let left = &rig.events_of("call.participant_left")[0];
    assert_eq!((&left["number"], &left["cause"]), (&"+4930123456".into(), &"normal".into()));
    let id = rig.last_call();
    asks(&mut rig, ApiRequest::EndCall { call: id });
    rig.confirm_bye(ALICE);
    rig.confirm_bye(BOB);
    rig.advance_ms(3000);
    assert_eq!((rig.record().legs.len(), rig.record().recordings.len()), (3, 1));
    assert_eq!(rig.record().cause, Cause::ApiRequest);
    rig.finish();
}

#[test]
fn the_agent_who_leaves_is_free_and_the_others_talk_until_one_is_alone() {
    let (mut rig, mut call, mut alice) = connected();
    let mut bob = join_bob(&mut rig, Some(false));
    let streams = rig.streams();
    end(&mut rig, ALICE, &mut alice);
    assert_eq!(rig.bridged(), Some((streams[0], streams[2])));
    let states = rig.events_of("agent.state_changed");
    let alices = states.iter().rev().find(|one| one["agent"] == "alice").unwrap();
    assert_eq!(alices["state"], "wrap_up", "the queue's figures hear that she is done");
    rig.expect_silence(TRUNK);
    end(&mut rig, BOB, &mut bob);
    rig.confirm_bye(TRUNK);
    rig.advance_ms(3000);
    assert_eq!((rig.record().cause, call.cseq), (Cause::Normal, call.cseq));
    call.cseq += 1;
    rig.finish();
}

#[test]
fn a_call_that_ends_with_its_host_does() {
    let (mut rig, _, mut alice) = connected();
    join_bob(&mut rig, Some(true));
    end(&mut rig, ALICE, &mut alice);
    rig.confirm_bye(BOB);
    rig.confirm_bye(TRUNK);
    rig.advance_ms(3000);
    assert_eq!(rig.record().ended_by, switch::EndedBy::Agent);
    rig.finish();
}

#[test]
fn whoever_is_called_in_may_not_come_and_nothing_changes_for_the_two() {
    let (mut rig, mut call, _) = connected();
    assert!(matches!(add(&mut rig, "alice", None), Err(ApiError::Conflict(_))));
    let nobody = add(&mut rig, "nobody", None);
    assert!(matches!(nobody, Err(ApiError::Refused { cause: Cause::NoRoute, .. })), "{nobody:?}");
    assert!(matches!(add(&mut rig, "support", None), Err(ApiError::Refused { .. })), "a queue");
    assert!(matches!(add(&mut rig, "bob", None), Ok(ApiReply::Accepted)));
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    assert!(matches!(add(&mut rig, "bob", None), Err(ApiError::Conflict(_))), "he rings");
    let asked = ApiRequest::Transfer { call: rig.last_call(), to: "+15550101".to_owned() };
    assert!(matches!(rig.request("acme", asked), Err(ApiError::Conflict(_))), "one at a time");
    rig.send(BOB, &bob.respond("486 Busy Here", None));
    rig.expect(BOB, "ACK");
    let failed = serde_json::json!({"to": "bob", "cause": "busy"});
    assert_eq!(rig.events_of("call.participant_failed"), [failed]);
    assert_eq!(rig.mix(), None);

    // One who rings is taken back.
    assert!(matches!(add(&mut rig, "bob", None), Ok(ApiReply::Accepted)));
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("180 Ringing", None));
    let leg = LegId(4);
    let id = rig.last_call();
    asks(&mut rig, ApiRequest::RemoveParticipant { call: id, leg });
    rig.confirm_cancel(&bob);
    let gone = rig.request("acme", ApiRequest::RemoveParticipant { call: id, leg });
    assert!(matches!(gone, Err(ApiError::NotFound)));
    let two = rig.request("acme", ApiRequest::RemoveParticipant { call: id, leg: LegId(2) });
    assert!(matches!(two, Err(ApiError::Conflict(_))), "two are no conference");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn the_call_ends_while_a_further_party_rings_and_nobody_is_left_behind() {
    let (mut rig, mut call, _) = connected();
    assert!(matches!(add(&mut rig, "bob", None), Ok(ApiReply::Accepted)));
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("180 Ringing", None));
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.expect(BOB, "CANCEL");
    rig.phone_answers(&bob);
    rig.confirm_bye(BOB);
    assert!(rig.events_of("call.participant_joined").is_empty());
    rig.finish();
}

#[test]
fn one_is_muted_and_one_held_aside_while_the_others_talk() {
    let (mut rig, mut call, _) = connected();
    let bob = join_bob(&mut rig, None);
    let (id, s) = (rig.last_call(), rig.streams());
    let mute = |rig: &mut Rig, leg, muted| {
        asks(rig, ApiRequest::Mute { call: id, leg: LegId(leg), muted });
    };
    mute(&mut rig, 2, true);
    mute(&mut rig, 2, true);
    let muted = Member { muted: true, ..Member::party(s[1]) };
    assert_eq!(rig.mix().unwrap(), [Member::party(s[0]), muted, Member::party(s[2])]);
    assert_eq!(taps(&rig).len(), 2, "what nobody hears is not recorded");
    mute(&mut rig, 2, false);
    assert_eq!(rig.mix().unwrap(), parties(&s));
    assert_eq!(taps(&rig).len(), 3);
    assert_eq!(rig.events_of("call.muted"), [serde_json::json!({"leg": 2, "agent": "alice"})]);
    assert_eq!(rig.events_of("call.unmuted").len(), 1);

    let hold = |rig: &mut Rig, leg, holds| {
        rig.request("acme", ApiRequest::HoldParticipant { call: id, leg: LegId(leg), holds })
    };
    assert!(hold(&mut rig, 1, true).is_ok());
    assert!(matches!(hold(&mut rig, 1, true), Err(ApiError::Conflict(_))));
    assert!(matches!(hold(&mut rig, 99, true), Err(ApiError::NotFound)));
    assert_eq!(rig.mix().unwrap(), parties(&s[1..]), "the agents confer");
    assert_eq!(rig.music(), [s[0]]);
    assert_eq!(rig.events_of("call.held"), [serde_json::json!({"by": "api", "leg": 1})]);
    assert!(hold(&mut rig, 1, false).is_ok());
    assert_eq!((rig.mix().unwrap(), rig.music()), (parties(&s), vec![]));

    // A phone that holds is out of it, and keeps nobody waiting.
    let mut bob = bob;
    let reinvite = bob.next("INVITE", Some(&sdp("inactive", bob.cseq)));
    rig.send(BOB, &reinvite);
    rig.expect(BOB, "SIP/2.0 200");
    assert_eq!(rig.music(), []);
    assert!(rig.mix().unwrap()[2].muted);
    asks(&mut rig, ApiRequest::RemoveParticipant { call: id, leg: LegId(3) });
    // Hung up with its ACK still to come: it does not keep the BYE.
    rig.confirm_bye(BOB);
    assert_eq!(rig.bridged(), Some((s[0], s[1])));
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn an_agents_phone_that_holds_in_a_conference_keeps_nobody_waiting_until_two_are_left() {
    let (mut rig, mut call, mut alice) = connected();
    let mut bob = join_bob(&mut rig, None);
    let s = rig.streams();
    let reinvite = alice.next("INVITE", Some(&sdp("sendonly", alice.cseq)));
    rig.send(ALICE, &reinvite);
    rig.expect(ALICE, "SIP/2.0 200");
    assert_eq!(rig.music(), [], "the caller talks with Bob");
    let holding = Member { muted: true, ..Member::party(s[1]) };
    assert_eq!(rig.mix().unwrap(), [Member::party(s[0]), holding, Member::party(s[2])]);
    end(&mut rig, BOB, &mut bob);
    assert_eq!(rig.music(), [s[0]], "held by the one who is left");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn two_who_talk_are_muted_and_one_of_them_held_without_a_third() {
    let (mut rig, mut call, _) = connected();
    let (id, s) = (rig.last_call(), rig.streams());
    asks(&mut rig, ApiRequest::Mute { call: id, leg: LegId(1), muted: true });
    let muted = Member { muted: true, ..Member::party(s[0]) };
    assert_eq!(rig.mix().unwrap(), [muted, Member::party(s[1])]);
    asks(&mut rig, ApiRequest::Mute { call: id, leg: LegId(1), muted: false });
    assert_eq!((rig.mix(), rig.bridged()), (None, Some((s[0], s[1]))));
    asks(&mut rig, ApiRequest::HoldParticipant { call: id, leg: LegId(1), holds: true });
    assert_eq!((rig.mix().unwrap(), rig.music()), (parties(&s[1..]), vec![s[0]]));
    asks(&mut rig, ApiRequest::HoldParticipant { call: id, leg: LegId(1), holds: false });
    assert_eq!((rig.bridged(), rig.music()), (Some((s[0], s[1])), vec![]));
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn a_party_whose_media_fails_is_taken_out_and_the_others_go_on() {
    let (mut rig, mut call, _) = connected();
    join_bob(&mut rig, None);
    let s = rig.streams();
    rig.media(media::Event::RtpTimeout { stream: s[2] });
    rig.confirm_bye(BOB);
    assert_eq!(rig.events_of("call.participant_left")[0]["cause"], "media_timeout");
    assert_eq!(rig.bridged(), Some((s[0], s[1])));
    // Of two who are left it ends the call, as ever.
    rig.media(media::Event::RtpTimeout { stream: s[1] });
    rig.confirm_bye(ALICE);
    rig.confirm_bye(TRUNK);
    rig.advance_ms(3000);
    assert_eq!(rig.record().cause, Cause::MediaTimeout);
    call.cseq += 1;
    rig.finish();
}

#[test]
fn a_further_party_that_falls_silent_or_sends_no_sound_is_told_of_searched_for_and_asked() {
    let (mut rig, mut call, _) = connected();
    let mut bob = join_bob(&mut rig, None);
    let stream = rig.streams()[2];
    rig.media(media::Event::Soundless { stream, heard: false });
    let told = rig.events_of("call.audio_silent");
    assert_eq!((told.len(), &told[0]["kind"]), (1, &"agent".into()));
    let reinvite = rig.expect(BOB, "INVITE");
    rig.send(BOB, &crate::rig::answer(&reinvite, BOB, "200 OK", "", Some(SDP_PCMU)));
    rig.expect(BOB, "ACK");
    rig.media(media::Event::SoundAgain { stream });
    assert_eq!(rig.events_of("call.audio_restored").len(), 1);
    let quiet = base::Duration::from_secs(3);
    rig.media(media::Event::Unheard { stream, quiet, heard: true });
    assert_eq!(rig.events_of("call.audio_lost").len(), 1);
    let searched = |c: &Command| matches!(c, Command::Relatch { stream: s } if *s == stream);
    assert!(rig.commands.iter().any(searched));
    end(&mut rig, BOB, &mut bob);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    let audio = rig.record().legs[2].audio.expect("Bob's");
    assert_eq!((audio.times, audio.silent, audio.restored), (2, 1, false));
    rig.finish();
}

/// Alice, who talks with a caller, calls Bob beside it; Bob answers. Gives her second dialog.
fn consult(rig: &mut Rig) -> (Asked, CallId) {
    let mut second = rig.agent_dials(ALICE, "alice", "bob", "");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.phone_answers(&bob);
    let ok = rig.expect_final(ALICE);
    rig.agent_acks(&mut second, &ok);
    (second, rig.last_call())
}

#[test]
fn two_calls_of_an_agent_become_one_conference() {
    let (mut rig, mut call, _) = connected();
    let first = rig.last_call();
    let (_, second) = consult(&mut rig);
    let merge = |rig: &mut Rig, call, other, tenant| {
        rig.request(tenant, ApiRequest::Merge { call, other, ends_with_host: None })
    };
    assert!(matches!(merge(&mut rig, first, second, "globex"), Err(ApiError::NotFound)));
    assert!(matches!(merge(&mut rig, first, first, "acme"), Err(ApiError::Conflict(_))));
    assert!(merge(&mut rig, first, second, "acme").is_ok());
    rig.confirm_bye(ALICE);
    rig.expect_silence(BOB);
    rig.expect_silence(TRUNK);
    let s = rig.streams();
    assert_eq!(rig.mix().unwrap(), parties(&[s[0], s[1], s[3]]), "the caller, Alice, Bob");
    rig.advance_ms(3000);
    assert_eq!((rig.records[0].call, rig.records[0].cause), (second, Cause::Transferred));
    rig.caller_hangs_up(&mut call);
    assert_eq!(rig.bridged(), Some((s[3], s[1])));
    asks(&mut rig, ApiRequest::EndCall { call: first });
    rig.confirm_bye(ALICE);
    rig.confirm_bye(BOB);
    rig.finish();
}

#[test]
fn a_conference_is_not_sent_on_whole() {
    let (mut rig, mut call, mut alice) = connected();
    join_bob(&mut rig, None);
    let id = rig.last_call();
    let asked = ApiRequest::Transfer { call: id, to: "+15550101".to_owned() };
    assert!(matches!(rig.request("acme", asked), Err(ApiError::Conflict(_))));
    rig.send(ALICE, &alice.refer("<sip:bob@acme.example>"));
    rig.expect(ALICE, "SIP/2.0 603");
    asks(&mut rig, ApiRequest::EndCall { call: id });
    for at in [ALICE, BOB, TRUNK] {
        rig.confirm_bye(at);
    }
    call.cseq += 1;
    rig.finish();
}
