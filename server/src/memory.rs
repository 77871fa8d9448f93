//! How much memory this process may have: the machine's, or what its control group allows.

use std::fs;

/// Bytes; none where the kernel says nothing.
pub(crate) fn allowed() -> Option<u64> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let of_group = bytes(&read("/sys/fs/cgroup/memory.max"));
    let of_machine = total(&read("/proc/meminfo"));
    [of_group, of_machine].into_iter().flatten().min()
}

/// The control group's bound; `max` is none.
fn bytes(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// `MemTotal:       24684084 kB`
fn total(text: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = rest.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_and_the_group_are_read_as_the_kernel_writes_them() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       2048 kB\nBuffers: 3 kB\n"), Some(2 << 20));
        assert_eq!((total(""), bytes("")), (None, None));
        assert_eq!((bytes("max\n"), bytes("1073741824\n")), (None, Some(1 << 30)));
    }
}
