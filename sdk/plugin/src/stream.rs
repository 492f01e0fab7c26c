//! The bodies of a call that is made as a stream: read and written while both are under way.
//!
//! ```no_run
//! use casemate_plugin::{Error, stream};
//!
//! # fn main() -> Result<(), Error> {
//! loop {
//!     let piece = stream::read(16 * 1024)?;
//!     if piece.is_empty() {
//!         break;
//!     }
//!     stream::write(&piece.to_ascii_uppercase())?;
//! }
//! # Ok(())
//! # }
//! ```

use crate::Error;
use crate::host;

/// Bytes that one host call carries; a policy's `limits.output` may be less.
const PIECE_BYTES: usize = 64 * 1024;

/// Waits for more of the input, and takes at most so many bytes of it, and at most 65,536; none at its end.
///
/// # Errors
///
/// `no_stream` when the caller did not make the call as a stream, `cancelled` when its deadline has passed.
pub fn read(bytes_max: usize) -> Result<Vec<u8>, Error> {
    host::call_raw("stream.read", bytes_max.to_string().as_bytes())
}

/// Writes more of the output, and waits while its reader has not taken what was written before.
///
/// # Errors
///
/// As [`read`]; `closed` when nobody reads any more.
pub fn write(bytes: &[u8]) -> Result<(), Error> {
    bytes.chunks(PIECE_BYTES).try_for_each(|piece| host::call_raw("stream.write", piece).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_host_there_is_no_stream() {
        assert_eq!(read(1).unwrap_err().code, host::NO_HOST);
        assert_eq!(write(b"a").unwrap_err().code, host::NO_HOST);
        assert_eq!(write(b""), Ok(()));
    }
}
