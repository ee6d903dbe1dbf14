//! The command line: one file a subcommand. Each parses, calls the library and prints; none decides anything itself.
//!
//! stdout carries the result and nothing else; a diagnostic is one line on stderr that starts with `Error: `. Exit codes: 0, 1
//! for a failure, 2 for a wrong invocation. A closed stdout is no failure: whoever closed it wanted no more.
//!
//! Nothing here starts an asynchronous runtime except `extension`, `forward`, `gateway`, `permissions` and `supervisor`, so that the small commands take milliseconds.

mod admin_jwt;
mod catalog;
mod compile_component;
mod completions;
mod create_agent_env;
mod create_jwt;
mod environment;
mod extension;
mod failure;
mod forward;
mod gateway;
mod gateway_info;
mod link_permissions;
mod logging;
mod man;
mod mngr;
mod observed;
mod options;
mod output;
mod permissions;
mod register_agent;
mod settings;
mod setup;
mod status;
mod supervisor;
mod times;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::environment::Environment;
use self::failure::Failure;
use self::options::Options;

/// Permission gateway for AI agents
///
/// Wires agents to the gateway and runs it. Settings that are not given as an option come from $MNGR_LATCHKEY_DIRECTORY and
/// $MNGR_LATCHKEY_BINARY, then from [plugins.latchkey] in mngr's settings.toml, then from the defaults.
#[derive(Debug, Parser)]
#[command(name = "mngr-latchkey", version, args_override_self = true)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    subcommand: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a permissions handle and print the environment that lets an agent use it, as JSON
    CreateAgentEnv,
    /// Link a permissions handle to its host's permissions file
    LinkPermissions(link_permissions::Arguments),
    /// Let an agent through to its own part of the API behind the proxy
    RegisterAgent(register_agent::Arguments),
    /// Print an override token that allows everything
    AdminJwt,
    /// Print the supervised gateway's URL and password as JSON
    GatewayInfo,
    Forward(forward::Arguments),
    Permissions(permissions::Arguments),
    Gateway(gateway::Arguments),
    Status(status::Arguments),
    Supervisor(supervisor::Arguments),
    Catalog(catalog::Arguments),
    Extension(extension::Arguments),
    /// Compile the component on stdin, as the gateway asks for it
    #[command(hide = true)]
    CompileComponent(compile_component::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
    /// Print a manual page
    Man(man::Arguments),
}

/// The whole program, from the process's arguments to its exit code.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let result = match mngr::Start::recognise(&arguments) {
        mngr::Start::OwnName => run("mngr-latchkey", &arguments, &arguments),
        mngr::Start::Plugin => run(
            "mngr latchkey",
            arguments.get(1..).unwrap_or_default(),
            &arguments,
        ),
        mngr::Start::OtherCommand => Err(mngr::hand_over(&arguments)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// `arguments` starts with the name of the program; `words` are the process's own.
fn run(program: &'static str, arguments: &[OsString], words: &[OsString]) -> Result<(), Failure> {
    let matches = command(program).try_get_matches_from(arguments);
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return Err(Failure::from_parser(&error)),
        // Help or the version, which were asked for.
        Err(error) => return output::text(&error.render().to_string()),
    };
    cli.options.validate()?;
    let environment = Environment::of_process();
    let options = &cli.options;
    match cli.subcommand {
        Command::CreateAgentEnv => create_agent_env::run(options, &environment),
        Command::LinkPermissions(arguments) => {
            link_permissions::run(&arguments, options, &environment)
        }
        Command::RegisterAgent(arguments) => register_agent::run(&arguments, options, &environment),
        Command::AdminJwt => admin_jwt::run(options, &environment),
        Command::GatewayInfo => gateway_info::run(options, &environment),
        Command::Permissions(arguments) => permissions::run(arguments, options, &environment),
        Command::Forward(arguments) => forward::run(&arguments, words, options, &environment),
        Command::Status(arguments) => status::run(&arguments, options, &environment),
        Command::Supervisor(arguments) => supervisor::run(&arguments, options, &environment),
        Command::Gateway(arguments) => gateway::run(arguments, options, &environment),
        Command::Catalog(arguments) => catalog::run(&arguments, options, &environment),
        Command::Extension(arguments) => extension::run(&arguments, options, &environment),
        Command::CompileComponent(arguments) => compile_component::run(arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    }
}

/// The definition that parsing, help, completions and manual pages come from.
fn command(program: &'static str) -> clap::Command {
    Cli::command().bin_name(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        command("mngr-latchkey").debug_assert();
    }

    fn message(arguments: &[&str]) -> String {
        let words = std::iter::once("mngr-latchkey").chain(arguments.iter().copied());
        let words: Vec<_> = words.map(OsString::from).collect();
        run("mngr-latchkey", &words, &words)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_missing_option_is_reported_before_everything_else() {
        assert_eq!(
            message(&["link-permissions"]),
            "Missing option '--host-id'."
        );
        assert_eq!(
            message(&[
                "link-permissions",
                "--host-id",
                "x",
                "--latchkey-directory",
                "not/absolute"
            ]),
            "Missing option '--opaque-path'."
        );
        assert_eq!(
            message(&["register-agent", "--host-id", "x"]),
            "Missing option '--agent-id'."
        );
        assert_eq!(
            message(&["gateway", "create-jwt"]),
            "Missing argument 'PATH'."
        );
    }

    #[test]
    fn options_of_mngr_are_accepted_before_and_after_the_subcommand_and_the_last_one_counts() {
        let words = "mngr-latchkey -v admin-jwt --latchkey-directory /a --format JSON -vv --quiet --log-file f \
            --log-commands --no-log-commands --headless --safe --plugin x --enable-plugin y --disable-plugin z \
            -S a=1 --setting b=2 --latchkey-directory /b";
        let matches = command("mngr-latchkey")
            .try_get_matches_from(words.split_whitespace())
            .unwrap();
        let options = Cli::from_arg_matches(&matches).unwrap().options;
        assert_eq!(options.latchkey_directory.as_deref(), Some("/b".as_ref()));
        assert_eq!(options.settings, ["a=1", "b=2"]);
        assert!(options.validate().is_ok());
    }

    #[test]
    fn a_template_is_no_format_here() {
        let failure = message(&["admin-jwt", "--format", "{agent.name}"]);
        assert!(failure.contains("--format"), "{failure}");
    }
}
