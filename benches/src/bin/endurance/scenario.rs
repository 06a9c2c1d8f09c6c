//! What happens to the mesh.

use std::time::Duration;

use clap::ValueEnum;

use crate::error::EnduranceError;
use crate::run::Subject;

mod churn;
mod outage;
mod restart;
mod rotate;

/// What the command line names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Selection {
    /// Controller and identity service are killed, and return
    Outage,
    /// Every replica is restarted in turn
    Restart,
    /// Certificates rotate
    Rotate,
    /// An endpoint is added and removed each second
    Churn,
    /// All of these
    All,
}

/// One run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    Outage,
    /// As Kubernetes does it: out of the slice first, back in when ready.
    RestartListed,
    /// Nobody is told.
    RestartBare,
    Rotate,
    Churn,
}

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Load before and after.
    pub(crate) settle: Duration,
    /// The control plane is away for so long.
    pub(crate) outage: Duration,
    /// From out of the slice to SIGTERM, as a preStop hook waits.
    pub(crate) pre_stop: Duration,
    /// How often every replica is restarted.
    pub(crate) restarts: u32,
    /// Between two replicas.
    pub(crate) pause: Duration,
    /// Life of a certificate.
    pub(crate) lifetime: Duration,
    /// How often every proxy gets a new one.
    pub(crate) rotations: u32,
    /// An endpoint comes and goes for so long.
    pub(crate) churn: Duration,
}

/// What was seen beside the requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    pub(crate) notes: Vec<String>,
    /// What should have happened and did not.
    pub(crate) broken: Vec<String>,
}

impl Selection {
    pub(crate) fn scenarios(self) -> &'static [Scenario] {
        use Scenario::*;
        match self {
            Self::Outage => &[Outage],
            Self::Restart => &[RestartListed, RestartBare],
            Self::Rotate => &[Rotate],
            Self::Churn => &[Churn],
            Self::All => &[Outage, RestartListed, RestartBare, Rotate, Churn],
        }
    }
}

impl Scenario {
    /// As in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::RestartListed => "restart-listed",
            Self::RestartBare => "restart-bare",
            Self::Rotate => "rotate",
            Self::Churn => "churn",
        }
    }

    /// In a sentence.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Outage => "controller and identity service are killed, and return",
            Self::RestartListed => {
                "every replica is restarted in turn, out of the slice first as Kubernetes does it"
            }
            Self::RestartBare => "every replica is restarted in turn, and nobody is told",
            Self::Rotate => "certificates rotate while connections come and go",
            Self::Churn => "an endpoint is removed and added each second",
        }
    }

    /// Lets it happen.
    pub(crate) async fn happen(
        self,
        subject: &mut Subject,
        findings: &mut Findings,
    ) -> Result<(), EnduranceError> {
        match self {
            Self::Outage => outage::happen(subject, findings).await,
            Self::RestartListed => restart::happen(subject, findings, true).await,
            Self::RestartBare => restart::happen(subject, findings, false).await,
            Self::Rotate => rotate::happen(subject, findings).await,
            Self::Churn => churn::happen(subject, findings).await,
        }
    }
}

impl Plan {
    /// As promised.
    pub(crate) const FULL: Self = Self {
        settle: Duration::from_secs(5),
        outage: Duration::from_secs(30),
        pre_stop: Duration::from_secs(1),
        restarts: 3,
        pause: Duration::from_secs(2),
        lifetime: Duration::from_secs(60),
        rotations: 10,
        churn: Duration::from_secs(60),
    };

    /// A smoke test.
    pub(crate) const SHORT: Self = Self {
        settle: Duration::from_secs(1),
        outage: Duration::from_secs(6),
        pre_stop: Duration::from_millis(200),
        restarts: 2,
        pause: Duration::from_millis(300),
        lifetime: Duration::from_secs(6),
        rotations: 2,
        churn: Duration::from_secs(10),
    };
}
