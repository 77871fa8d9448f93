//! The packet path and the ticks allocate nothing, counted by the allocator itself.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "a counting global allocator needs it")]

mod rig;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;

use base::{Duration, Instant, Rng, UnixTime};
use media::dtls::DtlsRole;
use media::ice::{Candidate, Check, Credentials, Origins, Reach, answer_check, write_check};
use media::srtp::{MASTER_BYTES, MasterKey, Profile, Sealer, SrtpKeys};
use media::tap::{Channel, TapId};
use media::{
    Batch, CaptureId, CaptureOrder, Codec, Command, Encoder, Event, Member, MixId, OpusSettings,
    Peer, Plane, PlaneOutput, PlayId, Port, Rate, Slot, StreamId, WorkerId, capture, tap,
};
use rig::browser::identity;
use rig::{A, B, audio, far, ramp, remote};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

// SAFETY: all work is the system allocator's; the counter is a plain thread-local without drop.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        BYTES.with(|bytes| bytes.set(bytes.get() + layout.size() as i64));
        // SAFETY: as called.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.with(|bytes| bytes.set(bytes.get() - layout.size() as i64));
        // SAFETY: as called.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        BYTES.with(|bytes| bytes.set(bytes.get() + size as i64 - layout.size() as i64));
        // SAFETY: as called.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

/// Forgets what happened; how many of it were live figures, each of which comes in a box.
fn drain(plane: &mut Plane) -> u64 {
    let events = std::iter::from_fn(|| plane.poll_event());
    events.filter(|event| matches!(event, Event::Figures { .. })).count() as u64
}

fn plane(streams: u64, srtp: Option<SrtpKeys>) -> (Plane, tap::TapReceiver, Vec<Slot>) {
    let (sender, receiver) = tap::ring(128);
    let (capturing, _) = capture::ring(64, 16 << 10);
    let mut plane = Plane::new(WorkerId(0), sender, Rng::from_seed(1), UnixTime::from_micros(0))
        .with_captures(capturing);
    let mut slots = Vec::new();
    for id in 1..=streams {
        let stream = StreamId(id);
        let cname = Arc::from("strowger");
        let open = Command::Open { stream, port: 20_000, ssrc: id as u32, cname };
        plane.handle_command(Instant::ZERO, open);
        let Some(PlaneOutput::OpenPort { slot, .. }) = plane.poll_output() else { panic!() };
        plane.opened(slot, Ok(()));
        // One leg in each law: every packet is transcoded as well.
        let codec = if id % 2 == 0 { Codec::Pcma } else { Codec::Pcmu };
        let remote = remote(stream, codec);
        let srtp = srtp.clone().map(Box::new);
        plane.handle_command(Instant::ZERO, Command::SetRemote { stream, remote, srtp });
        slots.push(slot);
    }
    (plane, receiver, slots)
}

#[test]
fn checks_that_are_answered_and_consent_that_is_asked_for_allocate_nothing() {
    let (sender, _taps) = tap::ring(128);
    let mut plane = Plane::new(WorkerId(0), sender, Rng::from_seed(1), UnixTime::from_micros(0));
    let identity = identity();
    let fingerprint = identity.fingerprint();
    plane.set_identity(identity);
    let ice = Credentials::draw(&mut Rng::from_seed(2)).at(WorkerId(0));
    let password = "a password of 22 chars";
    let (ours, theirs): (SocketAddr, SocketAddr) = (far(A), far(B));
    let candidate = Candidate { address: theirs, priority: 1, foundation: "1".into() };
    let from = Origins::of(&[ours]);
    let reach = Reach { password: password.into(), lite: true, candidates: vec![candidate], from };
    let role = DtlsRole::Passive;
    let peer = Box::new(Peer { fragment: "them".into(), reach: Some(reach), fingerprint, role });
    let mut now = Instant::ZERO;
    for command in [
        Command::OpenShared { stream: A, ssrc: 1, cname: Arc::from("web") },
        Command::SetIce { stream: A, ice, full: true },
        Command::SetPeer { stream: A, peer },
    ] {
        plane.handle_command(now, command);
    }
    let (mut out, mut bytes, mut asked) = (Batch::new(64), Vec::with_capacity(1500), 0);
    let mut check = Vec::new();
    let username = format!("{}:them", ice.fragment());
    let mut one_turn = |now: Instant| {
        plane.handle_timeout(now, &mut out);
        bytes.clear();
        for sent in out.iter().filter(|sent| sent.bytes.first() == Some(&0)) {
            assert!(answer_check(&mut bytes, sent.bytes, ours, password));
            asked += 1;
        }
        out.clear();
        if !bytes.is_empty() {
            assert!(plane.handle_shared(now, Port::Shared(None), theirs, &mut bytes, &mut out));
        }
        // The far end checks us as well, as a full one does.
        check.clear();
        let (transaction, username) = ([3; 12], username.as_str());
        let password = ice.password();
        let (priority, nominates, controls) = (1, false, false);
        let of = Check { transaction, username, password, priority, nominates, controls };
        write_check(&mut check, &of);
        assert!(plane.handle_shared(now, Port::Shared(None), theirs, &mut check, &mut out));
        assert_eq!(out.len(), 1, "it is answered");
        out.clear();
    };
    for _ in 0..100 {
        now += Duration::from_millis(100);
        one_turn(now);
    }
    let count = allocations(|| {
        for _ in 0..6_000 {
            now += Duration::from_millis(100);
            one_turn(now);
        }
    });
    assert!(asked > 100, "{asked}");
    assert_eq!(count, 0);
}

#[test]
fn a_relayed_transcoded_tapped_and_captured_packet_allocates_nothing() {
    let (mut plane, mut taps, slots) = plane(2, None);
    plane.handle_command(Instant::ZERO, Command::Bridge { a: A, b: B });
    for (stream, channel) in [(A, Channel::Left), (B, Channel::Right)] {
        plane.handle_command(Instant::ZERO, Command::Tap { stream, tap: TapId(1), channel });
        let (capture, local) = (CaptureId(1), far(stream));
        let order = CaptureOrder { capture, local, received: true, sent: true, payload: true };
        plane.handle_command(Instant::ZERO, Command::Capture { stream, order: Some(order) });
    }
    let mut out = Batch::new(64);
    let (mut buffer, mut relayed) = ([0_u8; 172], 0);
    let stranger = "203.0.113.1:1".parse().unwrap();
    drain(&mut plane);
    let mut figures = 0;
    let count = allocations(|| {
        for n in 0..10_000_u32 {
            let now = Instant::from_millis(u64::from(n) * 10);
            let stream = if n % 2 == 0 { A } else { B };
            let header = audio(((n / 2) & 0xffff) as u16, n / 2 * 160).to_bytes();
            buffer[..12].copy_from_slice(&header);
            let slot = slots[stream.0 as usize - 1];
            plane.handle_packet(now, slot, Port::Rtp, far(stream), &mut buffer, &mut out);
            plane.handle_packet(now, slot, Port::Rtp, stranger, &mut buffer, &mut out);
            plane.handle_timeout(now, &mut out);
            relayed += out.iter().filter(|datagram| datagram.port == Port::Rtp).count();
            out.clear();
            figures += drain(&mut plane);
            while taps.pop().is_some() {}
        }
    });
    assert_eq!(relayed, 10_000);
    assert_eq!(count, figures);
}

#[test]
fn a_tick_of_a_hundred_playing_streams_allocates_nothing() {
    let (mut plane, _taps, _) = plane(100, None);
    let music = ramp(12_345);
    for id in 1..=100 {
        let sounds = Arc::from([Arc::clone(&music)]);
        let play = Command::Play { stream: StreamId(id), play: PlayId(id), sounds, looped: true };
        plane.handle_command(Instant::ZERO, play);
    }
    let mut out = Batch::new(64);
    let (mut sent, mut figures) = (0, 0);
    let count = allocations(|| {
        let end = Instant::ZERO + Duration::from_secs(20);
        while let Some((at, _)) = plane.poll_timeout().filter(|(at, _)| *at <= end) {
            plane.handle_timeout(at, &mut out);
            sent += out.len();
            out.clear();
            figures += drain(&mut plane);
        }
    });
    assert!(sent > 100 * 1000, "{sent}");
    assert_eq!(count, figures);
}

#[test]
fn a_packet_opened_relayed_and_sealed_allocates_nothing() {
    for profile in Profile::ALL {
        let master = MasterKey::new(
            profile,
            &[7; MASTER_BYTES][..profile.key_bytes() + profile.salt_bytes()],
        );
        let master = master.unwrap();
        let keys = SrtpKeys { ours: master, theirs: master.into() };
        let (mut plane, _taps, slots) = plane(2, Some(keys));
        plane.handle_command(Instant::ZERO, Command::Bridge { a: A, b: B });
        let (mut sealer, mut out) = (Sealer::new(&master), Batch::new(64));
        let (mut buffer, mut relayed) = (Vec::with_capacity(400), 0);
        drain(&mut plane);
        let mut figures = 0;
        let count = allocations(|| {
            for n in 0..1000_u32 {
                let now = Instant::from_millis(u64::from(n) * 20);
                buffer.clear();
                buffer.extend_from_slice(&audio((n & 0xffff) as u16, n * 160).to_bytes());
                buffer.extend_from_slice(&[0x55; 160]);
                sealer.seal_rtp(&mut buffer, 0).unwrap();
                plane.handle_packet(now, slots[0], Port::Rtp, far(A), &mut buffer, &mut out);
                plane.handle_timeout(now, &mut out);
                relayed += out.iter().filter(|datagram| datagram.port == Port::Rtp).count();
                out.clear();
                figures += drain(&mut plane);
            }
        });
        assert_eq!((relayed, count), (1000, figures), "{profile:?}");
    }
}

/// 20 ms of something in a codec: its payload.
fn payload(codec: Codec) -> Vec<u8> {
    let mut payload = Vec::new();
    let pcm: Vec<i16> = (0..320_i32).map(|n| ((n * n * 31) % 9000 - 4500) as i16).collect();
    Encoder::new(codec, Rate::Wide, OpusSettings::default()).encode(&pcm, &mut payload);
    payload
}

/// Every stream sends a packet each 20 ms; how many come out, and the allocations meanwhile, but
/// for one for each of the rare figures that are told.
fn talk(plane: &mut Plane, slots: &[Slot], codecs: &[Codec], seconds: u32) -> (usize, u64) {
    let mut out = Batch::new(64);
    let payloads: Vec<Vec<u8>> = codecs.iter().map(|codec| payload(*codec)).collect();
    let mut buffer = Vec::with_capacity(1500);
    let mut sent = 0;
    let mut figures = 0;
    let mut run = |from: u32, to: u32, sent: &mut usize, figures: &mut u64| {
        for n in from..to {
            let now = Instant::from_millis(u64::from(n) * 20);
            for ((slot, codec), payload) in slots.iter().zip(codecs).zip(&payloads) {
                let mut header = audio((n & 0xffff) as u16, codec.clock_rate() / 50 * n);
                header.payload_type = codec.offered_payload_type();
                buffer.clear();
                buffer.extend_from_slice(&header.to_bytes());
                buffer.extend_from_slice(payload);
                let from = far(StreamId(u64::from(slot.index) + 1));
                plane.handle_packet(now, *slot, Port::Rtp, from, &mut buffer, &mut out);
                *sent += out.iter().filter(|datagram| datagram.port == Port::Rtp).count();
                out.clear();
            }
            while plane.poll_timeout().is_some_and(|(at, _)| at <= now) {
                plane.handle_timeout(now, &mut out);
                *sent += out.iter().filter(|datagram| datagram.port == Port::Rtp).count();
                out.clear();
            }
            *figures += drain(plane);
        }
    };
    run(0, 50, &mut sent, &mut figures);
    (sent, figures) = (0, 0);
    let count = allocations(|| run(50, 50 + 50 * seconds, &mut sent, &mut figures));
    (sent, count - figures)
}

fn hall(codecs: &[Codec]) -> (Plane, Vec<Slot>) {
    let (mut plane, _taps, slots) = plane(codecs.len() as u64, None);
    for (n, codec) in codecs.iter().enumerate() {
        let stream = StreamId(n as u64 + 1);
        let remote = remote(stream, *codec);
        plane.handle_command(Instant::ZERO, Command::SetRemote { stream, remote, srtp: None });
    }
    (plane, slots)
}

#[test]
fn converting_between_any_codecs_allocates_nothing() {
    for a in Codec::ALL {
        for b in Codec::ALL {
            let codecs = [a, b];
            let (mut plane, slots) = hall(&codecs);
            plane.handle_command(Instant::ZERO, Command::Bridge { a: A, b: B });
            let (sent, count) = talk(&mut plane, &slots, &codecs, 4);
            assert!((390..=410).contains(&sent), "{a:?} and {b:?}: {sent}");
            assert_eq!(count, 0, "{a:?} and {b:?}");
        }
    }
}

#[test]
fn a_mix_of_ten_in_all_codecs_that_one_plays_over_allocates_nothing() {
    let codecs: Vec<Codec> = Codec::ALL.into_iter().cycle().take(10).collect();
    let (mut plane, slots) = hall(&codecs);
    let members = (1..=10).map(|n| Member::party(StreamId(n))).collect();
    plane.handle_command(Instant::ZERO, Command::Mix { mix: MixId(1), members });
    let sounds = Arc::from([ramp(12_345)]);
    let play = Command::Play { stream: StreamId(3), play: PlayId(1), sounds, looped: true };
    plane.handle_command(Instant::ZERO, play);
    let (sent, count) = talk(&mut plane, &slots, &codecs, 4);
    assert!((1990..=2010).contains(&sent), "{sent}");
    assert_eq!(count, 0);
}

#[test]
fn a_bridged_call_takes_no_more_memory_than_is_said() {
    let kib = |a: Codec, b: Codec| {
        let before = BYTES.with(Cell::get);
        let mut halls = Vec::new();
        let (mut plane, _taps, _) = plane(200, None);
        for call in 0..100_u64 {
            let (one, other) = (StreamId(2 * call + 1), StreamId(2 * call + 2));
            for (stream, codec) in [(one, a), (other, b)] {
                let remote = remote(stream, codec);
                let order = Command::SetRemote { stream, remote, srtp: None };
                plane.handle_command(Instant::ZERO, order);
            }
            plane.handle_command(Instant::ZERO, Command::Bridge { a: one, b: other });
        }
        halls.push(plane);
        // The ring of the taps is the worker's, not the calls'.
        let ring = 128 * size_of::<tap::Frame>() as i64;
        (BYTES.with(Cell::get) - before - ring) as f64 / 100.0 / 1024.0
    };
    let relayed = kib(Codec::Pcmu, Codec::Pcma);
    let wide = kib(Codec::Pcmu, Codec::G722);
    eprintln!("KiB a bridged call: relayed {relayed:.1}, PCMU and G.722 {wide:.1}");
    assert!(relayed < 12.0, "{relayed}");
    assert!(wide < 48.0, "{wide}");
}

#[test]
fn listening_to_how_a_call_comes_along_allocates_nothing_but_its_events() {
    let (mut plane, _taps, slots) = plane(2, None);
    plane.handle_command(Instant::ZERO, Command::Bridge { a: A, b: B });
    let answer = Some(media::progress::AnswerTimes::default());
    let listening = Some(Box::new(media::progress::Listening { country: None, answer }));
    plane.handle_command(Instant::ZERO, Command::Progress { stream: A, listening });
    let mut out = Batch::new(64);
    let mut buffer = [0_u8; 172];
    let mut figures = 0;
    let mut send = |n: u32, figures: &mut u64| {
        let now = Instant::from_millis(u64::from(n) * 20);
        buffer[..12].copy_from_slice(&audio((n & 0xffff) as u16, n * 160).to_bytes());
        for (at, code) in buffer[12..].iter_mut().enumerate() {
            // Bursts of 500 Hz and noise by turns.
            let noise = ((n * 160 + at as u32).wrapping_mul(2_654_435_761) >> 24) as u8;
            let square = if at / 8 % 2 == 0 { 0x20 } else { 0xa0 };
            *code = if (n / 20).is_multiple_of(2) { square } else { noise };
        }
        plane.handle_packet(now, slots[0], Port::Rtp, far(A), &mut buffer, &mut out);
        plane.handle_timeout(now, &mut out);
        out.clear();
        *figures += drain(&mut plane);
    };
    (0..50).for_each(|n| send(n, &mut figures));
    figures = 0;
    let count = allocations(|| (50..3000).for_each(|n| send(n, &mut figures)));
    assert_eq!(count, figures);
}
