//! `mngr:gateway/client`: lets a quiet stream notice that its client has left.

use wasmtime::component::{Accessor, HasSelf};

use crate::extensions::state::{InstanceState, RequestId};
use crate::extensions::v0_1::client;

impl client::Host for InstanceState {}

impl client::HostWithStore<InstanceState> for HasSelf<InstanceState> {
    async fn gone(
        accessor: &Accessor<InstanceState, Self>,
        request_id: String,
    ) -> wasmtime::Result<()> {
        let waiting = accessor.with(|mut access| {
            let state = access.get();
            let id = RequestId::from_str_radix(&request_id, 16).ok()?;
            Some((
                state.requests.get(&id)?.gone.clone(),
                state.draining.clone(),
            ))
        });
        if let Some((gone, draining)) = waiting {
            tokio::select! {
                () = gone.cancelled() => {}
                () = draining.cancelled() => {}
            }
        }
        Ok(())
    }
}
