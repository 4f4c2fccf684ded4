//! `require-secure-transport`: clients cannot connect without TLS.

use crate::control::statement;
use crate::{Basis, Control, ControlInput, ControlResult, EvidenceSource, Mapping, Settings};
use hostssl_model::{ControlId, Kind, Meaning, ParameterName, ReplicationRole, Severity};

pub(crate) const CONTROL: Control = Control {
    id: ControlId::RequireSecureTransport,
    title: "clients cannot connect without TLS",
    severity: Severity::High,
    source: EvidenceSource::Declared,
    counterpart: Some(ControlId::PlaintextRefused),
    needs_primary: false,
    fixable: true,
    needs,
    judge,
    mappings: MAPPINGS,
    documentation: include_str!("../../../../docs/controls/require-secure-transport.md"),
};

/// CIS moved the database controls out of the Foundations Benchmark after 3.0, into the Azure Database Services
/// Benchmark; its numbers are left out until they can be read at the source.
const MAPPINGS: &[Mapping] = &[
    Mapping {
        standard: "CIS Microsoft Azure Foundations Benchmark",
        version: "1.1.0",
        requirements: &["4.13"],
        basis: Basis::AzurePolicy,
    },
    Mapping {
        standard: "CIS Microsoft Azure Foundations Benchmark",
        version: "1.3.0, 1.4.0, 2.0.0, 2.1.0",
        requirements: &["4.3.1"],
        basis: Basis::AzurePolicy,
    },
    Mapping {
        standard: "CIS Microsoft Azure Foundations Benchmark",
        version: "3.0.0",
        requirements: &["5.2.1"],
        basis: Basis::Prowler,
    },
    Mapping {
        standard: "Microsoft cloud security benchmark",
        version: "1",
        requirements: &["DP-3"],
        basis: Basis::AzurePolicy,
    },
    Mapping {
        standard: "NIST SP 800-53",
        version: "Rev. 4, Rev. 5",
        requirements: &["SC-8", "SC-8(1)"],
        basis: Basis::AzurePolicy,
    },
    Mapping { standard: "NIST SP 800-171", version: "Rev. 2", requirements: &["3.13.8"], basis: Basis::AzurePolicy },
    Mapping { standard: "FedRAMP", version: "Moderate, High", requirements: &["SC-8"], basis: Basis::AzurePolicy },
    Mapping { standard: "CMMC", version: "2.0 Level 2", requirements: &["SC.L2-3.13.8"], basis: Basis::AzurePolicy },
    Mapping { standard: "SOC 2", version: "", requirements: &["CC6.1", "CC6.6", "CC6.7"], basis: Basis::AzurePolicy },
    Mapping {
        standard: "HIPAA",
        version: "",
        requirements: &["164.312(e)(1)", "164.312(e)(2)(ii)"],
        basis: Basis::Prowler,
    },
    Mapping { standard: "DORA", version: "", requirements: &["9.3a"], basis: Basis::AzurePolicy },
    Mapping { standard: "SWIFT CSCF", version: "2021", requirements: &["2.6"], basis: Basis::AzurePolicy },
    Mapping { standard: "CSA CCM", version: "4", requirements: &["CEK-03", "CEK-04", "IVS-07"], basis: Basis::Prowler },
    Mapping { standard: "PCI DSS", version: "4.0.1", requirements: &["4.2.1"], basis: Basis::Own },
];

fn needs(kind: Kind, _: ReplicationRole) -> Vec<ParameterName> {
    kind.switch().into_iter().collect()
}

fn judge(evidence: &ControlInput<'_>, _: &Settings) -> ControlResult {
    match evidence.posture.server.kind.switch() {
        Some(name) => judge_switch(evidence, name),
        None => ControlResult::pass("TLS is required by the platform"),
    }
}

fn judge_switch(evidence: &ControlInput<'_>, name: ParameterName) -> ControlResult {
    let (parameter, meaning) = match evidence.meaning(name) {
        Ok(read) => read,
        Err(unchecked) => return ControlResult::Unknown(unchecked),
    };
    let (declared, on) = (statement(name, meaning), statement(name, Meaning::Enforced(true)));
    if meaning != Meaning::Enforced(true) {
        return ControlResult::fail(declared, on);
    }
    match parameter.pending_restart {
        true => ControlResult::fail(format!("{declared}, which waits for a restart"), format!("{on}, in effect")),
        false => ControlResult::pass(declared),
    }
}
