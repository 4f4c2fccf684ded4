//! `plan`: what would be changed, and what not.

use crate::asks::PlanAsk;
use crate::page::{USUAL, Wanted, keep_first};
use crate::tool_error::ToolTrouble;
use crate::tool_result::{ToolAnswer, count_of, coverage, gaps_left, incomplete_gaps};
use crate::tool_source::ToolPlan;
use crate::tools::ToolName;
use hostssl_formats::tool_json::{LeftAway, ToolOutput};
use hostssl_remediation::{LeftOut, LeftOutReason};
use serde_json::Value;
use std::collections::HashSet;

/// The members whose texts come from outside.
const UNTRUSTED: &[&str] = &[
    "/result/principal",
    "/result/scope",
    "/result/steps/*/server",
    "/result/steps/*/why",
    "/result/steps/*/before",
    "/result/steps/*/clients",
    "/result/leftOut/*/server",
    "/result/leftOut/*/detail",
    "/result/leftOut/*/clients",
    "/result/waves",
];

/// The most waves, and settings that are left out, of a result.
const MOST: usize = USUAL as usize;

pub(crate) fn plan<'a>(
    made: &ToolPlan,
    scenario: Option<&'a str>,
    ask: &PlanAsk,
) -> Result<ToolAnswer<'a>, ToolTrouble> {
    let wanted = Wanted::new(ask.offset, ask.limit)?;
    let plan = &made.plan;
    let mut result: Value = serde_json::from_str(&plan.to_json()).map_err(|error| ToolTrouble::defect(&error))?;
    let steps = result.get_mut("steps").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    let (shown, page) = wanted.part("steps", steps.len(), steps.into_iter());
    if let Some(list) = result.get_mut("steps") {
        *list = Value::Array(shown);
    }
    // What is right already is the least of it.
    if let Some(list) = result.get_mut("leftOut").and_then(Value::as_array_mut) {
        let (right, open): (Vec<_>, Vec<_>) =
            std::mem::take(list).into_iter().zip(plan.left_out()).partition(|(_, one)| is_right(one));
        list.extend(open.into_iter().chain(right).map(|(value, _)| value));
    }
    let left = result.get_mut("leftOut").map_or(0, |list| keep_first(list, MOST));
    let waves = result.get_mut("waves").map_or(0, |list| keep_first(list, MOST));
    let gaps = incomplete_gaps(&made.gaps);
    let count = |reason| plan.left_out().iter().filter(|one| one.reason == reason).count();
    // Also those on which a person does the step.
    let servers: HashSet<_> = plan.steps().iter().map(|step| &step.server).collect();
    let head = vec![
        format!(
            "Plan {} for {}: {} on {}; {} left out, {} of them because the value is right already, and {} because a waiver \
             covers the finding.",
            plan.hash().as_str(),
            plan.cloud(),
            plan.count(),
            count_of(servers.len(), "server"),
            count_of(plan.left_out().len(), "setting"),
            count(LeftOutReason::AlreadyRight),
            count(LeftOutReason::Waived),
        ),
        coverage(made.complete && gaps.is_empty(), &gaps),
        "Nothing was written. A person makes this plan with `hostssl plan`, reviews it and runs `hostssl apply`."
            .to_owned(),
    ];
    let shown = plan.steps().iter().skip(page.offset).take(page.returned);
    let steps = shown.map(|step| {
        let (name, wave) = (step.server.name(), step.wave);
        format!("- step {}, wave {wave}: {name}: {} from {} to {}", step.id, step.parameter, step.before, step.after)
    });
    let open = plan.left_out().iter().filter(|one| !is_right(one)).take(MOST);
    let open = open.map(|one| format!("- left out: {}: {}: {}", one.server.name(), one.reason.as_str(), one.detail));
    let list = steps.chain(open).collect();
    let by_cli = || "`hostssl plan`".to_owned();
    let warnings = made.production_first.iter().map(|server| {
        format!("{} goes first and is a production server: the plan has no other that can go first", server.name())
    });
    let left_out = vec![
        LeftAway { what: "settings-left-out", count: left, how: by_cli() },
        LeftAway { what: "waves", count: waves, how: by_cli() },
        gaps_left(&gaps, "`hostssl plan`"),
    ];
    let output = ToolOutput {
        tool: ToolName::Plan.as_str(),
        simulated: scenario,
        kept: None,
        complete: Some(made.complete && gaps.is_empty()),
        gaps,
        warnings: warnings.collect(),
        page: Some(page),
        left_out,
        untrusted: UNTRUSTED,
        result,
    };
    Ok(ToolAnswer { output, head, list })
}

fn is_right(one: &LeftOut) -> bool {
    one.reason == LeftOutReason::AlreadyRight
}
