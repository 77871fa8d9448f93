//! The floor ([`crate::bare`]) as a child process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use benches::child::command;

use super::{ADDRESS, Targets};
use crate::describe::{self, Kind};

pub(super) struct Control {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

pub(super) fn start(folder: &Path, core: usize) -> Result<(Child, Control), String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = command(folder, &own, Some(core))?
        .arg("bare")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(input), Some(output)) => {
            Ok((child, Control { input, output: BufReader::new(output) }))
        }
        _ => Err("no pipes".to_owned()),
    }
}

impl Control {
    pub(super) fn call(
        &mut self,
        kind: Kind,
        offer: &str,
        callee: SocketAddr,
    ) -> Result<Targets, String> {
        if kind != Kind::Relay {
            return Err("it passes on what comes, and nothing else".to_owned());
        }
        let caller = describe::target(offer).ok_or("no address in the offer")?;
        writeln!(self.input, "{caller} {callee}").map_err(|error| error.to_string())?;
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|error| error.to_string())?;
        let ports: Vec<u16> = line.split_whitespace().flat_map(str::parse).collect();
        let [caller, callee] = ports[..] else { return Err(format!("it answers `{line}`")) };
        let at = |port| SocketAddr::new(ADDRESS, port);
        let (caller, callee) = (at(caller), at(callee));
        Ok(Targets { caller, callee, opus: 0, answer: String::new() })
    }
}
