//! `/proc/PID/mountinfo`: what a process finds at its root.

use super::text::{Lines, ParseError, words};

/// A walled process has one line; a host may have thousands of mounts.
pub(super) const MOUNTS_BYTES_MAX: usize = 4 << 20;

/// The mounts that a process can reach.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mounts {
    /// How many.
    pub count: usize,
    /// The last one at `/`, which is the one on top.
    pub root: Option<RootMount>,
    /// Each of them, in their order.
    pub all: Vec<Mount>,
}

/// A mount of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is; blanks and the like are escaped.
    pub point: Vec<u8>,
    /// Its own options.
    pub options: String,
    /// Whether it is read-only.
    pub read_only: bool,
}

impl Mount {
    /// Whether it has an option.
    pub fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|own| own == option)
    }
}

/// The mount at `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootMount {
    /// Whether it is a tmpfs.
    pub tmpfs: bool,
    /// Whether this mount of it is read-only.
    pub read_only: bool,
}

impl Mounts {
    /// Reads a mountinfo file.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        let mut lines = Lines::new("mountinfo", text, MOUNTS_BYTES_MAX)?;
        let mut mounts = Self::default();
        while let Some(line) = lines.next_line() {
            let (point, options, mount) = lines.field("a mount", mount(line))?;
            mounts.count += 1;
            let options = String::from_utf8_lossy(options).into_owned();
            mounts.all.push(Mount { point: point.to_vec(), options, read_only: mount.read_only });
            if point == b"/" {
                mounts.root = Some(mount);
            }
        }
        Ok(mounts)
    }
}

/// `ID PARENT DEVICE ROOT POINT OPTIONS [OPTIONAL…] - TYPE SOURCE SUPER_OPTIONS`; blanks in names are escaped.
fn mount(line: &[u8]) -> Option<(&[u8], &[u8], RootMount)> {
    let mut fields = words(line);
    let point = fields.nth(4)?;
    let options = fields.next()?;
    let read_only = options.split(|byte| *byte == b',').any(|option| option == b"ro");
    fields.find(|field| *field == b"-")?;
    let tmpfs = fields.next()? == b"tmpfs";
    Some((point, options, RootMount { tmpfs, read_only }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walled_root_is_one_read_only_tmpfs() {
        let walled = b"412 377 0:55 / / ro,nosuid,nodev,noexec,relatime - tmpfs casemate rw,size=4k,nr_inodes=2,mode=555\n";
        let mounts = Mounts::parse(walled).unwrap();
        assert_eq!((mounts.count, mounts.root), (1, Some(RootMount { tmpfs: true, read_only: true })));
        assert!(mounts.all[0].has("nosuid") && !mounts.all[0].has("suid"), "{:?}", mounts.all);
    }

    #[test]
    fn a_hosts_mounts_are_read() {
        let host = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/root rw
31 27 0:9 / /ro\\040x ro,relatime - tmpfs ro ro
";
        let mounts = Mounts::parse(host.as_bytes()).unwrap();
        assert_eq!((mounts.count, mounts.root), (3, Some(RootMount { tmpfs: false, read_only: false })));
        assert!(Mounts::parse(&std::fs::read("/proc/self/mountinfo").unwrap()).unwrap().count > 0);
    }

    #[test]
    fn nonsense_is_an_error() {
        for bad in [
            "\n",
            "22 27 0:21 / /\n",
            "22 27 0:21 / / ro\n",
            "22 27 0:21 / / ro tmpfs x\n",
            "22 27 0:21 / / ro -\n",
        ] {
            assert!(Mounts::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        // Options that only contain the letters.
        let near = Mounts::parse(b"1 2 0:1 / / rro,ro=1 - tmpfs x ro\n").unwrap();
        assert!(!near.root.unwrap().read_only);
    }
}
