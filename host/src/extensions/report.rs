//! What there is to say of the extensions, for people and programs: `extension list` and the log are made of it.

mod capabilities;

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a component comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// It came with the gateway, and its grants are compiled in.
    Bundled,
    /// Somebody put it into the extensions directory.
    Installed,
}

/// Whether requests reach an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Serving,
    /// Its instances kept crashing: its routes answer 503 until they are tried again.
    OutOfService,
    /// Somebody has switched it off.
    Disabled,
    /// Its component or its policy cannot be used, and nothing older is there to serve.
    Refused,
}

/// One extension, as it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExtensionReport {
    pub name: String,
    pub state: State,
    pub origin: Origin,
    /// The component's file.
    pub component: PathBuf,
    /// Why what stands in the extensions directory is not served; an older component may serve meanwhile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// Of the component that serves.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub serving: Option<Serving>,
}

/// A component that requests reach.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Serving {
    /// The extension's own version.
    pub version: String,
    /// The world that it was built for, as `mngr:gateway@0.1.0`.
    pub world: String,
    /// Lower-case hex SHA-256 of the component.
    pub sha256: String,
    pub since: Timestamp,
    /// What its manifest asks for.
    pub asked: Asked,
    /// What of it the policy grants.
    pub granted: Granted,
    pub activity: Activity,
}

/// The capabilities in a manifest, as it names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// `<METHOD or *> <pattern>`, with ` ?<parameter>` when it takes a query parameter.
    pub routes: Vec<String>,
    pub collections: Vec<String>,
    pub topics: Vec<String>,
    pub settings: Vec<String>,
    /// `none`, `read` or `edit`.
    pub permission_files: String,
    pub catalog: bool,
    /// Origins, or `$SETTING`; followed by ` with $SETTING` for a bearer token.
    pub upstreams: Vec<String>,
}

/// What an extension may use, and how much of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Granted {
    #[serde(flatten)]
    pub capabilities: Asked,
    pub limits: Limits,
}

/// How much of everything an extension may use. Zero is no limit, except where said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of one instance; never without limit.
    pub memory_mib: usize,
    /// In all tables of one instance; never without limit.
    pub table_elements: usize,
    /// Never zero.
    pub instances: usize,
    /// Longest time that an instance may run without returning to its event loop; never without limit.
    pub watchdog_ms: u64,
    pub max_body_bytes: u64,
    pub max_response_bytes: u64,
    /// From a request's head to the end of its response, except on streaming routes.
    pub request_timeout_seconds: f64,
    /// Requests in progress at once, streams included.
    pub concurrency: usize,
    pub events_per_second: u32,
}

/// What a component has done since it serves.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Activity {
    /// Instances that are up.
    pub instances: usize,
    /// Of all instances, in bytes.
    pub memory_bytes: u64,
    pub requests: u64,
    /// Requests that it failed to answer.
    pub errors: u64,
    pub in_progress: u64,
    /// Instances that crashed or were replaced because they did not answer.
    pub restarts: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_crash: Option<Crash>,
    /// Until when its routes answer 503, if they do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub out_of_service_until: Option<Timestamp>,
}

/// The end of an instance that was not meant to end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Crash {
    pub at: Timestamp,
    pub reason: String,
}

/// What became of one extension in a reload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reloaded {
    pub name: String,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "why")]
pub enum Outcome {
    Added,
    Replaced,
    Removed,
    Disabled,
    /// What stands there is what serves.
    Unchanged,
    /// It cannot be used; what served before goes on.
    Refused(String),
}
