//! Fetching a file by https, within limits: how much, how long, how often sent on, and never by anything else than https.

use crate::problem::Problem;
use rustls_native_certs::load_native_certs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

/// How often one address may send on to another.
const REDIRECTS_MAX: u32 = 5;
/// Until somebody answers.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// The whole of it.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Whom https trusts.
#[derive(Debug)]
pub(crate) struct Trust {
    named: Option<Vec<Certificate<'static>>>,
}

impl Trust {
    /// Those of a file, or those that the system trusts.
    pub(crate) fn new(file: Option<&Path>) -> Result<Self, Problem> {
        let Some(file) = file else { return Ok(Self { named: None }) };
        let unreadable = |why: String| Problem::not_found(format!("{}: {why}", file.display()));
        let text = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
        let mut named = Vec::new();
        for item in parse_pem(&text) {
            if let PemItem::Certificate(certificate) = item.map_err(|error| unreadable(error.to_string()))? {
                named.push(certificate);
            }
        }
        match named.is_empty() {
            true => Err(unreadable("there is no certificate in it, in PEM".to_owned())),
            false => Ok(Self { named: Some(named) }),
        }
    }

    fn roots(&self) -> Result<RootCerts, Problem> {
        if let Some(named) = &self.named {
            return Ok(RootCerts::Specific(Arc::new(named.clone())));
        }
        let found = load_native_certs();
        let of_system = found.certs.iter().map(|der| Certificate::from_der(der.as_ref()).to_owned());
        let of_system: Vec<_> = of_system.collect();
        match of_system.is_empty() {
            true => Err(Problem::not_found(
                "the system trusts nobody for https (install its certificates, or name some by --ca)",
            )),
            false => Ok(RootCerts::Specific(Arc::new(of_system))),
        }
    }
}

/// Whether a source is an address.
pub(super) fn is_address(source: &str) -> bool {
    source.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty()
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}

/// The bytes of a file.
pub(super) fn fetch(url: &str, trust: &Trust, bytes_max: u64) -> Result<Vec<u8>, Problem> {
    let shown = casemate::outcome::escape(url, 512);
    if !url.starts_with("https://") {
        return Err(Problem::usage(format!("{shown}: only https:// is fetched")));
    }
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(trust.roots()?)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .https_only(true)
        .max_redirects(REDIRECTS_MAX)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_global(Some(TIMEOUT))
        .user_agent(concat!("casemate/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build();
    let agent: Agent = config.into();
    let failed = |error: ureq::Error| match error {
        ureq::Error::BodyExceedsLimit(_) => {
            Problem::fetch(&shown, format!("it has more than {bytes_max} bytes, which is the most"))
        }
        error => Problem::fetch(&shown, error),
    };
    let mut response = agent.get(url).call().map_err(failed)?;
    response.body_mut().with_config().limit(bytes_max).read_to_vec().map_err(failed)
}

/// What a file is called at its address.
pub(super) fn name_of(url: &str) -> PathBuf {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    PathBuf::from(path.rsplit('/').next().unwrap_or_default())
}
