//! Reads the file.

use super::keys::{ConfigKey, KEYS, KeyForm};
use super::{FILE, VARIABLE};
use crate::error::CliError;
use crate::shared_store::objection;
use hostssl_model::{FileMistake, Hint, line_and_column, nearest};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 64 << 10;

/// A file that was read.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) path: PathBuf,
    /// In the order of their names.
    pub(crate) settings: Vec<Setting>,
}

/// One key of a file.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) key: &'static ConfigKey,
    /// As they would stand on the command line.
    pub(crate) values: Vec<String>,
    /// The line, from 1.
    pub(crate) line: u32,
}

impl Config {
    /// The file that is named, or the one in the working directory; `None` without either. An empty name stands for none.
    pub(crate) fn find(named: Option<&Path>) -> Result<Option<Self>, CliError> {
        let path = named.unwrap_or(Path::new(FILE));
        // Only what certainly is not there is left out: values that are meant to hold must not be lost in silence.
        let is_absent = || path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        if path.as_os_str().is_empty() || (named.is_none() && is_absent()) {
            return Ok(None);
        }
        let config = Self::read(path, named.is_some())?;
        config.map(Some).map_err(|mistakes| {
            let first = mistakes.first().map(|mistake| mistake_line(path, mistake)).unwrap_or_default();
            let more = mistakes.len().saturating_sub(1);
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            CliError::usage(format!("{first}{more}"), "correct the file; `hostssl config check` lists all mistakes")
        })
    }

    /// Reads a file; what is wrong in it is said by its lines.
    pub(crate) fn read(path: &Path, is_named: bool) -> Result<Result<Self, Vec<FileMistake>>, CliError> {
        let text = text(path).map_err(|error| {
            CliError::usage(
                format!("the configuration file {} cannot be read: {error}", path.display()),
                Hint::with("name a readable file with --config or {}, or leave it out", &[&VARIABLE]),
            )
        })?;
        if !is_named && is_of_others(path) {
            let what =
                format!("the configuration file {} belongs to another user, or others can write it", path.display());
            let hint = Hint::with("if it is meant to be used, name it: `--config {}`", &[&path.display()]);
            return Err(CliError::usage(what, hint));
        }
        Ok(settings(&text, is_named).map(|settings| Self { path: path.to_owned(), settings }))
    }
}

/// A mistake in one line.
pub(crate) fn mistake_line(path: &Path, mistake: &FileMistake) -> String {
    format!("{}:{}:{}: {}", path.display(), mistake.line, mistake.column, mistake.what)
}

fn text(path: &Path) -> io::Result<String> {
    // Nothing endless, and nothing that waits.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 64 KiB"));
    }
    FileMistake::text_of(bytes).map_err(|mistake| io::Error::other(mistake.to_string()))
}

/// Whether someone else decides what is in the file.
#[cfg(unix)]
fn is_of_others(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(metadata) = std::fs::metadata(path) else { return true };
    let owner = metadata.uid();
    metadata.mode() & 0o002 != 0 || (owner != 0 && owner != rustix::process::geteuid().as_raw())
}

#[cfg(not(unix))]
fn is_of_others(_: &Path) -> bool {
    false
}

/// The settings of a text, or everything that is wrong with it.
pub(super) fn settings(text: &str, is_named: bool) -> Result<Vec<Setting>, Vec<FileMistake>> {
    let at = |byte: usize, what: String| FileMistake::at(text, byte, what);
    let table = DeTable::parse(text)
        .map_err(|error| vec![FileMistake::of_toml(text, error.span().unwrap_or_default(), error.message())])?;
    let (mut settings, mut mistakes) = (Vec::new(), Vec::new());
    for (name, value) in table.get_ref() {
        let place = name.span().start;
        match setting(name.get_ref(), value, is_named) {
            Ok((key, values)) => settings.push(Setting { key, values, line: line_and_column(text, place).0 }),
            Err(wrong) => mistakes.extend(wrong.into_iter().map(|(byte, what)| at(byte.unwrap_or(place), what))),
        }
    }
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
}

/// Mistakes, each at its byte, or at that of the key.
type Wrong = Vec<(Option<usize>, String)>;

fn setting(
    name: &str,
    value: &Spanned<DeValue<'_>>,
    is_named: bool,
) -> Result<(&'static ConfigKey, Vec<String>), Wrong> {
    let Some(key) = KEYS.iter().find(|key| key.name == name) else {
        let near = nearest(name, KEYS.iter().map(|key| key.name));
        let near = near.map_or(String::new(), |near| format!("; is it `{near}`?"));
        return Err(vec![(None, format!("there is no key `{name}`{near}"))]);
    };
    if key.needs_name && !is_named {
        let what = format!("`{name}` is taken only from a file that --config or {VARIABLE} names");
        return Err(vec![(None, what)]);
    }
    let read = read(key.form, value).ok_or_else(|| {
        let what = format!("`{name}` is not {}", key.form.words());
        vec![(Some(value.span().start), what)]
    })?;
    // What it is goes into no message: it may have a password in it.
    if key.name == "store"
        && let Some(objection) = read.iter().find_map(|(_, text)| objection(text))
    {
        return Err(vec![(Some(value.span().start), format!("`store` {objection}"))]);
    }
    let wrong: Wrong = read
        .iter()
        .filter_map(|(byte, text)| Some((Some(*byte), format!("`{name}`: {}", key.objection(text)?))))
        .collect();
    if wrong.is_empty() { Ok((key, read.into_iter().map(|(_, text)| text).collect())) } else { Err(wrong) }
}

/// The texts of a value of this form, each with its place.
fn read(form: KeyForm, value: &Spanned<DeValue<'_>>) -> Option<Vec<(usize, String)>> {
    let one = |text: String| Some(vec![(value.span().start, text)]);
    match (form, value.get_ref()) {
        (KeyForm::Text | KeyForm::Texts, DeValue::String(text)) => one(text.to_string()),
        (KeyForm::Number, DeValue::Integer(number)) => one(number.to_string()),
        (KeyForm::Texts, DeValue::Array(items)) if !items.is_empty() => {
            let texts: Option<Vec<_>> = items.iter().map(|item| read(KeyForm::Text, item)).collect();
            texts.map(|texts| texts.into_iter().flatten().collect())
        }
        _ => None,
    }
}
