//! One connection's life, whatever it is made of: messages in, messages out, bounded both ways.
//!
//! Reading slows down with the signalling thread (its queue is awaited); a peer that does not read
//! what we write is disconnected when its queue is full. A framing fault closes its connection only.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sip::Flow;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::{StreamInput, Streams, Way};

/// Messages that may wait for a slow peer before it is disconnected.
const OUTBOUND: usize = 256;
/// A new connection must deliver its first whole message within this time.
const FIRST_MESSAGE: Duration = Duration::from_secs(32);
/// A write that makes no progress for this long means a dead peer.
const WRITE: Duration = Duration::from_secs(32);
/// A connection with broken framing stays open this long for the answer.
const LAST_ANSWER: Duration = Duration::from_millis(500);
/// The answer to a ping comes within this time, if the peer has ever answered one.
const PONG: Duration = Duration::from_secs(10);
/// A peer has this long to take our farewell.
const FAREWELL: Duration = Duration::from_secs(1);

/// What came over a connection.
pub(super) enum Received {
    /// A whole message.
    Message(Bytes),
    /// A keep-alive that wants its answer (RFC 5626 §4.4.1).
    Ping,
    /// The answer to ours, or anything else that shows the peer alive.
    Pong,
    /// No message can follow; this head can still be answered.
    Broken(Option<Bytes>),
    /// The peer closed, or the path failed.
    End,
}

/// The receiving half of a connection.
pub(super) trait Reader: Send {
    /// The next thing; nothing follows [`Received::Broken`] and [`Received::End`].
    fn next(&mut self) -> impl Future<Output = Received> + Send;
}

/// The sending half.
pub(super) trait Writer: Send {
    /// How often both ends ask [`Writer::beat`], whoever made the connection; none: whoever made it
    /// does, as often as it is configured.
    const BEAT: Option<Duration> = None;

    /// Sends one message, or the answer to a ping.
    fn send(&mut self, bytes: Bytes) -> impl Future<Output = io::Result<()>> + Send;

    /// Asks the peer whether it lives.
    fn beat(&mut self) -> impl Future<Output = io::Result<()>> + Send;

    /// Says farewell.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// Carries a connection until either side ends it. Its place in the limits is the caller's to keep.
pub(super) async fn carry<R: Reader, W: Writer>(
    streams: &Streams,
    flow: Flow,
    names: Vec<String>,
    way: Option<Way>,
    (mut reader, mut writer): (R, W),
) {
    let (outbound, queue) = mpsc::channel(OUTBOUND);
    // Weak: when the signalling thread drops its end, the writer ends, and with it the connection.
    let pings = outbound.downgrade();
    let is_ours = way.is_some();
    let opened = StreamInput::Opened { flow, writer: outbound, names, way };
    if streams.tell(opened).await.is_err() {
        return;
    }
    let live = metrics::gauge!("strowger_sip_connections", "transport" => flow.transport.name());
    live.increment(1.0);
    let signs = Signs::default();
    let idle = idle::<W>(streams);
    let reading = Reading { streams, flow, pings, idle, is_ours, signs: &signs };
    let beat = beat::<W>(streams, flow).filter(|_| is_ours || W::BEAT.is_some());
    let writing = Writing { queue, beat, signs: &signs };
    tokio::select! {
        () = reading.read(&mut reader) => {}
        () = writing.write(&mut writer) => {}
    }
    live.decrement(1.0);
    // The signalling thread may have ended meanwhile; then nobody needs to know.
    let _ = streams.tell(StreamInput::Closed { flow }).await;
    let _ = timeout(FAREWELL, writer.close()).await;
}

/// A connection that is asked whether it lives is missed sooner.
fn idle<W: Writer>(streams: &Streams) -> Duration {
    let idle = streams.0.idle;
    W::BEAT.map_or(idle, |beat| idle.min(3 * beat))
}

/// How often the peer is asked whether it lives: a little more or less often on each connection,
/// so that they do not all at once.
fn beat<W: Writer>(streams: &Streams, flow: Flow) -> Option<Duration> {
    let spread = |least: Duration| least + least / 100 * u32::from(flow.connection as u8 % 25);
    W::BEAT.or_else(|| streams.0.keep_alive.map(spread))
}

/// What the reading half has seen of the peer, for the writing half.
#[derive(Default)]
struct Signs {
    /// Things that came.
    heard: AtomicU64,
    /// Whether it has ever answered a ping: one that never did need not.
    answers: AtomicBool,
}

struct Reading<'a> {
    streams: &'a Streams,
    flow: Flow,
    pings: mpsc::WeakSender<Bytes>,
    idle: Duration,
    /// Whether we made it.
    is_ours: bool,
    signs: &'a Signs,
}

impl Reading<'_> {
    /// Reads until the peer closes, idles or breaks the framing.
    async fn read(&self, reader: &mut impl Reader) {
        // Keep-alives do not count before the first message: whoever sends only them wants no SIP.
        let mut proven = self.is_ours;
        let patience = if proven { self.idle } else { FIRST_MESSAGE.min(self.idle) };
        let mut until = Instant::now() + patience;
        while let Ok(received) = timeout_at(until, reader.next()).await {
            proven |= matches!(received, Received::Message(_));
            self.signs.heard.fetch_add(1, Ordering::Relaxed);
            if matches!(received, Received::Pong) {
                self.signs.answers.store(true, Ordering::Relaxed);
            }
            if !self.take(received).await {
                return;
            }
            if proven {
                until = Instant::now() + self.idle;
            }
        }
    }

    /// The peer shows that it keeps its flow. Says whether to go on.
    async fn keep(&self) -> bool {
        let flow = self.flow;
        self.is_ours || self.streams.tell(StreamInput::KeptAlive { flow }).await.is_ok()
    }

    /// Says whether to go on.
    async fn take(&self, received: Received) -> bool {
        let flow = self.flow;
        match received {
            Received::Message(bytes) => {
                self.streams.tell(StreamInput::Message { flow, bytes }).await.is_ok()
            }
            Received::Ping => {
                let pings = self.pings.upgrade();
                let pong = Bytes::from_static(b"\r\n");
                pings.is_some_and(|pings| pings.try_send(pong).is_ok()) && self.keep().await
            }
            Received::Pong => self.keep().await,
            Received::Broken(head) => {
                let transport = flow.transport.name();
                metrics::counter!("strowger_sip_framing_faults_total", "transport" => transport)
                    .increment(1);
                // The transaction layer answers what can be answered, then the peer goes.
                if let Some(bytes) = head
                    && self.streams.tell(StreamInput::Message { flow, bytes }).await.is_ok()
                {
                    tokio::time::sleep(LAST_ANSWER).await;
                }
                false
            }
            Received::End => false,
        }
    }
}

struct Writing<'a> {
    queue: mpsc::Receiver<Bytes>,
    beat: Option<Duration>,
    signs: &'a Signs,
}

impl Writing<'_> {
    /// Writes what is queued until the signalling thread drops its end, the peer stops reading, or
    /// it leaves a ping without an answer (RFC 5626 §4.4.1).
    async fn write(mut self, writer: &mut impl Writer) {
        let mut next_beat = self.beat.map(|beat| Instant::now() + beat);
        // Until when something must come, and how much had come when it was asked.
        let mut awaited: Option<(Instant, u64)> = None;
        loop {
            let alarm = next_beat.into_iter().chain(awaited.map(|(until, _)| until)).min();
            let queued = match alarm {
                None => Ok(self.queue.recv().await),
                Some(at) => timeout_at(at, self.queue.recv()).await,
            };
            let written = match queued {
                Ok(None) => return,
                Ok(Some(bytes)) => timeout(WRITE, writer.send(bytes)).await,
                Err(_) => {
                    let (now, heard) = (Instant::now(), self.signs.heard.load(Ordering::Relaxed));
                    if let Some((_, before)) = awaited.take_if(|(until, _)| *until <= now)
                        && before == heard
                        && self.signs.answers.load(Ordering::Relaxed)
                    {
                        return;
                    }
                    if next_beat.is_none_or(|due| due > now) {
                        continue;
                    }
                    next_beat = self.beat.map(|beat| now + beat);
                    awaited = awaited.or(Some((now + PONG, heard)));
                    timeout(WRITE, writer.beat()).await
                }
            };
            if !matches!(written, Ok(Ok(()))) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
