//! What counts as overload, and that a node under several times what it can do still does what it
//! can: a model of its thread, whose costs are given, drives a real switch.

use std::collections::{BTreeMap, VecDeque};

use base::{Rng, UnixTime};
use bytes::Bytes;
use media::WorkerId;
use sip::Flow;
use switch::{Input, Output, Prompts, Switch, SwitchConfig, WorkerPorts};

use super::*;

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

/// Turns of `work` ms each with `rest` ms before them, for a second; the last report.
fn second(pressure: &mut Pressure, from: u64, rest: u64, work: u64) -> u32 {
    let (mut now, mut last, mut spent) = (from, 0, Duration::from_millis(from));
    while now < from + 1000 {
        spent += Duration::from_millis(work);
        pressure.turn(Duration::from_millis(rest), || spent);
        now += rest + work;
        last = pressure.report(at(now), || 0).unwrap_or(last);
    }
    last
}

#[test]
fn a_thread_that_rests_now_and_then_is_not_overloaded_however_busy_it_is() {
    let mut pressure = Pressure::new(at(0), Vec::new());
    assert!(second(&mut pressure, 1000, 9, 1) < 15);
    let busy = second(&mut pressure, 2000, 1, 19);
    assert!((80..100).contains(&busy), "{busy}");
}

#[test]
fn without_a_moments_rest_it_is_overloaded_the_longer_the_more_and_at_rest_no_more() {
    let mut pressure = Pressure::new(at(0), Vec::new());
    let first = second(&mut pressure, 1000, 0, 10);
    assert!((150..=200).contains(&first), "{first}");
    assert_eq!(second(&mut pressure, 2000, 0, 10), 200);
    assert!(second(&mut pressure, 3000, 5, 5) < 60);
}

#[test]
fn a_machine_that_was_away_for_a_while_is_not_overloaded_by_that() {
    let mut pressure = Pressure::new(at(0), Vec::new());
    // Three seconds without a processor in a turn's midst, then what has piled up meanwhile.
    pressure.turn(Duration::from_millis(5), || Duration::from_millis(2));
    pressure.turn(Duration::ZERO, || Duration::from_millis(60));
    assert!(pressure.report(at(4060), || 0).unwrap() < 100);
}

#[test]
fn a_store_that_is_half_full_and_a_worker_that_never_rests_count_too() {
    let worker = Idleness::default();
    let mut pressure = Pressure::new(at(0), vec![worker.clone()]);
    pressure.turn(Duration::from_millis(100), || Duration::ZERO);
    assert_eq!(pressure.report(at(100), || 60), Some(120));
    let mut told = Vec::new();
    for second in 1..7 {
        let waited = if second == 1 { 900 } else { 1000 };
        pressure.turn(Duration::from_millis(waited), || Duration::ZERO);
        if second > 5 {
            worker.begin(at(second * 1000 - 300));
            worker.end(at(second * 1000));
        }
        told.push(pressure.report(at(second * 1000), || 0).unwrap());
    }
    assert_eq!(told, [0, 0, MEDIA, MEDIA, MEDIA, 0], "sustained, and over when it is over");
}

#[test]
fn a_worker_that_sleeps_through_the_night_is_not_one_that_never_rests() {
    let worker = Idleness::default();
    worker.begin(at(1));
    let mut pressure = Pressure::new(at(0), vec![worker.clone()]);
    for second in 1..60 {
        pressure.turn(Duration::from_millis(999), || Duration::ZERO);
        assert_eq!(pressure.report(at(second * 1000), || 0), Some(0), "second {second}");
    }
}

/// What the thread spends: on a call, at once and when it ends, and on a call turned away.
const CALL: Duration = Duration::from_micros(2500);
const CALL_END: Duration = Duration::from_micros(1500);
const REFUSAL: Duration = Duration::from_micros(100);
const CAPACITY: u64 = 250;
/// Datagrams that the kernel keeps, and that one turn takes.
const KERNEL: usize = 3000;
const BATCH: usize = 64;
/// Calls last so long.
const TALK: u64 = 3000;
/// Who has not heard anything for so long has given up.
const PATIENCE: u64 = 2000;

enum Work {
    Invite(u64),
    End,
}

struct Model {
    switch: Switch,
    pressure: Pressure,
    queue: VecDeque<Work>,
    /// When calls that were let in end, and when unanswered INVITEs come again.
    later: BTreeMap<(u64, u64), bool>,
    sent: Vec<u64>,
    answered: Vec<Option<u64>>,
    served: Vec<bool>,
    flow: Flow,
}

impl Model {
    fn new() -> Self {
        let text = r#"
            trunks = [{ id = "carrier", sources = ["192.0.2.1"], probe_s = 0 }]
            [[tenants]]
            id = "acme"
            domain = "acme.example"
            flows = [{ id = "busy", steps = [{ do = "hangup", cause = "busy" }] }]
            numbers = [{ number = "+15550100", flow = "busy" }]
        "#;
        let provisioning: routing::Provisioning = toml::from_str(text).unwrap();
        let directory = Arc::new(routing::Directory::build(provisioning).unwrap());
        let media = WorkerPorts {
            worker: WorkerId(0),
            ports: 2000..=65_000,
            address: None,
            bound: std::net::Ipv4Addr::LOCALHOST.into(),
            networks: Vec::new(),
        };
        let config = SwitchConfig {
            advertised: Vec::new(),
            web: None,
            tokens: None,
            media: vec![media],
            wall: UnixTime::from_micros(1_795_168_800_000_000),
            user_agent: "Strowger".to_owned(),
            limits: switch::Limits::default(),
        };
        let mut switch = Switch::new(config, Rng::from_seed(7));
        let prompts = Arc::new(Prompts::new());
        let input = Input::Provision { directory, prompts, last_sequence: Vec::new() };
        switch.handle_input(at(1000), input);
        let ends = ["192.0.2.9:5060", "192.0.2.1:5060"].map(|end| end.parse().unwrap());
        Self {
            switch,
            pressure: Pressure::new(at(1000), Vec::new()),
            queue: VecDeque::new(),
            later: BTreeMap::new(),
            sent: Vec::new(),
            answered: Vec::new(),
            served: Vec::new(),
            flow: Flow::udp(ends[0], ends[1]),
        }
    }

    fn invite(&self, number: u64) -> Bytes {
        let from = self.flow.remote;
        Bytes::from(format!(
            "INVITE sip:+15550100@192.0.2.9 SIP/2.0\r\n\
             Via: SIP/2.0/UDP {from};branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\n\
             From: <sip:+15559000@192.0.2.1>;tag={number}\r\nTo: <sip:+15550100@192.0.2.9>\r\n\
             Call-ID: {number}\r\nCSeq: 1 INVITE\r\nContact: <sip:c@{from}>\r\n\
             Content-Type: application/sdp\r\nContent-Length: 90\r\n\r\n\
             v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
             m=audio 40000 RTP/AVP 0 8\r\n"
        ))
    }

    fn arrive(&mut self, work: Work) {
        if self.queue.len() < KERNEL {
            self.queue.push_back(work);
        }
    }

    /// Everything that happens until then, but what the thread does.
    fn happen(&mut self, until: u64, offered: &mut VecDeque<u64>) {
        while let Some(due) = offered.front().copied().filter(|due| *due <= until) {
            offered.pop_front();
            let number = self.sent.len() as u64;
            self.sent.push(due);
            self.answered.push(None);
            self.served.push(false);
            self.arrive(Work::Invite(number));
            for again in [500, 1500, 3500] {
                self.later.insert((due + again, number), false);
            }
        }
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= until) {
            let ((_, number), is_end) = entry.remove_entry();
            match is_end {
                true => self.arrive(Work::End),
                false if self.answered[number as usize].is_none() => {
                    self.arrive(Work::Invite(number));
                }
                false => {}
            }
        }
    }

    fn work(&mut self, work: Work, now: Instant, ms: u64) -> Duration {
        let Work::Invite(number) = work else { return CALL_END };
        let (flow, bytes) = (self.flow, self.invite(number));
        self.switch.handle_input(now, Input::Received { flow, bytes });
        let (mut refused, mut trying) = (false, false);
        while let Some(output) = self.switch.poll_output() {
            if let Output::Transmit { bytes, .. } = output {
                refused |= bytes.starts_with(b"SIP/2.0 503");
                trying |= bytes.starts_with(b"SIP/2.0 100");
            }
        }
        let index = number as usize;
        if self.answered[index].is_some() {
            return REFUSAL;
        }
        assert!(refused || trying, "neither let in nor turned away");
        self.answered[index] = Some(ms);
        self.served[index] = !refused;
        if refused {
            return REFUSAL;
        }
        self.later.insert((ms + TALK, number), true);
        CALL
    }

    /// Calls a second that are let in while their callers still wait, over the last ten seconds,
    /// when so many are offered; and how many were turned away in all.
    fn run(offered: u64, tells: bool) -> (u64, usize) {
        let mut model = Self::new();
        let (begin, end) = (1000, 21_000);
        let mut calls: VecDeque<u64> =
            (0..offered * 20).map(|n| begin + n * 1000 / offered).collect();
        let mut now = at(begin);
        let mut worked = Duration::ZERO;
        let ms = |now: Instant| now.as_nanos() / 1_000_000;
        while now < at(end) {
            let began = now;
            model.happen(ms(now), &mut calls);
            if model.queue.is_empty() {
                now += Duration::from_millis(1);
                model.pressure.turn(now.since(began), || worked);
                continue;
            }
            for _ in 0..BATCH {
                let Some(work) = model.queue.pop_front() else { break };
                let spent = model.work(work, now, ms(now));
                now += spent;
            }
            worked += now.since(began);
            model.pressure.turn(Duration::ZERO, || worked);
            if let Some(percent) = model.pressure.report(now, || 0).filter(|_| tells) {
                model.switch.handle_input(now, Input::Load { percent });
            }
        }
        let in_time = |index: &usize| {
            let late = end - 10_000 <= model.sent[*index] && model.sent[*index] < end - PATIENCE;
            let answered = model.answered[*index];
            late && model.served[*index]
                && answered.is_some_and(|at| at < model.sent[*index] + PATIENCE)
        };
        let good = (0..model.sent.len()).filter(in_time).count() as u64;
        let refused = (0..model.sent.len())
            .filter(|index| model.answered[*index].is_some() && !model.served[*index])
            .count();
        (good * 1000 / (10_000 - PATIENCE), refused)
    }
}

#[test]
fn what_it_can_do_is_let_in_and_nobody_is_turned_away() {
    let (good, refused) = Model::run(CAPACITY * 7 / 10, true);
    assert_eq!((good, refused), (CAPACITY * 7 / 10, 0));
}

#[test]
fn at_several_times_what_it_can_do_it_still_does_most_of_what_it_can() {
    for times in [2, 4] {
        let (good, refused) = Model::run(CAPACITY * times, true);
        println!("{times} times: {good} calls a second of {CAPACITY}, {refused} turned away");
        assert!(good >= CAPACITY * 7 / 10, "{times} times: {good} of {CAPACITY} calls a second");
        assert!(refused > 1000, "{refused}");
    }
}

#[test]
fn a_switch_that_is_not_told_serves_nobody_in_time() {
    let (good, refused) = Model::run(CAPACITY * 4, false);
    assert!(good < CAPACITY / 4, "{good} of {CAPACITY}: then nothing of this is needed");
    assert_eq!(refused, 0);
}
