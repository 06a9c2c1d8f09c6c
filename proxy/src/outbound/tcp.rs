//! Opaque connections: pick an endpoint, connect, pass bytes both ways.

use super::{
    Shared,
    endpoint::Unconnected,
    target::{Action, TargetStack, choose},
};
use crate::{
    http::error::{BoxError, Kind, ProxyError},
    log::flood::sparsely,
    transport::{
        connect::{ConnectError, Connection},
        io::Io,
        splice::join,
    },
};
use mesh_balancer::{BalanceError, QueueError};

/// Forwards `io` to the target until both sides are done.
pub(super) async fn forward(target: &TargetStack, io: impl Io, shared: &Shared) {
    let work = async {
        let server = match connect(target, shared).await {
            Ok(server) => server,
            Err(error) => {
                shared.metrics.tcp_error(error.kind());
                sparsely!(info, %error, "Connection failed");
                return;
            }
        };
        let spliced = join(io, server, shared.settings.splice).await;
        if let Err(error) = spliced {
            tracing::debug!(%error, target = %target.name(), "Connection ended");
        }
    };
    // Opaque bytes have no polite way to be told of the end: they go on until
    // they are done or the grace period is over.
    let _forced = shared.drain.clone().run(work, |_| ()).await;
}

async fn connect(target: &TargetStack, shared: &Shared) -> Result<Connection, ProxyError> {
    let routes = target.routes(&shared.metrics);
    let fail =
        |kind, cause: BoxError| ProxyError::new(kind, "balance", target.name().clone(), cause);
    let choice = match &routes.tcp.action {
        Action::Fail { status, message } => {
            return Err(fail(Kind::Refused(*status), (**message).into()));
        }
        Action::Dispatch(choices) => {
            choose(choices).ok_or_else(|| fail(Kind::NoRoute, "no backend has a weight".into()))?
        }
    };
    let backend = choice.backend(|policy| shared.backends.tcp(policy));
    backend.balance.send(()).await.map_err(|error| match error {
        BalanceError::Queue(QueueError::Full) => fail(Kind::LoadShed, error.into()),
        BalanceError::Queue(failfast @ QueueError::FailFast) => {
            fail(Kind::FailFast, backend.refusal.explain(failfast))
        }
        BalanceError::Service(Unconnected { cause, .. }) => {
            let is_loop = ConnectError::is_loop(&cause);
            let kind = if is_loop { Kind::Loop } else { Kind::Connect };
            fail(kind, cause.into())
        }
    })
}
