//! Somebody outside swaps folders and links below a granted folder while the guest walks through them.

use super::programs::folders;
use casemate_tests::{block_on, casemate, guests, policy};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SWAPS_MIN: u64 = 100_000;
const AT_LEAST: Duration = Duration::from_secs(30);

#[test]
fn no_swap_leads_out_of_a_folder() {
    let folder = folders();
    let (rw, outside) = (folder.join("rw"), folder.join("outside"));
    for path in [&outside, &rw.join("x")] {
        fs::create_dir(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    fs::write(rw.join("x/f"), "inside").unwrap();
    fs::write(outside.join("f"), "secret").unwrap();
    // In turn a folder, and a link to another one that is not granted.
    symlink(&outside, rw.join("y")).unwrap();
    let (over, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                renameat_with(CWD, rw.join("x"), CWD, rw.join("y"), RenameFlags::EXCHANGE).unwrap();
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        block_on(async {
            let granted = policy(|spec| spec.filesystem = vec![format!("write:{}=/rw", rw.display())]);
            let plugin = casemate().load(guests::wasi("reactor"), granted).await.unwrap();
            let began = Instant::now();
            let (mut contents, mut read, mut written) = (BTreeSet::new(), 0, 0);
            while began.elapsed() < AT_LEAST || swaps.load(Ordering::Relaxed) < SWAPS_MIN {
                let input = json!({"path": "/rw/x/f", "times": 500});
                let (found, count): (BTreeSet<String>, u64) = plugin.call("read_many", &input).await.unwrap();
                contents.extend(found);
                read += count;
                let input = json!({"folder": "/rw/x", "times": 100});
                written += plugin.call::<_, u64>("write_many", &input).await.unwrap();
            }
            over.store(true, Ordering::Relaxed);
            // It was there to be read and written to, and nothing else was.
            assert_eq!(contents, BTreeSet::from(["inside".to_owned()]), "{read} reads");
            assert!(read > 0 && written > 0, "{read} reads, {written} writes");
        });
    });
    let names: Vec<_> = fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["f"], "after {} swaps", swaps.into_inner());
    assert_eq!(fs::read_to_string(outside.join("f")).unwrap(), "secret");
}
