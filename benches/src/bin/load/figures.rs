//! What the kernel says about the server: CPU of each thread, resident memory.

use std::collections::BTreeMap;
use std::fs;

/// One look at a process.
pub(crate) struct Reading {
    /// CPU by thread name, milliseconds; threads of one kind together.
    threads: BTreeMap<String, f64>,
    pub(crate) resident_kib: u64,
}

/// The difference of two readings.
pub(crate) struct Spent {
    threads: BTreeMap<String, f64>,
    /// Media workers.
    pub(crate) media_ms: f64,
    /// Everything else.
    pub(crate) other_ms: f64,
}

impl Reading {
    pub(crate) fn take(pid: u32) -> Result<Self, String> {
        let mut threads = BTreeMap::new();
        let tasks = format!("/proc/{pid}/task");
        for task in fs::read_dir(&tasks).map_err(|error| format!("{tasks}: {error}"))? {
            let path = task.map_err(|error| error.to_string())?.path();
            // A thread that ended between the listing and the reading is left out.
            let (Ok(name), Ok(stat)) =
                (fs::read_to_string(path.join("comm")), fs::read_to_string(path.join("schedstat")))
            else {
                continue;
            };
            let nanos: f64 =
                stat.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0.0);
            let kind = name.trim().trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
            *threads.entry(kind.to_owned()).or_insert(0.0) += nanos / 1e6;
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status"));
        let status = status.map_err(|error| error.to_string())?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|line| line.trim().split(' ').next()?.parse().ok());
        Ok(Self { threads, resident_kib: kib.unwrap_or(0) })
    }

    pub(crate) fn since(&self, earlier: &Self) -> Spent {
        let spent = |(name, ms): (&String, &f64)| {
            (name.clone(), ms - earlier.threads.get(name).copied().unwrap_or(0.0))
        };
        let threads: BTreeMap<String, f64> = self.threads.iter().map(spent).collect();
        let media_ms = threads.get("media").copied().unwrap_or(0.0);
        let other_ms = threads.values().sum::<f64>() - media_ms;
        Spent { threads, media_ms, other_ms }
    }
}

impl Spent {
    /// Milliseconds a call of each kind of thread.
    pub(crate) fn by_thread(&self, calls: f64) -> BTreeMap<String, f64> {
        self.threads.iter().map(|(name, ms)| (name.clone(), ms / calls)).collect()
    }
}
