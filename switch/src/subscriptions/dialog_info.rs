//! `application/dialog-info+xml` (RFC 4235 §4): an agent's dialogs, all of them in each document.

use std::fmt::Write as _;

use base::AgentId;
use sip::DialogId;

/// A dialog of an agent's, as colleagues may see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AgentDialog {
    pub(crate) agent: AgentId,
    /// Names it in the documents.
    pub(crate) id: String,
    /// Whether the agent called, or was called.
    pub(crate) initiator: bool,
    pub(crate) state: AgentDialogState,
    /// The number or name of whoever is at the other end.
    pub(crate) remote: String,
    /// What it is called on the wire, while it rings: for those who may pick it up, and nobody
    /// else, since it could be taken over with it.
    pub(crate) dialog: Option<DialogId>,
}

/// Where a dialog stands (RFC 4235 §3.7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AgentDialogState {
    /// It rings, or is about to.
    Early,
    /// They talk.
    Confirmed,
    /// It is over; told once.
    Terminated,
}

impl AgentDialogState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::Confirmed => "confirmed",
            Self::Terminated => "terminated",
        }
    }
}

/// The document: the agent at that address has these dialogs, and no others.
pub(super) fn document(
    entity: &str,
    domain: &str,
    version: u32,
    dialogs: &[AgentDialog],
    may_pick_up: bool,
) -> String {
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
         state=\"full\" entity=\"{}\">\r\n",
        escaped(entity)
    );
    for dialog in dialogs {
        let direction = if dialog.initiator { "initiator" } else { "recipient" };
        let named = dialog.dialog.as_ref().filter(|_| may_pick_up).map(names).unwrap_or_default();
        _ = write!(
            xml,
            "<dialog id=\"{}\"{named} direction=\"{direction}\">\r\n<state>{}</state>\r\n\
             <remote><identity>sip:{}@{}</identity></remote>\r\n</dialog>\r\n",
            escaped(&dialog.id),
            dialog.state.as_str(),
            escaped(&dialog.remote),
            escaped(domain),
        );
    }
    xml.push_str("</dialog-info>\r\n");
    xml
}

/// The dialog's names as the agent's phone knows them (RFC 4235 §4.1.2).
fn names(ours: &DialogId) -> String {
    format!(
        " call-id=\"{}\" local-tag=\"{}\" remote-tag=\"{}\"",
        escaped(&ours.call_id),
        escaped(&ours.remote_tag),
        escaped(&ours.local_tag)
    )
}

/// Text as it may stand in XML 1.0; what no document may hold becomes a space.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_calls_itself_cannot_break_the_document() {
        let remote = "\"><dialog id='x'>&\u{1}\r\n".to_owned();
        let agent = AgentId::new("alice").unwrap();
        let state = AgentDialogState::Early;
        let dialog = AgentDialog {
            agent,
            id: "1".to_owned(),
            initiator: false,
            state,
            remote,
            dialog: None,
        };
        let xml = document("sip:alice@acme.example", "acme.example", 3, &[dialog], true);
        assert!(xml.contains("version=\"3\" state=\"full\" entity=\"sip:alice@acme.example\""));
        assert!(xml.contains("sip:&quot;&gt;&lt;dialog id=&apos;x&apos;&gt;&amp;   @acme.example"));
        assert_eq!(xml.matches("<dialog ").count(), 1);
    }
}
