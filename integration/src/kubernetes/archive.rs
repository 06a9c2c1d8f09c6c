//! Images without a builder: a docker-archive, which is a tar of a layer, a config and a manifest.
//!
//! Images in the ring are one static binary each, so little is lost against a real builder. That is what makes those that ship, where it is
//! there ([`super::dockerfile`]).

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::json;
use tar::{Builder, EntryType, Header};

/// What becomes an image.
#[derive(Debug)]
pub(super) struct Image<'a> {
    /// The static binary.
    pub(super) binary: &'a Path,
    /// Its name inside, at the root.
    pub(super) name: &'a str,
    /// Who runs it: `2102` for what ships.
    pub(super) user: &'a str,
    /// Other names of it, in `/bin`, for a program that goes by its name.
    pub(super) links: &'a [String],
}

impl Image<'_> {
    /// Writes the docker-archive of this image to `path`, under the name `tag`.
    pub(super) fn write(&self, tag: &str, path: &Path) -> Result<(), String> {
        let failed = |error: io::Error| format!("image {tag} can't be written ({error})");
        let copy = path.with_added_extension("stripped");
        let program = stripped(self.binary, &copy).and_then(|()| fs::read(&copy));
        let layer = self.layer(&program.map_err(failed)?).map_err(failed)?;
        fs::remove_file(&copy).map_err(failed)?;
        let config = self.config(&sha256(&layer)).to_string();
        let name = format!("{}.json", sha256(config.as_bytes()));
        let manifest = json!([{ "Config": name, "RepoTags": [tag], "Layers": ["layer.tar"] }]);
        let manifest = manifest.to_string();
        let files = [
            (&*name, config.as_bytes(), 0o644),
            ("layer.tar", &*layer, 0o644),
            ("manifest.json", manifest.as_bytes(), 0o644),
        ];
        let archive = tarred(&files).and_then(Builder::into_inner);
        fs::write(path, archive.map_err(failed)?).map_err(failed)
    }

    /// What is in it.
    fn layer(&self, program: &[u8]) -> io::Result<Vec<u8>> {
        let mut builder = tarred(&[(self.name, program, 0o755)])?;
        for link in self.links {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Symlink);
            header.set_size(0);
            let to = format!("/{}", self.name);
            builder.append_link(&mut header, format!("bin/{link}"), to)?;
        }
        builder.into_inner()
    }

    fn config(&self, layer: &str) -> serde_json::Value {
        let entrypoint = [format!("/{}", self.name)];
        json!({
            "architecture": architecture(),
            "os": "linux",
            "config": { "Entrypoint": entrypoint, "User": self.user, "WorkingDir": "/", "Env": ["PATH=/bin"] },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
        })
    }
}

/// Copies a program without its debug information, which is most of a cargo build; with it where there is no `strip`.
pub(super) fn stripped(program: &Path, to: &Path) -> io::Result<()> {
    let strip = Command::new("strip")
        .arg("-o")
        .arg(to)
        .arg(program)
        .stderr(Stdio::null())
        .status();
    if strip.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    fs::copy(program, to).map(drop)
}

/// As OCI calls what this runs on.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn tarred(files: &[(&str, &[u8], u32)]) -> io::Result<Builder<Vec<u8>>> {
    let mut builder = Builder::new(Vec::new());
    for (name, content, mode) in files {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(*mode);
        header.set_cksum();
        builder.append_data(&mut header, name, *content)?;
    }
    Ok(builder)
}

fn sha256(bytes: &[u8]) -> String {
    let digest = digest(&SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::io::Read as _;

    fn files(archive: &[u8]) -> HashMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().display().to_string(), content)
        });
        entries.collect()
    }

    #[test]
    fn names_what_it_has_by_digest() {
        let dir = tempfile::tempdir().unwrap();
        let (binary, path) = (dir.path().join("program"), dir.path().join("image.tar"));
        fs::write(&binary, "no program, so it can't be stripped").unwrap();
        let image = Image {
            binary: &binary,
            name: "mesh-proxy",
            user: "2102",
            links: &[],
        };
        image.write("localhost/mesh-proxy:dev", &path).unwrap();

        let files_of_image = files(&fs::read(&path).unwrap());
        let json = |name: &str| -> serde_json::Value {
            serde_json::from_slice(&files_of_image[name]).unwrap()
        };
        let manifest = &json("manifest.json")[0];
        assert_eq!(manifest["RepoTags"], json!(["localhost/mesh-proxy:dev"]));
        let config_name = manifest["Config"].as_str().unwrap();
        let digest = sha256(&files_of_image[config_name]);
        assert_eq!(config_name, format!("{digest}.json"));

        let config = json(config_name);
        let layer = &files_of_image["layer.tar"];
        let diff_ids = json!([format!("sha256:{}", sha256(layer))]);
        assert_eq!(config["rootfs"]["diff_ids"], diff_ids);
        assert_eq!(config["config"]["Entrypoint"], json!(["/mesh-proxy"]));
        let content = files(layer).remove("mesh-proxy").unwrap();
        assert_eq!(content, fs::read(&binary).unwrap());
    }
}
