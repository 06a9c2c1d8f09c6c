//! `mesh-proxy init`: has the kernel redirect a pod's connections to its proxy.
//!
//! It runs once before the application, in the pod's network namespace. The image
//! holds one static binary, so there is no iptables or nft to run: the rules go
//! through netlink, as one nf_tables transaction. That also makes it safe to run
//! again and leaves nothing half done when it fails, which a list of commands can't.
//! The rules are those of Linkerd's proxy-init; so are the flags.
//!
//! [`options`] says what is wanted, [`rules`] is that as types; [`encode`] and
//! [`render`] write them for the kernel and for people. `docs/interception.md` is
//! the guide.

mod check;
mod encode;
mod existing;
mod kernel;
mod netlink;
mod options;
mod ranges;
mod render;
mod rules;

use self::{
    check::CheckError,
    existing::Redirecting,
    kernel::{Kernel, KernelError},
    options::{Interception, InvalidOptions, Mode, Options},
    rules::Ruleset,
};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
};

const CLOSE_WAIT: &str = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait";

/// Why interception is not as it was asked to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    /// The command line.
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    /// The kernel refused, so nothing was changed.
    #[error("init: {0}. Nothing was changed")]
    Kernel(#[from] KernelError),
    /// Another program's rules redirect here.
    #[error(
        "init: other rules redirect here already: {}. A connection can go to one proxy only: \
         remove them (nft delete table ...) or the program that makes them. Nothing was changed",
        join(.0)
    )]
    Conflict(Vec<Redirecting>),
    /// A setting of conntrack can't be written.
    #[error("init: --timeout-close-wait-secs: {CLOSE_WAIT}: {0}. {1}")]
    CloseWait(io::Error, &'static str),
    /// It does not work.
    #[error("init --check: {0}")]
    Check(#[from] CheckError),
    /// No runtime for the check.
    #[error("init --check: the runtime can't start: {0}")]
    Runtime(io::Error),
}

impl InitError {
    /// Whether a capability is missing.
    pub(crate) fn is_permission(&self) -> bool {
        match self {
            Self::Kernel(error) => matches!(error, KernelError::Permission { .. }),
            Self::CloseWait(error, _) => error.kind() == io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }
}

fn join(chains: &[Redirecting]) -> String {
    let chains: Vec<_> = chains.iter().map(Redirecting::to_string).collect();
    chains.join(", ")
}

/// Does what the arguments after `init` say, and tells what was done.
///
/// # Errors
/// [`InitError`]; but for a check, whatever fails leaves things as they were.
pub(crate) fn run(args: impl Iterator<Item = String>) -> Result<String, InitError> {
    let options = Options::parse(args)?;
    let interception = &options.interception;
    match options.mode {
        Mode::Apply => apply(&options),
        Mode::DryRun => Ok(Ruleset::new(interception).to_string()),
        Mode::Check => crate::process::runtime()
            .map_err(InitError::Runtime)?
            .block_on(check::run(interception))
            .map_err(InitError::Check),
        Mode::Remove => {
            Kernel::open()?.commit(&encode::remove())?;
            Ok("Interception is off\n".to_owned())
        }
    }
}

fn apply(options: &Options) -> Result<String, InitError> {
    let kernel = Kernel::open()?;
    let mut others = existing::redirecting(&kernel)?;
    others.retain(|chain| !chain.is_ours());
    if !others.is_empty() {
        return Err(InitError::Conflict(others));
    }
    // Opened first: if that is not allowed nothing must have changed.
    let close_wait = options.close_wait.map(|seconds| Ok((open()?, seconds)));
    let close_wait = close_wait
        .transpose()
        .map_err(|error| InitError::CloseWait(error, "Nothing was changed"))?;
    kernel.commit(&encode::replace(&Ruleset::new(&options.interception)))?;
    if let Some((mut file, seconds)) = close_wait {
        write!(file, "{seconds}")
            .map_err(|error| InitError::CloseWait(error, "The rules are in force"))?;
    }
    Ok(done(&options.interception))
}

fn open() -> io::Result<File> {
    OpenOptions::new().write(true).open(CLOSE_WAIT)
}

fn done(interception: &Interception) -> String {
    let mut text = format!(
        "Interception is on: inbound to port {}, outbound to port {}, IPv4{}\n",
        interception.inbound_port,
        interception.outbound_port,
        if interception.ipv6 { " and IPv6" } else { "" },
    );
    if existing::has_legacy_nat() {
        text.push_str(
            "Warning: the nat table of iptables-legacy is in use here; what it redirects \
             can't be seen, run init --check\n",
        );
    }
    text
}
