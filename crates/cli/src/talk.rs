//! Talk on stderr.

/// Writes a line to stderr. What cannot be said, because nobody listens or the disk behind it is full, must not stop what is
/// being done.
macro_rules! say {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        let line = format!($($argument)*);
        let _ = writeln!(anstream::stderr().lock(), "{}", hostssl_model::untrusted::visible_lines(&line));
    }};
}
