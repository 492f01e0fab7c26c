//! What is done for a stream.

use crate::instance::Reply;
use casemate_protocol::client::Response;
use casemate_protocol::outcome::Failure;
use futures_util::future::{AbortHandle, Abortable};
use std::future::Future;
use std::pin::Pin;

/// What came of it.
pub(super) enum Done {
    Call(Result<Reply, Failure>),
    Response(Result<(Box<Response>, Vec<u8>), Failure>),
    /// Nobody wants to know.
    GivenUp,
}

/// A stream's work.
pub(super) type Work = Pin<Box<dyn Future<Output = (u64, Done)> + Send>>;

/// Work that can be given up.
pub(super) fn work(id: u64, work: impl Future<Output = Done> + Send + 'static) -> (Work, super::line::Work) {
    let (handle, registration) = AbortHandle::new_pair();
    let abortable = Abortable::new(work, registration);
    let work = Box::pin(async move { (id, abortable.await.unwrap_or(Done::GivenUp)) });
    (work, super::line::Work(handle))
}
