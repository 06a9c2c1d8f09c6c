//! The diagnostic commands as a user runs them, against a real controller of a folder, and without a cluster.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::mpsc;

use mesh_controller::{Config, Controller};

/// A controller of `diagnostics/shop.yaml`, which lives as long as the test process.
struct Shop {
    destination: SocketAddr,
    policy: SocketAddr,
}

impl Shop {
    fn start() -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics");
                let any = SocketAddr::from(([127, 0, 0, 1], 0));
                let mut config = Config::new(folder);
                config.destination_addr = any;
                config.policy_addr = any;
                config.admin_addr = any;
                let controller = Controller::bind(config).await.unwrap();
                let shop = Self {
                    destination: controller.destination_addr(),
                    policy: controller.policy_addr(),
                };
                sender.send(shop).unwrap();
                controller.run(std::future::pending()).await.unwrap();
            });
        });
        receiver.recv().expect("the controller starts")
    }

    /// `mesh diagnostics`, with this controller.
    fn ask(&self, args: &[&str]) -> Output {
        let (destination, port) = (self.destination.to_string(), self.policy.port().to_string());
        let controller = ["--controller", &destination, "--policy-port", &port];
        mesh(&[&["diagnostics"], args, &controller].concat())
    }

    /// What it prints when it succeeds.
    #[track_caller]
    fn told(&self, args: &[&str]) -> String {
        let output = self.ask(args);
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Without any cluster, wherever the tests run.
fn mesh(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mesh"))
        .args(args)
        .env("HOME", "/nonexistent")
        .env_remove("KUBECONFIG")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .output()
        .expect("cargo builds the binary before its tests")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const WEB: &str = "web.shop.serviceaccount.identity.mesh.cluster.local";

#[test]
fn endpoints_are_told_as_proxies_hear_them() {
    let shop = Shop::start();
    let expected = format!(
        "NAMESPACE  SERVICE  IP        PORT  POD    ZONE  WEIGHT  HINT  IDENTITY\n\
         shop       web      10.1.0.7  8080  web-0  a     1       h2    {WEB}\n\
         shop       web      10.1.0.9  8080  -      -     1       -     -\n"
    );
    assert_eq!(shop.told(&["endpoints", "web.shop"]), expected);
    let token = r#"{"ns":"shop","nodeName":"node-a","pod":"client"}"#;
    let near = shop.told(&["endpoints", "web.shop:80", "--token", token, "-o", "json"]);
    let near: serde_json::Value = serde_json::from_str(&near).unwrap();
    assert_eq!(near[0]["zoneLocality"], "local");
    assert_eq!(near[0]["proxyPort"], 4143);
}

#[test]
fn one_bad_name_does_not_hide_the_others() {
    let shop = Shop::start();
    let output = shop.ask(&["endpoints", "web.shop", "none.shop", "empty.shop"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("10.1.0.7"));
    assert_eq!(
        stderr(&output),
        "empty.shop: the service has no endpoints: no pod that it selects is ready\n\
         mesh: none.shop: service shop/none not found\n"
    );
}

#[test]
fn policies_are_told_in_words() {
    let shop = Shop::start();
    assert_eq!(
        shop.told(&["policy", "-n", "shop", "svc/web", "80"]),
        "What clients do with web.shop.svc:80\n  \
           policy of   service/web.shop\n  \
           protocol    told from the first bytes, opaque when none come within 3s\n  \
           balancing   least-request\n  \
           ejection    after 7 failures in a row, out of use for 1s, later up to 1m\n  \
           HTTP routes\n    \
             http: all requests\n      \
               to        endpoints of web.shop.svc.cluster.local:80\n      \
               timeout   2s (request)\n      \
               retry     2 times, on 500-599\n  \
           opaque routes\n    \
             opaq\n      \
               to        endpoints of web.shop.svc.cluster.local:80\n"
    );
    assert_eq!(
        shop.told(&["policy", "-n", "shop", "web-0", "8080"]),
        "What pod shop/web-0 lets in on port 8080\n  \
           policy      all-authenticated\n  \
           protocol    told from the first bytes, opaque when none come within 3s\n  \
           who may connect\n    \
             any identity of the mesh from anywhere (all-authenticated)\n  \
           routes, the first that fits counts\n    \
             probe: GET /live\n      \
               also anyone from anywhere\n    \
             default: all requests\n"
    );
}

#[test]
fn a_target_is_a_service_a_pod_or_neither() {
    let shop = Shop::start();
    for (address, what) in [
        (
            "10.96.7.1:80",
            "10.96.7.1:80 is a service\n  name        web.shop.svc.cluster.local\n",
        ),
        (
            "10.1.0.7:8080",
            "10.1.0.7:8080 is a pod\n  pod         web-0\n",
        ),
        (
            "192.0.2.1:443",
            "192.0.2.1:443 is neither a service nor a pod",
        ),
    ] {
        let profile = shop.told(&["profile", address]);
        assert!(profile.starts_with(what), "{profile}");
    }
}

#[test]
fn without_a_cluster_each_command_says_where_it_looked() {
    for args in [
        &["version"][..],
        &["diagnostics", "endpoints", "web.shop"],
        &["diagnostics", "proxy-metrics", "deploy/web"],
        &["identity", "show", "-n", "shop", "web-0"],
    ] {
        let output = mesh(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let error = stderr(&output);
        assert!(
            error.contains(
                "no kubeconfig: KUBECONFIG is not set, /nonexistent/.kube/config does not exist"
            ),
            "{error}"
        );
    }
    assert!(mesh(&["version", "--client"]).status.success());
}
