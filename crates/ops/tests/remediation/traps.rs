//! Each of the simulator's traps has its right ending.

use super::case::{Case, both, floor, id, patient, run, step, switch};
use crate::common::{limits, tenant_through};
use azure_core::http::request::Request;
use azure_core::http::{AsyncRawResponse, HttpClient, Method};
use hostssl_azure_sim::{Fault, FaultRule, Kind as SimKind, Operation, Server, ServerState, SimTransport};
use hostssl_model::TlsVersion;
use hostssl_ops::Remediation;
use hostssl_remediation::{
    Approved, ExecutionEvent, ExecutorOptions, JournalEvent, JournalRecord, LoadedRun, OnResume, RunOutcome, StepEvent,
    StepStatus,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const WRITE: [Operation; 1] = [Operation::UpdateConfiguration];
const POLLS: [Operation; 2] = [Operation::PollOperation, Operation::GetOperationResult];

/// What a trap should come to: the status, a part of the reason, how many writes were sent, and the value at the end.
struct Ending {
    status: StepStatus,
    reason: &'static str,
    writes: usize,
    value: &'static str,
}

const APPLIED: Ending = Ending { status: StepStatus::Applied, reason: "", writes: 1, value: "on" };

fn traps() -> Vec<(&'static str, FaultRule, Ending)> {
    let on = |fault| FaultRule::on_server(id("orders"), fault);
    let refused = |reason| Ending { status: StepStatus::Refused, reason, writes: 1, value: "off" };
    let fails = |code: &str| Fault::OperationFails { code: code.into(), message: "it is not ready".into() };
    vec![
        ("nothing", on(Fault::DeleteLock), APPLIED),
        (
            "operation fails with HTTP 200",
            on(fails("ServerIsNotReady")),
            Ending { status: StepStatus::Failed, reason: "ServerIsNotReady", writes: 1, value: "off" },
        ),
        (
            "operation succeeds and nothing changed",
            on(Fault::OperationIgnored),
            Ending { status: StepStatus::Failed, reason: "off", writes: 1, value: "off" },
        ),
        ("takes long", on(Fault::OperationTakes { duration: Duration::from_mins(5) }), APPLIED),
        (
            "never ends",
            on(Fault::OperationTakes { duration: Duration::from_hours(24) }),
            Ending { status: StepStatus::TimedOut, reason: "", writes: 1, value: "off" },
        ),
        ("locked", on(Fault::ReadOnlyLock), refused("lock")),
        ("denied by policy", on(Fault::PolicyDenied), refused("Simulated deny policy")),
        ("busy twice", on(Fault::Busy).times(2), Ending { writes: 3, ..APPLIED }),
        ("403 on the poll", on(Fault::Forbidden).during(POLLS), APPLIED),
        ("404 on the poll", on(Fault::Vanished).during(POLLS), APPLIED),
        ("polls unavailable", on(Fault::Unavailable { status: 503 }).during(POLLS), APPLIED),
        ("a word of its own", on(Fault::UnknownStatus { word: "Restarting".into() }), APPLIED),
        (
            "stops meanwhile",
            on(Fault::StopsMeanwhile),
            Ending { status: StepStatus::TimedOut, reason: "ServerIsNotReady", writes: 1, value: "off" },
        ),
        (
            "429 on the write",
            on(Fault::Throttled { retry_after: Some(7) }).during(WRITE).times(2),
            Ending { writes: 3, ..APPLIED },
        ),
        ("token expires", on(Fault::TokenRejected).during(WRITE).times(1), Ending { writes: 2, ..APPLIED }),
        ("reset after it was accepted", on(Fault::ResetAfterAccept).times(1), APPLIED),
        (
            "unavailable before it was accepted",
            on(Fault::Unavailable { status: 503 }).during(WRITE).times(1),
            Ending { writes: 2, ..APPLIED },
        ),
        (
            "no connection for the write",
            on(Fault::ConnectionRefused).during(WRITE).times(2),
            Ending { writes: 3, ..APPLIED },
        ),
        (
            "a page of a captive portal instead of an answer",
            on(Fault::Html { status: 200 }).during(WRITE).times(1),
            Ending { writes: 2, ..APPLIED },
        ),
        ("done at once", on(Fault::Immediate), APPLIED),
        (
            "reads fail for a while",
            on(Fault::Unavailable { status: 503 }).during([Operation::GetConfiguration]).times(9),
            APPLIED,
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_trap_has_its_ending() {
    for (name, rule, ending) in traps() {
        let case = Case::flexible(&["billing", "orders"]);
        let plan = case.plan(switch()).await;
        assert_eq!(plan.steps().len(), 2, "{name}");
        case.simulation.inject(rule).unwrap();
        let report = case.apply(&plan).await;
        let line = step(&report, "orders");
        assert_eq!(line.status, ending.status, "{name}: {line:?}");
        assert!(line.reason.as_deref().unwrap_or_default().contains(ending.reason), "{name}: {line:?}");
        let requests = case.requests();
        assert_eq!(requests.writes_to(&id("orders")).count(), ending.writes, "{name}: {:?}", requests.writes);
        assert_eq!(case.value("orders"), ending.value, "{name}");
        // Whatever happens to one server, the other one is done.
        assert_eq!(step(&report, "billing").status, StepStatus::Applied, "{name}");
        // What was accepted has the id that Microsoft's support asks for.
        let accepted = line.status == StepStatus::Applied && name != "reset after it was accepted";
        assert!(!accepted || line.request_id.is_some(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_busy_for_ever_ends_as_timed_out_and_unwritten() {
    let case = Case::flexible(&["orders"]);
    let plan = case.plan(switch()).await;
    case.simulation.inject(FaultRule::on_server(id("orders"), Fault::Busy)).unwrap();
    let report = case.apply(&plan).await;
    assert_eq!(report.steps[0].status, StepStatus::TimedOut);
    assert!(report.steps[0].reason.as_deref().unwrap().starts_with("the server is busy with another operation"));
    assert_eq!((report.outcome, case.value("orders").as_str()), (RunOutcome::Failed, "off"));
    assert!(case.requests().writes.iter().all(|write| write.status == 409));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_stopped_between_plan_and_apply_is_refused_unwritten() {
    let case = Case::flexible(&["orders"]);
    let plan = case.plan(switch()).await;
    case.simulation.set_state(&id("orders"), ServerState::Stopped).unwrap();
    let report = case.apply(&plan).await;
    assert_eq!(report.steps[0].status, StepStatus::Refused);
    assert!(report.steps[0].reason.as_deref().unwrap().starts_with("stopped"));
    assert!(case.requests().writes.is_empty());
}

/// While Azure works on a server it says that it is stopped when its settings are read; it is waited for all the same.
#[tokio::test(start_paused = true)]
async fn a_server_that_is_updating_for_a_while_is_waited_for_and_then_changed() {
    let case = Case::flexible(&["billing", "orders"]);
    let plan = case.plan(switch()).await;
    case.simulation.set_state(&id("orders"), ServerState::Updating).unwrap();
    let ready_again = async {
        tokio::time::sleep(Duration::from_mins(3)).await;
        assert!(case.requests().writes_to(&id("orders")).next().is_none(), "nothing is written meanwhile");
        case.simulation.set_state(&id("orders"), ServerState::Ready).unwrap();
    };
    let (report, ()) = tokio::join!(case.apply(&plan), ready_again);
    assert_eq!(report.outcome, RunOutcome::Done, "{report:?}");
    assert_eq!(case.requests().writes_to(&id("orders")).count(), 1);
    assert_eq!((case.value("orders").as_str(), case.value("billing").as_str()), ("on", "on"));

    // Not for ever.
    let case = Case::flexible(&["orders"]);
    let plan = case.plan(switch()).await;
    case.simulation.set_state(&id("orders"), ServerState::Updating).unwrap();
    let report = case.apply(&plan).await;
    assert_eq!(report.outcome, RunOutcome::Failed, "{report:?}");
    assert!(case.requests().writes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn whatever_keeps_the_second_look_from_a_value_is_in_the_report_until_a_resume_reads_it() {
    for (fault, words) in [
        (Fault::Forbidden, "403"),
        (Fault::Vanished, "404"),
        (Fault::Unavailable { status: 500 }, "500"),
        (Fault::InternalError, "500"),
    ] {
        let case = Case::flexible(&["billing", "orders"]);
        let plan = case.plan(switch()).await;
        let approved = Approved::new(plan.clone(), plan.hash().as_str()).unwrap();
        let blind = |event: &ExecutionEvent<'_>| {
            if let ExecutionEvent::Recorded(JournalRecord {
                event: JournalEvent::Step { step: 2, act: StepEvent::Ended { .. }, .. },
                ..
            }) = event
            {
                let rule = FaultRule::on_server(plan.steps()[1].server.to_string(), fault.clone());
                case.simulation.inject(rule).unwrap();
            }
        };
        let report = case
            .with(patient(), async |remediation| {
                let events = &blind;
                let stop = remediation.stop.clone();
                let remediation = Remediation { events, stop, ..*remediation };
                remediation.apply(&approved, &run(), Duration::MAX).await
            })
            .await
            .unwrap();
        let line = &report.steps[1];
        assert_eq!((line.status, line.not_read_again), (StepStatus::Applied, true), "{fault:?}: {line:?}");
        let reason = line.reason.as_deref().unwrap();
        assert!(reason.starts_with("not read again: ") && reason.contains(words), "{fault:?}: {reason}");
        assert_eq!((report.outcome, report.summary.not_read_again), (RunOutcome::Incomplete, 1));
        case.simulation.clear_faults();
        let read = case
            .with(patient(), async |remediation| {
                let loaded = LoadedRun::read(remediation.journal, &run()).await.unwrap();
                remediation.resume(loaded, OnResume::SettleOnly, &[]).await
            })
            .await
            .unwrap();
        assert_eq!((read.outcome, read.summary.not_read_again), (RunOutcome::Done, 0), "{fault:?}");
    }
}

/// Answers about one server with what another one says, as a broken cache in between does.
#[derive(Debug)]
struct MixedUp(SimTransport);

#[async_trait::async_trait]
impl HttpClient for MixedUp {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let mut request = request.clone();
        let path = request.url().path().replace("/orders/configurations/", "/billing/configurations/");
        if request.method() == Method::Get {
            request.url_mut().set_path(&path);
        }
        self.0.execute_request(&request).await
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_server_says_is_not_believed() {
    let mut case = Case::flexible(&["billing", "orders"]);
    let plan = case.plan(switch()).await;
    // The other one says what the plan wants.
    case.simulation.set_parameter(&id("billing"), "require_secure_transport", "on").unwrap();
    let transport = Arc::new(MixedUp(SimTransport::new(&case.simulation)));
    case.tenant = tenant_through(&case.simulation, transport, limits(), watch::channel(None).1);
    let report = case.apply(&plan).await;
    let line = step(&report, "orders");
    assert_eq!(line.status, StepStatus::Failed, "{line:?}");
    assert!(line.reason.as_deref().unwrap().contains("another"), "{line:?}");
    assert_eq!(step(&report, "billing").status, StepStatus::Already);
    assert!(case.requests().writes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_someone_else_changed_between_plan_and_apply_is_left_alone() {
    let case = Case::flexible(&["billing", "orders"]);
    let plan = case.plan(both(TlsVersion::Tls1_2)).await;
    case.simulation.set_parameter(&id("orders"), "require_secure_transport", "on").unwrap();
    let report = case.apply(&plan).await;
    assert_eq!(step(&report, "orders").status, StepStatus::Already);
    assert_eq!(case.requests().writes_to(&id("orders")).count(), 0);

    let floors = Case::flexible(&["orders"]);
    floors.simulation.set_parameter(&id("orders"), "require_secure_transport", "on").unwrap();
    floors.simulation.set_parameter(&id("orders"), "ssl_min_protocol_version", "TLSv1").unwrap();
    let plan = floors.plan(floor(TlsVersion::Tls1_2)).await;
    assert_eq!(plan.steps().len(), 1);
    floors.simulation.set_parameter(&id("orders"), "ssl_min_protocol_version", "TLSv1.3").unwrap();
    let report = floors.apply(&plan).await;
    assert_eq!(report.steps[0].status, StepStatus::ChangedSincePlan, "{:?}", report.steps);
    assert!(floors.requests().writes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expires_in_the_middle_is_renewed() {
    let mut scenario = crate::common::scenario(vec![Server::new(SimKind::Flexible, "rg", "orders")]);
    scenario.token_lifetime = Duration::from_secs(310);
    scenario.writes.duration = Duration::from_secs(600);
    let case = Case::of(scenario);
    case.simulation.set_parameter(&id("orders"), "require_secure_transport", "off").unwrap();
    let plan = case.plan(switch()).await;
    let report = case.apply(&plan).await;
    assert_eq!(report.steps[0].status, StepStatus::Applied, "{:?}", report.steps);
    assert_eq!(case.requests().writes.len(), 1);
}

/// Azure asks to wait for an hour: whoever interrupts does not wait, and nothing is written down as sent that was refused.
#[tokio::test(start_paused = true)]
async fn a_refusal_for_an_hour_keeps_nobody() {
    let writes: &[Operation] = &WRITE;
    for (during, retry_after) in [(writes, 3600), (&[Operation::GetConfiguration], 3600), (&POLLS, 800), (writes, 400)]
    {
        let case = Case::flexible(&["billing", "orders"]);
        let plan = case.plan(switch()).await;
        let throttled = Fault::Throttled { retry_after: Some(retry_after) };
        case.simulation.inject(FaultRule::on_server(id("orders"), throttled).during(during.to_vec()).times(1)).unwrap();
        let (report, took) = case.apply_until(&plan, Duration::from_secs(60)).await;
        assert!(took <= Duration::from_secs(31), "{during:?}: {took:?}");
        let line = step(&report, "orders");
        // A wait that is longer than the whole patience is not begun.
        let refused = during == writes && retry_after == 3600;
        assert_eq!(line.status == StepStatus::TimedOut && !line.open, refused, "{during:?}: {line:?}");
        let stored = hostssl_remediation::Journal::load(&case.journal, &run()).await.unwrap();
        let open = stored.load().unwrap().state.steps().iter().filter(|step| step.apply.is_open()).count();
        assert_eq!(open, usize::from(during == POLLS), "{during:?}");
    }
}

/// Every byte of a write that was not sent is known not to have been: no wait for what may still show.
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_refused_is_no_lost_answer() {
    let case = Case::flexible(&["orders"]);
    let plan = case.plan(switch()).await;
    case.simulation
        .inject(FaultRule::on_server(id("orders"), Fault::ConnectionRefused).during(WRITE).times(3))
        .unwrap();
    let began = hostssl_remediation::Clock::elapsed(&case.clock);
    let report = case.apply(&plan).await;
    let took = hostssl_remediation::Clock::elapsed(&case.clock) - began;
    assert_eq!(report.steps[0].status, StepStatus::Applied);
    assert!(took < Duration::from_secs(60), "{took:?}");
}

/// A policy or another tool sets the value again, two seconds after the operation ended.
#[tokio::test(start_paused = true)]
async fn a_value_that_goes_back_after_two_seconds_is_seen_before_the_report() {
    let back = || Fault::GoesBack { after: Duration::from_secs(2) };
    // In an earlier wave, by the last look.
    let case = Case::flexible(&["billing", "orders"]);
    let plan = case.plan(switch()).await;
    case.simulation.inject(FaultRule::on_server(id("billing"), back())).unwrap();
    let report = case.apply(&plan).await;
    assert_eq!(step(&report, "billing").status, StepStatus::Failed, "{report:?}");
    assert_eq!((step(&report, "orders").status, report.outcome), (StepStatus::Applied, RunOutcome::Failed));
    // In the last one, when there is a soak.
    let case = Case::flexible(&["billing", "orders"]);
    let plan = case.plan(switch()).await;
    case.simulation.inject(FaultRule::on_server(id("orders"), back())).unwrap();
    let options = ExecutorOptions { soak: Duration::from_secs(3), ..patient() };
    let report = case.try_apply(&plan, options).await.unwrap();
    let line = step(&report, "orders");
    assert_eq!(line.status, StepStatus::Failed, "{report:?}");
    assert!(line.reason.as_deref().unwrap().contains("something else sets it"), "{line:?}");
    assert_eq!(case.value("orders"), "off");
}

/// Someone deleted the server and made another one of the same name, whose settings are not the business of the plan.
#[tokio::test(start_paused = true)]
async fn nothing_is_written_to_another_server_of_the_same_name() {
    let case = Case::flexible(&["billing", "orders"]);
    let plan = case.plan(switch()).await;
    assert!(plan.steps().iter().all(|step| step.created_at.is_some()));
    case.simulation.replace(&id("orders")).unwrap();
    case.simulation.set_parameter(&id("orders"), "require_secure_transport", "off").unwrap();
    let report = case.apply(&plan).await;
    let line = step(&report, "orders");
    assert_eq!(line.status, StepStatus::Failed, "{line:?}");
    assert!(line.reason.as_deref().unwrap().starts_with("another server has its name now"), "{line:?}");
    assert_eq!(step(&report, "billing").status, StepStatus::Applied);
    assert_eq!(case.requests().writes_to(&id("orders")).count(), 0);

    // The same on the way back: what the run changed is gone.
    let case = Case::flexible(&["billing", "orders"]);
    let plan = case.plan(switch()).await;
    case.apply(&plan).await;
    case.simulation.replace(&id("orders")).unwrap();
    case.simulation.set_parameter(&id("orders"), "require_secure_transport", "on").unwrap();
    let undone = case.undo().await;
    assert_eq!(step(&undone, "orders").status, StepStatus::Stuck, "{undone:?}");
    assert_eq!((step(&undone, "billing").status, case.value("orders").as_str()), (StepStatus::Undone, "on"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_moved_is_said_to_be_where_it_is() {
    let moved = Server::new(SimKind::Flexible, "rg-new", "orders");
    let old = Server::new(SimKind::Flexible, "rg", "orders").with("require_secure_transport", "off");
    let case = Case::new(vec![old, moved]);
    let plan = case.plan(switch()).await;
    assert_eq!(plan.steps().len(), 1);
    case.simulation.inject(FaultRule::on_server(id("orders"), Fault::Vanished)).unwrap();
    let report = case.apply(&plan).await;
    let reason = report.steps[0].reason.as_deref().unwrap();
    assert_eq!(report.steps[0].status, StepStatus::Failed, "{reason}");
    assert!(reason.contains("deleted, renamed or moved") && reason.contains("/resourceGroups/rg-new/"), "{reason}");
    assert!(case.requests().writes.is_empty());
}

/// What was the service's default is the service's default again, and no value of someone's.
#[tokio::test(start_paused = true)]
async fn undo_restores_the_origin_of_a_value() {
    let case = Case::flexible(&["orders", "billing"]);
    case.simulation.set_parameter(&id("billing"), "ssl_min_protocol_version", "TLSv1.2").unwrap();
    let plan = case.plan(floor(TlsVersion::Tls1_3)).await;
    case.apply(&plan).await;
    case.undo().await;
    for (name, origin) in [("orders", "system-default"), ("billing", "user-override")] {
        let requests = case.requests();
        let sources: Vec<String> = requests
            .writes_to(&id(name))
            .map(|write| write.body["properties"]["source"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(sources, ["user-override", origin], "{name}");
        assert_eq!(case.simulation.parameter(&id(name), "ssl_min_protocol_version").unwrap(), "TLSv1.2");
    }
}
