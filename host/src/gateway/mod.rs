//! The HTTP server that agents and people talk to.
//!
//! A request's way: `server` (accepting) → `connection` (limits) → `guard` (unambiguous framing) → `authentication` (password, override
//! token) → `target` and `headers` (one normalised request) → the permission check (`denials`: what it does not allow) →
//! `dispatch` (extensions) and back. Every decision of contract section 4 is taken here, in its order; everything that a request may *do* is in the extensions.

mod authentication;
mod connection;
pub mod control;
pub mod denials;
mod departure;
mod dispatch;
mod framing;
mod guard;
pub(crate) mod headers;
mod http2;
mod listener;
mod reply;
mod run;
mod server;
mod socket;
mod supervised;
mod target;

use std::net::TcpListener;
use std::path::PathBuf;

use secrecy::SecretString;

pub use self::listener::BindError;
pub use self::run::{Lifetime, RunError, raise_open_files_limit, run};
pub use self::server::{Gateway, GatewayError};
pub use self::supervised::{Parent, READY, inherited_socket};
use crate::extensions::{CompilerProgram, UpstreamLimits};
use crate::store::keys::SigningKey;

/// What a gateway is told at its start.
#[derive(Debug)]
pub struct Settings {
    pub listen: Listen,
    /// What `X-Latchkey-Gateway-Password` must be; without one every caller is let in.
    pub password: Option<SecretString>,
    /// Verifies override tokens.
    pub signing_key: SigningKey,
    /// The root of all state.
    pub latchkey_directory: PathBuf,
    /// What compiles extensions, apart from the gateway's process.
    pub compiler: Option<CompilerProgram>,
    /// The permissions file of a request without an override token.
    pub default_permissions: PathBuf,
    /// Whether a request passes when that file is missing.
    pub allow_missing_permissions: bool,
    /// Where extensions may edit permissions files by name.
    pub permissions_root: Option<PathBuf>,
    /// How long the Minds API may take.
    pub minds_api_limits: UpstreamLimits,
    /// Whether rules may name the scopes and permissions of the catalog without defining them.
    pub builtin_schemas: bool,
}

/// Where a gateway listens.
#[derive(Debug)]
pub enum Listen {
    /// Every address of a host name, or one address, and a port (0: any free one).
    On { host: String, port: u16 },
    /// A socket that is bound already, and does not block.
    Socket(TcpListener),
}
