//! Keeps a path that a client supplied below a directory.
//!
//! Links are followed wherever the path exists, the directory's own too; what does not exist yet is taken as written,
//! with its `..` applied. The answer therefore contains no link and no `..`, and lies strictly below the directory.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::durable::StorageError;

const LINK_LIMIT: usize = 40;
/// The system takes none that is longer; every part of one costs a call.
const LONGEST_PATH: usize = 4096;

/// A directory that paths may not leave. It need not exist.
#[derive(Clone, Debug)]
pub struct Boundary {
    root: PathBuf,
}

/// Why a path is not allowed through.
#[derive(Debug, thiserror::Error)]
pub enum BoundaryError {
    /// The directory itself, or something that is not in it.
    #[error("the path leads outside {}", .0.display())]
    Outside(PathBuf),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A boundary must be absolute.
#[derive(Debug, thiserror::Error)]
#[error("'{}' must be absolute", .0.display())]
pub struct RelativeBoundary(pub PathBuf);

impl Boundary {
    pub fn new(root: &Path) -> Result<Self, RelativeBoundary> {
        if root.is_absolute() {
            Ok(Self {
                root: root.to_owned(),
            })
        } else {
            Err(RelativeBoundary(root.to_owned()))
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The real path of `raw`, which is taken from the root when it is relative.
    pub fn resolve(&self, raw: &str) -> Result<PathBuf, BoundaryError> {
        let outside = || BoundaryError::Outside(self.root.clone());
        // No file has such a path; the system calls would refuse it with an error of another kind.
        if raw.contains('\0') || raw.len() > LONGEST_PATH {
            return Err(outside());
        }
        let root = real_path(&self.root)
            .map_err(|source| StorageError::new("resolve", &self.root, source))?;
        let path = self.root.join(raw);
        let real =
            real_path(&path).map_err(|source| StorageError::new("resolve", &path, source))?;
        if real != root && real.starts_with(&root) {
            Ok(real)
        } else {
            Err(outside())
        }
    }
}

fn real_path(path: &Path) -> io::Result<PathBuf> {
    let mut real = PathBuf::from("/");
    let mut links = 0;
    let mut ahead: VecDeque<OsString> = components(path);
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            real.pop();
            continue;
        }
        real.push(&name);
        let Some(target) = link_target(&real)? else {
            continue;
        };
        links += 1;
        if links > LINK_LIMIT {
            return Err(io::Error::other("too many symbolic links"));
        }
        if target.is_absolute() {
            real = PathBuf::from("/");
        } else {
            real.pop();
        }
        for name in components(&target).into_iter().rev() {
            ahead.push_front(name);
        }
    }
    Ok(real)
}

fn components(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name),
            Component::ParentDir => Some(OsStr::new("..")),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        })
        .map(OsStr::to_owned)
        .collect()
}

fn link_target(path: &Path) -> io::Result<Option<PathBuf>> {
    match fs::read_link(path) {
        Ok(target) => Ok(Some(target)),
        Err(error)
            if matches!(
                error.kind(),
                // No link; nothing there; below a file; a name that no file can have.
                io::ErrorKind::InvalidInput
                    | io::ErrorKind::NotFound
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::InvalidFilename
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn below() -> (tempfile::TempDir, PathBuf, Boundary) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap().join("root");
        fs::create_dir_all(root.join("hosts")).unwrap();
        let boundary = Boundary::new(&root).unwrap();
        (directory, root, boundary)
    }

    fn is_outside(boundary: &Boundary, raw: &str) -> bool {
        matches!(boundary.resolve(raw), Err(BoundaryError::Outside(_)))
    }

    #[test]
    fn paths_below_are_resolved_whether_they_exist_or_not() {
        let (_keep, root, boundary) = below();
        assert_eq!(boundary.resolve("hosts").unwrap(), root.join("hosts"));
        assert_eq!(
            boundary.resolve("hosts/new/p.json").unwrap(),
            root.join("hosts/new/p.json")
        );
        let absolute = format!("{}/hosts/../x//y/.", root.display());
        assert_eq!(boundary.resolve(&absolute).unwrap(), root.join("x/y"));
        assert_eq!(
            boundary.resolve("new/../other").unwrap(),
            root.join("other")
        );
    }

    #[test]
    fn nothing_leads_out() {
        let (_keep, root, boundary) = below();
        let sibling = format!("{}-sibling/x", root.display());
        for raw in [
            "",
            ".",
            "..",
            "hosts/..",
            "/etc/passwd",
            "../root-sibling",
            &sibling,
            "new/../../x",
            "a\0b",
            "no/../../../../../etc",
        ] {
            assert!(is_outside(&boundary, raw), "{raw:?}");
        }
    }

    #[test]
    fn links_are_followed_in_the_part_that_exists() {
        let (_keep, root, boundary) = below();
        symlink("/etc", root.join("out")).unwrap();
        symlink("hosts", root.join("in")).unwrap();
        symlink("/nowhere/file", root.join("dangling")).unwrap();
        symlink("turn", root.join("turn")).unwrap();
        assert!(is_outside(&boundary, "out/passwd"));
        assert!(is_outside(&boundary, "out/new/deep"));
        assert!(is_outside(&boundary, "dangling"));
        // The parent of what the link leads to, not of the link.
        assert!(is_outside(&boundary, "out/../x"));
        assert_eq!(
            boundary.resolve("in/p.json").unwrap(),
            root.join("hosts/p.json")
        );
        assert!(matches!(
            boundary.resolve("turn/x"),
            Err(BoundaryError::Storage(_))
        ));
    }

    /// Every path of up to four of these parts, against the operating system's own answer where it has one.
    #[test]
    fn no_combination_of_parts_leads_out() {
        let (_keep, root, boundary) = below();
        symlink("..", root.join("up")).unwrap();
        symlink("hosts", root.join("in")).unwrap();
        symlink(root.parent().unwrap(), root.join("hosts/out")).unwrap();
        let parts = ["hosts", "in", "out", "up", "root", "new", "..", "."];
        let mut paths = vec![String::new()];
        for _ in 0..4 {
            let longer: Vec<_> = paths
                .iter()
                .flat_map(|path| parts.map(|part| format!("{path}{part}/")))
                .collect();
            paths.extend(longer);
        }
        for path in paths {
            let resolved = boundary.resolve(&path).ok();
            if let Some(resolved) = &resolved {
                assert!(resolved.starts_with(&root) && *resolved != root, "{path}");
                assert!(
                    !resolved
                        .components()
                        .any(|part| part == Component::ParentDir),
                    "{path}"
                );
            }
            if let Ok(real) = fs::canonicalize(root.join(&path)) {
                let inside = real.starts_with(&root) && real != root;
                assert_eq!(resolved, inside.then_some(real), "{path}");
            }
        }
    }

    #[test]
    fn the_root_may_be_a_link_or_missing() {
        let (_keep, root, _) = below();
        let link = root.parent().unwrap().join("link");
        symlink("root", &link).unwrap();
        let boundary = Boundary::new(&link).unwrap();
        assert_eq!(boundary.resolve("p").unwrap(), root.join("p"));
        assert_eq!(
            boundary.resolve(root.join("p").to_str().unwrap()).unwrap(),
            root.join("p")
        );
        let missing = Boundary::new(&root.join("missing")).unwrap();
        assert_eq!(missing.resolve("p").unwrap(), root.join("missing/p"));
        assert!(is_outside(&missing, "../p"));
        assert!(Boundary::new(Path::new("relative")).is_err());
    }
}
