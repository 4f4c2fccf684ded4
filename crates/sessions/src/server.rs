//! The sessions of a server: `pg_stat_activity`, with what `pg_stat_ssl` and `pg_stat_gssapi` say of their encryption.

use std::collections::HashSet;

use hostssl_census::{Backend, Doubt, Millis, SampledSession, SessionId, SessionTls, Sighting};
use hostssl_untrusted::one_line;
use tokio_postgres::SimpleQueryRow;

use crate::login::{LoggedIn, Login, LoginError};

/// What is asked once: whether the role sees the sessions of others (`HAS_PGSTAT_PERMISSIONS` in pgstatfuncs.c asks for
/// the privileges of pg_read_all_stats, which pg_monitor and superusers have).
const RIGHTS: &str = "SELECT pg_has_role('pg_read_all_stats', 'USAGE'), \
                      format('GRANT pg_read_all_stats TO %I;', current_user)";

/// The oldest version with `pg_read_all_stats` and `backend_type`.
const OLDEST: u32 = 10_00_00;
/// The first version with `pg_stat_gssapi`.
const WITH_GSSAPI: u32 = 12_00_00;

/// One look at the sessions of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLook {
    /// When, by the server's clock, as its log has it.
    pub at: Millis,
    /// The sessions that the role may see, our own left out.
    pub sessions: Vec<SampledSession>,
    /// Sessions of which the role may see no more than that they are there.
    pub hidden: u64,
    /// The statement that gives the role what it lacks; `None` if it sees all.
    pub missing_grant: Option<String>,
}

/// A server whose sessions are sampled. The connection is kept from one sample to the next.
pub struct ServerSessions {
    login: Login,
    connected: Option<Prepared>,
}

struct Prepared {
    session: LoggedIn,
    missing_grant: Option<String>,
    look: String,
}

impl ServerSessions {
    /// Prepares to look; connects at the first look.
    #[must_use]
    pub fn new(login: Login) -> Self {
        Self { login, connected: None }
    }

    /// The server, as it is shown.
    #[must_use]
    pub fn name(&self) -> String {
        self.login.name()
    }

    /// Samples once. Sessions from one of the `legs`, which are addresses with ports, are those of a pooler.
    ///
    /// # Errors
    ///
    /// [`LoginError`]; the next look connects anew.
    pub async fn look(&mut self, legs: &HashSet<(String, u16)>) -> Result<ServerLook, LoginError> {
        let prepared = match self.connected.take() {
            Some(prepared) => prepared,
            None => Prepared::new(self.login.connect().await?).await?,
        };
        let look = prepared.look(legs).await?;
        self.connected = Some(prepared);
        Ok(look)
    }
}

impl Prepared {
    async fn new(session: LoggedIn) -> Result<Self, LoginError> {
        let version = session.rows("SHOW server_version_num").await?;
        let version = version.first().and_then(|rows| rows.first()).and_then(|row| row.get(0));
        let version: u32 = version
            .and_then(|version| version.parse().ok())
            .ok_or_else(|| session.unexpected("server_version_num is not a number"))?;
        if version < OLDEST {
            return Err(session.unexpected("PostgreSQL before version 10 cannot say which sessions are whose"));
        }
        let rights = session.rows(RIGHTS).await?;
        let rights = rights.first().and_then(|rows| rows.first());
        let missing_grant = match rights.map(|row| (row.get(0), row.get(1))) {
            Some((Some("t"), _)) => None,
            Some((Some("f"), Some(grant))) => Some(one_line(grant)),
            _ => return Err(session.unexpected("the server did not return the role's privileges")),
        };
        Ok(Self { session, missing_grant, look: look_at(version) })
    }

    async fn look(&self, legs: &HashSet<(String, u16)>) -> Result<ServerLook, LoginError> {
        let statements = self.session.rows(&self.look).await?;
        // Of BEGIN, SET, SET, the two SELECTs and COMMIT, the SELECTs alone have rows.
        let mut with_rows = statements.into_iter().filter(|rows| !rows.is_empty());
        let at = with_rows.next().and_then(|rows| rows.first()?.get(0)?.parse().ok());
        let at = at.ok_or_else(|| self.session.unexpected("the server did not return its time"))?;
        let mut look = ServerLook { at, sessions: Vec::new(), hidden: 0, missing_grant: self.missing_grant.clone() };
        for row in with_rows.flatten() {
            match sampled(&row, at, legs) {
                Some(session) => look.sessions.push(session),
                None => look.hidden += 1,
            }
        }
        Ok(look)
    }
}

/// The statements of one look, for a version of PostgreSQL. Our own session is left out by its process id: a name could
/// be anyone's.
fn look_at(version: u32) -> String {
    let (gss, join) = match version {
        WITH_GSSAPI.. => ("g.encrypted", "LEFT JOIN pg_catalog.pg_stat_gssapi g ON g.pid = a.pid"),
        _ => ("NULL", ""),
    };
    let millis = |time: &str| format!("floor(extract(epoch FROM {time}) * 1000)::bigint");
    format!(
        "BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '2s'; \
         SELECT {now}; \
         SELECT a.pid, {began}, a.usename, a.datname, a.application_name, host(a.client_addr), a.client_port, \
         a.backend_type, s.ssl, s.version, s.cipher, {gss} \
         FROM pg_catalog.pg_stat_activity a LEFT JOIN pg_catalog.pg_stat_ssl s ON s.pid = a.pid {join} \
         WHERE a.pid <> pg_backend_pid() AND a.usesysid IS NOT NULL \
         AND (a.backend_type IS NULL OR a.backend_type IN ('client backend', 'walsender') \
         OR a.client_port IS NOT NULL); COMMIT",
        now = millis("clock_timestamp()"),
        began = millis("a.backend_start"),
    )
}

/// A row as a session; `None` if the role may not see it.
fn sampled(row: &SimpleQueryRow, at: Millis, legs: &HashSet<(String, u16)>) -> Option<SampledSession> {
    let text = |column: usize| row.try_get(column).ok().flatten().map(ToOwned::to_owned);
    let fields = Row {
        pid: text(0),
        began: text(1),
        user: text(2),
        database: text(3),
        application: text(4),
        address: text(5),
        port: text(6),
        backend: text(7),
        ssl: text(8),
        protocol: text(9),
        cipher: text(10),
        gss: text(11),
    };
    fields.sampled(at, legs)
}

/// The columns of one row, as text.
#[derive(Debug, Clone, Default)]
struct Row {
    pid: Option<String>,
    began: Option<String>,
    user: Option<String>,
    database: Option<String>,
    application: Option<String>,
    address: Option<String>,
    port: Option<String>,
    backend: Option<String>,
    ssl: Option<String>,
    protocol: Option<String>,
    cipher: Option<String>,
    gss: Option<String>,
}

impl Row {
    fn sampled(self, at: Millis, legs: &HashSet<(String, u16)>) -> Option<SampledSession> {
        // What a role may not see is null, and so is the kind of the session.
        let backend = self.backend?;
        let began: u64 = self.began.and_then(|began| began.parse().ok()).unwrap_or_default();
        let pid: u32 = self.pid.and_then(|pid| pid.parse().ok()).unwrap_or_default();
        let port: Option<i32> = self.port.and_then(|port| port.parse().ok());
        let is_leg = self.address.as_ref().zip(port).is_some_and(|(address, port)| {
            u16::try_from(port).is_ok_and(|port| legs.contains(&(address.clone(), port)))
        });
        let is_encrypted = |word: &Option<String>| word.as_deref() == Some("t");
        let (tls, doubt) = match (&self.ssl, &self.address, port) {
            _ if is_encrypted(&self.ssl) => (SessionTls::Tls, None),
            _ if is_encrypted(&self.gss) => (SessionTls::Unknown, Some(Doubt::GssEncrypted)),
            // -1 is the port of a Unix-domain socket (documentation of pg_stat_activity).
            (_, None, Some(-1)) => (SessionTls::Local, None),
            (Some(no), Some(_), _) if no == "f" => (SessionTls::Plaintext, None),
            _ => (SessionTls::Unknown, Some(Doubt::NoAddress)),
        };
        let is_tls = tls == SessionTls::Tls;
        Some(SampledSession {
            // As in the log, of which the session is a line: there the time has no fraction.
            id: SessionId::of_backend(began / 1_000, pid),
            sighting: Sighting {
                user: self.user,
                database: self.database.filter(|name| !name.is_empty()),
                application: self.application.filter(|name| !name.is_empty()),
                address: self.address,
                backend: match backend.as_str() {
                    "walsender" => Backend::Replication,
                    _ if is_leg => Backend::Pooler,
                    _ => Backend::Client,
                },
                tls,
                protocol: self.protocol.filter(|_| is_tls),
                cipher: self.cipher.filter(|_| is_tls),
                at: Some(at),
                doubt,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let text = |text: &str| Some(text.to_owned());
        Row {
            pid: text("7"),
            began: text("5000"),
            user: text("app"),
            database: text("shop"),
            application: text(""),
            address: text("10.0.0.4"),
            port: text("40000"),
            backend: text("client backend"),
            ssl: text("f"),
            ..Row::default()
        }
    }

    fn seen(row: Row) -> Sighting {
        row.sampled(1, &HashSet::from([("10.0.0.9".to_owned(), 7)])).unwrap().sighting
    }

    #[test]
    fn how_a_session_is_encrypted_is_never_guessed() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!((seen(row()).tls, seen(row()).application), (SessionTls::Plaintext, None));
        let tls = seen(Row { ssl: text("t"), protocol: text("TLSv1.3"), ..row() });
        assert_eq!((tls.tls, tls.protocol.as_deref()), (SessionTls::Tls, Some("TLSv1.3")));
        assert_eq!(seen(Row { address: None, port: text("-1"), ..row() }).tls, SessionTls::Local);
        assert_eq!(seen(Row { gss: text("t"), ..row() }).doubt, Some(Doubt::GssEncrypted));
        // No row of pg_stat_ssl, and neither an address nor the mark of a socket.
        assert_eq!(seen(Row { ssl: None, ..row() }).tls, SessionTls::Unknown);
        assert_eq!(seen(Row { address: None, port: None, ..row() }).tls, SessionTls::Unknown);
        assert_eq!(seen(Row { backend: text("walsender"), ..row() }).backend, Backend::Replication);
        assert_eq!(seen(Row { address: text("10.0.0.9"), port: text("7"), ..row() }).backend, Backend::Pooler);
        assert_eq!(Row { backend: None, ..row() }.sampled(1, &HashSet::new()), None);
    }
}
