//! Storms: seeded disorder of callers, phones, losses, repetitions and API requests. Whatever
//! comes in whatever order, each call gets one record and nothing is left behind.

use base::Rng;
use switch::{ApiReply, ApiRequest, Input};

use crate::rig::{ALICE, BOB, Call, Phone, Rig, SDP_PCMU, SDP_VIDEO, TRUNK, answer, sdp};

struct Storm {
    rig: Rig,
    rng: Rng,
    calls: Vec<Call>,
    phones: Vec<Phone>,
    heard: Vec<(std::net::SocketAddr, String)>,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let mut rig = Rig::new();
        rig.register_both();
        let rng = Rng::from_seed(seed);
        Self { rig, rng, calls: Vec::new(), phones: Vec::new(), heard: Vec::new() }
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.rng.below(chances) == 0
    }

    fn pick(&mut self, length: usize) -> usize {
        usize::try_from(self.rng.below(length as u64)).unwrap()
    }

    /// Sends, or loses, or sends twice.
    fn send(&mut self, from: std::net::SocketAddr, text: String) {
        if self.one_in(8) {
            return;
        }
        self.rig.send(from, &text);
        if self.one_in(8) {
            self.heard.push((from, text));
        }
    }

    fn dial(&mut self) {
        let number =
            ["+15550100", "+15550101", "+15550103", "+15550200", "+15559999"][self.pick(5)];
        let mut call = Call::new(&mut self.rig, TRUNK, number);
        if self.one_in(5) {
            call = call.without_sdp();
        } else if self.one_in(8) {
            call = call.with_sdp(SDP_VIDEO);
        }
        self.send(TRUNK, call.invite());
        self.calls.push(call);
    }

    /// The caller does something, in time or not.
    fn caller_acts(&mut self) {
        if self.calls.is_empty() {
            return;
        }
        let at = self.pick(self.calls.len());
        let mut call = self.calls[at].clone();
        let text = match self.rng.below(6) {
            0 => call.cancel(),
            1 => call.next("BYE", None),
            2 => call.next("INVITE", Some(&sdp("sendonly", 3))),
            3 => call.next("UPDATE", Some(&sdp("inactive", 4))),
            4 => call.next("INVITE", None),
            _ => call.next("INFO", None),
        };
        self.calls[at] = call;
        self.send(TRUNK, text);
    }

    fn phone_acts(&mut self) {
        if self.phones.is_empty() {
            return;
        }
        let at = self.pick(self.phones.len());
        let mut phone = self.phones[at].clone();
        let text = match self.rng.below(9) {
            0 | 1 => phone.respond("180 Ringing", None),
            2..=4 => phone.respond("200 OK", Some(SDP_PCMU)),
            5 => phone.respond("200 OK", Some(SDP_VIDEO)),
            6 => phone.respond("486 Busy Here", None),
            7 => phone.next("BYE", None),
            _ => phone.next("INVITE", Some(&sdp("sendonly", 9))),
        };
        self.phones[at] = phone.clone();
        self.send(phone.at, text);
    }

    /// Peers look at what they were sent, and mostly do as they should.
    fn listen(&mut self) {
        while let Some((flow, message)) = self.rig.wire.pop_front() {
            let at = flow.remote;
            if self.one_in(10) {
                continue;
            }
            if message.is_request() {
                match message.method() {
                    sip::Method::Invite => self.phones.push(Phone::new(at, message)),
                    sip::Method::Ack => {}
                    _ => self.send(at, answer(&message, at, "200 OK", "x", None)),
                }
            } else if at == TRUNK && message.method() == sip::Method::Invite {
                self.confirm(&message);
            }
        }
    }

    fn confirm(&mut self, response: &sip::Message) {
        let status = response.status().unwrap();
        let Some(at) = self.calls.iter().position(|call| call.call_id == response.call_id()) else {
            return;
        };
        if !status.is_final() || self.one_in(6) {
            return;
        }
        let mut call = self.calls[at].clone();
        let cseq = std::mem::replace(&mut call.cseq, response.cseq().unwrap());
        let text = if status.is_success() {
            let sdp = call.sdp.is_none().then_some(SDP_PCMU);
            call.ack(response, sdp)
        } else {
            call.ack_refusal(response)
        };
        call.cseq = cseq;
        self.calls[at] = call;
        self.send(TRUNK, text);
    }

    fn world_acts(&mut self) {
        let streams = self.rig.streams();
        match self.rng.below(9) {
            0..=2 => {
                if let Some((stream, play)) = self.rig.last_play() {
                    self.rig.media(media::Event::PlayFinished { stream, play });
                }
            }
            3 if !streams.is_empty() && self.one_in(6) => {
                let stream = streams[self.pick(streams.len())];
                self.rig.media(media::Event::RtpTimeout { stream });
            }
            4 if self.one_in(4) => self.rig.bad_opens = 1,
            5 => {
                let phone = if self.one_in(2) { ALICE } else { BOB };
                let flow = self.rig.flow(phone);
                if self.one_in(6) {
                    self.rig.input(Input::FlowClosed { flow });
                }
            }
            6 if !self.heard.is_empty() => {
                let at = self.pick(self.heard.len());
                let (from, text) = self.heard.swap_remove(at);
                self.rig.send(from, &text);
            }
            7 if self.one_in(5) => self.end_one(),
            _ => {
                let longest = if self.one_in(8) { 60_000 } else { 4000 };
                let millis = self.rng.below(longest);
                self.rig.advance_ms(millis);
            }
        }
    }

    fn end_one(&mut self) {
        let Ok(ApiReply::Calls(live)) = self.rig.request("acme", ApiRequest::ListLive) else {
            panic!("calls");
        };
        if let Some(call) = live.first() {
            self.rig.request("acme", ApiRequest::EndCall { call: call.id }).unwrap();
        }
    }

    fn end_all(&mut self) {
        for tenant in ["acme", "globex"] {
            let Ok(ApiReply::Calls(live)) = self.rig.request(tenant, ApiRequest::ListLive) else {
                panic!("calls");
            };
            for call in live {
                self.rig.request(tenant, ApiRequest::EndCall { call: call.id }).unwrap();
            }
        }
    }
}

#[test]
fn after_any_storm_each_call_has_one_record_and_nothing_is_left() {
    let mut seen = std::collections::BTreeSet::new();
    let mut counts = std::collections::BTreeMap::new();
    for seed in 0..40 {
        let mut storm = Storm::new(seed);
        for _ in 0..250 {
            match storm.rng.below(10) {
                0 => storm.dial(),
                1 | 2 => storm.caller_acts(),
                3..=5 => storm.phone_acts(),
                6 | 7 => storm.listen(),
                _ => storm.world_acts(),
            }
        }
        storm.end_all();
        for event in &storm.rig.events {
            seen.insert(event.kind.type_name());
        }
        for record in &storm.rig.records {
            *counts.entry(record.cause.as_str()).or_insert(0usize) += 1;
        }
        storm.rig.finish();
    }
    for wanted in ["call.connected", "call.held", "call.attempt_failed", "recording.started"] {
        assert!(seen.contains(wanted), "the storms are too mild: {seen:?}");
    }
    for wanted in ["normal", "caller_abandoned", "timeout", "queue_timeout", "media_timeout"] {
        assert!(counts.contains_key(wanted), "the storms are too mild: {counts:?}");
    }
}
