//! The tables of parameters, one for each kind of server.
//!
//! Descriptions are in our own words; names, types and allowed values are the service's.

use super::{LOG_DAYS, LOG_DOWNLOAD, MAX_TLS, MIN_TLS, Parameter, REQUIRE_SECURE_TRANSPORT, SSL};

const BASE: Parameter = Parameter {
    name: "",
    description: "",
    default: "",
    data_type: "String",
    allowed: ".*",
    dynamic: true,
    read_only: false,
    unit: "",
    page: "client",
};

const fn boolean(name: &'static str, description: &'static str, default: &'static str) -> Parameter {
    Parameter { name, description, default, data_type: "Boolean", allowed: "on,off", ..BASE }
}

const fn integer(
    name: &'static str,
    description: &'static str,
    default: &'static str,
    allowed: &'static str,
    unit: &'static str,
) -> Parameter {
    Parameter { name, description, default, data_type: "Integer", allowed, unit, ..BASE }
}

const fn one_of(
    name: &'static str,
    description: &'static str,
    default: &'static str,
    allowed: &'static str,
) -> Parameter {
    Parameter { name, description, default, data_type: "Enumeration", allowed, ..BASE }
}

const fn about(page: &'static str, parameter: Parameter) -> Parameter {
    Parameter { page, ..parameter }
}

const fn fixed(parameter: Parameter) -> Parameter {
    Parameter { read_only: true, ..parameter }
}

const fn at_start(parameter: Parameter) -> Parameter {
    Parameter { dynamic: false, ..parameter }
}

/// A flexible server's parameters, ordered by name. Defaults and allowed values of the TLS ones are those that
/// production gave for PostgreSQL 17 in April 2026.
pub(crate) static FLEXIBLE: &[Parameter] = &[
    boolean("array_nulls", "Reads an unquoted NULL in an array as a null value.", "on"),
    about("autovacuum", boolean("autovacuum", "Runs the autovacuum launcher.", "on")),
    about(
        "autovacuum",
        integer("autovacuum_naptime", "Waits this long between two autovacuum runs.", "60", "1-2147483", "s"),
    ),
    integer(
        "deadlock_timeout",
        "Waits this long for a lock before looking for a deadlock.",
        "1000",
        "1-2147483647",
        "ms",
    ),
    about(
        "resource",
        integer("effective_cache_size", "Tells the planner how much cache to expect.", "393216", "1-2147483647", "8kB"),
    ),
    integer(
        "idle_in_transaction_session_timeout",
        "Ends sessions that idle this long in a transaction.",
        "0",
        "0-2147483647",
        "ms",
    ),
    integer("lock_timeout", "Gives up on a lock after this long; 0 waits indefinitely.", "0", "0-2147483647", "ms"),
    about("logging", boolean("log_connections", "Writes each new connection to the log.", "on")),
    about("logging", boolean("log_disconnections", "Writes the end of each session to the log.", "on")),
    about(
        "logging",
        Parameter {
            name: "log_line_prefix",
            description: "Starts each line of the log with this.",
            default: "%t-%c-",
            allowed: "[^']*",
            ..BASE
        },
    ),
    about(
        "logging",
        integer(
            "log_min_duration_statement",
            "Logs statements that take at least this long.",
            "-1",
            "-1-2147483647",
            "ms",
        ),
    ),
    about("logging", one_of("log_statement", "Chooses which statements are logged.", "none", "none,ddl,mod,all")),
    Parameter { page: "", ..boolean(LOG_DOWNLOAD, "Makes log files available for download.", "off") },
    Parameter { page: "", ..integer(LOG_DAYS, "Keeps log files for so long.", "3", "1-7", "days") },
    about(
        "resource",
        integer("maintenance_work_mem", "Memory for one maintenance operation.", "99328", "1024-2097151", "kB"),
    ),
    about("connection", at_start(integer("max_connections", "The most clients at one time.", "429", "25-5000", ""))),
    about(
        "connection",
        one_of(
            "password_encryption",
            "The form in which new passwords are kept.",
            "scram-sha-256",
            "md5,scram-sha-256",
        ),
    ),
    Parameter {
        name: "pgbouncer.enabled",
        description: "Runs the built-in connection pooler.",
        default: "false",
        data_type: "Boolean",
        allowed: "true,false",
        page: "",
        ..BASE
    },
    Parameter { page: "", ..boolean(REQUIRE_SECURE_TRANSPORT, "Refuses clients that do not connect over TLS.", "on") },
    about(
        "resource",
        at_start(integer("shared_buffers", "Memory for shared buffers.", "131072", "16-1073741823", "8kB")),
    ),
    at_start(Parameter {
        name: "shared_preload_libraries",
        description: "Libraries to load when the server starts.",
        default: "pg_stat_statements",
        data_type: "Set",
        allowed: ",auto_explain,pg_cron,pg_stat_statements,pgaudit,pglogical,timescaledb",
        ..BASE
    }),
    about("connection", fixed(boolean(SSL, "Offers TLS to clients.", "off"))),
    about(
        "connection",
        fixed(Parameter {
            name: "ssl_ciphers",
            description: "Cipher suites for TLS 1.2 and older.",
            default: "HIGH:MEDIUM:+3DES:!aNULL",
            ..BASE
        }),
    ),
    about(
        "connection",
        fixed(Parameter { name: "ssl_ecdh_curve", description: "The curve for ECDHE.", default: "prime256v1", ..BASE }),
    ),
    about(
        "preset",
        fixed(Parameter { name: "ssl_library", description: "The library behind TLS.", default: "OpenSSL", ..BASE }),
    ),
    about(
        "connection",
        one_of(MAX_TLS, "The newest TLS version to offer; empty sets no limit.", "", ",TLSv1.2,TLSv1.3"),
    ),
    about("connection", one_of(MIN_TLS, "The oldest TLS version to accept.", "TLSv1.2", "TLSv1.2,TLSv1.3")),
    about("connection", fixed(boolean("ssl_prefer_server_ciphers", "Lets the server choose the cipher suite.", "on"))),
    integer("statement_timeout", "Ends statements that run this long; 0 sets no limit.", "0", "0-2147483647", "ms"),
    about(
        "connection",
        integer("tcp_keepalives_idle", "Idles this long before a TCP keepalive is sent.", "120", "0-2147483647", "s"),
    ),
    about("resource", integer("work_mem", "Memory for one sort or hash before it spills.", "4096", "64-2097151", "kB")),
];

/// A single server's parameters. Enforcement is not among them: it is a property of the server.
pub(crate) static SINGLE: &[Parameter] = &[
    boolean("array_nulls", "Reads an unquoted NULL in an array as a null value.", "on"),
    boolean("connection_throttling", "Slows down addresses that fail to sign in too often.", "on"),
    boolean("log_checkpoints", "Writes each checkpoint to the log.", "on"),
    boolean("log_connections", "Writes each new connection to the log.", "on"),
    boolean("log_disconnections", "Writes the end of each session to the log.", "off"),
    one_of("log_statement", "Chooses which statements are logged.", "none", "none,ddl,mod,all"),
    integer("statement_timeout", "Ends statements that run this long; 0 sets no limit.", "0", "0-2147483647", "ms"),
];

/// The members of a single server's properties that can be set here as if they were parameters.
pub(crate) static SINGLE_PROPERTIES: &[Parameter] = &[
    one_of("sslEnforcement", "Refuses clients that do not connect over TLS.", "Enabled", "Enabled,Disabled"),
    one_of(
        "minimalTlsVersion",
        "The oldest TLS version to accept.",
        "TLSEnforcementDisabled",
        "TLS1_0,TLS1_1,TLS1_2,TLSEnforcementDisabled",
    ),
    one_of("publicNetworkAccess", "Whether the public endpoint answers.", "Enabled", "Enabled,Disabled"),
];

/// A server group's parameters for each of its two roles.
pub(crate) static COSMOS: &[Parameter] = &[
    boolean("coordinator:array_nulls", "Reads an unquoted NULL in an array as a null value.", "on"),
    one_of("coordinator:ssl_min_protocol_version", "The oldest TLS version to accept.", "TLSv1.2", "TLSv1.2,TLSv1.3"),
    boolean("node:array_nulls", "Reads an unquoted NULL in an array as a null value.", "on"),
    one_of("node:ssl_min_protocol_version", "The oldest TLS version to accept.", "TLSv1.2", "TLSv1.2,TLSv1.3"),
];

/// A HorizonDB parameter group's parameters.
pub(crate) static HORIZON: &[Parameter] = &[
    one_of(
        "log_min_error_statement",
        "Logs statements that cause an error of at least this level.",
        "error",
        "debug,info,notice,warning,error,log,fatal,panic",
    ),
    at_start(integer("max_connections", "The most clients at one time.", "200", "100,200,500,1000", "connections")),
    boolean(REQUIRE_SECURE_TRANSPORT, "Refuses clients that do not connect over TLS.", "on"),
    one_of(MAX_TLS, "The newest TLS version to offer; empty sets no limit.", "", ",TLSv1.2,TLSv1.3"),
    one_of(MIN_TLS, "The oldest TLS version to accept.", "TLSv1.2", "TLSv1.2,TLSv1.3"),
];
