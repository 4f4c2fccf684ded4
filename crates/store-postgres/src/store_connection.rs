//! What is asked of the database, over one connection that is made anew where it broke.

mod leases;
mod unanswered;

use crate::lease::{LASTS, LeaseTerm, since_boot};
use crate::suitable::ServerSettings;
use hostssl_sessions::{LoggedIn, Login, LoginError};
use hostssl_store::{LogEntry, LogHead, SharedError, TurnNumber};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};
use unanswered::Unanswered;
use uuid::Uuid;

/// How long an answer may take. A turn may take as long as a change waits for it besides.
const ANSWER: Duration = Duration::from_mins(1);
/// How long a machine may have its turn without asking for anything: one that is frozen loses it. An audit of 100,000 servers
/// takes some tens of seconds to be written down.
const TURN: Duration = Duration::from_mins(3);
/// How long it is tried to find out whether an entry was kept when the connection broke in the middle.
const RESOLVE: Duration = Duration::from_mins(2);
/// How many bytes of entries are handed over at once, and how many entries, unless one alone has more.
const PAGE_BYTES: i64 = 16 << 20;
const PAGE_ENTRIES: i64 = 512;

/// What is read of the head.
const HEAD: &str = "SELECT store, version, last, chain FROM hostssl.head";
/// Begins a transaction whose commit returns when it is on the disk, whatever the database's default is.
const DURABLY: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = on";
/// Whether the tables are there. A name that was looked up before they were is not looked up again in time.
const IS_MADE: &str = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n \
     ON n.oid = c.relnamespace WHERE n.nspname = 'hostssl' AND c.relname = 'head')";

/// A value of a statement. Statements are sent with their types and have no names, which a pooler would mix up.
type Given<'a> = &'a (dyn ToSql + Sync);

/// A connection, when there is one.
pub(crate) struct StoreConnection {
    logins: Arc<[Login]>,
    session: Option<LoggedIn>,
    /// The turn whose transaction is open in it. It is one of that session: another one would know nothing of it.
    turn: Option<Turn>,
    /// How many turns there were.
    turns: TurnNumber,
    /// How long the question may wait for a lock, beside the time for an answer.
    patience: Duration,
}

impl fmt::Debug for StoreConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConnection").field("connected", &self.session.is_some()).finish_non_exhaustive()
    }
}

/// A turn.
struct Turn {
    number: TurnNumber,
    appended: Option<Appended>,
}

/// The last entry of a turn, and the lease that it renews, with the moment when that was asked for.
struct Appended {
    number: i64,
    chain: String,
    renewed: Option<(Arc<LeaseTerm>, Duration)>,
}

impl StoreConnection {
    pub(crate) fn new(logins: Arc<[Login]>) -> Self {
        Self { logins, session: None, turn: None, turns: 0, patience: Duration::ZERO }
    }

    /// The client of a connection that stands, or of a new one.
    async fn client(&mut self) -> Result<&Client, SharedError> {
        if self.session.as_ref().is_none_or(|session| session.client().is_closed()) {
            if self.turn.take().is_some() {
                return Err(SharedError::Unreachable("the connection broke".to_owned()));
            }
            self.session = Some(self.connect().await?);
        }
        match &self.session {
            Some(session) => Ok(session.client()),
            None => Err(SharedError::Unreachable("there is no connection".to_owned())),
        }
    }

    /// Logs in to the first place that is one to keep anything in.
    async fn connect(&self) -> Result<LoggedIn, SharedError> {
        let mut none = Vec::new();
        for login in self.logins.iter() {
            match self.connect_to(login).await {
                Ok(session) => return Ok(session),
                Err(error) => none.push((login.name(), error)),
            }
        }
        Err(why_none(none))
    }

    async fn connect_to(&self, login: &Login) -> Result<LoggedIn, SharedError> {
        let session = login.connect().await.map_err(|error| match &error {
            LoginError::Certificate { .. } => SharedError::Unfit {
                what: error.to_string(),
                hint: "renew it if it has expired, or give the file of its root certificates with sslrootcert=… in --store",
            },
            LoginError::NoTls { .. } => {
                SharedError::Unfit { what: error.to_string(), hint: "switch TLS on at the server of the store" }
            }
            LoginError::NoPassword { user, .. } => SharedError::Unfit {
                what: format!("it requires a password for user {user}, and none was found"),
                hint: "set HOSTSSL_STORE_PASSWORD, or PGPASSFILE, or a service of pg_service.conf",
            },
            _ => SharedError::Unreachable(error.to_string()),
        })?;
        let asked = bounded(ANSWER, async {
            let client = session.client();
            let row = client.query_typed_one(ServerSettings::SQL, &[]).await?;
            let settings = ServerSettings {
                version: row.try_get(0)?,
                is_standby: row.try_get(1)?,
                is_read_only: row.try_get(2)?,
                fsync: row.try_get(3)?,
                full_page_writes: row.try_get(4)?,
            };
            Ok(settings)
        });
        asked.await.map_err(Unanswered::into_shared)?.check()?;
        Ok(session)
    }

    /// Asks something, and closes the connection where it broke.
    async fn ask<T>(&mut self, question: impl AsyncFnOnce(&Client) -> Result<T, Unanswered>) -> Result<T, Unanswered> {
        let limit = ANSWER + self.patience;
        let client = self.client().await.map_err(|error| Unanswered::Gone(error.to_string()))?;
        let answer = bounded(limit, question(client)).await;
        if matches!(answer, Err(Unanswered::Gone(_))) {
            self.session = None;
        }
        answer
    }

    /// The same for what may be asked twice: a connection that broke while nothing was asked is noticed by the next question.
    async fn ask_twice<T>(
        &mut self,
        question: impl AsyncFn(&Client) -> Result<T, Unanswered>,
    ) -> Result<T, SharedError> {
        // What is wrong with the database is said in its own words.
        self.client().await?;
        match self.ask(&question).await {
            Err(Unanswered::Gone(_)) => {
                self.client().await?;
                self.ask(&question).await.map_err(Unanswered::into_shared)
            }
            answer => answer.map_err(Unanswered::into_shared),
        }
    }

    pub(crate) async fn head(&mut self, version: i64) -> Result<LogHead, SharedError> {
        if let Some(head) = self.peek().await? {
            return Ok(head);
        }
        self.make(version).await?;
        self.ask_twice(async |client| head_of(&client.query_typed_one(HEAD, &[]).await?)).await
    }

    pub(crate) async fn peek(&mut self) -> Result<Option<LogHead>, SharedError> {
        let is_made = self.ask_twice(async |client| {
            let row = client.query_typed_one(IS_MADE, &[]).await?;
            Ok(row.try_get::<_, bool>(0)?)
        });
        if !is_made.await? {
            return Ok(None);
        }
        self.ask_twice(async |client| Ok(Some(head_of(&client.query_typed_one(HEAD, &[]).await?)?))).await
    }

    /// Makes the tables. Of several machines that begin at once, one does.
    async fn make(&mut self, version: i64) -> Result<(), SharedError> {
        let made = self.ask(async |client| {
            client.batch_execute(DURABLY).await?;
            client.batch_execute("SELECT pg_advisory_xact_lock(hashtext('hostssl'))").await?;
            let row = client.query_typed_one(IS_MADE, &[]).await?;
            if !row.try_get::<_, bool>(0)? {
                client.batch_execute(include_str!("schema.sql")).await?;
                let store = Uuid::new_v4().to_string();
                let insert = "INSERT INTO hostssl.head (store, version, last, chain) VALUES ($1, $2, 0, '')";
                client.execute_typed(insert, &[(&store, Type::TEXT), (&version, Type::INT8)]).await?;
            }
            client.batch_execute("COMMIT").await?;
            Ok(())
        });
        let made = made.await;
        if made.is_err() {
            self.roll_back().await;
        }
        made.map_err(|error| match error {
            Unanswered::Refused(said) if *said.code() == SqlState::INSUFFICIENT_PRIVILEGE => SharedError::Unfit {
                what: format!("it has no tables of hostssl yet, and this user may not make them: {}", said.message()),
                hint: "run `GRANT CREATE ON DATABASE …` for this user, or name another user in --store once",
            },
            other => other.into_shared(),
        })
    }

    /// Waits for the turn of another machine. Where the store is upgraded already, it changes nothing.
    pub(crate) async fn upgrade(&mut self, from: i64, to: i64) -> Result<(), SharedError> {
        let upgraded = self.ask_twice(async |client| {
            client.batch_execute(DURABLY).await?;
            let sql = "UPDATE hostssl.head SET version = $2 WHERE version = $1";
            client.execute_typed(sql, &[(&from, Type::INT8), (&to, Type::INT8)]).await?;
            Ok(client.batch_execute("COMMIT").await?)
        });
        let upgraded = upgraded.await;
        if upgraded.is_err() {
            self.roll_back().await;
        }
        upgraded
    }

    pub(crate) async fn entries_after(
        &mut self,
        number: i64,
        turn: Option<TurnNumber>,
    ) -> Result<Vec<LogEntry>, SharedError> {
        if turn.is_some() && self.turn.as_ref().map(|open| open.number) != turn {
            return Err(SharedError::Moved);
        }
        let page = self.ask_twice(async |client| {
            // The lengths are read first: of a page, only the first entry may be longer than the page.
            let sql = "SELECT number, chain, body FROM hostssl.log WHERE number > $1::int8 AND number <= \
                       (SELECT coalesce(max(number), $1::int8 + 1) FROM (SELECT number, sum(octet_length(body)) OVER (ORDER BY number) \
                        AS total FROM hostssl.log WHERE number > $1::int8 AND number <= $1::int8 + $2::int8) AS page WHERE total <= $3::int8) ORDER BY number";
            let given = (&number, &PAGE_ENTRIES, &PAGE_BYTES);
            let rows = client
                .query_typed(sql, &[(given.0, Type::INT8), (given.1, Type::INT8), (given.2, Type::INT8)])
                .await?;
            let entry = |row: &Row| {
                Ok(LogEntry { number: row.try_get(0)?, chain: row.try_get(1)?, body: row.try_get(2)? })
            };
            rows.iter().map(entry).collect()
        });
        page.await
    }

    pub(crate) async fn begin_turn(&mut self, patience: Duration) -> Result<(TurnNumber, LogHead), SharedError> {
        if self.turn.take().is_some() {
            // Its thread has let go of the copy without a word.
            self.roll_back().await;
        }
        // With each turn, and not once for the session: behind a pooler the next one may be another session of the server. A
        // limit of 0 would be none.
        let begin = format!(
            "{DURABLY}; SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}; \
             SET LOCAL idle_in_transaction_session_timeout = {}",
            patience.as_millis().max(1),
            (patience + ANSWER).as_millis(),
            TURN.as_millis()
        );
        let lock = format!("{HEAD} FOR UPDATE");
        self.patience = patience;
        let begun = self.ask_twice(async |client| {
            client.batch_execute(&begin).await?;
            head_of(&client.query_typed_one(&lock, &[]).await?)
        });
        let begun = begun.await;
        self.patience = Duration::ZERO;
        match begun {
            Ok(head) => {
                self.turns += 1;
                self.turn = Some(Turn { number: self.turns, appended: None });
                Ok((self.turns, head))
            }
            Err(error) => {
                self.roll_back().await;
                Err(error)
            }
        }
    }

    /// Ends a turn in which nothing was kept, if it is not over.
    pub(crate) async fn end_turn(&mut self, turn: TurnNumber) {
        if self.turn.take_if(|open| open.number == turn).is_some() {
            self.roll_back().await;
        }
    }

    async fn roll_back(&mut self) {
        let Some(session) = &self.session else { return };
        if bounded(ANSWER, async { Ok(session.client().batch_execute("ROLLBACK").await?) }).await.is_err() {
            self.session = None;
        }
    }

    pub(crate) async fn append(
        &mut self,
        turn: TurnNumber,
        entry: &LogEntry,
        lease: Option<Arc<LeaseTerm>>,
    ) -> Result<(), SharedError> {
        if self.turn.as_ref().is_none_or(|open| open.number != turn) {
            return Err(SharedError::Moved);
        }
        let asked = since_boot();
        if let Err(error) = self.put(entry, lease.as_deref()).await {
            self.end_turn(turn).await;
            return Err(error);
        }
        if let Some(open) = &mut self.turn {
            let (number, chain) = (entry.number, entry.chain.clone());
            open.appended = Some(Appended { number, chain, renewed: lease.map(|lease| (lease, asked)) });
        }
        Ok(())
    }

    pub(crate) async fn keep(&mut self, turn: TurnNumber) -> Result<(), SharedError> {
        let open = self.turn.as_mut().filter(|open| open.number == turn);
        let Some(Appended { number, chain, renewed }) = open.and_then(|open| open.appended.take()) else {
            self.end_turn(turn).await;
            return Err(SharedError::Moved);
        };
        let committed = self.ask(async |client| Ok(client.batch_execute("COMMIT").await?)).await;
        let was_open = self.turn.take().is_some();
        match committed {
            Ok(()) => {}
            Err(Unanswered::Refused(said)) => return Err(Unanswered::Refused(said).into_shared()),
            // The connection broke before it was asked.
            Err(Unanswered::Gone(why)) if !was_open => return Err(SharedError::Unreachable(why)),
            Err(Unanswered::Gone(why)) => self.resolve(number, &chain, &why).await?,
        }
        if let Some((lease, asked)) = renewed {
            lease.renewed(asked);
        }
        Ok(())
    }

    /// Everything of an entry but the commit.
    async fn put(&mut self, entry: &LogEntry, lease: Option<&LeaseTerm>) -> Result<(), SharedError> {
        let put = self.ask(async |client| {
            if let Some(lease) = lease {
                let (name, token) = (lease.name(), lease.token());
                // One that ran out while the store could not be reached is renewed: no other process has it. One that wants to
                // take it waits until this entry is kept.
                let renew = "UPDATE hostssl.leases SET ends = greatest(ends, clock_timestamp() + $3 * interval '1 second') \
                             WHERE name = $1 AND token = $2";
                let lasts = LASTS.as_secs_f64();
                let given = [(&name as Given<'_>, Type::TEXT), (&token, Type::INT8), (&lasts, Type::FLOAT8)];
                if client.execute_typed(renew, &given).await? != 1 {
                    return Ok(Err(SharedError::LeaseOver));
                }
            }
            let moved = "UPDATE hostssl.head SET last = $1, chain = $2 WHERE last = $1 - 1";
            let given = [(&entry.number as Given<'_>, Type::INT8), (&entry.chain, Type::TEXT)];
            if client.execute_typed(moved, &given).await? != 1 {
                return Ok(Err(SharedError::Moved));
            }
            let insert = "INSERT INTO hostssl.log (number, chain, by, body) VALUES ($1, $2, session_user, $3)";
            let given =
                [(&entry.number as Given<'_>, Type::INT8), (&entry.chain, Type::TEXT), (&entry.body, Type::BYTEA)];
            client.execute_typed(insert, &given).await?;
            Ok(Ok(()))
        });
        put.await.map_err(Unanswered::into_shared)?
    }

    /// Finds out whether an entry was kept after all. The row of the turn is waited for, which the old session has until it has
    /// ended one way or the other.
    async fn resolve(&mut self, number: i64, chain: &str, why: &str) -> Result<(), SharedError> {
        let began = since_boot();
        loop {
            let found = self.ask(async |client| {
                // A statement sees what was committed before it began, and the first one may wait for that commit.
                client.batch_execute("BEGIN; SELECT 1 FROM hostssl.head FOR UPDATE").await?;
                let sql = "SELECT EXISTS (SELECT 1 FROM hostssl.log WHERE number = $1 AND chain = $2)";
                let given = [(&number as Given<'_>, Type::INT8), (&chain, Type::TEXT)];
                let is_kept = client.query_typed_one(sql, &given).await?.try_get::<_, bool>(0)?;
                client.batch_execute("ROLLBACK").await?;
                Ok(is_kept)
            });
            match found.await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(SharedError::Unreachable(why.to_owned())),
                Err(_) if since_boot().saturating_sub(began) > RESOLVE => {
                    return Err(SharedError::Uncertain(why.to_owned()));
                }
                Err(_) => {
                    self.roll_back().await;
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        }
    }
}

/// Why none of several servers was one to keep anything in. A standby beside one that cannot be reached may take over soon: that is not
/// the time to give up.
fn why_none(mut servers: Vec<(String, SharedError)>) -> SharedError {
    if servers.len() < 2 {
        let none = || SharedError::Unreachable("no server is named".to_owned());
        return servers.pop().map_or_else(none, |(_, error)| error);
    }
    let words = servers.iter().map(|(name, error)| format!("{name}: {error}")).collect::<Vec<_>>().join("; ");
    let is = |wanted: fn(&SharedError) -> bool| servers.iter().any(|(_, error)| wanted(error));
    if is(|error| matches!(error, SharedError::Unreachable(_))) {
        SharedError::Unreachable(words)
    } else if is(|error| matches!(error, SharedError::Standby(_))) {
        SharedError::Standby(words)
    } else {
        servers.pop().map_or(SharedError::Unreachable(words), |(_, error)| error)
    }
}

fn head_of(row: &Row) -> Result<LogHead, Unanswered> {
    Ok(LogHead { store: row.try_get(0)?, version: row.try_get(1)?, last: row.try_get(2)?, chain: row.try_get(3)? })
}

async fn bounded<T>(limit: Duration, work: impl Future<Output = Result<T, Unanswered>>) -> Result<T, Unanswered> {
    // Where there is a limit of its own, the server gives up first, and says so.
    let limit = limit + Duration::from_secs(10);
    timeout(limit, work).await.unwrap_or_else(|_| Err(Unanswered::Gone(format!("no answer in {} s", limit.as_secs()))))
}
