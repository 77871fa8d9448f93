//! One running node: started in order (store, recovery, recorder, provisioning, then sockets) and
//! ended in order (calls, recordings, events, then the store).

mod addresses;
mod credentials;
mod entry;
mod start;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use base::Duration;
use control_api::Welcome;
use store::{Claim, EventRow, Store};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

pub use self::addresses::Addresses;
pub use self::credentials::CredentialFault;
pub(crate) use self::credentials::Reach;
use crate::media_io;
use crate::persist::Intake;
use crate::provision::ProvisionFault;
use crate::signalling::{Control, Handle};

/// How long the registrars of carriers may take to take our contact back.
const REGISTRARS: Duration = Duration::from_secs(2);
/// Live calls that did not end by the drain's deadline are ended; their records take this long.
const LAST_BYES: Duration = Duration::from_secs(5);
/// Recordings that are not uploaded by then go up at the next start.
const UPLOADS: Duration = Duration::from_secs(60);
/// Readers of the API have this long to take their last bytes.
const HTTP: Duration = Duration::from_secs(2);

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// The data folder, a socket or a thread.
    #[error("{0}")]
    System(String),
    /// The database.
    #[error("{0}")]
    Store(#[from] store::StoreError),
    /// The recordings' keys, spool or object store.
    #[error("recordings: {0}")]
    Recorder(String),
    /// What was to be applied.
    #[error("{0}")]
    Provision(#[from] ProvisionFault),
    /// Keys that must not be reachable from outside.
    #[error("{0}")]
    Credentials(#[from] CredentialFault),
}

/// A running node. Dropping it without [`Node::drain`] leaves its threads running.
pub struct Node {
    addresses: Addresses,
    store: Store,
    intake: Intake,
    committed: broadcast::Sender<Arc<EventRow>>,
    ready: watch::Sender<bool>,
    signalling: Handle,
    signalling_thread: std::thread::JoinHandle<()>,
    workers: Vec<media_io::Running>,
    recorder: recorder::Service,
    reports: JoinHandle<()>,
    writer: std::thread::JoinHandle<()>,
    http: JoinHandle<()>,
    http_stop: watch::Sender<bool>,
    /// Ended with the node: provisioning, API requests, gauges.
    tasks: Vec<JoinHandle<()>>,
    /// The data folder's and the database's; free for another server when all else has ended.
    claims: [Claim; 2],
    welcome: Welcome,
}

impl Node {
    /// The addresses that were bound.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Events from now on, each when it is committed.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Arc<EventRow>> {
        self.committed.subscribe()
    }

    /// Where whoever runs a demo on it lets newcomers in.
    #[must_use]
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Calls that are up.
    #[must_use]
    pub fn live_calls(&self) -> usize {
        self.signalling.live_calls.load(Ordering::Relaxed)
    }

    /// Ends the node: new calls are refused at once, live ones end by themselves or at the
    /// deadline; recordings are finished, events committed.
    pub async fn drain(self, deadline: Duration) {
        // Readiness first: whoever balances load stops sending.
        self.ready.send_replace(false);
        let _ = self.signalling.control.send(Control::Drain).await;
        if !self.quiet_within(deadline).await {
            let _ = self.signalling.control.send(Control::EndCalls).await;
            if !self.quiet_within(LAST_BYES).await {
                tracing::warn!(calls = self.live_calls(), "calls that did not end in time");
            }
        }
        self.leave_registrars().await;
        let left = self.recorder.stop(UPLOADS).await;
        if left.uploads > 0 {
            tracing::warn!(uploads = left.uploads, "uploads that the next start takes up");
        }
        // The recorder's end of the reports is gone: what was reported goes through the switch.
        let _ = tokio::time::timeout(HTTP, self.reports).await;
        for task in self.tasks {
            task.abort();
            // Aborted or done: either way what it held is free now.
            let _ = task.await;
        }
        let _ = self.signalling.control.send(Control::Stop).await;
        drop(self.intake);
        let (signalling, workers, writer) = (self.signalling_thread, self.workers, self.writer);
        let ended = tokio::task::spawn_blocking(move || {
            let signalling = signalling.join();
            workers.into_iter().for_each(media_io::Running::join);
            signalling.is_ok() && writer.join().is_ok()
        });
        if !ended.await.unwrap_or(false) {
            tracing::error!("a thread had panicked");
        }
        // All is committed and published: streams of events end now, then the listener.
        drop(self.ready);
        self.http_stop.send_replace(true);
        let mut http = self.http;
        if tokio::time::timeout(HTTP, &mut http).await.is_err() {
            http.abort();
        }
        self.store.close().await;
        drop(self.claims);
        tracing::info!("ended");
    }

    /// Waits a moment for the carriers' registrars to confirm that we are gone.
    async fn leave_registrars(&self) {
        let until = tokio::time::Instant::now() + REGISTRARS;
        while !self.signalling.drained.load(Ordering::Relaxed) {
            if tokio::time::Instant::now() >= until {
                tracing::warn!("not every registrar confirmed that we are gone");
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn quiet_within(&self, limit: Duration) -> bool {
        let until = tokio::time::Instant::now() + limit;
        while self.live_calls() > 0 {
            if tokio::time::Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }
}
