//! The pending requests: making, listing, following and removing them. The list is rendered once a version of the
//! collection.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use mngr_extension::documents::{self, DocumentsError, Listing};
use mngr_extension::{ClientGone, Context, Request, Response, Version, Writer, events, log};

use crate::identifier::RequestId;
use crate::proposal::Proposal;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::scopes::ScopeCatalog;
use crate::{COLLECTION, TOPIC};

const NDJSON: &str = "application/x-ndjson; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";
/// A longer list is streamed.
const BUFFERED_LIMIT: usize = 1024 * 1024;
const PIECE: usize = 64 * 1024;
/// Far above any body that a person could mean, and small enough to be taken apart in the instance's memory.
const BODY_LIMIT: usize = 1024 * 1024;

/// The list as it was rendered last.
#[derive(Debug, Default)]
pub struct Pending(RefCell<Option<(Version, Rc<Rendered>)>>);

#[derive(Debug, Default)]
struct Rendered {
    lines: Vec<u8>,
    ids: Rc<HashSet<String>>,
}

impl Rendered {
    fn of(listing: Listing) -> Self {
        let mut entries = listing.entries;
        // Sorted as the files are, whose names go on with `.json`.
        entries.sort_by_cached_key(|entry| format!("{}.json", entry.name));
        let (mut lines, mut ids) = (Vec::new(), HashSet::new());
        // Each entry is let go as soon as it is rendered: the collection may be large.
        for entry in entries
            .into_iter()
            .filter(|entry| !entry.name.starts_with('.'))
        {
            let Some(record) = Record::parse(&entry.content) else {
                continue;
            };
            let Ok(line) = record.to_line() else { continue };
            lines.extend_from_slice(&line);
            ids.insert(record.request_id().to_owned());
        }
        let ids = Rc::new(ids);
        Self { lines, ids }
    }

    /// Sends the lines piece by piece: a copy of a long list for every client would not fit.
    async fn write_to(&self, client: &mut Writer) -> Result<(), ClientGone> {
        for piece in self.lines.chunks(PIECE) {
            client.write(piece).await?;
        }
        Ok(())
    }
}

impl Pending {
    /// Answers the list.
    pub async fn list(&self) -> Result<Response, Refusal> {
        let rendered = self.render().await?;
        if rendered.lines.len() <= BUFFERED_LIMIT {
            return Ok(Response::bytes(200, NDJSON, rendered.lines.clone()));
        }
        Ok(Response::stream(200, NDJSON, |mut client| async move {
            rendered.write_to(&mut client).await
        }))
    }

    /// Answers the list and goes on with every request that is made from now on, until the client leaves.
    pub async fn follow(&self) -> Result<Response, Refusal> {
        // Subscribed first: what is made meanwhile is in the list, or arrives, or both.
        let mut created = events::subscribe(TOPIC).map_err(Refusal::Events)?;
        let rendered = self.render().await?;
        Ok(Response::stream(200, NDJSON, |mut client| async move {
            rendered.write_to(&mut client).await?;
            let shown = Rc::clone(&rendered.ids);
            // A stream that stays open for days must not keep the list of its first moment.
            drop(rendered);
            while let Some(line) = created.next().await {
                let is_shown =
                    Record::parse(&line).is_some_and(|record| shown.contains(record.request_id()));
                if !is_shown {
                    client.write(line).await?;
                }
            }
            Ok(())
        }))
    }

    async fn render(&self) -> Result<Rc<Rendered>, Refusal> {
        let known = self.0.borrow().clone();
        match (
            documents::list(COLLECTION, known.as_ref().map(|(version, _)| *version)).await?,
            known,
        ) {
            (None, Some((_, rendered))) => Ok(rendered),
            (None, None) => Ok(Rc::default()),
            (Some(listing), _) => {
                let version = listing.version;
                let rendered = Rc::new(Rendered::of(listing));
                self.0.replace(Some((version, Rc::clone(&rendered))));
                Ok(rendered)
            }
        }
    }
}

/// Makes a request, whose target is the permissions file that applied to the POST.
pub async fn create(
    scopes: &ScopeCatalog,
    mut request: Request,
    context: Context,
) -> Result<Response, Refusal> {
    let proposal = Proposal::parse(&request.read_body(BODY_LIMIT).await?)?;
    if proposal.needs_catalog() {
        proposal.check(&*scopes.read().await?)?;
    }
    loop {
        let id = RequestId::random();
        let record = Record::new(&id, &proposal, &context.permissions_config);
        let document = record.to_document().map_err(Refusal::Record)?;
        match documents::put_new(COLLECTION, id.as_str(), document.clone()).await {
            Ok(()) => {
                announce(&record);
                return Ok(Response::bytes(201, JSON, document));
            }
            Err(DocumentsError::Exists) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Removes a request without granting it.
pub async fn delete(id: &RequestId) -> Result<Response, Refusal> {
    match documents::delete(COLLECTION, id.as_str()).await? {
        true => Ok(Response::empty(204)),
        false => Err(Refusal::NotFound(id.clone())),
    }
}

/// Tells the followers. The request is on disk already, so a failure here is no failure of the request.
fn announce(record: &Record) {
    let told = record.to_line().map_err(|error| error.to_string());
    let told =
        told.and_then(|line| events::publish(TOPIC, &line).map_err(|error| error.to_string()));
    if let Err(error) = told {
        log::warn(&format!(
            "followers were not told of permission request {}: {error}",
            record.request_id()
        ));
    }
}

#[cfg(test)]
mod tests {
    use mngr_extension::documents::Entry;

    use super::*;

    #[test]
    fn the_list_is_in_the_order_of_the_files_and_skips_what_is_no_record() {
        let entry = |name: &str, content: String| Entry {
            name: name.to_owned(),
            content: content.into_bytes(),
        };
        let record = |id: &str| {
            format!(
                r#"{{"request_id": "{id}", "agent_id": "a", "rationale": "r", "request_type": "predefined", "payload": {{}},
                    "target": "/t", "effect": {{}}}}"#
            )
        };
        let entries = vec![
            entry(".x", record(".x")),
            entry("a", record("a")),
            entry("a-b", record("a-b")),
            entry("c", "{}".to_owned()),
            entry("d", "no JSON".to_owned()),
        ];
        let rendered = Rendered::of(Listing {
            version: 1,
            entries,
        });
        let lines: Vec<_> = rendered
            .lines
            .split_inclusive(|&byte| byte == b'\n')
            .collect();
        assert_eq!(lines.len(), 2);
        assert!(
            lines
                .iter()
                .zip([r#"{"request_id":"a-b","#, r#"{"request_id":"a","#])
                .all(|(l, r)| l.starts_with(r.as_bytes()))
        );
        assert_eq!(rendered.ids.len(), 2);
    }
}
