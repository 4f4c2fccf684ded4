//! Who may ask what. Every request goes through these layers, outermost first, so that no page can forget one:
//!
//! 1. [`host`]: the request names this console (DNS rebinding), and a change comes from one of its own pages;
//! 2. [`session`]: someone has signed in;
//! 3. [`form`]: a change carries the token of its session, and is small;
//! 4. [`user_role`]: the person may do this;
//! 5. [`changes_allowed`]: servers are changed only where that is allowed.
//!
//! [`browser_headers`] goes around all of them and tells the browser what the pages may do: next to nothing. So does [`access_log`], which
//! writes down who did what and what was refused.

mod access_log;
mod admission;
mod browser_headers;
mod changes_allowed;
mod fields;
mod form;
mod host;
mod listed_people;
pub(crate) mod session;
mod session_error;
pub(crate) mod session_store;
mod upload;
mod user_role;

pub(crate) use access_log::log_access;
pub(crate) use admission::require_session;
pub(crate) use browser_headers::set_headers;
pub(crate) use changes_allowed::changes;
pub(crate) use fields::Fields;
pub(crate) use form::check_form;
pub(crate) use host::check_host;
pub(crate) use listed_people::ListedPeople;
pub use session::is_name;
pub(crate) use session::{Session, SessionUser, session_cookie};
pub(crate) use session_error::SessionStoreError;
pub(crate) use upload::Upload;
pub(crate) use user_role::require_role;

use std::net::SocketAddr;

/// Who is connected. Set by the listener, never by the client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);
