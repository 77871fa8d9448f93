//! One channel of a timeline: its streams, heard together (in a conference there are several).

use media::StreamId;

use crate::track::{Placement, Track};

/// Streams of a channel that are remembered; of more, one with nothing waiting is forgotten.
const MOST: usize = 16;

/// The streams of one channel, and what of it no stream covered.
#[derive(Debug, Default)]
pub(crate) struct Side {
    tracks: Vec<(StreamId, Track)>,
    begun: bool,
    /// Samples not heard since the last one that was, and those known to be gaps.
    unheard: u64,
    gaps: u64,
}

impl Side {
    /// Places one packet's samples; `base` is the axis position of the first sample waiting.
    pub(crate) fn place(
        &mut self,
        base: u64,
        stream: StreamId,
        packet: Placement,
        samples: &[i16],
    ) {
        if let Some((_, track)) = self.tracks.iter_mut().find(|(known, _)| *known == stream) {
            return track.place(base, packet, samples);
        }
        if self.tracks.len() >= MOST
            && let Some(idle) = self.tracks.iter().position(|(_, track)| track.is_empty())
        {
            self.tracks.remove(idle);
        }
        let mut track = Track::default();
        track.place(base, packet, samples);
        self.tracks.push((stream, track));
    }

    /// The next sample in time; silence where nothing was heard.
    pub(crate) fn take(&mut self) -> i16 {
        let mut heard = None;
        for (_, track) in &mut self.tracks {
            if let Some(sample) = track.take() {
                heard = Some(heard.unwrap_or(0) + i32::from(sample));
            }
        }
        let Some(sample) = heard else {
            self.unheard += 1;
            return 0;
        };
        if self.begun {
            self.gaps += self.unheard;
        }
        self.begun = true;
        self.unheard = 0;
        sample.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
    }

    /// Samples between the first and the latest heard that nothing covered.
    pub(crate) fn gap_samples(&self) -> u64 {
        self.gaps
    }
}
