//! What a program finds around it: its root directory, its environment, what it was granted.

use super::ground::{Ground, call};
use casemate_tests::block_on;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn a_program_finds_its_own_folder_and_nothing_in_its_environment() {
    let Some(ground) = Ground::of("a_program_finds_its_own_folder") else { return };
    block_on(async {
        let plugin = ground.load(|spec| spec.env = vec!["COLOUR=red".to_owned()]).await.unwrap();
        let found = call(&plugin, "where", json!([])).await.unwrap();
        assert_eq!(found["folder"], "/plugin");
        assert_eq!(found["args"], json!(["/plugin/library.py"]));
        let mut environment = call(&plugin, "environment", json!([])).await.unwrap();
        // Python's own word for an environment without a language.
        environment.as_object_mut().unwrap().remove("LC_CTYPE");
        assert_eq!(environment, json!({"COLOUR": "red"}));
    });
}

#[test]
fn granted_folders_are_there_with_their_rights() {
    let Some(ground) = Ground::of("granted_folders_are_there_with_their_rights") else { return };
    let (read, write) = (ground.granted("read", 0o777), ground.granted("write", 0o777));
    fs::write(read.join("file"), "12345").unwrap();
    block_on(async {
        let grants =
            vec![format!("read:{}=/read", read.display()), format!("write:{}=/write", write.display())];
        let plugin = ground.load(|spec| spec.filesystem = grants).await.unwrap();
        assert_eq!(call(&plugin, "read", json!(["/read/file"])).await.unwrap(), json!({"did": 5}));
        let refused = call(&plugin, "write", json!(["/read/new"])).await.unwrap();
        assert!(["EACCES", "EROFS"].contains(&refused["refused"].as_str().unwrap()), "{refused}");
        assert_eq!(call(&plugin, "write", json!(["/write/new"])).await.unwrap(), json!({"did": 1}));
        assert_eq!(call(&plugin, "list", json!(["/write"])).await.unwrap(), json!({"did": ["new"]}));
    });
    assert_eq!(fs::read(write.join("new")).unwrap(), b"x");
    assert_eq!(fs::read_dir(&read).unwrap().count(), 1);
}

#[test]
fn a_place_that_is_taken_is_refused_by_name() {
    let Some(ground) = Ground::of("a_place_that_is_taken_is_refused_by_name") else { return };
    let folder = ground.granted("folder", 0o777);
    block_on(async {
        for guest in ["/usr/lib/x", "/plugin", "/etc/ld.so.cache", "/"] {
            let grant = format!("read:{}={guest}", folder.display());
            let failure = ground.load(|spec| spec.filesystem = vec![grant]).await.unwrap_err();
            let text = failure.to_string();
            assert!(text.contains("permissions.filesystem") && text.contains(guest), "{guest}: {text}");
        }
        let missing = "read:/nowhere/at/all=/x".to_owned();
        let failure = ground.load(|spec| spec.filesystem = vec![missing]).await.unwrap_err();
        assert!(failure.to_string().contains("/nowhere/at/all"), "{failure}");
    });
}

#[test]
fn its_own_files_stay_and_temporary_ones_do_not() {
    let Some(ground) = Ground::of("its_own_files_stay_and_temporary_ones_do_not") else { return };
    let state = ground.granted("state", 0o755);
    let ground =
        Ground { casemate: casemate::Casemate::builder().state_dir(&state).build().unwrap(), ..ground };
    block_on(async {
        let storage = |spec: &mut casemate::PolicySpec| {
            spec.storage = casemate::policy::Storage::Vfs;
            spec.limits.store_bytes = 1 << 20;
        };
        let plugin = ground.load(storage).await.unwrap();
        for path in ["/data/kept", "/tmp/gone"] {
            assert_eq!(call(&plugin, "write", json!([path])).await.unwrap(), json!({"did": 1}), "{path}");
        }
        plugin.close().await.unwrap();
        let plugin = ground.load(storage).await.unwrap();
        assert_eq!(call(&plugin, "read", json!(["/data/kept"])).await.unwrap(), json!({"did": 1}));
        assert_eq!(call(&plugin, "list", json!(["/tmp"])).await.unwrap(), json!({"did": []}));
    });
}

#[test]
fn a_static_program_needs_no_interpreter() {
    let test = "a_static_program_needs_no_interpreter";
    let Some(ground) = Ground::of(test) else { return };
    let source = ground.folder.join("static.c");
    fs::write(&source, include_str!("../../guests-external/static.c")).unwrap();
    let program = ground.folder.join("static");
    let made =
        std::process::Command::new("cc").args(["-static", "-O1", "-o"]).arg(&program).arg(source).status();
    if !made.is_ok_and(|status| status.success()) {
        casemate_tests::skip(
            test,
            "there is no C compiler that makes static programs: install gcc and libc6-dev",
        );
        return;
    }
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    block_on(async {
        let plugin = ground.load_words(&["./static"], casemate_tests::policy(|_| {})).await.unwrap();
        for value in [json!({"a": {"b": [1, 2]}}), json!({})] {
            assert_eq!(plugin.call::<_, serde_json::Value>("anything", &value).await.unwrap(), value);
        }
    });
}

/// Root gives a program another user: a folder that this one cannot enter is named at once.
#[test]
fn a_folder_that_its_user_cannot_enter_is_named() {
    let Some(ground) = Ground::of("a_folder_that_its_user_cannot_enter_is_named") else { return };
    fs::set_permissions(&*ground.folder, fs::Permissions::from_mode(0o700)).unwrap();
    block_on(async {
        match ground.load(|_| ()).await {
            Ok(plugin) => {
                assert!(!rustix::process::geteuid().is_root(), "an ordinary user's programs are that user's");
                call(&plugin, "where", json!([])).await.unwrap();
            }
            Err(failure) => {
                assert!(failure.to_string().contains("chmod o+rx"), "{failure}");
            }
        }
    });
}

/// One folder under two names would be written to under the one and executed from under the other.
#[test]
fn what_can_be_written_to_is_nowhere_that_programs_lie() {
    let Some(ground) = Ground::of("what_can_be_written_to_is_nowhere_that_programs_lie") else { return };
    let inside = ground.folder.join("data");
    fs::create_dir(&inside).unwrap();
    std::os::unix::fs::symlink(&inside, ground.granted("link", 0o755).join("to")).unwrap();
    let link = ground.granted("other", 0o755).with_file_name("link").join("to");
    block_on(async {
        for host in [inside.clone(), ground.folder.to_path_buf(), link, "/usr/local/share".into()] {
            let grant = format!("write:{}=/data", host.display());
            let failure = ground.load(|spec| spec.filesystem = vec![grant]).await.unwrap_err();
            assert!(failure.to_string().contains("what is written could be executed"), "{failure}");
        }
    });
}
