//! A plan, the objections to it, a run of it, and what is kept of it.

use hostssl_formats::SubscriptionNames;
use hostssl_formats::apply_json::{ConsentV1, Receipt, RunApproval};
use hostssl_formats::runs_json::{Apply, Audit, Probe, Run};
use hostssl_model::{Kind, ManagementLock, ParameterName};
use hostssl_remediation::{
    AffectedClient, ClientEncryption, ClientImpact, ClientVerdict, Consent, FixableControl, Lint, LintCode, Plan,
    Report, RunOutcome, RunSummary, SafeText, StepReport, StepStatus,
};
use hostssl_test_support::fleet::{PlannerKnowledge, flexible, id, in_state};
use hostssl_test_support::hostile::hostile;

/// A plan with a step, a manual step, and servers that are left out, with texts from outside wherever it has some.
pub(crate) fn plan() -> Plan {
    let text = hostile();
    let clients = AffectedClient {
        user: Some(SafeText::new(&text)),
        database: Some(SafeText::new(&text)),
        application: Some(SafeText::new(&text)),
        address: Some(SafeText::new(&text)),
        tls: ClientEncryption::Plaintext,
        last_seen: Some(text.clone()),
    };
    let impact =
        ClientImpact { verdict: ClientVerdict::Breaks, reason: SafeText::new(&text), clients: vec![clients], more: 1 };
    let mut known = PlannerKnowledge::new(vec![
        flexible("step", "off", "TLSv1.2"),
        in_state(flexible("not-ready", "off", "TLSv1.2"), &text),
        flexible("odd", &text, &text),
        flexible("locked", "off", "TLSv1.2"),
    ]);
    for posture in &mut known.postures {
        posture.server.location = text.as_str().into();
        posture.server.fqdn = Some(text.as_str().into());
    }
    known.locks =
        vec![ManagementLock { scope: id(Kind::Flexible, "locked").to_string(), name: text.clone(), read_only: true }];
    known.clients.insert((id(Kind::Flexible, "step"), FixableControl::RequireSecureTransport), impact);
    let plan = known.plan();
    // Names are approved with a plan: there is none with such a name.
    known.principal.name = text;
    assert!(known.try_plan().is_err());
    assert!(plan.steps().len() == 1 && plan.left_out().len() >= 3, "{plan:?}");
    plan
}

/// The names of subscriptions, which anyone can choose.
pub(crate) fn names() -> SubscriptionNames {
    SubscriptionNames::new([("s", hostile().as_str())])
}

pub(crate) fn objections() -> Vec<Lint> {
    let objection = |(code, step)| Lint { code, step, message: SafeText::new(&hostile()) };
    [(LintCode::Stale, None), (LintCode::Loosens, Some(1))].map(objection).into()
}

/// The result of a run.
pub(crate) fn result() -> Report {
    let step = |(number, status)| StepReport {
        id: number,
        server: hostile(),
        parameter: ParameterName::RequireSecureTransport,
        before: hostile(),
        after: hostile(),
        status,
        reason: Some(hostile()),
        request_id: Some(hostile()),
        undoing: number % 2 == 0,
        open: false,
        not_read_again: number % 3 == 0,
        manual: false,
        vanished: false,
        accepted: Some(Consent { reason: SafeText::new(&hostile()), by: SafeText::new(&hostile()) }),
    };
    Report {
        run: hostile(),
        plan: hostile(),
        summary: RunSummary { applied: 1, ..RunSummary::default() },
        steps: (1..).zip([StepStatus::Failed, StepStatus::Undone]).map(step).collect(),
        outcome: RunOutcome::Failed,
        reason: Some(hostile()),
        undo_reason: Some(hostile()),
    }
}

pub(crate) fn receipts() -> [Receipt; 1] {
    [Receipt {
        step: 1,
        direction: "apply",
        sent_at: hostile(),
        before: hostile(),
        request_id: Some(hostile()),
        accepted_at: Some(hostile()),
        after: Some(hostile()),
        read_back_at: Some(hostile()),
        accepted: Some(ConsentV1 { reason: hostile(), by: hostile() }),
    }]
}

pub(crate) fn approvals() -> [RunApproval; 2] {
    [(); 2].map(|()| RunApproval { person: hostile(), at: hostile() })
}

/// What was run: one of each kind.
pub(crate) fn runs(text: &str) -> [Run<'_>; 3] {
    let audit = Audit {
        run: text,
        profile: text,
        controls: vec![text],
        rules: text.into(),
        coverage: "incomplete",
        servers: 1,
        fail: 1,
        unknown: 0,
        pass: 0,
        principal: text.into(),
        started_at: text.into(),
        last_at: text.into(),
    };
    let probe = Probe {
        run: text,
        coverage: "incomplete",
        endpoints: 1,
        not_enforced: 1,
        unknown: 0,
        enforced: 0,
        started_at: text.into(),
        last_at: Some(text.into()),
    };
    let apply = Apply {
        ending: None,
        run: text,
        plan: text,
        phase: "finished",
        steps: 1,
        written: 1,
        put_back: 1,
        principal: text,
        started_at: text.into(),
        last_at: text.into(),
    };
    [Run::Audit(audit), Run::Probe(probe), Run::Apply(apply)]
}
