//! What a plugin may use and do: the keys that it may ask less of.

use super::{ASKED, CEILING, DEFAULTS, Field, Key, Kind, PLUGINS, Texts};
use crate::policy::slot::Slot;

const CALL: &str = "call";
const INSTANCE: &str = "instance";
const METHOD_SCOPE: &str = "method";
const PLUGIN_SCOPE: &str = "plugin";

/// A key of a limit: a plugin may ask for less.
const fn limit(
    name: &'static str,
    kind: Kind,
    scope: &'static str,
    field: Field,
    doc: &'static str,
    by: &'static str,
) -> Key {
    Key::new(name, kind, scope, field, doc, by).within(DEFAULTS | PLUGINS | CEILING | ASKED)
}

pub(super) const LIMITS: &[Key] = &[
    limit(
        "memory",
        Kind::Bytes,
        INSTANCE,
        of_policy!(U64 limits.memory_bytes),
        "Linear memories together",
        "the engine's limiter; RLIMIT_DATA and RLIMIT_AS",
    ),
    limit(
        "tables",
        Kind::Count,
        INSTANCE,
        of_policy!(U64 limits.table_entries),
        "Table entries together",
        "the engine's limiter",
    ),
    limit(
        "stack",
        Kind::Bytes,
        INSTANCE,
        of_policy!(U64 limits.stack_bytes),
        "The guest's stack",
        "compiled code; RLIMIT_STACK",
    ),
    limit(
        "cpu",
        Kind::Time,
        CALL,
        of_policy!(MaybeTime limits.cpu),
        "CPU time of one call; host calls use none",
        "the guard, by the worker's CPU clock",
    )
    .at_once(),
    limit(
        "cpu_total",
        Kind::Time,
        INSTANCE,
        of_policy!(MaybeTime limits.cpu_total),
        "CPU time in all",
        "the guard, by the worker's CPU clock",
    ),
    limit(
        "call_timeout",
        Kind::Time,
        CALL,
        of_policy!(Time limits.call_timeout),
        "Wall time of one call, host calls included; then the guest is interrupted",
        "the guard",
    )
    .at_once(),
    limit(
        "grace",
        Kind::Time,
        CALL,
        of_policy!(Time limits.grace),
        "From the interrupt to SIGKILL",
        "the guard",
    )
    .at_once(),
    limit(
        "input",
        Kind::Bytes,
        CALL,
        of_policy!(U32 limits.input_bytes),
        "What it is called with",
        "the supervisor",
    ),
    limit(
        "output",
        Kind::Bytes,
        CALL,
        of_policy!(U32 limits.output_bytes),
        "What it answers, and host calls either way",
        "the worker; the supervisor's decoder",
    ),
    limit(
        "queue",
        Kind::Count,
        PLUGIN_SCOPE,
        of_policy!(U32 limits.queue),
        "Calls that wait",
        "the supervisor",
    )
    .at_once(),
    limit(
        "log",
        Kind::BytesPerSecond,
        INSTANCE,
        of_policy!(U64 limits.log_bytes_per_second),
        "Log lines; more are dropped and counted",
        "the supervisor",
    )
    .at_once(),
    limit(
        "host_calls",
        Kind::Rate,
        PLUGIN_SCOPE,
        of_policy!(Rate limits.host_calls),
        "Host calls, all instances together, in any window of that time",
        "the supervisor",
    )
    .at_once(),
    limit(
        "store",
        Kind::Bytes,
        PLUGIN_SCOPE,
        of_policy!(U64 limits.store_bytes),
        "What it keeps with kv.set, each key with 64 bytes more; its own files once more as many",
        "the supervisor",
    )
    .at_once(),
    limit(
        "files",
        Kind::Count,
        PLUGIN_SCOPE,
        of_policy!(U32 limits.files),
        "Files, folders and links of its own",
        "the worker and the supervisor",
    )
    .at_once(),
    limit("fuel", Kind::Count, CALL, of_policy!(MaybeU64 limits.fuel), "Units of fuel", "compiled code"),
    Key::table("cgroup", CGROUP, "Zygote and all instances together"),
];

const CGROUP: &[Key] = &[
    limit(
        "memory",
        Kind::Bytes,
        PLUGIN_SCOPE,
        of_policy!(MaybeU64 limits.cgroup.memory_bytes),
        "Memory of everything, page tables included",
        "the kernel, where there is a control group to give away",
    ),
    limit(
        "cpu",
        Kind::Percent,
        PLUGIN_SCOPE,
        of_policy!(MaybeU32 limits.cgroup.cpu_percent),
        "CPU time, of one core",
        "the kernel, where there is a control group to give away",
    ),
];

/// What stands under a method; each name is also one of [`LIMITS`], which bounds it.
pub(in crate::policy) const METHOD: &[Key] = &[CALL_TIMEOUT, HOST_CALLS];

pub(super) const CALL_TIMEOUT: Key = Key::new(
    "call_timeout",
    Kind::Time,
    METHOD_SCOPE,
    Field::Method(|method| Slot::MaybeTime(&mut method.call_timeout)),
    "Wall time of one call, in place of the plugin's",
    "the guard",
)
.within(PLUGINS | ASKED)
.at_once();

pub(super) const HOST_CALLS: Key = Key::new(
    "host_calls",
    Kind::Rate,
    METHOD_SCOPE,
    Field::Method(|method| Slot::Rate(&mut method.host_calls)),
    "Host calls during its calls; the plugin's rate counts them too",
    "the supervisor",
)
.within(PLUGINS | ASKED)
.at_once();

const fn permission(
    name: &'static str,
    texts: Texts,
    field: Field,
    doc: &'static str,
    by: &'static str,
) -> Key {
    limit(name, Kind::Texts(texts), PLUGIN_SCOPE, field, doc, by).at_once()
}

/// What a zygote is started with.
const fn outside(name: &'static str, texts: Texts, field: Field, doc: &'static str, by: &'static str) -> Key {
    limit(name, Kind::Texts(texts), PLUGIN_SCOPE, field, doc, by)
}

const NOT_HERE: &str = "denied to all in this version";

pub(super) const PERMISSIONS: &[Key] = &[
    permission(
        "host",
        Texts::HostMethods,
        of_policy!(Texts host),
        "Host methods it may call: literal unless it ends in `*`",
        "the supervisor, before the handler",
    ),
    permission(
        "publish",
        Texts::Events,
        of_policy!(Texts publish),
        "Topics of events it may publish: parts between dots, `*` for one, a final `**` for any",
        "the supervisor, before anybody gets it",
    ),
    permission(
        "subscribe",
        Texts::Events,
        of_policy!(Texts subscribe),
        "Topics of events it may receive: all of its manifest's `subscriptions` must be among them",
        "the supervisor, at the load",
    ),
    outside(
        "filesystem",
        Texts::Files,
        of_policy!(Texts filesystem),
        "Folders of a plugin with WASI: `read:/host` or `write:/host`, with `=/guest` to differ",
        "Landlock and the worker: nothing else is there",
    ),
    outside(
        "env",
        Texts::Variables,
        of_policy!(Texts env),
        "The environment of a plugin with WASI: `NAME` for the host's value, or `NAME=VALUE`",
        "the supervisor, when a zygote starts",
    ),
    permission("network", Texts::Hosts, Field::None, "Hosts it may reach", NOT_HERE).later(),
];
