//! `mesh completion`.

use std::process::ExitCode;

use clap::ValueEnum;
use clap_complete::Shell;

use super::output;

/// Print the completion script of a shell
///
/// It completes commands, flags and their values.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Install it:
  bash    mesh completion bash > /etc/bash_completion.d/mesh
          or, without root: mesh completion bash > ~/.local/share/bash-completion/completions/mesh
  zsh     mesh completion zsh > \"${fpath[1]}/_mesh\"
  fish    mesh completion fish > ~/.config/fish/completions/mesh.fish

For this terminal only: source <(mesh completion bash)")]
pub(crate) struct Args {
    #[arg(value_name = "SHELL")]
    shell: Supported,
}

/// The shells that `kubectl completion` has too, but for PowerShell, which mesh is not built for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Supported {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn run(args: &Args) -> ExitCode {
    output::print(&script(args.shell));
    ExitCode::SUCCESS
}

fn script(shell: Supported) -> String {
    let shell = match shell {
        Supported::Bash => Shell::Bash,
        Supported::Zsh => Shell::Zsh,
        Supported::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::command(), "mesh", &mut script);
    String::from_utf8(script).expect("command names and help texts are UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_completes_every_command_that_is_shown() {
        for shell in Supported::value_variants() {
            let script = script(*shell);
            for command in crate::command().get_subcommands() {
                let name = command.get_name();
                assert!(
                    command.is_hide_set() || script.contains(name),
                    "{shell:?} {name}"
                );
            }
            assert!(script.contains("mesh-namespace"), "{shell:?}: the flags");
        }
    }
}
