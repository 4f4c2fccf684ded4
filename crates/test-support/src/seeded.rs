//! One seed, one case: a fleet, its traps, the pace, the crashes, and then the way back.

use crate::clock::VirtualClock;
use crate::fleet::*;
use crate::harness::{Harness, Seed, expected, set_traps};
use crate::world::{InjectedFault, World, Write};
use hostssl_model::{Kind, Posture};
use hostssl_remediation::{Journal, PlanOptions, StepReport, StepStatus};
use std::time::Duration;

/// Between one and six servers, with replicas among them.
pub fn fleet(seed: &mut Seed) -> Vec<Posture> {
    let mut postures: Vec<Posture> = Vec::new();
    for number in 0..=seed.below(5) {
        let name = format!("server-{number}");
        let posture = match seed.below(5) {
            0 => single(&name, seed.pick(&["Disabled", "Enabled"]), seed.pick(&["TLS1_0", "TLSEnforcementDisabled"])),
            1 => cosmos(&name, seed.pick(&["TLSv1", "TLSv1.2"]), "TLSv1.1"),
            _ => flexible(&name, seed.pick(&["off", "OFF"]), seed.pick(&["TLSv1.1", "TLSv1.2"])),
        };
        let primary =
            postures.last().filter(|last| last.server.kind == Kind::Flexible).map(|last| last.server.id.clone());
        postures.push(match primary {
            Some(primary) if posture.server.kind == Kind::Flexible && seed.below(2) == 0 => replica(posture, &primary),
            _ => posture,
        });
    }
    postures
}

/// Applies and undoes one case in spite of everything; panics when something is not right.
pub async fn survive(seed: u64, journal: &dyn Journal) {
    let mut seed = Seed(seed);
    let mut known = PlannerKnowledge::new(fleet(&mut seed));
    let canary_size = 1 + u32::try_from(seed.below(2)).unwrap();
    known.options = PlanOptions { canary_size, wave_size: canary_size + 2, max_servers: None };
    let plan = known.plan();
    let world = World::new(&known.postures);
    let traps: Vec<InjectedFault> = known
        .postures
        .iter()
        .map(|_| if seed.below(2) == 0 { InjectedFault::None } else { seed.pick(&InjectedFault::ALL) })
        .collect();
    set_traps(&world, &known.postures, &plan, &traps);
    let before = world.values();
    let clock = VirtualClock::new();
    let mut harness = Harness::new(&world, journal, &clock, &plan);
    harness.down = Duration::from_secs(seed.pick(&[0, 20, 900]));
    harness.options.max_parallel = 1 + usize::try_from(seed.below(4)).unwrap();
    let count = seed.below(4);
    let crashes: Vec<u64> = (0..count).map(|_| 1 + seed.below(120)).collect();
    let report = harness.apply(&crashes).await;
    if !traps.contains(&InjectedFault::NeverEnds) {
        tokio::time::sleep(Duration::from_mins(30)).await;
    }
    let fault_of = |step: &StepReport| {
        let place = known.postures.iter().position(|posture| posture.server.id.as_str() == step.server);
        traps[place.unwrap()]
    };
    harness.check(&report, fault_of).await;
    for step in &report.steps {
        let lost_twice = crashes.len() >= 2 && step.status == StepStatus::TimedOut;
        let held = step.status == StepStatus::NotStarted;
        let allowed = expected(fault_of(step));
        assert!(allowed.contains(&step.status) || lost_twice || held, "{step:?}, {:?}, {crashes:?}", fault_of(step));
        // Only behind a failure of the same server or of its replica set may something not have begun.
        assert!(
            !held
                || report.steps.iter().any(|other| !matches!(
                    other.status,
                    StepStatus::Applied | StepStatus::Already | StepStatus::NotStarted
                ))
        );
    }

    world.clear_faults();
    let crashes: Vec<u64> = (0..seed.below(3)).map(|_| 1 + seed.below(60)).collect();
    let undone = harness.undo(&crashes).await;
    tokio::time::sleep(Duration::from_mins(30)).await;
    for (step, planned) in undone.steps.iter().zip(plan.steps()) {
        let now = world.value(&planned.server, planned.parameter);
        let place = (planned.server.clone(), planned.parameter);
        let stuck = step.status == StepStatus::Stuck;
        // Two crashes before a write was sent look like two lost writes.
        // What was accepted and whose end is unknown may still take effect.
        let may_come =
            report.steps.iter().any(|applied| applied.id == step.id && applied.status == StepStatus::TimedOut);
        let expected = crashes.len() >= 2 || fault_of(step) == InjectedFault::NeverEnds || may_come;
        assert!(!stuck || expected, "{step:?} {crashes:?}");
        if !stuck && fault_of(step) != InjectedFault::NeverEnds {
            assert!(now.eq_ignore_ascii_case(&before[&place]), "{step:?}: {now}, before {}", before[&place]);
        }
    }
    let accepted = world.accepted();
    for step in plan.steps() {
        let back = |write: &&Write| {
            !write.overtaken
                && write.place == (step.server.clone(), step.parameter)
                && write.value.eq_ignore_ascii_case(&step.undo)
        };
        assert!(accepted.iter().filter(back).count() <= 1, "undone twice: {step:?} {crashes:?}");
    }
}
