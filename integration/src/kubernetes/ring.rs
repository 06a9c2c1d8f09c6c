//! A run from outside to inside and back.
//!
//! 1. *Outside*: gets the programs, starts stage 2 by util-linux's `unshare`, and afterwards removes what namespaces leave.
//! 2. *Inside*: process 1 of the pid namespace. Starts the cluster, runs the tests. It ends when its standard input does, a pipe that only
//!    stage 1 holds: so nothing survives, however stage 1 dies, and there is no order of stopping to get wrong.

use std::env;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};

use libtest_mimic::Arguments;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::cluster::Cluster;
use super::external::External;
use super::scenario::Scenario;
use super::tools::Tools;
use super::{forward, isolation, leftovers, report};

/// The pid of stage 1, which tells stage 2 that it is stage 2.
const OUTER_PID: &str = "MESH_KUBERNETES_OUTER_PID";
/// Where the programs are, for stage 2.
const TOOLS: [&str; 3] = [
    "MESH_KUBERNETES_PROGRAMS",
    "MESH_KUBERNETES_COREDNS",
    "MESH_KUBERNETES_BUSYBOX",
];
/// The port outside that leads to the API server; set to keep the cluster.
const PORT: &str = "MESH_KUBERNETES_PORT";
/// Leaves the cluster up after the tests.
const KEEP: &str = "--keep";
/// Scenarios at the same time, unless `--test-threads` says otherwise. They wait for Kubernetes more than for a processor.
const AT_ONCE: usize = 4;

/// Runs `scenarios` against one cluster; the whole `main` of a test binary.
///
/// Takes the arguments of `cargo test`, and `--keep`.
#[must_use]
pub fn main(scenarios: Vec<Scenario>) -> ExitCode {
    let arguments = Arguments::from_iter(env::args_os().filter(|argument| argument != KEEP));
    let keep = env::args_os().any(|argument| argument == KEEP);
    if arguments.list {
        let tests = scenarios.into_iter().map(Scenario::listed).collect();
        return libtest_mimic::run(&arguments, tests).exit_code();
    }
    if let Some(pid) = env::var(OUTER_PID).ok().and_then(|pid| pid.parse().ok()) {
        return inside(pid, &arguments, scenarios);
    }
    match External::from_env() {
        Some(external) => external
            .and_then(|external| elsewhere(&external, &arguments, scenarios))
            .unwrap_or_else(|failure| report::failed(&failure)),
        None => outside(keep).unwrap_or_else(|lacks| report::not_run(&lacks)),
    }
}

/// Against somebody's cluster.
fn elsewhere(
    external: &External,
    arguments: &Arguments,
    scenarios: Vec<Scenario>,
) -> Result<ExitCode, String> {
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    let cluster = runtime.block_on(external.cluster())?;
    Ok(run(&runtime, &cluster, arguments, scenarios))
}

fn outside(keep: bool) -> Result<ExitCode, String> {
    if !rustix::process::geteuid().is_root() {
        return Err("it needs root, or another cluster by MESH_TEST_KUBECONFIG".to_owned());
    }
    super::images::binaries()?;
    let tools = Tools::get()?;
    leftovers::sweep();
    let pid = std::process::id();
    let ran = stay_outside(pid, &tools, keep);
    leftovers::remove(pid);
    ran.map_err(|error| format!("unshare can't be run ({error}); install util-linux"))
}

/// Starts stage 2 and waits for its end.
fn stay_outside(pid: u32, tools: &Tools, keep: bool) -> io::Result<ExitCode> {
    let mut command = stage_2(pid, tools);
    let (listener, port) = forward::listen()?;
    if keep {
        std::fs::create_dir_all(leftovers::folder(pid))?;
        command.env(PORT, port.to_string());
    }
    let mut child = command.spawn()?;
    if keep {
        forward::forward(listener, child.id());
    }
    until_ended(&mut child)
}

/// The command line that starts this binary again, with the same arguments.
fn stage_2(pid: u32, tools: &Tools) -> Command {
    let mut command = Command::new("unshare");
    command
        .args([
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--",
        ])
        .arg(env::current_exe().expect("Linux tells where a program is"))
        .args(env::args_os().skip(1))
        .envs(TOOLS.into_iter().zip(tools.folders()))
        .env(OUTER_PID, pid.to_string())
        .stdin(Stdio::piped());
    command
}

/// Waits for stage 2, or ends it when somebody wants to end us.
fn until_ended(child: &mut Child) -> io::Result<ExitCode> {
    let pipe = child.stdin.take();
    let runtime = Runtime::new()?;
    let (interrupt, terminate) = runtime.block_on(async {
        let interrupt = signal(SignalKind::interrupt())?;
        io::Result::Ok((interrupt, signal(SignalKind::terminate())?))
    })?;
    runtime.spawn(async move {
        let (mut interrupt, mut terminate) = (interrupt, terminate);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        drop(pipe);
    });
    let status = child.wait()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn inside(pid: u32, arguments: &Arguments, scenarios: Vec<Scenario>) -> ExitCode {
    std::thread::spawn(|| {
        io::copy(&mut io::stdin(), &mut io::sink()).ok();
        std::process::exit(1);
    });
    run_inside(pid, arguments, scenarios).unwrap_or_else(|failure| report::failed(&failure))
}

fn run_inside(
    pid: u32,
    arguments: &Arguments,
    scenarios: Vec<Scenario>,
) -> Result<ExitCode, String> {
    let started = Instant::now();
    let tools = TOOLS.map(|name| env::var_os(name).map(PathBuf::from));
    let tools = Tools::from_folders(tools.map(|folder| folder.expect("stage 1 sets it")));
    let cgroup = leftovers::cgroup(pid);
    isolation::enter(&cgroup)?;
    let port = env::var(PORT).ok().and_then(|port| port.parse().ok());
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    let cluster = runtime.block_on(Cluster::start(&tools, &cgroup, port.is_some()))?;
    let seconds = started.elapsed().as_secs_f32();
    eprintln!("kubernetes: a node is ready after {seconds:.1} s");
    let exit_code = run(&runtime, &cluster, arguments, scenarios);
    eprintln!("kubernetes: {}", cluster.memory());
    if let Some(port) = port {
        keep_up(pid, port, &cluster, &tools)?;
    }
    Ok(exit_code)
}

/// Until somebody ends stage 1.
fn keep_up(pid: u32, port: u16, cluster: &Cluster, tools: &Tools) -> Result<(), String> {
    let file = leftovers::folder(pid).join("kubeconfig");
    let text = cluster.kubeconfig_at(port).unwrap_or_default();
    std::fs::write(&file, text).map_err(|error| format!("{} ({error})", file.display()))?;
    report::how_to_enter(&file, &tools.kubernetes("kubectl"), pid);
    loop {
        std::thread::park();
    }
}

/// Those that share the cluster, and then those that don't.
fn run(
    runtime: &Runtime,
    cluster: &Cluster,
    arguments: &Arguments,
    scenarios: Vec<Scenario>,
) -> ExitCode {
    let (exclusive, shared) = scenarios.into_iter().partition(Scenario::is_exclusive);
    let mut together = arguments.clone();
    together.test_threads.get_or_insert(AT_ONCE);
    let mut alone = arguments.clone();
    alone.test_threads = Some(1);
    let parts: [(Arguments, Vec<Scenario>); 2] = [(together, shared), (alone, exclusive)];
    let mut exit_code = ExitCode::SUCCESS;
    for (arguments, scenarios) in parts {
        let test = |scenario: Scenario| scenario.on(runtime.handle(), cluster);
        let mut tests: Vec<_> = scenarios.into_iter().map(test).collect();
        tests.retain(|test| !arguments.is_filtered_out(test));
        if !tests.is_empty() && libtest_mimic::run(&arguments, tests).has_failed() {
            exit_code = ExitCode::FAILURE;
        }
    }
    exit_code
}
