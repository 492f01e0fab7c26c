//! What each wall still stops when both filters are gone, and every other wall that stands before the same attack.
//!
//! An attack is tried without any of its walls first, and must get through: otherwise nothing is shown. Then each of its
//! walls stands alone.

use crate::bench::Bench;
use casemate::attack::End;
use casemate_sys::support;
use casemate_tests::{block_on, is_root, processes, skip};
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// An attack that the filters alone would stop, and what else does.
pub(crate) struct Attack {
    pub(crate) what: &'static str,
    /// Orders, one after the other. `{last}` is what the one before came to.
    orders: &'static [&'static str],
    /// Each wall, and the error by which it alone stops the attack.
    pub(crate) walls: &'static [(&'static str, i32)],
}

const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const EAGAIN: i32 = 11;
const EACCES: i32 = 13;
const EMFILE: i32 = 24;
const ENETUNREACH: i32 = 101;
const ECONNREFUSED: i32 = 111;

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        what: "reads another plugin's memory",
        orders: &[
            "syscall mmap 0 4096 3 0x22 -1 0",
            "syscall process_vm_readv {pid} @hex:{last-bytes}0800000000000000 1 @hex:{memory-bytes}0800000000000000 1 0",
        ],
        walls: &[("landlock", EPERM), ("unprivileged-uid", EPERM), ("namespaces", ESRCH)],
    },
    Attack {
        what: "signals another plugin",
        orders: &["syscall kill {pid} 0"],
        walls: &[("landlock", EPERM), ("unprivileged-uid", EPERM), ("namespaces", ESRCH)],
    },
    Attack {
        what: "opens a file of the host",
        orders: &["syscall openat -100 @path:/etc/passwd 0 0"],
        walls: &[("landlock", EACCES), ("empty-root", ENOENT), ("limit-open-files", EMFILE)],
    },
    Attack {
        what: "connects to a port of the host",
        orders: &["syscall socket 2 1 0", "syscall connect {last} @hex:{tcp} 16"],
        walls: &[("landlock", EACCES), ("net-namespace", ENETUNREACH), ("limit-open-files", EMFILE)],
    },
    Attack {
        what: "sends the host a datagram",
        orders: &["syscall socket 2 2 0", "syscall sendto {last} @page 1 0 @hex:{udp} 16"],
        walls: &[("net-namespace", ENETUNREACH), ("limit-open-files", EMFILE)],
    },
    Attack {
        what: "connects to an abstract socket of the host",
        orders: &["syscall socket 1 1 0", "syscall connect {last} @hex:0100{abstract} {abstract-size}"],
        walls: &[("landlock", EPERM), ("net-namespace", ECONNREFUSED), ("limit-open-files", EMFILE)],
    },
    Attack {
        what: "mounts a file system",
        orders: &["syscall mount @path:x @path:/ @path:tmpfs 0 0"],
        walls: &[("landlock", EPERM), ("capabilities", EPERM)],
    },
    Attack { what: "forks", orders: &["syscall clone 17 0 0 0 0"], walls: &[("limit-processes", EAGAIN)] },
    Attack {
        what: "makes memory executable",
        orders: &["syscall mprotect @page 4096 5"],
        walls: &[("deny-new-executable", EACCES)],
    },
    Attack {
        what: "puts other code in the place of the module's",
        orders: &["syscall mmap @code 4096 3 0x32 -1 0"],
        walls: &[("sealed-code", EPERM)],
    },
];

/// What the attacker's orders name: a victim, and the host's doors.
struct World {
    victim: Bench,
    names: Vec<(&'static str, String)>,
    _doors: (TcpListener, UdpSocket, UnixListener),
}

impl World {
    async fn open() -> Self {
        // A victim whose user the attacker can have, in nothing but the host's own namespaces.
        let victim = Bench::flat("filter-a,filter-b,landlock,unprivileged-uid").await;
        let worker = processes::youngest_worker(&victim.attacker.marker()).unwrap();
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", worker.pid)).unwrap();
        let readable = maps.lines().find(|line| line.contains(" r")).unwrap();
        let memory = u64::from_str_radix(readable.split('-').next().unwrap(), 16).unwrap();
        let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let inet = |port: u16| hex(&[&[2, 0], &port.to_be_bytes()[..], &[127, 0, 0, 1], &[0; 8]].concat());
        let name = [b"\0casemate-layers-", victim.attacker.marker().as_bytes()].concat();
        let address = SocketAddr::from_abstract_name(&name[1..]).unwrap();
        let names = vec![
            ("pid", worker.pid.to_string()),
            ("memory-bytes", hex(&memory.to_le_bytes())),
            ("tcp", inet(tcp.local_addr().unwrap().port())),
            ("udp", inet(udp.local_addr().unwrap().port())),
            ("abstract", hex(&name)),
            ("abstract-size", (2 + name.len()).to_string()),
        ];
        Self { victim, names, _doors: (tcp, udp, UnixListener::bind_addr(&address).unwrap()) }
    }

    /// Carries an attack out. `Err` is the kernel's error.
    async fn attempt(&self, attack: &Attack, bench: &Bench) -> Result<(), i32> {
        let mut last = 0_u64;
        for order in attack.orders {
            let mut order = order.replace("{last}", &last.to_string());
            order = order.replace("{last-bytes}", &hex(&last.to_le_bytes()));
            for (name, value) in &self.names {
                order = order.replace(&format!("{{{name}}}"), value);
            }
            let End::Answered(said) = bench.attacker.order(&order).await else {
                panic!("{}: {order}", attack.what)
            };
            let said = said.split(',').next().unwrap();
            match said.split_once(' ') {
                Some(("result", value)) => {
                    last = u64::from_str_radix(value.trim_start_matches("0x"), 16).unwrap()
                }
                Some(("error", error)) => return Err(error.parse().unwrap()),
                _ => panic!("{}: {said}", attack.what),
            }
        }
        Ok(())
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An attacker behind only one of the walls before an attack, or none, and no filter.
async fn behind(attack: &Attack, wall: Option<&str>) -> Bench {
    let others = attack.walls.iter().map(|(other, _)| *other).filter(|other| Some(*other) != wall);
    let flat = attack.walls.iter().any(|(other, _)| *other == "namespaces") && wall != Some("namespaces");
    let left_out: Vec<&str> =
        ["filter-a", "filter-b"].into_iter().chain(others.filter(|other| *other != "namespaces")).collect();
    if flat { Bench::flat(&left_out.join(",")).await } else { Bench::without(&left_out.join(",")).await }
}

/// Whether the kernel's Landlock is new enough: scopes came with 6, ports with 4.
fn landlock_knows(what: &str) -> bool {
    let abi = support::landlock_abi().unwrap_or(0);
    match what {
        "signals another plugin" | "connects to an abstract socket of the host" => abi >= 6,
        "connects to a port of the host" => abi >= 4,
        _ => abi >= 1,
    }
}

#[test]
fn each_wall_alone_stops_what_it_is_there_for() {
    block_on(async {
        let world = World::open().await;
        for attack in ATTACKS {
            let bare = behind(attack, None).await;
            assert_eq!(world.attempt(attack, &bare).await, Ok(()), "{}: without any wall", attack.what);
            bare.close().await;
            for (wall, error) in attack.walls {
                let test = format!("each_wall_alone: {}: {wall}", attack.what);
                if *wall == "unprivileged-uid" && !is_root() {
                    skip(&test, "only root has an identity to give away");
                    continue;
                }
                if *wall == "landlock" && !landlock_knows(attack.what) {
                    skip(&test, "this kernel's Landlock does not know it");
                    continue;
                }
                let bench = behind(attack, Some(wall)).await;
                assert_eq!(world.attempt(attack, &bench).await, Err(*error), "{}: {wall} alone", attack.what);
                println!("{}: {wall} alone: error {error}", attack.what);
                bench.close().await;
            }
        }
        world.victim.close().await;
    });
}
