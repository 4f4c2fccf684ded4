//! Messages on stderr.

use crate::stdout::stderr_width;
use hostssl_formats::{Palette, Wrapping};
use hostssl_model::Outcome;
use hostssl_model::untrusted::visible_lines;
use std::io::Write as _;

/// Writes lines to stderr, no wider than the terminal if it is one.
pub(crate) fn write_stderr(line: &str) {
    let line = visible_lines(line);
    let mut out = anstream::stderr().lock();
    let _ = match stderr_width() {
        None => writeln!(out, "{line}"),
        Some(width) => {
            let mut wrapping = Wrapping::new(out, width);
            writeln!(wrapping, "{line}").and_then(|()| wrapping.finish())
        }
    };
}

/// Writes a line to stderr in the colour of what went wrong.
pub(crate) fn write_alarm(line: &str, palette: Palette) {
    let line = palette.outcome(Outcome::Fail, &visible_lines(line));
    // The palette has decided already; standard error would decide for itself.
    let mut out = std::io::stderr().lock();
    let _ = match stderr_width() {
        None => writeln!(out, "{line}"),
        Some(width) => {
            let mut wrapping = Wrapping::new(out, width);
            writeln!(wrapping, "{line}").and_then(|()| wrapping.finish())
        }
    };
}

/// Writes a line to stderr. A message that cannot be written, because the reader is gone or the disk is full, must not stop
/// the work.
macro_rules! stderr {
    ($($argument:tt)*) => {{
        crate::stderr::write_stderr(&format!($($argument)*));
    }};
}
