//! Keys through the plane: told once, passed on, turned into what the other side knows, pressed
//! without a collision, and kept from everybody.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use base::{Duration, Rng};
use media::dtmf::{Detector, Heard};
use media::rtp::Header;
use media::tap::{Channel, FrameKind, TapId};
use media::{
    Codec, Command, DigitOut, DigitSource, DigitWays, Event, G711, Masking, RemoteMedia, StreamId,
};
use rig::{A, B, Rig, Sent, audio, ramp, remote};

const CANARY: &str = "4929171";

/// A far end as SDP says, with or without telephone-event.
fn settle(rig: &mut Rig, stream: StreamId, codec: Codec, telephone_event: Option<u8>) {
    let remote = RemoteMedia { telephone_event, ..remote(stream, codec) };
    rig.order(Command::SetRemote { stream, remote, srtp: None });
}

fn ways(rig: &mut Rig, stream: StreamId, out: DigitOut, listen: bool) {
    rig.order(Command::DigitWays { stream, ways: DigitWays { out, listen } });
}

fn press(rig: &mut Rig, stream: StreamId, digits: &str) {
    let (digits, each, gap) = (digits.into(), ms(100), ms(60));
    rig.order(Command::SendDigits { stream, digits, each, gap });
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A far end that talks and presses keys: each 20 ms one packet.
struct Talker {
    sequence: u16,
    timestamp: u32,
}

impl Talker {
    const fn new() -> Self {
        Self { sequence: 100, timestamp: 4000 }
    }

    /// 20 ms of speech.
    fn speech(&mut self) -> (Header, Vec<u8>) {
        let at = self.timestamp;
        let codes = (0..160).map(|n| {
            let angle = f64::from(at + n) * 300.0 * std::f64::consts::TAU / 8000.0;
            G711::Pcmu.encode((6000.0 * angle.sin()) as i16)
        });
        self.packet(codes.collect())
    }

    fn packet(&mut self, payload: Vec<u8>) -> (Header, Vec<u8>) {
        let header = audio(self.sequence, self.timestamp);
        (self.sequence, self.timestamp) = (self.sequence + 1, self.timestamp + 160);
        (header, payload)
    }

    /// A key of 100 ms as RFC 4733 events, and 60 ms of speech.
    fn key(&mut self, event: u8) -> Vec<(Header, Vec<u8>)> {
        let mut packets = Vec::new();
        for n in 1..=7_u16 {
            let (is_end, units) = (n > 5, n.min(5) * 160);
            let [high, low] = units.to_be_bytes();
            let flags = 10 | if is_end { 0x80 } else { 0 };
            let header = Header {
                payload_type: 101,
                marker: n == 1,
                ..audio(self.sequence, self.timestamp)
            };
            self.sequence += 1;
            packets.push((header, vec![event, flags, high, low]));
        }
        self.timestamp += 7 * 160;
        packets.extend((0..3).map(|_| self.speech()));
        packets
    }

    fn dial(&mut self, digits: &str) -> Vec<(Header, Vec<u8>)> {
        let events = digits.chars().map(|key| "0123456789*#ABCD".find(key).unwrap() as u8);
        events.flat_map(|event| self.key(event)).collect()
    }

    /// The same as tones.
    fn dial_tones(&mut self, digits: &str) -> Vec<(Header, Vec<u8>)> {
        let mut packets = vec![self.speech(), self.speech()];
        for key in digits.chars() {
            packets.extend((0..5).map(|n| {
                let codes = (0..160).map(|at| G711::Pcmu.encode(tone(key, n * 160 + at)));
                self.packet(codes.collect())
            }));
            packets.extend((0..3).map(|_| self.packet(vec![0xff; 160])));
        }
        packets.extend((0..3).map(|_| self.speech()));
        packets
    }
}

fn tone(key: char, at: usize) -> i16 {
    let place = "123A456B789C*0#D".find(key).unwrap();
    let row = [697.0, 770.0, 852.0, 941.0][place / 4];
    let column = [1209.0, 1336.0, 1477.0, 1633.0][place % 4];
    let wave = |hertz: f64| (hertz * std::f64::consts::TAU * at as f64 / 8000.0).sin();
    (7000.0 * wave(row) + 8000.0 * wave(column)) as i16
}

/// Sends packets of a stream, 20 ms apart; what the plane sends all the while.
fn play(rig: &mut Rig, stream: StreamId, packets: &[(Header, Vec<u8>)]) -> Vec<Sent> {
    let mut sent = Vec::new();
    for (header, payload) in packets {
        sent.extend(rig.rtp(stream, *header, payload));
        sent.extend(rig.rtp_of(20));
    }
    sent.extend(rig.rtp_of(400));
    sent
}

fn told(rig: &mut Rig) -> Vec<(StreamId, char, DigitSource, bool)> {
    let events = rig.take_events().into_iter();
    events
        .filter_map(|event| match event {
            Event::Digit { stream, digit, by, masked, .. } => {
                Some((stream, digit.as_char(), by, masked))
            }
            _ => None,
        })
        .collect()
}

fn digits_of(rig: &mut Rig, of: StreamId) -> String {
    told(rig).iter().filter(|(stream, ..)| *stream == of).map(|(_, key, ..)| *key).collect()
}

/// The events of a far end's packets, as a receiver of its own understands them.
fn events_in(sent: &[Sent], to: StreamId) -> String {
    let mut keys = Vec::new();
    let of_far_end = sent.iter().filter(|sent| sent.to == rig::far(to));
    for sent in of_far_end.filter(|sent| sent.header().payload_type == 101) {
        let header = sent.header();
        match keys.last() {
            Some((timestamp, _)) if *timestamp == header.timestamp => {}
            _ => keys.push((header.timestamp, sent.payload()[0])),
        }
    }
    keys.iter().map(|(_, key)| "0123456789*#ABCD".as_bytes()[usize::from(*key)] as char).collect()
}

fn tones_in(codes: impl Iterator<Item = u8>, law: G711) -> String {
    let (mut detector, mut keys) = (Detector::new(), String::new());
    let mut tell = |heard| {
        if let Heard::Digit(digit, _) = heard {
            keys.push(digit.as_char());
        }
    };
    let pcm: Vec<i16> = codes.map(|code| law.decode(code)).collect();
    detector.hear(&pcm, &mut tell);
    detector.end(&mut tell);
    keys
}

fn audio_of(sent: &[Sent], to: StreamId) -> Vec<u8> {
    let of_far_end = sent.iter().filter(|sent| sent.to == rig::far(to));
    let audio = of_far_end.filter(|sent| sent.header().payload_type != 101);
    audio.flat_map(|sent| sent.payload().to_vec()).collect()
}

/// Numbers go up by one each, timestamps never back, and one of an event never changes.
fn assert_unbroken(sent: &[Sent], to: StreamId) {
    let all: Vec<_> = sent.iter().filter(|s| s.to == rig::far(to)).map(Sent::header).collect();
    for pair in all.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "{pair:?}");
        let ahead = pair[1].timestamp.wrapping_sub(pair[0].timestamp).cast_signed();
        assert!((0..8000).contains(&ahead), "{pair:?}");
    }
}

#[test]
fn keys_between_two_who_know_events_are_told_once_and_pass_as_they_came() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    let mut caller = Talker::new();
    let sent = play(&mut rig, A, &caller.dial(CANARY));
    assert_eq!(events_in(&sent, B), CANARY);
    assert_unbroken(&sent, B);
    let expected: Vec<_> = CANARY.chars().map(|key| (A, key, DigitSource::Event, false)).collect();
    assert_eq!(told(&mut rig), expected);
}

#[test]
fn ten_percent_loss_with_doubles_and_50_ms_of_jitter_lose_no_key() {
    for seed in 0..50 {
        let mut rig = Rig::pair(Codec::Pcmu);
        rig.bridge();
        let (mut caller, mut rng) = (Talker::new(), Rng::from_seed(seed));
        let mut arrivals: Vec<(u64, usize, (Header, Vec<u8>))> = Vec::new();
        for (n, packet) in caller.dial(CANARY).into_iter().enumerate() {
            if rng.below(10) > 0 {
                for _ in 0..=u64::from(rng.below(20) == 0) {
                    arrivals.push((n as u64 * 20 + rng.below(50), n, packet.clone()));
                }
            }
        }
        arrivals.sort_by_key(|(at, n, _)| (*at, *n));
        let mut clock = 0;
        for (at, _, (header, payload)) in arrivals {
            rig.millis(at - clock);
            clock = at;
            rig.rtp(A, header, &payload);
        }
        rig.millis(400);
        assert_eq!(digits_of(&mut rig, A), CANARY, "seed {seed}");
    }
}

#[test]
fn keys_pressed_while_audio_is_relayed_collide_with_nothing() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    let mut caller = Talker::new();
    let speech: Vec<_> = (0..40).map(|_| caller.speech()).collect();
    let mut sent = play(&mut rig, A, &speech[..5]);
    press(&mut rig, B, "12#");
    sent.extend(play(&mut rig, A, &speech[5..]));
    assert_eq!(events_in(&sent, B), "12#");
    assert_unbroken(&sent, B);
    let events = sent.iter().filter(|sent| sent.header().payload_type == 101);
    let durations: Vec<_> = events
        .clone()
        .map(|sent| {
            (
                sent.payload()[1] & 0x80 != 0,
                u16::from_be_bytes([sent.payload()[2], sent.payload()[3]]),
            )
        })
        .collect();
    let one = [(false, 160), (false, 320), (false, 480), (false, 640)]
        .into_iter()
        .chain([(true, 800); 3]);
    assert_eq!(durations, one.clone().chain(one.clone()).chain(one).collect::<Vec<_>>());
    assert_eq!(events.filter(|sent| sent.header().marker).count(), 3);
    assert_eq!(audio_of(&sent, A), [] as [u8; 0]);
    let heard = audio_of(&sent, B).len() / 160;
    assert!((10..30).contains(&heard), "speech goes on before and after: {heard}");
}

#[test]
fn keys_pressed_into_a_prompt_take_its_place_and_it_goes_on_on_time() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.play(A, 1, &ramp(160 * 50), false);
    let mut sent = rig.rtp_of(100);
    press(&mut rig, A, "9");
    sent.extend(rig.rtp_of(1500));
    assert_eq!(events_in(&sent, A), "9");
    assert_unbroken(&sent, A);
    assert!(rig.take_events().contains(&Event::PlayFinished { stream: A, play: media::PlayId(1) }));
    let last = sent.last().unwrap().at.as_nanos() / 1_000_000;
    assert!(last.abs_diff(rig.now.as_nanos() / 1_000_000 - 600) < 40, "a prompt of a second");
}

#[test]
fn who_knows_no_events_hears_tones_in_place_of_speech() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let mut rig = Rig::pair(codec);
        settle(&mut rig, B, codec, None);
        rig.bridge();
        let mut caller = Talker::new();
        let sent = play(&mut rig, A, &caller.dial("159*0#D"));
        assert_eq!(tones_in(audio_of(&sent, B).into_iter(), codec.law().unwrap()), "159*0#D");
        assert_eq!(events_in(&sent, B), "");
        assert_unbroken(&sent, B);
    }
}

#[test]
fn tones_become_events_and_are_heard_no_more_without_leaving_the_relay() {
    let mut rig = Rig::pair(Codec::Pcmu);
    settle(&mut rig, A, Codec::Pcmu, None);
    ways(&mut rig, A, DigitOut::Best, true);
    rig.bridge();
    let mut caller = Talker::new();
    let sent = play(&mut rig, A, &caller.dial_tones(CANARY));
    assert_eq!(events_in(&sent, B), CANARY);
    assert_eq!(tones_in(audio_of(&sent, B).into_iter(), G711::Pcmu), "");
    assert_unbroken(&sent, B);
    let expected: Vec<_> = CANARY.chars().map(|key| (A, key, DigitSource::Tone, false)).collect();
    assert_eq!(told(&mut rig), expected);
}

#[test]
fn tones_pass_as_they_are_to_who_knows_no_events_and_with_events_nobody_listens() {
    let mut rig = Rig::pair(Codec::Pcmu);
    settle(&mut rig, A, Codec::Pcmu, None);
    settle(&mut rig, B, Codec::Pcmu, None);
    ways(&mut rig, A, DigitOut::Best, true);
    rig.bridge();
    let mut caller = Talker::new();
    let packets = caller.dial_tones("73");
    let sent = play(&mut rig, A, &packets);
    let said: Vec<u8> = packets.iter().flat_map(|(_, payload)| payload.clone()).collect();
    assert_eq!(audio_of(&sent, B), said);
    assert_eq!(digits_of(&mut rig, A), "73");
    // A far end that has agreed to events does not mean the tones it plays.
    settle(&mut rig, A, Codec::Pcmu, Some(101));
    play(&mut rig, A, &caller.dial_tones("73"));
    assert_eq!(told(&mut rig), []);
}

#[test]
fn who_is_told_elsewhere_gets_neither_events_nor_tones() {
    let mut rig = Rig::pair(Codec::Pcmu);
    settle(&mut rig, B, Codec::Pcmu, None);
    ways(&mut rig, B, DigitOut::Elsewhere, false);
    rig.bridge();
    let mut caller = Talker::new();
    let sent = play(&mut rig, A, &caller.dial(CANARY));
    assert_eq!(events_in(&sent, B), "");
    assert_eq!(tones_in(audio_of(&sent, B).into_iter(), G711::Pcmu), "");
    assert_eq!(digits_of(&mut rig, A), CANARY, "whoever tells it is told");
}

/// Everything that leaves the plane but the events, byte for byte.
fn secret(rig: &mut Rig, masking: Masking, packets: &[(Header, Vec<u8>)]) -> (Vec<Sent>, Vec<u8>) {
    rig.bridge();
    rig.order(Command::Tap { stream: A, tap: TapId(3), channel: Channel::Left });
    rig.order(Command::Mask { stream: A, masking });
    let mut sent = Vec::new();
    let mut recorded = Vec::new();
    for (header, payload) in packets {
        sent.extend(rig.rtp(A, *header, payload));
        sent.extend(rig.rtp_of(20));
        while let Some(frame) = rig.taps.pop() {
            if frame.kind == FrameKind::Audio {
                recorded.extend_from_slice(frame.audio());
            }
        }
    }
    sent.extend(rig.rtp_of(400));
    (sent, recorded)
}

#[test]
fn masked_keys_reach_neither_peer_nor_recording_and_speech_goes_on() {
    let mut rig = Rig::pair(Codec::Pcmu);
    let packets = Talker::new().dial(CANARY);
    let (sent, recorded) = secret(&mut rig, Masking::Digits, &packets);
    assert_eq!(events_in(&sent, B), "");
    assert_unbroken(&sent, B);
    assert_eq!(audio_of(&sent, B).len(), 160 * 3 * CANARY.len());
    assert_eq!(recorded.len(), 160 * 3 * CANARY.len());
    assert!(told(&mut rig).iter().all(|(.., masked)| *masked));
}

#[test]
fn masked_tones_are_silence_for_peer_and_recording() {
    let mut rig = Rig::pair(Codec::Pcmu);
    settle(&mut rig, A, Codec::Pcmu, None);
    ways(&mut rig, A, DigitOut::Best, true);
    let packets = Talker::new().dial_tones(CANARY);
    let (sent, recorded) = secret(&mut rig, Masking::Digits, &packets);
    assert_eq!((events_in(&sent, B).as_str(), recorded.len()), ("", packets.len() * 160));
    for heard in [audio_of(&sent, B), recorded] {
        assert_eq!(tones_in(heard.iter().copied(), G711::Pcmu), "");
        let loud = heard.iter().filter(|code| G711::Pcmu.decode(**code).abs() > 3000).count();
        assert!(loud > 400, "the speech around is heard: {loud}");
    }
    assert_eq!(digits_of(&mut rig, A), CANARY);
}

#[test]
fn tones_beside_events_are_masked_as_well_and_told_once() {
    let mut rig = Rig::pair(Codec::Pcmu);
    let packets = Talker::new().dial_tones(CANARY);
    let (sent, recorded) = secret(&mut rig, Masking::Digits, &packets);
    for heard in [audio_of(&sent, B), recorded] {
        assert_eq!(tones_in(heard.iter().copied(), G711::Pcmu), "");
    }
    assert_eq!(told(&mut rig), [], "the events tell them");
    rig.order(Command::Mask { stream: A, masking: Masking::Off });
    let sent = play(&mut rig, A, &Talker { sequence: 900, timestamp: 900_000 }.dial_tones("5"));
    assert_eq!(tones_in(audio_of(&sent, B).into_iter(), G711::Pcmu), "5");
}

#[test]
fn a_far_end_masked_whole_says_nothing_and_is_heard_from_the_next_packet_on_afterwards() {
    let mut rig = Rig::pair(Codec::Pcma);
    let mut caller = Talker::new();
    let speech: Vec<_> = (0..20).map(|_| caller.speech()).collect();
    let (sent, recorded) = secret(&mut rig, Masking::All, &speech);
    let quiet = G711::Pcma.silence();
    assert!(audio_of(&sent, B).iter().all(|code| *code == quiet));
    assert_eq!(audio_of(&sent, B).len(), 3200);
    assert!(
        recorded.iter().all(|code| G711::Pcmu.decode(*code) == 0 || *code == G711::Pcmu.silence())
    );
    assert_eq!(recorded.len(), 3200, "a silent stretch, and no gap");
    rig.order(Command::Mask { stream: A, masking: Masking::Off });
    let (header, payload) = caller.speech();
    let sent = rig.rtp(A, header, &payload);
    assert!(sent[0].payload().iter().any(|code| G711::Pcma.decode(*code).abs() > 3000));
}

#[test]
fn a_key_held_when_masking_begins_goes_no_further() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    let key = Talker::new().dial("8");
    for (header, payload) in &key[..2] {
        assert_eq!(rig.rtp(A, *header, payload).len(), 1);
    }
    rig.order(Command::Mask { stream: A, masking: Masking::Digits });
    for (header, payload) in &key[2..7] {
        assert!(rig.rtp(A, *header, payload).is_empty());
    }
}

#[test]
fn a_bomb_of_events_makes_few_and_its_neighbours_sound_as_before() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    for n in 0..10_000_u32 {
        let header = Header {
            payload_type: 101,
            marker: true,
            ..audio((n & 0xffff) as u16, n.wrapping_mul(104_729))
        };
        rig.rtp(A, header, &[(n % 16) as u8, 0x8a, 255, 255]);
        rig.run(Duration::from_micros(100));
    }
    assert!(told(&mut rig).len() <= 40);
    let (header, payload) = Talker::new().speech();
    let header = Header { ssrc: 0xb, ..header };
    assert_eq!(rig.rtp(B, header, &payload).len(), 1);
}

/// What a far end of that codec hears in the packets that it was sent, at 8 kHz; nothing where
/// nothing came.
fn decoded(sent: &[Sent], codec: Codec) -> Vec<i16> {
    let mut decoder = media::Decoder::new(codec, media::Rate::Narrow);
    let mut heard = Vec::new();
    let mut next = None;
    for sent in sent {
        let header = sent.header();
        let gap = next.map_or(0, |next| header.timestamp.wrapping_sub(next));
        heard.resize(heard.len() + (gap / (codec.clock_rate() / 8000)) as usize, 0);
        let mut samples = [0; media::pcm::MAX_PER_PACKET];
        let made = decoder.decode(sent.payload(), &mut samples);
        heard.extend_from_slice(&samples[..made]);
        next = Some(header.timestamp.wrapping_add(codec.ticks(sent.payload())));
    }
    heard
}

fn heard_keys(samples: &[i16]) -> String {
    let (mut detector, mut keys) = (Detector::new(), String::new());
    let mut tell = |heard| {
        if let Heard::Digit(digit, _) = heard {
            keys.push(digit.as_char());
        }
    };
    detector.hear(samples, &mut tell);
    detector.end(&mut tell);
    keys
}

#[test]
fn tones_are_sounded_towards_opus_and_g722_that_know_no_events_and_speech_goes_on_after_them() {
    for codec in [Codec::Opus, Codec::G722] {
        for key in ["4929171*0#8", "ABCD3657"] {
            let mut rig = Rig::pair(codec);
            settle(&mut rig, A, Codec::Pcmu, Some(101));
            settle(&mut rig, B, codec, None);
            rig.bridge();
            // By the API, and by one who presses events while talking.
            press(&mut rig, B, key);
            let sent = rig.rtp_of(key.len() as u64 * 200 + 500);
            let sent: Vec<Sent> = sent.into_iter().filter(|sent| sent.to == rig::far(B)).collect();
            let ticks = codec.clock_rate() / 50;
            assert!(sent.iter().all(|one| codec.ticks(one.payload()) == ticks), "20 ms each");
            assert_eq!(heard_keys(&decoded(&sent, codec)), key, "{codec:?}");
            let mut talker = Talker::new();
            let mut packets: Vec<_> = (0..10).map(|_| talker.speech()).collect();
            packets.extend(talker.dial(&key[..3]));
            packets.extend((0..50).map(|_| talker.speech()));
            let sent = play(&mut rig, A, &packets);
            let sent: Vec<Sent> = sent.into_iter().filter(|sent| sent.to == rig::far(B)).collect();
            let heard = decoded(&sent, codec);
            assert_eq!(heard_keys(&heard), key[..3], "{codec:?}");
            // Half a second of the speech that follows, well behind the last tone.
            let after = &heard[heard.len() - 8000..heard.len() - 4000];
            let level = after.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / 4000.0;
            assert!((level.sqrt() - 6000.0 / 2_f64.sqrt()).abs() < 600.0, "{codec:?}: {level}");
        }
    }
}

/// What INFO brings is pressed like this, and what is told like this becomes INFO.
#[test]
fn keys_are_events_on_the_clock_of_opus_and_g722_and_events_on_that_clock_are_told() {
    for (codec, rate) in [(Codec::Opus, 48_000), (Codec::Opus, 8000), (Codec::G722, 8000)] {
        let mut rig = Rig::pair(codec);
        let remote = RemoteMedia { events_rate: rate, ..remote(B, codec) };
        rig.order(Command::SetRemote { stream: B, remote, srtp: None });
        settle(&mut rig, A, Codec::Pcmu, None);
        rig.bridge();
        press(&mut rig, B, CANARY);
        let sent = rig.rtp_of(CANARY.len() as u64 * 160 + 500);
        assert_eq!(events_in(&sent, B), CANARY, "{codec:?} {rate}");
        let events = sent.iter().filter(|s| s.to == rig::far(B) && s.header().payload_type == 101);
        let longest = events.map(|s| u16::from_be_bytes([s.payload()[2], s.payload()[3]])).max();
        assert_eq!(longest, u16::try_from(rate / 10).ok(), "100 ms of {rate} Hz");
        // Their events, and tones for the one who knows none.
        let mut sequence = 700_u16;
        let mut sent = Vec::new();
        for (n, key) in CANARY.bytes().enumerate() {
            let timestamp = 90_000 + n as u32 * rate / 4;
            for packet in 1..=8_u32 {
                let is_end = packet > 5;
                let length = (packet.min(5) * rate / 50) as u16;
                let [high, low] = length.to_be_bytes();
                let payload = [key - b'0', if is_end { 0x8a } else { 10 }, high, low];
                let marker = packet == 1;
                let header = Header { payload_type: 101, marker, ..audio(sequence, timestamp) };
                sent.extend(rig.rtp(B, header, &payload));
                sent.extend(rig.rtp_of(20));
                sequence += 1;
            }
            sent.extend(rig.rtp_of(90));
        }
        sent.extend(rig.rtp_of(1500));
        assert_eq!(digits_of(&mut rig, B), CANARY, "{codec:?} {rate}");
        let tones = audio_of(&sent, A).into_iter();
        assert_eq!(tones_in(tones, G711::Pcmu), CANARY, "{codec:?} {rate}");
    }
}
