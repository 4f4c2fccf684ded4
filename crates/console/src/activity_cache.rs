//! What the Activity Log said of servers whose history was asked for: kept in memory, the newest few, until the console ends.
//! Azure has it, so that nothing is lost with it.

use crate::job::JobContext;
use crate::trouble::Trouble;
use hostssl_model::{ResourceId, Stop};
use hostssl_ops::{SubscriptionActivity, SubscriptionOf, activity_kept, read_activity};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Servers whose operations are kept.
const MAX_SERVERS: usize = 50;
/// How long Azure is asked.
const PATIENCE: Duration = Duration::from_secs(25);

/// What the Activity Log said of one server.
#[derive(Debug)]
pub(crate) struct ServerActivity {
    key: String,
    /// The first moment that was asked for, in milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) since_ms: i64,
    /// The last one: when it was read.
    pub(crate) read_ms: i64,
    pub(crate) log: SubscriptionActivity,
}

/// The newest readings.
#[derive(Default)]
pub(crate) struct ActivityCache(Mutex<VecDeque<Arc<ServerActivity>>>);

impl ActivityCache {
    /// The newest of the server of this key.
    pub(crate) fn find(&self, key: &str) -> Option<Arc<ServerActivity>> {
        let read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read.iter().find(|one| one.key == key).cloned()
    }

    /// Reads all that Azure keeps about a server. The work has a thread of its own.
    pub(crate) async fn read(&self, context: Arc<JobContext>, server: ResourceId) -> Result<(), Trouble> {
        let made = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime =
                runtime.map_err(|error| Trouble::new(error.to_string(), "try again when the machine is less busy"))?;
            runtime.block_on(ask_azure(&context, &server))
        });
        let new = made.await.unwrap_or_else(|_| Err(Trouble::new("the log could not be read", "try again")))?;
        let mut read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read.retain(|one| one.key != new.key);
        read.push_back(Arc::new(new));
        if read.len() > MAX_SERVERS {
            read.pop_front();
        }
        Ok(())
    }
}

async fn ask_azure(context: &JobContext, server: &ResourceId) -> Result<ServerActivity, Trouble> {
    let (stop, signal) = watch::channel(None);
    let until = Timestamp::now();
    let since = activity_kept(until);
    let asked = async {
        let tenants = (context.connect)(signal).await?;
        let servers = std::slice::from_ref(server);
        let read = read_activity(&tenants, &SubscriptionOf::new(), servers, (since, until)).await;
        let log = read.subscriptions.into_values().next().unwrap_or_default();
        Ok(ServerActivity { key: server.key(), since_ms: since.as_millisecond(), read_ms: until.as_millisecond(), log })
    };
    // What was read until then counts, with the reason why it is not whole.
    let deadline = async {
        tokio::time::sleep(PATIENCE).await;
        stop.send_replace(Some(Stop::Deadline));
        std::future::pending::<()>().await;
    };
    tokio::select! {
        asked = asked => asked,
        () = deadline => Err(Trouble::new("it took too long", "try again")),
    }
}
