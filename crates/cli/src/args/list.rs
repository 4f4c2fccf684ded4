//! Options of lists: which rows, in what order, which columns.

use crate::error::CliError;
use clap::Args;
use clap::builder::PossibleValuesParser;
use hostssl_formats::{
    Heading, Shape, audit_text, clients_text, diff_text, iac_text, plan_text, probe_text, probers_text, run_text,
    server_history_text, trend, waiver_text, zones_text,
};
use hostssl_model::{Hint, WaiverState};
use std::fmt::Debug;
use std::marker::PhantomData;

/// A list that a command writes as a table.
pub(crate) trait NamedList: Clone + Debug + Default + Send + Sync + 'static {
    /// Its columns.
    fn columns() -> Vec<&'static str>;

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
    #[command(flatten)]
    order: OrderArgs<T>,
}

/// The order and the columns of a list.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Table options")]
pub(crate) struct OrderArgs<T: NamedList> {
    /// Sort the table by this column.
    #[arg(long, value_name = "COLUMN", value_parser = PossibleValuesParser::new(T::columns()))]
    sort: Option<String>,
    /// Reverse the order of the table.
    #[arg(long)]
    reverse: bool,
    /// Show these columns, in this order (separated by commas).
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', value_parser = PossibleValuesParser::new(T::columns()), hide_possible_values = true)]
    columns: Vec<String>,
    #[arg(skip)]
    of: PhantomData<T>,
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
        if self.is_filtered() && !is_table {
            return Err(no_table("--only"));
        }
        Ok(Shape { only: self.only.clone(), ..self.order.shape(is_table, wide)? })
    }

    /// The same, where it shows only when the command runs which of several lists is written.
    ///
    /// # Errors
    ///
    /// Also when that list has no such column, or no rows of such a word.
    pub(crate) fn shape_as<L: NamedList>(&self, what: &str, is_table: bool, wide: bool) -> Result<Shape, CliError> {
        let shape = self.shape(is_table, wide)?;
        let (columns, words) = (L::columns(), L::words());
        if let Some(other) = shape.sort.iter().chain(&shape.columns).find(|name| !columns.contains(&name.as_str())) {
            let what = format!("{what} has no column {other}");
            return Err(CliError::usage(what, Hint::with("its columns are {}", &[&columns.join(", ")])));
        }
        if let Some(other) = shape.only.iter().find(|word| !words.contains(&word.as_str())) {
            let what = format!("{what} has no rows that are {other}");
            return Err(CliError::usage(what, Hint::with("its rows are {}", &[&words.join(", ")])));
        }
        Ok(shape)
    }
}

impl<T: NamedList> OrderArgs<T> {
    /// The shape of the table.
    ///
    /// # Errors
    ///
    /// When no table is written: the options would do nothing.
    pub(crate) fn shape(&self, is_table: bool, wide: bool) -> Result<Shape, CliError> {
        let options =
            [(self.sort.is_some(), "--sort"), (self.reverse, "--reverse"), (!self.columns.is_empty(), "--columns")];
        let given = options.into_iter().find(|(given, _)| *given);
        if let Some((_, option)) = given.filter(|_| !is_table) {
            return Err(no_table(option));
        }
        Ok(Shape {
            only: Vec::new(),
            sort: self.sort.clone(),
            reverse: self.reverse,
            columns: self.columns.clone(),
            wide,
        })
    }
}

fn no_table(option: &str) -> CliError {
    CliError::usage(
        format!("{option} applies only to table output"),
        "add -o table or -o wide, or use --query, which filters and sorts the other formats",
    )
}

fn names(headings: &[Heading]) -> Vec<&'static str> {
    headings.iter().map(|heading| heading.name).collect()
}

/// Declares lists: a marker type, its columns, and the words of its rows.
macro_rules! lists {
    ($($(#[$about:meta])* $name:ident: $columns:expr, $words:expr;)+) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Default)]
        pub(crate) struct $name;

        impl NamedList for $name {
            fn columns() -> Vec<&'static str> {
                names($columns)
            }

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
    /// What changed between two audits.
    DiffList: diff_text::COLUMNS, diff_text::words();
    /// Audits over time.
    TrendList: trend::COLUMNS, vec![trend::COMPLETE, trend::INCOMPLETE];
    /// The waivers of a file.
    WaiverList: waiver_text::COLUMNS, WaiverState::ALL.into_iter().map(WaiverState::as_str).collect();
    /// The rules of zones.
    ZoneList: zones_text::COLUMNS, Vec::new();
    /// The probers in zones.
    ProberList: probers_text::COLUMNS, vec!["active", "suspended", "revoked"];
    /// What was done to a server.
    HistoryList: server_history_text::COLUMNS, server_history_text::words();
    /// The clients of a server; which of them are shown, `clients --only` says for every format.
    ClientList: clients_text::CLIENT_COLUMNS, Vec::new();
}

/// What `runs show` writes: the servers of an audit, the endpoints of a probe or the steps of an apply.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeptRunList;

impl NamedList for KeptRunList {
    fn columns() -> Vec<&'static str> {
        each_once([AuditList::columns(), ProbeList::columns(), RunList::columns()])
    }

    fn words() -> Vec<&'static str> {
        each_once([AuditList::words(), ProbeList::words(), RunList::words()])
    }
}

fn each_once(lists: [Vec<&'static str>; 3]) -> Vec<&'static str> {
    let mut all = Vec::new();
    for name in lists.into_iter().flatten() {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}
