//! What was read of a file, in one form for every format.

use crate::{IacReason, IacServerChange};
use hostssl_model::{Kind, Meaning, ParameterName, ResourceId, coded};

coded! {
    /// The kinds of files.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum IacFormat {
        /// `terraform show -json` of a plan.
        TerraformPlan = "terraform-plan",
        /// `terraform show -json` of a state.
        TerraformState = "terraform-state",
        /// An ARM template, or a Bicep file that was compiled to one.
        ArmTemplate = "arm-template",
    }
}

impl IacFormat {
    /// Its name in a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::TerraformPlan => "Terraform plan",
            Self::TerraformState => "Terraform state",
            Self::ArmTemplate => "ARM template",
        }
    }
}

coded! {
    /// Why a part of a file says nothing about servers that it may have.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum IacGapKind {
        /// Terraform ended with an error while it planned.
        Errored = "errored",
        /// The plan is for a part of the configuration, or Terraform deferred a part of it.
        Partial = "partial",
        /// A template deploys another one by its link, which is not in the file.
        LinkedTemplate = "linked-template",
        /// A resource of PostgreSQL whose attributes could not be understood.
        NotUnderstood = "not-understood",
        /// A resource that may change servers, of a type whose content is not read.
        NotRead = "not-read",
    }
}

/// A part of a file that could not be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IacGap {
    /// Why.
    pub kind: IacGapKind,
    /// The resource, where it is one.
    pub address: Option<Box<str>>,
}

/// What a file says about servers. Nothing in it is a secret of the file.
#[derive(Debug, Clone)]
pub struct IacFile {
    /// Which format it has.
    pub format: IacFormat,
    /// The version of Terraform that wrote it, where it says so.
    pub tool_version: Option<Box<str>>,
    /// What could not be understood.
    pub gaps: Vec<IacGap>,
    pub(crate) servers: Vec<ServerBlock>,
    pub(crate) settings: Vec<SettingBlock>,
}

/// A server that a file has.
#[derive(Debug, Clone)]
pub(crate) struct ServerBlock {
    /// Terraform's address, or the name and type of a template's resource.
    pub(crate) address: Box<str>,
    pub(crate) kind: Kind,
    pub(crate) id: Option<ResourceId>,
    pub(crate) name: Option<Box<str>>,
    pub(crate) resource_group: Option<Box<str>>,
    /// Whether the id is for matching alone, because the file marks a part of it as sensitive.
    pub(crate) hides_id: bool,
    pub(crate) change: IacServerChange,
    /// The id of the server that an apply destroys: its own, or that of the one in whose place it is made.
    pub(crate) destroys: Option<ResourceId>,
    /// Whether a new server starts with values other than Azure's defaults.
    pub(crate) is_copy: bool,
    /// Settings that are attributes of the server itself.
    pub(crate) inline: Vec<SettingBlock>,
}

/// Where the value of a setting is given.
#[derive(Debug, Clone)]
pub(crate) struct SettingBlock {
    pub(crate) address: Box<str>,
    pub(crate) kind: Kind,
    /// The server among those of the file; `None` when it is not known which.
    pub(crate) server: Option<usize>,
    /// The setting; `None` when its name is not known.
    pub(crate) name: Option<ParameterName>,
    pub(crate) before: Stated,
    pub(crate) after: Stated,
    pub(crate) act: BlockAct,
    /// The value that it had before someone changed it outside Terraform, where the plan says so.
    pub(crate) changed_outside: Option<Meaning>,
}

/// What a file says about a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stated {
    /// It was or is not there.
    Absent,
    /// This.
    Value(Meaning),
    /// Something that cannot be told.
    Unclear(IacReason),
}

impl Stated {
    pub(crate) fn meaning(self) -> Option<Meaning> {
        match self {
            Self::Value(meaning) => Some(meaning),
            Self::Absent | Self::Unclear(_) => None,
        }
    }
}

/// What an apply does with a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockAct {
    /// Nothing.
    Keep,
    /// It writes the value.
    Write,
    /// It writes Azure's default, because the block is deleted.
    Reset,
    /// The block is deleted, and nothing says what that does.
    Delete,
    /// It forgets the block, and leaves the value.
    Release,
    /// There is no apply: a state says what was.
    Record,
}
