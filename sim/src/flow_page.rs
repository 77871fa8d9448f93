//! A call's SIP ladder as a page of the documentation: a change in behaviour is a diff there.

use std::fmt::Write as _;
use std::net::SocketAddr;

use switch::{CallRecord, Direction, LadderEntry};

const COLUMN: usize = 44;

/// A Markdown page: the story, the ladder with times since the INVITE, the record's end.
#[must_use]
pub fn flow_page(title: &str, story: &str, record: &CallRecord) -> String {
    let mut peers: Vec<SocketAddr> = Vec::new();
    for entry in &record.ladder {
        if !peers.contains(&entry.flow.remote) {
            peers.push(entry.flow.remote);
        }
    }
    let mut page = format!("# {title}\n\n{story}\n\n```text\n");
    let caller = peers.first().copied();
    let _ = writeln!(page, "{:>9}  {:<COLUMN$}{:<COLUMN$}agents", "", "carrier", "Strowger");
    let begin = record.ladder.first().map_or(0, |entry| entry.at.as_micros());
    for entry in &record.ladder {
        let ms = (entry.at.as_micros() - begin) / 1000;
        let agent = peers.iter().position(|peer| *peer == entry.flow.remote).unwrap_or(0);
        let left = Some(entry.flow.remote) == caller;
        let _ = writeln!(page, "{ms:>6} ms  {}", arrow(entry, left, agent));
    }
    page.push_str("```\n\n");
    let agent = record.agent.as_ref().map_or("nobody", |agent| agent.as_str());
    let _ = writeln!(
        page,
        "Cause `{}`, ended by {}, taken by {agent}.",
        record.cause.as_str(),
        record.ended_by.as_str()
    );
    page
}

fn arrow(entry: &LadderEntry, left: bool, agent: usize) -> String {
    let text = label(&entry.bytes);
    let to_right = left == (entry.direction == Direction::In);
    let room = COLUMN.saturating_sub(4 + text.chars().count());
    let line = "-".repeat(room);
    let shaft = if to_right { format!("|-{text} {line}>") } else { format!("|<{line} {text}-") };
    if left {
        format!("{shaft:<COLUMN$}|")
    } else {
        let name = if agent > 1 { format!("agent {agent}") } else { "agent".to_owned() };
        format!("{:<COLUMN$}{shaft:<COLUMN$}| {name}", "|")
    }
}

/// The start line without what differs from run to run, and whether there is SDP.
fn label(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let start = text.lines().next().unwrap_or("");
    let mut label = match start.strip_prefix("SIP/2.0 ") {
        Some(status) => {
            let cseq = text.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or("");
            let method = cseq.split(' ').nth(1).unwrap_or("");
            format!("{} ({method})", status.chars().take(26).collect::<String>())
        }
        None => start.split(' ').next().unwrap_or("").to_owned(),
    };
    if text.contains("\r\n\r\nv=0") {
        label.push_str(" +SDP");
    }
    label
}
