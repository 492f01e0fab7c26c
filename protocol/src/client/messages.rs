//! The types of `casemate.proto`; its comments are theirs.
#![allow(missing_docs, clippy::all, reason = "made from casemate.proto")]

include!(concat!(env!("OUT_DIR"), "/casemate.client.v1.rs"));
