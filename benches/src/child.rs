//! What is measured runs as a child: a process group of its own, in a folder of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const MUSIC: &[u8] = include_bytes!("../../fixtures/audio/hold-music.wav");

/// An empty folder for a measurement of that name.
///
/// # Errors
///
/// Why there is none.
pub fn folder(name: &str) -> Result<PathBuf, String> {
    let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// Writes a file into the folder.
///
/// # Errors
///
/// Which file, and why it was not written.
pub fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), String> {
    let path = folder.join(name);
    fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// A program in the folder, which complains into `log` there; on one core alone if it is said.
///
/// # Errors
///
/// Why the log was not opened.
pub fn command(folder: &Path, program: &Path, core: Option<usize>) -> Result<Command, String> {
    let log = fs::File::create(folder.join("log")).map_err(|error| error.to_string())?;
    let mut command = match core {
        Some(core) => {
            let mut command = Command::new("taskset");
            command.arg("-c").arg(core.to_string()).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.current_dir(folder).stdin(Stdio::null()).stderr(log).process_group(0);
    Ok(command)
}

/// What was started; or why it was not with the end of the log, and the folder is gone.
///
/// # Errors
///
/// The fault that was given.
pub fn or_why<T>(started: Result<T, String>, folder: &Path) -> Result<T, String> {
    started.map_err(|fault| {
        let log = last_lines(folder);
        let _ = fs::remove_dir_all(folder);
        format!("{fault}\n{log}")
    })
}

/// The end of the log.
#[must_use]
pub fn last_lines(folder: &Path) -> String {
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

/// Asks it to end, ends it when it does not within five seconds, and takes its folder away.
pub fn end(child: &mut Child, folder: &Path) {
    // Kamailio's first process ends the others when it is asked to; the rest may be killed.
    let _ = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status();
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
    let _ = fs::remove_dir_all(folder);
}

/// A Strowger with these two files, on that core alone if one is said: the child once it is
/// ready, and what it says then.
///
/// # Errors
///
/// Why it did not start.
pub fn strowger(
    folder: &Path,
    (binary, core): (&Path, Option<usize>),
    config: &str,
    provisioning: &str,
) -> Result<(Child, Value), String> {
    write(folder, "music.wav", MUSIC)?;
    write(folder, "provisioning.toml", provisioning.as_bytes())?;
    write(folder, "strowger.toml", config.as_bytes())?;
    let binary = binary.canonicalize().map_err(|error| format!("{}: {error}", binary.display()))?;
    let mut child = command(folder, &binary, core)?
        .args(["serve", "--config", "strowger.toml", "--apply", "provisioning.toml", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let output = child.stdout.take().ok_or("no standard output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
    let ready = serde_json::from_str(&line).map_err(|_| format!("it did not start: {line}"))?;
    Ok((child, ready))
}

/// The address that it says it listens at.
///
/// # Errors
///
/// That it says none.
pub fn address(ready: &Value, name: &str) -> Result<std::net::SocketAddr, String> {
    let at = ready[name].as_str().and_then(|at| at.parse().ok());
    at.ok_or_else(|| format!("no {name} in {ready}"))
}

/// A tenant whose number leads to a queue of all those agents; its key is its name.
#[must_use]
pub fn tenant(id: &str, number: &str, record: bool, agents: impl Iterator<Item = usize>) -> String {
    let agents: String = agents
        .map(|agent| {
            format!(
                "  {{ id = \"agent-{agent}\", password = \"load-secret-{agent}\", \
                 available_on_register = true }},\n"
            )
        })
        .collect();
    format!(
        "\n[[tenants]]\nid = \"{id}\"\ndomain = \"{id}.example\"\n\
         prompts = [{{ id = \"music\", file = \"music.wav\" }}]\n\
         api_keys = [{{ key = \"{id}\", loopback_only = true }}]\n\
         queues = [{{ id = \"all\", music = \"music\", record = {record}, wrap_up_s = 0 }}]\n\
         flows = [{{ id = \"all\", steps = [{{ do = \"queue\", queue = \"all\" }}] }}]\n\
         numbers = [{{ number = \"{number}\", flow = \"all\" }}]\nagents = [\n{agents}]\n"
    )
}
