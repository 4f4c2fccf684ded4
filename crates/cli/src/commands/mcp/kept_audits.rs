//! What the tools show of kept audits. Azure is not asked.

use super::tool_source::CallShared;
use crate::error::CliError;
use crate::keep::probed_plaintext;
use crate::simulated::kept_azure::named_scenario;
use crate::simulated::scenario_of;
use crate::state::find_run;
use hostssl_formats::safe;
use hostssl_mcp::{KeptQuestion, ToolAudit};
use hostssl_model::AuditReport;
use hostssl_ops::Vantages;
use hostssl_store::{AuditEntry, Page, StoreReader};
use jiff::{SignedDuration, Timestamp};

/// Kept audits that are read at once, in search of one.
const AT_ONCE: u32 = 200;
/// Servers that a warning names.
const NAMED: usize = 5;

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
                    CliError::usage(format!("run {run} is not an audit"), "`hostssl runs` lists the runs")
                })?;
                if !self.args.scope.holds(&audit.scope) {
                    let what = format!("audit {run} is of another scope than the one that the command line fixes");
                    return Err(CliError::usage(
                        what,
                        "call the tool `audit`, or look at it with `hostssl runs show latest`",
                    ));
                }
                Some((reader, audit))
            }
            None => self.newer(state.read_if_any(simulated)?, question)?,
        };
        let Some((reader, audit)) = found else { return Ok(None) };
        let scenario = scenario_of(&audit.cloud).map(ToOwned::to_owned);
        let report = reader.audit_report(&audit)?;
        let warnings = untold(&reader, &report)?;
        Ok(Some(ToolAudit { report, kept: true, scenario, warnings }))
    }

    /// The newest kept audit, if it is newer than asked.
    fn newer(
        &self,
        reader: Option<StoreReader>,
        question: &KeptQuestion,
    ) -> Result<Option<(StoreReader, AuditEntry)>, CliError> {
        let Some(reader) = reader else { return Ok(None) };
        let Some(audit) = self.newest(&reader, question.scenario.as_deref(), |_| true)? else { return Ok(None) };
        let is_newer = match &question.newer_than {
            None => true,
            Some(known) => match reader.audit(&known.run)? {
                Some(known) => known.is_before(&audit),
                None => audit.started_ms > known.began.as_millisecond(),
            },
        };
        Ok(is_newer.then_some((reader, audit)))
    }

    /// The newest kept audit of the scenario, or of the real Azure, that a call may see and that is wanted.
    pub(super) fn newest(
        &self,
        reader: &StoreReader,
        scenario: Option<&str>,
        is_wanted: impl Fn(&AuditEntry) -> bool,
    ) -> Result<Option<AuditEntry>, CliError> {
        let is = |audit: &AuditEntry| {
            scenario_of(&audit.cloud) == scenario && self.args.scope.holds(&audit.scope) && is_wanted(audit)
        };
        for number in 0.. {
            let (audits, _) = reader.audits(Page { number, size: AT_ONCE })?;
            if audits.is_empty() {
                break;
            }
            if let Some(audit) = audits.into_iter().find(is) {
                return Ok(Some(audit));
            }
        }
        Ok(None)
    }

    /// What the state knows worse than an audit that was just made. That it cannot be asked is a warning too.
    pub(super) fn known_worse(&self, report: &AuditReport, simulated: bool) -> Vec<String> {
        if simulated && self.args.keep.state.state.is_none() {
            return Vec::new();
        }
        let known = self.args.keep.state.read_if_any(simulated).and_then(|reader| {
            let mut warnings = reader.map_or_else(|| Ok(Vec::new()), |reader| untold(&reader, report))?;
            if report.servers.iter().all(|server| server.wire.is_empty()) {
                warnings.extend(probed_plaintext(report));
            }
            Ok(warnings)
        });
        known.unwrap_or_else(|error| {
            let what = "it is not known whether zones or earlier probes saw plaintext";
            vec![format!("{what}: {}", error.on_one_line())]
        })
    }
}

/// Which servers accepted plaintext from a zone that an audit has no look from.
fn untold(reader: &StoreReader, report: &AuditReport) -> Result<Vec<String>, CliError> {
    let known = reader.known_from_zones()?;
    let vantages = Vantages::new(None, Vec::new(), Timestamp::now(), SignedDuration::ZERO).with_state(known);
    let untold = vantages.untold(&report.servers);
    let Some(more) = untold.len().checked_sub(1).map(|_| untold.len().saturating_sub(NAMED)) else {
        return Ok(Vec::new());
    };
    let names = untold.iter().take(NAMED).map(|(server, look)| {
        let zone = look.vantage.as_ref().map_or("", |vantage| &*vantage.zone);
        format!("{} from zone {zone} at {}", safe(server.server.name()), look.observed_at)
    });
    let names = names.collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let what = "plaintext was accepted when a zone was probed last, and this audit has no look from there";
    Ok(vec![format!("{what}: {names}{more}")])
}
