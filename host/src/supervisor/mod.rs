//! `forward`: the process that owns the gateway and keeps every discovered agent connected to it.
//!
//! One supervisor a latchkey directory. It binds the gateway's socket and hands it to a child, follows mngr's discovery of
//! agents, and keeps a reverse tunnel to the host of each. What fails is started again; nothing but a signal ends it.
//!
//! A program that embeds it has two ways (contract section 6). It lets a supervisor run on its own:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use mngr_latchkey::store::paths::LatchkeyDirectory;
//! use mngr_latchkey::supervisor::ForwardSupervisor;
//!
//! let directory = LatchkeyDirectory::new("/home/me/.mngr/latchkey".as_ref())?;
//! let record = ForwardSupervisor::new(directory, "/usr/local/bin/mngr-latchkey")
//!     .environment("LATCHKEY_EXTENSION_MINDS_API_URL", "http://127.0.0.1:8000")
//!     .restart()
//!     .await?;
//! println!("the gateway is at port {:?}", record.gateway_port);
//! # Ok(())
//! # }
//! ```
//!
//! Or it follows agents and keeps their tunnels itself, to a gateway of its own:
//!
//! ```no_run
//! # async fn example(gateway: std::net::SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use mngr_latchkey::supervisor::discovery::{Discovery, ObserveSettings};
//! use mngr_latchkey::supervisor::handlers::{DestructionHandler, DiscoveryHandler};
//! use mngr_latchkey::supervisor::tunnels::{RememberedSessions, TunnelManager};
//!
//! let tunnels = TunnelManager::new(
//!     tokio::runtime::Handle::current(),
//!     "/home/me/.mngr/latchkey/mngr_latchkey".into(),
//!     Arc::new(RememberedSessions::default()),
//! );
//! let handlers = (
//!     DiscoveryHandler::new(tunnels.clone(), 1989, gateway),
//!     DestructionHandler::new(tunnels.clone()),
//! );
//! let settings = ObserveSettings {
//!     mngr_binary: "mngr".into(),
//!     home: "/home/me".into(),
//! };
//! let discovery = Discovery::start(settings, handlers)?;
//! for host in tunnels.status() {
//!     println!("{} {}", host.host, host.progress.state);
//! }
//! # drop(discovery);
//! # Ok(())
//! # }
//! ```

pub mod agent_setup;
mod backoff;
mod detached;
pub mod discovery;
mod forward;
mod gateway;
pub mod handlers;
mod memory;
mod ownership;
pub mod ssh_info;
mod status;
pub mod tunnels;

pub use self::detached::{DETACHED, ForwardSupervisor, SupervisorError};
pub use self::forward::{Forward, ForwardError, ForwardSettings};
pub use self::gateway::{GatewaySettings, GatewayStartError, GatewayState, GatewayStatus};
pub use self::ownership::{Ownership, OwnershipError};
pub use self::status::{HEARTBEAT, Status};
