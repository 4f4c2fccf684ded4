//! Every trap on one server, without a crash and with crashes at every point.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_model::{Kind, ParameterName as Name};
use hostssl_remediation::{Plan, Report, StepStatus};
use hostssl_test_support::clock::VirtualClock;
use hostssl_test_support::fleet::*;
use hostssl_test_support::harness::{Harness, expected, set_traps};
use hostssl_test_support::journal::MemoryJournal;
use hostssl_test_support::world::{InjectedFault, World};
use std::time::Duration;

fn one(kind: Kind) -> (PlannerKnowledge, Plan) {
    let known = PlannerKnowledge::new(vec![match kind {
        Kind::Single => single("orders", "Disabled", "TLS1_2"),
        Kind::CosmosCluster => cosmos("orders", "TLSv1.2", "TLSv1.1"),
        _ => flexible("orders", "off", "TLSv1.2"),
    }]);
    let plan = known.plan();
    (known, plan)
}

/// Runs one case; returns the report and how many points a crash could have hit.
async fn run(
    (known, plan): &(PlannerKnowledge, Plan),
    fault: InjectedFault,
    crashes: &[u64],
    down: Duration,
) -> (Report, u64) {
    let world = World::new(&known.postures);
    set_traps(&world, &known.postures, plan, &[fault]);
    let (journal, clock) = (MemoryJournal::default(), VirtualClock::new());
    let mut harness = Harness::new(&world, &journal, &clock, plan);
    harness.down = down;
    let report = harness.apply(crashes).await;
    let points = world.crash.passed();
    // Whatever is still under way ends: it must not change what was reported.
    if fault != InjectedFault::NeverEnds {
        tokio::time::sleep(Duration::from_mins(30)).await;
    }
    harness.check(&report, |_| fault).await;
    (report, points)
}

#[tokio::test(start_paused = true)]
async fn every_trap_has_its_ending() {
    let server = one(Kind::Flexible);
    for fault in InjectedFault::ALL {
        let (report, _) = run(&server, fault, &[], Duration::ZERO).await;
        let step = &report.steps[0];
        assert_eq!(step.status, expected(fault)[0], "{fault:?}: {step:?}");
        let says = step.reason.as_deref().unwrap_or_default();
        let wanted = match fault {
            InjectedFault::OperationFails => "OperationFailed: {0}",
            InjectedFault::SucceedsUnchanged => "the value is still off",
            InjectedFault::NeverEnds => "has not changed in the time allowed",
            InjectedFault::Locked => "lock freeze: ScopeLocked",
            InjectedFault::Policy => "policy deny-tls: RequestDisallowedByPolicy",
            InjectedFault::Forbidden => "permission configurations/write: AuthorizationFailed",
            InjectedFault::BusyForEver => "busy with another operation, for",
            InjectedFault::Stopped | InjectedFault::StoppedAtWrite => "stopped: ServerStoppedError",
            InjectedFault::Changed => "the value is someone-elses",
            InjectedFault::LostAlways => "two writes got no answer",
            _ => "",
        };
        assert!(says.contains(wanted), "{fault:?}: {says}");
        assert_eq!(says.is_empty(), wanted.is_empty(), "{fault:?}: {says}");
        let accepted = matches!(step.status, StepStatus::Applied | StepStatus::Failed)
            || matches!(fault, InjectedFault::NeverEnds);
        let lost = matches!(fault, InjectedFault::LostAccepted | InjectedFault::LostAndLong);
        assert_eq!(step.request_id.is_some(), accepted && !lost, "{fault:?}: {step:?}");
    }
}

/// Every trap, with a crash at each of the first `most` points of a run.
async fn crash_everywhere(kind: Kind, most: u64, downs: &[Duration]) {
    let server = one(kind);
    for fault in InjectedFault::ALL {
        let (_, points) = run(&server, fault, &[], Duration::ZERO).await;
        assert!(points >= 6, "{fault:?} has {points} points");
        for at in 1..=points.min(most) {
            for down in downs {
                let (report, _) = run(&server, fault, &[at], *down).await;
                let status = report.steps[0].status;
                assert!(expected(fault).contains(&status), "{fault:?} crash at {at}, down {down:?}: {report:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_every_point_of_every_trap_ends_as_it_should() {
    // The machine is back at once, or after the grace.
    crash_everywhere(Kind::Flexible, 26, &[Duration::ZERO, Duration::from_mins(10)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_every_point_is_the_same_for_a_single_server() {
    crash_everywhere(Kind::Single, 24, &[Duration::ZERO]).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_every_point_is_the_same_for_a_cluster() {
    crash_everywhere(Kind::CosmosCluster, 24, &[Duration::from_mins(1)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_crash_at_every_point_after_the_first_changes_nothing() {
    let server = one(Kind::Flexible);
    for fault in [
        InjectedFault::None,
        InjectedFault::BusyTwice,
        InjectedFault::LostAccepted,
        InjectedFault::LostOnTheWay,
        InjectedFault::OperationFails,
    ] {
        let (_, points) = run(&server, fault, &[], Duration::ZERO).await;
        for first in 1..=points.min(16) {
            for second in 1..=12 {
                let (report, _) = run(&server, fault, &[first, second], Duration::from_secs(1)).await;
                let status = report.steps[0].status;
                assert!(expected(fault).contains(&status), "{fault:?} crashes at {first}, {second}: {report:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_kind_writes_its_own_setting() {
    for (kind, name, value) in [
        (Kind::Flexible, Name::RequireSecureTransport, "on"),
        (Kind::Single, Name::SslEnforcement, "Enabled"),
        (Kind::CosmosCluster, Name::NodeSslMinProtocolVersion, "TLSv1.2"),
    ] {
        let (known, plan) = one(kind);
        let world = World::new(&known.postures);
        let (journal, clock) = (MemoryJournal::default(), VirtualClock::new());
        let report = Harness::new(&world, &journal, &clock, &plan).apply(&[]).await;
        assert_eq!(report.summary.applied, 1);
        assert_eq!(world.value(&id(kind, "orders"), name), value);
        assert_eq!(report.steps[0].parameter.key(), name.key());
    }
}
