//! Annotations that tune an object, read with care.
//!
//! A bad value must neither be taken in silence (as Linkerd's injector does)
//! nor throw away the object that carries it: it is left out and reported.

use crate::model::ports::PortSet;
use std::{collections::BTreeMap, fmt, str::FromStr};

/// The prefix of our configuration annotations.
const CONFIG: &str = "config.mesh.dev/";

/// Something of an object that can't be used, so that the rest of it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    /// The annotation, if it is about one.
    pub(crate) annotation: Option<String>,
    /// What is wrong: a sentence, or about an annotation the end of one.
    pub(crate) why: String,
    /// The annotation has the value that it had before.
    pub(crate) kept: bool,
}

impl Warning {
    /// About something else than an annotation.
    pub(super) fn new(why: String) -> Self {
        Self {
            annotation: None,
            why,
            kept: false,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(annotation) = &self.annotation else {
            return f.write_str(&self.why);
        };
        let kept = match self.kept {
            true => ", its last good value stays",
            false => "",
        };
        write!(
            f,
            "metadata.annotations[{annotation}] is ignored{kept}: {}",
            self.why
        )
    }
}

/// The annotations of one object, and what was wrong with them.
pub(super) struct Annotations<'a> {
    pub(super) map: &'a BTreeMap<String, String>,
    pub(super) warnings: Vec<Warning>,
}

impl<'a> Annotations<'a> {
    pub(super) fn new(map: Option<&'a BTreeMap<String, String>>) -> Self {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        Self {
            map: map.unwrap_or(&NONE),
            warnings: Vec::new(),
        }
    }

    /// The value of `config.mesh.dev/NAME`, parsed.
    pub(super) fn config<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Option<T> {
        self.get(&format!("{CONFIG}{name}"))
    }

    /// The value of an annotation, parsed.
    pub(super) fn get<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Option<T> {
        match self.map.get(name)?.trim().parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.warn(name, &error);
                None
            }
        }
    }

    /// A set of ports, where `named` knows names. Entries that make no sense
    /// are left out; the others stay.
    pub(super) fn ports(
        &mut self,
        name: &str,
        named: impl Fn(&str) -> Option<u16>,
    ) -> Option<PortSet> {
        let name = format!("{CONFIG}{name}");
        let (ports, bad) = PortSet::parse_with(self.map.get(&name)?, named);
        for bad in bad {
            self.warn(&name, &bad);
        }
        Some(ports)
    }

    pub(super) fn warn(&mut self, name: &str, why: &dyn fmt::Display) {
        self.warnings.push(Warning {
            annotation: Some(name.to_owned()),
            ..Warning::new(why.to_string())
        });
    }
}
