//! A plan for people: what would be written, in which order, and what is left out and why.

use crate::{Column, Palette, safe, write_columns};
use hostssl_model::Outcome;
use hostssl_remediation::{Disposition, LeftOut, LeftOutReason, Plan, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// Digits of a hash that tell plans apart for people. Approving takes all of them.
const HASH_SHOWN: usize = 12;

/// Characters of a reason that are shown.
const DETAIL_SHOWN: usize = 110;

/// Writes the plan.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, plan: &Plan, palette: Palette) -> io::Result<()> {
    for steps in plan.waves() {
        let wave = steps.first().map_or(0, |step| step.wave);
        let servers = steps.iter().map(|step| &step.server).collect::<BTreeSet<_>>().len();
        let canary = if wave == 1 { ", the canary" } else { "" };
        writeln!(out, "{}", palette.bold(&format!("Wave {wave}{canary}: {}", plural(servers, "server"))))?;
        write_steps(out, steps.iter(), palette)?;
    }
    let by_hand: Vec<&Step> = plan.steps().iter().filter(|step| !step.is_executable()).collect();
    if !by_hand.is_empty() {
        writeln!(out, "{}", palette.bold("Manual: hostssl does not write these"))?;
        write_steps(out, by_hand.into_iter(), palette)?;
    }
    write_left_out(out, plan, palette)?;
    write_summary(out, plan, palette)
}

fn write_steps<'a>(out: &mut dyn Write, steps: impl Iterator<Item = &'a Step>, palette: Palette) -> io::Result<()> {
    let headings = ["STEP", "SERVER", "RESOURCE GROUP", "SUBSCRIPTION", "PARAMETER", "CHANGE", "DISPOSITION", "WHY"];
    let mut rows = vec![headings.map(|heading| Column::painted(heading, palette.faint(heading))).to_vec()];
    for step in steps {
        let disposition = step.disposition.as_str();
        let colour = match step.disposition {
            Disposition::OnlineSafe => Outcome::Pass,
            Disposition::NeedsRestart | Disposition::BreaksClients => Outcome::Unknown,
            Disposition::Manual => Outcome::NotApplicable,
        };
        // The value before stands in its own column.
        let stated = format!("{} is {}; ", step.parameter, step.before);
        let why = step.why.as_str();
        rows.push(vec![
            Column::plain(step.id.to_string()),
            Column::plain(safe(step.server.name())),
            Column::plain(safe(step.server.resource_group())),
            Column::plain(step.server.subscription().to_string()),
            Column::plain(step.parameter.as_str()),
            Column::plain(safe(&format!("{} -> {}", step.before, step.after))),
            Column::painted(disposition, palette.outcome(colour, disposition)),
            Column::plain(safe(why.strip_prefix(&stated).unwrap_or(why))),
        ]);
    }
    write_columns(out, "  ", &rows)?;
    writeln!(out)
}

/// What is left out although it is not right, one by one; what is right already is only counted.
fn write_left_out(out: &mut dyn Write, plan: &Plan, palette: Palette) -> io::Result<()> {
    let left: Vec<&LeftOut> = plan.left_out().iter().filter(|one| !is_right(one)).collect();
    if left.is_empty() {
        return Ok(());
    }
    // What holds for several controls of a server is told once.
    let mut told: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for one in left {
        told.entry((one.reason, &one.server, &one.detail)).or_default().push(one.control.id().as_str());
    }
    writeln!(out, "{}", palette.bold("Left out"))?;
    let headings = ["REASON", "SERVER", "RESOURCE GROUP", "CONTROL", "WHY"];
    let mut rows = vec![headings.map(|heading| Column::painted(heading, palette.faint(heading))).to_vec()];
    for ((reason, server, detail), controls) in told {
        let reason = reason.as_str();
        rows.push(vec![
            Column::painted(reason, palette.outcome(Outcome::Unknown, reason)),
            Column::plain(safe(server.name())),
            Column::plain(safe(server.resource_group())),
            Column::plain(controls.join(", ")),
            Column::plain(shortened(detail.as_str())),
        ]);
    }
    write_columns(out, "  ", &rows)?;
    writeln!(out)
}

/// As much of a reason as fits a row; JSON has it whole.
fn shortened(text: &str) -> String {
    let mut short: String = safe(text).chars().take(DETAIL_SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn is_right(one: &LeftOut) -> bool {
    matches!(one.reason, LeftOutReason::AlreadyRight | LeftOutReason::NotSupported)
}

/// Each server that gets nothing written, counted once: manual, or by what keeps it out; a server that is right in one
/// way and cannot be put right in another is not right.
fn left_out_counts(plan: &Plan) -> Vec<String> {
    let planned = |executable| plan.steps().iter().filter(move |step| step.is_executable() == executable);
    let written: BTreeSet<_> = planned(true).map(|step| &step.server).collect();
    let by_hand: BTreeSet<_> = planned(false).map(|step| &step.server).filter(|one| !written.contains(one)).collect();
    let mut reasons = BTreeMap::new();
    for one in plan.left_out() {
        if !written.contains(&one.server) && !by_hand.contains(&one.server) {
            let key = (is_right(one), one.reason);
            reasons.entry(&one.server).and_modify(|known| *known = key.min(*known)).or_insert(key);
        }
    }
    let mut counts: BTreeMap<LeftOutReason, usize> = BTreeMap::new();
    reasons.values().for_each(|(_, reason)| *counts.entry(*reason).or_default() += 1);
    let by_hand = (!by_hand.is_empty()).then(|| format!("{} manual", by_hand.len()));
    by_hand.into_iter().chain(counts.iter().map(|(reason, count)| format!("{count} {}", reason.as_str()))).collect()
}

fn write_summary(out: &mut dyn Write, plan: &Plan, palette: Palette) -> io::Result<()> {
    let waves = plan.waves().count();
    let left = left_out_counts(plan);
    let what = format!("{}, {} in {}", plural(plan.servers(), "server"), plan.count(), plural(waves, "wave"));
    let what = if plan.is_empty() { "nothing to write".to_owned() } else { what };
    let left = if left.is_empty() { String::new() } else { format!("; left out: {}", left.join(", ")) };
    let hash = plan.hash().as_str();
    let short = hash.get(..HASH_SHOWN).unwrap_or(hash);
    writeln!(out, "plan {}: {what}{left}", palette.bold(short))?;
    let principal = plan.principal();
    writeln!(
        out,
        "profile {}, cloud {}, tenant {}, made by {} at {}",
        safe(plan.profile()),
        safe(plan.cloud()),
        safe(principal.tenant.as_deref().unwrap_or("unknown")),
        safe(&principal.name),
        safe(plan.created_at()),
    )?;
    writeln!(out, "hash {hash}")
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
