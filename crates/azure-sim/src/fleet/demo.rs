//! The demonstration fleet: a small company with the usual mixture of care and neglect.

use super::{
    Fleet, GraphView, Kind, ManagementGroup, ProviderState, Server, ServerState, Subscription, Tenant, WireQuirk,
};
use crate::activity_log::Actor;
use crate::fault::{Fault, FaultRule};
use crate::operation::Operation;
use crate::parameters::{LOG_DAYS, LOG_DOWNLOAD};
use crate::scenario::PastWrite;
use std::time::Duration;

const TENANT: &str = "10000000-0000-4000-8000-000000000001";
const PRODUCTION: &str = "20000000-0000-4000-8000-000000000001";
const STAGING: &str = "20000000-0000-4000-8000-000000000002";
const PLATFORM: &str = "20000000-0000-4000-8000-000000000003";
const PARTNERS: &str = "20000000-0000-4000-8000-000000000004";

/// The demonstration fleet and what goes wrong in it.
pub(crate) fn demo() -> (Fleet, Vec<FaultRule>) {
    let fleet = Fleet { tenants: vec![tenant(vec![production(), staging(), platform(), partners()])] };
    let flexible = |subscription: &str, group: &str, name: &str| {
        format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/{}/{}/{name}",
            Kind::Flexible.provider(),
            Kind::Flexible.type_segment()
        )
    };
    let faults = vec![
        // A role assignment on the group that forgot the parameters.
        FaultRule::on_server(flexible(PRODUCTION, "rg-finance-prod", "pg-payroll-prod"), Fault::Forbidden),
        FaultRule::on_server(flexible(STAGING, "rg-shop-stage", "pg-cart-review-812"), Fault::Vanished),
        FaultRule::on_server(flexible(PRODUCTION, "rg-finance-prod", "pg-ledger-prod"), Fault::ReadOnlyLock),
        FaultRule::on_subscription(PRODUCTION, Fault::PolicyEnforces),
        FaultRule::on_subscription(PARTNERS, Fault::Forbidden).during([Operation::ListServers]),
    ];
    (fleet, faults)
}

/// What people, a pipeline and a policy wrote before, as the Activity Log still has it.
pub(crate) fn demo_past() -> Vec<PastWrite> {
    let id = |subscription: &str, group: &str, kind: Kind, name: &str| {
        let (provider, segment) = (kind.provider(), kind.type_segment());
        format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{segment}/{name}")
    };
    let ann = || Actor::Person("ann@contoso.example".to_owned());
    let pipeline = || Actor::Application {
        app: "30000000-0000-4000-8000-000000000001".to_owned(),
        object: "30000000-0000-4000-8000-000000000002".to_owned(),
    };
    let policy = || {
        let name = "tls-1-3-everywhere";
        Actor::Policy(format!("/subscriptions/{STAGING}/providers/Microsoft.Authorization/policyAssignments/{name}"))
    };
    let flexible = Kind::Flexible;
    let of = |server: String, parameter: Option<&str>, hours: u64, by: Actor| PastWrite {
        server,
        parameter: parameter.map(ToOwned::to_owned),
        age: Duration::from_secs(hours * 3600),
        by,
    };
    let replica = id(PRODUCTION, "rg-shop-prod", flexible, "pg-orders-prod-replica");
    let search = id(PRODUCTION, "rg-shop-prod", flexible, "pg-search-prod");
    let shipping = id(STAGING, "rg-shop-stage", flexible, "pg-shipping-stage");
    let single = id(PRODUCTION, "rg-finance-prod", Kind::Single, "pg-archive-legacy");
    vec![
        of(search.clone(), None, 80 * 24, pipeline()),
        of(replica, Some("require_secure_transport"), 40 * 24, ann()),
        of(search, Some("ssl_min_protocol_version"), 33 * 24, pipeline()),
        of(shipping, Some("ssl_min_protocol_version"), 32 * 24, policy()),
        of(single, None, 31 * 24, ann()),
    ]
}

/// With log files that can be downloaded, of a whole week.
fn logged(server: Server) -> Server {
    server.with(LOG_DOWNLOAD, "on").with(LOG_DAYS, "7")
}

/// The same company after it has done its homework.
pub(crate) fn enforced() -> Fleet {
    let mut fleet = Fleet { tenants: vec![tenant(vec![production(), staging(), platform()])] };
    for subscription in fleet.tenants.iter_mut().flat_map(|tenant| &mut tenant.subscriptions) {
        subscription.horizon = ProviderState::Registered;
        for server in &mut subscription.servers {
            server.state = ServerState::Ready;
            server.pending_restart.clear();
            server.parameters.retain(|(name, _)| [LOG_DOWNLOAD, LOG_DAYS].contains(&name.as_str()));
            server.graph = GraphView::Current;
            server.quirks.clear();
            // Its listeners can be probed from anywhere: that it enforces TLS can be proven.
            server.private = false;
            if server.kind == Kind::Single {
                server.parameters = vec![
                    ("sslEnforcement".to_owned(), "Enabled".to_owned()),
                    ("minimalTlsVersion".to_owned(), "TLS1_2".to_owned()),
                ];
            }
        }
    }
    fleet
}

fn tenant(subscriptions: Vec<Subscription>) -> Tenant {
    let group = |name: &str, display_name: &str, parent: Option<&str>| ManagementGroup {
        name: name.to_owned(),
        display_name: display_name.to_owned(),
        parent: parent.map(ToOwned::to_owned),
    };
    Tenant {
        id: TENANT.to_owned(),
        name: "Contoso".to_owned(),
        groups: vec![
            group("contoso-workloads", "Workloads", None),
            group("contoso-online", "Online", Some("contoso-workloads")),
            group("contoso-platform", "Platform", None),
        ],
        subscriptions,
    }
}

fn subscription(id: &str, name: &str, group: &str, servers: Vec<Server>) -> Subscription {
    Subscription {
        id: id.to_owned(),
        name: name.to_owned(),
        management_group: Some(group.to_owned()),
        servers,
        ..Subscription::default()
    }
}

fn pg(group: &str, name: &str) -> Server {
    Server::new(Kind::Flexible, group, name)
}

fn production() -> Subscription {
    let shop = |name: &str| pg("rg-shop-prod", name).tagged("environment", "production");
    let finance = |name: &str| pg("rg-finance-prod", name).tagged("environment", "production");
    let servers = vec![
        logged(shop("pg-orders-prod").with("pgbouncer.enabled", "true")),
        Server {
            // Someone turned enforcement off on the replica to get a report out.
            replica_of: Some("pg-orders-prod".to_owned()),
            ..shop("pg-orders-prod-replica").at("northeurope").with("require_secure_transport", "off")
        },
        logged(shop("pg-catalog-prod").with("require_secure_transport", "off")),
        // Its pooler does not keep to what the server declares.
        shop("pg-search-prod")
            .with("ssl_min_protocol_version", "TLSv1.3")
            .with("pgbouncer.enabled", "true")
            .quirky(WireQuirk::PoolerPlaintextAccepted),
        shop("pg-shipping-prod").with("ssl_max_protocol_version", "TLSv1.2"),
        Server { nodes: 4, ..shop("pg-events-prod").at("swedencentral") },
        Server { private: true, ..logged(finance("pg-ledger-prod").with("require_secure_transport", "off")) },
        finance("pg-payroll-prod"),
        Server {
            version: 14,
            pending_restart: vec!["shared_preload_libraries".to_owned(), "max_connections".to_owned()],
            ..finance("pg-invoices-prod")
                .with("max_connections", "500")
                .with("require_secure_transport", "ON")
                .quirky(WireQuirk::PlaintextAccepted)
        },
        Server::new(Kind::Single, "rg-finance-prod", "pg-archive-legacy")
            .with("sslEnforcement", "Disabled")
            .tagged("environment", "production")
            .tagged("owner", "finance"),
    ];
    Subscription {
        horizon: ProviderState::NotRegistered,
        ..subscription(PRODUCTION, "Contoso Production", "contoso-online", servers)
    }
}

fn staging() -> Subscription {
    let shop = |name: &str| pg("rg-shop-stage", name).tagged("environment", "staging");
    let servers = vec![
        // Downloads were turned on the day before yesterday, and the retention was not raised.
        shop("pg-orders-stage").with("require_secure_transport", "off").with(LOG_DOWNLOAD, "on"),
        Server { state: ServerState::Stopped, ..shop("pg-catalog-stage") },
        Server { state: ServerState::Provisioning, graph: GraphView::Missing, ..shop("pg-returns-stage") },
        Server { graph: GraphView::Stale, ..shop("pg-cart-review-811") },
        shop("pg-cart-review-812"),
        Server {
            version: 16,
            ..shop("pg-search-stage").with("require_secure_transport", "on").quirky(WireQuirk::CertificateOfOtherName)
        },
        Server {
            pending_restart: vec!["ssl_min_protocol_version".to_owned()],
            ..shop("pg-shipping-stage").with("ssl_min_protocol_version", "TLSv1.3")
        },
    ];
    Subscription {
        horizon: ProviderState::NotRegistered,
        ..subscription(STAGING, "Contoso Staging", "contoso-online", servers)
    }
}

fn platform() -> Subscription {
    let data = "rg-data-platform";
    let servers = vec![
        Server::new(Kind::Single, "rg-identity", "pg-directory")
            .with("sslEnforcement", "Enabled")
            .with("minimalTlsVersion", "TLS1_0"),
        Server::new(Kind::Single, "rg-identity", "pg-audit-trail")
            .with("sslEnforcement", "Enabled")
            .with("minimalTlsVersion", "TLS1_2"),
        Server { version: 16, nodes: 3, ..Server::new(Kind::Cosmos, data, "citus-telemetry").at("northeurope") },
        Server {
            nodes: 2,
            ..Server::new(Kind::Cosmos, data, "citus-metering").with("coordinator:ssl_min_protocol_version", "TLSv1.3")
        },
        Server {
            parameter_group: Some("horizon-strict".to_owned()),
            ..Server::new(Kind::Horizon, data, "horizon-insights")
        },
        Server {
            parameter_group: Some("horizon-relaxed".to_owned()),
            ..Server::new(Kind::Horizon, data, "horizon-sandbox").at("westus2")
        },
        Server::new(Kind::ParameterGroup, data, "horizon-strict"),
        Server::new(Kind::ParameterGroup, data, "horizon-relaxed")
            .at("westus2")
            .with("require_secure_transport", "off"),
        pg("rg-identity", "pg-grafana").quirky(WireQuirk::CertificateExpiresSoon),
        logged(pg("rg-identity", "pg-keycloak").with("require_secure_transport", "off")),
    ];
    subscription(PLATFORM, "Contoso Platform", "contoso-platform", servers)
}

fn partners() -> Subscription {
    let servers = vec![pg("rg-partner-portal", "pg-partner-portal")];
    Subscription {
        horizon: ProviderState::Unsupported,
        ..subscription(PARTNERS, "Contoso Partners", "contoso-workloads", servers)
    }
}
