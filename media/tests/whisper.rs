//! Nobody ever hears, not for one packet, what was not said to it: members come and go, change their
//! roles, are muted, held and bridged in any order, and each says tones that tell who speaks and to
//! whom it spoke when it said them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use std::collections::BTreeSet;

use base::Rng;
use media::{Codec, Command, Direction, Member, MixId, Rate, Role, StreamId};
use rig::voices::{Voice, amplitude, talk};
use rig::{Rig, remote};

const MEMBERS: usize = 6;
/// Tones of each member: another one whenever the circle of its hearers changes.
const TONES: usize = 3;
const SAID: f64 = 3000.0;
/// A tone that lasts half of a packet has about this much in it; parts of two others have less.
const HEARD: f64 = 1600.0;

type Circle = BTreeSet<usize>;

fn tone(member: usize, turn: usize) -> f64 {
    300.0 + 100.0 * (TONES * member + turn) as f64
}

struct Hall {
    rig: Rig,
    voices: Vec<Voice>,
    rng: Rng,
    members: Vec<Option<Member>>,
    bridged: Option<(usize, usize)>,
    held: BTreeSet<usize>,
    turns: [usize; MEMBERS],
    /// Who may hear each tone of each member: its hearers when it said it last.
    circles: Vec<[Circle; TONES]>,
    /// Packets in which somebody was heard.
    heard: usize,
}

impl Hall {
    fn new(seed: u64) -> Self {
        let mut rig = Rig::new();
        let mut voices = Vec::new();
        for n in 0..MEMBERS {
            let codec = [Codec::Pcmu, Codec::Pcma, Codec::G722][n % 3];
            let stream = StreamId(n as u64 + 1);
            rig.open(stream, codec);
            let mut voice = Voice::new(stream, codec, tone(n, 0));
            voice.amplitude = SAID;
            voices.push(voice);
        }
        Self {
            rig,
            voices,
            rng: Rng::from_seed(seed),
            members: vec![None; MEMBERS],
            bridged: None,
            held: BTreeSet::new(),
            turns: [0; MEMBERS],
            circles: vec![[const { Circle::new() }; TONES]; MEMBERS],
            heard: 0,
        }
    }

    /// Who hears a member now.
    fn circle(&self, member: usize) -> Circle {
        if let Some((a, b)) = self.bridged
            && (a == member || b == member)
        {
            return Circle::from([a + b - member]);
        }
        let Some(own) = self.members[member] else { return Circle::new() };
        let others = self.members.iter().enumerate();
        others
            .filter(|(_, other)| other.is_some_and(|other| own.is_heard_by(other.stream)))
            .map(|(n, _)| n)
            .collect()
    }

    /// Whether it speaks to all it is joined with.
    fn is_open(&self, member: usize) -> bool {
        let bridged = self.bridged.is_some_and(|(a, b)| a == member || b == member);
        let party = |own: Member| own.role == Role::Party && !own.muted;
        bridged || self.members[member].is_some_and(party)
    }

    fn below(&mut self, n: usize) -> usize {
        self.rng.below(n as u64) as usize
    }

    /// Something changes, at one instant.
    fn act(&mut self) {
        let one = self.below(MEMBERS);
        let other = (one + 1 + self.below(MEMBERS - 1)) % MEMBERS;
        let stream = StreamId(one as u64 + 1);
        match self.below(10) {
            0 => {
                let held = !self.held.remove(&one) && self.held.insert(one);
                let mut media = remote(stream, self.voices[one].codec);
                let directions = [Direction::SendOnly, Direction::Inactive];
                if held {
                    media.direction = directions[self.below(2)];
                }
                return self.rig.order(Command::SetRemote { stream, remote: media, srtp: None });
            }
            1 => {
                (self.members[one], self.members[other]) = (None, None);
                if let Some((a, b)) = self.bridged.replace((one, other)) {
                    let [a, b] = [a, b].map(|n| StreamId(n as u64 + 1));
                    self.rig.order(Command::Unbridge { a, b });
                }
                let (a, b) = (stream, StreamId(other as u64 + 1));
                return self.rig.order(Command::Bridge { a, b });
            }
            2 => {
                self.members = vec![None; MEMBERS];
                return self.rig.order(Command::Unmix { mix: MixId(1) });
            }
            3 => self.members[one] = None,
            4 => {
                if let Some(member) = &mut self.members[one] {
                    member.muted = !member.muted;
                }
            }
            _ => {
                let of = StreamId(other as u64 + 1);
                let roles = [Role::Party, Role::Party, Role::Listener, Role::Coach { of }];
                let role = roles[self.below(4)];
                self.members[one] = Some(Member { stream, role, muted: self.below(8) == 0 });
                // Sometimes one more comes at the same instant.
                if self.below(2) == 0 && self.members[other].is_none() {
                    self.members[other] = Some(Member::party(of));
                }
            }
        }
        let members: Vec<Member> = self.members.iter().flatten().copied().collect();
        let in_mix = |n: usize| members.iter().any(|member| member.stream.0 == n as u64 + 1);
        if self.bridged.is_some_and(|(a, b)| in_mix(a) || in_mix(b)) {
            self.bridged = None;
        }
        self.rig.order(Command::Mix { mix: MixId(1), members });
    }

    /// Acts, and lets all talk until the next act.
    fn step(&mut self) {
        let before: Vec<(Circle, bool)> =
            (0..MEMBERS).map(|n| (self.circle(n), self.is_open(n))).collect();
        self.act();
        for (member, (old, was_open)) in before.iter().enumerate() {
            let circle = self.circle(member);
            // Who comes to an open talk may hear the last word said before, and nobody else.
            let comes = *was_open && self.is_open(member) && !circle.is_disjoint(old);
            if comes {
                self.circles[member][self.turns[member]] = circle;
            } else if circle != *old {
                self.turns[member] = (self.turns[member] + 1) % TONES;
                self.circles[member][self.turns[member]] = circle;
                self.voices[member].tone = tone(member, self.turns[member]);
            }
        }
        let length = 20 + self.below(160) as u64;
        let from: Vec<usize> = self.voices.iter().map(|voice| voice.packets.len()).collect();
        talk(&mut self.rig, &mut self.voices, length);
        for (hearer, from) in from.into_iter().enumerate() {
            self.check(hearer, from);
        }
    }

    fn check(&mut self, hearer: usize, from: usize) {
        let fresh = &self.voices[hearer].packets[from..];
        let rate = self.voices[hearer].rate;
        // In what is shorter than a tick tones cannot be told apart.
        for packet in fresh.iter().filter(|packet| packet.samples.len() >= rate.per_tick()) {
            for member in 0..MEMBERS {
                for turn in 0..TONES {
                    let level = amplitude(&packet.samples, tone(member, turn), rate);
                    if level < HEARD {
                        continue;
                    }
                    self.heard += 1;
                    let may = self.circles[member][turn].contains(&hearer)
                        && self.circle(member).contains(&hearer);
                    assert!(
                        may,
                        "{hearer} hears {member} ({level:.0}), which is now {:?} and heard by {:?}",
                        self.members[member],
                        self.circle(member),
                    );
                    assert!(!self.held.contains(&hearer), "a held far end is not spoken to");
                }
            }
        }
    }
}

#[test]
fn what_is_said_to_some_is_never_heard_by_others_not_for_one_packet() {
    let mut heard = 0;
    for seed in 0..24 {
        let mut hall = Hall::new(seed);
        for _ in 0..120 {
            hall.step();
        }
        heard += hall.heard;
    }
    assert!(heard > 10_000, "and what is said is heard: {heard}");
}

#[test]
fn a_whisper_reaches_the_agent_and_the_caller_never_while_the_coach_comes_and_goes() {
    let mut rig = Rig::new();
    let streams = [StreamId(1), StreamId(2), StreamId(3)];
    let mut voices = streams.map(|stream| {
        rig.open(stream, Codec::Pcmu);
        Voice::new(stream, Codec::Pcmu, 300.0 * stream.0 as f64)
    });
    let [caller, agent, coach] = streams;
    let both = [Member::party(caller), Member::party(agent)];
    let whispers = Member { role: Role::Coach { of: agent }, ..Member::party(coach) };
    let mut reached = 0;
    for n in 0..40_u64 {
        rig.order(Command::Bridge { a: caller, b: agent });
        talk(&mut rig, &mut voices, 40 + n * 7 % 60);
        let members = vec![both[0], both[1], whispers];
        rig.order(Command::Mix { mix: MixId(n), members });
        talk(&mut rig, &mut voices, 60 + n * 13 % 100);
        let reaches = |voice: &Voice| {
            let loud = |samples: &[i16]| amplitude(samples, 900.0, Rate::Narrow) > 600.0;
            voice.packets.iter().filter(|packet| loud(&packet.samples)).count()
        };
        assert_eq!(reaches(&voices[0]), 0, "the caller hears the coach");
        reached = reaches(&voices[1]);
    }
    assert!(reached > 100, "{reached}");
}
