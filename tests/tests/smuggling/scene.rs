//! Two agents, the upstream that both reach, and a place that nobody may reach.

use end_to_end::{Agent, Gateway, KEY, Message, Script, Upstream, Wire};

/// What an attack is to bring.
#[derive(Clone, Copy, Debug)]
pub enum Then {
    /// Exactly these answers, and the connection is still good.
    Answered(&'static [u16]),
    /// One answer, that it will not do; then the gateway hangs up by itself.
    Refused,
    /// One answer, that it will not do, and nothing else.
    Denied,
    /// The sender hangs up in the middle of a request: none of it succeeds.
    CutShort,
    /// It is answered or refused, as long as everything holds.
    Either,
}

/// The stage.
pub struct Scene {
    pub upstream: Upstream,
    /// Where redirects and forged hosts point to.
    pub elsewhere: Upstream,
    pub gateway: Gateway,
    pub a: Agent,
    pub b: Agent,
    received: Vec<u8>,
    turn: usize,
}

impl Scene {
    pub async fn set() -> Self {
        let upstream = Upstream::start().await;
        let gateway = upstream.gateway().start().await;
        Self {
            elsewhere: Upstream::start().await,
            a: gateway.agent("a").await,
            b: gateway.agent("b").await,
            upstream,
            gateway,
            received: Vec::new(),
            turn: 0,
        }
    }

    /// Below agent A's own path, as A asks the gateway for it.
    pub fn mine(&self, rest: &str) -> String {
        format!("/minds-api-proxy/api/v1/agents/{}/{rest}", self.a.id)
    }

    /// Below agent B's.
    pub fn theirs(&self, rest: &str) -> String {
        format!("/minds-api-proxy/api/v1/agents/{}/{rest}", self.b.id)
    }

    /// A's credentials, and a mark that shows at the upstream.
    pub fn credentials(&self) -> String {
        format!("{}x-sender: a\r\n", self.a.header_lines())
    }

    /// A request of A's for a path of its own; `more` are further header lines.
    pub fn ask(&self, method: &str, rest: &str, more: &str) -> String {
        self.ask_for(method, &self.mine(rest), more)
    }

    /// A request of A's for any target.
    pub fn ask_for(&self, method: &str, target: &str, more: &str) -> String {
        format!(
            "{method} {target} HTTP/1.1\r\nhost: gateway\r\n{}{more}\r\n",
            self.credentials()
        )
    }

    /// A complete request for B's path, as the upstream would read it.
    pub fn theft(&self) -> String {
        format!(
            "GET /api/v1/agents/{}/stolen HTTP/1.1\r\nhost: {}\r\nx-sender: a\r\n\r\n",
            self.b.id,
            self.upstream.authority()
        )
    }

    /// A complete request for B's path, as the gateway would read it.
    pub fn hidden(&self) -> String {
        self.ask_for("GET", &self.theirs("stolen"), "")
    }

    /// Answers A's requests for `rest` like this, and all others by their names.
    pub fn answer(&self, rest: &str, script: Script) {
        let path = format!("/api/v1/agents/{}/{rest}", self.a.id);
        self.upstream.answer_with(move |_, request| {
            if request.path() == path {
                script.clone()
            } else {
                Script::named(request)
            }
        });
    }

    /// A connection to the gateway.
    pub async fn wire(&self) -> Wire {
        Wire::connect(self.gateway.address()).await
    }

    /// Sends these bytes, awaits what they are to bring, and asserts that all is well.
    pub async fn attack(&mut self, name: &str, bytes: impl AsRef<[u8]>, then: Then) {
        eprintln!("attack: {name}");
        let bytes = bytes.as_ref();
        let mut wire = self.wire().await;
        if bytes.starts_with(b"HEAD ") {
            wire.asks("HEAD");
        }
        wire.send(bytes).await;
        match then {
            Then::Answered(statuses) => {
                for status in statuses {
                    let answer = wire.answer().await;
                    assert_eq!(answer.status(), *status, "{name}: {answer:?}");
                }
                wire.finish_sending().await;
            }
            Then::Refused => {}
            Then::CutShort => wire.finish_sending().await,
            Then::Denied => {
                let answer = wire.answer().await;
                assert!((400..=499).contains(&answer.status()), "{name}: {answer:?}");
                wire.finish_sending().await;
            }
            Then::Either => {
                wire.try_answer().await;
                wire.finish_sending().await;
            }
        }
        let rest = wire.rest().await;
        match then {
            Then::Answered(_) | Then::Denied | Then::Either => {
                assert!(rest.is_empty(), "{name}: more was answered: {rest:?}");
            }
            Then::Refused => assert!(
                matches!(rest.as_slice(), [answer] if matches!(answer.status(), 400..=499 | 501) && answer.complete),
                "{name}: it should be refused: {rest:?}"
            ),
            Then::CutShort => assert!(
                rest.iter().all(|answer| answer.status() >= 400) && rest.len() < 2,
                "{name}: it should come to nothing: {rest:?}"
            ),
        }
        self.holds(name, wire.transcript()).await;
    }

    /// What must hold after each attack. `received` is what it was answered.
    pub async fn holds(&mut self, name: &str, received: &[u8]) {
        self.received.extend_from_slice(received);
        self.served(name).await;
        self.upstream
            .until(
                &format!("{name}: the connections of requests that were given up end"),
                |connections| {
                    let mut connections = connections.iter();
                    connections
                        .all(|connection| {
                            connection.ended
                                || connection.requests().iter().all(|request| request.complete)
                        })
                        .then_some(())
                },
            )
            .await;
        self.audit(name);
    }

    /// Both agents are served, each with the answer to what it asked.
    async fn served(&mut self, name: &str) {
        for (agent, sender) in [(&self.b, "b"), (&self.a, "a"), (&self.b, "b")] {
            self.turn += 1;
            let path = format!("/api/v1/agents/{}/after-{}", agent.id, self.turn);
            let answer = agent
                .request("GET", &format!("/minds-api-proxy{path}"))
                .header("x-sender", sender)
                .send()
                .await;
            assert_eq!(
                answer.status, 200,
                "{name}: {sender}'s next request: {answer}"
            );
            assert_eq!(
                answer.text(),
                format!("GET {path}"),
                "{name}: {sender} was given another's answer"
            );
            self.received.extend_from_slice(&answer.body);
        }
    }

    /// What the upstream, the other place, the clients and the log have seen is what they may see.
    fn audit(&self, name: &str) {
        for connection in self.upstream.connections() {
            assert_eq!(connection.failure(), None, "{name}: {connection}");
            assert!(
                connection.leftover().is_empty()
                    || connection.ended
                        && connection
                            .requests()
                            .last()
                            .is_some_and(|last| !last.complete),
                "{name}: bytes that belong to no request: {connection}"
            );
            for request in connection.requests() {
                self.audit_request(name, request);
            }
        }
        let elsewhere = self.elsewhere.connections();
        assert!(elsewhere.is_empty(), "{name}: {}", elsewhere[0]);
        let received = String::from_utf8_lossy(&self.received);
        assert!(
            !received.contains(KEY),
            "{name}: the key came back: {received}"
        );
        let log = self.gateway.process().stderr();
        assert!(!log.contains(KEY), "{name}: the key is in the log");
    }

    fn audit_request(&self, name: &str, request: &Message) {
        let agent = match request.all("x-sender").as_slice() {
            ["a"] => &self.a,
            ["b"] => &self.b,
            other => panic!("{name}: sent by {other:?}: {request:?}"),
        };
        let own = format!("/api/v1/agents/{}/", agent.id);
        let decoded = decoded(request.path());
        assert!(
            request.path().starts_with(&own) && decoded.starts_with(&own),
            "{name}: not the sender's path: {request:?}"
        );
        assert!(
            decoded.split(['/', '\\']).all(|segment| segment != ".."),
            "{name}: a path that leads up: {request:?}"
        );
        assert_eq!(
            request.all("authorization"),
            [format!("Bearer {KEY}")],
            "{name}: {request:?}"
        );
        assert_eq!(
            request.all("host"),
            [self.upstream.authority()],
            "{name}: {request:?}"
        );
        let secrets = [&self.a, &self.b].map(|agent| agent.header_lines());
        let fields = request.headers.iter().chain(&request.trailers);
        for (field, value) in fields {
            let field = field.to_ascii_lowercase();
            assert!(
                !field.starts_with("x-latchkey-gateway-")
                    && !matches!(
                        field.as_str(),
                        "proxy-authorization" | "keep-alive" | "upgrade" | "te" | "expect"
                    ),
                "{name}: {field} concerns nobody upstream: {request:?}"
            );
            let secret =
                value.len() > 20 && secrets.iter().any(|lines| lines.contains(value.as_str()));
            assert!(!secret, "{name}: a secret of the gateway's: {request:?}");
        }
        for (field, _) in &request.trailers {
            let field = field.to_ascii_lowercase();
            assert!(
                !matches!(
                    field.as_str(),
                    "authorization"
                        | "host"
                        | "content-length"
                        | "transfer-encoding"
                        | "connection"
                        | "trailer"
                ),
                "{name}: {field} as a trailer: {request:?}"
            );
        }
    }
}

/// A chunked body with this content, in one chunk.
pub fn chunked(content: &str) -> String {
    format!("{:x}\r\n{content}\r\n0\r\n\r\n", content.len())
}

/// The path with `%xx` resolved, once.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = (first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|code| std::str::from_utf8(code).ok())
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
