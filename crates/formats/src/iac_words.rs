//! What a check of a file finds, in sentences.

use crate::{safe, waiver_text};
use hostssl_iac::{IacEffect, IacFinding, IacGap, IacGapKind, IacReport, IacRule, LiveDifference};
use hostssl_model::{AuditEnd, Meaning, Outcome};
use jiff::Timestamp;

/// Where a report is from, for formats that stand alone.
#[derive(Debug, Clone, Copy)]
pub struct IacOrigin<'a> {
    /// The name of the file; `-` for standard input.
    pub file: &'a str,
    /// The version of hostssl.
    pub tool_version: &'a str,
    /// When the file was checked.
    pub checked_at: Timestamp,
}

/// What the file does to a setting, and what that means.
pub(crate) fn what(finding: &IacFinding) -> String {
    let mut sentence = effect(finding);
    if let Some(reason) = finding.reason {
        sentence.push_str(&format!("; unknown: {}", reason.words()));
    } else if finding.outcome == Outcome::Pass && finding.after.is_none() {
        sentence.push_str("; every value that Azure offers passes");
    }
    if let Some(live) = finding.live {
        let value = spelled(finding, live.meaning);
        sentence.push_str(&match live.difference {
            None => format!("; the server has {value}"),
            Some(LiveDifference::Overwritten) => format!("; the server has {value}, which is overwritten"),
            Some(LiveDifference::Unnoticed) => {
                format!("; the server has {value}, which was changed since: the next plan will write this file's value")
            }
        });
    }
    if let Some(outside) = finding.changed_outside {
        let value = spelled(finding, outside);
        sentence.push_str(&format!("; it was {value} until it was changed outside Terraform"));
    }
    sentence
}

/// The same, and the waiver of a failure.
pub(crate) fn with_waiver(finding: &IacFinding) -> String {
    let known = if finding.is_known { " (fails in the baseline too)" } else { "" };
    let waiver = finding.waiver.as_deref().map(|waiver| format!(" ({})", waiver_text::beside(waiver)));
    format!("{}{known}{}", what(finding), waiver.unwrap_or_default())
}

fn effect(finding: &IacFinding) -> String {
    let setting = finding.setting;
    let now = finding.live.map(|live| live.meaning).or(finding.before);
    let value = |meaning: Option<Meaning>| meaning.map_or_else(|| "unknown".to_owned(), |one| spelled(finding, one));
    let (before, after) = (value(now), value(finding.after));
    match finding.effect {
        IacEffect::TurnsOn => {
            format!("turns enforcement on ({setting} {before} -> {after}): clients without TLS will be refused")
        }
        IacEffect::TurnsOff => format!("turns enforcement off ({setting} {before} -> {after})"),
        IacEffect::Changes => format!("changes {setting} from {before} to {after}"),
        IacEffect::Sets => format!("sets {setting} to {after}"),
        IacEffect::Keeps => format!("keeps {setting} = {after}"),
        IacEffect::Records => format!("{setting} = {after}"),
        IacEffect::LeavesDefault => format!("leaves Azure's default, {setting} = {after}"),
        IacEffect::ResetsToDefault => {
            let resets = format!("deletes a block of {setting}: the provider writes Azure's default, {after}");
            let refuses = finding.rule == IacRule::ResetRefusesClients && finding.outcome == Outcome::Fail;
            let clients = if refuses { ", and clients that are accepted now are refused" } else { "" };
            format!("{resets}{clients}")
        }
        IacEffect::Releases => format!("no longer manages {setting}, which stays {after}"),
        IacEffect::NotManaged => format!("does not set {setting}"),
        IacEffect::Unknown => format!("may change {setting}"),
    }
}

/// A value as its setting spells it.
pub(crate) fn spelled(finding: &IacFinding, meaning: Meaning) -> String {
    match finding.setting.spell(meaning) {
        Some("") => "not set".to_owned(),
        Some(value) => value.to_owned(),
        None => "unknown".to_owned(),
    }
}

/// Why a part of a file says nothing about its servers.
#[must_use]
pub fn gap(gap: &IacGap) -> String {
    let why = match gap.kind {
        IacGapKind::Errored => "Terraform ended with an error while it planned, so the plan is not whole",
        IacGapKind::Partial => "the plan is for a part of the configuration, or Terraform deferred a part of it",
        IacGapKind::NotRead => {
            "what this resource deploys or does is not read, and may change servers: check it by itself"
        }
        IacGapKind::LinkedTemplate => "a linked template is not in this file: check it by itself",
        IacGapKind::NotUnderstood => "a resource of PostgreSQL of a type that hostssl does not know",
    };
    gap.address.as_ref().map_or_else(|| why.to_owned(), |address| format!("{}: {why}", safe(address)))
}

/// What decided how the check ends. Nothing without waivers, a baseline and rules of its own.
#[must_use]
pub fn decided(report: &IacReport) -> Vec<String> {
    let mut lines: Vec<String> = report.waivers.iter().map(waiver_text::used_of).collect();
    if !report.fail_on.is_empty() {
        let rules: Vec<&str> = report.fail_on.iter().map(|rule| rule.as_str()).collect();
        let what = match report.end() {
            AuditEnd::Pass => "no finding counts",
            AuditEnd::Incomplete => "no finding counts, but not everything is known and compared",
            AuditEnd::Findings => "a finding counts",
        };
        lines.push(format!("gate (--fail-on {}): {what}", rules.join(",")));
    }
    if let Some(baseline) = &report.baseline {
        let (file, profile) = (safe(&baseline.file), safe(&baseline.profile));
        lines.push(format!("baseline: {file}, {profile}; known failures: {}", baseline.known));
    }
    lines
}

/// Why a waiver of a failure does not hold, and why the baseline cannot say that nothing is new. A waiver that covers nothing here
/// may be for another file.
#[must_use]
pub fn doubts(report: &IacReport) -> Vec<String> {
    let mut doubts: Vec<String> = report.waivers.iter().flat_map(waiver_text::doubts_of_used).collect();
    let Some(baseline) = &report.baseline else { return doubts };
    let mut doubt = |what: &str| {
        doubts.push(format!("{what}, so this check does not pass: make a new baseline with a check like this one"));
    };
    if !baseline.same_profile {
        doubt(&format!("the baseline has another profile, {} and not {}", safe(&baseline.profile), report.profile));
    }
    if !baseline.same_way {
        doubt("the baseline is of another format of file, or only one of the two was compared with the servers");
    }
    if baseline.unnamed > 0 {
        let what = "known failures are of servers whose id and name are not in the file, and may be of other servers";
        doubts.push(format!("{} of the {what}, so this check does not pass", baseline.unnamed));
    }
    doubts
}
