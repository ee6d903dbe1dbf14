//! `permissions grant`: what approving a request would do, without a request.

use clap::Args;
use permission_grants::Access;

use super::super::environment::Environment;
use super::super::failure::Failure;
use super::super::options::Options;
use super::edit::{Edit, parse_access, shared};
use super::subject::Subject;
use crate::grants::{Missing, Wish};

/// Grant permissions under a scope, or share a file or directory
///
/// Does to the permissions file what approving an agent's request would. A host's missing file is created as that of a fresh
/// agent. Says what has changed; with --format json: one object.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    subject: Subject,

    /// The scope, such as slack-api
    #[arg(long, requires = "permission", required_unless_present = "share")]
    scope: Option<String>,

    /// A permission under the scope, or any; may be repeated
    #[arg(long, requires = "scope")]
    permission: Vec<String>,

    /// The file or directory to share, with everything below it
    #[arg(long, value_name = "PATH", requires = "access", conflicts_with_all = ["scope", "permission"])]
    share: Option<String>,

    /// READ or WRITE
    #[arg(long, requires = "share", value_parser = parse_access)]
    access: Option<Access>,

    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    let wish = match (&arguments.share, arguments.access, &arguments.scope) {
        (Some(path), Some(access), _) => Wish::Share {
            path: shared(path)?,
            access,
        },
        (_, _, Some(scope)) => Wish::Permissions {
            scope: scope.clone(),
            permissions: arguments.permission.clone(),
        },
        // The parser asks for one or the other.
        _ => return Err(Failure::usage("Missing option '--scope'.")),
    };
    let missing = if arguments.subject.is_host() {
        Missing::Create
    } else {
        Missing::Refuse
    };
    let path = arguments.subject.path(options, environment)?;
    let edit = Edit::prepare(path, arguments.dry_run, options, environment)?;
    edit.show(|editor, path, run| editor.grant(path, &wish, missing, run))
}
