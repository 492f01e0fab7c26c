//! The two machines that Casemate runs on, as the kernel's audit code names them.

use std::fmt;

/// A machine whose system-call numbers are known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arch {
    /// x86-64, 64-bit calls only.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

impl Arch {
    /// The machine this program is built for.
    #[cfg(target_arch = "x86_64")]
    pub const NATIVE: Self = Self::X86_64;
    /// The machine this program is built for.
    #[cfg(target_arch = "aarch64")]
    pub const NATIVE: Self = Self::Aarch64;

    /// Both, for whoever proves something of every table.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// `AUDIT_ARCH_*`: what `seccomp_data.arch` holds on this machine.
    #[must_use]
    pub const fn audit(self) -> u32 {
        match self {
            Self::X86_64 => 0xc000_003e,
            Self::Aarch64 => 0xc000_00b7,
        }
    }

    /// The machine an audit value names. 32-bit calls (`int 0x80`) have values of their own, which are none of ours.
    #[must_use]
    pub fn from_audit(value: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|arch| arch.audit() == value)
    }

    /// The first number that is no call of this machine's own table although the audit value is the same: from here on
    /// x86-64 takes a number for an x32 call, whose arguments mean something else.
    #[must_use]
    pub const fn foreign_from(self) -> Option<u32> {
        match self {
            Self::X86_64 => Some(0x4000_0000),
            Self::Aarch64 => None,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audit_values_name_one_machine_each() {
        for arch in Arch::ALL {
            assert_eq!(Arch::from_audit(arch.audit()), Some(arch));
        }
        // AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64.
        for other in [0x4000_0003, 0x4000_0028, 0xc000_00f3, 0] {
            assert_eq!(Arch::from_audit(other), None);
        }
    }
}
