//! What makes servers less strict: it is said in red where the terminal has colours, and it takes a reason.

use crate::args::{TerminalArgs, reason};
use crate::error::CliError;
use crate::questions::{prompt, refuse_without_terminal};
use crate::stdout;
use clap::Args;
use hostssl_model::Hint;
use hostssl_remediation::{Direction, Exposure, Step};
use std::collections::{BTreeMap, BTreeSet};

/// The decision to make servers less strict, or not to.
#[derive(Debug, Clone, Args)]
pub(crate) struct LooseningArgs {
    /// Why servers may be made less strict: required for that, and kept in the journal with the run. On a terminal, `apply` and
    /// `undo` ask for it.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: Option<String>,
    /// Never make a server less strict: refuse instead, with exit code 2.
    #[arg(long, conflicts_with = "reason")]
    pub(crate) no_loosening: bool,
}

/// The servers that become less strict, by what they expose then.
#[derive(Debug)]
pub(crate) struct Loosening<'a>(BTreeMap<Exposure, BTreeSet<&'a str>>);

impl<'a> Loosening<'a> {
    /// What steps loosen in a direction; `None` where they loosen nothing.
    pub(crate) fn of(steps: impl Iterator<Item = &'a Step>, direction: Direction) -> Option<Self> {
        let mut servers: BTreeMap<Exposure, BTreeSet<&str>> = BTreeMap::new();
        for step in steps.filter(|step| step.is_executable()) {
            if let Some(exposure) = step.exposes(direction) {
                servers.entry(exposure).or_default().insert(step.server.name());
            }
        }
        (!servers.is_empty()).then_some(Self(servers))
    }

    fn lines(&self) -> Vec<String> {
        let line = |(exposure, servers): (&Exposure, &BTreeSet<&str>)| {
            let (effect, consequence) = (exposure.effect(), exposure.consequence());
            format!("less strict: {} will {effect}: {consequence}", named(servers))
        };
        self.0.iter().map(line).collect()
    }

    fn warn(&self, terminal: &TerminalArgs) {
        let palette = stdout::stderr_palette(terminal);
        self.lines().iter().for_each(|line| crate::stderr::write_alarm(&format!("warning: {line}"), palette));
    }

    /// Whether it may be decided at all, before anything is asked of Azure or of a person.
    ///
    /// # Errors
    ///
    /// With `--no-loosening`, and where no reason was given and none can be asked for.
    pub(crate) fn refuse(&self, args: &LooseningArgs, can_ask: bool) -> Result<(), CliError> {
        let hint = match (args.no_loosening, &args.reason) {
            (true, _) => "nothing was written, because of --no-loosening",
            (false, None) if !can_ask => "nothing was written; say why with --reason TEXT",
            _ => return Ok(()),
        };
        Err(CliError::usage(self.lines().join("; "), hint))
    }

    /// Says what is exposed and returns the reason: the one that was given, or the answer of the person at the terminal.
    ///
    /// # Errors
    ///
    /// When there is no terminal to ask on, with `instead` as what to do, and when the answer is no reason.
    pub(crate) fn reason(
        &self,
        given: Option<&str>,
        instead: impl Into<Hint>,
        terminal: &TerminalArgs,
    ) -> Result<String, CliError> {
        if given.is_none() {
            refuse_without_terminal(instead)?;
        }
        self.warn(terminal);
        if let Some(given) = given {
            return Ok(given.to_owned());
        }
        let answer = prompt("Why? The reason is kept in the journal:")?;
        // The end of the line is no part of it.
        reason(answer.trim()).map_err(|_| {
            CliError::refused("no reason was given, so nothing was written", "enter a reason, or add --reason TEXT")
        })
    }
}

/// Names of servers, not more than can be read.
fn named(servers: &BTreeSet<&str>) -> String {
    const NAMED: usize = 5;
    let mut text = servers.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if let Some(more) = servers.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded() {
        assert_eq!(named(&["a", "b"].into()), "a, b");
        assert_eq!(named(&["a", "b", "c", "d", "e", "f", "g"].into()), "a, b, c, d, e and 2 more");
    }

    #[test]
    fn what_no_one_can_be_asked_needs_a_reason() {
        let loosening = Loosening(BTreeMap::from([(Exposure::Plaintext, BTreeSet::from(["pg-a"]))]));
        let args =
            |reason: Option<&str>, no_loosening| LooseningArgs { reason: reason.map(str::to_owned), no_loosening };
        assert!(loosening.refuse(&args(None, false), true).is_ok(), "it is asked for");
        assert!(loosening.refuse(&args(Some("incident"), false), false).is_ok());
        for refused in [args(None, false), args(None, true), args(Some("incident"), true)] {
            assert!(loosening.refuse(&refused, false).is_err());
        }
        assert!(loosening.lines()[0].contains("pg-a will accept connections without TLS"), "{:?}", loosening.lines());
    }
}
