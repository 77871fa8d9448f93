//! The start of a node, in order: each step may rely on those before it.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use base::{Duration, Rng};
use control_api::Welcome;
use media::WorkerId;
use recorder::{
    Archive, KeyProvider, Keyring, ObjectStore, ObjectStoreConfig, S3Config, Service, ServiceConfig,
};
use routing::{Directory, Network, Provisioning};
use sip::digest::TokenKey;
use store::{Claim, EventRow, Store};
use switch::{Advertised, SwitchConfig, WorkerPorts};
use tokio::sync::{broadcast, mpsc, watch};

use super::entry::Entry;
use super::{Addresses, Node, Reach, StartFault};
use crate::capturing::{self, Collector};
use crate::clock::Clock;
use crate::config::Config;
use crate::http::{self, Entrance, Site};
use crate::media_io::{self, Depths, Neighbourhood, Way, Worker};
use crate::persist::{self, Intake, Journal};
use crate::provision::{Bundle, Checked, Provisioner};
use crate::recording::{self, Commands};
use crate::retention::Forgetting;
use crate::signalling::{Idleness, Outlets, Signalling, streams};
use crate::{meters, random, tls, unfinished};

/// Committed events that a subscriber may lag behind before it reads the log instead.
const COMMITTED: usize = 16_384;
/// Orders that may wait for the recorder.
const RECORDER: usize = 8_192;
/// Frames in one worker's tap ring: two minutes of one call, a sixth of a second of 1,000.
const TAP_RING: usize = 16_384;
/// What peers see as our name.
const USER_AGENT: &str = concat!("Strowger/", env!("CARGO_PKG_VERSION"));

type Writing = (Intake, std::thread::JoinHandle<()>, broadcast::Sender<Arc<EventRow>>);

impl Node {
    /// Starts a node. `bundle` is applied before the first call.
    ///
    /// # Errors
    /// What could not be started, and why; nothing is left running then but detached threads that
    /// end by themselves.
    pub async fn start(config: Config, bundle: Option<Bundle>) -> Result<Self, StartFault> {
        let clock = Clock::start();
        let mut rng = random::seeded();
        let metrics = meters::registry().map_err(StartFault::System)?;
        // Nothing is changed before it is sure that no other server is at work here.
        let claims = claim(&config).await?;
        let Bound { signalling, entrance, addresses, tls } = Bound::of(&config, &mut rng).await?;
        let (store, journal, checked) = prepare(&config, bundle, clock).await?;
        let (keys, objects, archive) = open_recordings(&config).await?;
        let lost = unfinished::find(&store, &config.data_dir.join("spool")).await?;
        let (intake, writer, committed) = start_writer(&config, &store, journal)?;
        let (workers, media, media_idleness) = make_workers(&config)?;
        let entry = Entry::of(&config, clock)?;
        raise_limit(&config, &addresses, workers.len());
        let depths = Depths::of(&workers);
        let (commands, recorder_queue) = mpsc::channel(RECORDER);
        let captures = config.captures.shelf();
        let commands = Commands::new(clock, commands);
        let outlets = Outlets::new((media, media_idleness), commands, &intake, &captures);
        let handle = signalling.handle();
        let among = (workers.len(), entry.as_ref());
        let switch = switch_config(&config, clock, &addresses, among, &keys)?;
        let signalling_thread =
            signalling.start(clock, switch, rng.fork(), tls.clone(), outlets).map_err(system)?;

        let (provisioner, directory) = provision(&config, &store, &handle, checked).await?;

        let (running, rings, captured) =
            start_workers(workers, &config, clock, &mut rng, (&handle, entry.as_ref()))?;
        let (reports_sender, reports) = mpsc::channel(RECORDER);
        let found = unfinished::report(lost, archive.clone(), reports_sender.clone());
        let recorder =
            start_recorder(&config, clock, &keys, &objects, rings, recorder_queue, reports_sender)?;
        let told = (store.clone(), intake.clone(), handle.clone());
        let reports = tokio::spawn(recording::carry_reports(reports, clock, told));

        let (ready, ready_reader) = watch::channel(true);
        let welcome = Welcome::default();
        let (http_stop, http_stopped) = watch::channel(false);
        let forgetting = Forgetting::new(&store, &archive, &directory, clock, &config).run();
        let site = Site {
            store: store.clone(),
            archive,
            capturing: Collector::new(captured, captures, clock),
            committed: committed.clone(),
            signalling: handle.clone(),
            provisioner,
            directory,
            metrics,
            ready: ready_reader,
            welcome: welcome.clone(),
        };
        let (http, mut tasks) = http::serve(entrance, site, http_stopped).map_err(system)?;
        let watching = meters::watch(handle.clone(), intake.clone(), depths);
        tasks.extend([tokio::spawn(found), tokio::spawn(forgetting), tokio::spawn(watching)]);
        Ok(Self {
            addresses,
            store,
            intake,
            committed,
            ready,
            signalling: handle,
            signalling_thread,
            workers: running,
            recorder,
            reports,
            writer,
            http,
            http_stop,
            tasks,
            claims,
            welcome,
        })
    }
}

/// Every socket but those of the media, and what they turned out to be.
struct Bound {
    signalling: Signalling,
    entrance: Entrance,
    addresses: Addresses,
    tls: tls::Keeper,
}

impl Bound {
    async fn of(config: &Config, rng: &mut Rng) -> Result<Self, StartFault> {
        let tls = tls::keep(config.tls.clone()).map_err(system)?;
        let signalling = Signalling::bind(config).map_err(system)?;
        let listen = config.http.listen;
        let listener = tokio::net::TcpListener::bind(listen)
            .await
            .map_err(|error| StartFault::System(format!("HTTP on {listen}: {error}")))?;
        let block = u16::try_from(rng.below(1000)).unwrap_or(0);
        let addresses = Addresses {
            http: listener.local_addr().map_err(system)?,
            sip_udp: signalling.udp(),
            sip_tcp: signalling.tcp(),
            sip_tls: signalling.tls(),
            https: config.http.tls,
            rtp: config.rtp.ports(block).map_err(system)?,
        };
        let websocket = streams::gate(signalling.streams(), &config.http.sip_origins);
        let tls_of_http = config.http.tls.then(|| tls.clone());
        let entrance = Entrance { listener, websocket, tls: tls_of_http };
        Ok(Self { signalling, entrance, addresses, tls })
    }
}

fn system(error: impl std::fmt::Display) -> StartFault {
    StartFault::System(error.to_string())
}

/// The store, and the provisioning to start with: the given one, or what was stored last.
async fn prepare(
    config: &Config,
    bundle: Option<Bundle>,
    clock: Clock,
) -> Result<(Store, Journal, Checked), StartFault> {
    let given = bundle.map(Bundle::check).transpose()?;
    let (store, journal) = open_store(config, clock).await?;
    let checked = match given {
        Some(checked) => checked,
        None => stored(&store).await?,
    };
    reach(config).check(&checked.bundle.provisioning)?;
    Ok((store, journal, checked))
}

fn reach(config: &Config) -> Reach {
    Reach::new(config.http.listen, config.sip_listeners())
}

/// Opens the store, brings it up to date from the journal, and closes the calls that an earlier
/// process left open.
async fn open_store(config: &Config, clock: Clock) -> Result<(Store, Journal), StartFault> {
    let store = Store::open(&config.database_url()).await?;
    let mut journal = Journal::open(&config.data_dir).map_err(system)?;
    let drained = persist::drain(&store, &mut journal).await.map_err(system)?;
    if drained > 0 {
        tracing::info!(rows = drained, "took over what the journal of an earlier run had kept");
    }
    let ended: Vec<EventRow> = store.recover_open_calls(clock.unix()).await?;
    if !ended.is_empty() {
        tracing::warn!(calls = ended.len(), "closed calls that an earlier process left open");
    }
    Ok((store, journal))
}

/// The data folder and the database are ours alone from here on.
async fn claim(config: &Config) -> Result<[Claim; 2], StartFault> {
    make_private(&config.data_dir).map_err(|error| {
        StartFault::System(format!("data_dir {}: {error}", config.data_dir.display()))
    })?;
    let folder = Claim::file(&config.data_dir.join("lock"))?;
    Ok([folder, Claim::database(&config.database_url()).await?])
}

/// A new folder is for its owner alone; an existing one belongs to whoever made it.
fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    if !folder.is_dir() {
        return std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    }
    let mode = std::fs::metadata(folder)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        let folder = folder.display();
        tracing::warn!("data_dir {folder} is open to others (mode {mode:o}): chmod 700 it");
    }
    Ok(())
}

/// What was provisioned last, or nothing at all on a new database.
async fn stored(store: &Store) -> Result<Checked, StartFault> {
    let provisioning = store.provisioning().await?.unwrap_or_else(Provisioning::default);
    let prompts = store.prompts().await?;
    Ok(Bundle { provisioning, prompts }.check()?)
}

/// Takes the provisioning live: whoever changes it, and whoever reads it, from then on.
async fn provision(
    config: &Config,
    store: &Store,
    signalling: &crate::signalling::Handle,
    checked: Checked,
) -> Result<(Provisioner, watch::Receiver<Arc<Directory>>), StartFault> {
    let (directory, reader) = watch::channel(checked.directory.clone());
    let provisioner = Provisioner::new(reach(config), store.clone(), signalling.clone(), directory);
    provisioner.start(checked).await?;
    Ok((provisioner, reader))
}

/// The thread that writes the log, the way to it, and what it tells of when it is committed.
fn start_writer(config: &Config, store: &Store, journal: Journal) -> Result<Writing, StartFault> {
    let (committed, _) = broadcast::channel(COMMITTED);
    let capacity = config.limits.store_queue;
    let (intake, writer) =
        persist::start(store.clone(), journal, committed.clone(), capacity).map_err(system)?;
    Ok((intake, writer, committed))
}

async fn open_recordings(
    config: &Config,
) -> Result<(KeyProvider, ObjectStore, Archive), StartFault> {
    let fault = |error: &dyn std::fmt::Display| StartFault::Recorder(error.to_string());
    let keys = Keyring::open(&config.keyring()).map_err(|error| fault(&error))?;
    let place = match &config.recordings.s3 {
        None => {
            ObjectStoreConfig::Folder { path: config.recordings_folder(), prefix: String::new() }
        }
        Some(s3) => ObjectStoreConfig::S3(S3Config {
            bucket: s3.bucket.clone(),
            endpoint: s3.endpoint.clone(),
            region: s3.region.clone(),
            prefix: s3.prefix.clone(),
            path_style: s3.endpoint.is_some(),
            access_key: Some(s3.access_key.clone()),
            secret_key: Some(s3.secret_key.clone()),
            session_token: None,
        }),
    };
    let objects = ObjectStore::open(&place).map_err(|error| fault(&error))?;
    tokio::spawn(look_at_bucket(config.clone(), objects.clone()));
    let keys = KeyProvider::Local(keys);
    let archive = Archive::new(objects.clone(), keys.clone());
    Ok((keys, objects, archive))
}

/// A wrong key or name is better told now than with the first recording.
async fn look_at_bucket(config: Config, objects: ObjectStore) {
    let Some(s3) = &config.recordings.s3 else { return };
    if let Err(error) = objects.check().await {
        let (endpoint, bucket) = (s3.endpoint.as_deref().unwrap_or("AWS"), &s3.bucket);
        tracing::warn!(
            endpoint, bucket, %error,
            "recordings will wait in the spool: check recordings.s3, its keys and the bucket"
        );
    }
}

type MediaQueues = Vec<crate::wake::Sender<media::Command>>;

fn make_workers(config: &Config) -> Result<(Vec<Worker>, MediaQueues, Vec<Idleness>), StartFault> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cores = u16::try_from(cores).unwrap_or(u16::MAX);
    let count = if config.rtp.workers == 0 { cores } else { config.rtp.workers };
    let longest = Duration::from_micros(u64::from(config.rtp.gather_us));
    let workers = (0..count).map(|id| Worker::new(WorkerId(id), longest));
    let workers: Vec<Worker> = workers.collect::<Result<_, _>>().map_err(system)?;
    let queues = workers.iter().map(Worker::queue).collect();
    let idleness = workers.iter().map(Worker::idleness).collect();
    Ok((workers, queues, idleness))
}

/// As many open files as all ports need, if the system allows it.
fn raise_limit(config: &Config, addresses: &Addresses, workers: usize) {
    let others = config.rtp.interfaces.iter().filter_map(|of| of.range());
    let ports = addresses.rtp.len() + others.map(|range| range.len()).sum::<usize>();
    media_io::raise_limit(ports / workers.max(1));
}

type Started = (Vec<media_io::Running>, Vec<media::TapReceiver>, Vec<media::CaptureReceiver>);

fn start_workers(
    workers: Vec<Worker>,
    config: &Config,
    clock: Clock,
    rng: &mut Rng,
    (signalling, entry): (&crate::signalling::Handle, Option<&Entry>),
) -> Result<Started, StartFault> {
    let (mut running, mut rings, mut captured) = (Vec::new(), Vec::new(), Vec::new());
    let way = Way::choose(&config.rtp).map_err(StartFault::System)?;
    let neighbours = Neighbourhood::of(workers.iter().map(Worker::bell).collect());
    for worker in workers {
        let (taps, ring) = media::tap::ring(TAP_RING);
        let events = signalling.media.clone();
        let door = entry.map(|entry| entry.door(neighbours.clone()));
        let how = (&config.rtp, way.clone(), door);
        let (captures, captures_ring) = capturing::ring();
        let copies = (taps, captures);
        running.push(worker.start(clock, how, copies, rng.fork(), events).map_err(system)?);
        rings.push(ring);
        captured.push(captures_ring);
    }
    Ok((running, rings, captured))
}

fn start_recorder(
    config: &Config,
    clock: Clock,
    keys: &KeyProvider,
    objects: &ObjectStore,
    rings: Vec<media::TapReceiver>,
    commands: mpsc::Receiver<recorder::Command>,
    reports: mpsc::Sender<recorder::Report>,
) -> Result<Service, StartFault> {
    let spool = config.data_dir.join("spool");
    let now = Arc::new(move || clock.now());
    let mut settings = ServiceConfig::new(spool, objects.clone(), keys.clone(), now);
    settings.part_bytes = config.recordings.part_kib * 1024;
    Service::start(settings, rings, commands, reports)
        .map_err(|error| StartFault::Recorder(error.to_string()))
}

fn switch_config(
    config: &Config,
    clock: Clock,
    addresses: &Addresses,
    (workers, entry): (usize, Option<&Entry>),
    keys: &KeyProvider,
) -> Result<SwitchConfig, StartFault> {
    let tokens = TokenKey::of(&keys.token_secret().map_err(system)?);
    let udp = addresses.sip_udp.iter().map(|local| (sip::Transport::Udp, *local));
    let tcp = addresses.sip_tcp.iter().map(|local| (sip::Transport::Tcp, *local));
    let tls = addresses.sip_tls.iter().map(|local| (sip::Transport::Tls, *local));
    // Told nothing, each flow shows its own end, which its peer reaches.
    let advertised = match config.sip.advertised {
        None => Vec::new(),
        Some(ip) => udp
            .chain(tcp)
            .chain(tls)
            .map(|(transport, local)| {
                let sent_by = SocketAddr::new(ip, local.port()).to_string();
                Advertised { transport, local, sent_by }
            })
            .collect(),
    };
    let address = config.rtp.shown(config.sip.advertised);
    let bound = config.rtp.address;
    let mut media = ports_of(&addresses.rtp, workers, (address, bound), &[]);
    for interface in &config.rtp.interfaces {
        let Some(range) = interface.range() else { continue };
        let shown = interface.advertised.unwrap_or(interface.address);
        let places = (Some(shown), interface.address);
        media.extend(ports_of(&range, workers, places, &interface.blocks()));
    }
    Ok(SwitchConfig {
        advertised,
        media,
        web: entry.map(|entry| Arc::clone(&entry.web)),
        tokens: Some(tokens),
        wall: clock.wall_at_zero(),
        user_agent: USER_AGENT.to_owned(),
        limits: config.limits.of_shard(config.sip.calls, crate::memory::allowed()),
    })
}

/// A range of ports, shared among the workers: what SDP says of it, where it is bound, for whom.
fn ports_of(
    range: &RangeInclusive<u16>,
    workers: usize,
    (address, bound): (Option<IpAddr>, IpAddr),
    networks: &[Network],
) -> Vec<WorkerPorts> {
    let ports = split(range, workers).into_iter().zip((0..).map(WorkerId));
    ports
        .map(|(ports, worker)| {
            let networks = networks.to_vec();
            WorkerPorts { worker, ports, address, bound, networks }
        })
        .collect()
}

/// Shares a range among the workers: equal blocks that begin with an even port.
fn split(ports: &RangeInclusive<u16>, workers: usize) -> Vec<RangeInclusive<u16>> {
    let first = u32::from(*ports.start()).next_multiple_of(2);
    let pairs = (u32::from(*ports.end()) + 1).saturating_sub(first) / 2;
    let workers = u32::try_from(workers).unwrap_or(1).max(1);
    let each = (pairs / workers).max(1);
    let port = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    (0..workers.min(pairs))
        .map(|n| port(first + 2 * n * each)..=port(first + 2 * (n + 1) * each - 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_shared_in_equal_even_blocks() {
        assert_eq!(split(&(20_000..=29_999), 2), [20_000..=24_999, 25_000..=29_999]);
        assert_eq!(split(&(20_001..=20_009), 2), [20_002..=20_005, 20_006..=20_009]);
        assert_eq!(split(&(65_530..=65_535), 1), [65_530..=65_535]);
        assert_eq!(split(&(20_000..=20_001), 4), [20_000..=20_001]);
    }
}
