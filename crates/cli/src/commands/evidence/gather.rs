//! What the state keeps of an audit and its servers, read for a pack. No clock: the same state gives the same pack.

use super::earlier::{EarlierLooks, earlier_looks};
use super::packed_transcripts::{Whose, transcripts};
use super::readable::whole;
use crate::commands::runs::{approvals, document};
use crate::commands::trend::point;
use crate::error::CliError;
use crate::state::instant;
use hostssl_census::Requirements;
use hostssl_evidence::{PackFile, PackInput, PackedProbe, PackedRun};
use hostssl_formats::clients::ServerClients;
use hostssl_formats::evidence_json::MissingPart;
use hostssl_formats::probe_json;
use hostssl_model::{AuditReport, ServerReport, chain};
use hostssl_ops::rules_of;
use hostssl_remediation::{ExecuteError, LoadedRun};
use hostssl_store::{ApprovalAct, AuditEntry, KeptRun, Page, ProbeEntry, StoreError, StoreReader};
use jiff::civil::DateTime;
use std::collections::BTreeSet;

/// Endpoints that are read at once.
const SIZE: u32 = 256;
const MS_PER_DAY: i64 = 86_400_000;

/// What is kept beside the report.
pub(super) struct Gathered {
    history: Vec<AuditEntry>,
    clients: Vec<ServerClients>,
    window: i64,
    runs: Vec<PackedRun>,
    probes: Vec<PackedProbe>,
    transcripts: Vec<PackFile>,
    earlier: EarlierLooks,
    missing: Vec<MissingPart>,
}

impl Gathered {
    /// What a report counts that nothing of this shows is taken out of it, unless it is bad.
    pub(super) fn read(reader: &StoreReader, audit: &AuditEntry, report: &mut AuditReport) -> Result<Self, CliError> {
        let window = i64::from(rules_of(&report.run.profile).settings.observation_days) * MS_PER_DAY;
        let mut missing = Vec::new();
        if !report.run.complete && report.gaps.is_empty() {
            let why = "the audit is not complete, and no gap is kept that says why".to_owned();
            missing.push(MissingPart { what: "the coverage of the audit".to_owned(), why });
        }
        let probes = probes(reader, report, &mut missing)?;
        let earlier = earlier_looks(reader, audit, report, &probes, &mut missing)?;
        Ok(Self {
            history: reader.trend(audit, u32::MAX)?,
            clients: clients(reader, report, window, &mut missing)?,
            window,
            runs: runs(reader, report, &mut missing)?,
            transcripts: transcripts(reader, audit, report, Whose::Audit, &mut missing)?,
            probes,
            earlier,
            missing,
        })
    }

    /// What belongs into the pack and could not be read whole.
    pub(super) fn missing(&self) -> &[MissingPart] {
        &self.missing
    }

    /// What a pack is made of; transcripts are handed over, as they are the largest part of it.
    pub(super) fn input<'a>(
        &'a mut self,
        report: &'a AuditReport,
        waivers: Option<&'a str>,
        simulated: bool,
    ) -> PackInput<'a> {
        PackInput {
            report,
            simulated,
            packed_with: env!("CARGO_PKG_VERSION"),
            waivers,
            history: self.history.iter().map(point).collect(),
            clients: (self.clients.clone(), self.window),
            runs: self.runs.clone(),
            probes: self.probes.clone(),
            transcripts: std::mem::take(&mut self.transcripts),
            earlier_transcripts: std::mem::take(&mut self.earlier.transcripts),
            earlier: &self.earlier.audits,
            missing: self.missing.clone(),
        }
    }
}

/// A time in RFC 3339 as the date and time in UTC; the first one of all when it is none.
pub(super) fn utc(time: &str) -> DateTime {
    jiff::tz::Offset::UTC.to_datetime(time.parse().unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}

fn clients(
    reader: &StoreReader,
    report: &AuditReport,
    window: i64,
    missing: &mut Vec<MissingPart>,
) -> Result<Vec<ServerClients>, CliError> {
    let ended = report.run.finished_at.parse().map_or(0, jiff::Timestamp::as_millisecond);
    let mut found = Vec::new();
    for ServerReport { server, .. } in &report.servers {
        let kept = reader.census(&server.id.key());
        let kept = whole(|| format!("the clients of {}", server.id), kept, missing)?.flatten();
        let Some(kept) = kept.filter(|kept| !kept.is_empty()) else { continue };
        // How old an observation is, is judged by the audit or by what was observed after it.
        let requirements = Requirements { window, now: Some(ended.max(kept.looked_at())) };
        found.push(ServerClients {
            hidden: [0; 4],
            id: Some(server.id.as_str().to_owned()),
            name: server.name().to_owned(),
            owner: None,
            census: kept.judge(requirements, None),
        });
    }
    Ok(found)
}

/// The runs of which a step is on a server of the audit.
fn runs(
    reader: &StoreReader,
    report: &AuditReport,
    missing: &mut Vec<MissingPart>,
) -> Result<Vec<PackedRun>, CliError> {
    let ids: BTreeSet<String> = report.servers.iter().map(|one| one.server.id.to_lowercase()).collect();
    let mut found = Vec::new();
    let Some(entries) = whole(|| "the runs that changed servers".to_owned(), reader.runs(), missing)? else {
        return Ok(found);
    };
    for entry in entries {
        let of_run = || format!("run {}", entry.id);
        let Some(journalled) = whole(of_run, reader.load(&entry.id), missing)? else { continue };
        let (plan, approved) = (journalled.plan.clone(), journalled.approved.clone());
        let (principal, records) = (journalled.principal.clone(), journalled.records.clone());
        let loaded = journalled.load().map_err(|error| StoreError::Corrupt(chain(&ExecuteError::Damaged(error))));
        let Some(loaded) = whole(of_run, loaded, missing)? else { continue };
        let result = loaded.report();
        if !result.steps.iter().any(|step| ids.contains(&step.server.to_ascii_lowercase())) {
            continue;
        }
        // What is there goes into the pack all the same.
        whole(of_run, reader.check_run(&entry.id), missing)?;
        let Some(orders) = whole(of_run, orders(reader, &loaded), missing)? else { continue };
        let Some(approvals) = whole(of_run, approvals(reader, &entry.id), missing)? else { continue };
        let journal = records.iter().map(serde_json::to_value).collect::<Result<_, _>>();
        found.push(PackedRun {
            id: entry.id.as_str().to_owned(),
            plan,
            approved: approved.as_str().to_owned(),
            principal,
            orders,
            approvals,
            result: document(reader, &entry.id, &result)?,
            journal: journal.map_err(|error| CliError::defect(&error))?,
        });
    }
    Ok(found)
}

/// Who approved the plan of a run until it began, and who ordered what of it, as it was kept.
fn orders(reader: &StoreReader, run: &LoadedRun) -> Result<Vec<[String; 4]>, StoreError> {
    let hash = run.plan.hash();
    let (acts, counted) = (reader.approval_acts(hash)?, reader.run_approvals(&run.id)?);
    // Earlier versions kept approvals after the run had begun too: the clock tells. What counted was there, whatever clocks say.
    let has_counted =
        |act: &ApprovalAct| counted.iter().any(|one| (&one.person, one.at_ms) == (&act.person, act.at_ms));
    let acts = acts.into_iter().filter(|act| act.at_ms <= run.times_ms.0 || has_counted(act));
    let acts = acts.map(|act| {
        let word = if act.approves { "approve" } else { "withdraw" };
        [instant(act.at_ms), word.to_owned(), act.person, hash.as_str().to_owned()]
    });
    let orders = reader.orders(&run.id)?.into_iter().map(|order| {
        [instant(order.at_ms), order.act.as_str().to_owned(), order.person, order.plan.as_str().to_owned()]
    });
    Ok(acts.chain(orders).collect())
}

/// The probes with an endpoint that is a server of the audit, and those endpoints.
fn probes(
    reader: &StoreReader,
    report: &AuditReport,
    missing: &mut Vec<MissingPart>,
) -> Result<Vec<PackedProbe>, CliError> {
    let names = report.servers.iter().filter_map(|one| one.server.fqdn.as_deref());
    let names: BTreeSet<String> = names.map(str::to_ascii_lowercase).collect();
    let (runs, _) = reader.kept_runs(Page { number: 0, size: u32::MAX })?;
    let mut found = Vec::new();
    for run in runs.into_iter().rev() {
        let KeptRun::Probe(probe) = run else { continue };
        let endpoints = endpoints(reader, &probe, &names);
        let Some(endpoints) = whole(|| format!("probe {}", probe.id), endpoints, missing)? else { continue };
        if !endpoints.is_empty() {
            let ProbeEntry { id, started_ms, tool_version, .. } = *probe;
            found.push(PackedProbe { id, started_at: instant(started_ms), tool_version, endpoints });
        }
    }
    Ok(found)
}

fn endpoints(
    reader: &StoreReader,
    probe: &ProbeEntry,
    names: &BTreeSet<String>,
) -> Result<Vec<serde_json::Value>, StoreError> {
    let mut found = Vec::new();
    for number in 0.. {
        let documents = reader.endpoints(&probe.id, Page { number, size: SIZE })?;
        if documents.is_empty() {
            break;
        }
        for document in documents {
            let endpoint = probe_json::read(&document).map_err(|error| StoreError::Corrupt(chain(&error)))?;
            if names.contains(&endpoint.host.trim_end_matches('.').to_ascii_lowercase()) {
                let value = probe_json::endpoint(&endpoint).map_err(|error| StoreError::Corrupt(error.to_string()))?;
                found.push(value);
            }
        }
    }
    Ok(found)
}
