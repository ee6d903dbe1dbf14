use super::*;
use crate::permissions::BuiltinSchemas;

fn files(directory: &Path, root: Option<&Path>) -> PermissionFiles {
    PermissionFiles::new(
        directory,
        root,
        Arc::new(Engine::new(BuiltinSchemas::standard())),
    )
    .unwrap()
}

#[test]
fn each_boundary_lets_its_own_paths_through_and_no_others() {
    let temporary = tempfile::tempdir().unwrap();
    let top = temporary.path().canonicalize().unwrap();
    let directory = top.join("latchkey");
    let root = directory.join("mngr_latchkey");
    let elsewhere = top.join("elsewhere");
    std::fs::create_dir_all(&root).unwrap();
    let files = files(&directory, Some(&root));
    let text = |path: &Path| path.to_string_lossy().into_owned();
    for (path, within, expected) in [
        (
            "hosts/x.json".to_owned(),
            Within::PermissionsRoot,
            Some(root.join("hosts/x.json")),
        ),
        ("../x.json".to_owned(), Within::PermissionsRoot, None),
        (
            text(&directory.join("x.json")),
            Within::PermissionsRoot,
            None,
        ),
        (
            text(&directory.join("x.json")),
            Within::LatchkeyDirectory,
            Some(directory.join("x.json")),
        ),
        (
            text(&root.join("x.json")),
            Within::LatchkeyDirectory,
            Some(root.join("x.json")),
        ),
        (
            text(&elsewhere.join("x.json")),
            Within::LatchkeyDirectory,
            None,
        ),
        ("x.json".to_owned(), Within::LatchkeyDirectory, None),
        (
            text(&directory.join("encryption_key")),
            Within::LatchkeyDirectory,
            None,
        ),
        (
            text(&directory.join("extensions/x.toml")),
            Within::LatchkeyDirectory,
            None,
        ),
    ] {
        assert_eq!(files.resolve(&path, within).ok(), expected, "{path}");
    }
    let outer = self::files(&directory, Some(&elsewhere));
    let path = elsewhere.join("x.json");
    assert_eq!(
        outer.resolve(&text(&path), Within::LatchkeyDirectory).ok(),
        Some(path)
    );
}

#[test]
fn an_extension_cannot_speak_in_the_name_of_others() {
    let agent = format!("agent-{}", "1".repeat(32));
    let by = |request_id: &str, agent_id: &str| {
        let approval = permission_files::Approval {
            request_id: request_id.to_owned(),
            agent_id: agent_id.to_owned(),
        };
        let cause = Some(permission_files::Cause::Approval(approval));
        edited_by("rival".to_owned(), cause)
    };
    let extension = "rival".to_owned();
    assert_eq!(
        by("0123", &agent),
        By::Approval {
            request_id: "0123".to_owned(),
            agent_id: AgentId::parse(&agent).ok(),
            extension: extension.clone(),
        }
    );
    assert!(matches!(
        by("0123", "\u{1b}[31m"),
        By::Approval { agent_id: None, .. }
    ));
    let unnamed = By::Extension {
        extension: extension.clone(),
    };
    for no_id in ["", "a b", "\n", &"1".repeat(256)] {
        assert_eq!(by(no_id, &agent), unnamed, "{no_id:?}");
    }
    assert_eq!(edited_by(extension, None), unnamed);
}

#[test]
fn nothing_is_below_a_file() {
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("x.json");
    std::fs::write(&file, "{}").unwrap();
    let below = file.join("y.json");
    assert!(
        matches!(read_existing(&below), Err(Error::Missing(path)) if Path::new(&path) == below)
    );
}

#[test]
fn without_a_root_nothing_is_below_it() {
    let temporary = tempfile::tempdir().unwrap();
    let resolved = files(temporary.path(), None).resolve("x.json", Within::PermissionsRoot);
    assert!(matches!(resolved, Err(Error::RootNotSet)));
}
