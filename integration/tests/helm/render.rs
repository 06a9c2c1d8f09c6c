//! Runs both programs, and makes what they print comparable.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mesh_identity::ca;
use mesh_integration::helm;
use serde_json::Value;

/// Objects by kind and name.
pub(crate) type Objects = BTreeMap<String, Value>;

/// Files as `mesh identity ca` writes them.
pub(crate) struct Certificates(tempfile::TempDir);

impl Certificates {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        ca::create_root_and_issuer(dir.path(), &ca::Options::default()).unwrap();
        Self(dir)
    }

    fn file(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

/// The same for both.
pub(crate) struct Rendering {
    dir: tempfile::TempDir,
    /// Flag of mesh, value of Helm, and file.
    files: Vec<(&'static str, &'static str, String)>,
}

impl Rendering {
    /// From a file of values and trust anchors; `own`: and an issuer.
    pub(crate) fn new(values: &str, certificates: &Certificates, own: bool) -> Self {
        let mut rendering = Self::without_files(values);
        let mut file = |flag, value, name| {
            rendering.files.push((flag, value, certificates.file(name)));
        };
        file(
            "--identity-trust-anchors-file",
            "identity.trustAnchors",
            ca::TRUST_ANCHORS,
        );
        if own {
            file(
                "--identity-issuer-certificate-file",
                "identity.issuer.certificate",
                ca::ISSUER_CERTIFICATE,
            );
            file(
                "--identity-issuer-key-file",
                "identity.issuer.key",
                ca::ISSUER_KEY,
            );
        }
        rendering
    }

    /// From a file of values alone.
    pub(crate) fn without_files(values: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("values.yaml"), values).unwrap();
        Self {
            dir,
            files: Vec::new(),
        }
    }

    fn values(&self) -> PathBuf {
        self.dir.path().join("values.yaml")
    }

    /// What `mesh install` prints.
    pub(crate) fn mesh(&self) -> Objects {
        let mut command = Command::new(helm::mesh().unwrap());
        command
            .args(["install", "--ignore-cluster", "-o", "json", "-f"])
            .arg(self.values());
        command.args(
            self.files
                .iter()
                .map(|(flag, _, file)| format!("{flag}={file}")),
        );
        let list: Value = serde_json::from_str(&printed(&mut command)).unwrap();
        objects(list["items"].as_array().unwrap().clone())
    }

    /// What the chart renders, for a release in the namespace `default`.
    pub(crate) fn helm(&self) -> Objects {
        self.helm_with(&[])
    }

    pub(crate) fn helm_with(&self, flags: &[&str]) -> Objects {
        let text = printed(&mut self.template(flags));
        let documents = text.split("\n---\n").filter(|text| text.contains("kind:"));
        let options = serde_saphyr::options! { strict_booleans: true };
        let read = |text: &str| serde_saphyr::from_str_with_options(text, options.clone()).unwrap();
        objects(documents.map(read).collect())
    }

    /// Why the chart renders nothing.
    pub(crate) fn refused_by_helm(&self) -> String {
        let output = run(&mut self.template(&[]));
        assert!(!output.status.success(), "it renders");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn template(&self, flags: &[&str]) -> Command {
        let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/helm/mesh");
        let mut command = Command::new(helm::program().unwrap());
        command
            .args(["template", "mesh"])
            .arg(chart)
            .arg("-f")
            .arg(self.values());
        // Helm without a cluster takes its own word for the version, and ours is built without one.
        command.args(["--kube-version", "1.33.0"]);
        for (_, value, file) in &self.files {
            command.arg("--set-file").arg(format!("{value}={file}"));
        }
        command.args(flags);
        command
    }
}

fn run(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn printed(command: &mut Command) -> String {
    let output = run(command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// By kind and name. The kept values are compared as what they say: the two write YAML in styles of their own.
fn objects(list: Vec<Value>) -> Objects {
    let named = list.into_iter().map(|mut object| {
        if let Some(Value::String(text)) = object.pointer_mut("/data/values.yaml").map(Value::take)
        {
            object["data"]["values.yaml"] = serde_saphyr::from_str(&text).unwrap();
        }
        let text = |path| {
            object
                .pointer(path)
                .and_then(Value::as_str)
                .unwrap()
                .to_owned()
        };
        let name = format!("{}/{}", text("/kind"), text("/metadata/name"));
        (name, object)
    });
    let count = named.len();
    let objects: Objects = named.collect();
    assert_eq!(objects.len(), count, "two objects have one name");
    objects
}
