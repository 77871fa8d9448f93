//! Cutting a stream into messages by Content-Length, bounded (RFC 3261 §18.3; pings are RFC 5626
//! §4.4.1).

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes, BytesMut};

use crate::message::{MAX_HEAD, MAX_MESSAGE, Name, content_length};

/// One thing a stream held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// A message's bytes, for [`crate::Message::parse`].
    Message(Bytes),
    /// CR LF CR LF between messages: answer CR LF.
    Ping,
    /// CR LF between messages: the answer to our ping.
    Pong,
}

/// Why a stream cannot go on: close it. If `head` is there, hand it to the endpoint first, which
/// answers it with the right status (400 or 513) and never takes it for a whole message.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{problem}")]
pub struct FrameError {
    /// What is wrong.
    pub problem: FrameProblem,
    /// The head of the message, if it had an end.
    pub head: Option<Bytes>,
}

/// What is wrong with a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameProblem {
    /// No end of the head within the limit.
    #[error("header fields without an end in the first {MAX_HEAD} bytes")]
    HeadTooLong,
    /// The message would be over the limit.
    #[error("a message longer than {MAX_MESSAGE} bytes")]
    MessageTooLong,
    /// No Content-Length, which streams need.
    #[error("no Content-Length")]
    NoContentLength,
    /// A Content-Length that is no number, or two of them.
    #[error("a Content-Length that is not one number")]
    ContentLength,
}

/// Collects a stream's bytes and gives out its messages. Holds one message and one read at most.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no end of a head.
    searched: usize,
    /// Length of the whole message, once its head is there.
    wanted: Option<usize>,
    frames: VecDeque<Frame>,
    failed: Option<FrameError>,
    reported: bool,
}

impl Framer {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they come, cut anywhere. After an error everything is dropped.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && self.failed.is_none() {
            let most = self.wanted.unwrap_or(MAX_HEAD);
            let room = most.saturating_sub(self.buffer.len()).max(1);
            let (fitting, later) = rest.split_at(rest.len().min(room));
            self.make_room(fitting.len(), most);
            self.buffer.extend_from_slice(fitting);
            rest = later;
            while self.failed.is_none() && self.cut() {}
        }
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new(); // an idle connection holds no memory
        }
    }

    /// Room for so many more bytes: twice as much as there was, but no more than the message can
    /// take, and nothing for what it merely says it will.
    fn make_room(&mut self, more: usize, most: usize) {
        let needed = self.buffer.len() + more;
        if needed > self.buffer.capacity() {
            let capacity = needed.next_power_of_two().min(most).max(needed);
            let mut larger = BytesMut::with_capacity(capacity);
            larger.extend_from_slice(&self.buffer);
            self.buffer = larger;
        }
    }

    /// The next frame; an error comes once and last.
    pub fn poll(&mut self) -> Option<Result<Frame, FrameError>> {
        if let Some(frame) = self.frames.pop_front() {
            return Some(Ok(frame));
        }
        if self.reported {
            return None;
        }
        let error = self.failed.clone()?;
        self.reported = true;
        Some(Err(error))
    }

    /// Cuts one frame off the front; says whether to go on.
    fn cut(&mut self) -> bool {
        if let Some(wanted) = self.wanted {
            if self.buffer.len() < wanted {
                return false;
            }
            let message = self.buffer.split_to(wanted).freeze();
            (self.wanted, self.searched) = (None, 0);
            self.frames.push_back(Frame::Message(message));
            return true;
        }
        if self.searched == 0 && self.cut_ping() {
            return true;
        }
        if matches!(&self.buffer[..], [] | [b'\r'] | [b'\r', b'\n', b'\r']) {
            return false; // nothing, or half a ping: what else begins so is no message
        }
        let window = &self.buffer[..self.buffer.len().min(MAX_HEAD)];
        let Some(at) = memchr::memmem::find(&window[self.searched..], b"\r\n\r\n") else {
            self.searched = window.len().saturating_sub(3);
            if self.buffer.len() >= MAX_HEAD {
                self.fail(FrameProblem::HeadTooLong, None);
            }
            return false;
        };
        let head = self.searched + at + 4;
        match body_length(&self.buffer[..head]) {
            Ok(body) if head + body <= MAX_MESSAGE => {
                self.wanted = Some(head + body);
                true
            }
            Ok(_) => {
                self.fail(FrameProblem::MessageTooLong, Some(head));
                false
            }
            Err(problem) => {
                self.fail(problem, Some(head));
                false
            }
        }
    }

    fn cut_ping(&mut self) -> bool {
        let (length, frame) = match &self.buffer[..] {
            [b'\r', b'\n', b'\r', b'\n', ..] => (4, Frame::Ping),
            [b'\r', b'\n', b'\r'] => return false, // a ping but for its end, or a pong
            [b'\r', b'\n', ..] => (2, Frame::Pong),
            _ => return false,
        };
        self.buffer.advance(length);
        // Unread pings must not pile up: one says as much as many.
        if self.frames.back() != Some(&frame) {
            self.frames.push_back(frame);
        }
        true
    }

    fn fail(&mut self, problem: FrameProblem, head: Option<usize>) {
        let head = head.map(|length| self.buffer.split_to(length).freeze());
        self.failed = Some(FrameError { problem, head });
        self.buffer = BytesMut::new();
    }
}

/// The Content-Length in a head, which ends with an empty line.
fn body_length(head: &[u8]) -> Result<usize, FrameProblem> {
    let mut found = None;
    let mut rest = head;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let name = line[..colon].trim_ascii_end();
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            continue; // a fold
        }
        let Ok(name) = std::str::from_utf8(name) else { continue };
        if Name::new(name) != Name::CONTENT_LENGTH {
            continue;
        }
        let mut value = line[colon + 1..].trim_ascii();
        if value.is_empty() && rest.starts_with(b" ") {
            let fold = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            value = rest[..fold].trim_ascii();
        }
        let length = content_length(value).ok_or(FrameProblem::ContentLength)?;
        if found.replace(length).is_some() {
            return Err(FrameProblem::ContentLength);
        }
    }
    found.ok_or(FrameProblem::NoContentLength)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"MESSAGE sip:a@b SIP/2.0\r\nl: 5\r\n\r\nhello";

    fn all(framer: &mut Framer) -> Vec<Result<Frame, FrameProblem>> {
        std::iter::from_fn(|| framer.poll()).map(|r| r.map_err(|e| e.problem)).collect()
    }

    #[test]
    fn messages_come_out_whole_however_the_stream_is_cut() {
        let mut stream = ONE.to_vec();
        stream.extend_from_slice(b"\r\n\r\n");
        stream.extend_from_slice(ONE);
        let message = Ok(Frame::Message(Bytes::from_static(ONE)));
        for size in 1..stream.len() {
            let mut framer = Framer::new();
            let mut frames = Vec::new();
            for piece in stream.chunks(size) {
                framer.push(piece);
                frames.extend(all(&mut framer));
            }
            let messages: Vec<_> = frames.iter().filter(|f| **f == message).collect();
            assert_eq!(messages.len(), 2, "cut every {size} bytes: {frames:?}");
            assert!(frames.iter().all(Result::is_ok));
        }
        let mut framer = Framer::new();
        framer.push(&stream);
        assert_eq!(all(&mut framer), [message.clone(), Ok(Frame::Ping), message]);
    }

    #[test]
    fn a_single_crlf_is_a_pong() {
        let mut framer = Framer::new();
        framer.push(b"\r\n");
        assert_eq!(all(&mut framer), [Ok(Frame::Pong)]);
    }

    #[test]
    fn lying_negative_double_and_missing_lengths_end_the_stream_with_the_head_to_answer() {
        for (text, problem) in [
            ("l: -999", FrameProblem::ContentLength),
            ("l: 5\r\nContent-Length: 5", FrameProblem::ContentLength),
            ("l: 99999", FrameProblem::MessageTooLong),
            ("x: 1", FrameProblem::NoContentLength),
        ] {
            let mut framer = Framer::new();
            let head = format!("MESSAGE sip:a@b SIP/2.0\r\n{text}\r\n\r\n");
            framer.push(head.as_bytes());
            let error = framer.poll().unwrap().unwrap_err();
            assert_eq!(error.problem, problem);
            assert_eq!(error.head.unwrap(), head.as_bytes());
            framer.push(ONE);
            assert!(framer.poll().is_none(), "nothing after an error");
        }
    }

    #[test]
    fn a_head_without_an_end_is_refused_at_the_limit() {
        let mut framer = Framer::new();
        for _ in 0..MAX_HEAD / 8 {
            framer.push(b"Accept: ");
        }
        assert_eq!(all(&mut framer), [Err(FrameProblem::HeadTooLong)]);
        assert!(framer.buffer.is_empty());
    }

    #[test]
    fn a_cr_that_begins_no_ping_holds_nothing_up_and_ends_at_the_limit() {
        for start in [&b"\r"[..], b"\r\n\r", b"\rA", b"\r\n\r\r"] {
            let mut framer = Framer::new();
            framer.push(start);
            for _ in 0..MAX_HEAD / 8 {
                framer.push(b"AAAAAAAA");
            }
            let last = all(&mut framer).pop();
            assert_eq!(last, Some(Err(FrameProblem::HeadTooLong)), "{start:?}");
            assert_eq!(framer.buffer.capacity(), 0);
        }
    }

    #[test]
    fn an_idle_framer_holds_no_buffer() {
        let mut framer = Framer::new();
        framer.push(ONE);
        assert_eq!(framer.buffer.capacity(), 0);
    }
}
