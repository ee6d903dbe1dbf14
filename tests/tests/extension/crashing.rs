//! Commands that are killed at any of their steps.

use std::os::unix::process::ExitStatusExt;

use end_to_end::{CrashPoint, Interposer, Side};

use crate::stage::{extension, home};

const SIGKILL: i32 = 9;
/// More than there are.
const TOO_MANY: usize = 60;

#[test]
fn a_removal_that_is_cut_short_leaves_nothing_to_be_served_and_can_be_done_again() {
    let interposer = Interposer::build();
    interposer.arm();
    for side in [Side::Before, Side::After] {
        for step in 1.. {
            assert!(step < TOO_MANY, "it has more than {TOO_MANY} steps");
            let point = CrashPoint { step, side };
            let home = home();
            home.write("latchkey/extensions/echo.disabled", "", 0o600);
            let command = home
                .command(["extension", "remove", "echo", "--latchkey-directory"])
                .argument(home.latchkey_directory());
            let variables = interposer.variables(point).into_iter();
            let outcome = variables
                .fold(command, |command, (name, value)| {
                    command.environment(name, value)
                })
                .run();
            let lived = outcome.status.success();
            let was_killed = outcome.status.signal() == Some(SIGKILL);
            assert!(lived || was_killed, "{point:?}: {outcome}");

            let [component, policy, marker] = ["echo.wasm", "echo.toml", "echo.disabled"]
                .map(|file| home.extensions().join(file).exists());
            // Without its policy or its marker, it would be another than it was.
            assert!(!component || (policy && marker), "{point:?}");
            assert!(!lived || !(component || policy || marker), "{point:?}");
            if component || policy || marker {
                extension(&home, ["remove", "echo"]).expect_success();
            }
            let listing = extension(&home, ["list"]).expect_success();
            assert!(!listing.stdout.contains("\necho "), "{point:?}: {listing}");
            if lived {
                assert!(step > 3, "it has only {} steps", step - 1);
                break;
            }
        }
    }
}
