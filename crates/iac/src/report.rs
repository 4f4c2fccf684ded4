//! What a check finds.

use crate::{IacBaselineUse, IacEffect, IacFormat, IacGap, IacReason, IacServerChange};
use hostssl_audit::control;
use hostssl_model::{
    ControlId, FailOn, Kind, Meaning, Outcome, ParameterName, ResourceId, Severity, Summary, Waiver, WaiverFile, coded,
};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::Arc;

/// What a finding is about: a control of audits, judged by the value after an apply, or something that only a file can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IacRule {
    /// The control.
    Control(ControlId),
    /// A deleted block makes the server refuse clients that it accepts now.
    ResetRefusesClients,
}

/// The code of [`IacRule::ResetRefusesClients`].
const RESET: &str = "reset-refuses-clients";

impl IacRule {
    /// The stable code: that of the control, or of the rule.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Control(id) => id.as_str(),
            Self::ResetRefusesClients => RESET,
        }
    }

    /// What holds when it passes.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Control(id) => control(id).title,
            Self::ResetRefusesClients => "no deleted block makes a server refuse clients that it accepts now",
        }
    }

    /// How much a failure matters.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Control(id) => control(id).severity,
            Self::ResetRefusesClients => Severity::Medium,
        }
    }

    /// Its documentation, in Markdown.
    #[must_use]
    pub fn documentation(self) -> &'static str {
        match self {
            Self::Control(id) => control(id).documentation,
            Self::ResetRefusesClients => {
                "When a configuration block of a flexible server is deleted, the provider azurerm writes Azure's default, and the \
                 default of require_secure_transport is on. Deleting a block that says off thus makes the server refuse clients \
                 without TLS. Check the clients first with `hostssl clients`, then set the value to on instead of deleting the \
                 block."
            }
        }
    }
}

coded! {
    /// How the value of a server differs from what the file knows.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum LiveDifference {
        /// The file writes its own value over the one of the server.
        Overwritten = "overwritten",
        /// The file does not know that the server has another value, and leaves it until it is planned again.
        Unnoticed = "unnoticed",
    }
}

/// What a server has, as an audit found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveValue {
    /// What its value says.
    pub meaning: Meaning,
    /// How that differs from the file, if it does.
    pub difference: Option<LiveDifference>,
}

/// One rule's outcome on one setting of one server.
#[derive(Debug, Clone)]
pub struct IacFinding {
    /// The rule.
    pub rule: IacRule,
    /// How it ended.
    pub outcome: Outcome,
    /// The setting.
    pub setting: ParameterName,
    /// What the file does to it.
    pub effect: IacEffect,
    /// Where the file says so.
    pub address: Box<str>,
    /// The value before an apply, as far as the file knows.
    pub before: Option<Meaning>,
    /// The value after it.
    pub after: Option<Meaning>,
    /// The value that the setting had before it was changed outside Terraform, where the plan says so.
    pub changed_outside: Option<Meaning>,
    /// What the server has, where the file was compared with an audit.
    pub live: Option<LiveValue>,
    /// What would pass; only for a failure.
    pub expected: Option<Cow<'static, str>>,
    /// Why the outcome is unknown; only then.
    pub reason: Option<IacReason>,
    /// The waiver for a failure, whether or not it is in effect.
    pub waiver: Option<Arc<Waiver>>,
    /// Whether it fails as it did in the baseline.
    pub is_known: bool,
}

impl IacFinding {
    /// The waiver by which a failure is accepted.
    #[must_use]
    pub fn accepted(&self) -> Option<&Waiver> {
        self.waiver.as_deref().filter(|waiver| self.outcome == Outcome::Fail && waiver.is_in_effect())
    }

    /// Whether it fails, and no one has accepted that.
    #[must_use]
    pub fn fails_unwaived(&self) -> bool {
        self.outcome == Outcome::Fail && self.accepted().is_none()
    }
}

/// A server, and what the file does to it.
#[derive(Debug, Clone)]
pub struct IacServer {
    /// Where the file has it.
    pub address: Box<str>,
    /// What kind it is.
    pub kind: Kind,
    /// Its id, where the file or the audit knows it.
    pub id: Option<ResourceId>,
    /// Its name, where it is known.
    pub name: Option<Box<str>>,
    /// Its resource group, where it is known.
    pub resource_group: Option<Box<str>>,
    /// What becomes of it.
    pub change: IacServerChange,
    /// What was found.
    pub findings: Vec<IacFinding>,
}

impl IacServer {
    /// Its worst finding.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.findings.iter().map(|finding| finding.outcome).max().unwrap_or(Outcome::NotApplicable)
    }

    /// Its name, or where the file has it.
    #[must_use]
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.address)
    }

    /// A stable name for a finding, the same in every run: 16 hexadecimal digits of the SHA-256 of the rule, the setting, and
    /// the id in lower case; where there is no id, of the address, and the name and resource group as far as they are known.
    #[must_use]
    pub fn fingerprint(&self, finding: &IacFinding) -> String {
        let place = match &self.id {
            Some(id) => vec![id.to_lowercase()],
            None => {
                let known = |text: &Option<Box<str>>| text.as_deref().unwrap_or_default().to_ascii_lowercase();
                vec![self.address.to_string(), known(&self.name), known(&self.resource_group)]
            }
        };
        let mut hash = Sha256::new();
        let rule = ["iac", finding.rule.as_str(), finding.setting.key()];
        for part in rule.into_iter().chain(place.iter().map(String::as_str)) {
            hash.update(part.as_bytes());
            hash.update(b"\0");
        }
        hostssl_model::hex(&hash.finalize()[..8])
    }
}

/// The audit that a file was compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedAudit {
    /// Its id.
    pub run: String,
    /// When it ended, in RFC 3339.
    pub finished_at: String,
    /// Whether everything in its scope was checked.
    pub complete: bool,
}

/// What a check of a file finds.
#[derive(Debug, Clone)]
pub struct IacReport {
    /// The format of the file.
    pub format: IacFormat,
    /// The version of Terraform that wrote it, where it says so.
    pub tool_version: Option<Box<str>>,
    /// The rules, such as `baseline@1`.
    pub profile: String,
    /// The audit that it was compared with, if it was.
    pub live: Option<ComparedAudit>,
    /// The servers of the file, in its order.
    pub servers: Vec<IacServer>,
    /// What could not be understood.
    pub gaps: Vec<IacGap>,
    /// What makes it end with findings, as of an audit; every failure where it is empty.
    pub fail_on: Vec<FailOn>,
    /// The waivers that were applied to its failures, if there was a file of them.
    pub waivers: Option<WaiverFile>,
    /// The earlier check that decides which failures are new, if there was one.
    pub baseline: Option<IacBaselineUse>,
}

impl IacReport {
    /// How many servers ended how.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        self.servers.iter().for_each(|server| summary.count(server.outcome()));
        summary
    }
}
