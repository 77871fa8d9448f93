//! Where all captures stand: how many there may be, who gets which, and when one is forgotten.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base::{CallId, TenantId, UnixTime};
use switch::{CaptureEnd, CaptureId};

use super::held::{Bounds, CaptureFile, Held, State};
use super::{CaptureOver, CapturedDatagram};

/// Captures of one tenant that run at once.
const MOST_RUNNING: usize = 4;

/// Why a capture cannot begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoRoom {
    /// The call is being captured.
    Running,
    /// The tenant has as many, or as much of the memory, as it may.
    Tenant,
    /// The node has.
    Node,
}

pub(super) struct Shelf {
    memory: usize,
    keep: Duration,
    next: u64,
    held: BTreeMap<CaptureId, Held>,
}

impl Shelf {
    pub(super) fn new(memory: usize, keep: Duration) -> Self {
        Self { memory, keep, next: 1, held: BTreeMap::new() }
    }

    /// Begins one. An earlier one of the call, which is over, makes room.
    pub(super) fn begin(
        &mut self,
        now: (Instant, UnixTime),
        tenant: &TenantId,
        call: CallId,
        bounds: Bounds,
    ) -> Result<CaptureId, NoRoom> {
        self.forget_old(now.0);
        if let Some((id, earlier)) = self.of(tenant, call) {
            if earlier.ended.is_none() {
                return Err(NoRoom::Running);
            }
            self.held.remove(&id);
        }
        let own = || self.held.values().filter(|held| held.tenant == *tenant);
        let claimed = own().map(Held::claim).sum::<usize>() + bounds.bytes;
        let all = self.held.values().map(Held::claim).sum::<usize>() + bounds.bytes;
        if all > self.memory {
            return Err(NoRoom::Node);
        }
        // No tenant keeps the others from it: half of the memory is the most for one.
        let running = own().filter(|held| held.ended.is_none()).count();
        if running >= MOST_RUNNING || claimed > self.memory / 2 {
            return Err(NoRoom::Tenant);
        }
        let capture = CaptureId(self.next);
        self.next += 1;
        let held = Held::new(capture, now, (tenant.clone(), call), bounds);
        self.held.insert(capture, held);
        Ok(capture)
    }

    pub(super) fn put(&mut self, now: Instant, datagram: &CapturedDatagram<'_>) {
        if let Some(held) = self.held.get_mut(&datagram.capture) {
            held.put(now, datagram);
        }
    }

    pub(super) fn note_dropped(&mut self, capture: CaptureId, stream: u64, dropped: u32) {
        if let Some(held) = self.held.get_mut(&capture) {
            held.note_dropped(stream, dropped);
        }
    }

    pub(super) fn end(&mut self, now: Instant, capture: CaptureId, why: CaptureEnd) {
        if let Some(held) = self.held.get_mut(&capture) {
            held.end(now, why);
        }
    }

    pub(super) fn review(&mut self, now: Instant) -> Vec<CaptureOver> {
        self.forget_old(now);
        let over = self.held.iter_mut().filter_map(|(capture, held)| {
            let why = held.is_over(now)?;
            let (tenant, call) = (held.tenant.clone(), held.call);
            Some(CaptureOver { tenant, call, capture: *capture, why })
        });
        over.collect()
    }

    pub(super) fn is_idle(&self, now: Instant) -> bool {
        !self.held.values().any(|held| held.is_open(now))
    }

    pub(super) fn state(&self, tenant: &TenantId, call: CallId) -> Option<State> {
        Some(self.of(tenant, call)?.1.state())
    }

    pub(super) fn file(&self, tenant: &TenantId, call: CallId) -> Option<CaptureFile> {
        Some(self.of(tenant, call)?.1.file())
    }

    pub(super) fn forget(&mut self, capture: CaptureId) -> bool {
        self.held.remove(&capture).is_some()
    }

    fn of(&self, tenant: &TenantId, call: CallId) -> Option<(CaptureId, &Held)> {
        let mut held = self.held.iter();
        let found = held.find(|(_, held)| held.call == call && held.tenant == *tenant);
        found.map(|(capture, held)| (*capture, held))
    }

    fn forget_old(&mut self, now: Instant) {
        let keep = self.keep;
        let is_old = |at: &Instant| now.saturating_duration_since(*at) >= keep;
        self.held.retain(|_, held| !held.ended.as_ref().is_some_and(|(at, _)| is_old(at)));
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    const BOUNDS: Bounds = Bounds { seconds: 60, bytes: 100_000, packets: 1000 };

    fn tenant(name: &str) -> TenantId {
        TenantId::new(name).unwrap()
    }

    fn begin(shelf: &mut Shelf, now: Instant, of: &str, call: u128) -> Result<CaptureId, NoRoom> {
        let now = (now, UnixTime::from_micros(1_795_168_800_000_000));
        shelf.begin(now, &tenant(of), CallId::from_u128(call), BOUNDS)
    }

    fn put(shelf: &mut Shelf, now: Instant, capture: CaptureId, bytes: &[u8]) {
        let from = SocketAddr::from(([192, 0, 2, 1], 4000));
        let to = SocketAddr::from(([192, 0, 2, 2], 20_000));
        let at = UnixTime::from_micros(1_795_168_800_000_123);
        let length = 172;
        shelf.put(now, &CapturedDatagram { capture, at, stream: 1, from, to, bytes, length });
    }

    #[test]
    fn a_file_grows_to_its_bound_and_then_the_engine_is_told_once() {
        let (mut shelf, now) = (Shelf::new(1 << 20, Duration::from_secs(600)), Instant::now());
        let capture = begin(&mut shelf, now, "acme", 1).unwrap();
        (0..600).for_each(|_| put(&mut shelf, now, capture, &[7; 172]));
        let over = shelf.review(now);
        assert_eq!((over.len(), over[0].why), (1, CaptureEnd::Bytes));
        assert_eq!(shelf.review(now), []);
        let file = shelf.file(&tenant("acme"), CallId::from_u128(1)).unwrap();
        let bytes = file.blocks.concat();
        // Each packet: 16 bytes of the file's, 28 of IP and UDP, 172.
        assert_eq!((file.state.packets, bytes.len()), (462, 24 + 462 * 216));
        assert_eq!((file.state.bytes, file.state.dropped), (bytes.len(), 138));
        assert!(file.blocks.len() > 1, "in blocks");
    }

    #[test]
    fn of_a_header_alone_the_true_length_is_told_and_no_checksum() {
        let (mut shelf, now) = (Shelf::new(1 << 20, Duration::from_secs(600)), Instant::now());
        let capture = begin(&mut shelf, now, "acme", 1).unwrap();
        put(&mut shelf, now, capture, &[7; 12]);
        let file = shelf.file(&tenant("acme"), CallId::from_u128(1)).unwrap().blocks.concat();
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!((word(24 + 8), word(24 + 12)), (40, 200), "kept and true");
        let packet = &file[40..];
        assert_eq!((&packet[24..26], &packet[26..28]), (&[0, 180][..], &[0, 0][..]));
        assert_eq!(packet.len(), 40);
    }

    #[test]
    fn time_ends_one_and_what_was_under_way_still_comes_after_a_stop_but_not_later() {
        let (mut shelf, now) = (Shelf::new(1 << 20, Duration::from_secs(600)), Instant::now());
        let first = begin(&mut shelf, now, "acme", 1).unwrap();
        let second = begin(&mut shelf, now, "acme", 2).unwrap();
        let later = now + Duration::from_secs(30);
        shelf.end(later, second, CaptureEnd::Stopped);
        put(&mut shelf, later + Duration::from_millis(900), second, &[7; 172]);
        put(&mut shelf, later + Duration::from_millis(1100), second, &[7; 172]);
        let state = shelf.state(&tenant("acme"), CallId::from_u128(2)).unwrap();
        assert_eq!((state.packets, state.dropped), (1, 1));
        let end = now + Duration::from_secs(60);
        let over = shelf.review(end);
        assert_eq!((over[0].capture, over[0].why), (first, CaptureEnd::Seconds));
        assert!(shelf.is_idle(end));
        assert_eq!(shelf.review(end + Duration::from_secs(569)), []);
        assert!(shelf.state(&tenant("acme"), CallId::from_u128(2)).is_some(), "kept");
        let _ = shelf.review(end + Duration::from_secs(571));
        assert!(shelf.state(&tenant("acme"), CallId::from_u128(2)).is_none(), "forgotten");
        assert!(shelf.state(&tenant("acme"), CallId::from_u128(1)).is_some(), "it ended later");
    }

    #[test]
    fn one_tenant_has_half_of_the_memory_at_most_and_nobody_anothers_capture() {
        let (mut shelf, now) = (Shelf::new(401_000, Duration::from_secs(600)), Instant::now());
        begin(&mut shelf, now, "acme", 1).unwrap();
        assert_eq!(begin(&mut shelf, now, "acme", 1), Err(NoRoom::Running));
        let second = begin(&mut shelf, now, "acme", 2).unwrap();
        assert_eq!(begin(&mut shelf, now, "acme", 3), Err(NoRoom::Tenant));
        begin(&mut shelf, now, "globex", 4).unwrap();
        begin(&mut shelf, now, "globex", 5).unwrap();
        assert_eq!(begin(&mut shelf, now, "initech", 6), Err(NoRoom::Node));
        assert!(shelf.file(&tenant("globex"), CallId::from_u128(1)).is_none());
        shelf.end(now, second, CaptureEnd::CallEnded);
        begin(&mut shelf, now, "acme", 3).unwrap();
        assert_eq!(begin(&mut Shelf::new(0, Duration::ZERO), now, "acme", 1), Err(NoRoom::Node));
    }
}
