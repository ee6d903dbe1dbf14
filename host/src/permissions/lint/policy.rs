//! A permissions file as lint looks at it: rules, the schemas that they use, and where in which file each stands.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::keywords::pointer_step;
use super::{Code, Finding};
use crate::permissions::config::{self, Config, Permissions};
use crate::permissions::include::{self, Merged, PlacedRule, Source, normalise};
use crate::permissions::schema::Registry;
use crate::permissions::{BuiltinSchemas, CheckError};

pub(super) struct Policy {
    pub(super) root: PathBuf,
    builtin: BuiltinSchemas,
    merged: Merged,
    files: HashMap<PathBuf, File>,
    /// In which file the schema that counts is defined, by name.
    origins: HashMap<String, PathBuf>,
}

/// One file that takes part.
struct File {
    config: Config,
    /// As it was read; null for one that is missing.
    value: Value,
    exists: bool,
}

/// A schema that rules use, and where it stands.
pub(super) struct Used<'a> {
    pub(super) name: &'a str,
    pub(super) schema: &'a Value,
    pub(super) file: &'a Path,
    pub(super) place: String,
}

impl Policy {
    pub(super) fn load(path: &Path, builtin: &BuiltinSchemas) -> Result<Self, CheckError> {
        let loaded = include::load(path, None);
        let merged = loaded.merged?;
        let mut files = HashMap::new();
        for source in loaded.sources {
            let file = File::read(&source)?;
            files.insert(source.path, file);
        }
        let mut policy = Self {
            root: normalise(path),
            builtin: builtin.clone(),
            merged,
            files,
            origins: HashMap::new(),
        };
        policy.origins = policy.origins_in(&policy.root, &mut HashMap::new());
        Ok(policy)
    }

    /// The files in the order of the merge: an include's schemas give way to those of later includes and of the file itself.
    fn origins_in(
        &self,
        path: &Path,
        done: &mut HashMap<PathBuf, HashMap<String, PathBuf>>,
    ) -> HashMap<String, PathBuf> {
        if let Some(origins) = done.get(path) {
            return origins.clone();
        }
        let mut origins = HashMap::new();
        let Some(file) = self.files.get(path) else {
            return origins;
        };
        for include in self.includes(path) {
            origins.extend(self.origins_in(&include, done));
        }
        let own = file.config.schemas.keys();
        origins.extend(own.map(|name| (name.clone(), path.to_owned())));
        done.insert(path.to_owned(), origins.clone());
        origins
    }

    /// Calls `look` with what names mean here.
    pub(super) fn with_registry(&self, look: impl FnOnce(&Self, &Registry<'_>)) {
        let registry = Registry {
            defined: &self.merged.schemas,
            builtin: self.builtin.clone(),
        };
        look(self, &registry);
    }

    pub(super) fn rules(&self) -> &[PlacedRule] {
        &self.merged.rules
    }

    pub(super) fn builtin(&self) -> &BuiltinSchemas {
        &self.builtin
    }

    /// The names that files define, in order.
    pub(super) fn defined_names(&self) -> BTreeSet<&str> {
        self.origins.keys().map(String::as_str).collect()
    }

    /// The files that `path` includes.
    pub(super) fn includes(&self, path: &Path) -> Vec<PathBuf> {
        let directory = path.parent().unwrap_or(path);
        let file = self.files.get(path);
        let named = file.iter().flat_map(|file| &file.config.include);
        named
            .map(|include| normalise(&directory.join(include)))
            .collect()
    }

    /// Every file that takes part.
    pub(super) fn files(&self) -> BTreeMap<&Path, bool> {
        let files = self.files.iter();
        files
            .map(|(path, file)| (path.as_path(), file.exists))
            .collect()
    }

    /// The schemas of the file itself.
    pub(super) fn own_schemas(&self) -> impl Iterator<Item = &String> {
        let file = self.files.get(&self.root);
        file.into_iter().flat_map(|file| file.config.schemas.keys())
    }

    /// The schemas defined in files that rules use, directly or through others, by name.
    pub(super) fn used(&self) -> Vec<Used<'_>> {
        let mut names: BTreeSet<String> = BTreeSet::new();
        let mut pending: Vec<String> = Vec::new();
        for placed in self.rules() {
            pending.push(placed.rule.scope.clone());
            if let Permissions::AnyOf(permissions) = &placed.rule.permissions {
                pending.extend(permissions.iter().cloned());
            }
        }
        while let Some(name) = pending.pop() {
            if let Some(schema) = self.merged.schemas.get(&name)
                && names.insert(name)
            {
                note_references(schema, &mut pending);
            }
        }
        let defined = self
            .origins
            .iter()
            .filter(|(name, _)| names.contains(*name));
        let used = defined.filter_map(|(name, file)| {
            Some(Used {
                name,
                schema: self.merged.schemas.get(name)?,
                file,
                place: self.place_of(name, file),
            })
        });
        let mut used: Vec<_> = used.collect();
        used.sort_by_key(|used| used.name);
        used
    }

    /// Where in its file a schema stands: `patterns` is another word for `schemas`, and gives way to it.
    pub(super) fn place_of(&self, name: &str, file: &Path) -> String {
        let value = self.files.get(file).map(|file| &file.value);
        let is_under = |key: &str| value.and_then(|value| value.get(key)?.get(name)).is_some();
        let key = if !is_under("schemas") && is_under("patterns") {
            "patterns"
        } else {
            "schemas"
        };
        format!("#/{key}/{}", pointer_step(name))
    }

    /// A finding about a rule as a whole.
    pub(super) fn about_rule(
        placed: &PlacedRule,
        code: Code,
        message: String,
        advice: impl Into<String>,
    ) -> Finding {
        Finding {
            code,
            file: placed.path.to_path_buf(),
            rule: Some(placed.index),
            place: format!(
                "#/rules/{}/{}",
                placed.index,
                pointer_step(&placed.rule.scope)
            ),
            message,
            advice: advice.into(),
        }
    }

    /// The same about the permission at a position of its list.
    pub(super) fn about_permission(
        &self,
        placed: &PlacedRule,
        position: usize,
        code: Code,
        message: String,
        advice: impl Into<String>,
    ) -> Finding {
        let mut finding = Self::about_rule(placed, code, message, advice);
        let value = self.files.get(&*placed.path).map(|file| &file.value);
        let body = value.and_then(|value| {
            value
                .get("rules")?
                .get(placed.index)?
                .get(&placed.rule.scope)
        });
        let list = if body.is_some_and(Value::is_object) {
            "/schemas"
        } else {
            ""
        };
        finding.place = format!("{}{list}/{position}", finding.place);
        finding
    }
}

impl Used<'_> {
    /// A finding at a place within the schema.
    pub(super) fn finding(
        &self,
        below: &str,
        code: Code,
        message: String,
        advice: impl Into<String>,
    ) -> Finding {
        Finding {
            code,
            file: self.file.to_owned(),
            rule: None,
            place: format!("{}{below}", self.place),
            message,
            advice: advice.into(),
        }
    }
}

impl File {
    fn read(source: &Source) -> Result<Self, CheckError> {
        let Some(content) = source.content.clone()? else {
            return Ok(Self {
                config: Config::default(),
                value: Value::Null,
                exists: false,
            });
        };
        Ok(Self {
            config: config::parse(&source.path, &content)?,
            value: serde_json::from_str(&String::from_utf8_lossy(&content)).unwrap_or_default(),
            exists: true,
        })
    }
}

/// The names that `$ref` leads to anywhere within.
fn note_references(schema: &Value, names: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            names.extend(super::keywords::referred_root(members));
            members
                .values()
                .for_each(|member| note_references(member, names));
        }
        Value::Array(items) => items.iter().for_each(|item| note_references(item, names)),
        _ => {}
    }
}
