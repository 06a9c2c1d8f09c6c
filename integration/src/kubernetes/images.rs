//! Which images there are, and how they get to where kubelet finds them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::archive::Image;
use super::dockerfile;
use super::node;
use super::tools::Tools;
use crate::binaries;

/// The binaries that ship, as images of the same names.
const SHIPPED: [&str; 3] = ["mesh-proxy", "mesh-controller", "mesh-identity"];
/// An application for scenarios, and the node's `pause`: `integration/src/bin/mesh-test-pod/main.rs`.
pub(super) const TEST_POD: &str = "mesh-test-pod";
/// CoreDNS.
pub(super) const COREDNS: &str = "coredns";
/// What getting-started.md runs; nobody's but ours is asked for it.
const BUSYBOX: &str = "docker.io/library/busybox:1.37";
/// As in the Dockerfile.
const SHIPPED_USER: &str = "2102";
/// Any but that.
const APP_USER: &str = "1000";

/// Where images are named after.
#[derive(Clone, Debug)]
pub(super) struct Registry {
    /// A prefix without the last slash.
    pub(super) prefix: String,
    pub(super) tag: String,
}

impl Registry {
    /// None: images are imported into containerd.
    pub(super) fn local() -> Self {
        let (prefix, tag) = ("localhost".to_owned(), "dev".to_owned());
        Self { prefix, tag }
    }

    /// Full name of an image.
    pub(super) fn image(&self, name: &str) -> String {
        format!("{}/{name}:{}", self.prefix, self.tag)
    }
}

/// Names of our images.
pub(super) fn ours() -> impl Iterator<Item = &'static str> {
    SHIPPED.into_iter().chain([TEST_POD])
}

/// Name and path of the binaries for them, which cargo has built.
pub(super) fn binaries() -> Result<Vec<(&'static str, PathBuf)>, String> {
    let find = |name| Ok((name, binaries::find(name, "test-kubernetes")?));
    ours().map(find).collect()
}

/// Makes our images and CoreDNS's, and gives them to containerd. Files are written to `dir` for that.
pub(super) fn import_all(tools: &Tools, dir: &Path) -> Result<(), String> {
    let mut binaries = binaries()?;
    binaries.push((COREDNS, tools.coredns()));
    for (name, binary) in binaries {
        let archive = write(name, &binary, &Registry::local(), dir)?;
        node::import(&archive)?;
        std::fs::remove_file(&archive).ok();
    }
    import_busybox(tools, dir)
}

/// Makes our images and pushes them to a registry, by whichever of these programs there is.
pub(super) fn push_all(registry: &Registry, dir: &Path) -> Result<(), String> {
    for (name, binary) in binaries()? {
        let archive = write(name, &binary, registry, dir)?;
        push(&archive, &registry.image(name))?;
        std::fs::remove_file(&archive).ok();
    }
    Ok(())
}

fn write(name: &str, binary: &Path, registry: &Registry, dir: &Path) -> Result<PathBuf, String> {
    let archive = dir.join(format!("{name}.tar"));
    let (tag, ships) = (registry.image(name), SHIPPED.contains(&name));
    if ships && dockerfile::has_builder() {
        dockerfile::write(name, binary, &tag, &archive)?;
        return Ok(archive);
    }
    let image = Image {
        binary,
        name,
        user: if ships { SHIPPED_USER } else { APP_USER },
        links: &[],
    };
    image.write(&tag, &archive)?;
    Ok(archive)
}

/// Busybox, as what the programs of [`super::debian::busybox`] are called on Docker Hub: getting-started.md takes that one for its example.
fn import_busybox(tools: &Tools, dir: &Path) -> Result<(), String> {
    let archive = dir.join("busybox.tar");
    let binary = tools.busybox();
    let list = Command::new(&binary).arg("--list").output();
    let list = list.map_err(|error| format!("{} ({error})", binary.display()))?;
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let applets: Vec<String> = list.lines().map(str::to_owned).collect();
    let image = Image {
        binary: &binary,
        name: "busybox",
        user: APP_USER,
        links: &applets,
    };
    image.write(BUSYBOX, &archive)?;
    node::import(&archive)?;
    std::fs::remove_file(&archive).map_err(|error| error.to_string())
}

fn push(archive: &Path, image: &str) -> Result<(), String> {
    // On this machine a registry speaks plain HTTP, as Docker and containerd take for granted.
    let local = image.starts_with("localhost") || image.starts_with("127.");
    let (copy, upload) = match local {
        true => ("--dest-tls-verify=false", "--tls-verify=false"),
        false => ("--dest-tls-verify=true", "--tls-verify=true"),
    };
    let from = format!("docker-archive:{}", archive.display());
    let to = format!("docker://{image}");
    let path = archive.display().to_string();
    let ways: [&[&[&str]]; 3] = [
        &[&["skopeo", "copy", copy, &from, &to]],
        &[
            &["buildah", "pull", &from],
            &["buildah", "push", upload, image, &to],
        ],
        &[
            &["docker", "load", "--input", &path],
            &["docker", "push", image],
        ],
    ];
    let installed = |way: &&&[&[&str]]| Command::new(way[0][0]).arg("--version").output().is_ok();
    let way = ways.iter().find(installed);
    let way = way.ok_or("no skopeo, buildah or docker to push images with; install one")?;
    for command in *way {
        let output = Command::new(command[0]).args(&command[1..]).output();
        let output = output.map_err(|error| format!("{} ({error})", command[0]))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("`{}` failed: {}", command.join(" "), said.trim()));
        }
    }
    Ok(())
}
