//! When both ends send a re-INVITE or UPDATE at once, each is refused with 491 and tries again
//! after a pause of its own (RFC 3261 §14.1).

use base::{Duration, Rng};

/// How long to wait after a 491 before trying again, if the offer is still wanted:
/// 2.1 to 4 s for the end that made the Call-ID (that sent the first INVITE), 0 to 2 s for the
/// other, in steps of 10 ms.
#[must_use]
pub fn glare_pause(made_call_id: bool, rng: &mut Rng) -> Duration {
    let (from, steps) = if made_call_id { (2_100, 191) } else { (0, 201) };
    Duration::from_millis(from + 10 * rng.below(steps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_ends_never_wait_equally_long() {
        let mut rng = Rng::from_seed(3);
        for _ in 0..10_000 {
            let (owner, other) = (glare_pause(true, &mut rng), glare_pause(false, &mut rng));
            assert!((2_100..=4_000).contains(&owner.as_millis()), "{owner:?}");
            assert!(other.as_millis() <= 2_000 && other < owner, "{other:?}");
            assert!(owner.as_millis() % 10 == 0 && other.as_millis() % 10 == 0);
        }
    }
}
