//! Supervision by ear: what the switch orders, carried out by a real plane with real packets. Each
//! says a tone of its own, and is told apart by it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base::{Duration, Rng, UnixTime};
use media::{Batch, Plane, PlaneOutput, Port, Slot, WorkerId, g711, tap};
use routing::Supervision::{self, Barge, Listen, Whisper};
use switch::{ApiReply, ApiRequest};

use crate::rig::{ALICE, BOB, DEMO, Phone, Rig, SDP_PCMU, TRUNK, address};

const SUE: SocketAddr = address([127, 0, 0, 20], 5060);

/// 20 ms at 8 kHz.
const PACKET: usize = 160;

/// A far end: where its audio is, its tone, and what it has heard, packet by packet.
struct Ear {
    at: SocketAddr,
    hertz: f64,
    sent: u16,
    heard: Vec<Vec<f64>>,
}

impl Ear {
    fn new(port: u16, hertz: f64) -> Self {
        Self { at: SocketAddr::from(([127, 0, 0, 2], port)), hertz, sent: 0, heard: Vec::new() }
    }

    fn sdp(&self) -> String {
        SDP_PCMU.replace("40000", &self.at.port().to_string())
    }

    fn packet(&mut self) -> Vec<u8> {
        let first = usize::from(self.sent) * PACKET;
        let mut packet = vec![0x80, 0];
        packet.extend_from_slice(&self.sent.to_be_bytes());
        packet.extend_from_slice(&u32::try_from(first).unwrap().to_be_bytes());
        packet.extend_from_slice(&u32::from(self.at.port()).to_be_bytes());
        for n in first..first + PACKET {
            let phase = std::f64::consts::TAU * self.hertz * n as f64 / 8000.0;
            packet.push(g711::G711::Pcmu.encode((phase.sin() * 6000.0) as i16));
        }
        self.sent += 1;
        packet
    }

    /// The loudest that it has heard a tone within one packet, from the packet `since` on.
    fn loudest(&self, hertz: f64, since: usize) -> f64 {
        let level = |samples: &Vec<f64>| {
            let sum = |wave: fn(f64) -> f64| -> f64 {
                let turn = std::f64::consts::TAU * hertz / 8000.0;
                samples.iter().enumerate().map(|(n, s)| s * wave(turn * n as f64)).sum()
            };
            2.0 * sum(f64::sin).hypot(sum(f64::cos)) / samples.len() as f64
        };
        self.heard[since.min(self.heard.len())..].iter().map(level).fold(0.0, f64::max)
    }
}

/// The one worker's plane, on a loopback network of its own.
struct Stage {
    plane: Plane,
    done: usize,
    ports: BTreeMap<u16, Slot>,
    batch: Batch,
}

impl Stage {
    fn new() -> Self {
        let (taps, _) = tap::ring(64);
        let plane = Plane::new(WorkerId(0), taps, Rng::from_seed(1), UnixTime::default());
        Self { plane, done: 0, ports: BTreeMap::new(), batch: Batch::new(64) }
    }

    fn follow(&mut self, rig: &Rig) {
        for command in &rig.commands[self.done..] {
            self.plane.handle_command(rig.now, command.clone());
            while let Some(output) = self.plane.poll_output() {
                match output {
                    PlaneOutput::OpenPort { slot, port, .. } => {
                        self.plane.opened(slot, Ok(()));
                        self.ports.insert(port, slot);
                    }
                    PlaneOutput::ClosePort { slot } => self.ports.retain(|_, one| *one != slot),
                    PlaneOutput::Send { .. } => {}
                }
            }
        }
        self.done = rig.commands.len();
    }

    fn deliver(&mut self, ears: &mut [(&mut Ear, u16)]) {
        for sent in self.batch.iter() {
            let ear = ears.iter_mut().find(|(ear, _)| ear.at == sent.to);
            if let Some((ear, _)) = ear.filter(|_| sent.bytes[1] & 0x7f == 0) {
                let samples = sent.bytes[12..].iter().map(|code| g711::G711::Pcmu.decode(*code));
                ear.heard.push(samples.map(f64::from).collect());
            }
        }
        self.batch.clear();
    }

    /// All say their tones for so many packets.
    fn talk(&mut self, rig: &mut Rig, ears: &mut [(&mut Ear, u16)], packets: usize) {
        self.follow(rig);
        for _ in 0..packets {
            for at in 0..ears.len() {
                let (from, port) = (ears[at].0.at, ears[at].1);
                let mut packet = ears[at].0.packet();
                let Some(slot) = self.ports.get(&port).copied() else { continue };
                let (now, batch) = (rig.now, &mut self.batch);
                self.plane.handle_packet(now, slot, Port::Rtp, from, &mut packet, batch);
                self.deliver(ears);
            }
            let until = rig.now + Duration::from_millis(20);
            while let Some((due, _)) = self.plane.poll_timeout().filter(|(due, _)| *due <= until) {
                rig.advance(due.since(rig.now));
                self.plane.handle_timeout(rig.now, &mut self.batch);
                self.deliver(ears);
            }
            rig.advance(until.since(rig.now));
        }
    }
}

fn port_of(message: &sip::Message) -> u16 {
    let text = String::from_utf8(message.body().to_vec()).unwrap();
    let (_, rest) = text.split_once("m=audio ").unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

/// What is surely a tone of somebody's, and what is surely none.
const HEARD: f64 = 3000.0;
const SILENT: f64 = 300.0;

/// The demo, with Sue who supervises.
fn supervised() -> Rig {
    let provisioning = DEMO.replace(
        "agents = [\n",
        "agents = [\n{ id = \"sue\", password = \"sue-secret\", supervises = \"everything\" },\n",
    );
    let mut rig = Rig::with(&provisioning);
    rig.register_both();
    rig.register(SUE, "sue");
    rig
}

/// Carla talks with Alice; the ports of ours that they talk to.
fn connected(
    rig: &mut Rig,
    stage: &mut Stage,
    carla: &mut Ear,
    alice: &mut Ear,
) -> (crate::rig::Call, u16, u16) {
    let mut call = crate::rig::Call::new(rig, TRUNK, "+15550100").with_sdp(&carla.sdp());
    rig.send(TRUNK, &call.invite());
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    let carlas = port_of(&ok);
    let ack = call.ack(&ok, None);
    rig.send(TRUNK, &ack);
    rig.finish_prompt();
    let phone = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    let alices = port_of(&phone.invite);
    rig.send(ALICE, &phone.respond("200 OK", Some(&alice.sdp())));
    rig.expect(ALICE, "ACK");
    stage.talk(rig, &mut [(&mut *carla, carlas), (&mut *alice, alices)], 25);
    assert!(carla.loudest(900.0, 15) > HEARD && alice.loudest(500.0, 15) > HEARD);
    (call, carlas, alices)
}

#[test]
fn a_whisper_reaches_the_agent_and_in_no_packet_the_caller_through_all_modes_and_a_transfer() {
    let mut rig = supervised();
    let mut stage = Stage::new();
    let (mut carla, mut alice, mut sue) =
        (Ear::new(41000, 500.0), Ear::new(42000, 900.0), Ear::new(43000, 1300.0));
    let mut bob = Ear::new(44000, 1700.0);

    let (mut call, carlas, alices) = connected(&mut rig, &mut stage, &mut carla, &mut alice);
    let id = rig.last_call();
    let agent: base::AgentId = "sue".parse().unwrap();
    let asked = ApiRequest::Supervise { call: id, agent: agent.clone(), mode: Whisper, of: None };
    assert!(matches!(rig.request("acme", asked), Ok(ApiReply::Rings(_))));
    let phone = Phone::new(SUE, rig.expect(SUE, "INVITE"));
    let sues = port_of(&phone.invite);
    // She talks already while it rings.
    let mut three = [(&mut carla, carlas), (&mut alice, alices), (&mut sue, sues)];
    stage.talk(&mut rig, &mut three, 10);
    rig.send(SUE, &phone.respond("200 OK", Some(&three[2].0.sdp())));
    rig.expect(SUE, "ACK");
    stage.talk(&mut rig, &mut three, 50);
    let since = |ears: &[(&mut Ear, u16)]| ears.iter().map(|e| e.0.heard.len()).collect::<Vec<_>>();
    let from = since(&three);
    stage.talk(&mut rig, &mut three, 25);
    let [carla_, alice_, sue_] = &three;
    assert!(alice_.0.loudest(1300.0, from[1]) > HEARD, "the agent hears the whisper");
    assert!(sue_.0.loudest(500.0, from[2]) > HEARD && sue_.0.loudest(900.0, from[2]) > HEARD);
    let never = carla_.0.loudest(1300.0, 0);
    assert!(never < SILENT, "no packet of it reached the caller: {never}");

    let change = |rig: &mut Rig, mode: Supervision| {
        let asked = ApiRequest::ChangeSupervision { call: id, agent: agent.clone(), mode };
        rig.request("acme", asked).unwrap();
    };
    change(&mut rig, Listen);
    stage.talk(&mut rig, &mut three, 25);
    let from = since(&three);
    stage.talk(&mut rig, &mut three, 25);
    assert!(three[1].0.loudest(1300.0, from[1]) < SILENT, "a listener is heard by nobody");
    assert!(three[0].0.loudest(1300.0, 0) < SILENT);
    change(&mut rig, Barge);
    stage.talk(&mut rig, &mut three, 25);
    let from = since(&three);
    stage.talk(&mut rig, &mut three, 25);
    for ear in &three[..2] {
        assert!(ear.0.loudest(1300.0, from[0].min(from[1])) > HEARD, "all hear who barges in");
    }
    change(&mut rig, Whisper);
    // What was said in barge may still be in a buffer.
    stage.talk(&mut rig, &mut three, 25);
    let from = since(&three);

    rig.request("acme", ApiRequest::Transfer { call: id, to: "bob".to_owned() }).unwrap();
    let phone = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    let bobs = port_of(&phone.invite);
    rig.send(BOB, &phone.respond("180 Ringing", None));
    stage.talk(&mut rig, &mut three, 25);
    rig.send(BOB, &phone.respond("200 OK", Some(&bob.sdp())));
    rig.expect(BOB, "ACK");
    rig.confirm_bye(ALICE);
    let [(carla, _), _, (sue, _)] = three;
    let mut three = [(carla, carlas), (&mut bob, bobs), (sue, sues)];
    stage.talk(&mut rig, &mut three, 60);
    assert!(three[1].0.loudest(1300.0, 40) > HEARD, "the next agent hears the whisper");
    assert!(three[0].0.loudest(1700.0, from[0] + 60) > HEARD, "the caller hears the next agent");
    let never = three[0].0.loudest(1300.0, from[0]);
    assert!(never < SILENT, "and never the whisper: {never}");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
    rig.confirm_bye(SUE);
    rig.finish();
}
