//! How many calls come about when messages are lost, but not all of them.

use base::Duration;
use phone::{DeskEvent, Dial, Pickup};
use switch::Event;

use super::{Fault, Town};
use crate::network::Conditions;

/// Of that many seeds, in each of which four callers reach four agents or numbers and everybody
/// picks up after a second: how many calls were tried, and how many came about within a minute,
/// when every way loses `lost` messages of a thousand and repeats 50.
#[must_use]
pub fn calls_that_came_about(seeds: u64, lost: u64, fault: Option<Fault>) -> (usize, usize) {
    let (mut tried, mut came) = (0, 0);
    for seed in 0..seeds {
        let mut town = Town::new(seed, fault);
        town.crowd = town.settle_in();
        for desk in town.crowd.all() {
            let delay = Duration::from_millis(30);
            let jitter = Duration::from_millis(60);
            town.set_weather(desk, Conditions { lost, repeated: 50, delay, jitter });
            let soon = Pickup::answers(Duration::from_secs(1));
            town.at(desk, |desk, _| desk.set_pickups(vec![soon]));
        }
        let dialled = ["+15550100", "+15550200"];
        for (caller, number) in town.crowd.callers.clone().into_iter().zip(dialled) {
            town.at(caller, |desk, now| desk.dial(now, number, &Dial::default()).ok());
        }
        let calls_out = town.crowd.agents.iter().copied().skip(1).take(2);
        let pairs: Vec<_> = calls_out.zip(["+12125550123", "+13135550123"]).collect();
        for (agent, number) in pairs {
            town.at(agent, |desk, now| desk.dial(now, number, &Dial::default()).ok());
        }
        tried += 4;
        town.run_for(Duration::from_secs(60));
        let talks = |event: &DeskEvent| matches!(event, DeskEvent::Connected(_));
        let ends = town.seen.iter().filter(|(.., event)| talks(event)).count();
        let joined = |event: &&Event| event.kind.type_name() == "call.connected";
        // Two people know of it, and so does the switch.
        came += town.events.iter().filter(joined).count().min(ends / 2);
    }
    (tried, came)
}
