//! Follows the store that several consoles share, so that each shows what the others have done.

use crate::shared::Shared;
use std::time::Duration;

/// How often it is asked for what is new. A question that finds nothing costs it one look at an index.
const EVERY: Duration = Duration::from_secs(1);

/// How long an answer may take before pages say that they cannot be shown.
const ANSWER: Duration = Duration::from_secs(5);

/// Brings the copy of a shared store up to date, until the console ends. Where it cannot be, pages say why instead of showing what was.
pub(crate) async fn follow(shared: Shared) {
    if shared.store.directory().shared().is_none() {
        return;
    }
    let mut was_reached = true;
    loop {
        tokio::time::sleep(EVERY).await;
        let store = shared.store.clone();
        let mut following = tokio::task::spawn_blocking(move || store.follow());
        let followed = match tokio::time::timeout(ANSWER, &mut following).await {
            Ok(followed) => followed,
            Err(_) => {
                shared.store.fall_behind(&format!("no answer in {} s", ANSWER.as_secs()));
                following.await
            }
        };
        let error = match followed {
            Ok(followed) => followed.err().map(|error| error.to_string()),
            Err(error) => {
                shared.store.fall_behind("a bug in hostssl");
                Some(error.to_string())
            }
        };
        if let Some(error) = error.as_ref().filter(|_| was_reached) {
            tracing::warn!(%error, "the shared store cannot be followed");
        }
        was_reached = error.is_none();
        shared.followed.has_followed();
    }
}
