//! What the routes stand on.

use std::sync::Arc;

use base::TenantId;
use recorder::Archive;
use ring::rand::{SecureRandom, SystemRandom};
use routing::Directory;
use store::Store;
use tokio::sync::{Semaphore, watch};

use crate::auth::Attempts;
use crate::captures::Captures;
use crate::engine::Engine;
use crate::fault::Fault;
use crate::idempotency::Replays;
use crate::key_table::KeyTable;
use crate::statistics::Statistics;
use crate::tickets::Tickets;
use crate::welcome::Welcome;

/// Streams of events open at once; each costs a task and a buffer.
const SUBSCRIBERS: usize = 2000;

/// What the server gives the API.
#[derive(Clone)]
pub struct ApiState {
    /// What lasts.
    pub store: Store,
    /// What happens.
    pub engine: Engine,
    /// The recordings.
    pub archive: Archive,
    /// The captures of calls.
    pub captures: Captures,
    /// What is provisioned now.
    pub directory: watch::Receiver<Arc<Directory>>,
    /// Renders the metrics in Prometheus' text form.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// True while the engine takes calls. When the sender is dropped, streams of events end.
    pub ready: watch::Receiver<bool>,
    /// Whether it is served as HTTPS, and SIP over WebSocket as `wss`.
    pub https: bool,
    /// What newcomers to a demo find.
    pub welcome: Welcome,
}

/// The same, with what the API keeps for itself.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) engine: Engine,
    pub(crate) archive: Archive,
    pub(crate) captures: Captures,
    pub(crate) directory: watch::Receiver<Arc<Directory>>,
    pub(crate) metrics: Arc<dyn Fn() -> String + Send + Sync>,
    pub(crate) ready: watch::Receiver<bool>,
    pub(crate) https: bool,
    pub(crate) welcome: Welcome,
    /// Whoever changes the provisioning holds it.
    pub(crate) changing: tokio::sync::Mutex<()>,
    pub(crate) tickets: Tickets,
    pub(crate) replays: Replays,
    pub(crate) attempts: Attempts,
    pub(crate) keys: KeyTable,
    pub(crate) statistics: Statistics,
    pub(crate) subscribers: Arc<Semaphore>,
    random: SystemRandom,
}

/// As every handler takes it.
pub(crate) type Api = Arc<Shared>;

impl Shared {
    pub(crate) fn new(state: ApiState) -> Api {
        let ApiState { store, engine, archive, captures, .. } = state;
        let ApiState { directory, metrics, ready, https, welcome, .. } = state;
        Arc::new(Self {
            store,
            engine,
            archive,
            captures,
            directory,
            metrics,
            ready,
            https,
            welcome,
            changing: tokio::sync::Mutex::default(),
            tickets: Tickets::default(),
            replays: Replays::default(),
            attempts: Attempts::default(),
            keys: KeyTable::default(),
            statistics: Statistics::default(),
            subscribers: Arc::new(Semaphore::new(SUBSCRIBERS)),
            random: SystemRandom::new(),
        })
    }

    /// `N` random bytes of the operating system, as hexadecimal text.
    pub(crate) fn random_hex<const N: usize>(&self) -> Result<String, Fault> {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes).map_err(|error| Fault::internal("randomness", &error))?;
        Ok(hex(&bytes))
    }

    /// What is provisioned now.
    pub(crate) fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory.borrow())
    }

    /// Whether the tenant is, or ever was, one of ours.
    pub(crate) async fn knows(&self, tenant: &TenantId) -> Result<bool, Fault> {
        if self.directory().tenant(tenant).is_some() {
            return Ok(true);
        }
        Ok(self.store.tenants().await?.iter().any(|row| row.id == *tenant))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
