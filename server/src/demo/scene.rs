//! The demo's call: who does what when, and what is gathered from it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use media::softphone::SoftphoneStats;
use phone::{Manner, PhoneConfig, PhoneEvent};
use serde_json::Value;
use store::EventRow;
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep, timeout_at};

use super::bank::{Bank, Order, PhoneId, Sockets};
use super::embedded;
use super::show::Show;
use crate::node::Node;
use crate::random;
use crate::web_client::{Answer, WebClient};

/// All of it, with room for a slow machine.
const LIMIT: Duration = Duration::from_secs(40);
const CALLER: PhoneId = PhoneId(0);
const ALICE: PhoneId = PhoneId(1);
pub(super) const ALICE_ID: &str = "alice";
/// The trunk's source in the demo's provisioning.
pub(super) const CARRIER: std::net::IpAddr =
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));
pub(super) const NUMBER: &str = "+15550100";
pub(super) const KEY: &str = "demo-acme-admin";
/// Between two people's words.
const BREATH: Duration = Duration::from_millis(250);

/// What the call left behind.
pub(super) struct Outcome {
    /// The tenant's events from the first to the last of the call, in order.
    pub(super) events: Vec<Arc<EventRow>>,
    /// `GET /api/v1/calls/{id}`.
    pub(super) call: Value,
    /// `GET /api/v1/calls/{id}/ladder` as text.
    pub(super) ladder: String,
    /// `GET /api/v1/calls/{id}/why`.
    pub(super) why: Value,
    /// Where the decrypted recording lies.
    pub(super) wav: PathBuf,
    /// Its two channels.
    pub(super) left: Vec<i16>,
    pub(super) right: Vec<i16>,
    /// What each phone heard, said and counted.
    pub(super) caller: End,
    pub(super) agent: End,
    /// What was played to the caller first.
    pub(super) greeting: Arc<[i16]>,
}

/// One phone's view.
pub(super) struct End {
    pub(super) said: Arc<[i16]>,
    pub(super) heard: Vec<i16>,
    pub(super) stats: SoftphoneStats,
}

impl Outcome {
    /// The call's identifier.
    pub(super) fn call_id(&self) -> &str {
        self.call["id"].as_str().unwrap_or_default()
    }
}

/// Plays the scene on a running node.
pub(super) async fn play(node: &Node, folder: &Path, show: &Show) -> Result<Outcome, String> {
    let until = Instant::now() + LIMIT;
    let late = |what: &str| format!("{what} did not happen within {} s", LIMIT.as_secs());
    let (caller_says, agent_says) = (embedded::caller_speech()?, embedded::agent_speech()?);
    let mut log = Log { receiver: node.events(), rows: Vec::new(), show };
    let mut bank =
        phones(node, "+15557654321", Duration::from_secs(1)).map_err(|error| error.to_string())?;

    show.heading("Live");
    tell(&bank, ALICE, Order::Register).await?;
    match timeout_at(until, bank.next_event()).await {
        Ok(Some((ALICE, PhoneEvent::Registered))) => {}
        Ok(other) => return Err(format!("alice could not register: {other:?}")),
        Err(_) => return Err(late("alice's registration")),
    }
    log.wait_for("agent.state_changed", until).await.ok_or_else(|| late("alice's state"))?;
    tell(&bank, CALLER, Order::Dial(NUMBER.to_owned())).await?;
    let connected = log.wait_for("call.connected", until).await;
    let connected = connected.ok_or_else(|| late("call.connected"))?;
    let call = connected.call.ok_or("call.connected without a call")?.to_string();

    sleep(BREATH).await;
    tell(&bank, ALICE, Order::Speak(agent_says.clone())).await?;
    sleep(length(&agent_says) + BREATH).await;
    tell(&bank, CALLER, Order::Speak(caller_says.clone())).await?;
    sleep(length(&caller_says) + BREATH).await;
    tell(&bank, CALLER, Order::HangUp).await?;
    log.wait_for("call.ended", until).await.ok_or_else(|| late("call.ended"))?;
    let stored = log.wait_for("recording.completed", until).await;
    let stored = stored.ok_or_else(|| late("recording.completed"))?;
    let stored: Value = serde_json::from_str(&stored.data).unwrap_or_default();
    let recording = stored["recording"].as_str().unwrap_or_default().to_owned();

    let api = WebClient::new(&format!("http://{}", node.addresses().http), KEY)
        .map_err(|error| error.to_string())?;
    let audio = get(&api, &format!("/api/v1/recordings/{recording}/audio")).await?;
    let (left, right) = channels(&audio.body)?;
    let wav = folder.join("call.wav");
    std::fs::write(&wav, &audio.body).map_err(|error| format!("{}: {error}", wav.display()))?;
    let path = format!("/api/v1/calls/{call}");
    let ladder = get(&api, &format!("{path}/ladder?format=text")).await?;
    let (caller, agent) =
        (end(&bank, CALLER, caller_says).await, end(&bank, ALICE, agent_says).await);
    leave(&mut bank).await?;
    Ok(Outcome {
        events: log.rows,
        call: get(&api, &path).await?.json()["data"].take(),
        ladder: String::from_utf8_lossy(&ladder.body).into_owned(),
        why: get(&api, &format!("{path}/why")).await?.json()["data"].take(),
        wav,
        left,
        right,
        caller,
        agent,
        greeting: embedded::greeting()?,
    })
}

/// The caller behind the carrier's trunk, with this number, and alice's phone. Who is called picks
/// up after that long.
pub(super) fn phones(node: &Node, number: &str, picks_up: Duration) -> std::io::Result<Bank> {
    let server = node.addresses().sip_udp.first().copied();
    let server = server.ok_or_else(|| std::io::Error::other("no SIP over UDP"))?;
    let phone = |address, user: &str, password: Option<&str>| {
        let sockets = Sockets::bind(address)?;
        let config = PhoneConfig {
            sip: sockets.sip()?,
            rtp: sockets.rtp()?,
            server,
            user: user.to_owned(),
            domain: "acme.example".to_owned(),
            password: password.map(str::to_owned),
            speech: Arc::default(),
            manner: Manner::Answer(picks_up),
            listens: true,
            encryption: media::sdp::Encryption::Off,
        };
        std::io::Result::Ok((config, sockets))
    };
    let caller = phone(CARRIER, number, None)?;
    let alice = phone(super::LOOPBACK, ALICE_ID, Some("alice-secret"))?;
    Bank::start(vec![caller, alice], random::seeded())
}

async fn tell(bank: &Bank, phone: PhoneId, order: Order) -> Result<(), String> {
    bank.tell(phone, order).await.map_err(|_| "the phones' thread has ended".to_owned())
}

async fn end(bank: &Bank, phone: PhoneId, said: Arc<[i16]>) -> End {
    End { said, heard: bank.heard(phone).await, stats: bank.stats(phone).await }
}

/// Alice's built-in phone goes, so that a call of the user's own does not ring there.
async fn leave(bank: &mut Bank) -> Result<(), String> {
    tell(bank, ALICE, Order::Unregister).await?;
    let gone = async {
        while let Some((phone, event)) = bank.next_event().await {
            if phone == ALICE && matches!(event, PhoneEvent::Registered) {
                return;
            }
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(3), gone).await;
    gone.map_err(|_| "alice's phone could not unregister".to_owned())
}

fn length(speech: &[i16]) -> Duration {
    Duration::from_micros(125 * speech.len() as u64)
}

async fn get(api: &WebClient, path: &str) -> Result<Answer, String> {
    let answer = api.get(path).await.map_err(|error| format!("GET {path}: {error}"))?;
    if answer.status.is_success() {
        return Ok(answer);
    }
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    Err(format!("GET {path}: {} {text}", answer.status))
}

/// The committed events, shown as they come.
struct Log<'a> {
    receiver: broadcast::Receiver<Arc<EventRow>>,
    rows: Vec<Arc<EventRow>>,
    show: &'a Show,
}

impl Log<'_> {
    async fn wait_for(&mut self, kind: &str, until: Instant) -> Option<Arc<EventRow>> {
        loop {
            let row = timeout_at(until, self.receiver.recv()).await.ok()?.ok()?;
            self.show.event(&row);
            self.rows.push(row.clone());
            if row.kind == kind {
                return Some(row);
            }
        }
    }
}

/// The two channels of a 16-bit stereo WAV file.
fn channels(wav: &[u8]) -> Result<(Vec<i16>, Vec<i16>), String> {
    let head = wav.get(..44).ok_or("the recording has no WAV header")?;
    let number = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    if &head[..4] != b"RIFF" || number(22) != 2 || number(34) != 16 {
        return Err("the recording is no 16-bit stereo WAV".to_owned());
    }
    let sample = |pair: &[u8]| i16::from_le_bytes([pair[0], pair[1]]);
    let frames = wav[44..].chunks_exact(4);
    Ok(frames.map(|frame| (sample(&frame[..2]), sample(&frame[2..]))).unzip())
}
