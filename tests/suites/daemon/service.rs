//! The daemon as a service: its socket, the signals it obeys, and what a service manager passes and hears.

use super::examples;
use super::raw::{Raw, Said};
use casemate::State;
use casemate_tests::command::program;
use casemate_tests::daemon::Served;
use casemate_tests::gate::Gate;
use casemate_tests::scratch::Scratch;
use casemate_tests::{block_on, guests, is_root, policy, processes, skip};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn the_socket_is_its_users_alone_and_no_other_daemon_takes_it() {
    let served = Served::start(&examples());
    let mode = std::fs::metadata(served.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let configuration = served.configuration();
    let ran = |socket: &Path| {
        let output = Command::new(program())
            .arg("serve")
            .args([Path::new("--config"), &configuration, Path::new("--socket"), socket])
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, words) = ran(&served.socket());
    assert_eq!(code, Some(8), "{words}");
    assert!(words.contains("another daemon listens"), "{words}");
    // Not where everybody may write, nor over a file.
    let (code, words) = ran(Path::new("/tmp/casemate-test.sock"));
    assert_eq!(code, Some(8), "{words}");
    assert!(words.contains("everybody may write"), "{words}");
    let (code, words) = ran(&configuration);
    assert_eq!(code, Some(8), "{words}");
    assert!(words.contains("is no socket") && configuration.is_file(), "{words}");
}

#[test]
fn it_stops_when_told_and_finishes_what_runs() {
    let mut served = Served::start(&examples());
    block_on(async {
        let casemate = served.connect().await;
        let mut gate = Gate::closed(&casemate, "gate");
        let asking = policy(|spec| spec.host = vec!["*".into()]);
        let plugin = casemate.load(guests::rust("probe"), asking).await.unwrap();
        let marker = super::marker(&served);
        let running = {
            let plugin = plugin.clone();
            tokio::spawn(async move { plugin.call::<_, Value>("host", &json!({"method": "gate"})).await })
        };
        gate.entered().await;
        served.signal(Signal::TERM);
        served.await_log("stopping");
        // Nothing new is taken; what runs is finished.
        assert_eq!(plugin.call_raw("counter", b"").await.unwrap_err().code(), "closed");
        gate.open();
        assert_eq!(running.await.unwrap().unwrap(), json!(1));
        assert_eq!(served.wait().code(), Some(0));
        processes::await_none(&marker, Duration::from_secs(20));
        assert!(!served.socket().exists(), "its socket is gone");
    });
}

#[test]
fn the_configuration_is_read_anew_at_a_signal_and_when_it_changes() {
    let mut served = Served::start(&examples());
    let text = std::fs::read_to_string(served.configuration()).unwrap();
    block_on(async {
        let plugin = served.connect().await.plugin("statistics").await.unwrap();
        let body = json!({"numbers": [1, 2, 3]});
        plugin.call::<_, Value>("stats", &body).await.unwrap();
        // By its file: an editor replaces it.
        let smaller = format!("{text}\n[plugins.statistics.limits]\ninput = \"8B\"\n");
        let new = served.configuration().with_extension("new");
        std::fs::write(&new, smaller).unwrap();
        std::fs::rename(&new, served.configuration()).unwrap();
        served.await_log("read anew");
        let end = Instant::now() + Duration::from_secs(30);
        while plugin.call::<_, Value>("stats", &body).await.is_ok() {
            assert!(Instant::now() < end, "the limit does not hold: {}", served.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // With a mistake nothing changes.
        std::fs::write(served.configuration(), "version = 1\nnonsense = 2\n").unwrap();
        served.await_log("is as it was");
        assert_eq!(plugin.call::<_, Value>("stats", &body).await.unwrap_err().code(), "limit.input");
        std::fs::write(served.configuration(), &text).unwrap();
        served.signal(Signal::HUP);
        let end = Instant::now() + Duration::from_secs(30);
        while plugin.call::<_, Value>("stats", &body).await.is_err() {
            assert!(Instant::now() < end, "the old limit still holds: {}", served.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    // Nobody asked for it over the socket; it is written down all the same.
    let audit = std::fs::read_to_string(served.state().join("audit.jsonl")).unwrap();
    let lines = audit.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let reloads: Vec<Value> = lines.filter(|line| line["event"] == "policy.reload").collect();
    assert!(reloads.iter().any(|line| line["ok"] == true), "{audit}");
    assert!(reloads.iter().any(|line| line["what"].as_str().unwrap().contains("nonsense")), "{audit}");
}

#[test]
fn what_was_said_at_run_time_goes_before_the_file_also_after_a_restart() {
    let text = examples();
    let mut served = Served::start(&text);
    let state_of = |served: &Served| {
        block_on(async {
            let plugins = served.connect().await.plugins().await.unwrap();
            plugins.into_iter().map(|(name, status)| (name, status.state)).collect::<Vec<_>>()
        })
    };
    let with = |state| vec![("statistics".to_owned(), state)];
    block_on(async {
        let plugin = served.connect().await.plugin("statistics").await.unwrap();
        plugin.set_config(br#"{"decimals": 3}"#.to_vec()).await.unwrap();
        plugin.disable().await.unwrap();
    });
    served.again();
    served.await_log("listening");
    await_state(&served, &state_of, &with(State::Disabled));
    block_on(async {
        let plugin = served.connect().await.plugin("statistics").await.unwrap();
        assert_eq!(plugin.config().await.unwrap(), br#"{"decimals":3}"#);
        plugin.enable().await.unwrap();
        plugin.call::<_, Value>("stats", &json!({"numbers": [1]})).await.unwrap();
    });
    served.again();
    await_state(&served, &state_of, &with(State::Running));
    // The file says no: whoever said yes before was of one mind with the file of then, and so the file of now holds.
    let off = text.replacen("[plugins.statistics]\n", "[plugins.statistics]\nenabled = false\n", 1);
    std::fs::write(served.configuration(), &off).unwrap();
    served.again();
    await_state(&served, &state_of, &[]);
    // Back to yes at run time, which then stays, whatever the file says.
    std::fs::write(served.configuration(), &text).unwrap();
    served.again();
    await_state(&served, &state_of, &with(State::Running));
    block_on(async {
        std::fs::write(served.configuration(), &off).unwrap();
        let casemate = served.connect().await;
        casemate.reload_policy().await.unwrap();
        casemate.plugin("statistics").await.unwrap().enable().await.unwrap();
    });
    served.again();
    await_state(&served, &state_of, &with(State::Running));
}

/// Waits until the daemon's plugins are these, and in this state: they are loaded after it listens.
fn await_state(
    served: &Served,
    state_of: &impl Fn(&Served) -> Vec<(String, State)>,
    wanted: &[(String, State)],
) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let found = state_of(served);
        if found == wanted {
            return;
        }
        assert!(Instant::now() < end, "{found:?} are not {wanted:?}: {}", served.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_plugin_that_is_new_in_the_configuration_is_loaded_and_one_that_has_gone_is_stopped() {
    let served = Served::start(&examples());
    let text = std::fs::read_to_string(served.configuration()).unwrap();
    block_on(async {
        let casemate = served.connect().await;
        let wordcount = guests::rust("wordcount").display().to_string();
        let more = format!("{text}\n[plugins.wordcount]\npath = {wordcount:?}\n");
        std::fs::write(served.configuration(), more).unwrap();
        // The file is watched as well: either may come first.
        casemate.reload_policy().await.unwrap();
        let plugin = casemate.plugin("wordcount").await.unwrap();
        plugin.call::<_, Value>("count", &json!({"text": "one two two"})).await.unwrap();
        std::fs::write(served.configuration(), &text).unwrap();
        casemate.reload_policy().await.unwrap();
        let end = Instant::now() + Duration::from_secs(30);
        while plugin.info().await.unwrap().status.state != casemate::State::Stopped {
            assert!(Instant::now() < end, "it still runs");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn the_socket_opens_to_others_when_the_configuration_begins_to_name_them() {
    let served = Served::start(&examples());
    let mode = || std::fs::metadata(served.socket()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    let text = std::fs::read_to_string(served.configuration()).unwrap();
    let uid = rustix::process::geteuid().as_raw();
    let entry = |uid: u32| format!("{{ uid = {uid}, plugins = [\"*\"], rights = [\"call\", \"admin\"] }}");
    let clients = format!("[daemon]\nclients = [{}, {}]\n", entry(uid), entry(uid + 1));
    let named = text.replacen("version = 1\n", &format!("version = 1\n{clients}"), 1);
    block_on(async {
        let casemate = served.connect().await;
        for (text, wanted) in [(&named, 0o666), (&text, 0o600)] {
            std::fs::write(served.configuration(), text).unwrap();
            casemate.reload_policy().await.unwrap();
            assert_eq!(mode(), wanted);
        }
    });
}

#[test]
fn commands_do_what_they_say() {
    let served = Served::start(&examples());
    let socket = served.socket().display().to_string();
    let probe = guests::rust("probe").display().to_string();
    let run = |words: &[&str]| {
        let mut all = vec!["--socket", &socket];
        all.extend(words);
        casemate_tests::command::casemate(&all)
    };
    for words in [
        &["load", &probe, "--with", "{\"a\":1}"][..],
        &["plugins", "config", "set", "probe", "{\"a\":2}"],
        &["plugins", "info", "probe", "--certificate"],
        &["plugins", "reload", "probe", &probe],
        &["plugins", "drain", "probe"],
        &["plugins", "enable", "probe"],
        &["plugins", "reset", "probe"],
        &["plugins", "disable", "probe"],
        &["events", "pub", "a.b", "1"],
        &["policy", "reload"],
        &["stats"],
    ] {
        let ran = run(words);
        assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
    }
    assert_eq!(run(&["plugins", "config", "get", "probe"]).json(), json!({"a": 2}));
    assert_eq!(run(&["plugins", "enable", "probe"]).code, 0);
    assert_eq!(run(&["call", "probe", "config"]).json(), json!({"a": 2}));
    assert_eq!(run(&["unload", "probe"]).code, 0);
    assert_eq!(run(&["call", "probe", "config"]).code, 8);
}

#[test]
fn what_a_security_team_wants_to_know_is_written_down_and_chained() {
    let served = Served::start(&examples());
    block_on(async {
        let casemate = served.connect().await;
        let policy = casemate::Policy::default();
        casemate.load(guests::rust("probe"), policy).await.unwrap();
        casemate.plugin("probe").await.unwrap().disable().await.unwrap();
    });
    let mut raw = Raw::greeted(&served.socket());
    raw.bytes(&[0xff; 32]);
    assert_eq!(raw.read(), Said::Refused("protocol.frame".to_owned()));
    let state = served.state().display().to_string();
    let audit = |words: &[&str]| {
        let mut all = vec!["--state-dir", &state, "--json", "audit"];
        all.extend(words);
        casemate_tests::command::casemate(&all)
    };
    let end = Instant::now() + Duration::from_secs(30);
    while !audit(&["show"]).out.contains("client.cut_off") {
        assert!(Instant::now() < end, "{}", audit(&["show"]).out);
        std::thread::sleep(Duration::from_millis(20));
    }
    let shown = audit(&["show"]).out;
    for event in ["client.connected", "plugin.load", "plugin.disable", "client.cut_off"] {
        assert!(shown.contains(&format!("\"event\":\"{event}\"")), "{event}: {shown}");
    }
    let verified = audit(&["verify"]).json();
    assert_eq!(verified["lines"], shown.lines().count());
    // One word of it changed.
    let path = served.state().join("audit.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("plugin.disable", "plugin.enable", 1)).unwrap();
    let broken = audit(&["verify"]);
    assert_eq!((broken.code, broken.json()["code"].as_str()), (4, Some("audit.broken")));
}

/// Starts the daemon with a listening socket as descriptor 3, as a service manager does.
fn activated(socket: &Path, notify: &Path, configuration: &Path) -> std::process::Child {
    // A shell in between: it knows the pid that LISTEN_PID has to say, and passes the descriptor on.
    let script = "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$@\" 3<&0 0</dev/null";
    let listener = UnixListener::bind(socket).unwrap();
    let listener = listener.as_fd().try_clone_to_owned().unwrap();
    Command::new("/bin/sh")
        .args(["-c", script, "sh"])
        .arg(program())
        .args([Path::new("serve"), Path::new("--config"), configuration])
        .env("NOTIFY_SOCKET", notify)
        .stdin(Stdio::from(listener))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_service_manager_passes_the_socket_and_hears_of_its_service() {
    let folder = Scratch::new();
    let (socket, notify) = (folder.join("given.sock"), folder.join("notify.sock"));
    let configuration = folder.join("casemate.toml");
    std::fs::write(&configuration, examples()).unwrap();
    let manager = UnixDatagram::bind(&notify).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let hear = || {
        let mut buffer = [0; 512];
        let bytes = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..bytes]).into_owned()
    };
    let mut child = activated(&socket, &notify, &configuration);
    assert_eq!(hear().trim(), "READY=1");
    block_on(async {
        let casemate = casemate::Casemate::connect(&socket).await.unwrap();
        let plugin = casemate.plugin("statistics").await.unwrap();
        plugin.call::<_, Value>("stats", &json!({"numbers": [1]})).await.unwrap();
    });
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::HUP).unwrap();
    let reloading = hear();
    assert!(reloading.contains("RELOADING=1") && reloading.contains("MONOTONIC_USEC="), "{reloading}");
    assert_eq!(hear().trim(), "READY=1");
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(hear().trim(), "STOPPING=1");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(socket.exists(), "the socket is the manager's");
}

#[test]
fn a_user_whom_nobody_named_is_refused_by_the_kernels_word() {
    if !is_root() {
        return skip(
            "a_user_whom_nobody_named_is_refused_by_the_kernels_word",
            "becoming another user needs root",
        );
    }
    const NAMED: u32 = 54_321;
    const OTHER: u32 = 54_322;
    let clients = format!(
        "[daemon]\nclients = [{{ uid = {NAMED}, plugins = [\"*\"], rights = [\"call\"] }}, {{ uid = 0, plugins = [\"*\"], rights = [\"admin\", \"call\"] }}]\n"
    );
    // A folder that everybody may look through: this is about who may speak, not who finds the socket.
    let folder = std::path::PathBuf::from(format!("/run/casemate-test-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o711)).unwrap();
    let text = examples().replacen("version = 1\n", &format!("version = 1\n{clients}"), 1);
    let served = Served::start_at(&text, &folder.join("casemate.sock"));
    let ask = |uid: u32| {
        let output = Command::new("setpriv")
            .args([format!("--reuid={uid}"), format!("--regid={uid}"), "--clear-groups".to_owned()])
            .arg(program())
            .args([Path::new("--socket"), &served.socket(), Path::new("plugins"), Path::new("list")])
            .output()
            .unwrap();
        (
            output.status.code(),
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
        )
    };
    let (code, words) = ask(NAMED);
    assert!(code == Some(0) && words.contains("statistics"), "{code:?} {words}");
    let (code, words) = ask(OTHER);
    assert!(
        code == Some(8) && words.contains("daemon.clients") && words.contains("denied.user"),
        "{code:?} {words}"
    );
    let mut own = Raw::greeted(&served.socket());
    own.frame(0x2f, 0, &(), b"");
    assert_ne!(own.read(), Said::Refused("denied.user".to_owned()));
    drop(served);
    std::fs::remove_dir_all(&folder).unwrap();
}
