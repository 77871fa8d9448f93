//! What the kernel says about processes: CPU of each thread (`schedstat`, nanoseconds), memory.

use std::collections::BTreeMap;
use std::fs;

/// One look at processes.
#[derive(Clone, Default)]
pub struct Usage {
    /// CPU by thread name, milliseconds; threads of one kind together.
    threads: BTreeMap<String, f64>,
    /// Resident memory.
    pub resident_kib: u64,
    /// What the allocator holds: resident memory that is no file's.
    pub anonymous_kib: u64,
}

impl Usage {
    /// Of this process.
    pub fn own() -> Self {
        Self::of(&[std::process::id()])
    }

    /// Of a process and all that it started: they are one process group.
    pub fn of_group(group: u32) -> Self {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let members: Vec<u32> = pids.filter(|pid| group_of(*pid) == Some(group)).collect();
        Self::of(&members)
    }

    fn of(pids: &[u32]) -> Self {
        let mut usage = Self::default();
        for pid in pids {
            let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
            for task in tasks {
                let read = |file| fs::read_to_string(task.path().join(file));
                // A thread that ended between the listing and the reading is left out.
                let (Ok(name), Ok(stat)) = (read("comm"), read("schedstat")) else { continue };
                let nanos = stat.split(' ').next().and_then(|field| field.parse::<f64>().ok());
                let kind = name.trim().trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
                *usage.threads.entry(kind.to_owned()).or_default() += nanos.unwrap_or(0.0) / 1e6;
            }
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let kib = |name| {
                let value = status.lines().find_map(|line| line.strip_prefix(name))?;
                value.trim().split(' ').next()?.parse::<u64>().ok()
            };
            usage.resident_kib += kib("VmRSS:").unwrap_or(0);
            usage.anonymous_kib += kib("RssAnon:").unwrap_or(0);
        }
        usage
    }

    /// CPU of all threads, milliseconds.
    #[must_use]
    pub fn cpu_ms(&self) -> f64 {
        self.threads.values().sum()
    }

    /// Milliseconds since an earlier look.
    pub fn cpu_ms_since(&self, earlier: &Self) -> f64 {
        self.cpu_ms() - earlier.cpu_ms()
    }

    /// Milliseconds since an earlier look, by kind of thread, each divided by `calls`.
    pub fn by_thread(&self, earlier: &Self, calls: f64) -> BTreeMap<String, f64> {
        let since = |(name, ms): (&String, &f64)| {
            (name.clone(), (ms - earlier.threads.get(name).unwrap_or(&0.0)) / calls)
        };
        self.threads.iter().map(since).collect()
    }
}

/// Field 5 of `/proc/PID/stat`; the name before it may hold anything but ends with the last `)`.
fn group_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}
