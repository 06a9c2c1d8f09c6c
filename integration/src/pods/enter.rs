//! The way into namespaces of its own, in three stages of the same binary.
//!
//! 1. *Outside*: gets the programs, starts stage 2 with util-linux's `unshare --user`, and maps 65 536 uids for it: directly when root,
//!    by `newuidmap` and the range of `/etc/subuid` otherwise. One uid, which needs no helper, would not do: rules by owner and databases
//!    that refuse root need more. Only a process outside can write the map, and `unshare` cannot wait for one, hence the stage.
//! 2. *Mapped*: waits for the map, and becomes stage 3 by a second `unshare` for network, mounts and processes.
//! 3. *Inside*: process 1 of the pid namespace. Builds the root folder, changes into it, and runs the tests. It ends when its standard
//!    input does, which is a pipe that only stage 1 holds: so nothing survives, however stage 1 dies.

use std::env;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Conclusion, Trial};

use super::wait::until;
use super::{apt, root};

const STAGE: &str = "MESH_PODS_STAGE";
/// Where the programs are, for stage 3.
const PROGRAMS: &str = "MESH_PODS_PROGRAMS";
/// What else stage 3 binds into its root folder: `FROM=TO`, a line each.
const FILES: &str = "MESH_PODS_FILES";
/// How many uids and gids there are inside.
const IDS: u32 = 65_536;
/// What stage 1 lacks when a run can't start.
const LACKS: &str = "pods: can't run on this machine";

/// Where this process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where the user started it.
    Outside,
    /// In namespaces of its own, with [`World`]'s programs as root folder.
    Inside,
}

/// What is inside beside the binaries under test.
#[derive(Clone, Debug, Default)]
pub struct World<'a> {
    /// Packages of Debian.
    pub packages: &'a [&'a str],
    /// Files and folders from outside, and where they are inside.
    pub files: Vec<(PathBuf, PathBuf)>,
    /// Variables of the environment.
    pub variables: Vec<(&'a str, String)>,
}

/// Where this process is; builds the root folder when it has just come inside.
///
/// # Errors
/// Why it can't be built, to be shown to the user.
pub fn place() -> Result<Place, String> {
    match env::var(STAGE).as_deref() {
        Ok("mapped") => Err(mapped()),
        Ok(_) => arrive().map(|()| Place::Inside),
        Err(_) => Ok(Place::Outside),
    }
}

/// Runs `tests` in namespaces of their own; the whole `main` of a test binary.
#[must_use]
pub fn main(tests: Vec<Trial>) -> ExitCode {
    match place() {
        Ok(Place::Inside) => libtest_mimic::run(&Arguments::from_args(), tests).exit_code(),
        Ok(Place::Outside) => outside(tests),
        Err(error) => {
            eprintln!("{LACKS}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn outside(tests: Vec<Trial>) -> ExitCode {
    let arguments = Arguments::from_args();
    if arguments.list {
        return libtest_mimic::run(&arguments, tests).exit_code();
    }
    let world = World {
        packages: apt::PACKAGES,
        ..World::default()
    };
    match start(&world) {
        Ok(code) => code,
        Err(lacks) if env::var_os("CI").is_some() => {
            eprintln!("{LACKS}: {lacks}");
            ExitCode::FAILURE
        }
        Err(lacks) => {
            let code = skipped(&arguments, tests).exit_code();
            eprintln!("{LACKS}: {lacks}");
            code
        }
    }
}

/// All tests, as left out.
fn skipped(arguments: &Arguments, tests: Vec<Trial>) -> Conclusion {
    let left_out = tests.into_iter().map(|test| test.with_ignored_flag(true));
    libtest_mimic::run(arguments, left_out.collect())
}

/// Starts this binary again inside `world`, with the same arguments, and waits for its end.
///
/// # Errors
/// What this machine lacks for it, to be shown to the user.
pub fn start(world: &World<'_>) -> Result<ExitCode, String> {
    root::binaries()?;
    let programs = apt::programs(world.packages)?;
    let files = world.files.iter();
    let files: Vec<String> = files
        .map(|(from, to)| format!("{}={}", from.display(), to.display()))
        .collect();
    let mut child = stage(Command::new("unshare").arg("--user"), "mapped")
        .env(PROGRAMS, programs)
        .env(FILES, files.join("\n"))
        .envs(world.variables.iter().cloned())
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| format!("unshare ({error}); install util-linux"))?;
    let mapped = map_ids(&mut child);
    if mapped.is_err() {
        child.kill().and_then(|()| child.wait()).ok();
    }
    mapped?;
    let mut pipe = child.stdin.take().expect("its standard input is a pipe");
    pipe.write_all(b"\n").map_err(|error| error.to_string())?;
    let status = child.wait().map_err(|error| error.to_string())?;
    drop(pipe);
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The rest of a command line that starts this binary again, with the same arguments.
fn stage<'a>(command: &'a mut Command, stage: &str) -> &'a mut Command {
    let binary = env::current_exe().expect("Linux tells where a program is");
    command
        .arg("--")
        .arg(binary)
        .args(env::args_os().skip(1))
        .env(STAGE, stage)
}

fn map_ids(child: &mut Child) -> Result<(), String> {
    let pid = child.id();
    let ours = user_namespace("self");
    let mut ended = None;
    until("a user namespace", || {
        ended = child.try_wait().ok().flatten();
        ended.is_some() || user_namespace(&pid.to_string()).is_some_and(|it| Some(it) != ours)
    });
    if ended.is_some() {
        return Err(
            "no user namespace; is /proc/sys/kernel/unprivileged_userns_clone 0, or user.max_user_namespaces?".to_owned(),
        );
    }
    if rustix::process::geteuid().is_root() {
        map_directly(pid)
    } else {
        let uid = rustix::process::getuid().as_raw();
        let gid = rustix::process::getgid().as_raw();
        map_by_helper("newuidmap", "/etc/subuid", pid, uid)?;
        map_by_helper("newgidmap", "/etc/subgid", pid, gid)
    }
}

fn user_namespace(pid: &str) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/user")).ok()
}

fn map_directly(pid: u32) -> Result<(), String> {
    for map in ["uid_map", "gid_map"] {
        let path = format!("/proc/{pid}/{map}");
        std::fs::write(&path, format!("0 0 {IDS}\n"))
            .map_err(|error| format!("{path} can't be written ({error})"))?;
    }
    Ok(())
}

/// Root inside is who runs this; the others are from the range that is theirs.
fn map_by_helper(helper: &str, ranges: &str, pid: u32, own: u32) -> Result<(), String> {
    let start = subordinate(Path::new(ranges))?;
    let map = [pid, 0, own, 1, 1, start, IDS - 1].map(|number| number.to_string());
    let output = Command::new(helper)
        .args(map)
        .output()
        .map_err(|error| format!("{helper} ({error}); install uidmap"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{helper} failed: {}", said.trim()))
}

/// The first of this user's subordinate ids: `NAME-OR-UID:START:COUNT`.
fn subordinate(path: &Path) -> Result<u32, String> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let start = text.lines().find_map(|line| {
        let (owner, range) = line.split_once(':')?;
        let (start, count) = range.split_once(':')?;
        let enough = count.trim().parse::<u32>().ok()? >= IDS - 1;
        let own = owner == uid || Some(owner) == name.as_deref();
        (own && enough).then(|| start.parse().ok()).flatten()
    });
    start.ok_or_else(|| {
        let name = name.unwrap_or(uid);
        format!(
            "{} has no 65536 ids for {name}; `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}` as root",
            path.display()
        )
    })
}

/// Becomes stage 3; returns why it could not. Reads byte by byte: what follows the line is for stage 3.
fn mapped() -> String {
    let mut byte = [0];
    if !matches!(io::stdin().read(&mut byte), Ok(1)) {
        return "its user namespace was not mapped".to_owned();
    }
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "--pid", "--fork", "--kill-child"]);
    let error = stage(&mut command, "inside").exec();
    format!("unshare ({error})")
}

fn arrive() -> Result<(), String> {
    std::thread::spawn(|| {
        io::copy(&mut io::stdin(), &mut io::sink()).ok();
        std::process::exit(1);
    });
    let programs = env::var_os(PROGRAMS).map(PathBuf::from);
    let files = env::var(FILES).unwrap_or_default();
    let files = files.lines().filter_map(|line| line.split_once('='));
    let files: Vec<_> = files.map(|(from, to)| (from.into(), to.into())).collect();
    root::enter(&programs.expect("stage 1 sets it"), &files)
}
