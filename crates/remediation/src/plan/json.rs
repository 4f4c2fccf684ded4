//! The file form of a plan, `hostssl/plan/v1`: frozen, with its own structs.
//!
//! The hash is the SHA-256 of the canonical form: the same JSON without `hash`, without white space, and with the
//! members of every object in the order of their names. It can be recomputed, for instance with
//! `jq -cjS 'del(.hash)' plan.json | sha256sum`.

use super::clients::{AcceptanceV1, ClientsV1};
use super::named_subscriptions::{self, SubscriptionV1};
use super::text::{bad, safe_from};
use super::validate::validate;
use super::{Disposition, Draft, InvalidPlanHash, LeftOut, LeftOutReason, Plan, PlanHash, PlanOptions, Step};
use crate::{FixableControl, Floor, Goal, SafeText};
use hostssl_model::{Advice, Fault, Hint};
use hostssl_model::{Kind, ParameterName, Principal, ResourceId, Scope, TlsVersion};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The longest plan that is read, in bytes: about 100,000 steps.
pub const MAX_PLAN_BYTES: usize = 64 * 1024 * 1024;

const SCHEMA: &str = "hostssl/plan/v1";

/// The text is not a plan that may be applied.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPlan {
    /// It is too long.
    #[error("the plan has {0} bytes, more than the {MAX_PLAN_BYTES} that are accepted")]
    TooLarge(usize),
    /// It is not JSON, not whole, or not of this form.
    #[error("the plan is damaged, truncated, or not in the format {SCHEMA}")]
    Malformed(#[source] serde_json::Error),
    /// It is of another version.
    #[error("the plan has the format `{0}`, this hostssl supports {SCHEMA}")]
    OtherVersion(SafeText),
    /// A name or an id in it is not valid.
    #[error("{place}: `{text}` is not {wanted}")]
    BadText {
        /// Where.
        place: &'static str,
        /// What stands there.
        text: SafeText,
        /// What should.
        wanted: &'static str,
    },
    /// The hash in it is not a hash.
    #[error("the plan's own hash cannot be read")]
    NoHash(#[source] InvalidPlanHash),
    /// Its hash is not the hash of what it says.
    #[error("the plan was changed after it was made: it says hash {stated}, its content has hash {computed}")]
    Edited {
        /// The hash that it states.
        stated: PlanHash,
        /// The hash of its content.
        computed: PlanHash,
    },
    /// The server that was chosen to go first cannot.
    #[error("{0}")]
    Canary(String),
    /// It breaks a rule that every plan keeps.
    #[error("the plan is inconsistent: {0}")]
    Inconsistent(String),
}

impl Advice for InvalidPlan {
    fn advice(&self) -> Hint {
        Hint::from(match self {
            Self::TooLarge(_) => "plan for fewer servers at a time: `hostssl plan --max-servers 1000`",
            Self::Edited { .. } => "a plan cannot be edited: create it again with `hostssl plan`",
            Self::OtherVersion(_) => "create it again with this hostssl: `hostssl plan`",
            Self::Canary(_) => "choose another server with --canary, or leave --canary out",
            Self::Malformed(_) | Self::BadText { .. } | Self::NoHash(_) | Self::Inconsistent(_) => {
                "create it again with `hostssl plan`"
            }
        })
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

impl Plan {
    /// Seals a draft with its hash, when it keeps the rules of every plan.
    pub(crate) fn seal(draft: Draft) -> Result<Self, InvalidPlan> {
        validate(&draft).map_err(InvalidPlan::Inconsistent)?;
        Ok(Self::seal_unchecked(draft))
    }

    /// Seals a draft whatever it says. Outside [`Plan::seal`] only for tests of the lint.
    pub(crate) fn seal_unchecked(draft: Draft) -> Self {
        let hash = hash_of(&PlanV1::from_draft(&draft, String::new()));
        Self { hash, draft }
    }

    /// The plan in its file form, indented.
    #[must_use]
    pub fn to_json(&self) -> String {
        let document = PlanV1::from_draft(&self.draft, self.hash.as_str().to_owned());
        let mut text = to_text(&document, true);
        text.push('\n');
        text
    }

    /// Reads a plan back and holds it to everything that can be checked without asking anyone: its version, its hash,
    /// every id, and the rules of every plan.
    ///
    /// # Errors
    ///
    /// [`InvalidPlan`]: nothing of such a plan may be applied.
    pub fn parse(text: &str) -> Result<Self, InvalidPlan> {
        if text.len() > MAX_PLAN_BYTES {
            return Err(InvalidPlan::TooLarge(text.len()));
        }
        let version: Version = serde_json::from_str(text).map_err(InvalidPlan::Malformed)?;
        if version.schema != SCHEMA {
            return Err(InvalidPlan::OtherVersion(SafeText::new(&version.schema)));
        }
        let document: PlanV1 = serde_json::from_str(text).map_err(InvalidPlan::Malformed)?;
        let stated = PlanHash::new(&document.hash).map_err(InvalidPlan::NoHash)?;
        let computed = hash_of(&document);
        if stated != computed {
            return Err(InvalidPlan::Edited { stated, computed });
        }
        let draft = document.into_draft()?;
        validate(&draft).map_err(InvalidPlan::Inconsistent)?;
        Ok(Self { hash: stated, draft })
    }
}

/// The JSON Schema of the file form.
#[cfg(feature = "schema")]
#[must_use]
pub fn plan_schema() -> Value {
    schemars::schema_for!(PlanV1).to_value()
}

#[derive(Deserialize)]
struct Version {
    schema: String,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PlanV1 {
    schema: String,
    hash: String,
    created_at: String,
    observed_at: String,
    cloud: String,
    scope: ScopeV1,
    principal: PrincipalV1,
    /// The names of the subscriptions of its servers when it was made; absent if none is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    subscriptions: Vec<SubscriptionV1>,
    profile: String,
    goal: GoalV1,
    options: OptionsV1,
    waves: Vec<WaveV1>,
    steps: Vec<StepV1>,
    left_out: Vec<LeftOutV1>,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScopeV1 {
    tenants: Vec<String>,
    management_groups: Vec<String>,
    subscriptions: Vec<String>,
    resource_groups: Vec<String>,
    servers: Vec<String>,
    /// Tags that servers must have, as NAME=VALUE; absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    /// Servers that were left out on request: names, patterns, or tags as NAME=VALUE; absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    except: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PrincipalV1 {
    name: String,
    object_id: Option<String>,
    tenant: Option<String>,
    method: String,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum GoalV1 {
    #[serde(rename_all = "camelCase")]
    Fix { controls: Vec<String>, minimum_tls: String },
    #[serde(rename_all = "camelCase")]
    Set { enforcement: Option<bool>, minimum_tls: Option<String> },
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OptionsV1 {
    canary_size: u32,
    wave_size: u32,
    max_servers: Option<u32>,
}

#[derive(Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WaveV1 {
    id: u32,
    steps: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StepV1 {
    id: u32,
    wave: u32,
    server: String,
    kind: String,
    replica_of: Option<String>,
    /// When Azure made the server, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    control: String,
    parameter: String,
    before: String,
    after: String,
    undo: String,
    disposition: String,
    why: String,
    needs: Vec<u32>,
    /// The census of the server's clients; absent if the step can refuse no client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clients: Option<ClientsV1>,
    /// Who accepted that the step may refuse clients; absent if no acceptance was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accepted: Option<AcceptanceV1>,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LeftOutV1 {
    server: String,
    control: String,
    reason: String,
    detail: String,
    /// The census of the server's clients, if that is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clients: Option<ClientsV1>,
}

impl PlanV1 {
    fn from_draft(draft: &Draft, hash: String) -> Self {
        Self {
            schema: SCHEMA.into(),
            hash,
            created_at: draft.created_at.clone(),
            observed_at: draft.observed_at.clone(),
            cloud: draft.cloud.clone(),
            scope: ScopeV1 {
                tenants: draft.scope.tenants.clone(),
                management_groups: draft.scope.management_groups.clone(),
                subscriptions: draft.scope.subscriptions.clone(),
                resource_groups: draft.scope.resource_groups.clone(),
                servers: draft.scope.servers.clone(),
                tags: draft.scope.tags.clone(),
                except: draft.scope.except.clone(),
            },
            principal: PrincipalV1 {
                name: draft.principal.name.clone(),
                object_id: draft.principal.object_id.clone(),
                tenant: draft.principal.tenant.clone(),
                method: draft.principal.method.clone(),
            },
            subscriptions: named_subscriptions::to_json(&draft.subscriptions),
            profile: draft.profile.clone(),
            goal: goal_to_json(&draft.goal),
            options: OptionsV1 {
                canary_size: draft.options.canary_size,
                wave_size: draft.options.wave_size,
                max_servers: draft.options.max_servers,
            },
            waves: waves_of(&draft.steps),
            steps: draft.steps.iter().map(step_to_json).collect(),
            left_out: draft.left_out.iter().map(left_out_to_json).collect(),
        }
    }

    fn into_draft(self) -> Result<Draft, InvalidPlan> {
        let steps = self.steps.into_iter().map(step_from_json).collect::<Result<Vec<_>, _>>()?;
        if waves_of(&steps) != self.waves {
            return Err(InvalidPlan::Inconsistent("`waves` and the waves of the steps differ".into()));
        }
        Ok(Draft {
            created_at: self.created_at,
            observed_at: self.observed_at,
            cloud: self.cloud,
            scope: Scope {
                tenants: self.scope.tenants,
                management_groups: self.scope.management_groups,
                subscriptions: self.scope.subscriptions,
                resource_groups: self.scope.resource_groups,
                servers: self.scope.servers,
                tags: self.scope.tags,
                except: self.scope.except,
            },
            principal: Principal {
                name: self.principal.name,
                object_id: self.principal.object_id,
                tenant: self.principal.tenant,
                method: self.principal.method,
            },
            subscriptions: named_subscriptions::from_json(self.subscriptions)?,
            profile: self.profile,
            goal: goal_from_json(self.goal)?,
            options: PlanOptions {
                canary_size: self.options.canary_size,
                wave_size: self.options.wave_size,
                max_servers: self.options.max_servers,
            },
            steps,
            left_out: self.left_out.into_iter().map(left_out_from_json).collect::<Result<_, _>>()?,
        })
    }
}

fn waves_of(steps: &[Step]) -> Vec<WaveV1> {
    steps
        .chunk_by(|a, b| a.wave == b.wave)
        .filter_map(|wave| Some((wave.first()?.wave, wave)))
        .filter(|(id, _)| *id > 0)
        .map(|(id, wave)| WaveV1 { id, steps: wave.iter().map(|step| step.id).collect() })
        .collect()
}

fn goal_to_json(goal: &Goal) -> GoalV1 {
    match goal {
        Goal::Fix { controls, minimum_tls } => GoalV1::Fix {
            controls: controls.iter().map(|control| control.to_string()).collect(),
            minimum_tls: minimum_tls.as_azure().to_owned(),
        },
        Goal::Set { enforcement, minimum_tls } => GoalV1::Set {
            enforcement: *enforcement,
            minimum_tls: minimum_tls.map(|floor| match floor {
                Floor::None => "none".to_owned(),
                Floor::At(version) => version.as_azure().to_owned(),
            }),
        },
    }
}

fn goal_from_json(goal: GoalV1) -> Result<Goal, InvalidPlan> {
    let version = |text: &str| TlsVersion::from_azure(text).ok_or_else(|| bad("goal", text, "a TLS version"));
    Ok(match goal {
        GoalV1::Fix { controls, minimum_tls } => Goal::Fix {
            controls: controls.iter().map(|id| control_from(id)).collect::<Result<_, _>>()?,
            minimum_tls: version(&minimum_tls)?,
        },
        GoalV1::Set { enforcement, minimum_tls } => Goal::Set {
            enforcement,
            minimum_tls: match minimum_tls.as_deref() {
                None => None,
                Some("none") => Some(Floor::None),
                Some(text) => Some(Floor::At(version(text)?)),
            },
        },
    })
}

fn step_to_json(step: &Step) -> StepV1 {
    StepV1 {
        id: step.id,
        wave: step.wave,
        server: step.server.to_string(),
        kind: step.kind.as_str().into(),
        replica_of: step.replica_of.as_ref().map(ToString::to_string),
        created_at: step.created_at.as_deref().map(str::to_owned),
        control: step.control.to_string(),
        parameter: step.parameter.key().into(),
        before: step.before.to_string(),
        after: step.after.to_string(),
        undo: step.undo.to_string(),
        disposition: step.disposition.as_str().into(),
        why: step.why.to_string(),
        needs: step.needs.clone(),
        clients: step.clients.as_ref().map(ClientsV1::of),
        accepted: step.accepted.as_ref().map(AcceptanceV1::of),
    }
}

fn step_from_json(step: StepV1) -> Result<Step, InvalidPlan> {
    let kind = Kind::from_code(&step.kind);
    let disposition = Disposition::from_code(&step.disposition);
    Ok(Step {
        id: step.id,
        wave: step.wave,
        server: id_from(&step.server)?,
        kind: kind.ok_or_else(|| bad("kind", &step.kind, "a kind of server"))?,
        replica_of: step.replica_of.as_deref().map(id_from).transpose()?,
        created_at: step.created_at.map(Into::into),
        control: control_from(&step.control)?,
        parameter: ParameterName::from_key(&step.parameter)
            .ok_or_else(|| bad("parameter", &step.parameter, "a setting"))?,
        before: step.before.into(),
        after: step.after.into(),
        undo: step.undo.into(),
        disposition: disposition.ok_or_else(|| bad("disposition", &step.disposition, "a disposition"))?,
        why: safe_from("why", &step.why)?,
        needs: step.needs,
        clients: step.clients.map(ClientsV1::read).transpose()?,
        accepted: step.accepted.map(AcceptanceV1::read).transpose()?,
    })
}

fn left_out_to_json(left_out: &LeftOut) -> LeftOutV1 {
    LeftOutV1 {
        server: left_out.server.to_string(),
        control: left_out.control.to_string(),
        reason: left_out.reason.as_str().into(),
        detail: left_out.detail.to_string(),
        clients: left_out.clients.as_ref().map(ClientsV1::of),
    }
}

fn left_out_from_json(left_out: LeftOutV1) -> Result<LeftOut, InvalidPlan> {
    let reason = LeftOutReason::from_code(&left_out.reason);
    Ok(LeftOut {
        server: id_from(&left_out.server)?,
        control: control_from(&left_out.control)?,
        reason: reason.ok_or_else(|| bad("reason", &left_out.reason, "a reason"))?,
        detail: safe_from("detail", &left_out.detail)?,
        clients: left_out.clients.map(ClientsV1::read).transpose()?,
    })
}

fn id_from(text: &str) -> Result<ResourceId, InvalidPlan> {
    ResourceId::try_from(text).map_err(|_| bad("server", text, "a resource id"))
}

fn control_from(id: &str) -> Result<FixableControl, InvalidPlan> {
    FixableControl::from_id(id).ok_or_else(|| bad("control", id, "a control that a write can fix"))
}

fn hash_of(document: &PlanV1) -> PlanHash {
    let mut value = serde_json::to_value(document).unwrap_or_default();
    if let Value::Object(members) = &mut value {
        members.remove("hash");
        // Whichever way another crate configures serde_json's maps.
        members.sort_keys();
    }
    value.sort_all_objects();
    let digest = Sha256::digest(to_text(&value, false).as_bytes());
    PlanHash(hostssl_model::hex(&digest).into())
}

/// Strings, numbers and string keys always serialise, so there is no error to report.
fn to_text(value: &impl Serialize, indented: bool) -> String {
    let text = if indented { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    text.unwrap_or_default()
}
