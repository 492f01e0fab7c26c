//! What is refused: one clear error each, and nothing of it anywhere.

use crate::ground::{Ground, gzipped, manifest, tar_gz, tarred, zipped, zipped_as};
use casemate_tests::guests;
use tar::EntryType::{Block, Char, Directory, Fifo, Link, Regular, Symlink};

const NATIVE: &str = "id = \"a\"\nname = \"A\"\nversion = \"1.0.0\"\n";

/// Installs what must be refused.
fn refused(ground: &Ground, source: &str, code: i32, words: &[&str]) {
    let ran = ground.ran(&["plugins", "install", source]);
    assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{words:?}: {ran:?}");
    assert!(ran.err.starts_with("casemate: ") && ran.err.lines().count() == 1, "{ran:?}");
    for word in words {
        assert!(ran.err.contains(word), "{word:?}: {}", ran.err);
    }
    assert!(ground.is_clean(), "{words:?}: something is left");
}

#[test]
fn archives_that_reach_out_or_blow_up() {
    let wasm = std::fs::read(guests::wat("minimal")).unwrap();
    let good: [(&str, tar::EntryType, &[u8]); 2] =
        [("plugin.toml", Regular, NATIVE.as_bytes()), ("a.wasm", Regular, &wasm)];
    let ground = Ground::new();
    let big = vec![b' '; 8 << 20];
    let many: Vec<String> = (0..2001).map(|n| format!("f{n}")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let long = "x".repeat(90);
    let with = |entry: (&str, tar::EntryType, &[u8])| gzipped(&tarred(&[good[0], entry, good[1]]));
    for (bytes, words) in [
        (with(("../evil", Regular, b"x")), vec!["\"../evil\"", "leads out of the package's folder"]),
        (with(("a/../../evil", Regular, b"x")), vec!["leads out"]),
        (with(("../", Directory, b"")), vec!["leads out"]),
        (with(("/etc/evil", Regular, b"x")), vec!["\"/etc/evil\"", "its name is absolute"]),
        (with(("a//b", Regular, b"x")), vec!["its name is none that a package has"]),
        (with(("a\\b", Regular, b"x")), vec!["its name is none that a package has"]),
        (with(("a\nb", Regular, b"x")), vec!["its name is none that a package has"]),
        (with(("link", Symlink, b"/etc/passwd")), vec!["\"link\"", "no symbolic links"]),
        (with(("link", Link, b"plugin.toml")), vec!["no hard links"]),
        (with(("dev", Char, b"")), vec!["no devices and no pipes"]),
        (with(("dev", Block, b"")), vec!["no devices and no pipes"]),
        (with(("pipe", Fifo, b"")), vec!["no devices and no pipes"]),
        (with(("plugin.toml", Regular, b"x")), vec!["\"plugin.toml\"", "it is there twice"]),
        (with(("plugin.toml/x", Regular, b"x")), vec!["it lies in what is a file"]),
        (with(("big", Regular, &big)), vec!["more than 100 times the archive"]),
        (tar_gz(&many), vec!["more than 2000 files and folders"]),
        (gzipped(&tarred(&good))[..200].to_vec(), vec!["the archive"]),
        (gzipped(long.as_bytes()), vec!["the archive"]),
        (b"\x1f\x8b garbage".to_vec(), vec!["the archive"]),
        (b"hello".to_vec(), vec!["it is neither a .tar.gz nor a .zip"]),
        (zipped(&[("../evil", b"x")]), vec!["\"../evil\"", "leads out"]),
        (zipped(&[("/etc/evil", b"x")]), vec!["its name is absolute"]),
        (zipped_as(&[("link", 0o120_777, b"/etc/passwd")]), vec!["no symbolic links"]),
        (zipped(&[("big", &big)]), vec!["more than 100 times the archive"]),
        (zipped(&many), vec!["more than 2000 files and folders"]),
        (b"PK\x03\x04 garbage".to_vec(), vec!["the archive"]),
    ] {
        let source = ground.file("evil", &bytes);
        refused(&ground, &source, 4, &[&words[..], &["[package.archive]"]].concat());
    }
    let swapped = {
        let mut bytes = gzipped(&tarred(&good));
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        bytes
    };
    let source = ground.file("evil", &swapped);
    assert_ne!(ground.ran(&["plugins", "install", &source]).code, 0);
    assert!(ground.is_clean());
}

#[test]
fn folders_with_links_in_them() {
    let ground = Ground::new();
    let wasm = std::fs::read(guests::wat("minimal")).unwrap();
    let folder = ground.folder("p", &[("plugin.toml", NATIVE.as_bytes())]);
    let elsewhere = ground.file("real.wasm", &wasm);
    std::os::unix::fs::symlink(&elsewhere, format!("{folder}/a.wasm")).unwrap();
    refused(&ground, &folder, 3, &["there is no .wasm file beside it"]);
    std::fs::write(format!("{folder}/plugin.toml"), format!("{NATIVE}[build]\nmodule = \"a.wasm\"\n"))
        .unwrap();
    refused(&ground, &folder, 8, &["a.wasm", "it is a link, which a package never has"]);
    std::fs::remove_file(format!("{folder}/a.wasm")).unwrap();
    std::fs::create_dir(format!("{folder}/a.wasm")).unwrap();
    refused(&ground, &folder, 8, &["a.wasm", "it is not a regular file"]);
    refused(&ground, &ground.path("nowhere"), 8, &["No such file"]);
}

#[test]
fn manifests_that_do_not_hold() {
    let wasm = std::fs::read(guests::wat("minimal")).unwrap();
    let pocket = "name: a\nversion: 1.0.0\nruntime: wasm\nbinary: a.wasm\nnodes: []\n";
    let library = "[libraries]\na = { path = \"a.wasm\" }\n";
    for (files, code, words) in [
        (vec![("README", "x")], 3, vec!["there is no manifest: a package has one of"]),
        (
            vec![("plugin.toml", NATIVE), ("manifest.yaml", pocket)],
            3,
            vec!["there is more than one manifest (manifest.yaml of pocket, plugin.toml of casemate)"],
        ),
        (vec![("plugin.toml", "id = \"a\"\nname = \"A\"")], 3, vec!["plugin.toml: version is missing"]),
        (vec![("plugin.toml", "id = 7\nname = \"A\"")], 3, vec!["plugin.toml:1:6: id must be a text"]),
        (
            vec![("manifest.yaml", &format!("{pocket}requirements: {{ pocket: \">=9\" }}\n"))],
            3,
            vec!["manifest.yaml: requirements.pocket = \">=9\"", "take an older version"],
        ),
        (
            vec![("manifest.yaml", &format!("{pocket}requirements: {{ memory: 3GB }}\n"))],
            3,
            vec!["a needs 3000000000 B of memory", "raise what it is granted"],
        ),
        (
            vec![("manifest.yaml", &pocket.replace("a.wasm", "b.wasm"))],
            3,
            vec!["it names \"b.wasm\", which is not there"],
        ),
        (
            vec![("manifest.yaml", &pocket.replace("a.wasm", "../b.wasm"))],
            3,
            vec!["binary has \"../b.wasm\""],
        ),
        (
            vec![("hielements.toml", "[libraries]\na = { executable = \"python3\", args = [\"a.py\"] }\n")],
            3,
            vec!["a: a native program (python3 a.py) is installed where that is said, by --native"],
        ),
        // What the module speaks is seen by the compiler's process, behind the walls.
        (
            vec![("manifest.yaml", pocket)],
            3,
            vec![
                "manifest.yaml is a manifest of pocket and its module speaks casemate-1, not pocket-host or",
            ],
        ),
        (vec![("plugin.toml", NATIVE), ("a.wasm", "\0asm\x01\0\0\0")], 1, vec!["a.wasm: "]),
        (
            vec![("plugin.toml", NATIVE), ("a.wasm", "no module")],
            3,
            vec!["it names a file that is no WebAssembly"],
        ),
    ]
    .map(|(files, code, words): (Vec<(&str, &str)>, i32, Vec<&str>)| {
        let owned: Vec<(String, String)> =
            files.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        (owned, code, words)
    }) {
        let ground = Ground::new();
        let mut all: Vec<(&str, &[u8])> = vec![("a.wasm", &wasm)];
        all.extend(files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())));
        let folder = ground.folder("p", &all);
        refused(&ground, &folder, code, &words);
    }
    let ground = Ground::new();
    let folder = ground.folder("p", &[("hielements.toml", library.as_bytes()), ("a.wasm", &wasm)]);
    refused(
        &ground,
        &folder,
        3,
        &["hielements.toml is a manifest of hielements and its module speaks casemate-1, not hielements"],
    );
}

#[test]
fn names_that_are_taken() {
    let wasm = std::fs::read(guests::wat("minimal")).unwrap();
    let ground = Ground::new();
    let native =
        ground.folder("native", &[("plugin.toml", manifest("a", "1.0.0", "").as_bytes()), ("a.wasm", &wasm)]);
    let alone = ground.file("a.wasm", &wasm);
    ground.done(&["plugins", "install", &native]);
    let before = ground.package("a");
    let ran = ground.ran(&["plugins", "install", &alone]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("\"a\" is taken by a package of casemate (from "), "{ran:?}");
    assert!(ground.package("a") == before, "a refused package changed an installed one");
    ground.done(&["plugins", "remove", "a"]);
    ground.configure("[plugins.a]\npath = \"mine.wasm\"\n");
    refused(&ground, &native, 3, &["\"a\" is taken by [plugins.a] of ", "which has a module of its own"]);
    // A table without a module is what is granted to the package.
    ground.configure("[plugins.a.limits]\nmemory = \"1MiB\"\n");
    ground.done(&["plugins", "install", &native]);
}

#[test]
fn what_is_pinned_is_what_was_meant() {
    let wasm = std::fs::read(guests::wat("minimal")).unwrap();
    let ground = Ground::new();
    let archive = ground.file("a.tar.gz", &tar_gz(&[("plugin.toml", NATIVE.as_bytes()), ("a.wasm", &wasm)]));
    let wrong = "0".repeat(64);
    let ran = ground.ran(&["plugins", "install", &archive, "--sha256", &wrong]);
    assert_eq!(ran.code, 4, "{ran:?}");
    let found = ran.err.split("has the SHA-256 ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    assert!(ground.is_clean() && ran.err.contains(&wrong) && found.len() == 64, "{ran:?}");
    assert_eq!(ground.ran(&["plugins", "install", &archive, "--sha256", "abc"]).code, 2);
    ground.done(&["plugins", "install", &archive, "--sha256", &found.to_uppercase()]);
}
