//! Shared files over WebDAV: the verbs that a grant allows reach a real server, the others leave no trace there.

use std::ffi::OsStr;
use std::fs;

use end_to_end::{Agent, Ended, Gateway, KEY, Program, UPSTREAM_KEY, UPSTREAM_URL, WebDav, share};
use serde_json::json;

use crate::stage::{curl, gateway_before};

const FILES: &str = "/minds-api-proxy/api/v1/files";
const FOLDER: &str = "/home/me/papers";
const PLAN: &str = "/home/me/papers/plan.txt";
const READ: [&str; 4] = ["GET", "HEAD", "OPTIONS", "PROPFIND"];
const WRITE: [&str; 6] = ["PUT", "DELETE", "PROPPATCH", "MKCOL", "LOCK", "UNLOCK"];
/// Allowed by no grant.
const NEVER: [&str; 6] = ["COPY", "MOVE", "POST", "PATCH", "REPORT", "ACL"];

const PROPERTY: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<propertyupdate xmlns="DAV:"><set><prop><colour xmlns="urn:example:paint">blue</colour></prop></set></propertyupdate>"#;
const LOCK: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype><owner>an agent</owner></lockinfo>"#;

/// Files behind a gateway, and an agent that has been granted some of them.
struct Shared {
    webdav: WebDav,
    gateway: Gateway,
    agent: Agent,
}

impl Shared {
    /// The agent asks for `path`, and a person approves.
    async fn grant(path: &str, access: &str) -> Self {
        let webdav = WebDav::start("", KEY);
        webdav.write(PLAN, "the plan");
        webdav.write("/home/me/papers/old/draft.txt", "a draft");
        webdav.write("/home/me/papers-too/private.txt", "private");
        webdav.write("/home/me/Été à Nîmes/note 1.txt", "chaud");
        let gateway = gateway_before(&webdav.url()).await;
        let agent = gateway.agent("a").await;
        let this = Self {
            webdav,
            gateway,
            agent,
        };
        for verb in READ {
            this.refused(verb, path).await;
        }
        granted(&this.gateway, &this.agent, path, access).await;
        this
    }

    /// A path's URL; what may not stand in one is percent-encoded.
    fn url(&self, path: &str) -> String {
        let encoded: String = path
            .bytes()
            .map(|byte| match byte {
                b'!'..=b'~' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        format!("http://{}{FILES}{encoded}", self.gateway.address())
    }

    /// curl with the agent's token. The status is all that it writes to stderr.
    fn curl<A: AsRef<OsStr>>(
        &self,
        verb: &str,
        path: &str,
        options: impl IntoIterator<Item = A>,
    ) -> Program {
        let how = match verb {
            "HEAD" => vec!["--head"],
            verb => vec!["--request", verb],
        };
        curl(&self.gateway, &self.agent)
            .arguments(["--path-as-is", "--write-out", "%{stderr}%{http_code}"])
            .arguments(how)
            .arguments(options)
            .arguments([self.url(path)])
    }

    #[track_caller]
    fn expect(ended: Ended, status: &str) -> Ended {
        let ended = ended.expect_success();
        assert_eq!(ended.stderr, status, "{ended}");
        ended
    }

    async fn allowed(&self, verb: &str, path: &str, options: &[&str], status: &str) -> Ended {
        println!("{verb} {path}");
        Self::expect(self.curl(verb, path, options).run().await, status)
    }

    /// Such a request, complete with what its verb needs, is refused by the gateway itself.
    async fn refused(&self, verb: &str, path: &str) {
        println!("{verb} {path} shall be refused");
        let destination = format!("Destination: {}", self.url("/home/me/papers/new.txt"));
        let options: &[&str] = match verb {
            "PROPFIND" => &["--header", "Depth: 0"],
            "PUT" | "POST" | "PATCH" => &["--data-binary", "new"],
            "PROPPATCH" => &["--data", PROPERTY],
            "LOCK" => &["--data", LOCK],
            "UNLOCK" => &["--header", "Lock-Token: <urn:uuid:0>"],
            "COPY" | "MOVE" => &["--header", &destination],
            _ => &[],
        };
        let ended = self.allowed(verb, path, options, "403").await;
        if verb != "HEAD" {
            let error = json!({"error": "Error: Request not permitted by the user."});
            assert_eq!(ended.json(), error, "{ended}");
        }
    }

    /// What can be done by reading.
    async fn reads(&self) {
        let ended = self.allowed("GET", PLAN, &[], "200").await;
        assert_eq!(ended.text(), "the plan");
        let part = self.allowed("GET", PLAN, &["--range", "4-5"], "206").await;
        assert_eq!(part.text(), "pl");
        let ended = self.allowed("HEAD", PLAN, &[], "200").await;
        let head = ended.text().to_lowercase();
        assert!(head.contains("content-length: 8\r\n"), "{ended}");
        let ended = self.allowed("OPTIONS", PLAN, &["--include"], "200").await;
        assert!(
            ended.text().to_lowercase().contains("\r\ndav: 1,2"),
            "{ended}"
        );
        for folder in [FOLDER, "/home/me/papers/"] {
            let depth = ["--header", "Depth: 1"];
            let ended = self.allowed("PROPFIND", folder, &depth, "207").await;
            for listed in ["/papers/plan.txt</", "/papers/old/</"] {
                assert!(ended.text().contains(listed), "{listed}: {ended}");
            }
        }
    }
}

async fn granted(gateway: &Gateway, agent: &Agent, path: &str, access: &str) {
    let request = agent
        .post("/permission-requests", share(path, access))
        .await;
    let id = request.expect(201).id();
    gateway.admin().approve(id).await.expect(200);
}

#[tokio::test]
async fn a_read_grant_allows_to_read_and_nothing_else() {
    let shared = Shared::grant(FOLDER, "READ").await;
    shared.reads().await;
    let before = shared.webdav.files();
    for verb in WRITE.iter().chain(&NEVER) {
        shared.refused(verb, PLAN).await;
        shared.refused(verb, FOLDER).await;
        shared.refused(verb, "/home/me/papers/new.txt").await;
    }
    assert_eq!(shared.webdav.files(), before);
    let asked = shared.webdav.stop().await;
    assert!(!asked.is_empty());
    for line in asked {
        let verb = line.split(' ').next().unwrap();
        assert!(READ.contains(&verb), "{line}");
    }
}

#[tokio::test]
async fn a_write_grant_allows_to_change_files_where_they_are() {
    let shared = Shared::grant(FOLDER, "WRITE").await;
    shared.reads().await;

    let note = "/home/me/papers/note.txt";
    let put = ["--data-binary", "first"];
    shared.allowed("PUT", note, &put, "201").await;
    let upload = shared.curl("PUT", note, ["--upload-file", "-"]);
    Shared::expect(upload.run_with("from a pipe").await, "204");
    let files = shared.webdav.files();
    assert_eq!(files[note].as_deref(), Some("from a pipe"));

    let xml = ["--header", "Content-Type: application/xml", "--data"];
    let colour = [&xml[..], &[PROPERTY]].concat();
    let ended = shared.curl("PROPPATCH", note, &colour).run().await;
    let status = ended.expect_success().stderr;
    assert!(["204", "207"].contains(&status.as_str()), "{status}");
    let all = ["--header", "Depth: 0"];
    let ended = shared.allowed("PROPFIND", note, &all, "207").await;
    assert!(ended.text().contains(">blue<"), "{ended}");

    let folder = "/home/me/papers/new folder";
    shared.allowed("MKCOL", folder, &[], "201").await;
    assert!(shared.webdav.file(folder).is_dir());

    let lock = [&xml[..], &[LOCK, "--include"]].concat();
    let ended = shared.allowed("LOCK", note, &lock, "200").await;
    let mut fields = ended
        .text()
        .lines()
        .filter_map(|line| line.split_once(": "));
    let token = fields.find(|(name, _)| name.eq_ignore_ascii_case("lock-token"));
    let token = token.expect("a lock has a token").1.trim().to_owned();
    let locked = ["--data-binary", "without the token"];
    shared.allowed("PUT", note, &locked, "423").await;
    let field = format!("If: ({token})");
    let held = ["--data-binary", "with the token", "--header", &field];
    shared.allowed("PUT", note, &held, "204").await;
    let field = format!("Lock-Token: {token}");
    let unlock = ["--header", field.as_str()];
    shared.allowed("UNLOCK", note, &unlock, "204").await;
    let files = shared.webdav.files();
    assert_eq!(files[note].as_deref(), Some("with the token"));

    shared.allowed("DELETE", note, &[], "204").await;
    shared.allowed("DELETE", note, &[], "404").await;
    assert!(!shared.webdav.file(note).exists());

    let before = shared.webdav.files();
    for verb in NEVER {
        shared.refused(verb, PLAN).await;
        shared.refused(verb, FOLDER).await;
    }
    assert_eq!(shared.webdav.files(), before);
    for line in shared.webdav.stop().await {
        let verb = line.split(' ').next().unwrap();
        assert!(READ.contains(&verb) || WRITE.contains(&verb), "{line}");
    }
}

#[tokio::test]
async fn nothing_outside_of_a_grant_is_reached() {
    let shared = Shared::grant(FOLDER, "WRITE").await;
    let before = shared.webdav.files();
    for verb in READ.iter().chain(&WRITE).chain(&NEVER) {
        for path in [
            "/home/me",
            "/home/me/",
            "/home/me/papers-too/private.txt",
            "/home/me/papers.txt",
            "/home/me/papers/../papers-too/private.txt",
            "/home/me/papers/%2e%2e/papers-too/private.txt",
            "//home/me/papers/plan.txt",
        ] {
            shared.refused(verb, path).await;
        }
    }
    // The permission check cannot tell what a server makes of these: no server is asked.
    for path in [
        "/home/me/papers/..%2fpapers-too/private.txt",
        "/home/me/papers/..%5Cpapers-too/private.txt",
    ] {
        for verb in READ.iter().chain(&WRITE) {
            shared.allowed(verb, path, &[], "400").await;
        }
    }
    let other = shared.gateway.agent("b").await;
    let ended = curl(&shared.gateway, &other)
        .arguments(["--write-out", "%{stderr}%{http_code}"])
        .arguments([shared.url(PLAN)])
        .run()
        .await;
    Shared::expect(ended, "403");
    assert_eq!(shared.webdav.files(), before);
    assert_eq!(shared.webdav.stop().await, [""; 0]);
}

#[tokio::test]
async fn a_grant_on_a_name_with_spaces_and_accents_holds() {
    let shared = Shared::grant("/home/me/Été à Nîmes", "WRITE").await;
    let folder = "/home/me/Été à Nîmes";
    let note = format!("{folder}/note 1.txt");
    let ended = shared.allowed("GET", &note, &[], "200").await;
    assert_eq!(ended.text(), "chaud");
    let depth = ["--header", "Depth: 1"];
    let ended = shared.allowed("PROPFIND", folder, &depth, "207").await;
    assert!(ended.text().contains("/note%201.txt</"), "{ended}");
    let new = format!("{folder}/œuvre n° 2.txt");
    let put = ["--data-binary", "neuf"];
    shared.allowed("PUT", &new, &put, "201").await;
    let files = shared.webdav.files();
    assert_eq!(files[&new].as_deref(), Some("neuf"));
    shared.refused("GET", PLAN).await;
    shared.refused("MOVE", &note).await;
}

#[tokio::test]
async fn a_file_alone_can_be_shared() {
    let shared = Shared::grant(PLAN, "READ").await;
    let ended = shared.allowed("GET", PLAN, &[], "200").await;
    assert_eq!(ended.text(), "the plan");
    shared.refused("GET", "/home/me/papers/old/draft.txt").await;
    shared.refused("PROPFIND", FOLDER).await;
}

/// It can send no header of ours. So the gateway that it calls has no password, and for its default permissions the agent's.
/// It also compares the paths of a listing with the one that it asked for: the API lies where the gateway's clients see it.
#[tokio::test]
async fn cadaver_works_on_shared_files() {
    let webdav = WebDav::start("/minds-api-proxy", KEY);
    webdav.write(PLAN, "the plan");
    let gateway = gateway_before(&webdav.url()).await;
    let agent = gateway.agent("a").await;
    granted(&gateway, &agent, FOLDER, "WRITE").await;
    let permissions = agent.permissions.clone();
    let (_, home) = gateway.terminate().await;
    let gateway = Gateway::in_home(home)
        .by_environment()
        .environment("LATCHKEY_PERMISSIONS_CONFIG", permissions)
        .environment(UPSTREAM_URL, webdav.url())
        .environment(UPSTREAM_KEY, KEY)
        .start()
        .await;
    gateway.home().write("note.txt", "from cadaver", 0o600);
    let commands = [
        ("get plan.txt mine.txt", "Downloading", true),
        ("put note.txt", "Uploading", true),
        ("propset note.txt colour blue", "Setting property", true),
        ("lock note.txt", "Locking", true),
        ("unlock note.txt", "Unlocking", true),
        ("mkcol letters", "Creating", true),
        ("copy plan.txt copied.txt", "Copying", false),
        ("move plan.txt moved.txt", "Moving", false),
        ("ls", "Listing", true),
        ("delete note.txt", "Deleting `", true),
        ("rmcol letters", "Deleting collection", true),
    ];
    let session: String = commands
        .iter()
        .map(|(command, ..)| format!("{command}\n"))
        .collect();
    let before = webdav.files();
    let url = format!("http://{}{FILES}{FOLDER}/", gateway.address());
    let ended = Program::new("cadaver", gateway.home().path())
        .arguments([url])
        .run_with(session + "quit\n")
        .await
        .expect_success();

    println!("{ended}");
    let shown: Vec<&str> = ended.text().split("dav:").collect();
    for (command, does, succeeds) in commands {
        let result = shown
            .iter()
            .find_map(|line| line.split_once(&format!("> {command}\n")))
            .unwrap_or_else(|| panic!("{command} is not shown: {ended}"))
            .1;
        assert!(result.starts_with(does), "{command}: {result}");
        let end = if succeeds {
            "succeeded."
        } else {
            "failed:\n403 Forbidden"
        };
        assert!(result.contains(end), "{command}: {result}");
        if command == "ls" {
            for listed in ["letters", "plan.txt", "note.txt"] {
                assert!(result.contains(listed), "{result}");
            }
        }
    }
    let mine = gateway.home().path().join("mine.txt");
    assert_eq!(fs::read_to_string(mine).unwrap(), "the plan");
    assert_eq!(webdav.files(), before);
    let asked = webdav.stop().await;
    let was_asked = |verb: &str| {
        let mut verbs = asked.iter().filter_map(|line| line.split(' ').next());
        verbs.any(|asked| asked == verb)
    };
    for verb in READ.iter().filter(|verb| **verb != "HEAD").chain(&WRITE) {
        assert!(was_asked(verb), "{verb}: {asked:?}");
    }
    for verb in NEVER {
        assert!(!was_asked(verb), "{verb}: {asked:?}");
    }
}
