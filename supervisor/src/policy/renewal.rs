//! Which policies a running plugin can come to, and which need a new version of it.

use casemate_protocol::policy::Policy;

/// Whether a zygote that was started under one policy is no use under the other: something of it is in the compiled code,
/// in what the kernel and the engine hold its processes to, or in who has shared its instances. All else is the
/// supervisor's to see to, call by call. The keys say the same of themselves; a test compares.
pub(crate) fn needs_new_version(old: &Policy, new: &Policy) -> bool {
    fixed(old) != fixed(new)
}

/// What cannot change under a running zygote.
fn fixed(policy: &Policy) -> impl PartialEq + '_ {
    let limits = policy.limits();
    let of_guest = (limits.memory_bytes, limits.table_entries, limits.stack_bytes, limits.fuel);
    let of_process = (limits.cpu_total, limits.input_bytes, limits.output_bytes, limits.cgroup);
    let instances = policy.instances();
    let of_plugin = (policy.snapshot(), policy.isolation(), instances.max, instances.spare, policy.require());
    let outside = (policy.filesystem(), policy.env(), policy.args(), policy.storage(), policy.sandbox());
    let of_guests_abi = (policy.dialect(), policy.options());
    (of_guest, of_process, of_plugin, outside, of_guests_abi)
}
