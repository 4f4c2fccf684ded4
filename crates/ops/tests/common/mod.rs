//! One simulated tenant, and what is done with it.

#![allow(unreachable_pub, reason = "every test binary is a crate of its own")]
#![allow(dead_code, reason = "every test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use azure_core::http::{HttpClient, Transport};
use hostssl_azure::{Arm, Cloud, RequestLimits};
use hostssl_azure_sim::{
    Fleet, FleetSource, Scenario, Server, SimCredential, SimTransport, Simulation, Subscription, Tenant as SimTenant,
};
use hostssl_model::Principal;
use hostssl_model::Stop;
use hostssl_ops::Tenant;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub const SUBSCRIPTION: &str = "20000000-0000-4000-8000-0000000000aa";
pub const TENANT: &str = "10000000-0000-4000-8000-0000000000aa";

/// One tenant, one subscription, these servers.
pub fn scenario(servers: Vec<Server>) -> Scenario {
    let subscription =
        Subscription { id: SUBSCRIPTION.into(), name: "Only".into(), servers, ..Subscription::default() };
    let tenant =
        SimTenant { id: TENANT.into(), name: "T".into(), subscriptions: vec![subscription], ..SimTenant::default() };
    Scenario::of(FleetSource::Listed(Fleet { tenants: vec![tenant] }))
}

pub fn limits() -> RequestLimits {
    RequestLimits {
        request_timeout: Duration::from_secs(5),
        refusals: 3,
        body_bytes: 4 << 20,
        pages: 50,
        ..RequestLimits::default()
    }
}

pub fn tenant(simulation: &Simulation, limits: RequestLimits, stop: watch::Receiver<Option<Stop>>) -> Tenant {
    tenant_through(simulation, Arc::new(SimTransport::new(simulation)), limits, stop)
}

/// The same through another transport.
pub fn tenant_through(
    simulation: &Simulation,
    transport: Arc<dyn HttpClient>,
    limits: RequestLimits,
    stop: watch::Receiver<Option<Stop>>,
) -> Tenant {
    let id = simulation.tenant_ids().remove(0);
    let credential = Arc::new(SimCredential::new(simulation, id.clone()));
    let arm = Arm::new(Cloud::named("AzureCloud").unwrap(), credential, Transport::new(transport), limits, stop);
    let principal = Principal {
        name: "tester".into(),
        object_id: Some("30000000-0000-4000-8000-0000000000aa".into()),
        tenant: Some(id),
        method: "simulated".into(),
    };
    Tenant { arm, principal }
}
