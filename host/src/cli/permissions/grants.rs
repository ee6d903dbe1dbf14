//! The grants of one permissions file as they are shown: each with its origin, where that is known. A file that the gateway
//! cannot decide by is shown as far as it can be read, and said to be unusable.

use std::path::{Path, PathBuf};

use permission_grants::{Effect, Members, SharedPath, SharingName};
use serde_json::{Map, Value, json};

use super::super::observed::printable;
use crate::permissions::Engine;
use crate::permissions::catalog::Listing;
use crate::store::baseline::{agent_baseline, registered_agents};
use crate::store::grants::{By, Origin, Origins};
use crate::store::permissions_file;

/// The extensions that approve requests and set rules; another one that says it did is named.
const APPROVER: &str = "permission-requests";
const RULE_EDITOR: &str = "permissions";

/// What reads permissions files.
pub(super) struct Reader<'a> {
    pub engine: &'a Engine,
    pub catalog: Option<&'a Listing>,
}

/// One permissions file.
pub(super) struct Granted {
    path: PathBuf,
    /// Why the gateway cannot decide by it.
    unusable: Option<String>,
    agents: Vec<String>,
    includes: Vec<Include>,
    rules: Vec<Rule>,
}

struct Include {
    path: PathBuf,
    is_there: bool,
}

struct Rule {
    /// Within the file.
    index: usize,
    scope: String,
    /// For people.
    display_name: Option<String>,
    hooks: Vec<String>,
    permissions: Vec<Permission>,
    /// Its hooks alone decide.
    unrestricted: bool,
    /// Of the rule itself, which lists no permission.
    origin: Source,
}

struct Permission {
    name: String,
    /// It shares this, and is defined as this program does it.
    is_plain_sharing: bool,
    origin: Source,
}

/// How a grant came.
enum Source {
    /// Every agent's file begins with it.
    Baseline,
    Noted(Origin),
    Unknown,
}

impl Reader<'_> {
    /// The file at `path`; none when there is none.
    pub(super) fn read(&self, path: &Path) -> Option<Granted> {
        let mut granted = Granted {
            path: path.to_owned(),
            unusable: None,
            agents: Vec::new(),
            includes: Vec::new(),
            rules: Vec::new(),
        };
        let (reading, origins) = match permissions_file::read_with_origins(path) {
            Ok(found) => found?,
            Err(error) => {
                granted.unusable = Some(error.to_string());
                return Some(granted);
            }
        };
        let checked = self.engine.check(path, &reading.content);
        granted.unusable = checked.err().map(|error| error.to_string());
        if let Ok(config) = serde_json::from_slice::<Members>(&reading.content) {
            let agents = registered_agents(&config).into_iter();
            granted.agents = agents.map(|(_, agent)| agent.to_owned()).collect();
            granted.includes = includes(path, &config);
            granted.rules = self.rules(&config, &origins);
        }
        Some(granted)
    }

    fn rules(&self, config: &Members, origins: &Origins) -> Vec<Rule> {
        let baseline = agent_baseline();
        let rules = config.get("rules").and_then(Value::as_array);
        let rules = rules.into_iter().flatten().enumerate();
        rules
            .filter_map(|(index, rule)| {
                let (scope, body) = only_member(rule)?;
                let source = |name: Option<&str>| {
                    if is_of_baseline(&baseline, config, scope, name) {
                        return Source::Baseline;
                    }
                    let origin = origins.of(scope, name);
                    origin.map_or(Source::Unknown, |origin| Source::Noted(origin.clone()))
                };
                let permissions = names(body).map(|name| Permission {
                    name: name.to_owned(),
                    is_plain_sharing: is_plain_sharing(config, name),
                    origin: source(Some(name)),
                });
                let permissions: Vec<_> = permissions.collect();
                let hooks = body.get("hooks").and_then(Value::as_array);
                let hooks = hooks.into_iter().flatten().filter_map(Value::as_str);
                Some(Rule {
                    index,
                    scope: scope.to_owned(),
                    display_name: self.display_name(scope),
                    hooks: hooks.map(str::to_owned).collect(),
                    unrestricted: body.is_object() && permissions.is_empty(),
                    permissions,
                    origin: source(None),
                })
            })
            .collect()
    }

    fn display_name(&self, scope: &str) -> Option<String> {
        let mut scopes = self.catalog.into_iter().flat_map(Listing::scopes);
        let (_, scope) = scopes.find(|(_, known)| known.name == scope)?;
        Some(scope.display_name.clone())
    }
}

impl Granted {
    /// For people; ends with a line end.
    pub(super) fn as_text(&self) -> String {
        let mut lines = vec![format!("  file      {}", self.path.display())];
        if let Some(problem) = &self.unusable {
            lines.push(format!(
                "  UNUSABLE: every request is refused with an error: {problem}"
            ));
        }
        if !self.agents.is_empty() {
            lines.push(format!("  agents    {}", self.agents.join(", ")));
        }
        for include in &self.includes {
            let missing = if include.is_there {
                ""
            } else {
                " (missing, counts as empty)"
            };
            lines.push(format!("  includes  {}{missing}", include.path.display()));
        }
        for rule in &self.rules {
            rule.write(&mut lines);
        }
        lines.iter().map(|line| printable(line) + "\n").collect()
    }

    pub(super) fn as_json(&self) -> Map<String, Value> {
        let includes: Vec<_> = self.includes.iter().map(Include::as_json).collect();
        let rules: Vec<_> = self.rules.iter().map(Rule::as_json).collect();
        Map::from_iter([
            ("file".to_owned(), self.path.to_string_lossy().into()),
            ("usable".to_owned(), self.unusable.is_none().into()),
            ("error".to_owned(), self.unusable.clone().into()),
            ("agents".to_owned(), self.agents.clone().into()),
            ("includes".to_owned(), includes.into()),
            ("rules".to_owned(), rules.into()),
        ])
    }
}

impl Include {
    fn as_json(&self) -> Value {
        json!({"path": self.path.to_string_lossy(), "found": self.is_there})
    }
}

impl Rule {
    fn write(&self, lines: &mut Vec<String>) {
        lines.push(match &self.display_name {
            Some(name) => format!("  {} ({name})", self.scope),
            None => format!("  {}", self.scope),
        });
        for hook in &self.hooks {
            lines.push(format!("    if the hook {hook} agrees"));
        }
        let width = self
            .permissions
            .iter()
            .map(|permission| shown(&permission.name).chars().count());
        let width = width.max().unwrap_or_default().min(60);
        for permission in &self.permissions {
            let name = shown(&permission.name);
            let is_odd =
                SharingName::parse(&permission.name).is_some() && !permission.is_plain_sharing;
            let odd = if is_odd {
                ", but defined in another way"
            } else {
                ""
            };
            lines.push(format!("    {name:<width$}  {}{odd}", permission.origin));
        }
        if self.permissions.is_empty() {
            let what = if self.unrestricted {
                "everything"
            } else {
                "nothing: requests are denied"
            };
            lines.push(format!("    {what}  {}", self.origin));
        }
    }

    fn as_json(&self) -> Value {
        let permissions: Vec<_> = self.permissions.iter().map(Permission::as_json).collect();
        let mut value = Map::from_iter([
            ("index".to_owned(), self.index.into()),
            ("scope".to_owned(), self.scope.clone().into()),
            ("display_name".to_owned(), self.display_name.clone().into()),
            ("hooks".to_owned(), self.hooks.clone().into()),
            ("unrestricted".to_owned(), self.unrestricted.into()),
            ("permissions".to_owned(), permissions.into()),
        ]);
        if self.permissions.is_empty() {
            value.extend(self.origin.as_json());
        }
        value.into()
    }
}

impl Permission {
    fn as_json(&self) -> Value {
        let mut value = Map::from_iter([("name".to_owned(), self.name.clone().into())]);
        if let Some(sharing) = SharingName::parse(&self.name) {
            let share = json!({
                "path": sharing.path,
                "access": sharing.access.name(),
                "as_defined_here": self.is_plain_sharing,
            });
            value.insert("share".to_owned(), share);
        }
        value.extend(self.origin.as_json());
        value.into()
    }
}

impl Source {
    /// The members `since` and `by`.
    fn as_json(&self) -> Map<String, Value> {
        let (since, by) = match self {
            Self::Noted(origin) => (json!(origin.at), json!(origin.by)),
            Self::Baseline => (Value::Null, json!({"kind": "baseline"})),
            Self::Unknown => (Value::Null, json!({"kind": "unknown"})),
        };
        Map::from_iter([("since".to_owned(), since), ("by".to_owned(), by)])
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Noted(Origin { at, by }) = self else {
            return formatter.write_str(match self {
                Self::Baseline => "every agent has it",
                _ => "since when is unknown: by hand, or before this was noted",
            });
        };
        write!(formatter, "since {at:.0}, ")?;
        let said_by = match by {
            By::Approval {
                request_id,
                agent_id,
                extension,
            } => {
                write!(formatter, "approved: request {request_id}")?;
                if let Some(agent) = agent_id {
                    write!(formatter, " of {agent}")?;
                }
                (extension != APPROVER).then_some(extension)
            }
            By::RulesPost { extension } => {
                write!(formatter, "set by a rules POST")?;
                (extension != RULE_EDITOR).then_some(extension)
            }
            By::Extension { extension } => {
                return write!(formatter, "written by the extension {extension}");
            }
            By::CommandLine { user } => {
                return write!(formatter, "granted by the command line ({user})");
            }
        };
        match said_by {
            Some(extension) => write!(formatter, ", as the extension {extension} says"),
            None => Ok(()),
        }
    }
}

/// A permission's name for people: what it shares, if it does.
pub(super) fn shown(name: &str) -> String {
    match SharingName::parse(name) {
        Some(sharing) => format!("{} {}", sharing.access.name(), sharing.path),
        None => name.to_owned(),
    }
}

fn includes(path: &Path, config: &Members) -> Vec<Include> {
    let directory = path.parent().unwrap_or(path);
    let include = config.get("include").and_then(Value::as_array);
    let include = include.into_iter().flatten().filter_map(Value::as_str);
    include
        .map(|included| directory.join(included))
        .map(|path| Include {
            is_there: path.exists(),
            path,
        })
        .collect()
}

/// Whether the file has the permission under the scope, or the rule that lists none, as a fresh agent's file has it.
fn is_of_baseline(
    baseline: &Members,
    config: &Members,
    scope: &str,
    permission: Option<&str>,
) -> bool {
    let rules = baseline.get("rules").and_then(Value::as_array);
    let mut rules = rules.into_iter().flatten().filter_map(only_member);
    let Some((_, body)) = rules.find(|(known, _)| *known == scope) else {
        return false;
    };
    match permission {
        None => names(body).next().is_none(),
        Some(name) => {
            names(body).any(|known| known == name)
                && definition(baseline, name) == definition(config, name)
        }
    }
}

/// Whether the name says that it shares a path, and its schema is the one that sharing the path defines.
fn is_plain_sharing(config: &Members, name: &str) -> bool {
    SharingName::parse(name).is_some_and(|sharing| {
        SharedPath::parse(sharing.path).is_ok_and(|path| {
            let effect = Effect::file_sharing(&path, sharing.access);
            effect
                .schemas
                .get(name)
                .is_some_and(|schema| Some(schema) == definition(config, name))
        })
    })
}

fn definition<'a>(config: &'a Members, name: &str) -> Option<&'a Value> {
    config.get("schemas")?.get(name)
}

fn only_member(rule: &Value) -> Option<(&str, &Value)> {
    let members = rule.as_object().filter(|members| members.len() == 1)?;
    let (scope, body) = members.iter().next()?;
    Some((scope, body))
}

/// The permissions that a body lists.
fn names(body: &Value) -> impl Iterator<Item = &str> {
    let listed = body.get("schemas").unwrap_or(body).as_array();
    listed.into_iter().flatten().filter_map(Value::as_str)
}
