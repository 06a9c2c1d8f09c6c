//! Retries, timeouts and failure accrual of a Service, from its annotations.
//!
//! Linkerd's names and values (`retry.linkerd.io`, `timeout.linkerd.io`,
//! `balancer.linkerd.io`). They apply to the Service's default HTTP route;
//! routes will carry their own. An annotation with a bad value is left out and
//! reported, where Linkerd drops it without a word.

use std::{collections::BTreeMap, str::FromStr, time::Duration};

/// What the annotations ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tuning {
    pub(crate) timeouts: Timeouts,
    pub(crate) retry: Option<Retry>,
    pub(crate) accrual: Option<ConsecutiveFailures>,
}

/// Time limits of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Timeouts {
    /// From the request's first byte to the response's last.
    pub(crate) request: Option<Duration>,
    /// From the request's last byte to the response's last.
    pub(crate) response: Option<Duration>,
    /// Between two frames.
    pub(crate) idle: Option<Duration>,
}

/// Which responses are tried again, and how often.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Retry {
    /// Ranges of HTTP statuses, both ends included.
    pub(crate) statuses: Vec<(u32, u32)>,
    pub(crate) limit: u32,
    /// How long one try may wait for response headers.
    pub(crate) timeout: Option<Duration>,
}

/// Endpoints are taken out after this many failures in a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ConsecutiveFailures {
    pub(crate) max_failures: u32,
    pub(crate) min_penalty: Duration,
    pub(crate) max_penalty: Duration,
    /// Share of the penalty that is random, from 0.
    pub(crate) jitter: f32,
}

/// A bad annotation: its name, and what is wrong.
pub(crate) type BadAnnotation = (String, String);

impl Tuning {
    /// Reads the annotations; the second part lists those that make no sense.
    pub(crate) fn read(annotations: &BTreeMap<String, String>) -> (Self, Vec<BadAnnotation>) {
        let mut reader = Reader {
            annotations,
            bad: Vec::new(),
        };
        let tuning = Self {
            timeouts: Timeouts {
                request: reader.get("timeout.linkerd.io/request", duration),
                response: reader.get("timeout.linkerd.io/response", duration),
                idle: reader.get("timeout.linkerd.io/idle", duration),
            },
            retry: reader.retry(),
            accrual: reader.accrual(),
        };
        (tuning, reader.bad)
    }
}

struct Reader<'a> {
    annotations: &'a BTreeMap<String, String>,
    bad: Vec<BadAnnotation>,
}

impl Reader<'_> {
    fn get<T>(&mut self, name: &str, parse: fn(&str) -> Result<T, String>) -> Option<T> {
        match parse(self.annotations.get(name)?.trim()) {
            Ok(value) => Some(value),
            Err(why) => {
                self.bad.push((name.to_owned(), why));
                None
            }
        }
    }

    fn retry(&mut self) -> Option<Retry> {
        let limit = self.get("retry.linkerd.io/limit", number);
        let timeout = self.get("retry.linkerd.io/timeout", duration);
        let statuses = self.get("retry.linkerd.io/http", statuses)?;
        Some(Retry {
            statuses,
            limit: limit.unwrap_or(1),
            timeout,
        })
    }

    fn accrual(&mut self) -> Option<ConsecutiveFailures> {
        const PREFIX: &str = "balancer.linkerd.io/failure-accrual";
        let max_failures = self.get(&format!("{PREFIX}-consecutive-max-failures"), number);
        let min_penalty = self.get(&format!("{PREFIX}-consecutive-min-penalty"), duration);
        let max_penalty = self.get(&format!("{PREFIX}-consecutive-max-penalty"), duration);
        let jitter = self.get(&format!("{PREFIX}-consecutive-jitter-ratio"), ratio);
        self.get(PREFIX, accrual_mode)?;
        let accrual = ConsecutiveFailures {
            max_failures: max_failures.unwrap_or(7),
            min_penalty: min_penalty.unwrap_or(Duration::from_secs(1)),
            max_penalty: max_penalty.unwrap_or(Duration::from_secs(60)),
            jitter: jitter.unwrap_or(0.5),
        };
        if accrual.min_penalty > accrual.max_penalty || accrual.min_penalty.is_zero() {
            let why = "the smallest penalty must be above zero and at most the largest".to_owned();
            self.bad.push((PREFIX.to_owned(), why));
            return None;
        }
        Some(accrual)
    }
}

fn accrual_mode(text: &str) -> Result<(), String> {
    match text {
        "consecutive" => Ok(()),
        other => Err(format!("{other:?} is not supported; use \"consecutive\"")),
    }
}

fn number(text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is no whole number"))
}

fn ratio(text: &str) -> Result<f32, String> {
    let ratio = f32::from_str(text)
        .ok()
        .filter(|ratio| (0.0..=100.0).contains(ratio));
    ratio.ok_or_else(|| format!("{text:?} is no number between 0 and 100"))
}

/// A whole number and `ms`, `s`, `m`, `h` or `d`; a plain 0 too.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" if number == "0" => 0,
        _ => {
            return Err(format!(
                "{text:?} is no duration such as 300ms, 2s, 5m, 1h or 1d"
            ));
        }
    };
    let number = number.parse::<u64>().ok();
    let millis = number.and_then(|number| number.checked_mul(millis));
    // A protobuf duration ends at about 10 000 years.
    let millis = millis.filter(|millis| *millis <= 315_576_000_000_000);
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| format!("{text:?} is too long or no number"))
}

/// `5xx`, `gateway-error`, single statuses and ranges, separated by commas.
fn statuses(text: &str) -> Result<Vec<(u32, u32)>, String> {
    text.split(',')
        .map(|entry| status_range(entry.trim()))
        .collect()
}

fn status_range(entry: &str) -> Result<(u32, u32), String> {
    let (low, high) = match entry {
        "5xx" => ("500", "599"),
        "gateway-error" => ("502", "504"),
        _ => entry.split_once('-').unwrap_or((entry, entry)),
    };
    let status = |text: &str| {
        text.parse()
            .ok()
            .filter(|status| (100..600).contains(status))
    };
    match (status(low), status(high)) {
        (Some(low), Some(high)) if low <= high => Ok((low, high)),
        _ => Err(format!(
            "{entry:?} is no status, range of statuses, \"5xx\" or \"gateway-error\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(annotations: &[(&str, &str)]) -> (Tuning, Vec<String>) {
        let annotations = annotations
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        let (tuning, bad) = Tuning::read(&annotations);
        (tuning, bad.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn defaults_of_each_part() {
        let (tuning, bad) = read(&[
            ("retry.linkerd.io/http", "gateway-error, 429,500-501"),
            ("balancer.linkerd.io/failure-accrual", "consecutive"),
        ]);
        assert!(bad.is_empty(), "{bad:?}");
        let retry = tuning.retry.unwrap();
        assert_eq!(retry.statuses, [(502, 504), (429, 429), (500, 501)]);
        assert_eq!((retry.limit, retry.timeout), (1, None));
        let accrual = tuning.accrual.unwrap();
        assert_eq!((accrual.max_failures, accrual.jitter), (7, 0.5));
    }

    #[test]
    fn bad_values_are_left_out_and_named() {
        let (tuning, bad) = read(&[
            ("timeout.linkerd.io/request", "2.5s"),
            ("timeout.linkerd.io/idle", "99999999999999999999d"),
            ("retry.linkerd.io/http", "700"),
            ("retry.linkerd.io/limit", "-1"),
            ("balancer.linkerd.io/failure-accrual", "magic"),
            (
                "balancer.linkerd.io/failure-accrual-consecutive-jitter-ratio",
                "NaN",
            ),
        ]);
        assert_eq!(tuning, Tuning::default());
        assert_eq!(bad.len(), 6, "{bad:?}");
    }

    #[test]
    fn units_of_time() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("300ms", 300),
            ("2m", 120_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "5", "-1s", "1 s", "1w"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }
}
