//! What goes on behind the pages, one module a kind, and what is remembered of it until the console ends.

pub(crate) mod audit;
pub(crate) mod change;
pub(crate) mod kept_plan;
pub(crate) mod plan;
pub(crate) mod plan_order;
pub(crate) mod run_progress;

use crate::trouble::Trouble;
use hostssl_ops::Tenant;

/// No tenant could be signed in to.
fn no_tenant() -> Trouble {
    Trouble::new(
        "the console is not signed in to any tenant",
        "start the console with a tenant that the identity can sign in to",
    )
}

/// The tenant of this id, or else the first.
fn tenant_of<'a>(tenants: &'a [Tenant], id: Option<&str>) -> Result<&'a Tenant, Trouble> {
    let wanted = tenants.iter().find(|tenant| tenant.principal.tenant.as_deref() == id);
    wanted.or(tenants.first()).ok_or_else(no_tenant)
}
