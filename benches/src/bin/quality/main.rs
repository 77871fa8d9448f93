//! What a receiver makes of speech that comes through a bad network: the same packets, lost and
//! delayed alike, into our ear (in no time) or into a phone (in real time, by a SIP call).
//!
//! It writes what was heard as WAV files; `benches/quality.sh` scores them.

mod journey;
mod phone;

use std::path::PathBuf;
use std::process::ExitCode;

use base::{Duration, Instant};
use clap::Parser;
use media::Codec;
use media::ear::Ear;

use journey::{Journey, Packet, RATE};

/// Speech through a bad network
#[derive(Parser)]
struct Args {
    /// WAV of 8 kHz, mono, 16 bits
    #[arg(long)]
    speech: PathBuf,
    /// Packets lost, in percent
    #[arg(long, default_value_t = 0)]
    loss: u64,
    /// Delay of a packet beyond the least: evenly from 0 to this, in milliseconds
    #[arg(long, default_value_t = 0)]
    jitter: u64,
    /// Which packets are lost and late
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to write what was heard
    #[arg(long)]
    out: PathBuf,
    /// The packets carry Opus of 8 kHz, as we speak it; without, PCMU
    #[arg(long, conflicts_with = "phone")]
    opus: bool,
    /// A phone that answers at once and sends back what it plays; without, our ear
    #[arg(long)]
    phone: Option<std::net::SocketAddr>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<String, String> {
    let speech = journey::read_wav(&args.speech)?;
    let journey = Journey { loss: args.loss, jitter: args.jitter, seed: args.seed };
    let codec = if args.opus { Codec::Opus } else { Codec::Pcmu };
    let packets = journey.packets(&speech, codec);
    let seconds = speech.len() as f64 / f64::from(RATE.hz()) + 0.5;
    let (heard, line) = match args.phone {
        Some(address) => (phone::call(address, &packets, seconds)?, String::new()),
        None => listen(packets, codec, seconds),
    };
    journey::write_wav(&args.out, &heard)?;
    Ok(line)
}

/// Our ear, in virtual time.
fn listen(mut packets: Vec<Packet>, codec: Codec, seconds: f64) -> (Vec<i16>, String) {
    packets.sort_by_key(|packet| packet.at);
    let mut packets = packets.into_iter().peekable();
    let mut ear = Ear::new(RATE);
    let (mut heard, mut longest) = (Vec::new(), Duration::ZERO);
    for tick in 0..(seconds * 50.0) as u32 {
        let now = Duration::from_micros(7300) + Duration::from_millis(20) * tick;
        while let Some(packet) = packets.next_if(|packet| packet.at <= now) {
            let at = Instant::ZERO + packet.at;
            ear.handle_packet(at, &packet.header, codec, &packet.payload);
        }
        let mut out = [0; RATE.per_tick()];
        ear.hear(Instant::ZERO + now, &mut out);
        heard.extend(out);
        longest = longest.max(ear.figures().delay);
    }
    let figures = ear.figures();
    let line = format!(
        "delay {} ms (longest {} ms), late {}, concealed {} ms, inserted {} ms, removed {} ms",
        figures.delay.as_millis(),
        longest.as_millis(),
        figures.late,
        figures.concealed.as_millis(),
        figures.inserted.as_millis(),
        figures.removed.as_millis(),
    );
    (heard, line)
}
