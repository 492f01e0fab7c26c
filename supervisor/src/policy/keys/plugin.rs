//! The keys of a plugin: under `[plugins.NAME]`, `[defaults]`, `[ceiling]` and, where a plugin may ask, in its manifest.

use super::limits::{LIMITS, METHOD, PERMISSIONS};
use super::{ASKED, Field, Key, Kind, PLUGINS, Texts};
use crate::policy::slot::Slot;
use casemate_protocol::module::Dialect;

const INSTANCE: &str = "instance";
const METHOD_SCOPE: &str = "method";
const PLUGIN_SCOPE: &str = "plugin";

/// What stands under `[plugins.NAME]`.
pub(in crate::policy) const PLUGIN: &[Key] = &[
    Key::new(
        "path",
        Kind::Text,
        PLUGIN_SCOPE,
        Field::None,
        "The module, from the folder of this file",
        "whoever loads it",
    )
    .choice()
    .within(PLUGINS),
    Key::new(
        "external",
        Kind::Texts(Texts::Command),
        PLUGIN_SCOPE,
        Field::None,
        "A native program in place of a module, and its arguments; a path is from the folder of this file",
        "whoever loads it",
    )
    .choice()
    .within(PLUGINS),
    Key::new(
        "dialect",
        Kind::Word(Dialect::NAMES),
        PLUGIN_SCOPE,
        of_policy!(Dialect dialect),
        "What the module speaks; without it, its manifest says so or it is detected",
        "the compiler process",
    )
    .choice()
    .suggested()
    .within(PLUGINS),
    Key::new(
        "options",
        Kind::Options,
        PLUGIN_SCOPE,
        of_policy!(Options options),
        "What its dialect wants to know; a manifest's options stand where the operator says nothing of them",
        "the worker",
    )
    .choice()
    .within(PLUGINS | ASKED),
    Key::new(
        "args",
        Kind::Texts(Texts::Command),
        PLUGIN_SCOPE,
        of_policy!(Texts args),
        "Arguments of a WASI program, without its name; of a native one, behind those of `external`",
        "the worker",
    )
    .choice()
    .within(PLUGINS),
    Key::new(
        "enabled",
        Kind::Flag,
        PLUGIN_SCOPE,
        Field::None,
        "Whether it may be loaded",
        "whoever loads it",
    )
    .choice()
    .at_once(),
    Key::new(
        "consent",
        Kind::Texts(Texts::Consent),
        PLUGIN_SCOPE,
        Field::None,
        "Host methods for which its operator says yes in a person's place, where a manifest wants that",
        "the supervisor, before the handler",
    )
    .choice()
    .at_once()
    .within(super::DEFAULTS | PLUGINS),
    Key::new(
        "storage",
        Kind::Word(&["none", "vfs"]),
        PLUGIN_SCOPE,
        of_policy!(Storage storage),
        "Files of its own that stay, which a WASI plugin sees as `/`",
        "Landlock",
    )
    .within(super::DEFAULTS | PLUGINS | super::CEILING | ASKED),
    Key::new(
        "transport",
        Kind::Word(&["socket", "shared"]),
        INSTANCE,
        Field::None,
        "How bytes reach a worker",
        "`shared` is not in this version",
    )
    .later(),
    Key::new(
        "sandbox",
        Kind::Word(&["walled", "none"]),
        PLUGIN_SCOPE,
        of_policy!(Sandbox sandbox),
        "What a native program runs in; `none` only where `[ceiling]` names it",
        "whoever loads it",
    )
    .suggested()
    .named_by_ceiling()
    .within(PLUGINS | super::CEILING),
    Key::new(
        "snapshot",
        Kind::Word(&["module", "instance"]),
        PLUGIN_SCOPE,
        of_policy!(Snapshot snapshot),
        "Where memories are made: in each worker (`module`) or before the fork (`instance`)",
        "the zygote",
    ),
    Key::new(
        "isolation",
        Kind::Word(&["call", "client", "plugin"]),
        PLUGIN_SCOPE,
        of_policy!(Isolation isolation),
        "Who shares an instance: nobody, the calls of one client (an embedding host is one), all calls",
        "the supervisor",
    ),
    Key::table("instances", INSTANCES, "How many, and for how long"),
    Key::table("limits", LIMITS, "What it may use")
        .within(super::DEFAULTS | PLUGINS | super::CEILING | ASKED),
    Key::new(
        "methods",
        Kind::Named(METHOD),
        METHOD_SCOPE,
        Field::None,
        "Limits of single methods, by name",
        "",
    )
    .within(PLUGINS | ASKED),
    Key::table("permissions", PERMISSIONS, "What it may do; what is not here is denied"),
    Key::table("restart", RESTART, "What happens after a crash").within(super::DEFAULTS | PLUGINS),
    Key::table("require", REQUIRE, "What must stand around it")
        .within(super::DEFAULTS | PLUGINS | super::CEILING),
];

const INSTANCES: &[Key] = &[
    Key::new(
        "min",
        Kind::Count,
        PLUGIN_SCOPE,
        of_policy!(U32 instances.min),
        "Alive even without calls",
        "the supervisor",
    )
    .at_once(),
    Key::new(
        "max",
        Kind::Count,
        PLUGIN_SCOPE,
        of_policy!(U32 instances.max),
        "At once",
        "the supervisor; RLIMIT_NPROC",
    ),
    Key::new(
        "spare",
        Kind::Count,
        PLUGIN_SCOPE,
        of_policy!(U32 instances.spare),
        "Forked before somebody wants them",
        "the supervisor",
    ),
    Key::new(
        "idle_timeout",
        Kind::Time,
        INSTANCE,
        of_policy!(Time instances.idle_timeout),
        "One without a call for so long is ended, down to `min`",
        "the supervisor",
    )
    .at_once(),
    Key::new(
        "max_calls",
        Kind::Count,
        INSTANCE,
        of_policy!(U64 instances.max_calls),
        "One that has answered so many calls is replaced",
        "the supervisor",
    )
    .at_once(),
    Key::new(
        "recycle_memory",
        Kind::Bytes,
        INSTANCE,
        of_policy!(MaybeU64 instances.recycle_memory_bytes),
        "One whose memories are larger after a call is replaced",
        "the supervisor",
    )
    .at_once(),
];

const RESTART: &[Key] = &[
    Key::table("backoff", BACKOFF, "The pause before the next start").within(super::DEFAULTS | PLUGINS),
    restart(
        "give_up_after",
        Kind::Count,
        of_policy!(U32 restart.give_up_after),
        "Crashes after which it is disabled",
    ),
    restart("within", Kind::Time, of_policy!(Time restart.within), "The time in which those crashes count"),
];

const BACKOFF: &[Key] = &[
    restart("first", Kind::Time, of_policy!(Time restart.first), "After the first crash"),
    restart(
        "factor",
        Kind::Hundredths,
        of_policy!(U32 restart.factor_percent),
        "What each further one is multiplied with",
    ),
    restart("max", Kind::Time, of_policy!(Time restart.max), "The longest"),
    restart(
        "jitter",
        Kind::Hundredths,
        of_policy!(U32 restart.jitter_percent),
        "How far it may be off by chance, either way",
    ),
];

const fn restart(name: &'static str, kind: Kind, field: Field, doc: &'static str) -> Key {
    Key::new(name, kind, PLUGIN_SCOPE, field, doc, "the supervisor").choice().at_once()
}

const REQUIRE: &[Key] = &[Key::new(
    "layers",
    Kind::Texts(Texts::Layers),
    PLUGIN_SCOPE,
    of_policy!(Layers require),
    "Layers without which it must not run; `namespaces` means seven, `all` every one",
    "the supervisor, when a zygote has started",
)];
