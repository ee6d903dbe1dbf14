//! A server behind the gateway's proxy: it keeps every byte that it is sent, and answers what the test wants.
//!
//! ```no_run
//! # use end_to_end::{Script, Upstream};
//! # async fn story() {
//! let upstream = Upstream::start().await;
//! let gateway = upstream.gateway().start().await;
//! upstream.answer(Script::text(201, "made"));
//! gateway.admin().get("/minds-api-proxy/x?y").await.expect(201);
//! assert_eq!(upstream.requests()[0].target(), "/x?y");
//! # }
//! ```
//!
//! Until told otherwise it answers every request with `<method> <target>`, so that an answer shows which request it belongs to.

mod connection;
mod script;
mod tls;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

pub use connection::Connection;
pub use script::{Feed, Gate, Script};
pub use tls::Authority;

use crate::gateway::{Gateway, GatewayOptions};
use crate::home::Home;
use crate::message::Message;
use crate::within_patience;

/// The setting that names the upstream.
pub const UPSTREAM_URL: &str = "LATCHKEY_EXTENSION_MINDS_API_URL";
/// The setting that holds the upstream's key.
pub const UPSTREAM_KEY: &str = "LATCHKEY_EXTENSION_MINDS_API_KEY";
/// The key that gateways of [`Upstream::gateway`] are given.
pub const KEY: &str = "minds-key-5e1f0c7ab2d94836";

/// A running server. It stops when dropped.
pub struct Upstream {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// What the server's tasks and the test look at.
struct Shared {
    connections: Mutex<Vec<Connection>>,
    changed: watch::Sender<u64>,
    answers: Mutex<Answers>,
}

type Answers = Box<dyn Fn(&Connection, &Message) -> Script + Send>;

impl Upstream {
    /// One on 127.0.0.1 that speaks http.
    pub async fn start() -> Self {
        Self::listen("127.0.0.1:0", None).await
    }

    /// One on ::1 that speaks http.
    pub async fn start_v6() -> Self {
        Self::listen("[::1]:0", None).await
    }

    /// One on 127.0.0.1 that speaks https, with a certificate of this authority's for `name`, as in `IP:127.0.0.1`.
    pub async fn start_tls(authority: &Authority, name: &str) -> Self {
        Self::listen("127.0.0.1:0", Some(authority.acceptor(name))).await
    }

    /// The URL of a port of 127.0.0.1 on which nobody listens.
    pub async fn nowhere() -> String {
        let upstream = Self::start().await;
        let url = upstream.url();
        upstream.stop().await;
        url
    }

    async fn listen(address: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address)
            .await
            .expect("a loopback address can be bound");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            connections: Mutex::default(),
            changed: watch::Sender::new(0),
            answers: Mutex::new(Box::new(|_, request| Script::named(request))),
        });
        Self {
            address,
            scheme: if tls.is_some() { "https" } else { "http" },
            accepting: tokio::spawn(accept(listener, tls, Arc::clone(&shared))),
            shared,
        }
    }

    /// Its origin: scheme, address and port, with no slash at the end.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Address and port, as they stand in `Host`.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// A gateway in a new home that proxies to it and holds [`KEY`].
    pub fn gateway(&self) -> GatewayOptions {
        Gateway::in_home(Home::new())
            .environment(UPSTREAM_URL, self.url())
            .environment(UPSTREAM_KEY, KEY)
    }

    /// Answers every request from now on like this.
    pub fn answer(&self, script: Script) {
        self.answer_with(move |_, _| script.clone());
    }

    /// Answers every request from now on as `choose` says, which is given the connection and the request's head.
    pub fn answer_with(&self, choose: impl Fn(&Connection, &Message) -> Script + Send + 'static) {
        *lock(&self.shared.answers) = Box::new(choose);
    }

    /// Stops listening, breaks every connection, and awaits that the port is free.
    pub async fn stop(mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }

    /// Ends every connection, forgets all, and listens again at the same address.
    ///
    /// # Panics
    /// When the address is not free.
    pub async fn restart(self) -> Self {
        let address = self.authority();
        self.stop().await;
        Self::listen(&address, None).await
    }

    /// The connections so far.
    pub fn connections(&self) -> Vec<Connection> {
        self.shared.connections().clone()
    }

    /// The requests so far, connection by connection; the last one of each may still be arriving.
    pub fn requests(&self) -> Vec<Message> {
        let connections = self.shared.connections();
        let requests = connections.iter().flat_map(Connection::requests);
        requests.cloned().collect()
    }

    /// Awaits that `find` gives something for the connections.
    ///
    /// # Panics
    /// When it does not.
    pub async fn until<T>(
        &self,
        what: &str,
        mut find: impl FnMut(&[Connection]) -> Option<T>,
    ) -> T {
        let mut changed = self.shared.changed.subscribe();
        within_patience(what, async {
            loop {
                changed.mark_unchanged();
                if let Some(found) = find(&self.shared.connections()) {
                    return found;
                }
                changed.changed().await.expect("the server lives");
            }
        })
        .await
    }

    /// Awaits a request that `is_it` accepts.
    ///
    /// # Panics
    /// When none comes.
    pub async fn request(&self, what: &str, is_it: impl Fn(&Message) -> bool) -> Message {
        self.until(what, |connections| {
            let mut requests = connections.iter().flat_map(Connection::requests);
            requests.find(|request| is_it(request)).cloned()
        })
        .await
    }

    /// Awaits the head of a request for this target.
    ///
    /// # Panics
    /// When none comes.
    pub async fn asked_for(&self, target: &str) -> Message {
        self.request(&format!("the upstream is asked for {target}"), |request| {
            request.target() == target
        })
        .await
    }

    /// Awaits that the connection that carried a request for this target has ended.
    ///
    /// # Panics
    /// When it does not.
    pub async fn abandoned(&self, target: &str) {
        self.until(
            &format!("the connection with the request for {target} ends"),
            |connections| {
                let mut carriers = connections.iter().filter(|connection| {
                    let mut requests = connection.requests().iter();
                    requests.any(|request| request.target() == target)
                });
                carriers
                    .all(|connection| connection.ended)
                    .then_some(())
                    .filter(|()| !connections.is_empty())
            },
        )
        .await;
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
        if std::thread::panicking() {
            eprintln!("-- what the upstream {} received --", self.authority());
            for connection in self.shared.connections().iter() {
                eprintln!("{connection}");
            }
            eprintln!("-- end of what it received --");
        }
    }
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, Vec<Connection>> {
        lock(&self.connections)
    }

    /// Changes what is known of a connection, and says so.
    fn note<T>(&self, index: usize, change: impl FnOnce(&mut Connection) -> T) -> T {
        let result = change(&mut self.connections()[index]);
        self.changed.send_modify(|count| *count += 1);
        result
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    // They end with this task.
    let mut serving = JoinSet::new();
    loop {
        while serving.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let index = {
            let mut connections = shared.connections();
            connections.push(Connection::default());
            connections.len() - 1
        };
        shared.changed.send_modify(|count| *count += 1);
        serving.spawn(serve(stream, tls.clone(), Arc::clone(&shared), index));
    }
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, shared: Arc<Shared>, index: usize) {
    let _ = stream.set_nodelay(true);
    let (stream, twin) = twins(stream);
    match tls {
        None => connection::serve(stream, twin, Arc::clone(&shared), index).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => connection::serve(stream, twin, Arc::clone(&shared), index).await,
            Err(_) => shared.note(index, |connection| connection.ended = true),
        },
    }
}

/// A connection, and a second handle of it that lives on while TLS owns the first.
fn twins(stream: TcpStream) -> (TcpStream, TcpStream) {
    let stream = stream.into_std().expect("a connection can be taken out");
    let twin = stream.try_clone().expect("a descriptor can be duplicated");
    let handle = |stream| TcpStream::from_std(stream).expect("a connection can be put back");
    (handle(stream), handle(twin))
}

/// Nobody panics while holding these locks but by a test's own choice of answers, which fails the test anyway.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
