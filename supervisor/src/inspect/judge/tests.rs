//! A worker and a zygote as they should be, with one thing wrong at a time.

use super::*;
use crate::inspect::Mounts;
use crate::inspect::mounts::RootMount;
use casemate_protocol::certificate::Profile;
use casemate_protocol::spawn::Identity;

const CODE: Range<u64> = 0x7f00_0001_0000..0x7f00_0003_0000;

fn host() -> HostFacts {
    HostFacts { filters: 1, uids: [0; 4], pid_levels: 1, namespaces: [Some(1); 7] }
}

fn spec() -> StubSpec {
    StubSpec {
        identity: Some(Identity { uid: 100_001, gid: 100_001 }),
        namespaces: true,
        stack_bytes: 8 << 20,
        data_bytes: 64 << 20,
        cpu_seconds: None,
        file_bytes: 0,
        open_files: 64,
    }
}

fn status(ns_pid: u32, filters: u32) -> Status {
    Status {
        ended: false,
        pid: 4711,
        ns_pids: vec![4711, ns_pid],
        uids: [100_001; 4],
        threads: 1,
        no_new_privs: true,
        capabilities: Default::default(),
        seccomp: Some(2),
        seccomp_filters: Some(filters),
        data_kib: Some(360),
    }
}

const ORDERED: [Ordered; 2] = [(Resource::OpenFiles, 0), (Resource::DataSize, 1_000_000)];

fn limits(open_files: (u64, u64), data: (u64, u64)) -> Seen<Vec<Limit>> {
    Seen::Yes([open_files, data].map(|(soft, hard)| Limit { soft, hard }).to_vec())
}

fn worker() -> Look {
    Look {
        maps: Seen::Yes(Maps { count: 40, executable: vec![CODE], writable_executable: None }),
        descriptors: Seen::Yes(vec![0]),
        limits: limits((0, 0), (1_000_000, 1_000_000)),
        status: status(2, 3),
    }
}

fn judge(look: &Look) -> Result<Observed, InspectError> {
    let (host, spec) = (host(), spec());
    let mut observed = Observed::default();
    let expect = Expect { host: &host, spec: &spec, namespaces: true, folders: 0 };
    look.core(expect, 2, Place::Inside, &mut observed)?;
    look.code_is_fixed(Some(&[CODE]), &mut observed)?;
    look.descriptors(expect, &mut observed)?;
    look.limits(&ORDERED, &mut observed)?;
    Ok(observed)
}

fn refused(change: impl FnOnce(&mut Look), error: &str) {
    let mut look = worker();
    change(&mut look);
    let text = judge(&look).unwrap_err().to_string();
    assert_eq!(text, format!("a walled process is not as ordered {error}"));
}

#[test]
fn a_worker_as_ordered_is_observed() {
    let observed = judge(&worker()).unwrap();
    let expected = "seccomp, no-new-privs, capabilities, pid-namespace, rlimits, descriptors, single-thread, \
                    unprivileged-uid, write-xor-execute";
    assert_eq!(observed.layers.to_string(), expected);
    assert!(observed.unseen.is_empty());
}

#[test]
fn every_disagreement_is_named() {
    refused(|look| look.status.seccomp = Some(0), "(seccomp): Seccomp must be 2 and is 0");
    refused(|look| look.status.seccomp_filters = Some(2), "(seccomp): Seccomp_filters must be 3 and is 2");
    refused(
        |look| look.status.seccomp_filters = None,
        "(seccomp): Seccomp_filters must be 3 and is not said by this kernel (5.9 does)",
    );
    refused(|look| look.status.no_new_privs = false, "(no-new-privs): NoNewPrivs must be true and is false");
    refused(
        |look| look.status.capabilities.permitted = 0x20_0000,
        "(capabilities): CapPrm must be 0 and is 0x200000",
    );
    refused(|look| look.status.threads = 2, "(single-thread): its number of threads must be 1 and is 2");
    refused(
        |look| look.status.uids = [100_001, 0, 0, 0],
        "(unprivileged-uid): its user must be [100001, 100001, 100001, 100001] and is [100001, 0, 0, 0]",
    );
    refused(
        |look| look.status.ns_pids = vec![4711],
        "(pid-namespace): its pid in the plugin's namespace must be one number above 1 and is []",
    );
    refused(
        |look| look.status.ns_pids = vec![4711, 1],
        "(pid-namespace): its pid in the plugin's namespace must be one number above 1 and is [1]",
    );
    refused(
        |look| look.descriptors = Seen::Yes(vec![0, 3]),
        "(descriptors): its open descriptors must be 0 to 0 and is [0, 3]",
    );
    refused(
        |look| look.descriptors = Seen::Yes(vec![]),
        "(descriptors): its open descriptors must be 0 to 0 and is []",
    );
    refused(
        |look| look.limits = limits((0, 0), (1_000_000, u64::MAX)),
        "(rlimits): Max data size must be 1000000 at most and is 1000000 (hard: 18446744073709551615)",
    );
    refused(
        |look| look.limits = limits((1, 0), (0, 0)),
        "(rlimits): Max open files must be 0 at most and is 1 (hard: 0)",
    );
    let more = vec![CODE, 0x1000..0x2000];
    refused(
        |look| look.maps = Seen::Yes(Maps { count: 2, executable: more, writable_executable: None }),
        "(write-xor-execute): its executable memory must be 7f0000010000-7f0000030000 and is \
         7f0000010000-7f0000030000 1000-2000",
    );
    refused(
        |look| {
            look.maps = Seen::Yes(Maps {
                count: 1,
                executable: vec![CODE],
                writable_executable: Some(0x1000..0x2000),
            });
        },
        "(write-xor-execute): memory that is writable and executable must be none and is 1000-2000",
    );
}

#[test]
fn what_may_not_be_looked_at_is_named_and_left_to_the_report() {
    let mut look = worker();
    look.maps = Seen::No("maps may not be read".to_owned());
    look.descriptors = Seen::No("fdinfo may not be read".to_owned());
    let observed = judge(&look).unwrap();
    assert!(!observed.layers.contains(Layer::Descriptors) && observed.layers.contains(Layer::Seccomp));
    let mut certificate = Certificate::new(Profile::Core);
    observed.enter(&mut certificate, [Layer::Descriptors].into_iter().collect());
    assert_eq!(certificate.layers[&Layer::Descriptors], LayerStatus::Reported);
    assert_eq!(certificate.reason(Layer::WriteXorExecute), Some("maps may not be read"));
    assert_eq!(certificate.layers[&Layer::Seccomp], LayerStatus::Observed);
}

#[test]
fn two_looks_together_saw_what_neither_missed() {
    let mut first = Observed::default();
    first.seen(Layer::NoNewPrivs);
    first.seen(Layer::Descriptors);
    let mut second = Observed::default();
    second.seen(Layer::SealedCode);
    second.unseen(Layer::Descriptors, "may not be read");
    for both in [first.clone().and(second.clone()), second.and(first)] {
        assert_eq!(both.layers.to_string(), "no-new-privs, sealed-code");
        assert_eq!(both.unseen.keys().copied().collect::<Vec<_>>(), [Layer::Descriptors]);
    }
}

#[test]
fn root_without_an_identity_is_not_an_unprivileged_uid() {
    let (host, mut spec) = (host(), spec());
    spec.identity = None;
    let mut look = worker();
    look.status.uids = [0; 4];
    let mut observed = Observed::default();
    look.identity(Expect { host: &host, spec: &spec, namespaces: true, folders: 0 }, &mut observed).unwrap();
    assert!(observed.unseen.contains_key(&Layer::UnprivilegedUid) && observed.layers.is_empty());
}

fn surroundings() -> Surroundings {
    Surroundings {
        namespaces: [const { Seen::Yes(2) }; 7],
        mounts: Seen::Yes(Mounts {
            count: 1,
            root: Some(RootMount { tmpfs: true, read_only: true }),
            all: Vec::new(),
        }),
        root_entries: Seen::Yes(0),
    }
}

#[test]
fn surroundings_are_seven_namespaces_and_an_empty_root() {
    let mut observed = Observed::default();
    surroundings().judge(&host(), &mut observed).unwrap();
    assert_eq!(observed.layers.iter().count(), 8);
    assert!(observed.unseen.is_empty());

    let refused = |change: fn(&mut Surroundings), error: &str| {
        let mut wrong = surroundings();
        change(&mut wrong);
        let text = wrong.judge(&host(), &mut Observed::default()).unwrap_err().to_string();
        assert_eq!(text, format!("a walled process is not as ordered {error}"));
    };
    refused(
        |wrong| wrong.namespaces[2] = Seen::Yes(1),
        "(net-namespace): net must be a namespace of its own and is ours",
    );
    refused(
        |wrong| {
            wrong.mounts = Seen::Yes(Mounts {
                count: 2,
                root: Some(RootMount { tmpfs: true, read_only: true }),
                all: Vec::new(),
            })
        },
        "(empty-root): its number of mounts must be 1 and is 2",
    );
    refused(
        |wrong| {
            wrong.mounts = Seen::Yes(Mounts {
                count: 1,
                root: Some(RootMount { tmpfs: true, read_only: false }),
                all: Vec::new(),
            })
        },
        "(empty-root): its root must be a read-only tmpfs and is another file system or writable",
    );
    refused(
        |wrong| wrong.root_entries = Seen::Yes(3),
        "(empty-root): its number of files in the root must be 0 and is 3",
    );

    let mut hidden = surroundings();
    hidden.namespaces[6] = Seen::No("ns may not be read".to_owned());
    let host =
        HostFacts { namespaces: [Some(1), Some(1), Some(1), Some(1), None, Some(1), Some(1)], ..host() };
    let mut observed = Observed::default();
    hidden.judge(&host, &mut observed).unwrap();
    let unseen: Vec<_> = observed.unseen.keys().copied().collect();
    assert_eq!(unseen, [Layer::UtsNamespace, Layer::CgroupNamespace]);
}
