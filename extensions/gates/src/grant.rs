//! Which functions are open to every extension, and which need a grant.

use crate::{Field, Function};

/// What stands before a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Every extension may call it, for this reason.
    Open(&'static str),
    /// The manifest must ask and the policy must grant.
    Granted(Grant),
}

/// Something that a manifest asks for and a policy grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    Route,
    Collection,
    Topic,
    Setting,
    ReadPermissionFiles,
    EditPermissionFiles,
    Catalog,
    Upstream,
}

impl Function {
    /// What stands before it.
    pub const fn gate(self) -> Gate {
        match self {
            Self::CatalogRead => Gate::Granted(Grant::Catalog),
            Self::ClientGone | Self::ClientTimeLeft => Gate::Open(
                "it tells of requests that the instance itself is answering, and of no others",
            ),
            Self::ClientSendNextFor => Gate::Open(
                "it can only make the instance's own next outbound request end earlier; sending that takes its own grant",
            ),
            Self::DocumentsDelete
            | Self::DocumentsGet
            | Self::DocumentsList
            | Self::DocumentsPutNew => Gate::Granted(Grant::Collection),
            Self::EventsPublish | Self::EventsSubscribe => Gate::Granted(Grant::Topic),
            Self::HttpClientSend => Gate::Granted(Grant::Upstream),
            Self::LogLog => Gate::Open(
                "whatever an extension does, the operator shall hear of it; how much is bounded",
            ),
            Self::PermissionFilesCheck
            | Self::PermissionFilesRead
            | Self::PermissionFilesReadApplied => Gate::Granted(Grant::ReadPermissionFiles),
            Self::PermissionFilesReplace => Gate::Granted(Grant::EditPermissionFiles),
            Self::SettingsGet => Gate::Granted(Grant::Setting),
        }
    }
}

impl Function {
    /// What a call gives without its grant; none when it needs none.
    pub const fn refusal(self) -> Option<&'static str> {
        let Gate::Granted(grant) = self.gate() else {
            return None;
        };
        Some(match (grant, self) {
            (_, Self::PermissionFilesCheck) | (Grant::Catalog, _) => "an error that says so",
            (Grant::Setting, _) => "`none`, as if the setting were not set",
            (Grant::Upstream, _) => "the error `HTTP-request-denied`",
            (
                Grant::Collection
                | Grant::Topic
                | Grant::ReadPermissionFiles
                | Grant::EditPermissionFiles
                // Routes are granted to the clients of an extension, and no function needs them.
                | Grant::Route,
                _,
            ) => "the error `not-granted`",
        })
    }
}

impl Function {
    /// The keys of the policy that limit how often or how far it goes, see [`Grant::limits`].
    pub const fn limits(self) -> &'static [&'static str] {
        match (self, self.gate()) {
            // Hearing costs nobody anything.
            (Self::EventsSubscribe, _) | (_, Gate::Open(_)) => &[],
            (_, Gate::Granted(grant)) => grant.limits(),
        }
    }
}

impl Field {
    /// What it asks for; nothing when it only says who the extension is.
    pub const fn grants(self) -> &'static [Grant] {
        match self {
            Self::Name | Self::Version => &[],
            Self::Routes => &[Grant::Route],
            Self::Collections => &[Grant::Collection],
            Self::Topics => &[Grant::Topic],
            Self::Settings => &[Grant::Setting],
            Self::PermissionFiles => &[Grant::ReadPermissionFiles, Grant::EditPermissionFiles],
            Self::Catalog => &[Grant::Catalog],
            Self::Upstreams => &[Grant::Upstream],
        }
    }
}

impl Grant {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        Field::ALL
            .iter()
            .flat_map(|field| field.grants().iter().copied())
    }

    /// The key of the policy that grants it.
    pub const fn policy_key(self) -> &'static str {
        match self {
            Self::Route => "routes",
            Self::Collection => "collections",
            Self::Topic => "topics",
            Self::Setting => "settings",
            Self::ReadPermissionFiles | Self::EditPermissionFiles => "permission_files",
            Self::Catalog => "catalog",
            Self::Upstream => "upstreams",
        }
    }

    /// The keys of the policy that limit how much of it there is, beside those that limit whatever an extension does.
    pub const fn limits(self) -> &'static [&'static str] {
        match self {
            Self::Route => &[
                "concurrency",
                "max_body_bytes",
                "max_response_bytes",
                "request_timeout_seconds",
            ],
            Self::Topic => &["events_per_second"],
            Self::Upstream => &[
                "connect_timeout_seconds",
                "first_byte_timeout_seconds",
                "idle_timeout_seconds",
                "private_addresses",
            ],
            Self::Collection
            | Self::Setting
            | Self::ReadPermissionFiles
            | Self::EditPermissionFiles
            | Self::Catalog => &[],
        }
    }

    /// How a policy grants it, for somebody who writes one.
    pub const fn example(self) -> &'static str {
        match self {
            Self::Route => r#"routes = ["GET /notes/{name}"]"#,
            Self::Collection => r#"collections = ["notes"]"#,
            Self::Topic => r#"topics = ["notes"]"#,
            Self::Setting => r#"settings = ["NOTES_COLOUR"]"#,
            Self::ReadPermissionFiles => r#"permission_files = "read""#,
            Self::EditPermissionFiles => r#"permission_files = "edit""#,
            Self::Catalog => "catalog = true",
            Self::Upstream => "[[upstreams]]\norigin = \"https://api.example.com\"",
        }
    }
}
