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

/// Whether a packet carries the one before it a second time, coarser (RFC 6716 §4.2.4): the LBRR
/// flag of its first frame.
#[must_use]
pub fn has_fec(packet: &[u8]) -> bool {
    let Some(&toc) = packet.first() else { return false };
    if toc >> 3 >= 16 {
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
    if toc >> 3 >= 16 || toc & 3 != 0 {
        // CELT does not tell, and of several frames each tells for itself.
        return None;
    }
    let flags = first_frame(packet)?.first()?;
    let voice_flags = (frame_ticks(toc) / 960).max(1);
    Some(flags >> (8 - voice_flags) != 0)
}

/// The first compressed frame of a packet (RFC 6716 §3.2).
fn first_frame(packet: &[u8]) -> Option<&[u8]> {
    let (&toc, rest) = packet.split_first()?;
    match toc & 3 {
        0 => Some(rest),
        1 => rest.get(..rest.len() / 2),
        2 => {
            let (length, rest) = frame_length(rest)?;
            rest.get(..length)
        }
        _ => {
            let (&count, mut rest) = rest.split_first()?;
            let (is_variable, is_padded) = (count & 0x80 != 0, count & 0x40 != 0);
            let frames = usize::from(count & 0x3f);
            let mut padding = 0;
            let mut more = is_padded;
            while more {
                let (&length, after) = rest.split_first()?;
                rest = after;
                padding += usize::from(length.min(254));
                more = length == 255;
            }
            if !is_variable {
                let all = rest.len().checked_sub(padding)?;
                return rest.get(..all.checked_div(frames)?);
            }
            let (length, mut rest) = frame_length(rest)?;
            for _ in 2..frames {
                rest = frame_length(rest)?.1;
            }
            rest.get(..length)
        }
    }
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
mod tests {
    use super::*;

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
