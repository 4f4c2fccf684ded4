//! Which standards a CSV by standard has.

use super::Suggested;
use crate::error::CliError;
use clap::Args;
use hostssl_formats::safe;
use hostssl_model::{Hint, matches_pattern, nearest};

#[derive(Debug, Args)]
pub(crate) struct StandardArgs {
    /// With standards-csv, write this standard alone (repeatable): its name, in any case of the letters, or a pattern such as 'NIST*'.
    #[arg(long, value_name = "NAME", value_parser = Suggested(names), help_heading = "Output options")]
    standard: Vec<String>,
}

impl StandardArgs {
    /// The standards that were chosen; none for all. `is_written` says whether a CSV by standard is.
    pub(crate) fn chosen(&self, is_written: bool) -> Result<Vec<&'static str>, CliError> {
        if !self.standard.is_empty() && !is_written {
            return Err(CliError::usage("--standard is for standards-csv", "add -o standards-csv, or leave it out"));
        }
        let all = hostssl_audit::standards();
        for wanted in &self.standard {
            if !all.iter().any(|name| matches_pattern(wanted, name)) {
                let what = format!("no control answers a standard called {}", safe(wanted));
                let hint = match nearest(wanted, all.iter().copied()) {
                    Some(near) => Hint::with("did you mean {}?", &[&near]),
                    None => Hint::with("name one of these: {}", &[&all.join(", ")]),
                };
                return Err(CliError::usage(what, hint));
            }
        }
        let is_chosen = |name: &&str| self.standard.iter().any(|wanted| matches_pattern(wanted, name));
        Ok(all.into_iter().filter(is_chosen).collect())
    }
}

fn names() -> Vec<String> {
    hostssl_audit::standards().into_iter().map(ToOwned::to_owned).collect()
}
