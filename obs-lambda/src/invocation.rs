//! What an invocation is known by, read from what Lambda says of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_runtime::Context;
use obs_core::RequestContext;
use obs_core::context::Function;
use obs_tracing::propagation::{self, XRAY_HEADER};

/// The request context of an invocation.
///
/// The trace's parent comes from the invocation's own header, never from the process's
/// `_X_AMZN_TRACE_ID`, which several invocations at once would share. The correlation id is the
/// request's own id.
pub(crate) fn request_context(context: &Context, cold_start: bool) -> RequestContext {
    let config = &context.env_config;
    let function = Function::new(
        &config.function_name,
        &config.version,
        u32::try_from(config.memory).unwrap_or(0),
        &context.invoked_function_arn,
    );
    let mut builder = RequestContext::builder()
        .request_id(&context.request_id)
        .correlation_id(&context.request_id)
        .cold_start(cold_start)
        .function(function);
    let header = context.xray_trace_id.as_deref().map(|header| (XRAY_HEADER, header));
    let caller = propagation::extract(header.as_slice());
    if let Some(parent) = caller.trace() {
        builder = builder.trace(parent);
    }
    if let Some(deadline) = deadline(context) {
        builder = builder.deadline(deadline);
    }
    let request = builder.build();
    // `Lineage`, by which Lambda finds functions that invoke each other without end.
    caller.attach(&request);
    request
}

/// When the invocation is cut off; `None` where Lambda did not say (a local emulator).
pub(crate) fn deadline(context: &Context) -> Option<SystemTime> {
    (context.deadline > 0)
        .then(|| UNIX_EPOCH.checked_add(Duration::from_millis(context.deadline)))
        .flatten()
}

/// True once per process, for its first invocation.
pub(crate) fn take_cold_start() -> bool {
    static COLD: AtomicBool = AtomicBool::new(true);
    COLD.swap(false, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lambda_context(trace: Option<&str>) -> Context {
        let mut context = Context::default();
        context.request_id = "8f5c".to_owned();
        context.deadline = 1_700_000_000_250;
        context.invoked_function_arn =
            "arn:aws:lambda:us-east-1:123456789012:function:f".to_owned();
        context.xray_trace_id = trace.map(str::to_owned);
        context
    }

    #[test]
    fn scenario_31_the_context_is_of_this_invocation_only() {
        let first = request_context(
            &lambda_context(Some(
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            )),
            true,
        );
        assert_eq!(first.cold_start(), Some(true));
        assert_eq!(first.request_id(), Some("8f5c"));
        assert_eq!(first.correlation_id(), Some("8f5c"));
        assert_eq!(first.xray_trace_id(), Some("1-5759e988-bd862e3fe1be46a994272793"));
        let parent = first.trace().unwrap();
        assert_eq!(parent.parent_id.unwrap().to_string(), "53995c3f42cd8ad8");
        assert_eq!(parent.sampled, Some(true));
        assert_eq!(first.deadline(), Some(UNIX_EPOCH + Duration::from_millis(1_700_000_000_250)));

        let second = request_context(&lambda_context(None), false);
        assert_eq!(second.cold_start(), Some(false));
        assert_eq!((second.trace(), second.xray_trace_id()), (None, None));
    }

    #[test]
    fn what_else_is_in_the_header_goes_on() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0;Lineage=1:a87bd80c:0";
        let _entered = request_context(&lambda_context(Some(header)), false).enter();
        assert_eq!(propagation::current_header().as_deref(), Some(header));
    }

    #[test]
    fn a_header_that_is_none_is_left_out() {
        assert_eq!(request_context(&lambda_context(Some("Root=nonsense")), false).trace(), None);
        assert_eq!(deadline(&Context::default()), None);
    }
}
