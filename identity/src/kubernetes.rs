//! The way to the Kubernetes API server, for each process that asks it something.
//!
//! kube-rs does the work; what is decided here are limits of time (kube's own would
//! let a request to a machine that vanished wait for minutes, or for ever), and
//! the words: an operator who reads "forbidden" needs to know which verb on which
//! resource to allow, and to whom.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

#[cfg(test)]
mod tests;

/// Until a TCP and TLS connection stands.
const CONNECT: Duration = Duration::from_secs(5);
/// Longer than any pause within an answer: watches are asked to end after [`WATCH`].
const SILENCE: Duration = Duration::from_secs(75);
/// How long a watch runs before it is asked for again, in seconds. A connection that died
/// without a word is noticed 5 s after that.
pub const WATCH: u32 = 60;

/// Which API server, and as whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// A kubeconfig file. Without one: `KUBECONFIG`, `~/.kube/config`, or in a pod its
    /// service account.
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig other than its current one.
    pub context: Option<String>,
}

/// Why there is no way to an API server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// A kubeconfig that can't be read or used.
    #[error("can't use the kubeconfig{}: {cause}", file.as_ref().map(|f| format!(" {}", f.display())).unwrap_or_default())]
    Kubeconfig {
        /// The file, if one was named.
        file: Option<PathBuf>,
        /// What is wrong with it.
        cause: String,
    },
    /// Neither a kubeconfig nor a pod's service account.
    #[error(
        "no way to a Kubernetes API server: {0}; name a file with --kubeconfig or KUBECONFIG, or run in a pod whose service account token is mounted"
    )]
    None(String),
    /// Certificates, keys or addresses that make no client.
    #[error("can't make a client for the Kubernetes API server: {0}")]
    Client(String),
}

impl Access {
    /// Reads kubeconfig or service account; connects to nothing yet.
    ///
    /// # Errors
    /// When there is neither, or one that can't be used.
    pub async fn config(&self) -> Result<Config, AccessError> {
        let mut config = self.read().await?;
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(SILENCE);
        Ok(config)
    }

    /// A client of that configuration.
    ///
    /// # Errors
    /// As [`Access::config`].
    pub async fn client(&self) -> Result<Client, AccessError> {
        Ok(Client::try_from(self.config().await?)?)
    }

    async fn read(&self) -> Result<Config, AccessError> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let read = match (&self.kubeconfig, &self.context) {
            (None, None) => {
                return Config::infer()
                    .await
                    .map_err(|e| AccessError::None(e.to_string()));
            }
            (Some(file), _) => match Kubeconfig::read_from(file) {
                Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await,
                Err(error) => Err(error),
            },
            (None, Some(_)) => Config::from_kubeconfig(&options).await,
        };
        read.map_err(|e| AccessError::Kubeconfig {
            file: self.kubeconfig.clone(),
            cause: chain(&e),
        })
    }
}

/// When a configuration makes no client.
impl From<kube::Error> for AccessError {
    fn from(error: kube::Error) -> Self {
        Self::Client(chain(&error))
    }
}

/// What went wrong and what to do about it. `verbs` and `resource` are what the request
/// needs to be allowed, as a role names them.
#[must_use]
pub fn explain(error: &kube::Error, verbs: &str, resource: &str) -> String {
    match error {
        kube::Error::Api(status) => explain_status(status, verbs, resource),
        kube::Error::SerdeError(e) => {
            format!(
                "the API server's answer makes no sense: {e}; is something else at its address?"
            )
        }
        kube::Error::Auth(e) => format!("can't get credentials for the API server: {}", chain(e)),
        kube::Error::Service(e) => format!("can't reach the API server: {}", chain(&**e)),
        other => format!("can't reach the API server: {}", chain(other)),
    }
}

/// The same for an answer of the API server.
#[must_use]
pub fn explain_status(status: &kube::core::Status, verbs: &str, resource: &str) -> String {
    let message = match status.message.trim() {
        "" => "no reason given",
        message => message,
    };
    match status.code {
        401 => format!(
            "the API server does not accept our credentials ({message}); check the service account's token or the kubeconfig"
        ),
        403 => format!(
            "{message}; bind a role to that user that allows the verbs {verbs} on {resource}"
        ),
        code => format!("the API server answers {code} {}: {message}", status.reason),
    }
}

/// An error with its causes, which alone tell refused connections from bad certificates.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        let text = error.to_string();
        // Some libraries repeat the cause in their own text.
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}

/// Which logs are shown at a level. kube's own are for its developers: each failed attempt is
/// an error to them, where we report what changes.
#[must_use]
pub fn log_filter(level: LevelFilter) -> Targets {
    let library = match level >= LevelFilter::DEBUG {
        true => level,
        false => LevelFilter::OFF,
    };
    Targets::new()
        .with_default(level)
        .with_target("kube_client", library)
        .with_target("kube_runtime", library)
}
