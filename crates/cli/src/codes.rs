//! Every stable code in one list: programs and kept states rely on each of them. A code is added, and never changed.

use crate::exit::Exit;
use hostssl_census::CensusVerdict;
use hostssl_explain::Cause;
use hostssl_iac::{IacEffect, IacFormat, IacGapKind, IacReason, IacRule, IacServerChange, LiveDifference};
use hostssl_model::{
    Confidence, ControlId, DoctorCheckId, DoctorStatus, Enforcement, Kind, Outcome, ParameterName, Reason,
    ReplicationRole, Severity, SslEnforcement, Standing, WireTransport, WorstListener,
};
use hostssl_probe::report::{Weakness, WireVerdict};
use hostssl_remediation::{Direction, Disposition, FixableControl, LeftOutReason, LintCode, RunPhase, StepStatus};
use hostssl_store::OrderAct;
use std::fmt::Write as _;

#[test]
fn every_stable_code() {
    let mut list = String::new();
    let mut add = |title: &str, codes: &[&str]| {
        let mut once = codes.to_vec();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), codes.len(), "{title}: two variants share a code");
        writeln!(list, "{title}\n  {}", codes.join("\n  ")).unwrap();
    };
    add("controls", &ControlId::ALL.map(ControlId::as_str));
    add("outcomes", &Outcome::ALL.map(Outcome::as_str));
    add("severities", &Severity::ALL.map(Severity::as_str));
    add("confidences", &Confidence::ALL.map(Confidence::as_str));
    add("reasons", &Reason::ALL.map(Reason::as_str));
    add("kinds of servers", &Kind::ALL.map(Kind::as_str));
    add("parts in replication", &ReplicationRole::ALL.map(ReplicationRole::as_str));
    add("settings", &ParameterName::ALL.map(ParameterName::key));
    add("declared enforcement", &SslEnforcement::ALL.map(SslEnforcement::as_str));
    add("enforcement", &Enforcement::ALL.map(Enforcement::as_str));
    add("standings", &Standing::ALL.map(Standing::as_str));
    add("transports", &WireTransport::ALL.map(WireTransport::as_str));
    add("worst listeners", &WorstListener::ALL.map(WorstListener::as_str));
    add(
        "verdicts on clients",
        &[CensusVerdict::Breaks, CensusVerdict::NeedsObservation, CensusVerdict::Safe].map(CensusVerdict::as_str),
    );
    add("fixable controls", &FixableControl::ALL.map(FixableControl::as_str));
    add("dispositions", &Disposition::ALL.map(Disposition::as_str));
    add("left-out reasons", &LeftOutReason::ALL.map(LeftOutReason::as_str));
    add("lint codes", &LintCode::ALL.map(LintCode::as_str));
    add("orders", &OrderAct::ALL.map(OrderAct::as_str));
    add("rules of infrastructure as code", &[IacRule::ResetRefusesClients.as_str()]);
    add("formats of infrastructure as code", &IacFormat::ALL.map(IacFormat::as_str));
    add("changes of servers in files", &IacServerChange::ALL.map(IacServerChange::as_str));
    add("effects of files on settings", &IacEffect::ALL.map(IacEffect::as_str));
    add("reasons of files", &IacReason::ALL.map(IacReason::as_str));
    add("gaps of files", &IacGapKind::ALL.map(IacGapKind::as_str));
    add("differences of files and servers", &LiveDifference::ALL.map(LiveDifference::as_str));
    add("checks of doctor", &DoctorCheckId::ALL.map(DoctorCheckId::as_str));
    add("statuses of checks", &DoctorStatus::ALL.map(DoctorStatus::as_str));
    add("verdicts of probes", &WireVerdict::ALL.map(WireVerdict::as_str));
    add("weaknesses", &Weakness::ALL.map(Weakness::as_str));
    add("causes of messages", &Cause::ALL.map(Cause::as_str));
    add("directions of steps", &Direction::ALL.map(Direction::as_str));
    add("phases of runs", &RunPhase::ALL.map(RunPhase::as_str));
    add("statuses of steps", &StepStatus::ALL.map(StepStatus::as_str));
    let exits = [
        Exit::AllPass,
        Exit::Failed,
        Exit::Usage,
        Exit::Findings,
        Exit::Incomplete,
        Exit::Stuck,
        Exit::Interrupted,
        Exit::ReaderGone,
    ];
    let exits = exits.map(|exit| format!("{} {exit:?}", exit.code()));
    add("exit codes", &exits.each_ref().map(String::as_str));
    insta::assert_snapshot!(list);
}
