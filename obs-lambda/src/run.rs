//! The handler's wrapper: a context per invocation, a span with the outcome, a flush before the
//! response is sent.

use std::fmt::Debug;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use lambda_runtime::{Diagnostic, Error, IntoFunctionResponse, LambdaEvent, Runtime, service_fn};
use obs_core::RequestContext;
use obs_core::context::InContextExt;
use obs_tracing::trace_function;
use serde::{Deserialize, Serialize};
use tokio_stream::Stream;

use crate::telemetry::Telemetry;
use crate::{invocation, outcome};

/// The longest that a response waits for its telemetry.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);
/// What is left of the invocation's time for the response itself.
const RESPONSE_MARGIN: Duration = Duration::from_millis(100);

/// Runs `handler` for every invocation, with logs, metrics, traces and alerts set up from the
/// environment: see [`Telemetry::from_env`].
///
/// Each invocation has its own request context; everything recorded in it carries its ids. Before
/// the response is sent, what was recorded is flushed, since the environment may be frozen right
/// after it: up to 2 s, and never into the last 100 ms of the invocation's time.
///
/// # Errors
///
/// A setting of the environment is wrong, or the runtime API cannot be reached.
///
/// # Panics
///
/// Outside Lambda, where the variables that every function has are missing.
pub async fn run<A, H, F, R, X, B, S, D, E>(handler: H) -> Result<(), Error>
where
    H: FnMut(LambdaEvent<A>) -> F,
    F: Future<Output = Result<R, X>>,
    A: for<'de> Deserialize<'de>,
    R: IntoFunctionResponse<B, S>,
    X: Into<Diagnostic> + Debug,
    B: Serialize,
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<bytes::Bytes> + Send,
    E: Into<Error> + Send + Debug,
{
    let telemetry = Telemetry::from_env()?;
    telemetry.install();
    run_with(telemetry, handler).await
}

/// As [`run`], with telemetry that was made, and installed, by the caller.
///
/// # Errors
///
/// The runtime API cannot be reached.
///
/// # Panics
///
/// Outside Lambda, where the variables that every function has are missing.
pub async fn run_with<A, H, F, R, X, B, S, D, E>(
    telemetry: Telemetry,
    mut handler: H,
) -> Result<(), Error>
where
    H: FnMut(LambdaEvent<A>) -> F,
    F: Future<Output = Result<R, X>>,
    A: for<'de> Deserialize<'de>,
    R: IntoFunctionResponse<B, S>,
    X: Into<Diagnostic> + Debug,
    B: Serialize,
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<bytes::Bytes> + Send,
    E: Into<Error> + Send + Debug,
{
    let service = service_fn(move |event: LambdaEvent<A>| {
        let context = invocation::request_context(&event.context, invocation::take_cold_start());
        // The handler is called in the context too: it may do work before its first await.
        let entered = context.enter();
        // Boxed: a handler that calls the AWS SDK is a future of types nested so deep that ours
        // around it would take the compiler over its limit.
        let handled = catch_unwind(AssertUnwindSafe(|| Box::pin(handler(event))));
        drop(entered);
        invoke(telemetry.clone(), context, handled)
    });
    // Not `lambda_runtime::run`: its layer would add a span of its own around ours.
    Runtime::new(service).run().await
}

type Panic = Box<dyn std::any::Any + Send>;

async fn invoke<F, R, X>(
    telemetry: Telemetry,
    context: RequestContext,
    handled: Result<F, Panic>,
) -> Result<R, Diagnostic>
where
    F: Future<Output = Result<R, X>>,
    X: Into<Diagnostic> + Debug,
{
    let active = context.activate();
    let handling = async {
        let outcome = match handled {
            Ok(handled) => {
                // Caught outside the span, which so sees the panic and closes as panicked.
                let traced = trace_function!("handler", async move { handled.await });
                AssertUnwindSafe(traced).catch_unwind().await
            }
            Err(panic) => Err(panic),
        };
        // An error's own `Debug` and conversion are the user's: they may panic as well.
        let outcome = outcome
            .and_then(|result| catch_unwind(AssertUnwindSafe(|| result.map_err(outcome::failed))));
        // Logged by the panic hook, if that is still ours and the panic came by it.
        if let Err(panic) = &outcome
            && !telemetry.logger().has_logged_panic(&context)
        {
            outcome::panicked(&**panic);
        }
        if !matches!(outcome, Ok(Ok(_))) {
            // The level may have hidden the error's own line, which brings them too.
            telemetry.logger().release_held(&context);
        }
        outcome
    };
    let outcome = handling.in_context(context.clone()).await;
    // What the handler left of the invocation's time.
    telemetry.finish(&context, flush_limit(context.deadline(), SystemTime::now())).await;
    drop(active);
    match outcome {
        Ok(result) => result,
        // The runtime reports it, as it would have without us.
        Err(panic) => resume_unwind(panic),
    }
}

/// How long a flush may take that ends at least a margin before the invocation does.
fn flush_limit(deadline: Option<SystemTime>, now: SystemTime) -> Duration {
    let Some(deadline) = deadline else { return FLUSH_LIMIT };
    let remaining = deadline.duration_since(now).unwrap_or(Duration::ZERO);
    remaining.saturating_sub(RESPONSE_MARGIN).min(FLUSH_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_leaves_time_for_the_response() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let millis = Duration::from_millis;
        for (deadline, expected) in [
            (None, FLUSH_LIMIT),
            (Some(now + millis(60_000)), FLUSH_LIMIT),
            (Some(now + millis(600)), millis(500)),
            (Some(now + millis(50)), Duration::ZERO),
            (Some(now - millis(50)), Duration::ZERO),
        ] {
            assert_eq!(flush_limit(deadline, now), expected, "{deadline:?}");
        }
    }
}
