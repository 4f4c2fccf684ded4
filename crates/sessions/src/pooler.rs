//! The clients of a PgBouncer: `SHOW CLIENTS`, and `SHOW SERVERS` for its own legs to the server.
//!
//! What the server sees of a pooler's clients are the pooler's sessions. Whether a client of the pooler uses TLS stands
//! in the pooler's console alone, in the column `tls` (PgBouncer, "usage": empty without TLS).

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use hostssl_census::{Backend, Doubt, Millis, SampledSession, SessionId, SessionTls, Sighting};
use hostssl_untrusted::one_line;
use tokio_postgres::SimpleQueryRow;

use crate::login::{LoggedIn, Login, LoginError};

/// The database that is the console.
const CONSOLE: &str = "pgbouncer";

/// One look at a pooler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolerLook {
    /// Its clients, those of its console left out.
    pub sessions: Vec<SampledSession>,
    /// Its own ends of the connections to servers: addresses with ports.
    pub legs: HashSet<(String, u16)>,
    /// Whether its version is too old to say which clients use TLS.
    pub is_silent_on_tls: bool,
}

/// A pooler whose clients are sampled. The connection is kept from one sample to the next.
pub struct PoolerConsole {
    login: Login,
    connected: Option<LoggedIn>,
}

impl PoolerConsole {
    /// Prepares to look; connects at the first look. Whatever database the login names, it is the console's.
    #[must_use]
    pub fn new(mut login: Login) -> Self {
        CONSOLE.clone_into(&mut login.database);
        Self { login, connected: None }
    }

    /// The pooler, as it is shown.
    #[must_use]
    pub fn name(&self) -> String {
        self.login.name()
    }

    /// Samples once, at the time `at`.
    ///
    /// # Errors
    ///
    /// [`LoginError`]; the next look connects anew.
    pub async fn look(&mut self, at: Millis) -> Result<PoolerLook, LoginError> {
        let connected = match self.connected.take() {
            Some(connected) => connected,
            None => self.login.connect().await.map_err(|error| with_right(error, &self.login.user))?,
        };
        // The console takes one statement at a time, and only the simple protocol.
        let clients = connected.rows("SHOW CLIENTS").await?;
        let servers = connected.rows("SHOW SERVERS").await?;
        let mut look = PoolerLook { sessions: Vec::new(), legs: HashSet::new(), is_silent_on_tls: false };
        for row in clients.iter().flatten() {
            let columns = Columns(row);
            look.is_silent_on_tls |= !columns.has("tls");
            look.sessions.extend(client(&|name| columns.get(name), columns.has("tls"), at));
        }
        for row in servers.iter().flatten() {
            look.legs.extend(leg(&|name| Columns(row).get(name)));
        }
        self.connected = Some(connected);
        Ok(look)
    }
}

/// Names the right that is missing: PgBouncer says only that a user who may not read its console is `not allowed`.
fn with_right(error: LoginError, user: &str) -> LoginError {
    match error {
        LoginError::Refused { target, code, detail } if detail.ends_with("not allowed") => {
            let user = one_line(user);
            let detail = format!(
                "{detail}: user {user} may not read the console of this PgBouncer. Add it to stats_users in pgbouncer.ini, or to \
                 the parameter pgbouncer.stats_users in Azure, and reload"
            );
            LoginError::Refused { target, code, detail }
        }
        error => error,
    }
}

/// A row by the names of its columns, of which each version has more.
struct Columns<'a>(&'a SimpleQueryRow);

impl Columns<'_> {
    fn has(&self, name: &str) -> bool {
        self.0.columns().iter().any(|column| column.name() == name)
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.try_get(name).ok().flatten().filter(|text: &&str| !text.is_empty()).map(ToOwned::to_owned)
    }
}

type Get<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A row of `SHOW CLIENTS`; `None` for a client of the console.
fn client(get: Get<'_>, tells_tls: bool, at: Millis) -> Option<SampledSession> {
    let database = get("database");
    if database.as_deref() == Some(CONSOLE) {
        return None;
    }
    let address = get("addr");
    // `unix`, or `unix(pid@host)` in older versions.
    let is_local = address.as_deref().is_some_and(|address| address.starts_with("unix"));
    let encryption = get("tls");
    let (protocol, cipher) = match &encryption {
        Some(text) => {
            let mut parts = text.split('/').map(ToOwned::to_owned);
            (parts.next(), parts.next())
        }
        None => (None, None),
    };
    let (tls, doubt) = match (&encryption, &address) {
        (Some(_), _) => (SessionTls::Tls, None),
        _ if is_local => (SessionTls::Local, None),
        (None, Some(_)) if tells_tls => (SessionTls::Plaintext, None),
        (None, Some(_)) => (SessionTls::Unknown, Some(Doubt::UnknownWording)),
        (None, None) => (SessionTls::Unknown, Some(Doubt::NoAddress)),
    };
    let mut hash = DefaultHasher::new();
    for name in ["id", "ptr", "connect_time", "addr", "port"] {
        get(name).hash(&mut hash);
    }
    Some(SampledSession {
        id: SessionId::of_backend(hash.finish(), 0),
        sighting: Sighting {
            user: get("user"),
            database,
            application: get("application_name"),
            address: address.filter(|_| !is_local),
            // A client that replicates has `replication` other than none (1.23 and later).
            backend: match get("replication").as_deref() {
                Some("logical" | "physical") => Backend::Replication,
                _ => Backend::Client,
            },
            tls,
            protocol,
            cipher,
            at: Some(at),
            doubt,
        },
    })
}

/// The pooler's own end of a row of `SHOW SERVERS`.
fn leg(get: Get<'_>) -> Option<(String, u16)> {
    Some((get("local_addr")?, get("local_port")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn seen(columns: &[(&str, &str)], tells_tls: bool) -> Option<Sighting> {
        let columns: HashMap<&str, &str> = columns.iter().copied().collect();
        let get = |name: &str| columns.get(name).filter(|text| !text.is_empty()).map(|text| (*text).to_owned());
        client(&get, tells_tls, 1).map(|session| session.sighting)
    }

    #[test]
    fn a_user_who_may_not_read_the_console_is_told_what_is_missing() {
        let refused = |detail: &str| LoginError::Refused {
            target: "db:6432".to_owned(),
            code: Some("08P01".to_owned()),
            detail: detail.to_owned(),
        };
        let said = with_right(refused("FATAL: not allowed"), "app").to_string();
        assert!(said.starts_with("db:6432: FATAL: not allowed: user app "), "{said}");
        assert!(said.contains("stats_users in pgbouncer.ini") && said.contains("pgbouncer.stats_users"), "{said}");
        let other = refused("FATAL: no such user");
        assert_eq!(with_right(other.clone(), "app"), other);
    }

    #[test]
    fn the_column_tls_decides() {
        let plain = [("user", "app"), ("database", "shop"), ("addr", "10.0.0.4"), ("port", "5"), ("tls", "")];
        assert_eq!(seen(&plain, true).unwrap().tls, SessionTls::Plaintext);
        // Before 1.6 there was no such column: its absence says nothing.
        assert_eq!(seen(&plain, false).unwrap().tls, SessionTls::Unknown);
        let tls = [("addr", "10.0.0.4"), ("tls", "TLSv1.3/TLS_AES_256_GCM_SHA384/ECDH=X25519"), ("database", "d")];
        let client = seen(&tls, true).unwrap();
        assert_eq!(
            (client.protocol.as_deref(), client.cipher.as_deref()),
            (Some("TLSv1.3"), Some("TLS_AES_256_GCM_SHA384"))
        );
        assert_eq!(seen(&[("addr", "unix"), ("database", "d")], true).unwrap().tls, SessionTls::Local);
        assert_eq!(seen(&[("database", "pgbouncer"), ("addr", "10.0.0.4")], true), None);
    }
}
