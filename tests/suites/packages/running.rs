//! Packages and a daemon that runs: what is installed is loaded, what is removed is unloaded, and what lies in a folder is found.

use crate::ground::{NUMBERS, manifest};
use casemate_tests::command::casemate;
use casemate_tests::daemon::Served;
use casemate_tests::guests;
use casemate_tests::scratch::Scratch;
use serde_json::json;
use std::path::Path;

fn project(folder: &Path, id: &str, version: &str, more: &str) -> String {
    let place = folder.join(format!("{id}-{version}"));
    std::fs::create_dir_all(&place).unwrap();
    std::fs::copy(guests::rust("statistics"), place.join("m.wasm")).unwrap();
    std::fs::write(place.join("plugin.toml"), manifest(id, version, more)).unwrap();
    place.display().to_string()
}

#[test]
fn a_daemon_takes_what_is_installed_and_gives_up_what_is_removed() {
    let folder = Scratch::new();
    let shelf = folder.join("shelf");
    project(&shelf, "found", "1.0.0", "");
    let mut served = Served::start(&format!("plugin_dirs = [{:?}]\n", shelf.display().to_string()));
    let (socket, state) = (served.socket().display().to_string(), served.state().display().to_string());
    let ask =
        |words: &[&str]| casemate(&[&["--json", "--socket", &socket, "--state-dir", &state], words].concat());
    let input = json!({ "numbers": NUMBERS }).to_string();
    let sum = |name: &str| ask(&["call", name, "stats", "--input", &input]);

    // What lies in a folder that the configuration names.
    assert_eq!(sum("found").json()["reply"]["sum"], 6.0);

    // What is installed while it runs.
    assert_eq!(sum("sums").code, 8);
    let first = project(&folder, "sums", "1.0.0", "");
    let ran = ask(&["plugins", "install", &first]);
    assert_eq!((ran.code, ran.json()["plugins"][0]["daemon"].as_str()), (0, Some("loaded")), "{ran:?}");
    assert_eq!(sum("sums").json()["reply"]["sum"], 6.0);
    let shown = ask(&["plugins", "info", "sums"]).json();
    assert_eq!((&shown["state"], &shown["package"]["version"]), (&json!("running"), &json!("1.0.0")));
    let generation = shown["generation"].as_u64().unwrap();

    // A new version takes over.
    let second = project(&folder, "sums", "2.0.0", "[limits]\nmemory = \"32MiB\"\n");
    let ran = ask(&["plugins", "install", &second]);
    assert_eq!((ran.code, ran.json()["plugins"][0]["daemon"].as_str()), (0, Some("restarted")), "{ran:?}");
    let shown = ask(&["plugins", "info", "sums"]).json();
    assert_eq!(shown["package"]["version"], "2.0.0");
    assert!(shown["generation"].as_u64().unwrap() > generation, "{shown}");
    assert_eq!(sum("sums").json()["reply"]["sum"], 6.0);

    // It is there at the next start, and one that was disabled stays so.
    assert_eq!(ask(&["plugins", "disable", "found"]).code, 0);
    served.again();
    assert_eq!(sum("sums").json()["reply"]["sum"], 6.0);
    assert_eq!(sum("found").code, 8);

    // And gone when it is removed.
    assert_eq!(ask(&["plugins", "remove", "sums"]).code, 0);
    assert_eq!(sum("sums").code, 8);
    let list = ask(&["plugins", "list"]).json();
    let names: Vec<&str> =
        list["plugins"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["found"]);
}
