//! What relayed packets, converted calls and conferences cost in the plane alone: no sockets, no
//! system calls.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;

use base::{Duration, Instant, Rng, UnixTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use media::rtp::Header;
use media::srtp::{MASTER_BYTES, MasterKey, Opener, Profile, Sealer};
use media::tap::{self, Channel, TapId};
use media::{
    Batch, Codec, Command, Direction, Member, MixId, OpusSettings, Plane, PlaneOutput, PlayId,
    Port, Prompt, RemoteMedia, Slot, StreamId, TapReceiver, WorkerId,
};

struct Bench {
    plane: Plane,
    taps: TapReceiver,
    slots: Vec<Slot>,
    out: Batch,
    packet: [u8; 172],
    n: u32,
}

fn far(stream: u64) -> SocketAddr {
    SocketAddr::from(([10, 0, (stream >> 8) as u8, stream as u8], 4000))
}

fn remote(id: u64, codec: Codec) -> RemoteMedia {
    RemoteMedia {
        rtp: far(id),
        rtcp: far(id),
        codec,
        payload_type: codec.offered_payload_type(),
        opus: OpusSettings::default(),
        telephone_event: Some(101),
        events_rate: 8000,
        comfort_noise: None,
        ptime: Duration::from_millis(20),
        maxptime: None,
        xr: media::XrWanted::default(),
        direction: Direction::SendRecv,
    }
}

impl Bench {
    /// Bridged pairs; the second leg of each in the codec given.
    fn new(pairs: u64, second: Codec, tapped: bool) -> Self {
        let (sender, taps) = tap::ring(4096);
        let mut plane =
            Plane::new(WorkerId(0), sender, Rng::from_seed(1), UnixTime::from_micros(0));
        let mut slots = Vec::new();
        for id in 0..2 * pairs {
            let stream = StreamId(id);
            let cname = Arc::from("bench");
            let order = Command::Open { stream, port: 20_000, ssrc: id as u32, cname };
            plane.handle_command(Instant::ZERO, order);
            if let Some(PlaneOutput::OpenPort { slot, .. }) = plane.poll_output() {
                plane.opened(slot, Ok(()));
                slots.push(slot);
            }
            let codec = if id % 2 == 0 { Codec::Pcmu } else { second };
            let remote = remote(id, codec);
            plane.handle_command(Instant::ZERO, Command::SetRemote { stream, remote, srtp: None });
            if id % 2 == 1 {
                let bridge = Command::Bridge { a: StreamId(id - 1), b: stream };
                plane.handle_command(Instant::ZERO, bridge);
            }
            if tapped {
                let channel = if id % 2 == 0 { Channel::Left } else { Channel::Right };
                let order = Command::Tap { stream, tap: TapId(id / 2), channel };
                plane.handle_command(Instant::ZERO, order);
            }
        }
        Self { plane, taps, slots, out: Batch::new(64), packet: [0; 172], n: 0 }
    }

    /// One packet of every stream.
    fn round(&mut self) {
        self.n += 1;
        let now = Instant::from_millis(u64::from(self.n) * 20);
        for index in 0..self.slots.len() {
            let header = Header {
                payload_type: 0,
                marker: false,
                sequence: (self.n & 0xffff) as u16,
                timestamp: self.n.wrapping_mul(160),
                ssrc: 5,
            };
            for (to, from) in self.packet.iter_mut().zip(header.to_bytes()) {
                *to = from;
            }
            let (slot, from) = (self.slots[index], far(index as u64));
            self.plane.handle_packet(now, slot, Port::Rtp, from, &mut self.packet, &mut self.out);
            if self.out.room() == 0 {
                black_box(&self.out);
                self.out.clear();
            }
        }
        self.out.clear();
        while self.plane.poll_event().is_some() {}
        while self.taps.pop().is_some() {}
    }
}

fn relay(c: &mut Criterion) {
    let mut group = c.benchmark_group("media/relay");
    for (name, pairs, second, tapped) in [
        ("one bridge", 1, Codec::Pcmu, false),
        ("500 bridges", 500, Codec::Pcmu, false),
        ("500 bridges, transcoded", 500, Codec::Pcma, false),
        ("500 bridges, tapped", 500, Codec::Pcmu, true),
    ] {
        let mut bench = Bench::new(pairs, second, tapped);
        group.throughput(Throughput::Elements(2 * pairs));
        group.bench_function(name, |b| b.iter(|| bench.round()));
    }
    group.finish();
}

fn ticks(c: &mut Criterion) {
    let mut group = c.benchmark_group("media/play");
    let mut bench = Bench::new(250, Codec::Pcmu, false);
    let pcm: Vec<i16> = (0..80_000).map(|n| (n % 1000) as i16).collect();
    let music = Arc::new(Prompt::from_pcm(&pcm));
    for id in 0..500 {
        let sounds = Arc::from([Arc::clone(&music)]);
        let play = Command::Play { stream: StreamId(id), play: PlayId(id), sounds, looped: true };
        bench.plane.handle_command(Instant::ZERO, play);
    }
    let mut end = Instant::ZERO;
    group.throughput(Throughput::Elements(500));
    group.bench_function("500 streams", |b| {
        b.iter(|| {
            end += Duration::from_millis(20);
            while let Some((at, _)) = bench.plane.poll_timeout().filter(|(at, _)| *at <= end) {
                bench.plane.handle_timeout(at, &mut bench.out);
                black_box(&bench.out);
                bench.out.clear();
            }
        });
    });
    group.finish();
}

/// Sealing and opening a packet of 20 ms of G.711, one number after the other.
fn srtp(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("srtp");
    group.throughput(Throughput::Elements(1));
    for profile in [Profile::AesCm128HmacSha1_80, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm] {
        let bytes = &[7; MASTER_BYTES][..profile.key_bytes() + profile.salt_bytes()];
        let Some(key) = MasterKey::new(profile, bytes) else { return };
        let (mut sealer, mut opener) = (Sealer::new(&key), Opener::new(&key));
        let (mut packet, mut n) = (Vec::with_capacity(256), 0_u16);
        group.bench_function(format!("sealed and opened, {}", profile.name()), |bencher| {
            bencher.iter(|| {
                n = n.wrapping_add(1);
                let (payload_type, timestamp) = (0, u32::from(n) * 160);
                let header =
                    Header { payload_type, marker: false, sequence: n, timestamp, ssrc: 5 };
                packet.clear();
                packet.extend_from_slice(&header.to_bytes());
                packet.extend_from_slice(&[0x55; 160]);
                let sealed = sealer.seal_rtp(&mut packet, 0);
                black_box((sealed, opener.open_rtp(&mut packet)))
            });
        });
    }
    group.finish();
}

/// One call or conference after the other: what 20 ms of all of it cost, packets in and out.
struct Hall {
    plane: Plane,
    slots: Vec<Slot>,
    codecs: Vec<Codec>,
    /// Of each codec: a second of payloads.
    speech: Vec<(Codec, Vec<Vec<u8>>)>,
    out: Batch,
    packet: Vec<u8>,
    n: u32,
    talkers: usize,
}

impl Hall {
    fn new(codecs: Vec<Codec>) -> Self {
        let (sender, _) = tap::ring(32);
        let mut plane =
            Plane::new(WorkerId(0), sender, Rng::from_seed(1), UnixTime::from_micros(0));
        let mut slots = Vec::new();
        for (n, codec) in codecs.iter().enumerate() {
            let stream = StreamId(n as u64);
            let order =
                Command::Open { stream, port: 20_000, ssrc: n as u32, cname: Arc::from("bench") };
            plane.handle_command(Instant::ZERO, order);
            if let Some(PlaneOutput::OpenPort { slot, .. }) = plane.poll_output() {
                plane.opened(slot, Ok(()));
                slots.push(slot);
            }
            let remote = remote(n as u64, *codec);
            plane.handle_command(Instant::ZERO, Command::SetRemote { stream, remote, srtp: None });
        }
        let speech = Codec::ALL.into_iter().map(|codec| (codec, speech(codec))).collect();
        let (out, packet) = (Batch::new(64), Vec::with_capacity(1500));
        Self { plane, slots, codecs, speech, out, packet, n: 0, talkers: usize::MAX }
    }

    /// A packet of each far end, spread over 20 ms, and all that is due meanwhile.
    fn round(&mut self) {
        self.n += 1;
        let start = Instant::from_millis(u64::from(self.n) * 20);
        let count = self.slots.len() as u64;
        for index in 0..self.slots.len() {
            let now = start + Duration::from_nanos(20_000_000 * index as u64 / count);
            let codec = self.codecs[index];
            let silent = index % 10 >= self.talkers;
            let payloads = self.speech.iter().find(|(of, _)| *of == codec);
            let Some((_, payloads)) = payloads else { continue };
            let payload = &payloads[self.n as usize % payloads.len()];
            let header = Header {
                payload_type: codec.offered_payload_type(),
                marker: false,
                sequence: (self.n & 0xffff) as u16,
                timestamp: self.n.wrapping_mul(codec.clock_rate() / 50),
                ssrc: 5,
            };
            self.packet.clear();
            self.packet.extend_from_slice(&header.to_bytes());
            match codec.law().filter(|_| silent) {
                Some(law) => self.packet.resize(172, law.silence()),
                None => self.packet.extend_from_slice(payload),
            }
            let (slot, from) = (self.slots[index], far(index as u64));
            self.plane.handle_packet(now, slot, Port::Rtp, from, &mut self.packet, &mut self.out);
            while self.out.room() < 16 || self.plane.poll_timeout().is_some_and(|(at, _)| at <= now)
            {
                black_box(&self.out);
                self.out.clear();
                self.plane.handle_timeout(now, &mut self.out);
            }
        }
        self.out.clear();
        while self.plane.poll_event().is_some() {}
    }
}

/// A second of what sounds like speech to a codec: a buzz whose tones and loudness change.
fn speech(codec: Codec) -> Vec<Vec<u8>> {
    let rate = codec.rate().min(media::Rate::Wide);
    let mut encoder = media::Encoder::new(codec, rate, OpusSettings::default());
    let mut phase = 0.0_f64;
    let mut tick = |n: usize| {
        let pcm: Vec<i16> = (0..rate.per_tick())
            .map(|_| {
                phase += (110.0 + 40.0 * (n as f64 / 7.0).sin()) / f64::from(rate.hz());
                let buzz: f64 =
                    (1..12).map(|k| (std::f64::consts::TAU * phase * f64::from(k)).sin()).sum();
                (900.0 * buzz * (0.6 + 0.4 * (n as f64 / 3.0).cos())) as i16
            })
            .collect();
        let mut payload = Vec::new();
        encoder.encode(&pcm, &mut payload);
        payload
    };
    (0..50).map(&mut tick).collect()
}

/// What a call or a conference takes of one core, and how many of them fill it.
fn halls(c: &mut Criterion) {
    let mut group = c.benchmark_group("media/calls");
    group.sample_size(20);
    let pair = |a, b, calls: usize| [a, b].into_iter().cycle().take(2 * calls).collect();
    let cases: [(&str, usize, usize, usize, Vec<Codec>); 9] = [
        ("relayed, PCMU", 200, 2, 10, pair(Codec::Pcmu, Codec::Pcmu, 200)),
        ("PCMU and PCMA", 200, 2, 10, pair(Codec::Pcmu, Codec::Pcma, 200)),
        ("PCMU and G.722", 50, 2, 10, pair(Codec::Pcmu, Codec::G722, 50)),
        ("PCMU and Opus", 50, 2, 10, pair(Codec::Pcmu, Codec::Opus, 50)),
        ("ten parties in PCMU, two talk", 20, 10, 2, vec![Codec::Pcmu; 200]),
        ("ten parties in PCMU, all talk", 20, 10, 10, vec![Codec::Pcmu; 200]),
        // More than the caches hold.
        ("relayed, PCMU, 1,500 of them", 1500, 2, 10, pair(Codec::Pcmu, Codec::Pcmu, 1500)),
        ("ten parties in PCMU, all talk, 300 of them", 300, 10, 10, vec![Codec::Pcmu; 3000]),
        ("ten parties in PCMU and PCMA, two talk", 20, 10, 2, pair(Codec::Pcmu, Codec::Pcma, 100)),
    ];
    for (name, calls, size, talkers, codecs) in cases {
        let mut hall = Hall::new(codecs);
        hall.talkers = talkers;
        for call in 0..calls as u64 {
            let first = call * size as u64;
            let order = if size == 2 {
                Command::Bridge { a: StreamId(first), b: StreamId(first + 1) }
            } else {
                let members = (first..first + size as u64).map(|n| Member::party(StreamId(n)));
                Command::Mix { mix: MixId(call), members: members.collect() }
            };
            hall.plane.handle_command(Instant::ZERO, order);
        }
        (0..100).for_each(|_| hall.round());
        let begun = std::time::Instant::now();
        (0..100).for_each(|_| hall.round());
        let taken = begun.elapsed().as_secs_f64() / 100.0;
        eprintln!("{name}: {:.0} of them on one core", 0.02 / taken * calls as f64);
        group.throughput(Throughput::Elements(calls as u64));
        group.bench_function(name, |b| b.iter(|| hall.round()));
    }
    group.finish();
}

criterion_group!(benches, relay, halls, ticks, srtp);
criterion_main!(benches);
