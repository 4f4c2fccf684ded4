//! Clients that were last seen before the window. That they were not observed since does not say that they use TLS now: a job
//! that runs once a month is not in a week. So they count until newer evidence replaces what is known of them.

use super::settled::Settled;
use super::{KeptCensus, KeptClient, KeptSource, Restriction};
use crate::client_key::{ClientKey as _, Key, order};
use crate::log_time::DAY;
use crate::{Client, Coverage, Millis, Requirements, SessionTls, Source};
use std::collections::BTreeMap;

/// Every connection of so much time must have been observed without a client before it counts as gone: a job that runs once
/// a month has run in it.
const GONE: Millis = 35 * DAY;

/// The clients that a restriction accepts, by user and database.
type Names<'a> = BTreeMap<(Option<&'a str>, Option<&'a str>), Vec<(&'a Key, &'a KeptClient)>>;

/// A client that was last seen before the window, when enforcement would have refused it, or may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierClient {
    /// What was seen of it, all of it.
    pub client: Client,
    /// What is known of it since.
    pub fate: EarlierFate,
}

/// What is known of a client since it was last seen without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlierFate {
    /// Nothing: it may come back as it was.
    Unknown,
    /// It has connected with TLS, the last time then.
    WithTls(Millis),
    /// It was absent for so long that it counts as gone.
    Gone,
}

impl KeptCensus {
    /// The clients that were last seen before the window, in plaintext or unknown whether with TLS; those in plaintext first.
    #[must_use]
    pub fn earlier(&self, requirements: Requirements, since: Option<Millis>) -> Vec<EarlierClient> {
        self.earlier_for(Restriction::RequireTls, self.from(requirements, since), since, &[])
    }

    /// The clients that a restriction would have refused, or may have, when they were last seen: before `from`, and not before
    /// `since`.
    pub(crate) fn earlier_for(
        &self,
        restriction: Restriction<'_>,
        from: Option<Millis>,
        since: Option<Millis>,
        sources: &[Source],
    ) -> Vec<EarlierClient> {
        let settled = Settled::of(self, &|_: &KeptClient| true);
        let is_earlier = |client: &KeptClient| client.last.is_some() && client.last < from && client.last >= since;
        let (accepted, others): (Vec<_>, Vec<_>) =
            self.clients.iter().partition(|(key, client)| client.is_strict_enough(key, restriction) == Some(true));
        let mut by_name: Names<'_> = BTreeMap::new();
        for (key, client) in accepted {
            by_name.entry((key.user.as_deref(), key.database.as_deref())).or_default().push((key, client));
        }
        let mut earlier: Vec<EarlierClient> = others
            .into_iter()
            .filter(|(key, client)| is_earlier(client) && !client.is_own(key) && !settled.explains(key, client))
            .map(|(key, client)| EarlierClient {
                client: client.shown(key, None, sources),
                fate: self.fate(key, client, &by_name),
            })
            .collect();
        earlier.sort_by(|a, b| order(&a.client).cmp(&order(&b.client)));
        earlier
    }

    /// What has become of a client. The same client is the same user on the same database under the same application name: addresses
    /// change when an application is installed again. Where one of both has no such name, as some drivers have not, the address tells;
    /// programs with different names on one machine are different clients.
    fn fate(&self, key: &Key, client: &KeptClient, accepted: &Names<'_>) -> EarlierFate {
        let is_same = |other: &Key| {
            let is_named_alike = match (&key.application, &other.application) {
                (Some(one), Some(other)) => one == other,
                _ => key.address.is_some() && other.address == key.address,
            };
            key.user.is_some() && other.backend == key.backend && is_named_alike
        };
        let named = accepted.get(&(key.user.as_deref(), key.database.as_deref())).into_iter().flatten();
        let later = named.filter(|(other, seen)| is_same(other) && seen.last > client.last);
        if let Some(at) = later.filter_map(|(_, seen)| seen.last).max() {
            return EarlierFate::WithTls(at);
        }
        let mut observed = Coverage::default();
        self.sources.values().flat_map(KeptSource::covered).for_each(|span| observed.add(span));
        observed.cut(client.last.unwrap_or_default());
        if observed.is_enough(GONE) { EarlierFate::Gone } else { EarlierFate::Unknown }
    }
}

impl KeptClient {
    /// Whether all that was seen of it are logins of this program.
    pub(super) fn is_own(&self, key: &Key) -> bool {
        // The first is the oldest.
        key.parts().is_own(self.protocols.keys().next().map(String::as_str))
    }

    /// Whether a restriction accepts it as it was seen last; `None` where that is unknown.
    fn is_strict_enough(&self, key: &Key, restriction: Restriction<'_>) -> Option<bool> {
        match (key.tls, restriction) {
            (SessionTls::Local, _) => Some(true),
            (SessionTls::Unknown, _) => None,
            (SessionTls::Plaintext, Restriction::RequireTls) => Some(false),
            // A client in plaintext uses no version of TLS at all.
            (SessionTls::Plaintext, Restriction::MinimumTls(_)) | (SessionTls::Tls, Restriction::RequireTls) => {
                Some(true)
            }
            (SessionTls::Tls, Restriction::MinimumTls(floor)) => {
                let newest = self.protocols.iter().max_by_key(|(_, (at, _))| *at)?;
                Some(newest.0.as_str() >= floor)
            }
        }
    }
}

/// Why nothing is safe while nothing newer is known of some clients, in one fragment; `None` when there are none.
pub(super) fn doubt(earlier: &[EarlierClient], restriction: Restriction<'_>) -> Option<String> {
    let open = || earlier.iter().filter(|one| one.fate == EarlierFate::Unknown).map(|one| &one.client);
    let is_certain = |client: &&Client| match restriction {
        Restriction::RequireTls => client.tls == SessionTls::Plaintext,
        Restriction::MinimumTls(_) => client.protocol.is_some(),
    };
    let (count, may) = match open().filter(is_certain).count() {
        0 => (open().count(), "may have "),
        certain => (certain, ""),
    };
    let (clients, have) = match count {
        0 => return None,
        1 => ("client", "has"),
        _ => ("clients", "have"),
    };
    let connected = match restriction {
        Restriction::RequireTls => "connected in plaintext".to_owned(),
        Restriction::MinimumTls(floor) => format!("used a TLS version below {floor}"),
    };
    Some(format!("{count} {clients} that {may}{connected} before {have} not been observed since"))
}
