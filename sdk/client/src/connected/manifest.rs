//! A policy as what a plugin asks for: the daemon grants that or what its own configuration says, whichever is less.

use casemate_protocol::policy::{Policy, Rate, millis};
use std::fmt::Write;
use std::time::Duration;

/// The text of a `plugin.toml`. What is the operator's alone (instances, restarts, layers, control groups) is not in it.
pub(crate) fn manifest(name: &str, policy: &Policy, subscriptions: &[String]) -> String {
    let limits = policy.limits();
    let mut text = format!("id = {}\nname = {}\nversion = \"0.0.0\"\n", quoted(name), quoted(name));
    let mut line = |line: String| {
        // A String takes every write.
        let _ = writeln!(text, "{line}");
    };
    line(format!("subscriptions = {}", list(subscriptions)));
    line("[permissions]".to_owned());
    line(format!("host = {}", list(&policy.host().collect::<Vec<_>>())));
    line(format!("publish = {}", list(policy.publish())));
    line(format!("subscribe = {}", list(policy.subscribe())));
    line("[limits]".to_owned());
    line(format!("memory = \"{}B\"", limits.memory_bytes));
    line(format!("tables = {}", limits.table_entries));
    line(format!("stack = \"{}B\"", limits.stack_bytes));
    line(format!("call_timeout = {}", time(limits.call_timeout)));
    line(format!("grace = {}", time(limits.grace)));
    line(format!("input = \"{}B\"", limits.input_bytes));
    line(format!("output = \"{}B\"", limits.output_bytes));
    line(format!("queue = {}", limits.queue));
    line(format!("log = \"{}B/s\"", limits.log_bytes_per_second));
    line(format!("store = \"{}B\"", limits.store_bytes));
    line(format!("files = {}", limits.files));
    let times = [("cpu", limits.cpu), ("cpu_total", limits.cpu_total)];
    for (key, value) in times.into_iter().filter_map(|(key, value)| Some((key, value?))) {
        line(format!("{key} = {}", time(value)));
    }
    if let Some(fuel) = limits.fuel {
        line(format!("fuel = {fuel}"));
    }
    if let Some(host_calls) = limits.host_calls {
        line(format!("host_calls = {}", rate(host_calls)));
    }
    for (method, limits) in policy.methods() {
        line(format!("[methods.{}]", quoted(method)));
        if let Some(timeout) = limits.call_timeout {
            line(format!("call_timeout = {}", time(timeout)));
        }
        if let Some(host_calls) = limits.host_calls {
            line(format!("host_calls = {}", rate(host_calls)));
        }
    }
    text
}

fn time(time: Duration) -> String {
    format!("\"{}ms\"", millis(time))
}

fn rate(rate: Rate) -> String {
    // As many in a longer time is less.
    let unit =
        [("s", 1), ("min", 60)].into_iter().find(|(_, seconds)| rate.window <= Duration::from_secs(*seconds));
    format!("\"{}/{}\"", rate.count, unit.map_or("h", |(unit, _)| unit))
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A TOML string.
fn quoted(text: &str) -> String {
    // JSON's strings are TOML's too.
    serde_json::Value::from(text).to_string()
}
