//! A call beside the abuse: two phones that speak and listen, and the recording of what they say.

use std::path::Path;
use std::time::Instant;

use crate::audio::Sound;
use crate::baresip::{AMPLITUDE, Baresip};
use crate::parts::{ACME_SALES, LIMIT, speaking_agent, speaking_carrier};
use crate::strowger::{ACME, Strowger};
use crate::talking::recorded;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1000.0;
/// Of the time, the rest is what a busy machine may take from the phones themselves.
const HEARD: f64 = 0.8;

/// A call that is up.
pub(crate) struct Canary {
    alice: Baresip,
    caller: Baresip,
    since: Instant,
    before: [f64; 2],
}

impl Canary {
    /// Alice and a caller of acme talk.
    pub(crate) fn sing(folder: &Path, server: &Strowger) -> Self {
        let alice = speaking_agent(folder, server, "alice", AGENT_HZ);
        server.agent_is(ACME, "alice", "available");
        let caller = speaking_carrier(folder, server, ACME_SALES, CALLER_HZ);
        alice.hears(CALLER_HZ, 1.0);
        caller.hears(AGENT_HZ, 1.0);
        let before = [alice.seconds_heard(CALLER_HZ), caller.seconds_heard(AGENT_HZ)];
        Self { alice, caller, since: Instant::now(), before }
    }

    /// Both heard each other all the while, the recording holds it, the call ends as it should.
    pub(crate) fn ends_unharmed(self, server: &Strowger) {
        let took = self.since.elapsed().as_secs_f64();
        let heard = [self.alice.seconds_heard(CALLER_HZ), self.caller.seconds_heard(AGENT_HZ)];
        for (before, now) in self.before.iter().zip(heard) {
            // What is under way in buffers and files is half a second at most.
            let missed = took * HEARD - 0.5 - (now - before);
            assert!(missed <= 0.0, "heard {before} s, then {now} s, {took} s later");
        }
        self.caller.hang_up_and_listen();
        drop(self.alice);
        let path = "/api/v1/calls?agent=alice";
        let call = server.eventually("the end of the canary's call", path, ACME, LIMIT, |calls| {
            (calls[0]["state"] == "ended").then(|| calls[0].clone())
        });
        assert_eq!(call["cause"], "normal", "{call}");
        let wav = recorded(server, call["id"].as_str().expect("its id"));
        for (channel, hertz) in [(0, CALLER_HZ), (1, AGENT_HZ)] {
            let recorded = Sound::from_wav(&wav, channel).seconds_with_tone(hertz, AMPLITUDE);
            assert!(recorded >= took * HEARD, "{recorded} s of {hertz} Hz in {took} s");
        }
    }
}
