use std::collections::VecDeque;
use std::path::Path;

use proptest::prelude::*;

use super::*;

fn space(directory: &Path) -> Arc<SpillSpace> {
    SpillSpace::new(directory.to_owned())
}

/// What can be written next, in one piece.
fn ready(backlog: &Backlog) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 8];
    let count = backlog.next(&mut slices);
    slices[..count]
        .iter()
        .flat_map(|slice| slice.to_vec())
        .collect()
}

/// Takes `length` bytes, waiting for the disk where needed.
async fn take(backlog: &mut Backlog, length: usize) -> Vec<u8> {
    let mut taken = Vec::new();
    while taken.len() < length {
        if !backlog.is_ready() {
            backlog.progress().await.unwrap();
            continue;
        }
        let mut bytes = ready(backlog);
        bytes.truncate(length - taken.len());
        backlog.advance(bytes.len()).unwrap();
        taken.extend(bytes);
    }
    taken
}

/// Waits until the disk has nothing more to do.
async fn settle(backlog: &mut Backlog) {
    while backlog.spill.is_storing() {
        backlog.progress().await.unwrap();
    }
}

#[tokio::test]
async fn little_stays_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let mut backlog = Backlog::new(space(directory.path()));
    backlog.push(Bytes::from_static(b"one ")).unwrap();
    backlog.push(Bytes::new()).unwrap();
    backlog.push(Bytes::from_static(b"two")).unwrap();
    assert_eq!(ready(&backlog), b"one two");
    backlog.advance(2).unwrap();
    assert_eq!(ready(&backlog), b"e two");
    backlog.advance(5).unwrap();
    assert!(backlog.is_empty(), "{backlog:?}");
    assert_eq!(backlog.spilled(), 0);
}

#[tokio::test]
async fn much_goes_to_disk_and_comes_back_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let space = space(directory.path());
    let mut backlog = Backlog::new(Arc::clone(&space));
    let sent: Vec<u8> = (0..8 * MEMORY).map(|index| (index / 1000) as u8).collect();
    for chunk in sent.chunks(32 * 1024) {
        settle(&mut backlog).await;
        backlog.push(Bytes::copy_from_slice(chunk)).unwrap();
        let memory = backlog.front.memory() + backlog.tail.memory();
        assert!(memory < 3 * MEMORY, "{memory} bytes in memory");
    }
    settle(&mut backlog).await;
    assert!(
        backlog.spilled() >= 5 * MEMORY as u64,
        "{}",
        backlog.spilled()
    );
    let received = take(&mut backlog, sent.len()).await;
    assert!(received == sent, "another order");
    assert!(backlog.is_empty());
    assert_eq!(space.used(), 0);
}

#[tokio::test]
async fn one_byte_packets_are_counted_with_what_they_take() {
    let directory = tempfile::tempdir().unwrap();
    let mut backlog = Backlog::new(space(directory.path()));
    let mut count = 0;
    while backlog.spilled() == 0 {
        backlog.push(Bytes::from_static(b"x")).unwrap();
        count += 1;
        assert!(
            count <= 3 * MEMORY / CHUNK_OVERHEAD,
            "{count} chunks in memory"
        );
    }
    assert_eq!(take(&mut backlog, count).await.len(), count);
}

#[tokio::test]
async fn a_disk_that_lags_leaves_no_room() {
    let directory = tempfile::tempdir().unwrap();
    let mut backlog = Backlog::new(space(directory.path()));
    // Without a wait nothing that the disk has done is noticed.
    let mut pushed = 0;
    while backlog.has_room() {
        backlog.push(Bytes::from(vec![0; 32 * 1024])).unwrap();
        pushed += 32 * 1024;
        assert!(pushed <= 4 * MEMORY, "{pushed} bytes taken");
    }
    backlog.progress().await.unwrap();
    assert!(backlog.has_room());
}

#[tokio::test]
async fn what_exceeds_the_cap_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let cap = 2 * BLOCK as u64;
    let space = SpillSpace::with_caps(directory.path().to_owned(), cap, 100 * cap);
    let mut backlog = Backlog::new(Arc::clone(&space));
    let mut pushed = 0;
    let error = loop {
        settle(&mut backlog).await;
        match backlog.push(Bytes::from(vec![0; 32 * 1024])) {
            Ok(()) => pushed += 32 * 1024,
            Err(error) => break error,
        }
        assert!(pushed < 10 * BLOCK, "{pushed} bytes taken");
    };
    assert!(matches!(error, SpillError::ChannelFull(_)), "{error:?}");
    backlog.clear();
    assert!(backlog.is_empty());
    assert_eq!(space.used(), 0, "dropped with the backlog");
}

#[test]
fn a_channel_is_slowed_only_when_much_waits() {
    let packet = 32 * 1024;
    assert_eq!(pause(0, packet), Duration::ZERO);
    assert_eq!(pause(UNHURRIED, packet), Duration::ZERO);
    assert_eq!(pause(CHANNEL_CAP, packet), LONGEST_PAUSE);
    assert_eq!(
        pause(u64::MAX, packet),
        LONGEST_PAUSE,
        "no longer than that"
    );
    assert_eq!(pause(CHANNEL_CAP, packet / 2), LONGEST_PAUSE / 2);
    let half = UNHURRIED + (CHANNEL_CAP - UNHURRIED) / 2;
    assert_eq!(pause(half, packet), LONGEST_PAUSE / 4);
}

#[test]
fn the_pause_never_shrinks_as_more_waits() {
    let pauses: Vec<_> = (0..=1024)
        .map(|step| pause(step << 20, 32 * 1024))
        .collect();
    assert!(pauses.is_sorted(), "{pauses:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is pushed and taken, in whatever order: the same bytes come out as went in.
    #[test]
    fn nothing_is_lost_or_moved(steps in proptest::collection::vec((any::<bool>(), 1usize..200_000), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        runtime.block_on(async {
            let mut backlog = Backlog::new(space(directory.path()));
            let mut expected = VecDeque::new();
            let mut next = 0u8;
            for (pushes, length) in steps {
                if pushes {
                    settle(&mut backlog).await;
                    let chunk: Vec<u8> = (0..length).map(|_| { next = next.wrapping_mul(5).wrapping_add(1); next }).collect();
                    expected.extend(&chunk);
                    backlog.push(Bytes::from(chunk)).unwrap();
                } else {
                    let length = length.min(expected.len());
                    let taken = take(&mut backlog, length).await;
                    let right: Vec<u8> = expected.drain(..length).collect();
                    assert!(taken == right, "{length} bytes differ");
                }
            }
            let rest = take(&mut backlog, expected.len()).await;
            assert!(rest.iter().eq(expected.iter()), "the rest differs");
            assert!(backlog.is_empty());
        });
    }
}
