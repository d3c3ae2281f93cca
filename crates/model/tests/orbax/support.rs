//! The fixtures, and comparing with what they should hold.

use std::path::{Path, PathBuf};

use model::folder::read_config;
use model::parameters::parameters;
use model::{ModelConfig, OriginalCheckpoint};
use safetensors::SafeTensors;

/// A file or folder of `tests/fixtures/orbax`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/orbax")
        .join(name)
}

/// The configuration of a fixture.
pub fn config(name: &str) -> ModelConfig {
    read_config(&fixture(name).join("config.json")).unwrap()
}

/// A parameter's name and the bits of its values.
pub type Bits = Vec<(String, Vec<u32>)>;

/// The bits that a fixture's parameters should have.
pub fn expected(name: &str) -> Bits {
    let bytes = std::fs::read(fixture(name).join("expected.safetensors")).unwrap();
    let stored = SafeTensors::deserialize(&bytes).unwrap();
    let names = parameters(&config(name)).into_iter();
    names
        .map(|parameter| {
            let view = stored
                .tensor(&format!("weight:{}", parameter.name))
                .unwrap();
            assert_eq!(view.shape(), parameter.shape);
            let (words, _) = view.data().as_chunks::<4>();
            let bits = words.iter().map(|word| u32::from_le_bytes(*word));
            (parameter.name, bits.collect())
        })
        .collect()
}

/// Every parameter of a checkpoint, or the first error's text.
pub fn read(folder: &Path, config: &ModelConfig) -> Result<Bits, String> {
    let checkpoint = OriginalCheckpoint::open(folder).map_err(|error| error.to_string())?;
    let text = |error: model::WeightsError| error.to_string();
    checkpoint.check(config).map_err(text)?;
    let names = parameters(config)
        .into_iter()
        .map(|parameter| parameter.name);
    names
        .map(|name| {
            let values = checkpoint.values(&name).map_err(text)?;
            Ok((name, values.into_iter().map(f32::to_bits).collect()))
        })
        .collect()
}

/// Copies a fixture's folder to one that can be damaged.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    };
    paths.flat_map(below).collect()
}
