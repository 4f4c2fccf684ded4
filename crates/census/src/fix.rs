//! What has to change at a client so that it uses TLS: a guess of its driver, and the change that this driver needs.
//!
//! The guess rests on the application name, which drivers and tools set to something of their own. It is a guess: a
//! client may call itself anything.

use crate::{Backend, Client, SessionTls};
use serde::{Deserialize, Serialize};

macro_rules! drivers {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $title:literal, [$($mark:literal),*], $require:literal, $verify:literal;)*) => {
        /// What a client connects with.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Driver {
            $($(#[$doc])* $name,)*
        }

        impl Driver {
            /// Every driver, those whose marks are the most particular first.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word in the formats.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Its display name.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What application names of it contain, in lower case.
            fn marks(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($mark),*],)* }
            }

            /// The change.
            #[must_use]
            pub fn change(self) -> ClientChange {
                match self { $(Self::$name => ClientChange { require: $require, verify_full: $verify },)* }
            }
        }
    };
}

/// What to change. The first is what enforcement needs, the second also protects from an attacker in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientChange {
    /// TLS without verification of the certificate.
    pub require: &'static str,
    /// TLS with the certificate and the name checked.
    pub verify_full: &'static str,
}

drivers! {
    /// Change data capture by Debezium.
    Debezium = "debezium", "Debezium", ["debezium"],
        "in the connector's configuration: database.sslmode=require",
        "database.sslmode=verify-full and database.sslrootcert=/path/azure-ca.pem";
    /// Another PostgreSQL server that reads foreign tables.
    PostgresFdw = "postgres-fdw", "postgres_fdw", ["postgres_fdw"],
        "ALTER SERVER name OPTIONS (ADD sslmode 'require'); SET in place of ADD where the server has that option already",
        "ALTER SERVER name OPTIONS (ADD sslmode 'verify-full', ADD sslrootcert '/path/azure-ca.pem'); SET in place of ADD where the server has that option already";
    /// A pooler that the user runs.
    PgBouncer = "pgbouncer", "PgBouncer", ["pgbouncer"],
        "in pgbouncer.ini: server_tls_sslmode = require (before 1.24 the default is disable); then RELOAD and RECONNECT",
        "server_tls_sslmode = verify-full and server_tls_ca_file = /path/azure-ca.pem";
    /// Airflow.
    Airflow = "airflow", "Apache Airflow", ["airflow"],
        "in the connection's extra field {\"sslmode\": \"require\"}; for the metadata database ?sslmode=require in \
         AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "sslmode=verify-full with sslrootcert=/path/azure-ca.pem in the same places";
    /// Metabase.
    Metabase = "metabase", "Metabase", ["metabase"],
        "in the database's settings: Use a secure connection (SSL), mode require",
        "SSL mode verify-full, with the root certificate uploaded or its path given";
    /// Grafana.
    Grafana = "grafana", "Grafana", ["grafana"],
        "in the data source: TLS/SSL Mode require (sslmode: require in provisioning)",
        "TLS/SSL Mode verify-full with the CA certificate";
    /// pgAdmin.
    PgAdmin = "pgadmin", "pgAdmin", ["pgadmin"],
        "in the server's Parameters tab: SSL mode require",
        "SSL mode verify-full, Root certificate /path/azure-ca.pem";
    /// DBeaver.
    DBeaver = "dbeaver", "DBeaver", ["dbeaver"],
        "in the connection's SSL tab: Use SSL, SSL mode require",
        "SSL mode verify-full with the CA certificate";
    /// Spring Boot, by JDBC.
    Spring = "spring", "Spring Boot", ["spring", "hikari"],
        "spring.datasource.url=jdbc:postgresql://HOST/DB?sslmode=require",
        "spring.datasource.url=jdbc:postgresql://HOST/DB?sslmode=verify-full&sslrootcert=/path/azure-ca.pem";
    /// The JDBC driver, pgJDBC.
    Jdbc = "jdbc", "JDBC (pgJDBC)", ["postgresql jdbc driver", "jdbc"],
        "jdbc:postgresql://HOST/DB?sslmode=require",
        "jdbc:postgresql://HOST/DB?sslmode=verify-full&sslrootcert=/path/azure-ca.pem";
    /// Django.
    Django = "django", "Django", ["django"],
        "in settings.py: DATABASES['default']['OPTIONS'] = {'sslmode': 'require'}",
        "'OPTIONS': {'sslmode': 'verify-full', 'sslrootcert': '/path/azure-ca.pem'}";
    /// SQLAlchemy.
    SqlAlchemy = "sqlalchemy", "SQLAlchemy", ["sqlalchemy"],
        "postgresql+psycopg://HOST/DB?sslmode=require; with asyncpg connect_args={'ssl': 'require'}",
        "?sslmode=verify-full&sslrootcert=/path/azure-ca.pem; with asyncpg an ssl.SSLContext in connect_args";
    /// asyncpg.
    Asyncpg = "asyncpg", "asyncpg", ["asyncpg"],
        "asyncpg.connect(..., ssl='require')",
        "asyncpg.connect(..., ssl=ssl.create_default_context(cafile='/path/azure-ca.pem'))";
    /// psycopg 2 and 3.
    Psycopg = "psycopg", "psycopg", ["psycopg"],
        "psycopg.connect('... sslmode=require')",
        "psycopg.connect('... sslmode=verify-full sslrootcert=/path/azure-ca.pem')";
    /// Rails.
    Rails = "rails", "Ruby on Rails", ["rails", "puma", "sidekiq"],
        "in config/database.yml: sslmode: require",
        "sslmode: verify-full and sslrootcert: /path/azure-ca.pem";
    /// Npgsql.
    Npgsql = "npgsql", "Npgsql", ["npgsql", ".net", "entityframework"],
        "SSL Mode=Require in the connection string (Npgsql 6 and 7 also need Trust Server Certificate=true)",
        "SSL Mode=VerifyFull;Root Certificate=/path/azure-ca.pem";
    /// Prisma.
    Prisma = "prisma", "Prisma", ["prisma"],
        "postgresql://HOST/DB?sslmode=require&sslaccept=accept_invalid_certs",
        "postgresql://HOST/DB?sslmode=require&sslaccept=strict&sslcert=/path/azure-ca.pem";
    /// node-postgres.
    NodePostgres = "node-postgres", "node-postgres", ["node-postgres", "nodejs", "node.js", "sequelize", "typeorm", "knex"],
        "new Client({ ..., ssl: { rejectUnauthorized: false } }); sslmode=require in a URL verifies the certificate too",
        "new Client({ ..., ssl: { ca: fs.readFileSync('/path/azure-ca.pem') } })";
    /// Go, pgx.
    Pgx = "pgx", "Go pgx", ["pgx"],
        "postgres://HOST/DB?sslmode=require (the default prefer falls back to plaintext)",
        "postgres://HOST/DB?sslmode=verify-full&sslrootcert=/path/azure-ca.pem";
    /// Go, lib/pq.
    LibPq = "lib-pq", "Go lib/pq", ["lib/pq", "golang"],
        "remove sslmode=disable: the default is require",
        "sslmode=verify-full sslrootcert=/path/azure-ca.pem";
    /// Rust, SQLx.
    Sqlx = "sqlx", "Rust SQLx", ["sqlx"],
        "build with a tls- feature and use postgres://HOST/DB?sslmode=require",
        "postgres://HOST/DB?sslmode=verify-full&sslrootcert=/path/azure-ca.pem";
    /// PHP.
    PhpPdo = "php-pdo", "PHP PDO", ["php", "laravel"],
        "new PDO('pgsql:host=HOST;dbname=DB;sslmode=require')",
        "new PDO('pgsql:host=HOST;dbname=DB;sslmode=verify-full;sslrootcert=/path/azure-ca.pem')";
    /// Programs with libpq.
    Libpq = "libpq", "libpq (psql, pg_dump and others)",
        ["psql", "pg_dump", "pg_restore", "pgbench", "pg_basebackup", "pg_receivewal", "pg_recvlogical", "pgloader", "libpq"],
        "sslmode=require in the connection string, or PGSSLMODE=require (the default prefer falls back to plaintext)",
        "sslmode=verify-full sslrootcert=/path/azure-ca.pem";
    /// A replica or a subscriber.
    Replication = "replication", "streaming or logical replication", ["walreceiver"],
        "sslmode=require in primary_conninfo, or ALTER SUBSCRIPTION name CONNECTION '... sslmode=require'",
        "sslmode=verify-full sslrootcert=/path/azure-ca.pem in the same place";
    /// No mark of any.
    Unknown = "unknown", "a driver that the application name does not identify", [],
        "set the driver's TLS mode to require: sslmode=require in most connection strings",
        "sslmode=verify-full with the root certificates of the server's cloud";
}

/// What has to change at one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fix {
    /// The guess.
    pub driver: Driver,
    /// The change.
    pub change: ClientChange,
}

impl Fix {
    /// The change for a client; `None` if it needs none, or if that is unknown.
    #[must_use]
    pub fn of(client: &Client) -> Option<Self> {
        if client.tls != SessionTls::Plaintext {
            return None;
        }
        let name = client.application.as_deref().unwrap_or_default().to_ascii_lowercase();
        let by_name = Driver::ALL.iter().find(|driver| driver.marks().iter().any(|mark| name.contains(mark)));
        let driver = match (by_name, client.backend) {
            // Whatever name its own client passes on.
            (_, Backend::Pooler) => Driver::PgBouncer,
            (Some(driver), _) => *driver,
            (None, Backend::Replication) => Driver::Replication,
            (None, Backend::Client) => Driver::Unknown,
        };
        Some(Self { driver, change: driver.change() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(application: Option<&str>, backend: Backend, tls: SessionTls) -> Client {
        Client {
            user: None,
            database: None,
            application: application.map(Into::into),
            address: None,
            backend,
            tls,
            protocol: None,
            cipher: None,
            first_seen: None,
            last_seen: None,
            sightings: 1,
            is_estimate: false,
            lowest_protocol: None,
            sources: Vec::new(),
            doubt: None,
        }
    }

    #[test]
    fn drivers_are_guessed_by_the_names_they_give_themselves() {
        let guess = |name| Fix::of(&client(name, Backend::Client, SessionTls::Plaintext)).unwrap().driver;
        assert_eq!(guess(Some("psql")), Driver::Libpq);
        assert_eq!(guess(Some("PostgreSQL JDBC Driver")), Driver::Jdbc);
        assert_eq!(guess(Some("pgAdmin 4 - DB:shop")), Driver::PgAdmin);
        assert_eq!(guess(Some("Metabase v0.50.3 [6f8a]")), Driver::Metabase);
        assert_eq!(guess(Some("Debezium Streaming")), Driver::Debezium);
        assert_eq!(guess(Some("billing")), Driver::Unknown);
        assert_eq!(guess(None), Driver::Unknown);
        let replica = client(Some("replica1"), Backend::Replication, SessionTls::Plaintext);
        assert_eq!(Fix::of(&replica).unwrap().driver, Driver::Replication);
        let leg = client(Some("psql"), Backend::Pooler, SessionTls::Plaintext);
        assert_eq!(Fix::of(&leg).unwrap().driver, Driver::PgBouncer);
        for tls in [SessionTls::Tls, SessionTls::Local, SessionTls::Unknown] {
            assert_eq!(Fix::of(&client(Some("psql"), Backend::Client, tls)), None);
        }
    }

    #[test]
    fn every_driver_has_a_mark_of_its_own_and_two_changes() {
        for driver in Driver::ALL {
            for mark in driver.marks() {
                let found = Fix::of(&client(Some(mark), Backend::Client, SessionTls::Plaintext)).unwrap().driver;
                assert_eq!(found, *driver, "{mark}");
            }
            let ClientChange { require, verify_full } = driver.change();
            assert!(!require.is_empty() && require != verify_full);
        }
    }
}
