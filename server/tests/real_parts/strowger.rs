//! The server under test: the real binary, on free ports, in a folder of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::certificates::Authority;
use crate::net::{Answer, http, http_over};
use crate::parts::LIMIT;
use crate::sip_client::tls_by;

pub(crate) const ACME: &str = "demo-acme-admin";
pub(crate) const PLATFORM: &str = "demo-platform";
pub(crate) const GLOBEX: &str = "demo-globex-admin";

/// A folder that goes when the test does, unless the test failed.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir()
            .join(format!("strowger-test-{}-{number}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("left for inspection: {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// How a test's server differs from the embedded defaults.
#[derive(Default)]
pub(crate) struct Setup {
    /// More lines of `strowger.toml`, tables included.
    pub(crate) config: String,
    /// A provisioning file instead of the demo's.
    pub(crate) provisioning: Option<PathBuf>,
    /// Where HTTP listens; a free port of 127.0.0.1 unless said.
    pub(crate) http: Option<SocketAddr>,
    /// Where SIP and RTP listen.
    pub(crate) listen: Listen,
    /// The table `rtp`, with what follows, in place of the usual one.
    pub(crate) rtp: Option<String>,
    /// How long its calls may go on when it is told to stop; 5 s unless said.
    pub(crate) drain_s: Option<u32>,
    /// Whether SIP listens on a TLS port; needs `tls.certificates`.
    pub(crate) tls: bool,
    /// Whether HTTP is HTTPS; needs `tls.certificates`.
    pub(crate) https: bool,
    /// The origin of pages that may speak SIP to it.
    pub(crate) pages: Option<String>,
    /// How often it pings over connections that it makes; 95 s unless said.
    pub(crate) keep_alive_s: Option<u32>,
    /// More environment.
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// Where a test's server listens for SIP and RTP.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Listen {
    /// On 127.0.0.1 alone.
    #[default]
    Loopback,
    /// On all IPv4 addresses, as by default.
    AllIpv4,
    /// On all addresses.
    All,
}

impl Listen {
    /// `sip.udp`, `sip.tcp` and `rtp.address`.
    fn values(self) -> [&'static str; 3] {
        match self {
            Self::Loopback => ["\"127.0.0.1:0\"", "\"127.0.0.1:0\"", "127.0.0.1"],
            Self::AllIpv4 => ["\"0.0.0.0:0\"", "\"0.0.0.0:0\"", "0.0.0.0"],
            Self::All => ["\"0.0.0.0:0\", \"[::]:0\"", "\"0.0.0.0:0\", \"[::]:0\"", "::"],
        }
    }
}

impl Setup {
    /// The configuration, with the server's data there.
    fn text(&self, data: &Path) -> String {
        let [udp, tcp, rtp] = self.listen.values();
        format!(
            "data_dir = \"{}\"\ndrain_deadline_s = {}\n[sip]\nudp = [{udp}]\n\
             tcp = [{tcp}]\ntls = [{tls}]\nkeep_alive_s = {keep_alive}\n\
             [http]\nlisten = \"{http}\"\ntls = {https}\n\
             sip_origins = {pages:?}\n{rtp}",
            data.display(),
            self.drain_s.unwrap_or(5),
            tls = if self.tls { "\"127.0.0.1:0\"" } else { "" },
            http = self.http.unwrap_or_else(|| ([127, 0, 0, 1], 0).into()),
            https = self.https,
            pages = self.pages.iter().collect::<Vec<_>>(),
            keep_alive = self.keep_alive_s.unwrap_or(95),
            rtp = self.rtp.clone().unwrap_or_else(|| {
                format!("[rtp]\nports = \"0\"\naddress = \"{rtp}\"\nworkers = 1\n")
            }),
        ) + &self.config
    }
}

/// A running server; stopped politely when dropped.
pub(crate) struct Strowger {
    child: Child,
    pub(crate) http: SocketAddr,
    pub(crate) sip: SocketAddr,
    pub(crate) sip_tcp: SocketAddr,
    /// SIP over TLS, if it listens there.
    pub(crate) sip_tls: Option<SocketAddr>,
    /// All SIP addresses over UDP, as they were bound.
    pub(crate) sip_udp: Vec<SocketAddr>,
    log: Arc<Mutex<String>>,
    /// The name and the authority of its certificate, where the API is asked over HTTPS.
    secure: Option<(String, PathBuf)>,
}

/// The lines of a child's output, also those that nobody waits for, so that it can write on.
pub(crate) fn lines_of(child: &mut Child) -> mpsc::Receiver<String> {
    let output = BufReader::new(child.stdout.take().expect("its output"));
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        output.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
    });
    lines
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}

impl Strowger {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, &Setup::default())
    }

    /// With that provisioning file.
    pub(crate) fn provisioned(folder: &Path, provisioning: PathBuf) -> Self {
        let provisioning = Some(provisioning);
        Self::start_with(folder, &Setup { provisioning, ..Setup::default() })
    }

    /// A server whose API is asked over HTTPS.
    pub(crate) fn start_trusted(
        folder: &Path,
        setup: &Setup,
        name: &str,
        authority: &Authority,
    ) -> Self {
        let mut server = Self::start_with(folder, setup);
        server.secure = Some((name.to_owned(), authority.file.clone()));
        server
    }

    pub(crate) fn start_with(folder: &Path, setup: &Setup) -> Self {
        let config = folder.join("strowger.toml");
        fs::write(&config, setup.text(&folder.join("data"))).expect("the configuration");
        let demo = repository().join("fixtures/demo.toml");
        let mut child = Command::new(env!("CARGO_BIN_EXE_strowger"))
            .arg("serve")
            .arg("--json")
            .arg("--config")
            .arg(&config)
            .arg("--apply")
            .arg(setup.provisioning.as_ref().unwrap_or(&demo))
            .envs(setup.environment.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the strowger binary");
        let log = Arc::new(Mutex::new(String::new()));
        let errors = BufReader::new(child.stderr.take().expect("its log"));
        let sink = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let mut text = sink.lock().expect("log");
                text.push_str(&line);
                text.push('\n');
            }
        });
        let lines = lines_of(&mut child);
        let ready = loop {
            let line = lines.recv_timeout(LIMIT).unwrap_or_else(|why| {
                let _ = child.kill();
                panic!("the server did not start, {why}:\n{}", log.lock().expect("log"));
            });
            let Ok(object) = serde_json::from_str::<Value>(&line) else { continue };
            if object["event"] == "ready" {
                break object;
            }
        };
        let address = |name: &str| {
            let value = if ready[name].is_array() { &ready[name][0] } else { &ready[name] };
            let text = value.as_str().unwrap_or_else(|| panic!("no {name} in {ready}"));
            // Of all addresses, loopback is the one that each test can reach.
            text.replace("0.0.0.0", "127.0.0.1").parse().expect("an address")
        };
        let all = ready["sip_udp_all"].as_array().expect("all SIP addresses");
        let all = all.iter().filter_map(Value::as_str).filter_map(|text| text.parse().ok());
        Self {
            sip_udp: all.collect(),
            sip_tls: ready["sip_tls"].as_str().and_then(|text| text.parse().ok()),
            http: address("http"),
            sip: address("sip_udp"),
            sip_tcp: address("sip_tcp"),
            child,
            log,
            secure: None,
        }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("log").clone()
    }

    pub(crate) fn get(&self, path: &str, key: &str) -> Answer {
        match &self.secure {
            Some((name, authority)) => {
                let stream = tls_by(self.http, name, authority, None).expect("the API");
                http_over(stream, self.http, "GET", path, key, None)
            }
            None => http(self.http, "GET", path, key, None),
        }
    }

    /// The `data` of an answer that must be 200; one that is too busy just now is asked again.
    pub(crate) fn data(&self, path: &str, key: &str) -> Value {
        let deadline = Instant::now() + LIMIT;
        let answer = loop {
            let answer = self.get(path, key);
            if answer.status != 503 || Instant::now() > deadline {
                break answer;
            }
            std::thread::sleep(Duration::from_millis(500));
        };
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 200, "GET {path}: {text}\n{}", self.log());
        answer.json()["data"].take()
    }

    /// Asks until the closure is content, and gives what it made of the answer.
    pub(crate) fn eventually<T>(
        &self,
        what: &str,
        path: &str,
        key: &str,
        limit: Duration,
        mut content: impl FnMut(&Value) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + limit;
        loop {
            let value = self.data(path, key);
            if let Some(found) = content(&value) {
                return found;
            }
            assert!(Instant::now() < deadline, "never {what}: {value:#}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The newest call, once `count` calls are known and all of them have ended.
    pub(crate) fn ended_calls(&self, key: &str, count: usize, limit: Duration) -> Vec<Value> {
        let path = "/api/v1/calls?per_page=200";
        self.eventually(&format!("{count} ended calls"), path, key, limit, |calls| {
            let calls = calls.as_array()?;
            let ended = calls.iter().filter(|call| call["state"] == "ended").count();
            (calls.len() == count && ended == count).then(|| calls.clone())
        })
    }

    pub(crate) fn agent_is(&self, key: &str, agent: &str, state: &str) {
        let what = format!("{agent} {state}");
        self.eventually(&what, "/api/v1/agents", key, LIMIT, |agents| {
            let agents = agents.as_array()?;
            agents
                .iter()
                .any(|row| {
                    (row["name"] == agent || row["id"] == agent || row["agent"] == agent)
                        && row["state"] == state
                })
                .then_some(())
        });
    }

    /// Waits until so many calls that are up are in this state, as far as the store knows: it is
    /// told a moment after it happened, on a slow disk a long moment.
    pub(crate) fn calls_are(&self, key: &str, count: usize, state: &str) {
        let (what, path) = (format!("{count} calls {state}"), "/api/v1/calls?per_page=200");
        self.eventually(&what, path, key, LIMIT, |calls| {
            let calls = calls.as_array()?.iter();
            (calls.filter(|call| call["state"] == state).count() == count).then_some(())
        });
    }

    /// Waits until it refuses new calls because it was told to stop.
    pub(crate) fn drains(&self) {
        let deadline = Instant::now() + LIMIT;
        while self.get("/readyz", "").status != 503 {
            assert!(Instant::now() < deadline, "it never drains:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        // The engine answers in order: what it was told before has reached it.
        self.data("/api/v1/agents", ACME);
    }

    pub(crate) fn event_types(&self, key: &str, call: &str) -> Vec<String> {
        let events = self.data(&format!("/api/v1/calls/{call}/events?per_page=200"), key);
        let types = events.as_array().expect("events").iter();
        types.map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
    }

    /// Waits until an event of that type has been told of a call, so many times in all: events are
    /// told when they are stored.
    #[track_caller]
    pub(crate) fn told(&self, key: &str, call: &str, kind: &str, times: usize) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let types = self.event_types(key, call);
            if types.iter().filter(|one| *one == kind).count() == times {
                return;
            }
            assert!(Instant::now() < deadline, "not {times} times {kind}: {types:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The newest call, when somebody talks in it.
    pub(crate) fn newest_talk(&self, key: &str) -> String {
        self.eventually("a conversation", "/api/v1/calls", key, LIMIT, |calls| {
            let newest = &calls[0];
            (newest["state"] == "connected").then(|| newest["id"].as_str().map(str::to_owned))?
        })
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("to kill it");
        self.child.wait().expect("its end");
    }

    /// SIGTERM, and the exit status.
    pub(crate) fn stop(self) -> i32 {
        self.terminate();
        self.exit_status()
    }

    /// The exit status of a server that was told to stop before.
    pub(crate) fn exit_status(mut self) -> i32 {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < deadline, "the server does not stop:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Waits until nobody listens to HTTP there any more.
    pub(crate) fn is_gone(&self) {
        let deadline = Instant::now() + LIMIT;
        while TcpStream::connect(self.http).is_ok() {
            assert!(Instant::now() < deadline, "it is still there");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-s", name, &pid]).status();
    }
}

impl Drop for Strowger {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
