//! One scenario from start to verdict.

use std::path::PathBuf;
use std::time::Duration;

use mesh::local::{
    Certificates, Load, LocalError, Network, Part, Policy, ReplicaSettings, Session, Settings,
    SharedStats, Topology, authority, port, progress, resident,
};
use tokio::time::Instant;

use crate::background::Background;
use crate::error::EnduranceError;
use crate::report::{Memory, ScenarioReport};
use crate::scenario::{Findings, Plan, Scenario};

/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(5);

/// How scenarios are run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) program: PathBuf,
    pub(crate) network: Network,
    pub(crate) rps: u32,
    pub(crate) plan: Plan,
    pub(crate) keep_logs: bool,
}

/// A mesh under load.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) session: Session,
    pub(crate) plan: Plan,
    pub(crate) stats: SharedStats,
    started: Instant,
    told: Instant,
}

impl Subject {
    /// Leaves the mesh alone for a while, as long as every process lives.
    pub(crate) async fn hold(&mut self, time: Duration) -> Result<(), LocalError> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            let next = end.min(self.told + PROGRESS);
            let sleep = async {
                tokio::time::sleep_until(next).await;
                Ok(())
            };
            self.session.guard(sleep).await?;
            if self.told + PROGRESS <= Instant::now() {
                self.tell();
            }
        }
        Ok(())
    }

    /// Says what is done to the mesh now.
    pub(crate) fn step(&self, text: &str) {
        progress::step(&format!(
            "  {:5.1} s  {text}",
            self.started.elapsed().as_secs_f64()
        ));
    }

    fn tell(&mut self) {
        self.told = Instant::now();
        let counts = progress::counts(&self.stats.lock());
        self.step(&counts);
    }
}

/// Starts a mesh, lets `scenario` happen to it under load, and stops it.
pub(crate) async fn run(
    scenario: Scenario,
    options: &Options,
) -> Result<ScenarioReport, EnduranceError> {
    let mut session = Session::create(settings(scenario, options))?;
    if let Err(error) = session.start().await {
        return Ok(session.close(Err(error)).await?);
    }
    let (session, result) = under_load(scenario, session, options).await;
    let keep = options.keep_logs || result.as_ref().is_ok_and(|report| !report.ok());
    match result {
        Err(EnduranceError::Mesh(error)) => Ok(session.close(Err(*error)).await?),
        Ok(mut report) if keep => {
            let folder = session.folder().display().to_string();
            report.notes.push(format!("logs are in {folder}/logs"));
            session.close_and_keep().await;
            Ok(report)
        }
        result => {
            session.close(Ok(())).await?;
            result
        }
    }
}

async fn under_load(
    scenario: Scenario,
    session: Session,
    options: &Options,
) -> (Session, Result<ScenarioReport, EnduranceError>) {
    let load = Background::start(load(session.topology(), options.rps));
    let now = Instant::now();
    let mut subject = Subject {
        session,
        plan: options.plan,
        stats: load.stats().clone(),
        started: now,
        told: now,
    };
    let result = observe(scenario, &mut subject, load).await;
    (subject.session, result)
}

async fn observe(
    scenario: Scenario,
    subject: &mut Subject,
    load: Background,
) -> Result<ScenarioReport, EnduranceError> {
    subject.hold(subject.plan.settle).await?;
    let before = memory(&subject.session);
    let mut findings = Findings::default();
    scenario.happen(subject, &mut findings).await?;
    subject.hold(subject.plan.settle).await?;
    let after = memory(&subject.session);
    let seconds = subject.started.elapsed().as_secs_f64();
    let stats = load.finish().await?;
    let proxies = before
        .into_iter()
        .zip(after)
        .map(|((name, before), (_, after))| Memory {
            name,
            rss_before_bytes: before,
            rss_after_bytes: after,
        });
    Ok(ScenarioReport::new(
        scenario,
        seconds,
        &stats,
        findings,
        proxies.collect(),
    ))
}

fn memory(session: &Session) -> Vec<(String, Option<u64>)> {
    Session::proxies()
        .map(|part: Part| (part.name(), session.pid(part).and_then(resident)))
        .collect()
}

fn load(topology: Topology, rps: u32) -> Load {
    Load {
        proxy: topology.client().addr(port::OUTBOUND),
        http_authority: authority(port::SERVICE_HTTP),
        grpc_authority: authority(port::APP_GRPC),
        rps: rps.into(),
    }
}

fn settings(scenario: Scenario, options: &Options) -> Settings {
    let certificates = match scenario {
        Scenario::Rotate => Certificates {
            lifetime: options.plan.lifetime,
            // All clocks here are one, and a minute is to be a minute.
            clock_skew: Duration::ZERO,
            min_refresh: Duration::from_secs(1),
        },
        _ => Certificates::default(),
    };
    Settings {
        topology: Topology::new(options.network),
        program: options.program.clone(),
        policy: Policy::PeakEwma,
        // Slow enough that each replica always has requests under way.
        replica: |index| ReplicaSettings {
            base: Duration::from_millis(5),
            tail: Duration::from_millis(40),
            failure_rate: 0.0,
            seed: index.into(),
        },
        certificates,
        grace_period: Duration::from_secs(30),
    }
}
