//! Whether a request has left for the network: until then it certainly was not sent.

use azure_core::error::ErrorKind;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set when a request leaves for the network: until then it certainly was not sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Departed(Arc<AtomicBool>);

impl Departed {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The last policy before the transport: behind it a request may have been sent.
#[derive(Debug)]
pub(crate) struct MarkDeparted;

#[async_trait::async_trait]
impl Policy for MarkDeparted {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        if let Some(departed) = context.value::<Departed>() {
            departed.0.store(true, Ordering::Relaxed);
        }
        match next.split_first() {
            Some((first, rest)) => first.send(context, request, rest).await,
            None => Err(azure_core::Error::with_message(ErrorKind::Other, "there is no transport")),
        }
    }
}
