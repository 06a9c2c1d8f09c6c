use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use linkerd2_proxy_api::identity::{CertifyRequest, CertifyResponse};
use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tonic::Status;

use super::*;
use crate::csr;
use crate::issuer::Validity;
use crate::testing::{DAY, TestMesh, name};

/// What the identity service is to answer next; afterwards it does its work.
enum Answer {
    Refuse(Status),
    Never,
    /// Signs for somebody else.
    As(&'static str),
    /// Sends another root's certificate.
    Stranger,
    Nothing,
}

/// An identity service in memory, and what it was asked, when.
#[derive(Clone)]
struct Service {
    mesh: Arc<TestMesh>,
    validity: Validity,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<(Instant, CertifyRequest)>>>,
}

impl Service {
    fn new(lifetime: Duration, answers: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            mesh: Arc::new(TestMesh::new()),
            validity: Validity {
                lifetime,
                clock_skew: Duration::ZERO,
            },
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
            asked: Arc::default(),
        }
    }

    fn sign(&self, mesh: &TestMesh, asked: &CertifyRequest, as_name: &str) -> CertifyResponse {
        let wanted = asked.identity.parse().unwrap();
        let key = csr::check(&asked.certificate_signing_request, &wanted).unwrap();
        let name = name(as_name);
        let issued = mesh
            .issuer
            .issue(&name, &key, self.validity, SystemTime::now())
            .unwrap();
        CertifyResponse {
            leaf_certificate: issued.leaf.to_vec(),
            intermediate_certificates: issued.intermediates.iter().map(|c| c.to_vec()).collect(),
            valid_until: None,
        }
    }

    /// Seconds between requests, and their number.
    fn pauses(&self) -> Vec<f64> {
        let asked = self.asked.lock();
        asked
            .windows(2)
            .map(|w| (w[1].0 - w[0].0).as_secs_f64())
            .collect()
    }
}

impl Certifier for Service {
    async fn certify(&mut self, request: CertifyRequest) -> Result<CertifyResponse, Status> {
        self.asked.lock().push((Instant::now(), request.clone()));
        let answer = self.answers.lock().pop_front();
        match answer {
            Some(Answer::Refuse(status)) => Err(status),
            Some(Answer::Never) => std::future::pending().await,
            Some(Answer::As(other)) => Ok(self.sign(&self.mesh, &request, other)),
            Some(Answer::Stranger) => Ok(self.sign(&TestMesh::new(), &request, "web")),
            Some(Answer::Nothing) => Ok(CertifyResponse::default()),
            None => Ok(self.sign(&self.mesh, &request, "web")),
        }
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Observer for Log {
    fn refreshed(&self, now: SystemTime, expiry: SystemTime) {
        assert!(expiry > now);
        self.0.lock().push("ok".to_owned());
    }

    fn failed(&self, error: &CertifyError) {
        self.0.lock().push(error.to_string());
    }
}

fn exact() -> Settings {
    Settings {
        backoff: Backoff {
            jitter: 0.0,
            ..Backoff::default()
        },
        ..Settings::default()
    }
}

/// Runs the loop for a time (of the paused clock).
async fn run_for(
    time: Duration,
    service: &Service,
    token: &Path,
    settings: Settings,
) -> (Credentials, Vec<String>) {
    let credentials = Credentials::new(name("web"), service.mesh.trust.clone());
    let log = Log::default();
    let running = run(
        credentials.clone(),
        token.to_owned(),
        service.clone(),
        settings,
        log.clone(),
    );
    time::timeout(time, running)
        .await
        .expect_err("it never ends");
    let log = log.0.lock().clone();
    (credentials, log)
}

fn token_file(content: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, content).unwrap();
    (dir, path)
}

#[tokio::test(start_paused = true)]
async fn refreshes_at_70_percent_with_a_new_key_each_time() {
    let (_dir, token) = token_file("first\n");
    let service = Service::new(Duration::from_secs(1000), []);
    let (credentials, log) = run_for(Duration::from_secs(2000), &service, &token, exact()).await;
    assert!(*credentials.ready().borrow());
    assert_eq!(log, ["ok"; 3]);
    for pause in service.pauses() {
        assert!((690.0..=700.5).contains(&pause), "{pause}");
    }
    let asked = service.asked.lock();
    let mut csrs: Vec<_> = asked
        .iter()
        .map(|(_, r)| &r.certificate_signing_request)
        .collect();
    csrs.dedup();
    assert_eq!(csrs.len(), 3);
    assert!(
        asked
            .iter()
            .all(|(_, r)| r.token == b"first\n" && r.identity == name("web").as_str())
    );
}

#[tokio::test(start_paused = true)]
async fn the_token_is_read_again_for_each_request() {
    let (_dir, token) = token_file("first");
    let service = Service::new(Duration::from_secs(1000), []);
    let rewrite = async {
        time::sleep(Duration::from_secs(100)).await;
        std::fs::write(&token, "second").unwrap();
        time::sleep(Duration::from_secs(1000)).await;
        std::fs::remove_file(&token).unwrap();
    };
    let running = run_for(Duration::from_secs(2000), &service, &token, exact());
    let ((credentials, log), ()) = tokio::join!(running, rewrite);
    let tokens: Vec<_> = service
        .asked
        .lock()
        .iter()
        .map(|(_, r)| r.token.clone())
        .collect();
    assert_eq!(tokens, [b"first".to_vec(), b"second".to_vec()]);
    assert!(
        log.last().unwrap().contains("can't read the token file"),
        "{log:?}"
    );
    assert!(credentials.expiry().is_some(), "the last certificate stays");
}

#[tokio::test(start_paused = true)]
async fn bounds_hold_for_short_and_long_lives() {
    let (_dir, token) = token_file("t");
    let service = Service::new(Duration::from_secs(10), []);
    run_for(Duration::from_secs(25), &service, &token, exact()).await;
    assert!(
        service.pauses().iter().all(|p| (10.0..10.1).contains(p)),
        "{:?}",
        service.pauses()
    );

    let service = Service::new(100 * DAY, []);
    run_for(5 * DAY / 2, &service, &token, exact()).await;
    assert_eq!(service.pauses().len(), 2);
    let day = DAY.as_secs_f64();
    assert!(
        service.pauses().iter().all(|p| (p - day).abs() < 1.0),
        "{:?}",
        service.pauses()
    );
}

#[tokio::test(start_paused = true)]
async fn failures_are_retried_ever_more_slowly_and_told() {
    let (_dir, token) = token_file("t");
    let service = Service::new(
        Duration::from_secs(1000),
        [
            Answer::Refuse(Status::unavailable("no issuer")),
            Answer::As("db"),
            Answer::Stranger,
            Answer::Nothing,
            Answer::Never,
        ],
    );
    let (credentials, log) = run_for(Duration::from_secs(60), &service, &token, exact()).await;
    for (line, why) in log.iter().zip([
        "the identity service answered Unavailable: no issuer",
        "is of db.shop",
        "not signed by any of our 1 trust anchors",
        "no certificate",
        "did not answer within 10s",
        "ok",
    ]) {
        assert!(line.contains(why), "{line}");
    }
    assert_eq!(log.len(), 6);
    assert!(credentials.expiry().is_some());
    let expected = [0.1, 0.2, 0.4, 0.8, 10.0 + 1.6];
    for (pause, expected) in service.pauses().iter().zip(expected) {
        assert!((pause - expected).abs() < 0.01, "{pause} {expected}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_root_added_changes_nothing_and_a_root_gone_is_acted_on_at_once() {
    let (_dir, token) = token_file("t");
    let service = Service::new(DAY, []);
    let (trust, asked) = (service.mesh.trust.clone(), Arc::clone(&service.asked));
    let rotate = async {
        let next = TestMesh::new().made.root.pem();
        time::sleep(Duration::from_secs(100)).await;
        trust
            .replace_pem(&(service.mesh.made.root.pem() + &next))
            .unwrap();
        time::sleep(Duration::from_secs(100)).await;
        assert_eq!(asked.lock().len(), 1);
        trust.replace_pem(&next).unwrap();
        time::sleep(Duration::from_secs(1)).await;
        assert!(asked.lock().len() > 1);
        trust.replace_pem(&service.mesh.made.root.pem()).unwrap();
    };
    let running = run_for(Duration::from_secs(300), &service, &token, exact());
    let ((_, log), ()) = tokio::join!(running, rotate);
    assert!(log[1].contains("not signed by any of our"), "{log:?}");
    assert_eq!(
        log.last().unwrap(),
        "ok",
        "retries end once the roots fit again"
    );
}

#[test]
fn backoff_grows_to_its_limit_and_jitters() {
    let mut rng = SmallRng::seed_from_u64(7);
    let backoff = Backoff::default();
    for failures in [0, 1, 5, 30, u32::MAX] {
        let exact = (0.1 * 2_f64.powi(failures.min(31) as i32)).min(10.0);
        let delays: Vec<_> = (0..100)
            .map(|_| backoff.delay(failures, &mut rng).as_secs_f64())
            .collect();
        assert!(
            delays
                .iter()
                .all(|d| (exact * 0.7..=exact * 1.3).contains(d)),
            "{failures}"
        );
        assert!(delays.windows(2).any(|w| w[0] != w[1]));
    }
}

/// A laptop that slept: tokio's clock has stood still, the wall clock has not.
#[test]
fn an_expired_certificate_is_refreshed_at_once() {
    let now = SystemTime::now();
    let settings = exact();
    assert_eq!(
        refresh_delay(now, now - DAY, &settings),
        settings.min_refresh
    );
    let swapped = Settings {
        min_refresh: DAY,
        max_refresh: Duration::from_secs(1),
        ..exact()
    };
    assert_eq!(
        refresh_delay(now, now + DAY, &swapped),
        Duration::from_secs(1)
    );
}
