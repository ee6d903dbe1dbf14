//! A gateway with a component that calls whatever is wanted, built for each version of the world, under one policy.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use end_to_end::{Answer, Gateway, Home, Script, Upstream, component};
use gates::{Function, Grant, VERSIONS};

/// In everything that an extension gets only by a grant.
pub const SECRET: &str = "what-a-grant-gives";

/// The components of the tests: one asks for everything, the other for nothing but its route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manifest {
    Gated,
    Modest,
}

/// One of the components, as it was built for one version of the world.
#[derive(Clone, Debug)]
pub struct Built {
    pub name: String,
    pub version: &'static str,
}

impl Manifest {
    fn stem(self) -> &'static str {
        match self {
            Self::Gated => "gated",
            Self::Modest => "modest",
        }
    }

    /// The component for each version that the gateway hosts.
    pub fn versions(self) -> Vec<Built> {
        let numbered = (1..).zip(VERSIONS);
        numbered
            .map(|(number, version)| Built {
                name: format!("{}{number}", self.stem()),
                version,
            })
            .collect()
    }

    /// What is built is for the first version. The later ones have all that it uses, and names and versions are of one length,
    /// so that the sections of the component keep theirs.
    fn bytes(self, built: &Built) -> Vec<u8> {
        let [first, ..] = VERSIONS else {
            panic!("no version is hosted")
        };
        let of_first = format!("{}1", self.stem());
        let mut bytes = component(&of_first);
        replace(&mut bytes, &of_first, &built.name);
        // As long as an interface does not change, it keeps the version that it had.
        for interface in ["client", "handler", "lifecycle"] {
            replace(
                &mut bytes,
                &format!("mngr:gateway/{interface}@{first}"),
                &format!("mngr:gateway/{interface}@{}", built.version),
            );
        }
        bytes
    }
}

fn replace(bytes: &mut [u8], from: &str, to: &str) {
    assert_eq!(from.len(), to.len(), "{from} and {to}");
    let mut start = 0;
    while let Some(found) = bytes[start..]
        .windows(from.len())
        .position(|window| window == from.as_bytes())
    {
        start += found;
        let end = start + from.len();
        bytes[start..end].copy_from_slice(to.as_bytes());
        start = end;
    }
}

/// A gateway in which everything is there that could be reached.
pub struct Stage {
    pub gateway: Gateway,
    pub upstream: Upstream,
    pub components: Vec<Built>,
}

impl Stage {
    /// With the same policy for the component of each version; `policy` is told its name.
    pub async fn set(manifest: Manifest, policy: impl Fn(&str) -> String) -> Self {
        let home = Home::new();
        let components = manifest.versions();
        for built in &components {
            home.install_bytes(&built.name, &manifest.bytes(built), &policy(&built.name));
            let name = &built.name;
            for document in ["old", "kept"] {
                let path = format!("latchkey/{name}/{document}.json");
                home.write(&path, &format!("{{\"is\": \"{SECRET}\"}}"), 0o600);
            }
            home.write(
                &format!("latchkey/mngr_latchkey/{name}.json"),
                &format!("{{\"rules\": [{{\"{SECRET}\": [\"any\"]}}]}}"),
                0o600,
            );
        }
        let upstream = Upstream::start().await;
        upstream.answer(Script::text(200, SECRET));
        let gateway = Gateway::in_home(home)
            .environment("GATED_SETTING", SECRET)
            .environment("GATED_URL", upstream.url())
            .start()
            .await;
        Self {
            gateway,
            upstream,
            components,
        }
    }

    /// Has the component call the function.
    pub async fn call(&self, built: &Built, function: Function) -> Answer {
        let (name, to) = (&built.name, self.upstream.authority());
        let target = format!("/{name}/{function:?}?to={to}");
        self.gateway.admin().get(&target).await
    }

    pub fn document(&self, built: &Built, name: &str) -> PathBuf {
        let directory = self.gateway.home().latchkey_directory();
        directory.join(&built.name).join(format!("{name}.json"))
    }

    pub fn permissions_file(&self, name: &str) -> PathBuf {
        self.gateway
            .home()
            .plugin_data()
            .join(format!("{name}.json"))
    }

    /// Whether the component has sent a request.
    pub fn was_asked_by(&self, built: &Built) -> bool {
        let path = format!("/{}", built.name);
        let mut requests = self.upstream.requests().into_iter();
        requests.any(|request| request.target() == path)
    }

    /// Whether the file holds what the stage put there.
    pub fn is_untouched(path: &PathBuf) -> bool {
        fs::read_to_string(path).is_ok_and(|content| content.contains(SECRET))
    }
}

/// The policy line that lets the tests in.
pub fn way_in(name: &str) -> String {
    format!("routes = [\"GET /{name}/{{function}}\"]\n")
}

/// A policy with exactly these grants, and the way in.
pub fn policy(name: &str, grants: &BTreeSet<Grant>) -> String {
    let mut lines = way_in(name);
    // A table may stand only behind all that is none.
    let mut tables = String::new();
    for grant in grants {
        match grant {
            Grant::Route => {}
            Grant::Collection => lines += &format!("collections = [\"{name}\"]\n"),
            Grant::Topic => lines += &format!("topics = [\"{name}\"]\n"),
            Grant::Setting => lines += "settings = [\"GATED_SETTING\"]\n",
            Grant::ReadPermissionFiles if grants.contains(&Grant::EditPermissionFiles) => {}
            Grant::ReadPermissionFiles => lines += "permission_files = \"read\"\n",
            Grant::EditPermissionFiles => lines += "permission_files = \"edit\"\n",
            Grant::Catalog => lines += "catalog = true\n",
            Grant::Upstream => tables += "[[upstreams]]\nsetting = \"GATED_URL\"\n",
        }
    }
    lines + &tables
}
