//! Opus (RFC 6716) on RTP (RFC 7587): what a packet says of itself, and what an fmtp lets us send.

use std::fmt::Write;

/// The longest frame of a packet (RFC 6716 §3.2.1), and the longest packet that we make.
pub const MAX_FRAME: usize = 1275;
/// The most audio of one packet, in ticks of 48 kHz: 120 ms (RFC 6716 §3.2.5).
const MAX_TICKS: u32 = 5760;

/// What the far end's `a=fmtp` lets us send (RFC 7587 §6.1); the defaults are those of no fmtp.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OpusSettings {
    /// `maxaveragebitrate` in bits a second, 6000 to 510000; `None` leaves it to us.
    pub max_bitrate: Option<u32>,
    /// `maxplaybackrate` in Hz, 8000 to 48000: what lies above is not worth sending.
    pub max_playback_rate: u32,
    /// `useinbandfec`: it makes use of a repetition of the packet before.
    pub fec: bool,
    /// `usedtx`: it wants nothing in pauses.
    pub dtx: bool,
    /// `cbr`: it wants all packets of one size.
    pub cbr: bool,
}

impl Default for OpusSettings {
    fn default() -> Self {
        Self { max_bitrate: None, max_playback_rate: 48_000, fec: false, dtx: false, cbr: false }
    }
}

impl OpusSettings {
    /// Reads the parameters of an `a=fmtp`, what stands after the payload type. What cannot be
    /// read, or is out of its range, is as if it were not there.
    #[must_use]
    pub fn from_fmtp(parameters: &str) -> Self {
        let mut settings = Self::default();
        for parameter in parameters.split(';') {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            let Ok(value) = value.trim().parse::<u32>() else { continue };
            match name.trim().to_ascii_lowercase().as_str() {
                "maxaveragebitrate" if (6000..=510_000).contains(&value) => {
                    settings.max_bitrate = Some(value);
                }
                "maxplaybackrate" if (8000..=48_000).contains(&value) => {
                    settings.max_playback_rate = value;
                }
                "useinbandfec" => settings.fec = value == 1,
                "usedtx" => settings.dtx = value == 1,
                "cbr" => settings.cbr = value == 1,
                _ => {}
            }
        }
        settings
    }

    /// As the parameters of an `a=fmtp`; nothing of what is the default.
    #[must_use]
    pub fn to_fmtp(&self) -> String {
        let mut text = String::new();
        let mut put = |name: &str, value: u32| {
            let between = if text.is_empty() { "" } else { ";" };
            // Writing to a String cannot fail.
            let _ = write!(text, "{between}{name}={value}");
        };
        if self.max_playback_rate != 48_000 {
            put("maxplaybackrate", self.max_playback_rate);
        }
        if let Some(most) = self.max_bitrate {
            put("maxaveragebitrate", most);
        }
        for (name, on) in [("useinbandfec", self.fec), ("usedtx", self.dtx), ("cbr", self.cbr)] {
            if on {
                put(name, 1);
            }
        }
        text
    }
}

/// How long a packet lasts, in ticks of 48 kHz; 0 of what is no packet (RFC 6716 §3.1, §3.2).
#[must_use]
pub fn ticks(packet: &[u8]) -> u32 {
    let Some((&toc, rest)) = packet.split_first() else { return 0 };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => rest.first().map_or(0, |count| u32::from(count & 0x3f)),
    };
    let ticks = frames * frame_ticks(toc);
    if ticks <= MAX_TICKS { ticks } else { 0 }
}

/// How long one frame of a packet lasts (RFC 6716 table 2).
fn frame_ticks(toc: u8) -> u32 {
    let configuration = u32::from(toc >> 3);
    match configuration {
        // SILK: 10, 20, 40 or 60 ms.
        0..=11 => [480, 960, 1920, 2880].get(configuration as usize & 3).copied().unwrap_or(0),
        // Hybrid: 10 or 20 ms.
        12..=15 => 480 << (configuration & 1),
        // CELT: 2.5, 5, 10 or 20 ms.
        _ => 120 << (configuration & 3),
    }
}

/// Whether a packet with that first byte is CELT alone (RFC 6716 §3.1, table 2).
pub(super) const fn is_celt(toc: u8) -> bool {
    toc >> 3 >= 16
}

/// Whether a packet carries the one before it a second time, coarser (RFC 6716 §4.2.4): the LBRR
/// flag of its first frame.
#[must_use]
pub fn has_fec(packet: &[u8]) -> bool {
    let Some(&toc) = packet.first() else { return false };
    if is_celt(toc) {
        return false;
    }
    let Some(flags) = first_frame(packet).and_then(|frame| frame.first()) else { return false };
    // A voice flag for each 20 ms, then the LBRR flag; the same of the side channel after it.
    let voice_flags = (frame_ticks(toc) / 960).max(1);
    let middle = (flags >> (7 - voice_flags)) & 1;
    let is_stereo = toc & 4 != 0;
    let side = if is_stereo { (flags >> (6 - 2 * voice_flags)) & 1 } else { 0 };
    middle | side != 0
}

/// Whether the encoder heard a voice in any part of a packet (RFC 6716 §4.2.3); `None` where it does
/// not say so. A packet of no more than two bytes says that nothing is sent, because nobody speaks.
#[must_use]
pub fn has_voice(packet: &[u8]) -> Option<bool> {
    if packet.len() <= 2 {
        return (!packet.is_empty()).then_some(false);
    }
    let toc = *packet.first()?;
    if is_celt(toc) || toc & 3 != 0 {
        // CELT does not tell, and of several frames each tells for itself. A padded one is not
        // asked, either: who sends all packets of one length is listened to more often instead.
        return None;
    }
    let flags = first_frame(packet)?.first()?;
    let voice_flags = (frame_ticks(toc) / 960).max(1);
    Some(flags >> (8 - voice_flags) != 0)
}

/// What a packet says of the frames in it.
struct Frames<'a> {
    /// 1 to 48.
    number: usize,
    /// The lengths of all but the last one stand before them.
    is_variable: bool,
    /// Those lengths, and the frames; no padding.
    rest: &'a [u8],
}

/// The frames of a packet by its code (RFC 6716 §3.2.2 to §3.2.5); nothing of what has none or
/// lasts too long.
fn frames(packet: &[u8]) -> Option<Frames<'_>> {
    let (&toc, rest) = packet.split_first()?;
    let (number, is_variable) = match toc & 3 {
        0 => (1, false),
        1 => (2, false),
        2 => (2, true),
        _ => return counted_frames(toc, rest),
    };
    Some(Frames { number, is_variable, rest })
}

/// Code 3: their number, and padding whose length stands before the frames and which comes after
/// them (RFC 6716 §3.2.5).
fn counted_frames(toc: u8, rest: &[u8]) -> Option<Frames<'_>> {
    let (&count, mut rest) = rest.split_first()?;
    let (is_variable, is_padded) = (count & 0x80 != 0, count & 0x40 != 0);
    let number = count & 0x3f;
    if number == 0 || u32::from(number) * frame_ticks(toc) > MAX_TICKS {
        return None;
    }
    let mut padding = 0;
    let mut more = is_padded;
    while more {
        let (&length, after) = rest.split_first()?;
        rest = after;
        padding += usize::from(length.min(254));
        more = length == 255;
    }
    let rest = rest.get(..rest.len().checked_sub(padding)?)?;
    Some(Frames { number: usize::from(number), is_variable, rest })
}

/// The first compressed frame of a packet (RFC 6716 §3.2); nothing of a packet that breaks one of
/// the rules of §3.4, as no decoder takes it.
fn first_frame(packet: &[u8]) -> Option<&[u8]> {
    let Frames { number, is_variable, mut rest } = frames(packet)?;
    if !is_variable {
        let length = rest.len() / number;
        return rest.get(..length).filter(|_| length * number == rest.len() && length <= MAX_FRAME);
    }
    // The last one has no length: it is what is left, and of one frame the whole.
    let (mut first, mut all) = (None, 0);
    for _ in 1..number {
        let (length, after) = frame_length(rest)?;
        first.get_or_insert(length);
        all += length;
        rest = after;
    }
    let last = rest.len().checked_sub(all).filter(|last| *last <= MAX_FRAME)?;
    rest.get(..first.unwrap_or(last))
}

/// A frame's length in one or two bytes (RFC 6716 §3.2.1), and what follows it.
fn frame_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 252 {
        return Some((usize::from(first), rest));
    }
    let (&second, rest) = rest.split_first()?;
    Some((usize::from(second) * 4 + usize::from(first), rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use base::Rng;

    use super::*;

    /// What libopus finds in a packet.
    fn first_of_libopus(packet: &[u8]) -> Option<Vec<u8>> {
        let found = ::opus::packet::parse(packet).ok()?;
        Some(found.frames.first()?.to_vec())
    }

    /// Frames of 20 ms of speech at 16 kHz that carry the ones before them a second time, each as
    /// a packet.
    fn speech_with_fec() -> Vec<Vec<u8>> {
        let channels = ::opus::Channels::Mono;
        let mut encoder =
            ::opus::Encoder::new(16_000, channels, ::opus::Application::Voip).unwrap();
        encoder.set_signal(::opus::Signal::Voice).unwrap();
        encoder.set_inband_fec(true).unwrap();
        encoder.set_packet_loss_perc(20).unwrap();
        let bytes = include_bytes!("../../../fixtures/audio/caller-speech.wav");
        let pcm = bytes[44..].chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]]));
        // Each sample twice: what is heard is of no matter here.
        let pcm: Vec<i16> = pcm.flat_map(|sample| [sample; 2]).take(32_000).collect();
        let packets = pcm.chunks_exact(320).map(|pcm| encoder.encode_vec(pcm, 1275).unwrap());
        packets.filter(|packet| packet.len() > 2).collect()
    }

    /// The forms that a packet of one frame may take: as it is, and by code 3 of one frame, of
    /// equal lengths and of different ones, without padding and with that much.
    fn forms(packet: &[u8]) -> Vec<Vec<u8>> {
        let (toc, frame) = packet.split_first().unwrap();
        let counted = |count: u8, length: &[u8], padding: usize| {
            let mut form = vec![toc | 3, count];
            form.extend_from_slice(length);
            form.extend_from_slice(frame);
            form.resize(form.len() + padding, 0);
            form
        };
        let mut forms = vec![packet.to_vec(), counted(0x01, &[], 0), counted(0x81, &[], 0)];
        for (length, padding) in [(&[0][..], 0), (&[9], 9), (&[254], 254), (&[255, 3], 257)] {
            forms.push(counted(0x41, length, padding));
            forms.push(counted(0xc1, length, padding));
        }
        let mut padded = packet.to_vec();
        padded.resize(packet.len() + 33, 0xff);
        ::opus::packet::pad(&mut padded, packet.len()).unwrap();
        forms.push(padded);
        forms
    }

    #[test]
    fn one_frame_is_found_and_says_the_same_in_each_form_that_its_packet_may_take() {
        let packets = speech_with_fec();
        let (mut with_fec, mut with_voice) = (0, 0);
        for packet in &packets {
            let decoded = |packet: &[u8]| {
                let mut decoder = ::opus::Decoder::new(16_000, ::opus::Channels::Mono).unwrap();
                let mut pcm = [0; 320];
                assert_eq!(decoder.decode(packet, &mut pcm, false).unwrap(), 320);
                pcm
            };
            for form in forms(packet) {
                assert_eq!(decoded(&form), decoded(packet), "a decoder takes it: {form:?}");
                assert_eq!(first_frame(&form), packet.get(1..), "{form:?}");
                assert_eq!(has_fec(&form), has_fec(packet), "{form:?}");
                assert_eq!(ticks(&form), 960);
            }
            with_fec += usize::from(has_fec(packet));
            with_voice += usize::from(has_voice(packet) == Some(true));
        }
        let some = packets.len() / 4..packets.len();
        assert!(some.contains(&with_fec) && some.contains(&with_voice), "{with_fec} {with_voice}");
    }

    #[test]
    fn the_first_of_several_frames_is_found_as_a_repacketizer_joins_them() {
        let packets = speech_with_fec();
        let mut repacketizer = ::opus::Repacketizer::new().unwrap();
        for number in 1..=6 {
            for row in packets.windows(number).filter(|row| row[0][0] == row[number - 1][0]) {
                let parts: Vec<&[u8]> = row.iter().map(Vec::as_slice).collect();
                let mut joined = vec![0; 8000];
                let Ok(length) = repacketizer.combine(&parts, &mut joined) else { continue };
                for padding in [0, 1, 2, 300] {
                    let mut packet = joined[..length].to_vec();
                    packet.resize(length + padding, 0);
                    if padding > 0 {
                        ::opus::packet::pad(&mut packet, length).unwrap();
                    }
                    assert_eq!(first_frame(&packet), row[0].get(1..), "{number} {padding}");
                    assert_eq!(has_fec(&packet), has_fec(&row[0]), "{number} {padding}");
                    assert_eq!(ticks(&packet), 960 * number as u32);
                }
            }
        }
    }

    #[test]
    fn a_first_frame_is_found_where_libopus_finds_one_and_is_the_same() {
        let mut rng = Rng::from_seed(3);
        let (mut found, mut refused) = (0, 0);
        for _ in 0..40_000 {
            let most = if rng.below(4) == 0 { 3000 } else { 40 };
            let mut packet = vec![0; rng.below(most) as usize];
            rng.fill(&mut packet);
            // Lengths that fit are rare among all bytes, and so are few frames.
            if let Some(count) = packet.get_mut(1).filter(|_| rng.below(2) == 0) {
                *count &= 0xc7;
            }
            for byte in packet.iter_mut().skip(2).take(8) {
                *byte >>= if rng.below(2) == 0 { 5 } else { 0 };
            }
            let theirs = first_of_libopus(&packet);
            let ours = first_frame(&packet).map(<[u8]>::to_vec);
            assert_eq!(ours, theirs, "{packet:?}");
            *(if ours.is_some() { &mut found } else { &mut refused }) += 1;
        }
        assert!(found > 10_000 && refused > 5_000, "{found} {refused}");
    }

    #[test]
    fn the_length_of_a_packet_follows_from_its_first_two_bytes() {
        // 10, 20, 40, 60 ms of SILK; 20 ms hybrid; 2.5 ms of CELT.
        let lengths = [(0, 480), (1, 960), (2, 1920), (3, 2880), (13, 960), (16, 120)];
        for (configuration, expected) in lengths {
            assert_eq!(ticks(&[configuration << 3, 0]), expected);
            assert_eq!(ticks(&[configuration << 3 | 1, 0]), 2 * expected);
        }
        assert_eq!(ticks(&[1 << 3 | 3, 6, 0]), 5760, "six frames of 20 ms are the most");
        assert_eq!(ticks(&[1 << 3 | 3, 7, 0]), 0);
        assert_eq!(ticks(&[3]), 0);
        assert_eq!(ticks(&[]), 0);
    }

    #[test]
    fn an_fmtp_is_read_with_its_faults_left_out_and_written_without_its_defaults() {
        let text = "minptime=10; useinbandfec=1; maxaveragebitrate=20000;usedtx=1; cbr=1 ;\
                    maxplaybackrate=16000;stereo=x;;=;maxplaybackrate=1";
        let settings = OpusSettings::from_fmtp(text);
        let expected = OpusSettings {
            max_bitrate: Some(20_000),
            max_playback_rate: 16_000,
            fec: true,
            dtx: true,
            cbr: true,
        };
        assert_eq!(settings, expected);
        assert_eq!(OpusSettings::from_fmtp(&expected.to_fmtp()), expected);
        assert_eq!(OpusSettings::default().to_fmtp(), "");
        assert_eq!(OpusSettings::from_fmtp("maxaveragebitrate=1"), OpusSettings::default());
    }

    #[test]
    fn a_voice_is_told_by_its_flag_and_not_at_all_by_celt() {
        let packet = |configuration: u8, flags: u8| [configuration << 3, flags, 1, 2];
        assert_eq!(has_voice(&packet(1, 0b1000_0000)), Some(true));
        assert_eq!(has_voice(&packet(1, 0b0100_0000)), Some(false), "that is of FEC");
        assert_eq!(has_voice(&packet(3, 0b0010_0000)), Some(true), "in the last 20 of 60 ms");
        assert_eq!(has_voice(&packet(3, 0b0001_0000)), Some(false));
        assert_eq!(has_voice(&packet(19, 0xff)), None);
        assert_eq!(has_voice(&[1 << 3]), Some(false), "a pause that is not sent");
        assert_eq!(has_voice(&[]), None);
    }

    #[test]
    fn no_bytes_make_the_readers_of_a_packet_fall() {
        for toc in 0..=255 {
            for second in 0..=255 {
                for rest in [&[][..], &[0], &[255, 255, 255], &[1; 40]] {
                    let packet = [&[toc, second], rest].concat();
                    let _ = (ticks(&packet), has_fec(&packet), has_voice(&packet));
                }
            }
        }
    }
}
