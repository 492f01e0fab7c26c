//! What the standard library does not reach: calls of WASI 0.1 as they are.

use crate::{Case, Said};
use wasip1::*;

const ROOT: Fd = 3;

/// A call as it is.
macro_rules! raw {
    ($call:expr) => {
        // SAFETY: the pointers in the cases here are those of values that live through the call.
        unsafe { $call }
    };
}

pub(crate) const CASES: &[Case] = &[
    ("raw-prestats", || {
        let mut found = Vec::new();
        for fd in 3..16 {
            let Ok(stat) = (raw!(fd_prestat_get(fd))) else { break };
            let length = raw!(stat.u.dir.pr_name_len);
            let mut name = vec![0; length];
            raw!(fd_prestat_dir_name(fd, name.as_mut_ptr(), length)).map_err(said)?;
            found.push(String::from_utf8_lossy(&name).into_owned());
        }
        Ok(found.join(" "))
    }),
    ("raw-bad-fd", || errno(raw!(fd_close(77)))),
    ("raw-close-stdout", || {
        eprintln!("closing");
        raw!(fd_close(1)).map_err(said)?;
        Ok("nobody hears this".to_owned())
    }),
    ("raw-fdstat", || {
        let stat = raw!(fd_fdstat_get(0)).map_err(said)?;
        Ok(format!("{} {}", stat.fs_filetype.raw(), stat.fs_flags))
    }),
    ("raw-fdstat-folder", || {
        let stat = raw!(fd_fdstat_get(ROOT)).map_err(said)?;
        Ok(format!("{} {}", stat.fs_filetype.raw(), stat.fs_flags))
    }),
    ("raw-renumber", || {
        let file = open("a.txt", 0)?;
        raw!(fd_renumber(file, 20)).map_err(said)?;
        errno(raw!(fd_close(20)))
    }),
    ("raw-advise", || {
        let file = open("a.txt", 0)?;
        errno(raw!(fd_advise(file, 0, 10, ADVICE_SEQUENTIAL)))
    }),
    ("raw-allocate", || {
        let file = open("a.txt", 0)?;
        errno(raw!(fd_allocate(file, 0, 10)))
    }),
    ("raw-tell", || {
        let file = open("a.txt", 0)?;
        raw!(fd_seek(file, 3, WHENCE_SET)).map_err(said)?;
        Ok(raw!(fd_tell(file)).map_err(said)?.to_string())
    }),
    ("raw-seek-negative", || {
        let file = open("a.txt", 0)?;
        errno(raw!(fd_seek(file, -1, WHENCE_SET)))
    }),
    ("raw-pread", || {
        let file = open("a.txt", 0)?;
        let mut bytes = [0_u8; 4];
        let pieces = [Iovec { buf: bytes.as_mut_ptr(), buf_len: 4 }];
        let read = raw!(fd_pread(file, &pieces, 1)).map_err(said)?;
        Ok(format!("{read} {}", String::from_utf8_lossy(&bytes)))
    }),
    ("raw-read-folder", || {
        let mut bytes = [0_u8; 4];
        let pieces = [Iovec { buf: bytes.as_mut_ptr(), buf_len: 4 }];
        errno(raw!(fd_read(ROOT, &pieces)))
    }),
    ("raw-write-stdin", || {
        let bytes = b"x";
        errno(raw!(fd_write(0, &[Ciovec { buf: bytes.as_ptr(), buf_len: 1 }])))
    }),
    ("raw-open-empty", || errno(open_as("", 0))),
    ("raw-open-dot", || errno(open_as(".", OFLAGS_DIRECTORY))),
    ("raw-open-slash", || errno(open_as("/a.txt", 0))),
    ("raw-open-dots", || errno(open_as("..", OFLAGS_DIRECTORY))),
    ("raw-open-zero-byte", || errno(open_as("a\0b", 0))),
    ("raw-open-file-as-folder", || errno(open_as("a.txt", OFLAGS_DIRECTORY))),
    ("raw-open-trailing-slash", || errno(open_as("a.txt/", 0))),
    ("raw-readdir-cookie", || {
        let mut bytes = [0_u8; 24];
        let used = raw!(fd_readdir(ROOT, bytes.as_mut_ptr(), bytes.len(), 0)).map_err(said)?;
        Ok(format!("{used}"))
    }),
    ("raw-symlink", || errno(raw!(path_symlink("seed.txt", rw()?, "soft")))),
    ("raw-symlink-absolute", || errno(raw!(path_symlink("/etc/passwd", rw()?, "hard")))),
    ("raw-symlink-dots", || {
        let rw = rw()?;
        raw!(path_symlink("../../../../etc/passwd", rw, "out")).map_err(said)?;
        errno(raw!(path_open(rw, LOOKUPFLAGS_SYMLINK_FOLLOW, "out", 0, RIGHTS_FD_READ, 0, 0)))
    }),
    ("raw-poll-clock", || {
        let clock = SubscriptionClock { id: CLOCKID_MONOTONIC, timeout: 5_000_000, precision: 0, flags: 0 };
        let tag = EVENTTYPE_CLOCK.raw();
        let subscription =
            Subscription { userdata: 7, u: SubscriptionU { tag, u: SubscriptionUU { clock } } };
        let mut events = [EMPTY; 1];
        let count = raw!(poll_oneoff(&subscription, events.as_mut_ptr(), 1)).map_err(said)?;
        Ok(format!("{count} {} {}", events[0].userdata, events[0].type_.raw()))
    }),
    ("raw-poll-stdin", || {
        let fd_read = SubscriptionFdReadwrite { file_descriptor: 0 };
        let tag = EVENTTYPE_FD_READ.raw();
        let subscription =
            Subscription { userdata: 9, u: SubscriptionU { tag, u: SubscriptionUU { fd_read } } };
        let mut events = [EMPTY; 1];
        let count = raw!(poll_oneoff(&subscription, events.as_mut_ptr(), 1)).map_err(said)?;
        Ok(format!("{count} {}", events[0].userdata))
    }),
    ("raw-poll-none", || {
        let mut events = [EMPTY; 1];
        let subscription: *const Subscription = events.as_ptr().cast();
        errno(raw!(poll_oneoff(subscription, events.as_mut_ptr(), 0)))
    }),
    ("raw-clock-resolution", || Ok((raw!(clock_res_get(CLOCKID_MONOTONIC)).map_err(said)? > 0).to_string())),
    ("raw-clock-resolution-wall", || {
        Ok((raw!(clock_res_get(CLOCKID_REALTIME)).map_err(said)? > 0).to_string())
    }),
    ("raw-clock-cpu", || errno(raw!(clock_time_get(CLOCKID_PROCESS_CPUTIME_ID, 0)))),
    ("raw-random", || {
        let mut bytes = [0_u8; 64];
        raw!(random_get(bytes.as_mut_ptr(), bytes.len())).map_err(said)?;
        Ok(bytes.iter().any(|byte| *byte != 0).to_string())
    }),
    ("raw-yield", || errno(raw!(sched_yield()))),
    ("raw-sock-shutdown", || errno(raw!(sock_shutdown(0, 0)))),
    ("raw-sock-accept", || errno(raw!(sock_accept(ROOT, 0)))),
    ("raw-filestat-times", || {
        let rw = rw()?;
        raw!(path_open(rw, 0, "timed", OFLAGS_CREAT, RIGHTS_FD_WRITE, 0, 0)).map_err(said)?;
        errno(raw!(path_filestat_set_times(
            rw,
            0,
            "timed",
            1_000_000_000,
            2_000_000_000,
            FSTFLAGS_ATIM | FSTFLAGS_MTIM
        )))
    }),
];

const EMPTY: Event = Event {
    userdata: 0,
    error: ERRNO_SUCCESS,
    type_: EVENTTYPE_CLOCK,
    fd_readwrite: EventFdReadwrite { nbytes: 0, flags: 0 },
};

fn said(errno: Errno) -> String {
    format!("errno {} {}", errno.raw(), errno.name())
}

fn errno<T>(result: Result<T, Errno>) -> Said {
    Ok(match result {
        Ok(_) => "it worked".to_owned(),
        Err(errno) => said(errno),
    })
}

fn open_as(path: &str, flags: Oflags) -> Result<Fd, Errno> {
    raw!(path_open(ROOT, 0, path, flags, RIGHTS_FD_READ | RIGHTS_FD_SEEK | RIGHTS_FD_TELL, 0, 0))
}

fn open(path: &str, flags: Oflags) -> Result<Fd, String> {
    open_as(path, flags).map_err(said)
}

/// The folder that may be changed comes second.
fn rw() -> Result<Fd, String> {
    raw!(fd_fdstat_get(4)).map(|_| 4).map_err(said)
}
