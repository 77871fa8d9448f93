//! A town: desks of agents, callers and carriers around one switch, in weather that is as bad as a
//! seed makes it. Everything that happens is told in its story, so that a seed can be read.

mod checks;
mod crowd;
mod deeds;
mod drive;
mod life;
mod odds;
mod saboteur;
mod story;
mod studio;
mod takeovers;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use base::{CallId, Duration, Instant, RecordingId, Rng, TenantId, UnixTime};
use media::{Prompt, WorkerId};
use phone::{Desk, DeskEvent};
use routing::{Directory, Provisioning};
use switch::{
    ApiError, ApiReply, ApiRequest, CallRecord, Event, Input, Prompts, RecordCommand,
    RecordingReport, RequestId, SecurityEvent, Switch, SwitchConfig, WorkerPorts,
};

use crate::checks::Complaint;
use crate::network::Conditions;
use crowd::Crowd;
pub use life::{TownRun, town_run, town_story};
pub use odds::calls_that_came_about;
pub use saboteur::Fault;
use story::Story;
use studio::Studio;
use wire::Wire;

/// A desk of the town.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DeskId(pub usize);

/// Where the switch listens: an address of the outside world.
const SWITCH: ([u8; 4], u16) = ([192, 0, 2, 1], 5060);
/// 2026-01-01 00:00 UTC.
const WALL: UnixTime = UnixTime::from_micros(1_767_225_600_000_000);
const WORKERS: u16 = 3;

/// Who sits at a desk.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Role {
    /// An agent of a tenant.
    Agent(TenantId),
    /// Somebody outside who calls in.
    Caller,
    /// A carrier's server.
    Carrier,
}

/// A desk and what the town knows of it.
struct Place {
    desk: Desk,
    role: Role,
    name: String,
    /// Whether its way was so bad for a time that it may have missed a message for good.
    was_cut: bool,
    /// When it connects again.
    reconnect: Option<Instant>,
}

/// Everything there is.
pub struct Town {
    now: Instant,
    rng: Rng,
    switch: Switch,
    wire: Wire,
    studio: Studio,
    places: Vec<Place>,
    crowd: Crowd,
    directory: Option<Arc<Directory>>,
    prompts: Arc<Prompts>,
    recordings: BTreeMap<RecordingId, RecordCommand>,
    uploads: Vec<(Instant, RecordingReport)>,
    requests: u64,
    replies: BTreeMap<RequestId, Result<ApiReply, ApiError>>,
    /// Requests that were not answered at once.
    unanswered: BTreeSet<RequestId>,
    fault: Option<Fault>,
    /// What the API was asked to end.
    ended_by_api: BTreeSet<CallId>,
    /// Who tried to take somebody's call over.
    attempts: Vec<takeovers::Attempt>,
    /// Whether the switch was told to end all calls.
    all_ended: bool,
    /// Whether it takes no new calls.
    drains: bool,
    /// Whether some way was so bad that calls may break off.
    is_troubled: bool,
    /// Whether media ports were not to be had.
    has_bad_ports: bool,
    /// What happened, for who has to understand it.
    story: Story,
    /// How often each method and status crossed the wire: `<` to the switch, `>` from it.
    crossed: BTreeMap<String, usize>,
    /// What must not be.
    complaints: Vec<Complaint>,
    events: Vec<Event>,
    records: Vec<CallRecord>,
    security: Vec<SecurityEvent>,
    seen: Vec<(Instant, DeskId, DeskEvent)>,
}

impl Town {
    /// A town with nobody in it yet.
    fn new(seed: u64, fault: Option<Fault>) -> Self {
        let mut rng = Rng::from_seed(seed);
        let worker = |number| WorkerPorts {
            worker: WorkerId(number),
            ports: 20_000..=20_199,
            address: Some(SocketAddr::from(SWITCH).ip()),
            bound: SocketAddr::from(SWITCH).ip(),
            networks: Vec::new(),
        };
        let config = SwitchConfig {
            advertised: Vec::new(),
            web: None,
            tokens: None,
            media: (0..WORKERS).map(worker).collect(),
            wall: WALL,
            user_agent: "Strowger".to_owned(),
            limits: switch::Limits { ladder_messages: 400, ..switch::Limits::default() },
        };
        let now = Instant::from_millis(1000);
        let mut town = Self {
            now,
            wire: Wire::new(SWITCH.into(), rng.fork()),
            switch: Switch::new(config, rng.fork()),
            studio: Studio::new(now, rng.fork()),
            places: Vec::new(),
            crowd: Crowd::default(),
            directory: None,
            prompts: Arc::new(Prompts::new()),
            recordings: BTreeMap::new(),
            uploads: Vec::new(),
            requests: 0,
            replies: BTreeMap::new(),
            unanswered: BTreeSet::new(),
            fault,
            ended_by_api: BTreeSet::new(),
            attempts: Vec::new(),
            all_ended: false,
            drains: false,
            is_troubled: false,
            has_bad_ports: false,
            story: Story::default(),
            crossed: BTreeMap::new(),
            complaints: Vec::new(),
            events: Vec::new(),
            records: Vec::new(),
            security: Vec::new(),
            seen: Vec::new(),
            rng,
        };
        if let Some((directory, prompts)) = provisioned() {
            (town.directory, town.prompts) = (Some(directory), prompts);
        }
        town.provision();
        town
    }

    /// Tells the switch its provisioning, anew.
    fn provision(&mut self) {
        if let Some(directory) = self.directory.clone() {
            let prompts = Arc::clone(&self.prompts);
            self.tell_switch(Input::Provision { directory, prompts, last_sequence: Vec::new() });
        }
    }

    fn complain(&mut self, what: impl Into<String>) {
        let complaint = Complaint(what.into());
        if !self.complaints.contains(&complaint) {
            self.story.tell(self.now, format!("!!! {complaint}"));
            self.complaints.push(complaint);
        }
    }

    /// Asks the switch as the API does: what it answers at once. What waits for the media is
    /// answered later, which is looked at when all is over.
    fn ask(&mut self, tenant: &TenantId, request: ApiRequest) -> Option<ApiReply> {
        self.requests += 1;
        let id = RequestId(self.requests);
        self.tell_switch(Input::Request { id, tenant: tenant.clone(), request });
        let reply = self.replies.remove(&id);
        if reply.is_none() {
            self.unanswered.insert(id);
        }
        reply?.ok()
    }

    fn tell_switch(&mut self, input: Input) {
        self.switch.handle_input(self.now, input);
        self.drain_switch();
    }

    /// Counts a message.
    fn count(&mut self, arrow: char, bytes: &[u8]) {
        let start = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let text = String::from_utf8_lossy(start);
        let mut words = text.split(' ');
        let what = match (words.next(), words.next()) {
            (Some("SIP/2.0"), Some(status)) => status,
            (Some(method), Some(_)) => method,
            _ => "keep-alive",
        };
        let is_takeover =
            what == "INVITE" && bytes.windows(11).any(|line| line == b"\r\nReplaces:");
        let what = if is_takeover { "INVITE with Replaces" } else { what };
        *self.crossed.entry(format!("{arrow}{what}")).or_default() += 1;
    }

    fn name(&self, desk: DeskId) -> &str {
        self.places.get(desk.0).map_or("nobody", |place| &place.name)
    }

    fn calm(&mut self) {
        self.wire.calm();
        self.studio.failing = 0;
    }

    fn set_weather(&mut self, desk: DeskId, conditions: Conditions) {
        self.wire.set_conditions(desk, conditions);
    }
}

/// A desk does something, and what follows of it happens.
impl Town {
    fn at<T>(&mut self, id: DeskId, act: impl FnOnce(&mut Desk, Instant) -> T) -> Option<T> {
        let now = self.now;
        let done = self.places.get_mut(id.0).map(|place| act(&mut place.desk, now));
        self.drain_desk(id);
        done
    }
}

/// The tenants of the town, and a second and a half of silence for each of their prompts.
fn provisioned() -> Option<(Arc<Directory>, Arc<Prompts>)> {
    let provisioning: Provisioning = toml::from_str(include_str!("town.toml")).ok()?;
    let silence = Arc::new(Prompt::from_pcm(&[0; 12_000]));
    let mut prompts = Prompts::new();
    for tenant in &provisioning.tenants {
        for prompt in &tenant.prompts {
            prompts.insert(tenant.id.clone(), prompt.id.clone(), Arc::clone(&silence));
        }
    }
    Some((Arc::new(Directory::build(provisioning).ok()?), Arc::new(prompts)))
}

/// A length of time up to that.
fn up_to(rng: &mut Rng, most: Duration) -> Duration {
    let most = u64::try_from(most.as_micros()).unwrap_or(0);
    Duration::from_micros(rng.below(most.max(1)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    fn the_town_is_provisioned() {
        let provisioning: routing::Provisioning =
            toml::from_str(include_str!("town.toml")).unwrap();
        routing::Directory::build(provisioning).unwrap();
        assert!(super::provisioned().is_some());
    }
}
