//! The reviewed bytes of `golden/client.txt`, which clients in other languages are held to as well.

use super::*;
use crate::client::kind::{self, *};
use crate::frame::{encode_within, split_within};
use prost::Message;
use std::collections::BTreeMap;

const FILE: &str = include_str!("../../../golden/client.txt");

/// What the file has under one name.
struct Vector {
    from: Side,
    /// Of bytes that are refused: the code.
    refused: Option<&'static str>,
    bytes: Vec<u8>,
}

fn vectors() -> BTreeMap<&'static str, Vector> {
    let mut all = BTreeMap::new();
    let mut name = "";
    for line in FILE.lines() {
        if let Some((mark, rest)) = line.split_once(' ').filter(|(mark, _)| ["==", "!!"].contains(mark)) {
            let parts: Vec<&str> = rest.split('|').map(str::trim).collect();
            let from = if parts[1] == "client" { Side::Client } else { Side::Daemon };
            let refused = (mark == "!!").then(|| parts[2]);
            name = parts[0];
            assert!(
                all.insert(name, Vector { from, refused, bytes: Vec::new() }).is_none(),
                "{name} is there twice"
            );
        } else {
            let digits: Vec<char> = line
                .split('#')
                .next()
                .unwrap_or_default()
                .chars()
                .filter(|digit| !digit.is_whitespace())
                .collect();
            let pairs = digits
                .chunks(2)
                .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap());
            if !digits.is_empty() {
                all.get_mut(name).unwrap().bytes.extend(pairs);
            }
        }
    }
    all
}

/// The vectors that no value has claimed yet.
struct Claims(BTreeMap<&'static str, Vector>);

impl Claims {
    /// The bytes of this name are these of this value, both ways.
    fn same<M: Message + Default + PartialEq + std::fmt::Debug>(
        &mut self,
        name: &str,
        (kind, id): (u8, u64),
        message: M,
        payload: &[u8],
    ) {
        let vector =
            self.0.remove(name).unwrap_or_else(|| panic!("{name} is not in the file, or was claimed"));
        let row = kind::row(kind).unwrap();
        assert_eq!(row.from, vector.from, "{name}");
        let mut bytes = Vec::new();
        encode_within(&mut bytes, row.meta_bytes_max(), kind, id, &message, payload).unwrap();
        assert_eq!(bytes, vector.bytes, "{name}: encoded");
        let mut decoder = Decoder::new(ClientBounds { side: row.from.other() });
        decoder.push(&vector.bytes);
        let frame = decoder.next_frame().unwrap().unwrap();
        assert_eq!((frame.kind, frame.id), (kind, id), "{name}");
        let decoded = split_within::<M>(row.meta_bytes_max(), &frame).unwrap();
        assert_eq!(decoded, (message, payload), "{name}: decoded");
        assert!(!decoder.is_mid_frame(), "{name} is more than a frame");
    }
}

fn s(text: &str) -> String {
    text.to_owned()
}

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const JSON: i32 = ContentType::Json as i32;

#[test]
fn golden_bytes_are_these_values() {
    let mut claims = Claims(vectors());
    claims.0.retain(|_, vector| vector.refused.is_none());
    connection(&mut claims);
    calls(&mut claims);
    failures(&mut claims);
    requests(&mut claims);
    responses(&mut claims);
    followings(&mut claims);
    bodies(&mut claims);
    assert!(claims.0.is_empty(), "no value here for {:?}", claims.0.keys());
}

fn connection(claims: &mut Claims) {
    let hello = Hello { magic: MAGIC, version_min: 1, version_max: 1, client: s("golden") };
    claims.same("hello", (HELLO, 0), hello, b"");
    let welcome = Welcome {
        version: 1,
        server: s("casemate 1"),
        payload_bytes_max: PAYLOAD_BYTES_MAX,
        window_bytes: WINDOW_BYTES,
        in_flight: 64,
        rights: vec![s("call"), s("serve")],
        plugins: vec![s("search"), s("image.*")],
    };
    claims.same("welcome", (WELCOME, 0), welcome, b"");
    let refused =
        Refused { code: s("protocol.version"), message: s("too old"), version_min: 2, version_max: 3 };
    claims.same("refused_version", (REFUSED, 0), refused, b"");
    claims.same("refused_bare", (REFUSED, 0), Refused::default(), b"");
    claims.same("client_bye", (CLIENT_BYE, 0), Bye { reason: s("done") }, b"");
    claims.same("daemon_bye", (DAEMON_BYE, 0), Bye::default(), b"");
}

fn calls(claims: &mut Claims) {
    let call = Call {
        plugin: s("search"),
        method: s("find"),
        content_type: JSON,
        deadline_ms: 1500,
        traceparent: s(TRACEPARENT),
        tracestate: s("vendor=value"),
        ..Call::default()
    };
    claims.same("call", (CALL, 1), call, "{\"q\":\"é\"}".as_bytes());
    let bare = Call { plugin: s("p"), method: s("m"), ..Call::default() };
    claims.same("call_bare", (CALL, 3), bare.clone(), b"");
    let stream = Call { deadline_ms: u32::MAX, more: true, stream: true, ..bare };
    claims.same("call_stream", (CALL, u64::MAX), stream, b"");
    claims.same("answer", (ANSWER, 1), Answer { content_type: JSON }, b"[1,2]");
    claims.same("answer_bare", (ANSWER, 3), Answer::default(), b"");
    let host_call = HostCall {
        plugin: s("search"),
        instance: 300,
        method: s("query:rows"),
        content_type: JSON,
        deadline_ms: 250,
        more: true,
        call: 1,
        traceparent: s(TRACEPARENT),
        tracestate: s("vendor=value"),
        ..HostCall::default()
    };
    claims.same("host_call", (HOST_CALL, 2), host_call, b"{\"limit\":");
    let another =
        HostCall { plugin: s("search"), instance: u64::MAX, method: s("query:rows"), ..HostCall::default() };
    claims.same("host_call_of_another", (HOST_CALL, u64::MAX - 1), another, b"");
    let result = HostResult { content_type: JSON, error: None };
    claims.same("host_result", (HOST_RESULT, 2), result, b"{\"rows\":[]}");
    let error = |error| HostResult { content_type: 0, error: Some(error) };
    let busy = HostError { code: s("busy"), message: s("try later"), retryable: true };
    claims.same("host_result_error", (HOST_RESULT, 4), error(busy), b"");
    claims.same("host_result_bare_error", (HOST_RESULT, 6), error(HostError::default()), b"");
}

fn failures(claims: &mut Claims) {
    let notes = [("query:rows", "ok", 1234), ("log:put", "denied.host", 0)];
    let failure = Failure {
        code: s("limit.memory"),
        message: s("out of memory"),
        fault: Fault::Guest as i32,
        retry: Retry::MaybeRan as i32,
        detail: Some(Detail {
            configured: 104_857_600,
            observed: 104_923_136,
            subject: s("memory"),
            ..Detail::default()
        }),
        host_calls: notes
            .map(|(method, code, elapsed_us)| HostCallNote { method: s(method), code: s(code), elapsed_us })
            .into(),
        backtrace: s("find\nmain"),
    };
    claims.same("failure", (FAILURE, 1), failure, b"");
    let lost = |exit_code| Failure {
        code: s("worker.lost"),
        fault: Fault::Worker as i32,
        detail: Some(Detail { exit: Some(detail::Exit::ExitCode(exit_code)), ..Detail::default() }),
        ..Failure::default()
    };
    claims.same("failure_exit", (FAILURE, 3), lost(-1), b"");
    claims.same("failure_exit_zero", (FAILURE, 5), lost(0), b"");
    let system_call = SystemCall {
        arch: 0xc000_003e,
        number: i32::MIN,
        args: vec![0, 1, 127, 128, u64::MAX, 16_384],
        instruction_pointer: 0x7fff_ffff_ffff,
    };
    let forbidden = Failure {
        code: s("violation.syscall"),
        fault: Fault::Worker as i32,
        retry: Retry::MaybeRan as i32,
        detail: Some(Detail {
            exit: Some(detail::Exit::ExitSignal(31)),
            system_call: Some(system_call),
            ..Detail::default()
        }),
        ..Failure::default()
    };
    claims.same("failure_system_call", (FAILURE, 7), forbidden, b"");
    let module = Failure {
        code: s("module.invalid"),
        message: s("no memory"),
        fault: Fault::Caller as i32,
        retry: Retry::NotStarted as i32,
        ..Failure::default()
    };
    claims.same("failure_module", (FAILURE, 9), module, b"\x00\xff\x00\xff");
    let later =
        Failure { code: s("moon.phase"), message: s("wait"), fault: 99, retry: 100, ..Failure::default() };
    claims.same("failure_of_later", (FAILURE, 11), later, b"");
}

fn requests(claims: &mut Claims) {
    use request::Operation;
    let plugin = || s("search");
    let mut request = |name: &str, id, operation, more, payload: &[u8]| {
        let request = Request { more, operation: Some(operation) };
        claims.same(&format!("request_{name}"), (REQUEST, id), request, payload);
    };
    let load =
        Load { plugin: plugin(), manifest: s("version = 1"), config: s("{\"k\":1}"), configured: false };
    request("load", 1, Operation::Load(load), true, b"\0asm\x01\0\0\0");
    let load = Load { plugin: plugin(), configured: true, ..Load::default() };
    request("load_configured", 37, Operation::Load(load), false, b"");
    request("unload", 3, Operation::Unload(Unload { plugin: plugin() }), false, b"");
    request("list", 5, Operation::List(List {}), false, b"");
    request("info", 7, Operation::Info(Info { plugin: plugin() }), false, b"");
    request("enable", 9, Operation::Enable(Enable { plugin: plugin() }), false, b"");
    request("disable", 11, Operation::Disable(Disable { plugin: plugin() }), false, b"");
    request("drain", 13, Operation::Drain(Drain { plugin: plugin() }), false, b"");
    request("reset", 15, Operation::Reset(Reset { plugin: plugin() }), false, b"");
    let reload = |configured| Operation::Reload(Reload { plugin: plugin(), configured });
    request("reload", 17, reload(false), false, b"\0asm\0");
    request("reload_configured", 35, reload(true), false, b"");
    request("config_get", 19, Operation::ConfigGet(ConfigGet { plugin: plugin() }), false, b"");
    request("config_set", 21, Operation::ConfigSet(ConfigSet { plugin: plugin() }), false, b"{\"k\":2}");
    request("stats", 23, Operation::Stats(Stats {}), false, b"");
    let publish = Publish { topic: s("content.new"), content_type: JSON };
    request("publish", 25, Operation::Publish(publish), false, b"\"hi\"");
    request("serve", 27, Operation::Serve(Serve { method: s("query:*") }), false, b"");
    request("unserve", 29, Operation::Unserve(Unserve { method: s("query:*") }), false, b"");
    request("reload_policy", 31, Operation::ReloadPolicy(ReloadPolicy {}), false, b"");
    request("inspect", 33, Operation::Inspect(Inspect {}), false, b"\0asm");
}

fn responses(claims: &mut Claims) {
    let layers = vec![
        Layer { name: s("seccomp"), status: LayerStatus::Observed as i32, reason: s("") },
        Layer { name: s("landlock"), status: LayerStatus::Off as i32, reason: s("old kernel") },
    ];
    let plugin = Plugin {
        name: s("search"),
        state: s("disabled"),
        disabled: s("crashes"),
        generation: 2,
        reloading: true,
        idle: 3,
        busy: 4,
        starting: 5,
        waiting: 6,
        dropped: 7,
        crashes: 8,
        last_crash: s("trap"),
        retry_in_ms: 1000,
        from_cache: true,
        certificate: Some(Certificate { profile: s("core"), layers }),
        events_waiting: 9,
        events_delivered: 10,
        events_failed: 11,
        events_dropped: 12,
        ..Plugin::default()
    };
    let one = Response { plugins: vec![plugin], ..Response::default() };
    claims.same("response", (RESPONSE, 7), one, b"\x08\x01");
    let short = |name, state| Plugin { name: s(name), state: s(state), ..Plugin::default() };
    let two = Response { plugins: vec![short("a", "running"), short("b", "stopped")], ..Response::default() };
    claims.same("response_list", (RESPONSE, 5), two, b"");
    let counters = Counters {
        uptime_ms: 127,
        clients: 128,
        connections: 3,
        refused: 4,
        calls: u64::MAX,
        failures: 6,
        host_calls: 7,
        events: 8,
        events_dropped: 9,
    };
    let stats = Response { counters: Some(counters), ..Response::default() };
    claims.same("response_stats", (RESPONSE, 23), stats, b"");
    let change = |plugin, what, message| Change { plugin: s(plugin), what: s(what), message: s(message) };
    let changes = vec![change("a", "unchanged", ""), change("b", "failed", "no such file")];
    claims.same("response_changes", (RESPONSE, 31), Response { changes, ..Response::default() }, b"");
    claims.same("response_bare", (RESPONSE, 9), Response::default(), b"");
}

fn followings(claims: &mut Claims) {
    use follow::What;
    let mut follow = |name, id, what| claims.same(name, (FOLLOW, id), Follow { what: Some(what) }, b"");
    follow("follow_events", 1, What::Subscribe(Subscribe { pattern: s("content.**") }));
    follow("follow_logs", 3, What::Logs(Logs { plugin: s("search"), level_min: 3 }));
    follow("follow_all_logs", 5, What::Logs(Logs::default()));
    claims.same("item_in_force", (ITEM, 1), Item::default(), b"");
    let event = Event { topic: s("content.new"), content_type: JSON, plugin: s("search") };
    let event = Item { dropped: 2, of: Some(item::Of::Event(event)) };
    claims.same("item_event", (ITEM, 1), event, b"\"hi\"");
    let line = LogLine { plugin: s("search"), instance: 1, level: 3, dropped_lines: 5 };
    let line = Item { dropped: 0, of: Some(item::Of::Log(line)) };
    claims.same("item_log", (ITEM, 3), line, "größer".as_bytes());
}

fn bodies(claims: &mut Claims) {
    let (more, last) = (Data { end: false }, Data { end: true });
    claims.same("client_data", (CLIENT_DATA, 1), more, b"abc");
    claims.same("client_data_end", (CLIENT_DATA, 1), last, b"\0");
    claims.same("client_data_only_end", (CLIENT_DATA, 1), last, b"");
    claims.same("client_credit", (CLIENT_CREDIT, 1), Credit { bytes: 65_536 }, b"");
    claims.same("client_cancel", (CLIENT_CANCEL, 1), Cancel {}, b"");
    claims.same("daemon_data", (DAEMON_DATA, 1), more, b"xyz");
    claims.same("daemon_data_end", (DAEMON_DATA, 2), last, b"7}");
    claims.same("daemon_credit", (DAEMON_CREDIT, 1), Credit { bytes: u32::MAX }, b"");
    claims.same("daemon_cancel", (DAEMON_CANCEL, 2), Cancel {}, b"");
}

#[test]
fn golden_bytes_that_are_refused() {
    let refused = vectors().into_iter().filter_map(|(name, vector)| Some((name, vector.refused?, vector)));
    for (name, code, vector) in refused {
        let (mut client, mut daemon) = pair();
        let mut out = Vec::new();
        client.open(&mut out, &super::call(true), b"").unwrap();
        tell(&mut daemon, Side::Daemon, &out).unwrap();
        let side = vector.from.other();
        let session = if side == Side::Client { &mut client } else { &mut daemon };
        let violation = tell(session, side, &vector.bytes).expect_err(name);
        assert_eq!(violation.code.name(), code, "{name}");
    }
}
