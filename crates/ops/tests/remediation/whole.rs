//! The whole way there and back, for both generations.

use super::case::{Case, both, floor, id, switch};
use crate::common::SUBSCRIPTION;
use hostssl_azure_sim::{Kind, Server};
use hostssl_model::TlsVersion;
use hostssl_remediation::{Disposition, FixableControl, Goal, LeftOutReason, Plan, RunOutcome, StepStatus};

/// As the simulator calls them.
const PARAMETERS: [&str; 6] = [
    "require_secure_transport",
    "ssl_min_protocol_version",
    "sslEnforcement",
    "minimalTlsVersion",
    "coordinator:ssl_min_protocol_version",
    "node:ssl_min_protocol_version",
];

/// What someone would read of these servers in the portal.
fn fleet(case: &Case) -> Vec<String> {
    let mut values = Vec::new();
    for server in case.simulation.server_ids() {
        for name in PARAMETERS {
            if let Ok(value) = case.simulation.parameter(&server, name) {
                values.push(format!("{server} {name} {value}"));
            }
        }
    }
    values
}

#[tokio::test(start_paused = true)]
async fn apply_then_plan_is_empty_and_undo_restores_the_fleet() {
    let kinds = [(Kind::Flexible, "orders"), (Kind::Single, "old"), (Kind::Cosmos, "cluster"), (Kind::Flexible, "b")];
    let case = Case::new(kinds.iter().map(|(kind, name)| Server::new(*kind, "rg", *name)).collect());
    let single =
        format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/servers/old");
    case.simulation.set_parameter(&id("orders"), "require_secure_transport", "off").unwrap();
    case.simulation.set_parameter(&single, "sslEnforcement", "Disabled").unwrap();
    case.simulation.set_parameter(&single, "minimalTlsVersion", "TLSEnforcementDisabled").unwrap();
    for (goal, steps) in [(both(TlsVersion::Tls1_2), 3), (both(TlsVersion::Tls1_3), 6)] {
        let case = case.fresh();
        let (before, sent) = (fleet(&case), case.requests().writes.len());
        let plan = case.plan(goal.clone()).await;
        assert_eq!(plan.steps().len(), steps, "{:?}", plan.steps());
        let report = case.apply(&plan).await;
        assert_eq!((report.outcome, report.summary.applied as usize), (RunOutcome::Done, steps), "{report:?}");
        assert!(case.plan(goal).await.is_empty(), "nothing is left to do");
        assert_ne!(fleet(&case), before);
        let undone = case.undo().await;
        assert_eq!((undone.outcome, undone.summary.undone as usize), (RunOutcome::Done, steps), "{undone:?}");
        assert_eq!(fleet(&case), before);
        assert_eq!(case.requests().writes.len() - sent, 2 * steps, "as many there as back");
    }
}

#[tokio::test(start_paused = true)]
async fn a_floor_that_azure_offers_no_more_cannot_be_put_back_and_the_plan_says_so() {
    let case = Case::flexible(&["orders"]);
    case.simulation.set_parameter(&id("orders"), "ssl_min_protocol_version", "TLSv1").unwrap();
    let plan = case.plan(floor(TlsVersion::Tls1_2)).await;
    assert!(plan.steps()[0].why.as_str().contains("Azure no longer offers TLSv1, so undo cannot restore it"));
    case.apply(&plan).await;
    let undone = case.undo().await;
    assert_eq!(undone.outcome, RunOutcome::Stuck);
}

#[tokio::test(start_paused = true)]
async fn undo_leaves_alone_what_someone_changed_since() {
    let case = Case::flexible(&["billing", "orders"]);
    let plan = case.plan(switch()).await;
    case.apply(&plan).await;
    case.simulation.set_parameter(&id("orders"), "require_secure_transport", "off").unwrap();
    let undone = case.undo().await;
    assert_eq!(undone.summary.undone, 2, "one was back already: {undone:?}");
    assert_eq!(case.requests().writes_to(&id("orders")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_may_still_come_through_is_not_undone_before_a_day_has_passed() {
    use hostssl_azure_sim::{Fault, FaultRule};
    let case = Case::flexible(&["orders"]);
    let plan = case.plan(switch()).await;
    let never = Fault::OperationTakes { duration: std::time::Duration::from_hours(2) };
    case.simulation.inject(FaultRule::on_server(id("orders"), never)).unwrap();
    let report = case.apply(&plan).await;
    assert_eq!(report.steps[0].status, StepStatus::TimedOut);
    let undone = case.undo().await;
    assert_eq!((undone.outcome, undone.steps[0].status), (RunOutcome::Stuck, StepStatus::Stuck), "{undone:?}");
    // It does come through, and is then put back.
    tokio::time::sleep(std::time::Duration::from_hours(3)).await;
    assert_eq!(case.value("orders"), "on");
    case.simulation.clear_faults();
    let undone = case.undo().await;
    assert_eq!((undone.outcome, case.value("orders").as_str()), (RunOutcome::Done, "off"), "{undone:?}");
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_fails_is_stuck_and_may_be_tried_again() {
    use hostssl_azure_sim::{Fault, FaultRule};
    let case = Case::flexible(&["billing", "orders"]);
    let plan = case.plan(switch()).await;
    case.apply(&plan).await;
    case.simulation.inject(FaultRule::on_server(id("orders"), Fault::ReadOnlyLock)).unwrap();
    let undone = case.undo().await;
    assert_eq!((undone.outcome, undone.summary.stuck, undone.summary.undone), (RunOutcome::Stuck, 1, 1));
    case.simulation.clear_faults();
    let again = case.undo().await;
    assert_eq!((again.outcome, again.summary.undone), (RunOutcome::Done, 2));
    assert_eq!(again.steps.iter().filter(|step| step.status == StepStatus::Undone).count(), 2);
    assert_eq!(case.value("orders"), "off");
}

#[tokio::test(start_paused = true)]
async fn logs_are_made_available_and_undo_takes_that_back() {
    let kinds = [(Kind::Flexible, "off"), (Kind::Flexible, "short"), (Kind::Flexible, "right"), (Kind::Single, "old")];
    let case = Case::new(kinds.iter().map(|(kind, name)| Server::new(*kind, "rg", *name)).collect());
    let set = |name: &str, parameter: &str, value: &str| {
        case.simulation.set_parameter(&id(name), parameter, value).unwrap();
    };
    for (name, days) in [("short", "5"), ("right", "7")] {
        set(name, "logfiles.download_enable", "ON");
        set(name, "logfiles.retention_days", days);
    }
    let goal = || Goal::Fix { controls: vec![FixableControl::LogDownload], minimum_tls: TlsVersion::Tls1_2 };
    let plan = case.plan(goal()).await;
    let steps: Vec<_> =
        plan.steps().iter().map(|s| (s.server.name(), s.parameter.key(), &*s.before, &*s.after)).collect();
    assert_eq!(
        steps,
        [
            ("off", "logfiles.download_enable", "off", "on"),
            ("off", "logfiles.retention_days", "3", "7"),
            ("short", "logfiles.retention_days", "5", "7"),
        ]
    );
    assert!(plan.steps().iter().all(|step| step.disposition == Disposition::OnlineSafe && step.clients.is_none()));
    let left: Vec<_> = plan.left_out().iter().map(|one| (one.server.name(), one.reason)).collect();
    assert_eq!(left, [("right", LeftOutReason::AlreadyRight), ("old", LeftOutReason::NotSupported)]);
    assert_eq!(Plan::parse(&plan.to_json()).unwrap(), plan);
    let report = case.apply(&plan).await;
    assert_eq!((report.outcome, report.summary.applied), (RunOutcome::Done, 3), "{report:?}");
    assert!(case.plan(goal()).await.is_empty(), "nothing is left to do");
    let undone = case.undo().await;
    assert_eq!((undone.outcome, undone.summary.undone), (RunOutcome::Done, 3), "{undone:?}");
    let now = |name| case.simulation.parameter(&id(name), "logfiles.retention_days").unwrap();
    assert_eq!((now("off"), now("short"), now("right")), ("3".into(), "5".into(), "7".into()));
}
