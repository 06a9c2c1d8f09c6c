//! What a text of Prometheus' says.

/// Sum of the samples of a metric that have all these labels, each as `name="value"`.
pub(crate) fn sum(text: &str, name: &str, labels: &[&str]) -> u64 {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (set, value) = rest.rsplit_once(' ')?;
        let named = set.is_empty() || set.starts_with('{');
        let wanted = labels.iter().all(|label| set.contains(label));
        (named && wanted)
            .then(|| value.parse::<f64>().ok())
            .flatten()
    });
    values.sum::<f64>() as u64
}
