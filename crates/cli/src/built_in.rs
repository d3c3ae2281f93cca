//! The model in the box: what plays where none is named.

use std::path::Path;

use anyhow::Result;
use model::ModelFolder;
use model::folder::Files;

/// What it is called, on the page and in messages.
pub const NAME: &str = "piano";

/// The weights. A static, because each copy of a constant would be ten megabytes.
#[cfg(feature = "built-in-model")]
static WEIGHTS: &[u8] = include_bytes!("../../../models/piano/model.safetensors");

/// The files of the model in the box.
///
/// # Errors
/// Wrong use, in a build without one.
#[cfg(feature = "built-in-model")]
pub fn files() -> Result<Files<'static>> {
    Ok(Files {
        folder: Path::new("the model in the box"),
        config: include_bytes!("../../../models/piano/config.json"),
        weights: WEIGHTS,
        tokenizer: include_bytes!("../../../models/piano/tokenizer.json"),
        card: include_str!("../../../models/piano/README.md"),
    })
}

/// The files of the model in the box.
///
/// # Errors
/// Wrong use: this build has none.
#[cfg(not(feature = "built-in-model"))]
pub fn files() -> Result<Files<'static>> {
    Err(crate::usage::wrong_use(
        "this program was built without its model; name one by --model DIR, or build with the feature built-in-model",
    ))
}

/// The model of a folder or run, or the one in the box.
///
/// # Errors
/// Where it cannot be read, or this build has none.
pub fn or_folder(path: Option<&Path>) -> Result<ModelFolder> {
    Ok(match path {
        Some(path) => ModelFolder::read(&train::checkpoint::resolve(path)?)?,
        None => ModelFolder::from_files(files()?)?,
    })
}

#[cfg(all(test, not(feature = "built-in-model")))]
mod tests {
    #[test]
    fn a_build_without_it_says_what_to_pass() {
        let error = super::files().unwrap_err().to_string();
        assert!(error.contains("--model DIR"), "{error}");
    }
}
