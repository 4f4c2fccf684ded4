//! Clients of other languages, which `scripts/install-wire-clients` installs: one program each, which connects once, as the
//! user of PGUSER or as the superuser.

use crate::postgres::{done, new_folder, skipped};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Connects with a connection string of libpq.
pub const PSYCOPG: &str = "import sys, psycopg; psycopg.connect(sys.argv[1]).execute('select 1')";

/// Connects to a port under an application name, with an sslmode.
pub const ASYNCPG: &str = "\
import os, sys, asyncio, asyncpg
async def main(port, name, ssl):
    settings = {'application_name': name}
    connection = await asyncpg.connect(host='127.0.0.1', port=port, user=os.environ.get('PGUSER', 'postgres'),
        database='postgres', password='secret', ssl=ssl, server_settings=settings)
    await connection.execute('select 1')
    await connection.close()
asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))";

/// Connects to a port under an application name, with `tls` or without. Its first argument is the folder of [`drivers`].
pub const NODE: &str = "\
const { Client } = require(process.argv[1] + '/node/node_modules/pg');
const [port, application_name, ssl] = process.argv.slice(2);
const client = new Client({ host: '127.0.0.1', port: Number(port), user: process.env.PGUSER || 'postgres',
    database: 'postgres', password: 'secret', application_name, ssl: ssl === 'tls' ? { rejectUnauthorized: false } : false });
client.connect().then(() => client.query('select 1')).then(() => client.end());";

/// Where `scripts/install-wire-clients` puts drivers; `None`, after a line that says so, if it did not run. In CI it must.
pub fn drivers() -> Option<PathBuf> {
    let folder = std::env::var_os("HOSTSSL_WIRE_CLIENTS").unwrap_or_else(|| "/opt/hostssl-wire-clients".into());
    let folder = PathBuf::from(folder);
    if folder.join("venv/bin/python").exists() && folder.join("node/node_modules/pg").exists() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "drivers are not installed: scripts/install-wire-clients");
    let line = b"skipped: drivers are not installed (scripts/install-wire-clients)\n";
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line);
    None
}

/// Connects to a port under an application name, with an sslmode. pgJDBC sets the name once it is connected, unless
/// `assumeMinServerVersion` says otherwise: the server's log has none for it.
const JDBC: &str = "\
import java.sql.Connection;
import java.sql.DriverManager;
import java.util.Properties;
public class Connect {
    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        settings.put(\"user\", System.getenv().getOrDefault(\"PGUSER\", \"postgres\"));
        settings.put(\"password\", \"secret\");
        settings.put(\"ApplicationName\", arguments[1]);
        settings.put(\"sslmode\", arguments[2]);
        String url = \"jdbc:postgresql://127.0.0.1:\" + arguments[0] + \"/postgres\";
        try (Connection connection = DriverManager.getConnection(url, settings)) {
            connection.createStatement().execute(\"select 1\");
        }
    }
}";

/// The program with pgJDBC, compiled. Its folder ends with it.
#[derive(Debug)]
pub struct JdbcProgram {
    folder: PathBuf,
    driver: PathBuf,
}

impl JdbcProgram {
    /// Compiles it; `None`, after a line that says so, where there is no Java or no driver. In CI there must be.
    pub fn compile(drivers: &Path) -> Option<Self> {
        let driver = drivers.join("jdbc/postgresql.jar");
        if !driver.exists() || Command::new("javac").arg("--version").output().is_err() {
            skipped("JDBC");
            return None;
        }
        let folder = new_folder("jdbc");
        std::fs::write(folder.join("Connect.java"), JDBC).unwrap();
        done(Command::new("javac").arg("-d").arg(&folder).arg(folder.join("Connect.java")));
        Some(Self { folder, driver })
    }

    /// Connects once. Most of its time would go into a compiler and a collector that it has no use for.
    pub fn command(&self, port: &str, name: &str, mode: &str) -> Command {
        let mut command = Command::new("java");
        let path = format!("{}:{}", self.folder.display(), self.driver.display());
        command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx64m", "-cp", &path, "Connect"]);
        command.args([port, name, mode]);
        command
    }
}

impl Drop for JdbcProgram {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
