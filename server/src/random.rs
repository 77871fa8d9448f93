//! The operating system's randomness: the seed of everything below.

use base::Rng;
use rustix::rand::{GetRandomFlags, getrandom};

/// A generator with a secret seed.
#[must_use]
pub fn seeded() -> Rng {
    let mut seed = [0; 32];
    let mut filled = 0;
    // getrandom gives up to 256 bytes at once and can only be interrupted by a signal.
    while filled < seed.len() {
        filled += getrandom(&mut seed[filled..], GetRandomFlags::empty()).unwrap_or(0);
    }
    Rng::from_secret(seed)
}

/// One number.
#[must_use]
pub fn number() -> u64 {
    seeded().next_u64()
}
