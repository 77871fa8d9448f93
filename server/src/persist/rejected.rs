//! Rows that the store will never take, however often they are tried: set aside in a file of their
//! own, so that they block nothing and are not lost either.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// `rejected.jsonl` of a data folder: one JSON object a line, `why` and `row` (or the `line` of the
/// journal that is none). Nothing reads it but a person; then it may be removed.
#[derive(Debug, Clone)]
pub(crate) struct Rejected {
    path: PathBuf,
}

impl Rejected {
    pub(crate) fn of(folder: &Path) -> Self {
        Self { path: folder.join("rejected.jsonl") }
    }

    /// Adds a row, on the disk when it returns.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn row(&self, row: &store::Append, why: &str) -> std::io::Result<()> {
        self.add(&json!({ "why": why, "row": row }), why)
    }

    /// Adds a line of the journal that is no row.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn line(&self, line: &str, why: &str) -> std::io::Result<()> {
        self.add(&json!({ "why": why, "line": line }), why)
    }

    fn add(&self, entry: &Value, why: &str) -> std::io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        file.write_all(format!("{entry}\n").as_bytes())?;
        file.sync_data()?;
        metrics::counter!("strowger_store_rows_rejected_total").increment(1);
        let file = self.path.display();
        tracing::error!(why, %file, "the store refuses a row for good: it is set aside");
        Ok(())
    }
}
