//! What comes in whole: a datagram (RFC 3261 §18, RFC 5626 §8) or a WebSocket message
//! (RFC 7118 §5), sorted into SIP and what only keeps the path open.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::framing::{Frame, FrameError, FrameProblem};
use crate::message::MAX_MESSAGE;
use crate::stun;

/// What a datagram is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Datagram {
    /// SIP, or meant to be: for [`crate::Input::Received`].
    Message,
    /// Only to keep a NAT binding open. If there is an answer, send it back.
    KeepAlive(Option<Bytes>),
    /// The answer to a STUN request of ours.
    Answer(stun::Answer),
}

/// Sorts a datagram that came from there.
///
/// Line ends, zeros and blanks alone are what phones send to keep NAT bindings open on UDP. They
/// get no answer: RFC 5626 defines one for streams only (§3.5.1), and on UDP it would go to
/// whoever is named as the source. STUN Binding requests get theirs (§4.4.2).
#[must_use]
pub fn datagram(bytes: &[u8], source: SocketAddr) -> Datagram {
    let filler = |byte: &u8| matches!(byte, b'\r' | b'\n' | b' ' | 0);
    match bytes.first() {
        None => Datagram::KeepAlive(None),
        // STUN begins with a zero bit pair; so do zeros.
        Some(first) if first & 0xc0 == 0 => {
            if stun::is_stun(bytes) {
                let of_ours = stun::read_answer(bytes);
                let asked = || Datagram::KeepAlive(stun::answer(bytes, source));
                return of_ours.map_or_else(asked, Datagram::Answer);
            }
            if bytes.len() <= 16 && bytes.iter().all(filler) {
                return Datagram::KeepAlive(None);
            }
            Datagram::Message
        }
        Some(_) => Datagram::Message,
    }
}

/// Sorts the payload of one WebSocket message, text or binary: it is one SIP message (RFC 7118
/// §5), and needs no Content-Length. CR LF CR LF is answered with CR LF in a message of its own
/// (RFC 5626 §4.4.1); other line ends are the answer to ours.
///
/// # Errors
/// When it is too long: hand it to the endpoint, which answers 513, then close.
pub fn websocket(payload: Bytes) -> Result<Option<Frame>, FrameError> {
    if payload.len() > MAX_MESSAGE {
        let problem = FrameProblem::MessageTooLong;
        return Err(FrameError { problem, head: Some(payload) });
    }
    Ok(match &payload[..] {
        [] => None,
        b"\r\n\r\n" => Some(Frame::Ping),
        b"\r\n" => Some(Frame::Pong),
        _ => Some(Frame::Message(payload)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]

    use super::*;

    fn sorted(bytes: &[u8]) -> Datagram {
        datagram(bytes, "192.0.2.1:5060".parse().unwrap())
    }

    #[test]
    fn keep_alives_on_udp_are_told_from_messages_and_only_stun_is_answered() {
        for bytes in [&b""[..], b"\r\n", b"\r\n\r\n", b"\0\0\0\0", b"\0", b"  \r\n"] {
            assert_eq!(sorted(bytes), Datagram::KeepAlive(None), "{bytes:?}");
        }
        let stun = b"\0\x01\0\0\x21\x12\xa4\x42abcdefghijkl";
        assert!(matches!(sorted(stun), Datagram::KeepAlive(Some(_))));
        let other = b"\0\x11\0\0\x21\x12\xa4\x42abcdefghijkl";
        assert_eq!(sorted(other), Datagram::KeepAlive(None), "an indication");
        let answer = b"\x01\x01\0\0\x21\x12\xa4\x42abcdefghijkl";
        assert!(matches!(sorted(answer), Datagram::Answer(_)), "to a request of ours");
        for bytes in [&b"OPTIONS"[..], b"\r\nOPTIONS", &[b'\r'; 40]] {
            assert_eq!(sorted(bytes), Datagram::Message, "{bytes:?}");
        }
    }

    #[test]
    fn a_websocket_message_is_one_sip_message_or_a_keep_alive() {
        let text = Bytes::from_static(b"OPTIONS sip:a SIP/2.0\r\n\r\n");
        assert_eq!(websocket(text.clone()), Ok(Some(Frame::Message(text))));
        assert_eq!(websocket(Bytes::from_static(b"\r\n\r\n")), Ok(Some(Frame::Ping)));
        assert_eq!(websocket(Bytes::from_static(b"\r\n")), Ok(Some(Frame::Pong)));
        assert_eq!(websocket(Bytes::new()), Ok(None));
        let mut long = b"OPTIONS sip:a SIP/2.0\r\n\r\n".to_vec();
        long.resize(MAX_MESSAGE + 1, b'x');
        let error = websocket(long.into()).unwrap_err();
        assert_eq!(error.problem, FrameProblem::MessageTooLong);
        assert_eq!(error.head.unwrap().len(), MAX_MESSAGE + 1);
    }
}
