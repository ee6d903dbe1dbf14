//! `mngr:gateway/client`: lets a quiet stream, and a request to another server, end when the client has left.

use tokio_util::sync::CancellationToken;
use wasmtime::component::{Accessor, HasSelf};

use crate::extensions::state::{InstanceState, RequestId};
use crate::extensions::v0_1::client;

impl client::Host for InstanceState {
    fn send_next_for(&mut self, request_id: String) -> wasmtime::Result<()> {
        let client = self.client_of(&request_id);
        self.egress.send_next_for(client);
        Ok(())
    }
}

impl client::HostWithStore<InstanceState> for HasSelf<InstanceState> {
    async fn gone(
        accessor: &Accessor<InstanceState, Self>,
        request_id: String,
    ) -> wasmtime::Result<()> {
        let waiting = accessor.with(|mut access| {
            let state = access.get();
            Some((state.client_of(&request_id)?, state.draining.clone()))
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

impl InstanceState {
    /// Cancelled when the client of the request in progress has left.
    fn client_of(&self, request_id: &str) -> Option<CancellationToken> {
        let id = RequestId::from_str_radix(request_id, 16).ok()?;
        Some(self.requests.get(&id)?.gone.clone())
    }
}
