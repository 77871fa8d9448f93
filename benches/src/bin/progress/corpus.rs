//! The corpus: what is said, by whom, and when its greeting and its beep are over.

use std::path::Path;

/// One answered call.
pub(crate) struct Sample {
    pub(crate) name: String,
    /// `human`, `machine` or `music`.
    pub(crate) who: String,
    /// `recorded` or `synthetic`.
    pub(crate) source: String,
    pub(crate) pcm: Vec<i16>,
    /// When a machine's greeting is over, and its beep, in milliseconds; 0 without.
    pub(crate) ended: u64,
    pub(crate) beeped: u64,
}

pub(crate) fn read(folder: &Path, half: &str) -> Result<Vec<Sample>, String> {
    let table = folder.join("corpus.tsv");
    let text = std::fs::read_to_string(&table).map_err(|e| format!("{}: {e}", table.display()))?;
    let mut samples = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, who, its_half, source, _, ended, beeped] = fields.as_slice() else {
            return Err(format!("not a row of the corpus: {line}"));
        };
        if *its_half != half && half != "all" {
            continue;
        }
        let number = |text: &str| text.parse().map_err(|_| format!("not a time: {line}"));
        samples.push(Sample {
            name: (*name).to_owned(),
            who: (*who).to_owned(),
            source: (*source).to_owned(),
            pcm: wav(&folder.join(name))?,
            ended: number(ended)?,
            beeped: number(beeped)?,
        });
    }
    Ok(samples)
}

/// The samples of a WAV file of 8 kHz and 16 bits as the script writes it: a head of 44 bytes.
fn wav(path: &Path) -> Result<Vec<i16>, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let samples = bytes.get(44..).unwrap_or_default();
    Ok(samples.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect())
}
