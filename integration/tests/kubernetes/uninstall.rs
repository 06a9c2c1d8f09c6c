//! `mesh uninstall` leaves nothing.

use mesh_integration::kubernetes::{Cluster, Scenario, exclusive};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![exclusive("uninstall::leaves_nothing", leaves_nothing)]
}

/// All objects of the cluster are compared with those before the install, and a namespace that was meshed has no bundle any more.
async fn leaves_nothing(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = mesh.space("left").await;
    let bundles = "kubectl get configmap --namespace $SPACE --output=name";
    space
        .until("the trust bundle", async || {
            space
                .sh(bundles)
                .await
                .ok()
                .contains("mesh-trust-bundle")
                .then_some(())
        })
        .await;
    // It refuses while pods have proxies: those of scenarios before this one end in their own time.
    space
        .until("mesh uninstall", async || {
            let line = "mesh uninstall | kubectl delete --filename=-";
            let said = cluster.sh(line).await;
            eprintln!("{said}");
            said.success.then_some(())
        })
        .await;
    assert_eq!(space.sh(bundles).await.ok(), "configmap/kube-root-ca.crt\n");
    space.sh("kubectl delete namespace $SPACE").await.ok();

    let before = cluster.objects_before_mesh().expect("it was installed");
    let mut left = Vec::new();
    // Namespaces of scenarios end in their own time.
    space
        .until("the objects to be those of before", async || {
            left = cluster.objects().await;
            left.retain(|object| !before.contains(object));
            eprintln!("{} objects are left: {left:?}", left.len());
            left.is_empty().then_some(())
        })
        .await;
}
