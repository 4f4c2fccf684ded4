//! Probers whose looks an audit counted and that are not believed any more.

use crate::args::StateArgs;
use hostssl_formats::safe;
use hostssl_model::AuditReport;
use hostssl_store::{StoreError, StoreReader, ZoneProbers};
use std::collections::BTreeSet;

/// The probers whose looks are in a report and that are not believed any more.
pub(crate) fn disowned_probers(
    report: &AuditReport,
    probers: impl FnOnce() -> Result<ZoneProbers, StoreError>,
) -> Result<Vec<String>, StoreError> {
    let looks = report.servers.iter().flat_map(|server| &server.wire);
    let used: BTreeSet<&str> = looks.filter_map(|look| look.vantage.as_ref()?.prober.as_deref()).collect();
    if used.is_empty() {
        return Ok(Vec::new());
    }
    let disowned = probers()?.probers.into_iter().filter(|one| one.revoked_ms.is_some() || one.is_suspended());
    Ok(disowned.map(|one| one.id).filter(|id| used.contains(id.as_str())).collect())
}

/// Says which probers stopped being believed while an audit counted what they saw. Returns whether any did.
pub(crate) fn print_disowned(report: &AuditReport, state: &StateArgs, simulated: bool) -> bool {
    let found = state
        .directory(simulated)
        .and_then(|directory| Ok(disowned_probers(report, || StoreReader::open(&directory)?.probers())?));
    // A state that cannot be read has no prober; where looks were counted, it was read before.
    let disowned = found.unwrap_or_default();
    for prober in &disowned {
        stderr!(
            "warning: prober {} was revoked or suspended meanwhile: what this audit passed by its looks is not known",
            safe(prober)
        );
    }
    !disowned.is_empty()
}
