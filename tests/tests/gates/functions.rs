//! Every function of every version of the world, under every kind of policy: what is granted works, and nothing else does.

use std::collections::BTreeSet;

use end_to_end::{Gateway, Home, eventually};
use gates::{Function, Gate, Grant};

use crate::stage::{Built, Manifest, Stage, policy, way_in};
use crate::table::{
    Caller, assert_gives_nothing, caller, gives, logged_capability, refusal, shows,
};

/// The functions that the component of this version calls.
fn functions_of(built: &Built) -> impl Iterator<Item = Function> {
    let version = built.version;
    let has = move |function: &Function| {
        function.versions().contains(&version) && caller(*function) == Caller::Each
    };
    Function::ALL.iter().copied().filter(has)
}

/// What these grants open.
fn is_open(function: Function, grants: &BTreeSet<Grant>) -> bool {
    match function.gate() {
        Gate::Open(_) => true,
        // Who may edit may read.
        Gate::Granted(Grant::ReadPermissionFiles) => {
            grants.contains(&Grant::ReadPermissionFiles)
                || grants.contains(&Grant::EditPermissionFiles)
        }
        Gate::Granted(grant) => grants.contains(&grant),
    }
}

/// Has the components call everything: what `open` lets through works, and all else is refused, in vain, and named in the log.
async fn assert_open(stage: &Stage, open: impl Fn(Function) -> bool) {
    for built in &stage.components {
        for function in functions_of(built) {
            let answer = stage.call(built, function).await;
            let what = format!("{function:?} of {}: {answer}", built.name);
            if open(function) {
                assert_eq!(answer.status, 200, "{what}");
                assert!(answer.text().contains(gives(function)), "{what}");
                eventually(&what, async || shows(function, built, stage) != Some(false)).await;
            } else {
                assert_eq!(answer.status, 403, "{what}");
                assert!(answer.text().contains(refusal(function)), "{what}");
                assert_gives_nothing(&answer);
                assert_ne!(shows(function, built, stage), Some(true), "{what}");
                let Gate::Granted(grant) = function.gate() else {
                    panic!("{what}")
                };
                assert_logged(stage, built, grant).await;
            }
        }
    }
}

async fn assert_logged(stage: &Stage, built: &Built, grant: Grant) {
    let words = [&built.name, logged_capability(grant), "not granted"];
    let process = stage.gateway.process();
    process
        .logged(&format!("the log says {words:?}"), |line| {
            words.iter().all(|word| line.contains(word)).then_some(())
        })
        .await;
}

fn all_grants() -> BTreeSet<Grant> {
    Grant::all().collect()
}

/// Under exactly these grants, what they open works and nothing else.
async fn assert_grants_open_their_gates_alone(grants: &BTreeSet<Grant>) {
    let stage = Stage::set(Manifest::Gated, |name| policy(name, grants)).await;
    assert_open(&stage, |function| is_open(function, grants)).await;
}

#[tokio::test]
async fn a_policy_that_grants_nothing_opens_no_gate() {
    assert_grants_open_their_gates_alone(&BTreeSet::new()).await;
}

#[tokio::test]
async fn a_policy_of_empty_lists_opens_no_gate() {
    let stage = Stage::set(Manifest::Gated, |name| {
        way_in(name)
            + "collections = []\ntopics = []\nsettings = []\nupstreams = []\n\
               permission_files = \"none\"\ncatalog = false\n"
    })
    .await;
    assert_open(&stage, |function| is_open(function, &BTreeSet::new())).await;
}

#[tokio::test]
async fn a_policy_that_grants_everything_opens_every_gate() {
    assert_grants_open_their_gates_alone(&all_grants()).await;
}

#[tokio::test]
async fn each_grant_opens_its_own_gate_and_no_other() {
    for grant in Grant::all() {
        eprintln!("exactly {grant:?}");
        assert_grants_open_their_gates_alone(&BTreeSet::from([grant])).await;
    }
}

#[tokio::test]
async fn all_grants_but_one_leave_its_gate_closed() {
    for left_out in Grant::all() {
        eprintln!("all but {left_out:?}");
        let mut grants = all_grants();
        grants.remove(&left_out);
        if left_out == Grant::ReadPermissionFiles {
            // The greater one includes it.
            grants.remove(&Grant::EditPermissionFiles);
        }
        assert_grants_open_their_gates_alone(&grants).await;
    }
}

#[tokio::test]
async fn what_the_manifest_does_not_ask_for_no_policy_opens() {
    let stage = Stage::set(Manifest::Modest, |name| policy(name, &all_grants())).await;
    assert_open(&stage, |function| is_open(function, &BTreeSet::new())).await;
}

#[tokio::test]
async fn what_a_later_version_brought_is_open_without_a_grant_when_it_needs_none() {
    let later: Vec<_> = Function::ALL
        .iter()
        .filter(|function| caller(**function) == Caller::Timely)
        .collect();
    assert!(
        later
            .iter()
            .all(|function| matches!(function.gate(), Gate::Open(_))),
        "{later:?}"
    );
    let home = Home::new();
    home.install("timely", "routes = [\"GET /timely\"]\n");
    let gateway = Gateway::in_home(home).start().await;
    gateway.admin().get("/timely").await.expect(200);
}
