//! Approving a request: its effect is added to its target, then the request goes. In this order, and each step durable: a
//! crash in between leaves a request that can be approved again, to the same end.

use mngr_extension::documents;
use mngr_extension::permission_files::{self, Approval, Boundary, Cause, PermissionFilesError};
use mngr_extension::{Response, pretty_json};
use permission_grants::{Effect, Members, Unmergeable};
use serde_json::json;

use crate::COLLECTION;
use crate::identifier::RequestId;
use crate::record::Record;
use crate::refusal::Refusal;

/// Each conflict means that another edit went through, so this many in a row is no bad luck.
const ATTEMPTS: usize = 1000;

/// Approves the request and answers the whole target as it is then.
pub async fn approve(id: RequestId) -> Result<Response, Refusal> {
    let stored = documents::get(COLLECTION, id.as_str()).await?;
    let Some(record) = stored.and_then(|content| Record::parse(&content)) else {
        return Err(Refusal::NotFound(id));
    };
    let effect = record.effect().map_err(|reason| Refusal::InvalidEffect {
        id: id.clone(),
        reason,
    })?;
    let applied = grant(&id, &record, &effect).await?;
    // Gone already when it was approved or denied meanwhile; the grant stands all the same.
    documents::delete(COLLECTION, id.as_str())
        .await
        .map_err(|reason| Refusal::NotRemoved {
            id: id.clone(),
            reason,
        })?;
    Ok(Response::json(
        200,
        &json!({ "request_id": id.as_str(), "target": record.target(), "applied": applied }),
    ))
}

async fn grant(id: &RequestId, record: &Record, effect: &Effect) -> Result<Members, Refusal> {
    let (id, target) = (|| id.clone(), || record.target().to_owned());
    let cause = Cause::Approval(Approval {
        request_id: id().as_str().to_owned(),
        agent_id: record.agent_id().to_owned(),
    });
    let failed = |reason| match reason {
        PermissionFilesError::Outside => Refusal::TargetOutside {
            id: id(),
            target: target(),
        },
        reason => Refusal::TargetFailed {
            id: id(),
            target: target(),
            reason,
        },
    };
    let malformed = |reason| Refusal::TargetMalformed {
        id: id(),
        target: target(),
        reason,
    };
    for _ in 0..ATTEMPTS {
        let (base, before) =
            match permission_files::read(&target(), Boundary::LatchkeyDirectory, None).await {
                Ok(Some(file)) => (
                    Some(file.version),
                    permission_grants::parse(&file.content).map_err(malformed)?,
                ),
                Ok(None) | Err(PermissionFilesError::Missing(_)) => {
                    (None, permission_grants::empty())
                }
                Err(error) => return Err(failed(error)),
            };
        let mut after = before.clone();
        permission_grants::merge(&mut after, effect).map_err(malformed)?;
        let content =
            pretty_json(&after).map_err(|error| malformed(Unmergeable::NotJson(error)))?;
        permission_files::check(&target(), Boundary::LatchkeyDirectory, content.clone())
            .await
            .map_err(|reason| Refusal::TargetUnusable {
                id: id(),
                target: target(),
                reason,
            })?;
        if base.is_some() && after == before {
            return Ok(after);
        }
        let within = Boundary::LatchkeyDirectory;
        let cause = Some(cause.clone());
        match permission_files::replace(&target(), within, content, base, cause).await {
            Ok(_) => return Ok(after),
            Err(PermissionFilesError::Conflict) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(Refusal::Contended {
        id: id(),
        target: target(),
    })
}
