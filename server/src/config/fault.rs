//! Faults of a configuration file: one line with the file, the line, the key and the cure.

use std::fmt;
use std::path::{Path, PathBuf};

use super::place::{Place, key_at_line};

/// What is wrong with a file, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1; none when the fault is not of one line.
    pub line: Option<usize>,
    /// The dotted key; empty when the fault is not of one key.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub cure: String,
}

impl ConfigFault {
    pub(crate) fn of_file(file: &Path, problem: String, cure: &str) -> Self {
        let cure = cure.to_owned();
        Self { file: file.to_owned(), line: None, key: String::new(), problem, cure }
    }

    pub(crate) fn of_key(place: &Place<'_>, key: &str, problem: String, cure: &str) -> Self {
        Self {
            file: place.file().to_owned(),
            line: place.line_of(key),
            key: key.to_owned(),
            problem,
            cure: cure.to_owned(),
        }
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": ")?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.problem, self.cure)
    }
}

impl std::error::Error for ConfigFault {}

/// A parser's or a type's complaint, turned into ours.
pub(crate) fn from_toml(file: &Path, text: &str, error: &toml::de::Error) -> ConfigFault {
    let line = error.span().map(|span| line_at(text, span.start));
    let key = line.map(|line| key_at_line(text, line)).unwrap_or_default();
    let message = error.message().replace('\n', " ");
    let (problem, cure) = match unknown_field(&message) {
        Some((field, known)) => (format!("unknown key `{field}`"), cure_of_unknown(field, &known)),
        None => (message.clone(), cure_of_value(&message)),
    };
    ConfigFault { file: file.to_owned(), line, key, problem, cure }
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// serde's "unknown field `x`, expected one of `a`, `b`" (or "expected `a`").
fn unknown_field(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (field, expected) = rest.split_once('`')?;
    Some((field, expected.split('`').skip(1).step_by(2).collect()))
}

fn cure_of_unknown(field: &str, known: &[&str]) -> String {
    let nearest = known.iter().min_by_key(|name| distance(field, name));
    match nearest {
        Some(name) if distance(field, name) <= 3 => format!("did you mean `{name}`?"),
        _ => format!("known here: {}", known.join(", ")),
    }
}

fn cure_of_value(message: &str) -> String {
    if message.contains("missing field") {
        "add the key".into()
    } else if message.contains("invalid socket address") {
        "write \"address:port\", such as \"127.0.0.1:5060\"".into()
    } else if message.contains("invalid IP address") {
        "write an address, such as \"192.0.2.10\"".into()
    } else if message.contains("invalid type") {
        "write a value of that type".into()
    } else {
        "correct the line (TOML: https://toml.io)".into()
    }
}

/// Levenshtein's edit distance, for names of a few letters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substitute = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = substitute.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
