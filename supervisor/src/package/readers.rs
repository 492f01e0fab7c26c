//! The registry of manifest readers: the one place that knows which systems there are.

mod extism;
mod hielements;
mod ideanet;
mod native;
mod pocket;
mod signalk;
mod spacedrive;

use super::document::Document;
use super::draft::Draft;
use super::{Files, PackageError, Surroundings};

/// Reads the manifests of one system.
pub(super) trait ManifestReader: Sync {
    /// What the system is called.
    fn system(&self) -> &'static str;

    /// What its manifests are called.
    fn files(&self) -> &'static [&'static str];

    /// Whether a file of such a name is one of its manifests. What is wrong in it is for [`ManifestReader::read`] to say.
    fn claims(&self, document: &Document) -> bool;

    /// What it claims them by, in words.
    fn mark(&self) -> &'static str;

    /// Makes it ours: the plugins that it is about.
    fn read(
        &self,
        document: &Document,
        files: &dyn Files,
        surroundings: &Surroundings,
    ) -> Result<Vec<Draft>, PackageError>;
}

const READERS: [&dyn ManifestReader; 7] = [
    &native::Native,
    &hielements::Hielements,
    &pocket::Pocket,
    &extism::Extism,
    &signalk::SignalK,
    &spacedrive::Spacedrive,
    &ideanet::IdeaNet,
];

/// Room for schemas and examples.
pub(super) const MANIFEST_BYTES_MAX: u64 = 256 << 10;

/// What manifests are called.
pub(super) fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = READERS.iter().flat_map(|reader| reader.files()).copied().collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The reader of the one manifest that there is.
pub(super) fn which(files: &dyn Files) -> Result<(&'static dyn ManifestReader, Document), PackageError> {
    let names = names();
    let (mut claims, mut unclaimed, mut broken) = (Vec::new(), Vec::new(), None);
    for name in &names {
        let Some(bytes) = files.read(name, MANIFEST_BYTES_MAX)? else { continue };
        let document = match Document::parse(name, &bytes) {
            Ok(document) => document,
            Err(error) => {
                broken.get_or_insert(error);
                continue;
            }
        };
        let by: Vec<_> = claimants(name, &document).collect();
        if by.is_empty() {
            unclaimed.push(*name);
        }
        claims.extend(by.into_iter().map(|reader| (reader, document.clone())));
    }
    match (claims.len(), broken) {
        (1, _) => claims.pop().ok_or_else(|| none(&names)),
        (0, Some(error)) => Err(error),
        (0, None) if unclaimed.is_empty() => Err(none(&names)),
        (0, None) => {
            let of =
                |reader: &&&dyn ManifestReader| reader.files().iter().any(|name| unclaimed.contains(name));
            let mark =
                |reader: &&dyn ManifestReader| format!("one of {} has {}", reader.system(), reader.mark());
            let wanted = READERS.iter().filter(of).map(mark).collect::<Vec<_>>().join("; ");
            Err(PackageError::UnknownManifest { found: unclaimed.join(", "), wanted })
        }
        _ => {
            let shown =
                claims.iter().map(|(reader, document)| format!("{} of {}", document.file, reader.system()));
            Err(PackageError::SeveralManifests { found: shown.collect::<Vec<_>>().join(", ") })
        }
    }
}

/// Whether it reads Casemate's own.
pub(super) fn is_ours(reader: &dyn ManifestReader) -> bool {
    reader.system() == native::Native.system()
}

/// The readers that take a document of that name for theirs.
fn claimants<'a>(
    name: &'a str,
    document: &'a Document,
) -> impl Iterator<Item = &'static dyn ManifestReader> + 'a {
    READERS.iter().copied().filter(move |reader| reader.files().contains(&name) && reader.claims(document))
}

fn none(names: &[&str]) -> PackageError {
    PackageError::NoManifest { looked_for: names.join(", ") }
}
