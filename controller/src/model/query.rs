//! A question to the model that can be asked again when objects change.

use super::Index;
use std::{collections::HashSet, fmt::Debug, hash::Hash, net::IpAddr};

/// A question whose answer follows from the objects alone.
///
/// Equal questions have equal answers, so they are worked out once for all
/// who ask.
pub(crate) trait Query: Clone + Debug + Eq + Hash + Send + Sync + 'static {
    /// The answer.
    type View: PartialEq + Debug + Send + Sync + 'static;

    /// The answer now; `None` when the objects it is about are not there.
    fn view(&self, index: &Index) -> Option<Self::View>;

    /// Which changes can change the answer.
    fn dependency(&self, index: &Index) -> Dependency;
}

/// What an answer depends on, besides what all depend on (nodes).
///
/// All of an answer comes from one namespace; a question about an address also
/// depends on who has that address.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Dependency {
    pub(crate) namespace: Option<String>,
    pub(crate) address: Option<IpAddr>,
}

impl Dependency {
    pub(crate) fn namespace(namespace: &str) -> Self {
        Self {
            namespace: Some(namespace.to_owned()),
            address: None,
        }
    }
}

/// What a batch of changes touched.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) namespaces: HashSet<String>,
    pub(crate) addresses: HashSet<IpAddr>,
    /// Something that any answer may depend on.
    pub(crate) all: bool,
}

impl Touched {
    pub(crate) fn is_empty(&self) -> bool {
        !self.all && self.namespaces.is_empty() && self.addresses.is_empty()
    }

    pub(crate) fn concerns(&self, on: &Dependency) -> bool {
        let namespace = on
            .namespace
            .as_ref()
            .is_some_and(|n| self.namespaces.contains(n));
        let address = on.address.is_some_and(|a| self.addresses.contains(&a));
        self.all || namespace || address
    }
}
