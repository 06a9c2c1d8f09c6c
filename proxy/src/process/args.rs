//! The arguments of a command of `mesh-proxy`: `--name value`, `--name=value`.
//!
//! A parser of its own because clap is a tenth of the binary. What it takes is what
//! Linkerd's programs take, so that their callers need not change.

/// Arguments, read one flag at a time.
#[derive(Debug)]
pub(crate) struct Args<I>(I);

/// One flag, and the value that was written on to it.
#[derive(Debug)]
pub(crate) struct Flag {
    /// As written: `--timeout`, `-t`.
    pub(crate) name: String,
    /// What followed `=`.
    inline: Option<String>,
}

impl<I: Iterator<Item = String>> Args<I> {
    pub(crate) fn new(args: I) -> Self {
        Self(args)
    }

    /// The next flag.
    pub(crate) fn flag(&mut self) -> Option<Flag> {
        let arg = self.0.next()?;
        let (name, inline) = match arg.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (arg, None),
        };
        Some(Flag { name, inline })
    }

    /// The value of `flag`, after `=` or as the next argument; empty when there is
    /// none, which is no right value of any flag that needs one.
    pub(crate) fn value(&mut self, flag: &Flag) -> String {
        let next = || self.0.next();
        flag.inline.clone().or_else(next).unwrap_or_default()
    }
}

impl Flag {
    /// The value of a flag that is a switch: what follows `=`, else `true`. As in
    /// Linkerd's programs, the next argument is not looked at.
    pub(crate) fn switch(&self) -> &str {
        self.inline.as_deref().unwrap_or("true")
    }
}
