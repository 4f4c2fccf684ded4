//! Keeps an audit: one transaction, all or nothing.

use super::clock_set_back::{date_back, times_of};
use super::column_codes::{Code as _, outcome_code};
use super::current::{self, ServerObservation};
use super::document::{RunDocument, ServerFacts, ServerJudgement, StoredPrincipal, StoredScope};
use super::kept_documents::{json, keep_facts, keep_judgement};
use super::types::{AuditId, EnforcementTally};
use super::unlisted;
use crate::StoreError;
use crate::work_in_progress::forget_work;
use hostssl_model::{
    AuditReport, AuditRun, Enforcement, Floor, Reason, ResourceId, Scope, ServerReport, SslEnforcement,
    SubscriptionState, Word, WorstListener,
};
use rusqlite::{OptionalExtension as _, Transaction, params};

/// Keeps the report and returns the audit's id.
pub(crate) fn save(transaction: &Transaction<'_>, report: &AuditReport, now_ms: i64) -> Result<AuditId, StoreError> {
    let times = times_of(&report.run, now_ms);
    date_back(transaction, times)?;
    let started_ms = times.started_ms;
    let mut tally = EnforcementTally::default();
    report.servers.iter().for_each(|server| tally.add(Enforcement::of(server), 1));
    let audit = insert_audit(transaction, report, started_ms, tally)?;
    insert_subscriptions(transaction, audit, report)?;
    insert_gaps(transaction, audit, report)?;
    for server in &report.servers {
        insert_server(transaction, (audit, started_ms), &report.run, server)?;
    }
    current::finish(transaction, audit)?;
    unlisted::search(transaction)?;
    forget_work(transaction, &report.run.id)?;
    Ok(report.run.id.clone())
}

fn insert_audit(
    transaction: &Transaction<'_>,
    report: &AuditReport,
    started_ms: i64,
    tally: EnforcementTally,
) -> Result<i64, StoreError> {
    let run = &report.run;
    let Scope { tenants: _, management_groups, subscriptions, resource_groups, servers, tags, except } = &run.scope;
    let whole =
        [management_groups, subscriptions, resource_groups, servers, tags, except].iter().all(|names| names.is_empty());
    let ends_early = |reason| matches!(reason, Reason::Interrupted | Reason::Deadline);
    let stopped = report.gaps.iter().any(|gap| ends_early(gap.unchecked.reason));
    let stored = RunDocument {
        started_at: run.started_at.clone(),
        finished_at: run.finished_at.clone(),
        principals: run.principals.iter().map(principal).collect(),
        tool_version: run.tool_version.clone(),
        complete: run.complete,
        by_zones: run.asked.by_zones,
        waived: report.waived(),
    };
    let inserted = transaction.execute(
        "INSERT INTO audits (id, started_ms, cloud, scope, profile, run, whole, stopped, subscriptions, servers, pass, \
         fail, unknown, enforced, not_enforced, unseen, controls, expiry_days, by_graph) VALUES (?1, ?2, ?3, ?4, ?5, \
         ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19) ON CONFLICT (id) DO NOTHING",
        params![
            run.id,
            started_ms,
            run.cloud,
            json(&StoredScope::from(&run.scope))?,
            run.profile,
            json(&stored)?,
            whole,
            stopped,
            count(report.subscriptions.len() as u64),
            count(report.summary.servers),
            count(report.summary.pass),
            count(report.summary.fail),
            count(report.summary.unknown),
            count(tally.enforced),
            count(tally.not_enforced),
            count(tally.unknown),
            run.asked.only.iter().map(Word::as_str).collect::<Vec<_>>().join(","),
            run.asked.expiry_days,
            run.asked.by_graph,
        ],
    )?;
    if inserted == 0 {
        return Err(StoreError::AuditExists(run.id.clone()));
    }
    Ok(transaction.last_insert_rowid())
}

fn principal(principal: &hostssl_model::Principal) -> StoredPrincipal {
    StoredPrincipal {
        name: principal.name.clone(),
        object_id: principal.object_id.clone(),
        tenant: principal.tenant.clone(),
        method: principal.method.clone(),
    }
}

fn insert_subscriptions(transaction: &Transaction<'_>, audit: i64, report: &AuditReport) -> Result<(), StoreError> {
    let mut insert = transaction.prepare_cached(
        "INSERT OR IGNORE INTO audit_subscriptions (audit, id, name, tenant, state) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for one in &report.subscriptions {
        let state = match &one.state {
            SubscriptionState::Enabled => None,
            SubscriptionState::Other(word) => Some(word.to_string()),
        };
        insert.execute(params![audit, one.id.as_str(), &*one.name, &*one.tenant, state])?;
    }
    Ok(())
}

fn insert_gaps(transaction: &Transaction<'_>, audit: i64, report: &AuditReport) -> Result<(), StoreError> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO audit_gaps (audit, seq, scope, reason, permission, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (seq, gap) in (0_i64..).zip(&report.gaps) {
        let unchecked = &gap.unchecked;
        let permission = unchecked.missing_permission.as_deref();
        insert.execute(params![
            audit,
            seq,
            gap.scope.to_string(),
            unchecked.reason.as_str(),
            permission,
            &*unchecked.detail
        ])?;
    }
    Ok(())
}

fn insert_server(
    transaction: &Transaction<'_>,
    (audit, started_ms): (i64, i64),
    run: &AuditRun,
    report: &ServerReport,
) -> Result<(), StoreError> {
    let seen = ServerFacts::of(&report.posture(), report.primary.as_deref());
    let judged = ServerJudgement::of(report);
    let (facts, judgement) = (keep_facts(transaction, &seen)?, keep_judgement(transaction, &judged)?);
    let server = keep_server(transaction, report)?;
    let pending = seen.pending();
    let look = ServerObservation {
        server,
        audit,
        audit_id: &run.id,
        at_ms: started_ms,
        facts,
        judgement,
        outcome: report.outcome,
        enforcement: Enforcement::of(report),
        tls: report.minimal_tls_version.map_or("", Floor::as_azure),
        state: report.server.state.as_ref().map_or("", |state| state.as_str()),
        reason: judged.reason(),
        pending: &pending,
        findings: report.findings.iter().map(|finding| (finding.control.as_str(), finding.outcome)).collect(),
        wire: report.wire.clone(),
        is_declared: is_declared(run, report),
        by_zones: run.asked.by_zones,
        narrowed: run.asked.is_narrowed().then_some((&seen, &judged)),
    };
    unlisted::forget_predecessor(transaction, server, started_ms)?;
    let (known, since_ms) = current::fold(transaction, &look)?;
    unlisted::found(transaction, (server, audit))?;
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO observations (audit, server, facts, judgement, outcome, enforcement, tls, state, \
             reason, wire, since_ms, standing, pending, failing, known_wire, probed_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(params![
            audit,
            server,
            facts,
            judgement,
            outcome_code(report.outcome),
            look.enforcement.code(),
            look.tls,
            look.state,
            look.reason,
            WorstListener::of(&report.wire).map_or("", WorstListener::as_str),
            since_ms,
            known.standing.code(),
            pending,
            current::failing(look.findings.iter().copied()).join(","),
            known.wire.map_or("", WorstListener::as_str),
            known.probed_ms,
        ])?;
    transaction.prepare_cached("UPDATE servers SET last_audit = ?2 WHERE num = ?1")?.execute([server, audit])?;
    Ok(())
}

/// Whether it was asked whether the server enforces TLS: an audit of other controls alone may not have read the setting.
pub(super) fn is_declared(run: &AuditRun, report: &ServerReport) -> bool {
    let is_read = report.readings.iter().any(|(name, _)| name.is_switch());
    run.asked.asks_enforcement() || is_read || report.ssl_enforcement != SslEnforcement::Unknown
}

/// The row of a server.
fn keep_server(transaction: &Transaction<'_>, report: &ServerReport) -> Result<i64, StoreError> {
    let server = &report.server;
    let known = transaction
        .prepare_cached("SELECT num FROM servers WHERE id = ?1")?
        .query_row([server.id.to_lowercase()], |row| row.get::<_, i64>(0))
        .optional()?;
    let group = server.id.resource_group();
    if let Some(num) = known {
        let update = "UPDATE servers SET spelled = ?2, resource_group = ?3, kind = ?4, location = ?5 WHERE num = ?1 \
                      AND (spelled, resource_group, kind, location) IS NOT (?2, ?3, ?4, ?5)";
        let values = params![num, server.id.as_str(), group, server.kind.as_str(), &*server.location];
        transaction.prepare_cached(update)?.execute(values)?;
        return Ok(num);
    }
    transaction
        .prepare_cached(
            "INSERT INTO servers (id, key, spelled, name, resource_group, subscription, kind, location) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            server.id.to_lowercase(),
            server_key(&server.id),
            server.id.as_str(),
            server.name(),
            group,
            server.subscription().as_str(),
            server.kind.as_str(),
            &*server.location,
        ])?;
    Ok(transaction.last_insert_rowid())
}

/// The name of a server in addresses: 20 hexadecimal digits of the SHA-256 of its id in lower case.
#[must_use]
pub fn server_key(id: &ResourceId) -> String {
    id.key()
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
