//! One server: all that is kept of it, and what audits said of it over time.

use super::column_codes::{Code as _, outcome_from, word};
use super::differences;
use super::document::{self, RunDocument, ServerFacts, ServerJudgement, StoredFinding};
use super::listener::StoredListener;
use super::newer;
use super::outcomes::{plaintext_words, standing_finding};
use super::rows::{ROW_COLUMNS, ServerSource, server_row};
use super::server_detail::ServerDetail;
use super::server_evidence::known;
use super::types::{AuditEntry, HistoryEntry, ServerRow};
use crate::StoreError;
use hostssl_model::{CurrentState, Enforcement, LookEnd, Standing, WorstListener};
use rusqlite::{Connection, OptionalExtension as _, params};

pub(crate) fn server(
    connection: &Connection,
    audit: &AuditEntry,
    key: &str,
) -> Result<Option<ServerDetail>, StoreError> {
    let source = ServerSource::of(audit);
    // The present of one server is there however old the audit is that saw it last.
    let condition = if audit.present.is_some() { "?1 = ?1" } else { source.condition };
    let sql = format!(
        "SELECT {}, f.document, j.document, o.server FROM {} JOIN facts f ON f.num = o.facts \
         JOIN judgements j ON j.num = o.judgement WHERE {condition} AND s.key = ?2",
        source.row(),
        source.tables(true),
    );
    let found = connection
        .prepare_cached(&sql)?
        .query_row(params![source.value, key], |row| {
            let text = |index| row.get::<_, String>(index);
            Ok((server_row(row)?, text(ROW_COLUMNS)?, text(ROW_COLUMNS + 1)?, row.get::<_, i64>(ROW_COLUMNS + 2)?))
        })
        .optional()?;
    let Some((row, facts, judgement, number)) = found else { return Ok(None) };
    let facts: ServerFacts = document::read(&facts)?;
    let judgement: ServerJudgement = document::read(&judgement)?;
    let evidence = match audit.present {
        Some(_) => Some(known(connection, number)?.state),
        None => None,
    };
    let probed = evidence.as_ref().and_then(|state| state.probe.as_ref());
    let findings = match &evidence {
        Some(state) => standing_findings(judgement.findings.clone(), &row, state),
        None => judgement.findings.clone(),
    };
    Ok(Some(ServerDetail {
        newer: newer::words(&facts, &judgement),
        probed_by: probed.map(|probe| probe.source.to_string()).filter(|id| *id != audit.id),
        wire: match probed {
            Some(_) => evidence.iter().flat_map(standing_listeners).collect(),
            None => facts.wire,
        },
        row,
        fqdn: facts.fqdn,
        tags: facts.tags,
        network: facts.network.map(|network| *network).unwrap_or_default(),
        role: facts.role,
        primary: facts.primary,
        readings: facts.readings,
        findings,
        evidence,
    }))
}

/// The findings of the newest audit with what is known beside it.
fn standing_findings(findings: Vec<StoredFinding>, row: &ServerRow, state: &CurrentState) -> Vec<StoredFinding> {
    let wire = state.wire();
    let accepting = wire.iter().filter(|look| {
        matches!(WorstListener::from(&look.listener), WorstListener::Optional | WorstListener::PlaintextOnly)
    });
    let places = accepting.map(|look| (look.port, look.vantage.as_ref().map(|vantage| vantage.zone.to_string())));
    let plaintext = plaintext_words(places);
    let run = row.changed.as_ref().map(|(_, run)| run.as_str());
    let now = |finding: StoredFinding| {
        let is_failing = row.failing.iter().any(|one| one.as_str() == finding.control);
        standing_finding(finding, is_failing, run, plaintext.as_deref())
    };
    findings.into_iter().map(now).collect()
}

/// The listeners of the newest probes that got an answer, and what got none beside them. What a probe saw before the
/// switch was turned is among them: its certificate and versions still tell.
fn standing_listeners(state: &CurrentState) -> Vec<StoredListener> {
    let wire = if state.probed_before_the_change() {
        let still = |end: &Option<(LookEnd, i64)>| matches!(end, Some((LookEnd::Switch, _)));
        state.looks().filter(|(_, _, end)| still(end)).map(|(look, ..)| look.clone()).collect()
    } else {
        state.wire()
    };
    wire.iter().map(StoredListener::from).collect()
}

pub(crate) fn history(connection: &Connection, key: &str, count: u32) -> Result<Vec<HistoryEntry>, StoreError> {
    // CROSS JOIN keeps the order: a look into each audit, not through all observations.
    let mut statement = connection.prepare_cached(
        "SELECT a.id, a.run, a.profile, o.state, o.outcome, o.enforcement, o.tls, o.reason, o.standing, f.document \
         FROM audits a CROSS JOIN observations o ON o.audit = a.num JOIN facts f ON f.num = o.facts \
         WHERE o.server = (SELECT num FROM servers WHERE key = ?1) ORDER BY a.started_ms DESC, a.num DESC LIMIT ?2",
    )?;
    let mut rows = statement.query(params![key, count])?;
    let mut found: Vec<HistoryEntry> = Vec::new();
    let mut documents: Vec<ServerFacts> = Vec::new();
    while let Some(row) = rows.next()? {
        let run: RunDocument = document::read(&row.get::<_, String>(1)?)?;
        let facts: ServerFacts = document::read(row.get_ref(9)?.as_str().map_err(rusqlite::Error::from)?)?;
        found.push(HistoryEntry {
            audit: row.get(0)?,
            started_at: run.started_at,
            profile: row.get(2)?,
            state: row.get(3)?,
            outcome: outcome_from(row.get(4)?),
            enforcement: Enforcement::from_code(row.get(5)?),
            minimal_tls: word(row, 6)?,
            reason: word(row, 7)?,
            standing: Standing::from_code(row.get(8)?),
            probed: !facts.wire.is_empty(),
            changes: Vec::new(),
        });
        documents.push(facts);
    }
    differences::note(&mut found, &documents);
    Ok(found)
}
