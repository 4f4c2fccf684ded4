//! How work is told to stop.

use hostssl_model::Stop;
use tokio::sync::watch;

/// How work is told to stop, by the holder of the sender: while it holds `None`, the work continues.
pub type StopSignal = watch::Receiver<Option<Stop>>;

/// Waits until work is told to stop, and says why. When no sender is left, this waits indefinitely.
pub async fn stopped(signal: &mut StopSignal) -> Stop {
    match signal.wait_for(Option::is_some).await.map(|given| *given) {
        Ok(Some(stop)) => stop,
        _ => std::future::pending().await,
    }
}
