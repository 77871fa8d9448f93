//! The registrar: which contacts an address of record is bound to, until when, and over which
//! path they are reached (RFC 3261 §10.3, RFC 3327, RFC 5626 §6).

mod binding;
mod change;
mod registered;
mod way;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use base::{Duration, Instant};

pub use binding::{Binding, BindingInfo, Device};
pub use registered::Registered;

use crate::{Flow, Message, StatusCode};

/// Limits of a registrar.
#[derive(Clone, Debug)]
pub struct RegistrarConfig {
    /// A shorter time to live is refused with 423; answer it with this as Min-Expires.
    pub min_expires: Duration,
    /// A longer time to live is cut to this.
    pub max_expires: Duration,
    /// The time to live when none is asked for.
    pub default_expires: Duration,
    /// The most bindings of one address of record; one more takes the place of the one that was
    /// refreshed longest ago.
    pub max_bindings: usize,
    /// The most addresses of record; further ones are refused with 503.
    pub max_aors: usize,
}

impl Default for RegistrarConfig {
    fn default() -> Self {
        Self {
            min_expires: Duration::from_secs(60),
            max_expires: Duration::from_secs(3600),
            default_expires: Duration::from_secs(3600),
            max_bindings: 10,
            max_aors: 100_000,
        }
    }
}

/// How much later than agreed a keep-alive may come before its flow counts as silent
/// (RFC 5626 §4.4 wants some grace and leaves its length open).
const GRACE: Duration = Duration::from_secs(10);

/// What changed about an address of record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RegistrarEvent {
    /// It has its first binding.
    Reachable {
        /// The address of record, as the caller named it.
        aor: Arc<str>,
    },
    /// It lost its last binding.
    Unreachable {
        /// The address of record, as the caller named it.
        aor: Arc<str>,
    },
}

/// All bindings. The caller has authenticated the request and names the address of record.
#[derive(Debug, Default)]
pub struct Registrar {
    config: RegistrarConfig,
    /// As tight as can be: there are many, and they change once an hour.
    aors: BTreeMap<Arc<str>, Box<[Binding]>>,
    /// When the next binding of each address ends.
    deadlines: BTreeSet<(Instant, Arc<str>)>,
    /// Which addresses a closing connection takes along.
    connections: BTreeSet<(u64, Arc<str>)>,
    /// When something last came over a flow that its phone is to keep (RFC 5626 §4.4).
    heard: BTreeMap<(Flow, Arc<str>), Instant>,
    outbox: VecDeque<RegistrarEvent>,
}

impl Registrar {
    /// An empty one with the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one.
    #[must_use]
    pub fn with_config(config: RegistrarConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// The limits, for Min-Expires.
    #[must_use]
    pub const fn config(&self) -> &RegistrarConfig {
        &self.config
    }

    /// Works a REGISTER in: all of it or nothing. Without a Contact in the request it only asks.
    ///
    /// # Errors
    /// The status and phrase to answer with; nothing is changed then.
    pub fn register(
        &mut self,
        now: Instant,
        aor: &str,
        flow: Flow,
        request: &Message,
    ) -> Result<Registered, (StatusCode, &'static str)> {
        self.handle_timeout(now);
        let change = change::read(&self.config, request)?;
        let old = self.aors.get_key_value(aor);
        if old.is_none() && self.aors.len() >= self.config.max_aors {
            return Err((StatusCode::SERVICE_UNAVAILABLE, "Too Many Registrations"));
        }
        let (key, mut bindings) = match old {
            Some((key, bindings)) => (Arc::clone(key), bindings.to_vec()),
            None => (Arc::from(aor), Vec::new()),
        };
        let (path, keeps) = change.path_and_flow();
        change.apply(now, flow, request, &mut bindings)?;
        while bindings.len() > self.config.max_bindings {
            // The oldest one is the first: they are kept in the order they were last refreshed.
            bindings.remove(0);
        }
        let infos = bindings.iter().map(|binding| binding.info(now)).collect();
        self.replace(&key, bindings);
        self.handle_sign_of_life(now, flow);
        Ok(Registered::new(infos, request, path, keeps.then_some(flow.transport)))
    }

    /// The bindings of an address of record that have not ended, last refreshed last.
    pub fn bindings(&self, now: Instant, aor: &str) -> impl Iterator<Item = &Binding> {
        let all = self.aors.get(aor).map_or(&[][..], |bindings| bindings);
        all.iter().filter(move |binding| binding.expires > now)
    }

    /// The bindings to ring for an address of record, last refreshed first: of the flows of one
    /// device only the newest, because to the device they are one call twice (RFC 5626 §7). Flows
    /// that their phones let fall silent come last, and not at all if the device has another.
    #[must_use]
    pub fn targets(&self, now: Instant, aor: &str) -> Vec<&Binding> {
        let mut targets: Vec<&Binding> = Vec::new();
        let all = self.bindings(now, aor).collect::<Vec<_>>().into_iter().rev();
        let (silent, alive): (Vec<_>, Vec<_>) =
            all.partition(|binding| self.is_silent(now, aor, binding));
        for binding in alive.into_iter().chain(silent) {
            let device = binding.device.as_ref().filter(|device| device.reg_id.is_some());
            let again = targets.iter().any(|other| match (device, &other.device) {
                (Some(device), Some(other)) => device.instance == other.instance,
                _ => false,
            });
            if !again {
                targets.push(binding);
            }
        }
        targets
    }

    /// Something came over a flow, if only a keep-alive.
    pub fn handle_sign_of_life(&mut self, now: Instant, flow: Flow) {
        let first = (flow, Arc::from(""));
        let of_flow = self.heard.range_mut(first..).take_while(|((of, _), _)| *of == flow);
        of_flow.for_each(|(_, heard)| *heard = now);
    }

    /// Whether a phone that is to keep a flow has not done so for longer than we told it.
    fn is_silent(&self, now: Instant, aor: &str, binding: &Binding) -> bool {
        let heard = || self.heard.get(&(binding.flow, Arc::from(aor)));
        let patience = binding.flow.transport.flow_timer() + GRACE;
        binding.is_outbound() && heard().is_some_and(|heard| now > *heard + patience)
    }

    /// Time passed: ends the bindings whose time is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, aor)) = self.deadlines.first().cloned() {
            if at > now {
                return;
            }
            self.retain(&aor, |binding| binding.expires > now);
        }
    }

    /// The next deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// What changed, in order.
    pub fn poll_output(&mut self) -> Option<RegistrarEvent> {
        self.outbox.pop_front()
    }

    /// A connection closed: what was bound over it can be reached no more. Datagrams have none.
    /// Whose bindings they were.
    pub fn flow_closed(&mut self, flow: Flow) -> Vec<Arc<str>> {
        if flow.connection == 0 {
            return Vec::new();
        }
        let first = (flow.connection, Arc::from(""));
        let hit: Vec<Arc<str>> = self
            .connections
            .range(first..)
            .take_while(|(connection, _)| *connection == flow.connection)
            .map(|(_, aor)| Arc::clone(aor))
            .collect();
        for aor in &hit {
            self.retain(aor, |binding| binding.flow.connection != flow.connection);
        }
        hit
    }

    /// Drops every binding of an address of record (its user is gone).
    pub fn forget(&mut self, aor: &str) {
        if let Some((key, _)) = self.aors.get_key_value(aor) {
            let key = Arc::clone(key);
            self.replace(&key, Vec::new());
        }
    }

    fn retain(&mut self, aor: &Arc<str>, keep: impl Fn(&Binding) -> bool) {
        let Some(bindings) = self.aors.get(aor) else { return };
        let kept = bindings.iter().filter(|binding| keep(binding)).cloned().collect();
        self.replace(aor, kept);
    }

    /// Sets the bindings of an address and everything that follows from them.
    fn replace(&mut self, aor: &Arc<str>, bindings: Vec<Binding>) {
        let old = self.aors.remove(aor).unwrap_or_default();
        if let Some(at) = first_end(&old) {
            self.deadlines.remove(&(at, Arc::clone(aor)));
        }
        for binding in old.iter().filter(|binding| binding.flow.connection != 0) {
            self.connections.remove(&(binding.flow.connection, Arc::clone(aor)));
        }
        for binding in bindings.iter().filter(|binding| binding.flow.connection != 0) {
            self.connections.insert((binding.flow.connection, Arc::clone(aor)));
        }
        let kept = |binding: &&Binding| binding.is_outbound();
        for binding in old.iter().filter(kept) {
            if !bindings.iter().any(|other| other.flow == binding.flow && other.is_outbound()) {
                self.heard.remove(&(binding.flow, Arc::clone(aor)));
            }
        }
        for binding in bindings.iter().filter(kept) {
            // As heard never, until the caller says when.
            self.heard.entry((binding.flow, Arc::clone(aor))).or_insert(Instant::ZERO);
        }
        if let Some(at) = first_end(&bindings) {
            self.deadlines.insert((at, Arc::clone(aor)));
        }
        match (old.is_empty(), bindings.is_empty()) {
            (true, false) => {
                self.outbox.push_back(RegistrarEvent::Reachable { aor: Arc::clone(aor) });
            }
            (false, true) => {
                self.outbox.push_back(RegistrarEvent::Unreachable { aor: Arc::clone(aor) });
            }
            _ => {}
        }
        if !bindings.is_empty() {
            self.aors.insert(Arc::clone(aor), bindings.into_boxed_slice());
        }
    }
}

fn first_end(bindings: &[Binding]) -> Option<Instant> {
    bindings.iter().map(|binding| binding.expires).min()
}
