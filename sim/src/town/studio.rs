//! Stands in for the media workers: does as it is told without a packet, and complains about
//! orders that do not balance. (That the true plane does the same with packets, the runs of
//! [`crate::random_run`] show.)

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base::{Duration, Instant, Rng};
use media::{Codec, Command, Event, PlayId, StreamId, StreamStats, TapId, WorkerId};

use crate::checks::Complaint;

/// Nobody speaks for so long: the far end is gone (as [`Event::RtpTimeout`] says).
const SILENCE: Duration = Duration::from_secs(60);
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Stream {
    worker: WorkerId,
    port: u16,
    remote: Option<media::RemoteMedia>,
    joined: Option<StreamId>,
    tap: Option<TapId>,
    plays: Option<PlayId>,
    /// When it was last spoken to.
    heard: Instant,
    is_told: bool,
}

/// All media workers.
#[derive(Debug)]
pub(super) struct Studio {
    streams: BTreeMap<StreamId, Stream>,
    /// Streams that have been, so that nobody takes their number again.
    ever: u64,
    due: BTreeMap<(Instant, u64), (WorkerId, Event)>,
    numbers: u64,
    look: Instant,
    /// How many openings of a thousand fail.
    pub(super) failing: u64,
    rng: Rng,
    pub(super) complaints: Vec<Complaint>,
}

impl Studio {
    pub(super) fn new(now: Instant, rng: Rng) -> Self {
        Self {
            streams: BTreeMap::new(),
            ever: 0,
            due: BTreeMap::new(),
            numbers: 0,
            look: now,
            failing: 0,
            rng,
            complaints: Vec::new(),
        }
    }

    /// Streams that are open.
    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    fn complain(&mut self, what: String) {
        self.complaints.push(Complaint(format!("media: {what}")));
    }

    fn tell(&mut self, at: Instant, worker: WorkerId, event: Event) {
        self.numbers += 1;
        self.due.insert((at, self.numbers), (worker, event));
    }

    /// Does as it is told.
    pub(super) fn obey(&mut self, now: Instant, worker: WorkerId, command: &Command) {
        let stream = match command {
            Command::Mix { members, .. } => {
                for member in members {
                    self.enter_mix(worker, member.stream);
                }
                return;
            }
            // It ends for streams of which other orders tell.
            Command::Unmix { .. } => return,
            Command::Confirm { order } => {
                let soon = now + Duration::from_micros(100 + self.rng.below(3000));
                return self.tell(soon, worker, Event::Confirmed { order: *order });
            }
            _ => stream_of(command),
        };
        match command {
            Command::Open { port, .. } => return self.open(now, worker, stream, *port),
            Command::OpenShared { .. } => return self.open(now, worker, stream, 0),
            _ => {}
        }
        match self.streams.get(&stream) {
            None if stream.0 > self.ever => {
                return self.complain(format!("{command:?} for a stream that never was"));
            }
            // It was closed meanwhile, or could not be opened: such an order is passed over.
            None => return,
            Some(known) if known.worker != worker => {
                return self.complain(format!("{stream:?} is not worker {worker:?}'s"));
            }
            Some(_) => {}
        }
        match command {
            Command::Open { .. }
            | Command::OpenShared { .. }
            | Command::SetIce { .. }
            | Command::SetPeer { .. }
            | Command::Progress { .. }
            | Command::Mix { .. }
            | Command::Unmix { .. }
            | Command::Relatch { .. }
            | Command::Confirm { .. }
            | Command::Capture { .. }
            | Command::DigitWays { .. }
            | Command::SendDigits { .. }
            | Command::Mask { .. }
            | Command::Copy { to: None, .. }
            | Command::ExpectHost { .. } => {}
            Command::Copy { to: Some(to), .. } => self.copy(worker, stream, *to),
            Command::SetRemote { remote, .. } => self.change(stream, |one| {
                one.remote = Some(*remote);
                one.heard = now;
                one.is_told = false;
            }),
            Command::Play { play, sounds, looped, .. } => {
                self.change(stream, |one| one.plays = Some(*play));
                if !looped {
                    let event = Event::PlayFinished { stream, play: *play };
                    let length = sounds.iter().map(|sound| sound.duration()).sum::<Duration>();
                    self.tell(now + length, worker, event);
                }
            }
            Command::StopPlaying { .. } => self.change(stream, |one| one.plays = None),
            Command::Bridge { a, b } => self.join(worker, *a, *b),
            Command::Unbridge { a, b } => {
                if self.streams.get(a).is_some_and(|one| one.joined == Some(*b)) {
                    self.part(*a);
                }
            }
            Command::Tap { tap, .. } => self.tap(stream, *tap),
            Command::Untap { .. } => self.change(stream, |one| one.tap = None),
            Command::Close { .. } => self.close(now, worker, stream),
        }
    }

    fn copy(&mut self, worker: WorkerId, stream: StreamId, to: StreamId) {
        if !self.is_here(worker, to) {
            self.complain(format!("{stream:?} is copied to {to:?}, which is not there"));
        }
    }

    fn tap(&mut self, stream: StreamId, tap: TapId) {
        if self.streams.values().filter(|one| one.tap == Some(tap)).count() > 1 {
            self.complain(format!("{tap:?} is on three streams"));
        }
        self.change(stream, |one| one.tap = Some(tap));
    }

    fn change(&mut self, stream: StreamId, change: impl FnOnce(&mut Stream)) {
        if let Some(stream) = self.streams.get_mut(&stream) {
            change(stream);
        }
    }

    fn open(&mut self, now: Instant, worker: WorkerId, stream: StreamId, port: u16) {
        if stream.0 <= self.ever {
            self.complain(format!("{stream:?} is opened twice"));
        }
        self.ever = self.ever.max(stream.0);
        if self.streams.values().any(|one| one.worker == worker && one.port == port) {
            self.complain(format!("port {port} is opened twice"));
        }
        let soon = now + Duration::from_micros(100 + self.rng.below(3000));
        let fails = self.rng.below(1000) < self.failing;
        let opened = Stream {
            worker,
            port,
            remote: None,
            joined: None,
            tap: None,
            plays: None,
            heard: now,
            is_told: false,
        };
        self.streams.insert(stream, opened);
        let reason = "address in use".to_owned();
        let failed = Event::OpenFailed { stream, reason };
        self.tell(soon, worker, if fails { failed } else { Event::Opened { stream } });
    }

    fn join(&mut self, worker: WorkerId, a: StreamId, b: StreamId) {
        if a == b || !self.is_here(worker, b) {
            return self.complain(format!("{a:?} is joined with {b:?}, which is not there"));
        }
        self.part(a);
        self.part(b);
        self.change(a, |one| one.joined = Some(b));
        self.change(b, |one| one.joined = Some(a));
    }

    /// Its bridge ends. (It may be gone already: the plane passes such a member over.)
    fn enter_mix(&mut self, worker: WorkerId, stream: StreamId) {
        if stream.0 > self.ever {
            self.complain(format!("{stream:?} is mixed and never was"));
        } else if self.streams.contains_key(&stream) && !self.is_here(worker, stream) {
            self.complain(format!("{stream:?} is mixed and is not worker {worker:?}'s"));
        }
        self.part(stream);
    }

    fn is_here(&self, worker: WorkerId, stream: StreamId) -> bool {
        self.streams.get(&stream).is_some_and(|one| one.worker == worker)
    }

    fn part(&mut self, stream: StreamId) {
        let other = self.streams.get_mut(&stream).and_then(|one| one.joined.take());
        if let Some(other) = other {
            self.change(other, |one| one.joined = None);
        }
    }

    fn close(&mut self, now: Instant, worker: WorkerId, stream: StreamId) {
        self.part(stream);
        if let Some(gone) = self.streams.remove(&stream)
            && gone.tap.is_some()
        {
            self.complain(format!("{stream:?} is closed while it is recorded"));
        }
        let soon = now + Duration::from_micros(100 + self.rng.below(3000));
        self.tell(soon, worker, Event::Closed { stream, stats: stats() });
    }

    /// Looks who still speaks; `speaks` says whether somebody does at an address.
    pub(super) fn look(&mut self, now: Instant, speaks: impl Fn(SocketAddr) -> bool) {
        if now < self.look + LOOK {
            return;
        }
        self.look = now;
        let mut gone = Vec::new();
        for (id, stream) in &mut self.streams {
            let Some(remote) = &stream.remote else { continue };
            if !remote.direction.sends() || speaks(remote.rtp) {
                stream.heard = now;
                stream.is_told = false;
            } else if !stream.is_told && stream.heard + SILENCE <= now {
                stream.is_told = true;
                gone.push((*id, stream.worker));
            }
        }
        for (stream, worker) in gone {
            self.tell(now, worker, Event::RtpTimeout { stream });
        }
    }

    /// When something happens next.
    pub(super) fn next(&self) -> Option<Instant> {
        let look = (!self.streams.is_empty()).then(|| self.look + LOOK);
        self.due.first_key_value().map(|((at, _), _)| *at).into_iter().chain(look).min()
    }

    /// The next thing that has happened by now.
    pub(super) fn poll(&mut self, now: Instant) -> Option<(WorkerId, Event)> {
        loop {
            let entry = self.due.first_entry()?;
            if entry.key().0 > now {
                return None;
            }
            let (worker, event) = entry.remove();
            if let Event::OpenFailed { stream, .. } = &event {
                // Until now nobody knew, and it could be joined.
                self.part(*stream);
                self.streams.remove(stream);
            }
            if let Event::PlayFinished { stream, play } = &event {
                let plays = self.streams.get_mut(stream).map(|one| &mut one.plays);
                match plays {
                    Some(plays) if *plays == Some(*play) => *plays = None,
                    _ => continue, // stopped or replaced
                }
            }
            return Some((worker, event));
        }
    }
}

fn stream_of(command: &Command) -> StreamId {
    match command {
        Command::Open { stream, .. }
        | Command::OpenShared { stream, .. }
        | Command::SetIce { stream, .. }
        | Command::SetPeer { stream, .. }
        | Command::Progress { stream, .. }
        | Command::SetRemote { stream, .. }
        | Command::ExpectHost { stream, .. }
        | Command::Play { stream, .. }
        | Command::StopPlaying { stream }
        | Command::Relatch { stream }
        | Command::Tap { stream, .. }
        | Command::Untap { stream }
        | Command::Capture { stream, .. }
        | Command::DigitWays { stream, .. }
        | Command::SendDigits { stream, .. }
        | Command::Mask { stream, .. }
        | Command::Close { stream }
        | Command::Bridge { a: stream, .. }
        | Command::Unbridge { a: stream, .. }
        | Command::Copy { from: stream, .. } => *stream,
        Command::Mix { mix, .. } | Command::Unmix { mix } => StreamId(mix.0),
        Command::Confirm { order } => StreamId(order.0),
    }
}

fn stats() -> StreamStats {
    StreamStats {
        packets_sent: 0,
        bytes_sent: 0,
        packets_received: 0,
        bytes_received: 0,
        packets_lost: 0,
        jitter_us: 0,
        round_trip_us: None,
        mos_centi: 0,
        loss_permille: 0,
        buffer_us: None,
        concealed_ms: 0,
        skew_ppm: None,
        heard_dbov: None,
        said_dbov: None,
        far: Default::default(),
        refused_packets: 0,
        tap_dropped: 0,
        codec: Codec::Pcmu,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn open(stream: u64, port: u16) -> Command {
        Command::Open { stream: StreamId(stream), port, ssrc: 1, cname: "x".into() }
    }

    fn complaints(commands: &[(u16, Command)]) -> Vec<String> {
        let now = Instant::from_millis(1);
        let mut studio = Studio::new(now, Rng::from_seed(1));
        for (worker, command) in commands {
            studio.obey(now, WorkerId(*worker), command);
        }
        studio.complaints.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn orders_that_do_not_balance_are_complained_of() {
        let (a, b) = (StreamId(1), StreamId(2));
        let fine = [(0, open(1, 40)), (0, open(2, 42)), (0, Command::Bridge { a, b })];
        assert_eq!(complaints(&fine), Vec::<String>::new());
        let twice = complaints(&[(0, open(1, 40)), (0, open(1, 42))]);
        assert!(twice[0].contains("opened twice"), "{twice:?}");
        let port = complaints(&[(0, open(1, 40)), (0, open(2, 40))]);
        assert!(port[0].contains("port 40"), "{port:?}");
        let never = complaints(&[(0, Command::Close { stream: a })]);
        assert!(never[0].contains("never was"), "{never:?}");
        let foreign = complaints(&[(0, open(1, 40)), (1, Command::Close { stream: a })]);
        assert!(foreign[0].contains("is not worker"), "{foreign:?}");
        let apart =
            complaints(&[(0, open(1, 40)), (1, open(2, 40)), (0, Command::Bridge { a, b })]);
        assert!(apart[0].contains("not there"), "{apart:?}");
        let channel = media::Channel::Left;
        let tap = Command::Tap { stream: a, tap: TapId(1), channel };
        let taped = complaints(&[(0, open(1, 40)), (0, tap), (0, Command::Close { stream: a })]);
        assert!(taped[0].contains("recorded"), "{taped:?}");
    }
}
