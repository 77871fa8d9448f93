//! linphone, a foreign SIP phone, led by the commands of its console: it speaks a tone and keeps
//! what it hears.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::audio::{self, Sound};
use crate::baresip::AMPLITUDE;
use crate::net::free_port;
use crate::parts::LIMIT;

/// An agent of acme at a phone of linphone's.
pub(crate) struct Phone<'a> {
    pub(crate) agent: &'a str,
    pub(crate) server: SocketAddr,
    /// `udp`, `tcp` or `tls`.
    pub(crate) transport: &'a str,
    /// Who certifies the server, over TLS.
    pub(crate) authority: Option<&'a Path>,
    /// The tone it speaks, in hertz.
    pub(crate) tone: f64,
    /// Whether it answers by itself.
    pub(crate) answers: bool,
}

/// A running linphone; stopped when dropped.
pub(crate) struct Linphone {
    child: Child,
    dir: PathBuf,
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

impl Linphone {
    pub(crate) fn start(folder: &Path, phone: &Phone<'_>) -> Self {
        let dir = folder.join(format!("linphone-{}", phone.agent));
        // It writes to its home, and makes no folder there.
        for home in [".local/share/linphone", ".config/linphone"] {
            fs::create_dir_all(dir.join(home)).expect("a folder for the phone");
        }
        audio::write_tone(&dir.join("tone.wav"), phone.tone, AMPLITUDE, 120);
        fs::write(dir.join("rc"), configuration(phone)).expect("its configuration");
        let output = fs::File::create(dir.join("output")).expect("a file for its output");
        let child = Command::new("linphonec")
            .current_dir(&dir)
            .args(if phone.answers { &["-a"][..] } else { &[] })
            .args(["-c", "rc", "-d", "6", "-l", "log"])
            .env("HOME", &dir)
            .env("TERM", "dumb")
            .stdin(Stdio::piped())
            .stdout(output.try_clone().expect("a file"))
            .stderr(output)
            .spawn()
            .expect("linphonec: run scripts/install test");
        let mut input = child.stdin.as_ref().expect("its input");
        let orders = "soundcard use files\nplay tone.wav\nrecord heard.wav\n";
        input.write_all(orders.as_bytes()).expect("to tell it");
        Self { child, dir }
    }

    /// A command of its console.
    pub(crate) fn tell(&self, command: &str) {
        let mut input = self.child.stdin.as_ref().expect("its input");
        input.write_all(format!("{command}\n").as_bytes()).expect("to tell it");
    }

    pub(crate) fn output(&self) -> String {
        fs::read_to_string(self.dir.join("output")).unwrap_or_default()
    }

    /// Waits until it has printed the words so many times.
    #[track_caller]
    pub(crate) fn says(&self, words: &str, times: usize) {
        let deadline = Instant::now() + LIMIT;
        while self.output().matches(words).count() < times {
            assert!(Instant::now() < deadline, "never {times} {words:?} in:\n{}", self.output());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn seconds_heard(&self, hertz: f64) -> f64 {
        // Its header is written last: 44 bytes before mono samples at the codec's rate, which one
        // the tone itself tells.
        let bytes = fs::read(self.dir.join("heard.wav")).unwrap_or_default();
        let samples = bytes.get(44..).unwrap_or_default().chunks_exact(2);
        let samples: Vec<_> = samples.map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
        let at =
            |rate| Sound { samples: samples.clone(), rate }.seconds_with_tone(hertz, AMPLITUDE);
        [8000.0, 16_000.0, 48_000.0].map(at).into_iter().fold(0.0, f64::max)
    }

    /// Waits until it has heard the tone for so many seconds more.
    #[track_caller]
    pub(crate) fn hears(&self, hertz: f64, seconds: f64) {
        // A new call begins a new file, and what was heard is gone with the old one.
        let (deadline, mut before) = (Instant::now() + LIMIT, self.seconds_heard(hertz));
        loop {
            let now = self.seconds_heard(hertz);
            before = before.min(now);
            if now >= before + seconds {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{now} s of {hertz} Hz after {before} s; it said:\n{}",
                self.output()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn configuration(phone: &Phone<'_>) -> String {
    let Phone { agent, server, transport, authority, .. } = phone;
    let (sip, rtp) = (free_port(LOOPBACK), free_port(LOOPBACK));
    // Its TLS does not compare addresses with certificates; names need a name server.
    let trust = authority.map(|file| format!("root_ca={}\nverify_server_cn=0\n", file.display()));
    format!(
        "[sip]\nbind_address=127.0.0.1\nsip_port={sip}\nsip_tcp_port={sip}\nsip_tls_port={tls}\n\
         default_proxy=0\n\
         media_encryption=none\nuse_ipv6=0\nguess_hostname=0\n\
         contact=\"{agent}\" <sip:{agent}@127.0.0.1>\n{trust}\
         [auth_info_0]\nusername={agent}\npasswd={agent}-secret\nrealm=acme.example\n\
         [proxy_0]\nreg_proxy=<sip:{server};transport={transport}>\n\
         reg_route=<sip:{server};transport={transport};lr>\n\
         reg_identity=sip:{agent}@acme.example\nreg_expires=600\nreg_sendregister=1\n\
         [rtp]\naudio_rtp_port={rtp}\naudio_adaptive_jitt_comp_enabled=0\n\
         [net]\nfirewall_policy=0\n",
        tls = sip + 1,
        trust = trust.unwrap_or_default(),
    )
}

impl Drop for Linphone {
    fn drop(&mut self) {
        if let Some(mut input) = self.child.stdin.take() {
            let _ = input.write_all(b"quit\n");
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
