//! Reads files: whichever format one has, in one pass and without keeping what is not asked for.

mod arm;
mod arm_doubt;
mod arm_resource;
mod arm_type;
mod attributes;
mod configuration;
mod expression;
mod file_bytes;
mod scalar;
mod terraform;
mod terraform_address;
mod uncommented;
mod whole_file;

use crate::IacFile;
use file_bytes::{Beginning, Limited};
use hostssl_model::{Advice, Fault, Hint};
use scalar::{Lenient, TOO_MANY};
use serde::Deserialize as _;
use std::io::{self, Read};
use uncommented::Uncommented;
use whole_file::IacDocument;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: u64 = 256 << 20;
/// The most resources of PostgreSQL that one list of a file may have.
pub const MAX_RESOURCES: usize = 100_000;

/// A file that cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum InvalidIac {
    /// The disk or the pipe failed.
    #[error("it cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// It is larger than [`MAX_BYTES`].
    #[error("it is larger than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
    /// It has more than [`MAX_RESOURCES`].
    #[error("it has a list with more than {MAX_RESOURCES} PostgreSQL resources")]
    TooMany,
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// It is JSON in another encoding.
    #[error("it is UTF-16 and not UTF-8, as redirections in Windows PowerShell write it")]
    Utf16,
    /// It is a plan as Terraform saves it.
    #[error("it is a saved plan and not its JSON")]
    SavedPlan,
    /// It is no JSON.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// A member has another type than the format gives it.
    #[error("line {line}, column {column}: a value of an unexpected type{expected}")]
    Unexpected {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What this format has there, as the rest of the sentence; empty where that is not one thing.
        expected: &'static str,
    },
    /// An object has a member twice.
    #[error("line {line}, column {column}: an object has `{member}` twice, and which one counts cannot be told")]
    Twice {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// The name of the member, which is one that hostssl reads.
        member: String,
    },
    /// Terraform wrote another version of its format.
    #[error("its format_version is {0}, and hostssl knows version 1")]
    Version(String),
    /// It is a state as Terraform keeps it.
    #[error("it is a state file and not the JSON of `terraform show -json`")]
    StateFile,
    /// It is the log of a run of Terraform.
    #[error("it is the log of a Terraform run and not the JSON of a plan")]
    Log,
    /// It has the values of a template's parameters.
    #[error("it is a file of parameters and not a template")]
    ParameterFile,
    /// It is JSON of something else.
    #[error("it is JSON, but no Terraform plan or state and no ARM template")]
    Other,
}

impl Advice for InvalidIac {
    fn advice(&self) -> Hint {
        match self {
            Self::Unreadable(_) => "name a file that you may read, or - for standard input",
            Self::TooLarge | Self::TooMany => {
                "split the configuration into several states, and check each of its plans"
            }
            Self::Utf16 => {
                "in PowerShell, write it with `terraform show -json FILE | Out-File -Encoding utf8 plan.json`"
            }
            Self::SavedPlan => "write its JSON first: `terraform show -json FILE > plan.json`",
            Self::StateFile => "write its JSON first: `terraform show -json > state.json`",
            Self::Version(_) => "use a newer hostssl, or a version of Terraform from 1.1 on",
            Self::Log => {
                "save the plan first: `terraform plan -out FILE`, then `terraform show -json FILE > plan.json`"
            }
            Self::ParameterFile => "name the template: parameters alone deploy nothing",
            Self::Twice { .. } => "remove one of the two, or write the file again",
            Self::Empty | Self::NotJson(_) | Self::Unexpected { .. } | Self::Other => {
                "write a plan with `terraform show -json FILE`, or a template with `bicep build FILE`"
            }
        }
        .into()
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

/// Reads a file. Its parts are read one after the other and dropped at once unless they are about PostgreSQL servers, so memory
/// does not grow with the file.
///
/// # Errors
///
/// [`InvalidIac`] when it is none of the formats, is too large, or cannot be read. No text of the file is in the error.
pub fn read(input: impl Read) -> Result<IacFile, InvalidIac> {
    let mut limited = Limited::new(input, MAX_BYTES);
    let beginning = Beginning::of(&mut limited).map_err(InvalidIac::Unreadable)?;
    beginning.refuse()?;
    let whole = Uncommented::new(beginning.without_mark().chain(&mut limited));
    let whole = io::BufReader::with_capacity(64 << 10, whole);
    let mut deserializer = serde_json::Deserializer::from_reader(whole);
    let parsed = Lenient::<IacDocument>::deserialize(&mut deserializer).and_then(|Lenient(document)| {
        // A log has one object after the other: what the first one is says more than where the second one begins.
        if document.is_log() { Ok(document) } else { deserializer.end().map(|()| document) }
    });
    match parsed {
        Ok(document) => document.into_file(),
        Err(_) if limited.is_exceeded() => Err(InvalidIac::TooLarge),
        Err(error) => Err(refusal(error)),
    }
}

/// An error of the parser without any text of the file, which may be a secret.
fn refusal(error: serde_json::Error) -> InvalidIac {
    use serde_json::error::Category;
    match error.classify() {
        Category::Io => InvalidIac::Unreadable(error.into()),
        // These name what was expected, and never what stands there.
        Category::Syntax | Category::Eof => InvalidIac::NotJson(error.to_string()),
        Category::Data if error.to_string().starts_with(TOO_MANY) => InvalidIac::TooMany,
        Category::Data => {
            let (line, column, text) = (error.line(), error.column(), error.to_string());
            if let Some(member) = twice(&text) {
                return InvalidIac::Twice { line, column, member };
            }
            let expected = text.rsplit_once(", expected ").and_then(|(_, rest)| {
                EXPECTED
                    .into_iter()
                    .find(|(one, _)| rest.strip_prefix(one).is_some_and(|rest| rest.starts_with(" at ")))
            });
            InvalidIac::Unexpected { line, column, expected: expected.map_or("", |(_, words)| words) }
        }
    }
}

/// What can be expected somewhere; whatever else an error says may be of the file.
const EXPECTED: [(&str, &str); 2] = [("a list", ", which is a list"), ("an object", ", which is an object")];

/// The member that is there twice, of those that are read: their names are not of the file.
fn twice(text: &str) -> Option<String> {
    let (name, _) = text.strip_prefix("duplicate field `")?.split_once('`')?;
    Some(name.to_owned())
}
