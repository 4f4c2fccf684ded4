//! What is to be probed from a zone, as JSON, version 1: frozen.
//!
//! It is carried to a machine in the zone, and has nothing that is not needed there: no resource id, no subscription, no
//! setting. The schema is committed as `docs/schemas/targets-v1.schema.json`.

use hostssl_model::is_zone_name;
use hostssl_probe::target::{ProbeTarget, TargetError};
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io;

/// The name and version of the format.
pub const SCHEMA: &str = "hostssl/targets/v1";

/// What is to be probed from a zone.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase", expecting = "a list of targets for a zone, as an object")]
struct Document {
    /// Name and version of this format.
    schema: String,
    /// The zone.
    zone: String,
    /// When it was made, RFC 3339 in UTC.
    made_at: String,
    /// The endpoints.
    targets: Vec<Target>,
}

/// One endpoint.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
struct Target {
    /// The name that clients connect to.
    host: String,
    /// The port.
    port: u16,
    /// The server's administrator, whose name is tried too. Present where it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    user: Option<String>,
    /// Databases of the server, whose names are tried too. Present where they are known.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    databases: Vec<String>,
}

/// What a machine in a zone is to probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneTargets {
    /// The zone.
    pub zone: String,
    /// When the list was made.
    pub made_at: jiff::Timestamp,
    /// The endpoints.
    pub targets: Vec<ProbeTarget>,
}

/// A text is not a list of targets that this version can read.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTargets {
    /// It is no JSON, ends early, or a member is missing or of another type.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is something else.
    #[error("its schema is `{0}` and not `{SCHEMA}`")]
    Schema(String),
    /// The zone has no name that a zone can have.
    #[error("its zone has a name that no zone can have")]
    Zone,
    /// It does not say when it was made.
    #[error("`madeAt` is not a time in RFC 3339")]
    Time,
    /// A target names no host.
    #[error("target {0}: {1}")]
    Host(usize, TargetError),
    /// A target has a name that PostgreSQL would not take.
    #[error("target {0}: the name of the user or of a database is invalid")]
    Name(usize),
}

/// PostgreSQL cuts names off at 63 bytes (NAMEDATALEN).
const LONGEST_NAME: usize = 63;

impl ZoneTargets {
    /// The list as one JSON value.
    ///
    /// # Errors
    ///
    /// None that a list can cause.
    pub fn value(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self.document())
    }

    /// Writes the list.
    ///
    /// # Errors
    ///
    /// Whatever the writer returns.
    pub fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        crate::write_json(out, &self.document())?;
        writeln!(out)
    }

    fn document(&self) -> Document {
        let target = |target: &ProbeTarget| Target {
            host: target.host.clone(),
            port: target.port,
            user: target.user.clone(),
            databases: target.databases.clone(),
        };
        Document {
            schema: SCHEMA.to_owned(),
            zone: self.zone.clone(),
            made_at: self.made_at.to_string(),
            targets: self.targets.iter().map(target).collect(),
        }
    }

    /// The same with each endpoint once, by their hosts and ports.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.targets.sort_by(|a, b| (&a.host, a.port).cmp(&(&b.host, b.port)));
        self.targets.dedup_by(|a, b| (&a.host, a.port) == (&b.host, b.port));
        self
    }

    /// Reads a list.
    ///
    /// # Errors
    ///
    /// [`InvalidTargets`] for the first thing that is wrong.
    pub fn read(text: impl io::Read) -> Result<Self, InvalidTargets> {
        let document: Document = serde_json::from_reader(io::BufReader::new(text))?;
        if document.schema != SCHEMA {
            return Err(InvalidTargets::Schema(document.schema.chars().take(80).collect()));
        }
        if !is_zone_name(&document.zone) {
            return Err(InvalidTargets::Zone);
        }
        let made_at = document.made_at.parse().map_err(|_| InvalidTargets::Time)?;
        let targets = document.targets.into_iter().zip(1..).map(|(target, number)| read_target(target, number));
        Ok(Self { zone: document.zone, made_at, targets: targets.collect::<Result<_, _>>()? })
    }
}

fn read_target(target: Target, number: usize) -> Result<ProbeTarget, InvalidTargets> {
    read_host(target.host, target.port, target.user, target.databases, number)
}

/// A host alone: what else a connection string can name is not for a zone to follow.
pub(crate) fn read_host(
    host: String,
    port: u16,
    user: Option<String>,
    databases: Vec<String>,
    number: usize,
) -> Result<ProbeTarget, InvalidTargets> {
    let odd = |error| InvalidTargets::Host(number, error);
    let host = ProbeTarget::new(host, port);
    let named = ProbeTarget::parse(&host.display()).map_err(odd)?;
    if !matches!(named.as_slice(), [one] if *one == host) {
        return Err(odd(TargetError::Empty));
    }
    let is_name = |name: &String| (1..=LONGEST_NAME).contains(&name.len()) && !name.contains(char::is_control);
    if !user.iter().chain(&databases).all(is_name) {
        return Err(InvalidTargets::Name(number));
    }
    Ok(ProbeTarget { user, databases, ..host })
}

/// The JSON Schema of the format.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> Value {
    crate::schema::of::<Document>(SCHEMA)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> ZoneTargets {
        let host = "pg-a.contoso.postgres.database.azure.com";
        let first = ProbeTarget {
            user: Some("dba".to_owned()),
            databases: vec!["shop".to_owned()],
            ..ProbeTarget::new(host, 5432)
        };
        let made_at = "2026-01-01T00:00:00Z".parse().unwrap();
        ZoneTargets { zone: "hub-weu".to_owned(), made_at, targets: vec![first, ProbeTarget::new(host, 6432)] }
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let text = list().value().unwrap().to_string();
        assert_eq!(ZoneTargets::read(text.as_bytes()).unwrap(), list());
    }

    #[test]
    fn what_is_odd_in_a_list_is_refused_with_what_and_where() {
        let read = |change: &dyn Fn(&mut Value)| {
            let mut value = list().value().unwrap();
            change(&mut value);
            ZoneTargets::read(value.to_string().as_bytes()).unwrap_err().to_string()
        };
        for (why, change) in [
            (
                "its schema is `hostssl/targets/v2`",
                &(|it: &mut Value| it["schema"] = "hostssl/targets/v2".into()) as &dyn Fn(&mut Value),
            ),
            ("a name that no zone can have", &|it| it["zone"] = "../x".into()),
            ("`madeAt` is not a time", &|it| it["madeAt"] = "soon".into()),
            ("target 2: ", &|it| it["targets"][1]["host"] = "postgresql://a:b@c/d".into()),
            ("target 1: ", &|it| it["targets"][0]["host"] = "a,b".into()),
            ("target 1: ", &|it| it["targets"][0]["host"] = "/var/run".into()),
            ("target 1: ", &|it| it["targets"][0]["host"] = "".into()),
            ("target 1: the name", &|it| it["targets"][0]["user"] = "a\0b".into()),
            ("target 1: the name", &|it| it["targets"][0]["databases"] = vec!["x".repeat(64)].into()),
            ("invalid type", &|it| it["targets"][0]["port"] = "5432".into()),
        ] {
            let said = read(change);
            assert!(said.contains(why), "{why}: {said}");
        }
        let whole = list().value().unwrap().to_string();
        assert!(ZoneTargets::read(&whole.as_bytes()[..whole.len() - 2]).is_err(), "it ends early");
    }
}
