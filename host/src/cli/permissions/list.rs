//! `permissions list`: what is granted, since when, and how it came.

use std::path::Path;

use clap::Args;
use jiff::Timestamp;

use super::super::environment::Environment;
use super::super::failure::Failure;
use super::super::observed;
use super::super::options::Options;
use super::super::output;
use super::super::settings::Settings;
use super::engine::builtin_schemas;
use super::grants::{Granted, Reader};
use super::subject::{NoFile, Subject};
use crate::permissions::Engine;
use crate::store::hosts;
use crate::store::ids::HostId;
use crate::store::observe;
use crate::store::paths::LatchkeyDirectory;

/// List what is granted, since when, and by which request
///
/// Without a file, host or agent: every host. With --format json: one object a permissions file, a line each.
#[derive(Debug, Args)]
#[command(mut_group("Subject", |group| group.required(false)))]
pub(super) struct Arguments {
    #[command(flatten)]
    subject: Option<Subject>,
}

pub(super) fn run(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    let settings = Settings::resolve(options, environment)?;
    let directory = LatchkeyDirectory::new(&settings.directory).map_err(Failure::failed)?;
    let schemas = builtin_schemas(options, environment)?;
    let reader = Reader {
        engine: &Engine::new(schemas.clone()),
        catalog: schemas.listing(),
    };
    let list = List {
        now: Timestamp::now(),
        directory,
        reader,
        options,
    };
    if let Some(subject) = &arguments.subject {
        let path = subject.path(options, environment)?;
        let host = observe::host_of(&list.directory, &path);
        return match list.print(&path, host.as_ref())? {
            true => Ok(()),
            false => Err(Failure::failed(NoFile(path))),
        };
    }
    let hosts = hosts::all(&list.directory).map_err(Failure::failed)?;
    let mut is_any = false;
    for host in hosts {
        let path = list.directory.host_permissions(&host);
        if is_any && !options.is_json() {
            output::line("")?;
        }
        is_any |= list.print(&path, Some(&host))?;
    }
    if !is_any && !options.is_json() {
        output::line(&format!(
            "No host has a permissions file in {}.",
            list.directory.hosts_dir().display()
        ))?;
    }
    Ok(())
}

struct List<'a> {
    now: Timestamp,
    directory: LatchkeyDirectory,
    reader: Reader<'a>,
    options: &'a Options,
}

impl List<'_> {
    /// Shows one permissions file; false when there is none.
    fn print(&self, path: &Path, host: Option<&HostId>) -> Result<bool, Failure> {
        let Some(granted) = self.reader.read(path) else {
            return Ok(false);
        };
        if self.options.is_json() {
            output::json_line(&self.as_json(&granted, host))?;
        } else {
            output::text(&self.as_text(&granted, host))?;
        }
        Ok(true)
    }

    fn as_text(&self, granted: &Granted, host: Option<&HostId>) -> String {
        let mut text = String::new();
        if let Some(host) = host {
            text.push_str(&format!("{host}\n"));
            // Before everything that it makes untrue.
            if let Some(notice) = observed::notice(&self.directory, host, self.now) {
                text.push_str(&format!("  {notice}\n"));
            }
        }
        text.push_str(&granted.as_text());
        text
    }

    fn as_json(&self, granted: &Granted, host: Option<&HostId>) -> serde_json::Value {
        let mut value = serde_json::Map::new();
        let observation = host.and_then(|host| {
            let observation = observe::current(&self.directory, host, self.now).ok()??;
            Some(observed::as_json(host, &observation))
        });
        value.insert("host_id".to_owned(), host.map(HostId::as_str).into());
        value.insert("observe".to_owned(), observation.into());
        value.extend(granted.as_json());
        value.into()
    }
}
