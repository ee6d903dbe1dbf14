//! Components that reach for what is not theirs.
//!
//! | component | wants | gets |
//! |---|---|---|
//! | `reads-files` | to read, write, list, link and remove files | a trap: nobody has files |
//! | `reads-environment` | variables and arguments | none: they are empty |
//! | `opens-sockets` | to connect, listen and send datagrams | a trap: nobody has sockets |
//! | `reads-documents` | pending requests: read, forged, deleted | refusals |
//! | `reads-settings` | keys and passwords | nothing, and is not served when it asks for what opens the gateway |
//! | `listens-in` | the topic of pending requests | refusals |

use end_to_end::{Gateway, Home, Upstream, ask};

use crate::stage::{Siege, neighbours_in, with_claim};

const SECRET: &str = "what nobody may read";

#[tokio::test]
async fn files_are_neither_read_nor_written() {
    let home = Home::new();
    let secret = home.write("secret", SECRET, 0o644);
    let planted = home.path().join("planted");
    let mut siege = Siege::in_home(
        home,
        "reads-files",
        r#"routes = ["GET /reads-files/{way}"]"#,
    )
    .await;
    let (secret, planted) = (secret.to_str().unwrap(), planted.to_str().unwrap());
    for (way, path) in [
        ("read", secret),
        ("read", "/etc/passwd"),
        ("read", "../../secret"),
        ("list", "/"),
        ("list", "."),
        ("write", planted),
        ("write", "planted"),
        ("link", secret),
        ("remove", secret),
    ] {
        let answer = siege.get(&format!("/reads-files/{way}?path={path}")).await;
        assert!(matches!(answer.status, 403 | 500 | 503), "{answer}");
        assert!(!answer.text().contains(SECRET), "{answer}");
    }
    assert_eq!(std::fs::read_to_string(secret).unwrap(), SECRET);
    assert!(!std::path::Path::new(planted).exists());
    siege.named(&["wasi:filesystem", "not provided"]).await;
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn the_environment_is_empty() {
    let home = neighbours_in(Home::new());
    home.install(
        "reads-environment",
        r#"routes = ["GET /reads-environment/{way}"]"#,
    );
    let options = Gateway::in_home(home).environment("SECRET", SECRET);
    let mut siege = Siege::with("reads-environment", options).await;
    for way in ["variables", "arguments"] {
        let answer = siege.get(&format!("/reads-environment/{way}")).await;
        assert_eq!(answer.expect(200).text(), "[]");
    }
    for name in ["SECRET", "HOME", "PATH", "LATCHKEY_ENCRYPTION_KEY"] {
        let answer = siege
            .get(&format!("/reads-environment/one?name={name}"))
            .await;
        answer.expect(403);
    }
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn no_socket_is_opened() {
    let upstream = Upstream::start().await;
    let mut siege = Siege::by("opens-sockets", r#"routes = ["GET /opens-sockets/{way}"]"#).await;
    let own = siege.gateway.address().to_string();
    for (way, to) in [
        ("connect", upstream.authority()),
        ("connect", own),
        ("connect", "localhost:22".to_owned()),
        ("listen", "127.0.0.1:0".to_owned()),
        ("datagram", upstream.authority()),
    ] {
        let answer = siege.get(&format!("/opens-sockets/{way}?to={to}")).await;
        assert!(matches!(answer.status, 403 | 500 | 503), "{answer}");
    }
    assert!(upstream.connections().is_empty());
    siege.named(&["wasi:sockets", "not provided"]).await;
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn the_documents_of_others_stay_theirs() {
    let policy = r#"
        routes = ["GET /reads-documents/{way}"]
        collections = ["reads_documents"]
    "#;
    let siege = Siege::by("reads-documents", policy).await;
    let request = siege
        .admin
        .post("/permission-requests", ask("slack-api", ["slack-read-all"]));
    let id = request.await.expect(201).id();
    let file = siege
        .gateway
        .home()
        .pending_requests()
        .join(format!("{id}.json"));
    let before = std::fs::read(&file).unwrap();
    let of = |way: &str, collection: &str, name: &str| {
        format!("/reads-documents/{way}?collection={collection}&name={name}")
    };
    for (way, name) in [
        ("list", ""),
        ("get", &*id),
        ("delete", &*id),
        ("put", "forged"),
    ] {
        let answer = siege.get(&of(way, "permission_requests/v2", name)).await;
        assert!(answer.text().contains("not granted"), "{answer}");
        answer.expect(403);
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);
    assert!(!file.with_file_name("forged.json").exists());
    siege
        .named(&["documents", "permission_requests/v2", "not granted"])
        .await;
    siege
        .get(&of("put", "reads_documents", "own"))
        .await
        .expect(200);
    siege
        .get(&of("get", "reads_documents", "own"))
        .await
        .expect(200);
    let pending = siege.admin.pending().await;
    assert_eq!(pending.len(), 1, "{pending:?}");
    assert!(siege.get("/echo/count").await.status == 200);
}

#[tokio::test]
async fn settings_that_are_not_granted_read_as_nothing() {
    let home = neighbours_in(Home::new());
    let policy = r#"
        routes = ["GET /reads-settings"]
        settings = ["COLOUR", "PATH"]
    "#;
    home.install("reads-settings", policy);
    let options = Gateway::in_home(home)
        .environment("COLOUR", "green")
        .environment("LATCHKEY_EXTENSION_MINDS_API_KEY", SECRET);
    let mut siege = Siege::with("reads-settings", options).await;
    let granted = siege.get("/reads-settings?name=COLOUR").await.expect(200);
    assert_eq!(granted.text(), "green");
    // Asked for and not granted, granted and not asked for, neither, and no name at all.
    for name in [
        "LATCHKEY_EXTENSION_MINDS_API_KEY",
        "PATH",
        "HOME",
        "colour",
        "",
        "%00",
        "COLOUR%00",
    ] {
        let answer = siege.get(&format!("/reads-settings?name={name}")).await;
        assert_eq!(answer.expect(403).text(), "nothing");
    }
    siege
        .named(&[
            "settings",
            "LATCHKEY_EXTENSION_MINDS_API_KEY",
            "not granted",
        ])
        .await;
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn nobody_gets_the_settings_that_open_the_gateway() {
    for setting in [
        "LATCHKEY_ENCRYPTION_KEY",
        "LATCHKEY_GATEWAY_LISTEN_PASSWORD",
    ] {
        let bytes = with_claim("reads-settings", "READS_SETTINGS_CLAIM", setting);
        let policy = format!("routes = [\"GET /reads-settings\"]\nsettings = [\"{setting}\"]");
        let mut siege = Siege::by_bytes("reads-settings", &bytes, &policy).await;
        siege
            .get(&format!("/reads-settings?name={setting}"))
            .await
            .expect(404);
        siege.named(&["ERROR", setting]).await;
        siege.assert_others_unharmed().await;
    }
}

#[tokio::test]
async fn the_topics_of_others_are_neither_heard_nor_spoken_on() {
    let policy = r#"
        routes = ["GET /listens-in/publish", "GET /listens-in/subscribe"]
        topics = ["listens-in"]
    "#;
    let mut siege = Siege::by("listens-in", policy).await;
    for way in ["publish", "subscribe"] {
        let answer = siege
            .get(&format!("/listens-in/{way}?topic=permission-requests"))
            .await;
        assert!(answer.text().contains("not granted"), "{answer}");
        answer.expect(403);
    }
    siege
        .named(&["events", "permission-requests", "not granted"])
        .await;
    let mut own = siege
        .admin
        .follow_at("/listens-in/subscribe?topic=listens-in")
        .await;
    assert_eq!(own.next_line().await, "open");
    let reached = siege
        .get("/listens-in/publish?topic=listens-in")
        .await
        .expect(200);
    assert_eq!(reached.text(), "1\n");
    assert_eq!(own.next_id().await, "forged");
    // The next that comes on the follow stream is a real request.
    siege.assert_others_unharmed().await;
}
