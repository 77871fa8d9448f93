//! What must hold of `media::sdp` whatever comes in: no panic; an offer that is answered has an
//! answer that parses, and that is encrypted if it must be.

use base::Rng;
use media::Codec;
use media::sdp::{self, Capabilities, Encryption, Local, LocalKeys, Numbers};

/// One body, as an offer and as an answer.
pub fn sdp(data: &[u8]) {
    let Ok(description) = sdp::parse(data) else { return };
    let keys = LocalKeys::draw(&mut Rng::from_seed(1));
    let address = [192, 0, 2, 1].into();
    let local = Local {
        address,
        port: 20_000,
        origin_id: 1,
        version: 1,
        keys,
        numbers: Numbers::default(),
        web: None,
    };
    for encryption in [Encryption::Off, Encryption::Preferred, Encryption::Required] {
        let (codecs, comfort_noise) = (Codec::ALL.to_vec(), true);
        let capabilities =
            Capabilities { encryption, codecs, comfort_noise, ..Capabilities::default() };
        if let Ok(answer) = sdp::answer(&description, &local, &capabilities, None) {
            let Ok(parsed) = sdp::parse(&answer.body) else { panic!("our own answer is no SDP") };
            assert_eq!(parsed.media.len(), description.media.len());
            assert!(answer.settled.srtp.is_some() || encryption != Encryption::Required);
        }
        let locals = [local.clone(), Local { port: 20_002, ..local.clone() }];
        if let Ok(answer) = sdp::answer_copies(&description, &locals, &capabilities, [None; 2]) {
            let Ok(parsed) = sdp::parse(&answer.body) else { panic!("our own answer is no SDP") };
            assert_eq!(parsed.media.len(), 2);
        }
        let copies = sdp::CopiesOffer::new(&locals, &capabilities, [None; 2], true);
        _ = copies.accept(&description);
        let offer = sdp::offer(&local, &capabilities, None);
        if let Ok(settled) = sdp::accept(&offer, &description) {
            assert!(settled.srtp.is_some() || encryption != Encryption::Required);
        }
    }
}
