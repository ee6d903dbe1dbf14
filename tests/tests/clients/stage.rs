//! A gateway that stands before a Minds API, and an agent of it.

use std::ffi::OsStr;

use end_to_end::{
    Agent, Caller, Gateway, Home, KEY, MindsApi, Program, UPSTREAM_KEY, UPSTREAM_URL,
};

pub struct Stage {
    pub gateway: Gateway,
    pub api: MindsApi,
    pub agent: Agent,
}

impl Stage {
    pub async fn set() -> Self {
        let api = MindsApi::start().await;
        let gateway = gateway_before(&api.url()).await;
        let agent = gateway.agent("a").await;
        Self {
            gateway,
            api,
            agent,
        }
    }

    /// A path below the agent's own, as a client names it.
    pub fn url(&self, path: &str) -> String {
        self.url_of(&self.agent, path)
    }

    pub fn url_of(&self, agent: &Agent, path: &str) -> String {
        let (gateway, id) = (self.gateway.address(), &agent.id);
        format!("http://{gateway}/minds-api-proxy/api/v1/agents/{id}/{path}")
    }

    /// curl with the agent's headers.
    pub fn curl<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Program {
        curl(&self.gateway, &self.agent).arguments(arguments)
    }

    /// The gateway and the API behind it still serve.
    pub async fn lives(&self) {
        let path = format!("/minds-api-proxy/api/v1/agents/{}/request", self.agent.id);
        self.agent.get(&path).await.expect(200);
    }
}

/// A gateway whose Minds API is at `url`.
pub async fn gateway_before(url: &str) -> Gateway {
    Gateway::in_home(Home::new())
        .environment(UPSTREAM_URL, url)
        .environment(UPSTREAM_KEY, KEY)
        .start()
        .await
}

/// curl with a caller's headers, silent but for errors.
pub fn curl(gateway: &Gateway, caller: &Caller) -> Program {
    let lines = caller.header_lines();
    let headers = lines.lines().flat_map(|line| ["--header", line]);
    Program::new("curl", gateway.home().path())
        .arguments(["--disable", "--silent", "--show-error"])
        .arguments(headers)
}
