//! Resident memory of a process.

/// Resident memory in bytes; `None` when the process is gone.
pub fn resident(pid: u32) -> Option<u64> {
    resident_in(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_in_bytes() {
        assert_eq!(
            resident_in("Name:\tmesh\nVmRSS:\t    8204 kB\nThreads:\t1\n"),
            Some(8204 * 1024)
        );
        assert_eq!(resident_in("Name:\tmesh\n"), None);
        assert!(resident(std::process::id()).is_some_and(|bytes| bytes > 0));
    }
}
