//! How many packets a master key is for (RFC 4568 §6.1, RFC 3711 §9.2).

/// The most packets, and the most reports, that any key may seal.
const MOST_PACKETS: u64 = 1 << 48;
const MOST_REPORTS: u64 = 1 << 31;

/// The most packets, and the most reports, that its owner seals with a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Lifetime(u64);

impl Lifetime {
    /// So many of either kind; `None` of none, and of more than 2^48.
    #[must_use]
    pub fn new(packets: u64) -> Option<Self> {
        (1..=MOST_PACKETS).contains(&packets).then_some(Self(packets))
    }

    /// RTP packets, 1 to 2^48.
    #[must_use]
    pub fn packets(self) -> u64 {
        self.0
    }

    /// RTCP compounds, 1 to 2^31.
    #[must_use]
    pub fn reports(self) -> u64 {
        self.0.min(MOST_REPORTS)
    }
}

impl Default for Lifetime {
    /// As long as any key may be used.
    fn default() -> Self {
        Self(MOST_PACKETS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_one_packet_at_least_and_what_any_key_may_seal_at_most() {
        assert_eq!((Lifetime::new(0), Lifetime::new((1 << 48) + 1)), (None, None));
        let longest = Lifetime::new(1 << 48).map(|life| (life.packets(), life.reports()));
        assert_eq!(longest, Some((1 << 48, 1 << 31)));
        assert_eq!(Lifetime::new(7).map(Lifetime::reports), Some(7));
    }
}
