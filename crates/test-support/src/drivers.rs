//! Clients of other languages, which `scripts/install-wire-clients` installs: one process each, which connects once for every
//! line that it reads, so that a client that connects all the time is not an interpreter that starts all the time.

use crate::postgres::{PASSWORD, RealServer, done, new_folder, skipped};
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireDriver {
    /// libpq itself: a process for each connection.
    Psql,
    Psycopg,
    Asyncpg,
    NodePostgres,
    /// pgJDBC sets its application name once it is connected, unless `assumeMinServerVersion` says otherwise: the `stderr` log
    /// of the server has none for it.
    Jdbc,
}

// Each reads lines of a mode, `require` or `disable`, a space, and an application name. It connects to the port of its argument,
// as the user and with the password of the environment, and answers with a line: `in`, or what went wrong.

const PSYCOPG: &str = "\
import sys, psycopg
for line in sys.stdin:
    mode, name = line.rstrip('\\n').split(' ', 1)
    try:
        with psycopg.connect(host='127.0.0.1', port=sys.argv[1], dbname='postgres', sslmode=mode,
                application_name=name) as connection:
            connection.execute('select 1')
        print('in', flush=True)
    except Exception as error:
        print(' '.join(str(error).split()), flush=True)";

const ASYNCPG: &str = "\
import sys, asyncio, asyncpg
async def once(mode, name):
    settings = {'application_name': name}
    connection = await asyncpg.connect(host='127.0.0.1', port=int(sys.argv[1]), database='postgres', ssl=mode,
        server_settings=settings)
    await connection.execute('select 1')
    await connection.close()
for line in sys.stdin:
    try:
        asyncio.run(once(*line.rstrip('\\n').split(' ', 1)))
        print('in', flush=True)
    except Exception as error:
        print(' '.join(str(error).split()), flush=True)";

/// Its second argument is the folder of [`drivers`].
const NODE: &str = "\
const { Client } = require(process.argv[2] + '/node/node_modules/pg');
const once = async (line) => {
    const mode = line.split(' ', 1)[0];
    const client = new Client({ host: '127.0.0.1', port: Number(process.argv[1]), database: 'postgres',
        application_name: line.slice(mode.length + 1), ssl: mode === 'require' ? { rejectUnauthorized: false } : false });
    await client.connect();
    await client.query('select 1');
    await client.end();
};
(async () => {
    for await (const line of require('readline').createInterface({ input: process.stdin })) {
        console.log(await once(line).then(() => 'in', (error) => String(error.message).replace(/\\s+/g, ' ')));
    }
})();";

const JDBC: &str = "\
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.sql.Connection;
import java.sql.DriverManager;
import java.util.Properties;
public class Connect {
    public static void main(String[] arguments) throws Exception {
        String url = \"jdbc:postgresql://127.0.0.1:\" + arguments[0] + \"/postgres\";
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(\" \", 2);
            Properties settings = new Properties();
            settings.put(\"user\", System.getenv(\"PGUSER\"));
            settings.put(\"password\", System.getenv(\"PGPASSWORD\"));
            settings.put(\"sslmode\", words[0]);
            settings.put(\"ApplicationName\", words[1]);
            try (Connection connection = DriverManager.getConnection(url, settings)) {
                connection.createStatement().execute(\"select 1\");
                System.out.println(\"in\");
            } catch (Exception error) {
                System.out.println(error.getMessage().replaceAll(\"\\\\s+\", \" \"));
            }
        }
    }
}";

/// Where the drivers are. What is compiled for them ends with it.
#[derive(Debug)]
pub struct WireDrivers {
    installed: PathBuf,
    compiled: PathBuf,
}

/// The drivers; `None`, after a line that says so, if `scripts/install-wire-clients` did not run. In CI it must.
pub fn drivers() -> Option<WireDrivers> {
    let folder = std::env::var_os("HOSTSSL_WIRE_CLIENTS").unwrap_or_else(|| "/opt/hostssl-wire-clients".into());
    let installed = PathBuf::from(folder);
    let parts = ["venv/bin/python", "node/node_modules/pg", "jdbc/postgresql.jar"];
    if !parts.iter().all(|part| installed.join(part).exists()) {
        skipped("a driver");
        return None;
    }
    let compiled = new_folder("jdbc");
    std::fs::write(compiled.join("Connect.java"), JDBC).unwrap();
    done(Command::new("javac").arg("-d").arg(&compiled).arg(compiled.join("Connect.java")));
    Some(WireDrivers { installed, compiled })
}

impl WireDrivers {
    /// A client of `server` that connects as `user`.
    pub fn start(&self, driver: WireDriver, server: &RealServer, user: &str) -> DriverClient {
        let port = server.port.to_string();
        let mut command = match driver {
            WireDriver::Psql => {
                let (program, string) = (server.program("psql"), server.string(&format!("user={user}")));
                return DriverClient(Connecting::EachTime { program, string });
            }
            WireDriver::Psycopg | WireDriver::Asyncpg => {
                let program = if driver == WireDriver::Psycopg { PSYCOPG } else { ASYNCPG };
                let mut command = Command::new(self.installed.join("venv/bin/python"));
                command.args(["-c", program, &port]);
                command
            }
            WireDriver::NodePostgres => {
                let mut command = Command::new("node");
                command.args(["-e", NODE, &port]).arg(&self.installed);
                command
            }
            WireDriver::Jdbc => {
                let jar = self.installed.join("jdbc/postgresql.jar");
                let path = format!("{}:{}", self.compiled.display(), jar.display());
                let mut command = Command::new("java");
                // One of many on the machine.
                command.args([
                    "-XX:TieredStopAtLevel=1",
                    "-XX:+UseSerialGC",
                    "-Xmx64m",
                    "-cp",
                    &path,
                    "Connect",
                    &port,
                ]);
                command
            }
        };
        command.env("PGUSER", user).env("PGPASSWORD", PASSWORD).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::inherit()).spawn().unwrap();
        let (asks, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        DriverClient(Connecting::Asked { child, asks, answers })
    }
}

impl Drop for WireDrivers {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.compiled);
    }
}

/// A client, which ends with its value.
#[derive(Debug)]
pub struct DriverClient(Connecting);

#[derive(Debug)]
enum Connecting {
    /// By a process of its own for each connection.
    EachTime { program: PathBuf, string: String },
    /// By a process that is asked to.
    Asked { child: Child, asks: ChildStdin, answers: BufReader<ChildStdout> },
}

impl DriverClient {
    /// Connects once under an application name, with TLS that checks no certificate or without, and runs a statement.
    ///
    /// # Errors
    ///
    /// What the driver says when it could not.
    pub fn connect(&mut self, application: &str, is_tls: bool) -> Result<(), String> {
        let mode = if is_tls { "require" } else { "disable" };
        match &mut self.0 {
            Connecting::EachTime { program, string } => {
                psql(program, &format!("{string} sslmode={mode} application_name='{application}'"))
            }
            Connecting::Asked { asks, answers, .. } => {
                writeln!(asks, "{mode} {application}").unwrap();
                let mut answer = String::new();
                answers.read_line(&mut answer).unwrap();
                match answer.trim_end() {
                    "in" => Ok(()),
                    "" => Err("the driver's process ended".to_owned()),
                    error => Err(error.to_owned()),
                }
            }
        }
    }
}

fn psql(program: &Path, string: &str) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(["-X", "-q", "-c", "select 1", "-d", string]).env("PGPASSWORD", PASSWORD);
    let output = command.output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

impl Drop for DriverClient {
    fn drop(&mut self) {
        if let Connecting::Asked { child, .. } = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
