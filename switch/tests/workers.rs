//! An attended transfer between calls that live on two media workers: real planes, real packets.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base::{Rng, UnixTime};
use media::{Batch, Command, Plane, PlaneOutput, Port, Slot, StreamId, WorkerId, tap};
use switch::{Cause, Limits};

use crate::rig::agent::Asked;
use crate::rig::{ALICE, BOB, DEMO, Phone, Rig, SDP_PCMA, SWITCH, address, worker};

const DAVE: SocketAddr = address([127, 0, 0, 14], 5060);

/// The planes of all workers, on one loopback network.
struct Planes {
    planes: Vec<Plane>,
    /// Commands that have been carried out.
    done: usize,
    ports: BTreeMap<u16, (usize, Slot, StreamId)>,
    batch: Batch,
}

impl Planes {
    fn new(workers: u16) -> Self {
        let plane = |id| {
            let (taps, _) = tap::ring(64);
            Plane::new(WorkerId(id), taps, Rng::from_seed(u64::from(id)), UnixTime::default())
        };
        let planes = (0..workers).map(plane).collect();
        Self { planes, done: 0, ports: BTreeMap::new(), batch: Batch::new(64) }
    }

    /// Carries out what the switch has ordered since.
    fn follow(&mut self, rig: &Rig) {
        for at in self.done..rig.commands.len() {
            let worker = usize::from(rig.workers[at].0);
            self.planes[worker].handle_command(rig.now, rig.commands[at].clone());
            while let Some(output) = self.planes[worker].poll_output() {
                match output {
                    PlaneOutput::OpenPort { slot, stream, port } => {
                        self.planes[worker].opened(slot, Ok(()));
                        self.ports.insert(port, (worker, slot, stream));
                    }
                    PlaneOutput::ClosePort { slot } => {
                        self.ports.retain(|_, (w, s, _)| (*w, *s) != (worker, slot));
                    }
                    PlaneOutput::Send { .. } => {}
                }
            }
        }
        self.done = rig.commands.len();
    }

    /// A datagram to a stream of the switch's, and whatever comes of it, from worker to worker:
    /// those that leave for the outside.
    fn send(
        &mut self,
        rig: &Rig,
        from: SocketAddr,
        to: u16,
        packet: &[u8],
    ) -> Vec<(u16, SocketAddr, Vec<u8>)> {
        let mut left = Vec::new();
        let mut waiting = vec![(from, to, packet.to_vec())];
        while let Some((from, to, mut packet)) = waiting.pop() {
            let (worker, slot, _) = self.ports[&to];
            let plane = &mut self.planes[worker];
            plane.handle_packet(rig.now, slot, Port::Rtp, from, &mut packet, &mut self.batch);
            for sent in self.batch.iter() {
                let is_its = |(_, (w, s, _)): &(&u16, &(usize, Slot, StreamId))| {
                    (*w, *s) == (worker, sent.slot)
                };
                let (port, _) = self.ports.iter().find(is_its).unwrap();
                let source = SocketAddr::new([127, 0, 0, 1].into(), *port);
                if sent.to.ip() == source.ip() && self.ports.contains_key(&sent.to.port()) {
                    waiting.push((source, sent.to.port(), sent.bytes.to_vec()));
                } else {
                    left.push((*port, sent.to, sent.bytes.to_vec()));
                }
            }
            self.batch.clear();
        }
        left
    }
}

/// 20 ms of one sample value.
fn rtp(sequence: u16, payload_type: u8, sample: u8) -> Vec<u8> {
    let timestamp = u32::from(sequence) * 160;
    let mut packet = vec![0x80, payload_type];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&timestamp.to_be_bytes());
    packet.extend_from_slice(&7_u32.to_be_bytes());
    packet.extend_from_slice(&[sample; 160]);
    packet
}

/// The port that a description of the switch's names.
fn port_of(message: &sip::Message) -> u16 {
    let text = String::from_utf8(message.body().to_vec()).unwrap();
    let (_, rest) = text.split_once("m=audio ").unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

fn sdp_at(at: SocketAddr, codecs: &str) -> String {
    codecs.replace("127.0.0.2", &at.ip().to_string())
}

/// Bob and Dave, whose calls with Alice live on two workers, are joined by her.
struct Joined {
    rig: Rig,
    planes: Planes,
    bob: u16,
    dave: u16,
    dave_leg: Asked,
}

fn joined(ports_of_each: u16) -> Joined {
    let provisioning = DEMO
        .replace("agents = [\n", "agents = [\n{ id = \"dave\", password = \"dave-secret\" },\n")
        .replace(
            "password = \"alice-secret\",",
            "password = \"alice-secret\", call_waiting = true,",
        );
    let media =
        [0, 1].map(|id| worker(id, 20_000 + id * 1000..=20_000 + id * 1000 + ports_of_each));
    let mut rig = Rig::with_workers(&provisioning, Limits::default(), media.to_vec());
    rig.register_both();
    let mut planes = Planes::new(2);

    let mut first = rig.agent_dials(ALICE, "alice", "bob", "");
    let invite = rig.expect(BOB, "INVITE");
    let (bob_port, bob) = (port_of(&invite), Phone::new(BOB, invite));
    rig.send(BOB, &bob.respond("200 OK", Some(&sdp_at(BOB, SDP_PCMA))));
    rig.expect(BOB, "ACK");
    let ok = rig.expect_final(ALICE);
    rig.agent_acks(&mut first, &ok);
    planes.follow(&rig);

    let mut dave_leg = rig.agent_dials(DAVE, "dave", "alice", "");
    let mut alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.phone_answers(&alice);
    let ok = rig.expect_final(DAVE);
    let dave_port = port_of(&ok);
    rig.agent_acks(&mut dave_leg, &ok);
    planes.follow(&rig);
    assert_ne!(planes.ports[&bob_port].0, planes.ports[&dave_port].0, "two workers");

    let replaces = format!(
        "<sip:bob@{SWITCH}?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3D{}>",
        first.call_id, first.to_tag, first.tag
    );
    rig.send(ALICE, &alice.refer(&replaces));
    Joined { rig, planes, bob: bob_port, dave: dave_port, dave_leg }
}

#[test]
fn calls_of_two_workers_are_joined_and_each_side_hears_the_other() {
    let Joined { mut rig, mut planes, bob, dave, mut dave_leg } = joined(99);
    rig.expect(ALICE, "SIP/2.0 202");
    rig.confirm_bye(ALICE);
    rig.confirm(ALICE, "NOTIFY");
    rig.confirm_bye(ALICE);
    rig.expect_silence(BOB);
    rig.expect_silence(DAVE);
    planes.follow(&rig);

    // Dave's own SDP says 127.0.0.2:40000, Bob's 127.0.0.12:40000 and PCMA.
    let (daves, bobs): (SocketAddr, SocketAddr) =
        ("127.0.0.2:40000".parse().unwrap(), "127.0.0.12:40000".parse().unwrap());
    for n in 1..5 {
        let heard = planes.send(&rig, daves, dave, &rtp(n, 0, 0xff));
        let [(port, to, packet)] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!((*port, *to, packet[1] & 0x7f), (bob, bobs, 8));
        assert_eq!(packet[12..], [0xd5; 160], "silence as PCMA writes it");
        let heard = planes.send(&rig, bobs, bob, &rtp(n, 8, 0xd5));
        let [(port, to, packet)] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!((*port, *to, packet[1] & 0x7f), (dave, daves, 0));
        assert_eq!(packet[12..], [0xfe; 160], "the nearest that PCMU has");
    }

    rig.agent_hangs_up(&mut dave_leg, "");
    rig.confirm_bye(BOB);
    planes.follow(&rig);
    assert!(planes.ports.is_empty(), "the relay is closed too");
    rig.advance_ms(3000);
    let causes: Vec<Cause> = rig.records.iter().map(|record| record.cause).collect();
    assert_eq!(causes, [Cause::Transferred, Cause::Normal]);
    assert_eq!(rig.records[1].legs.len(), 3, "Dave, Alice, Bob; the relay is no leg");
    rig.finish();
}

#[test]
fn a_relays_port_that_is_taken_is_tried_again_and_a_call_without_any_ends() {
    for (bad, ends) in [(1, false), (2, false), (9, true)] {
        let Joined { mut rig, mut dave_leg, .. } = {
            let mut joined = joined(99);
            joined.rig.bad_opens = 0;
            joined
        };
        // The relay is open already: its workers say that its ports were not to be had.
        let ends_of_relay: Vec<StreamId> = rig.streams().into_iter().rev().take(2).collect();
        rig.bad_opens = bad - 1;
        let reason = "address in use".to_owned();
        rig.media(media::Event::OpenFailed { stream: ends_of_relay[0], reason });
        rig.expect(ALICE, "SIP/2.0 202");
        rig.confirm_bye(ALICE);
        rig.confirm(ALICE, "NOTIFY");
        rig.confirm_bye(ALICE);
        rig.bad_opens = 0;
        if ends {
            rig.confirm_bye(BOB);
            rig.confirm_bye(DAVE);
            assert!(rig.records.iter().any(|record| record.cause == Cause::MediaFailed));
        } else {
            let bridged = rig.commands.iter().rev().find_map(|command| match command {
                Command::Bridge { a, b } => Some((*a, *b)),
                _ => None,
            });
            let newest = *rig.streams().last().unwrap();
            let (a, b) = bridged.unwrap();
            assert!(ends_of_relay[1] == a || newest == a || newest == b);
            rig.agent_hangs_up(&mut dave_leg, "");
            rig.confirm_bye(BOB);
        }
        rig.advance_ms(3000);
        rig.finish();
    }
}

const SUE: SocketAddr = address([127, 0, 0, 20], 5060);

impl Planes {
    /// Time passes by a tick: what all planes send to the outside, with the port it is sent from.
    fn tick(&mut self, rig: &mut Rig) -> Vec<(u16, Vec<u8>)> {
        rig.advance_ms(20);
        let mut left = Vec::new();
        for worker in 0..self.planes.len() {
            let mut inside = Vec::new();
            while self.planes[worker].poll_timeout().is_some_and(|(at, _)| at <= rig.now) {
                self.planes[worker].handle_timeout(rig.now, &mut self.batch);
                for sent in self.batch.iter().filter(|sent| sent.port == Port::Rtp) {
                    let is_its = |(_, (w, s, _)): &(&u16, &(usize, Slot, StreamId))| {
                        (*w, *s) == (worker, sent.slot)
                    };
                    let (port, _) = self.ports.iter().find(is_its).unwrap();
                    let source = SocketAddr::new([127, 0, 0, 1].into(), *port);
                    if sent.to.ip() == source.ip() && self.ports.contains_key(&sent.to.port()) {
                        inside.push((source, sent.to.port(), sent.bytes.to_vec()));
                    } else {
                        left.push((*port, sent.bytes.to_vec()));
                    }
                }
                self.batch.clear();
            }
            for (source, to, packet) in inside {
                let went = self.send(rig, source, to, &packet);
                left.extend(went.into_iter().map(|(port, _, packet)| (port, packet)));
            }
        }
        left
    }

    /// The port of a stream.
    fn port(&self, stream: StreamId) -> u16 {
        *self.ports.iter().find(|(_, (.., of))| *of == stream).unwrap().0
    }
}

/// 20 ms of a tone.
fn tone(n: u16, hertz: f64) -> Vec<u8> {
    let sample = |at: u32| {
        let turns = f64::from(u32::from(n) * 160 + at) / 8000.0 * hertz;
        media::G711::Pcmu.encode(((turns * std::f64::consts::TAU).sin() * 5000.0) as i16)
    };
    let mut packet = rtp(n, 0, 0);
    packet.truncate(12);
    packet.extend((0..160).map(sample));
    packet
}

/// How loud a tone is in codes, as a part of what was said.
fn loudness(codes: &[u8], hertz: f64) -> f64 {
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (n, code) in codes.iter().enumerate() {
        let angle = n as f64 / 8000.0 * hertz * std::f64::consts::TAU;
        let sample = f64::from(media::G711::Pcmu.decode(*code));
        (sine, cosine) = (sine + sample * angle.sin(), cosine + sample * angle.cos());
    }
    2.0 * f64::hypot(sine, cosine) / codes.len() as f64 / 5000.0
}

#[test]
fn a_whisper_to_a_guest_of_another_worker_reaches_that_one_alone_and_hears_all() {
    let provisioning = DEMO
        .replace(
            "agents = [\n",
            "agents = [\n{ id = \"sue\", password = \"sue-secret\", supervises = [\"sales\"] },\n",
        )
        .replace(
            "password = \"alice-secret\",",
            "password = \"alice-secret\", call_waiting = true,",
        );
    let media = [0, 1].map(|id| worker(id, 20_000 + id * 1000..=20_099 + id * 1000));
    let mut rig = Rig::with_workers(&provisioning, Limits::default(), media.to_vec());
    rig.register_both();
    rig.register(SUE, "sue");
    let (mut live, _) = rig.connect_alice();
    let call = rig.last_call();
    let mut second = rig.agent_dials(BOB, "bob", "alice", "");
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.phone_answers(&alice);
    let ok = rig.expect_final(BOB);
    rig.agent_acks(&mut second, &ok);
    let other = rig.last_call();
    let merge = switch::ApiRequest::Merge { call, other, ends_with_host: None };
    rig.request("acme", merge).unwrap();
    rig.confirm_bye(ALICE);
    let mode = routing::Supervision::Whisper;
    let (agent, of) = ("sue".parse().unwrap(), Some("bob".parse().unwrap()));
    rig.request("acme", switch::ApiRequest::Supervise { call, agent, mode, of }).unwrap();
    let sue = Phone::new(SUE, rig.expect(SUE, "INVITE"));
    rig.phone_answers(&sue);

    let streams = rig.streams();
    let mut planes = Planes::new(2);
    planes.follow(&rig);
    let of_sue = *streams.last().unwrap();
    let ports = [streams[0], streams[1], streams[2], of_sue].map(|stream| planes.port(stream));
    let workers = ports.map(|port| planes.ports[&port].0);
    assert_eq!(workers, [0, 0, 1, 0], "the caller, Alice, Bob elsewhere, Sue");
    // All SDP here says 127.0.0.2:40000.
    let far: SocketAddr = "127.0.0.2:40000".parse().unwrap();
    let hertz = [400.0, 600.0, 800.0, 3000.0];
    let mut heard: BTreeMap<u16, Vec<u8>> = BTreeMap::new();
    for n in 1..150 {
        let mut left = Vec::new();
        for (port, hertz) in ports.into_iter().zip(hertz) {
            let went = planes.send(&rig, far, port, &tone(n, hertz));
            left.extend(went.into_iter().map(|(port, _, packet)| (port, packet)));
        }
        left.extend(planes.tick(&mut rig));
        for (port, packet) in left {
            heard.entry(port).or_default().extend_from_slice(&packet[12..]);
        }
    }
    let [caller, alice, bob, sue] = ports.map(|port| {
        let codes = &heard[&port];
        // The last second, when everybody is known to talk.
        let last = &codes[codes.len() - 8000..];
        hertz.map(|hertz| loudness(last, hertz))
    });
    let says = |level: f64| (0.7..1.3).contains(&level);
    assert!(says(caller[1]) && says(caller[2]) && caller[3] < 0.01, "the caller: {caller:?}");
    assert!(says(alice[0]) && says(alice[2]) && alice[3] < 0.01, "Alice: {alice:?}");
    assert!(says(bob[0]) && says(bob[1]) && says(bob[3]), "Bob: {bob:?}");
    assert!(sue[..3].iter().all(|level| says(*level)), "Sue: {sue:?}");
    // Not for one packet.
    for port in [ports[0], ports[1]] {
        let loudest = heard[&port].chunks_exact(160).map(|part| loudness(part, hertz[3]));
        let loudest = loudest.fold(0.0, f64::max);
        assert!(loudest < 0.02, "{loudest}");
    }
    rig.caller_hangs_up(&mut live);
    rig.advance_ms(200_000);
}
