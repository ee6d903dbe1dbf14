use std::future::poll_fn;
use std::time::Duration;

use super::inbox::{QUEUE_BYTES, QUEUE_LENGTH};
use super::*;

fn participant() -> Participant {
    Participant::new(OutputLog::unkept("subscriber"), NonZeroU32::new(500))
}

fn subscribe(bus: &Bus, topic: &str) -> Subscription {
    bus.subscribe(topic.to_owned(), &participant())
}

impl Subscription {
    /// None at its end.
    async fn next(&self) -> Option<Vec<u8>> {
        poll_fn(|context| self.inbox.poll_next(context))
            .await
            .map(|message| message.content().to_vec())
    }
}

#[tokio::test]
async fn every_subscriber_gets_every_later_message_in_order() {
    let bus = Bus::default();
    assert_eq!(bus.publish("t", b"before".to_vec()), 0);
    let subscriptions = [subscribe(&bus, "t"), subscribe(&bus, "t")];
    bus.publish("other", b"elsewhere".to_vec());
    assert_eq!(bus.publish("t", b"1".to_vec()), 2);
    assert_eq!(bus.publish("t", b"2".to_vec()), 2);
    for subscription in &subscriptions {
        assert_eq!(subscription.next().await.unwrap(), b"1");
        assert_eq!(subscription.next().await.unwrap(), b"2");
    }
}

#[tokio::test]
async fn who_waits_is_woken() {
    let bus = Arc::new(Bus::default());
    let subscription = subscribe(&bus, "t");
    let waiting = tokio::spawn(async move { subscription.next().await });
    tokio::task::yield_now().await;
    bus.publish("t", b"x".to_vec());
    assert_eq!(waiting.await.unwrap().unwrap(), b"x");
}

#[tokio::test]
async fn a_slow_subscriber_is_cut_off_and_the_others_are_not() {
    let bus = Bus::default();
    let slow = subscribe(&bus, "t");
    for _ in 0..QUEUE_LENGTH {
        assert_eq!(bus.publish("t", Vec::new()), 1);
    }
    let quick = subscribe(&bus, "t");
    assert_eq!(bus.publish("t", b"last".to_vec()), 1);
    assert_eq!(quick.next().await.unwrap(), b"last");
    for _ in 0..QUEUE_LENGTH {
        assert!(slow.next().await.is_some());
    }
    assert_eq!(
        slow.next().await,
        None,
        "the stream must end, not skip a message"
    );
}

#[tokio::test]
async fn a_few_large_messages_fill_a_queue_as_many_small_ones_do() {
    let bus = Bus::default();
    let slow = subscribe(&bus, "t");
    let large = QUEUE_BYTES / 3;
    let delivered = (0..9)
        .filter(|_| bus.publish("t", vec![0; large]) == 1)
        .count();
    assert_eq!(delivered, 2);
    for _ in 0..delivered {
        assert_eq!(slow.next().await.map(|message| message.len()), Some(large));
    }
    assert_eq!(slow.next().await, None);
}

#[tokio::test]
async fn what_waits_on_a_topic_is_bounded_whoever_does_not_read() {
    let bus = Bus::default();
    let elsewhere = subscribe(&bus, "other");
    bus.publish("other", b"kept".to_vec());
    let mut subscriptions = Vec::new();
    // Each begins with another message, so that no two have the same waiting.
    for _ in 0..40 {
        subscriptions.push(subscribe(&bus, "t"));
        for _ in 0..4 {
            bus.publish("t", vec![0; QUEUE_BYTES / 4 - 1024]);
            let topic = Arc::clone(&bus.topics.read().unwrap()["t"]);
            let waiting = topic.waiting.load(Ordering::Relaxed);
            assert!(waiting <= TOPIC_BYTES, "{waiting} bytes wait");
        }
    }
    let last = subscriptions.last().unwrap();
    for _ in 0..4 {
        assert!(
            last.next().await.is_some(),
            "who came last has its messages"
        );
    }
    assert_eq!(elsewhere.next().await.unwrap(), b"kept");
    drop(subscriptions);
    let topic = Arc::clone(&bus.topics.read().unwrap()["t"]);
    assert_eq!(topic.waiting.load(Ordering::Relaxed), 0, "nobody is left");
}

#[test]
fn subscribers_that_left_are_forgotten() {
    let bus = Bus::default();
    for _ in 0..10 {
        drop(subscribe(&bus, "t"));
    }
    let _last = subscribe(&bus, "t");
    let topic = Arc::clone(&bus.topics.read().unwrap()["t"]);
    assert_eq!(topic.inboxes.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn one_subscription_too_many_ends_at_once_and_room_comes_back() {
    let (bus, participant) = (Bus::default(), participant());
    let mut subscriptions: Vec<_> = (0..SUBSCRIPTIONS)
        .map(|number| bus.subscribe(number.to_string(), &participant))
        .collect();
    let one_more = bus.subscribe("t".to_owned(), &participant);
    assert_eq!(bus.publish("t", b"x".to_vec()), 0);
    assert_eq!(one_more.next().await, None);
    drop(one_more);
    subscriptions.pop();
    let again = bus.subscribe("t".to_owned(), &participant);
    assert_eq!(bus.publish("t", b"x".to_vec()), 1);
    assert_eq!(again.next().await.unwrap(), b"x");
}

#[test]
fn a_message_that_is_too_long_says_how_long_it_may_be() {
    let error = participant()
        .check("t", &vec![0; LONGEST_MESSAGE + 1], Instant::now())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "events: payload of 8388609 bytes, at most 8388608"
    );
}

#[test]
fn a_flood_is_refused_before_a_subscriber_that_keeps_up_is_cut_off() {
    let (now, flooding) = (Instant::now(), participant());
    let admitted = |now| {
        (0..100_000)
            .filter(|_| flooding.check("t", b"", now).is_ok())
            .count()
    };
    let at_once = admitted(now);
    assert!(at_once < QUEUE_LENGTH, "{at_once}");
    assert_eq!(admitted(now + Duration::from_secs(1)), 500);
    let error = flooding.check("t", b"", now).unwrap_err().to_string();
    assert!(
        error.contains("'t'") && error.contains("500 a second"),
        "{error}"
    );
}

#[test]
fn who_has_no_limit_publishes_as_fast_as_it_likes() {
    let unlimited = Participant::new(OutputLog::unkept("unlimited"), None);
    assert!((0..100_000).all(|_| unlimited.check("t", b"", Instant::now()).is_ok()));
}
