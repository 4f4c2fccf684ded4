//! Where sightings come from, and what a source cannot say.

use crate::Coverage;
use serde::{Deserialize, Serialize};

/// What a source of sightings is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// A log file on disk, or standard input.
    LogFile,
    /// A log file that Resource Manager lists.
    ArmLogFile,
    /// `pg_stat_ssl` and `pg_stat_activity`.
    Sessions,
    /// Azure Monitor.
    LogAnalytics,
    /// `SHOW CLIENTS` of a PgBouncer.
    Pgbouncer,
}

impl SourceKind {
    /// The word in the formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LogFile => "log-file",
            Self::ArmLogFile => "arm-log-file",
            Self::Sessions => "sessions",
            Self::LogAnalytics => "log-analytics",
            Self::Pgbouncer => "pgbouncer",
        }
    }
}

/// What a source cannot say, as a stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingReason {
    /// It holds nothing.
    Empty,
    /// It is not a log of PostgreSQL.
    NotALog,
    /// It is text beside the logs, and certainly none of them.
    Skipped,
    /// Connections are not logged.
    LogConnectionsOff,
    /// It could not be read to its end.
    Truncated,
    /// Some of its lines could not be read.
    Damaged,
    /// A file of the log is not there.
    MissingFile,
    /// It is of another server than others that were read as one, or lacks lines that they have.
    MixedServers,
    /// Some of its lines have another prefix than the one that was given or found.
    MixedPrefixes,
    /// Its lines do not say when they were written.
    NoTime,
    /// Its lines do not say which session they are of.
    NoSession,
    /// The zone of its times is not known; they are read as UTC.
    TimeZone,
    /// Nothing was written for a time.
    Gap,
    /// Lines were too long to be held, and left out.
    LongLines,
    /// What a client chooses as its name can imitate words of the server.
    Imitation,
    /// Sessions that began before and have not ended are not in it.
    OlderSessions,
    /// More clients than are listed.
    MoreClients,
    /// Clients that come and go between two samples are not observed.
    Sampling,
    /// The role may not see all sessions.
    Privilege,
    /// The source could not be reached.
    Unreachable,
    /// The source is turned off.
    Disabled,
    /// The source is kept for a shorter time than it could be.
    ShortRetention,
}

impl MissingReason {
    /// Whether a source with this cannot vouch for having seen every connection.
    #[must_use]
    pub fn blocks(self) -> bool {
        match self {
            Self::NotALog
            | Self::LogConnectionsOff
            | Self::Truncated
            | Self::Damaged
            | Self::MissingFile
            | Self::MixedServers
            | Self::MixedPrefixes
            | Self::NoTime
            | Self::NoSession
            | Self::Sampling
            | Self::Privilege
            | Self::Unreachable
            | Self::Disabled => true,
            Self::Empty
            | Self::Skipped
            | Self::TimeZone
            | Self::Gap
            | Self::LongLines
            | Self::Imitation
            | Self::OlderSessions
            | Self::MoreClients
            | Self::ShortRetention => false,
        }
    }

    /// Whether lines were written that could not be read, or were left out by the server's settings.
    pub(crate) fn hides_lines(self) -> bool {
        matches!(
            self,
            Self::NotALog
                | Self::LogConnectionsOff
                | Self::Truncated
                | Self::Damaged
                | Self::MissingFile
                | Self::MixedServers
                | Self::MixedPrefixes
        )
    }

    /// The word in the formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotALog => "not-a-log",
            Self::Skipped => "skipped",
            Self::LogConnectionsOff => "log-connections-off",
            Self::Truncated => "truncated",
            Self::Damaged => "damaged",
            Self::MissingFile => "missing-file",
            Self::MixedServers => "mixed-servers",
            Self::MixedPrefixes => "mixed-prefixes",
            Self::NoTime => "no-time",
            Self::NoSession => "no-session",
            Self::TimeZone => "time-zone",
            Self::Gap => "gap",
            Self::LongLines => "long-lines",
            Self::Imitation => "imitation",
            Self::OlderSessions => "older-sessions",
            Self::MoreClients => "more-clients",
            Self::Sampling => "sampling",
            Self::Privilege => "privilege",
            Self::Unreachable => "unreachable",
            Self::Disabled => "disabled",
            Self::ShortRetention => "short-retention",
        }
    }
}

/// Something that a source cannot say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The stable word.
    pub reason: MissingReason,
    /// One sentence.
    pub detail: String,
}

/// Where sightings come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What it is.
    pub kind: SourceKind,
    /// Its name, such as that of the file.
    pub name: String,
    /// In words, what was found out about its format; empty if there is nothing to say.
    pub format: String,
    /// The time that it covers.
    pub coverage: Coverage,
    /// Whether it shows every connection of that time.
    pub is_complete: bool,
    /// What it cannot say.
    pub missing: Vec<Missing>,
}

impl Source {
    /// Whether it is one file among others.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.kind, SourceKind::LogFile | SourceKind::ArmLogFile)
    }

    /// Whether it lacks this.
    pub(crate) fn has(&self, reason: MissingReason) -> bool {
        self.missing.iter().any(|missing| missing.reason == reason)
    }

    /// Whether lines were written that it does not show.
    pub(crate) fn hides_lines(&self) -> bool {
        self.missing.iter().any(|missing| missing.reason.hides_lines())
    }

    /// A source of which nothing is known yet.
    #[must_use]
    pub fn new(kind: SourceKind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            format: String::new(),
            coverage: Coverage::default(),
            is_complete: true,
            missing: Vec::new(),
        }
    }

    /// Notes that it lacks something.
    pub fn lacks(&mut self, reason: MissingReason, detail: impl Into<String>) {
        self.is_complete &= !reason.blocks();
        if !self.missing.iter().any(|missing| missing.reason == reason) {
            self.missing.push(Missing { reason, detail: detail.into() });
        }
    }
}
