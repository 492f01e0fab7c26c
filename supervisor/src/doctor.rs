//! Placeholder until the real one is here.
