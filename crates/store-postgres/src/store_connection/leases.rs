//! Leases: taken, renewed and given back.

use super::{DURABLY, Given, StoreConnection};
use crate::lease::{LASTS, LeaseTerm, since_boot};
use hostssl_store::SharedError;
use std::sync::Arc;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// Who has, or had, a lease.
const HOLDER: &str = "SELECT holder || ', until ' || to_char(ends AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
                      || ' unless it is renewed' FROM hostssl.leases";

impl StoreConnection {
    pub(crate) async fn holder(&mut self, name: &str) -> Result<Option<String>, SharedError> {
        let held = self.ask_twice(async |client| {
            let sql = format!("{HOLDER} WHERE name = $1 AND ends > clock_timestamp()");
            let row = client.query_typed_opt(&sql, &[(&name as Given<'_>, Type::TEXT)]).await?;
            Ok(row.map(|row| row.try_get(0)).transpose()?)
        });
        held.await
    }

    pub(crate) async fn take_lease(
        &mut self,
        name: &str,
        holder: &str,
        directory: Option<&str>,
    ) -> Result<Arc<LeaseTerm>, SharedError> {
        let asked = since_boot();
        // Never one that was given before, even if the database has forgotten it.
        let (token, _) = Uuid::new_v4().as_u64_pair();
        let token = token.cast_signed();
        let taken = self.ask_twice(async |client| {
            let sql = "INSERT INTO hostssl.leases AS l (name, holder, directory, token, ends) \
                       VALUES ($1, $2, $3, $5, clock_timestamp() + $4 * interval '1 second') \
                       ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, directory = excluded.directory, \
                       token = excluded.token, ends = excluded.ends \
                       WHERE l.ends < clock_timestamp() OR l.directory = excluded.directory RETURNING token";
            let lasts = LASTS.as_secs_f64();
            let given = [
                (&name as Given<'_>, Type::TEXT),
                (&holder, Type::TEXT),
                (&directory, Type::TEXT),
                (&lasts, Type::FLOAT8),
                (&token, Type::INT8),
            ];
            client.batch_execute(DURABLY).await?;
            let row = client.query_typed_opt(sql, &given).await?;
            client.batch_execute("COMMIT").await?;
            if let Some(row) = row {
                return Ok(Ok(row.try_get::<_, i64>(0)?));
            }
            let sql = format!("{HOLDER} WHERE name = $1");
            let given = [(&name as Given<'_>, Type::TEXT)];
            Ok(Err(client.query_typed_one(&sql, &given).await?.try_get::<_, String>(0)?))
        });
        let taken = taken.await;
        if taken.is_err() {
            self.roll_back().await;
        }
        match taken? {
            Ok(token) => Ok(Arc::new(LeaseTerm::new(name, token, asked))),
            Err(holder) => Err(SharedError::Held(holder)),
        }
    }

    /// Renews a lease. One that ran out is renewed too while no other process has taken it.
    pub(crate) async fn renew(&mut self, lease: &LeaseTerm) {
        let (asked, name, token) = (since_boot(), lease.name(), lease.token());
        let renewed = self.ask_twice(async |client| {
            let sql = "UPDATE hostssl.leases SET ends = clock_timestamp() + $3 * interval '1 second' \
                       WHERE name = $1 AND token = $2";
            let lasts = LASTS.as_secs_f64();
            let given = [(&name as Given<'_>, Type::TEXT), (&token, Type::INT8), (&lasts, Type::FLOAT8)];
            Ok(client.execute_typed(sql, &given).await?)
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
        let (name, token) = (lease.name(), lease.token());
        let ended = self.ask(async |client| {
            let sql = "UPDATE hostssl.leases SET ends = clock_timestamp() WHERE name = $1 AND token = $2";
            Ok(client.execute_typed(sql, &[(&name, Type::TEXT), (&token, Type::INT8)]).await?)
        });
        // Where that fails it ends by itself.
        let _ = ended.await;
    }
}
