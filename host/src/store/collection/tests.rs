use std::os::unix::fs::{PermissionsExt, symlink};

use proptest::prelude::*;

use super::*;

fn names(collection: &Collection) -> Vec<String> {
    collection
        .list()
        .unwrap()
        .documents
        .iter()
        .map(|document| document.name.clone())
        .collect()
}

#[test]
fn documents_are_listed_by_file_name_and_nothing_else_is() {
    let root = tempfile::tempdir().unwrap();
    let collection = Collection::new(root.path().join("a/b"));
    assert_eq!(names(&collection), [""; 0], "an absent directory is empty");
    for name in ["b", "a", "a-1"] {
        collection.put_new(name, b"{}").unwrap();
    }
    let directory = collection.directory();
    fs::write(directory.join("foreign.txt"), "x").unwrap();
    fs::write(directory.join(".hidden.json"), "x").unwrap();
    fs::create_dir(directory.join("directory.json")).unwrap();
    symlink(directory.join("a.json"), directory.join("link.json")).unwrap();
    assert_eq!(names(&collection), ["a-1", "a", "b"]);
}

#[test]
fn changes_of_this_and_other_programs_show_at_once() {
    let root = tempfile::tempdir().unwrap();
    let collection = Collection::new(root.path().to_owned());
    for round in 0..50 {
        collection
            .put_new("ours", round.to_string().as_bytes())
            .unwrap();
        assert_eq!(names(&collection), ["ours"]);
        fs::write(root.path().join("theirs.json"), "1").unwrap();
        assert_eq!(names(&collection), ["ours", "theirs"]);
        let content = collection
            .list()
            .unwrap()
            .documents
            .first()
            .unwrap()
            .content
            .to_vec();
        assert_eq!(content, round.to_string().as_bytes());
        assert!(collection.delete("ours").unwrap());
        fs::remove_file(root.path().join("theirs.json")).unwrap();
        assert_eq!(names(&collection), [""; 0]);
    }
}

#[test]
fn a_name_is_taken_once() {
    let root = tempfile::tempdir().unwrap();
    let collection = Collection::new(root.path().to_owned());
    collection.put_new("x", b"first").unwrap();
    assert!(matches!(
        collection.put_new("x", b"second"),
        Err(CollectionError::Exists)
    ));
    assert_eq!(collection.get("x").unwrap().unwrap(), b"first");
    let mode = fs::metadata(root.path().join("x.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!collection.delete("y").unwrap());
    assert_eq!(collection.get("y").unwrap(), None);
}

#[test]
fn a_full_collection_takes_no_more_until_something_is_removed() {
    let root = tempfile::tempdir().unwrap();
    let collection = Collection::new(root.path().to_owned());
    let half = vec![b' '; usize::try_from(usage::MOST_BYTES / 2).unwrap()];
    collection.put_new("a", &half).unwrap();
    collection.put_new("b", &half).unwrap();
    let error = collection.put_new("c", b"{}").unwrap_err();
    assert!(matches!(error, CollectionError::Full { .. }), "{error}");
    let text = error.to_string();
    let place = root.path().to_string_lossy();
    assert!(text.contains("16 MiB") && text.contains(&*place), "{text}");
    assert!(collection.delete("a").unwrap());
    collection.put_new("c", &half).unwrap();
    fs::remove_file(root.path().join("b.json")).unwrap();
    collection
        .put_new("d", &half)
        .expect("another program has made room");
}

#[test]
fn a_name_never_leaves_the_directory() {
    let collection = Collection::new(PathBuf::from("/nowhere"));
    let long = "a".repeat(LONGEST_NAME + 1);
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "../a",
        "/etc/passwd",
        "a\0",
        "é",
        "a b",
        "a\n",
        "a\\b",
        &long,
    ] {
        assert!(
            matches!(collection.get(name), Err(CollectionError::InvalidName)),
            "{name:?}"
        );
    }
}

#[test]
fn a_file_in_the_directory_s_place_is_named() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("v2");
    fs::write(&path, "").unwrap();
    let error = Collection::new(path.clone())
        .list()
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(error.contains(&*path.to_string_lossy()), "{error}");
}

#[test]
fn a_collection_of_many_small_documents_is_full_too() {
    let root = tempfile::tempdir().unwrap();
    let collection = Collection::new(root.path().to_owned());
    *collection.usage() = Usage::of(usage::MOST_DOCUMENTS, 0);
    // What is not known to be there any more is counted again.
    collection.put_new("a", b"").unwrap();
    for number in 1..usage::MOST_DOCUMENTS {
        fs::write(root.path().join(format!("{number}.json")), "").unwrap();
    }
    collection.list().unwrap();
    let error = collection.put_new("b", b"").unwrap_err().to_string();
    assert!(error.contains("16384 documents"), "{error}");
    assert!(collection.delete("1").unwrap());
    collection.put_new("b", b"").unwrap();
}

#[test]
fn a_document_that_no_listing_would_have_is_not_taken() {
    let root = tempfile::tempdir().unwrap();
    let collection = Collection::new(root.path().to_owned());
    for name in [".hidden", "...", ".a.json.1.0123456789abcdef.tmp"] {
        let error = collection.put_new(name, b"{}").unwrap_err();
        assert!(matches!(error, CollectionError::InvalidName), "{name}");
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn what_looks_like_a_file_s_suffix_is_part_of_the_name() {
    let root = tempfile::tempdir().unwrap();
    let collection = Collection::new(root.path().to_owned());
    collection.put_new("a", b"1").unwrap();
    collection.put_new("a.json", b"2").unwrap();
    assert_eq!(collection.get("a").unwrap().unwrap(), b"1");
    assert_eq!(collection.get("a.json").unwrap().unwrap(), b"2");
    assert_eq!(names(&collection), ["a", "a.json"]);
    assert!(collection.delete("a").unwrap());
    assert_eq!(names(&collection), ["a.json"]);
}

#[test]
fn a_link_is_not_followed_and_what_it_leads_to_stays() {
    let root = tempfile::tempdir().unwrap();
    let secret = root.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let directory = root.path().join("notes");
    fs::create_dir(&directory).unwrap();
    symlink(&secret, directory.join("link.json")).unwrap();
    symlink(root.path(), directory.join("directory.json")).unwrap();
    let collection = Collection::new(directory.clone());
    for name in ["link", "directory"] {
        assert_eq!(collection.get(name).unwrap(), None, "{name}");
        let error = collection.put_new(name, b"{}").unwrap_err();
        assert!(matches!(error, CollectionError::Exists), "{name}: {error}");
    }
    assert_eq!(names(&collection), [""; 0]);
    assert!(collection.delete("link").unwrap());
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
}

#[test]
fn files_too_large_to_be_documents_fill_no_memory() {
    let root = tempfile::tempdir().unwrap();
    let collection = Collection::new(root.path().to_owned());
    let file = fs::File::create(root.path().join("huge.json")).unwrap();
    file.set_len(1 << 40).unwrap();
    assert_eq!(names(&collection), [""; 0]);
    let error = collection.get("huge").unwrap_err().to_string();
    assert!(error.contains("huge.json"), "{error}");
    fs::remove_file(root.path().join("huge.json")).unwrap();
    for number in 0..5 {
        let path = root.path().join(format!("{number}.json"));
        let file = fs::File::create(path).unwrap();
        file.set_len(READABLE / 4).unwrap();
    }
    let error = collection.list().map(|_| ()).unwrap_err().to_string();
    assert!(error.contains(&*root.path().to_string_lossy()), "{error}");
}

proptest! {
    #[test]
    fn no_name_leads_out_of_the_directory(name in prop_oneof![any::<String>(), "[./a-]{0,260}"]) {
        let directory = Path::new("/somewhere/notes");
        let collection = Collection::new(directory.to_owned());
        if let Ok(path) = collection.path(&name) {
            prop_assert_eq!(path.parent(), Some(directory));
            let file_name = path.file_name().unwrap().to_str().unwrap();
            prop_assert_eq!(file_name, format!("{name}.json"));
            prop_assert!(file_name.len() <= 255);
        }
    }
}
