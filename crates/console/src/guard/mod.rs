//! Who may ask what. Every request goes through these layers, outermost first, so that no page can forget one:
//!
//! 1. [`host`]: the request names this console (DNS rebinding), and a change comes from one of its own pages;
//! 2. [`session`]: somebody has signed in;
//! 3. [`form`]: a change carries the token of its session, and is small;
//! 4. [`role`]: the person may do this;
//! 5. [`changes`]: servers are changed only where that is allowed.
//!
//! [`headers`] goes around all of them and tells the browser what the pages may do: next to nothing. So does [`log`], which
//! writes down who did what and what was refused.

mod changes;
mod fields;
mod form;
mod headers;
mod host;
mod log;
mod role;
pub(crate) mod session;
mod sign_in;
mod upload;

pub(crate) use changes::changes;
pub(crate) use fields::Fields;
pub(crate) use form::check_form;
pub(crate) use headers::set_headers;
pub(crate) use host::check_host;
pub(crate) use log::log_access;
pub(crate) use role::require_role;
pub use session::is_name;
pub(crate) use session::{Session, SessionUser, session_cookie};
pub(crate) use sign_in::require_session;
pub(crate) use upload::Upload;

use std::net::SocketAddr;

/// Who is connected. Set by the listener, never by the client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);
