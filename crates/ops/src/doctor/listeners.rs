//! Whether the listeners of a server can be reached from here.

use crate::selection::{NoMatch, mistake};
use crate::subscription::servers_of_subscription;
use crate::{ScopeError, Tenant, Visible};
use futures::StreamExt;
use futures::stream;
use hostssl_model::{
    DoctorCheck, DoctorCheckId, Gap, Hint, Reading, Reason, Scope, Server, Unchecked, WireObservation, WireTransport,
};

/// Subscriptions listed at once.
const SUBSCRIPTIONS_AT_ONCE: usize = 64;

/// Servers, each with the tenant that reads it.
#[derive(Debug, Default)]
pub struct FoundServers {
    /// In the order of the subscriptions' names.
    pub servers: Vec<(Server, Tenant)>,
    /// What could not be searched.
    pub gaps: Vec<Gap>,
}

/// Finds the servers that the scope selects.
///
/// # Errors
///
/// [`ScopeError`] when there is none, and everything could be searched or a name is near.
pub async fn find_servers(visible: &Visible, scope: &Scope) -> Result<FoundServers, ScopeError> {
    let mut found = FoundServers::default();
    let lists = visible.subscriptions.iter().map(|(subscription, tenant)| async move {
        let (servers, list) = servers_of_subscription(&tenant.arm, subscription, scope).await;
        (servers, list, tenant)
    });
    let lists: Vec<_> = lists.collect();
    let mut lists = stream::iter(lists).buffered(SUBSCRIPTIONS_AT_ONCE);
    let mut excepted = Vec::new();
    while let Some((servers, list, tenant)) = lists.next().await {
        found.servers.extend(servers.into_iter().map(|server| (server, tenant.clone())));
        found.gaps.extend(list.gaps);
        excepted.extend(list.excepted);
    }
    drop(lists);
    let servers: Vec<&Server> = found.servers.iter().map(|(server, _)| server).chain(&excepted).collect();
    let is_incomplete = found.gaps.iter().any(|gap| gap.unchecked.reason.leaves_incomplete());
    // A name like no other may be one in a subscription that cannot be listed.
    let counts = |no_match: &NoMatch| no_match.nearest.is_some() || !is_incomplete;
    match mistake(visible, scope, &servers, &found.gaps).await.filter(counts) {
        Some(no_match) => Err(no_match.into()),
        None => Ok(found),
    }
}

/// What of the listeners of a server was reached.
#[must_use]
pub fn listener_checks(server: &Server, observations: &[WireObservation]) -> Vec<DoctorCheck> {
    observations.iter().map(|seen| listener(server, seen)).collect()
}

fn listener(server: &Server, seen: &WireObservation) -> DoctorCheck {
    let id = DoctorCheckId::Listener;
    let address = seen.address.as_deref().map(|address| format!(" ({address})")).unwrap_or_default();
    let host = server.fqdn.as_deref().unwrap_or(server.name());
    let place = format!("{host}:{}{address}", seen.port);
    match &seen.listener {
        Reading::Known(known) if known.transport == WireTransport::Inconclusive => {
            let fix = Hint::with("`hostssl probe {}:{} --transcript` shows the exchange", &[&host, &seen.port]);
            DoctorCheck::warning(id, format!("{place} answers, but not conclusively: {}", known.why), fix)
        }
        Reading::Known(_) => DoctorCheck::ok(id, format!("{place} answers as PostgreSQL does")),
        Reading::Unknown(unchecked) => unreached(id, &place, server, unchecked),
    }
}

/// What reaches a listener inside a virtual network.
const INSIDE: &str = "run hostssl inside the virtual network, or through a bastion: `ssh -N -D 1080 BASTION`, then add --proxy socks5h://127.0.0.1:1080";

fn unreached(id: DoctorCheckId, place: &str, server: &Server, unchecked: &Unchecked) -> DoctorCheck {
    let detail = format!("{place}: {}", unchecked.detail);
    match unchecked.reason {
        Reason::Unresolved => {
            DoctorCheck::failed(id, detail, Hint::from("for a server with private access, ").then(INSIDE))
        }
        Reason::Unreachable => {
            let fix = Hint::with("allow the address of this machine in the firewall of {}; or ", &[&server.name()])
                .then(INSIDE);
            DoctorCheck::failed(id, detail, fix)
        }
        Reason::Stopped => DoctorCheck::unknown(id, detail, Some("start the server, then check again".into())),
        _ => DoctorCheck::unknown(id, detail, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::{DoctorStatus, WireListener};
    use hostssl_test_support::fleet::flexible;

    fn seen(listener: Reading<WireListener>) -> WireObservation {
        WireObservation {
            port: 5432,
            address: Some("192.0.2.1".into()),
            observed_at: "x".into(),
            listener,
            vantage: None,
        }
    }

    fn known(transport: WireTransport) -> WireObservation {
        let certificate = None;
        seen(Reading::Known(WireListener { transport, why: "told so".into(), versions: Vec::new(), certificate }))
    }

    fn unknown(reason: Reason) -> WireObservation {
        seen(Reading::Unknown(Unchecked::new(reason, "told so")))
    }

    #[test]
    fn what_answers_is_reached_whether_or_not_it_enforces() {
        let server = flexible("pg", "off", "TLSv1").server;
        let all = [
            known(WireTransport::Enforced),
            known(WireTransport::PlaintextOnly),
            known(WireTransport::Inconclusive),
            unknown(Reason::Unresolved),
            unknown(Reason::Unreachable),
            unknown(Reason::Stopped),
            unknown(Reason::Deadline),
        ];
        let checks = listener_checks(&server, &all);
        let statuses: Vec<_> = checks.iter().map(|check| check.status).collect();
        use DoctorStatus::{Failed, Ok as Fine, Skipped, Warning};
        assert_eq!(statuses, [Fine, Fine, Warning, Failed, Failed, Skipped, Skipped]);
        assert!(checks[5].is_unknown && checks[6].is_unknown);
        assert!(checks.iter().all(|check| check.detail.contains(":5432 (192.0.2.1)")), "{checks:?}");
    }
}
