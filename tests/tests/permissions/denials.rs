//! Denied requests: what the agent is told, and what the operator finds in the log.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::{Answer, Gateway, Home, Supervisor, eventually};
use serde_json::{Value, json};

const DENIED: &str = r#"{"error":"Error: Request not permitted by the user."}"#;
const HEADER: &str = "x-latchkey-gateway-request-id";

/// The id of a 403, which tells the agent nothing else.
#[track_caller]
fn id(answer: &Answer) -> String {
    assert_eq!(answer.status, 403, "{answer}");
    let id = answer.header(HEADER).to_owned();
    assert!(
        id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{id:?}: {answer}"
    );
    let mut names: Vec<&str> = answer.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "content-type", "date", HEADER]);
    id
}

/// All records of a home's log.
fn records(home: &Home) -> Vec<Value> {
    let text = fs::read_to_string(home.plugin_data().join("events.jsonl")).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// The record with this id, as soon as it is there.
async fn record(home: &Home, id: &str) -> Value {
    let mut found = Value::Null;
    eventually("the log has the denial", async || {
        let record = records(home)
            .into_iter()
            .find(|record| record["request_id"] == id);
        found = record.unwrap_or_default();
        !found.is_null()
    })
    .await;
    found
}

fn request(record: &Value) -> Value {
    serde_json::from_str(record["request"].as_str().expect("a request")).expect("JSON")
}

/// The permissions file of a record; agents name theirs by a handle.
fn file_of(record: &Value) -> PathBuf {
    let named = Path::new(record["permissions_file"].as_str().expect("a file"));
    fs::canonicalize(named).expect("the file is there")
}

#[tokio::test]
async fn a_denial_tells_the_agent_an_id_and_the_operator_the_reason() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let answer = agent
        .request("POST", "/permission-requests/approve/x?note=hello")
        .header("user-agent", "agent/1")
        .header("content-type", "application/json")
        .body("{}")
        .send()
        .await;
    assert_eq!(answer.text(), DENIED);
    let id = id(&answer);
    let record = record(gateway.home(), &id).await;
    for (name, expected) in [
        ("level", json!("INFO")),
        ("target", json!("mngr_latchkey::gateway::denials")),
        ("verdict", json!("deny")),
        ("enforced", json!(true)),
        ("host", json!(agent.host_id)),
        ("rule_index", json!(1)),
        ("rule_scope", json!("latchkey-self")),
    ] {
        assert_eq!(record[name], expected, "{name}: {record}");
    }
    assert_eq!(file_of(&record), agent.permissions, "{record}");
    let request = request(&record);
    assert_eq!(request["method"], "POST", "{request}");
    assert_eq!(request["path"], "/permission-requests/approve/x");
    assert_eq!(request["queryParams"], json!({"note": "hello"}));
    assert_eq!(request["headers"]["user-agent"], "agent/1");
    assert_eq!(request["headers"]["content-type"], "application/json");
    assert_eq!(request.get("body"), None);
    eventually("the denial is printed, too", async || {
        let printed = gateway.process().stderr();
        printed.contains(&id) && printed.contains("rule 1 (latchkey-self)")
    })
    .await;
    let printed = gateway.process().stderr();
    assert!(
        !printed.contains("queryParams"),
        "that is for programs: {printed}"
    );
}

#[tokio::test]
async fn a_denial_by_no_rule_names_none() {
    let gateway = Gateway::start().await;
    let answer = gateway.guest().get("/permissions/self").await;
    assert_eq!(answer.text(), DENIED);
    let record = record(gateway.home(), &id(&answer)).await;
    assert_eq!(record.get("rule_index"), None, "{record}");
    assert_eq!(record.get("host"), None, "{record}");
    let default = gateway.home().default_permissions();
    assert_eq!(record["permissions_file"], json!(default));
}

#[tokio::test]
async fn a_file_that_cannot_decide_is_a_warning_with_the_detail() {
    let gateway = Gateway::start().await;
    let file = gateway
        .home()
        .permissions_file("broken.json", &json!({"rules": [{"no-such-scope": []}]}));
    let answer = gateway.bearer_of(&file).get("/permissions/self").await;
    let told = answer.error();
    let detail = told.strip_prefix("Error: Permission check failed: ");
    let record = record(gateway.home(), &id(&answer)).await;
    assert_eq!(record["level"], "WARN", "{record}");
    assert_eq!(record["verdict"], "error", "{record}");
    assert_eq!(record["error"].as_str(), detail, "{record}");
}

#[tokio::test]
async fn the_rule_of_an_included_file_is_named_with_that_file() {
    let gateway = Gateway::start().await;
    let included = json!({"rules": [{"any": []}]});
    let included = gateway.home().permissions_file("included.json", &included);
    let file = gateway
        .home()
        .permissions_file("root.json", &json!({"include": ["included.json"]}));
    let answer = gateway.bearer_of(&file).get("/x").await;
    let record = record(gateway.home(), &id(&answer)).await;
    assert_eq!(record["rule_file"], json!(included), "{record}");
    assert_eq!(record["rule_scope"], "any", "{record}");
}

#[tokio::test]
async fn no_secret_of_a_denied_request_is_in_the_log() {
    const SECRET: &str = "s3cret-5b2f";
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let target = format!(
        "/minds-api-proxy/x?access_token={SECRET}&api_key={SECRET}&Signature={SECRET}&code={SECRET}&q=plain"
    );
    let answer = agent
        .request("POST", &target)
        .header("authorization", &format!("Bearer {SECRET}"))
        .header("cookie", &format!("session={SECRET}"))
        .header("x-custom", SECRET)
        .header("x-latchkey-gateway-account", SECRET)
        .body(SECRET)
        .send()
        .await;
    let record = record(gateway.home(), &id(&answer)).await;
    let request = request(&record);
    assert_eq!(request["queryParams"]["q"], "plain", "{request}");
    let parameters = request["queryParams"].as_object().unwrap();
    assert!(parameters.contains_key("access_token"), "{request}");
    let headers = request["headers"].as_object().unwrap();
    assert_eq!(
        headers.get("authorization"),
        Some(&Value::Null),
        "{request}"
    );
    assert!(
        !headers.keys().any(|name| name.contains("latchkey")),
        "{request}"
    );
    let log = fs::read_to_string(gateway.home().plugin_data().join("events.jsonl")).unwrap();
    let password = gateway.keys().password();
    for secret in [SECRET, &password] {
        assert!(!log.contains(secret), "{secret} is in the log");
        assert!(
            !gateway.process().stderr().contains(secret),
            "{secret} is on stderr"
        );
    }
}

#[tokio::test]
async fn ids_are_unique_across_gateways_and_restarts() {
    let mut ids = HashSet::new();
    let mut home = Home::new();
    for _ in 0..3 {
        let gateway = Gateway::in_home(home).start().await;
        for _ in 0..20 {
            ids.insert(id(&gateway.guest().get("/x").await));
        }
        home = gateway.terminate().await.1;
    }
    assert_eq!(ids.len(), 60);
    let logged: HashSet<String> = records(&home)
        .iter()
        .filter_map(|record| record["request_id"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(
        logged, ids,
        "what was logged is there when the gateway has ended"
    );
}

#[tokio::test]
async fn what_is_no_denial_by_permissions_has_no_id() {
    let gateway = Gateway::start().await;
    for answer in [
        gateway
            .stranger()
            .get("/permissions/self")
            .await
            .expect(401),
        gateway.admin().get("/nowhere").await.expect(404),
        gateway
            .admin()
            .get("/permissions/available")
            .await
            .expect(200),
    ] {
        assert_eq!(answer.headers.get(HEADER), None, "{answer}");
    }
}

#[tokio::test]
async fn a_supervised_gateway_s_denials_are_in_the_same_log() {
    let supervisor = Supervisor::start().await;
    let answer = supervisor.agent("a").get("/permission-requests").await;
    let id = id(&answer);
    let record = record(supervisor.home(), &id).await;
    assert_eq!(
        record["target"], "mngr_latchkey::gateway::denials",
        "{record}"
    );
    assert_eq!(record["verdict"], "deny", "{record}");
}

#[tokio::test]
async fn a_gateway_by_environment_keeps_that_log_where_there_is_its_directory() {
    let home = Home::new();
    let plain = Gateway::in_home(home).by_environment().start().await;
    let answer = plain.guest().get("/x").await;
    let unlogged = id(&answer);
    let log = plain.home().plugin_data().join("events.jsonl");
    assert!(!log.exists(), "nobody else has made that directory");
    plain
        .process()
        .logged("the denial on stderr", |line| {
            line.contains(&unlogged).then_some(())
        })
        .await;
    let (_, home) = plain.terminate().await;
    fs::create_dir(home.plugin_data()).unwrap();
    let gateway = Gateway::in_home(home).by_environment().start().await;
    let answer = gateway.guest().get("/x").await;
    let record = record(gateway.home(), &id(&answer)).await;
    assert_eq!(record["verdict"], "deny", "{record}");
}

#[tokio::test]
async fn a_flood_is_counted_and_does_not_take_another_agents_room() {
    const FLOOD: usize = 1500;
    let gateway = Gateway::start().await;
    let (loud, quiet) = (gateway.agent("loud").await, gateway.agent("quiet").await);
    let mut last = String::new();
    for _ in 0..FLOOD {
        last = id(&loud.get("/permissions/rules?path=x&rule_key=y").await);
    }
    let calm = id(&quiet.get("/permission-requests").await);
    let (_, home) = gateway.terminate().await;
    let records = records(&home);
    let of_loud: Vec<&Value> = records
        .iter()
        .filter(|record| record["permissions_file"].is_string())
        .filter(|record| file_of(record) == loud.permissions)
        .collect();
    let single = of_loud
        .iter()
        .filter(|record| record["request_id"].is_string())
        .count();
    let counted: u64 = of_loud
        .iter()
        .filter_map(|record| record["count"].as_u64())
        .sum();
    assert_eq!(single + usize::try_from(counted).unwrap(), FLOOD);
    assert!(
        (50..FLOOD / 2).contains(&single),
        "{single} were logged one by one"
    );
    assert!(!records.iter().any(|record| record["request_id"] == last));
    assert!(records.iter().any(|record| record["request_id"] == calm));
}
