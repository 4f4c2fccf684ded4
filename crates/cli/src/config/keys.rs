//! Which options have a key, and for which commands.

use crate::command_line::Cli;
use crate::usage;
use clap::CommandFactory as _;
use hostssl_audit::Profile;

/// An option that the configuration file can set.
#[derive(Debug)]
pub(crate) struct ConfigKey {
    /// In the file, and on the command line behind two dashes.
    pub(crate) name: &'static str,
    /// What the parser of arguments calls it.
    pub(crate) id: &'static str,
    /// What its value is.
    pub(crate) form: KeyForm,
    /// The commands that it is for.
    pub(crate) commands: &'static [&'static [&'static str]],
    /// A command line whose parser reads the value.
    pub(crate) sample: &'static [&'static str],
    /// Whether it is a part of the scope, which is replaced as a whole.
    pub(crate) is_scope: bool,
    /// Whether it is taken only from a file that was named, and not from one that is in the working directory.
    pub(crate) needs_name: bool,
}

/// The form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyForm {
    Text,
    Number,
    /// One text, or several.
    Texts,
}

impl KeyForm {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Text => "a text in quotation marks",
            Self::Number => "a number",
            Self::Texts => "a text in quotation marks, or a list of them",
        }
    }
}

/// Commands that read the servers of a scope.
const SCOPED: &[&str] = &[
    "audit",
    "watch",
    "plan",
    "enforce",
    "clients",
    "doctor",
    "serve",
    "mcp",
    "server list",
    "iac check",
    "zones check",
    "zones targets",
];
/// Those that can show a server without searching the scope.
const SHOWING: &[&str] = &["server show", "server history"];
/// Commands that judge by a profile.
const JUDGING: &[&str] = &[
    "audit",
    "watch",
    "plan",
    "enforce",
    "serve",
    "mcp",
    "iac check",
    "iac snippet",
    "waivers check",
    "waivers list",
    "waivers add",
];
/// Commands that are bounded, and change nothing.
const BOUNDED: &[&str] = &[
    "audit",
    "watch",
    "plan",
    "clients",
    "serve",
    "mcp",
    "server list",
    "server show",
    "server history",
    "diff",
    "iac check",
    "zones check",
    "zones targets",
];
/// Commands that keep something, or read what is kept.
const KEEPING: &[&str] = &[
    "audit",
    "watch",
    "plan",
    "plan show",
    "plan check",
    "apply",
    "resume",
    "undo",
    "runs",
    "runs show",
    "runs judge",
    "diff",
    "trend",
    "evidence",
    "enforce",
    "server list",
    "server show",
    "server history",
    "server update",
    "probe",
    "clients",
    "clients forget",
    "doctor",
    "iac check",
    "iac snippet",
    "serve",
    "mcp",
    "simulate",
    "zones check",
    "zones targets",
    "zones enrol",
    "zones probers",
    "zones revoke",
];

const NONE: ConfigKey = ConfigKey {
    name: "",
    id: "",
    form: KeyForm::Text,
    commands: &[],
    sample: &["audit"],
    is_scope: false,
    needs_name: false,
};

/// Every key, by its name.
pub(crate) const KEYS: [ConfigKey; 10] = [
    ConfigKey { name: "concurrency", id: "concurrency", form: KeyForm::Number, commands: &[BOUNDED], ..NONE },
    ConfigKey { name: "deadline", id: "deadline", commands: &[BOUNDED], ..NONE },
    ConfigKey {
        name: "expiry-days",
        id: "expiry_days",
        form: KeyForm::Number,
        commands: &[&["audit", "watch", "probe"]],
        sample: &["audit", "--probe"],
        ..NONE
    },
    ConfigKey {
        name: "management-group",
        id: "management_group",
        form: KeyForm::Texts,
        commands: &[SCOPED],
        is_scope: true,
        ..NONE
    },
    ConfigKey { name: "profile", id: "profile", commands: &[JUDGING], ..NONE },
    ConfigKey {
        name: "resource-group",
        id: "resource_group",
        form: KeyForm::Texts,
        commands: &[SCOPED],
        is_scope: true,
        ..NONE
    },
    // Kept censuses decide which clients a plan takes to be safe, so a working directory may not name them.
    ConfigKey { name: "state", id: "state", commands: &[KEEPING], needs_name: true, ..NONE },
    ConfigKey { name: "store", id: "store", commands: &[KEEPING, &["state upgrade"]], needs_name: true, ..NONE },
    ConfigKey {
        name: "subscription",
        id: "subscription",
        form: KeyForm::Texts,
        commands: &[SCOPED],
        is_scope: true,
        ..NONE
    },
    ConfigKey {
        name: "tenant",
        id: "tenant",
        form: KeyForm::Texts,
        commands: &[SCOPED, SHOWING],
        is_scope: true,
        ..NONE
    },
];

impl ConfigKey {
    /// Whether it is for this command.
    pub(crate) fn is_of(&self, command: &str) -> bool {
        self.commands.iter().any(|commands| commands.contains(&command))
    }

    /// What is wrong with a value, by the parser of the option.
    pub(crate) fn objection(&self, value: &str) -> Option<String> {
        let option = format!("--{}={value}", self.name);
        let words = ["hostssl"].iter().chain(self.sample).copied().chain([option.as_str()]);
        if let Err(error) = Cli::command().try_get_matches_from(words) {
            return Some(usage::first_line(&error));
        }
        // Any name is an argument; who uses it looks it up.
        let is_profile = self.id == "profile";
        is_profile.then(|| Profile::find_for(value, true).err().map(|error| error.to_string())).flatten()
    }
}
