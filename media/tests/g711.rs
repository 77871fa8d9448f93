//! G.711 against the values of an independent implementation (CPython's `audioop`, which is Sun's).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use media::G711;

#[rustfmt::skip]
const ULAW: [i16; 256] = [
    -32124, -31100, -30076, -29052, -28028, -27004, -25980, -24956, -23932, -22908, -21884,
    -20860, -19836, -18812, -17788, -16764, -15996, -15484, -14972, -14460, -13948, -13436,
    -12924, -12412, -11900, -11388, -10876, -10364, -9852, -9340, -8828, -8316, -7932, -7676,
    -7420, -7164, -6908, -6652, -6396, -6140, -5884, -5628, -5372, -5116, -4860, -4604, -4348,
    -4092, -3900, -3772, -3644, -3516, -3388, -3260, -3132, -3004, -2876, -2748, -2620, -2492,
    -2364, -2236, -2108, -1980, -1884, -1820, -1756, -1692, -1628, -1564, -1500, -1436, -1372,
    -1308, -1244, -1180, -1116, -1052, -988, -924, -876, -844, -812, -780, -748, -716, -684, -652,
    -620, -588, -556, -524, -492, -460, -428, -396, -372, -356, -340, -324, -308, -292, -276,
    -260, -244, -228, -212, -196, -180, -164, -148, -132, -120, -112, -104, -96, -88, -80, -72,
    -64, -56, -48, -40, -32, -24, -16, -8, 0, 32124, 31100, 30076, 29052, 28028, 27004, 25980,
    24956, 23932, 22908, 21884, 20860, 19836, 18812, 17788, 16764, 15996, 15484, 14972, 14460,
    13948, 13436, 12924, 12412, 11900, 11388, 10876, 10364, 9852, 9340, 8828, 8316, 7932, 7676,
    7420, 7164, 6908, 6652, 6396, 6140, 5884, 5628, 5372, 5116, 4860, 4604, 4348, 4092, 3900,
    3772, 3644, 3516, 3388, 3260, 3132, 3004, 2876, 2748, 2620, 2492, 2364, 2236, 2108, 1980,
    1884, 1820, 1756, 1692, 1628, 1564, 1500, 1436, 1372, 1308, 1244, 1180, 1116, 1052, 988, 924,
    876, 844, 812, 780, 748, 716, 684, 652, 620, 588, 556, 524, 492, 460, 428, 396, 372, 356, 340,
    324, 308, 292, 276, 260, 244, 228, 212, 196, 180, 164, 148, 132, 120, 112, 104, 96, 88, 80,
    72, 64, 56, 48, 40, 32, 24, 16, 8, 0,
];

#[rustfmt::skip]
const ALAW: [i16; 256] = [
    -5504, -5248, -6016, -5760, -4480, -4224, -4992, -4736, -7552, -7296, -8064, -7808, -6528,
    -6272, -7040, -6784, -2752, -2624, -3008, -2880, -2240, -2112, -2496, -2368, -3776, -3648,
    -4032, -3904, -3264, -3136, -3520, -3392, -22016, -20992, -24064, -23040, -17920, -16896,
    -19968, -18944, -30208, -29184, -32256, -31232, -26112, -25088, -28160, -27136, -11008,
    -10496, -12032, -11520, -8960, -8448, -9984, -9472, -15104, -14592, -16128, -15616, -13056,
    -12544, -14080, -13568, -344, -328, -376, -360, -280, -264, -312, -296, -472, -456, -504,
    -488, -408, -392, -440, -424, -88, -72, -120, -104, -24, -8, -56, -40, -216, -200, -248, -232,
    -152, -136, -184, -168, -1376, -1312, -1504, -1440, -1120, -1056, -1248, -1184, -1888, -1824,
    -2016, -1952, -1632, -1568, -1760, -1696, -688, -656, -752, -720, -560, -528, -624, -592,
    -944, -912, -1008, -976, -816, -784, -880, -848, 5504, 5248, 6016, 5760, 4480, 4224, 4992,
    4736, 7552, 7296, 8064, 7808, 6528, 6272, 7040, 6784, 2752, 2624, 3008, 2880, 2240, 2112,
    2496, 2368, 3776, 3648, 4032, 3904, 3264, 3136, 3520, 3392, 22016, 20992, 24064, 23040, 17920,
    16896, 19968, 18944, 30208, 29184, 32256, 31232, 26112, 25088, 28160, 27136, 11008, 10496,
    12032, 11520, 8960, 8448, 9984, 9472, 15104, 14592, 16128, 15616, 13056, 12544, 14080, 13568,
    344, 328, 376, 360, 280, 264, 312, 296, 472, 456, 504, 488, 408, 392, 440, 424, 88, 72, 120,
    104, 24, 8, 56, 40, 216, 200, 248, 232, 152, 136, 184, 168, 1376, 1312, 1504, 1440, 1120,
    1056, 1248, 1184, 1888, 1824, 2016, 1952, 1632, 1568, 1760, 1696, 688, 656, 752, 720, 560,
    528, 624, 592, 944, 912, 1008, 976, 816, 784, 880, 848,
];

#[test]
fn all_256_codes_of_both_laws_decode_to_the_values_of_the_recommendation() {
    for code in 0..=255_u8 {
        assert_eq!(G711::Pcmu.decode(code), ULAW[usize::from(code)], "u-law {code:#04x}");
        assert_eq!(G711::Pcma.decode(code), ALAW[usize::from(code)], "A-law {code:#04x}");
    }
}

#[test]
fn all_codes_come_back_from_their_linear_value_but_the_negative_zero_of_u_law() {
    for code in 0..=255_u8 {
        let back = G711::Pcmu.encode(G711::Pcmu.decode(code));
        assert_eq!(back, if code == 0x7f { 0xff } else { code });
        assert_eq!(G711::Pcma.encode(G711::Pcma.decode(code)), code);
    }
    assert_eq!(G711::Pcmu.encode(0), G711::Pcmu.silence());
    assert_eq!(G711::Pcma.encode(0), G711::Pcma.silence());
    assert_eq!(G711::Pcmu.encode(i16::MAX), 0x80);
    assert_eq!(G711::Pcmu.encode(i16::MIN), 0x00);
    assert_eq!(G711::Pcma.encode(i16::MAX), 0xaa);
    assert_eq!(G711::Pcma.encode(i16::MIN), 0x2a);
}

#[test]
fn codes_change_at_the_decision_values_and_never_go_back() {
    // Decision values of G.711 tables 1a and 2a, in 16-bit units: the first of the upper code.
    for (law, value, below, above) in [
        (G711::Pcmu, 4 * 7903, 0x81, 0x80),
        (G711::Pcmu, 4 * 4063, 0x90, 0x8f),
        (G711::Pcmu, 4 * 31, 0xf0, 0xef),
        (G711::Pcma, 8 * 3968, 0xab, 0xaa),
        (G711::Pcma, 8 * 2048, 0xba, 0xa5),
        (G711::Pcma, 8 * 64, 0xca, 0xf5),
    ] {
        assert_eq!(law.encode(value - 1), below, "{law:?} {value}");
        assert_eq!(law.encode(value), above, "{law:?} {value}");
    }
    for law in [G711::Pcmu, G711::Pcma] {
        let values = (i16::MIN..=i16::MAX).map(|sample| law.decode(law.encode(sample)));
        assert!(values.is_sorted(), "{law:?}");
    }
}

#[test]
fn transcoding_is_one_step_off_at_most_keeps_the_sign_and_a_to_u_to_a_is_stable() {
    for (from, to) in [(G711::Pcmu, G711::Pcma), (G711::Pcma, G711::Pcmu)] {
        for code in 0..=255_u8 {
            let mut codes = [code];
            from.transcode(to, &mut codes);
            let (was, is) = (i32::from(from.decode(code)), i32::from(to.decode(codes[0])));
            assert_eq!(code & 0x80, codes[0] & 0x80, "{from:?} {code:#04x}");
            // A step of either law is at most a sixteenth of the value, and at least 16.
            assert!((was - is).abs() <= 16.max(was.abs() / 16), "{from:?} {code:#04x} {was} {is}");
            to.transcode(from, &mut codes);
            let twice = codes;
            from.transcode(to, &mut codes);
            to.transcode(from, &mut codes);
            assert_eq!(twice, codes, "a second tandem changes nothing more");
        }
    }
}

#[test]
fn the_conversion_tables_hold_the_recommendations_sample_points() {
    let convert = |from: G711, to, code| {
        let mut codes = [code];
        from.transcode(to, &mut codes);
        codes[0]
    };
    for (ulaw, alaw) in [(0x00, 0x2a), (0x20, 0x0a), (0x2f, 0x1a), (0x7f, 0x55), (0xff, 0xd5)] {
        assert_eq!(convert(G711::Pcmu, G711::Pcma, ulaw), alaw, "{ulaw:#04x}");
    }
    for (alaw, ulaw) in [(0x2a, 0x00), (0x55, 0x7e), (0xd5, 0xfe)] {
        assert_eq!(convert(G711::Pcma, G711::Pcmu, alaw), ulaw, "{alaw:#04x}");
    }
}
