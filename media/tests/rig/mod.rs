//! A plane under test, with its clock, its far ends' addresses, and what it sent.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod browser;
pub mod voices;

use std::net::SocketAddr;
use std::sync::Arc;

use base::{Duration, Instant, Rng, UnixTime};
use media::rtp::{self, Header};
use media::{
    Batch, CaptureReceiver, Captured, Codec, Command, Direction, Event, OpusSettings, Plane,
    PlaneOutput, PlayId, Port, Prompt, RemoteMedia, Slot, StreamId, StreamStats, TapReceiver,
    WorkerId, capture, tap,
};

pub const A: StreamId = StreamId(1);
pub const B: StreamId = StreamId(2);

/// The far end of a stream, as its SDP says.
pub fn far(stream: StreamId) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, stream.0 as u8], 4000))
}

pub fn remote(stream: StreamId, codec: Codec) -> RemoteMedia {
    RemoteMedia {
        rtp: far(stream),
        rtcp: SocketAddr::new(far(stream).ip(), 4001),
        codec,
        payload_type: codec.offered_payload_type(),
        opus: OpusSettings::default(),
        telephone_event: Some(101),
        events_rate: 8000,
        comfort_noise: None,
        ptime: Duration::from_millis(20),
        maxptime: None,
        xr: Default::default(),
        direction: Direction::SendRecv,
    }
}

pub fn audio(sequence: u16, timestamp: u32) -> Header {
    Header { payload_type: 0, marker: false, sequence, timestamp, ssrc: 0xa }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    pub slot: Slot,
    pub port: Port,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
    pub at: Instant,
}

impl Sent {
    pub fn header(&self) -> Header {
        rtp::parse(&self.bytes).unwrap().header
    }

    pub fn payload(&self) -> &[u8] {
        &self.bytes[12..]
    }
}

pub struct Rig {
    pub plane: Plane,
    pub taps: TapReceiver,
    pub captures: CaptureReceiver,
    pub now: Instant,
    pub events: Vec<Event>,
    /// What was told of how streams are, and when.
    pub figures: Vec<(Instant, StreamId, Box<StreamStats>)>,
    pub outputs: Vec<PlaneOutput>,
    batch: Batch,
    slots: Vec<(StreamId, Slot)>,
}

impl Rig {
    pub fn new() -> Self {
        Self::of_seed(7)
    }

    pub fn of_seed(seed: u64) -> Self {
        let (sender, taps) = tap::ring(64);
        let (capturing, captures) = capture::ring(256, 64 << 10);
        let wall = UnixTime::from_micros(1_700_000_000_000_000);
        Self {
            plane: Plane::new(WorkerId(0), sender, Rng::from_seed(seed), wall)
                .with_captures(capturing),
            taps,
            captures,
            now: Instant::from_millis(1000),
            events: Vec::new(),
            figures: Vec::new(),
            outputs: Vec::new(),
            batch: Batch::new(16),
            slots: Vec::new(),
        }
    }

    /// Two open streams, A in u-law and B in the codec given, not bridged.
    pub fn pair(b: Codec) -> Self {
        let mut rig = Self::new();
        rig.open(A, Codec::Pcmu);
        rig.open(B, b);
        rig
    }

    pub fn open(&mut self, stream: StreamId, codec: Codec) {
        let ssrc = 0x1000 + stream.0 as u32;
        let port = 20_000 + 2 * stream.0 as u16;
        self.order(Command::Open { stream, port, ssrc, cname: Arc::from("strowger") });
        let Some(PlaneOutput::OpenPort { slot, .. }) = self.outputs.pop() else {
            panic!("no port to open");
        };
        self.plane.opened(slot, Ok(()));
        self.slots.push((stream, slot));
        self.order(Command::SetRemote { stream, remote: remote(stream, codec), srtp: None });
        assert_eq!(self.events.pop(), Some(Event::Opened { stream }));
    }

    /// Something came in over the shared port; what the plane sends for it.
    pub fn shared(&mut self, port: Port, from: SocketAddr, bytes: &[u8]) -> Vec<Sent> {
        let mut bytes = bytes.to_vec();
        self.plane.handle_shared(self.now, port, from, &mut bytes, &mut self.batch);
        self.collect();
        self.sent()
    }

    pub fn slot(&self, stream: StreamId) -> Slot {
        self.slots.iter().rev().find(|(id, _)| *id == stream).unwrap().1
    }

    pub fn order(&mut self, command: Command) {
        self.plane.handle_command(self.now, command);
        self.collect();
    }

    pub fn bridge(&mut self) {
        self.order(Command::Bridge { a: A, b: B });
    }

    pub fn play(&mut self, stream: StreamId, play: u64, prompt: &Arc<Prompt>, looped: bool) {
        self.play_all(stream, play, &[Arc::clone(prompt)], looped);
    }

    pub fn play_all(&mut self, stream: StreamId, play: u64, sounds: &[Arc<Prompt>], looped: bool) {
        let sounds = Arc::from(sounds);
        self.order(Command::Play { stream, play: PlayId(play), sounds, looped });
    }

    /// A datagram from somewhere; what the plane sends for it.
    pub fn datagram(
        &mut self,
        stream: StreamId,
        port: Port,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Vec<Sent> {
        let mut bytes = bytes.to_vec();
        let slot = self.slot(stream);
        self.plane.handle_packet(self.now, slot, port, from, &mut bytes, &mut self.batch);
        self.collect();
        self.sent()
    }

    pub fn rtp_from(
        &mut self,
        stream: StreamId,
        from: SocketAddr,
        header: Header,
        payload: &[u8],
    ) -> Vec<Sent> {
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend_from_slice(payload);
        self.datagram(stream, Port::Rtp, from, &bytes)
    }

    /// From the stream's true far end.
    pub fn rtp(&mut self, stream: StreamId, header: Header, payload: &[u8]) -> Vec<Sent> {
        self.rtp_from(stream, far(stream), header, payload)
    }

    /// Lets time pass, timer by timer; what the plane sends meanwhile.
    pub fn run(&mut self, length: Duration) -> Vec<Sent> {
        let end = self.now + length;
        let mut all = Vec::new();
        while let Some((at, _)) = self.plane.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.plane.handle_timeout(self.now, &mut self.batch);
            self.collect();
            all.extend(self.sent());
        }
        self.now = end;
        all
    }

    pub fn millis(&mut self, millis: u64) -> Vec<Sent> {
        self.run(Duration::from_millis(millis))
    }

    /// Like `run`, and only the RTP of it.
    pub fn rtp_of(&mut self, millis: u64) -> Vec<Sent> {
        let mut sent = self.millis(millis);
        sent.retain(|sent| sent.port == Port::Rtp);
        sent
    }

    /// What was captured since this was asked last.
    pub fn captured(&mut self) -> Vec<(Captured, Vec<u8>)> {
        let mut bytes = Vec::new();
        let captures = &mut self.captures;
        std::iter::from_fn(|| Some((captures.pop(&mut bytes)?, bytes.clone()))).collect()
    }

    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn sent(&mut self) -> Vec<Sent> {
        let now = self.now;
        let sent = self.batch.iter().map(|d| Sent {
            slot: d.slot,
            port: d.port,
            to: d.to,
            bytes: d.bytes.to_vec(),
            at: now,
        });
        let sent = sent.collect();
        self.batch.clear();
        sent
    }

    fn collect(&mut self) {
        for event in std::iter::from_fn(|| self.plane.poll_event()) {
            match event {
                Event::Figures { stream, stats } => self.figures.push((self.now, stream, stats)),
                event => self.events.push(event),
            }
        }
        self.outputs.extend(std::iter::from_fn(|| self.plane.poll_output()));
    }
}

/// A prompt of so many samples, no two neighbours alike.
pub fn ramp(samples: usize) -> Arc<Prompt> {
    let pcm: Vec<i16> = (0..samples).map(|n| ((n * 37) % 251 * 128) as i16).collect();
    Arc::new(Prompt::from_pcm(&pcm))
}
