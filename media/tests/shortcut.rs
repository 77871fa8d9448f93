//! The plane says of which streams nobody needs the samples, and takes that back at once.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use media::{Channel, Codec, Command, Masking, Shortcut, TapId};
use rig::{A, B, Rig, audio, far, ramp};

/// Both far ends speak for a while.
fn talk(rig: &mut Rig, from: u16) {
    for n in from..from + 20 {
        for stream in [A, B] {
            rig.rtp(stream, audio(n, u32::from(n) * 160), &[0x55; 160]);
        }
        rig.millis(20);
    }
}

fn shortcut(rig: &Rig) -> Option<Shortcut> {
    rig.plane.shortcut(rig.slot(A))
}

#[test]
fn a_plain_bridge_whose_far_ends_are_known_needs_nobody_here() {
    let mut rig = Rig::pair(Codec::Pcmu);
    talk(&mut rig, 0);
    assert_eq!(shortcut(&rig), None, "nobody is there to hear it");
    rig.bridge();
    talk(&mut rig, 20);
    let to = (rig.slot(B), far(B));
    assert_eq!(shortcut(&rig), Some(Shortcut { source: far(A), payload_type: 0, to }));
    rig.order(Command::Unbridge { a: A, b: B });
    assert_eq!(shortcut(&rig), None);
}

#[test]
fn until_its_source_is_known_a_stream_has_no_shortcut() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    assert_eq!(shortcut(&rig), None);
    talk(&mut rig, 0);
    assert!(shortcut(&rig).is_some());
}

#[test]
fn other_codecs_at_its_ends_are_no_shortcut() {
    for codec in [Codec::Pcma, Codec::G722] {
        let mut rig = Rig::pair(codec);
        rig.bridge();
        talk(&mut rig, 0);
        assert_eq!(shortcut(&rig), None, "{codec:?}");
    }
}

#[test]
fn whoever_needs_the_samples_takes_the_stream_back_and_gives_it_again() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    talk(&mut rig, 0);
    let before = shortcut(&rig);
    assert!(before.is_some());

    rig.order(Command::Tap { stream: A, tap: TapId(1), channel: Channel::Left });
    assert_eq!(shortcut(&rig), None, "it is recorded");
    rig.order(Command::Untap { stream: A });
    assert_eq!(shortcut(&rig), before);

    rig.order(Command::Mask { stream: A, masking: Masking::Digits });
    assert_eq!(shortcut(&rig), None, "its keys are kept back");
    rig.order(Command::Mask { stream: A, masking: Masking::Off });
    assert_eq!(shortcut(&rig), before);

    rig.play(B, 1, &ramp(8000), false);
    assert_eq!(shortcut(&rig), None, "its far end hears a prompt");
    rig.order(Command::StopPlaying { stream: B });
    talk(&mut rig, 20);
    assert_eq!(shortcut(&rig), before);
}
