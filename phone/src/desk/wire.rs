//! What a desk writes of its own: descriptions of its audio, and the twin of a forked answer.

use base::Instant;
use bytes::Bytes;
use media::Direction;
use media::sdp;
use sip::{Event, Message};

use super::{Desk, DeskOutput, LineId, port_of};

impl Desk {
    /// Carries out what the endpoint wants, until it wants nothing more.
    pub(super) fn drain(&mut self, now: Instant) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                sip::Output::Transmit { flow, bytes, .. } => {
                    let twin = self.twin(&bytes);
                    self.outputs.push_back(DeskOutput::Send { flow, bytes });
                    if let Some(bytes) = twin {
                        self.outputs.push_back(DeskOutput::Send { flow, bytes });
                    }
                }
                sip::Output::Event(event) => self.take(now, event),
                sip::Output::Rejected { problem, .. } => {
                    self.odd(format!("it sent what is no SIP: {problem}"));
                }
                sip::Output::Absorbed { .. } => {}
            }
        }
    }

    fn take(&mut self, now: Instant, event: Event) {
        match event {
            Event::Request { tx, flow, request } => self.on_request(now, tx, flow, &request),
            Event::Response { tx, response, .. } => self.on_response(now, tx, &response),
            Event::Ack { tx, ack, .. } => self.on_ack(now, tx, &ack),
            Event::Cancelled { tx, .. } | Event::Unanswered { tx } => self.on_cancelled(now, tx),
            Event::AckMissing { tx } => self.on_ack_missing(now, tx),
            Event::TimedOut { tx } | Event::TransportFailed { tx } => self.on_silence(now, tx),
        }
    }

    /// The answer of the other device behind a forked call: the same but for its tag.
    fn twin(&mut self, bytes: &Bytes) -> Option<Bytes> {
        if self.twins.is_empty() || !bytes.starts_with(b"SIP/2.0 200") {
            return None;
        }
        let response = Message::parse(bytes.clone()).ok()?;
        let is_invite = response.method() == sip::Method::Invite;
        let at = self.twins.iter().position(|id| is_invite && id == response.call_id())?;
        self.twins.swap_remove(at);
        let tag = response.to_tag()?;
        let text = String::from_utf8(bytes.to_vec()).ok()?;
        let own = format!("tag={tag}");
        Some(Bytes::from(text.replacen(&own, &format!("tag=twin{tag}"), 1)))
    }

    /// Our description on a line.
    pub(super) fn describe(&self, line: LineId, version: u64, direction: Direction) -> Bytes {
        let (ip, port) = (self.config.own.ip(), port_of(line));
        let way = match direction {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        };
        let number = line.0;
        Bytes::from(format!(
            "v=0\r\no=- {number} {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na={way}\r\n"
        ))
    }

    /// What the far end's description says that it does; `None`, and a word about it, if it is
    /// none that one can talk by.
    pub(super) fn read(&mut self, what: &str, body: &[u8]) -> Option<Direction> {
        let description = match sdp::parse(body) {
            Ok(description) => description,
            Err(error) => {
                self.odd(format!("its {what} does not parse: {error}"));
                return None;
            }
        };
        let audio = description.media.iter().find(|media| media.kind == "audio");
        let Some(audio) = audio.filter(|audio| audio.port != 0) else {
            self.odd(format!("its {what} has no audio"));
            return None;
        };
        Some(audio.direction)
    }

    /// Our description on a line as it stands, or as the answer to theirs.
    pub(super) fn description(&mut self, id: LineId, theirs: Option<Direction>) -> Bytes {
        let Some(line) = self.lines.get_mut(&id) else { return Bytes::new() };
        line.version += 1;
        let (version, holds) = (line.version, line.holds);
        let own = Direction::new(true, !holds);
        let direction = match theirs {
            Some(theirs) => Direction::new(theirs.receives(), theirs.sends() && !holds),
            None => own,
        };
        self.describe(id, version, direction)
    }
}
