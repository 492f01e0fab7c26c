//! `/proc/PID/maps` and `smaps`: what memory is executable, and whether it can be changed.

use super::text::{Lines, ParseError, ParseProblem, cut_at, hexadecimal, words};
use std::ops::Range;

/// A walled process has some 40 mappings of up to 130 bytes each.
pub(super) const MAPS_BYTES_MAX: usize = 1 << 20;
/// The same with two dozen lines for each.
pub(super) const SMAPS_BYTES_MAX: usize = 8 << 20;

/// Where a mapping lies and what may be done with it; its name is somebody else's text and not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mapping {
    range: Range<u64>,
    read: bool,
    write: bool,
    execute: bool,
}

/// `START-END RIGHTS OFFSET DEVICE INODE [PATH]`.
fn mapping(line: &[u8]) -> Option<Mapping> {
    let mut fields = words(line);
    let (start, end) = cut_at(fields.next()?, b'-')?;
    let &[read, write, execute, shared] = fields.next()? else { return None };
    let range = hexadecimal(start)?..hexadecimal(end)?;
    // Offset, device and inode.
    let rest = fields.by_ref().take(3).count() == 3;
    let is = |byte: u8, letter: u8| match byte {
        b'-' => Some(false),
        other => (other == letter).then_some(true),
    };
    let mapping =
        Mapping { read: is(read, b'r')?, write: is(write, b'w')?, execute: is(execute, b'x')?, range };
    let whole = rest && !mapping.range.is_empty() && matches!(shared, b'p' | b's');
    whole.then_some(mapping)
}

/// Which memory of a process is executable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Maps {
    /// How many mappings there are; a process that has ended has none.
    pub count: usize,
    /// Every executable mapping, in order; neighbours are not joined.
    pub executable: Vec<Range<u64>>,
    /// The first mapping that is writable and executable.
    pub writable_executable: Option<Range<u64>>,
}

impl Maps {
    /// Reads a maps file.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        let mut lines = Lines::new("maps", text, MAPS_BYTES_MAX)?;
        let mut maps = Self::default();
        let mut free_from = 0;
        while let Some(line) = lines.next_line() {
            let mapping = lines.field("a mapping", mapping(line))?;
            if mapping.range.start < free_from {
                return Err(lines.error(ParseProblem::Malformed("the order of mappings")));
            }
            free_from = mapping.range.end;
            maps.count += 1;
            if mapping.execute {
                if mapping.write && maps.writable_executable.is_none() {
                    maps.writable_executable = Some(mapping.range.clone());
                }
                maps.executable.push(mapping.range);
            }
        }
        Ok(maps)
    }
}

/// What is known of the memory in which compiled code lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodePages {
    /// All of it is mapped, readable and executable and not writable.
    pub read_execute: bool,
    /// All of it is sealed: the kernel refuses to change, move or unmap it (mseal).
    pub sealed: bool,
}

impl CodePages {
    /// Reads of a smaps file what it says of a range.
    pub fn parse(text: &[u8], range: &Range<u64>) -> Result<Self, ParseError> {
        let mut lines = Lines::new("smaps", text, SMAPS_BYTES_MAX)?;
        let mut code = Self { read_execute: true, sealed: true };
        let mut covered_to = range.start;
        // The mapping whose lines are being read, if it is one of the range's.
        let mut current: Option<Mapping> = None;
        while let Some(line) = lines.next_line() {
            if let Some(flags) = line.strip_prefix(b"VmFlags:") {
                if let Some(mapping) = current.take() {
                    // Mappings come in order: a start past what is covered is a hole.
                    if mapping.range.start <= covered_to {
                        covered_to = covered_to.max(mapping.range.end);
                    }
                    code.read_execute &= mapping.read && mapping.execute && !mapping.write;
                    code.sealed &= words(flags).any(|flag| flag == b"sl");
                }
            } else if !is_detail(line) {
                let mapping = lines.field("a mapping", mapping(line))?;
                let overlaps = mapping.range.start < range.end && range.start < mapping.range.end;
                current = overlaps.then_some(mapping);
            }
        }
        let covered = covered_to >= range.end && !range.is_empty();
        Ok(Self { read_execute: code.read_execute && covered, sealed: code.sealed && covered })
    }
}

/// `Name: …`, where a mapping's line starts with `START-END` and no colon.
fn is_detail(line: &[u8]) -> bool {
    words(line).next().is_some_and(|word| word.ends_with(b":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As kernel 6.18 writes them; the last one on x86-64 only.
    const SLEEP: &[u8] = b"\
556302ba4000-556302ba6000 r--p 00000000 fe:00 247774                     /usr/bin/sleep
556302ba6000-556302bab000 r-xp 00002000 fe:00 247774                     /usr/bin/sleep
556302bab000-556302bad000 r--p 00007000 fe:00 247774                     /usr/bin/sleep
556302bad000-556302baf000 rw-p 00009000 fe:00 247774                     /usr/bin/sleep
7ffff5b48000-7ffff5b69000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
";

    const SMAPS: &str = "\
7f0000000000-7f0000010000 r--p 00000000 00:01 1027                       /memfd:code (deleted)
Size:                 64 kB
VmFlags: rd mr mw me sd sl
7f0000010000-7f0000020000 r-xp 00010000 00:01 1027                       /memfd:code (deleted)
Size:                 64 kB
THPeligible:           0
ProtectionKey:         0
VmFlags: rd ex mr mw me sd sl
7f0000020000-7f0000030000 r-xp 00020000 00:01 1027                       /memfd:code (deleted)
Size:                 64 kB
VmFlags: rd ex mr mw me sd sl
7f0000030000-7f0000040000 rw-p 00000000 00:00 0
VmFlags: rd wr mr mw me ac
";

    #[test]
    fn executable_ranges_are_listed() {
        let maps = Maps::parse(SLEEP).unwrap();
        let expected = [0x5563_02ba_6000..0x5563_02ba_b000, 0xffff_ffff_ff60_0000..0xffff_ffff_ff60_1000];
        assert_eq!((maps.count, maps.executable.as_slice()), (6, &expected[..]));
        assert_eq!(maps.writable_executable, None);
        let own = Maps::parse(&std::fs::read("/proc/self/maps").unwrap()).unwrap();
        let here = Maps::parse as *const () as usize as u64;
        assert!(own.executable.iter().any(|range| range.contains(&here)));
    }

    #[test]
    fn writable_and_executable_is_found_wherever_it_is() {
        for rights in ["rwxp", "-wxp", "-wxs"] {
            let text = String::from_utf8_lossy(SLEEP).replacen("rw-p", rights, 1);
            let maps = Maps::parse(text.as_bytes()).unwrap();
            assert_eq!(maps.writable_executable, Some(0x5563_02ba_d000..0x5563_02ba_f000), "{rights}");
        }
    }

    #[test]
    fn names_are_not_looked_at_and_nonsense_is_an_error() {
        let named = |name: &str| format!("1000-2000 r-xp 00000000 00:01 1 {name}\n");
        for name in ["", "/a b\\012c", "/x 3000-4000 rwxp", "[anon:VmFlags: sl]", "/\u{fffd}"] {
            assert_eq!(Maps::parse(named(name).as_bytes()).unwrap().count, 1, "{name}");
        }
        for bad in [
            "\n",
            "1000-2000\n",
            "1000-2000 r-xp\n",
            "2000-1000 r-xp 00000000 00:01 1\n",
            "1000-1000 r-xp 00000000 00:01 1\n",
            "1000-2000 r-xpp 00000000 00:01 1\n",
            "1000-2000 r-yp 00000000 00:01 1\n",
            "1000-20000000000000000 r-xp 00000000 00:01 1\n",
            "1000-2000 r-xp 00000000 00:01 1\n1fff-3000 rw-p 00000000 00:01 1\n",
            "1000-2000 r-xp 00000000 00:01 1",
        ] {
            assert!(Maps::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        // A line end inside a name would be a second line, and that is no mapping.
        assert!(Maps::parse(named("/x\nevil").as_bytes()).is_err());
    }

    #[test]
    fn code_is_sealed_only_where_all_of_it_is() {
        let code = 0x7f00_0001_0000..0x7f00_0003_0000;
        let parse = |text: &str, range: &Range<u64>| CodePages::parse(text.as_bytes(), range).unwrap();
        assert_eq!(parse(SMAPS, &code), CodePages { read_execute: true, sealed: true });
        let inside = 0x7f00_0001_0040..0x7f00_0002_0123;
        assert_eq!(parse(SMAPS, &inside), CodePages { read_execute: true, sealed: true });
        let half = SMAPS.replacen("rd ex mr mw me sd sl", "rd ex mr mw me sd", 1);
        assert_eq!(parse(&half, &code), CodePages { read_execute: true, sealed: false });
        let writable = SMAPS.replacen("7f0000030000 r-xp", "7f0000030000 rwxp", 1);
        assert_eq!(parse(&writable, &code), CodePages { read_execute: false, sealed: true });
        for hole in [0x7f00_0000_0000..0x7f00_0002_0000, 0x7f00_0001_0000..0x7f00_0004_0000] {
            assert!(!parse(SMAPS, &hole).read_execute);
        }
        let elsewhere = CodePages { read_execute: false, sealed: false };
        for nowhere in [0x1000..0x2000, 0x7eff_ffff_0000..0x7f00_0000_1000, code.start..code.start] {
            assert_eq!(parse(SMAPS, &nowhere).sealed, elsewhere.sealed, "{nowhere:?}");
            assert_eq!(parse("", &nowhere), elsewhere);
        }
        assert!(CodePages::parse(b"nonsense\n", &code).is_err());
    }
}
