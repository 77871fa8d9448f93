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

/// A recording being made.
pub(crate) struct Live {
    speech: Speech,
    timeline: Timeline,
    writer: Writer,
    file: Growing,
    progress: watch::Sender<Progress>,
    plain_bytes: u64,
    samples: Vec<i16>,
    plain: Vec<u8>,
    sealed: Vec<u8>,
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
        window: Duration,
    ) -> io::Result<(Self, Vec<Arc<File>>)> {
        let (file, files) = spool.create(manifest)?;
        let mut sealed = Vec::new();
        let binding = stream_binding(&manifest.tenant, manifest.recording);
        let header = Header::from_random(disk::random()?);
        let writer = Writer::new(key, &binding, manifest.segment_bytes, header, &mut sealed)
            .map_err(io::Error::other)?;
        let mut live = Self {
            speech: Speech::default(),
            timeline: Timeline::new(start, window),
            writer,
            file,
            progress: watch::Sender::new(Progress::default()),
            plain_bytes: 0,
            samples: Vec::new(),
            plain: wav::header(None).to_vec(),
            sealed,
            broken: None,
            dirty: false,
            end: None,
        };
        live.write();
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
        if frame.kind != FrameKind::Audio {
            return;
        }
        let Self { speech, timeline, .. } = self;
        speech.take(frame, &mut |audio| timeline.push(audio));
    }

    /// Moves on: what has left the reordering window is encrypted and written. False when the disk
    /// failed; then only [`Live::finish`] is left.
    pub(crate) fn advance(&mut self, now: Instant) -> bool {
        let until = self.end.map_or(now, |end| end.min(now));
        let Self { speech, timeline, .. } = self;
        speech.advance(now, &mut |audio| timeline.push(audio));
        self.timeline.poll(until, &mut self.samples);
        self.write();
        self.broken.is_none()
    }

    /// The file, if it was written to since the last call.
    pub(crate) fn take_dirty(&mut self) -> Option<Arc<File>> {
        std::mem::take(&mut self.dirty).then(|| Arc::clone(&self.file.file))
    }

    /// Ends the recording at `end`: its last segment is written and synced, and the uploader told.
    pub(crate) fn finish(mut self, end: Instant, cut_short: Option<String>) {
        let Self { speech, timeline, samples, .. } = &mut self;
        speech.finish(&mut |audio| timeline.push(audio));
        timeline.finish(end, samples);
        self.write();
        let Self { timeline, writer, mut file, progress, plain_bytes, mut sealed, broken, .. } =
            self;
        let gaps_ms = timeline.gaps_ms().iter().sum();
        let outcome = match broken {
            Some(why) => Err(why),
            None => writer
                .finish(&mut sealed)
                .map_err(|e| e.to_string())
                .and_then(|()| file.append(&sealed).map_err(|e| e.to_string())),
        };
        let end = match outcome {
            Ok(()) => End::Sealed(Sealed {
                bytes: file.written,
                wav_bytes: plain_bytes,
                gaps_ms,
                cut_short,
                recovered: None,
            }),
            Err(why) => End::Broken(why),
        };
        progress.send_replace(Progress { written: file.written, end: Some(end) });
    }

    /// Encrypts what the timeline gave out and appends the segments it fills.
    fn write(&mut self) {
        for sample in self.samples.drain(..) {
            self.plain.extend_from_slice(&sample.to_le_bytes());
        }
        if self.broken.is_some() {
            self.plain.clear();
            return;
        }
        let outcome = self
            .writer
            .write(&self.plain, &mut self.sealed)
            .map_err(|e| e.to_string())
            .and_then(|()| self.file.append(&self.sealed).map_err(|e| e.to_string()));
        self.plain_bytes += self.plain.len() as u64;
        self.plain.clear();
        if let Err(why) = outcome {
            self.broken = Some(why);
        } else if !self.sealed.is_empty() {
            self.dirty = true;
            let written = self.file.written;
            self.progress.send_modify(|progress| progress.written = written);
        }
        self.sealed.clear();
    }
}
