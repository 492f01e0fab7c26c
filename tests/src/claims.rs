//! What the commands claim about a host, held against what the host is: `doctor`, `demo`, the certificate and `--require`
//! must all tell the same truth.
#![expect(
    clippy::indexing_slicing,
    reason = "a missing member of a JSON value is null, which fails what is said of it"
)]

use crate::command::Ran;
use crate::guests;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A layer that a host cannot give, and the words for it.
#[derive(Debug, Clone, Copy)]
pub struct Off {
    /// Its name.
    pub layer: &'static str,
    /// What `doctor` must say of why.
    pub why: &'static str,
    /// What `doctor`, and a refusal, must say of how to have it.
    pub how: &'static str,
    /// What the certificate must give as its reason.
    pub reason: &'static str,
}

/// What nobody can see from outside: there the walled process's word is all that there is, and the certificate says so.
const UNSEEN: [&str; 3] = ["landlock", "not-dumpable", "deny-new-executable"];

/// The layers that need namespaces, all off for the same cause.
pub fn without_namespaces(why: &'static str, how: &'static str, reason: &'static str) -> Vec<Off> {
    let namespaces = [
        "user-namespace",
        "pid-namespace",
        "net-namespace",
        "ipc-namespace",
        "uts-namespace",
        "mount-namespace",
        "cgroup-namespace",
    ];
    let mut off: Vec<Off> = namespaces.iter().map(|layer| Off { layer, why, how, reason }).collect();
    off.push(Off { layer: "empty-root", why, how, reason: "needs a mount namespace" });
    off.push(Off { layer: "not-dumpable", why, how, reason: "without a user namespace" });
    off
}

/// The layers that `doctor` says are off.
pub fn unavailable(doctor: &Ran) -> BTreeSet<String> {
    let said = doctor.json();
    let findings = said["layers"].as_array().unwrap().iter();
    let off = findings.filter(|finding| finding["available"] == false);
    off.map(|finding| finding["layer"].as_str().unwrap().to_owned()).collect()
}

/// Has every command make its claims on a host on which plugins run without the layers of `off`, and without no other but
/// those that this machine lacks `anyway`.
pub fn hold(mut run: impl FnMut(&[&str]) -> Ran, off: &[Off], anyway: &BTreeSet<String>) {
    let claims = Claims { off, anyway };
    claims.doctor_says(&run(&["doctor", "--json"]));

    let demo = run(&["demo", "--json"]);
    assert_eq!(demo.code, 0, "{demo:?}");
    let said = demo.json();
    let rows = said["rows"].as_array().unwrap();
    assert!(rows.len() > 20 && rows.iter().all(|row| row["as_expected"] == true), "{rows:?}");
    claims.certificate_says(&said["certificate"]);

    let guest = guests::wat("minimal").display().to_string();
    let called = run(&["run", &guest, "--call", "m", "--input", "7", "--certificate", "--json"]);
    assert_eq!(called.code, 0, "{called:?}");
    claims.certificate_says(&called.json()["certificate"]);

    let standing: Vec<String> = statuses(&said["certificate"])
        .into_iter()
        .filter(|(_, status)| status["status"] != "off")
        .map(|(layer, _)| layer)
        .collect();
    let granted = run(&["run", &guest, "--call", "m", "--require", &standing.join(",")]);
    assert_eq!(granted.code, 0, "what stands may be required: {granted:?}");
    claims.refusals_say(&mut run, &guest);
}

struct Claims<'a> {
    off: &'a [Off],
    anyway: &'a BTreeSet<String>,
}

impl Claims<'_> {
    fn doctor_says(&self, doctor: &Ran) {
        assert_eq!(doctor.code, 0, "{doctor:?}");
        let said = doctor.json();
        for finding in said["layers"].as_array().unwrap() {
            let text = |key: &str| finding[key].as_str().unwrap();
            let (layer, why, how) = (text("layer"), text("why"), text("how"));
            assert!(!why.is_empty(), "{finding}");
            if self.anyway.contains(layer) {
                continue;
            }
            let expected = self.off.iter().find(|off| off.layer == layer);
            assert_eq!(finding["available"] == true, expected.is_none(), "{finding}");
            if let Some(expected) = expected {
                assert!(why.contains(expected.why), "{layer}: {why:?} says nothing of {:?}", expected.why);
                assert!(how.contains(expected.how), "{layer}: {how:?} says nothing of {:?}", expected.how);
            }
        }
        self.certificate_says(&said["certificate"]);
    }

    fn certificate_says(&self, certificate: &Value) {
        for (layer, status) in statuses(certificate) {
            if self.anyway.contains(&layer) {
                assert_eq!(status["status"], "off", "doctor says that {layer} is off");
                continue;
            }
            let seen = if UNSEEN.contains(&layer.as_str()) { "reported" } else { "observed" };
            let Some(expected) = self.off.iter().find(|off| off.layer == layer) else {
                assert_eq!(status["status"], seen, "{layer}");
                continue;
            };
            assert_eq!(status["status"], "off", "{layer}");
            let reason = status["reason"].as_str().unwrap();
            assert!(reason.contains(expected.reason), "{layer}: {reason:?}, not {:?}", expected.reason);
        }
    }

    /// Whoever requires what is off is refused before any guest code runs, and told how to have it.
    fn refusals_say(&self, run: &mut impl FnMut(&[&str]) -> Ran, guest: &str) {
        let names: Vec<&str> = self.off.iter().map(|off| off.layer).collect();
        if names.is_empty() {
            return;
        }
        let list = names.join(",");
        let refused = run(&["run", guest, "--call", "m", "--require", &list, "--json"]);
        let said = refused.json();
        assert_eq!((refused.code, &said["code"]), (7, &Value::from("layers.missing")), "{refused:?}");
        assert_eq!(said["retry"], "not_started", "{refused:?}");
        let missing: BTreeSet<&str> =
            said["missing"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(missing, names.iter().copied().collect::<BTreeSet<_>>());

        for off in self.off.iter().filter(|off| !self.anyway.contains(off.layer)) {
            for command in [&["run", guest, "--call", "m"][..], &["doctor"]] {
                let arguments = [command, &["--require", off.layer]].concat();
                let refused = run(&arguments);
                assert_eq!(refused.code, 7, "{refused:?}");
                for words in [off.layer, off.how] {
                    assert!(refused.err.contains(words), "nothing of {words:?}: {refused:?}");
                }
            }
        }
    }
}

fn statuses(certificate: &Value) -> BTreeMap<String, Value> {
    let layers = certificate["layers"].as_object().unwrap_or_else(|| panic!("no certificate: {certificate}"));
    assert!(layers.len() > 20, "{layers:?}");
    layers.iter().map(|(layer, status)| (layer.clone(), status.clone())).collect()
}

/// Has every command say that nothing runs on this host, and why.
pub fn hold_that_nothing_runs(mut run: impl FnMut(&[&str]) -> Ran, words: &str) {
    let guest = guests::wat("minimal").display().to_string();
    for command in [&["doctor"][..], &["demo"], &["run", &guest, "--call", "m", "--input", "7"]] {
        let refused = run(command);
        assert_eq!(refused.code, 7, "{refused:?}");
        let lines: Vec<&str> = refused.err.lines().collect();
        assert!(matches!(lines.as_slice(), [line] if line.contains(words)), "{refused:?}");
    }
    let doctor = run(&["doctor", "--json"]).json();
    assert_eq!((&doctor["ok"], &doctor["certificate"]), (&Value::from(false), &Value::Null));
    assert_eq!(doctor["problem"]["exit_code"], 7, "{doctor}");
}
