//! What was asked for on the command line.

use std::time::Duration;

use crate::group::Group;
use crate::problem::Problem;

pub(crate) const HELP: &str = "\
cargo xtask setup                     install what the checks need
cargo xtask demo [ARGS…]              the demonstration: good and bad guests, live
cargo xtask bench [ROW…]              the numbers, each beside its baseline; ROW is the beginning of a row's name
    --keep FOLDER                     put the table into its README.md and everything into its numbers.json
    --quick                           fewer rounds: for a look
cargo xtask guests                    build the test guests into target/guests
cargo xtask test [GROUP…] [-- ARGS…]  the default groups, or those named; ARGS go to the test executables;
                                      `default` names the default ones beside others
    --list                            the groups and what each does
    --limit-minutes N                 how long one test executable may take (default 10)
    --fuzz-seconds N                  how long one fuzz target runs (default 60)";

/// What to do.
#[derive(Debug)]
pub(crate) enum Request {
    Help,
    Setup,
    Guests,
    Demo { arguments: Vec<String> },
    Bench { arguments: Vec<String> },
    ListGroups,
    Test(TestPlan),
}

/// Which groups to run, and their limits.
#[derive(Debug)]
pub(crate) struct TestPlan {
    pub(crate) groups: Vec<Group>,
    pub(crate) executable_limit: Duration,
    pub(crate) fuzz_seconds: u64,
    pub(crate) test_arguments: Vec<String>,
}

impl Default for TestPlan {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            executable_limit: Duration::from_secs(600),
            fuzz_seconds: 60,
            test_arguments: Vec::new(),
        }
    }
}

impl Request {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Problem> {
        let Some(command) = words.next() else { return Ok(Self::Help) };
        match command.as_str() {
            "help" | "--help" | "-h" => Ok(Self::Help),
            "setup" => nothing_more(words, Self::Setup),
            "guests" => nothing_more(words, Self::Guests),
            "demo" => Ok(Self::Demo { arguments: words.skip_while(|word| word == "--").collect() }),
            "bench" => Ok(Self::Bench { arguments: words.skip_while(|word| word == "--").collect() }),
            "test" => parse_test(words),
            other => Err(Problem::new(format!("no command `{other}`\n{HELP}"))),
        }
    }
}

fn nothing_more(mut words: impl Iterator<Item = String>, request: Request) -> Result<Request, Problem> {
    match words.next() {
        None => Ok(request),
        Some(word) => Err(Problem::new(format!("`{word}` is one word too many\n{HELP}"))),
    }
}

fn parse_test(mut words: impl Iterator<Item = String>) -> Result<Request, Problem> {
    let mut plan = TestPlan::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--list" => return nothing_more(words, Request::ListGroups),
            "--limit-minutes" => {
                let minutes = number(&word, words.next())?;
                plan.executable_limit = Duration::from_secs(minutes.saturating_mul(60));
            }
            "--fuzz-seconds" => plan.fuzz_seconds = number(&word, words.next())?,
            "--" => plan.test_arguments.extend(words.by_ref()),
            "default" => plan.groups.extend(Group::DEFAULT),
            name => plan.groups.push(Group::named(name)?),
        }
    }
    if plan.groups.is_empty() {
        plan.groups.extend(Group::DEFAULT);
    }
    Ok(Request::Test(plan))
}

fn number(flag: &str, word: Option<String>) -> Result<u64, Problem> {
    word.as_deref()
        .and_then(|word| word.parse().ok())
        .filter(|number| *number > 0)
        .ok_or_else(|| Problem::new(format!("{flag} takes a whole number from 1 up")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, Problem> {
        Request::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn no_group_means_the_default_ones() {
        let Ok(Request::Test(plan)) = parse("test") else { panic!("not a test request") };
        assert_eq!(plan.groups, Group::DEFAULT);
        assert_eq!(plan.executable_limit, Duration::from_secs(600));
    }

    #[test]
    fn groups_limits_and_arguments_are_told_apart() {
        let Ok(Request::Test(plan)) = parse("test fmt --limit-minutes 2 suite-user -- --exact a::b") else {
            panic!("not a test request")
        };
        assert_eq!(plan.groups, [Group::Fmt, Group::SuiteUser]);
        assert_eq!(plan.executable_limit, Duration::from_secs(120));
        assert_eq!(plan.test_arguments, ["--exact", "a::b"]);
    }

    #[test]
    fn the_default_groups_can_be_named_beside_others() {
        let Ok(Request::Test(plan)) = parse("test default soak") else { panic!("not a test request") };
        assert_eq!(plan.groups.split_last(), Some((&Group::Soak, Group::DEFAULT.as_slice())));
    }

    #[test]
    fn mistakes_are_named() {
        for (line, named) in [
            ("tset", "tset"),
            ("test fmtt", "fmtt"),
            ("test --limit-minutes zero", "--limit-minutes"),
            ("test --fuzz-seconds 0", "--fuzz-seconds"),
            ("setup now", "now"),
        ] {
            let problem = parse(line).expect_err(line).to_string();
            assert!(problem.contains(named), "{line}: {problem}");
        }
    }
}
