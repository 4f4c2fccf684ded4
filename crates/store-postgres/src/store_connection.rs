//! What is asked of the database, over one connection that is made anew where it broke.

use crate::lease::{LASTS, LeaseTerm, since_boot};
use crate::suitable::Durability;
use hostssl_sessions::{LoggedIn, Login, LoginError};
use hostssl_store::{LogEntry, LogHead, SharedError};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

/// The lease that entries rest on.
const CHANGES: &str = "changes";
/// How long an answer may take. A turn may take as long as a change waits for it besides.
const ANSWER: Duration = Duration::from_mins(1);
/// How long a machine may have its turn without asking for anything, in milliseconds: one that is frozen loses it. An audit of
/// 100,000 servers takes some tens of seconds to be written down.
const TURN_MS: u64 = 180_000;
/// How long it is tried to find out whether an entry was kept when the connection broke in the middle.
const RESOLVE: Duration = Duration::from_secs(30);
/// How many bytes of entries are handed over at once, and how many entries, unless one alone has more.
const PAGE_BYTES: i64 = 16 << 20;
const PAGE_ENTRIES: i64 = 512;

/// What is read of the head.
const HEAD: &str = "SELECT store, version, last FROM hostssl.head";

/// A connection, when there is one.
pub(crate) struct StoreConnection {
    logins: Arc<[Login]>,
    session: Option<LoggedIn>,
    /// Whether a transaction with the turn is open in it. It is one of that session: another one would know nothing of it.
    has_turn: bool,
    /// The last entry of the turn: by number, and by what tells it from another one of that number.
    appended: Option<(i64, String)>,
}

impl fmt::Debug for StoreConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConnection").field("connected", &self.session.is_some()).finish_non_exhaustive()
    }
}

/// Why a question was not answered.
enum Trouble {
    /// The server said no.
    Refused(Box<tokio_postgres::error::DbError>),
    /// The connection is gone, or there is no answer.
    Gone(String),
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            // Class 57 is an operator's: the server shuts down or has ended the session; 25P03 is that for a turn that took too long.
            Some(said) if said.code().code().starts_with("57P") || said.code().code() == "25P03" => {
                Self::Gone(said.message().to_owned())
            }
            Some(said) => Self::Refused(Box::new(said.clone())),
            None => Self::Gone(error.source().map_or_else(|| error.to_string(), ToString::to_string)),
        }
    }
}

impl Trouble {
    fn into_shared(self) -> SharedError {
        match self {
            Self::Gone(why) => SharedError::Unreachable(why),
            Self::Refused(said) if *said.code() == SqlState::LOCK_NOT_AVAILABLE => SharedError::Busy,
            Self::Refused(said) if *said.code() == SqlState::INSUFFICIENT_PRIVILEGE => SharedError::Unfit {
                what: format!("this user may not use it: {}", said.message()),
                hint: "let the owner of the schema run `GRANT USAGE ON SCHEMA hostssl TO …; GRANT SELECT, INSERT ON \
                       hostssl.log TO …; GRANT SELECT, UPDATE ON hostssl.head TO …; GRANT SELECT, INSERT, UPDATE ON \
                       hostssl.leases TO …`",
            },
            Self::Refused(said) if *said.code() == SqlState::READ_ONLY_SQL_TRANSACTION => SharedError::Unfit {
                what: "it is read-only".to_owned(),
                hint: "free it for writing: it may be a standby, or its disk may be full",
            },
            Self::Refused(said) if *said.code() == SqlState::DISK_FULL => SharedError::Unfit {
                what: format!("its disk is full: {}", said.message()),
                hint: "free some space there; then resume the run that `hostssl runs` shows as not ended, if there is one",
            },
            Self::Refused(said) => SharedError::Unreachable(format!("{}: {}", said.severity(), said.message())),
        }
    }
}

impl StoreConnection {
    pub(crate) fn new(logins: Arc<[Login]>) -> Self {
        Self { logins, session: None, has_turn: false, appended: None }
    }

    /// The client of a connection that stands, or of a new one.
    async fn client(&mut self) -> Result<&Client, SharedError> {
        if self.session.as_ref().is_none_or(|session| session.client().is_closed()) {
            if std::mem::take(&mut self.has_turn) {
                return Err(SharedError::Unreachable("the connection broke".to_owned()));
            }
            self.session = Some(self.connect().await?);
        }
        match &self.session {
            Some(session) => Ok(session.client()),
            None => Err(SharedError::Unreachable("there is no connection".to_owned())),
        }
    }

    /// Logs in to the first place that can be reached, and sees whether it is one to keep anything in.
    async fn connect(&self) -> Result<LoggedIn, SharedError> {
        let mut last = SharedError::Unreachable("no server is named".to_owned());
        for login in self.logins.iter() {
            match self.connect_to(login).await {
                Ok(session) => return Ok(session),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect_to(&self, login: &Login) -> Result<LoggedIn, SharedError> {
        let session = login.connect().await.map_err(|error| match &error {
            LoginError::Certificate { .. } => SharedError::Unfit {
                what: error.to_string(),
                hint: "give the file of its root certificates with sslrootcert=… in --store",
            },
            LoginError::NoTls { .. } => {
                SharedError::Unfit { what: error.to_string(), hint: "switch TLS on at the server of the store" }
            }
            _ => SharedError::Unreachable(error.to_string()),
        })?;
        let asked = bounded(async {
            let client = session.client();
            let row = client.query_one(Durability::SQL, &[]).await?;
            let settings = Durability {
                version: row.try_get(0)?,
                is_standby: row.try_get(1)?,
                is_read_only: row.try_get(2)?,
                fsync: row.try_get(3)?,
                full_page_writes: row.try_get(4)?,
            };
            let prepare = format!(
                "SET search_path = pg_catalog; SET default_transaction_isolation = 'read committed'; \
                 SET synchronous_commit = on; SET statement_timeout = {}; \
                 SET idle_in_transaction_session_timeout = {TURN_MS}",
                ANSWER.as_millis()
            );
            client.batch_execute(&prepare).await?;
            Ok(settings)
        });
        asked.await.map_err(Trouble::into_shared)?.check()?;
        Ok(session)
    }

    /// Asks something, and closes the connection where it broke.
    async fn ask<T>(&mut self, question: impl AsyncFnOnce(&Client) -> Result<T, Trouble>) -> Result<T, Trouble> {
        let client = self.client().await.map_err(|error| Trouble::Gone(error.to_string()))?;
        let answer = bounded(question(client)).await;
        if matches!(answer, Err(Trouble::Gone(_))) {
            self.session = None;
        }
        answer
    }

    /// The same for what may be asked twice: a connection that broke while nothing was asked is noticed by the next question.
    async fn ask_twice<T>(&mut self, question: impl AsyncFn(&Client) -> Result<T, Trouble>) -> Result<T, SharedError> {
        // What is wrong with the database is said in its own words.
        self.client().await?;
        match self.ask(&question).await {
            Err(Trouble::Gone(_)) => {
                self.client().await?;
                self.ask(&question).await.map_err(Trouble::into_shared)
            }
            answer => answer.map_err(Trouble::into_shared),
        }
    }

    pub(crate) async fn head(&mut self, version: i64) -> Result<LogHead, SharedError> {
        if let Some(head) = self.peek().await? {
            return Ok(head);
        }
        self.make(version).await?;
        self.ask_twice(async |client| head_of(&client.query_one(HEAD, &[]).await?)).await
    }

    pub(crate) async fn peek(&mut self) -> Result<Option<LogHead>, SharedError> {
        let is_made = self.ask_twice(async |client| {
            let row = client.query_one("SELECT to_regclass('hostssl.head') IS NOT NULL", &[]).await?;
            Ok(row.try_get::<_, bool>(0)?)
        });
        if !is_made.await? {
            return Ok(None);
        }
        self.ask_twice(async |client| Ok(Some(head_of(&client.query_one(HEAD, &[]).await?)?))).await
    }

    /// Makes the tables. Of several machines that begin at once, one does.
    async fn make(&mut self, version: i64) -> Result<(), SharedError> {
        let made = self.ask(async |client| {
            client.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(hashtext('hostssl'))").await?;
            let row = client.query_one("SELECT to_regclass('hostssl.head') IS NULL", &[]).await?;
            if row.try_get::<_, bool>(0)? {
                client.batch_execute(include_str!("schema.sql")).await?;
                let store = Uuid::new_v4().to_string();
                let insert = "INSERT INTO hostssl.head (store, version, last) VALUES ($1, $2, 0)";
                client.execute(insert, &[&store, &version]).await?;
            }
            client.batch_execute("COMMIT").await?;
            Ok(())
        });
        let made = made.await;
        if made.is_err() {
            self.end_turn().await;
        }
        made.map_err(|trouble| match trouble {
            Trouble::Refused(said) if *said.code() == SqlState::INSUFFICIENT_PRIVILEGE => SharedError::Unfit {
                what: format!("it has no tables of hostssl yet, and this user may not make them: {}", said.message()),
                hint: "run `GRANT CREATE ON DATABASE …` for this user, or name another user in --store once",
            },
            other => other.into_shared(),
        })
    }

    pub(crate) async fn entries_after(&mut self, number: i64) -> Result<Vec<LogEntry>, SharedError> {
        let page = self.ask_twice(async |client| {
            // The lengths are read first: of a page, only the first entry may be longer than the page.
            let sql = "SELECT number, body FROM hostssl.log WHERE number > $1::int8 AND number <= \
                       (SELECT coalesce(max(number), $1::int8 + 1) FROM (SELECT number, sum(octet_length(body)) OVER (ORDER BY number) \
                        AS total FROM hostssl.log WHERE number > $1::int8 AND number <= $1::int8 + $2::int8) AS page WHERE total <= $3::int8) ORDER BY number";
            let rows = client.query(sql, &[&number, &PAGE_ENTRIES, &PAGE_BYTES]).await?;
            let entry = |row: &Row| Ok(LogEntry { number: row.try_get(0)?, body: row.try_get(1)? });
            rows.iter().map(entry).collect()
        });
        page.await
    }

    pub(crate) async fn begin_turn(&mut self, patience: Duration) -> Result<LogHead, SharedError> {
        let begin = format!("BEGIN; SET LOCAL lock_timeout = {}", patience.as_millis());
        let lock = format!("{HEAD} FOR UPDATE");
        let begun = self.ask_twice(async |client| {
            client.batch_execute(&begin).await?;
            head_of(&client.query_one(&lock, &[]).await?)
        });
        let begun = begun.await;
        self.has_turn = begun.is_ok();
        if begun.is_err() {
            self.end_turn().await;
        }
        begun
    }

    /// Ends a turn in which nothing was kept.
    pub(crate) async fn end_turn(&mut self) {
        self.has_turn = false;
        self.appended = None;
        let Some(session) = &self.session else { return };
        if bounded(async { Ok(session.client().batch_execute("ROLLBACK").await?) }).await.is_err() {
            self.session = None;
        }
    }

    pub(crate) async fn append(&mut self, entry: &LogEntry, lease: Option<i64>) -> Result<(), SharedError> {
        let id = Uuid::new_v4().to_string();
        if let Err(error) = self.put(entry, &id, lease).await {
            self.end_turn().await;
            return Err(error);
        }
        self.appended = Some((entry.number, id));
        Ok(())
    }

    pub(crate) async fn keep(&mut self) -> Result<(), SharedError> {
        let Some((number, id)) = self.appended.take() else {
            self.end_turn().await;
            return Ok(());
        };
        let committed = self.ask(async |client| Ok(client.batch_execute("COMMIT").await?)).await;
        let had_turn = std::mem::take(&mut self.has_turn);
        match committed {
            Ok(()) => Ok(()),
            Err(Trouble::Refused(said)) => Err(Trouble::Refused(said).into_shared()),
            // The connection broke before it was asked.
            Err(Trouble::Gone(why)) if !had_turn => Err(SharedError::Unreachable(why)),
            Err(Trouble::Gone(why)) => self.resolve(number, &id, &why).await,
        }
    }

    /// Everything of an entry but the commit.
    async fn put(&mut self, entry: &LogEntry, id: &str, lease: Option<i64>) -> Result<(), SharedError> {
        if !self.has_turn {
            return Err(SharedError::Moved);
        }
        let put = self.ask(async |client| {
            if let Some(epoch) = lease {
                // A process that wants to take the lease waits until this entry is kept.
                let holds = "SELECT 1 FROM hostssl.leases WHERE name = $1 AND epoch = $2 AND ends > clock_timestamp() FOR SHARE";
                if client.query_opt(holds, &[&CHANGES, &epoch]).await?.is_none() {
                    return Ok(Err(SharedError::LeaseOver));
                }
            }
            let moved = "UPDATE hostssl.head SET last = $1::int8 WHERE last = $1::int8 - 1";
            if client.execute(moved, &[&entry.number]).await? != 1 {
                return Ok(Err(SharedError::Moved));
            }
            let insert = "INSERT INTO hostssl.log (number, id, by, body) VALUES ($1, $2, session_user, $3)";
            client.execute(insert, &[&entry.number, &id, &entry.body]).await?;
            Ok(Ok(()))
        });
        put.await.map_err(Trouble::into_shared)?
    }

    /// Finds out whether an entry was kept after all. The row of the turn is waited for, which the old session has until it has
    /// ended one way or the other.
    async fn resolve(&mut self, number: i64, id: &str, why: &str) -> Result<(), SharedError> {
        let began = since_boot();
        loop {
            let found = self.ask(async |client| {
                // A statement sees what was committed before it began, and the first one may wait for that commit.
                client.batch_execute("BEGIN; SELECT 1 FROM hostssl.head FOR UPDATE").await?;
                let sql = "SELECT EXISTS (SELECT 1 FROM hostssl.log WHERE number = $1 AND id = $2)";
                let is_kept = client.query_one(sql, &[&number, &id]).await?.try_get::<_, bool>(0)?;
                client.batch_execute("ROLLBACK").await?;
                Ok(is_kept)
            });
            match found.await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(SharedError::Unreachable(why.to_owned())),
                Err(_) if since_boot().saturating_sub(began) > RESOLVE => {
                    return Err(SharedError::Uncertain(why.to_owned()));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
    }

    pub(crate) async fn take_lease(
        &mut self,
        name: &str,
        holder: &str,
        directory: Option<&str>,
    ) -> Result<Arc<LeaseTerm>, SharedError> {
        let asked = since_boot();
        let taken = self.ask_twice(async |client| {
            let sql = "INSERT INTO hostssl.leases AS l (name, holder, directory, epoch, ends) \
                       VALUES ($1, $2, $3, 1, clock_timestamp() + $4::float8 * interval '1 second') \
                       ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, directory = excluded.directory, \
                       epoch = l.epoch + 1, ends = excluded.ends \
                       WHERE l.ends < clock_timestamp() OR l.directory = excluded.directory RETURNING epoch";
            let row = client.query_opt(sql, &[&name, &holder, &directory, &LASTS.as_secs_f64()]).await?;
            if let Some(row) = row {
                return Ok(Ok(row.try_get::<_, i64>(0)?));
            }
            let sql = "SELECT holder || ', until ' || to_char(ends AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
                       || ' unless it is renewed' FROM hostssl.leases WHERE name = $1";
            Ok(Err(client.query_one(sql, &[&name]).await?.try_get::<_, String>(0)?))
        });
        match taken.await? {
            Ok(epoch) => Ok(Arc::new(LeaseTerm::new(name, epoch, asked))),
            Err(holder) => Err(SharedError::Held(holder)),
        }
    }

    /// Renews a lease. One that ran out is renewed too while no other process has taken it.
    pub(crate) async fn renew(&mut self, lease: &LeaseTerm) {
        let (asked, name, epoch) = (since_boot(), lease.name(), lease.epoch());
        let renewed = self.ask(async |client| {
            let sql = "UPDATE hostssl.leases SET ends = clock_timestamp() + $3::float8 * interval '1 second' \
                       WHERE name = $1 AND epoch = $2";
            Ok(client.execute(sql, &[&name, &epoch, &LASTS.as_secs_f64()]).await?)
        });
        match renewed.await {
            Ok(1) => lease.renewed(asked),
            Ok(_) => lease.lost(),
            // It lasts as long as it lasts.
            Err(_) => {}
        }
    }

    /// Gives a lease back before its time.
    pub(crate) async fn give_back(&mut self, lease: &LeaseTerm) {
        let (name, epoch) = (lease.name(), lease.epoch());
        let ended = self.ask(async |client| {
            let sql = "UPDATE hostssl.leases SET ends = clock_timestamp() WHERE name = $1 AND epoch = $2";
            Ok(client.execute(sql, &[&name, &epoch]).await?)
        });
        // Where that fails it ends by itself.
        let _ = ended.await;
    }
}

fn head_of(row: &Row) -> Result<LogHead, Trouble> {
    Ok(LogHead { store: row.try_get(0)?, version: row.try_get(1)?, last: row.try_get(2)? })
}

async fn bounded<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    // The server gives up first, and says so.
    let limit = ANSWER + Duration::from_secs(10);
    timeout(limit, work).await.unwrap_or_else(|_| Err(Trouble::Gone(format!("no answer in {} s", limit.as_secs()))))
}
