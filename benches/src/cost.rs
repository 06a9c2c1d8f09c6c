//! What a proxy takes from the machine: processor time and memory, as the kernel counts them.

use std::fs;
use std::time::Duration;

use rustix::process::Pid;

/// A proxy's processes: nginx has two.
#[must_use]
pub fn tree(root: Pid) -> Vec<i32> {
    let mut pids = vec![root.as_raw_nonzero().get()];
    let mut next = 0;
    while let Some(pid) = pids.get(next) {
        pids.extend(children(*pid));
        next += 1;
    }
    pids
}

fn children(pid: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let lists = threads.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let pids = lists.flat_map(|list| {
        let pids = list.split_whitespace().map(str::parse);
        pids.filter_map(Result::ok).collect::<Vec<_>>()
    });
    pids.collect()
}

/// Time on a processor so far, of all threads: `schedstat` counts nanoseconds, `stat` only ticks of 10 ms.
#[must_use]
pub fn cpu(roots: &[Pid]) -> Duration {
    let pids = roots.iter().flat_map(|root| tree(*root));
    let nanos = pids.map(|pid| {
        let threads = fs::read_dir(format!("/proc/{pid}/task"));
        let threads = threads.into_iter().flatten().flatten();
        let times = threads.filter_map(|task| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        times.sum::<u64>()
    });
    Duration::from_nanos(nanos.sum())
}

/// Resident bytes of the larger of the proxies, its processes together.
///
/// What is resident twice, as nginx's master is in its worker, counts twice: it is small, and what `ps` and a cluster's limit see.
#[must_use]
pub fn resident(roots: &[Pid]) -> u64 {
    let each = roots.iter().map(|root| {
        let pids = tree(*root).into_iter();
        let sizes = pids.filter_map(|pid| mesh::local::resident(u32::try_from(pid).ok()?));
        sizes.sum()
    });
    each.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_costs_time() {
        let own = [rustix::process::getpid()];
        let before = cpu(&own);
        let mut sum = 0u64;
        while cpu(&own) < before + Duration::from_millis(5) {
            sum = (0..100_000).fold(sum, |sum, n| std::hint::black_box(sum ^ n));
        }
        assert!(resident(&own) > 100_000);
    }

    #[test]
    fn children_are_found() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pids = tree(rustix::process::getpid());
        assert!(pids.contains(&i32::try_from(child.id()).unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
