//! The place for audit runs, observations and findings.
//!
//! Nothing is kept here yet. They get tables of their own by a migration of their own, beside those of remediation
//! runs, and a reader of their own; they need neither the exclusive lock nor a commit an observation.
