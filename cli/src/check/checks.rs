//! The checks, a file for each category.

mod certificate;
mod config;
mod control_plane;
mod data_plane;
mod existence;
pub(super) mod expected;
mod high_availability;
mod identity;
mod injection;
mod kubernetes;
pub(super) mod pods;
mod pre_install;
mod version;
mod webhook;

use super::Category;

/// What every run begins with.
pub(super) const KUBERNETES: &[Category] = &[kubernetes::CATEGORY];
/// Before an install.
pub(super) const PRE: &[Category] = &[pre_install::CATEGORY];
/// After it.
pub(super) const CONTROL_PLANE: &[Category] = &[
    existence::CATEGORY,
    config::CATEGORY,
    identity::CATEGORY,
    webhook::CATEGORY,
    control_plane::CATEGORY,
    version::CATEGORY,
    high_availability::CATEGORY,
];
/// With `--proxy`.
pub(super) const PROXIES: &[Category] = &[data_plane::CATEGORY, injection::CATEGORY];

/// All breaks of the checks' tests.
#[cfg(test)]
pub(super) fn breaks() -> impl Iterator<Item = super::tests::Break> {
    let all: [&[super::tests::Break]; 11] = [
        kubernetes::tests::BREAKS,
        pre_install::tests::BREAKS,
        existence::tests::BREAKS,
        config::tests::BREAKS,
        identity::tests::BREAKS,
        webhook::tests::BREAKS,
        control_plane::tests::BREAKS,
        version::tests::BREAKS,
        high_availability::tests::BREAKS,
        data_plane::tests::BREAKS,
        injection::tests::BREAKS,
    ];
    all.into_iter().flatten().copied()
}
