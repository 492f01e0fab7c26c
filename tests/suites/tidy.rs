//! Rules about the source itself: who may name whom, what may be linked where, and which rooms hold what is dangerous.
//!
//! Each test is one rule, and what it prints on failure says which file broke it and what to do instead. A rule that
//! stands in the way is changed here, with its reason, in the commit that needs the change.
#![expect(clippy::expect_used, reason = "what cannot be read cannot be judged")]

#[path = "tidy/packages.rs"]
mod packages;
#[path = "tidy/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::io::Write;

use packages::{Package, packages, tree};
use source::{Source, sources, text_files};

/// Which of our crates each may depend on, in any way. Whoever is not listed sees all, and nobody sees them.
const ARROWS: [(&str, &[&str]); 16] = [
    ("casemate-protocol", &[]),
    ("casemate-sys", &[]),
    ("casemate-lockdown", &["casemate-protocol", "casemate-sys"]),
    ("casemate-engine", &["casemate-protocol", "casemate-sys"]),
    ("casemate-worker", &["casemate-protocol", "casemate-sys", "casemate-lockdown", "casemate-engine"]),
    ("casemate-compiler", &["casemate-protocol", "casemate-sys", "casemate-lockdown", "casemate-engine"]),
    ("casemate-launcher", &["casemate-protocol", "casemate-sys", "casemate-lockdown"]),
    ("casemate-worker-wasi", &["casemate-lockdown", "casemate-worker"]),
    ("casemate-adversary-wasi", &["casemate-lockdown", "casemate-worker", "casemate-adversary"]),
    (
        "casemate-adversary",
        &["casemate-protocol", "casemate-sys", "casemate-lockdown", "casemate-engine", "casemate-worker"],
    ),
    ("casemate-supervisor", &["casemate-protocol", "casemate-sys"]),
    ("casemate", &["casemate-protocol", "casemate-supervisor"]),
    ("casemate-ideanet", &["casemate"]),
    ("casemate-spacedrive", &["casemate"]),
    ("casemate-plugin-macros", &[]),
    ("casemate-plugin", &["casemate-plugin-macros"]),
];

/// The command sees the client, and through it whatever the client shows of the protocol.
const COMMAND: (&str, &[&str]) = ("casemate-cli", &["casemate"]);

/// What sees everything and is seen by nothing.
const ON_TOP: [&str; 4] = ["casemate-tests", "casemate-bench", "casemate-xtask", "casemate-fuzz"];

/// Never in the core worker: a code generator, threads, an async runtime, another program's body.
const NOT_IN_THE_WORKER: [&str; 8] = [
    "cranelift-codegen",
    "wasmtime-internal-cranelift",
    "wasmtime-internal-winch",
    "rayon",
    "tokio",
    "casemate-compiler",
    "casemate-launcher",
    "casemate-adversary",
];

/// Never in the supervisor: what runs, compiles or parses guest code.
const NOT_IN_THE_SUPERVISOR: [&str; 5] =
    ["wasmtime", "cranelift-codegen", "wasmparser", "casemate-engine", "casemate-lockdown"];

/// Where `unsafe` may stand, and what for.
const UNSAFE_ROOMS: [(&str, &str); 13] = [
    ("protocol/sys/src/", "raw kernel calls"),
    ("worker/runtime/src/load.rs", "native code becomes a module"),
    ("worker/adversary/src/native.rs", "hostile code"),
    ("sdk/plugin/src/abi.rs", "a guest's exports and imports"),
    ("tests/guests-wasi/cases/src/raw.rs", "calls of WASI 0.1 as they are"),
    ("sdk/ideanet/src/", "exports and imports as IdeaNet has them"),
    ("sdk/pocket/src/lib.rs", "exports as Pocket calls them"),
    ("sdk/spacedrive/src/", "exports and imports as Spacedrive has them"),
    ("tests/guests/extism-greet/src/lib.rs", "a function of Extism's host"),
    ("tests/guests/hielements/src/lib.rs", "a plugin by its ABI alone"),
    ("tests/guests/ideanet-blocks/src/lib.rs", "a plugin by its ABI alone"),
    ("tests/guests/signalk-anchor/src/lib.rs", "a plugin by its ABI alone"),
    ("tests/guests/signalk-units/src/lib.rs", "a plugin by its ABI alone"),
];

/// Crates that could not hold `unsafe` if they wanted to.
const FORBID_UNSAFE: [&str; 4] = [
    "protocol/src/lib.rs",
    "supervisor/src/lib.rs",
    "sdk/client/src/lib.rs",
    "sdk/spacedrive-host/src/lib.rs",
];

/// A file longer than this probably holds a second noun.
const LONG_FILE_LINES: usize = 450;

#[test]
fn crates_depend_only_along_the_arrows() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut broken = Vec::new();
    for package in packages.iter().filter(|package| !ON_TOP.contains(&package.name.as_str())) {
        let rule = ARROWS.iter().chain([&COMMAND]).find(|(name, _)| *name == package.name);
        let Some((_, allowed)) = rule else {
            broken.push(format!("{} is new: give it its arrows in tests/suites/tidy.rs", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            if ours.contains(dependency.name.as_str()) && !allowed.contains(&dependency.name.as_str()) {
                let kind = dependency.kind;
                broken
                    .push(format!("{} may not have {} as {kind} dependency", package.name, dependency.name));
            }
        }
    }
    hold("a crate names only those that ARCHITECTURE.md's arrows lead to", broken);
}

#[test]
fn the_client_can_do_without_the_supervisor() {
    let packages = packages();
    let client = packages.iter().find(|package| package.name == "casemate").expect("there is a client");
    let broken = client
        .dependencies
        .iter()
        .filter(|dependency| dependency.name == "casemate-supervisor" && dependency.kind == "normal")
        .filter(|dependency| !dependency.optional || !client.features.contains("embedded"))
        .map(|_| {
            "sdk/client/Cargo.toml: make casemate-supervisor optional, behind the feature `embedded`".into()
        });
    hold("the supervisor is in the client by feature only", broken.collect());
}

#[test]
fn the_worker_holds_no_compiler_and_no_runtime() {
    not_in_tree("casemate-worker", &NOT_IN_THE_WORKER);
}

#[test]
fn the_supervisor_holds_nothing_that_touches_guest_code() {
    not_in_tree("casemate-supervisor", &NOT_IN_THE_SUPERVISOR);
}

fn not_in_tree(package: &str, banned: &[&str]) {
    let tree = tree(package);
    let broken = banned.iter().filter(|name| tree.contains(**name)).map(|name| {
        format!("{name} is in it; `cargo tree -p {package} -e normal,build -i {name}` shows the way it came")
    });
    hold(&format!("{package} is built without {}", banned.join(", ")), broken.collect());
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    let lax = |package: &Package| {
        let manifest =
            std::fs::read_to_string(&package.manifest).expect("a manifest that cargo has just read");
        let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
        lines.next() != Some("workspace = true")
    };
    let broken = packages()
        .into_iter()
        .filter(lax)
        .map(|package| format!("{}: add `[lints]`, `workspace = true`", package.manifest.display()));
    hold("one lint table for all", broken.collect());
}

#[test]
fn unsafe_stands_in_its_rooms_with_its_reason() {
    let mut broken = Vec::new();
    for source in sources() {
        let room = UNSAFE_ROOMS.iter().any(|(room, _)| source.path.starts_with(room));
        for (line, place) in source.words("unsafe") {
            if !room {
                let rooms = UNSAFE_ROOMS.map(|(room, what)| format!("{room} ({what})")).join(", ");
                broken.push(format!("{}:{line}: `unsafe` outside its rooms: {rooms}", source.path));
            } else if place.needs_reason && !source.comment_near(line, &["SAFETY:", "# Safety"]) {
                broken.push(format!("{}:{line}: no SAFETY comment says what makes it sound", source.path));
            }
        }
    }
    hold("unsafe code is in few places, each with the fact that makes it sound", broken);
}

#[test]
fn crates_that_need_no_unsafe_forbid_it() {
    let sources = sources();
    let broken = FORBID_UNSAFE.iter().filter(|path| {
        let file = sources.iter().find(|source| source.path == **path);
        !file.is_some_and(|source| source.code.contains("#![forbid(unsafe_code)]"))
    });
    hold(
        "protocol, supervisor and client are free of unsafe code",
        broken.map(|path| format!("{path}: add `#![forbid(unsafe_code)]`")).collect(),
    );
}

#[test]
fn processes_are_started_in_one_place() {
    // An author's own build is no process of Casemate's: it runs with the author's rights, as by hand.
    let elsewhere = |source: &Source| {
        let starts = ["supervisor/src/process", "sdk/cli/src/project/making.rs"];
        !starts.iter().any(|room| source.path.starts_with(room))
    };
    hold(
        "only supervisor/src/process starts processes, because it also waits for them and kills them",
        in_product(&["Command::new", "process::Command"], elsewhere),
    );
}

#[test]
fn bincode_only_goes_down() {
    let mut broken = in_product(
        &[
            "bincode::encode",
            "bincode::decode",
            "bincode::borrow_decode",
            "bincode::serde",
            "decode_from_slice",
        ],
        |source| source.path != "protocol/src/spawn.rs",
    );
    broken.extend(in_product(&["decode_down"], |source| {
        source.path != "protocol/src/spawn.rs" && !source.path.starts_with("worker/")
    }));
    broken.extend(in_product(&["encode_down"], |source| {
        source.path != "protocol/src/spawn.rs" && !source.path.starts_with("supervisor/")
    }));
    hold(
        "bincode carries trusted start-up data from the supervisor down, through protocol/src/spawn.rs, and nothing else",
        broken,
    );
}

/// Where one of the texts stands in product code of a file that `elsewhere` picks.
fn in_product(texts: &[&str], elsewhere: impl Fn(&Source) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.is_product() && elsewhere(source)) {
        for (line, code) in source.product_lines() {
            let hits = texts.iter().filter(|text| code.contains(**text));
            found.extend(hits.map(|text| format!("{}:{line}: `{text}`", source.path)));
        }
    }
    found
}

#[test]
fn nothing_is_left_for_later_without_a_reason() {
    let mut broken = Vec::new();
    for source in sources() {
        for word in ["TODO", "FIXME"] {
            let lines = source.comment_lines_with(word);
            broken.extend(lines.map(|line| format!("{}:{line}: {word}", source.path)));
        }
        for (line, code) in source.code_lines() {
            for text in ["todo!(", "unimplemented!(", "#[ignore]"] {
                if code.contains(text) {
                    broken.push(format!("{}:{line}: `{text}`", source.path));
                }
            }
        }
    }
    for (path, text) in text_files() {
        let marked = |line: &str| source::has_word(line, "TODO") || source::has_word(line, "FIXME");
        let lines = text.lines().zip(1..).filter(|(line, _)| marked(line));
        broken.extend(lines.map(|(_, number)| format!("{path}:{number}: left for later")));
    }
    hold("do it, or say in plain words what is not there and why; #[ignore = \"reason\"]", broken);
}

/// Lists, and does not fail: a long file is a question, not a mistake.
#[test]
fn long_files_are_listed() {
    let mut long: Vec<(usize, String)> = sources()
        .into_iter()
        .map(|source| (source.code.lines().count(), source.path))
        .filter(|(lines, _)| *lines > LONG_FILE_LINES)
        .collect();
    long.sort_unstable_by(|left, right| right.cmp(left));
    let mut list = String::new();
    for (lines, path) in long {
        list.push_str(&format!("over {LONG_FILE_LINES} lines: {path} ({lines})\n"));
    }
    // Past libtest's capture, which hides what a passing test prints.
    std::io::stderr().write_all(list.as_bytes()).expect("standard error takes text");
}

#[track_caller]
fn hold(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}\n  {}\n", broken.join("\n  "));
}
