//! Copies of what a far end says, for somebody outside of its bridge or mix.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use media::{Channel, Codec, Command, Member, MixId, StreamId, TapId};
use rig::voices::{Voice, talk};
use rig::{A, B, Rig};

const C: StreamId = StreamId(3);
const D: StreamId = StreamId(4);

fn rig(codecs: [Codec; 4]) -> (Rig, Vec<Voice>) {
    let mut rig = Rig::new();
    let mut voices = Vec::new();
    for (stream, codec) in [A, B, C, D].into_iter().zip(codecs) {
        rig.open(stream, codec);
        voices.push(Voice::new(stream, codec, 400.0 + 300.0 * stream.0 as f64));
    }
    (rig, voices)
}

#[test]
fn a_copy_hears_one_side_of_a_bridge_and_is_heard_by_nobody() {
    for copy in Codec::ALL {
        let (mut rig, mut voices) = rig([Codec::Pcmu, Codec::Pcma, copy, copy]);
        rig.bridge();
        rig.order(Command::Copy { from: A, to: Some(C) });
        rig.order(Command::Copy { from: B, to: Some(D) });
        talk(&mut rig, &mut voices, 400);
        let since = rig.now;
        talk(&mut rig, &mut voices, 400);
        let heard = |hearer: usize, said: f64| voices[hearer].hears(said, since);
        for (hearer, expected) in [(0, 1000.0), (1, 700.0), (2, 700.0), (3, 1000.0)] {
            for said in [700.0, 1000.0, 1300.0, 1600.0] {
                let level = heard(hearer, said);
                let is_there = said == expected;
                assert_eq!(level > 3000.0, is_there, "{copy:?}: {hearer} hears {said}: {level}");
                assert!(is_there || level < 200.0, "{copy:?}: {hearer} hears {said}: {level}");
            }
        }
        rig.order(Command::Copy { from: A, to: None });
        talk(&mut rig, &mut voices, 20);
        let since = rig.now;
        talk(&mut rig, &mut voices, 200);
        assert!(voices[2].packets.iter().all(|packet| packet.at <= since), "it is over");
        assert!(voices[1].hears(700.0, since) > 3000.0, "the bridge goes on");
    }
}

#[test]
fn a_copy_goes_on_when_who_is_copied_comes_into_a_mix_and_is_not_of_the_mix() {
    for copy in [Codec::Pcma, Codec::G722] {
        let (mut rig, mut voices) = rig([Codec::Pcmu, Codec::Pcmu, copy, Codec::Pcmu]);
        rig.bridge();
        rig.order(Command::Copy { from: A, to: Some(C) });
        rig.order(Command::Tap { stream: A, tap: TapId(1), channel: Channel::Left });
        talk(&mut rig, &mut voices, 300);
        let members = [A, B, D].map(Member::party).to_vec();
        rig.order(Command::Mix { mix: MixId(1), members });
        talk(&mut rig, &mut voices, 200);
        let since = rig.now;
        while rig.taps.pop().is_some() {}
        talk(&mut rig, &mut voices, 400);
        assert!(voices[2].hears(700.0, since) > 3000.0, "{copy:?}");
        for other in [1000.0, 1300.0, 1600.0] {
            assert!(voices[2].hears(other, since) < 200.0);
        }
        assert!(voices[1].hears(1600.0, since) > 3000.0);
        let taped = std::iter::from_fn(|| rig.taps.pop()).count();
        assert!((18..=22).contains(&taped), "the recording goes on: {taped}");
    }
}
