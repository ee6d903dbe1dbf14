use proptest::prelude::*;

use super::*;

const BOOT: &str = "01234567-89ab-cdef-0123-456789abcdef";

fn identity() -> SessionIdentity {
    SessionIdentity::new(4711, 123_456, BOOT.to_owned()).unwrap()
}

#[test]
fn an_identity_is_found_among_what_a_profile_prints() {
    let output = format!("Welcome!\r\nmngr-latchkey: session 4711 123456 {BOOT}\r\nbye\n");
    assert_eq!(SessionIdentity::parse(&output), Ok(identity()));
}

#[test]
fn answers_that_tell_nothing_are_told_apart() {
    for (output, error) in [
        ("", AnswerError::Silent),
        ("sh: not found\n", AnswerError::Silent),
        ("mngr-latchkey: none\n", AnswerError::Hidden),
        ("mngr-latchkey:\n", AnswerError::Malformed),
        ("mngr-latchkey: session\n", AnswerError::Malformed),
        (
            "mngr-latchkey: session 4711 123456\n",
            AnswerError::Malformed,
        ),
        (
            "mngr-latchkey: session 4711 1 $(reboot)\n",
            AnswerError::Malformed,
        ),
        (
            "mngr-latchkey: session 1 1 01234567-89ab-cdef-0123-456789abcdef\n",
            AnswerError::Malformed,
        ),
        (
            "mngr-latchkey: session -5 1 01234567-89ab-cdef-0123-456789abcdef\n",
            AnswerError::Malformed,
        ),
    ] {
        assert_eq!(SessionIdentity::parse(output), Err(error), "{output:?}");
    }
}

#[test]
fn a_record_comes_back_as_it_was_written() {
    let written = serde_json::to_string(&identity()).unwrap();
    assert_eq!(
        written,
        format!(r#"{{"pid":4711,"start_time":123456,"boot_id":"{BOOT}"}}"#)
    );
    let read: SessionIdentity = serde_json::from_str(&written).unwrap();
    assert_eq!(read, identity());
}

#[test]
fn a_record_that_would_do_harm_in_a_command_is_refused() {
    for boot in [
        "",
        "x; reboot",
        "01234567-89ab-cdef-0123-456789abcde'",
        "01234567-89ab-cdef-0123-456789abcdef ",
        "0123456789ab-cdef-0123-456789abcdef-",
    ] {
        let record = serde_json::json!({"pid": 4711, "start_time": 1, "boot_id": boot});
        let read = serde_json::from_value::<SessionIdentity>(record);
        assert!(read.is_err(), "{boot:?}: {read:?}");
    }
    for pid in [0, 1] {
        let record = serde_json::json!({"pid": pid, "start_time": 1, "boot_id": BOOT});
        let read = serde_json::from_value::<SessionIdentity>(record);
        assert!(read.is_err(), "{pid}: {read:?}");
    }
}

#[test]
fn every_ending_is_understood() {
    for (word, ending) in [
        ("ended", Ending::Ended),
        ("absent", Ending::Absent),
        ("rebooted", Ending::Absent),
        ("recycled", Ending::Kept(Reason::Recycled)),
        ("foreign", Ending::Kept(Reason::Foreign)),
        ("own", Ending::Kept(Reason::Own)),
        ("unheld", Ending::Kept(Reason::Unheld)),
        ("refused", Ending::Kept(Reason::Refused)),
        ("survives", Ending::Kept(Reason::Survives)),
    ] {
        let output = format!("motd\nmngr-latchkey: {word}\n");
        assert_eq!(Ending::parse(&output), Ok(ending), "{word}");
    }
    assert_eq!(Ending::parse("motd\n"), Err(AnswerError::Silent));
    let other = Ending::parse("mngr-latchkey: all is well\n");
    assert_eq!(other, Err(AnswerError::Malformed));
}

#[test]
fn the_commands_are_one_line_that_every_login_shell_takes_alike() {
    for command in [identify_command(), end_command(&identity(), 1989)] {
        // csh and fish have their own ideas of these, between single quotes too.
        for character in ['\n', '\\', '!'] {
            assert!(!command.contains(character), "{character:?} in {command}");
        }
        assert_eq!(command.matches('\'').count(), 2, "{command}");
        assert!(command.contains(MARK), "{command}");
    }
    let command = end_command(&identity(), 53);
    assert!(
        command.ends_with(&format!("' sh 4711 123456 {BOOT} 0035")),
        "{command}"
    );
}

proptest! {
    #[test]
    fn no_answer_of_a_host_becomes_anything_but_numbers_in_a_command(
        output in prop_oneof![
            "\\PC*",
            "(.|\n)*",
            "mngr-latchkey: session [0-9]{1,12} [0-9$`;'-]{1,22} [0-9a-f-]{35,37}.*",
            "mngr-latchkey: session [0-9]{1,9} [0-9]{1,19} [0-9a-fA-F']{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f$]{12}\n.*",
        ]
    ) {
        let _ = Ending::parse(&output);
        if let Ok(identity) = SessionIdentity::parse(&output) {
            let command = end_command(&identity, 1989);
            let (_, arguments) = command.rsplit_once('\'').unwrap();
            let harmless = |c: char| c.is_ascii_hexdigit() || c == '-' || c == ' ';
            let rest = arguments.strip_prefix(" sh ").unwrap();
            prop_assert!(rest.chars().all(harmless), "{arguments}");
        }
    }
}

#[cfg(target_os = "linux")]
mod processes;
