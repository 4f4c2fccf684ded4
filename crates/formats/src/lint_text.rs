//! What `hostssl plan check` objects to, as text.

use crate::plan_text::portal;
use crate::{Cell, Entry, Heading, Section, Shown, Text, safe, write_list};
use hostssl_model::{Outcome, matches_pattern};
use hostssl_remediation::{LeftOut, LeftOutReason, Lint, Plan};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// The columns of what is wrong with a plan.
const COLUMNS: &[Heading] = &[
    Heading::new("code", Shown::Always),
    Heading::new("step", Shown::Always),
    Heading::new("server", Shown::Always),
    Heading::new("objection", Shown::Prose),
];

/// Writes the objections to a plan, and what was left out of it because it is waived, or on request.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, plan: &Plan, objections: &[Lint], text: &Text<'_>) -> io::Result<()> {
    if objections.is_empty() {
        writeln!(out, "no objections")?;
    } else {
        let entries = objections.iter().map(|one| entry(plan, one)).collect();
        write_list(out, COLUMNS, vec![Section { title: None, entries }], text)?;
    }
    write_waived(out, plan)?;
    write_excepted(out, plan)
}

/// The words of a plan of an earlier version, which called such a server waived.
const ON_REQUEST: &str = "left out on request";

fn is_excepted(one: &LeftOut) -> bool {
    one.reason == LeftOutReason::Excepted || (one.reason == LeftOutReason::Waived && one.detail.as_str() == ON_REQUEST)
}

/// What was accepted for a time, by whom and why.
fn write_waived(out: &mut dyn Write, plan: &Plan) -> io::Result<()> {
    let waived = plan.left_out().iter().filter(|one| one.reason == LeftOutReason::Waived && !is_excepted(one));
    waived.into_iter().try_for_each(|one| {
        let (server, control, detail) = (safe(one.server.name()), one.control.as_str(), safe(one.detail.as_str()));
        writeln!(out, "waived: {server} {control} {detail}")
    })
}

/// What was left out on request: a reviewer must know.
fn write_excepted(out: &mut dyn Write, plan: &Plan) -> io::Result<()> {
    for selector in &plan.scope().except {
        let servers = plan.left_out().iter().filter(|one| is_excepted(one));
        let names: BTreeSet<&str> = servers.map(|one| one.server.name()).collect();
        let names: Vec<&str> =
            names.into_iter().filter(|name| selector.contains('=') || matches_pattern(selector, name)).collect();
        let which = if names.is_empty() { "no server that the plan would change".to_owned() } else { names.join(", ") };
        writeln!(out, "left out on request by --except {}: {}", safe(selector), safe(&which))?;
    }
    Ok(())
}

fn entry(plan: &Plan, one: &Lint) -> Entry {
    let outcome = if one.code.is_warning() { Outcome::Unknown } else { Outcome::Fail };
    let step = one.step.and_then(|id| plan.step(id));
    let word = one.code.as_str();
    let line = vec![
        Cell::outcome(outcome, word),
        Cell::plain(one.step.map_or("-".to_owned(), |id| id.to_string())),
        Cell::plain(step.map_or("-", |step| step.server.name()))
            .linked(step.and_then(|step| portal(plan, &step.server))),
        Cell::plain(one.message.as_str()),
    ];
    Entry { word, lines: vec![line] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_remediation::{LintContext, lint};
    use hostssl_test_support::fleet::{PlannerKnowledge, flexible};

    #[test]
    fn the_server_of_an_objection_leads_to_its_page_where_the_terminal_has_links() {
        let plan = PlannerKnowledge::new(vec![flexible("pg-a", "off", "TLSv1.2")]).plan();
        let nothing_failed = BTreeSet::new();
        let context = LintContext {
            now_ms: 0,
            max_age: std::time::Duration::from_secs(1),
            max_servers: None,
            cloud: None,
            subscriptions: &[],
            failed: Some(&nothing_failed),
            tags: None,
        };
        let objections = lint(&plan, &context);
        let written = |links| {
            let mut out = Vec::new();
            write(&mut out, &plan, &objections, &Text { links, ..Text::plain() }).unwrap();
            String::from_utf8(out).unwrap()
        };
        let link = format!("https://portal.azure.com/#@tenant-1/resource{}", plan.steps()[0].server);
        assert!(written(true).contains(&link) && !written(false).contains(&link), "{}", written(true));
    }
}
