//! `permissions revoke`: the reverse of granting.

use clap::Args;
use permission_grants::Access;

use super::super::environment::Environment;
use super::super::failure::Failure;
use super::super::options::Options;
use super::edit::{Edit, parse_access, shared};
use super::subject::Subject;
use crate::grants::Removal;

/// Revoke permissions under a scope, or what shares a file or directory
///
/// Never allows more than before: where a rule further down could take over, the emptied rule stays and denies. Says what has
/// changed; with --format json: one object.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    subject: Subject,

    /// The scope, such as slack-api; without --permission all that it grants
    #[arg(long, required_unless_present = "share")]
    scope: Option<String>,

    /// A permission under the scope; may be repeated
    #[arg(long, requires = "scope")]
    permission: Vec<String>,

    /// The file or directory to share no more; without --access in neither way
    #[arg(long, value_name = "PATH", conflicts_with_all = ["scope", "permission"])]
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
    let removal = match (&arguments.share, &arguments.scope) {
        (Some(path), _) => Removal::Share {
            path: shared(path)?,
            access: arguments.access,
        },
        (None, Some(scope)) => Removal::Permissions {
            scope: scope.clone(),
            permissions: arguments.permission.clone(),
        },
        // The parser asks for one or the other.
        (None, None) => return Err(Failure::usage("Missing option '--scope'.")),
    };
    let path = arguments.subject.path(options, environment)?;
    let edit = Edit::prepare(path, arguments.dry_run, options, environment)?;
    edit.show(|editor, path, run| editor.revoke(path, &removal, run))
}
