use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::server::Subject;
use super::*;
use crate::extensions::report::{Origin, Outcome, State};
use crate::store::durable;
use crate::store::paths::LatchkeyDirectory;

/// Has one extension, and remembers what it was told to reload.
#[derive(Default)]
struct Recorder(Mutex<Vec<Option<String>>>);

impl Subject for Recorder {
    fn report(&self) -> Vec<ExtensionReport> {
        vec![ExtensionReport {
            name: "notes".to_owned(),
            state: State::Disabled,
            origin: Origin::Installed,
            component: "/x/notes.wasm".into(),
            error: None,
            serving: None,
        }]
    }

    async fn reload(&self, extension: Option<&str>) -> Result<Vec<Reloaded>, String> {
        self.0.lock().unwrap().push(extension.map(str::to_owned));
        if extension == Some("unreadable") {
            return Err("the extensions directory cannot be read".to_owned());
        }
        Ok(vec![Reloaded {
            name: "notes".to_owned(),
            outcome: Outcome::Refused("it is broken".to_owned()),
        }])
    }
}

struct Scene {
    _root: tempfile::TempDir,
    directory: LatchkeyDirectory,
    subject: Arc<Recorder>,
    control: Option<Control>,
}

impl Scene {
    async fn set() -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = LatchkeyDirectory::new(root.path()).unwrap();
        durable::create_dir_all(&directory.extensions_dir()).unwrap();
        let subject = Arc::new(Recorder::default());
        let control = Control::start(&directory, Arc::clone(&subject)).await;
        assert!(control.is_some());
        Self {
            _root: root,
            directory,
            subject,
            control,
        }
    }

    /// What a client is answered that sends exactly this, and then nothing more.
    async fn answers(&self, sent: &[u8]) -> String {
        let pid = std::process::id();
        let stream = socket::connect(&self.directory.extensions_dir(), pid).await;
        let mut stream = stream.unwrap().unwrap();
        // One that is not listened to any more cannot send all of it.
        let _ = stream.write_all(sent).await;
        let _ = stream.shutdown().await;
        let mut answers = Vec::new();
        let _ = stream.read_to_end(&mut answers).await;
        String::from_utf8(answers).unwrap()
    }
}

#[tokio::test]
async fn a_gateway_says_who_it_is_and_how_its_extensions_stand() {
    let scene = Scene::set().await;
    let asked = ask(&scene.directory, &Request::List {}).await.unwrap();
    let [Asked { pid, answer }] = &asked[..] else {
        panic!("{asked:?}");
    };
    let (gateway, reply) = answer.as_ref().unwrap();
    assert_eq!(
        (*pid, gateway.pid),
        (std::process::id(), std::process::id())
    );
    assert!(
        matches!(reply, Reply::Extensions(reports) if reports[0].name == "notes"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn a_reload_is_passed_on_and_its_outcome_comes_back() {
    let scene = Scene::set().await;
    for extension in [None, Some("notes".to_owned())] {
        let request = Request::Reload {
            extension: extension.clone(),
        };
        let asked = ask(&scene.directory, &request).await.unwrap();
        let (_, reply) = asked[0].answer.as_ref().unwrap();
        let Reply::Reloaded(reloaded) = reply else {
            panic!("{reply:?}");
        };
        assert_eq!(
            reloaded[0].outcome,
            Outcome::Refused("it is broken".to_owned())
        );
    }
    let told = scene.subject.0.lock().unwrap();
    assert_eq!(*told, [None, Some("notes".to_owned())]);
}

#[tokio::test]
async fn a_reload_that_cannot_be_is_an_error() {
    let scene = Scene::set().await;
    let request = Request::Reload {
        extension: Some("unreadable".to_owned()),
    };
    let asked = ask(&scene.directory, &request).await.unwrap();
    let error = asked[0].answer.as_ref().unwrap_err().to_string();
    assert!(error.contains("cannot be read"), "{error}");
}

#[tokio::test]
async fn a_connection_may_ask_several_times() {
    let scene = Scene::set().await;
    let answers = scene
        .answers(b"{\"request\":\"list\"}\n{\"request\":\"reload\",\"extension\":\"x\"}\n{\"request\":\"list\"}")
        .await;
    let keys: Vec<_> = answers
        .lines()
        .map(|line| serde_json::from_str::<Response>(line).unwrap().reply)
        .collect();
    assert!(
        matches!(
            &keys[..],
            [
                Reply::Extensions(_),
                Reply::Reloaded(_),
                Reply::Extensions(_)
            ]
        ),
        "{answers}"
    );
}

#[tokio::test]
async fn what_is_no_request_is_named_and_ends_the_connection() {
    let scene = Scene::set().await;
    let huge = vec![b'['; 1_000_000];
    for (sent, expected) in [
        (
            &b"GET / HTTP/1.1\r\n\r\n{\"request\":\"list\"}\n"[..],
            "no request",
        ),
        (b"\n{\"request\":\"list\"}\n", "no request"),
        (b"\xff\xfe\n", "no request"),
        (b"{\"request\":\"stop\"}\n", "stop"),
        (b"{\"request\":\"list\",\"all\":true}\n", "all"),
        (b"{\"request\":\"reload\",\"extension\":7}\n", "no request"),
        (&huge, "longer than"),
    ] {
        let answers = scene.answers(sent).await;
        let [line] = answers.lines().collect::<Vec<_>>()[..] else {
            panic!("{answers}");
        };
        let response: Response = serde_json::from_str(line).unwrap();
        assert!(
            matches!(&response.reply, Reply::Error(detail) if detail.contains(expected)),
            "{line}"
        );
    }
    assert!(scene.subject.0.lock().unwrap().is_empty());
    let asked = ask(&scene.directory, &Request::List {}).await.unwrap();
    assert!(asked[0].answer.is_ok(), "{asked:?}");
}

#[tokio::test]
async fn who_says_nothing_or_never_ends_is_let_go() {
    let scene = Scene::set().await;
    let directory = scene.directory.extensions_dir();
    let is_let_go = async |begun: &[u8]| {
        let stream = socket::connect(&directory, std::process::id()).await;
        let mut stream = stream.unwrap().unwrap();
        stream.write_all(begun).await.unwrap();
        let mut answers = Vec::new();
        let _ = stream.read_to_end(&mut answers).await;
        answers.is_empty()
    };
    let (silent, endless) = tokio::join!(is_let_go(b""), is_let_go(b"{\"request\":"));
    assert!(silent && endless);
}

#[tokio::test]
async fn silent_clients_keep_nobody_else_from_asking() {
    let scene = Scene::set().await;
    let directory = scene.directory.extensions_dir();
    let mut silent = Vec::new();
    for _ in 0..8 {
        let stream = socket::connect(&directory, std::process::id()).await;
        silent.push(stream.unwrap().unwrap());
    }
    let asked = ask(&scene.directory, &Request::List {}).await.unwrap();
    assert!(asked[0].answer.is_ok(), "{asked:?}");
}

#[tokio::test]
async fn nobody_answers_where_no_gateway_runs() {
    let mut scene = Scene::set().await;
    scene.control = None;
    let asked = ask(&scene.directory, &Request::List {}).await.unwrap();
    assert!(asked.is_empty(), "{asked:?}");
}

#[tokio::test]
async fn a_gateway_that_cannot_have_a_socket_goes_without() {
    let root = tempfile::tempdir().unwrap();
    let directory = LatchkeyDirectory::new(&root.path().join("missing")).unwrap();
    let control = Control::start(&directory, Arc::new(Recorder::default())).await;
    assert!(control.is_none());
}
