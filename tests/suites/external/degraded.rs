//! Hosts that give less: what a native program cannot do without, and what its certificate says of the rest.

use super::ground::{Ground, call};
use casemate::Casemate;
use casemate::certificate::{Layer, Status};
use casemate_tests::{block_on, conditions, host, host::Host};
use serde_json::json;

/// A host that lacks something, and what becomes of a program there.
pub(crate) fn host(argument: &str) {
    let _listener = match argument {
        "no landlock" => {
            conditions::no_landlock();
            None
        }
        _ => Some(conditions::own_listener()),
    };
    let ground = Ground::with(Casemate::embedded().unwrap());
    let said = block_on(async {
        match ground.load(|_| {}).await {
            Ok(plugin) => {
                let answer = call(&plugin, "echo", json!([1])).await.unwrap();
                let refused = call(&plugin, "read", json!(["/etc/shadow"])).await.unwrap();
                let certificate = plugin.certificate();
                let is_off = matches!(certificate.layers.get(&Layer::Landlock), Some(Status::Off { .. }));
                format!("{answer} {} {is_off}", refused["refused"])
            }
            Err(failure) => failure.to_string(),
        }
    });
    host::say(&said);
}

#[test]
fn without_landlock_its_root_still_stands() {
    let Some(_) = Ground::of("without_landlock_its_root_still_stands") else { return };
    let mut host = Host::start("degraded", "no landlock");
    assert_eq!(host.line(), "[1] \"ENOENT\" true");
    host.finish();
}

#[test]
fn without_a_listener_there_is_no_program() {
    let Some(_) = Ground::of("without_a_listener_there_is_no_program") else { return };
    let mut host = Host::start("degraded", "own listener");
    let said = host.line();
    assert!(said.contains("started through the listener") && said.ends_with("[layers.missing]"), "{said}");
    host.finish();
}

#[test]
fn without_namespaces_there_is_no_program() {
    let Some(ground) = Ground::of("without_namespaces_there_is_no_program") else { return };
    let casemate = Casemate::builder().configure(|config| config.namespaces = false).build().unwrap();
    let ground = Ground { casemate, ..ground };
    block_on(async {
        let failure = ground.load(|_| {}).await.unwrap_err();
        assert!(failure.to_string().contains("needs namespaces of its own"), "{failure}");
    });
}
