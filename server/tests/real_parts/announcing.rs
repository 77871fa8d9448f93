//! What a caller is told before anybody answers: tones, files and said values, on the wire.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Instant;

use media::G711;

use crate::audio::write_tone;
use crate::baresip::AMPLITUDE;
use crate::parts::LIMIT;
use crate::provisioning::{acme, trunk};
use crate::strowger::{Folder, Strowger};
use crate::ua::Ua;

const CALLERS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66));
const FILE_HZ: f64 = 1000.0;
/// Each of the two frequencies, as a share of full scale.
const BUSY_LEVEL: f64 = 0.125;
/// North America's busy tone.
const BUSY_HZ: [f64; 2] = [480.0, 620.0];

const ANNOUNCES: &str = r#"
country = "US"
prompts = [
    { id = "busy", tone = "busy" },
    { id = "file", file = "file.wav" },
    { id = "both", playlist = ["busy", "file", "busy"] },
]
flows = [{ id = "main", steps = [
    { do = "play", prompt = "both" },
    { do = "say", say = "number", value = "-342" },
    { do = "say", say = "time", value = "15:05", language = "de" },
] }]
numbers = [{ number = "+15550100", flow = "main" }]
"#;

/// The samples of a language's fragments, one after the other, as PCMU carries them.
fn said(language: &str, fragments: &str) -> Vec<i16> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/say");
    let index = std::fs::read_to_string(folder.join(format!("{language}.tsv"))).expect("an index");
    let audio = std::fs::read(folder.join(format!("{language}.ulaw"))).expect("its audio");
    let fragment = |name: &str| {
        let line = index.lines().find_map(|line| line.strip_prefix(&format!("{name}\t")));
        let (from, length) = line.and_then(|line| line.split_once('\t')).expect("a fragment");
        let (from, length): (usize, usize) = (from.parse().unwrap(), length.parse().unwrap());
        audio[from..from + length].iter().map(|code| G711::Pcmu.decode(*code)).collect::<Vec<_>>()
    };
    fragments.split(' ').flat_map(fragment).collect()
}

#[test]
fn a_caller_hears_tones_files_and_values_to_the_last_sample() {
    let folder = Folder::new("announcing");
    write_tone(&folder.path().join("file.wav"), FILE_HZ, AMPLITUDE, 1);
    let provisioning = acme(folder.path(), &trunk("callers", CALLERS, ""), ANNOUNCES);
    let server = Strowger::provisioned(folder.path(), provisioning);
    let mut caller = Ua::new(CALLERS, server.sip, 440.0);
    let offer = caller.sdp();
    let mut call = caller.calls_in("+15550100", &offer);
    caller.is_answered(&mut call);
    caller.hears_bye();
    let expected = [said("en", "minus 3 hundred and 42"), said("de", "15 uhr 5")];
    let deadline = Instant::now() + LIMIT;
    loop {
        // The last packets may still be on their way.
        let heard = caller.voice.heard();
        let found =
            expected.iter().map(|said| heard.samples.windows(said.len()).any(|w| w == said));
        if found.clone().all(|found| found) {
            let busy = BUSY_HZ.map(|hertz| heard.seconds_with_tone(hertz, BUSY_LEVEL));
            assert!(busy.iter().all(|seconds| (0.8..1.3).contains(seconds)), "{busy:?}");
            let file = heard.seconds_with_tone(FILE_HZ, AMPLITUDE);
            assert!((0.9..1.2).contains(&file), "{file} s of the file");
            return;
        }
        assert!(Instant::now() < deadline, "said: {:?}", found.collect::<Vec<_>>());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
