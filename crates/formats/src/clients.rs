//! A census of clients, as all its formats take it.

use hostssl_census::{CensusReport, CensusVerdict, Millis, SessionTls};
use jiff::Timestamp;

/// A census of some servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientsReport {
    /// A UUID.
    pub id: String,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub finished_at: String,
    /// The signed-in identity, if there was a sign-in.
    pub principal: Option<String>,
    /// The cloud of the servers, if there was a sign-in.
    pub cloud: Option<String>,
    /// The observation that `safe` needs.
    pub window: Millis,
    /// Sightings before this time do not count.
    pub since: Option<Millis>,
    /// The servers.
    pub servers: Vec<ServerClients>,
}

/// The clients of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerClients {
    /// The resource id, for a server in Azure.
    pub id: Option<String>,
    /// The name of the server, or of the first file.
    pub name: String,
    /// Who owns it, by its tags.
    pub owner: Option<String>,
    /// The result of the census.
    pub census: CensusReport,
    /// Clients that are not shown because others were asked for, in the order of [`SessionTls::ALL`].
    pub hidden: [u64; 4],
}

impl ServerClients {
    /// Whether every source contains every connection in its period.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let sources = &self.census.sources;
        !sources.is_empty() && sources.iter().all(|source| source.is_complete)
    }

    /// How many clients of this state there are, whether they are shown or not.
    #[must_use]
    pub fn count(&self, tls: SessionTls) -> u64 {
        let shown = self.census.clients.iter().filter(|client| client.tls == tls).count() as u64;
        let hidden = SessionTls::ALL.iter().zip(self.hidden).find(|(one, _)| **one == tls);
        shown + hidden.map_or(0, |(_, count)| count)
    }
}

impl ClientsReport {
    /// The worst verdict; none without a server.
    #[must_use]
    pub fn verdict(&self) -> Option<CensusVerdict> {
        self.servers.iter().map(|server| server.census.verdict).min()
    }

    /// Whether every source of every server contains every connection in its period.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.servers.iter().all(ServerClients::is_complete)
    }

    /// Keeps clients of one state only. Verdicts stay: they rest on all.
    pub fn keep_only(&mut self, tls: SessionTls) {
        for server in &mut self.servers {
            let all = SessionTls::ALL.map(|state| server.count(state));
            server.census.clients.retain(|client| client.tls == tls);
            server.census.earlier.retain(|client| client.tls == tls);
            for (hidden, (state, count)) in server.hidden.iter_mut().zip(SessionTls::ALL.into_iter().zip(all)) {
                *hidden = if state == tls { 0 } else { count };
            }
        }
    }
}

/// A time in RFC 3339, in UTC.
pub(crate) fn rfc3339(at: Millis) -> String {
    Timestamp::from_millisecond(at).map(|at| at.to_string()).unwrap_or_default()
}

/// A time, to the minute.
pub(crate) fn minute(at: Millis) -> String {
    Timestamp::from_millisecond(at).map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default()
}
