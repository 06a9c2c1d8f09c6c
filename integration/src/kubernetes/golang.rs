//! Programs built with Go, once for each version, with a line now and then on how far that is.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use crate::cache;

/// Between lines about the progress.
const TELL: Duration = Duration::from_secs(15);

/// One build: some programs of one module.
#[derive(Debug)]
pub(crate) struct Build {
    /// What it is called to people.
    pub(crate) title: &'static str,
    /// The module whose version names the result.
    pub(crate) module: &'static str,
    /// The folder below `integration/kubernetes` with the `go.mod`.
    pub(crate) folder: &'static str,
    /// What `go build` is to build.
    pub(crate) packages: &'static str,
    /// The package whose variables have the version.
    pub(crate) version_variable: Option<&'static str>,
    /// All that decides the result; `go.mod` is the first.
    pub(crate) files: &'static [&'static str],
}

impl Build {
    /// The folder with the programs.
    pub(crate) fn built(&self) -> Result<PathBuf, String> {
        let mut hash = DefaultHasher::new();
        self.files.hash(&mut hash);
        let version = self.version();
        let name = format!("{}-{version}-{:08x}", self.folder, hash.finish() as u32);
        cache::filled(Path::new(&name), |folder| self.build(folder))
    }

    /// Of the module, without the `v`.
    fn version(&self) -> &'static str {
        let lines = self.files.iter().flat_map(|file| file.lines());
        let mut requires = lines.map(|line| line.trim_start_matches("require").trim());
        let required = requires.find_map(|line| line.strip_prefix(self.module)?.strip_prefix(" v"));
        // What comes after a space is `// indirect`.
        let version = required.and_then(|line| line.split(' ').next());
        version.expect("go.mod requires the module that it is for")
    }

    /// Returns which Go it was.
    fn build(&self, into: &Path) -> Result<String, String> {
        let title = format!("{} {}", self.title, self.version());
        let version = Command::new("go").arg("version").output().map_err(lacks)?;
        eprintln!("kubernetes: building {title} into {}, once", into.display());
        fs::create_dir_all(into)
            .map_err(|error| format!("can't make {} ({error})", into.display()))?;
        let total = self.count()?;
        let mut go = self.go(&["build", "-v", "-trimpath"]);
        go.args(["-ldflags", &self.ldflags()]);
        go.arg("-o").arg(into.join("")).arg(self.packages);
        let mut child = go.stderr(Stdio::piped()).spawn().map_err(lacks)?;
        let output = child.stderr.take().expect("its standard error is a pipe");
        let said = follow(&title, BufReader::new(output), total);
        let status = child.wait().map_err(|error| error.to_string())?;
        let failed = || format!("{title} can't be built: {said}");
        let built = status.success().then_some(version.stdout);
        let version = built.ok_or_else(failed)?;
        Ok(String::from_utf8_lossy(&version).into_owned())
    }

    /// How many packages there are to compile when none has been yet.
    fn count(&self) -> Result<usize, String> {
        let output = self
            .go(&["list", "-deps", self.packages])
            .output()
            .map_err(lacks)?;
        if output.status.success() {
            return Ok(output.stdout.split(|byte| *byte == b'\n').count());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = said.lines().rev().take(5).collect::<Vec<_>>();
        Err(format!("go can't load {}: {last:?}", self.module))
    }

    fn go(&self, arguments: &[&str]) -> Command {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("kubernetes");
        // Minutes of all cores: whoever else uses the machine comes first.
        let mut command = Command::new("nice");
        command
            .args(["-n", "19", "go"])
            .args(arguments)
            .current_dir(module.join(self.folder))
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "-mod=readonly -buildvcs=false")
            .stdin(Stdio::null());
        command
    }

    fn ldflags(&self) -> String {
        let mut flags = "-s -w".to_owned();
        if let Some(package) = self.version_variable {
            let version = self.version();
            let mut parts = version.split('.');
            let [major, minor] = [(); 2].map(|()| parts.next().unwrap_or_default());
            flags += &format!(
                " -X {package}.gitVersion=v{version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"
            );
        }
        flags
    }
}

/// Counts the packages that the compiler names; returns the last of what else was said.
fn follow(title: &str, output: impl BufRead, total: usize) -> String {
    let started = Instant::now();
    let mut told = started;
    let mut packages = 0;
    let mut said = Vec::new();
    for line in output.lines().map_while(Result::ok) {
        if line.starts_with("go: ") || line.starts_with('#') || line.contains(' ') {
            said.push(line);
            continue;
        }
        packages += 1;
        if told.elapsed() >= TELL {
            told = Instant::now();
            let seconds = started.elapsed().as_secs();
            eprintln!("kubernetes: {title}: {packages} of {total} packages, {seconds} s");
        }
    }
    let from = said.len().saturating_sub(10);
    said[from..].join("\n")
}

fn lacks(error: io::Error) -> String {
    format!("go ({error}); Kubernetes is built with Go 1.26 or later, see https://go.dev/dl")
}
