//! What happened in a run, line by line, and its SIP: printed when something must not have.

use std::collections::VecDeque;
use std::fmt::Write as _;

use base::Instant;
use bytes::Bytes;

/// So many lines are kept, the last ones.
const LINES: usize = 4000;

/// The last things that happened.
#[derive(Debug, Default)]
pub(super) struct Story {
    lines: VecDeque<String>,
    /// Whether messages are kept: a second run of a seed keeps them.
    pub(super) keeps_messages: bool,
}

impl Story {
    pub(super) fn tell(&mut self, now: Instant, what: String) {
        if self.keeps_messages {
            push(&mut self.lines, format!("{:>10} {what}", stamp(now)));
        }
    }

    pub(super) fn message(&mut self, now: Instant, flow: &str, comes: bool, bytes: &Bytes) {
        if !self.keeps_messages {
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        let start = text.lines().next().unwrap_or("");
        let cseq = text.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or("");
        let call_id = text.lines().find_map(|line| line.strip_prefix("Call-ID: ")).unwrap_or("");
        let sdp = if text.contains("\r\n\r\nv=0") { " +SDP" } else { "" };
        let arrow = if comes { "->|  " } else { "  |->" };
        let mut line = format!("{:>10} {arrow} {start}", stamp(now));
        let _ = write!(line, " [{cseq}{sdp}] {flow} {call_id}");
        push(&mut self.lines, line);
    }

    /// All of it.
    pub(super) fn print(&self) -> String {
        self.lines.iter().fold(String::new(), |all, line| all + line + "\n")
    }
}

fn push(lines: &mut VecDeque<String>, line: String) {
    lines.push_back(line);
    if lines.len() > LINES {
        lines.pop_front();
    }
}

fn stamp(now: Instant) -> String {
    let millis = now.since(Instant::ZERO).as_millis();
    format!("{}.{:03}", millis / 1000, millis % 1000)
}
