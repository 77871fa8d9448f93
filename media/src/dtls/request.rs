//! Which certificates we ask a far end for that begins a handshake of DTLS 1.2 (CertificateRequest,
//! RFC 5246 §7.4.4): ECDSA, as browsers have them, and RSA, as many gateways have. `dimpl` asks for
//! ECDSA alone, and who has none of that shows none at all. So its request is widened on the way
//! out, and in the transcript of the handshake whenever that is hashed or verified.

use std::borrow::Cow;

/// Bytes before a record's content (RFC 6347 §4.1) and before a message's body (§4.2.2).
const RECORD_HEADER: usize = 13;
const MESSAGE_HEADER: usize = 12;

/// `ContentType.handshake`, `HandshakeType.certificate_request`.
const HANDSHAKE: u8 = 22;
const CERTIFICATE_REQUEST: u8 = 13;

/// `ClientCertificateType`s (RFC 5246 §7.4.4, RFC 8422 §5.5).
const RSA_SIGN: u8 = 1;
const ECDSA_SIGN: u8 = 64;

/// What we verify of RSA: PKCS #1 with SHA-256, SHA-384 and SHA-512 (RFC 5246 §7.4.1.4.1).
const RSA_SIGNATURES: [u8; 6] = [4, 1, 5, 1, 6, 1];

/// How the transcript of a handshake reads, which `dimpl` has as it wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Transcript {
    /// The far end asks, if anybody does.
    AsItIs,
    /// We ask, and for more than `dimpl` wrote.
    Widened,
}

impl Transcript {
    /// What is to be hashed or verified, if it is a transcript, as both ends have it.
    pub(super) fn read(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::AsItIs => Cow::Borrowed(bytes),
            Self::Widened => widened_transcript(bytes),
        }
    }
}

/// A datagram of `dimpl`'s as it is to be sent.
pub(super) fn widened_datagram(datagram: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Vec::new();
    let mut rest = datagram;
    let mut is_wider = false;
    while let Some((header, behind)) = rest.split_first_chunk::<RECORD_HEADER>() {
        let [kind, _, _, epoch @ .., high, low] = header;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some((content, behind)) = behind.split_at_checked(length) else { break };
        // Only what is not encrypted yet can be read; the request never is (epoch 0).
        let is_clear = *kind == HANDSHAKE && epoch.starts_with(&[0, 0]);
        let wider = is_clear.then(|| widened_message(content)).flatten();
        match wider.as_ref().map(|wider| (u16::try_from(wider.len()), wider)) {
            Some((Ok(length), wider)) => {
                is_wider = true;
                out.extend_from_slice(header.get(..RECORD_HEADER - 2).unwrap_or_default());
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(wider);
            }
            _ => {
                out.extend_from_slice(header);
                out.extend_from_slice(content);
            }
        }
        rest = behind;
    }
    out.extend_from_slice(rest);
    if is_wider { Cow::Owned(out) } else { Cow::Borrowed(datagram) }
}

/// A transcript of DTLS 1.2 with the request widened; anything else as it is.
fn widened_transcript(transcript: &[u8]) -> Cow<'_, [u8]> {
    let mut rest = transcript;
    while let Some((message, behind)) = first_message(rest) {
        if let Some(wider) = widened_message(message) {
            let before = transcript.len() - rest.len();
            let before = transcript.get(..before).unwrap_or_default();
            return Cow::Owned([before, &wider, behind].concat());
        }
        rest = behind;
    }
    Cow::Borrowed(transcript)
}

/// The message that the bytes begin with, whole and with its header; and what is behind.
fn first_message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [_, length @ .., _, _, _, _, _, _, _, _] = bytes.first_chunk::<MESSAGE_HEADER>()?;
    let [high, middle, low] = length;
    let length = u32::from_be_bytes([0, *high, *middle, *low]);
    bytes.split_at_checked(MESSAGE_HEADER + usize::try_from(length).ok()?)
}

/// The request of `dimpl`'s, made wider; none of any other message, or of a part of one.
fn widened_message(message: &[u8]) -> Option<Vec<u8>> {
    let (whole, []) = first_message(message)? else { return None };
    let (header, body) = whole.split_first_chunk::<MESSAGE_HEADER>()?;
    let [CERTIFICATE_REQUEST, _, _, _, number @ .., _, _, _, _, _, _] = header else { return None };
    let [1, ECDSA_SIGN, high, low, signatures @ .., 0, 0] = body else { return None };
    if usize::from(u16::from_be_bytes([*high, *low])) != signatures.len() {
        return None;
    }
    let count = u16::try_from(signatures.len() + RSA_SIGNATURES.len()).ok()?;
    let mut wider = vec![2, ECDSA_SIGN, RSA_SIGN];
    wider.extend_from_slice(&count.to_be_bytes());
    wider.extend_from_slice(signatures);
    wider.extend_from_slice(&RSA_SIGNATURES);
    wider.extend_from_slice(&[0, 0]);
    let [_, length @ ..] = u32::try_from(wider.len()).ok()?.to_be_bytes();
    let header = [&[CERTIFICATE_REQUEST][..], &length, number, &[0; 3], &length].concat();
    Some([header, wider].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `dimpl` writes it: for ECDSA with SHA-256 and SHA-384.
    const NARROW: [u8; 22] = [13, 0, 0, 10, 0, 4, 0, 0, 0, 0, 0, 10, 1, 64, 0, 4, 4, 3, 5, 3, 0, 0];
    const WIDE: [u8; 29] = [
        13, 0, 0, 17, 0, 4, 0, 0, 0, 0, 0, 17, 2, 64, 1, 0, 10, 4, 3, 5, 3, 4, 1, 5, 1, 6, 1, 0, 0,
    ];
    /// ServerHelloDone.
    const DONE: [u8; 12] = [14, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0];

    fn record(epoch: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap_or(u8::MAX);
        [&[22, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 7, 0, length][..], content].concat()
    }

    #[test]
    fn the_request_is_widened_and_what_stands_around_it_stays_as_it_is() {
        let sent = [record(0, &DONE), record(0, &NARROW), record(0, &DONE)].concat();
        let wide = [record(0, &DONE), record(0, &WIDE), record(0, &DONE)].concat();
        assert_eq!(*widened_datagram(&sent), wide);
        let transcript = [&DONE[..], &NARROW, &DONE].concat();
        assert_eq!(*widened_transcript(&transcript), [&DONE[..], &WIDE, &DONE].concat());
    }

    #[test]
    fn nothing_else_is_touched() {
        let encrypted = record(1, &NARROW);
        let mut wrong = NARROW;
        wrong[15] = 6;
        for sent in [encrypted, record(0, &DONE), record(0, &WIDE), record(0, &wrong), vec![22; 9]]
        {
            assert_eq!(*widened_datagram(&sent), sent);
        }
        // A part of it, as it would be sent in two.
        for length in 0..NARROW.len() {
            assert_eq!(*widened_transcript(&NARROW[..length]), NARROW[..length]);
            let cut = record(0, &NARROW[..length]);
            assert_eq!(*widened_datagram(&cut), cut);
        }
    }
}
