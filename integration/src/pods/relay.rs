//! A link with a delay.
//!
//! Kernels that tests run on often lack netem (this project's build machines do), so the frames of a far pod pass a namespace of its own
//! where a small program holds each back. It sees what the kernel would hand to a network card, so offloads are off at both ends.

use std::path::Path;
use std::time::Duration;

use super::netns::Netns;
use super::process::{Process, run};
use super::program::Program;

/// The namespace between node and pod, and the program in it.
#[derive(Debug)]
pub(super) struct Relay {
    netns: Netns,
    process: Option<Process>,
}

impl Relay {
    pub(super) fn create(pod: &Netns) -> Self {
        let netns = Netns::create(&format!("{}-relay", pod.name()));
        // Nothing but what is relayed.
        netns.set(&[("ipv6/conf/default/disable_ipv6", "1")]);
        let process = None;
        Self { netns, process }
    }

    pub(super) fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Starts relaying, each way `delay` later.
    pub(super) fn start(&mut self, delay: Duration, ends: [(&Netns, &str); 2], dir: &Path) {
        for (netns, link) in ends {
            let command = [
                "ethtool", "-K", link, "tx", "off", "tso", "off", "gso", "off",
            ];
            run(&command, netns, dir, 0).ok();
        }
        let program = Program::new(
            "relay",
            &format!("exec python3 -u relay.py {}", delay.as_secs_f64()),
        )
        .uid(0)
        .file("relay.py", include_str!("programs/relay.py"));
        let process = program.start(&self.netns, dir);
        process.says("relaying");
        self.process = Some(process);
    }
}
