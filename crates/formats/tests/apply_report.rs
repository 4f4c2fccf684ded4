//! What became of a run, in the format that programs read.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_formats::apply_json::{self, Receipt, RunApproval};
use hostssl_formats::{SubscriptionNames, Text, run_text};
use hostssl_remediation::{Plan, Report, RunOutcome, RunSummary, StepStatus};
use hostssl_test_support::clock::VirtualClock;
use hostssl_test_support::fleet::{PlannerKnowledge, flexible};
use hostssl_test_support::harness::{Harness, set_traps};
use hostssl_test_support::journal::MemoryJournal;
use hostssl_test_support::schema::Schema;
use hostssl_test_support::world::{InjectedFault, World};
use serde_json::Value;

/// A run in which one step is applied and the other refused.
async fn applied() -> (Plan, Report) {
    let known = PlannerKnowledge::new(vec![flexible("a", "off", "TLSv1.2"), flexible("b", "off", "TLSv1.2")]);
    let plan = known.plan();
    let world = World::new(&known.postures);
    set_traps(&world, &known.postures, &plan, &[InjectedFault::None, InjectedFault::Locked]);
    let (journal, clock) = (MemoryJournal::default(), VirtualClock::new());
    let report = Harness::new(&world, &journal, &clock, &plan).apply(&[]).await;
    (plan, report)
}

#[tokio::test(start_paused = true)]
async fn reports_keep_to_the_committed_schema() {
    let schema = Schema::generated("apply-v1", &apply_json::schema());
    let (_, report) = applied().await;
    let document = apply_json::value(&report, &[]).unwrap();
    schema.assert_accepts(&document);
    schema.assert_refuses(&document, |wrong| wrong["steps"][0]["status"] = "fine".into());
}

#[tokio::test(start_paused = true)]
async fn the_report_has_the_form_that_is_promised() {
    let (plan, report) = applied().await;
    let json = apply_json::value(&report, &[]).unwrap();
    assert_eq!(json["schema"], "hostssl/apply/v1");
    assert_eq!((&json["run"], &json["plan"]), (&"run-1".into(), &plan.hash().as_str().into()));
    assert_eq!(json["summary"]["applied"], 1);
    let step = &json["steps"][1];
    assert_eq!((&step["status"], &step["parameter"]), (&"refused".into(), &"require_secure_transport".into()));
    assert_eq!(step["reason"], "lock freeze: ScopeLocked");
    assert_eq!(json["steps"][0]["requestId"], "request-1");
    // What only people are shown stays out.
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&json), ["plan", "run", "schema", "steps", "summary"]);
    assert_eq!(
        names(step),
        [
            "accepted",
            "after",
            "before",
            "id",
            "notReadAgain",
            "open",
            "parameter",
            "reason",
            "requestId",
            "server",
            "status"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_read_again_is_counted_and_the_run_can_be_resumed_for_it() {
    let (_, mut report) = applied().await;
    report.steps.truncate(1);
    let step = &mut report.steps[0];
    (step.not_read_again, step.reason) = (true, Some("not read again: HTTP 403".to_owned()));
    report.outcome = RunOutcome::Incomplete;
    report.summary = RunSummary { steps: 1, applied: 1, not_read_again: 1, ..RunSummary::default() };
    let json = apply_json::value(&report, &[]).unwrap();
    assert_eq!((&json["summary"]["notReadAgain"], &json["steps"][0]["notReadAgain"]), (&1.into(), &true.into()));
    let mut out = Vec::new();
    run_text::write(&mut out, &report, &SubscriptionNames::default(), &Text::plain()).unwrap();
    let out = String::from_utf8(out).unwrap();
    for words in ["applied", "not read again: HTTP 403", "1 applied, 1 of them not read again", "hostssl resume run-1"]
    {
        assert!(out.contains(words), "{words}: {out}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_step_is_told_from_one_that_is_over_and_a_halted_run_is_not_offered_to_be_resumed() {
    let (_, mut report) = applied().await;
    let step = &mut report.steps[1];
    (step.status, step.open) = (StepStatus::TimedOut, true);
    step.reason = Some("Azure accepted the write and it is still in progress: resume the run".to_owned());
    report.outcome = RunOutcome::Open;
    report.summary = RunSummary { refused: 0, timed_out: 1, open: 1, ..report.summary };
    let names = SubscriptionNames::default();
    let (mut ended, mut halted) = (Vec::new(), Vec::new());
    run_text::write(&mut ended, &report, &names, &Text::plain()).unwrap();
    run_text::write_halted(&mut halted, &report, &names, &Text::plain()).unwrap();
    let (ended, halted) = (String::from_utf8(ended).unwrap(), String::from_utf8(halted).unwrap());
    assert!(ended.contains("hostssl resume run-1"), "{ended}");
    assert!(halted.contains("still in progress") && !halted.contains("resume"), "{halted}");
    let counted = |report: &Report| {
        let summary = &apply_json::value(report, &[]).unwrap()["summary"];
        ["timedOut", "open", "timedOutSettled"].map(|name| summary[name].as_u64().unwrap())
    };
    assert_eq!(counted(&report), [1, 1, 0]);
    report.summary.open = 0;
    assert_eq!(counted(&report), [1, 0, 1]);
}

/// A step that failed after its write may have left a value behind.
#[tokio::test(start_paused = true)]
async fn what_was_written_and_failed_can_be_undone() {
    let (_, mut report) = applied().await;
    let text = |report: &Report| {
        let mut out = Vec::new();
        run_text::write(&mut out, report, &SubscriptionNames::default(), &Text::plain()).unwrap();
        String::from_utf8(out).unwrap()
    };
    report.steps.truncate(1);
    let step = &mut report.steps[0];
    step.status = StepStatus::Failed;
    step.reason = Some("written, then the value was strange: something else set it".to_owned());
    let failed = text(&report);
    assert!(failed.contains("hostssl plan") && failed.contains("hostssl undo run-1"), "{failed}");
    report.steps[0].request_id = None;
    assert!(!text(&report).contains("hostssl undo"), "{}", text(&report));
}

/// A server that was deleted is restored by no retry.
#[tokio::test(start_paused = true)]
async fn a_server_that_is_gone_is_left_out_of_the_undo() {
    let (_, mut report) = applied().await;
    for step in &mut report.steps {
        (step.status, step.undoing, step.vanished) = (StepStatus::Stuck, true, true);
    }
    report.outcome = RunOutcome::Stuck;
    let text = |report: &Report| {
        let mut out = Vec::new();
        run_text::write(&mut out, report, &SubscriptionNames::default(), &Text::plain()).unwrap();
        String::from_utf8(out).unwrap()
    };
    let both = text(&report);
    assert!(both.contains("hostssl undo run-1 --forget a --forget b"), "{both}");
    assert!(!both.contains("retries") && !both.contains("check the servers"), "{both}");
    report.steps[0].vanished = false;
    let one = text(&report);
    assert!(one.contains("hostssl undo run-1 --forget b") && one.contains("retries"), "{one}");
    // Of two servers with one name, the id says which.
    report.steps[0].server = report.steps[1].server.replace("/resourceGroups/", "/resourceGroups/other-");
    let id = report.steps[1].server.clone();
    assert!(text(&report).contains(&format!("hostssl undo run-1 --forget {id}")), "{}", text(&report));
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_probed_is_counted_and_told() {
    let (_, mut report) = applied().await;
    report.steps.truncate(1);
    report.steps[0].reason = Some("not checked on the wire: port 5432: no such name".to_owned());
    report.outcome = RunOutcome::Incomplete;
    report.summary = RunSummary { steps: 1, applied: 1, not_probed: 1, ..RunSummary::default() };
    assert_eq!(apply_json::value(&report, &[]).unwrap()["summary"]["notProbed"], 1);
    assert!(!report.is_manual_only() && report.is_not_probed_only());
    let mut out = Vec::new();
    run_text::write(&mut out, &report, &SubscriptionNames::default(), &Text::plain()).unwrap();
    let out = String::from_utf8(out).unwrap();
    for words in ["1 applied, 1 of them not probed", "hostssl audit --probe", "hostssl undo run-1"] {
        assert!(out.contains(words), "{words}: {out}");
    }
}

/// What an undo that was only settled has left is restored by undoing the run again, not by another plan.
#[tokio::test(start_paused = true)]
async fn an_undo_that_was_only_settled_says_what_is_left_and_how_it_continues() {
    let (_, mut report) = applied().await;
    let step = &mut report.steps[0];
    (step.status, step.undoing) = (StepStatus::NotStarted, true);
    report.outcome = RunOutcome::Incomplete;
    report.summary = RunSummary { applied: 0, not_started: 1, ..report.summary };
    let text = |report: &Report| {
        let mut out = Vec::new();
        run_text::write(&mut out, report, &SubscriptionNames::default(), &Text::plain()).unwrap();
        String::from_utf8(out).unwrap()
    };
    let settled = text(&report);
    assert!(settled.contains("its undo has ended and left 1 not restored"), "{settled}");
    assert!(settled.contains("hostssl undo run-1") && !settled.contains("hostssl plan"), "{settled}");
    // What someone else has set stays: nothing is left to do.
    report.steps[0].status = StepStatus::ChangedSincePlan;
    let changed = text(&report);
    assert!(!changed.contains("next:") && !changed.contains("hostssl plan"), "{changed}");
}

#[tokio::test(start_paused = true)]
async fn receipts_stand_beside_the_report() {
    let (_, report) = applied().await;
    let receipt = Receipt {
        step: 1,
        direction: "apply",
        sent_at: "2026-11-25T00:00:00Z".to_owned(),
        before: "off".to_owned(),
        request_id: None,
        accepted_at: None,
        after: Some("on".to_owned()),
        read_back_at: None,
        accepted: None,
    };
    let approval = RunApproval { person: "ada".to_owned(), at: "2026-11-24T23:00:00Z".to_owned() };
    let mut json = apply_json::value_with_receipts(&report, &[receipt], &[], &[approval]).unwrap();
    let approvals = json.as_object_mut().unwrap().remove("approvals").unwrap();
    assert_eq!(approvals, serde_json::json!([{ "person": "ada", "at": "2026-11-24T23:00:00Z" }]));
    let receipts = json.as_object_mut().unwrap().remove("receipts").unwrap();
    assert_eq!(json, apply_json::value(&report, &[]).unwrap());
    let expected = serde_json::json!([{
        "step": 1, "direction": "apply", "sentAt": "2026-11-25T00:00:00Z", "before": "off", "requestId": null,
        "acceptedAt": null, "after": "on", "readBackAt": null,
    }]);
    assert_eq!(receipts, expected);
}
