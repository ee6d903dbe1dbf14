//! Permissions files of every size, and requests that their last rule decides.

use mngr_latchkey::permissions::Request;
use mngr_latchkey::permissions::catalog::Catalog;
use serde_json::{Map, Value, json};
use url::Url;

use crate::Outcome;

/// A kind of file that can have any number of rules, or of permissions in its one rule.
pub struct Policy {
    pub name: &'static str,
    /// The file with this many.
    pub file: fn(usize) -> Value,
    /// The address that the last of them decides.
    pub url: fn(usize) -> String,
}

/// Those where few rules could match a request, as it shows at their domain or path.
pub const DISTINCTIVE: [Policy; 4] = [
    Policy {
        name: "a domain each",
        file: |count| {
            rules(count, |number| {
                domain(json!({"const": format!("api{number}.example.com")}))
            })
        },
        url: |last| format!("https://api{last}.example.com/v1/things"),
    },
    Policy {
        name: "subdomains of a domain each",
        file: |count| {
            rules(count, |number| {
                domain(json!({"pattern": format!(r"^(.+\.)?example{number}\.com$")}))
            })
        },
        url: |last| format!("https://api.example{last}.com/v1/things"),
    },
    Policy {
        name: "an agent each, one domain",
        file: |count| {
            rules(count, |number| {
                let pattern = format!("^/minds-api-proxy/api/v1/agents/agent-{number}(/.*)?$");
                json!({"properties": {"domain": {"const": GATEWAY}, "path": {"type": "string", "pattern": pattern}},
                       "required": ["domain", "path"]})
            })
        },
        url: |last| format!("https://{GATEWAY}/minds-api-proxy/api/v1/agents/agent-{last}/things"),
    },
    Policy {
        name: "shared files, all in one rule",
        file: shared_files,
        url: |last| {
            format!(
                "https://{GATEWAY}/minds-api-proxy/api/v1/files/home/user/project-{last}/notes.md"
            )
        },
    },
];

/// One where every rule has to be tried: its patterns occur anywhere.
pub const INDISTINCT: Policy = Policy {
    name: "unanchored patterns",
    file: |count| {
        rules(count, |number| {
            domain(json!({"pattern": format!(r"api{number}\.example")}))
        })
    },
    url: |last| format!("https://api{last}.example.com/v1/things"),
};

const GATEWAY: &str = "latchkey-self.invalid";

fn domain(value: Value) -> Value {
    json!({"properties": {"domain": value}, "required": ["domain"]})
}

/// As many rules, each with a scope of its own that allows reading.
fn rules(count: usize, scope: impl Fn(usize) -> Value) -> Value {
    let mut schemas = Map::new();
    schemas.insert(
        "read".to_owned(),
        json!({"properties": {"method": {"enum": ["GET", "HEAD"]}}}),
    );
    let mut rules = Vec::new();
    for number in 0..count {
        let name = format!("scope-{number}");
        rules.push(json!({&name: ["read"]}));
        schemas.insert(name, scope(number));
    }
    json!({"schemas": schemas, "rules": rules})
}

/// What approvals of file sharing add up to.
fn shared_files(count: usize) -> Value {
    let mut schemas = Map::new();
    schemas.insert(
        "latchkey-self".to_owned(),
        domain(json!({"const": GATEWAY})),
    );
    let mut names = Vec::new();
    for number in 0..count {
        let name = format!("minds-file-server-read-/home/user/project-{number}");
        let pattern = format!("^/minds-api-proxy/api/v1/files/home/user/project-{number}(/.*)?$");
        schemas.insert(
            name.clone(),
            json!({"properties": {"method": {"enum": ["GET", "HEAD", "OPTIONS", "PROPFIND"]},
                                  "path": {"type": "string", "pattern": pattern}},
                   "required": ["method", "path"]}),
        );
        names.push(name);
    }
    json!({"schemas": schemas, "rules": [{"latchkey-self": names}]})
}

/// A rule for every scope of the built-in catalog, with all of its permissions.
pub fn whole_catalog() -> Value {
    let catalog = Catalog::builtin();
    let scopes = catalog.listing().scopes();
    let rules: Vec<_> = scopes
        .map(|(_, scope)| {
            let names: Vec<_> = scope
                .permissions
                .iter()
                .map(|permission| &permission.name)
                .collect();
            json!({&scope.name: names})
        })
        .collect();
    json!({"rules": rules})
}

pub const HEADERS: [(&str, &[u8]); 5] = [
    ("accept", b"application/json"),
    ("user-agent", b"benchmark/1.0"),
    ("content-type", b"application/json"),
    ("x-request-id", b"0123456789abcdef"),
    ("accept-encoding", b"gzip, br"),
];

pub fn request(url: &str) -> Outcome<Request> {
    let url = Url::parse(url)?;
    Ok(Request::new("GET", &url, HEADERS.into_iter(), None, None))
}
