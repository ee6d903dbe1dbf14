//! `mngr:gateway/client`: lets a quiet stream, and a request to another server, end when the client has left, and says how
//! long the gateway will wait.
//!
//! Served in two versions; 0.2.0 has one function more.

use tokio::time::Instant;
use wasmtime::component::{Accessor, HasSelf};

use crate::extensions::state::{InProgress, InstanceState, request_id_of};
use crate::extensions::{v0_1, v0_2};

impl v0_1::client::Host for InstanceState {
    fn send_next_for(&mut self, request_id: String) -> wasmtime::Result<()> {
        self.send_next_for(&request_id);
        Ok(())
    }
}

impl v0_1::client::HostWithStore<InstanceState> for HasSelf<InstanceState> {
    async fn gone(
        accessor: &Accessor<InstanceState, Self>,
        request_id: String,
    ) -> wasmtime::Result<()> {
        gone(accessor, &request_id).await;
        Ok(())
    }
}

impl v0_2::client::Host for InstanceState {
    fn send_next_for(&mut self, request_id: String) -> wasmtime::Result<()> {
        self.send_next_for(&request_id);
        Ok(())
    }

    fn time_left(
        &mut self,
        request_id: String,
    ) -> wasmtime::Result<Option<v0_2::client::Duration>> {
        let deadline = self
            .in_progress(&request_id)
            .and_then(|request| request.deadline);
        Ok(deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            left.as_nanos().try_into().unwrap_or(u64::MAX)
        }))
    }
}

impl v0_2::client::HostWithStore<InstanceState> for HasSelf<InstanceState> {
    async fn gone(
        accessor: &Accessor<InstanceState, Self>,
        request_id: String,
    ) -> wasmtime::Result<()> {
        gone(accessor, &request_id).await;
        Ok(())
    }
}

/// Returns when nobody waits for the response any more, or the instance is to finish.
async fn gone(accessor: &Accessor<InstanceState, HasSelf<InstanceState>>, request_id: &str) {
    let waiting = accessor.with(|mut access| {
        let state = access.get();
        let gone = state.in_progress(request_id)?.gone.clone();
        Some((gone, state.draining.clone()))
    });
    if let Some((gone, draining)) = waiting {
        tokio::select! {
            () = gone.cancelled() => {}
            () = draining.cancelled() => {}
        }
    }
}

impl InstanceState {
    /// What the instance sends next, it sends for the client of that request.
    fn send_next_for(&mut self, request_id: &str) {
        let client = self
            .in_progress(request_id)
            .map(|request| request.gone.clone());
        self.egress.send_next_for(client);
    }

    /// The request that this instance is answering under that id.
    fn in_progress(&self, request_id: &str) -> Option<&InProgress> {
        let id = request_id_of(request_id)?;
        self.requests.get(&id)
    }
}
