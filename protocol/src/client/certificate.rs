//! A certificate as a message, and back.

use super::{Certificate, Layer, LayerStatus};
use crate::certificate::{self, LayerSet, Profile, Status};

/// A certificate as a message.
pub fn encode_certificate(certificate: &certificate::Certificate) -> Certificate {
    let layer = |(layer, status): (&certificate::Layer, &Status)| Layer {
        name: layer.name().to_owned(),
        status: match status {
            Status::Observed => LayerStatus::Observed,
            Status::Reported => LayerStatus::Reported,
            Status::Off { .. } => LayerStatus::Off,
        } as i32,
        reason: match status {
            Status::Off { reason } => reason.clone(),
            Status::Observed | Status::Reported => String::new(),
        },
    };
    Certificate {
        profile: certificate.profile.name().to_owned(),
        layers: certificate.layers.iter().map(layer).collect(),
    }
}

/// The certificate of a message. A layer that this build does not know is left out; one that the message does not have is
/// off. `None`: its profile is not known here.
pub fn decode_certificate(message: &Certificate) -> Option<certificate::Certificate> {
    let profile = Profile::ALL.into_iter().find(|profile| profile.name() == message.profile)?;
    let mut certificate = certificate::Certificate::new(profile);
    for layer in &message.layers {
        let Ok(named) = LayerSet::named(&layer.name) else { continue };
        let status = match LayerStatus::try_from(layer.status) {
            Ok(LayerStatus::Observed) => Status::Observed,
            Ok(LayerStatus::Reported) => Status::Reported,
            Ok(LayerStatus::Off) | Err(_) => Status::Off { reason: layer.reason.clone() },
        };
        for layer in named.iter() {
            certificate.set(layer, status.clone());
        }
    }
    Some(certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_comes_back_as_it_was() {
        let mut certificate = certificate::Certificate::new(Profile::Core);
        certificate.set(certificate::Layer::Seccomp, Status::Observed);
        certificate.set(certificate::Layer::Landlock, Status::Reported);
        certificate.off(certificate::Layer::SealedCode, "no mseal");
        assert_eq!(decode_certificate(&encode_certificate(&certificate)), Some(certificate));
    }
}
