//! Machines that lack something.

use super::facts::release;
use super::*;

/// A machine that has everything, for an ordinary user.
fn whole() -> Facts {
    Facts {
        kernel: Some((6, 18)),
        proc: Ok(()),
        filters: 0,
        uid: 1000,
        may_change_user: false,
        other_user: Ok(false),
        namespaces: Ok(()),
        max_user_namespaces: Some(96365),
        unprivileged_userns_clone: None,
        apparmor_restricts: None,
        yama: Some(1),
        landlock: Ok(7),
        lsms: None,
        seccomp_actions: Some("kill_process kill_thread trap errno user_notif trace log allow\n".to_owned()),
        sealing: Ok(()),
        bequeaths_mdwe: Ok(false),
        listener: Ok(()),
        executable_memfd: Ok(()),
        memfd_noexec: Some(0),
    }
}

/// Takes something away from a machine.
type Change = fn(&mut Facts);

fn with(change: impl FnOnce(&mut Facts)) -> Vec<Finding> {
    let mut facts = whole();
    change(&mut facts);
    judge(&facts)
}

/// The layers that are missing then, and what to do about the first.
fn missing(change: impl FnOnce(&mut Facts)) -> (Vec<&'static str>, String) {
    let findings = with(change);
    let missing: Vec<_> = findings.iter().filter(|finding| !finding.available).collect();
    assert!(missing.iter().all(|finding| !finding.why.is_empty() && !finding.how.is_empty()), "{missing:?}");
    let how = missing.first().map(|finding| finding.how.clone()).unwrap_or_default();
    (missing.iter().map(|finding| finding.layer.name()).collect(), how)
}

#[test]
fn a_whole_machine_has_every_layer() {
    let findings = judge(&whole());
    assert_eq!(findings.len(), Layer::all().count());
    assert!(findings.iter().all(|finding| finding.available && finding.how.is_empty()), "{findings:?}");
}

#[test]
fn this_machine_has_an_answer_for_every_layer() {
    for (finding, layer) in doctor().into_iter().zip(Layer::all()) {
        assert_eq!(finding.layer, layer);
        assert!(!finding.why.is_empty() && (finding.available || !finding.how.is_empty()), "{finding:?}");
        assert!(!finding.why.contains('\n') && !finding.how.contains('\n'), "{finding:?}");
    }
}

const BELOW_NAMESPACES: [&str; 9] = [
    "user-namespace",
    "pid-namespace",
    "net-namespace",
    "ipc-namespace",
    "uts-namespace",
    "mount-namespace",
    "cgroup-namespace",
    "empty-root",
    "not-dumpable",
];

#[test]
fn why_there_are_no_namespaces_is_told_apart() {
    let cases: [(Change, &str); 7] = [
        (|facts| facts.max_user_namespaces = Some(0), "user.max_user_namespaces=15000"),
        (|facts| facts.unprivileged_userns_clone = Some(0), "kernel.unprivileged_userns_clone=1"),
        (
            |facts| {
                facts.apparmor_restricts = Some(1);
                facts.namespaces = Err(Errno::ACCESS);
            },
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        // Root may, but the users that it gives the plugins may not.
        (
            |facts| {
                (facts.uid, facts.may_change_user, facts.other_user) = (0, true, Ok(true));
                facts.apparmor_restricts = Some(1);
            },
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (|facts| facts.namespaces = Err(Errno::PERM), "chroot"),
        (|facts| facts.namespaces = Err(Errno::NOSPC), "raise user.max_user_namespaces"),
        (|facts| facts.namespaces = Err(Errno::INVAL), "CONFIG_USER_NS"),
    ];
    for (change, expected) in cases {
        let (layers, how) = missing(change);
        assert_eq!(layers, BELOW_NAMESPACES, "{expected}");
        assert!(how.contains(expected), "{how}");
    }
    // A restriction that does not restrict us: we have a profile.
    assert_eq!(missing(|facts| facts.apparmor_restricts = Some(1)).0, [""; 0]);
}

#[test]
fn older_kernels_lack_layers_one_by_one() {
    let cases: [(Change, &[&str], &str); 8] = [
        (|facts| facts.sealing = Err(Errno::NOSYS), &["sealed-code"], "6.10"),
        (|facts| facts.bequeaths_mdwe = Err(Errno::INVAL), &["deny-new-executable"], "6.3"),
        (|facts| facts.landlock = Err(Errno::NOSYS), &["landlock"], "5.13"),
        (|facts| facts.kernel = Some((5, 8)), &["descriptors"], "5.9"),
        (
            |facts| facts.seccomp_actions = Some("kill_process errno allow".to_owned()),
            &["violation-reports"],
            "5.0",
        ),
        (|facts| facts.seccomp_actions = None, &["seccomp", "violation-reports"], "CONFIG_SECCOMP_FILTER"),
        (
            |facts| {
                facts.landlock = Err(Errno::OPNOTSUPP);
                facts.lsms = Some("lockdown,yama\n".to_owned());
            },
            &["landlock"],
            "lsm= list (now: lockdown,yama)",
        ),
        (
            |facts| (facts.executable_memfd, facts.memfd_noexec) = (Err(Errno::ACCESS), Some(2)),
            &["sealed-program"],
            "vm.memfd_noexec=1",
        ),
    ];
    for (change, layers, expected) in cases {
        let (found, how) = missing(change);
        assert_eq!(found, layers, "{expected}");
        assert!(how.contains(expected), "{how}");
    }
}

#[test]
fn what_could_be_more_is_said_without_calling_it_missing() {
    let how = |findings: &[Finding], layer: Layer| {
        findings.iter().find(|finding| finding.layer == layer && finding.available).unwrap().how.clone()
    };
    let old = with(|facts| {
        facts.landlock = Ok(3);
        facts.kernel = Some((6, 6));
        facts.yama = Some(0);
    });
    assert!(how(&old, Layer::Landlock).contains("6.12"));
    assert!(how(&old, Layer::ViolationReports).contains("6.15"));
    assert!(how(&old, Layer::NotDumpable).contains("yama"));
    let older = with(|facts| facts.kernel = Some((5, 15)));
    assert!(how(&older, Layer::ViolationReports).contains("5.19"));
}

#[test]
fn hosts_that_stand_in_the_way_are_named() {
    let (layers, how) = missing(|facts| facts.bequeaths_mdwe = Ok(true));
    assert_eq!(
        (layers.as_slice(), how.contains("MemoryDenyWriteExecute")),
        (&["deny-new-executable"][..], true)
    );
    let (layers, how) = missing(|facts| facts.listener = Err(Errno::BUSY));
    assert_eq!((layers.as_slice(), how.contains("listens")), (&["violation-reports"][..], true));
    let hidden: Change = |facts| (facts.filters, facts.landlock) = (1, Err(Errno::NOSYS));
    let (layers, how) = missing(hidden);
    assert_eq!((layers.as_slice(), how.contains("seccomp profile")), (&["landlock"][..], true));
    let (layers, how) = missing(|facts| (facts.uid, facts.other_user) = (0, Ok(true)));
    assert_eq!((layers.as_slice(), how.contains("CAP_SETUID")), (&["unprivileged-uid"][..], true));
    // Root of a namespace that an ordinary user made for itself alone, and one in which nobody can be given anything.
    for other_user in [Ok(false), Err("root cannot be given away".to_owned())] {
        let change =
            |facts: &mut Facts| (facts.uid, facts.may_change_user, facts.other_user) = (0, true, other_user);
        let (layers, how) = missing(change);
        assert_eq!((layers.as_slice(), how.contains("ids into")), (&["unprivileged-uid"][..], true));
    }
    let (layers, _) = missing(|facts| facts.proc = Err("/proc is no proc file system".to_owned()));
    assert_eq!(layers.len(), Layer::all().count());
}

#[test]
fn what_helps_several_layers_is_said_once() {
    let findings = with(|facts| {
        facts.max_user_namespaces = Some(0);
        facts.sealing = Err(Errno::NOSYS);
    });
    let all: LayerSet = Layer::all().collect();
    assert_eq!(
        remedies(&findings, all),
        ["sysctl -w user.max_user_namespaces=15000", "a kernel from 6.10 on"]
    );
    assert_eq!(remedies(&findings, LayerSet::EMPTY), [""; 0]);
}

#[test]
fn releases_are_read() {
    assert_eq!(release("6.18.44-fc-v657\n"), Some((6, 18)));
    assert_eq!(release("5.9-rc1"), Some((5, 9)));
    assert_eq!(release("unknown"), None);
}
