//! The order of equals: SRV records by lot and weight (RFC 2782), addresses of both families in
//! turns (RFC 7984 §4, RFC 8305 §4).

use std::net::IpAddr;

use base::Rng;

use super::Srv;

/// The records by priority, within one by lot: each place goes to a record with a chance in
/// proportion to its weight; those without weight come last, mostly.
pub(super) fn by_weight(mut records: Vec<Srv>, rng: &mut Rng) -> Vec<Srv> {
    // RFC 2782: those of weight 0 stand first, so that a draw of 0 may still take them.
    records.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let group = records.iter().take_while(|record| record.priority == priority);
        let total: u64 = group.map(|record| u64::from(record.weight)).sum();
        let drawn = rng.below(total + 1);
        let mut sum = 0;
        let taken = records.iter().position(|record| {
            sum += u64::from(record.weight);
            sum >= drawn
        });
        ordered.push(records.remove(taken.unwrap_or(0)));
    }
    ordered
}

/// The addresses with their families in turns, the first one's family first.
pub(super) fn alternate(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let first_is_v6 = addresses.first().is_some_and(IpAddr::is_ipv6);
    let of = |v6: bool| addresses.iter().copied().filter(move |ip| ip.is_ipv6() == v6);
    let (mut own, mut other) = (of(first_is_v6), of(!first_is_v6));
    let mut ordered = Vec::with_capacity(addresses.len());
    loop {
        let pair = [own.next(), other.next()];
        if pair == [None, None] {
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]

    use super::*;

    fn record(priority: u16, weight: u16, target: &str) -> Srv {
        Srv { priority, weight, port: 5060, target: target.into() }
    }

    fn firsts(records: &[Srv], name: &str) -> usize {
        let mut rng = Rng::from_seed(7);
        let draws = (0..10_000).map(|_| by_weight(records.to_vec(), &mut rng));
        draws.filter(|order| &*order[0].target == name).count()
    }

    #[test]
    fn requests_spread_by_weight_and_nothing_of_another_priority_comes_between() {
        let records = [
            record(2, 100, "later"),
            record(1, 10, "one"),
            record(1, 30, "three"),
            record(1, 0, "none"),
        ];
        assert_eq!(firsts(&records, "later"), 0);
        let (one, three, none) =
            (firsts(&records, "one"), firsts(&records, "three"), firsts(&records, "none"));
        assert!((2_200..2_700).contains(&one), "{one}");
        assert!((7_000..7_600).contains(&three), "{three}");
        assert!((100..500).contains(&none), "a weight of 0 is a small chance: {none}");
        let order = by_weight(records.to_vec(), &mut Rng::from_seed(1));
        assert_eq!((order.len(), &*order[3].target), (4, "later"));
    }

    #[test]
    fn records_without_weights_are_all_kept() {
        let order = by_weight(vec![record(1, 0, "a"), record(1, 0, "b")], &mut Rng::from_seed(1));
        assert_eq!(order.len(), 2);
        assert!(by_weight(Vec::new(), &mut Rng::from_seed(1)).is_empty());
        let heavy = vec![record(0, u16::MAX, "x"); 32];
        assert_eq!(by_weight(heavy, &mut Rng::from_seed(1)).len(), 32);
    }

    #[test]
    fn families_take_turns() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let given = [ip("::1"), ip("::2"), ip("::3"), ip("192.0.2.1")];
        assert_eq!(alternate(&given), [ip("::1"), ip("192.0.2.1"), ip("::2"), ip("::3")]);
        let given = [ip("192.0.2.1"), ip("192.0.2.2"), ip("::1")];
        assert_eq!(alternate(&given), [ip("192.0.2.1"), ip("::1"), ip("192.0.2.2")]);
        assert!(alternate(&[]).is_empty());
    }
}
