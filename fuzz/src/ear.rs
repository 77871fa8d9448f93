//! What must hold of `media::ear` whatever comes in: no panic, and figures that add up.

use base::{Duration, Instant};
use media::ear::Ear;
use media::rtp::Header;
use media::{Codec, Rate};

/// A packet or a tick for each handful of bytes: what comes, its place, its time, its payload.
pub fn ear(data: &[u8]) {
    let Some((first, mut rest)) = data.split_first() else { return };
    let rate = match first % 3 {
        0 => Rate::Narrow,
        1 => Rate::Wide,
        _ => Rate::Full,
    };
    let mut ear = Ear::new(rate);
    let mut now = Instant::from_millis(u64::from(*first));
    let (mut sequence, mut timestamp, mut ticks) =
        (u16::from(*first), u32::from(*first) << 24, 0_u32);
    while let Some(([what, step, place, length], after)) = rest.split_first_chunk::<4>() {
        let bytes = usize::from(*length) * usize::from(what >> 6);
        let payload = after.get(..bytes.min(after.len())).unwrap_or_default();
        rest = after.get(payload.len()..).unwrap_or_default();
        now += Duration::from_millis(u64::from(step % 64));
        sequence = sequence.wrapping_add(u16::from(*place).wrapping_sub(if step & 0x80 == 0 {
            0
        } else {
            200
        }));
        timestamp = timestamp.wrapping_add(u32::from(*place).wrapping_mul(if step & 0x40 == 0 {
            160
        } else {
            0x0101_0101
        }));
        let header = Header {
            payload_type: 0,
            marker: what & 0x20 != 0,
            sequence,
            timestamp,
            ssrc: u32::from(what & 1),
        };
        match what & 0x0e {
            0 => ear.handle_event(now, &header),
            2 => ear.handle_comfort_noise(now, &header, payload),
            4 | 6 => {
                let mut out = vec![0; rate.per_tick()];
                ear.hear(now, &mut out);
                ticks += 1;
            }
            8 => ear.handle_packet(now, &header, Codec::Opus, payload),
            10 => ear.handle_packet(now, &header, Codec::G722, payload),
            _ => ear.handle_packet(now, &header, Codec::Pcmu, payload),
        }
    }
    let figures = ear.figures();
    let heard = figures.speech + figures.concealed + figures.recovered;
    // A packet may still wait, decoded: 120 ms at the most, and as much again to be scaled.
    let most = Duration::from_millis(20) * ticks + figures.removed + Duration::from_millis(400);
    assert!(heard <= most, "{heard:?} heard in {ticks} ticks: {figures:?}");
}
