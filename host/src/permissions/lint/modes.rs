//! Who else can read or write a permissions file. What it includes may be there for others to read.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::policy::Policy;
use super::{Code, Finding};

const GROUP_AND_OTHERS: u32 = 0o077;
const GROUP_OR_OTHERS_WRITE: u32 = 0o022;

pub(super) fn look(policy: &Policy, findings: &mut Vec<Finding>) {
    let files = policy.files();
    let there = files.iter().filter(|(_, exists)| **exists);
    findings.extend(there.filter_map(|(file, _)| look_at(file, *file == policy.root)));
}

fn look_at(file: &Path, is_private: bool) -> Option<Finding> {
    let mode = file.metadata().ok()?.permissions().mode() & 0o777;
    let (code, message) = if mode & GROUP_OR_OTHERS_WRITE != 0 {
        let message =
            format!("others can write it (mode {mode:04o}), and so grant themselves anything");
        (Code::WritableByOthers, message)
    } else if is_private && mode & GROUP_AND_OTHERS != 0 {
        let message = format!("others can read it (mode {mode:04o})");
        (Code::ReadableByOthers, message)
    } else {
        return None;
    };
    let advice = format!("chmod 600 {}", file.display());
    Some(Finding::about_file(file, code, message, advice))
}
