//! A watch on the control plane that survives its streams.
//!
//! Four things are watched (outbound policies, profiles, endpoints, inbound
//! policies) and our balancing choice beside them; all share this loop, which
//! decides when to ask again and never touches a value by itself. A stream that
//! ends or fails changes nothing: what was last heard stays in force until the
//! first message of the next stream, so traffic does not notice a controller that
//! is away. Only an answer can take a value back: not found, invalid, or not
//! supported. Such an answer is asked for again slowly, because it can change (a
//! Service is created, a controller upgraded), but not soon.
//!
//! The loop is a future, not a task: who needs the value runs it, and dropping it
//! ends the stream.

use super::{
    backoff::Delays,
    config::{StreamLimits, WatchConfig},
};
use futures::{Stream, StreamExt as _, future::BoxFuture};
use rand::{SeedableRng as _, rngs::SmallRng};
use std::{convert::Infallible, fmt, future::Future, time::Duration};
use tokio::{
    sync::watch::Sender,
    time::{Instant, sleep, timeout, timeout_at},
};
use tonic::{Code, Status};

/// What is known of a watched thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answer<T> {
    /// The control plane has not answered yet.
    #[default]
    Waiting,
    /// It has answered that there is none, or that it can't say.
    Absent,
    /// The last good message.
    Known(T),
}

/// What a watch hears.
#[derive(Clone, Debug)]
pub enum Event<M> {
    /// The first message of a new stream: forget what older streams said.
    First(M),
    /// A later message of the same stream.
    Next(M),
    /// There is nothing: not found, not supported, or not to be asked like this.
    Absent(Status),
}

/// Runs a watch for ever: `open` asks for a stream, `apply` takes its messages. A
/// message that `apply` refuses is logged with `what` and otherwise as if it had
/// not come: the next one of the stream is still its first.
pub fn run<M, S, O, F, A, E>(
    what: String,
    config: WatchConfig,
    rng: SmallRng,
    mut open: O,
    mut apply: A,
) -> BoxFuture<'static, Infallible>
where
    M: Send + 'static,
    S: Stream<Item = Result<M, Status>> + Send + Unpin + 'static,
    O: FnMut() -> F + Send + 'static,
    F: Future<Output = Result<tonic::Response<S>, Status>> + Send + 'static,
    A: FnMut(Event<M>) -> Result<(), E> + Send + 'static,
    E: fmt::Display,
{
    let mut pauses = Pauses::new(config, rng);
    Box::pin(async move {
        loop {
            let mut heard = false;
            let message = |message| {
                let event = if heard {
                    Event::Next(message)
                } else {
                    Event::First(message)
                };
                match apply(event) {
                    Ok(()) => heard = true,
                    Err(error) => tracing::warn!(what, %error, "Ignored an invalid message"),
                }
            };
            let status = stream(config.limits, &mut open, message).await;
            tracing::debug!(what, %status, "Stream ended");
            let pause = pauses.after(heard, status.code());
            if is_answer(status.code()) {
                // There is nothing in an `Absent` that could be invalid.
                let _ = apply(Event::Absent(status));
            }
            sleep(pause).await;
        }
    })
}

/// How long to pause between streams.
struct Pauses {
    retry: Delays<SmallRng>,
    ask_again: Delays<SmallRng>,
}

impl Pauses {
    fn new(config: WatchConfig, mut rng: SmallRng) -> Self {
        Self {
            ask_again: config.ask_again.delays(SmallRng::from_rng(&mut rng)),
            retry: config.retry.delays(rng),
        }
    }

    fn after(&mut self, heard: bool, code: Code) -> Duration {
        if heard {
            self.retry.reset();
            self.ask_again.reset();
        }
        if is_answer(code) {
            self.retry.reset();
            self.ask_again.next_delay()
        } else {
            self.retry.next_delay()
        }
    }
}

/// One stream, from asking for it to its end.
async fn stream<M, S, F>(
    limits: StreamLimits,
    open: &mut impl FnMut() -> F,
    mut message: impl FnMut(M),
) -> Status
where
    F: Future<Output = Result<tonic::Response<S>, Status>>,
    S: Stream<Item = Result<M, Status>> + Unpin,
{
    let mut stream = match timeout(limits.initial, open()).await {
        Ok(Ok(response)) => response.into_inner(),
        Ok(Err(status)) => return status,
        Err(_) => return Status::deadline_exceeded("the watch was not accepted in time"),
    };
    let end = Instant::now() + limits.lifetime;
    loop {
        let deadline = end.min(Instant::now() + limits.idle);
        match timeout_at(deadline, stream.next()).await {
            Ok(Some(Ok(next))) => message(next),
            Ok(Some(Err(status))) => return status,
            Ok(None) => return Status::ok("the server ended the stream"),
            Err(_) => return Status::ok("the stream is old or idle"),
        }
    }
}

/// Whether a status says something about the thing watched, not about the server.
fn is_answer(code: Code) -> bool {
    matches!(
        code,
        Code::NotFound | Code::InvalidArgument | Code::FailedPrecondition | Code::Unimplemented
    )
}

/// An `apply` for messages that stand for the whole value: converts each and
/// publishes it when it differs from the last.
pub fn publish<M, T: PartialEq, E>(
    tx: Sender<Answer<T>>,
    mut convert: impl FnMut(M) -> Result<T, E>,
) -> impl FnMut(Event<M>) -> Result<(), E> {
    move |event| {
        let answer = match event {
            Event::First(message) | Event::Next(message) => Answer::Known(convert(message)?),
            Event::Absent(_) => Answer::Absent,
        };
        tx.send_if_modified(|current| {
            let changed = *current != answer;
            *current = answer;
            changed
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
