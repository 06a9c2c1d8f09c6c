//! What a pod says of its proxy: the injector wrote it into the pod, so it is known without asking the proxy.

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt;
use mesh_controller::injector::PROXY;
use mesh_identity::IdentityName;

use crate::local::port;

/// The proxy's container; none for a pod that is not meshed.
pub(crate) fn container(pod: &Pod) -> Option<&Container> {
    let spec = pod.spec.as_ref()?;
    let init = spec.init_containers.iter().flatten();
    let mut containers = spec.containers.iter().chain(init);
    containers.find(|container| container.name == PROXY)
}

/// Where the proxy answers questions about itself.
pub(crate) fn admin_port(pod: &Pod) -> Option<u16> {
    named_port(pod, "mesh-admin", port::ADMIN)
}

/// Where the proxy takes connections from the mesh.
pub(crate) fn inbound_port(pod: &Pod) -> Option<u16> {
    named_port(pod, "mesh-proxy", port::INBOUND)
}

fn named_port(pod: &Pod, name: &str, default: u16) -> Option<u16> {
    let mut ports = container(pod)?.ports.iter().flatten();
    let port = ports.find(|port| port.name.as_deref() == Some(name));
    let number = port.and_then(|port| u16::try_from(port.container_port).ok());
    Some(number.unwrap_or(default))
}

/// The identity that the proxy has to have; none for a pod without a proxy, or one that was told something else than names.
pub(crate) fn identity(pod: &Pod) -> Option<IdentityName> {
    let mut variables = container(pod)?.env.iter().flatten();
    let name = variables.find(|variable| variable.name.ends_with("_IDENTITY_LOCAL_NAME"))?;
    let account = pod.spec.as_ref()?.service_account_name.as_deref();
    // The kubelet puts in what the injector could not know yet.
    let name = name.value.as_deref()?;
    let name = name.replace("$(_pod_sa)", account.unwrap_or("default"));
    let name = name.replace("$(_pod_ns)", &pod.namespace()?);
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(place: &str, proxy: Value) -> Pod {
        let mut spec = json!({"serviceAccountName": "web", "containers": [{"name": "app"}]});
        spec[place] = json!([proxy]);
        let pod = json!({"metadata": {"name": "web-0", "namespace": "shop"}, "spec": spec});
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn the_ports_are_those_that_were_injected() {
        let ports = json!([
            {"name": "mesh-proxy", "containerPort": 5143},
            {"name": "mesh-admin", "containerPort": 5191}
        ]);
        for place in ["initContainers", "containers"] {
            let pod = pod(place, json!({"name": "mesh-proxy", "ports": ports}));
            assert_eq!(
                (inbound_port(&pod), admin_port(&pod)),
                (Some(5143), Some(5191))
            );
        }
        let pod = pod("containers", json!({"name": "mesh-proxy"}));
        assert_eq!(
            (inbound_port(&pod), admin_port(&pod)),
            (Some(4143), Some(4191))
        );
        assert_eq!(admin_port(&Pod::default()), None);
    }

    #[test]
    fn the_identity_is_what_the_kubelet_makes_of_it() {
        let named = |value: &str| {
            let env = json!([{"name": "LINKERD2_PROXY_IDENTITY_LOCAL_NAME", "value": value}]);
            identity(&pod(
                "containers",
                json!({"name": "mesh-proxy", "env": env}),
            ))
        };
        let name = named("$(_pod_sa).$(_pod_ns).serviceaccount.identity.mesh.example.org");
        assert_eq!(
            name.unwrap().as_str(),
            "web.shop.serviceaccount.identity.mesh.example.org"
        );
        assert_eq!(named("web"), None);
    }
}
