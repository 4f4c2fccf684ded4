//! The signals of the operating system that the program answers.

use tokio::sync::watch;

/// A signal that asks for an end, for all who wait for it: those too who begin to wait after it has come.
#[derive(Debug, Clone)]
pub(crate) struct EndSignal(watch::Receiver<bool>);

impl EndSignal {
    /// Listens from now on, in the runtime that this is called in.
    pub(crate) fn listen() -> Self {
        let (tell, told) = watch::channel(false);
        let mut signals = Signals::of_an_end();
        tokio::spawn(async move {
            signals.next().await;
            tell.send_replace(true);
        });
        Self(told)
    }

    /// Done when it has come.
    pub(crate) async fn given(&self) {
        if self.0.clone().wait_for(|is_given| *is_given).await.is_err() {
            // The runtime ends, and this with it.
            std::future::pending::<()>().await;
        }
    }
}

/// Signals of one purpose. They are caught from the moment this exists: none that comes before someone waits for it is lost,
/// or ends the process.
pub(crate) struct Signals(Caught);

#[cfg(unix)]
type Caught = Vec<tokio::signal::unix::Signal>;
/// Whether Ctrl-C is one of them.
#[cfg(not(unix))]
type Caught = bool;

#[cfg(unix)]
impl Signals {
    /// Those that ask for an end. A closed terminal and a lost connection (SIGHUP) and a quit are among them: they are no
    /// reason to leave writes unsettled.
    pub(crate) fn of_an_end() -> Self {
        use tokio::signal::unix::SignalKind as Kind;
        Self::catch(&[Kind::interrupt(), Kind::terminate(), Kind::hangup(), Kind::quit()])
    }

    /// SIGUSR1, where there is one.
    pub(crate) fn of_the_user() -> Self {
        Self::catch(&[tokio::signal::unix::SignalKind::user_defined1()])
    }

    fn catch(kinds: &[tokio::signal::unix::SignalKind]) -> Self {
        Self(kinds.iter().filter_map(|kind| tokio::signal::unix::signal(*kind).ok()).collect())
    }

    /// Done when one of them has come; never where none can be caught.
    pub(crate) async fn next(&mut self) {
        use std::task::Poll;
        std::future::poll_fn(|context| {
            let has_come = self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if has_come { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn of_an_end() -> Self {
        Self(true)
    }

    pub(crate) fn of_the_user() -> Self {
        Self(false)
    }

    pub(crate) async fn next(&mut self) {
        if self.0 {
            drop(tokio::signal::ctrl_c().await);
        } else {
            std::future::pending().await
        }
    }
}
