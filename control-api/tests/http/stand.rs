//! The API on a listener, with a real store and archive, and a played switch.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use base::LegId;
use bytes::Bytes;
use control_api::{ApiState, Captures, Engine, EngineRequest, ProvisionRequest, Welcome, router};
use recorder::{Archive, KeyProvider, Keyring, ObjectStore, ObjectStoreConfig};
use routing::{AgentSnapshot, AgentState, Directory, QueueSnapshot, WorkId};
use store::{Append, EventRow, Store};
use switch::{
    ApiError, ApiReply, ApiRequest, CallDigits, CallDirection, CapturedLeg, Cause, Decided,
    DecisionEntry, Direction, EndedBy, LadderEntry, LegKind, LiveCall, LiveLeg, LiveState,
    OwnBindingView, SecuredDigits, TargetView, TrunkState, TrunkView,
};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, watch};

use crate::client::{Answer, Ask};
use crate::postgres_server;
use crate::sample::{at, call, typed_provisioning};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Small, so that a slow subscriber falls behind at once.
const COMMITTED: usize = 16;

pub(crate) struct Stand {
    pub(crate) address: SocketAddr,
    pub(crate) store: Store,
    pub(crate) folder: PathBuf,
    pub(crate) keys: KeyProvider,
    pub(crate) captures: Captures,
    pub(crate) welcome: Welcome,
    pub(crate) ready: Option<watch::Sender<bool>>,
    /// What the engine was asked, tenant first.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    pub(crate) provisioned: Arc<Mutex<Vec<ProvisionRequest>>>,
    committed: broadcast::Sender<Arc<EventRow>>,
}

impl Stand {
    /// On SQLite.
    pub(crate) async fn new() -> Self {
        let folder = new_folder();
        let url = format!("sqlite:{}", folder.join("strowger.db").display());
        Self::on(&url, folder).await
    }

    /// Another API on the same database, as after a restart.
    pub(crate) async fn restarted(&self) -> Self {
        Self::on(&format!("sqlite:{}", self.folder.join("strowger.db").display()), new_folder())
            .await
    }

    /// On PostgreSQL, where it is installed.
    pub(crate) async fn on_postgres() -> Option<Self> {
        let name = format!("api_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let url = postgres_server::new_database(&name).await?;
        Some(Self::on(&url, new_folder()).await)
    }

    async fn on(url: &str, folder: PathBuf) -> Self {
        let store = Store::open(url).await.unwrap();
        let provisioning = typed_provisioning();
        store.apply(&provisioning, &[]).await.unwrap();
        let directory =
            Directory::build(provisioning).unwrap_or_else(|errors| panic!("{errors:?}"));
        let (requests, queue) = mpsc::channel(16);
        let (provision, parcels) = mpsc::channel(16);
        let committed = broadcast::channel(COMMITTED).0;
        let (ready, is_ready) = watch::channel(true);
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let provisioned: Arc<Mutex<Vec<ProvisionRequest>>> = Arc::default();
        let keys = KeyProvider::Local(Keyring::open(&folder.join("keyring.json")).unwrap());
        tokio::spawn(play_switch(queue, Arc::clone(&asked)));
        tokio::spawn(play_provisioner(parcels, Arc::clone(&provisioned)));
        let captures = Captures::new(64 << 20, std::time::Duration::from_secs(600));
        let welcome = Welcome::default();
        let state = ApiState {
            captures: captures.clone(),
            store: store.clone(),
            engine: Engine { requests, committed: committed.clone(), provision },
            archive: Archive::new(objects(&folder), keys.clone()),
            directory: watch::channel(Arc::new(directory)).1,
            metrics: Arc::new(|| "strowger_up 1\n".to_owned()),
            ready: is_ready,
            https: false,
            welcome: welcome.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = router(state).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        let ready = Some(ready);
        Self {
            address,
            store,
            folder,
            keys,
            captures,
            welcome,
            ready,
            asked,
            provisioned,
            committed,
        }
    }

    /// As the writer does it: commits, then tells.
    pub(crate) async fn append(&self, batch: &[Append]) {
        append(&self.store, &self.committed, batch).await;
    }

    /// A handle for a task that appends on its own.
    pub(crate) fn writer(&self) -> (Store, broadcast::Sender<Arc<EventRow>>) {
        (self.store.clone(), self.committed.clone())
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.address, method, path)
    }

    pub(crate) async fn get(&self, path: &str, key: &str) -> Answer {
        self.ask("GET", path).key(key).answer().await
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub(crate) async fn append(
    store: &Store,
    committed: &broadcast::Sender<Arc<EventRow>>,
    batch: &[Append],
) {
    store.append(batch).await.unwrap();
    for item in batch {
        if let Append::Event(event) = item {
            let _ = committed.send(Arc::new(event.clone()));
        }
    }
}

fn new_folder() -> PathBuf {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("strowger-api-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

pub(crate) fn objects(folder: &Path) -> ObjectStore {
    let path = folder.join("archive");
    ObjectStore::open(&ObjectStoreConfig::Folder { path, prefix: String::new() }).unwrap()
}

/// Acme has agents, a queue, and the call 1 is up until it is ended; others have nothing.
async fn play_switch(mut queue: mpsc::Receiver<EngineRequest>, asked: Arc<Mutex<Vec<String>>>) {
    while let Some(EngineRequest { tenant, request, reply }) = queue.recv().await {
        asked.lock().unwrap().push(format!("{tenant} {request:?}"));
        let ours = tenant.as_str() == "acme";
        let answer = match request {
            ApiRequest::Agents if ours => Ok(ApiReply::Agents(vec![agent("alice"), agent("zoe")])),
            ApiRequest::Agents => Ok(ApiReply::Agents(vec![])),
            ApiRequest::Queues if ours => Ok(ApiReply::Queues(vec![queue_row()])),
            ApiRequest::Queues => Ok(ApiReply::Queues(vec![])),
            ApiRequest::Trunks => Ok(ApiReply::Trunks(vec![trunk_row()])),
            ApiRequest::Ladder { call: id } if ours && id == call(1) => {
                Ok(ApiReply::Ladder(vec![live_message()]))
            }
            ApiRequest::Why { call: id } if ours && id == call(1) => {
                Ok(ApiReply::Why(vec![live_decision()]))
            }
            ApiRequest::EndCall { call: id }
            | ApiRequest::Transfer { call: id, .. }
            | ApiRequest::SetPriority { call: id, .. }
            | ApiRequest::Hold { call: id, .. }
            | ApiRequest::SendDigits { call: id, .. }
            | ApiRequest::Secure { call: id, .. }
                if ours && id == call(1) =>
            {
                Ok(ApiReply::Accepted)
            }
            ApiRequest::Call { call: id } if ours && id == call(1) => {
                Ok(ApiReply::Call(Box::new(live_call())))
            }
            ApiRequest::Digits { call: id } if ours && id == call(1) => {
                let kept =
                    SecuredDigits { leg: base::LegId(1), is_on: true, digits: "4929".to_owned() };
                let attributes = vec![("pin".to_owned(), "1710".to_owned())];
                Ok(ApiReply::Digits(CallDigits { attributes, secured: vec![kept] }))
            }
            ApiRequest::PickUp { call: id, own_wish: false, .. } if ours && id == call(1) => {
                Ok(ApiReply::Originated(call(3)))
            }
            ApiRequest::Originate(asked) if ours && asked.to == "+15550123" => {
                Ok(ApiReply::Originated(call(3)))
            }
            ApiRequest::Originate(_) if ours => Err(ApiError::Refused {
                cause: Cause::Forbidden,
                reason: "the agent may not dial that".to_owned(),
            }),
            ApiRequest::SetAgentState { state: AgentState::Offline, .. } => {
                Err(ApiError::Conflict("no".to_owned()))
            }
            ApiRequest::SetAgentState { .. }
            | ApiRequest::SetDoNotDisturb { .. }
            | ApiRequest::SetMessagesWaiting { .. } => Ok(ApiReply::Accepted),
            ApiRequest::SetForward { forward, .. }
                if forward.always.as_deref() == Some("+1900") =>
            {
                Err(ApiError::Conflict("may not be dialled".to_owned()))
            }
            ApiRequest::SetForward { .. } => Ok(ApiReply::Accepted),
            ApiRequest::Forward { .. } => Ok(ApiReply::Forward(routing::Forward::default())),
            ApiRequest::SipToken { agent, lifetime } if ours => {
                Ok(ApiReply::SipToken(sip_token(&agent, lifetime)))
            }
            ApiRequest::RefusedCalls => Ok(ApiReply::RefusedCalls(vec![refused_call()])),
            request if ours => of_those_in(request),
            _ => Err(ApiError::NotFound),
        };
        let _ = reply.send(answer);
    }
}

async fn play_provisioner(
    mut parcels: mpsc::Receiver<ProvisionRequest>,
    provisioned: Arc<Mutex<Vec<ProvisionRequest>>>,
) {
    while let Some(mut parcel) = parcels.recv().await {
        let reply = std::mem::replace(&mut parcel.reply, tokio::sync::oneshot::channel().0);
        let broken = parcel.prompts.iter().any(|prompt| !prompt.wav.starts_with(b"RIFF"));
        let answer = if broken { Err("acme/music: no WAV file".to_owned()) } else { Ok(()) };
        provisioned.lock().unwrap().push(parcel);
        let _ = reply.send(answer);
    }
}

fn agent(id: &str) -> AgentSnapshot {
    AgentSnapshot {
        id: id.parse().unwrap(),
        name: "The Agent".to_owned(),
        state: AgentState::Busy,
        reason: None,
        state_ms: 2500,
        reachable: true,
        next: AgentState::Available,
        work: Some(WorkId(1)),
        direct_calls: Vec::new(),
        wrap_up: None,
        do_not_disturb: false,
        skills: vec!["sales".parse().unwrap()],
        queues: vec!["sales".parse().unwrap()],
    }
}

fn sip_token(agent: &base::AgentId, lifetime: base::Duration) -> switch::SipToken {
    let expires = base::UnixTime::from_micros(1_763_000_000_000_000).after(lifetime);
    let key = sip::digest::TokenKey::new(&mut base::Rng::from_seed(1));
    let token = key.issue("acme.example", agent.as_str(), "kept", expires);
    let display_name = "The Agent".to_owned();
    switch::SipToken { token, domain: "acme.example".to_owned(), display_name }
}

/// What acme may ask of those in the call 1: zoe may supervise it, and its leg 2 is there.
fn of_those_in(request: ApiRequest) -> Result<ApiReply, ApiError> {
    match request {
        ApiRequest::Supervise { call: id, agent, .. } if id == call(1) => {
            if agent.as_str() == "zoe" {
                Ok(ApiReply::Rings(LegId(3)))
            } else {
                let reason = "the agent does not supervise this call".to_owned();
                Err(ApiError::Refused { cause: Cause::Forbidden, reason })
            }
        }
        ApiRequest::Capture { call: id, .. } if id == call(1) => {
            let local = "198.51.100.1:20000".parse().unwrap();
            let (leg, kind) = (LegId(1), LegKind::Caller);
            Ok(ApiReply::Capturing(vec![CapturedLeg { leg, kind, local }]))
        }
        ApiRequest::EndCapture { call: id, .. } if id == call(1) => Ok(ApiReply::Accepted),
        ApiRequest::ChangeSupervision { call: id, agent, .. }
        | ApiRequest::EndSupervision { call: id, agent }
            if id == call(1) && agent.as_str() == "zoe" =>
        {
            Ok(ApiReply::Accepted)
        }
        ApiRequest::AddParticipant { call: id, .. } | ApiRequest::Merge { call: id, .. }
            if id == call(1) =>
        {
            Ok(ApiReply::Accepted)
        }
        ApiRequest::RemoveParticipant { call: id, leg }
        | ApiRequest::Mute { call: id, leg, .. }
        | ApiRequest::HoldParticipant { call: id, leg, .. }
            if id == call(1) && leg == LegId(2) =>
        {
            Ok(ApiReply::Accepted)
        }
        // Alice talks in it, and it is recorded.
        ApiRequest::PauseRecording { call: id, agent, .. }
        | ApiRequest::ResumeRecording { call: id, agent, .. }
            if id == call(1) && agent.as_ref().is_none_or(|agent| agent.as_str() == "alice") =>
        {
            Ok(ApiReply::Accepted)
        }
        ApiRequest::Tell { call: id, .. } if id == call(1) => Ok(ApiReply::Accepted),
        ApiRequest::WrappedUp { .. } => Ok(ApiReply::Accepted),
        ApiRequest::WrapUp { more: Some(_), .. } => {
            Err(ApiError::Conflict("the queue permits no more time".to_owned()))
        }
        ApiRequest::WrapUp { .. } => Ok(ApiReply::Accepted),
        _ => Err(ApiError::NotFound),
    }
}

/// The call 1 as the engine knows it: with a caller, alice, and zoe who listens.
fn live_call() -> LiveCall {
    let leg = |number, kind, agent: Option<&str>| LiveLeg {
        leg: LegId(number),
        kind,
        agent: agent.map(|agent| agent.parse().unwrap()),
        trunk: None,
        number: agent.unwrap_or("+4930123456").to_owned(),
        answered: true,
        mode: (kind == LegKind::Supervisor).then_some(routing::Supervision::Listen),
        muted: number == 2,
        held: number == 1,
        holds: false,
        codec: Some(media::Codec::Pcmu),
        srtp: None,
        stats: None,
        quality: vec![switch::QualitySample { at_ms: 5000, mos_centi: 412, ..Default::default() }],
    };
    LiveCall {
        id: call(1),
        state: LiveState::Connected,
        direction: CallDirection::Inbound,
        trunk: None,
        from: "+4930123456".to_owned(),
        to: "+15550100".to_owned(),
        queue: None,
        agent: Some("alice".parse().unwrap()),
        started_at: at(1),
        answered_at: Some(at(2)),
        connected_at: Some(at(5)),
        duration_ms: 1000,
        recording: Some(base::RecordingId::from_u128(77)),
        paused_until: Some(at(65)),
        held: true,
        legs: vec![
            leg(1, LegKind::Caller, None),
            leg(2, LegKind::Agent, Some("alice")),
            leg(3, LegKind::Supervisor, Some("zoe")),
        ],
    }
}

fn trunk_row() -> TrunkView {
    TrunkView {
        id: "carrier-a".parse().unwrap(),
        name: "Carrier A".to_owned(),
        state: TrunkState::Up,
        since: Some(at(1)),
        calls: 2,
        targets: vec![TargetView {
            uri: "sip:carrier.example".to_owned(),
            priority: 0,
            weight: 1,
            state: TrunkState::Up,
            misses: 0,
            answered_at: None,
            paused_until: None,
        }],
        registration: Some(OwnBindingView {
            state: "registered",
            registrar: "sip:carrier.example".to_owned(),
            hop: Some("UDP 192.0.2.7:5060".to_owned()),
            contact: None,
            expires_at: None,
            next_at: None,
            failure: None,
        }),
    }
}

fn queue_row() -> QueueSnapshot {
    QueueSnapshot {
        id: "sales".parse().unwrap(),
        name: String::new(),
        waiting: 3,
        ringing: 1,
        agents_free: 0,
        agents: 1,
        longest_wait_ms: 12_500,
        answered: 8,
        abandoned: 2,
        expired: 0,
        refused: 0,
        average_wait_ms: 4000,
        service_level_s: 20,
        service_level_percent: Some(80),
        alarms: Vec::new(),
    }
}

fn refused_call() -> switch::RefusedCall {
    switch::RefusedCall {
        id: call(66),
        at: at(1),
        source: "203.0.113.9:5060".parse().unwrap(),
        trunk: None,
        from: "100".to_owned(),
        to: "+15550100".to_owned(),
        status: 403,
        ladder: vec![live_message()],
    }
}

fn live_message() -> LadderEntry {
    let flow = sip::Flow {
        transport: sip::Transport::Udp,
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: "127.0.0.2:5060".parse().unwrap(),
        connection: 0,
    };
    let bytes = Bytes::from_static(b"INVITE sip:+15550100@127.0.0.1 SIP/2.0\r\n\r\n");
    LadderEntry { at: at(1), direction: Direction::In, flow, bytes }
}

fn live_decision() -> DecisionEntry {
    let decided = Decided::End { cause: Cause::Normal, ended_by: EndedBy::Caller };
    DecisionEntry { at: at(1), decided }
}
