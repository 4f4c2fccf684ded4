//! What a prober in a zone and the console say to each other, as JSON, version 1: frozen.
//!
//! One object asks and one answers. Neither side believes the other: what is too large, too deep, too many or another
//! version is refused here, before anything looks at it. Members that are not known are ignored. The schema is committed as
//! `docs/schemas/prober-v1.schema.json`.

mod frozen_messages;
mod held_request;
mod message_bounds;

use crate::probe_json;
use crate::targets_json::ZoneTargets;
use frozen_messages::{AnswerJson, AskedJson, OutcomeJson, ReplyJson, RequestJson, TargetJson, UnkeptJson};
use held_request::{HeldAnswer, HeldRequest, needed};
use hostssl_model::is_zone_name;
use hostssl_probe::report::EndpointReport;
use hostssl_probe::target::ProbeTarget;
use jiff::Timestamp;
use message_bounds::{BoundsError, is_line};
pub use message_bounds::{MAX_ANSWERS, MAX_BODY, MAX_LOOK};
use serde_json::Value;
use serde_json::value::RawValue;
use std::net::IpAddr;

/// The name and version of the format.
pub const SCHEMA: &str = "hostssl/prober/v1";

/// The one question that version 1 has: what does this endpoint do with clients that do not encrypt?
pub const QUESTION: &str = "probe";

/// A host and its port.
pub type HostPort = (String, u16);

/// What a prober says.
#[derive(Debug)]
pub enum ProberRequest {
    /// It makes itself known, with the secret of a join string.
    Enrol {
        /// The secret.
        secret: String,
        /// Its version.
        version: String,
    },
    /// It asks what to probe next.
    Targets {
        /// Its version.
        version: String,
        /// The last target that it had; none at the beginning of a round.
        after: Option<HostPort>,
    },
    /// It waits until someone wants new looks.
    Wait {
        /// The number that it was last told.
        wanted: u64,
    },
    /// It says what it saw.
    Looks {
        /// Each target that it was asked about.
        answers: Vec<ProberAnswer>,
        /// The number of the round that ends with them, if one does.
        ended: Option<u64>,
    },
}

/// The answer to one target.
#[derive(Debug)]
pub struct ProberAnswer {
    /// The host that was asked about.
    pub host: String,
    /// The port that was asked about.
    pub port: u16,
    /// What came of it.
    pub outcome: TargetOutcome,
}

/// What came of one target. All but looks leave it unknown.
#[derive(Debug)]
pub enum TargetOutcome {
    /// It was probed: a look for each of its addresses.
    Looks(Vec<EndpointReport>),
    /// The prober's own fence does not let it.
    Fenced(String),
    /// The prober does not know the question.
    Unsupported(String),
    /// It was probed, and the look cannot be handed over or understood.
    Unusable(String),
}

/// What the console says.
#[derive(Debug)]
pub enum ProberReply {
    /// The prober is known now.
    Enrolled {
        /// Its id.
        prober: String,
        /// Its zone.
        zone: String,
    },
    /// What to probe.
    Targets(TargetBatch),
    /// The number of the looks that are wanted: another one than the prober knows asks for a round now.
    Wanted(u64),
    /// Looks were kept.
    Kept {
        /// How many targets were answered.
        answers: u64,
        /// The targets whose answers are not believed, and why.
        unkept: Vec<(HostPort, String)>,
    },
    /// Nothing was done.
    Refused {
        /// What is wrong.
        what: String,
        /// What to do about it.
        hint: String,
    },
}

/// What to probe: some of a zone's targets, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetBatch {
    /// The zone.
    pub zone: String,
    /// The time of the console: the prober goes by it, whatever its own clock says.
    pub now: Timestamp,
    /// The number of the looks that are wanted.
    pub wanted: u64,
    /// The targets, each with the question about it.
    pub targets: Vec<(ProbeTarget, String)>,
    /// Whether there are more behind them.
    pub more: bool,
}

impl TargetBatch {
    /// The next targets of a list that is [in order](ZoneTargets::in_order), behind the last one that a prober had.
    #[must_use]
    pub fn next(list: &ZoneTargets, after: Option<&HostPort>, now: Timestamp, wanted: u64) -> Self {
        let is_done =
            |target: &ProbeTarget| after.is_some_and(|(host, port)| (&target.host, &target.port) <= (host, port));
        let rest = list.targets.get(list.targets.partition_point(is_done)..).unwrap_or_default();
        let own = rest.get(..rest.len().min(MAX_ANSWERS)).unwrap_or_default();
        let targets = own.iter().map(|target| (target.clone(), QUESTION.to_owned())).collect();
        Self { zone: list.zone.clone(), now, wanted, targets, more: rest.len() > own.len() }
    }

    /// The host and port of each target.
    pub fn places(&self) -> impl Iterator<Item = HostPort> {
        self.targets.iter().map(|(target, _)| (target.host.clone(), target.port))
    }
}

/// A text is nothing that this version can read.
#[derive(Debug, thiserror::Error)]
pub enum InvalidProberJson {
    /// It is too large, too deep or too much.
    #[error(transparent)]
    Bounds(#[from] BoundsError),
    /// It is no JSON, ends early, or a member is missing or of another type.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is something else.
    #[error("its schema is `{0}` and not `{SCHEMA}`")]
    Schema(String),
    /// It asks what this version does not know: a newer one may.
    #[error("it asks `{0}`, which this version does not know")]
    Ask(String),
    /// A member holds what it cannot.
    #[error("`{0}` has an invalid value")]
    Member(&'static str),
}

impl ProberRequest {
    /// Reads what a prober sent.
    ///
    /// # Errors
    ///
    /// [`InvalidProberJson`] for the first thing that is wrong with the whole. A single look that cannot be understood spoils
    /// no other one.
    pub fn read(bytes: &[u8]) -> Result<Self, InvalidProberJson> {
        message_bounds::check(bytes)?;
        let request = serde_json::from_slice::<HeldRequest<'_>>(bytes)?;
        check_schema(request.schema)?;
        let version = |version| line("version", needed(version, "version")?, 64);
        Ok(match request.ask.as_str() {
            "enrol" => Self::Enrol {
                secret: line("secret", needed(request.secret, "secret")?, 128)?,
                version: version(request.version)?,
            },
            "targets" => {
                let after = request.after_host.zip(request.after_port);
                let after = after.map(|(host, port)| line("afterHost", host, 253).map(|host| (host, port)));
                Self::Targets { version: version(request.version)?, after: after.transpose()? }
            }
            "wait" => Self::Wait { wanted: needed(request.wanted, "wanted")? },
            "looks" => {
                let answers = needed(request.answers, "answers")?;
                if answers.len() > MAX_ANSWERS {
                    return Err(BoundsError::Answers.into());
                }
                let answers = answers.into_iter().map(ProberAnswer::read).collect::<Result<_, _>>()?;
                Self::Looks { answers, ended: request.ended }
            }
            other => return Err(InvalidProberJson::Ask(other.chars().take(80).collect())),
        })
    }

    /// The request as one JSON value.
    ///
    /// # Errors
    ///
    /// None that a request can cause.
    pub fn value(&self) -> Result<Value, serde_json::Error> {
        let request = match self {
            Self::Enrol { secret, version } => RequestJson::Enrol { secret: secret.clone(), version: version.clone() },
            Self::Targets { version, after } => RequestJson::Targets {
                version: version.clone(),
                after_host: after.as_ref().map(|(host, _)| host.clone()),
                after_port: after.as_ref().map(|(_, port)| *port),
            },
            Self::Wait { wanted } => RequestJson::Wait { wanted: *wanted },
            Self::Looks { answers, ended } => {
                let answers = answers.iter().map(ProberAnswer::frozen).collect::<Result<_, _>>()?;
                RequestJson::Looks { answers, ended: *ended }
            }
        };
        serde_json::to_value(AskedJson::of(SCHEMA, request))
    }
}

impl ProberAnswer {
    fn read(answer: HeldAnswer<'_>) -> Result<Self, InvalidProberJson> {
        let HeldAnswer { host, port, outcome, why, endpoints } = answer;
        let host = line("host", host, 253)?;
        let why = || why.map_or_else(String::new, |why| short(&why));
        let outcome = match outcome {
            OutcomeJson::Looked => looks(&host, port, endpoints),
            OutcomeJson::Fenced => TargetOutcome::Fenced(why()),
            OutcomeJson::Unsupported => TargetOutcome::Unsupported(why()),
            OutcomeJson::Unusable => TargetOutcome::Unusable(why()),
            OutcomeJson::Other => TargetOutcome::Unusable("its answer is one of a newer version".to_owned()),
        };
        Ok(Self { host, port, outcome })
    }

    fn frozen(&self) -> Result<AnswerJson, serde_json::Error> {
        let (outcome, why, endpoints) = match &self.outcome {
            TargetOutcome::Looks(looks) => {
                let endpoints = looks.iter().map(probe_json::endpoint).collect::<Result<_, _>>()?;
                (OutcomeJson::Looked, None, endpoints)
            }
            TargetOutcome::Fenced(why) => (OutcomeJson::Fenced, Some(why.clone()), Vec::new()),
            TargetOutcome::Unsupported(why) => (OutcomeJson::Unsupported, Some(why.clone()), Vec::new()),
            TargetOutcome::Unusable(why) => (OutcomeJson::Unusable, Some(why.clone()), Vec::new()),
        };
        Ok(AnswerJson { host: self.host.clone(), port: self.port, outcome, why, endpoints })
    }
}

/// The looks of one target: all of them, or a reason why they say nothing. Each is measured before it is parsed.
fn looks(host: &str, port: u16, endpoints: Vec<&RawValue>) -> TargetOutcome {
    if endpoints.is_empty() || endpoints.len() > message_bounds::MAX_ADDRESSES {
        return TargetOutcome::Unusable("it has no look, or too many".to_owned());
    }
    let mut reports = Vec::new();
    for endpoint in endpoints {
        let text = endpoint.get();
        if text.len() > MAX_LOOK {
            return TargetOutcome::Unusable(BoundsError::Look.to_string());
        }
        let Ok(report) = probe_json::read(text) else {
            return TargetOutcome::Unusable("a look in it cannot be understood".to_owned());
        };
        if !report.host.eq_ignore_ascii_case(host) || report.port != port {
            return TargetOutcome::Unusable("a look in it is at another endpoint".to_owned());
        }
        if report.address.as_ref().is_some_and(|address| address.parse::<IpAddr>().is_err()) {
            return TargetOutcome::Unusable("a look in it is at an address that is not an IP address".to_owned());
        }
        reports.push(report);
    }
    TargetOutcome::Looks(reports)
}

impl ProberReply {
    /// Reads what a console sent.
    ///
    /// # Errors
    ///
    /// [`InvalidProberJson`] for the first thing that is wrong.
    pub fn read(bytes: &[u8]) -> Result<Self, InvalidProberJson> {
        message_bounds::check_reply(bytes)?;
        let (schema, reply) = serde_json::from_slice::<frozen_messages::AnsweredJson>(bytes)?.parts();
        check_schema(schema)?;
        Ok(match reply {
            ReplyJson::Enrolled { prober, zone } => {
                Self::Enrolled { prober: line("prober", prober, 64)?, zone: zone_name(zone)? }
            }
            ReplyJson::Targets { zone, now, wanted, targets, more } => {
                if targets.len() > MAX_ANSWERS {
                    return Err(BoundsError::Answers.into());
                }
                let targets = targets.into_iter().map(TargetJson::read).collect::<Option<_>>();
                Self::Targets(TargetBatch {
                    zone: zone_name(zone)?,
                    now: now.parse().map_err(|_| InvalidProberJson::Member("now"))?,
                    wanted,
                    targets: targets.ok_or(InvalidProberJson::Member("targets"))?,
                    more,
                })
            }
            ReplyJson::Wanted { wanted } => Self::Wanted(wanted),
            ReplyJson::Kept { answers, unkept } => {
                let cut = |one: UnkeptJson| ((short(&one.host), one.port), short(&one.why));
                let unkept = unkept.into_iter().take(MAX_ANSWERS).map(cut).collect();
                Self::Kept { answers, unkept }
            }
            ReplyJson::Refused { what, hint } => Self::Refused { what: short(&what), hint: short(&hint) },
        })
    }

    /// The reply as one JSON value.
    ///
    /// # Errors
    ///
    /// None that a reply can cause.
    pub fn value(&self) -> Result<Value, serde_json::Error> {
        let reply = match self {
            Self::Enrolled { prober, zone } => ReplyJson::Enrolled { prober: prober.clone(), zone: zone.clone() },
            Self::Targets(batch) => ReplyJson::Targets {
                zone: batch.zone.clone(),
                now: batch.now.to_string(),
                wanted: batch.wanted,
                targets: batch.targets.iter().map(|(target, question)| TargetJson::of(target, question)).collect(),
                more: batch.more,
            },
            Self::Wanted(wanted) => ReplyJson::Wanted { wanted: *wanted },
            Self::Kept { answers, unkept } => {
                let unkept = unkept.iter().map(|((host, port), why)| UnkeptJson {
                    host: host.clone(),
                    port: *port,
                    why: why.clone(),
                });
                ReplyJson::Kept { answers: *answers, unkept: unkept.collect() }
            }
            Self::Refused { what, hint } => ReplyJson::Refused { what: what.clone(), hint: hint.clone() },
        };
        serde_json::to_value(frozen_messages::AnsweredJson::of(SCHEMA, reply))
    }
}

/// As much of a text from outside as a person is shown.
fn short(text: &str) -> String {
    text.chars().take(message_bounds::LONGEST_WHY).collect()
}

fn check_schema(schema: String) -> Result<(), InvalidProberJson> {
    if schema == SCHEMA { Ok(()) } else { Err(InvalidProberJson::Schema(schema.chars().take(80).collect())) }
}

fn line(member: &'static str, text: String, longest: usize) -> Result<String, InvalidProberJson> {
    if is_line(&text, longest) { Ok(text) } else { Err(InvalidProberJson::Member(member)) }
}

fn zone_name(zone: String) -> Result<String, InvalidProberJson> {
    if is_zone_name(&zone) { Ok(zone) } else { Err(InvalidProberJson::Member("zone")) }
}

/// The JSON Schema of the format.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> Value {
    crate::schema::of::<frozen_messages::MessageJson>(SCHEMA)
}

#[cfg(test)]
mod tests;
