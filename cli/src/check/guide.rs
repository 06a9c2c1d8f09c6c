//! The guide to the checks: docs/checks, a page for each category.
//!
//! The pages are in the binary too, so that `mesh check --explain ID` shows the section that
//! belongs to it, on a machine without network and for exactly this version.

macro_rules! pages {
    ($($name:literal),* $(,)?) => {
        [$((
            $name,
            include_str!(concat!("../../../docs/checks/", $name, ".md")),
        )),*]
    };
}

/// Pages by category.
pub(super) const PAGES: [(&str, &str); 11] = pages![
    "kubernetes",
    "pre-install",
    "existence",
    "config",
    "identity",
    "webhook",
    "control-plane",
    "version",
    "high-availability",
    "data-plane",
    "injection",
];

/// What begins a section: its check's id follows.
pub(super) const HEADING: &str = "\n## ";

/// The section about a check.
pub(crate) fn explain(id: &str) -> Option<String> {
    let sections = PAGES
        .iter()
        .flat_map(|(_, page)| page.split(HEADING).skip(1));
    let mut sections = sections.filter(|section| section.lines().next() == Some(id));
    let section = sections.next()?.trim_end();
    Some(format!("{section}\n"))
}
