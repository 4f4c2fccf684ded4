//! Clients of other languages, which `scripts/install-wire-clients` installs: one program each, which connects once.

use std::path::PathBuf;

/// Connects with a connection string of libpq.
pub const PSYCOPG: &str = "import sys, psycopg; psycopg.connect(sys.argv[1]).execute('select 1')";

/// Connects to a port under an application name, with an sslmode.
pub const ASYNCPG: &str = "\
import sys, asyncio, asyncpg
async def main(port, name, ssl):
    settings = {'application_name': name}
    connection = await asyncpg.connect(host='127.0.0.1', port=port, user='postgres', database='postgres',
        password='secret', ssl=ssl, server_settings=settings)
    await connection.execute('select 1')
    await connection.close()
asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))";

/// Connects to a port under an application name, with `tls` or without. Its first argument is the folder of [`drivers`].
pub const NODE: &str = "\
const { Client } = require(process.argv[1] + '/node/node_modules/pg');
const [port, application_name, ssl] = process.argv.slice(2);
const client = new Client({ host: '127.0.0.1', port: Number(port), user: 'postgres', database: 'postgres',
    password: 'secret', application_name, ssl: ssl === 'tls' ? { rejectUnauthorized: false } : false });
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
