//! One capture that is held: its file as it grows, and what became of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use base::{CallId, TenantId, UnixTime};
use switch::{CaptureEnd, CaptureId};

use super::CapturedDatagram;
use crate::pcap::{FILE_HEAD, file_head, put_packet, udp};

/// The file grows in blocks of this size, so that a reader shares them and copies none.
const BLOCK: usize = 64 << 10;
/// Datagrams that were under way when the engine ended the capture come within this.
const LINGER: Duration = Duration::from_secs(1);
/// Addresses counted apart; what else there may be is in the file alone.
const MOST_ENDS: usize = 64;

/// How much a capture may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bounds {
    pub(crate) seconds: u32,
    /// Of the file.
    pub(crate) bytes: usize,
    pub(crate) packets: u64,
}

/// A capture file: blocks one after the other.
pub(crate) struct CaptureFile {
    pub(crate) blocks: Vec<Bytes>,
    pub(crate) state: State,
}

/// What is known of a capture.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) capture: CaptureId,
    pub(crate) started_at: UnixTime,
    /// Why it is over, if it is.
    pub(crate) ended: Option<CaptureEnd>,
    pub(crate) bounds: Bounds,
    pub(crate) packets: u64,
    pub(crate) bytes: usize,
    /// Datagrams that found no room on their way here, or came when it had enough.
    pub(crate) dropped: u64,
    /// Packets between which addresses.
    pub(crate) ends: Vec<End>,
}

/// What went from one address to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) packets: u64,
}

pub(super) struct Held {
    pub(super) tenant: TenantId,
    pub(super) call: CallId,
    capture: CaptureId,
    began: Instant,
    started_at: UnixTime,
    bounds: Bounds,
    pub(super) ended: Option<(Instant, CaptureEnd)>,
    /// Whether the engine has been told that it has enough.
    told: bool,
    sealed: Vec<Bytes>,
    open: Vec<u8>,
    bytes: usize,
    packets: u64,
    left_out: u64,
    dropped: BTreeMap<u64, u32>,
    ends: BTreeMap<(SocketAddr, SocketAddr), u64>,
}

impl Held {
    pub(super) fn new(
        capture: CaptureId,
        (began, started_at): (Instant, UnixTime),
        (tenant, call): (TenantId, CallId),
        bounds: Bounds,
    ) -> Self {
        Self {
            tenant,
            call,
            capture,
            began,
            started_at,
            bounds,
            ended: None,
            told: false,
            sealed: Vec::new(),
            open: file_head().to_vec(),
            bytes: FILE_HEAD,
            packets: 0,
            left_out: 0,
            dropped: BTreeMap::new(),
            ends: BTreeMap::new(),
        }
    }

    /// Bytes of memory that it may take, or takes when it is over.
    pub(super) fn claim(&self) -> usize {
        if self.ended.is_some() { self.bytes } else { self.bounds.bytes }
    }

    pub(super) fn end(&mut self, now: Instant, why: CaptureEnd) {
        self.ended.get_or_insert((now, why));
        self.told = true;
    }

    /// Whether a datagram may still come.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        match self.ended {
            None => true,
            Some((at, CaptureEnd::Stopped | CaptureEnd::CallEnded)) => {
                now.saturating_duration_since(at) < LINGER
            }
            Some(_) => false,
        }
    }

    pub(super) fn put(&mut self, now: Instant, datagram: &CapturedDatagram<'_>) {
        if !self.is_open(now) {
            self.left_out += 1;
            return;
        }
        if self.packets >= self.bounds.packets {
            return self.have_enough(now, CaptureEnd::Packets);
        }
        let CapturedDatagram { from, to, bytes, length, .. } = *datagram;
        let before = self.open.len();
        let ends = (from.ip(), to.ip());
        let header = udp(from, to, length);
        put_packet(&mut self.open, datagram.at.as_micros(), ends, &header, (bytes, length));
        let added = self.open.len() - before;
        if self.bytes + added > self.bounds.bytes {
            self.open.truncate(before);
            return self.have_enough(now, CaptureEnd::Bytes);
        }
        self.bytes += added;
        self.packets += 1;
        if self.ends.len() < MOST_ENDS || self.ends.contains_key(&(from, to)) {
            *self.ends.entry((from, to)).or_default() += 1;
        }
        if self.open.len() >= BLOCK {
            self.sealed.push(std::mem::take(&mut self.open).into());
        }
    }

    /// What has enough takes no more; the engine is told at the next review.
    fn have_enough(&mut self, now: Instant, why: CaptureEnd) {
        self.left_out += 1;
        self.ended.get_or_insert((now, why));
    }

    pub(super) fn note_dropped(&mut self, stream: u64, dropped: u32) {
        let known = self.dropped.entry(stream).or_default();
        *known = dropped.max(*known);
    }

    /// Why the engine is to end it, if it is and has not been told.
    pub(super) fn is_over(&mut self, now: Instant) -> Option<CaptureEnd> {
        let lasts = now.saturating_duration_since(self.began);
        if self.ended.is_none() && lasts >= Duration::from_secs(self.bounds.seconds.into()) {
            self.ended = Some((now, CaptureEnd::Seconds));
        }
        let (_, why) = self.ended?;
        (!std::mem::replace(&mut self.told, true)).then_some(why)
    }

    pub(super) fn state(&self) -> State {
        let ends = self.ends.iter();
        let ends =
            ends.map(|((from, to), packets)| End { from: *from, to: *to, packets: *packets });
        let dropped = self.dropped.values().map(|dropped| u64::from(*dropped)).sum::<u64>();
        State {
            capture: self.capture,
            started_at: self.started_at,
            ended: self.ended.map(|(_, why)| why),
            bounds: self.bounds,
            packets: self.packets,
            bytes: self.bytes,
            dropped: dropped + self.left_out,
            ends: ends.collect(),
        }
    }

    pub(super) fn file(&self) -> CaptureFile {
        let mut blocks = self.sealed.clone();
        blocks.push(Bytes::copy_from_slice(&self.open));
        CaptureFile { blocks, state: self.state() }
    }
}
