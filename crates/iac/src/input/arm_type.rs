//! Types of resources in Azure, in any letter case.

use hostssl_model::Kind;

/// The provider of Azure's resources for PostgreSQL.
const PROVIDER: &str = "Microsoft.DBforPostgreSQL/";
/// The last part of the type of a server's parameter.
pub(super) const CONFIGURATIONS: &str = "configurations";
/// Deploys a template.
pub(super) const DEPLOYMENTS: &str = "Microsoft.Resources/deployments";
/// Deploys a template as well, in another form, which is not read.
pub(super) const STACKS: &str = "Microsoft.Resources/deploymentStacks";

pub(super) fn is_of_provider(arm_type: &str) -> bool {
    arm_type.get(..PROVIDER.len()).is_some_and(|start| start.eq_ignore_ascii_case(PROVIDER))
}

/// The kind of server that a type in Azure is, of those whose TLS can be turned off.
pub(super) fn kind_of_arm_type(arm_type: &str) -> Option<Kind> {
    Kind::of_arm_type(arm_type).filter(|kind| kind.switch().is_some())
}

/// Whether a type in Azure deploys a template.
pub(super) fn is_deployment(arm_type: &str) -> bool {
    [DEPLOYMENTS, STACKS].iter().any(|one| arm_type.eq_ignore_ascii_case(one))
}
