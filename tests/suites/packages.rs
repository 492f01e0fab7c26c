//! Packages: what is installed is whole and was checked, what is refused leaves nothing, and who is killed meanwhile neither.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "packages/foreign.rs"]
mod foreign;
#[path = "packages/ground.rs"]
mod ground;
#[path = "packages/https.rs"]
mod https;
#[path = "packages/kills.rs"]
mod kills;
#[path = "packages/refusals.rs"]
mod refusals;
#[path = "packages/running.rs"]
mod running;

use casemate::Casemate;
use casemate_tests::daemon::Served;
use casemate_tests::{block_on, guests};
use ground::{Ground, NUMBERS, manifest, tar_gz, zipped};
use serde_json::{Value, json};

/// What holds is the configuration of the daemon that runs it, and not what the command would read.
#[test]
fn info_asks_the_daemon_what_is_granted() {
    let served = Served::start("version = 1\n[defaults.permissions]\nhost = [\"clock.*\"]\n");
    let ground = Ground::new();
    ground.configure("version = 1\n");
    let wasm = std::fs::read(guests::rust("statistics")).unwrap();
    let manifest = manifest("sums", "1.2.0", "[permissions]\nhost = [\"clock.now\"]\n");
    let folder = ground.folder("sums", &[("plugin.toml", manifest.as_bytes()), ("sums.wasm", &wasm)]);
    let with = |rest: &[&str]| served.command(rest);
    assert_eq!(with(&["plugins", "install", &folder]).code, 0);
    let info = with(&["--json", "plugins", "info", "sums"]).json();
    let compared = info["package"]["compared_with"].as_str().unwrap();
    assert!(compared.contains("casemate.toml, by the daemon"), "{info}");
    assert_eq!(info["package"]["notes"], json!([]), "the daemon grants it");
    let shown = with(&["plugins", "info", "sums"]).out;
    assert!(shown.contains(", by the daemon") && !shown.contains("note:"), "{shown}");

    // Without one it is the command's own.
    ground.done(&["plugins", "install", &folder]);
    let shown = ground.done(&["plugins", "info", "sums"]).out;
    assert!(shown.contains("policy:  ") && shown.contains(".config/casemate/casemate.toml\n"), "{shown}");
    assert!(
        shown.contains("note: it asks for permissions.host = [\"clock.now\"] and is granted []"),
        "{shown}"
    );
}

/// What is nearly right is told what would be.
#[test]
fn a_name_in_the_wrong_place_is_told_the_right_one() {
    let ground = Ground::new();
    let wasm = std::fs::read(guests::rust("statistics")).unwrap();
    let manifest = manifest("sums", "1.2.0", "");
    let folder = ground.folder("own/sums", &[("plugin.toml", manifest.as_bytes()), ("sums.wasm", &wasm)]);
    ground.configure(&format!("version = 1\nplugin_dirs = [{:?}]\n", ground.path("own")));
    let ran = ground.ran(&["plugins", "remove", "sums"]);
    assert!(
        ran.code == 8 && ran.err.contains("plugin_dirs") && ran.err.contains(&ground.path("own")),
        "{ran:?}"
    );
    let ran = ground.ran(&["run", "sums", "--call", "stats"]);
    assert!(ran.code == 8 && !ran.err.contains("casemate call"), "nothing is installed: {ran:?}");
    ground.done(&["plugins", "install", &folder]);
    let ran = ground.ran(&["run", "sums", "--call", "stats"]);
    assert!(ran.code == 8 && ran.err.contains("casemate call sums METHOD"), "{ran:?}");
}

/// From each shape a package comes in to an answer, and back to nothing.
#[test]
fn every_shape_is_installed_called_and_removed() {
    let wasm = std::fs::read(guests::rust("statistics")).unwrap();
    let manifest = manifest("sums", "1.2.0", "[build]\nfiles = [\"data/words.txt\"]\n");
    let files = [
        ("plugin.toml", manifest.as_bytes()),
        ("sums.wasm", wasm.as_slice()),
        ("data/words.txt", b"words"),
        ("README.md", b"left out"),
    ];
    let within: Vec<(String, &[u8])> =
        files.iter().map(|(path, bytes)| (format!("sums-1.2.0/{path}"), *bytes)).collect();
    let within: Vec<(&str, &[u8])> = within.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
    for (shape, bytes) in [
        ("folder", None),
        ("sums.tar.gz", Some(tar_gz(&files))),
        ("within.tar.gz", Some(tar_gz(&within))),
        ("sums.zip", Some(zipped(&files))),
        ("within.zip", Some(zipped(&within))),
    ] {
        let ground = Ground::new();
        let source = match bytes {
            Some(bytes) => ground.file(shape, &bytes),
            None => ground.folder("sums", &files),
        };
        let ran = ground.done(&["plugins", "install", &source]);
        assert_eq!(ran.out, "sums 1.2.0 installed (casemate, casemate-1)\n", "{shape}");
        let kept = ground.package("sums");
        assert_eq!(
            kept.keys().collect::<Vec<_>>(),
            ["files/data/words.txt", "files/plugin.toml", "files/sums.wasm", "origin.json", "plugin.toml"],
            "{shape}"
        );
        assert!(kept["files/sums.wasm"] == wasm && kept["plugin.toml"] == manifest.as_bytes(), "{shape}");

        let list = ground.json(&["plugins", "list"]);
        let package = &list["plugins"][0]["package"];
        assert_eq!(list["plugins"][0]["state"], "installed");
        assert_eq!(
            (&package["version"], &package["system"]),
            (&json!("1.2.0"), &json!("casemate")),
            "{shape}"
        );
        let info = ground.json(&["plugins", "info", "sums"]);
        assert_eq!((&info["name"], &info["package"]["source"]), (&json!("sums"), &json!(source)), "{shape}");
        assert!(ground.done(&["plugins", "info", "sums"]).out.contains("package: Sums 1.2.0 of casemate"));

        let answer: Value = block_on(async {
            let casemate = Casemate::builder().state_dir(ground.state()).build().unwrap();
            let plugin = casemate.load_named("sums").await.unwrap();
            let answer = plugin.call("stats", &json!({"numbers": NUMBERS})).await.unwrap();
            casemate.shutdown().await;
            answer
        });
        assert_eq!(answer["sum"], 6.0, "{shape}");

        ground.done(&["plugins", "remove", "sums"]);
        assert!(ground.is_clean(), "{shape}");
        let again = ground.ran(&["plugins", "remove", "sums"]);
        assert_eq!(
            (again.code, again.err.contains("no plugin \"sums\" is installed here")),
            (8, true),
            "{again:?}"
        );
        assert_eq!(ground.ran(&["plugins", "info", "sums"]).code, 8);
    }
}

/// A module alone is a package of its own; one with a manifest of ours beside it is not alone.
#[test]
fn a_module_is_installed_with_or_without_a_manifest() {
    let ground = Ground::new();
    let wasm = std::fs::read(guests::rust("statistics")).unwrap();
    let alone = ground.file("my sums.wasm", &wasm);
    let ran = ground.done(&["plugins", "install", &alone]);
    assert!(ran.out.starts_with("my_sums 0.0.0 installed (wasm, casemate-1)\n"), "{ran:?}");
    let beside =
        ground.folder("p", &[("plugin.toml", manifest("known", "2.0.0", "").as_bytes()), ("x.wasm", &wasm)]);
    let ran = ground.done(&["plugins", "install", &format!("{beside}/x.wasm")]);
    assert_eq!(ran.out, "known 2.0.0 installed (casemate, casemate-1)\n");
    let list = ground.json(&["plugins", "list"]);
    let names: Vec<&str> =
        list["plugins"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["known", "my_sums"]);
}

#[test]
fn a_package_is_packed_the_same_each_time_and_comes_back_as_it_was() {
    let ground = Ground::new();
    let wasm = std::fs::read(guests::wat("minimal")).unwrap();
    let manifest = manifest("small", "0.3.0", "[build]\nfiles = [\"b/data.txt\", \"a.txt\"]\n");
    let files = [
        ("plugin.toml", manifest.as_bytes()),
        ("small.wasm", wasm.as_slice()),
        ("b/data.txt", b"b"),
        ("a.txt", b"a"),
        (".git/secret", b"no"),
    ];
    let folder = ground.folder("p", &files);
    let pack = |name: &str| {
        let output = ground.path(name);
        let told = ground.json(&["plugins", "pack", &folder, "--output", &output]);
        (std::fs::read(&output).unwrap(), told)
    };
    let (first, told) = pack("one.tar.gz");
    assert_eq!(told["files"], json!(["a.txt", "b/data.txt", "plugin.toml", "small.wasm"]));
    // Other times, another order on the disk.
    std::fs::remove_dir_all(&folder).unwrap();
    let turned: Vec<_> = files.iter().rev().copied().collect();
    assert_eq!(ground.folder("p", &turned), folder);
    let (second, _) = pack("two.tar.gz");
    assert!(first == second, "the same files make another archive");
    let ran = ground.done(&["plugins", "install", &ground.path("one.tar.gz")]);
    assert_eq!(ran.out, "small 0.3.0 installed (casemate, casemate-1)\n");
    assert_eq!(ground.package("small")["files/b/data.txt"], b"b");
}

#[test]
fn what_is_valid_is_said_and_nothing_is_installed() {
    let ground = Ground::new();
    let wasm = std::fs::read(guests::wat("minimal")).unwrap();
    let asks =
        "[permissions]\nhost = [\"query:*\"]\nnetwork = [\"example.org\"]\n[limits]\nmemory = \"8GB\"\n";
    let text = manifest("asking", "1.0.0", asks).replace("8GB", "2GiB");
    let folder = ground.folder("p", &[("plugin.toml", text.as_bytes()), ("a.wasm", &wasm)]);
    let told = ground.json(&["plugins", "validate", &folder]);
    let notes: Vec<&str> =
        told["plugins"][0]["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    assert_eq!(
        notes,
        [
            "it asks for limits.memory = \"2GiB\" and is granted \"100MB\"",
            "it asks for permissions.host = [\"query:*\"] and is granted []",
            "it asks for permissions.network = [\"example.org\"] and is granted []: the network is denied to all in this version",
        ]
    );
    assert!(ground.is_clean());
    // The ceiling clips it, and is named.
    ground.configure("[defaults.limits]\nmemory = \"1GiB\"\n[ceiling.limits]\nmemory = \"32MiB\"\n");
    let told = ground.json(&["plugins", "validate", &folder]);
    let first = told["plugins"][0]["notes"][0].as_str().unwrap();
    assert!(
        first.starts_with(
            "it asks for limits.memory = \"2GiB\" and is granted \"32MiB\" (ceiling.limits.memory, "
        ),
        "{first}"
    );
}
