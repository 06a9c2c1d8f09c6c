//! The objects, found by name and by address.

mod space;

use super::{
    Settings,
    object::{Change, Kind, Namespace, Node, Object, ObjectKey, Pod, Service, Slice},
    query::Touched,
};
use space::Space;
use std::{collections::HashMap, net::IpAddr, sync::Arc};

/// All objects, kept in the shapes that questions ask for.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) settings: Settings,
    /// What follows service account and namespace in the identities of our mesh.
    pub(super) identities: Arc<str>,
    namespaces: HashMap<String, Namespace>,
    nodes: HashMap<String, Node>,
    spaces: HashMap<String, Space>,
    pods_by_ip: ByIp,
    services_by_ip: ByIp,
}

impl Index {
    pub(crate) fn new(settings: Settings) -> Self {
        let identities = format!(
            "serviceaccount.identity.{}.{}",
            settings.identity_namespace, settings.trust_domain
        );
        Self {
            settings,
            identities: identities.into(),
            namespaces: HashMap::new(),
            nodes: HashMap::new(),
            spaces: HashMap::new(),
            pods_by_ip: ByIp::default(),
            services_by_ip: ByIp::default(),
        }
    }

    /// Takes in one change and notes what it touched. An object that says what
    /// is known (a heartbeat, a relist) touches nothing.
    pub(crate) fn apply(&mut self, change: Change, touched: &mut Touched) {
        match change {
            Change::Apply(object) if self.has(&object) => {}
            Change::Apply(object) => self.insert(object, touched),
            Change::Delete(key) => self.delete(&key, touched),
        }
    }

    fn has(&self, object: &Object) -> bool {
        match object {
            Object::Namespace(new) => self.namespaces.get(&new.name) == Some(new),
            Object::Node(new) => self.nodes.get(&new.name) == Some(new),
            Object::Pod(new) => self.pod(&new.namespace, &new.name) == Some(new),
            Object::Service(new) => self.service(&new.namespace, &new.name) == Some(&**new),
            Object::Slice(new) => {
                let space = self.spaces.get(&*new.namespace);
                space.and_then(|space| space.slice(&new.name)) == Some(new)
            }
        }
    }

    fn insert(&mut self, object: Object, touched: &mut Touched) {
        match object {
            Object::Namespace(new) => {
                touched.namespaces.insert(new.name.clone());
                self.namespaces.insert(new.name.clone(), new);
            }
            Object::Node(new) => {
                self.nodes.insert(new.name.clone(), new);
                touched.all = true;
            }
            Object::Pod(new) => {
                let (namespace, name) = (new.namespace.clone(), new.name.clone());
                self.set_pod(&namespace, &name, Some(new), touched);
            }
            Object::Service(new) => {
                let (namespace, name) = (new.namespace.clone(), new.name.clone());
                self.set_service(&namespace, &name, Some(*new), touched);
            }
            Object::Slice(new) => {
                let (namespace, name) = (new.namespace.clone(), new.name.clone());
                self.space(&namespace).set_slice(&name, Some(new), touched);
            }
        }
    }

    fn delete(&mut self, key: &ObjectKey, touched: &mut Touched) {
        let ObjectKey {
            kind,
            namespace,
            name,
        } = key;
        match kind {
            Kind::Namespace => {
                touched.namespaces.insert(name.clone());
                self.namespaces.remove(name);
            }
            Kind::Node => touched.all |= self.nodes.remove(name).is_some(),
            Kind::Pod => self.set_pod(namespace, name, None, touched),
            Kind::Service => self.set_service(namespace, name, None, touched),
            Kind::EndpointSlice => self.space(namespace).set_slice(name, None, touched),
        }
    }

    fn set_pod(
        &mut self,
        namespace: &str,
        name: &str,
        new: Option<Arc<Pod>>,
        touched: &mut Touched,
    ) {
        let ips = |pod: &Option<Arc<Pod>>| pod.iter().flat_map(|pod| pod.ips.clone()).collect();
        let after: Vec<_> = ips(&new);
        let before: Vec<_> = ips(&self.space(namespace).set_pod(name, new, touched));
        self.pods_by_ip
            .replace((&before, &after), (namespace, name), touched);
    }

    fn set_service(
        &mut self,
        namespace: &str,
        name: &str,
        new: Option<Service>,
        touched: &mut Touched,
    ) {
        let ips = |service: &Option<Service>| {
            let service = service.iter();
            service
                .flat_map(|service| service.cluster_ips.clone())
                .collect()
        };
        let after: Vec<_> = ips(&new);
        let before: Vec<_> = ips(&self.space(namespace).set_service(name, new, touched));
        self.services_by_ip
            .replace((&before, &after), (namespace, name), touched);
    }

    fn space(&mut self, namespace: &str) -> &mut Space {
        if !self.spaces.contains_key(namespace) {
            let space = Space::new(namespace);
            self.spaces.insert(namespace.to_owned(), space);
        }
        self.spaces.get_mut(namespace).expect("it is there by now")
    }

    pub(crate) fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.namespaces.get(name)
    }

    /// The zone of a node, when both are known.
    pub(crate) fn zone_of(&self, node: Option<&str>) -> Option<&str> {
        self.nodes.get(node?)?.zone.as_deref()
    }

    pub(crate) fn pod(&self, namespace: &str, name: &str) -> Option<&Arc<Pod>> {
        self.spaces.get(namespace)?.pod(name)
    }

    pub(crate) fn service(&self, namespace: &str, name: &str) -> Option<&Service> {
        self.spaces.get(namespace)?.service(name)
    }

    /// The services of a namespace that list opaque ports.
    pub(crate) fn services_with_opaque_ports(
        &self,
        namespace: &str,
    ) -> impl Iterator<Item = &Service> {
        let space = self.spaces.get(namespace);
        space
            .into_iter()
            .flat_map(Space::services_with_opaque_ports)
    }

    /// The slices of one service.
    pub(crate) fn slices(&self, service: &Service) -> impl Iterator<Item = &Slice> {
        let space = self.spaces.get(&service.namespace);
        space
            .into_iter()
            .flat_map(|space| space.slices_of(&service.name))
    }

    /// Whose cluster IP this is. Two services with one address are a mistake
    /// in the manifests; the first by name wins, so the answer is stable.
    pub(crate) fn service_at(&self, ip: IpAddr) -> Option<&Service> {
        let (namespace, name) = self.services_by_ip.first(ip)?;
        self.service(namespace, name)
    }

    /// Whose pod IP this is.
    pub(crate) fn pod_at(&self, ip: IpAddr) -> Option<&Arc<Pod>> {
        let (namespace, name) = self.pods_by_ip.first(ip)?;
        self.pod(namespace, name)
    }

    /// How many objects there are, by kind.
    pub(crate) fn counts(&self) -> [(Kind, usize); 5] {
        let sum = |kind| self.spaces.values().map(|space| space.count(kind)).sum();
        let count = |kind| match kind {
            Kind::Namespace => self.namespaces.len(),
            Kind::Node => self.nodes.len(),
            kind => sum(kind),
        };
        Kind::ALL.map(|kind| (kind, count(kind)))
    }
}

/// Namespace and name of an object.
type Name = (Arc<str>, Arc<str>);

/// Those who have an address, in order: nearly always one.
#[derive(Debug, Default)]
struct ByIp(HashMap<IpAddr, Vec<Name>>);

impl ByIp {
    fn first(&self, ip: IpAddr) -> Option<(&str, &str)> {
        let (namespace, name) = self.0.get(&ip)?.first()?;
        Some((namespace, name))
    }

    /// Whoever had the addresses of before has those of after.
    fn replace(
        &mut self,
        (before, after): (&[IpAddr], &[IpAddr]),
        (namespace, name): (&str, &str),
        touched: &mut Touched,
    ) {
        if before == after {
            // As they are the same object's still, who has them has not changed.
            return;
        }
        touched.addresses.extend(before.iter().chain(after));
        for ip in before {
            if let Some(owners) = self.0.get_mut(ip) {
                owners.retain(|owner| (&*owner.0, &*owner.1) != (namespace, name));
                if owners.is_empty() {
                    self.0.remove(ip);
                }
            }
        }
        for ip in after {
            let owners = self.0.entry(*ip).or_insert_with(|| Vec::with_capacity(1));
            owners.push((namespace.into(), name.into()));
            owners.sort_unstable();
        }
    }
}
