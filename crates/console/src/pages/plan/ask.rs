//! What is to be planned: one server's settings, or many servers.

use super::plan_job;
use crate::guard::{Fields, Session};
use crate::jobs::plan_order::PlanOrder;
use crate::pages::resources::{View, audit_of};
use crate::reply::{Failure, see_other};
use crate::shared::Shared;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use hostssl_model::{ResourceId, Scope, Word};
use hostssl_remediation::{FixableControl, Floor, Goal, PlanOptions, WaveOrder};
use hostssl_store::{AuditStore, Enforcement, Page, ServerRow, ServerSort, StoreError, server_key};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Servers of one plan, at most.
const MAX_SERVERS: usize = 10_000;
/// Servers of a wave, at most.
const MAX_WAVE: u32 = 1_000;
/// The longest reason, in characters.
const MAX_REASON: usize = 500;

/// *Save* on a server's page: sets what differs from what the page showed.
pub(crate) async fn for_one(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Failure> {
    let back = format!("/servers/{key}/connection-security");
    let row = shared.ask(move |store| newest(store, &key)).await?.ok_or_else(Failure::not_found)?;
    let wanted = match fields.value("enforcement") {
        "" => None,
        "enabled" => Some(true),
        "disabled" => Some(false),
        _ => return Err(Failure::bad_form()),
    };
    let is = match row.enforcement {
        Enforcement::Enforced => Some(true),
        Enforcement::NotEnforced => Some(false),
        Enforcement::Unknown => None,
    };
    // Against what the page showed too, and not only against what is true by now: a field that was left alone asks for
    // nothing.
    let shown = match fields.value("shown-enforcement") {
        "enforced" => Some(true),
        "not-enforced" => Some(false),
        "unknown" => None,
        _ => return Err(Failure::bad_form()),
    };
    let minimum = fields.value("minimum");
    let enforcement = wanted.filter(|wanted| shown != Some(*wanted) && is != Some(*wanted));
    let now = row.minimal_tls.as_ref().map_or("", Word::as_str);
    let left_alone = minimum == fields.value("shown-minimum") || minimum == now;
    let minimum_tls = if left_alone { None } else { floor(minimum)? };
    if enforcement.is_none() && minimum_tls.is_none() {
        return Err(Failure::nothing_to_save());
    }
    let goal = Goal::Set { enforcement, minimum_tls };
    let options = PlanOptions { canary_size: 1, wave_size: 1, max_servers: Some(1) };
    let order = PlanOrder { reason: reason(&fields), ..order_of(&[row], goal, options, back) };
    Ok(start(&shared, &session, order))
}

/// Servers chosen among all resources, or all that match a view.
pub(crate) async fn for_many(
    State(shared): State<Shared>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Failure> {
    let query = format!("/resources?{}", fields.value("view"));
    let uri = query.parse().map_err(|_| Failure::bad_form())?;
    let view = axum::extract::Query::<View>::try_from_uri(&uri).map_err(|_| Failure::bad_form())?.0;
    // *All* means all of a view: a form that lost its view must not choose every server.
    let all = match fields.value("all") {
        "" => false,
        "1" => true,
        _ => return Err(Failure::bad_form()),
    };
    if !view.is_understood() || (all && !fields.has("view")) {
        return Err(Failure::bad_form());
    }
    let back = view.link();
    let keys: BTreeSet<String> =
        if all { BTreeSet::new() } else { fields.values("server").map(str::to_owned).collect() };
    if !all && keys.is_empty() {
        return Err(Failure::nothing_chosen());
    }
    let chosen_keys = keys.len();
    let rows = shared.ask(move |store| chosen(store, &view, &keys)).await?;
    if rows.is_empty() {
        return Err(Failure::nothing_chosen());
    }
    if rows.len() > MAX_SERVERS {
        return Err(Failure::too_many_chosen(MAX_SERVERS));
    }
    let controls = vec![FixableControl::RequireSecureTransport];
    let goal = Goal::Fix { controls, minimum_tls: shared.options.profile.settings.minimum_tls };
    let lost = chosen_keys.saturating_sub(rows.len());
    let accepted = accepted(&session, &fields)?;
    let order = PlanOrder { lost, accepted, ..order_of(&rows, goal, PlanOptions::default(), back) };
    Ok(start(&shared, &session, order))
}

/// Why a server may be made less strict, as it was written into a form.
pub(crate) fn reason(fields: &Fields) -> Option<String> {
    let reason: String = fields.value("reason").trim().chars().take(MAX_REASON).collect();
    Some(reason).filter(|reason| !reason.is_empty())
}

/// The same servers, checked again, perhaps at another pace or for a reason.
pub(crate) async fn check_again(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Failure> {
    let mut order = made_from(&shared, &id).await?;
    order.reason = reason(&fields).or(order.reason);
    if let Goal::Fix { controls, .. } = &mut order.goal
        && !fields.value("wave").is_empty()
    {
        let number = |name: &str| fields.value(name).parse().ok().filter(|n| (1..=MAX_WAVE).contains(n));
        let (canary, wave) = number("canary").zip(number("wave")).ok_or_else(Failure::bad_form)?;
        if canary > wave {
            return Err(Failure::large_canary());
        }
        order.options = PlanOptions { canary_size: canary, wave_size: wave, ..order.options };
        *controls = vec![FixableControl::RequireSecureTransport];
        if !fields.value("minimum").is_empty() {
            controls.push(FixableControl::MinimumTlsVersion);
        }
    }
    if let Some(accepted) = accepted(&session, &fields)? {
        order.accepted = Some(accepted);
    }
    Ok(start(&shared, &session, order))
}

/// The same servers, with this one first: a reviewer knows which server is safe to try.
pub(crate) async fn canary(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Failure> {
    let mut order = made_from(&shared, &id).await?;
    let chosen = servers_of(&order).into_iter().find(|id| server_key(id) == fields.value("server"));
    let chosen = chosen.ok_or_else(Failure::bad_form)?;
    order.waves.canary = vec![chosen.as_str().to_owned()];
    order.options.canary_size = 1;
    Ok(start(&shared, &session, order))
}

/// What a plan was made from, to make another one.
async fn made_from(shared: &Shared, plan: &str) -> Result<PlanOrder, Failure> {
    Ok(plan_job(shared, plan).await?.work.order.clone())
}

fn servers_of(order: &PlanOrder) -> Vec<ResourceId> {
    order.servers.iter().filter_map(|id| ResourceId::try_from(id.as_str()).ok()).collect()
}

/// The same servers but one. What is excluded is in no plan that is made from this one.
pub(crate) async fn exclude(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Failure> {
    let mut order = made_from(&shared, &id).await?;
    let before = order.servers.len();
    let is_it = |id: &ResourceId| server_key(id) == fields.value("server");
    let kept: Vec<ResourceId> = servers_of(&order).into_iter().filter(|id| !is_it(id)).collect();
    if kept.len() == before {
        return Err(Failure::bad_form());
    }
    if kept.is_empty() {
        return Err(Failure::nothing_chosen());
    }
    order.servers = Arc::new(kept.iter().map(|id| id.as_str().to_ascii_lowercase()).collect());
    order.scope = scope_of(
        kept.iter().map(|id| [id.subscription().to_string(), id.resource_group().to_owned(), id.name().to_owned()]),
    );
    // A canary that is left out makes room for another one.
    order.waves.canary.retain(|id| kept.iter().any(|one| one.as_str().eq_ignore_ascii_case(id)));
    Ok(start(&shared, &session, order))
}

/// Why clients may be refused, in the words of the person who is signed in; `None` where nothing was said.
fn accepted(session: &Session, fields: &Fields) -> Result<Option<(String, String)>, Failure> {
    let reason = fields.value("accept").trim();
    if reason.chars().count() > MAX_REASON {
        return Err(Failure::bad_form());
    }
    Ok(Some((reason.to_owned(), session.person().to_owned())).filter(|_| !reason.is_empty()))
}

/// The scope that has servers of these subscriptions, resource groups and names.
fn scope_of(servers: impl Iterator<Item = [String; 3]>) -> Scope {
    let mut each: [BTreeSet<String>; 3] = Default::default();
    for server in servers {
        for (names, name) in each.iter_mut().zip(server) {
            names.insert(name);
        }
    }
    let [subscriptions, groups, names] = each.map(|names| names.into_iter().collect::<Vec<_>>());
    // Azure is asked for each resource group on its own, so that more than one costs more than the whole subscription.
    let resource_groups = if groups.len() == 1 { groups } else { Vec::new() };
    Scope { subscriptions, resource_groups, servers: names, ..Scope::default() }
}

fn start(shared: &Shared, session: &Session, order: PlanOrder) -> Response {
    let job = shared.plans.start(&shared.context, session.person(), order);
    see_other(&format!("/plans/{}", job.id))
}

fn newest(store: &AuditStore, key: &str) -> Result<Option<ServerRow>, StoreError> {
    let Some(audit) = store.last_audit_of(key)? else { return Ok(None) };
    Ok(store.server(&audit, key)?.map(|detail| detail.row))
}

/// The rows of these keys; without keys, all of the view.
fn chosen(store: &AuditStore, view: &View, keys: &BTreeSet<String>) -> Result<Vec<ServerRow>, StoreError> {
    let Some(audit) = audit_of(store, &view.run)? else { return Ok(Vec::new()) };
    if keys.is_empty() {
        let page = Page { number: 0, size: u32::try_from(MAX_SERVERS + 1).unwrap_or(u32::MAX) };
        return Ok(store.servers(&audit, &view.filter(), ServerSort::Name, false, page)?.rows);
    }
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        rows.extend(store.server(&audit, key)?.map(|detail| detail.row));
    }
    Ok(rows)
}

fn order_of(rows: &[ServerRow], goal: Goal, options: PlanOptions, back: String) -> PlanOrder {
    let place = |row: &ServerRow| [row.subscription_id.clone(), row.resource_group.clone(), row.name.clone()];
    PlanOrder {
        servers: Arc::new(rows.iter().map(|row| row.id.to_ascii_lowercase()).collect()),
        scope: scope_of(rows.iter().map(place)),
        goal,
        options,
        waves: WaveOrder::default(),
        reason: None,
        back,
        lost: 0,
        accepted: None,
    }
}

/// A floor in Azure's words; empty leaves it alone.
fn floor(word: &str) -> Result<Option<Floor>, Failure> {
    match word {
        "" => Ok(None),
        word => Floor::from_azure(word).map(Some).ok_or_else(Failure::bad_form),
    }
}
