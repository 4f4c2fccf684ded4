//! Options of lists: which rows, in what order, which columns.

use crate::error::CliError;
use clap::Args;
use clap::builder::PossibleValuesParser;
use hostssl_formats::{Heading, Shape, audit_text, iac_text, plan_text, probe_text, run_text};
use std::fmt::Debug;
use std::marker::PhantomData;

/// A list that a command writes as a table.
pub(crate) trait NamedList: Clone + Debug + Default + Send + Sync + 'static {
    /// Its columns.
    const COLUMNS: &'static [Heading];

    /// The words that `--only` chooses rows by.
    fn words() -> Vec<&'static str>;
}

/// What to show of a list.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Table options")]
pub(crate) struct ListArgs<T: NamedList> {
    /// Show only rows with this word in the table (repeatable, or separated by commas).
    #[arg(long, value_name = "WORD,…", value_delimiter = ',', value_parser = PossibleValuesParser::new(T::words()))]
    only: Vec<String>,
    /// Sort the table by this column.
    #[arg(long, value_name = "COLUMN", value_parser = PossibleValuesParser::new(names::<T>()))]
    sort: Option<String>,
    /// Reverse the order of the table.
    #[arg(long)]
    reverse: bool,
    /// Show these columns, in this order (separated by commas).
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', value_parser = PossibleValuesParser::new(names::<T>()), hide_possible_values = true)]
    columns: Vec<String>,
    #[arg(skip)]
    of: PhantomData<T>,
}

fn names<T: NamedList>() -> Vec<&'static str> {
    T::COLUMNS.iter().map(|heading| heading.name).collect()
}

impl<T: NamedList> ListArgs<T> {
    /// Whether rows are chosen by their words.
    pub(crate) fn is_filtered(&self) -> bool {
        !self.only.is_empty()
    }

    /// Whether rows with this word are shown.
    pub(crate) fn shows(&self, word: &str) -> bool {
        !self.is_filtered() || self.only.iter().any(|only| only == word)
    }

    /// The shape of the table.
    ///
    /// # Errors
    ///
    /// When no table is written: the options would do nothing.
    pub(crate) fn shape(&self, is_table: bool, wide: bool) -> Result<Shape, CliError> {
        let options = [
            (!self.only.is_empty(), "--only"),
            (self.sort.is_some(), "--sort"),
            (self.reverse, "--reverse"),
            (!self.columns.is_empty(), "--columns"),
        ];
        let given = options.into_iter().find(|(given, _)| *given);
        if let Some((_, option)) = given.filter(|_| !is_table) {
            return Err(CliError::usage(
                format!("{option} is for tables, and no table is written"),
                "add -o table or -o wide, or use --query, which filters and sorts the other formats",
            ));
        }
        Ok(Shape {
            only: self.only.clone(),
            sort: self.sort.clone(),
            reverse: self.reverse,
            columns: self.columns.clone(),
            wide,
        })
    }
}

/// Declares lists: a marker type, its columns, and the words of its rows.
macro_rules! lists {
    ($($(#[$about:meta])* $name:ident: $columns:expr, $words:expr;)+) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Default)]
        pub(crate) struct $name;

        impl NamedList for $name {
            const COLUMNS: &'static [Heading] = $columns;

            fn words() -> Vec<&'static str> {
                $words
            }
        }
    )+};
}

lists! {
    /// The servers of an audit.
    AuditList: audit_text::COLUMNS, audit_text::OUTCOMES.to_vec();
    /// The servers of a file.
    IacList: iac_text::COLUMNS, iac_text::OUTCOMES.to_vec();
    /// The steps of a plan, and what it leaves out.
    PlanList: plan_text::COLUMNS, plan_text::words();
    /// The steps of a run.
    RunList: run_text::COLUMNS, run_text::words();
    /// Probed endpoints.
    ProbeList: probe_text::COLUMNS, probe_text::words();
    /// What was run.
    RunsList: crate::commands::runs::COLUMNS, vec!["audit", "probe", "apply"];
    /// Controls.
    ControlList: crate::commands::controls::COLUMNS, vec!["high", "medium", "low"];
    /// Servers as the Azure CLI lists them.
    ServerList: crate::commands::server::COLUMNS, vec!["enabled", "disabled", "unknown"];
}
