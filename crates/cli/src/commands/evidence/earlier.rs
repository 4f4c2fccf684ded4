//! The looks of earlier audits that a pack rests on. What is counted is held; what is held no more counts no more, unless it is bad.

use super::packed_transcripts::{Whose, transcripts};
use super::readable::whole;
use crate::error::CliError;
use hostssl_evidence::{PackFile, PackedProbe};
use hostssl_formats::evidence_json::MissingPart;
use hostssl_model::{AuditReport, ServerReport, Standing};
use hostssl_store::{AuditEntry, Page, StoreReader};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Kept audits that are read at once.
const AT_ONCE: u32 = 200;

/// The looks of earlier audits.
#[derive(Default)]
pub(super) struct EarlierLooks {
    pub(super) audits: Vec<AuditReport>,
    /// What those exchanged, as far as that was kept.
    pub(super) transcripts: Vec<PackFile>,
}

/// The audits before this one that probed a server which counts by more than this audit saw, each with those servers alone, the newest
/// first. Servers without such evidence in the state, nor in a probe that is packed, stand as the audit saw them; what was seen
/// to accept plaintext counts on, and is noted as missing.
pub(super) fn earlier_looks(
    reader: &StoreReader,
    audit: &AuditEntry,
    report: &mut AuditReport,
    probes: &[PackedProbe],
    missing: &mut Vec<MissingPart>,
) -> Result<EarlierLooks, CliError> {
    // Of each, how old the oldest look is that counts.
    let mut wanted: BTreeMap<String, i64> = BTreeMap::new();
    for server in report.servers.iter().filter(|server| server.has_earlier_look()) {
        let since_ms = server.known.and_then(|known| known.probed_ms).unwrap_or(i64::MIN);
        wanted.insert(server.server.id.to_lowercase(), since_ms);
    }
    let mut found = EarlierLooks::default();
    let mut held = probed_alone(report, probes);
    for entry in audits_before(reader, audit, wanted.values().min().copied())? {
        let ended_ms = entry.finished_at.parse().map_or(i64::MAX, Timestamp::as_millisecond);
        let of_audit = || format!("the earlier audit {}", entry.id);
        let read = reader.check_documents(&entry).and_then(|()| reader.audit_report(&entry));
        let Some(mut earlier) = whole(of_audit, read, missing)? else { continue };
        let counts = |server: &ServerReport| {
            let since_ms = wanted.get(&server.server.id.to_lowercase());
            !server.wire.is_empty() && since_ms.is_some_and(|since_ms| *since_ms <= ended_ms.max(entry.started_ms))
        };
        earlier.servers.retain(counts);
        held.extend(earlier.servers.iter().map(|server| server.server.id.to_lowercase()));
        if !earlier.servers.is_empty() {
            found.transcripts.extend(transcripts(reader, &entry, &earlier, Whose::Earlier, missing)?);
            found.audits.push(earlier);
        }
    }
    forget_what_is_not_held(report, &held, missing);
    Ok(found)
}

/// The audits that were kept before this one, the newest first, and that may have a look as old as this.
fn audits_before(reader: &StoreReader, audit: &AuditEntry, since_ms: Option<i64>) -> Result<Vec<AuditEntry>, CliError> {
    let Some(since_ms) = since_ms else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for number in 0.. {
        let (audits, _) = reader.audits(Page { number, size: AT_ONCE })?;
        if audits.is_empty() {
            break;
        }
        for entry in audits.into_iter().filter(|entry| entry.is_before(audit) && entry.cloud == audit.cloud) {
            if reader.looked_at_the_wire(&entry)? && entry.started_ms >= since_ms.saturating_sub(DAY_MS) {
                found.push(entry);
            }
        }
    }
    Ok(found)
}

/// A look from a zone that an audit took in may be so much older or newer than the audit.
const DAY_MS: i64 = 86_400_000;

/// The servers of which a probe of their own is packed.
fn probed_alone(report: &AuditReport, probes: &[PackedProbe]) -> BTreeSet<String> {
    let hosts: BTreeSet<String> = probes
        .iter()
        .flat_map(|probe| &probe.endpoints)
        .filter_map(|endpoint| Some(endpoint["host"].as_str()?.trim_end_matches('.').to_ascii_lowercase()))
        .collect();
    let is_probed = |server: &&ServerReport| {
        server.server.fqdn.as_deref().is_some_and(|name| hosts.contains(&name.to_ascii_lowercase()))
    };
    report.servers.iter().filter(is_probed).map(|server| server.server.id.to_lowercase()).collect()
}

fn forget_what_is_not_held(report: &mut AuditReport, held: &BTreeSet<String>, missing: &mut Vec<MissingPart>) {
    let is_lost =
        |server: &&mut ServerReport| server.has_earlier_look() && !held.contains(&server.server.id.to_lowercase());
    for server in report.servers.iter_mut().filter(is_lost) {
        if server.known.is_some_and(|known| known.standing == Standing::AcceptsPlaintext) {
            missing.push(MissingPart {
                what: format!("the earlier probe of {}", server.server.id),
                why: "it found that plaintext is accepted, which still counts, and it is kept no more".to_owned(),
            });
        } else {
            server.known = None;
        }
    }
}
