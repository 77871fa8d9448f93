//! The report block of sender and receiver reports (RFC 3550 §6.4.1).

use super::word;

/// What a receiver says of one source.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReportBlock {
    /// The source it is about.
    pub ssrc: u32,
    /// Lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Lost since the beginning, 24 bits with sign.
    pub cumulative_lost: i32,
    /// Cycles and highest sequence number.
    pub highest_sequence: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// The middle 32 bits of the NTP time of the source's last sender report; 0 for none.
    pub last_sr: u32,
    /// How long ago that came, in 65536ths of a second.
    pub delay_since_last_sr: u32,
}

impl ReportBlock {
    /// Reads one off the front.
    #[must_use]
    pub fn read(body: &mut &[u8]) -> Option<Self> {
        let ssrc = word(body)?;
        let loss = word(body)?;
        Some(Self {
            ssrc,
            fraction_lost: (loss >> 24) as u8,
            // Up and down again by eight bits: the sign of the 24th spreads.
            cumulative_lost: (loss << 8).cast_signed() >> 8,
            highest_sequence: word(body)?,
            jitter: word(body)?,
            last_sr: word(body)?,
            delay_since_last_sr: word(body)?,
        })
    }

    /// Appends it.
    pub fn write(&self, into: &mut Vec<u8>) {
        let lost = self.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff).cast_unsigned() & 0xff_ffff;
        let loss = (u32::from(self.fraction_lost) << 24) | lost;
        for word in [
            self.ssrc,
            loss,
            self.highest_sequence,
            self.jitter,
            self.last_sr,
            self.delay_since_last_sr,
        ] {
            into.extend_from_slice(&word.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_loss_and_the_limits_of_24_bits_survive() {
        for (lost, back) in [(-1, -1), (-0x80_0000, -0x80_0000), (0x7f_ffff, 0x7f_ffff)] {
            let mut bytes = Vec::new();
            ReportBlock { cumulative_lost: lost, fraction_lost: 255, ..Default::default() }
                .write(&mut bytes);
            let block = ReportBlock::read(&mut bytes.as_slice()).unwrap();
            assert_eq!((block.cumulative_lost, block.fraction_lost), (back, 255));
        }
        let mut bytes = Vec::new();
        ReportBlock { cumulative_lost: i32::MAX, ..Default::default() }.write(&mut bytes);
        assert_eq!(ReportBlock::read(&mut bytes.as_slice()).unwrap().cumulative_lost, 0x7f_ffff);
    }
}
