//! Every version of the world that stands in `wit/`, and what it imports.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use semver::Version;
use wit_parser::{InterfaceId, Resolve, TypeDefKind, World, WorldItem, WorldKey};

const PACKAGE: (&str, &str) = ("mngr", "gateway");
const WORLD: &str = "extension";

/// The only interface of WASI by whose functions something leaves the instance.
const OUTBOUND: (&str, &str) = ("wasi:http", "client");

/// The worlds, the oldest first.
pub struct Worlds(pub Vec<Hosted>);

/// What one version of the world offers.
pub struct Hosted {
    pub version: Version,
    /// Of our own package, and the outbound ones of WASI.
    pub functions: Vec<Imported>,
    pub manifest_fields: Vec<String>,
    pub standard: Vec<Interface>,
}

/// A function of an imported interface.
pub struct Imported {
    pub interface: String,
    pub name: String,
}

/// An interface of another package.
pub struct Interface {
    pub package: String,
    pub name: String,
}

impl Worlds {
    pub fn read(wit: &Path) -> Result<Self> {
        let mut worlds = Vec::new();
        for directory in packages(wit)? {
            let hosted = Hosted::read(&directory);
            worlds.push(hosted.with_context(|| format!("in {}", directory.display()))?);
        }
        worlds.sort_by(|one, other| one.version.cmp(&other.version));
        Ok(Self(worlds))
    }
}

/// The directories with a version of the package.
fn packages(wit: &Path) -> Result<Vec<PathBuf>> {
    let mut directories = vec![wit.to_owned()];
    for entry in wit.read_dir().context("the directory wit cannot be read")? {
        let entry = entry?;
        if entry.path().is_dir() && entry.file_name() != "deps" {
            directories.push(entry.path());
        }
    }
    Ok(directories)
}

impl Hosted {
    fn read(directory: &Path) -> Result<Self> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(directory)?;
        let world = resolve.select_world(&[package], Some(WORLD))?;
        let world = resolve
            .worlds
            .get(world)
            .context("the world is not there")?;
        let name = resolve.packages.get(package).map(|package| &package.name);
        let version = name
            .filter(|name| (&*name.namespace, &*name.name) == PACKAGE)
            .and_then(|name| name.version.as_ref())
            .with_context(|| format!("it is no version of {PACKAGE:?}"))?;
        let mut hosted = Self {
            version: version.clone(),
            functions: Vec::new(),
            manifest_fields: manifest_fields(&resolve, world)?,
            standard: Vec::new(),
        };
        for (key, item) in &world.imports {
            hosted.import(&resolve, key, item)?;
        }
        Ok(hosted)
    }

    fn import(&mut self, resolve: &Resolve, key: &WorldKey, item: &WorldItem) -> Result<()> {
        let WorldItem::Interface { id, .. } = item else {
            bail!(
                "the world imports {key:?}, which belongs to no interface: no gate is known for it"
            );
        };
        let (package, name) = path(resolve, *id)?;
        let is_ours = package == format!("{}:{}", PACKAGE.0, PACKAGE.1);
        if is_ours || (&*package, &*name) == OUTBOUND {
            let interface = if is_ours {
                name.clone()
            } else {
                format!("{package}/{name}")
            };
            let functions = resolve
                .interfaces
                .get(*id)
                .into_iter()
                .flat_map(|interface| interface.functions.keys());
            self.functions.extend(functions.map(|name| Imported {
                interface: interface.clone(),
                name: name.clone(),
            }));
        }
        if !is_ours {
            self.standard.push(Interface { package, name });
        }
        Ok(())
    }
}

/// Package, without version, and name.
fn path(resolve: &Resolve, id: InterfaceId) -> Result<(String, String)> {
    let interface = resolve.interfaces.get(id);
    let package = interface
        .and_then(|interface| interface.package)
        .and_then(|package| resolve.packages.get(package))
        .context("an imported interface belongs to no package")?;
    let name = interface.and_then(|interface| interface.name.clone());
    Ok((
        format!("{}:{}", package.name.namespace, package.name.name),
        name.context("an imported interface has no name")?,
    ))
}

fn manifest_fields(resolve: &Resolve, world: &World) -> Result<Vec<String>> {
    let mut interfaces = world.exports.values().filter_map(|item| match item {
        WorldItem::Interface { id, .. } => resolve.interfaces.get(*id),
        _ => None,
    });
    let manifest = interfaces
        .find_map(|interface| interface.types.get("manifest"))
        .and_then(|id| resolve.types.get(*id))
        .context("the world exports no interface with a manifest")?;
    match &manifest.kind {
        TypeDefKind::Record(record) => Ok(record
            .fields
            .iter()
            .map(|field| field.name.clone())
            .collect()),
        _ => bail!("the manifest is no record"),
    }
}
