//! The binary as a user runs it: exit codes, messages, files.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

fn mesh(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mesh"))
        .args(args)
        .output()
        .expect("cargo builds the binary before its tests")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A loopback network that no other run of the tests uses at the same time.
fn network() -> String {
    let id = std::process::id();
    format!("127.{}.{}", 100 + id / 250 % 150, id % 250)
}

#[test]
fn wrong_usage_is_status_2_and_help_status_0() {
    for args in [
        &["demo", "--rps", "many"][..],
        &["identity", "token"],
        &["serve"],
        &[],
    ] {
        assert_eq!(mesh(args).status.code(), Some(2), "{args:?}");
    }
    let help = mesh(&["demo", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(stdout(&help).contains("mesh demo --keep"));
    assert!(
        !stdout(&mesh(&["--help"])).contains("run "),
        "the demo's own commands are hidden"
    );
}

#[test]
fn a_taken_port_ends_the_demo_with_a_clear_message() {
    let network = network();
    let held = TcpListener::bind(format!("{network}.1:4143")).unwrap();
    let output = mesh(&["demo", "--network", &network]);
    drop(held);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    let expected = format!(
        "mesh: port 4143 on {network}.1 is taken, and the demo needs it for the inbound listener of client-proxy"
    );
    assert!(text.starts_with(&expected), "{text}");
    assert!(
        text.contains(&format!("Process {} (", std::process::id())),
        "{text}"
    );
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_folder_that_cannot_be_written_ends_the_demo_with_a_clear_message() {
    let output = Command::new(env!("CARGO_BIN_EXE_mesh"))
        .args(["demo", "--network", "127.77.77"])
        .env("TMPDIR", "/no/such/folder")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(
        text.contains("cannot write /no/such/folder") && text.contains("TMPDIR="),
        "{text}"
    );
}

#[test]
fn identities_are_made_shown_and_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().unwrap();
    assert_eq!(
        mesh(&["identity", "ca", "--dir", dir]).status.code(),
        Some(0)
    );
    let again = mesh(&["identity", "ca", "--dir", dir]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        stderr(&again).contains("ca.crt exists already"),
        "{}",
        stderr(&again)
    );

    let token = mesh(&["identity", "token", "--dir", dir, "-n", "shop", "web"]);
    assert_eq!(token.status.code(), Some(0));
    assert_eq!(stdout(&token).trim_end().split('.').count(), 3);
    assert!(Path::new(dir).join("token.pub").exists());
    let second = mesh(&["identity", "token", "--dir", dir, "-n", "shop", "web"]);
    assert_eq!(stderr(&second), "", "the key is used again");

    let shown = mesh(&["identity", "show", &format!("{dir}/issuer.crt")]);
    assert!(
        stdout(&shown).contains("issuer    CN=root.cluster.local"),
        "{}",
        stdout(&shown)
    );
}

#[test]
fn a_name_that_fits_no_certificate_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let output = mesh(&[
        "identity",
        "token",
        "--dir",
        dir.path().to_str().unwrap(),
        "We_b",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("We_b"), "{}", stderr(&output));
}

#[test]
fn manifests_are_injected_from_files_folders_and_standard_input() {
    let dir = tempfile::tempdir().unwrap();
    let pod = |name: &str| {
        format!("kind: Pod # {name}\nmetadata: {{name: {name}}}\nspec: {{containers: []}}\n")
    };
    std::fs::create_dir(dir.path().join("more")).unwrap();
    std::fs::write(dir.path().join("a.yaml"), pod("a")).unwrap();
    std::fs::write(dir.path().join("more/b.yml"), pod("b")).unwrap();
    std::fs::write(dir.path().join("README.md"), "no manifest").unwrap();
    let output = mesh(&["inject", dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert_eq!(text.matches("mesh.dev/inject").count(), 2, "{text}");
    assert!(text.contains("\n---\nkind: Pod # b\n"), "{text}");
    assert!(
        stderr(&output).contains("Pod b: annotated"),
        "{}",
        stderr(&output)
    );

    let mut child = Command::new(env!("CARGO_BIN_EXE_mesh"))
        .args(["uninject", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let back = child.wait_with_output().unwrap();
    assert_eq!(stdout(&back), format!("{}---\n{}", pod("a"), pod("b")));
}

#[test]
fn nothing_is_printed_when_a_manifest_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("web.yaml");
    std::fs::write(&path, "kind: Service\n---\nkind: Pod\nspec: {}\n").unwrap();
    let path = path.to_str().unwrap();
    let output = mesh(&["inject", path]);
    assert_eq!(
        (output.status.code(), stdout(&output).as_str()),
        (Some(1), "")
    );
    let told = format!(
        "mesh: {path}: document 2 (Pod ?): spec.containers: a pod needs a list of containers\n"
    );
    assert_eq!(stderr(&output), told);

    let missing = mesh(&["inject", "/no/such/file.yaml"]);
    assert!(
        stderr(&missing).starts_with("mesh: cannot read /no/such/file.yaml: "),
        "{}",
        stderr(&missing)
    );
    assert_eq!(
        mesh(&["inject", "--set", "proxy-cpu=1", path])
            .status
            .code(),
        Some(2)
    );
    assert!(stdout(&mesh(&["inject", "--help"])).contains("kubectl apply -f -"));
}

#[test]
fn a_check_without_a_cluster_fails_and_says_why() {
    let check = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mesh"));
        command.arg("check").args(args);
        command.env("KUBECONFIG", "/no/such/kubeconfig");
        command
            .output()
            .expect("cargo builds the binary before its tests")
    };
    let table = check(&[]);
    assert_eq!(table.status.code(), Some(1));
    let text = stdout(&table);
    assert!(
        text.contains("× the kubeconfig leads to a cluster"),
        "{text}"
    );
    assert!(text.contains("/no/such/kubeconfig"), "{text}");
    assert!(text.contains("mesh check --explain k8s-client"), "{text}");
    assert!(text.ends_with("1 failed, the rest not run)\n"), "{text}");
    let json = check(&["--pre", "-o", "json"]);
    assert_eq!(json.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["categories"][0]["checks"][0]["result"], "error");
}

#[test]
fn the_guide_to_a_check_is_printed() {
    let explained = mesh(&["check", "--explain", "webhook-ca-bundle"]);
    assert_eq!(explained.status.code(), Some(0));
    assert!(stdout(&explained).starts_with("webhook-ca-bundle\n"));
    let unknown = mesh(&["check", "--explain", "everything"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stderr(&unknown).starts_with("mesh: there is no check everything;"));
}
