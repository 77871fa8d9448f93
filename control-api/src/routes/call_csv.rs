//! Calls as lines of CSV (RFC 4180), for spreadsheets.

use super::call_views::CallView;

/// The first line.
pub(super) const HEAD: &str = "id,started_at,state,direction,from,from_name,to,trunk,queue,agent,\
    answered_at,connected_at,ended_at,duration_s,wait_s,talk_s,cause,q850,ended_by,recordings\r\n";

/// A call as a line.
pub(super) fn line(call: &CallView) -> String {
    let text = |value: &Option<String>| cell(value.as_deref().unwrap_or_default());
    let seconds = |value: Option<f64>| value.map(|s| format!("{s:.3}")).unwrap_or_default();
    let ended = call.ended_at.is_some();
    let cells = [
        cell(&call.id),
        cell(&call.started_at),
        cell(&call.state),
        cell(&call.direction),
        cell(&call.from),
        text(&call.from_name),
        cell(&call.to),
        text(&call.trunk),
        text(&call.queue),
        text(&call.agent),
        text(&call.answered_at),
        text(&call.connected_at),
        text(&call.ended_at),
        seconds(ended.then_some(call.duration_s)),
        seconds(call.wait_s),
        seconds(call.talk_s),
        text(&call.cause),
        call.q850.map(|cause| cause.to_string()).unwrap_or_default(),
        text(&call.ended_by),
        cell(&call.recording_ids.join(" ")),
    ];
    cells.join(",") + "\r\n"
}

/// A cell. What came from outside and a spreadsheet would take for a formula begins with `'`; a
/// number with its `+` is none.
fn cell(text: &str) -> String {
    let is_number =
        |rest: &str| !rest.is_empty() && rest.bytes().all(|digit| digit.is_ascii_digit());
    let is_formula = match text.as_bytes().first() {
        Some(b'+') => !is_number(&text[1..]),
        Some(b'=' | b'-' | b'@' | b'\t' | b'\r') => true,
        _ => false,
    };
    let guarded = if is_formula { format!("'{text}") } else { text.to_owned() };
    if guarded.contains(['"', ',', '\r', '\n']) {
        return format!("\"{}\"", guarded.replace('"', "\"\""));
    }
    guarded
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn no_cell_becomes_two_and_none_a_formula() {
        assert_eq!(cell("+4930123456"), "+4930123456");
        assert_eq!(cell("Doe, \"J\""), "\"Doe, \"\"J\"\"\"");
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("+1+HYPERLINK(\"x\")"), "\"'+1+HYPERLINK(\"\"x\"\")\"");
        assert_eq!(cell("@sum"), "'@sum");
    }
}
