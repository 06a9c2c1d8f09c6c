//! `mesh inject`.

use crate::inject::{
    self, Action, Injection, Output, Source,
    input::{self, InputError},
};
use mesh_controller::injector::{Annotations, CONFIG_PREFIX, Config, Mode, rows};

/// Have workloads join the mesh: annotates manifests, or writes the proxy into them
///
/// The manifests are printed with the annotation `mesh.dev/inject: enabled` on every pod template; comments, order and all else stay as
/// they are. The injector in the cluster then gives each pod its proxy. What was done to each object is told on standard error. When
/// anything is wrong, nothing is printed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh inject web.yaml | kubectl apply -f -
  kubectl get -n shop deploy -o yaml | mesh inject - | kubectl apply -f -
  mesh inject --manual manifests/ https://example.com/db.yaml > meshed.yaml
  mesh inject --set proxy-cpu-limit=2 --set skip-outbound-ports=3306 web.yaml

docs/injection.md lists the names for --set.")]
pub(crate) struct Args {
    /// Files, folders, http(s) URLs, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    inputs: Vec<String>,
    /// Write the proxy itself into the manifests, for a cluster without the injector
    #[arg(long)]
    manual: bool,
    /// The workloads are ingress controllers: their proxies route by a request's name
    #[arg(long)]
    ingress: bool,
    /// Adds the annotation config.mesh.dev/NAME: VALUE to every pod template; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// Namespace of objects that name none, for labels (with --manual)
    #[arg(short, long, value_name = "NAME", requires = "manual")]
    namespace: Option<String>,
    /// Namespace of the control plane (with --manual)
    #[arg(long, value_name = "NAME", requires = "manual", default_value = "mesh")]
    mesh_namespace: String,
    /// Last part of every identity (with --manual)
    #[arg(
        long,
        value_name = "DOMAIN",
        requires = "manual",
        default_value = "cluster.local"
    )]
    trust_domain: String,
    /// DNS domain of services (with --manual)
    #[arg(
        long,
        value_name = "DOMAIN",
        requires = "manual",
        default_value = "cluster.local"
    )]
    cluster_domain: String,
    /// Leave IPv6 alone, for nodes that have none (with --manual)
    #[arg(long, requires = "manual")]
    disable_ipv6: bool,
}

/// Take out of manifests what `mesh inject` or the injector has put into them
///
/// Settings (`config.mesh.dev/...`) and `mesh.dev/inject: disabled` stay.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh uninject web.yaml | kubectl apply -f -
  kubectl get -n shop deploy -o yaml | mesh uninject - | kubectl apply -f -")]
pub(crate) struct UninjectArgs {
    /// Files, folders, http(s) URLs, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    inputs: Vec<String>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("expected NAME=VALUE, as proxy-cpu-limit=2")?;
    match rows().iter().any(|row| row.name == name) {
        true => Ok((name.to_owned(), value.to_owned())),
        false => Err(format!(
            "there is no setting {name}; docs/injection.md lists them"
        )),
    }
}

/// Why there is no output.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InjectError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nmesh: "))]
    Mistakes(Vec<inject::Mistake>),
}

pub(super) fn inject(args: Args) -> Result<(), InjectError> {
    let inputs = args.inputs.clone();
    run(&inputs, &Action::Inject(Box::new(args.into())))
}

pub(super) fn uninject(args: &UninjectArgs) -> Result<(), InjectError> {
    run(&args.inputs, &Action::Uninject)
}

impl From<Args> for Injection {
    fn from(args: Args) -> Self {
        let named = |(name, value)| (format!("{CONFIG_PREFIX}{name}"), value);
        Self {
            manual: args.manual,
            mode: if args.ingress {
                Mode::Ingress
            } else {
                Mode::Enabled
            },
            annotations: args
                .settings
                .into_iter()
                .map(named)
                .collect::<Annotations>(),
            namespace: args.namespace,
            config: Config {
                created_by: concat!("mesh/cli ", env!("CARGO_PKG_VERSION")).to_owned(),
                namespace: args.mesh_namespace,
                trust_domain: args.trust_domain,
                cluster_domain: args.cluster_domain,
                ipv6: !args.disable_ipv6,
                ..Config::default()
            },
        }
    }
}

fn run(inputs: &[String], action: &Action) -> Result<(), InjectError> {
    let mut sources = Vec::new();
    for input in inputs {
        sources.extend(input::read(input)?);
    }
    let outputs = outputs(&sources, action)?;
    for line in outputs.iter().flat_map(|output| &output.report) {
        eprintln!("{line}");
    }
    print!("{}", joined(outputs));
    Ok(())
}

fn outputs(sources: &[Source], action: &Action) -> Result<Vec<Output>, InjectError> {
    let (mut outputs, mut mistakes) = (Vec::new(), Vec::new());
    for source in sources {
        match inject::file(source, action) {
            Ok(output) => outputs.push(output),
            Err(wrong) => mistakes.extend(wrong),
        }
    }
    match mistakes.is_empty() {
        true => Ok(outputs),
        false => Err(InjectError::Mistakes(mistakes)),
    }
}

/// One stream of documents. A single file comes out as it went in.
fn joined(outputs: Vec<Output>) -> String {
    let mut all = String::new();
    for Output { text, .. } in outputs {
        if !all.is_empty() {
            if !all.ends_with('\n') {
                all.push('\n');
            }
            if !text.starts_with("---") {
                all += "---\n";
            }
        }
        all += &text;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_kept_apart() {
        let output = |text: &str| Output {
            text: text.to_owned(),
            report: Vec::new(),
        };
        assert_eq!(joined(vec![output("a: 1")]), "a: 1");
        assert_eq!(
            joined(vec![
                output("a: 1"),
                output("b: 1\n"),
                output("---\nc: 1\n")
            ]),
            "a: 1\n---\nb: 1\n---\nc: 1\n"
        );
    }

    #[test]
    fn settings_have_names_that_exist() {
        assert_eq!(
            setting("proxy-cpu-limit=2"),
            Ok(("proxy-cpu-limit".to_owned(), "2".to_owned()))
        );
        assert!(
            setting("proxy-cpu=2")
                .unwrap_err()
                .contains("no setting proxy-cpu")
        );
        assert!(
            setting("proxy-cpu-limit")
                .unwrap_err()
                .contains("NAME=VALUE")
        );
    }
}
