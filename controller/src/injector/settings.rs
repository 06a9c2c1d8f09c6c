//! The settings of one injection, as types; [`read`] is how they are called.

mod read;

use super::annotations::{Reader, Row};
use crate::model::{inbound::DefaultPolicy, ports::PortSet};
use ipnet::IpNet;
use k8s_openapi::api::core::v1::EnvVar;
use std::{collections::BTreeMap, time::Duration};

/// Everything that can be tuned.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) image: Image,
    pub(super) ports: Ports,
    pub(super) traffic: Traffic,
    pub(super) inbound: Inbound,
    pub(super) timeouts: Timeouts,
    pub(super) resources: Resources,
    pub(super) user: User,
    pub(super) life: Life,
    pub(super) watching: Watching,
    /// The strongest last.
    pub(super) environment: Vec<BTreeMap<String, EnvVar>>,
}

/// What runs.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) pull_policy: String,
}

/// Where the proxy listens.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) inbound: u16,
    pub(super) outbound: u16,
    pub(super) admin: u16,
    pub(super) control: u16,
}

/// What is redirected to it.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) skip_inbound: PortSet,
    pub(super) skip_outbound: PortSet,
    pub(super) skip_subnets: Vec<IpNet>,
    pub(super) close_wait: Option<Duration>,
}

/// What it takes in until the controller has answered.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) ports: Option<PortSet>,
    pub(super) opaque: String,
    pub(super) policy: DefaultPolicy,
    pub(super) identity: Option<PortSet>,
}

/// How long it waits.
#[derive(Debug)]
pub(super) struct Timeouts {
    pub(super) connect: Both<Duration>,
    pub(super) discovery: Both<Duration>,
    /// Never give up to see what protocol it is.
    pub(super) endless_detection: Both<bool>,
}

/// One for each direction.
#[derive(Debug)]
pub(super) struct Both<T> {
    pub(super) inbound: T,
    pub(super) outbound: T,
}

/// What it may use.
#[derive(Debug)]
pub(super) struct Resources {
    pub(super) cpu: Amount,
    pub(super) memory: Amount,
    pub(super) storage: Amount,
    pub(super) cpu_ratio: Option<f64>,
}

/// Text of a quantity and its thousandths.
#[derive(Debug)]
pub(super) struct Amount {
    pub(super) request: Option<(String, u128)>,
    pub(super) limit: Option<(String, u128)>,
}

/// Who it runs as.
#[derive(Debug)]
pub(super) struct User {
    pub(super) uid: i64,
    pub(super) gid: Option<i64>,
}

/// When it starts and ends.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) native: bool,
    pub(super) wait_for_ready: bool,
    pub(super) wait_before_exit: i64,
    pub(super) grace: Option<Duration>,
    pub(super) shutdown: bool,
}

/// What it tells.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) log: String,
    pub(super) log_format: String,
    pub(super) access_log: Option<String>,
    pub(super) hostname_labels: bool,
}

/// Every annotation there is, in the order of docs/injection.md.
#[must_use]
pub fn rows() -> Vec<Row> {
    let none = BTreeMap::new();
    let mut reader = Reader::new(&none, &none, &none);
    Settings::read(&mut reader);
    reader.rows
}
