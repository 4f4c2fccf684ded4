//! `--output FORMAT[=FILE]`: a format, and where it goes.

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, ValueEnum};
use std::ffi::OsStr;
use std::marker::PhantomData;
use std::path::PathBuf;

/// A format, and the file that it goes to; without one, it goes to standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormatTo<F> {
    pub(crate) format: F,
    pub(crate) file: Option<PathBuf>,
}

/// Reads `FORMAT` and `FORMAT=FILE`; `-` stands for standard output, as without a file.
#[derive(Debug, Clone)]
pub(crate) struct FormatToParser<F>(PhantomData<F>);

impl<F> FormatToParser<F> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<F: ValueEnum + Clone + Send + Sync + 'static> TypedValueParser for FormatToParser<F> {
    type Value = FormatTo<F>;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Self::Value, clap::Error> {
        let Some((format, file)) = value.to_str().and_then(|text| text.split_once('=')) else {
            let format = EnumValueParser::<F>::new().parse_ref(command, arg, value)?;
            return Ok(FormatTo { format, file: None });
        };
        let format = EnumValueParser::<F>::new().parse_ref(command, arg, OsStr::new(format))?;
        if file.is_empty() {
            let mut error = clap::Error::new(ErrorKind::ValueValidation).with_cmd(command);
            if let Some(arg) = arg {
                error.insert(ContextKind::InvalidArg, ContextValue::String(arg.to_string()));
            }
            error.insert(ContextKind::InvalidValue, ContextValue::String(value.to_string_lossy().into_owned()));
            return Err(error);
        }
        Ok(FormatTo { format, file: (file != "-").then(|| PathBuf::from(file)) })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(F::value_variants().iter().filter_map(ValueEnum::to_possible_value)))
    }
}
