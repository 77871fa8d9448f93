//! Playing, and one unbroken stream towards a far end whatever feeds it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use base::Duration;
use media::{Batch, Codec, Command, Direction, Event, PlayId, RemoteMedia, Timer};
use rig::{A, B, Rig, audio, far, ramp, remote};

#[test]
fn a_prompt_is_played_exact_to_the_sample_and_its_end_is_told_when_it_was_heard() {
    let mut rig = Rig::pair(Codec::Pcma);
    let prompt = ramp(1000);
    rig.play(B, 5, &prompt, false);
    let sent = rig.rtp_of(1000);
    assert_eq!(sent.len(), 7, "1000 samples are six packets and a bit");
    let heard: Vec<u8> = sent.iter().flat_map(|s| s.payload().to_vec()).collect();
    assert_eq!(&heard[..1000], prompt.encoded(Codec::Pcma));
    assert!(heard[1000..].iter().all(|code| *code == 0xd5), "filled up with silence");
    for (n, packet) in sent.iter().enumerate() {
        let header = packet.header();
        assert_eq!(header.sequence, sent[0].header().sequence.wrapping_add(n as u16));
        let timestamp = sent[0].header().timestamp.wrapping_add(160 * n as u32);
        assert_eq!(header.timestamp, timestamp);
        assert_eq!(header.marker, n == 0);
        assert_eq!((header.payload_type, header.ssrc), (8, 0x1002));
        assert_eq!(packet.to, far(B));
        assert_eq!((packet.at - sent[0].at).as_millis(), 20 * n as u128);
    }
    assert_eq!(rig.take_events(), [Event::PlayFinished { stream: B, play: PlayId(5) }]);
}

#[test]
fn music_loops_without_a_gap_for_as_long_as_it_is_wanted() {
    let mut rig = Rig::pair(Codec::Pcmu);
    let music = ramp(333);
    rig.play(A, 1, &music, true);
    let heard: Vec<u8> = rig.rtp_of(10_000).iter().flat_map(|s| s.payload().to_vec()).collect();
    assert!(heard.len() >= 79_800);
    let codes = music.encoded(Codec::Pcmu);
    assert!(heard.iter().enumerate().all(|(n, code)| *code == codes[n % 333]));
    assert!(rig.take_events().is_empty(), "a loop never finishes");
    rig.order(Command::StopPlaying { stream: A });
    assert!(rig.rtp_of(1000).is_empty());
}

#[test]
fn sounds_of_a_list_follow_each_other_without_a_gap_inside_of_a_packet() {
    let mut rig = Rig::pair(Codec::Pcmu);
    let sounds = [ramp(1000), ramp(0), ramp(7), ramp(333)];
    rig.play_all(A, 1, &sounds, false);
    let sent = rig.rtp_of(1000);
    assert_eq!(sent.len(), 9, "1340 samples are eight packets and a bit");
    let heard: Vec<u8> = sent.iter().flat_map(|s| s.payload().to_vec()).collect();
    let codes: Vec<u8> =
        sounds.iter().flat_map(|sound| sound.encoded(Codec::Pcmu).to_vec()).collect();
    assert_eq!(&heard[..1340], codes);
    assert_eq!(rig.take_events(), [Event::PlayFinished { stream: A, play: PlayId(1) }]);
    rig.play_all(A, 2, &sounds, true);
    let heard: Vec<u8> = rig.rtp_of(5000).iter().flat_map(|s| s.payload().to_vec()).collect();
    assert!(heard.iter().enumerate().all(|(n, code)| *code == codes[n % 1340]));
}

#[test]
fn a_list_without_a_sample_ends_at_once_even_when_it_is_looped() {
    let mut rig = Rig::pair(Codec::Pcmu);
    for (play, looped) in [(1, false), (2, true)] {
        rig.play_all(A, play, &[ramp(0), ramp(0)], looped);
        assert!(rig.rtp_of(100).is_empty());
        assert_eq!(rig.take_events(), [Event::PlayFinished { stream: A, play: PlayId(play) }]);
    }
}

#[test]
fn music_after_a_prompt_goes_on_at_the_next_tick_with_the_next_timestamp() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.play(A, 1, &ramp(480), false);
    let mut sent = rig.rtp_of(59);
    while rig.take_events().is_empty() {
        sent.extend(rig.rtp_of(1));
    }
    // The owner of the call answers the end of the prompt a moment later.
    rig.millis(3);
    rig.play(A, 2, &ramp(160), true);
    sent.extend(rig.rtp_of(100));
    let (first, last) = (sent[0].header(), sent.last().unwrap().header());
    let packets = sent.len() as u32 - 1;
    assert_eq!(last.sequence, first.sequence.wrapping_add(packets as u16));
    assert_eq!(last.timestamp, first.timestamp.wrapping_add(160 * packets), "no gap");
    let markers: Vec<bool> = sent.iter().map(|s| s.header().marker).collect();
    assert_eq!(&markers[..5], [true, false, false, true, false]);
}

#[test]
fn prompt_music_bridge_and_music_again_are_one_stream_to_the_far_end() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.play(A, 1, &ramp(1600), true);
    let mut sent = rig.rtp_of(500);
    let music_end = sent.last().unwrap().clone();
    rig.order(Command::StopPlaying { stream: A });
    rig.bridge();
    rig.millis(95);
    let silent_for = rig.now - music_end.at;
    for n in 0..10_u16 {
        let mut header = audio(60_000 + n, 0xffff_ff00_u32.wrapping_add(160 * u32::from(n)));
        header.ssrc = 77;
        sent.extend(rig.rtp(B, header, &[n as u8; 160]));
        rig.millis(20);
    }
    rig.play(A, 2, &ramp(160), true);
    sent.extend(rig.rtp_of(100));
    let headers: Vec<_> = sent.iter().map(|s| s.header()).collect();
    assert!(headers.iter().all(|h| h.ssrc == 0x1001), "our own SSRC throughout");
    for pair in headers.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        if pair[1].marker {
            assert!(step >= 160, "never back into what was sent");
        } else {
            assert_eq!(step, 160);
        }
    }
    let markers = headers.iter().enumerate().filter(|(_, h)| h.marker).map(|(n, _)| n);
    let relayed = headers.len() - sent.iter().filter(|s| s.at > music_end.at).count();
    assert_eq!(markers.collect::<Vec<_>>(), [0, relayed, relayed + 10]);
    let step = headers[relayed].timestamp.wrapping_sub(music_end.header().timestamp);
    assert_eq!(u128::from(step), silent_for.as_micros() / 125, "by the time that passed");
}

#[test]
fn a_far_end_that_holds_us_hears_nothing_and_the_prompt_still_ends_in_time() {
    let mut rig = Rig::pair(Codec::Pcmu);
    let held = RemoteMedia { direction: Direction::SendOnly, ..remote(A, Codec::Pcmu) };
    rig.order(Command::SetRemote { stream: A, remote: held, srtp: None });
    rig.play(A, 9, &ramp(1600), false);
    assert!(rig.rtp_of(300).is_empty());
    assert_eq!(rig.take_events(), [Event::PlayFinished { stream: A, play: PlayId(9) }]);
    let zero = RemoteMedia { rtp: "0.0.0.0:4000".parse().unwrap(), ..remote(A, Codec::Pcmu) };
    rig.order(Command::SetRemote { stream: A, remote: zero, srtp: None });
    rig.play(A, 10, &ramp(1600), false);
    assert!(rig.rtp_of(300).is_empty());
}

#[test]
fn music_stands_still_without_a_tick_while_the_far_end_holds_us_and_goes_on_when_it_listens() {
    let mut rig = Rig::pair(Codec::Pcmu);
    let ticks = |rig: &Rig| matches!(rig.plane.poll_timeout(), Some((_, Timer::Tick)));
    let music = ramp(1600);
    rig.play(A, 9, &music, true);
    let mut last = rig.rtp_of(40).last().unwrap().header();
    assert!(ticks(&rig));
    for direction in [Direction::Inactive, Direction::SendOnly] {
        let held = RemoteMedia { direction, ..remote(A, Codec::Pcmu) };
        rig.order(Command::SetRemote { stream: A, remote: held, srtp: None });
        assert!(!ticks(&rig), "{direction:?}");
        assert!(rig.rtp_of(3_000).is_empty());
        rig.order(Command::SetRemote { stream: A, remote: remote(A, Codec::Pcmu), srtp: None });
        let sent = rig.rtp_of(100);
        assert!((4..=6).contains(&sent.len()), "{}", sent.len());
        let first = sent[0].header();
        let step = first.timestamp.wrapping_sub(last.timestamp);
        assert!(
            first.marker && (24_000..=24_640).contains(&step),
            "by the time that passed: {step}"
        );
        last = sent.last().unwrap().header();
    }
    rig.order(Command::StopPlaying { stream: A });
    assert!(!ticks(&rig) && rig.rtp_of(100).is_empty());
}

#[test]
fn a_driver_that_was_late_catches_up_a_little_and_leaves_out_a_lot() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.play(A, 1, &ramp(1600), true);
    let before = rig.rtp_of(100).last().unwrap().header();
    rig.now += base::Duration::from_millis(70);
    let burst = rig.rtp_of(10);
    assert!((3..=4).contains(&burst.len()), "{}", burst.len());
    assert_eq!(burst[0].header().timestamp, before.timestamp.wrapping_add(160));
    let before = burst.last().unwrap().header();
    rig.now += base::Duration::from_millis(2000);
    let after = rig.rtp_of(20);
    assert!(after.len() <= 2, "no burst of a hundred packets");
    let step = after[0].header().timestamp.wrapping_sub(before.timestamp);
    assert!((15_840..=16_320).contains(&step) && step.is_multiple_of(160), "{step}");
    assert_eq!(after[0].header().sequence, before.sequence.wrapping_add(1));
}

#[test]
fn five_hundred_streams_play_evenly_through_a_batch_of_sixteen() {
    let mut rig = Rig::new();
    let music = ramp(800);
    for n in 1..=500 {
        rig.open(media::StreamId(n), Codec::Pcmu);
        rig.play(media::StreamId(n), n, &music, true);
    }
    let sent = rig.rtp_of(1000);
    assert!((24_500..=25_025).contains(&sent.len()), "{}", sent.len());
    let mut last = sent.last().unwrap().at;
    let mut at_once = 0;
    for packet in &sent {
        at_once = if packet.at == last { at_once + 1 } else { 1 };
        last = packet.at;
        assert!(at_once <= 25, "25 streams tick in each millisecond");
    }
}

#[test]
fn after_a_delay_what_is_due_first_leaves_before_the_rest_is_said() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.play(A, 1, &ramp(8000), true);
    rig.play(B, 2, &ramp(8000), true);
    rig.millis(100);
    let late = rig.now + Duration::from_millis(20);
    let mut out = Batch::new(64);
    let mut said = Vec::new();
    while rig.plane.poll_timeout().is_some_and(|(at, _)| at <= late) {
        rig.plane.handle_timeout(late, &mut out);
        said.push(out.iter().map(|datagram| datagram.to).collect::<Vec<_>>());
        out.clear();
    }
    said.retain(|to| !to.is_empty());
    assert_eq!(said.len(), 2, "each of them by itself: {said:?}");
    assert!(said.contains(&vec![far(A)]) && said.contains(&vec![far(B)]));
}
