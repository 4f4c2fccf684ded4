//! Sessions that stayed in plaintext after enforcement: it refuses new connections only. They are listed, and ended on request.

use std::time::{Duration, Instant};

use hostssl_untrusted::one_line;
use tokio_postgres::SimpleQueryRow;

use crate::login::{LoggedIn, Login, LoginError};

/// How long to wait until sessions that were terminated are gone.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two reads of the sessions meanwhile.
const PAUSE: Duration = Duration::from_millis(100);
/// The first version with `pg_stat_gssapi`.
const WITH_GSSAPI: u32 = 12_00_00;

/// What it takes to see all sessions, and to end those of others (`pg_signal_backend`, documentation of "Predefined Roles"); a
/// superuser has both.
const RIGHTS: &str = "SELECT pg_has_role('pg_read_all_stats', 'USAGE'), pg_has_role('pg_signal_backend', 'USAGE'), \
                      format('GRANT pg_read_all_stats TO %I;', current_user), \
                      format('GRANT pg_signal_backend TO %I;', current_user)";

/// A session of a client in plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftoverSession {
    pid: u32,
    /// When it began, in microseconds: with the process id, it names one session.
    began: i64,
    /// The user.
    pub user: Option<String>,
    /// The database, if it has one.
    pub database: Option<String>,
    /// The application name that the client gave.
    pub application: Option<String>,
    /// The address.
    pub address: Option<String>,
    /// Whether it is replication, which is never ended.
    pub is_replication: bool,
    /// Whether the role may end it: a superuser's session is a superuser's to end.
    pub may_be_ended: bool,
}

/// The plaintext sessions of one server, over one connection of our own.
pub struct LeftoverSessions {
    session: LoggedIn,
    version: u32,
    missing: MissingRights,
}

/// The statements that give the role what it lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MissingRights {
    /// To see the sessions of others.
    pub to_see: Option<String>,
    /// To end them.
    pub to_end: Option<String>,
}

impl LeftoverSessions {
    /// Logs in and asks what the role may do.
    ///
    /// # Errors
    ///
    /// [`LoginError`].
    pub async fn connect(login: &Login) -> Result<Self, LoginError> {
        let session = login.connect().await?;
        let version = first(&session.rows("SHOW server_version_num").await?).and_then(|row| row.get(0)?.parse().ok());
        let version = version.ok_or_else(|| session.unexpected("server_version_num is not a number"))?;
        let rights = session.rows(RIGHTS).await?;
        let rights =
            first(&rights).ok_or_else(|| session.unexpected("the server did not return the role's privileges"))?;
        // Whatever is not a clear yes is a right that is missing.
        let lacks = |right: usize, grant: usize| {
            let has = rights.get(right) == Some("t");
            (!has).then(|| one_line(rights.get(grant).unwrap_or_default()))
        };
        let missing = MissingRights { to_see: lacks(0, 2), to_end: lacks(1, 3) };
        Ok(Self { session, version, missing })
    }

    /// What the role may not do.
    #[must_use]
    pub fn missing(&self) -> &MissingRights {
        &self.missing
    }

    /// The sessions of clients in plaintext, as they are now, without our own.
    ///
    /// # Errors
    ///
    /// [`LoginError`], also where the role may not see the sessions of others: an empty list would prove nothing.
    pub async fn look(&self) -> Result<Vec<LeftoverSession>, LoginError> {
        if let Some(grant) = &self.missing.to_see {
            return Err(self.session.unexpected(&format!("the role sees only its own sessions; it lacks: {grant}")));
        }
        let rows = self.session.rows(&self.statement(&columns(), "")).await?;
        rows.iter()
            .flatten()
            .map(|row| read(row).ok_or_else(|| self.session.unexpected("a session cannot be read")))
            .collect()
    }

    /// Ends those of these sessions that are still there and still clients in plaintext, and says of each, in order, whether it
    /// is gone. The server looks at them again in the statement that ends them; a process id that another session has by now
    /// is left alone.
    ///
    /// # Errors
    ///
    /// [`LoginError`]; some may have been ended then.
    pub async fn end(&self, sessions: &[LeftoverSession]) -> Result<Vec<bool>, LoginError> {
        let chosen: Vec<&LeftoverSession> =
            sessions.iter().filter(|one| one.may_be_ended && !one.is_replication).collect();
        if !chosen.is_empty() {
            // Numbers alone, so that nothing of a name gets into the statement.
            let values: Vec<String> = chosen.iter().map(|one| format!("({}, {})", one.pid, one.began)).collect();
            let chosen = format!(
                "AND a.backend_type = 'client backend' AND {MAY_END} AND (a.pid, {BEGAN}) IN (VALUES {})",
                values.join(", ")
            );
            self.session.rows(&self.statement("pg_catalog.pg_terminate_backend(a.pid)", &chosen)).await?;
        }
        let start = Instant::now();
        loop {
            let left = self.look().await?;
            let is_left =
                |one: &LeftoverSession| left.iter().any(|left| (left.pid, left.began) == (one.pid, one.began));
            if !chosen.iter().any(|one| is_left(one)) || start.elapsed() >= PATIENCE {
                return Ok(sessions.iter().map(|one| !is_left(one)).collect());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// A statement about the sessions in plaintext. It reads the sessions of now: the view is read anew for each statement outside
    /// of a transaction that has read it.
    ///
    /// A role can be dropped while it is connected; its session is still one of a client. A session without a role has not yet
    /// said whether it uses TLS (`pgstat_bestart_initial` in backend_status.c).
    fn statement(&self, columns: &str, condition: &str) -> String {
        let (join, not_gss) = match self.version {
            WITH_GSSAPI.. => ("LEFT JOIN pg_catalog.pg_stat_gssapi g ON g.pid = a.pid", "AND g.encrypted IS NOT TRUE"),
            _ => ("", ""),
        };
        format!(
            "SET statement_timeout = '10s'; \
             SELECT {columns} FROM pg_catalog.pg_stat_activity a \
             JOIN pg_catalog.pg_stat_ssl s ON s.pid = a.pid {join} \
             LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid \
             JOIN pg_catalog.pg_roles me ON me.rolname = current_user \
             WHERE a.pid <> pg_backend_pid() AND a.client_addr IS NOT NULL AND a.usesysid IS NOT NULL \
             AND s.ssl IS FALSE {not_gss} \
             AND a.backend_type IN ('client backend', 'walsender') {condition}"
        )
    }
}

const BEGAN: &str = "floor(extract(epoch FROM a.backend_start) * 1000000)::bigint";

/// The rule of `pg_signal_backend()` in signalfuncs.c: a superuser's session takes a superuser, any other the privileges of its
/// role or of `pg_signal_backend`.
const MAY_END: &str = "((NOT coalesce(r.rolsuper, false) OR me.rolsuper) AND (pg_has_role(a.usesysid, 'USAGE') \
                       OR pg_has_role('pg_signal_backend', 'USAGE')))";

/// What is read of each session.
fn columns() -> String {
    format!("a.pid, {BEGAN}, a.usename, a.datname, a.application_name, host(a.client_addr), a.backend_type, {MAY_END}")
}

fn first(statements: &[Vec<SimpleQueryRow>]) -> Option<&SimpleQueryRow> {
    statements.iter().flatten().next()
}

fn read(row: &SimpleQueryRow) -> Option<LeftoverSession> {
    let text = |column: usize| row.try_get(column).ok().flatten().map(ToOwned::to_owned);
    let named = |column: usize| text(column).filter(|name| !name.is_empty());
    Some(LeftoverSession {
        pid: text(0)?.parse().ok()?,
        began: text(1)?.parse().ok()?,
        user: named(2),
        database: named(3),
        application: named(4),
        address: named(5),
        is_replication: text(6)? == "walsender",
        may_be_ended: text(7)? == "t",
    })
}
