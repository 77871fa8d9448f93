//! What could not be committed yet: an append-only file of one JSON line a row, in order, each
//! batch on the disk before the next. Emptied when everything in it is in the database.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use store::Append;

use super::Rejected;

/// The journal of one data folder.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    rejected: Rejected,
    file: File,
    /// Bytes that are committed already.
    read: u64,
    /// Bytes written.
    written: u64,
}

impl Journal {
    /// Opens the journal; rows of an earlier run are still to be drained. A last line that a crash
    /// cut is dropped: it was never acknowledged to anybody.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn open(folder: &Path) -> std::io::Result<Self> {
        let path = folder.join("journal.jsonl");
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
        let written = whole_lines(&mut file)?;
        file.set_len(written)?;
        Ok(Self { path, rejected: Rejected::of(folder), file, read: 0, written })
    }

    /// Where its rows go that no database takes.
    pub(super) fn rejected(&self) -> &Rejected {
        &self.rejected
    }

    /// Rows wait for the database.
    pub(crate) fn has_rows(&self) -> bool {
        self.read < self.written
    }

    /// Bytes that wait for the database.
    pub(crate) fn backlog(&self) -> u64 {
        self.written - self.read
    }

    /// Appends a batch and waits until the disk has it.
    ///
    /// # Errors
    /// The disk's; then nothing of the batch counts as written.
    pub(crate) fn append(&mut self, rows: &[Append]) -> std::io::Result<()> {
        let mut lines = Vec::new();
        for row in rows {
            serde_json::to_writer(&mut lines, row)?;
            lines.push(b'\n');
        }
        let appended = self.file.write_all(&lines).and_then(|()| self.file.sync_data());
        if let Err(error) = appended {
            self.file.set_len(self.written)?;
            return Err(error);
        }
        self.written += lines.len() as u64;
        Ok(())
    }

    /// The oldest rows, at most `limit`, and where they end, for [`Journal::forget`]. A line that is
    /// no row (somebody edited the file, or another version wrote it) is set aside.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn oldest(&self, limit: usize) -> std::io::Result<(Vec<Append>, u64)> {
        let mut reader = BufReader::new(File::open(&self.path)?);
        reader.seek(SeekFrom::Start(self.read))?;
        let mut end = self.read;
        let mut rows = Vec::new();
        let mut line = Vec::new();
        while rows.len() < limit && end < self.written {
            line.clear();
            let length = reader.read_until(b'\n', &mut line)?;
            if length == 0 {
                break;
            }
            match serde_json::from_slice(&line) {
                Ok(row) => rows.push(row),
                Err(error) => {
                    let why = format!("{} at byte {end}: {error}", self.path.display());
                    self.rejected.line(String::from_utf8_lossy(&line).trim_end(), &why)?;
                }
            }
            end += length as u64;
        }
        Ok((rows, end))
    }

    /// Everything before `end` is committed. The file is emptied when nothing is left.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn forget(&mut self, end: u64) -> std::io::Result<()> {
        self.read = end;
        if !self.has_rows() {
            self.file.set_len(0)?;
            self.file.sync_data()?;
            (self.read, self.written) = (0, 0);
        }
        Ok(())
    }
}

/// The length of the file up to its last line's end.
fn whole_lines(file: &mut File) -> std::io::Result<u64> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let mut whole = 0;
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        if length == 0 || line.last() != Some(&b'\n') {
            return Ok(whole);
        }
        whole += length as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{TenantId, UnixTime};
    use store::EventRow;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("journal-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn event(sequence: u64) -> Append {
        Append::Event(EventRow {
            tenant: TenantId::new("acme").unwrap(),
            sequence,
            call: None,
            at: UnixTime::from_micros(1),
            kind: "call.started".into(),
            data: "{\"from\":\"\\n\"}".into(),
        })
    }

    fn sequences(rows: &[Append]) -> Vec<u64> {
        rows.iter()
            .map(|row| match row {
                Append::Event(event) => event.sequence,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn rows_come_back_in_order_after_a_restart_and_the_file_is_emptied_at_the_end() {
        let folder = folder("order");
        let mut journal = Journal::open(&folder).unwrap();
        journal.append(&[event(1), event(2)]).unwrap();
        journal.append(&[event(3)]).unwrap();
        drop(journal);
        let mut journal = Journal::open(&folder).unwrap();
        let (rows, end) = journal.oldest(2).unwrap();
        assert_eq!(sequences(&rows), [1, 2]);
        journal.forget(end).unwrap();
        journal.append(&[event(4)]).unwrap();
        let (rows, end) = journal.oldest(10).unwrap();
        assert_eq!(sequences(&rows), [3, 4]);
        journal.forget(end).unwrap();
        assert!(!journal.has_rows());
        assert_eq!(std::fs::metadata(folder.join("journal.jsonl")).unwrap().len(), 0);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_line_that_a_crash_cut_is_dropped_and_the_rest_kept() {
        let folder = folder("cut");
        let mut journal = Journal::open(&folder).unwrap();
        journal.append(&[event(1)]).unwrap();
        drop(journal);
        let mut file = OpenOptions::new().append(true).open(folder.join("journal.jsonl")).unwrap();
        file.write_all(b"{\"Event\":{\"ten").unwrap();
        drop(file);
        let mut journal = Journal::open(&folder).unwrap();
        journal.append(&[event(2)]).unwrap();
        assert_eq!(sequences(&journal.oldest(10).unwrap().0), [1, 2]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
