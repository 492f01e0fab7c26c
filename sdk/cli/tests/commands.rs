//! `COMMANDS.md` says what the command line says.

#![expect(clippy::disallowed_methods, reason = "the command and a shell are started as people start them")]

use casemate::operations::OPERATIONS;
use casemate_cli::args::Cli;
use clap::{Arg, Command, CommandFactory};

const DOCUMENT: &str = include_str!("../COMMANDS.md");
const BEGIN: &str = "<!-- commands: begin -->\n";
const END: &str = "<!-- commands: end -->";

#[test]
fn the_table_of_commands_is_that_of_the_registry() {
    let (_, rest) = DOCUMENT.split_once(BEGIN).expect("COMMANDS.md has a begin mark");
    let (found, _) = rest.split_once(END).expect("COMMANDS.md has an end mark");
    let table = table();
    assert!(found == table, "write this between the marks of sdk/cli/COMMANDS.md:\n\n{table}\n");
}

#[test]
fn completions_of_every_shell_know_every_command() {
    let mut root = Cli::command();
    root.build();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let printed = std::process::Command::new(env!("CARGO_BIN_EXE_casemate"))
            .args(["completions", shell])
            .output()
            .expect("the command starts");
        let text = String::from_utf8(printed.stdout).expect("it is text");
        for command in root.get_subcommands() {
            assert!(text.contains(command.get_name()), "{shell} does not complete {}", command.get_name());
        }
    }
}

#[test]
fn bash_completes_what_was_begun() {
    let script = concat!(
        "source <(\"$1\" completions bash); COMP_WORDS=(casemate policy exp); COMP_CWORD=2; ",
        "_casemate casemate exp policy; echo \"${COMPREPLY[@]}\""
    );
    let told = std::process::Command::new("bash")
        .args(["-c", script, "bash", env!("CARGO_BIN_EXE_casemate")])
        .output()
        .expect("bash starts");
    assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), "explain");
}

#[test]
fn every_exit_code_is_documented() {
    for code in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "70"] {
        assert!(DOCUMENT.contains(&format!("\n| {code} |")), "COMMANDS.md lists no exit code {code}");
    }
}

fn table() -> String {
    let mut root = Cli::command();
    root.build();
    let mut text = String::from("| command | flag or argument | what it does |\n|---|---|---|\n");
    rows(&mut text, "every command", &root, |argument| argument.is_global_set());
    below(&mut text, "", &root);
    text
}

fn below(text: &mut String, path: &str, parent: &Command) {
    for command in parent.get_subcommands() {
        let path = format!("{path}{}", command.get_name());
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!("| `{path}` | | {about} |\n"));
        rows(text, "", command, |argument| !argument.is_global_set());
        below(text, &format!("{path} "), command);
    }
}

#[test]
fn every_operation_of_the_client_protocol_has_its_command_and_its_method() {
    let mut root = Cli::command();
    root.build();
    let sources: String = ["casemate", "plugin", "feeds", "stream"]
        .map(|name| {
            let path = format!("{}/../client/src/{name}.rs", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
        })
        .concat();
    for operation in OPERATIONS {
        let mut command = &root;
        for word in operation.command.split(' ') {
            if let Some(flag) = word.strip_prefix("--") {
                let has = command.get_arguments().any(|argument| argument.get_long() == Some(flag));
                assert!(has, "{}: no flag {word} in {:?}", operation.message, operation.command);
            } else {
                command = command
                    .find_subcommand(word)
                    .unwrap_or_else(|| panic!("{}: no command {:?}", operation.message, operation.command));
            }
        }
        let (_, method) = operation.rust.split_once("::").expect("a method of a type");
        let is_there =
            sources.contains(&format!("fn {method}(")) || sources.contains(&format!("fn {method}<"));
        assert!(is_there, "{}: sdk/client has no {}", operation.message, operation.rust);
    }
}

fn rows(text: &mut String, first: &str, command: &Command, wanted: impl Fn(&Arg) -> bool) {
    let mut first = first;
    for argument in command.get_arguments().filter(|argument| wanted(argument)) {
        if ["help", "version"].contains(&argument.get_id().as_str()) {
            continue;
        }
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let space = if first.is_empty() { "" } else { " " };
        text.push_str(&format!("|{space}{first} | `{}` | {help} |\n", name(argument).replace('|', "\\|")));
        first = "";
    }
}

/// As it is typed.
fn name(argument: &Arg) -> String {
    let value =
        || argument.get_value_names().into_iter().flatten().map(ToString::to_string).collect::<String>();
    let values = || {
        let values: Vec<_> = argument.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect();
        if values.is_empty() { value() } else { values.join("|") }
    };
    match (argument.get_short(), argument.get_long()) {
        (short, Some(long)) => {
            let short = short.map(|short| format!("-{short}, ")).unwrap_or_default();
            let takes_value = argument.get_action().takes_values();
            format!("{short}--{long}{}", if takes_value { format!(" {}", values()) } else { String::new() })
        }
        _ if argument.is_last_set() => format!("-- {}…", value()),
        _ => value(),
    }
}
