//! Talk on stderr.

/// Writes a line to stderr. A message that cannot be written, because the reader is gone or the disk is full, must not stop
/// the work.
macro_rules! say {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        let line = format!($($argument)*);
        let _ = writeln!(anstream::stderr().lock(), "{}", hostssl_model::untrusted::visible_lines(&line));
    }};
}
