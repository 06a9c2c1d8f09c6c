//! What a check has found.

/// Nothing, or a problem.
pub(crate) type Finding = Result<(), Problem>;

/// Why a check did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It has nothing to look at, or may not: why.
    Skipped(String),
    /// What is wrong: a line for each object.
    Wrong(Vec<String>),
}

impl Problem {
    /// One thing is wrong.
    pub(crate) fn one(line: impl Into<String>) -> Self {
        Self::Wrong(vec![line.into()])
    }

    /// There is nothing to look at.
    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped(why.into())
    }

    /// The lines for people.
    pub(crate) fn lines(&self) -> &[String] {
        match self {
            Self::Skipped(why) => std::slice::from_ref(why),
            Self::Wrong(lines) => lines,
        }
    }
}

/// What is wrong with each of many, if anything is.
pub(crate) fn nothing_wrong(lines: impl IntoIterator<Item = String>) -> Finding {
    let lines: Vec<_> = lines.into_iter().collect();
    match lines.is_empty() {
        true => Ok(()),
        false => Err(Problem::Wrong(lines)),
    }
}
