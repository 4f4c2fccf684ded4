//! Azure Policy that would turn enforcement on over clients in plaintext, in a simulated Azure: found, left alone, not readable.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

mod common;

use common::{limits, scenario, tenant};
use hostssl_audit::Profile;
use hostssl_azure_sim::{Fault, FaultRule, FaultScope, Kind, Operation, Server, Simulation};
use hostssl_census::{Backend, Census, Interval, KeptCensus, Requirements, SessionTls, Sighting, Source, SourceKind};
use hostssl_model::{AuditReport, Gap, Reason, ResourceId, Scope};
use hostssl_ops::{
    AuditRequest, Discovery, KeptEvidence, PolicyOverPlaintext, RunContext, Tenant, audit, policies_over_plaintext,
};
use hostssl_store::StoreError;
use jiff::Timestamp;
use tokio::sync::watch;

/// Every server has one client, which connects like this.
#[derive(Debug)]
struct OneClient(SessionTls);

impl KeptEvidence for OneClient {
    fn census(&self, _: &ResourceId) -> Result<Option<KeptCensus>, StoreError> {
        let now = Timestamp::now().as_millisecond();
        let mut census = Census::default();
        let source = census.add_source(Source::new(SourceKind::ArmLogFile, "log"));
        if let Some(source) = census.source_mut(source) {
            source.coverage.add(Interval { from: now - 86_400_000, to: now });
        }
        let sighting = Sighting {
            user: Some("app".into()),
            database: Some("shop".into()),
            application: None,
            address: Some("10.0.0.4".into()),
            backend: Backend::Client,
            tls: self.0,
            protocol: None,
            cipher: None,
            at: Some(now),
            doubt: None,
        };
        census.add(source, sighting);
        Ok(Some(census.keep(now)))
    }
}

/// What is kept of every server is damaged.
#[derive(Debug)]
struct Damaged;

impl KeptEvidence for Damaged {
    fn census(&self, _: &ResourceId) -> Result<Option<KeptCensus>, StoreError> {
        Err(StoreError::NoState("/kept".into()))
    }
}

/// Two servers, of which the first does not enforce TLS.
async fn audited() -> (Simulation, Tenant, AuditReport) {
    let servers = ["pg-a", "pg-b"].map(|name| Server::new(Kind::Flexible, "rg", name));
    let simulation = Simulation::new(scenario(servers.into()));
    simulation.set_parameter(&simulation.server_ids().remove(0), "require_secure_transport", "off").unwrap();
    let tenant = tenant(&simulation, limits(), watch::channel(None).1);
    let request = AuditRequest {
        scope: Scope::default(),
        profile: Profile::find("baseline").unwrap(),
        discovery: Discovery::Lists,
    };
    let context = RunContext::begin("audit", &Timestamp::now, "0.1.0");
    let report = audit(std::slice::from_ref(&tenant), &request, context, &mut |_| ()).await.unwrap();
    (simulation, tenant, report)
}

async fn found(tenant: &Tenant, report: &AuditReport, tls: SessionTls) -> (Vec<PolicyOverPlaintext>, Vec<Gap>) {
    let requirements = Requirements { window: 7 * 86_400_000, now: Some(Timestamp::now().as_millisecond()) };
    policies_over_plaintext(std::slice::from_ref(tenant), report, Some(&OneClient(tls)), requirements).await
}

#[tokio::test]
async fn a_policy_over_clients_in_plaintext_is_named_with_its_server() {
    let (simulation, tenant, report) = audited().await;
    simulation.inject(FaultRule::new(FaultScope::Everywhere, Fault::PolicyEnforces)).unwrap();
    simulation.inject(FaultRule::new(FaultScope::Everywhere, Fault::PolicyDenied)).unwrap();
    let (over, gaps) = found(&tenant, &report, SessionTls::Plaintext).await;
    assert!(gaps.is_empty(), "{gaps:?}");
    let [over] = over.as_slice() else { panic!("{over:?}") };
    assert_eq!((over.server.name(), over.clients), ("pg-a", 1), "pg-b enforces TLS already");
    assert_eq!(over.policies, ["Simulated policy that enforces TLS"], "one that denies changes nothing");
    assert_eq!(simulation.requests().of(Operation::ListPolicies), 1, "one list for the one subscription");
}

#[tokio::test]
async fn an_initiative_and_a_policy_of_their_own_are_opened() {
    let (simulation, tenant, report) = audited().await;
    for fault in [Fault::InitiativeEnforces, Fault::OwnPolicyEnforces] {
        simulation.inject(FaultRule::new(FaultScope::Everywhere, fault)).unwrap();
    }
    let (over, gaps) = found(&tenant, &report, SessionTls::Plaintext).await;
    assert!(gaps.is_empty(), "{gaps:?}");
    let [over] = over.as_slice() else { panic!("{over:?}") };
    assert_eq!(over.policies, ["Simulated initiative that enforces TLS", "Simulated policy of their own"]);
    assert_eq!(simulation.requests().of(Operation::GetPolicyDefinition), 2, "each once");
    // What cannot be opened may enforce.
    let closed = FaultRule::new(FaultScope::Everywhere, Fault::Forbidden);
    simulation.inject(closed.during([Operation::GetPolicyDefinition])).unwrap();
    let (over, gaps) = found(&tenant, &report, SessionTls::Plaintext).await;
    assert_eq!((over.len(), gaps.len()), (0, 1), "{over:?} {gaps:?}");
    assert_eq!(gaps[0].unchecked.reason, Reason::Permission);
}

#[tokio::test]
async fn without_clients_in_plaintext_azure_is_not_asked() {
    let (simulation, tenant, report) = audited().await;
    simulation.inject(FaultRule::new(FaultScope::Everywhere, Fault::PolicyEnforces)).unwrap();
    let (over, gaps) = found(&tenant, &report, SessionTls::Tls).await;
    assert!(over.is_empty() && gaps.is_empty(), "{over:?} {gaps:?}");
    assert_eq!(simulation.requests().of(Operation::ListPolicies), 0);
}

#[tokio::test]
async fn a_census_that_cannot_be_read_is_not_one_without_clients() {
    let (simulation, tenant, report) = audited().await;
    let requirements = Requirements { window: 7 * 86_400_000, now: Some(Timestamp::now().as_millisecond()) };
    let (over, gaps) =
        policies_over_plaintext(std::slice::from_ref(&tenant), &report, Some(&Damaged), requirements).await;
    let [gap] = gaps.as_slice() else { panic!("{gaps:?}") };
    let of = simulation.server_ids().remove(0);
    assert!(over.is_empty() && gap.scope.to_string().eq_ignore_ascii_case(&of.to_string()), "{gap:?}");
    assert!(gap.unchecked.detail.contains("clients cannot be read"), "{gap:?}");
}

#[tokio::test]
async fn assignments_that_cannot_be_read_are_a_named_reason() {
    for (fault, reason) in [(Fault::Forbidden, Reason::Permission), (Fault::TruncatedJson, Reason::MalformedAnswer)] {
        let (simulation, tenant, report) = audited().await;
        let rule = FaultRule::new(FaultScope::Everywhere, fault.clone());
        simulation.inject(rule.during([Operation::ListPolicies])).unwrap();
        let (over, gaps) = found(&tenant, &report, SessionTls::Plaintext).await;
        assert!(over.is_empty() && gaps.len() == 1, "{fault:?}: {gaps:?}");
        assert_eq!(gaps[0].unchecked.reason, reason, "{fault:?}");
        let missing = gaps[0].unchecked.missing_permission.as_deref();
        let wanted = (fault == Fault::Forbidden).then_some("Microsoft.Authorization/policyAssignments/read");
        assert_eq!(missing, wanted);
    }
}
