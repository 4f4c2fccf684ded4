//! What the tools show of what is kept: audits and clients. Azure is not asked.

use super::source::{CallShared, clients_report, only, requirements};
use crate::error::CliError;
use crate::simulated::scenario_of;
use crate::simulated::world::named_scenario;
use crate::state::find_run;
use hostssl_formats::clients::ServerClients;
use hostssl_mcp::{ClientsAsk, KeptQuestion, ToolAudit, ToolClients};
use hostssl_model::ResourceId;
use hostssl_store::{AuditEntry, CensusEntry, Page, StoreReader};
use jiff::Timestamp;

/// The newest kept audits among which one of a scenario is searched.
const RECENT: Page = Page { number: 0, size: 1_000 };

impl CallShared {
    pub(super) fn kept_audit(&self, question: &KeptQuestion) -> Result<Option<ToolAudit>, CliError> {
        let state = &self.args.keep.state;
        question.scenario.as_deref().map(named_scenario).transpose()?;
        let simulated = question.scenario.is_some();
        let found = match &question.run {
            Some(run) => {
                let (reader, run) = find_run(state, simulated, run)?;
                let audit = reader.audit(run.as_str())?;
                let audit = audit.ok_or_else(|| {
                    CliError::usage(format!("run {run} is no audit"), "`hostssl runs` lists the runs")
                })?;
                Some((reader, audit))
            }
            None => newest(state.read_if_any(simulated)?, question)?,
        };
        let Some((reader, audit)) = found else { return Ok(None) };
        let scenario = scenario_of(&audit.cloud).map(ToOwned::to_owned);
        Ok(Some(ToolAudit { report: reader.audit_report(&audit)?, kept: true, scenario }))
    }

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
        let simulated = self.connection(ask.simulate.as_deref())?.simulate.is_some();
        let nothing = || CliError::usage("no census of clients is kept", "set readLogs, which reads the servers' logs");
        let reader = self.args.keep.state.read_if_any(simulated)?.ok_or_else(nothing)?;
        let entries = reader.census_entries(started.as_millisecond())?;
        if entries.is_empty() {
            return Err(nothing());
        }
        let mut servers = Vec::new();
        for (key, id) in chosen(entries.iter(), &scope.servers)? {
            let Some(kept) = reader.census(key)? else { continue };
            servers.push(ServerClients {
                name: id.name().to_owned(),
                id: Some(id.as_str().to_owned()),
                owner: None,
                census: kept.judge(requirements, None),
                hidden: [0; 4],
            });
        }
        let report = clients_report(started, None, requirements, servers, only);
        Ok(ToolClients { report, gaps: Vec::new(), kept: None })
    }
}

/// The newest kept audit of the scenario, or of the real Azure, if it is newer than asked.
fn newest(reader: Option<StoreReader>, question: &KeptQuestion) -> Result<Option<(StoreReader, AuditEntry)>, CliError> {
    let Some(reader) = reader else { return Ok(None) };
    let (audits, _) = reader.audits(RECENT)?;
    let Some(audit) = audits.into_iter().find(|audit| scenario_of(&audit.cloud) == question.scenario.as_deref()) else {
        return Ok(None);
    };
    let known = question.newer_than.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
    let is_newer = known.is_none_or(|known| audit.started_ms > known.as_millisecond());
    Ok(is_newer.then_some((reader, audit)))
}

/// The servers with a census that these names or patterns choose, with their keys. One that chooses nothing is an error.
fn chosen<'a>(
    entries: impl Iterator<Item = (&'a String, &'a CensusEntry)>,
    names: &[String],
) -> Result<Vec<(&'a str, ResourceId)>, CliError> {
    let mut servers: Vec<(&str, ResourceId)> = entries
        .filter_map(|(key, entry)| Some((key.as_str(), ResourceId::try_from(entry.server.as_str()).ok()?)))
        .collect();
    let matches = |id: &ResourceId, name: &str| {
        id.as_str().eq_ignore_ascii_case(name) || hostssl_model::matches_pattern(name, id.name())
    };
    if let Some(name) = names.iter().find(|name| !servers.iter().any(|(_, id)| matches(id, name))) {
        let what = format!("no census of `{name}` is kept");
        return Err(CliError::usage(what, "set readLogs, which reads the servers' logs"));
    }
    servers.retain(|(_, id)| names.is_empty() || names.iter().any(|name| matches(id, name)));
    Ok(servers)
}
