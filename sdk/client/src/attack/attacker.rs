//! A plugin whose workers are hostile programs that take orders: the input of a call is one, and its end is the answer.

use crate::{Casemate, Plugin};
use casemate_protocol::outcome::{Cause, Exit, Failure, SyscallReport};
use casemate_protocol::policy::Policy;

/// How an order ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// The attacker lives and says this.
    Answered(String),
    /// The kernel stopped the call and reported it.
    Reported(Box<SyscallReport>),
    /// The kernel killed for a call.
    Sigsys,
    /// It died of a fault of its own.
    Crashed,
    /// It ended by itself.
    Exited(i32),
    /// The hard deadline.
    Killed,
    /// Something else, which no order may come to.
    Otherwise(Box<Failure>),
}

/// The attacker. Each order that ends it gets a fresh worker next.
#[derive(Debug)]
pub struct Attacker {
    casemate: Casemate,
    plugin: Plugin,
    /// Where its system calls are made, as it says itself.
    site: u64,
}

/// A supervisor that starts this hostile behaviour in a worker's place.
pub fn hostile(behaviour: &str) -> Result<Casemate, Failure> {
    Casemate::builder().configure(|config| config.use_adversary(behaviour)).build()
}

impl Attacker {
    /// Starts one on the path of a plugin with this module and policy.
    pub async fn start(module: &[u8], policy: Policy) -> Result<Self, Failure> {
        Self::start_in(hostile("obey")?, module, policy).await
    }

    /// The same, under a supervisor whose hostile program takes orders too.
    pub async fn start_in(casemate: Casemate, module: &[u8], policy: Policy) -> Result<Self, Failure> {
        let plugin = casemate.load(module, policy).await?;
        let mut attacker = Self { casemate, plugin, site: 0 };
        if let End::Answered(site) = attacker.order("where").await {
            attacker.site = u64::from_str_radix(site.trim_start_matches("0x"), 16).unwrap_or(0);
        }
        Ok(attacker)
    }

    /// Gives an order.
    pub async fn order(&self, order: &str) -> End {
        let failure = match self.plugin.call_raw("order", order.as_bytes()).await {
            Ok(answer) => return End::Answered(String::from_utf8_lossy(&answer).into_owned()),
            Err(failure) => failure,
        };
        match failure.cause {
            // The engine's handler of faults, which does not know this one and would have the kernel's default back.
            Cause::Syscall(report)
                if report.name == Some("rt_sigaction") && report.instruction_pointer != self.site =>
            {
                End::Crashed
            }
            Cause::Syscall(report) => End::Reported(report),
            Cause::SyscallSignal => End::Sigsys,
            Cause::WorkerLost { exit: Exit::Signal(_) } => End::Crashed,
            Cause::WorkerLost { exit: Exit::Code(code) } => End::Exited(code),
            Cause::HardTimeout { .. } => End::Killed,
            _ => End::Otherwise(Box::new(failure)),
        }
    }

    /// The address behind the instruction that its orders make system calls with.
    pub fn site(&self) -> u64 {
        self.site
    }

    /// The plugin whose place it took.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// The mark of its processes.
    pub fn marker(&self) -> String {
        self.casemate.marker()
    }

    /// Ends it.
    pub async fn close(self) {
        self.casemate.shutdown().await;
    }
}
