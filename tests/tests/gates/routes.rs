//! The routes, and that nothing can be asked for that has no gate.

use std::collections::BTreeSet;

use gates::{Field, Function, Gate, Grant};

use crate::stage::{Manifest, Stage, policy};

/// Everybody's way to the component, whatever it does then.
async fn status_of(stage: &Stage, target: &str) -> u16 {
    stage.gateway.admin().get(target).await.status
}

#[tokio::test]
async fn a_route_is_served_only_where_the_policy_names_it() {
    for (lines, too) in [
        ("", 404),
        ("routes = []\n", 404),
        ("routes = [\"POST /{name}/too/many\"]\n", 404),
        ("routes = [\"* /{name}/too/many\"]\n", 404),
        ("routes = [\"GET /{name}/{*rest}\"]\n", 404),
        ("routes = [\"GET /{name}/too/many\"]\n", 200),
    ] {
        let stage = Stage::set(Manifest::Gated, |name| lines.replace("{name}", name)).await;
        for built in &stage.components {
            let name = &built.name;
            let what = format!("{name} under {lines:?}");
            let too_many = status_of(&stage, &format!("/{name}/too/many")).await;
            assert_eq!(too_many, too, "{what}");
            let unnamed = status_of(&stage, &format!("/{name}/LogLog")).await;
            assert_eq!(unnamed, 404, "{what}");
            let route = format!("GET /{name}/{{function}}");
            let words = [name, &*route, "not granted"];
            stage
                .gateway
                .process()
                .logged(&format!("the log says {words:?}"), |line| {
                    words.iter().all(|word| line.contains(word)).then_some(())
                })
                .await;
        }
    }
}

#[tokio::test]
async fn a_route_that_only_the_policy_names_is_not_served() {
    let stage = Stage::set(Manifest::Modest, |name| {
        let all = Grant::all().collect();
        let named = format!("\"GET /{name}/too/many\", \"GET /permissions/{{name}}\", ");
        policy(name, &all).replace("routes = [", &format!("routes = [{named}"))
    })
    .await;
    for built in &stage.components {
        let name = &built.name;
        assert_eq!(status_of(&stage, &format!("/{name}/LogLog")).await, 200);
        assert_eq!(status_of(&stage, &format!("/{name}/too/many")).await, 404);
    }
}

#[test]
fn whatever_a_manifest_can_ask_for_opens_something_that_is_tested() {
    let opened: BTreeSet<_> = Function::ALL
        .iter()
        .filter_map(|function| match function.gate() {
            Gate::Granted(grant) => Some(grant),
            Gate::Open(_) => None,
        })
        // Opened for the clients, not for the extension: tested here.
        .chain([Grant::Route])
        .collect();
    for field in Field::ALL {
        for grant in field.grants() {
            assert!(opened.contains(grant), "{field:?}: nothing needs {grant:?}");
        }
    }
    assert_eq!(opened, Grant::all().collect());
}
