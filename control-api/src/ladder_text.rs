//! A call's ladder as a diagram in plain text: a lane for each address, an arrow for each message.

use std::fmt::Write as _;

use store::LadderRow;

const TIME_WIDTH: usize = 12;
const LANE_WIDTH: usize = 30;
const MARGIN: usize = 12;
const ENGINE: &str = "strowger";
/// More lanes than a screen has columns for; further addresses share the last one.
const MOST_LANES: usize = 6;

/// The diagram. The caller's lane is left of the engine's, the others right of it.
pub(crate) fn diagram(ladder: &[LadderRow]) -> String {
    let Some(first) = ladder.first() else { return "no SIP messages\n".to_owned() };
    let mut far: Vec<&str> = Vec::new();
    for row in ladder {
        if !far.contains(&&*row.remote) && far.len() < MOST_LANES {
            far.push(&row.remote);
        }
    }
    let lanes: Vec<&str> =
        far[..1].iter().copied().chain([ENGINE]).chain(far[1..].to_vec()).collect();
    let mut text = line("", &lanes, |canvas| {
        for (lane, name) in lanes.iter().enumerate() {
            put(canvas, column(lane).saturating_sub(name.chars().count() / 2), name);
        }
    });
    for row in ladder {
        let there = lanes.iter().position(|lane| *lane == &*row.remote).unwrap_or(lanes.len() - 1);
        let (from, to) = if row.sent { (1, there) } else { (there, 1) };
        let micros = row.at.as_micros().saturating_sub(first.at.as_micros());
        let time = format!("{:>+10.3} s", micros as f64 / 1e6);
        text.push_str(&line(&time, &lanes, |canvas| {
            (0..lanes.len()).for_each(|lane| put(canvas, column(lane), "|"));
            arrow(canvas, column(from), column(to), &label(&row.bytes));
        }));
    }
    text
}

/// What a message is, shortly: its method, or its status with reason and the method it answers.
pub(crate) fn label(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let Some(status) = first.strip_prefix("SIP/2.0 ") else {
        return first.split(' ').next().unwrap_or_default().to_owned();
    };
    let cseq = lines.take_while(|line| !line.is_empty()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let method = value.split_whitespace().nth(1)?;
        name.trim().eq_ignore_ascii_case("cseq").then_some(method)
    });
    cseq.map_or_else(|| status.to_owned(), |method| format!("{status} ({method})"))
}

fn column(lane: usize) -> usize {
    MARGIN + lane * LANE_WIDTH
}

fn line(time: &str, lanes: &[&str], draw: impl FnOnce(&mut Vec<char>)) -> String {
    let mut canvas = vec![' '; column(lanes.len() - 1) + MARGIN + LANE_WIDTH];
    draw(&mut canvas);
    let drawn: String = canvas.into_iter().collect();
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{time:<TIME_WIDTH$}  {}", drawn.trim_end());
    text
}

fn put(canvas: &mut [char], at: usize, text: &str) {
    for (place, c) in canvas.iter_mut().skip(at).zip(text.chars()) {
        // A header is a peer's text: nothing of it may move a terminal's cursor.
        *place = if c.is_control() { '?' } else { c };
    }
}

fn arrow(canvas: &mut [char], from: usize, to: usize, label: &str) {
    let (left, right) = (from.min(to), from.max(to));
    canvas[left + 1..right].fill('-');
    let room = right.saturating_sub(left + 5);
    let label: String = label.chars().take(room.saturating_sub(2)).collect();
    let start = left + (right - left).saturating_sub(label.chars().count() + 2) / 2 + 1;
    put(canvas, start, &format!(" {label} "));
    if from < to {
        canvas[right - 1] = '>';
    } else {
        canvas[left + 1] = '<';
    }
}

#[cfg(test)]
mod tests {
    use base::UnixTime;

    use super::*;

    fn row(millis: i64, sent: bool, remote: &str, first_line: &str) -> LadderRow {
        LadderRow {
            at: UnixTime::from_micros(1_795_168_800_000_000 + millis * 1000),
            sent,
            transport: "udp".into(),
            local: "127.0.0.1:5060".into(),
            remote: remote.into(),
            bytes: format!("{first_line}\r\nCSeq: 1 INVITE\r\n\r\n").into_bytes(),
        }
    }

    #[test]
    fn a_ladder_draws_the_caller_left_and_the_agent_right_of_the_engine() {
        let ladder = [
            row(0, false, "127.0.0.2:5060", "INVITE sip:+15550100@strowger SIP/2.0"),
            row(1, true, "127.0.0.2:5060", "SIP/2.0 100 Trying"),
            row(4210, true, "127.0.0.1:40001", "INVITE sip:alice@127.0.0.1:40001 SIP/2.0"),
            row(5000, false, "127.0.0.1:40001", "SIP/2.0 200 OK"),
        ];
        let expected = "
                   127.0.0.2:5060                   strowger                 127.0.0.1:40001
    +0.000 s              |----------- INVITE --------->|                             |
    +0.001 s              |<--- 100 Trying (INVITE) ----|                             |
    +4.210 s              |                             |----------- INVITE --------->|
    +5.000 s              |                             |<----- 200 OK (INVITE) ------|
";
        let squeeze = |text: &str| -> Vec<String> {
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
        };
        let drawn = diagram(&ladder);
        assert_eq!(squeeze(&drawn), squeeze(expected.trim_start_matches('\n')), "\n{drawn}");
        let bars = |line: &str| line.match_indices('|').map(|(at, _)| at).collect::<Vec<_>>();
        let lines: Vec<_> = drawn.lines().skip(1).map(bars).collect();
        assert!(lines.windows(2).all(|pair| pair[0] == pair[1]), "lanes are straight\n{drawn}");
    }

    #[test]
    fn a_hostile_first_line_cannot_leave_its_arrow() {
        let long = format!("\u{1b}[2J{} x SIP/2.0", "A".repeat(500));
        let drawn = diagram(&[row(0, false, "192.0.2.1:5060", &long)]);
        assert!(!drawn.contains('\u{1b}') && drawn.lines().all(|line| line.len() < 120), "{drawn}");
        assert_eq!(label(b""), "");
        assert_eq!(diagram(&[]), "no SIP messages\n");
    }
}
