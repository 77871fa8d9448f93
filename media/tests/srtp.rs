//! SRTP against packets that libsrtp made (its `srtp_driver.c`), and against forgery and replay.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use media::srtp::{MAX_OVERHEAD, MasterKey, MasterKeys, Mki, Opener, Profile, Sealer, SrtpError};
use proptest::prelude::*;

const HEADER: &str = "800f1234decafbadcafebabe";
const RTCP_HEADER: &str = "81c8000bcafebabe";
const CM_128: &str = "e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6";
const CM_256: &str = "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6
                      3b04803de51ee7c96423ab5b78d2";
const GCM_128: &str = "000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn key(profile: Profile) -> MasterKey {
    let text: Vec<u8> = (0..46).collect();
    MasterKey::new(profile, &text[..profile.key_bytes() + profile.salt_bytes()]).unwrap()
}

/// A packet of a header and sixteen bytes `ab`.
fn plain(header: &str) -> Vec<u8> {
    [bytes(header), vec![0xab; 16]].concat()
}

fn is_sealed_as(profile: Profile, master: &str, sealed: &str) {
    let key = MasterKey::new(profile, &bytes(master)).unwrap();
    let mut packet = plain(HEADER);
    Sealer::new(&key).seal_rtp(&mut packet, 0).unwrap();
    assert_eq!(packet, bytes(&format!("{HEADER}{sealed}")), "{}", profile.name());
    let length = Opener::new(&key).open_rtp(&mut packet).unwrap();
    assert_eq!(packet[..length], plain(HEADER)[..]);
}

fn report_is_opened(profile: Profile, master: &str, sealed: &str) {
    let key = MasterKey::new(profile, &bytes(master)).unwrap();
    let mut packet = bytes(&format!("{RTCP_HEADER}{sealed}"));
    let length = Opener::new(&key).open_rtcp(&mut packet).unwrap();
    assert_eq!(packet[..length], plain(RTCP_HEADER)[..]);
}

#[test]
fn packets_are_sealed_to_the_byte_as_libsrtp_seals_them() {
    is_sealed_as(
        Profile::AesCm128HmacSha1_80,
        CM_128,
        "4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb",
    );
    is_sealed_as(
        Profile::AesCm256HmacSha1_80,
        CM_256,
        "f1d9de17ff251ff1aa007774b0b4b40d a08d9d9a5b3a55d8873b",
    );
    is_sealed_as(
        Profile::AeadAes128Gcm,
        GCM_128,
        "c5002ede04cfdd2eb91159e0880aa06e d2976826f796b201df3131a127e8a392",
    );
}

#[test]
fn reports_that_libsrtp_sealed_are_opened() {
    report_is_opened(
        Profile::AesCm128HmacSha1_80,
        CM_128,
        "7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798",
    );
    report_is_opened(
        Profile::AeadAes128Gcm,
        GCM_128,
        "c98b8b5df0392a55852b6c21ac8e7025 c52c6fbea2b3b446ea31123ba88ce61e 80000001",
    );
}

/// The packets that libsrtp sealed with two keys, in all profiles (`fixtures/srtp/make-mki.py`).
fn with_two_keys(
    mut check: impl FnMut(Profile, [MasterKey; 2], &[(bool, usize, Vec<u8>, Vec<u8>)]),
) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/srtp/mki.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let parts = text.split("profile ").skip(1);
    let mut profiles = 0;
    for part in parts {
        let (first, rest) = part.split_once('\n').unwrap();
        let words: Vec<&str> = first.split(' ').collect();
        let profile = Profile::from_name(words[0]).unwrap();
        let key = |n: usize| {
            let mki = Mki::new(u128::from_str_radix(words[3 + n], 16).unwrap(), 4);
            MasterKey::new(profile, &bytes(words[1 + n])).unwrap().with_mki(mki)
        };
        let packets: Vec<_> = rest
            .lines()
            .map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                (words[0] == "R", words[1].parse().unwrap(), bytes(words[2]), bytes(words[3]))
            })
            .collect();
        assert_eq!(packets.len(), 8);
        check(profile, [key(0), key(1)], &packets);
        profiles += 1;
    }
    assert_eq!(profiles, 5);
}

#[test]
fn packets_of_libsrtp_are_opened_by_the_key_that_they_name_and_over_a_change_of_keys() {
    with_two_keys(|profile, keys, packets| {
        let mut opener = Opener::new(&keys[0]);
        let mut changed = false;
        for (is_rtp, which, plain, sealed) in packets {
            let open = |opener: &mut Opener, packet: &mut [u8]| {
                if *is_rtp { opener.open_rtp(packet) } else { opener.open_rtcp(packet) }
            };
            if *which == 1 && !changed {
                let other = open(&mut opener, &mut sealed.clone());
                assert_eq!(other, Err(SrtpError::OtherKey), "{profile:?}");
                assert!(opener.replace(&keys[1].into()).is_some(), "the one before");
                changed = true;
            }
            let mut packet = sealed.clone();
            let length = open(&mut opener, &mut packet).unwrap();
            assert_eq!(packet[..length], plain[..], "{profile:?}");
            assert_eq!(open(&mut opener, &mut sealed.clone()), Err(SrtpError::Replayed));
        }
    });
}

#[test]
fn packets_of_libsrtp_under_two_keys_are_opened_in_any_order() {
    with_two_keys(|profile, keys, packets| {
        let both = MasterKeys::new(&keys).unwrap();
        let mut opener = Opener::of(&both);
        // By turns, the first key's late.
        for at in [0, 4, 5, 1, 2, 7, 6, 3] {
            let (is_rtp, _, plain, sealed) = &packets[at];
            let mut packet = sealed.clone();
            let length = if *is_rtp {
                opener.open_rtp(&mut packet).unwrap()
            } else {
                opener.open_rtcp(&mut packet).unwrap()
            };
            assert_eq!(packet[..length], plain[..], "{profile:?} {at}");
        }
        for (is_rtp, _, _, sealed) in packets {
            let mut again = sealed.clone();
            let opened =
                if *is_rtp { opener.open_rtp(&mut again) } else { opener.open_rtcp(&mut again) };
            assert_eq!(opened, Err(SrtpError::Replayed), "{profile:?}");
        }
    });
}

#[test]
fn packets_are_sealed_to_the_byte_as_libsrtp_seals_them_with_keys_that_they_name() {
    with_two_keys(|profile, keys, packets| {
        let mut sealer = Sealer::new(&keys[0]);
        // libsrtp's first report has the number 1, not 0 (RFC 3711 §3.4).
        sealer.seal_rtcp(&mut plain(RTCP_HEADER), 0).unwrap();
        let mut used = 0;
        for (is_rtp, which, plain, sealed) in packets {
            if std::mem::replace(&mut used, *which) != *which {
                sealer.rekey(&keys[*which]);
            }
            let mut packet = plain.clone();
            if *is_rtp {
                sealer.seal_rtp(&mut packet, 0).unwrap();
            } else {
                sealer.seal_rtcp(&mut packet, 0).unwrap();
            }
            assert_eq!(packet, *sealed, "{profile:?}");
        }
    });
}

#[test]
fn a_keys_identifier_stands_before_the_tag_and_behind_that_of_aes_gcm() {
    for profile in Profile::ALL {
        let plain_key = key(profile);
        let mki = Mki::new(0x0a0b_0c0d, 4);
        let named = plain_key.with_mki(mki);
        let is_gcm = matches!(profile, Profile::AeadAes128Gcm | Profile::AeadAes256Gcm);
        let (mut without, mut with) = (plain(HEADER), plain(HEADER));
        Sealer::new(&plain_key).seal_rtp(&mut without, 0).unwrap();
        Sealer::new(&named).seal_rtp(&mut with, 0).unwrap();
        let at = if is_gcm { without.len() } else { 12 + 16 };
        let mut expected = without.clone();
        expected.splice(at..at, [0x0a, 0x0b, 0x0c, 0x0d]);
        assert_eq!(with, expected, "{profile:?}");
        let (mut reports, mut named_reports) = (plain(RTCP_HEADER), plain(RTCP_HEADER));
        Sealer::new(&plain_key).seal_rtcp(&mut reports, 0).unwrap();
        Sealer::new(&named).seal_rtcp(&mut named_reports, 0).unwrap();
        let at = if is_gcm { reports.len() } else { 8 + 16 + 4 };
        let mut expected = reports.clone();
        expected.splice(at..at, [0x0a, 0x0b, 0x0c, 0x0d]);
        assert_eq!(named_reports, expected, "{profile:?}");

        let mut opener = Opener::new(&named);
        for wrong in [&without, &plain(HEADER)] {
            assert!(opener.open_rtp(&mut wrong.clone()).is_err(), "{profile:?}: not named");
        }
        let mut other = with.clone();
        let place = if is_gcm { with.len() - 1 } else { 12 + 16 + 3 };
        other[place] ^= 1;
        assert_eq!(opener.open_rtp(&mut other), Err(SrtpError::OtherKey), "{profile:?}");
        let mut forged = with.clone();
        forged[13] ^= 1;
        assert_eq!(opener.open_rtp(&mut forged), Err(SrtpError::Forged), "{profile:?}");
        let length = opener.open_rtp(&mut with).unwrap();
        assert_eq!(with[..length], plain(HEADER)[..], "{profile:?}");
        let length = opener.open_rtcp(&mut named_reports).unwrap();
        assert_eq!(named_reports[..length], plain(RTCP_HEADER)[..], "{profile:?}");
    }
}

#[test]
fn short_tags_are_for_rtp_alone() {
    let key = key(Profile::AesCm128HmacSha1_32);
    let (mut rtp, mut rtcp) = (plain(HEADER), plain(RTCP_HEADER));
    let mut sealer = Sealer::new(&key);
    sealer.seal_rtp(&mut rtp, 0).unwrap();
    sealer.seal_rtcp(&mut rtcp, 0).unwrap();
    assert_eq!((rtp.len(), rtcp.len()), (12 + 16 + 4, 8 + 16 + 4 + 10));
}

/// The packet of a number, of one SSRC.
fn numbered(sequence: u16) -> Vec<u8> {
    let mut packet = plain(HEADER);
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet
}

#[test]
fn a_stream_goes_on_over_rollovers_with_loss_and_reordering() {
    for profile in Profile::ALL {
        let key = key(profile);
        let (mut sealer, mut opener) = (Sealer::new(&key), Opener::new(&key));
        let mut late: Option<Vec<u8>> = None;
        for n in 0_u32..200_000 {
            let mut packet = numbered((n + 60_000) as u16);
            sealer.seal_rtp(&mut packet, 0).unwrap();
            match n % 10 {
                3 => {}
                5 => late = Some(packet),
                _ => assert!(opener.open_rtp(&mut packet).is_ok(), "{profile:?} {n}"),
            }
            if n % 10 == 9
                && let Some(mut packet) = late.take()
            {
                assert!(opener.open_rtp(&mut packet).is_ok(), "{profile:?} {n}");
            }
        }
    }
}

#[test]
fn a_packet_is_opened_once_and_a_number_sealed_once() {
    for profile in Profile::ALL {
        let key = key(profile);
        let (mut sealer, mut opener) = (Sealer::new(&key), Opener::new(&key));
        let mut packet = numbered(7);
        sealer.seal_rtp(&mut packet, 0).unwrap();
        let mut again = packet.clone();
        assert!(opener.open_rtp(&mut packet).is_ok());
        assert_eq!(opener.open_rtp(&mut again), Err(SrtpError::Replayed));
        assert_eq!(sealer.seal_rtp(&mut numbered(7), 0), Err(SrtpError::Replayed));

        let mut report = plain(RTCP_HEADER);
        sealer.seal_rtcp(&mut report, 0).unwrap();
        let mut again = report.clone();
        assert!(opener.open_rtcp(&mut report).is_ok());
        assert_eq!(opener.open_rtcp(&mut again), Err(SrtpError::Replayed));
    }
}

#[test]
fn a_forged_packet_changes_nothing_for_those_that_follow() {
    let key = key(Profile::AesCm128HmacSha1_80);
    let (mut sealer, mut opener) = (Sealer::new(&key), Opener::new(&key));
    let mut first = numbered(1);
    sealer.seal_rtp(&mut first, 0).unwrap();
    opener.open_rtp(&mut first).unwrap();
    for n in 2..30_000 {
        assert_eq!(
            opener.open_rtp(&mut [numbered(n), vec![0; 10]].concat()),
            Err(SrtpError::Forged)
        );
    }
    let mut second = numbered(2);
    sealer.seal_rtp(&mut second, 0).unwrap();
    assert!(opener.open_rtp(&mut second).is_ok());
}

#[test]
fn sources_have_numbers_of_their_own_and_the_oldest_makes_room() {
    let key = key(Profile::AeadAes256Gcm);
    let mut opener = Opener::new(&key);
    for ssrc in 0..20_u8 {
        let mut sealer = Sealer::new(&key);
        for n in [5_u16, 6] {
            let mut packet = numbered(n);
            packet[11] = ssrc;
            sealer.seal_rtp(&mut packet, 0).unwrap();
            assert!(opener.open_rtp(&mut packet).is_ok());
        }
    }
}

#[test]
fn a_report_in_the_clear_is_refused() {
    let key = key(Profile::AesCm128HmacSha1_80);
    let mut clear = [plain(RTCP_HEADER), bytes("00000001"), vec![0; 10]].concat();
    assert_eq!(Opener::new(&key).open_rtcp(&mut clear), Err(SrtpError::Unencrypted));
}

proptest! {
    #[test]
    fn what_was_sealed_is_opened_and_with_any_bit_changed_it_is_not(
        which in 0_usize..6,
        payload in proptest::collection::vec(any::<u8>(), 0..1400),
        csrcs in 0_u8..16,
        extension in proptest::option::of(0_u8..4),
        flipped in any::<proptest::sample::Index>(),
        before in 0_usize..40,
        mki in proptest::option::of((any::<u8>(), 1_usize..129)),
    ) {
        let mki = mki.and_then(|(value, length)| Mki::new(u128::from(value), length));
        let key = key(Profile::ALL[which]).with_mki(mki);
        let mut packet = bytes(HEADER);
        packet[0] |= csrcs;
        packet.resize(12 + 4 * usize::from(csrcs), 1);
        if let Some(words) = extension {
            packet[0] |= 0x10;
            packet.extend_from_slice(&[0xbe, 0xde, 0, words]);
            packet.resize(packet.len() + 4 * usize::from(words), 2);
        }
        packet.extend_from_slice(&payload);
        let mut sealed = [vec![9; before], packet.clone()].concat();
        Sealer::new(&key).seal_rtp(&mut sealed, before).unwrap();
        let mut sealed = sealed.split_off(before);
        prop_assert!(sealed.len() <= packet.len() + MAX_OVERHEAD);

        let mut changed = sealed.clone();
        let bit = flipped.index(changed.len() * 8);
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(Opener::new(&key).open_rtp(&mut changed).is_err());

        let length = Opener::new(&key).open_rtp(&mut sealed).unwrap();
        prop_assert_eq!(&sealed[..length], &packet[..]);
    }

    #[test]
    fn no_bytes_make_it_panic(
        which in 0_usize..6,
        mut bytes in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let key = key(Profile::ALL[which]).with_mki(Mki::new(7, 1 + bytes.len() % 128));
        let (mut opener, mut sealer) = (Opener::new(&key), Sealer::new(&key));
        let _ = opener.open_rtp(&mut bytes.clone());
        let _ = opener.open_rtcp(&mut bytes.clone());
        let _ = sealer.seal_rtp(&mut bytes.clone(), 0);
        let _ = sealer.seal_rtcp(&mut bytes, 0);
    }
}
