//! The embedded source files, in the order in which the catalog lists services.

/// Embeds `host/catalog/<service>.json` for each service named.
macro_rules! services {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/catalog/", $name, ".json")))),*]
    };
}

/// Service name and content of its file.
pub(super) const SERVICES: [(&str, &str); 26] = services![
    "slack",
    "discord",
    "github",
    "gitlab",
    "dropbox",
    "linear",
    "notion",
    "mailchimp",
    "zoom",
    "telegram",
    "sentry",
    "aws",
    "stripe",
    "figma",
    "calendly",
    "yelp",
    "coolify",
    "umami",
    "google-gmail",
    "google-calendar",
    "google-drive",
    "google-docs",
    "google-sheets",
    "google-people",
    "google-analytics",
    "google-directions",
];
