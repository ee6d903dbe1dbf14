//! What an extension serves and asks for, built up front and never changed.

use crate::bindings::exports::mngr::gateway::lifecycle::{self, Origin};

pub use crate::bindings::exports::mngr::gateway::lifecycle::PermissionFilesAccess;

/// What an extension serves and what it asks for. It gets what is named here and granted by the operator's policy; a new
/// manifest asks for nothing.
#[derive(Debug)]
pub struct Manifest(lifecycle::Manifest);

impl Manifest {
    /// A manifest of the extension `name` (`^[a-z0-9][a-z0-9-]*$`, the component's file name without `.wasm`); `version` is
    /// the extension's own, for people.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self(lifecycle::Manifest {
            name: name.into(),
            version: version.into(),
            routes: Vec::new(),
            collections: Vec::new(),
            topics: Vec::new(),
            settings: Vec::new(),
            permission_files: PermissionFilesAccess::None,
            catalog: false,
            upstreams: Vec::new(),
        })
    }

    /// Serves `route` too.
    #[must_use]
    pub fn with_route(mut self, route: Route) -> Self {
        self.0.routes.push(route.0);
        self
    }

    /// Asks for the document collection `name`.
    #[must_use]
    pub fn with_collection(mut self, name: impl Into<String>) -> Self {
        self.0.collections.push(name.into());
        self
    }

    /// Asks to publish and subscribe to the event topic `name`.
    #[must_use]
    pub fn with_topic(mut self, name: impl Into<String>) -> Self {
        self.0.topics.push(name.into());
        self
    }

    /// Asks to read the setting `name`.
    #[must_use]
    pub fn with_setting(mut self, name: impl Into<String>) -> Self {
        self.0.settings.push(name.into());
        self
    }

    /// Asks for access to permissions files.
    #[must_use]
    pub fn with_permission_files(mut self, access: PermissionFilesAccess) -> Self {
        self.0.permission_files = access;
        self
    }

    /// Asks to read the service catalog.
    #[must_use]
    pub fn with_catalog(mut self) -> Self {
        self.0.catalog = true;
        self
    }

    /// Asks to send requests to `upstream`.
    #[must_use]
    pub fn with_upstream(mut self, upstream: Upstream) -> Self {
        self.0.upstreams.push(upstream.0);
        self
    }

    pub(crate) fn into_wit(self) -> lifecycle::Manifest {
        self.0
    }
}

/// A server that an extension sends requests to ([`Request::forward`](crate::Request::forward)).
#[derive(Debug)]
pub struct Upstream(lifecycle::Upstream);

impl Upstream {
    /// The server at `origin`: scheme, host and, unless it is the scheme's own, port (`https://api.example.com`).
    pub fn at(origin: impl Into<String>) -> Self {
        Self::new(Origin::Fixed(origin.into()))
    }

    /// The server of the http or https URL in the setting `name`, as it is at each request.
    pub fn in_setting(name: impl Into<String>) -> Self {
        Self::new(Origin::Setting(name.into()))
    }

    /// Asks the gateway to send this server, and no other, the value of the setting `name` as bearer token, in place of any
    /// `authorization` of the request; while the setting has no value, `authorization` is passed on. The extension itself
    /// need not be able to read the setting.
    #[must_use]
    pub fn with_bearer(mut self, name: impl Into<String>) -> Self {
        self.0.bearer = Some(name.into());
        self
    }

    fn new(origin: Origin) -> Self {
        Self(lifecycle::Upstream {
            origin,
            bearer: None,
        })
    }
}

/// A route that an extension serves. Path segments are literal, `{name}` (exactly one non-empty segment) or, at the end,
/// `{*name}` (the rest, non-empty), compared with the percent-encoded path.
#[derive(Debug)]
pub struct Route(lifecycle::Route);

impl Route {
    /// A route for the upper-case HTTP method `method`, or `*` for every method.
    pub fn new(method: impl Into<String>, path: impl Into<String>) -> Self {
        Self(lifecycle::Route {
            method: method.into(),
            path: path.into(),
            query_parameter: None,
            streaming: false,
        })
    }

    /// A route for GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// A route for POST.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new("POST", path)
    }

    /// A route for DELETE.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new("DELETE", path)
    }

    /// A route for every method.
    pub fn any(path: impl Into<String>) -> Self {
        Self::new("*", path)
    }

    /// Holds only for requests whose query has a parameter `name`; goes before the same route without it.
    #[must_use]
    pub fn with_query_parameter(mut self, name: impl Into<String>) -> Self {
        self.0.query_parameter = Some(name.into());
        self
    }

    /// Responses stay open: such requests go to an instance of their own, which no other request can bring down.
    #[must_use]
    pub fn streaming(mut self) -> Self {
        self.0.streaming = true;
        self
    }
}
