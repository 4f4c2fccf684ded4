//! Where standards require a control.

use std::collections::BTreeSet;

/// A place in a standard that asks for what a control checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// The standard, such as `CIS Microsoft Azure Foundations Benchmark`.
    pub standard: &'static str,
    /// The version or revision of the standard; numbers change between versions, so it is part of the mapping.
    pub version: &'static str,
    /// The requirements in it.
    pub requirements: &'static [&'static str],
    /// Who says that the requirement asks for this.
    pub basis: Basis,
}

/// Who says that a requirement asks for a control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Microsoft's regulatory compliance initiatives for Azure Policy hold the policy of this setting there.
    AzurePolicy,
    /// The compliance maps of Prowler hold the check of this setting there.
    Prowler,
    /// hostssl's own reading of the requirement; ask your auditor.
    Own,
}

/// The standards that controls answer, in the order of their names.
#[must_use]
pub fn standards() -> Vec<&'static str> {
    let all = crate::ALL.into_iter().flat_map(|control| control.mappings.iter().map(|mapping| mapping.standard));
    all.collect::<BTreeSet<_>>().into_iter().collect()
}

impl Basis {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AzurePolicy => "azure-policy",
            Self::Prowler => "prowler",
            Self::Own => "own-reading",
        }
    }
}
