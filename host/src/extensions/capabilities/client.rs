//! `mngr:gateway/client`: lets a quiet stream, or one who waits for somebody else, notice that the client has left.

use tokio_util::sync::CancellationToken;
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

    async fn left(
        accessor: &Accessor<InstanceState, Self>,
        request_id: String,
    ) -> wasmtime::Result<()> {
        let gone = accessor.with(|mut access| access.get().client_of(&request_id));
        if let Some(gone) = gone {
            gone.cancelled().await;
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
