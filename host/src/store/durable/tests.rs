use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_write_replaces_content_and_mode_and_leaves_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    write(&path, b"one", 0o640).unwrap();
    assert_eq!(
        (fs::read(&path).unwrap(), mode(&path)),
        (b"one".to_vec(), 0o640)
    );
    write(&path, b"two", PRIVATE_FILE).unwrap();
    assert_eq!(
        (fs::read(&path).unwrap(), mode(&path)),
        (b"two".to_vec(), 0o600)
    );
    assert_eq!(names(directory.path()), ["f"]);
}

#[test]
fn create_new_never_replaces() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    assert!(create_new(&path, b"one", PRIVATE_FILE).unwrap());
    assert!(!create_new(&path, b"two", PRIVATE_FILE).unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"one");
    assert_eq!(names(directory.path()), ["f"]);
}

#[test]
fn one_of_many_creators_wins() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    let path = &path;
    let winners = std::thread::scope(|scope| {
        let create = |content: u8| move || create_new(path, &[content], PRIVATE_FILE).unwrap();
        let creators: Vec<_> = (0..16)
            .map(|content| scope.spawn(create(content)))
            .collect();
        let won = creators.into_iter().map(|creator| creator.join().unwrap());
        won.filter(|won| *won).count()
    });
    assert_eq!(winners, 1);
    assert_eq!(names(directory.path()), ["f"]);
}

#[test]
fn a_failed_write_leaves_no_temporary_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("d");
    fs::create_dir(&path).unwrap();
    let message = write(&path, b"x", PRIVATE_FILE).unwrap_err().to_string();
    assert!(message.contains(path.to_str().unwrap()), "{message}");
    assert!(
        message.ends_with("a directory is in the way, move it elsewhere"),
        "{message}"
    );
    assert_eq!(names(directory.path()), ["d"]);
}

#[test]
fn a_long_name_is_no_trouble() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("é".repeat(127));
    write(&path, b"x", PRIVATE_FILE).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"x");
}

#[test]
fn created_directories_are_private_and_a_file_in_the_way_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b");
    create_dir_all(&path).unwrap();
    create_dir_all(&path).unwrap();
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&directory.path().join("a")), 0o700);

    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    let message = create_dir_all(&file).unwrap_err().to_string();
    assert!(message.contains("a file is in the way"), "{message}");
    let message = create_dir_all(&file.join("c")).unwrap_err().to_string();
    assert!(message.contains("a file is in the way"), "{message}");
}

#[test]
fn the_sweep_takes_leftovers_of_dead_processes_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let dead = format!(".f.json.{}.0123456789abcdef.tmp", child.id());
    let ours = format!(".f.json.{}.0123456789abcdef.tmp", std::process::id());
    for name in [
        dead.as_str(),
        ours.as_str(),
        "f.json",
        ".hidden.tmp",
        ".f.1.zz.tmp",
    ] {
        fs::write(directory.path().join(name), b"").unwrap();
    }
    assert_eq!(sweep_temporary_files(directory.path()).unwrap(), 1);
    assert_eq!(names(directory.path()).len(), 4);
    let old = File::open(directory.path().join(&ours)).unwrap();
    old.set_modified(SystemTime::now() - LEFTOVER_AGE * 2)
        .unwrap();
    assert_eq!(sweep_temporary_files(directory.path()).unwrap(), 1);
    assert_eq!(
        names(directory.path()),
        [".f.1.zz.tmp", ".hidden.tmp", "f.json"]
    );
}

#[test]
fn a_read_refuses_what_is_no_regular_file() {
    let directory = tempfile::tempdir().unwrap();
    assert!(read(&directory.path().join("none"), 10).unwrap().is_none());
    let message = read(directory.path(), 10).unwrap_err().to_string();
    assert!(message.contains("not a regular file"), "{message}");
    let path = directory.path().join("f");
    fs::write(&path, b"0123456789").unwrap();
    assert_eq!(read(&path, 10).unwrap().unwrap().0.len(), 10);
    let message = read(&path, 9).unwrap_err().to_string();
    assert!(message.contains("larger than 9 bytes"), "{message}");
}
