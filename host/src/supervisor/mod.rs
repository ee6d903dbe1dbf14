//! `forward`: the process that owns the gateway and keeps every discovered agent connected to it.
//!
//! One supervisor a latchkey directory. It binds the gateway's socket and hands it to a child, follows mngr's discovery of
//! agents, and keeps a reverse tunnel to the host of each. What fails is started again; nothing but a signal ends it.

pub mod agent_setup;
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

pub use self::detached::{ForwardSupervisor, SupervisorError};
pub use self::forward::{ForwardError, ForwardSettings, run as forward};
pub use self::gateway::{GatewaySettings, GatewayStartError, GatewayState, GatewayStatus};
pub use self::ownership::OwnershipError;
pub use self::status::Status;
