//! `gateway`: runs the gateway alone. With `--latchkey-directory` it is wired as a supervisor would wire it; without, by the
//! variables of the upstream program. An option wins over a variable.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use secrecy::SecretString;

use super::create_jwt;
use super::environment::Environment;
use super::failure::Failure;
use super::logging;
use super::options::Options;
use super::setup::encryption_key;
use crate::extensions::{CompilerProgram, UpstreamLimits};
use crate::gateway::{self, Lifetime, Listen, Parent, Settings};
use crate::store::durable;
use crate::store::keys::EncryptionKey;
use crate::store::paths::LatchkeyDirectory;
use crate::store::tokens::gateway_password;

const DEFAULT_HOST: &str = "localhost";
const DEFAULT_PORT: u16 = 1989;
const DEFAULT_DIRECTORY: &str = "~/.latchkey";

const HOST: &str = "LATCHKEY_GATEWAY_LISTEN_HOST";
const PORT: &str = "LATCHKEY_GATEWAY_LISTEN_PORT";
const PASSWORD: &str = "LATCHKEY_GATEWAY_LISTEN_PASSWORD";
const DIRECTORY: &str = "LATCHKEY_DIRECTORY";
const PERMISSIONS: &str = "LATCHKEY_PERMISSIONS_CONFIG";
const PERMISSIONS_ROOT: &str = "LATCHKEY_EXTENSION_PERMISSIONS_ROOT";
const CONNECT_TIMEOUT: &str = "LATCHKEY_EXTENSION_MINDS_API_CONNECT_TIMEOUT_SECONDS";
const FIRST_BYTE_TIMEOUT: &str = "LATCHKEY_EXTENSION_MINDS_API_FIRST_BYTE_TIMEOUT_SECONDS";
const IDLE_TIMEOUT: &str = "LATCHKEY_EXTENSION_MINDS_API_IDLE_TIMEOUT_SECONDS";
pub(super) const NO_BUILTIN_SCHEMAS: &str = "LATCHKEY_PERMISSIONS_DO_NOT_USE_BUILTIN_SCHEMAS";

/// Run the gateway alone
///
/// With --latchkey-directory: that directory's key, its default permissions file, the password derived from the key, and
/// permissions files edited below its mngr_latchkey/. Without: everything from LATCHKEY_DIRECTORY [default: ~/.latchkey],
/// LATCHKEY_PERMISSIONS_CONFIG, LATCHKEY_GATEWAY_LISTEN_PASSWORD (unset: no password), LATCHKEY_ENCRYPTION_KEY,
/// LATCHKEY_EXTENSION_PERMISSIONS_ROOT and LATCHKEY_PERMISSIONS_DO_NOT_USE_BUILTIN_SCHEMAS.
///
/// Either way the Minds API is at LATCHKEY_EXTENSION_MINDS_API_URL and is sent LATCHKEY_EXTENSION_MINDS_API_KEY as bearer
/// token; LATCHKEY_EXTENSION_MINDS_API_{CONNECT,FIRST_BYTE,IDLE}_TIMEOUT_SECONDS say how long it may take.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    subcommand: Option<GatewayCommand>,

    /// Host name or address to listen on [default: $LATCHKEY_GATEWAY_LISTEN_HOST, or localhost]
    #[arg(long, value_name = "HOST")]
    listen_host: Option<String>,

    /// Port to listen on, 0 for any free one [default: $LATCHKEY_GATEWAY_LISTEN_PORT, or 1989]
    #[arg(long, value_name = "PORT")]
    listen_port: Option<u16>,

    /// The process that passes a bound socket as standard input; the gateway ends with it
    #[arg(long, value_name = "PID", hide = true, requires = "latchkey_directory", conflicts_with_all = ["listen_host", "listen_port"])]
    supervised_by: Option<i32>,

    /// Allow every request without an override token while the default permissions file is missing
    #[arg(long)]
    allow_missing_permissions: bool,
}

#[derive(Debug, Subcommand)]
enum GatewayCommand {
    CreateJwt(create_jwt::Arguments),
}

pub(super) fn run(
    arguments: Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    if let Some(GatewayCommand::CreateJwt(arguments)) = &arguments.subcommand {
        return create_jwt::run(arguments, options, environment);
    }
    let lifetime = match arguments.supervised_by {
        None => Lifetime::UntilSignal,
        Some(pid) => Lifetime::WithParent(Parent::recognise(pid).ok_or_else(|| {
            Failure::failed(format_args!("the supervisor (pid={pid}) has ended already"))
        })?),
    };
    let (directory, key) = open(options, environment)?;
    let settings = settings(&arguments, options, environment, &directory, &key)?;
    let _log = match lifetime {
        Lifetime::UntilSignal if directory.plugin_data_dir().is_dir() => {
            logging::start_service(options, environment, &directory)?
        }
        // A directory of the upstream program alone.
        Lifetime::UntilSignal => logging::start(options, environment)?,
        Lifetime::WithParent(_) => logging::start_supervised(options, environment)?,
    };
    gateway::run(settings, lifetime).map_err(Failure::failed)
}

fn settings(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
    directory: &LatchkeyDirectory,
    key: &EncryptionKey,
) -> Result<Settings, Failure> {
    let signing_key = key.signing_key();
    let wired = options.latchkey_directory.is_some();
    let password = if wired {
        Some(gateway_password(&signing_key))
    } else {
        environment.text(PASSWORD)?.map(SecretString::from)
    };
    let default_permissions = match path_from(environment, PERMISSIONS)? {
        _ if wired => directory.default_permissions(),
        Some(path) => path,
        None => directory.root().join("permissions.json"),
    };
    let permissions_root = if wired {
        Some(directory.plugin_data_dir())
    } else {
        path_from(environment, PERMISSIONS_ROOT)?
    };
    Ok(Settings {
        listen: listen(arguments, environment)?,
        password,
        signing_key,
        latchkey_directory: directory.root().to_owned(),
        compiler: CompilerProgram::running().ok(),
        default_permissions,
        allow_missing_permissions: arguments.allow_missing_permissions,
        permissions_root,
        minds_api_limits: minds_api_limits(environment)?,
        builtin_schemas: environment.variable(NO_BUILTIN_SCHEMAS).is_none(),
    })
}

fn listen(arguments: &Arguments, environment: &Environment) -> Result<Listen, Failure> {
    if arguments.supervised_by.is_some() {
        return gateway::inherited_socket().map(Listen::Socket).map_err(|error| {
            Failure::failed(format_args!(
                "--supervised-by is for supervisors, which pass a listening socket as standard input: {error}"
            ))
        });
    }
    Ok(Listen::On {
        host: match (&arguments.listen_host, environment.text(HOST)?) {
            (Some(host), _) => host.clone(),
            (None, host) => host.unwrap_or(DEFAULT_HOST).to_owned(),
        },
        port: match (arguments.listen_port, environment.text(PORT)?) {
            (Some(port), _) => port,
            (None, None) => DEFAULT_PORT,
            (None, Some(port)) => port.trim().parse().map_err(|_| {
                Failure::failed(format_args!(
                    "${PORT} must be a port, 0 to 65535, got '{port}'"
                ))
            })?,
        },
    })
}

fn minds_api_limits(environment: &Environment) -> Result<UpstreamLimits, Failure> {
    let limit = |name: &str, usual: Duration| match environment.text(name)? {
        None => Ok(usual),
        Some(text) => text
            .trim()
            .parse()
            .ok()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .filter(|limit| !limit.is_zero())
            .ok_or_else(|| {
                Failure::failed(format_args!(
                    "${name} must be a number of seconds above zero, got '{text}'"
                ))
            }),
    };
    let usual = UpstreamLimits::default();
    Ok(UpstreamLimits {
        connect: limit(CONNECT_TIMEOUT, usual.connect)?,
        first_byte: limit(FIRST_BYTE_TIMEOUT, usual.first_byte)?,
        idle: limit(IDLE_TIMEOUT, usual.idle)?,
    })
}

/// The latchkey directory and its key, ready for use.
pub(super) fn open(
    options: &Options,
    environment: &Environment,
) -> Result<(LatchkeyDirectory, EncryptionKey), Failure> {
    let directory = match &options.latchkey_directory {
        Some(root) => {
            let root = environment.absolute(root, "--latchkey-directory")?;
            let directory = LatchkeyDirectory::new(&root).map_err(Failure::failed)?;
            directory.initialise().map_err(Failure::failed)?;
            directory
        }
        None => {
            let root = environment
                .variable(DIRECTORY)
                .unwrap_or(OsStr::new(DEFAULT_DIRECTORY));
            let root = environment.absolute(Path::new(root), &format!("${DIRECTORY}"))?;
            let directory = LatchkeyDirectory::new(&root).map_err(Failure::failed)?;
            durable::create_dir_all(directory.root()).map_err(Failure::failed)?;
            directory
        }
    };
    let key = encryption_key(&directory, environment)?;
    Ok((directory, key))
}

fn path_from(environment: &Environment, name: &str) -> Result<Option<PathBuf>, Failure> {
    let path = environment.variable(name).map(Path::new);
    path.map(|path| environment.absolute(path, &format!("${name}")))
        .transpose()
}

#[cfg(test)]
mod tests;
