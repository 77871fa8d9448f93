//! Whom a stream listens and talks to: the symmetric latch, and how strangers are kept out.
//!
//! The address of the far end's SDP is believed at its first packet. Behind NAT the packets come
//! from elsewhere: such a source is taken only when nothing came from the signalled address, only
//! shortly after signalling (or from the signalled IP address), and only after a run of
//! consecutive packets of one SSRC. A later packet from the signalled address takes the stream
//! back. The host that the far end's SIP comes from, where its SDP names another one, is believed
//! as soon as the signalled address is. Once the source is known, all others are refused; it can
//! only move by signalling, or after it fell silent, and then only to a run that carries the same
//! SSRC, which a stranger does not know.

use std::net::{IpAddr, SocketAddr};

use base::{Duration, Instant};

use crate::rtp::Header;

/// How long after signalling another IP address than the signalled one may be taken.
const NAT_WINDOW: Duration = Duration::from_secs(5);
/// Silence after which the source may have moved.
const SILENCE: Duration = Duration::from_secs(5);
/// Packets in a run, and the least time they must span: a burst proves nothing.
const RUN_PACKETS: u8 = 4;
const RUN_TIME: Duration = Duration::from_millis(50);
/// A run that pauses this long has ended.
const RUN_PAUSE: Duration = Duration::from_millis(400);

/// With a key, a source that others than the far end can claim no more: it has moved when it was
/// quiet for this long elsewhere. A copy that somebody sends from elsewhere is never first twice.
const MOVED: Duration = Duration::from_millis(200);

/// What says that a packet is the far end's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Proof {
    /// Where it comes from, and nothing else.
    Address,
    /// It was authenticated by the key that was agreed on.
    Key,
}

/// What to do with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Take it.
    Accept,
    /// Take it; the far end's source is new.
    Latched,
    /// Count and drop it.
    Refuse,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Latch {
    signalled: Option<SocketAddr>,
    /// The host that the far end's SIP comes from.
    host: Option<IpAddr>,
    state: State,
    /// The known source has fallen silent: its host, or the signalled one, may go on from another
    /// port and with another SSRC.
    searching: bool,
}

#[derive(Clone, Debug, Default)]
enum State {
    /// Nothing signalled.
    #[default]
    Closed,
    /// Signalled, nothing believed yet.
    Waiting { since: Instant, run: Option<Run> },
    /// The source is known.
    Known { source: SocketAddr, ssrc: u32, last: Instant, run: Option<Run> },
}

/// Consecutive packets from one unproven source.
#[derive(Clone, Copy, Debug)]
struct Run {
    source: SocketAddr,
    ssrc: u32,
    sequence: u16,
    packets: u8,
    since: Instant,
    last: Instant,
}

impl Latch {
    /// The far end's SDP says `signalled`. The old hold (`0.0.0.0`) and repetition change nothing.
    pub(crate) fn set_remote(&mut self, now: Instant, signalled: SocketAddr) {
        if signalled.ip().is_unspecified() || self.signalled == Some(signalled) {
            return;
        }
        self.signalled = Some(signalled);
        self.searching = false;
        if !matches!(self.state, State::Known { source, .. } if source == signalled) {
            self.state = State::Waiting { since: now, run: None };
        }
    }

    /// The far end's SIP comes from that host, as a phone's behind NAT whose SDP names another one.
    pub(crate) fn expect_host(&mut self, host: IpAddr) {
        self.host = Some(host);
    }

    /// Nothing comes any more though it should: the far end may have moved on its own host. Whom we
    /// send to stays until it has been found.
    pub(crate) fn search(&mut self) {
        self.searching = true;
    }

    /// Judges an RTP packet.
    pub(crate) fn handle_packet(
        &mut self,
        now: Instant,
        from: SocketAddr,
        header: &Header,
        proof: Proof,
    ) -> Verdict {
        let from_signalled = self.signalled == Some(from);
        let same_host = self.signalled.is_some_and(|signalled| signalled.ip() == from.ip());
        let proven = match &mut self.state {
            State::Closed => false,
            State::Known { source, ssrc, last, .. } if *source == from => {
                (*ssrc, *last) = (header.ssrc, now);
                self.searching = false;
                return Verdict::Accept;
            }
            State::Waiting { .. } if proof == Proof::Key => true,
            State::Known { last, .. } if proof == Proof::Key => now.since(*last) >= MOVED,
            State::Waiting { since, run } => {
                let allowed = same_host || now.since(*since) <= NAT_WINDOW;
                let from_host = self.host == Some(from.ip()) && !same_host;
                let is_believed = from_signalled || (from_host && allowed);
                is_believed || (allowed && Run::advance(run, now, from, header))
            }
            State::Known { source, ssrc, last, run } => {
                let on_its_host = same_host || source.ip() == from.ip();
                let moved = (self.searching && on_its_host)
                    || (now.since(*last) >= SILENCE && header.ssrc == *ssrc);
                from_signalled || (moved && Run::advance(run, now, from, header))
            }
        };
        if !proven {
            return Verdict::Refuse;
        }
        self.state = State::Known { source: from, ssrc: header.ssrc, last: now, run: None };
        self.searching = false;
        Verdict::Latched
    }

    /// Where to send: the source once known, else what was signalled; never anywhere else.
    pub(crate) fn target(&self) -> Option<SocketAddr> {
        self.source().or(self.signalled)
    }

    /// The known source.
    pub(crate) fn source(&self) -> Option<SocketAddr> {
        match self.state {
            State::Known { source, .. } => Some(source),
            State::Closed | State::Waiting { .. } => None,
        }
    }
}

impl Run {
    /// Adds a packet. True when the run is long enough. A rival never breaks a living run.
    fn advance(run: &mut Option<Self>, now: Instant, from: SocketAddr, header: &Header) -> bool {
        let living = run.filter(|run| now.since(run.last) < RUN_PAUSE);
        let Some(mut current) = living else {
            *run = Some(Self::begin(now, from, header));
            return false;
        };
        if current.source != from {
            return false;
        }
        let ahead = header.sequence.wrapping_sub(current.sequence);
        if current.ssrc != header.ssrc || !(1..=3).contains(&ahead) {
            *run = Some(Self::begin(now, from, header));
            return false;
        }
        current.packets = current.packets.saturating_add(1);
        (current.sequence, current.last) = (header.sequence, now);
        *run = Some(current);
        current.packets >= RUN_PACKETS && now.since(current.since) >= RUN_TIME
    }

    fn begin(now: Instant, source: SocketAddr, header: &Header) -> Self {
        let Header { ssrc, sequence, .. } = *header;
        Self { source, ssrc, sequence, packets: 1, since: now, last: now }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const SIGNALLED: &str = "192.0.2.1:4000";
    const NAT: &str = "198.51.100.7:61000";
    const STRANGER: &str = "203.0.113.9:5000";

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn signalled() -> Latch {
        let mut latch = Latch::default();
        latch.set_remote(Instant::ZERO, address(SIGNALLED));
        latch
    }

    /// Sends packets 20 ms apart; the last verdict.
    fn send(latch: &mut Latch, from: &str, ssrc: u32, ms: u64, count: u16) -> Verdict {
        let mut verdict = Verdict::Refuse;
        for n in 0..count {
            let header = Header { payload_type: 0, marker: false, sequence: n, timestamp: 0, ssrc };
            let now = Instant::from_millis(ms + 20 * u64::from(n));
            verdict = latch.handle_packet(now, address(from), &header, Proof::Address);
        }
        verdict
    }

    #[test]
    fn before_signalling_everybody_is_a_stranger_and_nothing_is_sent() {
        let mut latch = Latch::default();
        assert_eq!(send(&mut latch, SIGNALLED, 1, 0, 10), Verdict::Refuse);
        assert_eq!(latch.target(), None);
    }

    #[test]
    fn the_signalled_address_is_believed_at_its_first_packet() {
        let mut latch = signalled();
        assert_eq!(latch.target(), Some(address(SIGNALLED)));
        assert_eq!(send(&mut latch, SIGNALLED, 1, 0, 1), Verdict::Latched);
        assert_eq!(send(&mut latch, SIGNALLED, 1, 20, 1), Verdict::Accept);
    }

    #[test]
    fn a_far_end_behind_nat_is_taken_after_a_run_of_four_packets() {
        let mut latch = signalled();
        assert_eq!(send(&mut latch, NAT, 1, 0, 3), Verdict::Refuse);
        assert_eq!(latch.target(), Some(address(SIGNALLED)), "nobody unproven is sent to");
        assert_eq!(send(&mut latch, NAT, 1, 500, 4), Verdict::Latched);
        assert_eq!(latch.target(), Some(address(NAT)));
    }

    #[test]
    fn behind_nat_the_host_that_the_sip_comes_from_is_believed_at_its_first_packet() {
        let mut latch = signalled();
        latch.expect_host(address(NAT).ip());
        assert_eq!(send(&mut latch, STRANGER, 2, 0, 1), Verdict::Refuse);
        assert_eq!(send(&mut latch, NAT, 1, 20, 1), Verdict::Latched);
        assert_eq!(send(&mut latch, STRANGER, 1, 40, 20), Verdict::Refuse);
        // Whoever sits at the signalled address itself goes before, as ever.
        assert_eq!(send(&mut latch, SIGNALLED, 3, 60, 1), Verdict::Latched);
        assert_eq!(send(&mut latch, NAT, 1, 80, 20), Verdict::Refuse);
        // Late, the host is one like any other.
        let mut latch = signalled();
        latch.expect_host(address(NAT).ip());
        assert_eq!(send(&mut latch, NAT, 1, 5001, 20), Verdict::Refuse);
    }

    #[test]
    fn a_host_that_signals_and_names_itself_is_believed_at_the_port_it_names_alone() {
        let mut latch = signalled();
        latch.expect_host(address(SIGNALLED).ip());
        assert_eq!(send(&mut latch, "192.0.2.1:4002", 1, 0, 3), Verdict::Refuse);
        assert_eq!(send(&mut latch, "192.0.2.1:4002", 1, 500, 4), Verdict::Latched);
    }

    #[test]
    fn a_burst_or_a_mix_of_ssrcs_is_no_run() {
        let mut latch = signalled();
        for n in 0..100_u16 {
            let header =
                Header { payload_type: 0, marker: false, sequence: n, timestamp: 0, ssrc: 1 };
            let now = Instant::from_nanos(u64::from(n) * 1000);
            assert_eq!(
                latch.handle_packet(now, address(STRANGER), &header, Proof::Address),
                Verdict::Refuse
            );
        }
        for n in 0..100_u16 {
            let ssrc = u32::from(n);
            let header = Header { payload_type: 0, marker: false, sequence: n, timestamp: 0, ssrc };
            let now = Instant::from_millis(1000 + 20 * u64::from(n));
            assert_eq!(
                latch.handle_packet(now, address(STRANGER), &header, Proof::Address),
                Verdict::Refuse
            );
        }
    }

    #[test]
    fn after_the_window_only_the_signalled_host_may_be_taken() {
        let mut latch = signalled();
        assert_eq!(send(&mut latch, NAT, 1, 5001, 20), Verdict::Refuse);
        assert_eq!(send(&mut latch, "192.0.2.1:4002", 1, 9000, 4), Verdict::Latched);
    }

    #[test]
    fn the_signalled_address_takes_the_stream_back_from_a_stranger_who_was_first() {
        let mut latch = signalled();
        assert_eq!(send(&mut latch, STRANGER, 1, 0, 4), Verdict::Latched);
        assert_eq!(send(&mut latch, SIGNALLED, 2, 100, 1), Verdict::Latched);
        assert_eq!(send(&mut latch, STRANGER, 1, 120, 20), Verdict::Refuse);
        assert_eq!(latch.target(), Some(address(SIGNALLED)));
    }

    #[test]
    fn a_stranger_is_refused_once_the_source_is_known_even_with_its_ssrc() {
        let mut latch = signalled();
        send(&mut latch, SIGNALLED, 7, 0, 1);
        assert_eq!(send(&mut latch, STRANGER, 1, 20, 50), Verdict::Refuse);
        assert_eq!(send(&mut latch, STRANGER, 7, 2000, 50), Verdict::Refuse);
        assert_eq!(send(&mut latch, SIGNALLED, 7, 3100, 1), Verdict::Accept);
    }

    #[test]
    fn after_silence_the_same_ssrc_may_come_from_elsewhere_and_another_may_not() {
        let mut latch = signalled();
        send(&mut latch, SIGNALLED, 7, 0, 1);
        assert_eq!(send(&mut latch, STRANGER, 8, 6000, 50), Verdict::Refuse);
        assert_eq!(send(&mut latch, NAT, 7, 8000, 4), Verdict::Latched);
        assert_eq!(latch.target(), Some(address(NAT)));
    }

    #[test]
    fn a_far_end_that_is_searched_for_may_have_moved_on_its_hosts_and_nowhere_else() {
        let mut latch = signalled();
        send(&mut latch, NAT, 7, 0, 4);
        assert_eq!(send(&mut latch, "198.51.100.7:62000", 8, 3000, 50), Verdict::Refuse);
        latch.search();
        assert_eq!(latch.target(), Some(address(NAT)), "it is sent to where it was");
        assert_eq!(send(&mut latch, STRANGER, 8, 4000, 20), Verdict::Refuse);
        assert_eq!(send(&mut latch, "198.51.100.7:62000", 8, 5000, 4), Verdict::Latched);
        assert_eq!(send(&mut latch, NAT, 7, 5100, 20), Verdict::Refuse, "it has been found");
    }

    #[test]
    fn with_a_key_the_far_end_is_believed_at_once_and_may_move_when_it_is_quiet() {
        let mut latch = signalled();
        let mut packet = |ms: u64, from: &str| {
            let header =
                Header { payload_type: 0, marker: false, sequence: 1, timestamp: 0, ssrc: 1 };
            latch.handle_packet(Instant::from_millis(ms), address(from), &header, Proof::Key)
        };
        assert_eq!(packet(9000, NAT), Verdict::Latched, "also after the window");
        assert_eq!(packet(9020, STRANGER), Verdict::Refuse, "a copy");
        assert_eq!(packet(9040, NAT), Verdict::Accept);
        assert_eq!(packet(9240, SIGNALLED), Verdict::Latched, "it has moved");
    }

    #[test]
    fn new_signalling_opens_the_latch_and_repeated_or_held_signalling_does_not() {
        let mut latch = signalled();
        send(&mut latch, NAT, 7, 0, 4);
        latch.set_remote(Instant::from_millis(200), address(SIGNALLED));
        latch.set_remote(Instant::from_millis(200), address("0.0.0.0:4000"));
        assert_eq!(latch.source(), Some(address(NAT)));
        latch.set_remote(Instant::from_millis(300), address("192.0.2.50:4000"));
        assert_eq!(latch.source(), None);
        assert_eq!(latch.target(), Some(address("192.0.2.50:4000")));
        assert_eq!(send(&mut latch, NAT, 7, 320, 1), Verdict::Refuse);
        assert_eq!(send(&mut latch, "192.0.2.50:4000", 9, 340, 1), Verdict::Latched);
    }
}
