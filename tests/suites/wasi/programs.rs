//! A table of cases, each run by Casemate and by the wasmtime command: streams and exit code are the same, or the
//! difference stands here with its reason.

use casemate_tests::command::program;
use casemate_tests::scratch::Scratch;
use casemate_tests::{guests, skip};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What both are given on standard input.
const INPUT: &[u8] = b"one\ntwo\n";

/// Cases in which Casemate differs, what it says instead, and why.
const READ_ONLY: &str = "refused: PermissionDenied\n";
const DIFFERENT: [(&str, &str, &str); 8] = [
    ("ro-write", READ_ONLY, "the command grants no folder for reading only"),
    ("ro-append", READ_ONLY, "the same"),
    ("ro-truncate", READ_ONLY, "the same"),
    ("ro-remove", READ_ONLY, "the same"),
    ("ro-rename", READ_ONLY, "the same"),
    ("ro-mkdir", READ_ONLY, "the same"),
    ("ro-rename-out", READ_ONLY, "the same"),
    ("ro-link-out", READ_ONLY, "the same"),
];

/// Cases that trap: the command tells that by SIGABRT's number and a backtrace, Casemate by its own code and sentence.
const TRAPS: [&str; 2] = ["panics", "unreachable"];
const TRAPPED: i32 = 6;

/// The two folders, made anew: whoever runs plugins as another user must be let in.
pub(super) fn folders() -> Scratch {
    let folder = Scratch::new();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&folder, 0o755);
    for name in ["ro", "ro/b", "rw"] {
        fs::create_dir(folder.join(name)).unwrap();
        mode(&folder.join(name), 0o755);
    }
    mode(&folder.join("rw"), 0o777);
    fs::write(folder.join("ro/a.txt"), "alpha beta").unwrap();
    fs::write(folder.join("ro/b/c.txt"), "gamma").unwrap();
    fs::write(folder.join("rw/seed.txt"), "seed").unwrap();
    mode(&folder.join("rw/seed.txt"), 0o666);
    let links = [
        ("a.txt", "link.txt"),
        ("../../../../etc/passwd", "out.txt"),
        ("/etc/passwd", "absolute.txt"),
        ("../../../../etc", "outside"),
        ("loop", "loop"),
    ];
    for (target, name) in links {
        symlink(target, folder.join("ro").join(name)).unwrap();
    }
    folder
}

pub(super) fn ran(mut command: Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that ends without reading closes it.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// `casemate run`, with a cache of the test's own.
pub(super) fn casemate(places: &Path) -> Command {
    let mut command = Command::new(program());
    command.arg("--cache-dir").arg(places.join("cache")).arg("--state-dir").arg(places.join("state"));
    command.arg("run");
    command
}

fn by_casemate(places: &Path, module: &Path, case: &str) -> (Output, Scratch) {
    let folder = folders();
    let mut command = casemate(places);
    command.arg("--dir").arg(format!("{}:/ro:ro", folder.join("ro").display()));
    command.arg("--dir").arg(format!("{}:/rw:rw", folder.join("rw").display()));
    command.args(["--env", "GREETING=hi"]).arg(module).args(["--", case]);
    (ran(command, INPUT), folder)
}

fn by_wasmtime(wasmtime: &Path, module: &Path, case: &str) -> (Output, Scratch) {
    let folder = folders();
    let mut command = Command::new(wasmtime);
    command.arg("run").args(["--env", "GREETING=hi"]);
    command.arg("--dir").arg(format!("{}::/ro", folder.join("ro").display()));
    command.arg("--dir").arg(format!("{}::/rw", folder.join("rw").display()));
    command.arg(module).arg(case);
    (ran(command, INPUT), folder)
}

/// Every file below a folder, with what is in it.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            let name = entry.path().strip_prefix(folder).unwrap().to_owned();
            match () {
                () if kind.is_dir() => left.push(entry.path()),
                () if kind.is_symlink() => {
                    found.push((
                        name,
                        fs::read_link(entry.path()).unwrap().into_os_string().into_encoded_bytes(),
                    ));
                }
                () => found.push((name, fs::read(entry.path()).unwrap())),
            }
        }
    }
    found.sort();
    found
}

fn compare(test: &str, guest: &str, least: usize) {
    let Some(wasmtime) = guests::foreign("wasmtime") else {
        skip(test, "the wasmtime command was not fetched: `cargo xtask guests` does");
        return;
    };
    let (module, places) = (guests::wasi(guest), Scratch::new());
    let listed = ran(casemate(&places).arg(&module).take(), b"");
    let names = String::from_utf8(listed.stdout).unwrap();
    let names: Vec<&str> = names.lines().collect();
    assert!(names.len() >= least, "{} cases", names.len());
    let mut wrong = Vec::new();
    for case in names {
        let (ours, our_folder) = by_casemate(&places, &module, case);
        let (theirs, their_folder) = by_wasmtime(&wasmtime, &module, case);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(300).collect::<String>();
        let shown = || {
            let [ours, theirs] = [&ours, &theirs].map(|output| {
                format!("{:?} {:?} {:?}", output.status.code(), text(&output.stdout), text(&output.stderr))
            });
            format!("{case}: {ours}; the command: {theirs}")
        };
        let known = DIFFERENT.iter().find(|(name, _, _)| *name == case);
        let right = match known {
            Some((_, said, _)) => ours.stdout == said.as_bytes() && ours.status.success(),
            None if TRAPS.contains(&case) => {
                ours.stdout == theirs.stdout
                    && ours.status.code() == Some(TRAPPED)
                    && !theirs.status.success()
            }
            None => {
                ours.stdout == theirs.stdout
                    && ours.stderr == theirs.stderr
                    && ours.status.code() == theirs.status.code()
                    && contents(&our_folder) == contents(&their_folder)
            }
        };
        if !right {
            wrong.push(shown());
        }
        assert!(!our_folder.join("escaped.txt").exists(), "{case} got out of its folder");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

trait Take {
    fn take(&mut self) -> Command;
}

impl Take for Command {
    /// As it is by now.
    fn take(&mut self) -> Command {
        std::mem::replace(self, Command::new("true"))
    }
}

#[test]
fn programs_of_wasi_0_1_do_what_they_do_under_the_wasmtime_command() {
    compare("programs_of_wasi_0_1_do_what_they_do_under_the_wasmtime_command", "cases", 100);
}

#[test]
fn programs_of_wasi_0_2_do_what_they_do_under_the_wasmtime_command() {
    compare("programs_of_wasi_0_2_do_what_they_do_under_the_wasmtime_command", "cases-p2", 70);
}

#[test]
fn a_program_finds_nothing_that_was_not_granted() {
    let places = Scratch::new();
    let run = |case: &str, flags: &[&str]| {
        let mut command = casemate(&places);
        command.args(flags).arg(guests::wasi("cases")).args(["--", case]);
        // Whatever the host's environment is, it is not the program's.
        command.env("SECRET", "hunter2");
        String::from_utf8(ran(command, b"").stdout).unwrap()
    };
    assert_eq!(run("raw-prestats", &[]), "\n");
    assert_eq!(run("env-all", &[]), "\n");
    assert_eq!(run("env-all", &["--env", "SECRET"]), "SECRET=hunter2\n");
    assert_eq!(run("read-etc", &[]), run("read-nowhere", &[]));
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let mut command = casemate(&Scratch::new());
    command.args(["--dir", "/no/such/folder"]).arg(guests::wasi("cases")).args(["--", "args"]);
    let output = ran(command, b"");
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(8), "{text}");
    assert!(text.contains("/no/such/folder") && text.contains("permissions.filesystem"), "{text}");
}
