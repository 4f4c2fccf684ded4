//! Plans and runs that are not for here and now, and identities that may not write: refused before the first write.

use super::case::{Case, id, patient, run, switch};
use hostssl_azure_sim::{Fault, FaultRule, FaultScope, Operation};
use hostssl_ops::RemediationError;
use hostssl_remediation::{Approved, ContextMismatch, ExecuteError, LoadedRun, NotApproved, Plan, StepStatus};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn planning_never_writes() {
    let case = Case::flexible(&["billing", "orders"]);
    case.simulation.inject(FaultRule::on_server(id("orders"), Fault::ReadOnlyLock)).unwrap();
    let plan = case.plan(switch()).await;
    assert_eq!(plan.steps().len(), 1);
    assert_eq!(plan.left_out()[0].reason.as_str(), "locked");
    let requests = case.requests();
    assert!(requests.writes.is_empty());
    assert!(requests.counts.keys().all(|key| key.method == "GET"), "{:?}", requests.counts);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_only_reads_plans_and_sends_no_write() {
    let mut case = Case::flexible(&["billing", "orders"]);
    case.tenant.arm = case.tenant.arm.only_reading().with_stop(tokio::sync::watch::channel(None).1);
    let plan = case.plan(switch()).await;
    assert_eq!(plan.steps().len(), 2);
    let report = case.apply(&plan).await;
    // A write that could not be sent is tried again until its time is over.
    assert!(report.steps.iter().all(|step| step.status == StepStatus::TimedOut), "{report:?}");
    assert!(report.steps[0].reason.as_deref().unwrap().contains("this client only reads"), "{report:?}");
    let requests = case.requests();
    assert!(requests.writes.is_empty());
    assert!(requests.counts.keys().all(|key| key.method == "GET"), "{:?}", requests.counts);
    assert_eq!((case.value("billing").as_str(), case.value("orders").as_str()), ("off", "off"));
}

#[tokio::test(start_paused = true)]
async fn locks_that_cannot_be_listed_are_told_and_a_lock_is_then_met_at_the_write() {
    let case = Case::flexible(&["orders"]);
    case.simulation.inject(FaultRule::on_server(id("orders"), Fault::ReadOnlyLock)).unwrap();
    let forbidden = FaultRule::new(FaultScope::Everywhere, Fault::Forbidden).during([Operation::ListLocks]);
    case.simulation.inject(forbidden).unwrap();
    let planned = case.planned(switch()).await;
    assert_eq!(planned.unseen[0].unchecked.missing_permission.as_deref(), Some("Microsoft.Authorization/locks/read"));
    assert!(planned.audit.run.complete);
    let report = case.apply(&planned.plan).await;
    assert_eq!(report.steps[0].status, StepStatus::Refused);
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_may_not_write_is_refused_before_the_first_write() {
    let case = Case::flexible(&["billing", "orders"]);
    let plan = case.plan(switch()).await;
    let writes = [Operation::UpdateServer, Operation::UpdateConfiguration];
    case.simulation.inject(FaultRule::on_server(id("orders"), Fault::Forbidden).during(writes)).unwrap();
    let Err(RemediationError::NotPermitted(missing)) = case.try_apply(&plan, patient()).await else {
        panic!("it may not write")
    };
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].to_string(), "orders needs Microsoft.DBforPostgreSQL/flexibleServers/configurations/write");
    assert!(case.requests().writes.is_empty());
    let read = LoadedRun::read(&case.journal, &run()).await;
    assert!(matches!(read, Err(ExecuteError::NoSuchRun(_))), "no run began");
}

#[tokio::test(start_paused = true)]
async fn where_azure_does_not_tell_the_permissions_the_write_is_refused_and_named() {
    let case = Case::flexible(&["orders"]);
    let plan = case.plan(switch()).await;
    let denied = [Operation::UpdateConfiguration, Operation::ListPermissions];
    case.simulation.inject(FaultRule::new(FaultScope::Everywhere, Fault::Forbidden).during(denied)).unwrap();
    let report = case.apply(&plan).await;
    assert_eq!(report.steps[0].status, StepStatus::Refused);
    let reason = report.steps[0].reason.as_deref().unwrap();
    assert!(
        reason.starts_with("permission Microsoft.DBforPostgreSQL/flexibleServers/configurations/write"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_plan_of_another_place_person_or_time_is_refused_before_anything_is_sent() {
    let case = Case::flexible(&["orders"]);
    let plan = case.plan(switch()).await;
    let before = case.requests().total();
    let mut other = Case::flexible(&["orders"]);
    other.tenant.principal.object_id = Some("someone-else".into());
    other.tenant.principal.tenant = Some("other-tenant".into());
    let Err(RemediationError::Mismatch(mismatches)) = other.try_apply(&plan, patient()).await else {
        panic!("not for here")
    };
    assert!(
        matches!(mismatches[..], [ContextMismatch::Tenant { .. }, ContextMismatch::Principal { .. }]),
        "{mismatches:?}"
    );
    let approved = Approved::new(plan.clone(), plan.hash().as_str()).unwrap();
    let old = case
        .with(patient(), async |remediation| remediation.apply(&approved, &run(), Duration::from_secs(1)).await)
        .await;
    assert!(matches!(old, Err(RemediationError::Mismatch(_))), "{old:?}");
    assert_eq!((case.requests().total(), other.requests().total()), (before, 0));
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_was_edited_or_cut_off_is_no_plan() {
    let case = Case::flexible(&["orders"]);
    let text = case.plan(switch()).await.to_json();
    assert!(Plan::parse(&text).is_ok());
    for edited in [
        text.replace("\"after\": \"on\"", "\"after\": \"off\""),
        text.replace("orders", "ledger"),
        text.replace("hostssl/plan/v1", "hostssl/plan/v2"),
        text[..text.len() / 2].to_owned(),
        String::new(),
    ] {
        assert!(Plan::parse(&edited).is_err(), "{edited}");
    }
    let other = Case::flexible(&["orders", "billing"]).plan(switch()).await;
    let approved = Approved::new(Plan::parse(&text).unwrap(), other.hash().as_str());
    assert!(matches!(approved, Err(NotApproved::OtherPlan { .. })));
}
