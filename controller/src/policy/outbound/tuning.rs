//! Retries, timeouts and failure accrual in API messages.

use super::super::duration;
use crate::model::tuning::{ConsecutiveFailures, Retry, Timeouts};
use linkerd2_proxy_api::{
    http_route,
    outbound::{ExponentialBackoff, FailureAccrual, failure_accrual, http_route as http},
};
use std::time::Duration;

/// Linkerd's settings for retries, which no annotation changes.
const RETRY_BODY_BYTES: u32 = 64 * 1024;
const RETRY_MIN_BACKOFF: Duration = Duration::from_millis(25);
const RETRY_MAX_BACKOFF: Duration = Duration::from_millis(250);

/// Sets the deprecated field too: proxies before `timeouts` read that one.
#[allow(deprecated)]
pub(super) fn with_request_timeout(rule: http::Rule, timeouts: &Timeouts) -> http::Rule {
    http::Rule {
        request_timeout: timeouts.request.map(duration),
        ..rule
    }
}

pub(super) fn timeouts(timeouts: &Timeouts) -> http_route::Timeouts {
    http_route::Timeouts {
        request: timeouts.request.map(duration),
        response: timeouts.response.map(duration),
        idle: timeouts.idle.map(duration),
    }
}

pub(super) fn retry(retry: &Retry) -> http::Retry {
    use http::retry::{Conditions, conditions::StatusRange};
    let range = |&(start, end): &(u32, u32)| StatusRange { start, end };
    http::Retry {
        max_retries: retry.limit,
        max_request_bytes: RETRY_BODY_BYTES,
        conditions: Some(Conditions {
            status_ranges: retry.statuses.iter().map(range).collect(),
        }),
        timeout: retry.timeout.map(duration),
        backoff: Some(backoff(RETRY_MIN_BACKOFF, RETRY_MAX_BACKOFF, 1.0)),
    }
}

pub(super) fn accrual(accrual: &ConsecutiveFailures) -> FailureAccrual {
    let failures = failure_accrual::ConsecutiveFailures {
        max_failures: accrual.max_failures,
        backoff: Some(backoff(
            accrual.min_penalty,
            accrual.max_penalty,
            accrual.jitter,
        )),
    };
    FailureAccrual {
        kind: Some(failure_accrual::Kind::ConsecutiveFailures(failures)),
        ..FailureAccrual::default()
    }
}

fn backoff(min: Duration, max: Duration, jitter_ratio: f32) -> ExponentialBackoff {
    ExponentialBackoff {
        min_backoff: Some(duration(min)),
        max_backoff: Some(duration(max)),
        jitter_ratio,
        ..ExponentialBackoff::default()
    }
}
