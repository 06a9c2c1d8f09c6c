//! The command line of each of the demo's processes.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::identities::Identities;
use super::process::Spec;
use super::proxy_env::proxy_env;
use super::topology::{FAILING_REPLICA, SLOW_REPLICA, Topology, Workload, port};

/// What the slow replica adds to every answer.
pub(crate) const SLOW_BY: Duration = Duration::from_millis(40);
/// Fraction of its requests that the failing replica fails.
pub(crate) const FAILURE_RATE: f64 = 0.04;
/// The least time that a request takes.
const BASE: Duration = Duration::from_millis(1);

/// The identity service.
pub(crate) fn identity(topology: Topology, identities: &Identities) -> Spec {
    let args = [
        "run".into(),
        "identity".into(),
        "--dir".into(),
        identities.dir().into(),
        format!("--listen={}", topology.control_plane(port::IDENTITY)).into(),
        format!("--admin={}", topology.control_plane(port::IDENTITY_ADMIN)).into(),
    ];
    spec("identity", args.into(), Vec::new())
}

/// The controller, which follows the folder of manifests.
pub(crate) fn controller(topology: Topology, manifests: &Path) -> Spec {
    let args = [
        "run".into(),
        "controller".into(),
        "--source".into(),
        manifests.into(),
        format!(
            "--destination={}",
            topology.control_plane(port::DESTINATION)
        )
        .into(),
        format!("--policy={}", topology.control_plane(port::POLICY)).into(),
        format!("--admin={}", topology.control_plane(port::CONTROLLER_ADMIN)).into(),
    ];
    spec("controller", args.into(), Vec::new())
}

/// The application of the replica with this number.
pub(crate) fn app(index: u8, replica: &Workload) -> Spec {
    let base = if index == SLOW_REPLICA {
        BASE + SLOW_BY
    } else {
        BASE
    };
    let failure_rate = if index == FAILING_REPLICA {
        FAILURE_RATE
    } else {
        0.0
    };
    let args = [
        "run".to_owned(),
        "app".to_owned(),
        format!("--name={}", replica.name),
        format!("--listen={}", replica.addr(port::APP_HTTP)),
        format!("--listen={}", replica.addr(port::APP_GRPC)),
        format!("--base={}ms", base.as_millis()),
        format!("--failure-rate={failure_rate}"),
        format!("--seed={index}"),
    ];
    spec(&replica.name, args.map(OsString::from).into(), Vec::new())
}

/// The proxy of a workload.
pub(crate) fn proxy(topology: Topology, workload: &Workload, identities: &Identities) -> Spec {
    let env = proxy_env(topology, workload, identities.files(workload));
    spec(
        &workload.proxy_name(),
        vec!["run".into(), "proxy".into()],
        env,
    )
}

fn spec(name: &str, args: Vec<OsString>, env: Vec<(&'static str, String)>) -> Spec {
    Spec {
        name: name.to_owned(),
        args,
        env,
    }
}
