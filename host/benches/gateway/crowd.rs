//! Clients that take their time: half of them send a body, half of them read one, each at one byte a second.
//!
//! They keep to a thread and a runtime of their own and are spread evenly over the second, so that whoever measures
//! beside them measures the server and not this file. A client that loses its connection before it is told to leave is
//! counted, with the first reason.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::Outcome;

/// What every client waits between two bytes.
const BETWEEN_BYTES: Duration = Duration::from_secs(1);
/// How many connect at the same moment.
const CONNECTING: usize = 128;
const ASSEMBLY_DEADLINE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);

/// On loopback the kernel would take megabytes for each reader; over a network it has this much to send ahead with.
const SEGMENT: u32 = 1460;
const RECEIVE_BUFFER: u32 = 4096;

/// What a client sends first.
#[derive(Clone)]
pub struct Requests {
    pub address: SocketAddr,
    /// Head of an upload in chunks.
    pub upload: Arc<[u8]>,
    pub download: Arc<[u8]>,
}

/// A crowd that is there. It leaves when told to, or when this value ends.
pub struct Crowd {
    tally: Arc<Tally>,
    leave: CancellationToken,
    thread: JoinHandle<Outcome<()>>,
}

#[derive(Default)]
struct Tally {
    /// Served, or lost before that.
    settled: AtomicUsize,
    lost: AtomicUsize,
    reason: OnceLock<String>,
}

impl Crowd {
    /// Waits until `size` clients have sent their heads, and the readers among them have got their answer's first byte.
    pub async fn assemble(requests: Requests, size: usize) -> Outcome<Self> {
        let tally = Arc::<Tally>::default();
        let leave = CancellationToken::new();
        let thread = {
            let (tally, leave) = (Arc::clone(&tally), leave.clone());
            tokio::task::spawn_blocking(move || run(&requests, size, &tally, leave))
        };
        let crowd = Self {
            tally,
            leave,
            thread,
        };
        let deadline = Instant::now() + ASSEMBLY_DEADLINE;
        loop {
            let settled = crowd.tally.settled.load(Ordering::Relaxed);
            if settled == size {
                return Ok(crowd);
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "of {size} slow clients {settled} were served within {ASSEMBLY_DEADLINE:?}, or cut off: {}{}",
                    crowd.lost(),
                    crowd.reason()
                )
                .into());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// How many connections have failed so far.
    pub fn lost(&self) -> usize {
        self.tally.lost.load(Ordering::Relaxed)
    }

    /// Why the first of them did.
    pub fn reason(&self) -> String {
        let reason = self.tally.reason.get();
        reason
            .map(|reason| format!(" ({reason})"))
            .unwrap_or_default()
    }

    pub async fn disperse(self) -> Outcome<()> {
        self.leave.cancel();
        self.thread.await?
    }
}

fn run(
    requests: &Requests,
    size: usize,
    tally: &Arc<Tally>,
    leave: CancellationToken,
) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let door = Arc::new(Semaphore::new(CONNECTING));
        let start = Instant::now();
        for index in 0..size {
            let offset = BETWEEN_BYTES.mul_f64(index as f64 / size as f64);
            let client = Client {
                requests: requests.clone(),
                door: Arc::clone(&door),
                first_byte: start + offset,
                tally: Arc::clone(tally),
            };
            tokio::spawn(client.stay(index % 2 == 0));
        }
        // The runtime ends, and every connection with it.
        leave.cancelled().await;
    });
    Ok(())
}

struct Client {
    requests: Requests,
    door: Arc<Semaphore>,
    /// When its turn in the second is; in the past by the time that it is served.
    first_byte: Instant,
    tally: Arc<Tally>,
}

impl Client {
    /// Ends when the connection does.
    async fn stay(self, writes: bool) {
        let entered = if writes {
            self.enter(&self.requests.upload).await
        } else {
            self.enter_reading().await
        };
        self.tally.settled.fetch_add(1, Ordering::Relaxed);
        let ended = match entered {
            Ok(stream) if writes => self.write(stream).await,
            Ok(stream) => self.read(stream).await,
            Err(error) => Err(error),
        };
        let reason = ended.map_or_else(|error| error.to_string(), |ended| match ended {});
        let kind = if writes { "a writer" } else { "a reader" };
        let _ = self.tally.reason.set(format!("{kind}: {reason}"));
        self.tally.lost.fetch_add(1, Ordering::Relaxed);
    }

    async fn write(&self, stream: TcpStream) -> Outcome<Infallible> {
        let (mut answer, mut body) = stream.into_split();
        let writing = async {
            let mut turn = self.turns();
            loop {
                turn.tick().await;
                body.write_all(b"1\r\n.\r\n").await?;
            }
        };
        // The request is not complete: any answer is a refusal.
        let mut first = [0; 128];
        tokio::select! {
            written = writing => written,
            read = answer.read(&mut first) => {
                let answered = first.get(..read?).unwrap_or_default();
                Err(String::from_utf8_lossy(answered).into_owned().into())
            }
        }
    }

    async fn read(&self, mut stream: TcpStream) -> Outcome<Infallible> {
        let mut turn = self.turns();
        loop {
            turn.tick().await;
            stream.read_u8().await?;
        }
    }

    async fn enter_reading(&self) -> Outcome<TcpStream> {
        let mut stream = self.enter(&self.requests.download).await?;
        let mut start = [0; b"HTTP/1.1 200".len()];
        stream.read_exact(&mut start).await?;
        if !start.ends_with(b" 200") {
            return Err(String::from_utf8_lossy(&start).into_owned().into());
        }
        Ok(stream)
    }

    async fn enter(&self, head: &[u8]) -> Outcome<TcpStream> {
        let _one_of_few = self.door.acquire().await?;
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        SockRef::from(&socket).set_tcp_mss(SEGMENT)?;
        // Thousands of ports would rest for a minute after each crowd.
        socket.set_zero_linger()?;
        let mut stream = socket.connect(self.requests.address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(head).await?;
        Ok(stream)
    }

    fn turns(&self) -> tokio::time::Interval {
        let behind = self.first_byte.elapsed().as_secs_f64() / BETWEEN_BYTES.as_secs_f64();
        let next = self.first_byte + BETWEEN_BYTES.mul_f64(behind.ceil().max(0.0));
        let mut turns = tokio::time::interval_at(next, BETWEEN_BYTES);
        turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
        turns
    }
}
