//! One request in an instance: from the queue to the guest, and its answer back.

use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use tokio::time::Instant;
use tracing::Level;
use wasmtime::component::{Accessor, Resource};
use wasmtime_wasi_http::p3::{Request as GuestRequest, Response as GuestResponse};
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

use super::Service;
use crate::extensions::answer_head::{self, Content};
use crate::extensions::exchange::{
    Answer, Bounds, Cap, ClientPresence, Job, LimitedBody, ResponseBody,
};
use crate::extensions::policy;
use crate::extensions::state::{InProgress, InstanceState};
use crate::extensions::worlds::{Context, Outcome};

type Transmitted = Pin<Box<dyn Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>>;

impl Service<'_> {
    /// Answers one request. An error is a trap: it ends the instance.
    pub(super) async fn handle(
        &self,
        accessor: &Accessor<InstanceState>,
        job: Job,
    ) -> wasmtime::Result<()> {
        let deadline = job.deadline();
        let Job {
            request,
            mut answer,
            client,
            streaming,
            patience,
        } = job;
        if answer.is_closed() {
            // Its client has left while it waited.
            return Ok(());
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            let _ = answer.send(Answer::Overdue);
            return Ok(());
        }
        if let Some(patience) = &patience {
            patience.begin();
        }
        let id = request.id;
        let _unanswered = self.watch.admit(id, deadline);
        let context = Context {
            permissions_config: request.permissions_config.to_string_lossy().into_owned(),
            request_id: format!("{id:016x}"),
        };
        let in_progress = InProgress {
            permissions_config: request.permissions_config,
            permissions_stamp: request.permissions_stamp,
            gone: client.gone.clone(),
            deadline,
        };
        let request = request
            .request
            .map(|body| LimitedBody::new(body, self.limits.body, deadline));
        let (guest_request, transmitted) = accessor.with(|mut access| {
            let state = access.get();
            state.admit(id, in_progress);
            let http = state.http();
            let (request, transmitted) = GuestRequest::from_http(http.hooks, request);
            let transmitted: Transmitted = Box::pin(transmitted);
            wasmtime::Result::<_>::Ok((http.table.push(request)?, transmitted))
        })?;
        let mut handling = pin!(self.instance.handle(accessor, guest_request, context));
        let outcome = tokio::select! {
            biased;
            outcome = &mut handling => outcome?,
            () = answer.closed() => {
                // What the guest has sent for this client is abandoned.
                client.gone.cancel();
                handling.await?
            }
        };
        let outcome = match outcome {
            Ok(Outcome::Handled(response)) => {
                let response = take_response(accessor, response, transmitted)?;
                let limit = self.limits.response.filter(|_| !streaming);
                self.streamed(response, limit, deadline, client)
            }
            Ok(Outcome::Buffered(buffered)) => {
                let body = Bytes::from(buffered.body);
                self.whole(buffered.status, buffered.headers, body, client)
            }
            Ok(Outcome::Declined) => Ok(Answer::Declined),
            Err(code) => Err(format!("{code:?}")),
        };
        let outcome = outcome.unwrap_or_else(|error| {
            let text = format!("the extension failed to answer request {id:016x}: {error}");
            self.capabilities.output().remark(Level::ERROR, &text);
            Answer::Failed
        });
        let goes_on =
            matches!(outcome, Answer::Response(ref response) if response.body().is_streamed());
        if !goes_on {
            accessor.with(|mut access| access.get().requests.remove(&id));
        }
        // Nobody may be waiting any more.
        let _ = answer.send(outcome);
        Ok(())
    }

    /// The guest goes on writing: the request stays in progress until the client has the whole body, or has left.
    fn streamed(
        &self,
        mut response: Response<WasiBody>,
        limit: Option<u64>,
        deadline: Option<Instant>,
        client: ClientPresence,
    ) -> Result<Answer, String> {
        answer_head::check(&mut response, Content::Streamed).map_err(|error| error.to_string())?;
        let bounds = Bounds {
            cap: limit.map(|limit| Cap::new(limit, Arc::clone(self.capabilities.output()))),
            deadline,
        };
        let tether = Arc::clone(&self.watch.tether);
        let response = response.map(|body| ResponseBody::streamed(body, bounds, tether, client));
        Ok(Answer::Response(response))
    }

    fn whole(
        &self,
        status: u16,
        headers: Vec<(String, Vec<u8>)>,
        body: Bytes,
        client: ClientPresence,
    ) -> Result<Answer, String> {
        let limit = self.limits.response;
        let length = body.len() as u64;
        if let Some(limit) = limit.filter(|limit| length > *limit) {
            let limit = policy::limit("max_response_bytes", limit);
            return Err(format!("its answer has {length} bytes: {limit}"));
        }
        let mut response = Response::new(ResponseBody::whole(body, client));
        (*response.status_mut(), *response.headers_mut()) =
            answer_head::parse(status, headers).map_err(|error| error.to_string())?;
        answer_head::check(&mut response, Content::Whole).map_err(|error| error.to_string())?;
        Ok(Answer::Response(response))
    }
}

fn take_response(
    accessor: &Accessor<InstanceState>,
    response: Resource<GuestResponse>,
    transmitted: Transmitted,
) -> wasmtime::Result<Response<WasiBody>> {
    accessor.with(|mut access| {
        let response = access.get().http().table.delete(response)?;
        response.into_http(&mut access, transmitted)
    })
}
