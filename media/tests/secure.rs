//! Streams with keys: what is heard, what is sent, and what strangers achieve.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use base::Duration;
use media::rtp::Header;
use media::srtp::{Lifetime, MasterKey, MasterKeys, Mki, Opener, Profile, Sealer, SrtpKeys};
use media::{Codec, Command, Event, Port, StreamId, rtcp};
use rig::{A, B, Rig, Sent, audio, far, ramp, remote};

const STRANGER: &str = "203.0.113.9:5000";

fn key(profile: Profile, first: u8) -> MasterKey {
    let bytes: Vec<u8> = (first..).take(profile.key_bytes() + profile.salt_bytes()).collect();
    MasterKey::new(profile, &bytes).unwrap()
}

fn keys(profile: Profile) -> SrtpKeys {
    SrtpKeys { ours: key(profile, 1), theirs: key(profile, 100).into() }
}

fn agree(rig: &mut Rig, stream: StreamId, codec: Codec, keys: &SrtpKeys) {
    let srtp = Some(Box::new(keys.clone()));
    rig.order(Command::SetRemote { stream, remote: remote(stream, codec), srtp });
}

/// A far end with the other half of the keys.
struct Far {
    sealer: Sealer,
    opener: Opener,
}

impl Far {
    fn new(keys: &SrtpKeys) -> Self {
        Self::with(keys.theirs.first(), &keys.ours)
    }

    fn with(theirs: &MasterKey, ours: &MasterKey) -> Self {
        Self { sealer: Sealer::new(theirs), opener: Opener::new(ours) }
    }

    fn sealed(&mut self, header: Header, payload: &[u8]) -> Vec<u8> {
        let mut packet = [&header.to_bytes()[..], payload].concat();
        self.sealer.seal_rtp(&mut packet, 0).unwrap();
        packet
    }

    fn opened(&mut self, sent: &Sent) -> Vec<u8> {
        let mut packet = sent.bytes.clone();
        let length = self.opener.open_rtp(&mut packet).unwrap();
        packet.truncate(length);
        packet
    }
}

/// A encrypted, B in the clear, bridged.
fn half_secure(profile: Profile) -> (Rig, Far) {
    let mut rig = Rig::pair(Codec::Pcmu);
    agree(&mut rig, A, Codec::Pcmu, &keys(profile));
    rig.bridge();
    (rig, Far::new(&keys(profile)))
}

#[test]
fn an_encrypted_end_and_one_in_the_clear_hear_each_other() {
    for profile in Profile::ALL {
        let (mut rig, mut far_end) = half_secure(profile);
        let packet = far_end.sealed(audio(1, 160), &[0x55; 160]);
        assert!(!packet.windows(8).any(|bytes| bytes == [0x55; 8]), "it is encrypted");
        let sent = rig.datagram(A, Port::Rtp, far(A), &packet);
        assert_eq!(sent[0].payload(), [0x55; 160], "{profile:?}");

        let sent = rig.rtp(B, audio(1, 160), &[0x33; 160]);
        assert!(!sent[0].bytes.windows(8).any(|bytes| bytes == [0x33; 8]), "it is encrypted");
        assert_eq!(far_end.opened(&sent[0])[12..], [0x33; 160]);
    }
}

#[test]
fn nothing_in_the_clear_and_nothing_forged_is_heard_or_latched() {
    let (mut rig, mut far_end) = half_secure(Profile::AesCm128HmacSha1_80);
    rig.take_events();
    for n in 0..20 {
        assert_eq!(rig.rtp(A, audio(n, 160 * u32::from(n)), &[0x55; 160]), [], "in the clear");
        let mut forged = far_end.sealed(audio(n, 160 * u32::from(n)), &[0x55; 160]);
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(rig.datagram(A, Port::Rtp, STRANGER.parse().unwrap(), &forged), []);
        rig.millis(20);
    }
    let events = rig.take_events();
    assert!(events.iter().all(|event| matches!(event, Event::SourceRefused { .. })), "{events:?}");
    assert_eq!(rig.plane.stats(A).unwrap().refused_packets, 40);
}

/// A key that packets name by four bytes.
fn named(key: MasterKey, value: u128) -> MasterKey {
    key.with_mki(Mki::new(value, 4))
}

#[test]
fn packets_that_name_their_key_are_heard_and_those_that_name_another_are_counted() {
    for profile in Profile::ALL {
        let (ours, theirs) = (key(profile, 1), key(profile, 100));
        let agreed = SrtpKeys { ours: named(ours, 1), theirs: named(theirs, 1).into() };
        let mut rig = Rig::pair(Codec::Pcmu);
        agree(&mut rig, A, Codec::Pcmu, &agreed);
        rig.bridge();
        let mut far_end = Far::new(&agreed);
        let packet = far_end.sealed(audio(1, 160), &[0x55; 160]);
        let sent = rig.datagram(A, Port::Rtp, far(A), &packet);
        assert_eq!(sent[0].payload(), [0x55; 160], "{profile:?}");
        let sent = rig.rtp(B, audio(1, 160), &[0x33; 160]);
        assert_eq!(far_end.opened(&sent[0])[12..], [0x33; 160], "{profile:?}");
        // The right key under another name, and under none.
        for theirs in [named(theirs, 2), theirs] {
            let mut stranger = Far::with(&theirs, &ours);
            let packet = stranger.sealed(audio(2, 320), &[0x66; 160]);
            assert_eq!(rig.datagram(A, Port::Rtp, far(A), &packet), [], "{profile:?}");
        }
        assert_eq!(rig.plane.stats(A).unwrap().refused_packets, 2, "{profile:?}");
    }
}

/// A far end that may seal with any of these keys, whose packets and reports go on over them.
fn with_several(profile: Profile, theirs: &[MasterKey]) -> (Rig, Far) {
    let theirs = MasterKeys::new(theirs).unwrap();
    let agreed = SrtpKeys { ours: key(profile, 1), theirs };
    let mut rig = Rig::pair(Codec::Pcmu);
    agree(&mut rig, A, Codec::Pcmu, &agreed);
    rig.bridge();
    (rig, Far::new(&agreed))
}

/// The far end's packet of that number comes: how many go on to the other side.
fn passes(rig: &mut Rig, far_end: &mut Far, number: u16) -> usize {
    let packet = far_end.sealed(audio(number, 160 * u32::from(number)), &[0x55; 160]);
    rig.datagram(A, Port::Rtp, far(A), &packet).len()
}

#[test]
fn of_several_keys_each_is_heard_at_any_time_and_one_of_another_name_is_counted() {
    for profile in Profile::ALL {
        let all: Vec<_> = (1..=8).map(|n| named(key(profile, 10 * n), u128::from(n))).collect();
        let (mut rig, mut far_end) = with_several(profile, &all);
        for n in 0..200_u16 {
            far_end.sealer.rekey(&all[usize::from(n * 7 % 8)]);
            assert_eq!(passes(&mut rig, &mut far_end, n), 1, "{profile:?} {n}");
        }
        far_end.sealer.rekey(&named(all[0], 9));
        assert_eq!(passes(&mut rig, &mut far_end, 200), 0, "{profile:?}: a name that nobody has");
        far_end.sealer.rekey(&named(all[0], 2));
        assert_eq!(passes(&mut rig, &mut far_end, 201), 0, "{profile:?}: another key's name");
        far_end.sealer.rekey(&all[0].with_mki(None));
        assert_eq!(passes(&mut rig, &mut far_end, 202), 0, "{profile:?}: no name");
        assert_eq!(rig.plane.stats(A).unwrap().refused_packets, 3, "{profile:?}");
        far_end.sealer.rekey(&all[7]);
        let packet = far_end.sealed(audio(203, 32_480), &[0x55; 160]);
        for heard in [1, 0] {
            assert_eq!(rig.datagram(A, Port::Rtp, far(A), &packet).len(), heard, "once");
        }
    }
}

#[test]
fn reports_under_each_of_several_keys_are_read() {
    let profile = Profile::AeadAes256Gcm;
    let both = [named(key(profile, 10), 1), named(key(profile, 20), 2)];
    let (mut rig, mut far_end) = with_several(profile, &both);
    for n in 0..6 {
        far_end.sealer.rekey(&both[n % 2]);
        let mut report = [&[0x80, 201, 0, 1][..], &audio(1, 0).ssrc.to_be_bytes()].concat();
        far_end.sealer.seal_rtcp(&mut report, 0).unwrap();
        for refused in [n, n + 1] {
            rig.datagram(A, Port::Rtcp, remote(A, Codec::Pcmu).rtcp, &report);
            let stats = rig.plane.stats(A).unwrap();
            assert_eq!(stats.refused_packets, refused as u64, "once, and not again");
        }
    }
}

#[test]
fn a_key_that_stays_among_others_goes_on_and_one_that_goes_has_two_seconds() {
    let profile = Profile::AesCm128HmacSha1_80;
    let [one, two, three] = [1, 2, 3].map(|n| named(key(profile, 10 * n), u128::from(n)));
    let (mut rig, mut far_end) = with_several(profile, &[one, two]);
    far_end.sealer.rekey(&two);
    let before = far_end.sealed(audio(1, 160), &[0x55; 160]);
    assert_eq!(rig.datagram(A, Port::Rtp, far(A), &before).len(), 1);
    let theirs = MasterKeys::new(&[two, three]).unwrap();
    agree(&mut rig, A, Codec::Pcmu, &SrtpKeys { ours: key(profile, 1), theirs });
    let after = far_end.sealed(audio(2, 320), &[0x55; 160]);
    assert_eq!(rig.datagram(A, Port::Rtp, far(A), &after).len(), 1);
    for again in [&before, &after] {
        assert_eq!(rig.datagram(A, Port::Rtp, far(A), again), [], "it was there before");
    }
    for (number, key, heard) in [(3, one, 1), (4, three, 1), (5, two, 1), (6, one, 1)] {
        far_end.sealer.rekey(&key);
        assert_eq!(passes(&mut rig, &mut far_end, number), heard, "{number}");
    }
    rig.millis(2_000);
    for (number, key, heard) in [(7, one, 0), (8, two, 1), (9, three, 1)] {
        far_end.sealer.rekey(&key);
        assert_eq!(passes(&mut rig, &mut far_end, number), heard, "{number}");
    }
}

#[test]
fn a_key_is_heard_for_its_lifetime_and_no_longer() {
    let profile = Profile::AesCm128HmacSha1_80;
    let lasting = |key: MasterKey, packets| key.with_lifetime(Lifetime::new(packets));
    let (short, long) = (named(key(profile, 10), 1), named(key(profile, 20), 2));
    let (mut rig, mut far_end) = with_several(profile, &[lasting(short, 3), long]);
    let heard: usize = (1..=5).map(|number| passes(&mut rig, &mut far_end, number)).sum();
    assert_eq!(heard, 3);
    assert_eq!(rig.plane.stats(A).unwrap().refused_packets, 2);
    far_end.sealer.rekey(&long);
    assert_eq!(passes(&mut rig, &mut far_end, 6), 1, "the other one is good");
    // Offered again for longer, it goes on where it was: 3 of 4 are used.
    let theirs = MasterKeys::new(&[lasting(short, 4), long]).unwrap();
    agree(&mut rig, A, Codec::Pcmu, &SrtpKeys { ours: key(profile, 1), theirs });
    far_end.sealer.rekey(&short);
    let heard: usize = (7..=9).map(|number| passes(&mut rig, &mut far_end, number)).sum();
    assert_eq!(heard, 1);
}

#[test]
fn behind_nat_the_first_packet_with_the_key_is_heard() {
    let (mut rig, mut far_end) = half_secure(Profile::AeadAes128Gcm);
    let nat = "198.51.100.7:61000".parse().unwrap();
    rig.millis(20_000);
    let packet = far_end.sealed(audio(1, 160), &[0x55; 160]);
    assert_eq!(rig.datagram(A, Port::Rtp, nat, &packet).len(), 1);
    let sent = rig.rtp(B, audio(1, 160), &[0x33; 160]);
    assert_eq!(sent[0].to, nat);
    let replayed = rig.datagram(A, Port::Rtp, STRANGER.parse().unwrap(), &packet);
    assert_eq!(replayed, [], "a copy moves nothing");
}

#[test]
fn prompts_and_reports_are_sealed_and_theirs_are_read() {
    let (mut rig, mut far_end) = half_secure(Profile::AeadAes256Gcm);
    rig.play(A, 1, &ramp(8000), false);
    let mut reports = 0;
    for sent in rig.millis(10_000).iter().filter(|sent| sent.to.ip() == far(A).ip()) {
        let mut packet = sent.bytes.clone();
        if sent.port == Port::Rtcp {
            let length = far_end.opener.open_rtcp(&mut packet).unwrap();
            assert!(rtcp::packets(&packet[..length]).count() >= 2);
            reports += 1;
        } else {
            assert_eq!(far_end.opened(sent).len(), 12 + 160);
        }
    }
    assert!(reports > 0);
}

#[test]
fn the_same_keys_agreed_on_again_go_on_and_new_ones_take_their_place_in_two_seconds() {
    let profile = Profile::AesCm128HmacSha1_80;
    let (mut rig, mut far_end) = half_secure(profile);
    let first = far_end.sealed(audio(1, 160), &[0x55; 160]);
    assert_eq!(rig.datagram(A, Port::Rtp, far(A), &first).len(), 1);
    agree(&mut rig, A, Codec::Pcmu, &keys(profile));
    assert_eq!(rig.datagram(A, Port::Rtp, far(A), &first), [], "it was there before");
    let second = far_end.sealed(audio(2, 320), &[0x55; 160]);
    assert_eq!(rig.datagram(A, Port::Rtp, far(A), &second).len(), 1);

    let new = SrtpKeys { ours: key(profile, 50), theirs: key(profile, 150).into() };
    agree(&mut rig, A, Codec::Pcmu, &new);
    let mut next_end = Far::new(&new);
    let first_new = next_end.sealed(audio(5, 800), &[0x55; 160]);
    assert_eq!(rig.datagram(A, Port::Rtp, far(A), &first_new).len(), 1);
    let on_its_way = far_end.sealed(audio(3, 480), &[0x55; 160]);
    assert_eq!(rig.datagram(A, Port::Rtp, far(A), &on_its_way).len(), 1, "the key before");
    assert_eq!(rig.datagram(A, Port::Rtp, far(A), &on_its_way), [], "and once");
    rig.millis(2_000);
    let old = far_end.sealed(audio(4, 640), &[0x55; 160]);
    assert_eq!(rig.datagram(A, Port::Rtp, far(A), &old), [], "it had its time");
    let mut far_end = next_end;
    let third = far_end.sealed(audio(6, 960), &[0x55; 160]);
    assert_eq!(rig.datagram(A, Port::Rtp, far(A), &third).len(), 1);
    let sent = rig.rtp(B, audio(9, 160), &[0x33; 160]);
    assert_eq!(far_end.opened(&sent[0]).len(), 172);
}

#[test]
fn a_sequence_number_is_never_sealed_twice() {
    let (mut rig, mut far_end) = half_secure(Profile::AesCm128HmacSha1_80);
    let one = rig.rtp(B, audio(1, 160), &[0x33; 160]);
    assert_eq!(far_end.opened(&one[0]).len(), 172);
    assert_eq!(rig.rtp(B, audio(1, 160), &[0x44; 160]), [], "another packet of that number");
    rig.run(Duration::from_millis(20));
    assert_eq!(rig.rtp(B, audio(2, 320), &[0x44; 160]).len(), 1);
}

#[test]
fn a_flood_of_forged_packets_leaves_the_call_as_it_is_and_is_counted() {
    for profile in Profile::ALL {
        let (mut rig, mut far_end) = half_secure(profile);
        let first = far_end.sealed(audio(65_530, 160), &[0x55; 160]);
        assert_eq!(rig.datagram(A, Port::Rtp, far(A), &first).len(), 1);
        for n in 0..1_000_u16 {
            let header = Header { ssrc: u32::from(n % 7), ..audio(n.wrapping_mul(31), 0) };
            let mut forged = far_end.sealed(Header { ssrc: 0xa, ..header }, &[0x66; 160]);
            let at = usize::from(n) % forged.len();
            forged[at] ^= 0x10;
            let stranger = STRANGER.parse().unwrap();
            for from in [far(A), stranger] {
                assert_eq!(rig.datagram(A, Port::Rtp, from, &forged), [], "{profile:?} {at}");
            }
        }
        assert_eq!(rig.plane.stats(A).unwrap().refused_packets, 2_000);
    }
}

#[test]
fn over_rollovers_both_ways_nothing_is_lost() {
    let (mut rig, mut far_end) = half_secure(Profile::AesCm128HmacSha1_80);
    for n in 65_000..67_000_u32 {
        let (sequence, timestamp) = ((n & 0xffff) as u16, n * 160);
        let packet = far_end.sealed(audio(sequence, timestamp), &[0x55; 160]);
        assert_eq!(rig.datagram(A, Port::Rtp, far(A), &packet).len(), 1, "{n}");
        let sent = rig.rtp(B, audio(sequence, timestamp), &[0x33; 160]);
        assert_eq!(far_end.opened(&sent[0])[12..], [0x33; 160], "{n}");
    }
}
