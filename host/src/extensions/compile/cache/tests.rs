use std::fs::File;

use super::*;

const SHA256: &str = "00ff";
const CODE: &str = "modules/wasmtime-1.2.3/a-digest";

fn cache(directory: &Path) -> CodeCache {
    let cache = CodeCache::open(directory).unwrap();
    CodeCache {
        engine: "an-engine".to_owned(),
        ..cache
    }
}

/// What a process leaves.
fn compile_in(room: &Room, code: &str) {
    let path = room.path().join(code);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path.with_extension("stats"), "times").unwrap();
    fs::write(path, "code").unwrap();
}

fn make_old(path: &Path, age: Duration) {
    let time = SystemTime::now() - age;
    File::open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn code_is_found_until_it_is_gone_and_for_its_engine_alone() {
    let directory = tempfile::tempdir().unwrap();
    let cache = cache(directory.path());
    assert_eq!(cache.look_up(SHA256), None);
    let room = cache.room().unwrap();
    compile_in(&room, CODE);
    cache.keep(&room, SHA256).unwrap();
    drop(room);

    let code = cache.code().join(CODE);
    assert_eq!(cache.look_up(SHA256), Some(Entry::Code(code.clone())));
    let other = CodeCache {
        engine: "another-engine".to_owned(),
        ..CodeCache::open(directory.path()).unwrap()
    };
    assert_eq!(other.look_up(SHA256), None);
    assert_eq!(cache.look_up("ff00"), None);
    fs::remove_file(code).unwrap();
    assert_eq!(cache.look_up(SHA256), None);
}

#[test]
fn a_process_that_has_left_no_code_or_too_much_is_found_out() {
    let directory = tempfile::tempdir().unwrap();
    let cache = cache(directory.path());
    let room = cache.room().unwrap();
    assert!(cache.keep(&room, SHA256).is_err());
    compile_in(&room, CODE);
    compile_in(&room, "modules/wasmtime-1.2.3/another-digest");
    let error = cache.keep(&room, SHA256).unwrap_err().to_string();
    assert!(error.contains("2 files"), "{error}");
    assert_eq!(cache.look_up(SHA256), None);
}

#[test]
fn nothing_is_left_of_a_process_that_was_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let cache = cache(directory.path());
    let room = cache.room().unwrap();
    compile_in(&room, CODE);
    drop(room);
    assert_eq!(fs::read_dir(cache.unfinished()).unwrap().count(), 0);
}

#[test]
fn what_a_crash_left_is_swept_up_when_it_is_old() {
    let directory = tempfile::tempdir().unwrap();
    let cache = cache(directory.path());
    let (old, new) = (cache.room().unwrap(), cache.room().unwrap());
    make_old(old.path(), 2 * ABANDONED);
    CodeCache::open(directory.path()).unwrap();
    assert!(!old.path().exists() && new.path().exists());
}

#[test]
fn what_is_beyond_the_limits_is_remembered_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let cache = cache(directory.path());
    for (error, entry) in [
        (CompileError::TooLong(PROCESSOR_TIME), Entry::TooLong),
        (CompileError::TooMuch(MEMORY_MIB), Entry::TooMuch),
    ] {
        cache.refuse(SHA256, &error).unwrap();
        assert_eq!(cache.look_up(SHA256), Some(entry));
    }
    make_old(&cache.entry_of(SHA256), 2 * REMEMBERED);
    assert_eq!(cache.look_up(SHA256), None);

    let invalid = CompileError::Invalid("bad magic".to_owned());
    cache.refuse("ff00", &invalid).unwrap();
    assert_eq!(cache.look_up("ff00"), None);
}

#[test]
fn an_entry_that_leads_elsewhere_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let cache = cache(directory.path());
    let outside = directory.path().join("outside");
    fs::write(&outside, "not code").unwrap();
    for entry in [
        "../outside",
        outside.to_str().unwrap(),
        "modules/../../outside",
    ] {
        fs::write(cache.entry_of(SHA256), entry).unwrap();
        assert_eq!(cache.look_up(SHA256), None, "{entry}");
    }
}

#[test]
fn the_oldest_code_goes_when_there_is_too_much() {
    let directory = tempfile::tempdir().unwrap();
    let cache = cache(directory.path());
    for number in 0..MOST_COMPONENTS + 2 {
        let code = cache.code().join(number.to_string());
        fs::write(&code, "code").unwrap();
        fs::write(code.with_extension("stats"), "times").unwrap();
        let entry = cache.entry_of(&number.to_string());
        fs::write(&entry, number.to_string()).unwrap();
        let newness = u64::try_from(number).unwrap();
        make_old(&entry, Duration::from_secs(100_000 - newness));
    }
    cache.prune().unwrap();
    for gone in ["0", "1"] {
        assert_eq!(cache.look_up(gone), None);
        let code = cache.code().join(gone);
        assert!(!code.exists() && !code.with_extension("stats").exists());
    }
    assert!(cache.look_up("2").is_some());
    assert_eq!(
        fs::read_dir(cache.index()).unwrap().count(),
        MOST_COMPONENTS
    );
}
