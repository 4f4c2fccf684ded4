//! The list of what was run, as text.

use crate::headline::plural;
use crate::runs_json::{Apply, Audit, Ending, Probe, Run};
use crate::{Cell, Entry, Heading, Section, Shown, Text, write_list};
use std::io::{self, Write};

/// The columns of what was run.
pub const COLUMNS: &[Heading] = &[
    Heading::new("run", Shown::Always),
    Heading::new("kind", Shown::Always),
    Heading::new("started", Shown::Always),
    Heading::new("updated", Shown::Wide),
    Heading::new("profile-or-plan", Shown::WithRoom(1)),
    Heading::new("by", Shown::WithRoom(2)),
    Heading::new("result", Shown::Prose),
];

/// Digits of a plan's hash that distinguish plans.
const HASH_SHOWN: usize = 12;

/// Writes the list.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, runs: &[Run<'_>], text: &Text<'_>) -> io::Result<()> {
    let entries = runs.iter().map(|run| {
        let kind = run.kind();
        let (id, started, updated, what, by, result) = match run {
            Run::Audit(audit) => (
                audit.run,
                &audit.started_at,
                audit.last_at.as_str(),
                audit.rules.as_str(),
                audit.principal.as_str(),
                of_audit(audit),
            ),
            Run::Probe(probe) => {
                (probe.run, &probe.started_at, probe.last_at.as_deref().unwrap_or("-"), "-", "-", of_probe(probe))
            }
            Run::Apply(apply) => {
                let plan = apply.plan.get(..HASH_SHOWN).unwrap_or_default();
                (apply.run, &apply.started_at, apply.last_at.as_str(), plan, apply.principal, of_apply(apply))
            }
        };
        let id = if text.shape.wide { id } else { short(id) };
        let line = [id, kind, started, updated, what, by, &result].map(Cell::plain).to_vec();
        Entry { word: kind, lines: vec![line] }
    });
    write_list(out, COLUMNS, vec![Section { title: None, entries: entries.collect() }], text)
}

/// As much of an id as names the run: the beginning of an audit's or probe's holds the millisecond in which it began. Those of
/// runs that change servers are short.
fn short(id: &str) -> &str {
    const WHOLE: usize = "01a2b3c4-d5e6-7000-8000-000000000001".len();
    const SHOWN: usize = "01a2b3c4-d5e6".len();
    if id.len() == WHOLE { id.get(..SHOWN).unwrap_or(id) } else { id }
}

fn of_audit(audit: &Audit<'_>) -> String {
    format!(
        "{}: {} fail, {} unknown, {} pass; {}",
        plural(audit.servers, "server"),
        audit.fail,
        audit.unknown,
        audit.pass,
        audit.coverage
    )
}

fn of_probe(probe: &Probe<'_>) -> String {
    format!(
        "{}: {} not enforced, {} unknown, {} enforced; {}",
        plural(probe.endpoints, "endpoint"),
        probe.not_enforced,
        probe.unknown,
        probe.enforced,
        probe.coverage
    )
}

fn of_apply(apply: &Apply<'_>) -> String {
    let back = if apply.put_back > 0 { format!(", {} restored", apply.put_back) } else { String::new() };
    // That a run has finished does not say how.
    let stands = apply.ending.map_or(apply.phase, |ending| ending.end.words());
    let count = |ending: Ending| [ending.failed, ending.open, ending.forgotten, ending.not_read_again];
    let figures = apply.ending.map_or([0; 4], count);
    let more = figures.iter().zip(["failed", "open", "forgotten", "not read again"]).filter(|(count, _)| **count > 0);
    let more: String = more.map(|(count, what)| format!(", {count} {what}")).collect();
    format!("{stands}, {}: {} written{back}{more}", plural(apply.steps.into(), "step"), apply.written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs_json::value;
    use hostssl_remediation::RunEnd;

    #[test]
    fn a_run_that_changed_servers_says_what_of_it_did_not_end_well() {
        let apply = |ending| Apply {
            run: "r",
            plan: "p",
            phase: "finished",
            ending,
            steps: 4,
            written: 3,
            put_back: 0,
            principal: "a",
            started_at: String::new(),
            last_at: String::new(),
        };
        let ending =
            |end, failed, open, not_read_again| Some(Ending { end, failed, open, forgotten: 0, not_read_again });
        assert_eq!(of_apply(&apply(None)), "finished, 4 steps: 3 written");
        assert_eq!(of_apply(&apply(ending(RunEnd::Verified, 0, 0, 0))), "verified, 4 steps: 3 written");
        let settled = of_apply(&apply(ending(RunEnd::UndoIncomplete, 0, 0, 0)));
        assert!(settled.starts_with("undo incomplete, 4 steps"), "{settled}");
        let failed = apply(ending(RunEnd::Failed, 1, 0, 2));
        assert_eq!(of_apply(&failed), "failed, 4 steps: 3 written, 1 failed, 2 not read again");
        let json = value(&[Run::Apply(failed), Run::Apply(apply(None))]).unwrap();
        assert_eq!(
            (&json[0]["end"], &json[0]["failed"], &json[0]["notReadAgain"]),
            (&"failed".into(), &1.into(), &2.into())
        );
        let open = apply(ending(RunEnd::Open, 0, 2, 0));
        assert_eq!(of_apply(&open), "not ended, 4 steps: 3 written, 2 open");
        let forgotten = Ending { end: RunEnd::Verified, failed: 0, open: 0, forgotten: 1, not_read_again: 0 };
        assert_eq!(of_apply(&apply(Some(forgotten))), "verified, 4 steps: 3 written, 1 forgotten");
        assert!(json[1].get("end").is_none() && json[1].get("failed").is_none(), "{json}");
    }
}
