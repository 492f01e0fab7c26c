//! The casemate command.
