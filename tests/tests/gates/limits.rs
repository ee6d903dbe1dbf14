//! Each limit of a policy: what is within it works, what is beyond it is refused, and with a greater one the same works.

use end_to_end::{Answer, Gateway, Home, eventually};

const ROUTES: &str =
    "routes = [\"* /limited/{what}\", \"GET /limited/open\"]\ntopics = [\"limited\"]\n";

/// How a limit is met.
pub enum Limit {
    /// By a request, see the component `limited`; the body is so many bytes.
    Request {
        tight: &'static str,
        loose: &'static str,
        within: (&'static str, usize),
        beyond: (&'static str, usize),
        status: u16,
        logged: &'static [&'static str],
    },
    /// By one request beside another.
    Beside {
        tight: &'static str,
        loose: &'static str,
    },
    /// Before there is an instance.
    Start {
        tight: &'static str,
        loose: &'static str,
    },
    /// It is a number of instances.
    Instances,
}

/// The limit of this key; none for a key that is no limit.
pub fn limit(key: &str) -> Option<Limit> {
    Some(match key {
        "memory_mib" => Limit::Request {
            tight: "16",
            loose: "256",
            within: ("memory?much=2", 0),
            beyond: ("memory?much=64", 0),
            status: 500,
            logged: &["crashed"],
        },
        // What every component has is more than one.
        "table_elements" => Limit::Start {
            tight: "1",
            loose: "10000",
        },
        "instances" => Limit::Instances,
        "watchdog_ms" => Limit::Request {
            tight: "300",
            loose: "30000",
            within: ("turn?much=20", 0),
            beyond: ("turn?much=2000", 0),
            status: 500,
            logged: &["without returning to its event loop"],
        },
        "max_body_bytes" => Limit::Request {
            tight: "1000",
            loose: "0",
            within: ("body", 1000),
            beyond: ("body", 1001),
            status: 413,
            logged: &[],
        },
        "max_response_bytes" => Limit::Request {
            tight: "1000",
            loose: "0",
            within: ("response?much=1000", 0),
            beyond: ("response?much=1001", 0),
            status: 500,
            logged: &["1000"],
        },
        "request_timeout_seconds" => Limit::Request {
            tight: "0.5",
            loose: "0",
            within: ("wait?much=1", 0),
            beyond: ("wait?much=2000", 0),
            status: 504,
            logged: &["0.5", "500ms"],
        },
        "concurrency" => Limit::Beside {
            tight: "1",
            loose: "2",
        },
        "events_per_second" => Limit::Request {
            tight: "10",
            loose: "0",
            within: ("events?much=5", 0),
            beyond: ("events?much=2000", 0),
            status: 500,
            logged: &["crashed"],
        },
        _ => return None,
    })
}

async fn under(key: &str, value: &str) -> Gateway {
    let home = Home::new();
    home.install("limited", &format!("{key} = {value}\n{ROUTES}"));
    Gateway::in_home(home).start().await
}

async fn send(gateway: &Gateway, (target, body): (&str, usize)) -> Answer {
    let target = format!("/limited/{target}");
    let request = gateway.admin().request("POST", &target);
    request.body(vec![b'x'; body]).send().await
}

/// A line about the component that has one of these.
async fn assert_logged(gateway: &Gateway, words: &[&str]) {
    if words.is_empty() {
        return;
    }
    let what = format!("the log says one of {words:?}");
    let find = |line: &str| {
        let any = words.iter().any(|word| line.contains(word));
        (line.contains("limited") && any).then_some(())
    };
    gateway.process().logged(&what, find).await;
}

impl Limit {
    pub async fn assert_kept(&self, key: &str) {
        match *self {
            Self::Request {
                tight,
                loose,
                within,
                beyond,
                status,
                logged,
            } => {
                let gateway = under(key, tight).await;
                send(&gateway, within).await.expect(200);
                send(&gateway, beyond).await.expect(status);
                assert_logged(&gateway, logged).await;
                eventually("it serves again", async || {
                    send(&gateway, ("wait?much=1", 0)).await.status == 200
                })
                .await;
                send(&under(key, loose).await, beyond).await.expect(200);
            }
            Self::Beside { tight, loose } => {
                for (value, status) in [(tight, 503), (loose, 200)] {
                    let gateway = under(key, value).await;
                    let mut open = gateway.admin().follow_at("/limited/open").await;
                    assert_eq!(open.next_line().await, "open");
                    send(&gateway, ("wait?much=1", 0)).await.expect(status);
                }
            }
            Self::Start { tight, loose } => {
                let gateway = under(key, tight).await;
                assert_logged(&gateway, &["not served"]).await;
                send(&gateway, ("wait", 0)).await.expect(404);
                let gateway = under(key, loose).await;
                send(&gateway, ("wait", 0)).await.expect(200);
            }
            Self::Instances => {
                for (value, started) in [("1", 2), ("3", 4)] {
                    let gateway = under(key, value).await;
                    // Streaming routes have one more.
                    let process = gateway.process();
                    let what = format!("{started} instances start under {value}");
                    eventually(&what, async || {
                        let log = process.stderr();
                        log.matches("an instance has started").count() == started
                    })
                    .await;
                }
            }
        }
    }
}
