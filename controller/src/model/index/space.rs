//! What lives in one namespace, and what a change there concerns.
//!
//! A change is told by Services and Pods ([`Touched`]), and here is known which: a
//! slice concerns its Service, a Pod itself and each Service with a slice that names
//! it. Opaque ports are the exception, since those of a Service count for every
//! answer about the Pods that it leads to, also by its selector: a change of a
//! Service that lists any concerns the whole namespace, one of its slices the Pods in
//! it. Without this, each change would have every answer of its namespace worked out
//! again, thousands in a large one.

use crate::model::{
    object::{Kind, Pod, Service, Slice},
    query::Touched,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// Ordered maps make answers reproducible.
#[derive(Debug)]
pub(super) struct Space {
    namespace: Arc<str>,
    pods: BTreeMap<Arc<str>, Arc<Pod>>,
    services: BTreeMap<String, Service>,
    /// Services with a list of opaque ports, which every pod's ports ask for.
    with_opaque_ports: BTreeSet<String>,
    slices: BTreeMap<Arc<str>, Slice>,
    slices_by_service: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// Slices that name a pod.
    slices_by_pod: HashMap<Box<str>, Vec<Arc<str>>>,
}

impl Space {
    pub(super) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.into(),
            pods: BTreeMap::new(),
            services: BTreeMap::new(),
            with_opaque_ports: BTreeSet::new(),
            slices: BTreeMap::new(),
            slices_by_service: HashMap::new(),
            slices_by_pod: HashMap::new(),
        }
    }

    /// Puts a pod there, or away; returns what was there.
    pub(super) fn set_pod(
        &mut self,
        name: &str,
        new: Option<Arc<Pod>>,
        touched: &mut Touched,
    ) -> Option<Arc<Pod>> {
        let old = match new {
            Some(new) => self.pods.insert(new.name.clone(), new),
            None => Some(self.pods.remove(name)?),
        };
        self.touch_pod(name, touched);
        old
    }

    fn touch_pod(&self, name: &str, touched: &mut Touched) {
        touched.pod(&self.namespace, name);
        for slice in self.slices_by_pod.get(name).into_iter().flatten() {
            if let Some(slice) = self.slices.get(slice) {
                touched.service(&self.namespace, &slice.service);
            }
        }
    }

    /// Puts a service there, or away; returns what was there.
    pub(super) fn set_service(
        &mut self,
        name: &str,
        new: Option<Service>,
        touched: &mut Touched,
    ) -> Option<Service> {
        let opaque = new.as_ref().is_some_and(|new| new.opaque_ports.is_some());
        let was_opaque = match opaque {
            true => !self.with_opaque_ports.insert(name.to_owned()),
            false => self.with_opaque_ports.remove(name),
        };
        let old = match new {
            Some(new) => self.services.insert(name.to_owned(), new),
            None => Some(self.services.remove(name)?),
        };
        touched.service(&self.namespace, name);
        if opaque || was_opaque {
            touched.namespaces.insert(self.namespace.to_string());
        }
        old
    }

    /// Puts a slice there, or away.
    pub(super) fn set_slice(&mut self, name: &str, new: Option<Slice>, touched: &mut Touched) {
        if let Some(old) = self.slices.remove(name) {
            self.unlink(&old);
            self.touch_slice(&old, touched);
        }
        if let Some(new) = new {
            self.link(&new);
            self.touch_slice(&new, touched);
            self.slices.insert(new.name.clone(), new);
        }
    }

    fn touch_slice(&self, slice: &Slice, touched: &mut Touched) {
        touched.service(&self.namespace, &slice.service);
        if self.with_opaque_ports.contains(&*slice.service) {
            for pod in pods_of(slice) {
                self.touch_pod(pod, touched);
            }
        }
    }

    fn link(&mut self, slice: &Slice) {
        let of_service = self.slices_by_service.entry(slice.service.clone());
        of_service.or_default().insert(slice.name.clone());
        for pod in pods_of(slice) {
            match self.slices_by_pod.get_mut(pod) {
                Some(naming) => naming.push(slice.name.clone()),
                None => {
                    self.slices_by_pod
                        .insert(pod.into(), vec![slice.name.clone()]);
                }
            }
        }
    }

    fn unlink(&mut self, slice: &Slice) {
        if let Some(of_service) = self.slices_by_service.get_mut(&slice.service) {
            of_service.remove(&slice.name);
            if of_service.is_empty() {
                self.slices_by_service.remove(&slice.service);
            }
        }
        for pod in pods_of(slice) {
            if let Some(naming) = self.slices_by_pod.get_mut(pod) {
                naming.retain(|name| *name != slice.name);
                if naming.is_empty() {
                    self.slices_by_pod.remove(pod);
                }
            }
        }
    }

    pub(super) fn pod(&self, name: &str) -> Option<&Arc<Pod>> {
        self.pods.get(name)
    }

    pub(super) fn service(&self, name: &str) -> Option<&Service> {
        self.services.get(name)
    }

    pub(super) fn services_with_opaque_ports(&self) -> impl Iterator<Item = &Service> {
        let names = self.with_opaque_ports.iter();
        names.filter_map(|name| self.services.get(name))
    }

    pub(super) fn slice(&self, name: &str) -> Option<&Slice> {
        self.slices.get(name)
    }

    pub(super) fn slices_of(&self, service: &str) -> impl Iterator<Item = &Slice> {
        let names = self.slices_by_service.get(service);
        let names = names.into_iter().flatten();
        names.filter_map(|name| self.slices.get(name))
    }

    /// How many objects of a kind there are.
    pub(super) fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Pod => self.pods.len(),
            Kind::Service => self.services.len(),
            Kind::EndpointSlice => self.slices.len(),
            Kind::Namespace | Kind::Node => 0,
        }
    }
}

fn pods_of(slice: &Slice) -> impl Iterator<Item = &str> {
    let endpoints = slice.endpoints.iter();
    endpoints.filter_map(|endpoint| endpoint.pod.as_deref())
}
