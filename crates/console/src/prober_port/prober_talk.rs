//! What the console answers a prober. Who asks is known by the key of the connection, and the zone by what was enrolled: nothing
//! that a prober says changes either.

use super::taken_answers::{TakenAnswer, take_answer};
use crate::reply::Failure;
use crate::shared::Shared;
use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hostssl_formats::prober_json::{
    HostPort, InvalidProberJson, MAX_BODY, ProberAnswer, ProberReply, ProberRequest, TargetBatch,
};
use hostssl_model::Hint;
use hostssl_prober::{KeyPin, hash_of_secret};
use hostssl_store::{Enrolment, KeptAnswer, KnownProber, NewProber};
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long a prober waits for a question at most.
const POLL: Duration = Duration::from_secs(30);
/// How long a request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(60);
/// What is read of one who is not enrolled, in bytes.
const MAX_STRANGER: usize = 4 << 10;

/// Messages that are read at once: each is several times as large in memory while it is.
static READERS: Semaphore = Semaphore::const_new(2);

/// What arrives, and how many bytes it is said to have.
type Arriving = (Body, Option<usize>);

/// The key that a connection proved.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProvenKey(pub(super) KeyPin);

/// Why nothing was done.
struct Refusal {
    status: StatusCode,
    what: String,
    hint: Hint,
    /// Whether no honest prober asks this.
    is_violation: bool,
}

impl Refusal {
    fn new(status: StatusCode, what: impl Into<String>, hint: impl Into<Hint>) -> Self {
        Self { status, what: what.into(), hint: hint.into(), is_violation: false }
    }

    fn violation(status: StatusCode, what: impl Into<String>) -> Self {
        let hint = "after three such messages, nothing more is taken from this prober";
        Self { is_violation: true, ..Self::new(status, what, hint) }
    }

    fn not_now() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the console cannot answer now", "see what it wrote to its terminal")
    }
}

/// Answers one request.
pub(super) async fn talk(
    State(shared): State<Shared>,
    Extension(ProvenKey(key)): Extension<ProvenKey>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let said = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let (key, body) = (key.to_string(), (body, said));
    let known = match find(&shared, &key).await {
        Ok(known) => known,
        Err(_) => return refused(Refusal::not_now()),
    };
    let done = match &known {
        None => enrol(&shared, &key, body).await,
        Some(prober) => answer(&shared, prober, body).await,
    };
    match done {
        Ok(reply) => {
            let mut response = respond(StatusCode::OK, &reply);
            if known.is_none() {
                // It has the time of a stranger: its next connection has its own.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
        Err(refusal) => {
            if let Some(prober) = known.as_ref().filter(|_| refusal.is_violation) {
                note(&shared, &prober.id, &refusal.what, true).await;
            }
            refused(refusal)
        }
    }
}

/// Who has a key. What another console has kept a moment ago counts: a prober that enrolled there takes it as final when it is
/// refused.
async fn find(shared: &Shared, key: &str) -> Result<Option<KnownProber>, Failure> {
    let ask = || {
        let key = key.to_owned();
        shared.ask(move |store| store.prober_of_key(&key))
    };
    let known = ask().await?;
    if known.is_some() || shared.store.directory().shared().is_none() {
        return Ok(known);
    }
    shared.followed.wait_for_next().await;
    ask().await
}

/// Makes a key known, if it comes with a secret that was given out for that.
async fn enrol(shared: &Shared, key: &str, body: Arriving) -> Result<ProberReply, Refusal> {
    let unknown = || {
        let hint = "enrol it with the join string that `hostssl zones enrol ZONE --url URL` prints";
        Refusal::new(StatusCode::FORBIDDEN, "this key is not enrolled", hint)
    };
    let Ok(ProberRequest::Enrol { secret, version }) = read(body, MAX_STRANGER).await else { return Err(unknown()) };
    let id = format!("p-{}", uuid::Uuid::new_v4().simple());
    let id = id.get(..14).unwrap_or_default().to_owned();
    let at_ms = Timestamp::now().as_millisecond();
    let new = NewProber { id: id.clone(), key_sha256: key.to_owned(), version, at_ms };
    let hash = hash_of_secret(&secret);
    let done = shared.ask(move |store| store.enrol_prober(&hash, &new)).await.map_err(|_| Refusal::not_now())?;
    match done {
        Enrolment::Done(zone) => {
            tracing::info!(prober = id, zone, "a prober was enrolled");
            Ok(ProberReply::Enrolled { prober: id, zone })
        }
        refusal => {
            tracing::warn!(key, "a prober was not enrolled: it {}", refusal.words());
            let hint = "make a new join string with `hostssl zones enrol ZONE --url URL`; if you did not use this one, someone else did: \
                        see the page Zones";
            Err(Refusal::new(StatusCode::FORBIDDEN, format!("the prober {}", refusal.words()), hint))
        }
    }
}

async fn answer(shared: &Shared, prober: &KnownProber, body: Arriving) -> Result<ProberReply, Refusal> {
    if prober.revoked_ms.is_some() {
        let hint = "enrol it again, with a new key: remove its state, and give it a new join string";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "this prober was revoked", hint));
    }
    if prober.is_suspended() {
        let hint = Hint::with(
            "see the page Zones; if it is to continue, `hostssl zones revoke {}`, and enrol it again with a new key",
            &[&prober.id],
        );
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "this prober is suspended: it broke the rules three times",
            hint,
        ));
    }
    match read(body, MAX_BODY).await? {
        // The connection proves the key. The prober was ended, or the answer was lost, before it knew that it is enrolled.
        ProberRequest::Enrol { .. } => {
            Ok(ProberReply::Enrolled { prober: prober.id.clone(), zone: prober.zone.clone() })
        }
        ProberRequest::Targets { version, after } => targets(shared, prober, version, after).await,
        ProberRequest::Wait { wanted } => {
            saw(shared, prober, None).await?;
            Ok(ProberReply::Wanted(shared.context.desk.wait(&prober.id, wanted, POLL).await))
        }
        ProberRequest::Looks { answers, ended } => looks(shared, prober, answers, ended).await,
    }
}

/// The next targets of the prober's zone.
async fn targets(
    shared: &Shared,
    prober: &KnownProber,
    version: String,
    after: Option<HostPort>,
) -> Result<ProberReply, Refusal> {
    saw(shared, prober, Some(version)).await?;
    let busy = |what: String, hint: Hint| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, what, hint);
    let desk = &shared.context.desk;
    let source = shared.options.zones.clone().ok_or_else(Refusal::not_now)?;
    let cache = shared.clone();
    let files = shared.ask(move |store| Ok(cache.zones.files(&source, store))).await;
    let files = files.map_err(|_| Refusal::not_now())?.map_err(|trouble| busy(trouble.what, trouble.hint))?;
    let rules = files.rules.clone().unwrap_or_default();
    if rules.iter().all(|rule| *rule.zone != *prober.zone) {
        let what = format!("no rule names the zone {}", prober.zone);
        return Err(busy(what, "correct the file of zones of the console".into()));
    }
    let wanted = desk.wanted();
    if after.is_none() {
        desk.round_begins(&prober.id, Timestamp::now().as_millisecond());
    }
    let all = desk.targets(&shared.context, rules, &prober.zone).await;
    let all = all.map_err(|trouble| busy(trouble.what, trouble.hint))?;
    let now = Timestamp::now();
    let batch = TargetBatch::next(&all, after.as_ref(), now, wanted);
    let (id, asked) = (prober.id.clone(), batch.places().collect::<Vec<_>>());
    let kept = shared.ask(move |store| {
        let asked: Vec<(&str, u16)> = asked.iter().map(|(host, port)| (host.as_str(), *port)).collect();
        store.ask_prober(&id, &asked, now.as_millisecond())
    });
    if kept.await.map_err(|_| Refusal::not_now())? {
        if !batch.more {
            desk.round_is_whole(&prober.id);
        }
        return Ok(ProberReply::Targets(batch));
    }
    // It was revoked or suspended while the list was made: it learns no name any more.
    Err(Refusal::new(StatusCode::FORBIDDEN, "this prober is not believed any more", "see the page Zones"))
}

/// Keeps what a prober saw of what it was asked about.
async fn looks(
    shared: &Shared,
    prober: &KnownProber,
    answers: Vec<ProberAnswer>,
    ended: Option<u64>,
) -> Result<ProberReply, Refusal> {
    let now = Timestamp::now();
    let taken: Vec<TakenAnswer> = answers.into_iter().map(|answer| take_answer(&prober.zone, answer, now)).collect();
    let mut unkept: Vec<(HostPort, String)> = taken.iter().filter_map(refusal_of).collect();
    let is_odd = taken.iter().any(|one| one.is_violation);
    let kept: Vec<KeptAnswer> = taken.into_iter().map(|one| one.answer).collect();
    let (id, count) = (prober.id.clone(), kept.len());
    let strangers = shared.ask(move |store| store.keep_answers(&id, &kept, now.as_millisecond())).await;
    let strangers = strangers.map_err(|_| Refusal::not_now())?;
    let is_violation = is_odd || !strangers.is_empty();
    unkept.retain(|(place, _)| !strangers.contains(place));
    unkept.extend(strangers.into_iter().map(|place| (place, "it was not asked about this target".to_owned())));
    let answers = count.saturating_sub(unkept.len()) as u64;
    if let [((host, port), why), ..] = unkept.as_slice() {
        let more = if unkept.len() > 1 { format!(", and {} more", unkept.len() - 1) } else { String::new() };
        let host: String = host.chars().take(100).collect();
        let why = format!("its answer to {host}:{port} is not believed: {why}{more}");
        note(shared, &prober.id, &why, is_violation).await;
    }
    if let Some(number) = ended {
        has_ended(shared, prober, number).await?;
    }
    Ok(ProberReply::Kept { answers, unkept })
}

/// Keeps that a prober has answered what was wanted, if it has: one that says so and leaves targets out has not.
async fn has_ended(shared: &Shared, prober: &KnownProber, number: u64) -> Result<(), Refusal> {
    let desk = &shared.context.desk;
    // One that was begun before a restart ends with 0, and answers nothing that is wanted now.
    let Some(round) = desk.round_of(&prober.id, number) else { return Ok(()) };
    let (id, since_ms) = (prober.id.clone(), round.began_ms);
    let missing = shared.ask(move |store| store.unanswered(&id, since_ms)).await.map_err(|_| Refusal::not_now())?;
    if missing == 0 {
        desk.has_answered(&prober.id, number);
    } else {
        let why = format!("it ended a round with {missing} targets that it did not answer");
        note(shared, &prober.id, &why, false).await;
    }
    Ok(())
}

fn refusal_of(taken: &TakenAnswer) -> Option<(HostPort, String)> {
    let why = taken.unkept.clone()?;
    Some(((taken.answer.host.clone(), taken.answer.port), why))
}

async fn saw(shared: &Shared, prober: &KnownProber, version: Option<String>) -> Result<(), Refusal> {
    let (id, at_ms) = (prober.id.clone(), Timestamp::now().as_millisecond());
    let seen = shared.ask(move |store| store.saw_prober(&id, version.as_deref(), at_ms)).await;
    seen.map_err(|_| Refusal::not_now())
}

/// Keeps what was refused.
async fn note(shared: &Shared, id: &str, why: &str, is_violation: bool) {
    tracing::warn!(prober = id, why, "a request of a prober was refused");
    let (id, why, at_ms) = (id.to_owned(), why.to_owned(), Timestamp::now().as_millisecond());
    // Where it cannot be kept, the log has it.
    let _ = shared.ask(move |store| store.refuse_of_prober(&id, at_ms, &why, is_violation)).await;
}

async fn read((body, said): Arriving, most: usize) -> Result<ProberRequest, Refusal> {
    let too_large = "the request is larger than is taken";
    if said.is_some_and(|said| said > most) {
        return Err(Refusal::violation(StatusCode::PAYLOAD_TOO_LARGE, too_large));
    }
    let late = |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the request did not arrive in time", "send it again");
    let bytes = tokio::time::timeout(ARRIVAL, to_bytes(body, most)).await.map_err(late)?;
    // A network that fails is no fault of the prober.
    let bytes = bytes.map_err(|_| {
        let what = format!("{too_large}, or ended early");
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, what, "send it again")
    })?;
    // Not on a thread that also answers people.
    let permit = READERS.acquire().await.map_err(|_| Refusal::not_now())?;
    let read = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        ProberRequest::read(&bytes)
    });
    read.await.map_err(|_| Refusal::not_now())?.map_err(|error| match error {
        InvalidProberJson::Schema(_) | InvalidProberJson::Ask(_) => {
            let hint = "give console and prober versions that understand each other";
            Refusal::new(StatusCode::BAD_REQUEST, error.to_string(), hint)
        }
        error => Refusal::violation(StatusCode::BAD_REQUEST, format!("the request cannot be understood: {error}")),
    })
}

fn refused(refusal: Refusal) -> Response {
    let Refusal { status, what, hint, .. } = refusal;
    let mut response = respond(status, &ProberReply::Refused { what, hint: hint.to_string() });
    if status == StatusCode::FORBIDDEN {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn respond(status: StatusCode, reply: &ProberReply) -> Response {
    match reply.value() {
        Ok(value) => (status, [(CONTENT_TYPE, "application/json")], value.to_string()).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
