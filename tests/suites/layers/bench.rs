//! A hostile program behind all walls but some.

use casemate::attack::{Attacker, End, Profile};
use casemate::{Casemate, Failure};
use casemate_tests::{guests, policy};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What leaves these walls out.
pub(crate) fn minus(walls: &str) -> String {
    format!("minus-{walls}")
}

/// A module that takes its place in a worker of a profile.
pub(crate) fn module(profile: Profile) -> Vec<u8> {
    let path = match profile {
        Profile::Wasi => guests::wasi("reactor"),
        _ => guests::wat("minimal"),
    };
    std::fs::read(path).unwrap()
}

/// A supervisor as it is, and what it says to a worker of a profile without these walls.
pub(crate) async fn judged(profile: Profile, walls: &str) -> Result<(), Failure> {
    let casemate =
        Casemate::builder().configure(|config| config.use_adversary(&minus(walls))).build().unwrap();
    let plugin = casemate.load(module(profile), policy(|_| ())).await?;
    assert_eq!(plugin.certificate().profile, profile);
    plugin.call_raw("order", b"where").await?;
    Ok(())
}

/// An attacker without these walls that a supervisor lets live, and what the supervisor finds wrong.
pub(crate) struct Bench {
    pub(crate) attacker: Attacker,
    pub(crate) findings: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    pub(crate) async fn without(walls: &str) -> Self {
        Self::of(Profile::Core, walls).await
    }

    /// In the place of a worker of a profile.
    pub(crate) async fn of(profile: Profile, walls: &str) -> Self {
        Self::start(profile, walls, true).await.unwrap_or_else(|failure| panic!("without {walls}: {failure}"))
    }

    /// The same on a host that has no namespaces to give.
    pub(crate) async fn flat(walls: &str) -> Self {
        Self::start(Profile::Core, walls, false)
            .await
            .unwrap_or_else(|failure| panic!("without {walls}: {failure}"))
    }

    /// Where it may be that nothing starts.
    pub(crate) async fn on(walls: &str, namespaces: bool) -> Result<Self, Failure> {
        Self::start(Profile::Core, walls, namespaces).await
    }

    async fn start(profile: Profile, walls: &str, namespaces: bool) -> Result<Self, Failure> {
        let findings = Arc::new(Mutex::new(Vec::new()));
        let found = Arc::clone(&findings);
        let record = Arc::new(move |what| found.lock().unwrap().push(what));
        let casemate = Casemate::builder()
            .configure(|config| {
                config.use_adversary_unjudged(&minus(walls), record);
                config.namespaces = namespaces;
            })
            .build()
            .unwrap();
        let policy = policy(|spec| {
            spec.limits.memory_bytes = 16 << 20;
            spec.limits.call_timeout = Duration::from_secs(30);
        });
        Ok(Self { attacker: Attacker::start_in(casemate, &module(profile), policy).await?, findings })
    }

    /// A fresh worker for the next order.
    pub(crate) async fn renew(&self) {
        let end = self.attacker.order("syscall exit_group 0").await;
        assert_eq!(end, End::Exited(0), "a worker may always end");
    }

    pub(crate) async fn close(self) {
        self.attacker.close().await;
    }
}
