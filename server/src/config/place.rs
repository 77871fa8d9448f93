//! Where a key stands in a TOML text: lines for errors that the types found, not the parser.

use std::path::Path;

/// A file's name and text.
pub(crate) struct Place<'a> {
    file: &'a Path,
    text: &'a str,
}

impl<'a> Place<'a> {
    pub(crate) fn new(file: &'a Path, text: &'a str) -> Self {
        Self { file, text }
    }

    pub(crate) fn file(&self) -> &Path {
        self.file
    }

    /// The line of a dotted key, or of the nearest table above it; none when neither is written.
    pub(crate) fn line_of(&self, key: &str) -> Option<usize> {
        let mut wanted = key;
        loop {
            let found = (1..=self.text.lines().count())
                .find(|line| key_at_line(self.text, *line) == wanted);
            if found.is_some() {
                return found;
            }
            wanted = wanted.rsplit_once('.')?.0;
        }
    }
}

/// The dotted key that a line sets: its table header above and the name before `=`; the header
/// itself when the line is one.
pub(crate) fn key_at_line(text: &str, line: usize) -> String {
    let mut table = "";
    let mut key = String::new();
    for row in text.lines().take(line) {
        let row = row.trim();
        if row.starts_with('#') {
            continue;
        }
        if let Some(header) = row.strip_prefix('[').and_then(|row| row.split_once(']')) {
            table = header.0.trim_start_matches('[').trim();
            key = table.to_owned();
        } else if let Some((name, _)) = row.split_once('=') {
            let name = name.trim();
            key = if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") };
        }
    }
    key
}
