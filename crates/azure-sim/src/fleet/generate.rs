//! Fleets of any size from a seed.

use super::{FleetSize, Kind, Server, ServerState};
use crate::estate::Builder;
use crate::random::SplitMix64;

const LOCATIONS: &[&str] =
    &["westeurope", "northeurope", "eastus2", "canadacentral", "southeastasia", "germanywestcentral"];
const WORKLOADS: &[&str] = &["orders", "billing", "catalog", "ledger", "search", "identity", "reports", "shipping"];
const STAGES: &[&str] = &["prod", "stage", "test", "dev"];

/// Adds a generated fleet to `builder`, one server at a time so that only the compact form is ever in memory.
pub(crate) fn generate(size: &FleetSize, builder: &mut Builder) {
    let mut random = SplitMix64::new(size.seed);
    let tenants = size.tenants.max(1);
    let each = size.subscriptions_per_tenant.max(1);
    let subscriptions = tenants.saturating_mul(each);
    let mut number = 0;
    for tenant in 0..tenants {
        builder.tenant(random.guid().to_string(), format!("Contoso {}", tenant + 1), Vec::new());
        for index in 0..each {
            builder.subscription(super::Subscription {
                id: random.guid().to_string(),
                name: format!("contoso-{:05}", tenant * each + index + 1),
                ..super::Subscription::default()
            });
            let done = tenant * each + index;
            let end = size.servers * (done + 1) / subscriptions;
            let mut source = None;
            while number < end {
                server(&mut random, size, number, &mut source, builder);
                number += 1;
            }
        }
    }
}

fn server(
    random: &mut SplitMix64,
    size: &FleetSize,
    number: usize,
    source: &mut Option<(String, String)>,
    builder: &mut Builder,
) {
    let mix = size.mix;
    let shares = [mix.flexible, mix.elastic, mix.replica, mix.single, mix.cosmos, mix.horizon];
    let total = shares.iter().map(|share| u64::from(*share)).sum();
    let mut ticket = random.below(total);
    let mut choice = 0;
    for (index, share) in shares.iter().enumerate() {
        if ticket < u64::from(*share) {
            choice = index;
            break;
        }
        ticket -= u64::from(*share);
    }
    let workload = random.pick(WORKLOADS).copied().unwrap_or("orders");
    let stage = random.pick(STAGES).copied().unwrap_or("prod");
    let location = random.pick(LOCATIONS).copied().unwrap_or("westeurope");
    let group = format!("rg-{workload}-{stage}");
    let kind = match choice {
        3 => Kind::Single,
        4 => Kind::Cosmos,
        5 => Kind::Horizon,
        _ => Kind::Flexible,
    };
    let mut made = Server::new(kind, group.clone(), format!("pg-{workload}-{stage}-{number:06}"))
        .at(location)
        .tagged("workload", workload);
    match (choice, source.as_ref()) {
        (1, _) => made.nodes = 2,
        (2, Some((group, name))) => {
            made.group.clone_from(group);
            made.replica_of = Some(name.clone());
        }
        _ => {}
    }
    if kind == Kind::Horizon {
        let name = format!("{}-parameters", made.name);
        builder.server(settings(Server::new(Kind::ParameterGroup, group.clone(), name.clone()).at(location), random));
        made.parameter_group = Some(name);
    } else {
        made = settings(made, random);
    }
    if kind == Kind::Flexible && random.chance(2) {
        made.state = ServerState::Stopped;
    }
    if choice == 0 {
        *source = Some((group, made.name.clone()));
    }
    builder.server(made);
}

/// About one in four does not enforce, one in ten asks for TLS 1.3.
fn settings(server: Server, random: &mut SplitMix64) -> Server {
    let (off, strict) = (random.chance(25), random.chance(10));
    match server.kind {
        Kind::Flexible | Kind::Horizon | Kind::ParameterGroup => {
            let server = if off { server.with("require_secure_transport", "off") } else { server };
            if strict { server.with("ssl_min_protocol_version", "TLSv1.3") } else { server }
        }
        Kind::Single => server
            .with("sslEnforcement", if off { "Disabled" } else { "Enabled" })
            .with("minimalTlsVersion", if strict { "TLS1_2" } else { "TLSEnforcementDisabled" }),
        Kind::Cosmos if strict => server.with("node:ssl_min_protocol_version", "TLSv1.3"),
        Kind::Cosmos => server,
    }
}
