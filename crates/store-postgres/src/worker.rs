//! A thread with a connection of its own. Callers wait for it as they wait for a disk, whatever runtime they run in.

use crate::lease::{LeaseTerm, RENEWED_EVERY};
use crate::requests::StoreRequest;
use crate::store_connection::StoreConnection;
use hostssl_sessions::Login;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};

#[derive(Debug)]
pub(crate) struct Worker {
    commands: Option<UnboundedSender<StoreRequest>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread. Without a thread every request is answered with an error.
    pub(crate) fn start(logins: Arc<[Login]>) -> Self {
        let (commands, queue) = unbounded_channel();
        let thread = std::thread::Builder::new().name("hostssl-store".into()).spawn(move || {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                runtime.block_on(work(StoreConnection::new(logins), queue));
            }
        });
        Self { commands: Some(commands), thread: thread.ok() }
    }

    /// Asks for something. Where no one answers any more, the sender of the answer is dropped.
    pub(crate) fn send(&self, command: StoreRequest) {
        if let Some(commands) = &self.commands {
            let _ = commands.send(command);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // What was asked before is done first: a lease is given back.
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn work(mut connection: StoreConnection, mut queue: UnboundedReceiver<StoreRequest>) {
    let mut held: Vec<Arc<LeaseTerm>> = Vec::new();
    let mut renewal = Instant::now();
    loop {
        let command = tokio::select! {
            biased;
            () = sleep_until(renewal), if !held.is_empty() => {
                for lease in &held {
                    connection.renew(lease).await;
                }
                renewal = Instant::now() + RENEWED_EVERY;
                continue;
            }
            command = queue.recv() => command,
        };
        let Some(command) = command else { return };
        // Who does not wait for the answer any more was stopped.
        match command {
            StoreRequest::Head { version, reply } => drop(reply.send(connection.head(version).await)),
            StoreRequest::Peek { reply } => drop(reply.send(connection.peek().await)),
            StoreRequest::Holder { name, reply } => drop(reply.send(connection.holder(&name).await)),
            StoreRequest::Upgrade { from, to, reply } => drop(reply.send(connection.upgrade(from, to).await)),
            StoreRequest::EntriesAfter { number, turn, reply } => {
                drop(reply.send(connection.entries_after(number, turn).await));
            }
            StoreRequest::BeginTurn { patience, reply } => drop(reply.send(connection.begin_turn(patience).await)),
            StoreRequest::Append { turn, entry, lease, reply } => {
                drop(reply.send(connection.append(turn, &entry, lease).await));
            }
            StoreRequest::Keep { turn, reply } => drop(reply.send(connection.keep(turn).await)),
            StoreRequest::EndTurn { turn } => connection.end_turn(turn).await,
            StoreRequest::TakeLease { name, holder, directory, reply } => {
                let taken = connection.take_lease(&name, &holder, directory.as_deref()).await;
                if let Ok(lease) = &taken {
                    if held.is_empty() {
                        renewal = Instant::now() + RENEWED_EVERY;
                    }
                    held.push(lease.clone());
                }
                drop(reply.send(taken));
            }
            StoreRequest::RenewLease { term, reply } => {
                connection.renew(&term).await;
                drop(reply.send(Ok(())));
            }
            StoreRequest::DropLease { term, reply } => {
                held.retain(|lease| !Arc::ptr_eq(lease, &term));
                connection.give_back(&term).await;
                drop(reply.send(Ok(())));
            }
        }
    }
}
