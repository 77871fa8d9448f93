//! Handshakes of DTLS between two ends of ours, where the network is unkind.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use base::{Instant, UnixTime};
use media::dtls::{Association, DtlsRole, Identity, Progress, ROOM};

/// What it has to send, and whether it has keys.
fn drain(end: &mut Association) -> (Vec<Vec<u8>>, bool) {
    let (mut sent, mut has_keys) = (Vec::new(), false);
    end.drain(&mut vec![0; ROOM], |progress| match progress {
        Progress::Send(bytes) => sent.push(bytes.to_vec()),
        Progress::Keys(keys) => has_keys = keys.is_some(),
        _ => {}
    });
    (sent, has_keys)
}

#[test]
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "any origin will do")]
fn what_overtakes_the_first_words_of_the_other_end_does_no_harm_and_an_alert_ends_it() {
    let wall = UnixTime::from_micros(1_700_000_000_000_000);
    let identity = Identity::draw(wall, std::time::Instant::now()).unwrap();
    let now = Instant::from_millis(1000);
    let [mut client, mut server] =
        [DtlsRole::Active, DtlsRole::Passive].map(|role| Association::new(&identity, role, now));
    client.handle_timeout(now).unwrap();
    for packet in drain(&mut client).0 {
        server.handle_packet(now, &packet).unwrap();
    }
    let flight = drain(&mut server).0;
    // Behind its first record, which is its first words.
    let length = usize::from(u16::from_be_bytes([flight[0][11], flight[0][12]]));
    let behind = &flight.concat()[13 + length..];
    assert!(!behind.is_empty());
    client.handle_packet(now, behind).unwrap();
    assert!(!drain(&mut client).1);
    for packet in &flight {
        client.handle_packet(now, packet).unwrap();
    }
    assert!(drain(&mut client).1);

    let mut refused = Association::new(&identity, DtlsRole::Active, now);
    refused.handle_timeout(now).unwrap();
    let alert = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40];
    assert!(refused.handle_packet(now, &alert).is_err());
}
