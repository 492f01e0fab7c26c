//! Looking at a walled process from outside, before it is trusted with anything.
//!
//! What a walled process says of itself is a report; what the kernel says of it in /proc is an observation. The parsers
//! are pure and take any bytes ([`oracle`]); [`ProcessView`] reads; three judgements say what a process must look like:
//!
//! | when | judgement | looks at |
//! |---|---|---|
//! | a zygote is walled and has no job | [`judge_zygote`] | everything, once |
//! | its module is loaded | [`judge_locked`] | status, maps, descriptors, the code's pages, once |
//! | a worker is ready | [`judge_worker`] | status, maps, descriptors, limits: some 30 µs, each time |
//!
//! Native programs have judgements of their own: [`judge_launcher`], [`judge_locked_launcher`], and [`judge_program`] twice,
//! while it waits at its exec and after that; those without walls [`judge_unwalled_launcher`] and [`judge_unwalled_program`].
//!
//! A disagreement is an error, and the process must be killed. What the kernel does not let us see (without user
//! namespaces, for one) is named with the reason and does not count as seen; the status must always be readable. Nothing
//! here can see Landlock, MDWE or what is in a filter: canaries prove filters, the rest is reported.

mod error;
mod judge;
mod limits;
mod maps;
mod mounts;
mod names;
mod status;
mod text;
mod view;

pub use error::{InspectError, ProcError};
pub use judge::{
    Expect, LoadedCode, LockedView, Moment, Observed, judge_launcher, judge_locked, judge_locked_launcher,
    judge_program, judge_unwalled_launcher, judge_unwalled_program, judge_worker, judge_zygote,
};
pub use limits::{Limit, Limits, Resource};
pub use maps::{CodePages, Maps};
pub use mounts::{Mounts, RootMount};
pub use status::{Capabilities, PidfdTarget, Status};
pub use text::{ParseError, ParseProblem};
pub use view::{HostFacts, ProcessView, host_facts, parent_of, pid_of};

/// What the fuzz target checks: no parser panics, and what they return is consistent.
pub fn oracle(data: &[u8]) {
    let _ = Status::parse(data);
    let _ = PidfdTarget::parse(data);
    let _ = Limits::parse(data);
    let _ = names::descriptor(data);
    let _ = names::namespace(names::NamespaceName("user"), data);
    if let Ok(mounts) = Mounts::parse(data) {
        assert!(mounts.count > 0 || mounts.root.is_none(), "a root without a mount");
    }
    if let Ok(maps) = Maps::parse(data) {
        let ordered = maps.executable.is_sorted_by(|one, next| one.end <= next.start);
        assert!(ordered && maps.executable.len() <= maps.count, "executable ranges overlap");
        let listed = maps.writable_executable.is_none_or(|range| maps.executable.contains(&range));
        assert!(listed, "a writable range is missing from the executable ones");
        for range in &maps.executable {
            if let Ok(pages) = CodePages::parse(data, range) {
                assert!(!pages.sealed, "a text without flags says sealed");
            }
        }
    }
    let _ = CodePages::parse(data, &(0x5555_5550_0000..0x5555_5560_0000));
}

#[cfg(test)]
mod tests;
