//! One relay under a load that grows: what a packet costs at each number of calls, and how many
//! calls it carries.

use std::net::{SocketAddr, SocketAddrV4};
use std::path::Path;
use std::time::Duration;

use benches::clock::{self, MICROSECOND, MILLISECOND, Nanos, SECOND};
use benches::usage::Usage;
use serde_json::{Value, json};

use crate::describe::{self, Kind, Side};
use crate::figures::Figures;
use crate::generator::{Generator, Plug};
use crate::relays::{Name, Relay};
use crate::speech::Speech;
use crate::web::{Browsers, Handshakes, OPUS};
use media::srtp::{Opener, Sealer};

/// A window in which more was lost than this, or came later, is more than the relay can carry.
const LOST: f64 = 0.001;
const LATE_MS: f64 = 3.0;
/// After so many calls of browsers, which take their time to make, all that are up talk for so long:
/// whoever was silent for long would be looked after.
const BROWSERS_A_BREATH: usize = 8;
const BREATH: Nanos = 20 * MILLISECOND;
/// What a handshake leaves to be done.
const AFTER_HANDSHAKE: Duration = Duration::from_millis(2);
/// Packets of a far end in a second.
const PACKETS: f64 = 50.0;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What the calls go through
    #[arg(long, value_enum, default_value = "strowger")]
    relay: Name,
    /// What the calls carry
    #[arg(long, value_enum, default_value = "relay")]
    kind: Kind,
    /// Calls at once, one load after the other
    #[arg(long, value_delimiter = ',', default_value = "500,1000")]
    calls: Vec<usize>,
    /// After those, so many more again and again, until it is too much; 0: only those
    #[arg(long, default_value_t = 0)]
    step: usize,
    /// No more calls than these
    #[arg(long, default_value_t = 3000)]
    most: usize,
    /// How long each load is measured, seconds
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// How long each load runs before, seconds
    #[arg(long, default_value_t = 1.5)]
    settle: f64,
    /// Packets leave the generator every so many microseconds, as many as are due; 0: one by one
    #[arg(long, default_value_t = 0)]
    beat_us: u64,
    /// Threads for audio, all on the one core: with more than one what comes for browsers is handed
    /// from one to the other
    #[arg(long, default_value_t = 1)]
    workers: u16,
    /// The relay's core
    #[arg(long, default_value_t = 0)]
    core: usize,
    /// The generator's core
    #[arg(long, default_value_t = 1)]
    own_core: usize,
}

pub(crate) fn run(strowger: &Path, args: &Args) -> Result<bool, String> {
    pin(args.own_core)?;
    let mut loads = args.calls.clone();
    if args.step > 0 {
        let last = loads.last().copied().unwrap_or(0);
        loads.extend((last + args.step..=args.most).step_by(args.step));
    }
    let most = loads.iter().copied().max().unwrap_or(0);
    let agents = most * (args.kind.far_ends() - 1);
    let mut relay =
        Relay::start(args.relay, strowger, args.kind, agents, (args.core, args.workers))?;
    // What else the machine has to do on this core must not look as if the relay were late. Not
    // before the relay is there: whom we start is as we are, and all of its threads would go before
    // that for audio.
    let _ = rustix::process::setpriority_process(None, -20);
    let is_stamped = args.kind.keeps_payload();
    let speech = [Side::Caller, Side::Callee].map(|side| Speech::of(args.kind, side, is_stamped));
    let mut generator = Generator::new(speech, args.beat_us * MICROSECOND)?;
    let (mut browsers, mut handshakes) = (Browsers::new()?, Handshakes::default());
    let empty = relay.usage();
    let mut made = 0;
    let mut carried = 0;
    for calls in loads {
        while made < calls {
            if args.kind.is_web() {
                let web = (&mut browsers, &mut handshakes);
                connect_browser(&mut relay, &mut generator, web, args.kind, made)?;
                if made.is_multiple_of(BROWSERS_A_BREATH) {
                    generator.run(BREATH);
                }
            } else {
                connect(&mut relay, &mut generator, args.kind, made)?;
            }
            made += 1;
        }
        generator.run(clock::seconds(args.settle));
        let (before, own, began) = (relay.usage(), Usage::own(), clock::now());
        let figures = generator.run(clock::seconds(args.seconds));
        let took = (clock::now() - began) as f64 / SECOND as f64;
        let usage = relay.usage();
        let cpu = usage.cpu_ms_since(&before);
        let mut row = shown(args.kind, &figures);
        row["part"] = json!("load");
        row["relay"] = json!(args.relay.text());
        row["kind"] = json!(args.kind.name());
        row["calls"] = json!(calls);
        row["beat_us"] = json!(args.beat_us);
        row["workers"] = json!(args.workers);
        row["handshake"] = json!(handshakes.shown());
        row["core"] = json!(cpu / 1000.0 / took);
        let packets = (calls * args.kind.far_ends()) as f64 * PACKETS * took;
        row["us_a_packet"] = json!(cpu * 1000.0 / packets);
        row["by_thread"] = json!(usage.by_thread(&before, took * 1000.0));
        row["generator_core"] = json!(Usage::own().cpu_ms_since(&own) / 1000.0 / took);
        let grown = usage.resident_kib.saturating_sub(empty.resident_kib);
        row["kib_a_call"] = json!(grown as f64 / calls as f64);
        let is_carried = is_carried(args.kind, &figures);
        row["carried"] = json!(is_carried);
        println!("{row}");
        if is_carried {
            carried = calls;
        } else if args.step > 0 {
            break;
        }
    }
    let kind = args.kind.name();
    let most = json!({
        "part": "most", "beat_us": args.beat_us, "relay": args.relay.text(), "kind": kind,
        "calls": carried, "searched": args.step > 0,
    });
    println!("{most}");
    Ok(carried > 0)
}

fn connect(
    relay: &mut Relay,
    generator: &mut Generator,
    kind: Kind,
    number: usize,
) -> Result<(), String> {
    let ends = [Side::Caller, Side::Callee].map(|side| (side, generator.place(side)));
    let [(_, (_, caller)), (_, (_, callee))] = ends;
    let offer = describe::description(kind, Side::Caller, caller, 0);
    let targets = relay.call(kind, number, &offer, callee)?;
    for (side, (place, _)) in ends {
        let encrypts = describe::encrypts(kind, side);
        generator.plug(Plug {
            place,
            browser: None,
            to: v4(targets.of(side))?,
            payload_type: if kind.has_opus(side) { targets.opus } else { 0 },
            sealer: describe::callers_key().filter(|_| encrypts).map(|key| Sealer::new(&key)),
            // What comes encrypted is not opened: the other way tells the delay.
            reads_time: kind.keeps_payload() && !encrypts,
        });
    }
    for _ in 2..kind.far_ends() {
        let (place, at) = generator.place(Side::Callee);
        let to = v4(relay.bring(number, at)?)?;
        let (sealer, browser, reads_time) = (None, None, false);
        generator.plug(Plug { place, browser, to, payload_type: 0, sealer, reads_time });
    }
    Ok(())
}

/// The same between a browser and a phone.
fn connect_browser(
    relay: &mut Relay,
    generator: &mut Generator,
    (browsers, handshakes): (&mut Browsers, &mut Handshakes),
    kind: Kind,
    number: usize,
) -> Result<(), String> {
    generator.consent();
    let (browser, offer) = browsers.open(kind)?;
    let (place, at) = generator.place(Side::Callee);
    let targets = relay.call(kind, number, &offer, at)?;
    let before = relay.usage();
    let connected = browsers.connect(browser, &targets.answer);
    let connected = connected.map_err(|fault| format!("call {number}: {fault}"))?;
    // The kernel charges a thread when it rests.
    std::thread::sleep(AFTER_HANDSHAKE);
    let cost = relay.usage().by_thread(&before, 1.0);
    handshakes.add(&connected, cost.get("media").copied().unwrap_or(0.0));
    generator.plug(Plug {
        place: 0,
        browser: Some((connected.browser, Opener::of(&connected.keys.theirs))),
        to: v4(targets.caller)?,
        payload_type: if kind.has_opus(Side::Caller) { OPUS } else { 0 },
        sealer: Some(Sealer::new(&connected.keys.ours)),
        reads_time: kind.keeps_payload(),
    });
    generator.plug(Plug {
        place,
        browser: None,
        to: v4(targets.callee)?,
        payload_type: if kind.has_opus(Side::Callee) { targets.opus } else { 0 },
        sealer: None,
        reads_time: kind.keeps_payload(),
    });
    Ok(())
}

fn v4(address: SocketAddr) -> Result<SocketAddrV4, String> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(_) => Err(format!("{address} is not of IPv4")),
    }
}

/// A relay that decodes has a clock of its own: then it is the gaps between packets that tell.
fn is_carried(kind: Kind, figures: &Figures) -> bool {
    let times = if kind.keeps_payload() { &figures.delays } else { &figures.gaps };
    figures.lost() <= LOST && times.at(0.99).is_some_and(|late| late < LATE_MS)
}

fn shown(kind: Kind, figures: &Figures) -> Value {
    let times = if kind.keeps_payload() { &figures.delays } else { &figures.gaps };
    json!({
        "sent": figures.sent, "unsent": figures.unsent, "received": figures.received,
        "lost": figures.lost(),
        "late_ms": { "median": times.at(0.5), "p99": times.at(0.99), "most": times.at(1.0) },
        "generator_late_ms": figures.lateness.at(0.99),
    })
}

/// Ties this process to a core.
fn pin(core: usize) -> Result<(), String> {
    let mut own = rustix::thread::CpuSet::new();
    own.set(core);
    rustix::thread::sched_setaffinity(None, &own)
        .map_err(|error| format!("core {core}: {error}: the relay and the generator need one each"))
}
