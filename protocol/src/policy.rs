//! What a plugin may do and use. Valid by construction: [`Policy::new`] is the only door, for files and for code.

mod lifetime;
mod outside;
mod permission;
pub mod units;

pub use lifetime::{Instances, Isolation, Restart};
pub use outside::{Folder, Variable};
pub use permission::{
    MethodLimits, Rate, common_topics, covers_topics, is_topic, is_topic_pattern, matches_pattern,
    matches_topic,
};

use crate::certificate::LayerSet;
use crate::module::Dialect;
use crate::spawn::FOLDERS_MAX;
use permission::HostPattern;
use std::collections::BTreeMap;
use std::time::Duration;

/// When the guest's memory is made: before the fork, shared copy-on-write, or in the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Snapshot {
    /// Instantiated in the zygote; each worker starts from a copy. No guest code has run in it.
    #[default]
    Instance,
    /// Instantiated in each worker.
    Module,
}

/// Limits of one plugin; per instance unless said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Linear memories together, in bytes.
    pub memory_bytes: u64,
    /// Table entries together.
    pub table_entries: u64,
    /// Wasm stack, in bytes.
    pub stack_bytes: u64,
    /// Wall time of one call, host calls included; then the guest is interrupted.
    pub call_timeout: Duration,
    /// From the interrupt to SIGKILL.
    pub grace: Duration,
    /// Body of a call, in bytes.
    pub input_bytes: u32,
    /// Body of a reply, and of a host call either way, in bytes.
    pub output_bytes: u32,
    /// Log volume in bytes per second; more is dropped and counted.
    pub log_bytes_per_second: u64,
    /// Calls of the plugin that wait for an instance.
    pub queue: u32,
    /// CPU time of one call; `None`: no limit besides `call_timeout`.
    pub cpu: Option<Duration>,
    /// CPU time of an instance in all; `None`: no limit.
    pub cpu_total: Option<Duration>,
    /// Host calls of the plugin, all instances together; `None`: no limit.
    pub host_calls: Option<Rate>,
    /// What the plugin keeps, in bytes: keys and values, with 64 bytes for each key.
    pub store_bytes: u64,
    /// Files, folders and links of its own (`storage = "vfs"`); their bytes are held to `store_bytes` for themselves.
    pub files: u32,
    /// Units of fuel of one call; `None`: not counted.
    pub fuel: Option<u64>,
    /// What a control group holds its zygote and all instances to, together.
    pub cgroup: CgroupLimits,
}

/// Limits of a plugin's control group, on hosts that have one to give away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CgroupLimits {
    /// Memory of everything, page tables and kernel stacks included, in bytes.
    pub memory_bytes: Option<u64>,
    /// CPU time in percent of one core.
    pub cpu_percent: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 100_000_000,
            table_entries: 10_000,
            stack_bytes: 1 << 20,
            call_timeout: Duration::from_secs(30),
            grace: Duration::from_millis(10),
            input_bytes: 1 << 20,
            output_bytes: 1 << 20,
            log_bytes_per_second: 64 << 10,
            queue: 256,
            cpu: None,
            cpu_total: None,
            host_calls: None,
            store_bytes: 64 << 20,
            files: 10_000,
            fuel: None,
            cgroup: CgroupLimits::default(),
        }
    }
}

/// A policy before it is checked; [`PolicySpec::default`] grants nothing and has the documented limits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicySpec {
    /// Limits.
    pub limits: Limits,
    /// Host methods the plugin may call: literal, or a prefix ending in `*`.
    pub host: Vec<String>,
    /// Topics of events the plugin may publish, as patterns.
    pub publish: Vec<String>,
    /// Topics of events the plugin may receive, as patterns.
    pub subscribe: Vec<String>,
    /// Layers without which the plugin must not run.
    pub require: LayerSet,
    /// When the guest's memory is made.
    pub snapshot: Snapshot,
    /// Who shares an instance.
    pub isolation: Isolation,
    /// How many instances there are, and for how long.
    pub instances: Instances,
    /// What happens after a crash.
    pub restart: Restart,
    /// Limits of single methods, by name.
    pub methods: BTreeMap<String, MethodLimits>,
    /// Folders of a plugin with WASI: `read:/host` or `write:/host`, with `=/guest` where the guest's path differs.
    pub filesystem: Vec<String>,
    /// Its environment: `NAME` for the host's own value, or `NAME=VALUE`.
    pub env: Vec<String>,
    /// Its arguments, without its name.
    pub args: Vec<String>,
    /// Its own files.
    pub storage: Storage,
    /// What a native program runs in.
    pub sandbox: Sandbox,
    /// What its module must speak; the one that it is found to speak, if nobody says.
    pub dialect: Option<Dialect>,
    /// What its dialect wants to know, by name.
    pub options: BTreeMap<String, String>,
}

/// Whether a plugin has files of its own that stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Storage {
    /// None.
    #[default]
    None,
    /// A folder in the state directory, which the plugin sees as `/`.
    Vfs,
}

/// What a native program runs in. A module always runs behind its walls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sandbox {
    /// The walls of the profile `external`.
    #[default]
    Walled,
    /// None: it may do what its user may. It still ends with its plugin, and is held to its limits.
    None,
}

/// A checked policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    limits: Limits,
    host: Vec<HostPattern>,
    publish: Vec<String>,
    subscribe: Vec<String>,
    require: LayerSet,
    snapshot: Snapshot,
    isolation: Isolation,
    instances: Instances,
    restart: Restart,
    methods: BTreeMap<String, MethodLimits>,
    filesystem: Vec<Folder>,
    env: Vec<Variable>,
    args: Vec<String>,
    storage: Storage,
    sandbox: Sandbox,
    dialect: Option<Dialect>,
    options: BTreeMap<String, String>,
}

/// A policy that cannot be. The operator is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A number outside its range.
    #[error("{key} = {value} is out of range: it must be from {min} to {max}")]
    Range {
        /// The key, as in the policy file.
        key: &'static str,
        /// The value asked for, with its unit.
        value: String,
        /// The least, with its unit.
        min: String,
        /// The most, with its unit.
        max: String,
    },
    /// A permission that is no method name or prefix.
    #[error(
        "permissions.host has {pattern:?}: write a method of 1 to 256 bytes, or a prefix ending in one *; control characters are not allowed"
    )]
    HostPattern {
        /// The text, cut to 80 characters.
        pattern: String,
    },
    /// A permission that is no pattern of topics.
    #[error("{key} has {pattern:?}: write parts with dots between; a part may be *, the last one **")]
    TopicPattern {
        /// The key, as in the policy file.
        key: &'static str,
        /// The text, cut to 80 characters.
        pattern: String,
    },
    /// A permission that is no folder, or one too many.
    #[error(
        "permissions.filesystem has {text:?}: write read:/host or write:/host, absolute, with =/guest where the guest's path differs; {FOLDERS_MAX} are the most"
    )]
    Folder {
        /// The text, cut to 80 characters.
        text: String,
    },
    /// A permission that is no variable.
    #[error("permissions.env has {text:?}: write NAME for the host's own value, or NAME=VALUE")]
    Variable {
        /// The text, cut to 80 characters.
        text: String,
    },
    /// Arguments and environment together are too long, or hold a zero byte.
    #[error("args and permissions.env together may have {AROUND_BYTES_MAX} bytes, and no zero byte")]
    Around,
    /// Options that are too many or too long, or hold what cannot be shown.
    #[error(
        "options has {name:?}: a name is 1 to {OPTION_NAME_BYTES_MAX} of a-z A-Z 0-9 . _ -, a value has no control characters, and all together at most {OPTIONS_BYTES_MAX} bytes"
    )]
    Option {
        /// The name, cut to 80 characters.
        name: String,
    },
}

const OPTION_NAME_BYTES_MAX: usize = 64;
/// Names and values together: they go to an instance with the head of its first frame.
const OPTIONS_BYTES_MAX: usize = 16 << 10;

/// What an option takes besides its name and its value.
const OPTION_OVERHEAD_BYTES: usize = 8;

/// Bytes of arguments and environment together.
const AROUND_BYTES_MAX: usize = 128 << 10;

const PAGE_BYTES: u64 = 65_536;

impl Policy {
    /// Checks a policy; the first value out of range is the error.
    pub fn new(spec: PolicySpec) -> Result<Self, PolicyError> {
        let limits = &spec.limits;
        // 4 GiB is what a 32-bit memory can address; a page is the least that can be grown.
        in_range("limits.memory", limits.memory_bytes, PAGE_BYTES, 4 << 30, units::show_bytes)?;
        in_range("limits.tables", limits.table_entries, 0, 10_000_000, count)?;
        // Below 64 KiB the engine's own entry code has no room; above 64 MiB forks get slow.
        in_range("limits.stack", limits.stack_bytes, 64 << 10, 64 << 20, units::show_bytes)?;
        in_range("limits.call_timeout", millis(limits.call_timeout), 1, 24 * 3_600_000, show_ms)?;
        in_range("limits.grace", millis(limits.grace), 0, 60_000, show_ms)?;
        in_range("limits.input", u64::from(limits.input_bytes), 1, 256 << 20, units::show_bytes)?;
        in_range("limits.output", u64::from(limits.output_bytes), 1, 256 << 20, units::show_bytes)?;
        in_range("limits.log", limits.log_bytes_per_second, 0, 1 << 30, units::show_bytes)?;
        in_range("limits.queue", u64::from(limits.queue), 0, 100_000, count)?;
        let day = 24 * 3_600_000;
        for (key, time, max) in
            [("limits.cpu", limits.cpu, day), ("limits.cpu_total", limits.cpu_total, 365 * day)]
        {
            time.map_or(Ok(()), |time| in_range(key, millis(time), 1, max, show_ms))?;
        }
        limits.host_calls.map_or(Ok(()), |rate| rate.check("limits.host_calls"))?;
        if let Some(fuel) = limits.fuel {
            in_range("limits.fuel", fuel, 1, u64::MAX >> 1, count)?;
        }
        if let Some(bytes) = limits.cgroup.memory_bytes {
            in_range("limits.cgroup.memory", bytes, 1 << 20, 1 << 40, units::show_bytes)?;
        }
        if let Some(percent) = limits.cgroup.cpu_percent {
            in_range("limits.cgroup.cpu", percent.into(), 1, 100 * 1024, count)?;
        }
        spec.instances.check()?;
        spec.restart.check()?;
        spec.methods.values().try_for_each(MethodLimits::check)?;
        let host = spec.host.iter().map(|text| HostPattern::parse(text)).collect::<Result<_, _>>()?;
        check_topics("permissions.publish", &spec.publish)?;
        check_topics("permissions.subscribe", &spec.subscribe)?;
        let filesystem = outside::folders(&spec.filesystem)?;
        let env = spec.env.iter().map(|text| Variable::parse(text)).collect::<Result<_, _>>()?;
        let around = || spec.args.iter().chain(&spec.env);
        let bytes = around().map(|text| text.len().saturating_add(1)).fold(0, usize::saturating_add);
        if bytes > AROUND_BYTES_MAX || around().any(|text| text.contains('\0')) {
            return Err(PolicyError::Around);
        }
        check_options(&spec.options)?;
        Ok(Self { filesystem, env, ..Self::of(spec, host) })
    }

    fn of(spec: PolicySpec, host: Vec<HostPattern>) -> Self {
        let PolicySpec { limits, host: _, publish, subscribe, args, .. } = spec;
        let PolicySpec {
            require,
            snapshot,
            isolation,
            instances,
            restart,
            methods,
            storage,
            sandbox,
            dialect,
            options,
            ..
        } = spec;
        let (filesystem, env) = (Vec::new(), Vec::new());
        Self {
            limits,
            host,
            publish,
            subscribe,
            require,
            snapshot,
            isolation,
            instances,
            restart,
            methods,
            filesystem,
            env,
            args,
            storage,
            sandbox,
            dialect,
            options,
        }
    }

    /// The dialect that its module must speak.
    pub fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    /// Folders that a plugin with WASI is given; nothing else of the host's files exists for it.
    pub fn filesystem(&self) -> &[Folder] {
        &self.filesystem
    }

    /// Whether a plugin with WASI has files of its own.
    pub fn storage(&self) -> Storage {
        self.storage
    }

    /// What a native program runs in.
    pub fn sandbox(&self) -> Sandbox {
        self.sandbox
    }

    /// What its dialect wants to know, by name.
    pub fn options(&self) -> &BTreeMap<String, String> {
        &self.options
    }

    /// The environment of a plugin with WASI.
    pub fn env(&self) -> &[Variable] {
        &self.env
    }

    /// The arguments of a plugin with WASI, without its name.
    pub fn args(&self) -> &[String] {
        &self.args
    }

    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Layers without which the plugin must not run.
    pub fn require(&self) -> LayerSet {
        self.require
    }

    /// When the guest's memory is made.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot
    }

    /// Who shares an instance.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// How many instances there are, and for how long.
    pub fn instances(&self) -> &Instances {
        &self.instances
    }

    /// What happens after a crash.
    pub fn restart(&self) -> &Restart {
        &self.restart
    }

    /// Wall time of one call of a method.
    pub fn call_timeout(&self, method: &str) -> Duration {
        let own = self.methods.get(method).and_then(|limits| limits.call_timeout);
        own.unwrap_or(self.limits.call_timeout)
    }

    /// Host calls during calls of a method, if it has a rate of its own beside the plugin's.
    pub fn host_calls(&self, method: &str) -> Option<Rate> {
        self.methods.get(method).and_then(|limits| limits.host_calls)
    }

    /// Host methods that are granted, as they were written.
    pub fn host(&self) -> impl Iterator<Item = String> {
        self.host.iter().map(ToString::to_string)
    }

    /// Limits of single methods, by name.
    pub fn methods(&self) -> &BTreeMap<String, MethodLimits> {
        &self.methods
    }

    /// Whether the plugin may call this host method.
    pub fn allows_host(&self, method: &str) -> bool {
        self.host.iter().any(|pattern| pattern.allows(method))
    }

    /// Whether the plugin may publish events of this topic.
    pub fn allows_publish(&self, topic: &str) -> bool {
        self.publish.iter().any(|pattern| matches_topic(pattern, topic))
    }

    /// Topics of events that the plugin may publish, as patterns.
    pub fn publish(&self) -> &[String] {
        &self.publish
    }

    /// Topics of events that the plugin may receive, as patterns.
    pub fn subscribe(&self) -> &[String] {
        &self.subscribe
    }

    /// The same without the host methods that these patterns match, and without every pattern that matches one of those.
    #[must_use]
    pub fn without_host(mut self, withheld: &[String]) -> Self {
        let withheld: Result<Vec<HostPattern>, _> =
            withheld.iter().map(|pattern| HostPattern::parse(pattern)).collect();
        match withheld {
            Ok(withheld) => {
                self.host.retain(|granted| !withheld.iter().any(|withheld| granted.meets(withheld)));
            }
            // Nobody knows what was meant.
            Err(_) => self.host.clear(),
        }
        self
    }

    /// Whether the plugin may receive an event.
    pub fn allows_hearing(&self, topic: &str) -> bool {
        self.subscribe.iter().any(|pattern| matches_topic(pattern, topic))
    }

    /// Whether the plugin may receive every event that a pattern matches.
    pub fn allows_subscribe(&self, pattern: &str) -> bool {
        self.subscribe.iter().any(|granted| covers_topics(granted, pattern))
    }
}

impl Default for Policy {
    /// Grants nothing; the documented limits, which are within their ranges (tested).
    fn default() -> Self {
        Self::of(PolicySpec::default(), Vec::new())
    }
}

fn check_topics(key: &'static str, patterns: &[String]) -> Result<(), PolicyError> {
    match patterns.iter().find(|pattern| !is_topic_pattern(pattern)) {
        Some(pattern) => Err(PolicyError::TopicPattern { key, pattern: pattern.chars().take(80).collect() }),
        None => Ok(()),
    }
}

fn check_options(options: &BTreeMap<String, String>) -> Result<(), PolicyError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_name = |name: &str| (1..=OPTION_NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(plain);
    let is_value = |value: &str| !value.chars().any(char::is_control);
    let mut left = OPTIONS_BYTES_MAX;
    let mut is_too_much = |name: &str, value: &str| {
        let rest = left.checked_sub(name.len() + value.len() + OPTION_OVERHEAD_BYTES);
        left = rest.unwrap_or(0);
        rest.is_none()
    };
    let wrong =
        options.iter().find(|(name, value)| !is_name(name) || !is_value(value) || is_too_much(name, value));
    match wrong {
        Some((name, _)) => Err(PolicyError::Option { name: name.chars().take(80).collect() }),
        None => Ok(()),
    }
}

fn in_range(
    key: &'static str,
    value: u64,
    min: u64,
    max: u64,
    show: fn(u64) -> String,
) -> Result<(), PolicyError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(PolicyError::Range { key, value: show(value), min: show(min), max: show(max) })
    }
}

fn count(value: u64) -> String {
    value.to_string()
}

fn show_ms(value: u64) -> String {
    format!("{value} ms")
}

/// Whole milliseconds, rounded down; more than 64 bits hold becomes the most.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_grants_nothing() {
        assert_eq!(Policy::new(PolicySpec::default()), Ok(Policy::default()));
        assert!(!Policy::default().allows_host("query:ai.ocr"));
    }

    #[test]
    fn host_methods_are_literal_or_a_prefix() {
        let policy = Policy::new(PolicySpec {
            host: vec!["query:ai.*".into(), "log".into()],
            ..PolicySpec::default()
        })
        .unwrap();
        for (method, allowed) in [
            ("query:ai.ocr", true),
            ("query:ai.", true),
            ("query:aix", false),
            ("log", true),
            ("logs", false),
        ] {
            assert_eq!(policy.allows_host(method), allowed, "{method}");
        }
        for bad in ["", "a*b", "a**", "tab\t", &"x".repeat(257)] {
            let spec = PolicySpec { host: vec![bad.into()], ..PolicySpec::default() };
            assert!(Policy::new(spec).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_withheld_is_not_granted_by_anything_else() {
        let granted = ["audio.*", "clipboard.read", "kv.get"].map(str::to_owned).to_vec();
        let policy = Policy::new(PolicySpec { host: granted, ..PolicySpec::default() }).unwrap();
        let left = policy.without_host(&["audio.record".to_owned(), "clip*".to_owned()]);
        assert_eq!(left.host().collect::<Vec<_>>(), ["kv.get"]);
    }

    #[test]
    fn topics_are_granted_by_patterns() {
        let policy = Policy::new(PolicySpec {
            publish: vec!["content.*".into()],
            subscribe: vec!["content.**".into()],
            ..PolicySpec::default()
        })
        .unwrap();
        assert!(policy.allows_publish("content.saved") && !policy.allows_publish("content.a.b"));
        assert!(policy.allows_subscribe("content.*.b") && !policy.allows_subscribe("*.saved"));
        assert!(!Policy::default().allows_publish("a") && !Policy::default().allows_subscribe("a"));
        let spec = PolicySpec { subscribe: vec!["a*".into()], ..PolicySpec::default() };
        let error = Policy::new(spec).unwrap_err().to_string();
        assert!(error.starts_with("permissions.subscribe has \"a*\": write parts with dots"), "{error}");
    }

    #[test]
    fn numbers_out_of_range_name_key_and_bounds() {
        let limits = Limits { memory_bytes: 1, ..Limits::default() };
        let error = Policy::new(PolicySpec { limits, ..PolicySpec::default() }).unwrap_err();
        assert_eq!(error.to_string(), "limits.memory = 1 B is out of range: it must be from 64 KiB to 4 GiB");
    }
}
