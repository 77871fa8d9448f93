//! The description of a recording session (RFC 7866 §7.1.1): two audio sections that only send, the
//! caller's and the called's, told apart by their labels (RFC 4574). Each is negotiated as a
//! description of one section; a server may take one and refuse the other.

use bytes::Bytes;

use super::{
    Capabilities, Description, Local, MAX_MEDIA, NegotiationError, Settled, accept, answer, offer,
};
use crate::{Codec, Direction};

/// The labels of the two sections, which the metadata names them by.
pub const LABELS: [&str; 2] = ["1", "2"];

/// What is offered to a recording server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopiesOffer {
    /// Each section as an offer of its own.
    sections: [Bytes; 2],
}

/// What a recording server's offer is answered with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopiesAnswer {
    /// The answer's text.
    pub body: Bytes,
    /// What it settles of each section; nothing of a refused one.
    pub settled: [Option<Settled>; 2],
}

impl CopiesOffer {
    /// An offer of both sections from two ports of ours, each with the codec it is to have before
    /// the others. Without `active` nothing is to be sent for now.
    #[must_use]
    pub fn new(
        locals: &[Local; 2],
        caps: &Capabilities,
        prefer: [Option<Codec>; 2],
        active: bool,
    ) -> Self {
        let direction = if active { Direction::SendOnly } else { Direction::Inactive };
        let section = |at: usize| {
            let text = offer(&locals[at], caps, prefer[at]);
            directed(&text, direction, LABELS[at])
        };
        Self { sections: [section(0), section(1)] }
    }

    /// Its text.
    #[must_use]
    pub fn body(&self) -> Bytes {
        let [first, second] = &self.sections;
        joined(first, section_of(second))
    }

    /// What the answer settles of each section; nothing of one that it refuses.
    ///
    /// # Errors
    /// When the answer does not fit the offer, or takes neither.
    pub fn accept(&self, answer: &Description) -> Result<[Option<Settled>; 2], NegotiationError> {
        if answer.media.len() != self.sections.len() {
            return Err(NegotiationError::Mismatch);
        }
        let settled = |at: usize| accept(&self.sections[at], &alone(answer, at)?);
        one_at_least([settled(0), settled(1)])
    }
}

/// Answers a new offer of the recording server's: both sections where they were, each with the
/// codec it has.
///
/// # Errors
/// When it has not the two sections that there were, or none of them can be taken.
pub fn answer_copies(
    theirs: &Description,
    locals: &[Local; 2],
    caps: &Capabilities,
    prefer: [Option<Codec>; 2],
) -> Result<CopiesAnswer, NegotiationError> {
    if theirs.media.len() != LABELS.len() || theirs.media.len() > MAX_MEDIA {
        return Err(NegotiationError::Mismatch);
    }
    let section = |at: usize| answer(&alone(theirs, at)?, &locals[at], caps, prefer[at]);
    let [first, second] = [section(0), section(1)];
    let text = |answered: &Result<super::Answer, NegotiationError>, at: usize| match answered {
        Ok(answered) => directed(&answered.body, sends_only(answered), LABELS[at]),
        Err(_) => refused(theirs, &locals[at], at),
    };
    let body = joined(&text(&first, 0), section_of(&text(&second, 1)));
    let settled = one_at_least([first.map(|a| a.settled), second.map(|a| a.settled)])?;
    Ok(CopiesAnswer { body, settled })
}

/// What we do on a section: we never hear anything.
fn sends_only(answered: &super::Answer) -> Direction {
    Direction::new(answered.settled.remote.direction.receives(), false)
}

/// A refused section, as a description of its own.
fn refused(theirs: &Description, local: &Local, at: usize) -> Bytes {
    let mut text = super::offer::head(local);
    if let Some(section) = theirs.media.get(at) {
        super::answer::refuse(&mut text, section);
    }
    Bytes::from(text)
}

/// The description of one section of several.
fn alone(all: &Description, at: usize) -> Result<Description, NegotiationError> {
    let section = all.media.get(at).ok_or(NegotiationError::Mismatch)?;
    let (origin_id, version) = (all.origin_id.clone(), all.version);
    Ok(Description { origin_id, version, media: vec![section.clone()] })
}

fn one_at_least(
    settled: [Result<Settled, NegotiationError>; 2],
) -> Result<[Option<Settled>; 2], NegotiationError> {
    match settled {
        [Err(error), Err(_)] => Err(error),
        [first, second] => Ok([first.ok(), second.ok()]),
    }
}

/// A description of ours with another direction, and a label.
fn directed(text: &[u8], direction: Direction, label: &str) -> Bytes {
    let text = String::from_utf8_lossy(text);
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| match line.strip_prefix("a=").and_then(Direction::from_name) {
            Some(_) => format!("a={}", direction.name()),
            None => line.to_owned(),
        })
        .collect();
    lines.push(format!("a=label:{label}"));
    Bytes::from(lines.join("\r\n") + "\r\n")
}

/// A description's one section.
fn section_of(text: &[u8]) -> &[u8] {
    let at = text.windows(3).position(|three| three == b"\nm=").map_or(text.len(), |at| at + 1);
    text.get(at..).unwrap_or_default()
}

fn joined(first: &[u8], section: &[u8]) -> Bytes {
    Bytes::from([first, section].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use base::Rng;

    use super::super::{Encryption, LocalKeys, Numbers, parse};
    use super::*;

    fn locals() -> [Local; 2] {
        let mut rng = Rng::from_seed(7);
        [20_000, 20_002].map(|port| Local {
            address: [192, 0, 2, 1].into(),
            port,
            origin_id: 7,
            version: 1,
            keys: LocalKeys::draw(&mut rng),
            numbers: Numbers::default(),
            web: None,
        })
    }

    fn caps(encryption: Encryption) -> Capabilities {
        Capabilities { encryption, telephone_event: false, ..Capabilities::default() }
    }

    fn server(first: &str, second: &str) -> Description {
        let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n";
        parse(format!("{head}{first}{second}").as_bytes()).unwrap()
    }

    #[test]
    fn two_labelled_sections_only_send() {
        let prefer = [Some(Codec::Pcma), Some(Codec::Pcmu)];
        let offer = CopiesOffer::new(&locals(), &caps(Encryption::Off), prefer, true);
        let text = String::from_utf8(offer.body().to_vec()).unwrap();
        assert_eq!(text.matches("v=0").count(), 1);
        assert_eq!(text.matches("a=sendonly\r\n").count(), 2);
        assert!(!text.contains("sendrecv") && !text.contains("telephone-event"), "{text}");
        assert!(text.contains("m=audio 20000 RTP/AVP 8 ") && text.contains("a=label:1\r\n"));
        assert!(text.contains("m=audio 20002 RTP/AVP 0 ") && text.ends_with("a=label:2\r\n"));
        let parsed = parse(text.as_bytes()).unwrap();
        assert_eq!(parsed.media.len(), 2);
        let held = CopiesOffer::new(&locals(), &caps(Encryption::Off), prefer, false).body();
        assert_eq!(String::from_utf8_lossy(&held).matches("a=inactive\r\n").count(), 2);
    }

    #[test]
    fn a_server_takes_both_or_one_and_each_where_it_says() {
        let offer = CopiesOffer::new(&locals(), &caps(Encryption::Off), [None, None], true);
        let one = "m=audio 5000 RTP/AVP 0\r\na=recvonly\r\n";
        let two = "m=audio 5002 RTP/AVP 8\r\na=recvonly\r\n";
        let [first, second] = offer.accept(&server(one, two)).unwrap().map(Option::unwrap);
        assert_eq!((first.remote.rtp.port(), first.remote.codec), (5000, Codec::Pcmu));
        assert_eq!((second.remote.rtp.port(), second.remote.codec), (5002, Codec::Pcma));
        assert!(first.remote.direction.receives() && !first.remote.direction.sends());
        let refused = "m=audio 0 RTP/AVP 0\r\n";
        let [first, second] = offer.accept(&server(refused, two)).unwrap();
        assert!(first.is_none() && second.is_some());
        assert!(offer.accept(&server(refused, refused)).is_err());
        assert_eq!(offer.accept(&server(one, "")), Err(NegotiationError::Mismatch));
    }

    #[test]
    fn copies_are_encrypted_where_they_must_be() {
        let locals = locals();
        let caps = caps(Encryption::Required);
        let offer = CopiesOffer::new(&locals, &caps, [None, None], true);
        let text = String::from_utf8(offer.body().to_vec()).unwrap();
        assert_eq!(text.matches("RTP/SAVP").count(), 2);
        assert!(text.matches("a=crypto:").count() >= 2);
        let plain = "m=audio 5000 RTP/AVP 0\r\na=recvonly\r\n";
        assert!(offer.accept(&server(plain, plain)).is_err(), "never in the clear instead");
    }

    #[test]
    fn a_servers_own_offer_pauses_and_resumes_the_copies() {
        let prefer = [Some(Codec::Pcmu), Some(Codec::Pcma)];
        let one = "m=audio 5000 RTP/AVP 0 8\r\na=inactive\r\n";
        let two = "m=audio 5002 RTP/AVP 0 8\r\na=recvonly\r\n";
        let caps = caps(Encryption::Off);
        let answer = answer_copies(&server(one, two), &locals(), &caps, prefer).unwrap();
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(text.contains("m=audio 20000 RTP/AVP 0\r\n"), "{text}");
        assert!(text.contains("m=audio 20002 RTP/AVP 8\r\n"), "{text}");
        let (paused, sent) = (text.find("a=inactive").unwrap(), text.find("a=sendonly").unwrap());
        assert!(paused < sent);
        let [first, second] = answer.settled.map(Option::unwrap);
        assert!(!first.remote.direction.receives() && second.remote.direction.receives());
    }
}
