//! `--fail-on`, `--baseline` and `--waivers`: what makes an audit fail a pipeline.

use crate::args::{StateArgs, Suggested, latest};
use crate::commands::waivers;
use crate::error::CliError;
use crate::state::{LATEST, find_audit};
use clap::{Args, ValueEnum};
use hostssl_audit::Profile;
use hostssl_formats::{audit_json, gate_text, waiver_text};
use hostssl_model::{AuditEnd, AuditReport, FailOn, Waiver};
use hostssl_store::Page;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What decides the exit code.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Gate options")]
pub(crate) struct GateArgs {
    /// What makes the audit end with 3 (repeatable, or separated by commas; default: fail, and new with --baseline). What could
    /// not be checked still makes it end with 4, so 0 always means that everything was checked.
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    fail_on: Vec<FailOnWord>,
    /// The audit to compare with: a kept run, latest (the newest one kept), or a file that -o json=FILE wrote. If its scope or
    /// profile differs, a warning says so, and the audit does not end with 0.
    #[arg(long, value_name = "RUN|FILE", value_parser = Suggested(latest), hide_possible_values = true)]
    baseline: Option<String>,
    /// A file of waivers: failures that were accepted for a time. They are reported, and do not count. See `hostssl
    /// waivers --help`.
    #[arg(long, value_name = "FILE", env = "HOSTSSL_WAIVERS")]
    waivers: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOnWord {
    /// A rule that fails.
    Fail,
    /// A rule of high severity that fails.
    High,
    /// A rule that fails and did not in the baseline, or fails for another value.
    New,
    /// Something that could not be checked: 3 instead of 4.
    Unknown,
    /// No failure.
    Never,
}

impl From<FailOnWord> for FailOn {
    fn from(word: FailOnWord) -> Self {
        match word {
            FailOnWord::Fail => Self::Fail,
            FailOnWord::High => Self::High,
            FailOnWord::New => Self::New,
            FailOnWord::Unknown => Self::Unknown,
            FailOnWord::Never => Self::Never,
        }
    }
}

/// The rules of a gate, read before the audit begins.
#[derive(Debug)]
pub(crate) struct Rules {
    fail_on: Vec<FailOn>,
    baseline: Option<AuditReport>,
    waivers: Option<(String, Vec<Waiver>)>,
}

impl GateArgs {
    /// Whether failures may be waived: that is not known before the audit ends.
    pub(crate) fn has_waivers(&self) -> bool {
        self.waivers.is_some()
    }

    /// The files that are read. A kept run that has the name of a file is that file.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &Path> {
        self.baseline.as_deref().map(Path::new).into_iter().chain(self.waivers.as_deref())
    }

    /// The rules, if any were given.
    ///
    /// # Errors
    ///
    /// For rules that contradict each other, for a baseline that there is not, and for waivers that cannot be understood.
    pub(crate) fn rules(
        &self,
        profile: &Profile,
        state: &StateArgs,
        simulated: bool,
    ) -> Result<Option<Rules>, CliError> {
        let (fail_on, baseline) = self.counted(state, simulated)?;
        let waivers = match &self.waivers {
            Some(path) => Some((path.display().to_string(), waivers::load(path, profile)?)),
            None => None,
        };
        let given = !fail_on.is_empty() || waivers.is_some();
        Ok(given.then_some(Rules { fail_on, baseline, waivers }))
    }

    /// The rules for an audit that is shown again: its baseline is what it was when the audit was made. `latest` names the newest
    /// audit before it.
    ///
    /// # Errors
    ///
    /// For an audit that is its own baseline, and for a baseline that is no longer kept.
    pub(crate) fn rules_of_kept(
        &self,
        rules: Option<Rules>,
        kept: &AuditReport,
        state: &StateArgs,
        simulated: bool,
    ) -> Result<Option<Rules>, CliError> {
        let Some(rules @ Rules { baseline: Some(_), .. }) = rules else { return Ok(rules) };
        let is_latest = self.baseline.as_deref() == Some(LATEST) && !Path::new(LATEST).is_file();
        let baseline = if is_latest { audit_before(kept, state, simulated)? } else { rules.baseline };
        if baseline.as_ref().is_none_or(|baseline| baseline.run.id == kept.run.id) {
            let message = format!("audit {} has no baseline but itself", kept.run.id);
            return Err(CliError::usage(message, "name an earlier audit with --baseline; `hostssl runs` lists them"));
        }
        Ok(Some(Rules { baseline, ..rules }))
    }

    /// What counts, and the baseline.
    fn counted(&self, state: &StateArgs, simulated: bool) -> Result<(Vec<FailOn>, Option<AuditReport>), CliError> {
        let hint = "add --baseline latest for the newest audit that is kept, or --baseline FILE";
        let fail_on = rules_of(&self.fail_on, self.baseline.is_some(), hint)?;
        let Some(name) = &self.baseline else { return Ok((fail_on, None)) };
        Ok((fail_on, Some(baseline(name, state, simulated)?)))
    }
}

/// What counts, by the words that were given. With a baseline, what is new does.
///
/// # Errors
///
/// For words that contradict each other or the baseline.
pub(crate) fn rules_of(
    words: &[FailOnWord],
    has_baseline: bool,
    needs_baseline: &'static str,
) -> Result<Vec<FailOn>, CliError> {
    let mut fail_on: Vec<FailOn> = words.iter().map(|word| FailOn::from(*word)).collect();
    fail_on.sort_unstable();
    fail_on.dedup();
    if fail_on.contains(&FailOn::Never) && fail_on.len() > 1 {
        return Err(CliError::usage(
            "--fail-on never cannot be combined with others",
            "leave out never, or the others",
        ));
    }
    if has_baseline && fail_on.is_empty() {
        fail_on.push(FailOn::New);
    }
    match (has_baseline, fail_on.contains(&FailOn::New)) {
        (false, true) => Err(CliError::usage("--fail-on new needs an earlier result to compare with", needs_baseline)),
        // Nothing counts, and the report says what is new.
        (true, false) if fail_on != [FailOn::Never] => {
            let hint = "add --fail-on new, or leave out --baseline";
            Err(CliError::usage("--baseline needs --fail-on new", hint))
        }
        _ => Ok(fail_on),
    }
}

impl Rules {
    /// Lays what they make of it over a report.
    pub(crate) fn apply_to(self, report: &mut AuditReport) {
        if let Some((name, waivers)) = self.waivers {
            hostssl_audit::apply_waivers(report, &name, waivers);
        }
        report.overlay.gate = Some(hostssl_audit::gate(report, &self.fail_on, self.baseline.as_ref()));
    }
}

/// Tells that the next audit compares with this one, which has found something new: a retry of it would find nothing new.
pub(crate) fn report_latest(args: &GateArgs, report: &AuditReport) {
    let is_latest = args.baseline.as_deref() == Some(LATEST);
    let compared = report.overlay.gate.as_ref().filter(|gate| is_latest && gate.end == AuditEnd::Findings);
    if let Some(baseline) = compared.and_then(|gate| gate.baseline.as_ref()) {
        stderr!(
            "warning: this audit is kept and is the latest from now on, so its failures are known to the next one; \
             --baseline {} compares with the same audit again",
            baseline.run
        );
    }
}

/// Tells what decided, unless the report for people does; what is doubtful is told with --quiet too.
pub(crate) fn report_gate(report: &AuditReport, quiet: bool) {
    if !quiet {
        let lines = waiver_text::used(report).into_iter().chain(gate_text::decided(report));
        lines.for_each(|line| stderr!("{line}"));
    }
    waiver_text::doubts(report).iter().chain(&gate_text::doubts(report)).for_each(|doubt| stderr!("warning: {doubt}"));
}

fn baseline(name: &str, state: &StateArgs, simulated: bool) -> Result<AuditReport, CliError> {
    audit_named(name, state, simulated, "baseline")
}

/// The newest audit that was kept before this one.
fn audit_before(kept: &AuditReport, state: &StateArgs, simulated: bool) -> Result<Option<AuditReport>, CliError> {
    let Some(reader) = state.read_if_any(simulated)? else { return Ok(None) };
    let Some(entry) = reader.audit(&kept.run.id)? else { return Ok(None) };
    let (audits, _) = reader.audits(Page { number: 0, size: u32::MAX })?;
    let before = audits.into_iter().find(|one| one.is_before(&entry));
    Ok(before.map(|before| reader.audit_report(&before)).transpose()?)
}

/// An earlier audit: a file that has its JSON, or one that is kept. `noun` is what it is called in messages.
pub(crate) fn audit_named(name: &str, state: &StateArgs, simulated: bool, noun: &str) -> Result<AuditReport, CliError> {
    let path = Path::new(name);
    if path.is_file() {
        let file = File::open(path).map_err(|error| unreadable(path, noun, &error))?;
        return audit_json::read(file).map_err(|error| CliError::from(error).of_file(path));
    }
    // No id of a run has any of these.
    if name.contains(['/', '\\', '.']) {
        let error = File::open(path).err().unwrap_or_else(|| std::io::Error::other("it is not a file"));
        return Err(unreadable(path, noun, &error));
    }
    let hint = "`hostssl runs` lists the runs; a file is one that `hostssl audit -o json=FILE` wrote";
    let none = || {
        let what = if noun == "audit" { String::new() } else { format!(" that could be the {noun}") };
        CliError::usage(format!("no audit is kept{what}"), hint)
    };
    let reader = state.read_if_any(simulated)?.ok_or_else(none)?;
    let audit = find_audit(&reader, name)?;
    Ok(reader.audit_report(&audit)?)
}

fn unreadable(path: &Path, noun: &str, error: &std::io::Error) -> CliError {
    let hint = "name a file that `hostssl audit -o json=FILE` wrote, or a run that `hostssl runs` lists";
    CliError::usage(format!("the {noun} {} cannot be read: {error}", path.display()), hint)
}
