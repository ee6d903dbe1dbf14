//! Many clients who ask again and again, and what became of each request.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use end_to_end::{Caller, within_patience};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What became of a request on a connection of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// There was no connection.
    Refused,
    /// The connection ended before the answer did.
    Broken,
    /// Neither an answer nor an end.
    Hung,
    Answered(u16),
}

pub type Fates = BTreeMap<Fate, usize>;

/// Clients at work.
pub struct Load {
    clients: JoinSet<Fates>,
    enough: Arc<AtomicBool>,
    served: watch::Receiver<usize>,
}

impl Load {
    /// `clients` callers, each with one request at a time.
    pub fn begin(clients: usize, address: SocketAddr, caller: &Caller) -> Self {
        let request: Arc<str> = format!(
            "GET /permissions/self HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{}\r\n",
            caller.header_lines()
        )
        .into();
        let enough = Arc::new(AtomicBool::new(false));
        let (count, served) = watch::channel(0);
        let count = Arc::new(count);
        let mut running = JoinSet::new();
        for _ in 0..clients {
            let (request, enough, count) = (
                Arc::clone(&request),
                Arc::clone(&enough),
                Arc::clone(&count),
            );
            running.spawn(async move {
                let mut fates = Fates::new();
                while !enough.load(Ordering::Relaxed) {
                    let fate = ask(address, &request).await;
                    *fates.entry(fate).or_default() += 1;
                    if fate == Fate::Answered(200) {
                        count.send_modify(|count| *count += 1);
                    }
                }
                fates
            });
        }
        Self {
            clients: running,
            enough,
            served,
        }
    }

    /// Awaits that so many more requests have been answered 200.
    pub async fn serves(&mut self, more: usize) {
        let goal = *self.served.borrow() + more;
        let reached = self.served.wait_for(|served| *served >= goal);
        within_patience("requests are served", reached)
            .await
            .expect("the clients live");
    }

    /// Ends it, and says what became of the requests.
    pub async fn end(mut self) -> Fates {
        self.enough.store(true, Ordering::Relaxed);
        let mut all = Fates::new();
        while let Some(fates) = within_patience("the clients end", self.clients.join_next()).await {
            for (fate, count) in fates.expect("a client does not panic") {
                *all.entry(fate).or_default() += count;
            }
        }
        all
    }
}

/// One request, and what becomes of it.
pub async fn ask(address: SocketAddr, request: &str) -> Fate {
    let mut stream = match TcpStream::connect(address).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Fate::Refused,
        Err(_) => return Fate::Broken,
    };
    let exchange = async {
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        let (head, body) = split(&answer)?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse().ok())?
        });
        // Where there is no length, the end of the last chunk shows that nothing is missing.
        let whole = length.map_or(body.ends_with(b"0\r\n\r\n"), |length: usize| {
            body.len() == length
        });
        whole.then_some(Fate::Answered(status))
    };
    match tokio::time::timeout(Duration::from_secs(15), exchange).await {
        Ok(fate) => fate.unwrap_or(Fate::Broken),
        Err(_) => Fate::Hung,
    }
}

fn split(answer: &[u8]) -> Option<(&str, &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = answer.split_at(end);
    Some((std::str::from_utf8(head).ok()?, body.get(4..)?))
}
