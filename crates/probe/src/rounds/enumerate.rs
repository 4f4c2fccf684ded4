//! Suites and groups of the versions that a server accepts.

use crate::attempt::Attempt;
use crate::endpoint::{Endpoint, Opening};
use crate::facts::{EndpointFacts, Enumerated};
use crate::hello_jobs;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use hostssl_pgwire::tls::{NamedGroup, ProtocolVersion};

/// Suites and groups of every version that is accepted, if they are asked for.
pub(super) async fn enumerate(endpoint: &Endpoint<'_>, opening: Opening, facts: &mut EndpointFacts) {
    let accepted: Vec<_> = facts
        .versions
        .iter()
        .filter(|(_, support)| support.completed() == Some(&true))
        .map(|(version, _)| *version)
        .collect();
    let limit = endpoint.options.connections_per_server.max(1);
    if endpoint.options.cipher_suites {
        let jobs: Vec<BoxFuture<'_, _>> =
            accepted.iter().map(|version| hello_jobs::suites(endpoint, opening, *version).boxed()).collect();
        facts.suites = Some(stream::iter(jobs).buffered(limit).collect().await);
    }
    if endpoint.options.groups {
        // SSL 3.0 has no extension to name a group in.
        let with_groups = accepted.iter().filter(|version| **version > ProtocolVersion::Ssl3);
        let jobs: Vec<BoxFuture<'_, _>> =
            with_groups.map(|version| hello_jobs::groups(endpoint, opening, *version).boxed()).collect();
        facts.groups = Some(stream::iter(jobs).buffered(limit).collect().await);
    }
    if endpoint.options.post_quantum {
        facts.post_quantum = Some(post_quantum(endpoint, opening, facts).await);
    }
}

/// The groups that withstand a quantum computer: there are none below TLS 1.3, and a whole list of groups holds them.
async fn post_quantum(endpoint: &Endpoint<'_>, opening: Opening, facts: &EndpointFacts) -> Enumerated<NamedGroup> {
    let version = ProtocolVersion::Tls13;
    if facts.versions.get(&version).and_then(Attempt::completed) == Some(&false) {
        return Enumerated { version, chosen: Vec::new(), complete: true };
    }
    let whole = facts.groups.iter().flatten().find(|list| list.version == version && list.complete);
    match whole {
        Some(list) => {
            let chosen = list.chosen.iter().copied().filter(|group| group.is_post_quantum()).collect();
            Enumerated { version, chosen, complete: true }
        }
        None => hello_jobs::post_quantum(endpoint, opening).await,
    }
}
