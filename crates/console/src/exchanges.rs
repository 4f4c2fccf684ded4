//! Exchanges with the listeners of servers that were probed from the console: kept in memory, the newest few, until it ends.

use crate::options::{Exchange, TakeExchange};
use hostssl_model::{AuditReport, ResourceId};
use hostssl_store::server_key;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Servers whose exchanges are kept.
const MAX_SERVERS: usize = 20;
/// Messages that are kept of one listener.
const MAX_MESSAGES: usize = 200;
/// The longest text of a message, in characters.
const MAX_TEXT: usize = 160;
/// How long taking the exchanges of one server may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was said to one server.
pub(crate) struct ServerExchanges {
    key: String,
    /// The audit right after which it was.
    pub(crate) run: String,
    pub(crate) listeners: Vec<Exchange>,
}

/// The newest exchanges.
#[derive(Default)]
pub(crate) struct Exchanges(Mutex<VecDeque<Arc<ServerExchanges>>>);

impl Exchanges {
    /// The newest with the server of this key.
    pub(crate) fn find(&self, key: &str) -> Option<Arc<ServerExchanges>> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.iter().rev().find(|taken| taken.key == key).cloned()
    }

    fn keep(&self, new: ServerExchanges) {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|one| one.key != new.key);
        taken.push_back(Arc::new(new));
        if taken.len() > MAX_SERVERS {
            taken.pop_front();
        }
    }

    /// Asks the listeners that an audit of one server has found once more, and writes down what is said.
    pub(crate) async fn take(&self, take: &TakeExchange, report: &AuditReport, server: &str) {
        let of = |id: &ResourceId| server_key(id) == server;
        let Some(looked) = report.servers.iter().find(|one| of(&one.server.id)) else { return };
        let Some(host) = looked.server.fqdn.as_deref() else { return };
        let mut ports: Vec<u16> = looked.wire.iter().map(|look| look.port).collect();
        ports.dedup();
        let asked = async {
            let mut listeners = Vec::new();
            for port in ports {
                listeners.extend(take(host.to_owned(), port).await);
            }
            listeners
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(mut listeners) => {
                listeners.iter_mut().for_each(bound);
                self.keep(ServerExchanges { key: server.to_owned(), run: report.run.id.to_string(), listeners });
            }
            Err(_) => tracing::warn!("an exchange took too long and is not shown"),
        }
    }
}

/// A page stays small, whatever a listener says.
fn bound(exchange: &mut Exchange) {
    exchange.messages.truncate(MAX_MESSAGES);
    for message in &mut exchange.messages {
        if let Some((end, _)) = message.text.char_indices().nth(MAX_TEXT) {
            message.text.truncate(end);
            message.text.push('…');
        }
    }
}
