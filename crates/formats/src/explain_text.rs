//! Explained messages as text.

use crate::Palette;
use hostssl_explain::Explanation;
use std::io::{self, Write};

/// Writes explanations: what each is, why it is this, what to do next. None holds a word of the text that it explains, so
/// there is nothing to make safe.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, explanations: &[Explanation], palette: Palette) -> io::Result<()> {
    for explanation in explanations {
        let note = if explanation.red_herring { ", a red herring here" } else { "" };
        let cause = palette.bold(explanation.cause.as_str());
        writeln!(out, "{cause} (confidence: {}{note})", explanation.confidence.as_str())?;
        writeln!(out, "  What: {}", explanation.meaning)?;
        writeln!(out, "  Why:  {}", explanation.why)?;
        writeln!(out, "  Next: {}", explanation.advice)?;
    }
    Ok(())
}
