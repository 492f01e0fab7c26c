//! Casemate's supervisor: plugins, policy decisions, processes.
