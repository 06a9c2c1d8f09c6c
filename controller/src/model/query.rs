//! A question to the model that can be asked again when objects change.

use super::{
    Index,
    object::{Kind, ObjectKey},
};
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
/// Changes are told by the Services and Pods that they concern: the slices of a
/// Service and the Pods behind it concern it too ([`Index`] knows). All of an answer
/// comes from one namespace, whose own settings may change; a question about an
/// address also depends on who has that address.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Dependency {
    pub(crate) namespace: Option<String>,
    /// Services and Pods.
    pub(crate) objects: Vec<ObjectKey>,
    pub(crate) address: Option<IpAddr>,
}

impl Dependency {
    pub(crate) fn service(namespace: &str, name: &str) -> Self {
        Self::object(ObjectKey::new(Kind::Service, namespace, name))
    }

    pub(crate) fn pod(namespace: &str, name: &str) -> Self {
        Self::object(ObjectKey::new(Kind::Pod, namespace, name))
    }

    fn object(key: ObjectKey) -> Self {
        Self {
            namespace: Some(key.namespace.clone()),
            objects: vec![key],
            address: None,
        }
    }

    /// And on who has this address.
    pub(crate) fn at(self, address: IpAddr) -> Self {
        Self {
            address: Some(address),
            ..self
        }
    }
}

/// What a batch of changes touched.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// Namespaces of which any answer may have changed.
    pub(crate) namespaces: HashSet<String>,
    /// Services and Pods.
    pub(crate) objects: HashSet<ObjectKey>,
    pub(crate) addresses: HashSet<IpAddr>,
    /// Something that any answer may depend on.
    pub(crate) all: bool,
}

impl Touched {
    pub(crate) fn is_empty(&self) -> bool {
        !self.all
            && self.namespaces.is_empty()
            && self.objects.is_empty()
            && self.addresses.is_empty()
    }

    /// Is more touched than what has a name or an address?
    pub(crate) fn is_broad(&self) -> bool {
        self.all || !self.namespaces.is_empty()
    }

    pub(crate) fn concerns(&self, on: &Dependency) -> bool {
        let namespace = on
            .namespace
            .as_ref()
            .is_some_and(|n| self.namespaces.contains(n));
        let object = on.objects.iter().any(|key| self.objects.contains(key));
        let address = on.address.is_some_and(|a| self.addresses.contains(&a));
        self.all || namespace || object || address
    }

    pub(super) fn service(&mut self, namespace: &str, name: &str) {
        let key = ObjectKey::new(Kind::Service, namespace, name);
        self.objects.insert(key);
    }

    pub(super) fn pod(&mut self, namespace: &str, name: &str) {
        let key = ObjectKey::new(Kind::Pod, namespace, name);
        self.objects.insert(key);
    }
}
