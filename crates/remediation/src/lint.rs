//! `plan check`: a second opinion on a plan, for any reviewer.
//!
//! It re-derives what it checks from the steps alone and shares no code with the planner or with the checks of
//! [`Plan::parse`], so that a mistake there does not hide itself here.

mod checks;

use crate::{Plan, SafeText, Step};
use hostssl_model::{ControlId, Outcome, ResourceId, ServerReport, Subscription, Tags, coded};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

coded! {
    /// What a lint is about.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum LintCode {
        /// Two steps write the same setting of the same server.
        DuplicateTarget = "duplicate-target",
        /// A step has no undo.
        MissingUndo = "missing-undo",
        /// Undo would write the value that the step writes.
        UndoIsAfter = "undo-is-after",
        /// Undo would not restore the previous value.
        UndoIsNotBefore = "undo-is-not-before",
        /// A step writes the value that is there.
        ChangesNothing = "changes-nothing",
        /// A step makes a server less strict.
        Loosens = "loosens",
        /// No finding, and no order, asks for this value.
        NotNeeded = "not-needed",
        /// The plan rests on an old look at the servers.
        Stale = "stale",
        /// The plan's time is in the future or is not a time.
        BadTime = "bad-time",
        /// The plan touches more servers than it may.
        BlastRadius = "blast-radius",
        /// The canary holds more servers than it may, or than all other waves together.
        CanaryTooLarge = "canary-too-large",
        /// A wave holds more servers than it may.
        WaveTooLarge = "wave-too-large",
        /// Steps are not in the order of their waves, or a server is in two waves.
        WaveOrder = "wave-order",
        /// A replica and its primary are in the wrong order.
        ReplicaOrder = "replica-order",
        /// Servers of more than one tenant, or of another tenant than the plan's identity.
        MixedTenants = "mixed-tenants",
        /// The plan is for another cloud.
        OtherCloud = "other-cloud",
        /// A step cannot be undone: Azure does not take the value before any more.
        CannotBeUndone = "cannot-be-undone",
        /// A production server is tried first, although another one is available.
        ProductionCanary = "production-canary",
        /// Clients are refused, or it is not known whether any is, and no one has accepted that.
        BreaksClients = "breaks-clients",
    }
}

impl LintCode {
    /// Whether it is only a warning: the plan may be right, but a reviewer should know.
    #[must_use]
    pub fn is_warning(self) -> bool {
        matches!(self, Self::Loosens)
    }
}

/// One complaint about a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// What it is about.
    pub code: LintCode,
    /// The step, when it is about one.
    pub step: Option<u32>,
    /// One line of text.
    pub message: SafeText,
}

/// The findings of an audit that failed, by server and control.
pub type FailedFindings = BTreeSet<(ResourceId, ControlId)>;

/// The findings that failed on these servers.
#[must_use]
pub fn failed_findings(servers: &[ServerReport]) -> FailedFindings {
    let failed = |server: &ServerReport| {
        let findings = server.findings.iter().filter(|finding| finding.outcome == Outcome::Fail);
        findings.map(|finding| (server.server.id.clone(), finding.control)).collect::<Vec<_>>()
    };
    servers.iter().flat_map(failed).collect()
}

/// The tags of servers.
pub type ServerTags = BTreeMap<ResourceId, Tags>;

/// The tags of these servers.
#[must_use]
pub fn server_tags(servers: &[ServerReport]) -> ServerTags {
    servers.iter().map(|report| (report.server.id.clone(), report.server.tags.clone())).collect()
}

/// The production servers that the plan changes first, each once, although it changes others after them.
#[must_use]
pub fn production_canary<'a>(
    plan: &'a Plan,
    subscriptions: &[Arc<Subscription>],
    tags: &ServerTags,
) -> BTreeSet<&'a ResourceId> {
    checks::production_canary(plan, subscriptions, Some(tags)).into_iter().map(|step| &step.server).collect()
}

/// What the reviewer knows and allows.
#[derive(Debug, Clone)]
pub struct LintContext<'a> {
    /// Now, in milliseconds since 1970-01-01T00:00:00Z.
    pub now_ms: i64,
    /// The greatest age that is accepted.
    pub max_age: Duration,
    /// How many servers the reviewer allows; the plan's own limit holds besides.
    pub max_servers: Option<u32>,
    /// The cloud that is meant, or `None` to take any.
    pub cloud: Option<&'a str>,
    /// The subscriptions, for the tenant of each; empty when they are not known.
    pub subscriptions: &'a [Arc<Subscription>],
    /// The findings that failed in an audit, to see whether one asks for each step; `None` when there is none at hand.
    pub failed: Option<&'a FailedFindings>,
    /// The tags of the servers, which say what each is for before its name does; `None` when they are not known.
    pub tags: Option<&'a ServerTags>,
}

/// Complains about everything in a plan that a reviewer should not approve. The absence of complaints is not proof.
#[must_use]
pub fn lint(plan: &Plan, context: &LintContext<'_>) -> Vec<Lint> {
    let mut lints = Vec::new();
    let mut say = |code, step: Option<&Step>, message: String| {
        lints.push(Lint { code, step: step.map(|step| step.id), message: SafeText::new(&message) });
    };
    checks::lint_time(plan, context, &mut say);
    checks::lint_places(plan, context, &mut say);
    checks::lint_targets(plan, &mut say);
    for step in plan.steps() {
        checks::lint_values(step, &mut say);
        checks::lint_need(plan, step, &mut say);
        checks::lint_clients(step, &mut say);
    }
    checks::lint_findings(plan, context, &mut say);
    checks::lint_waves(plan, context, &mut say);
    checks::lint_canary(plan, context, &mut say);
    checks::lint_replicas(plan, &mut say);
    lints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Draft;
    use crate::{ClientImpact, ClientVerdict, Consent, Disposition, PlanOptions};
    use crate::{FixableControl, Goal};
    use hostssl_model::{Kind, ParameterName, Principal, Scope, SubscriptionId, SubscriptionState, TlsVersion};

    const NOW: i64 = 1_767_225_600_000; // 2026-01-01T00:00:00Z

    fn id(name: &str) -> ResourceId {
        let text = format!(
            "/subscriptions/s{name}/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}"
        );
        ResourceId::try_from(text.as_str()).unwrap()
    }

    fn step(number: u32, wave: u32, name: &str) -> Step {
        Step {
            id: number,
            wave,
            server: id(name),
            kind: Kind::Flexible,
            replica_of: None,
            created_at: None,
            control: FixableControl::RequireSecureTransport,
            parameter: ParameterName::RequireSecureTransport,
            before: "off".into(),
            after: "on".into(),
            undo: "off".into(),
            disposition: Disposition::OnlineSafe,
            why: SafeText::new("because"),
            clients: Some(ClientImpact { verdict: ClientVerdict::Safe, ..ClientImpact::unobserved() }),
            accepted: None,
            needs: Vec::new(),
        }
    }

    fn draft(steps: Vec<Step>) -> Draft {
        Draft {
            created_at: "2026-01-01T00:00:00Z".into(),
            observed_at: "2025-12-31T23:59:00Z".into(),
            cloud: "AzureCloud".into(),
            scope: Scope::default(),
            principal: Principal { tenant: Some("t".into()), ..Principal::default() },
            subscriptions: Default::default(),
            profile: "baseline@1".into(),
            goal: Goal::Fix { controls: FixableControl::AUDITED.to_vec(), minimum_tls: TlsVersion::Tls1_2 },
            options: PlanOptions { canary_size: 1, wave_size: 2, max_servers: None },
            steps,
            left_out: Vec::new(),
        }
    }

    fn codes(draft: Draft, context: &LintContext<'_>) -> Vec<(LintCode, Option<u32>)> {
        lint(&Plan::seal_unchecked(draft), context).into_iter().map(|lint| (lint.code, lint.step)).collect()
    }

    fn context() -> LintContext<'static> {
        LintContext {
            now_ms: NOW,
            max_age: Duration::from_hours(1),
            max_servers: None,
            cloud: None,
            subscriptions: &[],
            failed: None,
            tags: None,
        }
    }

    #[test]
    fn a_sound_plan_is_clean() {
        assert_eq!(codes(draft(vec![step(1, 1, "a"), step(2, 2, "b"), step(3, 2, "c")]), &context()), []);
    }

    #[test]
    fn every_fault_of_a_step_is_named() {
        type Spoil = fn(&mut Step);
        let faults: [(Spoil, &[LintCode]); 6] = [
            (|step| step.undo = "".into(), &[LintCode::MissingUndo]),
            (|step| step.undo = "ON".into(), &[LintCode::UndoIsAfter]),
            (|step| step.undo = "maybe".into(), &[LintCode::UndoIsNotBefore]),
            (
                |step| step.before = "On".into(),
                &[LintCode::ChangesNothing, LintCode::UndoIsNotBefore, LintCode::NotNeeded],
            ),
            (
                |step| (step.before, step.after, step.undo) = ("on".into(), "off".into(), "on".into()),
                &[LintCode::Loosens, LintCode::NotNeeded],
            ),
            (|step| step.parameter = ParameterName::SslMaxProtocolVersion, &[LintCode::NotNeeded]),
        ];
        for (spoil, expected) in faults {
            let mut spoiled = step(1, 1, "a");
            spoil(&mut spoiled);
            let found = codes(draft(vec![spoiled]), &context());
            assert_eq!(found, expected.iter().map(|code| (*code, Some(1))).collect::<Vec<_>>());
        }
    }

    #[test]
    fn clients_are_refused_only_where_someone_has_accepted_that() {
        let of = |verdict: Option<ClientVerdict>, accepted: bool| {
            let mut step = step(1, 1, "a");
            step.disposition = Disposition::BreaksClients;
            step.clients = verdict.map(|verdict| ClientImpact { verdict, ..ClientImpact::unobserved() });
            let words = || SafeText::new("a maintenance window");
            step.accepted = accepted.then(|| Consent { reason: words(), by: words() });
            codes(draft(vec![step]), &context())
        };
        let objection = [(LintCode::BreaksClients, Some(1))];
        for verdict in [Some(ClientVerdict::Breaks), Some(ClientVerdict::NeedsObservation), None] {
            assert_eq!(of(verdict, false), objection, "{verdict:?}");
            assert_eq!(of(verdict, true), [], "{verdict:?}");
        }
        assert_eq!(of(Some(ClientVerdict::Safe), false), []);
    }

    #[test]
    fn a_floor_that_azure_does_not_take_back_cannot_be_undone() {
        let mut floor = step(1, 1, "a");
        floor.control = FixableControl::MinimumTlsVersion;
        floor.parameter = ParameterName::SslMinProtocolVersion;
        (floor.before, floor.after, floor.undo) = ("TLSv1.1".into(), "TLSv1.2".into(), "TLSv1.1".into());
        assert_eq!(codes(draft(vec![floor]), &context()), [(LintCode::CannotBeUndone, Some(1))]);
    }

    #[test]
    fn production_is_not_the_canary_while_another_server_is_at_hand() {
        let first = |first: &str, second: &str| codes(draft(vec![step(1, 1, first), step(2, 2, second)]), &context());
        for production in ["prod-orders", "orders-prod-01", "pgf-live"] {
            assert_eq!(first(production, "orders"), [(LintCode::ProductionCanary, Some(1))], "{production}");
            assert_eq!(first(production, "prod-billing"), [], "nothing else is at hand");
            assert_eq!(first("orders", production), []);
        }
        for production in ["pgprod01", "ordersprod"] {
            assert_eq!(first(production, "stgorders"), [(LintCode::ProductionCanary, Some(1))], "{production}");
        }
        assert_eq!(first("non-prod-orders", "orders"), []);
        assert_eq!(first("product-catalog", "orders"), []);
    }

    #[test]
    fn tags_say_what_a_server_is_for_before_its_name_does() {
        let plan = |first: &str, second: &str| draft(vec![step(1, 1, first), step(2, 2, second)]);
        let with = |name: &str, key: &str, value: &str| {
            let tags: ServerTags = [(id(name), [(key, value)].into_iter().collect())].into();
            let context = LintContext { tags: Some(&tags), ..context() };
            codes(plan("orders", "billing"), &context)
        };
        let objection = [(LintCode::ProductionCanary, Some(1))];
        assert_eq!(with("orders", "Environment", "Production"), objection);
        assert_eq!(with("orders", "env", "prd"), objection);
        assert_eq!(with("orders", "env", "pre-prod"), []);
        assert_eq!(with("orders", "owner", "production"), [], "not a tag that says what a server is for");
        assert_eq!(with("billing", "env", "production"), []);
        // A copy of production, tagged as a test, is a good canary; and names still count where tags say nothing.
        for (value, expected) in [("test", &[][..]), ("blue", &objection)] {
            let tags: ServerTags = [(id("prod-copy"), [("env", value)].into_iter().collect())].into();
            let context = LintContext { tags: Some(&tags), ..context() };
            assert_eq!(codes(plan("prod-copy", "billing"), &context), expected, "{value}");
        }
        assert_eq!(codes(plan("staging-prod-copy", "billing"), &context()), []);
    }

    #[test]
    fn a_floor_that_nobody_asked_for_is_not_needed() {
        let mut floor = step(1, 1, "a");
        floor.control = FixableControl::MinimumTlsVersion;
        floor.parameter = ParameterName::SslMinProtocolVersion;
        (floor.before, floor.after, floor.undo) = ("TLSv1.2".into(), "TLSv1.3".into(), "TLSv1.2".into());
        assert_eq!(codes(draft(vec![floor]), &context()), [(LintCode::NotNeeded, Some(1))]);
    }

    #[test]
    fn the_same_target_twice_is_named_whatever_its_case() {
        let mut second = step(2, 1, "a");
        second.server = ResourceId::try_from(second.server.as_str().to_uppercase().as_str()).unwrap();
        assert_eq!(codes(draft(vec![step(1, 1, "a"), second]), &context()), [(LintCode::DuplicateTarget, Some(2))]);
    }

    #[test]
    fn waves_are_held_to_their_sizes_and_order() {
        let found = codes(draft(vec![step(1, 1, "a"), step(2, 1, "b"), step(3, 2, "c")]), &context());
        assert_eq!(found, [(LintCode::CanaryTooLarge, None)]);
        let wide = vec![step(1, 1, "a"), step(2, 2, "b"), step(3, 2, "c"), step(4, 2, "d")];
        assert_eq!(codes(draft(wide), &context()), [(LintCode::WaveTooLarge, None)]);
        let back = vec![step(1, 1, "a"), step(2, 3, "b"), step(3, 2, "c")];
        assert_eq!(codes(draft(back), &context()), [(LintCode::WaveOrder, Some(3))]);
        let few = LintContext { max_servers: Some(1), ..context() };
        assert_eq!(codes(draft(vec![step(1, 1, "a"), step(2, 2, "b")]), &few), [(LintCode::BlastRadius, None)]);
    }

    #[test]
    fn a_primary_waits_for_its_replicas() {
        let set = |replica_wave: u32, primary_wave: u32, needs: &[u32]| {
            let mut replica = step(1, replica_wave, "replica");
            replica.replica_of = Some(id("primary"));
            let mut primary = step(2, primary_wave, "primary");
            primary.needs = needs.to_vec();
            codes(draft(vec![replica, primary]), &context())
        };
        assert_eq!(set(1, 2, &[1]), []);
        assert_eq!(set(1, 2, &[]), [(LintCode::ReplicaOrder, Some(2))]);
        assert!(set(1, 1, &[1]).contains(&(LintCode::ReplicaOrder, Some(2))));
        assert!(set(2, 1, &[1]).contains(&(LintCode::ReplicaOrder, Some(2))));
    }

    #[test]
    fn age_cloud_tenant_and_findings_come_from_the_reviewer() {
        let sound = || draft(vec![step(1, 1, "a"), step(2, 2, "b")]);
        let old = LintContext { now_ms: NOW + 7_200_000, ..context() };
        assert_eq!(codes(sound(), &old), [(LintCode::Stale, None)]);
        let early = LintContext { now_ms: NOW - 7_200_000, ..context() };
        assert_eq!(codes(sound(), &early), [(LintCode::BadTime, None)]);
        let china = LintContext { cloud: Some("AzureChinaCloud"), ..context() };
        assert_eq!(codes(sound(), &china), [(LintCode::OtherCloud, None)]);
        let subscription = |name: &str, tenant: &str| {
            let id = SubscriptionId::new(name);
            Arc::new(Subscription { id, name: name.into(), tenant: tenant.into(), state: SubscriptionState::Enabled })
        };
        let subscriptions = [subscription("sa", "T"), subscription("sb", "other")];
        let mixed = LintContext { subscriptions: &subscriptions, ..context() };
        assert_eq!(codes(sound(), &mixed), [(LintCode::MixedTenants, Some(2))]);
        let nothing_found = LintContext { failed: Some(&FailedFindings::new()), ..context() };
        assert_eq!(codes(sound(), &nothing_found), [(LintCode::NotNeeded, Some(1)), (LintCode::NotNeeded, Some(2))]);
    }
}
