//! What goes wrong, and how it is mended.

use super::cluster::Cluster;
use super::pod::Pod;

impl Cluster {
    /// Kills the controller and the identity service.
    pub fn kill_control_plane(&self) {
        self.shared().control.kill_controller();
        self.shared().control.kill_identity();
    }

    /// Starts them again, and waits until they are ready.
    pub fn start_control_plane(&self) {
        self.shared().control.start_identity();
        self.shared().control.start_controller();
        self.shared().control.settle();
    }

    /// Kills the identity service.
    pub fn kill_identity(&self) {
        self.shared().control.kill_identity();
    }

    /// Starts it again.
    pub fn start_identity(&self) {
        self.shared().control.start_identity();
    }

    /// Drops every packet to and from a pod, as if its cable was out, until [`Cluster::heal`].
    pub fn partition(&self, pod: &Pod) {
        let link = pod.link();
        self.fault(&format!("iifname {link} drop\noifname {link} drop"));
    }

    /// Drops the packets to a port of a pod.
    pub fn drop_packets(&self, pod: &Pod, port: u16) {
        self.fault(&format!("oifname {} tcp dport {port} drop", pod.link()));
    }

    /// Refuses connections to a port of a pod, as a host without a listener does.
    pub fn reject(&self, pod: &Pod, port: u16) {
        self.fault(&format!(
            "oifname {} tcp dport {port} reject with tcp reset",
            pod.link()
        ));
    }

    /// Adds rules between pods.
    fn fault(&self, rules: &str) {
        self.shared().node.netns.nft(&format!(
            "table inet faults {{ chain forward {{\ntype filter hook forward priority 0;\n{rules}\n}}\n}}\n"
        ));
    }

    /// Ends all of these.
    pub fn heal(&self) {
        self.shared()
            .node
            .netns
            .nft("table inet faults\ndelete table inet faults\n");
    }

    /// Lets a pod receive this many kilobits a second, until [`Cluster::unlimit`].
    pub fn limit(&self, pod: &Pod, kilobits: u32) {
        let link = pod.link();
        let rate = format!("{kilobits}kbit");
        self.tc(&[
            "qdisc", "add", "dev", &link, "root", "tbf", "rate", &rate, "burst", "32kb", "limit",
            "256kb",
        ]);
    }

    /// Ends [`Cluster::limit`].
    pub fn unlimit(&self, pod: &Pod) {
        self.tc(&["qdisc", "del", "dev", &pod.link(), "root"]);
    }

    fn tc(&self, arguments: &[&str]) {
        let shared = self.shared();
        let mut command = vec!["tc"];
        command.extend(arguments);
        super::process::run(&command, &shared.node.netns, &shared.dir, 0).ok();
    }
}
