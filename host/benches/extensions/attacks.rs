//! What hostile components do at their worst, for as long as somebody measures their neighbours.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::callers::Callers;
use crate::components;
use crate::graft::{CoreModule, graft};
use crate::process::{Home, Server};

/// Clients that ask the hostile component at the same time, again as soon as they have their answer.
const ATTACKERS: usize = 8;
/// How long one of them waits for an answer, or reads one that does not end, before it asks anew.
const PATIENCE: Duration = Duration::from_secs(2);
/// An attacker that reads takes processor time too, which is not the gateway's doing: so it reads little at a time.
const BETWEEN_READS: Duration = Duration::from_millis(5);
const READ_SIZE: usize = 64 * 1024;

/// One attack.
pub struct Attack {
    pub name: &'static str,
    pub component: &'static str,
    /// As the policy has it.
    routes: &'static str,
    grants: &'static str,
    way: Way,
}

enum Way {
    /// Asking for this again and again.
    Asking(&'static str),
    /// Putting what is hard to compile into the extensions directory.
    Compiling,
}

/// An attack that goes on until this is dropped.
pub struct UnderWay(#[expect(dead_code, reason = "held for what it runs")] JoinSet<()>);

macro_rules! asking {
    ($name:literal, $component:literal, $routes:literal, $target:literal) => {
        asking!($name, $component, $routes, $target, "")
    };
    ($name:literal, $component:literal, $routes:literal, $target:literal, $grants:literal) => {
        Attack {
            name: $name,
            component: $component,
            routes: $routes,
            grants: $grants,
            way: Way::Asking($target),
        }
    };
}

/// A representative dozen of those that the tests have.
pub const ATTACKS: [Attack; 15] = [
    asking!("spinning", "spins", "GET /spins/{way}", "/spins/now"),
    asking!(
        "spinning in turns",
        "spins",
        "GET /spins/{way}",
        "/spins/patiently"
    ),
    asking!(
        "working after its answer",
        "works-on",
        "GET /works-on/{way}",
        "/works-on/busily"
    ),
    asking!(
        "allocating",
        "allocates",
        "GET /allocates/{way}",
        "/allocates/all"
    ),
    asking!(
        "overflowing the stack",
        "overflows-stack",
        "GET /overflows-stack/{way}",
        "/overflows-stack/now"
    ),
    asking!(
        "crashing",
        "crash-loops",
        "GET /crash-loops",
        "/crash-loops"
    ),
    asking!(
        "hoarding handles",
        "hoards-handles",
        "GET /hoards-handles/{way}",
        "/hoards-handles/full"
    ),
    asking!(
        "forking tasks",
        "forks-tasks",
        "GET /forks-tasks/{way}",
        "/forks-tasks/now"
    ),
    asking!("blocking", "blocks", "GET /blocks/{way}", "/blocks/asleep"),
    asking!(
        "never answering",
        "never-answers",
        "* /never-answers/{way}",
        "/never-answers/head"
    ),
    asking!(
        "streaming without end",
        "streams-without-end",
        "GET /streams-without-end/answer",
        "/streams-without-end/answer"
    ),
    asking!(
        "flooding the log",
        "floods-log",
        "GET /floods-log/{way}",
        "/floods-log/short"
    ),
    asking!(
        "flooding with events",
        "floods-events",
        "GET /floods-events/{way}",
        "/floods-events/tiny",
        "topics = [\"flood\"]"
    ),
    asking!(
        "passing giants",
        "passes-giants",
        "GET /passes-giants/{way}",
        "/passes-giants/documents",
        "collections = [\"giants\"]\ntopics = [\"giants\"]"
    ),
    Attack {
        name: "compiling bombs",
        component: "grafted",
        routes: "GET /grafted",
        grants: "",
        way: Way::Compiling,
    },
];

impl Attack {
    pub fn policy(&self) -> String {
        format!("routes = [\"{}\"]\n{}", self.routes, self.grants)
    }

    pub fn start(
        &self,
        home: &Arc<Home>,
        gateway: &Server,
        callers: &Callers,
    ) -> Outcome<UnderWay> {
        let mut tasks = JoinSet::new();
        match self.way {
            Way::Asking(target) => {
                let request = callers.admin_get(target);
                for _ in 0..ATTACKERS {
                    tasks.spawn(ask_for_ever(gateway.address, Arc::clone(&request)));
                }
            }
            Way::Compiling => {
                tasks.spawn(bomb_for_ever(
                    Arc::clone(home),
                    self.component,
                    components::bytes(self.component)?,
                ));
            }
        }
        Ok(UnderWay(tasks))
    }
}

async fn ask_for_ever(address: std::net::SocketAddr, request: Arc<[u8]>) {
    loop {
        // Whatever comes of it: a refusal, a cut connection, or bytes without end.
        let asking = ask(address, &request);
        let _ = tokio::time::timeout(PATIENCE, asking).await;
        tokio::time::sleep(BETWEEN_READS).await;
    }
}

async fn ask(address: std::net::SocketAddr, request: &[u8]) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut received = vec![0; READ_SIZE];
    loop {
        let length = stream.read(&mut received).await?;
        // Short answers come in one piece, so there is no need to know where they end.
        if length < READ_SIZE / 2 {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN_READS).await;
    }
}

async fn bomb_for_ever(home: Arc<Home>, name: &'static str, component: Vec<u8>) {
    // `block`, `local.get 0`, `br_if 0`, `i32.const 1`, `local.set 0`, `end`.
    let piece = [0x02, 0x40, 0x20, 0, 0x0d, 0, 0x41, 1, 0x21, 0, 0x0b];
    let module = CoreModule {
        functions: vec![piece.repeat(600_000); 4],
        ..CoreModule::default()
    };
    let bomb = graft(&component, &module, 0);
    for number in 0.. {
        let _ = components::replace(&home, name, &components::variant(&bomb, number));
        tokio::time::sleep(PATIENCE).await;
    }
}
