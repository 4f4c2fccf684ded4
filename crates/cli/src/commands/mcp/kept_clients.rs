//! What the tools show of the kept clients. Azure is not asked.

use super::tool_source::{CallShared, clients_report, only, requirements};
use crate::error::CliError;
use crate::simulated::kept_azure::open;
use hostssl_formats::clients::ServerClients;
use hostssl_mcp::{ClientsAsk, ToolClients};
use hostssl_model::{Gap, GapScope, Reason, ResourceId, Scope, Unchecked};
use hostssl_store::{StoreError, StoreReader};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The scenarios have servers of the same ids.
const OF_ANY_SCENARIO: &str =
    "a kept census does not say its scenario, so it may be of this server in another scenario of the simulated Azure";
const READ_LOGS: &str = "set readLogs, which reads the servers' logs";

impl CallShared {
    pub(super) fn kept_clients(&self, ask: &ClientsAsk) -> Result<ToolClients, CliError> {
        let only = only(ask.only.as_deref())?;
        let scope = &ask.scope;
        let others = [&scope.tenants, &scope.management_groups, &scope.subscriptions, &scope.resource_groups];
        if others.iter().chain(&[&scope.tags, &scope.except]).any(|parts| !parts.is_empty()) {
            let what = "what is kept of clients is found by `servers` alone";
            return Err(CliError::usage(what, "name servers, or set readLogs"));
        }
        let started = Timestamp::now();
        let requirements = requirements(ask, started)?;
        let connect = self.connection(ask.simulate.as_deref())?;
        let scenario = connect.simulate.as_deref();
        let nothing = || CliError::usage("no census of clients is kept", READ_LOGS);
        let reader = self.args.keep.state.read_if_any(scenario.is_some())?.ok_or_else(nothing)?;
        let audited = self.audited(&reader, scenario)?;
        let own = open(&connect, &self.args.keep.state, &self.terminal)?.map(|simulation| simulation.server_ids());
        let own = own.map(|ids| ids.iter().map(|id| id.to_ascii_lowercase()).collect::<BTreeSet<_>>());
        let mut kept = Censuses::default();
        for (key, entry) in reader.census_entries(started.as_millisecond())? {
            let Ok(id) = ResourceId::try_from(entry.server.as_str()) else {
                kept.gaps.push(damaged(GapScope::Name(entry.server.as_str().into())));
                continue;
            };
            // One state has the simulations of all scenarios.
            let is_of_scenario = own.as_ref().is_none_or(|own| own.contains(&id.to_lowercase()));
            let is_within = !self.args.scope.is_fixed() || audited.servers.contains_key(&id.to_lowercase());
            if is_of_scenario && is_within {
                kept.servers.push((key, id));
            }
        }
        if kept.servers.is_empty() && kept.gaps.is_empty() {
            return Err(nothing());
        }
        let mut gaps = audited.gaps.clone();
        gaps.append(&mut kept.gaps);
        gaps.extend(audited.without_census(&kept.servers, &scope.servers));
        let mut servers = Vec::new();
        for (key, id) in chosen(&kept.servers, &scope.servers)? {
            match reader.census(key) {
                Ok(Some(census)) => servers.push(ServerClients {
                    name: id.name().to_owned(),
                    id: Some(id.as_str().to_owned()),
                    owner: None,
                    census: census.judge(requirements, None),
                    hidden: [0; 4],
                }),
                Ok(None) | Err(StoreError::Corrupt(_)) => gaps.push(damaged(GapScope::from(id))),
                Err(error) => return Err(error.into()),
            }
        }
        let warnings = scenario.map(|_| OF_ANY_SCENARIO.to_owned()).into_iter().collect();
        let report = clients_report(started, None, requirements, servers, only);
        Ok(ToolClients { report, gaps, kept: None, warnings })
    }

    /// The servers of the newest kept audit of the whole scope, and of the newest one at all.
    fn audited(&self, reader: &StoreReader, scenario: Option<&str>) -> Result<Audited, CliError> {
        let fixed = &self.args.scope;
        let names_no_server =
            |scope: &Scope| [&scope.servers, &scope.tags, &scope.except].iter().all(|parts| parts.is_empty());
        let is_whole = |scope: &Scope| {
            let parts = [
                (&fixed.tenant, &scope.tenants),
                (&fixed.management_group, &scope.management_groups),
                (&fixed.subscription, &scope.subscriptions),
                (&fixed.resource_group, &scope.resource_groups),
            ];
            names_no_server(scope) && parts.into_iter().all(|(fixed, audited)| fixed == audited)
        };
        let newest = self.newest(reader, scenario, |_| true)?;
        let whole = self.newest(reader, scenario, |audit| is_whole(&audit.scope))?;
        let mut audited = Audited::default();
        match &whole {
            Some(audit) if audit.complete => {}
            Some(audit) => audited.gaps.push(unknown_servers(format!(
                "audit {}, by which it is known which servers have no census, could not check everything",
                audit.id
            ))),
            None => audited.gaps.push(unknown_servers(
                "no audit of the whole scope is kept, so it is not known which servers have no census: the tool `audit` makes one"
                    .to_owned(),
            )),
        }
        for audit in
            whole.iter().chain(newest.iter().filter(|newest| whole.as_ref().is_none_or(|one| one.id != newest.id)))
        {
            let report = reader.audit_report(audit)?;
            audited
                .servers
                .extend(report.servers.iter().map(|one| (one.server.id.to_lowercase(), one.server.id.clone())));
        }
        Ok(audited)
    }
}

/// The censuses that a call may see.
#[derive(Default)]
struct Censuses {
    /// With their keys in the state.
    servers: Vec<(String, ResourceId)>,
    /// Those that could not be read.
    gaps: Vec<Gap>,
}

/// The servers that kept audits know, by their ids in lower case.
#[derive(Default)]
struct Audited {
    servers: BTreeMap<String, ResourceId>,
    /// Why there may be others.
    gaps: Vec<Gap>,
}

impl Audited {
    /// The servers of which no census is kept, among those that are asked for.
    fn without_census(&self, censuses: &[(String, ResourceId)], names: &[String]) -> Vec<Gap> {
        let known: BTreeSet<String> = censuses.iter().map(|(_, id)| id.to_lowercase()).collect();
        let missing = self.servers.iter().filter(|(key, id)| !known.contains(*key) && is_asked(id, names));
        let unchecked = || Unchecked::new(Reason::NotReturned, "no census of its clients is kept; readLogs makes one");
        missing.map(|(_, id)| Gap { scope: GapScope::from(id), unchecked: unchecked() }).collect()
    }
}

fn damaged(scope: GapScope) -> Gap {
    Gap {
        scope,
        unchecked: Unchecked::new(Reason::MalformedAnswer, "its kept census is damaged: readLogs makes a new one"),
    }
}

fn unknown_servers(detail: String) -> Gap {
    Gap { scope: GapScope::AllSubscriptions, unchecked: Unchecked::new(Reason::NotReturned, detail) }
}

fn is_asked(id: &ResourceId, names: &[String]) -> bool {
    let is = |name: &String| id.as_str().eq_ignore_ascii_case(name) || hostssl_model::matches_pattern(name, id.name());
    names.is_empty() || names.iter().any(is)
}

/// The servers with a census that these names or patterns choose, with their keys. One that chooses nothing is an error.
fn chosen<'a>(
    servers: &'a [(String, ResourceId)],
    names: &[String],
) -> Result<Vec<(&'a str, &'a ResourceId)>, CliError> {
    let has_none = |name: &&String| !servers.iter().any(|(_, id)| is_asked(id, std::slice::from_ref(*name)));
    if let Some(name) = names.iter().find(has_none) {
        return Err(CliError::usage(format!("no census of `{name}` is kept"), READ_LOGS));
    }
    let chosen = servers.iter().filter(|(_, id)| is_asked(id, names));
    Ok(chosen.map(|(key, id)| (key.as_str(), id)).collect())
}
