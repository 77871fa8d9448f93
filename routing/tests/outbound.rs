//! Which trunk takes a call outside, and why.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Rng, TrunkId};
use rig::{directory, tenant};
use routing::{Destination, Directory, E164, Health, HealthState, outbound};

const HOUSE: &str = r#"
trunks = [
    { id = "local", targets = [{ uri = "sip:192.0.2.1" }] },
    { id = "cheap", targets = [{ uri = "sip:192.0.2.2" }], concurrent_calls = 10 },
    { id = "dear", targets = [{ uri = "sip:192.0.2.3" }] },
    { id = "other", targets = [{ uri = "sip:192.0.2.4" }], tenants = ["globex"], emergency = true },
    { id = "inbound", sources = ["192.0.2.5"] },
]

[[tenants]]
id = "acme"
domain = "acme.example"
routes = [
    { prefix = "+49", trunk = "dear", cost = 30 },
    { prefix = "+49", trunk = "cheap", cost = 10 },
    { prefix = "+4930", trunk = "local", cost = 99 },
    { prefix = "+43", trunk = "cheap", priority = 2 },
    { prefix = "+43", trunk = "dear", priority = 1, cost = 50 },
    { prefix = "+1", trunk = "local" },
    { prefix = "+1", trunk = "dear" },
    { prefix = "116", trunk = "local" },
]

[[tenants]]
id = "agency"
domain = "agency.example"
parent = "acme"

[[tenants]]
id = "globex"
domain = "globex.example"
routes = [{ trunk = "dear" }]
"#;

fn to(text: &str) -> Destination {
    match text.strip_prefix('+') {
        Some(_) => Destination::Number(E164::normalise(text).unwrap()),
        None if text.len() == 3 => Destination::Emergency(text.into()),
        None => Destination::ShortCode(text.into()),
    }
}

fn chosen(house: &Arc<Directory>, of: &str, number: &str, health: &[(&str, Health)]) -> String {
    let health: BTreeMap<TrunkId, Health> =
        health.iter().map(|(id, health)| (TrunkId::new(id).unwrap(), *health)).collect();
    let up = Health { state: HealthState::Up, calls: 0 };
    let of_trunk = |id: &TrunkId| health.get(id).copied().unwrap_or(up);
    let mut rng = Rng::from_seed(7);
    match outbound(house, &tenant(of), &to(number), of_trunk, &mut rng) {
        Ok(outbound) => outbound.to_string(),
        Err(refused) => refused.to_string(),
    }
}

fn state(state: HealthState, calls: u32) -> Health {
    Health { state, calls }
}

#[test]
fn the_longest_prefix_goes_first_then_priority_then_cost() {
    let house = directory(HOUSE);
    assert_eq!(
        chosen(&house, "acme", "+4930123", &[]),
        "local (prefix +4930, priority 0, cost 99), \
         then cheap (prefix +49, priority 0, cost 10, 0 of 10 calls), \
         then dear (prefix +49, priority 0, cost 30)"
    );
    assert_eq!(
        chosen(&house, "agency", "+4312345", &[]),
        "dear (prefix +43, priority 1, cost 50), \
         then cheap (prefix +43, priority 2, cost 0, 0 of 10 calls)"
    );
    assert_eq!(chosen(&house, "acme", "116117", &[]), "local (prefix 116, priority 0, cost 0)");
    assert_eq!(
        chosen(&house, "acme", "+4412345", &[]),
        "no route of the tenant takes calls to +4412345"
    );
}

#[test]
fn a_trunk_that_is_down_comes_last_and_one_that_is_full_not_at_all() {
    let house = directory(HOUSE);
    let down = [("local", state(HealthState::Down, 0)), ("dear", state(HealthState::Unknown, 0))];
    assert_eq!(
        chosen(&house, "acme", "+4930123", &down),
        "cheap (prefix +49, priority 0, cost 10, 0 of 10 calls), \
         then dear (prefix +49, priority 0, cost 30, not probed yet), \
         then local (prefix +4930, priority 0, cost 99, down: tried last)"
    );
    let full = [("cheap", state(HealthState::Up, 10))];
    assert_eq!(
        chosen(&house, "acme", "+49401234", &full),
        "dear (prefix +49, priority 0, cost 30); \
         not cheap (prefix +49, priority 0, cost 10, full with 10 of 10 calls)"
    );
    let only = directory(&HOUSE.replace("{ prefix = \"+49\", trunk = \"dear\", cost = 30 },", ""));
    assert_eq!(
        chosen(&only, "acme", "+49401234", &full),
        "no trunk can take the call: \
         cheap (prefix +49, priority 0, cost 10, full with 10 of 10 calls)"
    );
}

#[test]
fn equals_share_the_calls_and_the_less_loaded_goes_first() {
    let house = directory(HOUSE);
    let busy = [("local", state(HealthState::Up, 5)), ("dear", state(HealthState::Up, 4))];
    assert!(chosen(&house, "acme", "+15550100", &busy).starts_with("dear"));
    let mut rng = Rng::from_seed(1);
    let up = |_: &TrunkId| state(HealthState::Up, 0);
    let first = |rng: &mut Rng| {
        let found = outbound(&house, &tenant("acme"), &to("+15550100"), up, rng).unwrap();
        found.choices[0].trunk.to_string()
    };
    let local = (0..1000).filter(|_| first(&mut rng) == "local").count();
    assert!((400..600).contains(&local), "{local} of 1000");
}

#[test]
fn a_call_for_help_goes_out_over_any_trunk_however_full() {
    let house = directory(HOUSE);
    let full = [("cheap", state(HealthState::Up, 10)), ("local", state(HealthState::Down, 0))];
    let told = chosen(&house, "acme", "112", &full);
    assert!(
        told.contains("cheap (any trunk, for an emergency, full with 10 of 10 calls)"),
        "{told}"
    );
    assert!(told.ends_with("local (any trunk, for an emergency, down: tried last)"), "{told}");
    assert!(!told.contains("other") && !told.contains("inbound"), "{told}");
    assert_eq!(chosen(&house, "globex", "112", &[]), "other (for emergencies)");
}
