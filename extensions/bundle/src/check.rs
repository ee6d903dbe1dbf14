//! Whether the bundled components are what their sources say.
//!
//! Where compiler and standard library are those of `BUILDINFO`, every component is compiled again and compared byte for byte. Elsewhere
//! only hashes can tell, and the result says so. All components are looked at before the first stale one fails the check.

use std::collections::BTreeMap;

use crate::digest::{self, Digest};
use crate::error::Error;
use crate::record::{BuildInfo, Bundled};
use crate::sources::Sources;
use crate::toolchain::{TARGET, Toolchain};

/// Why a rebuild here would prove nothing about the recorded bytes; `None` when it proves everything.
pub fn obstacle(toolchain: &Toolchain, info: &BuildInfo) -> Option<String> {
    let here = &toolchain.compiler;
    if *here != info.compiler {
        let recorded = &info.compiler;
        return Some(format!(
            "built by rustc {} ({}) on {}, here is {} ({}) on {}",
            recorded.release, recorded.commit, recorded.host, here.release, here.commit, here.host
        ));
    }
    match &toolchain.library {
        None => Some(format!(
            "the target {TARGET} is not installed; `rustup target add {TARGET}` installs it"
        )),
        Some(library) if *library != info.standard_library => Some(format!(
            "the standard library for {TARGET} here is not the one it was built with"
        )),
        Some(_) => None,
    }
}

/// What the directory holds for one component against its sources; the message says what differs.
pub fn recorded(
    name: &str,
    bundled: &Bundled,
    info: &BuildInfo,
    sums: &BTreeMap<String, Digest>,
    sources: &Sources,
) -> Result<Result<(), String>, Error> {
    let path = bundled.component(name);
    let (Some(source), Some(sum)) = (info.sources.get(name), sums.get(name)) else {
        return Ok(Err("it is not recorded in BUILDINFO and SHA256SUMS".into()));
    };
    if !path.exists() {
        return Ok(Err(format!("{name}.wasm is missing")));
    }
    if digest::of_file(&path)? != *sum {
        return Ok(Err(format!(
            "{name}.wasm is not the file that SHA256SUMS records"
        )));
    }
    if sources.digest != *source {
        return Ok(Err(
            "its sources, dependencies or build settings changed since it was built".into(),
        ));
    }
    Ok(Ok(()))
}

/// The bundled bytes against those of a rebuild.
pub fn rebuilt(name: &str, bundled: &Bundled, bytes: &[u8]) -> Result<Result<(), String>, Error> {
    if digest::read(&bundled.component(name))? == bytes {
        return Ok(Ok(()));
    }
    Ok(Err(format!(
        "a rebuild by the recorded compiler gives other bytes than {name}.wasm"
    )))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::toolchain::Compiler;

    fn compiler(commit: &str) -> Compiler {
        Compiler {
            release: "1.95.0".into(),
            commit: commit.into(),
            llvm: "22".into(),
            host: "here".into(),
        }
    }

    fn toolchain(commit: &str, library: Option<&str>) -> Toolchain {
        Toolchain {
            compiler: compiler(commit),
            sysroot: PathBuf::new(),
            library: library.map(Digest::recorded),
        }
    }

    fn info() -> BuildInfo {
        BuildInfo {
            standard_library: Digest::recorded("std"),
            compiler: compiler("c0"),
            sources: BTreeMap::from([("gate".into(), Digest::recorded("sources"))]),
        }
    }

    fn sources(digest: &str) -> Sources {
        Sources {
            digest: Digest::recorded(digest),
            files: BTreeSet::new(),
            members: BTreeSet::new(),
        }
    }

    #[test]
    fn bytes_are_compared_only_under_the_recorded_compiler_and_library() {
        assert!(obstacle(&toolchain("c0", Some("std")), &info()).is_none());
        assert!(
            obstacle(&toolchain("c1", Some("std")), &info())
                .unwrap()
                .contains("c1")
        );
        assert!(
            obstacle(&toolchain("c0", Some("other")), &info())
                .unwrap()
                .contains("standard library")
        );
        assert!(
            obstacle(&toolchain("c0", None), &info())
                .unwrap()
                .contains("rustup target add")
        );
    }

    #[test]
    fn each_way_to_be_stale_is_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let bundled = Bundled::at(directory.path().into());
        let stale = |sums: &BTreeMap<_, _>, digest: &str| {
            recorded("gate", &bundled, &info(), sums, &sources(digest))
                .unwrap()
                .err()
                .unwrap_or_default()
        };
        let sums = BTreeMap::from([("gate".to_owned(), digest::of_bytes(b"\0asm"))]);
        assert!(stale(&BTreeMap::new(), "sources").contains("not recorded"));
        assert!(stale(&sums, "sources").contains("missing"));
        fs::write(bundled.component("gate"), b"other").unwrap();
        assert!(stale(&sums, "sources").contains("SHA256SUMS"));
        fs::write(bundled.component("gate"), b"\0asm").unwrap();
        assert!(stale(&sums, "changed").contains("changed since"));
        assert_eq!(stale(&sums, "sources"), "");
    }

    #[test]
    fn other_bytes_of_a_rebuild_are_stale() {
        let directory = tempfile::tempdir().unwrap();
        let bundled = Bundled::at(directory.path().into());
        fs::write(bundled.component("gate"), b"\0asm").unwrap();
        assert!(rebuilt("gate", &bundled, b"\0asm").unwrap().is_ok());
        assert!(rebuilt("gate", &bundled, b"more").unwrap().is_err());
    }
}
