//! A kept audit as the report that it was.

use super::column_codes::{Code as _, listed, outcome_from, unsigned};
use super::document::{self, ServerFacts, ServerJudgement};
use super::filter::condition;
use super::newer::NewerWords;
use super::outcomes::{plaintext_words, standing_outcome};
use super::rows::ServerSource;
use super::server_evidence::ServerEvidence;
use super::types::{AuditEntry, ControlTally, ServerFilter};
use crate::StoreError;
use hostssl_model::{
    AuditReport, AuditRun, ControlId, Enforcement, Gap, KnownStanding, Meaning, Outcome, Overlay, Parameter, Reading,
    ServerReport, SslEnforcement, Standing, Subscription, SubscriptionId, SubscriptionState, Summary, Word,
    WorstListener,
};
use rusqlite::{Connection, params_from_iter};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// The report of an audit as it was.
pub(crate) fn report(
    connection: &Connection,
    audit: &AuditEntry,
    filter: &ServerFilter,
) -> Result<AuditReport, StoreError> {
    let mut report = report_without_servers(connection, audit)?;
    let (servers, summary) = (&mut report.servers, &mut report.summary);
    let newer = each_server(connection, audit, filter, &mut |server| {
        summary.count(server.outcome);
        servers.push(server);
    })?;
    report.run.complete &= newer.gaps.is_empty();
    report.gaps.extend(newer.gaps);
    Ok(report)
}

/// What an audit was asked for, and where it looked.
pub(crate) fn report_without_servers(connection: &Connection, audit: &AuditEntry) -> Result<AuditReport, StoreError> {
    let run = AuditRun {
        id: audit.id.clone(),
        started_at: audit.started_at.clone(),
        finished_at: audit.finished_at.clone(),
        principals: audit.principals.clone(),
        cloud: audit.cloud.clone(),
        scope: audit.scope.clone(),
        profile: audit.profile.clone(),
        asked: audit.asked.clone(),
        tool_version: audit.tool_version.clone(),
        complete: audit.complete,
    };
    let overlay = Overlay { waived_then: Some(audit.waived.clone()), ..Overlay::default() };
    let (subscriptions, gaps) = (subscriptions(connection, audit)?, gaps(connection, audit)?);
    Ok(AuditReport { run, summary: Summary::default(), subscriptions, servers: Vec::new(), gaps, overlay })
}

/// Hands over the servers of an audit that pass the filter one by one, in the order of the report. Returns what of them this
/// version does not know.
pub(crate) fn each_server(
    connection: &Connection,
    audit: &AuditEntry,
    filter: &ServerFilter,
    take: &mut dyn FnMut(ServerReport),
) -> Result<NewerWords, StoreError> {
    let (condition, values) = condition(audit, filter);
    let source = ServerSource::of(audit);
    // Only the present has evidence of its own.
    let evidence = if audit.present.is_some() { "e.document" } else { "NULL" };
    let wire = if audit.present.is_some() { "o.wire" } else { "o.known_wire" };
    let joined = if audit.present.is_some() { " LEFT JOIN evidence e ON e.server = o.server" } else { "" };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT f.document, j.document, {evidence}, o.outcome, o.failing, o.standing, {wire}, o.probed_ms FROM {} JOIN servers s ON s.num = o.server \
         LEFT JOIN audit_subscriptions n ON n.audit = o.audit AND n.id = s.subscription \
         JOIN facts f ON f.num = o.facts JOIN judgements j ON j.num = o.judgement{joined} WHERE {condition} \
         ORDER BY lower(coalesce(n.name, '')), s.subscription, s.id",
        source.table,
    ))?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut newer = NewerWords::default();
    while let Some(row) = rows.next()? {
        let facts: ServerFacts = document::read(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
        let judgement: ServerJudgement = document::read(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
        newer.add(&facts, &judgement);
        let Some(mut report) = as_it_was(&facts, &judgement, &audit.started_at)? else {
            newer.servers += 1;
            continue;
        };
        if let Some(evidence) = row.get_ref(2)?.as_str_or_null().map_err(rusqlite::Error::from)? {
            bring_up_to_date(&mut report, ServerEvidence::read(evidence)?, outcome_from(row.get(3)?));
            keep_plaintext(&mut report, row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?);
        }
        let kept_wire: Option<String> = row.get(6)?;
        report.learn(KnownStanding {
            standing: Standing::from_code(row.get(5)?),
            // An earlier version did not keep it; then no more is known than was seen.
            wire: match kept_wire {
                Some(word) => WorstListener::from_code(&word),
                None => WorstListener::of(&report.wire),
            },
            probed_ms: row.get(7)?,
        });
        take(report);
    }
    Ok(newer)
}

/// Whether every server of an audit is still kept, and everything that is kept of them still has the SHA-256 under which it was kept.
pub(crate) fn check_documents(connection: &Connection, audit: &AuditEntry) -> Result<(), StoreError> {
    let count = "SELECT count(*) FROM observations WHERE audit = ?1";
    let kept: i64 = connection.query_row(count, [audit.num], |row| row.get(0))?;
    if u64::try_from(kept).ok() != Some(audit.summary.servers) {
        return Err(StoreError::Corrupt(format!(
            "{kept} of the {} servers of the audit are kept",
            audit.summary.servers
        )));
    }
    let tables = [("facts", "facts", "what was observed"), ("judgements", "judgement", "the result")];
    for (table, column, what) in tables {
        let mut statement = connection.prepare(&format!(
            "SELECT d.hash, d.document, min(s.spelled) FROM observations o JOIN {table} d ON d.num = o.{column} \
             JOIN servers s ON s.num = o.server WHERE o.audit = ?1 GROUP BY d.num"
        ))?;
        let mut rows = statement.query([audit.num])?;
        while let Some(row) = rows.next()? {
            let hash = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            let document = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            if Sha256::digest(document).as_slice() != hash {
                let server: String = row.get(2)?;
                return Err(StoreError::Corrupt(format!(
                    "{what} of {server} is not what was kept: its SHA-256 differs"
                )));
            }
        }
    }
    Ok(())
}

/// `None` for a server of a kind that this version does not know.
fn as_it_was(
    facts: &ServerFacts,
    judgement: &ServerJudgement,
    observed_at: &str,
) -> Result<Option<ServerReport>, StoreError> {
    let Some((posture, primary)) = facts.posture(observed_at)? else { return Ok(None) };
    Ok(Some(ServerReport {
        server: posture.server,
        ssl_enforcement: judgement.ssl_enforcement(),
        minimal_tls_version: judgement.minimal_tls_version(),
        outcome: document::outcome(&judgement.outcome),
        findings: judgement.findings.iter().filter_map(document::StoredFinding::finding).collect(),
        readings: posture.readings,
        wire: posture.wire,
        primary: primary.map(Box::new),
        known: None,
    }))
}

/// Puts the evidence of each kind that stands in place of what the newest audit saw or did not see.
fn bring_up_to_date(report: &mut ServerReport, known: ServerEvidence, outcome: Outcome) {
    let state = known.state;
    report.wire = state.wire();
    report.outcome = outcome;
    let Some(change) = state.changed.as_ref() else { return };
    if state.looked.as_ref().is_none_or(|look| look.source != change.source) {
        return;
    }
    // A run wrote the switch and read it back since that audit.
    let (declared, outcome) = match change.what.after {
        Enforcement::Enforced => (SslEnforcement::Enabled, Outcome::Pass),
        Enforcement::NotEnforced => (SslEnforcement::Disabled, Outcome::Fail),
        Enforcement::Unknown => return,
    };
    report.ssl_enforcement = declared;
    let meaning = Meaning::Enforced(declared == SslEnforcement::Enabled);
    for (name, reading) in report.readings.iter_mut().filter(|(name, _)| name.is_switch()) {
        if let Some(value) = name.spell(meaning) {
            *reading = Reading::Known(Parameter::in_effect(*name, value));
        }
    }
    for finding in report.findings.iter_mut().filter(|finding| finding.control == Enforcement::CONTROL) {
        finding.outcome = outcome;
        finding.observed = Some(format!("read back by run {}", change.source).into());
        finding.unchecked = None;
        if outcome == Outcome::Pass {
            finding.expected = None;
        }
    }
}

/// A look that did not reach every place does not end plaintext that was seen from another.
fn keep_plaintext(report: &mut ServerReport, failing: &str) {
    let refused = ControlId::PlaintextRefused;
    if !listed(failing).any(|control| control == refused.as_str()) {
        return;
    }
    let accepting = report.wire.iter().filter(|look| {
        matches!(WorstListener::from(&look.listener), WorstListener::Optional | WorstListener::PlaintextOnly)
    });
    let places = accepting.map(|look| (look.port, look.vantage.as_ref().map(|vantage| vantage.zone.to_string())));
    let seen = plaintext_words(places);
    let passes = |one: &&mut hostssl_model::Finding| one.control == refused && one.outcome != Outcome::Fail;
    for finding in report.findings.iter_mut().filter(passes) {
        (finding.outcome, finding.unchecked) = (Outcome::Fail, None);
        finding.observed = seen.clone().map(Into::into);
    }
}

pub(crate) fn subscriptions(connection: &Connection, audit: &AuditEntry) -> Result<Vec<Arc<Subscription>>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, tenant, state FROM audit_subscriptions WHERE audit = ?1 ORDER BY lower(name), id",
    )?;
    let rows = statement.query_map([audit.num], |row| {
        let text = |index| row.get::<_, String>(index);
        let state: Option<String> = row.get(3)?;
        Ok(Arc::new(Subscription {
            id: SubscriptionId::new(&text(0)?),
            name: text(1)?.into(),
            tenant: text(2)?.into(),
            state: state.map_or(SubscriptionState::Enabled, |word| SubscriptionState::Other(word.into())),
        }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn gaps(connection: &Connection, audit: &AuditEntry) -> Result<Vec<Gap>, StoreError> {
    let every = super::types::Page { number: 0, size: u32::MAX };
    let (gaps, _) = super::gaps::gaps(connection, audit, every)?;
    Ok(gaps.into_iter().map(|gap| Gap { scope: gap.scope, unchecked: gap.unchecked.to_unchecked() }).collect())
}

/// Judgements are few, however many servers there are: each is read once and counted.
pub(crate) fn control_tallies(
    connection: &Connection,
    audit: &AuditEntry,
) -> Result<Vec<(Word<ControlId>, ControlTally)>, StoreError> {
    let source = ServerSource::of(audit);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT j.document, c.servers, c.failing FROM (SELECT o.judgement, o.failing, count(*) AS servers FROM {} \
         WHERE {} GROUP BY o.judgement, o.failing) c JOIN judgements j ON j.num = c.judgement",
        source.table, source.condition,
    ))?;
    let mut rows = statement.query([source.value])?;
    let mut tallies: Vec<(Word<ControlId>, ControlTally)> = Vec::new();
    while let Some(row) = rows.next()? {
        let judgement: ServerJudgement = document::read(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
        let servers = unsigned(row.get(1)?);
        let failing: String = row.get(2)?;
        let judged = judgement.findings.iter().map(|finding| {
            let is_failing = listed(&failing).any(|one| one == finding.control);
            (finding.control.as_str(), standing_outcome(&finding.control, finding.outcome(), is_failing))
        });
        // What an earlier probe found failing still fails, whether or not it was asked for again.
        let is_judged = |control: &str| judgement.findings.iter().any(|finding| finding.control == control);
        let earlier = listed(&failing).filter(|control| !is_judged(control)).map(|control| (control, Outcome::Fail));
        for (control, outcome) in judged.chain(earlier) {
            let index = tallies.iter().position(|(one, _)| one.as_str() == control).unwrap_or_else(|| {
                tallies.push((Word::read(control), ControlTally::default()));
                tallies.len() - 1
            });
            let Some((_, tally)) = tallies.get_mut(index) else { continue };
            match outcome {
                Outcome::Pass => tally.pass += servers,
                Outcome::Fail => tally.fail += servers,
                Outcome::Unknown => tally.unknown += servers,
                Outcome::NotApplicable => tally.not_applicable += servers,
            }
        }
    }
    Ok(tallies)
}
