//! Command lines of etcd, API server, controller manager and scheduler.
//!
//! One of each and no second to come: no leader is elected. Certificates are for clients outside only; the parts show tokens.

use std::process::Command;

use super::super::isolation::{NODE_IP, STATE};
use super::super::tools::Tools;
use super::Credentials;

const ETCD: &str = "http://127.0.0.1:2379";

pub(super) fn etcd() -> Command {
    let mut command = Command::new("etcd");
    command
        .arg(format!("--data-dir={STATE}/etcd"))
        .arg(format!("--listen-client-urls={ETCD}"))
        .arg(format!("--advertise-client-urls={ETCD}"))
        .arg("--listen-peer-urls=http://127.0.0.1:2380")
        .args(["--unsafe-no-fsync", "--logger=zap"]);
    command
}

pub(super) fn api_server(tools: &Tools, credentials: &Credentials) -> Command {
    let mut command = Command::new(tools.kubernetes("kube-apiserver"));
    let file = |name| credentials.file(name);
    command
        .arg(format!("--etcd-servers={ETCD}"))
        .args([
            "--bind-address=0.0.0.0",
            "--service-cluster-ip-range=10.96.0.0/16",
        ])
        .arg(format!("--advertise-address={NODE_IP}"))
        .arg(format!("--tls-cert-file={}", file("server.crt")))
        .arg(format!("--tls-private-key-file={}", file("server.key")))
        .arg(format!("--token-auth-file={}", file("tokens.csv")))
        .arg("--service-account-issuer=https://kubernetes.default.svc.cluster.local")
        .arg(format!(
            "--service-account-key-file={}",
            file("accounts.pub")
        ))
        .arg(format!(
            "--service-account-signing-key-file={}",
            file("accounts.key")
        ))
        .args(["--authorization-mode=Node,RBAC", "--allow-privileged=true"])
        // Or logs and exec look the node's name up in DNS.
        .arg("--kubelet-preferred-address-types=InternalIP");
    command
}

pub(super) fn controller_manager(tools: &Tools, credentials: &Credentials) -> Command {
    let mut command = alone(tools, "kube-controller-manager", credentials);
    command
        .arg(format!("--root-ca-file={}", credentials.file("ca.crt")))
        .arg(format!(
            "--service-account-private-key-file={}",
            credentials.file("accounts.key")
        ))
        .args([
            "--use-service-account-credentials",
            "--allocate-node-cidrs=false",
        ]);
    command
}

pub(super) fn scheduler(tools: &Tools, credentials: &Credentials) -> Command {
    alone(tools, "kube-scheduler", credentials)
}

fn alone(tools: &Tools, name: &str, credentials: &Credentials) -> Command {
    let mut command = Command::new(tools.kubernetes(name));
    command
        .arg(format!("--kubeconfig={}", credentials.file("admin.conf")))
        .args([
            "--leader-elect=false",
            "--authentication-skip-lookup",
            "--secure-port=0",
        ]);
    command
}
