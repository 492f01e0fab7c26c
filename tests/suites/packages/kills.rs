//! Whoever installs is killed at any point: what is there is the old package or the new one, whole.

use crate::ground::{Ground, manifest};
use casemate_tests::guests;
use std::time::{Duration, Instant};

/// How often.
const KILLS: u32 = 120;

/// Large enough that writing it takes a while.
const DATA_BYTES: usize = 8 << 20;

#[test]
fn who_is_killed_leaves_the_old_package_or_the_new_one() {
    let ground = Ground::new();
    let wasm = std::fs::read(guests::wat("minimal")).unwrap();
    let of = |number: u8| {
        let (text, data) = (
            manifest("torn", &format!("{number}.0.0"), "[build]\nfiles = [\"a.bin\", \"z.bin\"]\n"),
            vec![b'0' + number; DATA_BYTES],
        );
        let files = [("plugin.toml", text.as_bytes()), ("m.wasm", &wasm), ("a.bin", &data), ("z.bin", &data)];
        ground.folder(&format!("v{number}"), &files)
    };
    let versions = [of(1), of(2)];
    ground.done(&["plugins", "install", &versions[0]]);
    let began = Instant::now();
    ground.done(&["plugins", "install", &versions[1]]);
    let whole = began.elapsed();
    let (mut killed, mut seen, mut round) = (0, [0, 0], 0_u32);
    let mut left_behind = 0;
    while killed < KILLS {
        round += 1;
        assert!(round < 20 * KILLS, "only {killed} were killed in time");
        let version = &versions[round as usize % 2];
        let mut child = ground.command(&["plugins", "install", version]).spawn().unwrap();
        // Over all of it, and twice as often over its second half, where it writes.
        let part = f64::from(round * 7919 % 1000) / 1000.0;
        let part = if round.is_multiple_of(3) { part } else { 0.5 + part * 0.5 };
        std::thread::sleep(Duration::from_secs_f64(whole.as_secs_f64() * part));
        let was_running = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        killed += u32::from(was_running);
        left_behind += std::fs::read_dir(ground.state().join("staging")).unwrap().count();

        let files = ground.package("torn");
        let text = String::from_utf8(files["plugin.toml"].clone()).unwrap();
        let number = if text.contains("\"1.0.0\"") { 1 } else { 2 };
        assert!(text.contains(&format!("version = \"{number}.0.0\"")), "{text}");
        assert_eq!(files.len(), 6, "{:?}", files.keys());
        for name in ["files/a.bin", "files/z.bin"] {
            let is_whole =
                files[name].len() == DATA_BYTES && files[name].iter().all(|byte| *byte == b'0' + number);
            assert!(is_whole, "{name} is not that of version {number}");
        }
        assert!(files["files/m.wasm"] == wasm && files["files/plugin.toml"] == files["plugin.toml"]);
        seen[usize::from(number) - 1] += 1;
    }
    assert!(left_behind > 0, "no kill came while something was being written");
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    // The next one sweeps away what they left, and works.
    ground.done(&["plugins", "install", &versions[0]]);
    assert_eq!(std::fs::read_dir(ground.state().join("staging")).unwrap().count(), 0);
    ground.done(&["plugins", "remove", "torn"]);
    assert!(ground.is_clean());
}
