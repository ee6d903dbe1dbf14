//! A gateway under siege: one hostile component among neighbours that must not notice.

use end_to_end::{Answer, Caller, Follow, Gateway, GatewayOptions, Home, ask, component};

const NEIGHBOUR: &str = "echo";
const NEIGHBOURS_POLICY: &str = r#"routes = ["POST /echo", "GET /echo/count", "GET /echo/quiet"]"#;

/// What the gateway may hold beside what it held before, when an attack costs it nothing worth speaking of.
pub const LITTLE: u64 = 64 * 1024 * 1024;

/// The gateway, the person, and a follow stream of theirs that is open all the time.
pub struct Siege {
    pub gateway: Gateway,
    pub admin: Caller,
    name: String,
    follow: Follow,
    memory_before: u64,
}

impl Siege {
    /// One by the component `name`, granted the routes (one for each way that it has, or all by pattern) and whatever else
    /// stands in `policy`.
    pub async fn by(name: &str, policy: &str) -> Self {
        Self::in_home(Home::new(), name, policy).await
    }

    pub async fn in_home(home: Home, name: &str, policy: &str) -> Self {
        home.install(name, policy);
        Self::with(name, Gateway::in_home(neighbours_in(home))).await
    }

    /// One by changed bytes of it.
    pub async fn by_bytes(name: &str, bytes: &[u8], policy: &str) -> Self {
        let home = Home::new();
        home.install_bytes(name, bytes, policy);
        Self::with(name, Gateway::in_home(neighbours_in(home))).await
    }

    /// One whose gateway the test has prepared, in a home with [`neighbours_in`] it.
    pub async fn with(name: &str, options: GatewayOptions) -> Self {
        let gateway = options.start().await;
        let admin = gateway.admin();
        let follow = admin.follow().await;
        Self {
            memory_before: most_memory(&gateway),
            gateway,
            admin,
            name: name.to_owned(),
            follow,
        }
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.admin.get(target).await
    }

    /// A request that nobody waits for here.
    pub fn attack(&self, target: &str) -> tokio::task::JoinHandle<Answer> {
        let (admin, target) = (self.admin.clone(), target.to_owned());
        tokio::spawn(async move { admin.get(&target).await })
    }

    /// The log names the component, and says all of this.
    pub async fn named(&self, words: &[&str]) -> String {
        let what = format!("the log says of {} {words:?}", self.name);
        self.gateway
            .process()
            .logged(&what, |line| {
                let all = words.iter().all(|word| line.contains(word));
                (all && line.contains(&self.name)).then(|| line.to_owned())
            })
            .await
    }

    /// Everybody else is served, and what was open is open.
    pub async fn assert_others_unharmed(&mut self) {
        for route in ["/echo/count", "/permissions/self", "/permissions/available"] {
            self.admin.get(route).await.expect(200);
        }
        let asked = ask("slack-api", ["slack-read-all"]);
        let request = self.admin.post("/permission-requests", asked).await;
        assert_eq!(self.follow.next_id().await, request.expect(201).id());
    }

    /// The gateway never held much more than before the attack.
    #[track_caller]
    pub fn assert_memory_below(&self, more: u64) {
        let grown = most_memory(&self.gateway).saturating_sub(self.memory_before);
        assert!(
            grown <= more,
            "the gateway took {} MiB more, and {} are allowed",
            grown >> 20,
            more >> 20
        );
    }
}

/// The home, with somebody in it who must not notice.
pub fn neighbours_in(home: Home) -> Home {
    home.install(NEIGHBOUR, NEIGHBOURS_POLICY);
    home
}

/// The component with another text in the place of a long one that is filled up with spaces.
pub fn with_claim(name: &str, placeholder: &str, claim: &str) -> Vec<u8> {
    const LENGTH: usize = 128;
    let padded = |text: &str| format!("{text:LENGTH$}").into_bytes();
    let mut bytes = component(name);
    let start = bytes
        .windows(LENGTH)
        .position(|window| window == padded(placeholder));
    let start = start.expect("the component has the placeholder");
    bytes[start..start + LENGTH].copy_from_slice(&padded(claim));
    bytes
}

#[cfg(target_os = "linux")]
fn most_memory(gateway: &Gateway) -> u64 {
    end_to_end::most_memory(gateway.process().id())
}

/// Elsewhere nobody looks.
#[cfg(not(target_os = "linux"))]
fn most_memory(_: &Gateway) -> u64 {
    0
}
