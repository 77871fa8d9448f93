//! What a whole queue call costs in the switch: INVITE, greeting, queue, an agent's phone, talk,
//! both BYEs, the record and all events. Only the time inside the switch is counted, not the
//! peers' making of messages; divide by nothing, it is CPU per call.

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration as StdDuration, Instant as StdInstant};

use base::{
    AgentId, Duration, FlowId, Instant, PromptId, QueueId, Rng, TenantId, TrunkId, UnixTime,
};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use media::{Codec, Command, Prompt, StreamStats, WorkerId};
use routing::{
    Agent, Directory, Flow as CallFlow, Number, PromptFile, Provisioning, Queue, Secret, Step,
    Tenant, Trunk,
};
use sip::{Flow, Message, Method, Name};
use switch::{Input, Limits, Output, Prompts, Switch, SwitchConfig, WorkerPorts};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

fn switch_at() -> SocketAddr {
    ([127, 0, 0, 1], 5060).into()
}

fn trunk() -> SocketAddr {
    ([127, 0, 0, 2], 5060).into()
}

fn alice() -> SocketAddr {
    ([127, 0, 0, 11], 5060).into()
}

/// A switch, its peers, and how long the switch itself has worked.
struct Bench {
    switch: Switch,
    now: Instant,
    number: u64,
    spent: StdDuration,
    wire: Vec<(SocketAddr, Message)>,
    records: u64,
    registers: u32,
    play: Option<(media::StreamId, media::PlayId)>,
}

impl Bench {
    fn new() -> Self {
        let config = SwitchConfig {
            advertised: Vec::new(),
            web: None,
            tokens: None,
            media: vec![WorkerPorts {
                worker: WorkerId(0),
                ports: 20_000..=59_999,
                address: Some(switch_at().ip()),
                bound: switch_at().ip(),
                networks: Vec::new(),
            }],
            wall: UnixTime::from_micros(1_795_168_800_000_000),
            user_agent: "Strowger".to_owned(),
            limits: Limits::default(),
        };
        let mut bench = Self {
            switch: Switch::new(config, Rng::from_seed(1)),
            now: Instant::from_millis(1000),
            number: 0,
            spent: StdDuration::ZERO,
            wire: Vec::new(),
            records: 0,
            registers: 0,
            play: None,
        };
        let (directory, prompts) = provisioning();
        bench.input(Input::Provision {
            directory: Arc::new(directory),
            prompts: Arc::new(prompts),
            last_sequence: Vec::new(),
        });
        bench.register();
        bench
    }

    /// One input, and everything that follows from it.
    fn input(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let began = StdInstant::now();
            self.switch.handle_input(self.now, input);
            let mut outputs = Vec::with_capacity(16);
            while let Some(output) = self.switch.poll_output() {
                outputs.push(output);
            }
            black_box(self.switch.poll_timeout());
            self.spent += began.elapsed();
            for output in outputs {
                inputs.extend(self.obey(output));
            }
        }
    }

    fn obey(&mut self, output: Output) -> Option<Input> {
        let event = match output {
            Output::Transmit { flow, bytes } => {
                self.wire.push((flow.remote, Message::parse(bytes).ok()?));
                return None;
            }
            Output::CallEnded(_) => {
                self.records += 1;
                return None;
            }
            Output::Media { command: Command::Open { stream, .. }, .. } => {
                media::Event::Opened { stream }
            }
            Output::Media { command: Command::Close { stream }, .. } => {
                media::Event::Closed { stream, stats: stats() }
            }
            Output::Media { command: Command::Play { stream, play, .. }, .. } => {
                self.play = Some((stream, play));
                return None;
            }
            _ => return None,
        };
        Some(Input::Media { worker: WorkerId(0), event })
    }

    fn send(&mut self, from: SocketAddr, text: String) {
        let flow = Flow::udp(switch_at(), from);
        self.input(Input::Received { flow, bytes: Bytes::from(text) });
    }

    /// The last message to a peer of that method or response to it.
    fn last(&mut self, to: SocketAddr, method: &Method) -> Option<Message> {
        let matching =
            |(peer, message): &(SocketAddr, Message)| *peer == to && message.method() == *method;
        let at = self.wire.iter().rposition(matching)?;
        Some(self.wire.swap_remove(at).1)
    }

    fn register(&mut self) {
        let register = |number: u32, authorization: &str| {
            format!(
                "REGISTER sip:acme.example SIP/2.0\r\n\
                 Via: SIP/2.0/UDP {at};branch=z9hG4bK-r{number}\r\nMax-Forwards: 70\r\n\
                 From: <sip:alice@acme.example>;tag=r\r\nTo: <sip:alice@acme.example>\r\n\
                 Call-ID: r\r\nCSeq: {number} REGISTER\r\nContact: <sip:alice@{at}>\r\n\
                 {authorization}Content-Length: 0\r\n\r\n",
                at = alice()
            )
        };
        self.registers += 2;
        self.send(alice(), register(self.registers - 1, ""));
        let challenge = self.last(alice(), &Method::Register);
        let challenge = challenge.as_ref().and_then(|m| m.header(Name::WWW_AUTHENTICATE));
        let terms = sip::digest::Answer {
            method: &Method::Register,
            uri: "sip:acme.example",
            user: "alice",
            password: "alice-secret",
            cnonce: "0a4f113b",
            nc: 1,
        };
        if let Some(Ok(value)) = challenge.map(|c| sip::digest::answer(c, &terms)) {
            self.send(alice(), register(self.registers, &format!("Authorization: {value}\r\n")));
        }
        self.wire.clear();
    }

    /// One whole call. `None` if a peer did not get what it waited for.
    fn call(&mut self) -> Option<()> {
        self.number += 1;
        let n = self.number;
        if n.is_multiple_of(5000) {
            // The binding lasts an hour, which 7,200 calls take.
            let spent = self.spent;
            self.register();
            self.spent = spent;
        }
        self.send(trunk(), caller(n, "INVITE", 1, "", SDP));
        let ok = self.last(trunk(), &Method::Invite)?;
        let tag = ok.to_tag()?.to_owned();
        self.send(trunk(), caller(n, "ACK", 1, &tag, ""));
        let (stream, play) = self.play.take()?;
        let event = media::Event::PlayFinished { stream, play };
        self.input(Input::Media { worker: WorkerId(0), event });
        let invite = self.last(alice(), &Method::Invite)?;
        self.send(alice(), phone(&invite, "180 Ringing", ""));
        self.send(alice(), phone(&invite, "200 OK", SDP));
        self.send(trunk(), caller(n, "BYE", 2, &tag, ""));
        let bye = self.last(alice(), &Method::Bye)?;
        self.send(alice(), phone(&bye, "200 OK", ""));
        self.wire.clear();
        // Half a second to the next call: timers of the last 64 calls are always pending.
        let began = StdInstant::now();
        self.now += Duration::from_millis(500);
        self.switch.handle_timeout(self.now);
        while self.switch.poll_output().is_some() {}
        self.spent += began.elapsed();
        Some(())
    }
}

fn caller(n: u64, method: &str, cseq: u32, tag: &str, sdp: &str) -> String {
    let to_tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    let mut text = format!(
        "{method} sip:+15550100@127.0.0.1:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP {at};branch=z9hG4bK-{n}-{method};rport\r\nMax-Forwards: 70\r\n\
         From: \"Carla Caller\" <sip:+4930123456@{at}>;tag=c{n}\r\n\
         To: <sip:+15550100@127.0.0.1:5060>{to_tag}\r\nCall-ID: bench-{n}@carrier.example\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:carrier@{at}>\r\nUser-Agent: Bench\r\n\
         Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\nSupported: timer, 100rel\r\n",
        at = trunk()
    );
    close(&mut text, sdp);
    text
}

fn phone(request: &Message, status: &str, sdp: &str) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    let field = |name| request.header(name).unwrap_or_default();
    let to = field(Name::TO);
    let tag = if to.contains(";tag=") { "" } else { ";tag=phone" };
    _ = write!(
        text,
        "Via: {}\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:alice@{}>\r\n",
        field(Name::VIA),
        field(Name::FROM),
        field(Name::CALL_ID),
        field(Name::CSEQ),
        alice()
    );
    close(&mut text, sdp);
    text
}

fn close(text: &mut String, sdp: &str) {
    if !sdp.is_empty() {
        text.push_str("Content-Type: application/sdp\r\n");
    }
    _ = write!(text, "Content-Length: {}\r\n\r\n{sdp}", sdp.len());
}

fn stats() -> StreamStats {
    StreamStats {
        packets_sent: 1,
        bytes_sent: 160,
        packets_received: 1,
        bytes_received: 160,
        packets_lost: 0,
        jitter_us: 0,
        round_trip_us: None,
        mos_centi: 438,
        loss_permille: 0,
        buffer_us: None,
        concealed_ms: 0,
        skew_ppm: None,
        heard_dbov: None,
        said_dbov: None,
        far: Default::default(),
        refused_packets: 0,
        tap_dropped: 0,
        codec: Codec::Pcmu,
    }
}

fn provisioning() -> (Directory, Prompts) {
    let directory = Directory::build(tenant().unwrap_or_default());
    let mut prompts = Prompts::new();
    let sound = Arc::new(Prompt::from_pcm(&[0; 8000]));
    for name in ["greeting", "music"] {
        if let (Ok(tenant), Ok(prompt)) = (TenantId::new("acme"), PromptId::new(name)) {
            prompts.insert(tenant, prompt, Arc::clone(&sound));
        }
    }
    match directory {
        Ok(directory) => (directory, prompts),
        Err(errors) => {
            eprintln!("{errors:?}");
            std::process::exit(1);
        }
    }
}

/// One tenant, one agent, one queue.
fn tenant() -> Result<Provisioning, base::IdError> {
    let file =
        |name: &str| Ok(PromptFile::of_file(PromptId::new(name)?, format!("{name}.wav").into()));
    let (queue, flow) = (QueueId::new("sales")?, FlowId::new("main")?);
    let steps = vec![
        Step::Play { prompt: PromptId::new("greeting")? },
        Step::Queue { queue: queue.clone() },
    ];
    let password = Secret::new("alice-secret");
    let agent =
        Agent { available_on_register: true, ..Agent::new(AgentId::new("alice")?, password) };
    let queue = Queue::new(queue, PromptId::new("music")?);
    let tenant = Tenant {
        agents: vec![agent],
        prompts: vec![file("greeting")?, file("music")?],
        queues: vec![queue],
        flows: vec![CallFlow { id: flow.clone(), steps }],
        numbers: vec![Number { number: "+15550100".to_owned(), flow }],
        ..Tenant::new(TenantId::new("acme")?, "acme.example")
    };
    let trunk =
        Trunk { sources: vec!["127.0.0.2".to_owned()], ..Trunk::new(TrunkId::new("carrier-a")?) };
    Ok(Provisioning { tenants: vec![tenant], trunks: vec![trunk], platform_keys: Vec::new() })
}

fn whole_call(criterion: &mut Criterion) {
    let mut bench = Bench::new();
    criterion.bench_function("switch/a whole queue call", |bencher| {
        bencher.iter_custom(|calls| {
            bench.spent = StdDuration::ZERO;
            for _ in 0..calls {
                if bench.call().is_none() {
                    eprintln!("a call did not come about");
                    std::process::exit(1);
                }
            }
            bench.spent
        });
    });
    assert_eq!(bench.records, bench.number, "one record each");
}

criterion_group!(benches, whole_call);
criterion_main!(benches);
