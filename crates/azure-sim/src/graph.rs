//! Resource Graph, without its query language.
//!
//! A query is searched for the names of the resource types that the simulator has; everything else in it is ignored
//! and every row carries every column. Rows are ordered by id, so pages are stable.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::call::Call;
use crate::estate::{Record, SubscriptionRecord, TenantRecord};
use crate::fleet::{GraphView, Kind};
use crate::json::{put, quoted, string};
use crate::render;
use crate::reply::{self, Reply};
use crate::state::AzureState;

/// The most rows on a page, by documentation.
const MAX_ROWS: usize = 1_000;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Request {
    subscriptions: Option<Vec<String>>,
    management_groups: Option<Vec<String>>,
    query: String,
    options: Options,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Options {
    #[serde(rename = "$top")]
    top: Option<usize>,
    #[serde(rename = "$skip")]
    skip: Option<usize>,
    #[serde(rename = "$skipToken")]
    skip_token: Option<String>,
}

/// Answers a query.
pub(crate) fn answer(call: &Call<'_>, simulation: &AzureState) -> Reply {
    let window = simulation.graph_window(&call.principal.object);
    if let Some((false, _, resets)) = window {
        return quota(
            Reply::gateway(
                StatusCode::TOO_MANY_REQUESTS,
                "RateLimiting",
                "Client application has been throttled and should not attempt to repeat the request until an amount \
                 of time has elapsed.",
            )
            .header("retry-after", &resets.as_secs_f64().ceil().max(1.0).to_string()),
            0,
            resets.as_secs(),
        );
    }
    let Ok(request) = serde_json::from_slice::<Request>(call.body) else {
        return reply::bad_request("The request content is not a Resource Graph query.");
    };
    let kinds = kinds(&request.query);
    if !table(&request.query) {
        return Reply::error(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            "The simulated Resource Graph has the table 'resources' only.",
        );
    }
    let Some((_, tenant)) = simulation.estate.tenant(&call.principal.tenant) else {
        return reply::no_such_path();
    };
    let scope = scope(simulation, tenant, &request);
    let reply = rows(simulation, tenant, &request, &kinds, &scope);
    match window {
        Some((_, remaining, resets)) => quota(reply, remaining, resets.as_secs()),
        None => quota(reply, 14, 5),
    }
}

fn quota(reply: Reply, remaining: u32, seconds: u64) -> Reply {
    let remaining = remaining.to_string();
    let resets = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    reply
        .header("x-ms-user-quota-remaining", &remaining)
        .header("x-ms-user-quota-resets-after", &resets)
        .header("x-ms-ratelimit-remaining-tenant-resource-requests", &remaining)
}

/// Whether the query starts with the only table there is.
fn table(query: &str) -> bool {
    let first = query.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| !word.is_empty());
    first.is_some_and(|word| word.eq_ignore_ascii_case("resources"))
}

/// The types that a query names; all when it names none.
fn kinds(query: &str) -> Vec<Kind> {
    let query = query.to_ascii_lowercase();
    let named: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|kind| {
            let name = format!("{}/{}", kind.provider(), kind.type_segment()).to_ascii_lowercase();
            // `.../servers` must not be found in a longer name, so what follows must end the word.
            query.match_indices(&name).any(|(at, _)| {
                let rest = query.get(at + name.len()..).unwrap_or_default();
                !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
            })
        })
        .collect();
    if named.is_empty() { Kind::ALL.to_vec() } else { named }
}

/// For each subscription of the fleet, whether the query covers it and the principal's tenant owns it.
fn scope(simulation: &AzureState, tenant: &TenantRecord, request: &Request) -> Vec<bool> {
    let estate = &simulation.estate;
    let mut covered = vec![false; estate.subscriptions.len()];
    let groups: Option<Vec<&str>> = request
        .management_groups
        .as_ref()
        .map(|names| names.iter().filter_map(|name| tenant.group_names(name)).flatten().collect());
    let in_groups = |subscription: &SubscriptionRecord| {
        let parent = subscription.management_group.as_deref().unwrap_or(&tenant.id);
        groups.as_ref().is_none_or(|names| names.iter().any(|name| name.eq_ignore_ascii_case(parent)))
    };
    let own = || tenant.subscriptions.iter().map(|index| *index as usize);
    let asked: Vec<usize> = match &request.subscriptions {
        Some(ids) => ids.iter().filter_map(|id| estate.subscription(id)).map(|(index, _)| index).collect(),
        None => own().collect(),
    };
    let owned: std::collections::HashSet<usize> = own().collect();
    for index in asked {
        let fits = owned.contains(&index) && estate.subscriptions.get(index).is_some_and(in_groups);
        if let Some(flag) = covered.get_mut(index) {
            *flag |= fits;
        }
    }
    covered
}

fn rows(simulation: &AzureState, tenant: &TenantRecord, request: &Request, kinds: &[Kind], scope: &[bool]) -> Reply {
    let matches = |record: &Record| {
        kinds.contains(&record.kind)
            && record.graph != GraphView::Missing
            && scope.get(record.subscription as usize) == Some(&true)
    };
    let servers = &simulation.estate.servers;
    let total = servers.iter().filter(|record| matches(record)).count();
    let top = request.options.top.unwrap_or(MAX_ROWS).clamp(1, MAX_ROWS);
    let (start, skip) = match &request.options.skip_token {
        Some(token) => match resume(token) {
            Some(start) => (start, 0),
            None => return reply::bad_request("The skip token is not one that was given out."),
        },
        None => (0, request.options.skip.unwrap_or(0)),
    };
    let tail = servers.get(start..).unwrap_or_default();
    let mut found = tail.iter().enumerate().filter(|(_, record)| matches(record)).skip(skip);
    let mut data = String::new();
    let mut count = 0;
    for (_, record) in found.by_ref().take(top) {
        if count > 0 {
            data.push(',');
        }
        count += 1;
        row(&mut data, simulation, tenant, record);
    }
    let next = found.next().map(|(offset, _)| start + offset);
    let mut body = String::with_capacity(data.len() + 256);
    put!(
        &mut body,
        r#"{{"totalRecords":{total},"count":{count},"data":[{data}],"facets":[],"resultTruncated":"false""#
    );
    if let Some(next) = next {
        put!(&mut body, r#","$skipToken":"{}""#, STANDARD.encode(format!("row {next}")));
    }
    body.push('}');
    Reply::json(body)
}

/// Where a page starts, from the token that the page before gave out.
fn resume(token: &str) -> Option<usize> {
    let text = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
    text.strip_prefix("row ")?.parse().ok()
}

fn row(out: &mut String, simulation: &AzureState, tenant: &TenantRecord, record: &Record) {
    let subscription = simulation
        .estate
        .subscriptions
        .get(record.subscription as usize)
        .map(|subscription| &*subscription.id)
        .unwrap_or_default();
    put!(
        out,
        r#"{{"id":{},"name":{},"type":"{}","tenantId":{},"kind":"","location":{},"resourceGroup":{},"subscriptionId":{},"tags":"#,
        quoted(&record.id),
        quoted(record.name()),
        format!("{}/{}", record.kind.provider(), record.kind.type_segment()).to_ascii_lowercase(),
        quoted(&tenant.id),
        quoted(&record.location),
        quoted(&record.group().to_ascii_lowercase()),
        quoted(subscription),
    );
    if record.tags.is_empty() {
        out.push_str("null");
    } else {
        render::tags(out, record);
    }
    out.push_str(r#","properties":"#);
    render::properties(out, record, &record.lock());
    put!(out, r#","apiVersion":"#);
    string(out, "");
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_in_any_case_and_as_whole_words() {
        assert_eq!(kinds("Resources | where type =~ 'microsoft.dbforpostgresql/FLEXIBLESERVERS'"), [Kind::Flexible]);
        assert_eq!(
            kinds("resources | where type in~ ('Microsoft.DBforPostgreSQL/servers','Microsoft.HorizonDb/clusters')"),
            [Kind::Single, Kind::Horizon]
        );
        assert_eq!(kinds("resources | where type == 'microsoft.dbforpostgresql/serversv2'").len(), Kind::ALL.len());
        assert_eq!(kinds("resources").len(), Kind::ALL.len());
    }

    #[test]
    fn there_is_one_table() {
        assert!(table("Resources | project id"));
        assert!(table("  resources\n| take 1"));
        assert!(!table("resourcecontainers | take 1"));
        assert!(!table(""));
    }

    #[test]
    fn tokens_that_were_not_given_out_are_refused() {
        assert_eq!(resume(&STANDARD.encode("row 12")), Some(12));
        for token in ["", "12", "!!", &STANDARD.encode("row x"), &STANDARD.encode("row -1")] {
            assert_eq!(resume(token), None, "{token}");
        }
    }
}
