//! Which ports carry a protocol that must not be parsed.
//!
//! Service, Pod and Namespace may list opaque ports, and there is a default
//! list. Linkerd lets each kind of answer look at some of these only: an
//! annotation on the Service alone makes the client's proxy skip detection while
//! the server's proxy still waits for the first bytes, which hangs a protocol
//! whose server speaks first. Here all answers come from one decision about a
//! pod's port:
//!
//! 1. the pod's annotation and those of all Services that lead to this port,
//!    joined: the port is opaque when any of them lists it;
//! 2. if none of them has the annotation: the namespace's;
//! 3. if that has none either: the default list.
//!
//! So an explicit annotation still turns a default off, on the Service or the
//! Pod alone. A port of a Service is opaque when the Service says so or any pod
//! behind it does: carrying HTTP as bytes always works, the reverse does not.

use super::{
    Index,
    object::{Pod, Service, TargetPort},
};

impl Index {
    /// Is this port of a pod opaque?
    pub(crate) fn pod_port_is_opaque(&self, pod: &Pod, port: u16) -> bool {
        let pod_says = pod
            .template
            .opaque_ports
            .as_ref()
            .map(|ports| ports.contains(port));
        let annotated = self
            .services_with_opaque_ports(&pod.namespace)
            .filter_map(|service| Some((service, service.opaque_ports.as_ref()?)));
        let services_say = annotated.flat_map(|(service, listed)| {
            let leading = self.service_ports_to(service, pod, port);
            leading.map(|service_port| listed.contains(service_port))
        });
        let explicit = services_say.chain(pod_says).reduce(|a, b| a || b);
        explicit.unwrap_or_else(|| self.opaque_by_default(&pod.namespace, port))
    }

    /// Is this port of a service opaque, by annotations?
    pub(crate) fn service_port_is_opaque(&self, service: &Service, port: u16) -> bool {
        let listed = service
            .opaque_ports
            .as_ref()
            .map(|ports| ports.contains(port));
        if listed == Some(true) {
            return true;
        }
        let mut behind = self.pods_behind(service, port).peekable();
        match behind.peek() {
            Some(_) => behind.any(|(pod, port)| self.pod_port_is_opaque(pod, port)),
            None => listed.unwrap_or_else(|| self.opaque_by_default(&service.namespace, port)),
        }
    }

    fn opaque_by_default(&self, namespace: &str, port: u16) -> bool {
        let namespace = self.namespace(namespace);
        let listed = namespace.and_then(|namespace| namespace.opaque_ports.as_ref());
        listed.unwrap_or(&self.settings.opaque_ports).contains(port)
    }

    /// The ports of `service` that lead to `port` of `pod`: by its selector
    /// (right before the pod is ready) or by a slice (right without selector).
    fn service_ports_to(
        &self,
        service: &Service,
        pod: &Pod,
        port: u16,
    ) -> impl Iterator<Item = u16> {
        let selected = !service.selector.is_empty()
            && service
                .selector
                .iter()
                .all(|(k, v)| pod.template.labels.get(k) == Some(v));
        service.ports.iter().filter_map(move |service_port| {
            let target = match &service_port.target {
                TargetPort::Number(number) => Some(*number),
                TargetPort::Name(name) => pod.template.named_ports.get(name).copied(),
            };
            let by_selector = selected && target == Some(port);
            let leads = by_selector || self.slices_lead_to(service, &service_port.name, pod, port);
            leads.then_some(service_port.port)
        })
    }

    fn slices_lead_to(&self, service: &Service, port_name: &str, pod: &Pod, port: u16) -> bool {
        self.slices(service).any(|slice| {
            slice
                .ports
                .iter()
                .any(|(name, number)| name == port_name && *number == port)
                && slice
                    .endpoints
                    .iter()
                    .any(|e| e.pod.as_deref() == Some(&pod.name))
        })
    }

    /// Pods that a service port leads to, ready or not, with their port.
    fn pods_behind<'a>(
        &'a self,
        service: &'a Service,
        port: u16,
    ) -> impl Iterator<Item = (&'a Pod, u16)> {
        self.slices(service).flat_map(move |slice| {
            let target = slice.target_port(service.port(port), port);
            let pods = slice
                .endpoints
                .iter()
                .filter_map(|endpoint| endpoint.pod.as_deref());
            pods.filter_map(move |pod| Some((&**self.pod(&service.namespace, pod)?, target?)))
        })
    }
}
