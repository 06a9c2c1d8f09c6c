//! What a pod runs.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::netns::Netns;
use super::process::{self, Process};

/// The uid of applications that say nothing else; any but the proxy's.
pub(super) const APP_UID: u32 = 1000;

/// A program for a pod: a line of shell, run in a folder of its own.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) name: String,
    script: String,
    uid: u32,
    files: Vec<(String, String)>,
    pub(super) ports: Vec<u16>,
    env: Vec<(String, String)>,
}

impl Program {
    /// `script` is what bash runs; it should end in `exec PROGRAM`.
    #[must_use]
    pub fn new(name: &str, script: &str) -> Self {
        Self {
            name: name.to_owned(),
            script: script.to_owned(),
            uid: APP_UID,
            files: Vec::new(),
            ports: Vec::new(),
            env: Vec::new(),
        }
    }

    /// The uid that it runs as.
    #[must_use]
    pub fn uid(mut self, uid: u32) -> Self {
        self.uid = uid;
        self
    }

    /// A file in its folder.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// A port that it listens on; it is ready when all of them take connections.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.ports.push(port);
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it in `netns`; its folder and its log are in `dir`.
    pub(super) fn start(&self, netns: &Netns, dir: &Path) -> Process {
        let folder = dir.join(&self.name);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in &self.files {
            fs::write(folder.join(name), text).unwrap();
        }
        let own = |path: &Path| std::os::unix::fs::chown(path, Some(self.uid), Some(self.uid));
        own(&folder).unwrap();
        for (name, _) in &self.files {
            own(&folder.join(name)).unwrap();
        }
        let mut command = Command::new("bash");
        command.args(["-ec", &self.script]);
        command.current_dir(&folder).env("HOME", &folder);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        process::start(&self.name, command, self.uid, netns, dir)
    }
}
