//! The objects, found by name and by address.

use super::{
    Settings,
    object::{Change, Kind, Namespace, Node, Object, ObjectKey, Pod, Service, Slice},
    query::Touched,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

/// Namespace and name of an object.
type Name = (String, String);

/// All objects, kept in the shapes that questions ask for.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) settings: Settings,
    namespaces: HashMap<String, Namespace>,
    nodes: HashMap<String, Node>,
    spaces: HashMap<String, Space>,
    pods_by_ip: HashMap<IpAddr, BTreeSet<Name>>,
    services_by_ip: HashMap<IpAddr, BTreeSet<Name>>,
}

/// What lives in one namespace. Ordered maps make answers reproducible.
#[derive(Debug, Default)]
struct Space {
    pods: BTreeMap<String, Pod>,
    services: BTreeMap<String, Service>,
    slices: BTreeMap<String, Slice>,
}

impl Index {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            namespaces: HashMap::new(),
            nodes: HashMap::new(),
            spaces: HashMap::new(),
            pods_by_ip: HashMap::new(),
            services_by_ip: HashMap::new(),
        }
    }

    /// Takes in one change and notes what it touched.
    pub(crate) fn apply(&mut self, change: Change, touched: &mut Touched) {
        match change {
            Change::Apply(Object::Namespace(new)) => {
                touched.namespaces.insert(new.name.clone());
                self.namespaces.insert(new.name.clone(), new);
            }
            Change::Apply(Object::Node(new)) => {
                let old = self.nodes.insert(new.name.clone(), new.clone());
                touched.all |= old.as_ref() != Some(&new);
            }
            Change::Apply(Object::Pod(new)) => self.apply_pod(*new, touched),
            Change::Apply(Object::Service(new)) => self.apply_service(*new, touched),
            Change::Apply(Object::Slice(new)) => {
                let slices = &mut self.space(&new.namespace, touched).slices;
                slices.insert(new.name.clone(), new);
            }
            Change::Delete(key) => self.delete(&key, touched),
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
            Kind::Pod => {
                if let Some(old) = self.space(namespace, touched).pods.remove(name) {
                    unlink(&mut self.pods_by_ip, &old.ips, (namespace, name), touched);
                }
            }
            Kind::Service => {
                if let Some(old) = self.space(namespace, touched).services.remove(name) {
                    unlink(
                        &mut self.services_by_ip,
                        &old.cluster_ips,
                        (namespace, name),
                        touched,
                    );
                }
            }
            Kind::EndpointSlice => {
                self.space(namespace, touched).slices.remove(name);
            }
        }
    }

    fn apply_pod(&mut self, new: Pod, touched: &mut Touched) {
        let (namespace, name, ips) = (new.namespace.clone(), new.name.clone(), new.ips.clone());
        let old = self
            .space(&namespace, touched)
            .pods
            .insert(name.clone(), new);
        let old = old.map(|pod| pod.ips).unwrap_or_default();
        unlink(&mut self.pods_by_ip, &old, (&namespace, &name), touched);
        link(&mut self.pods_by_ip, &ips, (&namespace, &name), touched);
    }

    fn apply_service(&mut self, new: Service, touched: &mut Touched) {
        let (namespace, name, ips) = (
            new.namespace.clone(),
            new.name.clone(),
            new.cluster_ips.clone(),
        );
        let old = self
            .space(&namespace, touched)
            .services
            .insert(name.clone(), new);
        let old = old.map(|service| service.cluster_ips).unwrap_or_default();
        unlink(&mut self.services_by_ip, &old, (&namespace, &name), touched);
        link(&mut self.services_by_ip, &ips, (&namespace, &name), touched);
    }

    fn space(&mut self, namespace: &str, touched: &mut Touched) -> &mut Space {
        touched.namespaces.insert(namespace.to_owned());
        self.spaces.entry(namespace.to_owned()).or_default()
    }

    pub(crate) fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.namespaces.get(name)
    }

    /// The zone of a node, when both are known.
    pub(crate) fn zone_of(&self, node: Option<&str>) -> Option<&str> {
        self.nodes.get(node?)?.zone.as_deref()
    }

    pub(crate) fn pod(&self, namespace: &str, name: &str) -> Option<&Pod> {
        self.spaces.get(namespace)?.pods.get(name)
    }

    pub(crate) fn service(&self, namespace: &str, name: &str) -> Option<&Service> {
        self.spaces.get(namespace)?.services.get(name)
    }

    pub(crate) fn services(&self, namespace: &str) -> impl Iterator<Item = &Service> {
        self.spaces
            .get(namespace)
            .into_iter()
            .flat_map(|space| space.services.values())
    }

    /// The slices of one service.
    pub(crate) fn slices(&self, service: &Service) -> impl Iterator<Item = &Slice> {
        let slices = self
            .spaces
            .get(&service.namespace)
            .map(|space| space.slices.values());
        slices
            .into_iter()
            .flatten()
            .filter(move |slice| slice.service == service.name)
    }

    /// Whose cluster IP this is. Two services with one address are a mistake
    /// in the manifests; the first by name wins, so the answer is stable.
    pub(crate) fn service_at(&self, ip: IpAddr) -> Option<&Service> {
        let (namespace, name) = self.services_by_ip.get(&ip)?.first()?;
        self.service(namespace, name)
    }

    /// Whose pod IP this is.
    pub(crate) fn pod_at(&self, ip: IpAddr) -> Option<&Pod> {
        let (namespace, name) = self.pods_by_ip.get(&ip)?.first()?;
        self.pod(namespace, name)
    }

    /// How many objects there are, by kind.
    pub(crate) fn counts(&self) -> [(Kind, usize); 5] {
        let sum = |count: fn(&Space) -> usize| self.spaces.values().map(count).sum();
        [
            (Kind::Namespace, self.namespaces.len()),
            (Kind::Node, self.nodes.len()),
            (Kind::Pod, sum(|space| space.pods.len())),
            (Kind::Service, sum(|space| space.services.len())),
            (Kind::EndpointSlice, sum(|space| space.slices.len())),
        ]
    }
}

type ByIp = HashMap<IpAddr, BTreeSet<Name>>;

fn link(map: &mut ByIp, ips: &[IpAddr], (namespace, name): (&str, &str), touched: &mut Touched) {
    for ip in ips {
        let name = (namespace.to_owned(), name.to_owned());
        map.entry(*ip).or_default().insert(name);
        touched.addresses.insert(*ip);
    }
}

fn unlink(map: &mut ByIp, ips: &[IpAddr], (namespace, name): (&str, &str), touched: &mut Touched) {
    for ip in ips {
        if let Some(names) = map.get_mut(ip) {
            names.remove(&(namespace.to_owned(), name.to_owned()));
            if names.is_empty() {
                map.remove(ip);
            }
        }
        touched.addresses.insert(*ip);
    }
}
