//! The gateway's own routes: what of them an agent has by its baseline, can ask for, or can never have.

use std::collections::HashMap;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::super::builtin::BuiltinSchemas;
use super::super::schema::{Compiler, Registry};
use super::super::{GATEWAY_ORIGIN, Request};
use super::dissection::Dissection;
use super::mistakes::{Advice, Change, Mistake, named};
use super::request::text;
use crate::store::baseline::agent_baseline;
use crate::store::ids::AgentId;

const GUARD: &str = "minds-api-proxy-per-agent-unauthorized";
const SCOPE: &str = "latchkey-self";
const AGENTS: &str = "/minds-api-proxy/api/v1/agents/";
const FILES: &str = "/minds-api-proxy/api/v1/files/";
const READING: [&str; 4] = ["GET", "HEAD", "OPTIONS", "PROPFIND"];
const WRITING: [&str; 6] = ["PUT", "DELETE", "PROPPATCH", "MKCOL", "LOCK", "UNLOCK"];
/// What only the admin file allows.
const ADMINISTRATION: [&str; 2] = ["/permission-requests", "/permissions"];

/// The access to a file that covers the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileAccess {
    pub path: String,
    /// `READ` or `WRITE`.
    pub access: &'static str,
}

/// Whether the request is for the gateway itself.
pub(super) fn is_own(request: &Request) -> bool {
    GATEWAY_ORIGIN
        .strip_prefix("https://")
        .and_then(|origin| origin.split(':').next())
        == Some(text(request, "domain"))
}

/// Whether this is the scope that keeps agents out of each other's part of the Minds API.
pub(super) fn is_guard(scope: &str) -> bool {
    scope == GUARD
}

/// Whether a schema of this name belongs to what every agent has from the start: it is not for anybody to change.
pub(super) fn is_baseline(name: &str) -> bool {
    let baseline = agent_baseline();
    let schemas = baseline.get("schemas");
    schemas.is_some_and(|schemas| schemas.get(name).is_some())
}

pub(super) fn file_access(request: &Request) -> Option<FileAccess> {
    let path = is_own(request).then(|| text(request, "path"))?;
    let file = path.strip_prefix(FILES)?.trim_end_matches('/');
    let method = text(request, "method");
    let access = if READING.contains(&method) {
        "READ"
    } else if WRITING.contains(&method) {
        "WRITE"
    } else {
        return None;
    };
    (!file.is_empty()).then(|| FileAccess {
        path: format!("/{}", decoded(file).as_deref().unwrap_or(file)),
        access,
    })
}

/// The path as people write it, where whoever shares that shares this file: what is shared is spelled as in a URL.
fn decoded(file: &str) -> Option<String> {
    let decoded = percent_decode_str(file).decode_utf8().ok()?;
    let mut url = Url::parse(GATEWAY_ORIGIN).ok()?;
    url.set_path(&decoded);
    (url.path().strip_prefix('/') == Some(file)).then(|| decoded.into_owned())
}

/// What to do about a denied request for the gateway itself.
pub(super) fn advice(dissection: &Dissection, request: &Request) -> Option<Advice> {
    if !is_own(request) {
        return None;
    }
    let (sentence, changes) = agents_part(dissection, request)
        .or_else(|| baseline(dissection, request))
        .or_else(|| files(request))
        .unwrap_or_else(|| (other(request), Vec::new()));
    Some(Advice {
        mistake: Mistake::OwnRoute,
        sentence,
        changes,
    })
}

type Told = (String, Vec<Change>);

fn agents_part(dissection: &Dissection, request: &Request) -> Option<Told> {
    let rest = text(request, "path").strip_prefix(AGENTS)?;
    let decides = dissection.outlook(request)?.rule;
    if !is_guard(&decides.scope.name) {
        return None;
    }
    let agent = rest.split('/').next().unwrap_or(rest);
    let sentence = match AgentId::parse(agent) {
        Ok(agent) => format!(
            "{agent} is not registered in this file, so its part of the Minds API is closed: if it runs on this host, mngr-latchkey \
             register-agent --host-id ID --agent-id {agent} opens it"
        ),
        Err(error) => format!(
            "the path names no agent, {error}: each agent has its own part of the Minds API, {AGENTS}<agent id>/"
        ),
    };
    Some((sentence, Vec::new()))
}

/// What every agent has from the start, where this file has it no more.
fn baseline(dissection: &Dissection, request: &Request) -> Option<Told> {
    let baseline = agent_baseline();
    let schemas: HashMap<String, Arc<Value>> = baseline
        .get("schemas")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.clone(), Arc::new(schema.clone())))
        .collect();
    let registry = Registry {
        defined: &schemas,
        builtin: BuiltinSchemas::none(),
    };
    let mut compiler = Compiler::new(&registry);
    let mut compiled = Vec::new();
    for rule in baseline.get("rules").and_then(Value::as_array)? {
        let names = rule.get(SCOPE).and_then(Value::as_array);
        for name in names.into_iter().flatten().filter_map(Value::as_str) {
            compiled.push((name, compiler.named(name).ok()??));
        }
    }
    let compiled_schemas = compiler.finish();
    let (name, _) = compiled
        .into_iter()
        .find(|(_, id)| compiled_schemas.matches(*id, request.as_value()) == Ok(true))?;
    let known = format!("every agent may do this from the start, by {name:?}");
    let rule = dissection.outlook(request).map(|outlook| outlook.rule);
    let place = rule.map(Dissection::place);
    let position = place.as_ref().and_then(|place| dissection.position(place));
    let helps = position
        .and_then(|position| dissection.with_permission(position, name))
        .is_some_and(|changed| changed.allows(request));
    Some(match place {
        Some(rule) if helps => (
            format!("{known}: add it to {} again", named(dissection, &rule)),
            vec![Change::AddPermission {
                rule,
                permission: name.to_owned(),
            }],
        ),
        _ => (
            format!(
                "{known}, but this file has lost that: put back the schemas and rules that the file of a fresh agent has, which \
                 create-agent-env writes"
            ),
            Vec::new(),
        ),
    })
}

fn files(request: &Request) -> Option<Told> {
    text(request, "path").strip_prefix(FILES)?;
    let sentence = match file_access(request) {
        Some(FileAccess { path, access }) => format!(
            "access to files is granted path by path: let the agent ask for {access} access to {path:?} with a request of type \
             'file-sharing'"
        ),
        None => format!(
            "{} is never granted for files: ask for READ or WRITE access, and use the methods that these have, {} and {}",
            text(request, "method"),
            READING.join(" "),
            WRITING.join(" ")
        ),
    };
    Some((sentence, Vec::new()))
}

fn other(request: &Request) -> String {
    let path = text(request, "path");
    let is_below = |start: &str| {
        let rest = path.strip_prefix(start);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if ADMINISTRATION.into_iter().any(is_below) {
        "this is for whoever administers permissions, not for agents: send it with the token that mngr-latchkey admin-jwt prints"
            .to_owned()
    } else {
        format!(
            "no agent has this from the start: define a schema for {} {path} under \"schemas\", and add its name to the rule for \
             {SCOPE:?}",
            text(request, "method")
        )
    }
}
