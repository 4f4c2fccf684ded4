//! The words for what a file does to a server and to a setting.

use hostssl_model::coded;

coded! {
    /// What a file does with a server as a whole.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum IacServerChange {
        /// A plan makes it.
        Creates = "creates",
        /// A plan has it, and leaves it in place.
        Keeps = "keeps",
        /// A plan destroys it and makes another one.
        Replaces = "replaces",
        /// A plan destroys it.
        Destroys = "destroys",
        /// A plan stops managing it and leaves it in place.
        Releases = "releases",
        /// A state records it.
        Recorded = "recorded",
        /// A template deploys it: as a new server, or over one that exists.
        Deploys = "deploys",
        /// The file has settings of it, and not the server.
        Elsewhere = "elsewhere",
    }
}

coded! {
    /// What a file does to one setting of a server.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum IacEffect {
        /// TLS becomes required.
        TurnsOn = "turns-on",
        /// TLS is no longer required.
        TurnsOff = "turns-off",
        /// It writes another value than before, which is neither of these.
        Changes = "changes",
        /// It writes a value; what was there before is not in the file.
        Sets = "sets",
        /// It has the value that it had.
        Keeps = "keeps",
        /// A state records the value.
        Records = "records",
        /// A new server starts with Azure's default, because nothing sets the value.
        LeavesDefault = "leaves-default",
        /// The block that set the value is deleted, and the provider writes Azure's default.
        ResetsToDefault = "resets-to-default",
        /// The value is no longer managed, and stays as it is.
        Releases = "releases",
        /// Nothing in the file sets the value of a server that may have any.
        NotManaged = "not-managed",
        /// The value is known only when the file is applied.
        Unknown = "unknown",
    }
}

coded! {
    /// Why the value after an apply is not known.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum IacReason {
        /// Terraform knows it only when the plan is applied.
        UntilApply = "until-apply",
        /// A parameter or an expression of a template decides it.
        UntilDeployment = "until-deployment",
        /// The file has the server and does not set the value.
        NotManaged = "not-managed",
        /// The server is made from another one, and starts with that one's value.
        Inherited = "inherited",
        /// The value is none that hostssl knows.
        OtherValue = "other-value",
        /// The resource has no such attribute: another version of the provider wrote the file.
        MissingAttribute = "missing-attribute",
        /// The file marks the value as sensitive, so it is not read.
        Sensitive = "sensitive",
        /// Several blocks set the value, and their order decides.
        Conflict = "conflict",
        /// What the provider does when this block is deleted is not known.
        UnknownDeletion = "unknown-deletion",
        /// The audit that the file was compared with does not have the server.
        NotInAudit = "not-in-audit",
        /// The audit has the server, and could not read the value.
        LiveUnknown = "live-unknown",
    }
}

impl IacReason {
    /// The reason in words, as the rest of a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::UntilApply => "known only after apply",
            Self::UntilDeployment => "decided by a parameter or an expression at deployment",
            Self::NotManaged => "not set in this file: a server that exists keeps its value",
            Self::Inherited => "the server is made from another one and starts with its values",
            Self::OtherValue => "a value that hostssl does not know",
            Self::MissingAttribute => "the resource has no such attribute: another version of the provider wrote it",
            Self::Sensitive => "marked as sensitive, so it was not read",
            Self::Conflict => "several blocks set it, and their order decides",
            Self::UnknownDeletion => "the block is deleted, and what its provider does then is not known",
            Self::NotInAudit => "the audit does not have this server",
            Self::LiveUnknown => "the audit could not read the value of the server",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case() {
        let codes = IacServerChange::ALL.iter().map(|one| one.as_str());
        let codes = codes.chain(IacEffect::ALL.iter().map(|one| one.as_str()));
        for code in codes.chain(IacReason::ALL.iter().map(|one| one.as_str())) {
            assert!(code.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{code}");
        }
    }
}
