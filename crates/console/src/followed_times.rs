//! When the copy of a shared store was brought up to date, for those who wait for that.

use std::time::Duration;
use tokio::sync::watch;

/// The longest wait. One round takes a second, and longer where the store does not answer.
const LONGEST: Duration = Duration::from_secs(5);

/// How often it was tried to bring the copy up to date.
#[derive(Debug, Default)]
pub(crate) struct FollowedTimes(watch::Sender<u64>);

impl FollowedTimes {
    /// Counts that it was tried once more.
    pub(crate) fn has_followed(&self) {
        self.0.send_modify(|times| *times += 1);
    }

    /// Waits until the copy has all that the store had when this was called, or until that could not be achieved. It asks the store nothing
    /// that is not asked anyway, so that strangers may cause it.
    pub(crate) async fn wait_for_next(&self) {
        let mut times = self.0.subscribe();
        // The one in progress may have begun before.
        let enough = *times.borrow_and_update() + 2;
        // The sender lives as long as this.
        let _ = tokio::time::timeout(LONGEST, times.wait_for(|times| *times >= enough)).await;
    }
}
