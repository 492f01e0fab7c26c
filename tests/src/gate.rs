//! A host method that a test stands in: it knows when a guest's call has come in, and lets it wait there.

use casemate::{Casemate, HostReply};
use tokio::sync::{mpsc, watch};

/// A host method of one name. Its answer is the JSON number 1.
#[derive(Debug)]
pub struct Gate {
    came: mpsc::UnboundedReceiver<()>,
    open: watch::Sender<bool>,
}

impl Gate {
    /// One that keeps every call until [`Gate::open`], or for ever once the gate is dropped.
    pub fn closed(casemate: &Casemate, method: &str) -> Self {
        Self::set(casemate, method, false)
    }

    /// One that only tells.
    pub fn opened(casemate: &Casemate, method: &str) -> Self {
        Self::set(casemate, method, true)
    }

    fn set(casemate: &Casemate, method: &str, is_open: bool) -> Self {
        let (entered, came) = mpsc::unbounded_channel();
        let (open, gate) = watch::channel(is_open);
        casemate.on_raw(method, move |_| {
            let (entered, mut gate) = (entered.clone(), gate.clone());
            async move {
                // A test that has seen enough does not listen any more.
                let _ = entered.send(());
                if gate.wait_for(|open| *open).await.is_err() {
                    std::future::pending::<()>().await;
                }
                Ok(HostReply { content_type: 1, body: b"1".to_vec() })
            }
        });
        Self { came, open }
    }

    /// Waits until another call has come in.
    pub async fn entered(&mut self) {
        self.came.recv().await.unwrap();
    }

    /// Lets all go on, also those to come.
    pub fn open(&self) {
        self.open.send_replace(true);
    }
}
