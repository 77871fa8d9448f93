//! Audio that stops in the middle of a conversation: told, looked for, asked about, and recorded.

use base::Duration;
use media::{Command, Event};

use crate::rig::{ALICE, Rig, SDP_PCMU, TRUNK, answer};

fn unheard(rig: &mut Rig, side: usize, seconds: u64) {
    let stream = rig.streams()[side];
    rig.media(Event::Unheard { stream, quiet: Duration::from_secs(seconds), heard: true });
}

#[test]
fn a_leg_that_falls_silent_is_told_searched_for_and_asked_once_and_its_return_is_told() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    let stream = rig.streams()[1];
    rig.advance_ms(10_000);
    unheard(&mut rig, 1, 3);
    let lost = rig.events_of("call.audio_lost");
    assert_eq!(
        (lost.len(), &lost[0]["kind"], &lost[0]["quiet_ms"]),
        (1, &"agent".into(), &3000.into())
    );
    let searched = |c: &Command| matches!(c, Command::Relatch { stream: s } if *s == stream);
    assert!(rig.commands.iter().any(searched));
    rig.expect_silence(ALICE);
    rig.advance_ms(2_000);
    unheard(&mut rig, 1, 5);
    let reinvite = rig.expect(ALICE, "INVITE");
    assert!(String::from_utf8_lossy(&reinvite.body()).contains("m=audio"));
    rig.send(ALICE, &answer(&reinvite, ALICE, "200 OK", "", Some(SDP_PCMU)));
    rig.expect(ALICE, "ACK");
    rig.advance_ms(500);
    rig.media(Event::HeardAgain { stream });
    let restored = rig.events_of("call.audio_restored");
    assert_eq!(restored.len(), 1);
    assert_eq!((&restored[0]["lost_ms"], &restored[0]["asked"]), (&5500.into(), &true.into()));
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    let audio: Vec<_> = rig.record().legs.iter().map(|leg| leg.audio).collect();
    let lost = audio[1].expect("the agent's");
    assert_eq!((audio[0], lost.times, lost.restored), (None, 1, true));
    assert_eq!(lost.lost_for, Duration::from_millis(5500));
    rig.finish();
}

#[test]
fn a_phone_that_cannot_be_mended_is_asked_three_times_and_no_more() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    let stream = rig.streams()[0];
    for time in 0..5 {
        unheard(&mut rig, 0, 3);
        unheard(&mut rig, 0, 5);
        if time < 3 {
            let reinvite = rig.expect(TRUNK, "INVITE");
            rig.send(TRUNK, &answer(&reinvite, TRUNK, "200 OK", "", Some(SDP_PCMU)));
            rig.expect(TRUNK, "ACK");
        }
        rig.expect_silence(TRUNK);
        rig.media(Event::HeardAgain { stream });
    }
    unheard(&mut rig, 0, 3);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    let lost = rig.record().legs[0].audio.expect("the caller's");
    assert_eq!((lost.times, lost.restored), (6, false), "it was lost to the end");
    rig.finish();
}

#[test]
fn who_never_said_anything_is_told_of_and_not_asked() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    let stream = rig.streams()[0];
    for seconds in [3, 5] {
        rig.media(Event::Unheard { stream, quiet: Duration::from_secs(seconds), heard: false });
    }
    assert_eq!(rig.events_of("call.audio_lost").len(), 1);
    rig.expect_silence(TRUNK);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn who_waits_in_a_queue_may_be_silent() {
    let mut rig = Rig::new();
    let mut call = rig.dial_into_queue();
    unheard(&mut rig, 0, 3);
    assert!(rig.events_of("call.audio_lost").is_empty());
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

fn soundless(rig: &mut Rig, side: usize, heard: bool) {
    let stream = rig.streams()[side];
    rig.media(Event::Soundless { stream, heard });
}

#[test]
fn who_sends_packets_without_a_sound_and_never_was_heard_is_asked_once_and_it_is_recorded() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    let stream = rig.streams()[1];
    rig.advance_ms(5_000);
    soundless(&mut rig, 1, false);
    let silent = rig.events_of("call.audio_silent");
    assert_eq!((&silent[0]["kind"], &silent[0]["heard_before"]), (&"agent".into(), &false.into()));
    let reinvite = rig.expect(ALICE, "INVITE");
    rig.send(ALICE, &answer(&reinvite, ALICE, "200 OK", "", Some(SDP_PCMU)));
    rig.expect(ALICE, "ACK");
    rig.advance_ms(1_500);
    rig.media(Event::SoundAgain { stream });
    let restored = rig.events_of("call.audio_restored");
    assert_eq!((&restored[0]["lost_ms"], &restored[0]["asked"]), (&1500.into(), &true.into()));
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    let lost = rig.record().legs[1].audio.expect("the agent's");
    assert_eq!((lost.times, lost.silent, lost.restored), (1, 1, true));
    rig.finish();
}

#[test]
fn who_was_heard_before_is_told_of_and_not_asked_and_who_waits_in_a_queue_is_not_told_of() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    soundless(&mut rig, 0, true);
    assert_eq!(rig.events_of("call.audio_silent").len(), 1);
    rig.expect_silence(TRUNK);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    let lost = rig.record().legs[0].audio.expect("the caller's");
    assert_eq!((lost.times, lost.silent, lost.restored), (1, 1, false));
    let mut waiting = rig.dial_into_queue();
    soundless(&mut rig, 2, false);
    assert_eq!(rig.events_of("call.audio_silent").len(), 1);
    rig.caller_hangs_up(&mut waiting);
    rig.finish();
}
