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
    /// Services with a list of opaque ports, which every pod's ports ask for.
    with_opaque_ports: BTreeSet<String>,
    slices: BTreeMap<String, Slice>,
    slices_by_service: HashMap<String, BTreeSet<String>>,
}

impl Space {
    fn insert_slice(&mut self, new: Slice) {
        self.remove_slice(&new.name);
        let of_service = self
            .slices_by_service
            .entry(new.service.clone())
            .or_default();
        of_service.insert(new.name.clone());
        self.slices.insert(new.name.clone(), new);
    }

    fn remove_slice(&mut self, name: &str) {
        let Some(old) = self.slices.remove(name) else {
            return;
        };
        if let Some(of_service) = self.slices_by_service.get_mut(&old.service) {
            of_service.remove(name);
            if of_service.is_empty() {
                self.slices_by_service.remove(&old.service);
            }
        }
    }

    fn insert_service(&mut self, new: Service) -> Option<Service> {
        match new.opaque_ports {
            Some(_) => self.with_opaque_ports.insert(new.name.clone()),
            None => self.with_opaque_ports.remove(&new.name),
        };
        self.services.insert(new.name.clone(), new)
    }

    fn remove_service(&mut self, name: &str) -> Option<Service> {
        self.with_opaque_ports.remove(name);
        self.services.remove(name)
    }
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
            Object::Pod(new) => self.pod(&new.namespace, &new.name) == Some(&**new),
            Object::Service(new) => self.service(&new.namespace, &new.name) == Some(&**new),
            Object::Slice(new) => {
                let space = self.spaces.get(&new.namespace);
                space.and_then(|space| space.slices.get(&new.name)) == Some(new)
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
            Object::Pod(new) => self.insert_pod(*new, touched),
            Object::Service(new) => self.insert_service(*new, touched),
            Object::Slice(new) => {
                self.space(&new.namespace, touched).insert_slice(new);
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
            Kind::Pod => {
                if let Some(old) = self.space(namespace, touched).pods.remove(name) {
                    unlink(&mut self.pods_by_ip, &old.ips, (namespace, name), touched);
                }
            }
            Kind::Service => {
                if let Some(old) = self.space(namespace, touched).remove_service(name) {
                    unlink(
                        &mut self.services_by_ip,
                        &old.cluster_ips,
                        (namespace, name),
                        touched,
                    );
                }
            }
            Kind::EndpointSlice => {
                self.space(namespace, touched).remove_slice(name);
            }
        }
    }

    fn insert_pod(&mut self, new: Pod, touched: &mut Touched) {
        let (namespace, name, ips) = (new.namespace.clone(), new.name.clone(), new.ips.clone());
        let old = self
            .space(&namespace, touched)
            .pods
            .insert(name.clone(), new);
        let old = old.map(|pod| pod.ips).unwrap_or_default();
        unlink(&mut self.pods_by_ip, &old, (&namespace, &name), touched);
        link(&mut self.pods_by_ip, &ips, (&namespace, &name), touched);
    }

    fn insert_service(&mut self, new: Service, touched: &mut Touched) {
        let (namespace, name, ips) = (
            new.namespace.clone(),
            new.name.clone(),
            new.cluster_ips.clone(),
        );
        let old = self.space(&namespace, touched).insert_service(new);
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

    /// The services of a namespace that list opaque ports.
    pub(crate) fn services_with_opaque_ports(
        &self,
        namespace: &str,
    ) -> impl Iterator<Item = &Service> {
        let space = self.spaces.get(namespace);
        space.into_iter().flat_map(|space| {
            let names = space.with_opaque_ports.iter();
            names.filter_map(|name| space.services.get(name))
        })
    }

    /// The slices of one service.
    pub(crate) fn slices(&self, service: &Service) -> impl Iterator<Item = &Slice> {
        let space = self.spaces.get(&service.namespace);
        space.into_iter().flat_map(|space| {
            let names = space.slices_by_service.get(&service.name);
            let slices = names.into_iter().flatten();
            slices.filter_map(|name| space.slices.get(name))
        })
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
