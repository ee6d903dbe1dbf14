//! What each function does when its gate is open, and what is left when it is not. Exhaustive: what is new in the WIT does not
//! compile until it stands here.

use std::fs;

use end_to_end::Answer;
use gates::{Function, Grant};

use crate::stage::{Built, SECRET, Stage};

/// Who calls the function in the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The component of each version, see [`Manifest`](crate::stage::Manifest).
    Each,
    /// One that was built for the version that brought the function: `GET /timely` calls it.
    Timely,
}

/// Who calls the function in the tests.
pub fn caller(function: Function) -> Caller {
    match function {
        Function::ClientTimeLeft => Caller::Timely,
        Function::CatalogRead
        | Function::ClientGone
        | Function::ClientSendNextFor
        | Function::DocumentsDelete
        | Function::DocumentsGet
        | Function::DocumentsList
        | Function::DocumentsPutNew
        | Function::EventsPublish
        | Function::EventsSubscribe
        | Function::HttpClientSend
        | Function::LogLog
        | Function::PermissionFilesCheck
        | Function::PermissionFilesRead
        | Function::PermissionFilesReadApplied
        | Function::PermissionFilesReplace
        | Function::SettingsGet => Caller::Each,
    }
}

/// How the gateway's log names the capability of a refused call.
pub fn logged_capability(grant: Grant) -> &'static str {
    match grant {
        Grant::Route => "route",
        Grant::Collection => "documents",
        Grant::Topic => "events",
        Grant::Setting => "settings",
        Grant::ReadPermissionFiles | Grant::EditPermissionFiles => "permission-files",
        Grant::Catalog => "catalog",
        Grant::Upstream => "outbound HTTP",
    }
}

/// What a refused call gives the component.
pub fn refusal(function: Function) -> &'static str {
    match function {
        Function::CatalogRead
        | Function::DocumentsDelete
        | Function::DocumentsGet
        | Function::DocumentsList
        | Function::DocumentsPutNew
        | Function::EventsPublish
        | Function::EventsSubscribe
        | Function::PermissionFilesCheck
        | Function::PermissionFilesRead
        | Function::PermissionFilesReadApplied
        | Function::PermissionFilesReplace => "not granted",
        Function::SettingsGet => "nothing",
        Function::HttpClientSend => "HttpRequestDenied",
        Function::ClientGone
        | Function::ClientSendNextFor
        | Function::ClientTimeLeft
        | Function::LogLog => panic!("{function:?} is open to everybody"),
    }
}

/// What an allowed call gives the component, in part.
pub fn gives(function: Function) -> &'static str {
    match function {
        Function::CatalogRead => "display_name",
        Function::ClientGone | Function::ClientSendNextFor => "returned",
        Function::ClientTimeLeft => panic!("the component's world does not have it"),
        Function::DocumentsDelete => "true",
        Function::DocumentsGet | Function::PermissionFilesRead | Function::SettingsGet => SECRET,
        Function::DocumentsList => "kept",
        Function::DocumentsPutNew | Function::PermissionFilesCheck => "()",
        // Nobody subscribes.
        Function::EventsPublish => "0",
        Function::EventsSubscribe => "subscribed",
        Function::HttpClientSend => "200",
        Function::LogLog => "logged",
        Function::PermissionFilesReadApplied => "latchkey_admin_permissions.json",
        // A version.
        Function::PermissionFilesReplace => "",
    }
}

/// Whether the world outside of the component shows that the call was made; none when it never shows.
pub fn shows(function: Function, built: &Built, stage: &Stage) -> Option<bool> {
    match function {
        Function::DocumentsDelete => Some(!Stage::is_untouched(&stage.document(built, "old"))),
        Function::DocumentsPutNew => Some(stage.document(built, "new").exists()),
        Function::PermissionFilesReplace => {
            let path = stage.permissions_file(&format!("{}-new", built.name));
            Some(fs::exists(path).unwrap())
        }
        Function::HttpClientSend => Some(stage.was_asked_by(built)),
        Function::LogLog => {
            let log = stage.gateway.process().stderr();
            let mut lines = log.lines();
            Some(lines.any(|line| line.contains(&built.name) && line.contains("anybody may say")))
        }
        Function::CatalogRead
        | Function::ClientGone
        | Function::ClientSendNextFor
        | Function::ClientTimeLeft
        | Function::DocumentsGet
        | Function::DocumentsList
        | Function::EventsPublish
        | Function::EventsSubscribe
        | Function::PermissionFilesCheck
        | Function::PermissionFilesRead
        | Function::PermissionFilesReadApplied
        | Function::SettingsGet => None,
    }
}

/// Nothing of what a grant gives is in the answer.
pub fn assert_gives_nothing(answer: &Answer) {
    for secret in [SECRET, "display_name", "/latchkey"] {
        assert!(!answer.text().contains(secret), "{answer}");
    }
}
