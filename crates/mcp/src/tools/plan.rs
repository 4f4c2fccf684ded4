//! `plan`: what would be changed, and what not.

use crate::answer::{ToolAnswer, count_of};
use crate::asks::PlanAsk;
use crate::page::{USUAL, Wanted, keep_first};
use crate::source::{ToolPlan, ToolTrouble};
use hostssl_formats::tool_json::{LeftAway, ToolOutput};
use hostssl_remediation::LeftOutReason;
use serde_json::Value;

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
/// Gaps that stand in the text.
const GAPS: usize = 5;

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
        list.sort_by_key(|one| one.get("reason").and_then(Value::as_str) == Some(LeftOutReason::AlreadyRight.as_str()));
    }
    let left = result.get_mut("leftOut").map_or(0, |list| keep_first(list, MOST));
    let waves = result.get_mut("waves").map_or(0, |list| keep_first(list, MOST));
    let gaps = made.gaps.iter().filter(|gap| gap.blind.reason.blinds());
    let mut lines = vec![
        format!(
            "Plan {} for {}: {} on {}; {} left out, {} of them because the value is right already.",
            plan.hash().as_str(),
            plan.cloud(),
            plan.count(),
            count_of(plan.servers(), "server"),
            count_of(plan.left_out().len(), "setting"),
            plan.left_out().iter().filter(|one| one.reason == LeftOutReason::AlreadyRight).count(),
        ),
        "Nothing was written. A person makes this plan with `hostssl plan`, reviews it and runs `hostssl apply`."
            .to_owned(),
    ];
    let shown = plan.steps().iter().skip(page.offset).take(page.returned);
    lines.extend(shown.map(|step| {
        let (name, wave) = (step.server.name(), step.wave);
        format!("- step {}, wave {wave}: {name}: {} from {} to {}", step.id, step.parameter, step.before, step.after)
    }));
    let open = plan.left_out().iter().filter(|one| one.reason != LeftOutReason::AlreadyRight);
    lines.extend(
        open.take(MOST)
            .map(|one| format!("- left out: {}: {}: {}", one.server.name(), one.reason.as_str(), one.detail)),
    );
    lines.extend(
        gaps.clone().take(GAPS).map(|gap| format!("Could not be checked: {}: {}", gap.scope, gap.blind.detail)),
    );
    let by_cli = || "`hostssl plan`".to_owned();
    let left_out = vec![
        LeftAway { what: "settings-left-out", count: left, how: by_cli() },
        LeftAway { what: "waves", count: waves, how: by_cli() },
        LeftAway { what: "gaps", count: gaps.count().saturating_sub(GAPS), how: by_cli() },
    ];
    let output = ToolOutput {
        tool: "plan",
        simulated: scenario,
        kept: None,
        page: Some(page),
        left_out,
        untrusted: UNTRUSTED,
        result,
    };
    Ok(ToolAnswer { output, lines })
}
