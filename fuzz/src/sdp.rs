//! What must hold of `media::sdp` whatever comes in: no panic; an offer that is answered has an
//! answer that parses and that its own offerer can accept.

use media::sdp::{self, Capabilities, Local};

/// One body, as an offer and as an answer.
pub fn sdp(data: &[u8]) {
    let Ok(description) = sdp::parse(data) else { return };
    let local = Local { address: [192, 0, 2, 1].into(), port: 20_000, origin_id: 1, version: 1 };
    let capabilities = Capabilities::default();
    if let Ok(answer) = sdp::answer(&description, &local, &capabilities, None) {
        let Ok(parsed) = sdp::parse(&answer.body) else { panic!("our own answer is no SDP") };
        assert_eq!(parsed.media.len(), description.media.len());
    }
    let offer = sdp::offer(&local, &capabilities, None);
    _ = sdp::accept(&offer, &description);
}
