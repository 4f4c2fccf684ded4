//! Questions on the terminal. A stop ends them: while one is open, nothing is in progress that would have to be settled.

use crate::error::CliError;
use crate::stdout;
use hostssl_model::Hint;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How often an open question looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// Whether someone is asked.
static IS_OPEN: AtomicBool = AtomicBool::new(false);
/// Whether the command is to end.
static IS_STOPPED: AtomicBool = AtomicBool::new(false);

/// Ends the question that is open and all that would follow. Returns whether one was open.
pub(crate) fn stop() -> bool {
    IS_STOPPED.store(true, Ordering::SeqCst);
    IS_OPEN.load(Ordering::SeqCst)
}

/// Whether there is a terminal to ask on.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && stdout::stderr_is_terminal()
}

/// Fails where no one can be asked, with `instead` as what to do.
pub(crate) fn refuse_without_terminal(instead: impl Into<Hint>) -> Result<(), CliError> {
    match can_ask() {
        true => Ok(()),
        false => Err(CliError::usage("there is no terminal to ask for approval on", instead)),
    }
}

/// Asks on the terminal. Nothing but the whole word counts.
///
/// # Errors
///
/// When there is no terminal to ask on, with `instead` as what to do.
pub(crate) fn ask(question: &str, instead: impl Into<Hint>) -> Result<bool, CliError> {
    refuse_without_terminal(instead)?;
    Ok(prompt(&format!("{question} Type yes to continue:"))?.trim().eq_ignore_ascii_case("yes"))
}

/// Asks for a line on the terminal, of which there must be one.
///
/// # Errors
///
/// When the terminal cannot be read, and when the command is stopped before the answer.
pub(crate) fn prompt(question: &str) -> Result<String, CliError> {
    // Whatever was typed before the question was read is not an answer to it.
    #[cfg(unix)]
    let _ = rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush);
    let mut stderr = anstream::stderr();
    let _ = write!(stderr, "{question} ").and_then(|()| stderr.flush());
    IS_OPEN.store(true, Ordering::SeqCst);
    let answer = answer();
    IS_OPEN.store(false, Ordering::SeqCst);
    match answer {
        // An answer that came with the stop is not one.
        _ if IS_STOPPED.load(Ordering::SeqCst) => {
            let _ = writeln!(stderr);
            Err(CliError::stopped_at_a_question())
        }
        Some(answer) => answer
            .map_err(|error| CliError::failed(&error, "the terminal could not be read; run it again on another one")),
        None => Err(CliError::stopped_at_a_question()),
    }
}

/// The next line of the terminal; nothing when the command is stopped before it. It is read by a thread of its own, which
/// nothing waits for: no one can end its read.
fn answer() -> Option<io::Result<String>> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut answer = String::new();
        // Ignore the error: no one waits for it any more.
        let _ = tell.send(io::stdin().read_line(&mut answer).map(|_| answer));
    });
    while !IS_STOPPED.load(Ordering::SeqCst) {
        match told.recv_timeout(LOOK) {
            Ok(answer) => return Some(answer),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    None
}
