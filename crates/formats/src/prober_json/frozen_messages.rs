//! The members of `hostssl/prober/v1`: frozen.

use super::SCHEMA;
use super::message_bounds::MAX_NAMES;
use crate::targets_json::read_host;
use hostssl_probe::target::ProbeTarget;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Any message.
#[cfg(feature = "schema")]
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "its schema is all that is wanted of it")]
pub(super) enum MessageJson {
    /// What a prober sends.
    Asked(AskedJson),
    /// What the console answers.
    Answered(AnsweredJson),
}

// It is read as `HeldRequest`.
/// What a prober sends.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub(super) struct AskedJson {
    /// Name and version of this format.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^hostssl/prober/v1$")))]
    schema: String,
    #[serde(flatten)]
    request: RequestJson,
}

/// What the console answers.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub(super) struct AnsweredJson {
    /// Name and version of this format.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^hostssl/prober/v1$")))]
    schema: String,
    #[serde(flatten)]
    reply: ReplyJson,
}

impl AskedJson {
    pub(super) fn of(schema: &str, request: RequestJson) -> Self {
        Self { schema: schema.to_owned(), request }
    }
}

impl AnsweredJson {
    pub(super) fn of(schema: &str, reply: ReplyJson) -> Self {
        debug_assert_eq!(schema, SCHEMA);
        Self { schema: schema.to_owned(), reply }
    }

    pub(super) fn parts(self) -> (String, ReplyJson) {
        (self.schema, self.reply)
    }
}

/// A request, by its name.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(tag = "ask", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(super) enum RequestJson {
    /// A prober makes itself known by the key of its connection.
    Enrol {
        /// The secret of a join string: it counts once.
        secret: String,
        /// The version of the prober.
        version: String,
    },
    /// A prober asks what to probe.
    Targets {
        /// The version of the prober.
        version: String,
        /// The host of the last target that it had. Left out at the beginning of a round.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        after_host: Option<String>,
        /// The port of that target.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        after_port: Option<u16>,
    },
    /// A prober waits until looks are wanted, for 30 seconds at most.
    Wait {
        /// The number that it was last told.
        wanted: u64,
    },
    /// A prober says what it saw.
    Looks {
        /// Each target, 128 at most.
        answers: Vec<AnswerJson>,
        /// The number of the round that ends with them. Left out where it does not end.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        ended: Option<u64>,
    },
}

// It is read as `HeldAnswer`.
/// The answer to one target.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub(super) struct AnswerJson {
    /// The host.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
    /// What came of it.
    pub(super) outcome: OutcomeJson,
    /// Why there is no look. Left out where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) why: Option<String>,
    /// A look at each address, as in `hostssl/probe/v1`, each with `observedAt`. Left out without one.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) endpoints: Vec<Value>,
}

/// What came of a target: all but `looked` leave it unknown.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum OutcomeJson {
    /// It was probed.
    Looked,
    /// The prober's own fence does not let it.
    Fenced,
    /// The prober does not know the question.
    Unsupported,
    /// The look could not be handed over.
    Unusable,
    /// A word of a newer version.
    #[serde(other, skip_serializing)]
    Other,
}

/// A reply, by its name.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub(super) enum ReplyJson {
    /// The prober is known now.
    Enrolled {
        /// Its id.
        prober: String,
        /// Its zone.
        zone: String,
    },
    /// What to probe.
    Targets {
        /// The zone.
        zone: String,
        /// The time of the console, RFC 3339 in UTC.
        now: String,
        /// The number of the looks that are wanted.
        wanted: u64,
        /// 128 at most, in their order.
        targets: Vec<TargetJson>,
        /// Whether there are more behind them.
        more: bool,
    },
    /// Whether looks are wanted.
    Wanted {
        /// Another number than the prober knows asks for a round now.
        wanted: u64,
    },
    /// Looks were kept.
    Kept {
        /// How many targets were answered.
        answers: u64,
        /// Those whose answers are not believed.
        #[serde(default)]
        unkept: Vec<UnkeptJson>,
    },
    /// Nothing was done.
    Refused {
        /// What is wrong.
        what: String,
        /// What to do about it.
        hint: String,
    },
}

/// One target.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub(super) struct TargetJson {
    /// The name that clients connect to.
    host: String,
    /// The port.
    port: u16,
    /// What is to be found out: `probe`. A prober answers others with `unsupported`.
    question: String,
    /// The server's administrator, whose name is tried too. Left out where it is not known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    user: Option<String>,
    /// Databases of the server, whose names are tried too. Left out where they are not known.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    databases: Vec<String>,
}

impl TargetJson {
    pub(super) fn of(target: &ProbeTarget, question: &str) -> Self {
        Self {
            host: target.host.clone(),
            port: target.port,
            question: question.to_owned(),
            user: target.user.clone(),
            databases: target.databases.clone(),
        }
    }

    /// The target and the question; nothing where it is no target.
    pub(super) fn read(self) -> Option<(ProbeTarget, String)> {
        let Self { host, port, question, user, databases } = self;
        if databases.len() > MAX_NAMES {
            return None;
        }
        let target = read_host(host, port, user, databases, 1).ok()?;
        Some((target, question.chars().take(80).collect()))
    }
}

/// A target whose answer is not believed.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub(super) struct UnkeptJson {
    /// The host.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
    /// Why.
    pub(super) why: String,
}
