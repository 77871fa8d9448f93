//! Agents' pages in Chromium: one browser a page, its microphone a tone. The driver of Node
//! (`tests/browser/driver.mjs`) is told what to do a line at a time.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::audio::{Sound, write_tone_at};
use crate::baresip::AMPLITUDE;
use crate::parts::LIMIT;
use crate::strowger::repository;

/// Browsers eat a core each: one test has them at a time.
static TURN: Mutex<()> = Mutex::new(());

/// The driver; its browsers end with it.
pub(crate) struct Browsers {
    driver: Mutex<Driver>,
    /// The origin of the pages.
    pub(crate) origin: String,
    _turn: MutexGuard<'static, ()>,
}

struct Driver {
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<Value>,
    number: u64,
}

/// A page of an agent's.
pub(crate) struct Page<'a> {
    browsers: &'a Browsers,
    name: String,
}

impl Browsers {
    pub(crate) fn start() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let modules = repository().join("target/test-node");
        let driver = repository().join("server/tests/browser/driver.mjs");
        let missing = "node and its modules: scripts/install test";
        assert!(modules.join("node_modules").is_dir(), "{missing}");
        let mut child = Command::new("node")
            .args([&driver, &modules])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect(missing);
        let (sender, answers) = channel();
        let output = BufReader::new(child.stdout.take().expect("its output"));
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let Ok(answer) = serde_json::from_str(&line) else { continue };
                if sender.send(answer).is_err() {
                    return;
                }
            }
        });
        let ready: Value = answers.recv_timeout(LIMIT).expect("the driver");
        let origin = ready["origin"].as_str().expect("its origin").to_owned();
        let input = child.stdin.take();
        let driver = Driver { child, input, answers, number: 0 };
        Self { driver: Mutex::new(driver), origin, _turn: turn }
    }

    /// A page with that library's phone (`jssip` or `sipjs`) that speaks a tone.
    pub(crate) fn phone(&self, folder: &Path, library: &str, name: &str, hertz: f64) -> Page<'_> {
        self.trusting_phone(folder, (library, name), hertz, Value::Null)
    }

    /// The same, which trusts a `certificate` of the `host` that it names.
    pub(crate) fn trusting_phone(
        &self,
        folder: &Path,
        (library, name): (&str, &str),
        hertz: f64,
        secure: Value,
    ) -> Page<'_> {
        let wav = folder.join(format!("{name}.wav"));
        write_tone_at(&wav, 48_000, hertz, AMPLITUDE, 10);
        let page = Page { browsers: self, name: name.to_owned() };
        page.told("open", json!({ "library": library, "wav": wav, "secure": secure }));
        page
    }

    /// The same in Firefox, whose microphone is its own tone of so many hertz.
    pub(crate) fn in_firefox(&self, library: &str, name: &str, hertz: u32) -> Page<'_> {
        let page = Page { browsers: self, name: name.to_owned() };
        page.told("open", json!({ "library": library, "firefox": { "hertz": hertz } }));
        page
    }

    /// A page of the server's own, whose microphone speaks a tone.
    pub(crate) fn site(&self, folder: &Path, url: &str, name: &str, hertz: f64) -> Page<'_> {
        self.site_with(folder, url, (name, hertz), Value::Null)
    }

    /// The same, with more of what the driver's `open` takes.
    pub(crate) fn site_with(
        &self,
        folder: &Path,
        url: &str,
        (name, hertz): (&str, f64),
        more: Value,
    ) -> Page<'_> {
        let wav = folder.join(format!("{name}.wav"));
        write_tone_at(&wav, 48_000, hertz, AMPLITUDE, 10);
        let page = Page { browsers: self, name: name.to_owned() };
        let mut given = json!({ "url": url, "wav": wav });
        for (key, value) in more.as_object().into_iter().flatten() {
            given[key] = value.clone();
        }
        page.told("open", given);
        page
    }

    fn ask(&self, page: &str, what: &str, given: Value) -> Value {
        let mut driver = self.driver.lock().expect("the driver");
        driver.number += 1;
        let number = driver.number;
        let mut command = given;
        command["id"] = json!(number);
        command["do"] = json!(what);
        command["page"] = json!(page);
        let input = driver.input.as_mut().expect("the driver's input");
        writeln!(input, "{command}").expect("the driver");
        loop {
            let answer = driver.answers.recv_timeout(LIMIT).expect("an answer of the driver's");
            if answer["id"] == number {
                assert!(answer["fails"].is_null(), "{page}: {what}: {answer:#}");
                return answer["gives"].clone();
            }
        }
    }
}

impl Drop for Browsers {
    fn drop(&mut self) {
        let driver = self.driver.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Its input ends, and so does it with all its browsers.
        drop(driver.input.take());
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(driver.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = driver.child.kill();
        let _ = driver.child.wait();
    }
}

impl Page<'_> {
    pub(crate) fn told(&self, what: &str, given: Value) -> Value {
        self.browsers.ask(&self.name, what, given)
    }

    /// Has the page's phone do that.
    pub(crate) fn does(&self, what: &str, given: Value) -> Value {
        self.told("run", json!({ "what": what, "with": given }))
    }

    /// Waits until the phone has told that, so many times in all.
    #[track_caller]
    pub(crate) fn tells(&self, what: &str, times: u32) {
        self.does("until", json!([what, times, 60]));
    }

    /// Waits until a script in the page gives what is wanted: a page follows what happens a moment
    /// later.
    #[track_caller]
    pub(crate) fn until(&self, script: &str, wanted: impl Fn(&Value) -> bool) {
        let deadline = Instant::now() + LIMIT / 2;
        loop {
            let is = self.told("evaluate", json!({ "script": script }));
            if wanted(&is) {
                return;
            }
            let late = Instant::now() > deadline;
            assert!(!late, "{script}: {is}: {:#}", self.told("log", json!({})));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until it has heard that tone for so many seconds, from now on.
    #[track_caller]
    pub(crate) fn hears(&self, hertz: f64, seconds: f64) {
        self.gets("sound", hertz, seconds);
    }

    /// The same of what came in for it, as PCMU: a page cannot listen to what it plays once it was
    /// on hold.
    #[track_caller]
    pub(crate) fn receives(&self, hertz: f64, seconds: f64) {
        self.gets("arrived", hertz, seconds);
    }

    #[track_caller]
    fn gets(&self, what: &str, hertz: f64, seconds: f64) {
        self.does("forget", json!([]));
        let deadline = Instant::now() + LIMIT / 4;
        loop {
            let sound = self.all_of(what);
            let heard = sound.seconds_with_tone(hertz, AMPLITUDE);
            if heard >= seconds {
                return;
            }
            let (all, loudest) = (sound.samples.len(), sound.loudest(hertz));
            assert!(
                Instant::now() < deadline,
                "{heard} s of {hertz} Hz at {} ({all} samples, at most {loudest}): {:#}",
                self.name,
                self.told("log", json!({}))
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What it has heard since it forgot.
    pub(crate) fn heard(&self) -> Sound {
        self.all_of("sound")
    }

    fn all_of(&self, what: &str) -> Sound {
        let samples = self.does(what, json!([]));
        let samples = samples.as_array().expect("samples").iter();
        let samples = samples.map(|one| one.as_i64().unwrap_or(0) as i16).collect();
        Sound { samples, rate: 8000.0 }
    }
}
