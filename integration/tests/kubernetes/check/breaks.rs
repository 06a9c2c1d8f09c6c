//! What is broken, how it is mended, and which checks have to say so. Lines of shell, in a folder with the files of [`super::certificates`].

/// One way to break a mesh.
pub(crate) struct Break {
    /// Those that have to name it.
    pub(crate) checks: &'static [&'static str],
    /// More flags for `mesh check`.
    pub(crate) flags: &'static str,
    pub(crate) make: &'static str,
    pub(crate) undo: &'static str,
}

const fn broken(
    checks: &'static [&'static str],
    flags: &'static str,
    make: &'static str,
    undo: &'static str,
) -> Break {
    Break {
        checks,
        flags,
        make,
        undo,
    }
}

/// What the lines have in common.
pub(crate) const PRELUDE: &str = r#"
# An object, and back again, whether it was changed or deleted.
save() { kubectl get "$@" --output=yaml | sed '/^  resourceVersion:/d; /^  uid:/d; /^  creationTimestamp:/d' > saved.yaml; }
back() { kubectl replace --filename=saved.yaml || kubectl create --filename=saved.yaml; }
# The values that the cluster keeps, with an edit.
edit() { kubectl get configmap --namespace mesh mesh-config --output=yaml | sed "$1" | kubectl replace --filename=-; }
# Trust anchors: more of them; the issuer: another certificate and key.
anchor() { kubectl create configmap --namespace mesh mesh-trust-bundle --dry-run=client --output=yaml \
    --from-literal=ca-bundle.crt="$(kubectl get configmap --namespace mesh mesh-trust-bundle --output='jsonpath={.data.ca-bundle\.crt}'; cat "$1")" \
    | kubectl patch configmap --namespace mesh mesh-trust-bundle --patch-file=/dev/stdin; }
issuer() { kubectl patch secret --namespace mesh mesh-identity-issuer --patch \
    "{\"data\":{\"tls.crt\":\"$(base64 --wrap=0 "$1")\",\"tls.key\":\"$(base64 --wrap=0 "$2")\"}}"; }
webhook() { kubectl patch mutatingwebhookconfiguration mesh-injector --type=json --patch "$1"; }
in_space() { kubectl --namespace "$SPACE" "$@"; }
web() { in_space get pod --selector=app=web --output=name | head -n 1; }
"#;

const SHOP: &str = "--proxy --namespace $SPACE";

/// With the control plane running.
pub(crate) const BREAKS: &[Break] = &[
    // Access.
    broken(&["k8s-client"], "--kubeconfig nowhere.yaml", "true", "true"),
    broken(
        &["k8s-api"],
        "--kubeconfig dead.yaml",
        "kubectl config view --raw --minify | sed 's|server: .*|server: https://127.0.0.1:9|' > dead.yaml",
        "rm dead.yaml",
    ),
    broken(&["k8s-access"], "--as nobody", "true", "true"),
    broken(&["pre-namespace", "pre-leftovers"], "--pre", "true", "true"),
    broken(
        &["version-expected"],
        "--expected-version 9.9.9",
        "true",
        "true",
    ),
    broken(
        &["mesh-namespace"],
        "--mesh-namespace nowhere",
        "true",
        "true",
    ),
    broken(
        &["proxy-exists"],
        "--proxy --namespace kube-system",
        "true",
        "true",
    ),
    // Objects of the control plane.
    broken(
        &["mesh-namespace-labels"],
        "",
        "kubectl label namespace mesh mesh.dev/is-control-plane-",
        "kubectl label namespace mesh mesh.dev/is-control-plane=true",
    ),
    broken(
        &["mesh-config"],
        "",
        "save configmap --namespace mesh mesh-config; kubectl delete --filename=saved.yaml",
        "back",
    ),
    broken(
        &["mesh-cluster-roles"],
        "",
        "save clusterrole mesh-mesh-identity; kubectl delete --filename=saved.yaml",
        "back",
    ),
    broken(
        &["mesh-cluster-roles"],
        "",
        r#"save clusterrole mesh-mesh-identity; kubectl patch --filename=saved.yaml --type=merge --patch='{"rules":[]}'"#,
        "back",
    ),
    broken(
        &["mesh-cluster-role-bindings"],
        "",
        "save clusterrolebinding mesh-mesh-identity; kubectl delete --filename=saved.yaml",
        "back",
    ),
    broken(
        &["mesh-cluster-role-bindings"],
        "",
        r#"save clusterrolebinding mesh-mesh-identity; kubectl patch --filename=saved.yaml --type=merge --patch='{"subjects":[]}'"#,
        "back",
    ),
    broken(
        &["mesh-webhook-configuration"],
        "",
        "save mutatingwebhookconfiguration mesh-injector; kubectl delete --filename=saved.yaml",
        "kubectl create --filename=saved.yaml",
    ),
    broken(
        &["mesh-services"],
        "",
        "save service --namespace mesh mesh-policy; kubectl delete --filename=saved.yaml",
        "back",
    ),
    broken(
        &["mesh-endpoints"],
        "",
        r#"save service --namespace mesh mesh-policy; kubectl patch --filename=saved.yaml --patch='{"spec":{"selector":{"no":"pod"}}}'"#,
        "back",
    ),
    broken(
        &["version-control-plane", "version-expected"],
        "",
        "kubectl label pod --namespace mesh --selector=mesh.dev/control-plane-component=identity --overwrite app.kubernetes.io/version=0.0.1",
        r#"kubectl label pod --namespace mesh --selector=mesh.dev/control-plane-component=identity --overwrite \
            app.kubernetes.io/version="$(kubectl get deployment --namespace mesh mesh-identity --output='jsonpath={.metadata.labels.app\.kubernetes\.io/version}')""#,
    ),
    // Configuration.
    broken(
        &["config-values"],
        "",
        "save configmap --namespace mesh mesh-config; edit 's|clusterNetworks: .*|clusterNetworks: everywhere|'",
        "back",
    ),
    broken(
        &["config-networks-pods", "config-networks-services"],
        "",
        "save configmap --namespace mesh mesh-config; edit 's|clusterNetworks: .*|clusterNetworks: 192.0.2.0/24|'",
        "back",
    ),
    broken(
        &["config-proxy-defaults"],
        "",
        "save configmap --namespace mesh mesh-config; edit 's|image-pull-policy: .*|image-pull-policy: Perhaps|'",
        "back",
    ),
    broken(
        &["config-proxy-defaults-match"],
        "",
        "save configmap --namespace mesh mesh-config; edit 's|image-pull-policy: .*|image-pull-policy: Always|'",
        "back",
    ),
    broken(
        &["ha-replicas", "ha-disruption"],
        "",
        "save configmap --namespace mesh mesh-config; edit 's|highAvailability: .*|highAvailability: true|'",
        "back",
    ),
    // Identity.
    broken(
        &["identity-anchors"],
        "",
        "save configmap --namespace mesh mesh-trust-bundle; kubectl delete --filename=saved.yaml",
        "back",
    ),
    broken(
        &["identity-anchors-crypto"],
        "",
        "save configmap --namespace mesh mesh-trust-bundle; anchor p384-root.crt",
        "back",
    ),
    broken(
        &["identity-anchors-valid"],
        "",
        "save configmap --namespace mesh mesh-trust-bundle; anchor expired-root.crt",
        "back",
    ),
    broken(
        &["identity-anchors-expiry", "proxy-trust-anchors"],
        SHOP,
        "save configmap --namespace mesh mesh-trust-bundle; anchor expiring-root.crt",
        "back",
    ),
    broken(
        &["identity-issuer"],
        "",
        "save secret --namespace mesh mesh-identity-issuer; kubectl delete --filename=saved.yaml",
        "back",
    ),
    broken(
        &["identity-issuer"],
        "",
        "save secret --namespace mesh mesh-identity-issuer; issuer other.crt expired.key",
        "back",
    ),
    broken(
        &["identity-issuer-crypto"],
        "",
        "save secret --namespace mesh mesh-identity-issuer; issuer p384.crt p384.key",
        "back",
    ),
    broken(
        &["identity-issuer-valid"],
        "",
        "save secret --namespace mesh mesh-identity-issuer; issuer expired.crt expired.key",
        "back",
    ),
    broken(
        &["identity-issuer-expiry", "identity-issuer-chain"],
        "",
        "save secret --namespace mesh mesh-identity-issuer; issuer expiring.crt expiring.key",
        "back",
    ),
    // The webhook.
    broken(
        &["webhook-target"],
        "",
        r#"webhook '[{"op":"replace","path":"/webhooks/0/clientConfig/service/path","value":"/"}]'"#,
        r#"webhook '[{"op":"replace","path":"/webhooks/0/clientConfig/service/path","value":"/inject"}]'"#,
    ),
    broken(
        &["webhook-failure-policy"],
        "",
        r#"webhook '[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Fail"}]'"#,
        r#"webhook '[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]'"#,
    ),
    // Proxies, and what asks for them.
    broken(
        &["proxy-version"],
        SHOP,
        r#"in_space annotate --overwrite "$(web)" mesh.dev/proxy-version=0.0.1"#,
        r#"in_space annotate pod --selector=app=web --overwrite \
            mesh.dev/proxy-version="$(in_space get pod --selector=app=client --output='jsonpath={.items[0].metadata.annotations.mesh\.dev/proxy-version}')""#,
    ),
    broken(
        &["injection-refused"],
        SHOP,
        r#"in_space create deployment refused --image=none --replicas=0
            in_space patch deployment refused --patch='{"spec":{"replicas":1,"template":{"metadata":{"annotations":{"config.mesh.dev/proxy-cpu-limit":"lots"}}}}}'"#,
        "in_space delete deployment refused",
    ),
    broken(
        &["injection-pod-security"],
        SHOP,
        "kubectl label namespace $SPACE pod-security.kubernetes.io/enforce=restricted",
        "kubectl label namespace $SPACE pod-security.kubernetes.io/enforce-",
    ),
    broken(
        &["injection-pod-labels"],
        SHOP,
        r#"in_space label "$(web)" config.mesh.dev/proxy-cpu-limit=1"#,
        "in_space label pod --selector=app=web config.mesh.dev/proxy-cpu-limit-",
    ),
    broken(
        &["injection-service-labels"],
        SHOP,
        "in_space label service web mesh.dev/inject=enabled",
        "in_space label service web mesh.dev/inject-",
    ),
    broken(
        &["injection-service-annotations"],
        SHOP,
        "in_space annotate service web config.mesh.dev/proxy-uid=7",
        "in_space annotate service web config.mesh.dev/proxy-uid-",
    ),
    broken(
        &["injection-annotations"],
        SHOP,
        "in_space annotate service web timeout.linkerd.io/request=soon",
        "in_space annotate service web timeout.linkerd.io/request-",
    ),
    broken(
        &["injection-annotations"],
        SHOP,
        "kubectl annotate namespace $SPACE config.mesh.dev/proxy-log-level=loud",
        "kubectl annotate namespace $SPACE config.mesh.dev/proxy-log-level-",
    ),
    broken(
        &["injection-annotations"],
        SHOP,
        r#"in_space annotate "$(web)" config.mesh.dev/proxy-cpu-limit=lots"#,
        "in_space annotate pod --selector=app=web config.mesh.dev/proxy-cpu-limit-",
    ),
    broken(
        &["opaque-ports"],
        SHOP,
        r#"in_space annotate service web config.mesh.dev/opaque-ports=80; in_space annotate "$(web)" config.mesh.dev/opaque-ports=9000"#,
        "in_space annotate service web config.mesh.dev/opaque-ports-; in_space annotate pod --selector=app=web config.mesh.dev/opaque-ports-",
    ),
];

/// While the injector is away: the first line sends it away, the last one has it back.
pub(crate) const WITHOUT_INJECTOR: &[Break] = &[
    broken(
        &["mesh-deployments", "mesh-pods-ready"],
        "",
        "kubectl scale deployment --namespace mesh mesh-injector --replicas=0; \
            kubectl wait pod --namespace mesh --selector=mesh.dev/control-plane-component=injector --for=delete --timeout=60s || true",
        "true",
    ),
    broken(
        &["webhook-ca-bundle"],
        "",
        r#"webhook '[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]'"#,
        "true",
    ),
    // Pods that were there before the annotation; and nobody writes the bundle.
    broken(
        &["injection-missing", "proxy-trust-bundles"],
        SHOP,
        "kubectl annotate namespace $SPACE mesh.dev/inject=enabled",
        "true",
    ),
    broken(
        &["mesh-service-accounts"],
        "",
        "save serviceaccount --namespace mesh mesh-injector; kubectl delete --filename=saved.yaml",
        "back",
    ),
    broken(
        &["mesh-replica-sets"],
        "",
        "kubectl create quota --namespace mesh none --hard=pods=0; kubectl scale deployment --namespace mesh mesh-injector --replicas=1",
        "kubectl delete quota --namespace mesh none; kubectl scale deployment --namespace mesh mesh-injector --replicas=0",
    ),
    broken(
        &["mesh-unschedulable", "mesh-pods-ready"],
        "",
        "kubectl get nodes --output=name | xargs kubectl cordon; kubectl scale deployment --namespace mesh mesh-injector --replicas=1",
        "kubectl get nodes --output=name | xargs kubectl uncordon; kubectl rollout status deployment --namespace mesh mesh-injector --timeout=120s",
    ),
    // Back again, but it may not write what the API server trusts.
    broken(
        &["webhook-certificate"],
        "",
        r#"save clusterrolebinding mesh-mesh-injector; kubectl delete --filename=saved.yaml
            webhook "[{\"op\":\"add\",\"path\":\"/webhooks/0/clientConfig/caBundle\",\"value\":\"$(base64 --wrap=0 other-root.crt)\"}]""#,
        r#"back; kubectl rollout restart deployment --namespace mesh mesh-injector
            kubectl rollout status deployment --namespace mesh mesh-injector --timeout=120s"#,
    ),
];
