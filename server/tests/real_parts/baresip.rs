//! baresip, a foreign SIP phone, as carrier or agent: it speaks a tone and keeps what it hears.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::audio;
use crate::net::free_port;
use crate::parts::LIMIT;

/// What a phone is and does.
pub(crate) struct Phone {
    pub(crate) address: IpAddr,
    /// Lines of the accounts file.
    pub(crate) accounts: Vec<String>,
    /// The tone it speaks, in hertz, at 0.3 of full scale.
    pub(crate) tone: f64,
    /// The address to call at once, if any.
    pub(crate) dial: Option<String>,
}

/// A running baresip; stopped when dropped.
pub(crate) struct Baresip {
    child: Child,
    dir: PathBuf,
    output: Arc<Mutex<String>>,
    /// Where it takes commands.
    control: SocketAddr,
    /// Where it takes calls.
    pub(crate) sip: SocketAddr,
}

/// Ten ports for each phone, above those that the system hands out: below them are the servers'.
static NEXT_RTP: AtomicU16 = AtomicU16::new(0);

pub(crate) const AMPLITUDE: f64 = 0.3;

impl Baresip {
    pub(crate) fn start(dir: &Path, phone: &Phone) -> Self {
        Self::start_with(dir, phone, "")
    }

    /// With more lines of its configuration.
    pub(crate) fn start_with(dir: &Path, phone: &Phone, more: &str) -> Self {
        fs::create_dir_all(dir).expect("a folder for the phone");
        let tone = dir.join("tone.wav");
        // When it is over the phone hangs up: longer than any test, on any machine.
        audio::write_tone(&tone, phone.tone, AMPLITUDE, 600);
        let sip = SocketAddr::new(phone.address, free_port(phone.address));
        let control = SocketAddr::new(phone.address, free_port(phone.address));
        let rtp = 61_000 + NEXT_RTP.fetch_add(1, Ordering::Relaxed) % 200 * 10;
        let dir_text = dir.display();
        let config = format!(
            "net_interface {ip}\nsip_listen {sip}\npoll_method epoll\n\
             audio_player aufile,{dir_text}/player.wav\naudio_source aufile,{tone}\n\
             audio_alert aufile,{dir_text}/none.wav\nrtp_ports {rtp}-{rtp_end}\nrtp_timeout 0\n\
             module_path /usr/lib/baresip/modules\nmodule stdio.so\nmodule g711.so\n\
             module aufile.so\nmodule sndfile.so\nmodule_tmp account.so\nmodule_app menu.so\n\
             module_app ctrl_tcp.so\nctrl_tcp_listen {control}\n\
             snd_path {dir_text}\ncall_max_calls 4\n{more}",
            ip = phone.address,
            tone = tone.display(),
            rtp_end = rtp + 9,
        );
        fs::write(dir.join("config"), config).expect("the phone's configuration");
        fs::write(dir.join("accounts"), phone.accounts.join("\n") + "\n").expect("its accounts");
        fs::write(dir.join("contacts"), "").expect("its contacts");
        let mut command = Command::new("baresip");
        command.arg("-f").arg(dir).arg("-v");
        if let Some(target) = &phone.dial {
            command.arg("-e").arg(format!("/dial {target}"));
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("baresip: run scripts/install test");
        let output = Arc::new(Mutex::new(String::new()));
        let streams: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("its output")),
            Box::new(child.stderr.take().expect("its errors")),
        ];
        for stream in streams {
            let output = Arc::clone(&output);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                let mut line = Vec::new();
                while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                    output.lock().expect("output").push_str(&String::from_utf8_lossy(&line));
                    line.clear();
                }
            });
        }
        Self { child, dir: dir.to_path_buf(), output, control, sip }
    }

    pub(crate) fn output(&self) -> String {
        self.output.lock().expect("output").clone()
    }

    /// A command of its menu, such as `dial` with an address: one netstring that holds JSON.
    pub(crate) fn tell(&self, command: &str, parameter: &str) {
        let order = serde_json::json!({"command": command, "params": parameter, "token": command});
        let order = order.to_string();
        let mut stream = TcpStream::connect(self.control).expect("where it takes commands");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        write!(stream, "{}:{order},", order.len()).expect("to tell it");
        // Events may come before its answer.
        let (mut said, mut buffer) = (String::new(), [0; 4096]);
        while !said.contains("\"response\":true") {
            let length = stream.read(&mut buffer).expect("its answer");
            assert!(length > 0, "{command} was not answered: {said}");
            said.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        assert!(said.contains("\"ok\":true"), "{command} {parameter}: {said}");
    }

    /// Waits until the phone has printed the words.
    pub(crate) fn wait_for(&self, words: &str, limit: Duration) {
        let deadline = Instant::now() + limit;
        while !self.output().contains(words) {
            assert!(
                Instant::now() < deadline,
                "baresip never said {words:?}; it said:\n{}",
                self.output()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Hangs up as a person would (baresip says BYE when it is told to quit) and gives what it
    /// heard during the call.
    pub(crate) fn hang_up_and_listen(mut self) -> audio::Sound {
        self.quit();
        let heard = self.heard_files().pop();
        let heard =
            heard.unwrap_or_else(|| panic!("the phone heard nothing; it said:\n{}", self.output()));
        audio::Sound::from_wav_file(&heard, 0)
    }

    /// One file for each call, in their order.
    fn heard_files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.dir).expect("the phone's folder");
        let files = entries.map(|entry| entry.expect("an entry").path());
        let is_heard = |path: &PathBuf| path.to_string_lossy().ends_with("-dec.wav");
        let mut files: Vec<PathBuf> = files.filter(is_heard).collect();
        files.sort();
        files
    }

    /// For how many seconds the phone has heard a tone so far, in all its calls, as far as its
    /// files tell.
    pub(crate) fn seconds_heard(&self, hertz: f64) -> f64 {
        let files = self.heard_files().into_iter();
        let files = files.filter(|path| path.metadata().is_ok_and(|file| file.len() > 10_000));
        let sounds = files.map(|path| audio::Sound::from_wav_file(&path, 0));
        sounds.map(|sound| sound.seconds_with_tone(hertz, AMPLITUDE)).sum()
    }

    /// Waits until the phone has heard the tone for so many seconds.
    pub(crate) fn hears(&self, hertz: f64, seconds: f64) {
        let deadline = Instant::now() + LIMIT;
        while self.seconds_heard(hertz) < seconds {
            assert!(
                Instant::now() < deadline,
                "it never heard {hertz} Hz for {seconds} s: {} s; it said:\n{}",
                self.seconds_heard(hertz),
                self.output()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn quit(&mut self) {
        let _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("baresip at {} said:\n{}", self.sip, self.output());
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            self.quit();
        }
    }
}

/// The accounts line of an agent that registers and answers, or rings, as `mode` says
/// (`auto`, `manual`).
pub(crate) fn agent_account(agent: &str, domain: &str, server: SocketAddr, mode: &str) -> String {
    format!(
        "<sip:{agent}@{domain}>;auth_user={agent};auth_pass={agent}-secret;\
         outbound=\"sip:{server};transport=udp\";regint=60;answermode={mode}"
    )
}

/// The accounts line of a carrier's side: no registration.
pub(crate) fn carrier_account(address: IpAddr) -> String {
    format!("<sip:+15559000@{address}>;regint=0")
}
