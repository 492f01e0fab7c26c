//! Beside paths: what a hostile worker with WASI makes of files once they are open, and what no wall keeps from it.

use crate::cell::Cell;
use crate::ground::{Ground, went_through};
use casemate::attack::{End, Profile};
use casemate_tests::{block_on, is_root, skip};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

#[test]
fn what_is_made_there_cannot_be_run_and_is_no_device() {
    block_on(async {
        let ground = Ground::open().await;
        for (call, steps) in [
            ("execveat", &["openat 2 @path:tool 0x41 0x1ed", "execveat {fd} @path: 0 0 0x1000"][..]),
            ("execve", &["openat 2 @path:tool 0x41 0x1ed", "execve @path:/tool 0 0"]),
            ("mmap", &["openat 2 @path:tool 0x42 0x1ed", "mmap 0 4096 5 2 {fd} 0"]),
            ("mmap", &["openat 1 @path:a.txt 0 0", "mmap 0 4096 5 2 {fd} 0"]),
            ("mmap", &["openat 1 @path:a.txt 0 0", "mmap 0 4096 1 2 {fd} 0"]),
            ("mknodat", &["mknodat 2 @path:new 0x21b6 0x103"]),
            ("renameat2", &["renameat2 1 @path:a.txt 2 @path:seed.txt 2"]),
            ("linkat", &["openat 1 @path:a.txt 0 0", "linkat {fd} @path: 2 @path:stolen 0x1000"]),
            ("fchdir", &["fchdir 1"]),
            ("fchmodat", &["fchmodat 2 @path:seed.txt 0x9ff"]),
            ("name_to_handle_at", &["name_to_handle_at 1 @path:a.txt @page @page 0"]),
            ("open_by_handle_at", &["open_by_handle_at 1 @page 0"]),
        ] {
            ground.renew();
            let end = ground.take(steps).await;
            let is_reported = matches!(&end, End::Reported(report) if report.name == Some(call)
                && report.instruction_pointer == ground.attacker.site());
            assert!(is_reported, "{steps:?}: {end:?}");
        }
        ground.attacker.close().await;
    });
}

/// Landlock has no right for metadata, and a filter sees no path: this is what SECURITY.md does not promise. A row that is
/// refused one day is to be moved to the attacks.
#[test]
fn names_and_times_around_a_folder_are_open_to_a_lost_worker() {
    block_on(async {
        let ground = Ground::open().await;
        for (steps, said) in [
            (&["statx 1 @path:../outside/secret.txt 0 0xfff @page"][..], "result 0x0"),
            (&["statx 1 @path:../outside/none 0 0xfff @page"], "error 2"),
            (&["readlinkat 2 @path:../outside/link @page 4096"], "result 0xa"),
            // O_PATH is no more than that either: nothing is read, nothing listed.
            (&["openat 1 @path:../outside/secret.txt 0x200000 0", "fstat {fd} @page"], "result 0x0"),
            (&["openat 1 @path:../outside/secret.txt 0x200000 0", "read {fd} @page 6"], "error 9"),
            (&["openat 2 @path:../outside/secret.txt 0x200000 0", "ftruncate {fd} 0"], "error 9"),
            (&["openat 1 @path:../outside 0x200000 0", "getdents64 {fd} @page 4096"], "error 9"),
            (&["utimensat -100 @path:/ 0 0"], "error 30"),
        ] {
            ground.renew();
            let before = ground.seen();
            assert_eq!(ground.take(steps).await, End::Answered(said.to_owned()), "{steps:?}");
            assert_eq!(ground.seen(), before, "{steps:?}");
        }
        // Files of its own user: the second 1 of 1970, outside as well as in the folder that is only read.
        let times = ["01", "00", "01", "00"].map(|first| format!("{first}{}", "00".repeat(7))).concat();
        for (path, file) in [("a.txt", "ro/a.txt"), ("../outside/secret.txt", "outside/secret.txt")] {
            let end = ground.take(&[&format!("utimensat 1 @path:{path} @hex:{times} 0")]).await;
            assert_eq!(end, End::Answered("result 0x0".to_owned()), "{path}");
            assert_eq!(fs::metadata(ground.here.join(file)).unwrap().mtime(), 1, "{path}");
        }
        // What it makes may carry its user's id: whoever runs that from outside runs as the plugin's user.
        assert!(went_through(&ground.take(&["openat 2 @path:tool 0x41 0xded"]).await));
        let made = fs::metadata(ground.here.join("rw/tool")).unwrap();
        assert_eq!((made.mode() & 0o6000, made.uid()), (0o6000, ground.user));
        ground.attacker.close().await;
    });
}

/// A process of the same user, and whatever it was started with.
struct Neighbour(Child);

impl Neighbour {
    fn start(user: u32) -> Self {
        let mut command = Command::new("sleep");
        command.arg("600").stdin(Stdio::null());
        if is_root() {
            command.uid(user).gid(user);
        }
        Self(command.spawn().unwrap())
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_process_of_the_same_user_shows_that_it_is_there() {
    block_on(async {
        let ground = Ground::open().await;
        let neighbour = Neighbour::start(ground.user);
        let about = format!("../../../../../../../../proc/{}", neighbour.0.id());
        for (step, said) in [
            (format!("statx 1 @path:{about} 0 0xfff @page"), "result 0x0"),
            (format!("readlinkat 1 @path:{about}/exe @page 4096"), "error 13"),
            (format!("readlinkat 1 @path:{about}/cwd @page 4096"), "error 13"),
            (format!("statx 1 @path:{about}/cwd/. 0 0xfff @page"), "error 13"),
            (format!("statx 1 @path:{about}/fd/0 0 0xfff @page"), "error 13"),
            (format!("openat 1 @path:{about}/environ 0 0"), "error 13"),
            (format!("openat 1 @path:{about}/cmdline 0 0"), "error 13"),
            (format!("openat 1 @path:{about}/mem 2 0"), "error 13"),
        ] {
            assert_eq!(ground.take(&[&step]).await, End::Answered(said.to_owned()), "{step}");
        }
        ground.attacker.close().await;
    });
}

#[test]
fn a_device_in_a_folder_gives_its_own_data_and_no_more() {
    let test = "a_device_in_a_folder_gives_its_own_data_and_no_more";
    if !is_root() {
        skip(test, "only root makes devices");
        return;
    }
    block_on(async {
        let ground = Ground::open().await;
        for folder in ["ro", "rw"] {
            for (name, kind, minor) in [
                ("null", FileType::CharacterDevice, 3),
                ("zero", FileType::CharacterDevice, 5),
                ("pipe", FileType::Fifo, 0),
            ] {
                let path = ground.here.join(folder).join(name);
                if mknodat(CWD, &path, kind, Mode::RWXU, makedev(1, minor)).is_err()
                    || fs::set_permissions(&path, Permissions::from_mode(0o666)).is_err()
                    || File::options().read(true).write(true).open(&path).is_err()
                {
                    skip(test, "no device can be made or opened among the temporary files");
                    return;
                }
            }
        }
        for (steps, said) in [
            (&["openat 1 @path:zero 0 0", "read {fd} @page 4096"][..], "result 0x1000"),
            (&["openat 1 @path:zero 2 0"], "error 13"),
            (&["openat 1 @path:null 1 0"], "error 13"),
            (&["openat 2 @path:zero 2 0", "read {fd} @page 4096"], "result 0x1000"),
            (&["openat 2 @path:null 2 0", "read {fd} @page 4096"], "result 0x0"),
            (&["openat 2 @path:null 2 0", "write {fd} @page 4096"], "result 0x1000"),
            // Without waiting for anybody: O_NONBLOCK
            (&["openat 2 @path:pipe 0x802 0", "write {fd} @page 1"], "result 0x1"),
            (&["openat 1 @path:pipe 0x801 0"], "error 13"),
        ] {
            assert_eq!(ground.take(steps).await, End::Answered(said.to_owned()), "{steps:?}");
        }
        for (call, step) in [
            ("mmap", "mmap 0 4096 3 2 {fd} 0"),
            ("mmap", "mmap 0 4096 3 1 {fd} 0"),
            ("ioctl", "ioctl {fd} 0x5401 @page"),
        ] {
            for opened in ["openat 1 @path:zero 0 0", "openat 2 @path:zero 2 0"] {
                let end = ground.take(&[opened, step]).await;
                let is_reported = matches!(&end, End::Reported(report) if report.name == Some(call));
                assert!(is_reported, "{opened}, {step}: {end:?}");
            }
        }
        ground.attacker.close().await;
    });
}

#[test]
fn without_a_folder_there_is_nothing_to_name() {
    block_on(async {
        let cell = Cell::open(Profile::Wasi).await;
        assert_eq!(cell.order("syscall statx -100 @path:/ 0 0xfff @page").await, answer("result 0x0"));
        for path in ["/etc/passwd", "../etc/passwd", "/proc", "/proc/self/exe", "/sys", "/dev/null", "/tmp"] {
            for call in [
                format!("statx -100 @path:{path} 0 0xfff @page"),
                format!("openat -100 @path:{path} 0x200000 0"),
                format!("readlinkat -100 @path:{path} @page 4096"),
                format!("utimensat -100 @path:{path} 0 0"),
                format!("unlinkat -100 @path:{path} 0"),
            ] {
                let end = cell.order(&format!("syscall {call}")).await;
                // That the file system is read-only may come before that there is no such name.
                assert!([answer("error 2"), answer("error 30")].contains(&end), "{call}: {end:?}");
            }
        }
        for call in [
            "openat -100 @path:/new 0x41 0x1b6",
            "mkdirat -100 @path:/new 0x1ff",
            "symlinkat @path:x -100 @path:/new",
        ] {
            let end = cell.order(&format!("syscall {call}")).await;
            assert!([answer("error 30"), answer("error 13")].contains(&end), "{call}: {end:?}");
        }
        cell.close().await;
    });
}

fn answer(said: &str) -> End {
    End::Answered(said.to_owned())
}
