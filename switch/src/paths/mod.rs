//! Paths: where a request goes (RFC 3263). Somebody asks for a way to a URI; its hops are found,
//! connected to and handed out one by one, until one does or none is left.
//!
//! ```text
//! ask -> resolving -> connecting -> ready -> close
//!            ^             ^          | next: refused, unreachable, silent
//!            +-------------+----------+
//! ```

mod carry;
mod memory;
mod path;
mod size;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::{Duration, Instant, Rng};
use sip::resolve::{Answer, Cache, Question, Resolver};
use sip::{ClientTx, Flow, Message, Transport, Uri};

use self::memory::{Memory, Standing};
use self::path::{Candidate, Path, Stage};
pub(crate) use self::words::{
    Ask, Outcome, PathEvent, PathFailure, PathFault, PathFor, PathId, PathOutput,
};
use crate::port::ConnectId;

/// How long a name or a connection may take before the next hop's turn comes, and the first
/// response to an INVITE: short enough that a call is on its second hop within 2 s.
const PATIENCE: Duration = Duration::from_millis(1500);
/// The most asks at once; the next one is told that there is no way.
const MOST: usize = 20_000;
/// The most answers of the domain name system kept.
const ANSWERS: usize = 10_000;

/// All asks, and what they share: answers of the domain name system, and what is known of hops.
#[derive(Debug)]
pub(crate) struct Paths {
    rng: Rng,
    paths: BTreeMap<PathId, Path>,
    cache: Cache,
    /// Who waits for which answer.
    questions: BTreeMap<Question, BTreeSet<PathId>>,
    connecting: BTreeMap<ConnectId, PathId>,
    /// Requests that wait for their first response.
    sent: BTreeMap<ClientTx, PathId>,
    deadlines: BTreeSet<(Instant, PathId)>,
    memory: Memory,
    outbox: VecDeque<PathOutput>,
    last: u64,
}

impl Paths {
    pub(crate) fn new(rng: Rng) -> Self {
        Self {
            rng,
            paths: BTreeMap::new(),
            cache: Cache::new(ANSWERS),
            questions: BTreeMap::new(),
            connecting: BTreeMap::new(),
            sent: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            memory: Memory::default(),
            outbox: VecDeque::new(),
            last: 0,
        }
    }

    /// Asks for a way. Ready, Exhausted and all that lies between come as outputs.
    pub(crate) fn ask(&mut self, now: Instant, ask: Ask) -> PathId {
        self.last += 1;
        let id = PathId(self.last);
        if self.paths.len() >= MOST {
            let why = PathFailure::Busy;
            let event = PathEvent::Exhausted { path: id, why };
            self.outbox.push_back(PathOutput::Event(ask.purpose, event));
            return id;
        }
        self.paths.insert(id, Path::new(ask));
        self.advance(now, id);
        id
    }

    /// The asker has sent its request over the way it was given.
    pub(crate) fn sent(&mut self, now: Instant, id: PathId, tx: ClientTx) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        if let Stage::Ready { sent, .. } = &mut path.stage {
            *sent = Some(tx);
            let patience = path.ask.patience;
            self.sent.insert(tx, id);
            self.set_deadline(id, Some(now + patience));
        }
    }

    /// A response came: the hop lives, though it may refuse.
    pub(crate) fn heard(&mut self, now: Instant, tx: ClientTx, response: &Message) {
        let Some(id) = self.sent.get(&tx).copied() else { return };
        let Some(path) = self.paths.get(&id) else { return };
        let Stage::Ready { at, .. } = &path.stage else { return };
        let (at, is_first) = (at.clone(), path.deadline.is_some());
        let path_has_more = path.has_hop_of(at.uri);
        self.set_deadline(id, None);
        let status = response.status().map_or(0, sip::StatusCode::as_u16);
        if status == 503 {
            let pause = response.retry_after();
            if let Some(pause) = pause {
                self.memory.pause(now, &at.hop, pause);
            }
            // Another hop of the target may take it.
            if !path_has_more {
                self.report(id, at.uri, Outcome::Refused(pause));
            }
        } else if is_first {
            self.memory.works(&at.hop);
            self.report(id, at.uri, Outcome::Answered);
        }
        if status >= 200 {
            self.sent.remove(&tx);
        }
    }

    /// A hop has shown itself dead otherwise than by a request: others are tried first.
    pub(crate) fn avoid(&mut self, now: Instant, hop: &sip::resolve::Hop) {
        self.memory.failed(now, hop);
    }

    /// The way did not do: on to the next one.
    pub(crate) fn next(&mut self, now: Instant, id: PathId, fault: PathFault) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let Stage::Ready { at, sent } = std::mem::replace(&mut path.stage, Stage::Between) else {
            return;
        };
        path.failure = PathFailure::Failed { hop: at.hop.clone(), fault };
        if let Some(tx) = sent {
            self.sent.remove(&tx);
        }
        if fault != PathFault::Refused {
            self.fail(now, id, &at);
        }
        self.advance(now, id);
    }

    /// The asker needs it no longer.
    pub(crate) fn close(&mut self, id: PathId) {
        self.set_deadline(id, None);
        let Some(path) = self.paths.remove(&id) else { return };
        match path.stage {
            Stage::Resolving { open, .. } => self.stop_waiting(id, &open),
            Stage::Connecting { id, .. } => {
                self.connecting.remove(&id);
            }
            Stage::Ready { sent: Some(tx), .. } => {
                self.sent.remove(&tx);
            }
            Stage::Ready { sent: None, .. } | Stage::Between => {}
        }
    }

    /// Whether the ask is not over.
    pub(crate) fn is_open(&self, id: PathId) -> bool {
        self.paths.contains_key(&id)
    }

    /// The domain name system answers.
    pub(crate) fn on_answer(&mut self, now: Instant, answer: &Answer) {
        self.cache.put(now, answer);
        for id in self.questions.remove(&answer.question).unwrap_or_default() {
            let Some(path) = self.paths.get_mut(&id) else { continue };
            if let Stage::Resolving { resolver, open, .. } = &mut path.stage {
                open.retain(|question| *question != answer.question);
                resolver.handle_input(now, answer.clone());
                self.resolve(now, id);
            }
        }
    }

    /// What came of a connection. Too late is as good as never: the path has moved on.
    pub(crate) fn on_connected(
        &mut self,
        now: Instant,
        connect: ConnectId,
        result: Result<Flow, String>,
    ) {
        let Some(id) = self.connecting.remove(&connect) else { return };
        match result {
            Ok(flow) => self.be_ready(id, flow),
            Err(why) => self.fail_to_connect(now, id, why),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(due, id)) = self.deadlines.first()
            && due <= now
        {
            self.set_deadline(id, None);
            let Some(path) = self.paths.get_mut(&id) else { continue };
            match &mut path.stage {
                Stage::Resolving { resolver, .. } => {
                    resolver.hurry();
                    self.resolve(now, id);
                }
                Stage::Connecting { id: connect, .. } => {
                    self.connecting.remove(connect);
                    self.fail_to_connect(now, id, "no answer".to_owned());
                }
                Stage::Ready { .. } => {
                    let purpose = path.ask.purpose.clone();
                    let silent = PathEvent::Silent { path: id };
                    self.outbox.push_back(PathOutput::Event(purpose, silent));
                }
                Stage::Between => {}
            }
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<PathOutput> {
        self.outbox.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    pub(crate) fn len(&self) -> usize {
        self.paths.len()
    }
}

impl Paths {
    /// Tries the next hop, or the next URI, or says that there is none.
    fn advance(&mut self, now: Instant, id: PathId) {
        self.set_deadline(id, None);
        let Some(path) = self.paths.get_mut(&id) else { return };
        if let Some(to) = path.hops.pop_front() {
            return self.connect(now, id, to);
        }
        if let Some(uri) = path.ask.uris.get(path.next_uri) {
            let allowed = allowed_by(&uri.as_uri(), &path.ask.allowed);
            let resolver = Resolver::new(&uri.as_uri(), &allowed, self.rng.fork());
            let (uri, resolver, open) = (path.next_uri, Box::new(resolver), Vec::new());
            path.next_uri += 1;
            path.stage = Stage::Resolving { uri, resolver, open };
            self.set_deadline(id, Some(now + PATIENCE));
            return self.resolve(now, id);
        }
        if let Some(to) = path.last_resort.pop_front() {
            return self.connect(now, id, to);
        }
        let (purpose, why) = (path.ask.purpose.clone(), path.failure.clone());
        self.close(id);
        let event = PathEvent::Exhausted { path: id, why };
        self.outbox.push_back(PathOutput::Event(purpose, event));
    }

    /// Asks what the resolver wants to know, as far as nobody has asked yet.
    fn resolve(&mut self, now: Instant, id: PathId) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let Stage::Resolving { resolver, open, .. } = &mut path.stage else { return };
        while let Some(question) = resolver.poll_output() {
            if let Some(answer) = self.cache.get(now, &question) {
                resolver.handle_input(now, answer);
                continue;
            }
            open.push(question.clone());
            let waiting = self.questions.entry(question.clone()).or_default();
            if waiting.is_empty() {
                self.outbox.push_back(PathOutput::Ask(question));
            }
            waiting.insert(id);
        }
        let Some(result) = resolver.hops().cloned() else { return };
        let Stage::Resolving { uri, open, .. } = std::mem::replace(&mut path.stage, Stage::Between)
        else {
            return;
        };
        self.stop_waiting(id, &open);
        match result {
            Ok(hops) => self.line_up(now, id, uri, hops),
            Err(error) => {
                if let Some(path) = self.paths.get_mut(&id) {
                    path.failure = PathFailure::Unresolved(error);
                }
                self.report(id, uri, Outcome::Missed);
            }
        }
        self.advance(now, id);
    }

    /// Puts a URI's hops in the order to try them.
    fn line_up(&mut self, now: Instant, id: PathId, uri: usize, hops: Vec<sip::resolve::Hop>) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let Some(text) = path.ask.uris.get(uri) else { return };
        let tcp = path.ask.allowed.contains(&Transport::Tcp);
        for hop in size::for_size(hops, path.ask.size, &text.as_uri(), tcp) {
            match self.memory.standing(now, &hop) {
                Standing::Paused if !path.ask.urgent => path.failure = PathFailure::Paused(hop),
                Standing::Paused | Standing::Dead => {
                    path.last_resort.push_back(Candidate { uri, hop });
                }
                Standing::Good => path.hops.push_back(Candidate { uri, hop }),
            }
        }
    }

    fn connect(&mut self, now: Instant, id: PathId, to: Candidate) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        self.last += 1;
        let connect = ConnectId(self.last);
        let (hop, identity) = (to.hop.clone(), path.ask.identity.clone());
        path.stage = Stage::Connecting { id: connect, to };
        self.connecting.insert(connect, id);
        self.set_deadline(id, Some(now + PATIENCE));
        self.outbox.push_back(PathOutput::Connect { id: connect, hop, identity });
    }

    fn be_ready(&mut self, id: PathId, flow: Flow) {
        self.set_deadline(id, None);
        let Some(path) = self.paths.get_mut(&id) else { return };
        let Stage::Connecting { to, .. } = std::mem::replace(&mut path.stage, Stage::Between)
        else {
            return;
        };
        let Some(uri) = path.ask.uris.get(to.uri).cloned() else { return };
        let (purpose, hop) = (path.ask.purpose.clone(), to.hop.clone());
        let trunk = path.ask.identity.clone();
        path.stage = Stage::Ready { at: to, sent: None };
        if matches!(purpose, PathFor::Dialog(_)) {
            self.close(id);
        } else if let Some(trunk) = trunk {
            let address = hop.remote.ip();
            self.outbox.push_back(PathOutput::Server { trunk, address });
        }
        let event = PathEvent::Ready { path: id, uri, hop, flow };
        self.outbox.push_back(PathOutput::Event(purpose, event));
    }

    fn fail_to_connect(&mut self, now: Instant, id: PathId, why: String) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        let Stage::Connecting { to, .. } = std::mem::replace(&mut path.stage, Stage::Between)
        else {
            return;
        };
        path.failure = PathFailure::Unconnected { hop: to.hop.clone(), why };
        self.fail(now, id, &to);
        self.advance(now, id);
    }

    /// The hop is dead; so is its URI, if it was the last one.
    fn fail(&mut self, now: Instant, id: PathId, at: &Candidate) {
        self.memory.failed(now, &at.hop);
        let more = self.paths.get(&id).is_some_and(|path| path.has_hop_of(at.uri));
        if !more {
            self.report(id, at.uri, Outcome::Missed);
        }
    }

    /// Tells a trunk's health what became of one of its URIs.
    fn report(&mut self, id: PathId, uri: usize, outcome: Outcome) {
        let Some(path) = self.paths.get(&id) else { return };
        if let (Some(trunk), Some(uri)) = (path.ask.identity.clone(), path.ask.uris.get(uri)) {
            let uri = uri.clone();
            self.outbox.push_back(PathOutput::Outcome { trunk, uri, outcome });
        }
    }

    fn stop_waiting(&mut self, id: PathId, open: &[Question]) {
        for question in open {
            if let Some(waiting) = self.questions.get_mut(question) {
                waiting.remove(&id);
                if waiting.is_empty() {
                    self.questions.remove(question);
                }
            }
        }
    }

    fn set_deadline(&mut self, id: PathId, deadline: Option<Instant>) {
        let Some(path) = self.paths.get_mut(&id) else { return };
        if let Some(old) = std::mem::replace(&mut path.deadline, deadline) {
            self.deadlines.remove(&(old, id));
        }
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, id));
        }
    }
}

/// The transports for a URI: over WebSocket goes only what asks for it.
fn allowed_by(uri: &Uri<'_>, allowed: &[Transport]) -> Vec<Transport> {
    let mut allowed = allowed.to_vec();
    let named =
        uri.param("transport").and_then(|name| Transport::of_uri_param(name, uri.is_secure()));
    allowed.extend(named.filter(|named| named.is_websocket()));
    allowed
}
