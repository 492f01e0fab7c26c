//! Names that /proc gives: a descriptor's, a namespace's.

use super::text::{cut_at, decimal};

/// The number that a name in `/proc/PID/fdinfo` stands for.
pub(super) fn descriptor(name: &[u8]) -> Option<u32> {
    decimal(name)
}

/// A kind of namespace, by its file in `/proc/PID/ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NamespaceName(pub(super) &'static str);

/// The identity of a namespace in what its link reads: `user:[4026531837]`.
pub(super) fn namespace(kind: NamespaceName, link: &[u8]) -> Option<u64> {
    let (name, rest) = cut_at(link, b':')?;
    let number = rest.strip_prefix(b"[")?.strip_suffix(b"]")?;
    if name == kind.0.as_bytes() { decimal(number) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        assert_eq!(descriptor(b"0"), Some(0));
        assert_eq!(descriptor(b"4294967296"), None);
        assert_eq!(descriptor(b"."), None);
        let user = NamespaceName("user");
        assert_eq!(namespace(user, b"user:[4026531837]"), Some(4_026_531_837));
        for bad in [&b"pid:[4026531837]"[..], b"user:[]", b"user:4026531837", b"user", b"user:[1]x", b""] {
            assert_eq!(namespace(user, bad), None, "{bad:?}");
        }
    }
}
