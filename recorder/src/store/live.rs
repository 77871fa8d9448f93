//! One recording being made: frames in, encrypted segments into its spool file.

use std::fs::File;
use std::io;
use std::sync::Arc;

use base::{Duration, Instant};
use media::tap::{Frame, FrameKind};
use tokio::sync::watch;

use super::disk;
use super::manifest::{Manifest, Sealed};
use super::spool::{Growing, Spool};
use crate::aead::{Header, Writer};
use crate::keys::{DataKey, stream_binding};
use crate::speech::Speech;
use crate::timeline::Timeline;
use crate::wav;

/// What the uploader needs to know of a growing file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// Bytes of the file that will never change.
    pub(crate) written: u64,
    pub(crate) end: Option<End>,
}

/// How a file stopped growing.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// With its last segment.
    Sealed(Sealed),
    /// Without: the disk failed.
    Broken(String),
}

/// What the uploader waits for is whole parts; it is told of what was written in steps of this.
const TOLD_STEP: u64 = 256 << 10;

/// Room for what moves through one recording at a time, used by all in turns.
#[derive(Default)]
pub(crate) struct Scratch {
    samples: Vec<i16>,
    plain: Vec<u8>,
    sealed: Vec<u8>,
}

/// A recording being made.
pub(crate) struct Live {
    speech: Speech,
    timeline: Timeline,
    writer: Writer,
    file: Growing,
    progress: watch::Sender<Progress>,
    /// The uploader is told when the file is as long as this.
    tell_at: u64,
    tell_step: u64,
    plain_bytes: u64,
    broken: Option<String>,
    dirty: bool,
    /// When to end it, once it was ordered to.
    pub(crate) end: Option<Instant>,
}

impl Live {
    /// Makes the files and puts the stream's header into them. Gives also what to sync.
    pub(crate) fn begin(
        spool: &Spool,
        manifest: &Manifest,
        key: &DataKey,
        start: Instant,
        (window, part_bytes): (Duration, u64),
        scratch: &mut Scratch,
    ) -> io::Result<(Self, Vec<Arc<File>>)> {
        let (file, files) = spool.create(manifest)?;
        scratch.sealed.clear();
        let binding = stream_binding(&manifest.tenant, manifest.recording);
        let header = Header::from_random(disk::random()?);
        let writer =
            Writer::new(key, &binding, manifest.segment_bytes, header, &mut scratch.sealed)
                .map_err(io::Error::other)?;
        let tell_step = part_bytes.min(TOLD_STEP);
        let mut live = Self {
            speech: Speech::default(),
            timeline: Timeline::new(start, window),
            writer,
            file,
            progress: watch::Sender::new(Progress::default()),
            tell_at: tell_step,
            tell_step,
            plain_bytes: 0,
            broken: None,
            dirty: false,
            end: None,
        };
        scratch.plain.extend_from_slice(&wav::header(None));
        live.write(scratch);
        match live.broken.take() {
            None => Ok((live, files)),
            Some(why) => Err(io::Error::other(why)),
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Takes one frame of the tap.
    pub(crate) fn frame(&mut self, frame: &Frame) {
        // What comes in a pause is not even decoded.
        if frame.kind != FrameKind::Audio || self.timeline.is_paused(frame.at) {
            return;
        }
        let Self { speech, timeline, .. } = self;
        speech.take(frame, &mut |audio| timeline.push(audio));
    }

    /// Nothing of what comes from `at` on is recorded, or it is again.
    pub(crate) fn set_paused(&mut self, at: Instant, paused: bool) {
        if paused {
            self.timeline.pause(at);
        } else {
            self.timeline.resume(at);
        }
    }

    /// Moves on: what has left the reordering window is encrypted and written. False when the disk
    /// failed; then only [`Live::finish`] is left.
    pub(crate) fn advance(&mut self, now: Instant, scratch: &mut Scratch) -> bool {
        let until = self.end.map_or(now, |end| end.min(now));
        let Self { speech, timeline, .. } = self;
        speech.advance(now, &mut |audio| timeline.push(audio));
        self.timeline.poll(until, &mut scratch.samples);
        self.write(scratch);
        self.broken.is_none()
    }

    /// The file, if it was written to since the last call.
    pub(crate) fn take_dirty(&mut self) -> Option<Arc<File>> {
        std::mem::take(&mut self.dirty).then(|| Arc::clone(&self.file.file))
    }

    /// Ends the recording at `end`: its last segment is written, and the uploader told.
    pub(crate) fn finish(mut self, end: Instant, cut_short: Option<String>, scratch: &mut Scratch) {
        let Self { speech, timeline, .. } = &mut self;
        speech.finish(&mut |audio| timeline.push(audio));
        timeline.finish(end, &mut scratch.samples);
        self.write(scratch);
        let Self { timeline, writer, mut file, progress, plain_bytes, broken, .. } = self;
        let (gaps_ms, pauses) = (timeline.gaps_ms().iter().sum(), timeline.pauses());
        let outcome = match broken {
            Some(why) => Err(why),
            None => writer
                .finish(&mut scratch.sealed)
                .map_err(|e| e.to_string())
                .and_then(|()| file.append(&scratch.sealed).map_err(|e| e.to_string())),
        };
        scratch.sealed.clear();
        let end = match outcome {
            Ok(()) => End::Sealed(Sealed {
                bytes: file.written,
                wav_bytes: plain_bytes,
                gaps_ms,
                pauses,
                cut_short,
                recovered: None,
            }),
            Err(why) => End::Broken(why),
        };
        progress.send_replace(Progress { written: file.written, end: Some(end) });
    }

    /// Encrypts what the timeline gave out and appends the segments it fills. The scratch is empty
    /// again after it.
    fn write(&mut self, scratch: &mut Scratch) {
        let Scratch { samples, plain, sealed } = scratch;
        let start = plain.len();
        plain.resize(start + 2 * samples.len(), 0);
        let (bytes, _) = plain[start..].as_chunks_mut::<2>();
        bytes.iter_mut().zip(&*samples).for_each(|(to, sample)| *to = sample.to_le_bytes());
        samples.clear();
        if self.broken.is_none() {
            let outcome = self
                .writer
                .write(plain, sealed)
                .map_err(|e| e.to_string())
                .and_then(|()| self.append(sealed).map_err(|e| e.to_string()));
            self.plain_bytes += plain.len() as u64;
            self.broken = outcome.err();
        }
        plain.clear();
        sealed.clear();
    }

    fn append(&mut self, sealed: &[u8]) -> io::Result<()> {
        if sealed.is_empty() {
            return Ok(());
        }
        self.file.append(sealed)?;
        self.dirty = true;
        if self.file.written >= self.tell_at {
            let written = self.file.written;
            self.tell_at = written - written % self.tell_step + self.tell_step;
            self.progress.send_modify(|progress| progress.written = written);
        }
        Ok(())
    }
}
