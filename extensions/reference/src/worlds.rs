//! Every version of the WIT package that stands in `wit/`, the newest first.

use std::fs;
use std::path::{Path, PathBuf};

use gates::{Function, VERSIONS};
use wit_parser::{Interface, PackageId, Record, Resolve, TypeDef, TypeDefKind, WorldItem};

use crate::error::Error;

/// One version, with all that it refers to.
pub struct World {
    pub version: &'static str,
    pub resolve: Resolve,
    package: PackageId,
}

/// All versions.
pub struct Worlds(Vec<World>);

impl Worlds {
    pub fn read(wit: &Path) -> Result<Self, Error> {
        let mut directories = vec![wit.to_owned()];
        let unreadable = |source| Error::Read {
            path: wit.to_owned(),
            source,
        };
        for entry in fs::read_dir(wit).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_dir() && !path.ends_with("deps") {
                directories.push(path);
            }
        }
        let mut worlds = directories
            .into_iter()
            .map(World::read)
            .collect::<Result<Vec<_>, _>>()?;
        let age = |world: &World| VERSIONS.iter().rev().position(|&v| v == world.version);
        worlds.sort_by_key(age);
        Ok(Self(worlds))
    }

    /// The newest interface of this name that an extension imports or exports, and its world.
    pub fn interface(&self, place: &str) -> Result<(&World, &Interface), Error> {
        self.0
            .iter()
            .find_map(|world| Some((world, world.interface(place)?)))
            .ok_or_else(|| Error::NoSuch(place.to_owned()))
    }

    /// The function as the newest world that has it describes it.
    pub fn function(&self, function: Function) -> Result<(&World, &wit_parser::Function), Error> {
        self.0
            .iter()
            .find_map(|world| {
                let interface = world.interface(function.place())?;
                Some((world, interface.functions.get(function.name())?))
            })
            .ok_or_else(|| Error::NoSuch(format!("{} {}", function.place(), function.name())))
    }

    /// The newest manifest.
    pub fn manifest(&self) -> Result<(&World, &Record), Error> {
        let (world, lifecycle) = self.interface("lifecycle")?;
        let manifest = lifecycle.types.get("manifest");
        match manifest.and_then(|id| world.resolve.types.get(*id)) {
            Some(TypeDef {
                kind: TypeDefKind::Record(record),
                ..
            }) => Ok((world, record)),
            _ => Err(Error::NoSuch("the record `manifest`".to_owned())),
        }
    }
}

impl World {
    fn read(path: PathBuf) -> Result<Self, Error> {
        let mut resolve = Resolve::default();
        let wit = |reason: String| Error::Wit {
            path: path.clone(),
            reason,
        };
        let (package, _) = resolve
            .push_dir(&path)
            .map_err(|error| wit(format!("{error:#}")))?;
        let version = resolve
            .packages
            .get(package)
            .and_then(|package| package.name.version.as_ref())
            .map(ToString::to_string);
        let known = VERSIONS
            .iter()
            .find(|known| Some(**known) == version.as_deref());
        Ok(Self {
            version: known.ok_or_else(|| wit(format!("its version is {version:?}")))?,
            resolve,
            package,
        })
    }

    /// The interface of this name that the world imports or exports; one of another package with its package.
    fn interface(&self, place: &str) -> Option<&Interface> {
        let worlds = &self.resolve.packages.get(self.package)?.worlds;
        let items = worlds
            .values()
            .filter_map(|id| self.resolve.worlds.get(*id));
        items
            .flat_map(|world| world.imports.values().chain(world.exports.values()))
            .filter_map(|item| match item {
                WorldItem::Interface { id, .. } => self.resolve.interfaces.get(*id),
                _ => None,
            })
            .find(|interface| self.place(interface).as_deref() == Some(place))
    }

    /// As [`Function::place`] has it.
    fn place(&self, interface: &Interface) -> Option<String> {
        let package = &self.resolve.packages.get(interface.package?)?.name;
        let name = interface.name.as_deref()?;
        Some(match (&*package.namespace, &*package.name) {
            ("mngr", "gateway") => name.to_owned(),
            (namespace, package) => format!("{namespace}:{package}/{name}"),
        })
    }

    /// What a component's imports call the interface.
    pub fn import(&self, interface: &Interface) -> String {
        let package = interface
            .package
            .and_then(|package| self.resolve.packages.get(package));
        match (package, &interface.name) {
            (Some(package), Some(name)) => package.name.interface_id(name),
            _ => String::new(),
        }
    }
}
