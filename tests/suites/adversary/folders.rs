//! Folders: what a hostile worker with WASI opens lies below them, and what it does there is what was granted.

use crate::ground::{Ground, went_through};
use casemate::attack::End;
use casemate_tests::block_on;
use std::fs;

/// Which wall must stop an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wall {
    /// EACCES, or EXDEV for a name in another folder.
    Landlock,
    /// ENOENT: there is nothing of the name.
    EmptyRoot,
}

impl Wall {
    fn errors(self) -> &'static [&'static str] {
        match self {
            Self::Landlock => &["error 13", "error 18"],
            // Landlock comes first where the path is the root itself.
            Self::EmptyRoot => &["error 2", "error 13"],
        }
    }
}

/// Steps without `syscall`; each but the last only prepares. Descriptor 1 is the folder that may be read, 2 the one that may
/// be written to.
type Attack = (Wall, &'static [&'static str]);

const fn out(steps: &'static [&'static str]) -> Attack {
    (Wall::Landlock, steps)
}

const fn nowhere(steps: &'static [&'static str]) -> Attack {
    (Wall::EmptyRoot, steps)
}

const READS: &[Attack] = &[
    out(&["openat 1 @path:../outside/secret.txt 0 0"]),
    out(&["openat 2 @path:../outside/secret.txt 0 0"]),
    out(&["openat 2 @path:sub/../../outside/secret.txt 0 0"]),
    out(&["openat2 1 @path:../outside/secret.txt {how-read} 24"]),
    out(&["openat2 2 @path:../outside/secret.txt {how-read} 24"]),
    out(&["openat 1 @path:.. {folder} 0"]),
    out(&["openat 1 @path:../outside {folder} 0"]),
    // The root of the host's tree, which is above the folders still
    out(&["openat 1 @path:../../../../../../../../etc/passwd 0 0"]),
    out(&["openat 1 @path:../../../../../../../../dev/null 0 0"]),
    out(&["openat 1 @path:../../../../../../../../dev/null 2 0"]),
    out(&["openat 1 @path:../../../../../../../../proc/version 0 0"]),
    out(&["openat 2 @path:../../../../../../../../proc/self/status 0 0"]),
    out(&["openat 2 @path:../../../../../../../../sys/kernel/uevent_seqnum 0 0"]),
    // From a place that was opened without a right to it: O_PATH
    out(&["openat 1 @path:.. 0x200000 0", "openat {fd} @path:outside/secret.txt 0 0"]),
    out(&["openat 2 @path:../outside 0x200000 0", "openat {fd} @path:secret.txt 0 0"]),
    out(&["openat 2 @path:../outside 0x200000 0", "openat2 {fd} @path:secret.txt {how-read} 24"]),
    // Links that somebody has put there, and one of its own
    out(&["openat 1 @path:out/secret.txt 0 0"]),
    out(&["openat 1 @path:out.txt 0 0"]),
    out(&["openat 2 @path:out.txt 0 0"]),
    out(&["openat2 2 @path:out.txt {how-read} 24"]),
    out(&["symlinkat @path:../outside/secret.txt 2 @path:own", "openat 2 @path:own 0 0"]),
    nowhere(&["openat 1 @path:absolute.txt 0 0"]),
    nowhere(&["openat 2 @path:absolute.txt 0 0"]),
    nowhere(&["symlinkat @path:/etc/passwd 2 @path:own", "openat 2 @path:own 0 0"]),
    nowhere(&["openat -100 @path:/etc/passwd 0 0"]),
    nowhere(&["openat 1 @path:/etc/passwd 0 0"]),
    nowhere(&["openat2 2 @path:/etc/passwd {how-read} 24"]),
    nowhere(&["openat 1 @path:{here}/outside/secret.txt 0 0"]),
    nowhere(&["openat 1 @path:{here}/ro/a.txt 0 0"]),
    nowhere(&["openat -100 @path:/ {folder} 0"]),
    nowhere(&["openat -100 @path:/proc {folder} 0"]),
    nowhere(&["openat -100 @path:/proc/self/status 0 0"]),
    nowhere(&["openat -100 @path:/proc/version 0 0"]),
    nowhere(&["openat -100 @path:/sys {folder} 0"]),
    nowhere(&["openat -100 @path:/sys/kernel/uevent_seqnum 0 0"]),
    nowhere(&["openat -100 @path:/dev/null 2 0"]),
    nowhere(&["openat -100 @path:/dev/urandom 0 0"]),
    nowhere(&["openat2 -100 @path:/dev/null {how-read} 24"]),
];

const WRITES_OUTSIDE: &[Attack] = &[
    out(&["openat 2 @path:../outside/new 0x41 0x1b6"]),
    out(&["openat2 2 @path:../outside/new {how-new} 24"]),
    out(&["openat 2 @path:out/new 0x41 0x1b6"]),
    out(&["openat 2 @path:../new 0x41 0x1b6"]),
    out(&["openat 2 @path:../outside/secret.txt 1 0"]),
    out(&["openat 2 @path:../outside/secret.txt 0x201 0"]),
    out(&["openat 2 @path:out.txt 0x201 0"]),
    out(&["openat 2 @path:../outside {unnamed} 0x1b6"]),
    out(&["openat 2 @path:.. 0x200000 0", "openat {fd} @path:outside/new 0x41 0x1b6"]),
    out(&["openat 2 @path:.. 0x200000 0", "unlinkat {fd} @path:outside/secret.txt 0"]),
    out(&["mkdirat 2 @path:../outside/new 0x1ff"]),
    out(&["mkdirat 2 @path:../new 0x1ff"]),
    out(&["symlinkat @path:x 2 @path:../outside/new"]),
    out(&["unlinkat 2 @path:../outside/secret.txt 0"]),
    out(&["unlinkat 2 @path:../outside/empty 0x200"]),
    out(&["unlinkat 2 @path:out/secret.txt 0"]),
    out(&["renameat 2 @path:seed.txt 2 @path:../outside/new"]),
    out(&["renameat 2 @path:seed.txt 2 @path:../outside/secret.txt"]),
    out(&["renameat 2 @path:sub 2 @path:../outside/sub"]),
    out(&["renameat 2 @path:../outside/secret.txt 2 @path:stolen"]),
    out(&["renameat 2 @path:../outside/secret.txt 2 @path:../outside/new"]),
    out(&["linkat 2 @path:../outside/secret.txt 2 @path:stolen 0"]),
    out(&["linkat 2 @path:seed.txt 2 @path:../outside/new 0"]),
    nowhere(&["openat -100 @path:{here}/outside/new 0x41 0x1b6"]),
    nowhere(&["mkdirat -100 @path:{here}/outside/new 0x1ff"]),
    nowhere(&["symlinkat @path:x -100 @path:{here}/outside/new"]),
    nowhere(&["unlinkat -100 @path:{here}/outside/secret.txt 0"]),
    nowhere(&["renameat -100 @path:{here}/rw/seed.txt -100 @path:{here}/outside/new"]),
    nowhere(&["linkat -100 @path:{here}/outside/secret.txt -100 @path:{here}/rw/stolen 0"]),
];

const WRITES_TO_WHAT_IS_READ: &[Attack] = &[
    out(&["openat 1 @path:a.txt 1 0"]),
    out(&["openat 1 @path:a.txt 2 0"]),
    // O_TRUNC with nothing but reading
    out(&["openat 1 @path:a.txt 0x200 0"]),
    out(&["openat 1 @path:new 0x41 0x1b6"]),
    out(&["openat2 1 @path:new {how-new} 24"]),
    out(&["openat 1 @path:. {unnamed} 0x1b6"]),
    out(&["openat 2 @path:../ro/a.txt 2 0"]),
    out(&["openat 2 @path:../ro/new 0x41 0x1b6"]),
    out(&["mkdirat 1 @path:new 0x1ff"]),
    out(&["symlinkat @path:a.txt 1 @path:new"]),
    out(&["unlinkat 1 @path:a.txt 0"]),
    out(&["unlinkat 1 @path:b 0x200"]),
    out(&["renameat 1 @path:a.txt 1 @path:new"]),
    out(&["linkat 1 @path:a.txt 1 @path:new 0"]),
    // Across the two
    out(&["renameat 1 @path:a.txt 2 @path:stolen"]),
    out(&["linkat 1 @path:a.txt 2 @path:stolen 0"]),
    out(&["renameat 2 @path:seed.txt 1 @path:new"]),
    out(&["renameat 2 @path:seed.txt 1 @path:a.txt"]),
    out(&["renameat 2 @path:sub 1 @path:sub"]),
    out(&["linkat 2 @path:seed.txt 1 @path:new 0"]),
];

/// What was granted works: the control of everything that is refused.
const GRANTED: &[&[&str]] = &[
    &["openat 1 @path:a.txt 0 0", "pread64 {fd} @page 4096 0"],
    &["openat2 1 @path:a.txt {how-read} 24", "read {fd} @page 4096"],
    &["openat 1 @path:link.txt 0 0", "read {fd} @page 4096"],
    &["openat 1 @path:b/../a.txt 0 0"],
    &["openat 1 @path:. {folder} 0", "getdents64 {fd} @page 4096"],
    &["openat 2 @path:seed.txt 2 0", "pwrite64 {fd} @page 4 0"],
    &["openat 2 @path:seed.txt 0x201 0"],
    &["openat 2 @path:new 0x41 0x1b6"],
    &["openat2 2 @path:new {how-new} 24"],
    &["openat 2 @path:. {unnamed} 0x1b6"],
    &["mkdirat 2 @path:new 0x1ff"],
    &["symlinkat @path:x 2 @path:new"],
    &["renameat 2 @path:seed.txt 2 @path:sub/new"],
    &["linkat 2 @path:seed.txt 2 @path:sub/new 0"],
    &["unlinkat 2 @path:seed.txt 0"],
    &["unlinkat 2 @path:sub 0x200"],
];

fn attacks() -> impl Iterator<Item = Attack> {
    [READS, WRITES_OUTSIDE, WRITES_TO_WHAT_IS_READ].into_iter().flatten().copied()
}

#[test]
fn what_is_granted_works() {
    block_on(async {
        let ground = Ground::open().await;
        for steps in GRANTED {
            ground.renew();
            let before = ground.seen();
            let end = ground.take(steps).await;
            assert!(went_through(&end), "{steps:?}: {end:?}");
            assert_eq!(ground.seen(), before, "{steps:?}");
        }
        // And it is the very file.
        ground.renew();
        assert_eq!(ground.take(GRANTED[0]).await, End::Answered("result 0xa".to_owned()));
        assert!(went_through(
            &ground.take(&["openat 2 @path:seed.txt 0x201 0", "pwrite64 {fd} @code 3 0"]).await
        ));
        assert_eq!(fs::metadata(ground.here.join("rw/seed.txt")).unwrap().len(), 3);
        ground.attacker.close().await;
    });
}

#[test]
fn no_path_leads_out_of_the_folders() {
    block_on(async {
        let ground = Ground::open().await;
        // The link and the folders: no other descriptor to begin with.
        for fd in 0..2048 {
            let end = ground.take(&[&format!("fcntl {fd} 3")]).await;
            assert_eq!(went_through(&end), fd <= 2, "descriptor {fd}: {end:?}");
        }
        let mut through = Vec::new();
        for (wall, steps) in attacks() {
            ground.renew();
            let before = ground.seen();
            let end = ground.take(steps).await;
            let is_refused = matches!(&end, End::Answered(said) if wall.errors().contains(&said.as_str()));
            if !is_refused || ground.seen() != before || ground.here.join("rw/stolen").exists() {
                through.push(format!("{steps:?}: {end:?}"));
            }
        }
        ground.attacker.close().await;
        assert_eq!(through, [""; 0]);
    });
}

#[test]
fn without_the_two_walls_every_one_of_them_does() {
    block_on(async {
        let ground = Ground::without("landlock,empty-root").await;
        let mut refused = Vec::new();
        for (_, steps) in attacks() {
            ground.renew();
            let end = ground.take(steps).await;
            if !went_through(&end) {
                refused.push(format!("{steps:?}: {end:?}"));
            }
        }
        ground.attacker.close().await;
        assert_eq!(refused, [""; 0]);
    });
}
