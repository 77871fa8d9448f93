//! What the recording server is told of a call (RFC 7865): the call, who takes part in it and since
//! when, and whose voice each stream carries. Always the whole of it, as it is now.

use std::fmt::Write as _;

use base::{LegId, Rng, UnixTime};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use media::sdp::LABELS;

use super::Shown;

/// The type of the body's part (RFC 7866 §9.1).
pub(super) const TYPE: &str = "application/rs-metadata+xml";
/// What a server asks for the whole of it with (RFC 7866 §8.2).
pub(super) const REQUEST_TYPE: &str = "application/rs-metadata-request";
/// Of those who have left, so many are remembered.
const MOST_LEFT: usize = 8;

/// What a call is called in its metadata, and who has taken part in it.
pub(super) struct Metadata {
    /// The call's own name, so that a recording can be found by it.
    call: String,
    streams: [String; 2],
    parties: Vec<Party>,
}

/// Somebody who takes part, or has.
struct Party {
    leg: LegId,
    name: String,
    said: Said,
    since: UnixTime,
    until: Option<UnixTime>,
}

/// Who somebody is.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// As an address: `sip:alice@acme.example`, `tel:+4930123456`.
    pub(super) aor: String,
    /// The name shown, if there is one.
    pub(super) name: Option<String>,
}

impl Metadata {
    pub(super) fn new(call: u128, rng: &mut Rng) -> Self {
        let streams = [name(rng), name(rng)];
        Self { call: STANDARD.encode(call.to_be_bytes()), streams, parties: Vec::new() }
    }

    /// Those who are there now; who was and is not has left.
    pub(super) fn attend(&mut self, at: UnixTime, present: &[(LegId, Said)], rng: &mut Rng) {
        for party in &mut self.parties {
            let is_present = present.iter().any(|(leg, _)| *leg == party.leg);
            if !is_present && party.until.is_none() {
                party.until = Some(at);
            }
        }
        for (leg, said) in present {
            let known = self.parties.iter_mut().find(|party| party.leg == *leg);
            match known {
                Some(party) => (party.until, party.said) = (None, said.clone()),
                None => {
                    let (leg, name, said) = (*leg, name(rng), said.clone());
                    self.parties.push(Party { leg, name, said, since: at, until: None });
                }
            }
        }
        while self.parties.iter().filter(|party| party.until.is_some()).count() > MOST_LEFT {
            let oldest = self.parties.iter().position(|party| party.until.is_some());
            oldest.into_iter().for_each(|at| drop(self.parties.remove(at)));
        }
    }

    /// The document. `began` is when the call was, and `copied` since when it is recorded.
    pub(super) fn xml(&self, shown: &Shown, began: UnixTime, copied: UnixTime) -> String {
        let call = &self.call;
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
             <recording xmlns=\"urn:ietf:params:xml:ns:recording:1\">\r\n\
             <datamode>complete</datamode>\r\n\
             <session session_id=\"{call}\"><start-time>{began}</start-time></session>\r\n"
        );
        // Writing to a String cannot fail.
        for Party { name, said, .. } in &self.parties {
            let aor = escaped(&said.aor);
            let _ = write!(xml, "<participant participant_id=\"{name}\"><nameID aor=\"{aor}\">");
            if let Some(shown) = &said.name {
                let _ = write!(xml, "<name>{}</name>", escaped(shown));
            }
            xml.push_str("</nameID></participant>\r\n");
        }
        for (stream, label) in self.streams.iter().zip(LABELS) {
            let _ = write!(
                xml,
                "<stream stream_id=\"{stream}\" session_id=\"{call}\"><label>{label}</label>\
                 </stream>\r\n"
            );
        }
        let _ = write!(
            xml,
            "<sessionrecordingassoc session_id=\"{call}\"><associate-time>{copied}\
             </associate-time></sessionrecordingassoc>\r\n"
        );
        for Party { name, since, until, .. } in &self.parties {
            let _ = write!(
                xml,
                "<participantsessionassoc participant_id=\"{name}\" session_id=\"{call}\">\
                 <associate-time>{since}</associate-time>"
            );
            if let Some(until) = until {
                let _ = write!(xml, "<disassociate-time>{until}</disassociate-time>");
            }
            xml.push_str("</participantsessionassoc>\r\n");
        }
        self.write_streams(&mut xml, shown);
        xml.push_str("</recording>\r\n");
        xml
    }

    /// Who says and hears what: nobody anything while the conversation is held.
    fn write_streams(&self, xml: &mut String, shown: &Shown) {
        let [first, second] = &self.streams;
        let voices = [(first, second), (second, first)];
        for (leg, (own, other)) in shown.legs.iter().zip(voices) {
            let party = self.parties.iter().find(|party| Some(party.leg) == *leg);
            let Some(Party { name, .. }) = party else { continue };
            let _ = write!(xml, "<participantstreamassoc participant_id=\"{name}\">");
            if shown.active {
                let _ = write!(xml, "<send>{own}</send><recv>{other}</recv>");
            }
            xml.push_str("</participantstreamassoc>\r\n");
        }
    }
}

/// A new name: a random UUID (RFC 9562 §5.4), as the schema writes one.
fn name(rng: &mut Rng) -> String {
    let mut bytes = [0; 16];
    rng.fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    STANDARD.encode(bytes)
}

/// As XML 1.0 takes it: what it has a meaning for is escaped, what it forbids is left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(aor: &str, name: Option<&str>) -> Said {
        Said { aor: aor.to_owned(), name: name.map(str::to_owned) }
    }

    #[test]
    fn who_came_and_went_is_told_with_times_and_names_cannot_break_out() {
        let mut rng = Rng::from_seed(1);
        let mut metadata = Metadata::new(7, &mut rng);
        let (at, later) = (UnixTime::from_micros(0), UnixTime::from_micros(5_000_000));
        let [caller, alice, bob] = [1, 2, 3].map(LegId);
        let carla = || (caller, said("tel:+4930123456", Some("Carla <\"C\"> & 'co'\u{7}")));
        let of_alice = (alice, said("sip:alice@acme.example", None));
        metadata.attend(at, &[carla(), of_alice], &mut rng);
        let of_bob = (bob, said("sip:bob@acme.example", None));
        metadata.attend(later, &[carla(), of_bob], &mut rng);
        let shown = Shown { legs: [Some(caller), Some(bob)], active: true };
        let xml = metadata.xml(&shown, at, at);
        assert!(xml.contains("<name>Carla &lt;&quot;C&quot;&gt; &amp; &apos;co&apos;</name>"));
        assert_eq!(xml.matches("<participant participant_id").count(), 3);
        assert_eq!(xml.matches("<disassociate-time>1970-01-01T00:00:05").count(), 1);
        assert_eq!(xml.matches("<send>").count(), 2);
        assert!(xml.contains("session_id=\"AAAAAAAAAAAAAAAAAAAABw==\""));
        let held = metadata.xml(&Shown { active: false, ..shown }, at, at);
        assert!(!held.contains("<send>") && held.contains("<participantstreamassoc"));
    }

    #[test]
    fn a_call_that_goes_round_and_round_keeps_its_metadata_small() {
        let mut rng = Rng::from_seed(1);
        let mut metadata = Metadata::new(7, &mut rng);
        for leg in 0..100_u32 {
            let at = UnixTime::from_micros(leg.into());
            metadata.attend(at, &[(LegId(leg.into()), said("sip:a@b", None))], &mut rng);
        }
        assert_eq!(metadata.parties.len(), MOST_LEFT + 1);
    }
}
