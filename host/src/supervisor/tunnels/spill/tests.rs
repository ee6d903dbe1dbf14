use std::future::poll_fn;

use super::*;

async fn progress(spill: &mut Spill) -> Result<Progress, SpillError> {
    poll_fn(|context| spill.poll_progress(context)).await
}

async fn store(spill: &mut Spill, text: &'static str) {
    spill
        .store(vec![Bytes::from_static(text.as_bytes())])
        .unwrap();
    let stored = progress(spill).await;
    assert!(matches!(stored, Ok(Progress::Stored)), "{stored:?}");
}

async fn load(spill: &mut Spill) -> Bytes {
    spill.load();
    match progress(spill).await {
        Ok(Progress::Loaded(bytes)) => bytes,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn blocks_come_back_in_order_and_places_are_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let space = SpillSpace::new(directory.path().to_owned());
    let mut spill = Spill::new(Arc::clone(&space));
    store(&mut spill, "one").await;
    store(&mut spill, "two").await;
    assert_eq!(load(&mut spill).await, "one");
    store(&mut spill, "three").await;
    store(&mut spill, "four").await;
    assert_eq!(spill.slots, 3, "the first place was free again");
    for expected in ["two", "three", "four"] {
        assert_eq!(load(&mut spill).await, expected);
    }
    assert!(spill.is_empty() && spill.file.is_none(), "{spill:?}");
    assert_eq!(space.used(), 0);
}

#[tokio::test]
async fn no_name_is_left_in_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let mut spill = Spill::new(SpillSpace::new(directory.path().to_owned()));
    store(&mut spill, "kept").await;
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert!(names.is_empty(), "{names:?}");
    assert_eq!(load(&mut spill).await, "kept");
}

#[tokio::test]
async fn a_channel_is_refused_what_exceeds_its_cap() {
    let directory = tempfile::tempdir().unwrap();
    let space = SpillSpace::with_caps(directory.path().to_owned(), 8, 100);
    let mut spill = Spill::new(Arc::clone(&space));
    store(&mut spill, "12345").await;
    let refused = spill.store(vec![Bytes::from_static(b"6789")]);
    assert!(
        matches!(refused, Err(SpillError::ChannelFull(8))),
        "{refused:?}"
    );
    assert_eq!(space.used(), 5, "what was refused is not accounted for");
    drop(spill);
    assert_eq!(space.used(), 0);
}

#[tokio::test]
async fn channels_share_the_cap_of_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let space = SpillSpace::with_caps(directory.path().to_owned(), 100, 8);
    let mut first = Spill::new(Arc::clone(&space));
    let mut second = Spill::new(Arc::clone(&space));
    store(&mut first, "12345").await;
    let refused = second.store(vec![Bytes::from_static(b"6789")]);
    assert!(
        matches!(refused, Err(SpillError::SpaceFull { cap: 8, .. })),
        "{refused:?}"
    );
    assert_eq!(load(&mut first).await, "12345");
    store(&mut second, "6789").await;
}

#[tokio::test]
async fn no_host_takes_the_space_of_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let whole = SpillSpace::with_caps(directory.path().to_owned(), HOST_CAP, 2 * HOST_CAP);
    let (greedy, modest) = (whole.of_one_host(), whole.of_one_host());
    greedy.reserve(HOST_CAP).unwrap();
    let refused = greedy.reserve(1).unwrap_err().to_string();
    assert!(
        refused.starts_with("all connections from this host"),
        "{refused}"
    );
    modest.reserve(HOST_CAP - 1).unwrap();
    greedy.release(HOST_CAP);
    assert_eq!(whole.used(), HOST_CAP - 1);
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let mut spill = Spill::new(SpillSpace::new(missing.clone()));
    spill.store(vec![Bytes::from_static(b"lost")]).unwrap();
    let error = progress(&mut spill).await.unwrap_err().to_string();
    assert!(error.contains(&missing.display().to_string()), "{error}");
}
