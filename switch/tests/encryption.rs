//! Keys of SRTP in SDP: who is offered some, whose are taken, and who is refused for want of them.

use media::srtp::{MasterKey, Profile, SrtpKeys};
use media::{Command, StreamId};
use switch::Cause;

use crate::rig::{ALICE, Call, DEMO, Phone, Rig, SDP_PCMU, TRUNK};

const KEY: &str = "AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
const OTHER_KEY: &str = "AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";

/// The demo, with what a trunk and the tenant's phones are to do.
fn rig(trunk: &str, phones: &str) -> Rig {
    let trunk = format!("sources = [\"127.0.0.2\"]\nencryption = \"{trunk}\"");
    let tenant = format!("domain = \"acme.example\"\nencryption = \"{phones}\"");
    let mut rig = Rig::with(
        &DEMO
            .replace("sources = [\"127.0.0.2\"]", &trunk)
            .replace("domain = \"acme.example\"", &tenant),
    );
    rig.register(ALICE, "alice");
    rig
}

/// A description with a key, of that protocol.
fn secured(proto: &str, tag: u32, key: &str) -> String {
    format!("{}a=crypto:{tag} {key}\r\n", SDP_PCMU.replace("RTP/AVP", proto))
}

fn body(message: &sip::Message) -> String {
    String::from_utf8_lossy(&message.body()).into_owned()
}

/// What the plane was told last about a stream's keys.
fn keys_of(rig: &Rig, stream: StreamId) -> Option<SrtpKeys> {
    let told = rig.commands.iter().rev().find_map(|command| match command {
        Command::SetRemote { stream: told, srtp, .. } if *told == stream => Some(srtp.as_deref()),
        _ => None,
    });
    told.unwrap().cloned()
}

/// A caller with that description gets its 200 and confirms it.
fn dial(rig: &mut Rig, sdp: &str) -> (Call, String) {
    let mut call = Call::new(rig, TRUNK, "+15550100").with_sdp(sdp);
    rig.send(TRUNK, &call.invite());
    let ok = rig.caller_is_answered(&mut call);
    rig.finish_prompt();
    (call, body(&ok))
}

fn refused(rig: &mut Rig, sdp: &str) {
    let call = Call::new(rig, TRUNK, "+15550100").with_sdp(sdp);
    rig.refuses(&call, &call.invite(), "SIP/2.0 488");
}

#[test]
fn a_carrier_with_keys_and_a_phone_without_talk_and_the_record_says_which_leg_was_encrypted() {
    let mut rig = rig("accepted", "accepted");
    let (mut call, ok) = dial(&mut rig, &secured("RTP/SAVP", 4, KEY));
    assert!(ok.contains("m=audio") && ok.contains("RTP/SAVP 0 101\r\n"), "{ok}");
    assert!(ok.contains("a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:"), "{ok}");
    let phone = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    assert!(!body(&phone.invite).contains("a=crypto"), "{}", body(&phone.invite));
    rig.phone_answers(&phone);
    let streams = rig.streams();
    let keys = keys_of(&rig, streams[0]).unwrap();
    assert_eq!(keys.theirs.profile(), Profile::AesCm128HmacSha1_80);
    assert_eq!(keys_of(&rig, streams[1]), None);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    let srtp: Vec<_> = rig.record().legs.iter().map(|leg| leg.srtp).collect();
    assert_eq!(srtp, [Some(Profile::AesCm128HmacSha1_80), None]);
    rig.finish();
}

#[test]
fn who_insists_is_refused_by_who_does_none_and_the_other_way_round() {
    let mut off = rig("off", "accepted");
    refused(&mut off, &secured("RTP/SAVP", 1, KEY));
    let (mut call, ok) = dial(&mut off, &secured("RTP/AVP", 1, KEY));
    assert!(!ok.contains("a=crypto"), "it was free to say no: {ok}");
    off.caller_hangs_up(&mut call);
    off.finish();

    let mut required = rig("required", "accepted");
    refused(&mut required, SDP_PCMU);
    let unknown = secured("RTP/SAVP", 1, "F8_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODw==");
    refused(&mut required, &unknown);
    required.finish();
}

#[test]
fn a_key_that_packets_name_is_taken_and_ours_is_named_in_the_same_way() {
    let mut rig = rig("accepted", "accepted");
    let (mut call, ok) = dial(&mut rig, &secured("RTP/SAVP", 2, &format!("{KEY}|2^31|1:1")));
    let line = ok.lines().find(|line| line.starts_with("a=crypto:2 ")).unwrap();
    assert!(line.ends_with("|1:1"), "{line}");
    let stream = rig.streams()[0];
    let keys = keys_of(&rig, stream).unwrap();
    assert_eq!((name(&keys.ours), name(keys.theirs.first())), (vec![1], vec![1]));
    rig.caller_hangs_up(&mut call);
    rig.expect(ALICE, "INVITE");
}

/// How packets name a key.
fn name(key: &MasterKey) -> Vec<u8> {
    key.mki().unwrap().bytes().collect()
}

#[test]
fn all_keys_of_a_line_are_taken_by_their_names_and_a_line_whose_keys_have_none_is_passed_over() {
    let more = OTHER_KEY.split_once(' ').unwrap().1;
    let unnamed = format!("{KEY};{more}");
    let mut stern = rig("required", "accepted");
    refused(&mut stern, &secured("RTP/SAVP", 1, &unnamed));
    stern.finish();
    let mut rig = rig("required", "accepted");
    let named = format!("{KEY}|2^20|1:2;{more}|2^20|258:2");
    let both = format!("{}a=crypto:2 {named}\r\n", secured("RTP/SAVP", 1, &unnamed));
    let (mut call, ok) = dial(&mut rig, &both);
    let line = ok.lines().find(|line| line.starts_with("a=crypto:")).unwrap();
    let taken = line.starts_with("a=crypto:2 ") && line.ends_with("|1:2") && !line.contains(';');
    assert!(taken, "our one key, named like their first: {line}");
    let stream = rig.streams()[0];
    let keys = keys_of(&rig, stream).unwrap();
    assert_eq!(keys.theirs.iter().map(name).collect::<Vec<_>>(), [vec![0, 1], vec![1, 2]]);
    assert_eq!(name(&keys.ours), [0, 1]);
    rig.caller_hangs_up(&mut call);
    rig.expect(ALICE, "INVITE");
}

#[test]
fn a_phone_that_answers_our_offer_with_several_keys_is_heard_by_any_of_them() {
    let mut rig = rig("off", "required");
    let (mut call, _) = dial(&mut rig, SDP_PCMU);
    let phone = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    let more = OTHER_KEY.split_once(' ').unwrap().1;
    let answer = secured("RTP/SAVP", 3, &format!("{KEY}|1:1;{more}|2:1"));
    rig.send(ALICE, &phone.respond("200 OK", Some(&answer)));
    rig.expect(ALICE, "ACK");
    let stream = rig.streams()[1];
    let keys = keys_of(&rig, stream).unwrap();
    assert_eq!(keys.theirs.iter().map(name).collect::<Vec<_>>(), [[1], [2]]);
    assert_eq!(keys.ours.mki(), None, "ours is as we offered it");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn phones_are_offered_keys_when_they_are_preferred_and_may_do_without() {
    for takes in [true, false] {
        let mut rig = rig("off", "preferred");
        let (mut call, _) = dial(&mut rig, SDP_PCMU);
        let phone = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
        let offer = body(&phone.invite);
        assert!(offer.contains("RTP/AVP 0 111 9 8 101 110\r\n"), "{offer}");
        assert!(offer.contains("a=crypto:1 AEAD_AES_256_GCM inline:"), "{offer}");
        assert!(phone.invite.bytes().len() < 1300, "it still fits into a datagram");
        let answer = if takes { secured("RTP/AVP", 3, KEY) } else { SDP_PCMU.to_owned() };
        rig.send(ALICE, &phone.respond("200 OK", Some(&answer)));
        rig.expect(ALICE, "ACK");
        let stream = rig.streams()[1];
        assert_eq!(keys_of(&rig, stream).is_some(), takes);
        rig.caller_hangs_up(&mut call);
        rig.confirm_bye(ALICE);
        rig.finish();
    }
}

#[test]
fn a_phone_that_must_encrypt_and_answers_in_the_clear_is_hung_up_on() {
    let mut rig = rig("off", "required");
    let (mut call, _) = dial(&mut rig, SDP_PCMU);
    let phone = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    assert!(
        body(&phone.invite).contains("RTP/SAVP 0 111 9 8 101 110\r\n"),
        "{}",
        body(&phone.invite)
    );
    rig.phone_answers(&phone);
    rig.confirm_bye(ALICE);
    let stream = rig.streams()[1];
    let told = |command: &Command| {
        matches!(command, Command::SetRemote { stream: told, .. }
        if *told == stream)
    };
    assert!(!rig.commands.iter().any(told), "not a packet goes to it");
    rig.caller_hangs_up(&mut call);
    assert_eq!(rig.record().cause, Cause::CallerAbandoned);
    rig.finish();
}

#[test]
fn in_a_call_a_new_key_replaces_the_old_and_none_is_no_way_out_of_encryption() {
    let mut rig = rig("required", "accepted");
    let (mut call, first) = dial(&mut rig, &secured("RTP/SAVP", 1, KEY));
    let phone = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.phone_answers(&phone);
    let stream = rig.streams()[0];
    let before = keys_of(&rig, stream).unwrap();

    let reinvite = call.next("INVITE", Some(&secured("RTP/SAVP", 1, OTHER_KEY)));
    rig.send(TRUNK, &reinvite);
    let ok = rig.caller_is_answered(&mut call);
    let after = keys_of(&rig, stream).unwrap();
    assert_ne!(before.theirs, after.theirs);
    assert_eq!(before.ours, after.ours);
    let line = |sdp: &str| sdp.lines().find(|line| line.starts_with("a=crypto")).map(str::to_owned);
    assert_eq!(line(&first), line(&body(&ok)), "ours is the same: nobody has to change");

    let plain = call.next("INVITE", Some(SDP_PCMU));
    rig.send(TRUNK, &plain);
    let refused = rig.expect(TRUNK, "SIP/2.0 488");
    rig.send(TRUNK, &call.ack_refusal(&refused));
    assert_eq!(keys_of(&rig, stream), Some(after), "it goes on as it was");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn an_offer_of_ours_in_an_encrypted_conversation_has_keys_whatever_we_would_offer_a_new_one() {
    for proto in ["RTP/SAVP", "RTP/AVP"] {
        let mut rig = rig("accepted", "accepted");
        let (mut call, _) = dial(&mut rig, &secured(proto, 1, KEY));
        let phone = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
        rig.phone_answers(&phone);
        let stream = rig.streams()[0];
        for seconds in [3, 5] {
            let quiet = base::Duration::from_secs(seconds);
            rig.media(media::Event::Unheard { stream, quiet, heard: true });
        }
        // The audio was lost, and the carrier is asked where it is.
        let offer = body(&rig.expect(TRUNK, "INVITE"));
        assert!(offer.contains(&format!("{proto} 0")), "{offer}");
        assert!(offer.contains("a=crypto:"), "{offer}");
        rig.caller_hangs_up(&mut call);
        rig.confirm_bye(ALICE);
    }
}
