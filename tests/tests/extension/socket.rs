//! The control socket itself, and whoever speaks to it without being `mngr-latchkey extension`.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use end_to_end::{Gateway, Home, mode, within_patience};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::stage::{extension, gateway, json, sockets};

/// What is answered to exactly this, and then nothing more; it may be cut short by the answer.
async fn answers(socket: &Path, sent: &[u8]) -> Vec<Value> {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let _ = stream.write_all(sent).await;
    let _ = stream.shutdown().await;
    let mut text = Vec::new();
    let reading = stream.read_to_end(&mut text);
    let _ = within_patience("the gateway hangs up", reading).await;
    let text = String::from_utf8(text).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn only_socket(home: &Home) -> std::path::PathBuf {
    let found = sockets(home);
    let [socket] = &found[..] else {
        panic!("{found:?}");
    };
    socket.clone()
}

#[tokio::test]
async fn it_is_for_its_user_alone_and_goes_with_the_gateway() {
    let gateway = Gateway::start().await;
    let socket = only_socket(gateway.home());
    let name = format!("control-{}.sock", gateway.process().id());
    assert!(socket.ends_with(name), "{socket:?}");
    assert!(
        fs::symlink_metadata(&socket)
            .unwrap()
            .file_type()
            .is_socket()
    );
    assert_eq!(mode(&socket), 0o600);
    assert_eq!(mode(&gateway.home().extensions()), 0o700);
    let (_, home) = gateway.terminate().await;
    assert!(sockets(&home).is_empty(), "{:?}", sockets(&home));
}

#[tokio::test]
async fn a_gateway_that_was_started_without_the_option_is_reached_by_naming_its_directory() {
    let gateway = Gateway::in_home(Home::new()).by_environment().start().await;
    let listing = json(gateway.home(), ["list"]);
    assert_eq!(
        listing["gateways"][0]["pid"],
        gateway.process().id(),
        "{listing}"
    );
}

#[tokio::test]
async fn one_that_a_crash_left_behind_is_nobody_and_is_swept() {
    let home = gateway().await.kill().await;
    let left = only_socket(&home);
    let listing = extension(&home, ["list"]).expect_success();
    assert!(listing.stdout.starts_with("no gateway of "), "{listing}");
    let gateway = Gateway::in_home(home).start().await;
    let now = only_socket(gateway.home());
    assert_ne!(left, now);
    extension(gateway.home(), ["reload"]).expect_success();
}

#[tokio::test]
async fn each_line_is_a_request_and_has_one_line_for_an_answer() {
    let gateway = gateway().await;
    let socket = only_socket(gateway.home());
    let sent = b"{\"request\":\"list\"}\n{\"request\":\"reload\",\"extension\":\"echo\"}\n";
    let answers = answers(&socket, sent).await;
    assert_eq!(answers.len(), 2, "{answers:?}");
    for answer in &answers {
        assert_eq!(answer["pid"], gateway.process().id(), "{answer}");
        assert!(answer["started_at"].is_string(), "{answer}");
    }
    assert!(answers[0]["extensions"].is_array(), "{answers:?}");
    assert_eq!(
        answers[1]["reloaded"][0]["outcome"]["is"], "replaced",
        "{answers:?}"
    );
}

#[tokio::test]
async fn what_is_no_request_is_answered_with_what_is_wrong_and_harms_nobody() {
    let gateway = gateway().await;
    let socket = only_socket(gateway.home());
    let huge = vec![b'{'; 8 * 1024 * 1024];
    for sent in [
        &b"GET /permissions/available HTTP/1.1\r\n\r\n"[..],
        b"\n",
        b"\0\xff\xfe\n",
        b"{\"request\":\"shutdown\"}\n",
        b"{\"request\":\"list\"}{\"request\":\"list\"}\n",
        b"{\"request\":\"reload\",\"extension\":{}}\n",
        &huge,
    ] {
        let answers = answers(&socket, sent).await;
        let shown = String::from_utf8_lossy(&sent[..sent.len().min(60)]);
        let [answer] = &answers[..] else {
            panic!("{shown}: {answers:?}");
        };
        assert!(answer["error"].is_string(), "{shown}: {answer}");
    }
    json(gateway.home(), ["list"]);
    gateway.admin().get("/echo/count").await.expect(200);
}

#[tokio::test]
async fn who_says_nothing_or_does_not_end_is_let_go_and_keeps_nobody_waiting() {
    let gateway = gateway().await;
    let socket = only_socket(gateway.home());
    let mut silent = UnixStream::connect(&socket).await.unwrap();
    let mut endless = UnixStream::connect(&socket).await.unwrap();
    endless.write_all(b"{\"request\":").await.unwrap();
    json(gateway.home(), ["list"]);
    for stream in [&mut silent, &mut endless] {
        let mut said = Vec::new();
        let reading = stream.read_to_end(&mut said);
        let _ = within_patience("the gateway hangs up", reading).await;
        assert!(said.is_empty(), "{said:?}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_directory_that_is_too_long_for_an_address_has_one_all_the_same() {
    let home = Home::new().with_compiled_components();
    let parent = home.path().join("d".repeat(100));
    let directory = parent.join("e".repeat(100));
    fs::create_dir(&parent).unwrap();
    fs::rename(home.latchkey_directory(), &directory).unwrap();
    let command = home.command(["gateway", "--listen-port", "0", "--latchkey-directory"]);
    let process = command.argument(&directory).start();
    process
        .logged("the gateway listens", |line| {
            line.starts_with("The gateway listens on").then_some(())
        })
        .await;
    let listing = home
        .command(["extension", "list", "--latchkey-directory"])
        .argument(&directory)
        .run()
        .expect_success();
    let pid = format!("(pid {}, ", process.id());
    assert!(listing.stdout.contains(&pid), "{listing}");
}
