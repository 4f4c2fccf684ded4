//! Faults at work: answers in place of the right one, and damage done to it afterwards.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use serde_json::Value;

use crate::call::Call;
use crate::fault::Fault;
use crate::operation::Operation;
use crate::path::{SubscriptionPart, Target};
use crate::refuse::{self, too_many};
use crate::reply::{self, Content, Reply};
use crate::state::AzureState;
use crate::token::Refusal;

const PAGE: &str = "<!DOCTYPE html><html><head><title>Our services aren't available right now</title></head><body><h1>\
                    Our services aren't available right now</h1><p>We're working to restore all services as soon as \
                    possible. Please check back soon.</p></body></html>";

/// The answer that a fault gives in place of the handler, if one does. Delays are waited for here.
pub(crate) async fn instead(call: &Call<'_>, simulation: &AzureState) -> Option<Reply> {
    for fault in &call.faults {
        let reply = match fault {
            Fault::Delay { delay } => {
                tokio::time::sleep(*delay).await;
                continue;
            }
            Fault::NeverAnswer => {
                std::future::pending::<Infallible>().await;
                continue;
            }
            Fault::Stopped => reply::server_stopped(server_name(call)),
            Fault::Forbidden => forbidden(call, simulation),
            Fault::Vanished => vanished(call),
            Fault::InternalError => reply::internal_error(),
            Fault::Throttled { retry_after } => too_many(call, *retry_after, retry_after.unwrap_or(1)),
            Fault::Unavailable { status } => Reply::error(
                StatusCode::from_u16(*status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
                "ServiceUnavailable",
                "The service is temporarily unavailable. Please try again later.",
            ),
            Fault::Html { status } => {
                Reply::with(StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY), Content::Html(PAGE))
            }
            Fault::ConnectionReset => Reply::with(StatusCode::OK, Content::Reset),
            Fault::ConnectionRefused => Reply::with(StatusCode::OK, Content::Refused),
            Fault::TokenRejected => refuse::token(Refusal::Expired, call.base),
            _ => continue,
        };
        return Some(reply);
    }
    None
}

fn server_name<'a>(call: &Call<'a>) -> &'a str {
    match call.target {
        Target::Subscription(_, SubscriptionPart::Server(_, _, name, _)) => name,
        _ => "",
    }
}

fn forbidden(call: &Call<'_>, simulation: &AzureState) -> Reply {
    let kind = call.kind().or_else(|| {
        let server = simulation.estate.servers.get(call.place.server?)?;
        Some(server.kind)
    });
    // ARM checks a poll over the location, everything else over the resource itself.
    let scope = match call.operation {
        Operation::GetConfiguration | Operation::UpdateConfiguration => {
            call.path.rsplit_once("/configurations").map(|(scope, _)| scope)
        }
        _ => None,
    };
    reply::forbidden(&call.principal.object, &call.operation.action(kind), scope.unwrap_or(call.path))
}

fn vanished(call: &Call<'_>) -> Reply {
    match call.target {
        Target::Subscription(_, SubscriptionPart::Server(group, kind, name, _)) => {
            reply::resource_not_found(kind, name, group)
        }
        Target::Subscription(id, SubscriptionPart::Itself) => reply::subscription_not_found(id),
        _ => Reply::error(StatusCode::NOT_FOUND, "ResourceNotFound", "The requested resource was not found."),
    }
}

/// Damages a good answer.
pub(crate) fn afterwards(call: &Call<'_>, mut reply: Reply) -> Reply {
    for fault in &call.faults {
        if *fault == Fault::ResetAfterAccept && reply.status.is_success() {
            reply.content = Content::Reset;
        }
        let Content::Json(text) = reply.content else {
            return reply;
        };
        reply.content = if reply.status.is_success() { damage(call, fault, text) } else { Content::Json(text) };
    }
    reply
}

fn damage(call: &Call<'_>, fault: &Fault, text: String) -> Content {
    match fault {
        Fault::TruncatedJson => Content::Json(half(text)),
        Fault::TruncatedBody => {
            let broken = Err(std::io::Error::other("the simulated connection broke"));
            let head = Ok(Bytes::from(half(text)));
            Content::Stream(Body::from_stream(stream::iter([head, broken])))
        }
        Fault::Drip { pause } => Content::Stream(drip(text, *pause)),
        Fault::HugeBody { bytes } => Content::Stream(huge(text, *bytes)),
        Fault::MissingValue => edited(text, without_value),
        Fault::WrongTypes => edited(text, stringify),
        Fault::UpperCaseValue => edited(text, capitalise),
        Fault::EndlessNextLink => {
            // Not a number, so the list starts at its first entry again.
            let page = call.parameter("$skipToken");
            let page = page.as_deref().and_then(|page| page.strip_prefix("again-"));
            let page: u64 = page.and_then(|page| page.parse().ok()).unwrap_or(0);
            linked(text, call.next_link(&format!("again-{}", page.saturating_add(1))))
        }
        Fault::NextLinkLoop => {
            let own = format!("{}{}?{}", call.base, call.path, call.query);
            linked(text, own)
        }
        Fault::NextLinkElsewhere { host } => linked(text, format!("https://{host}{}?{}", call.path, call.query)),
        _ => Content::Json(text),
    }
}

fn half(mut text: String) -> String {
    let mut middle = text.len() / 2;
    while !text.is_char_boundary(middle) {
        middle -= 1;
    }
    text.truncate(middle);
    text
}

fn drip(text: String, pause: Duration) -> Body {
    let bytes = Bytes::from(text);
    let single = stream::unfold((bytes, 0), move |(bytes, at)| async move {
        if at >= bytes.len() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let piece = bytes.slice(at..=at);
        Some((Ok::<_, Infallible>(piece), (bytes, at + 1)))
    });
    Body::from_stream(single)
}

/// The document after a long run of spaces, which is still JSON, made in pieces as the client takes them.
fn huge(text: String, bytes: usize) -> Body {
    const PIECE: usize = 64 << 10;
    let blank = Bytes::from(vec![b' '; PIECE]);
    let spaces = stream::iter(0..bytes.div_ceil(PIECE)).map(move |_| Ok::<_, Infallible>(blank.clone()));
    Body::from_stream(spaces.chain(stream::once(async move { Ok(Bytes::from(text)) })))
}

fn edited(text: String, edit: impl Fn(&mut Value)) -> Content {
    match serde_json::from_str::<Value>(&text) {
        Ok(mut value) => {
            edit(&mut value);
            Content::Json(value.to_string())
        }
        Err(_) => Content::Json(text),
    }
}

fn linked(text: String, link: String) -> Content {
    edited(text, move |value| {
        if let Some(members) = value.as_object_mut() {
            members.insert("nextLink".to_owned(), Value::String(link.clone()));
        }
    })
}

/// Each `properties` object in a resource or in a list of them.
fn each_properties(value: &mut Value, edit: &impl Fn(&mut serde_json::Map<String, Value>)) {
    if let Some(items) = value.get_mut("value").and_then(Value::as_array_mut) {
        for item in items {
            each_properties(item, edit);
        }
    }
    if let Some(properties) = value.get_mut("properties").and_then(Value::as_object_mut) {
        edit(properties);
    }
}

fn without_value(value: &mut Value) {
    each_properties(value, &|properties| {
        properties.remove("value");
    });
    if let Some(members) = value.as_object_mut() {
        members.remove("value");
    }
}

fn stringify(value: &mut Value) {
    each_properties(value, &|properties| {
        for member in properties.values_mut() {
            match member {
                Value::Bool(true) => *member = Value::String("True".to_owned()),
                Value::Bool(false) => *member = Value::String("False".to_owned()),
                Value::Number(number) => *member = Value::String(number.to_string()),
                _ => {}
            }
        }
    });
}

fn capitalise(value: &mut Value) {
    each_properties(value, &|properties| {
        if let Some(Value::String(text)) = properties.get_mut("value") {
            text.make_ascii_uppercase();
        }
    });
}
