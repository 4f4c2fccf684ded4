//! Renderings of hostssl's data: text to read, JSON and CSV for programs.
//!
//! Each format is one module that consumes the same values and writes to whatever it is given; nothing here prints.

pub mod apply_json;
pub mod audit_csv;
pub mod audit_html;
pub mod audit_json;
pub mod audit_junit;
pub mod audit_markdown;
pub mod audit_ocsf;
pub mod audit_sarif;
pub mod audit_text;
pub mod clients;
pub mod clients_csv;
pub mod clients_json;
pub mod clients_sheet;
pub mod clients_text;
mod columns;
pub mod controls_json;
mod csv_cell;
pub mod diff_json;
pub mod diff_text;
pub mod evidence_json;
pub mod evidence_text;
pub mod explain_json;
pub mod gate_text;
mod headline;
pub mod iac_json;
pub mod iac_sarif;
pub mod iac_snippet;
pub mod iac_text;
mod iac_words;
mod json_text;
pub mod lint_json;
pub mod markdown;
mod markdown_text;
mod names;
pub mod output;
pub mod plan_text;
pub mod policy;
pub mod probe_json;
pub mod probe_text;
mod query;
pub mod run_refused;
pub mod run_sessions;
pub mod run_text;
pub mod runs_json;
mod sarif;
#[cfg(feature = "schema")]
mod schema;
pub mod server_document;
mod style;
pub mod table;
pub mod trend;
pub mod waiver_text;
mod wrap;

pub use columns::{Column, write_columns};
pub use hostssl_model::untrusted::visible as safe;
pub use json_text::{write_json, write_json_line};
pub use names::SubscriptionNames;
pub use query::{InvalidQuery, Query};
pub use style::{Palette, Text};
pub use table::{Cell, Entry, Heading, Section, Shape, Shown, write_list};
pub use wrap::Wrapping;
