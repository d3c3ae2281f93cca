//! The device of `--device`.

use model::{Backend, DeviceName, Opened};

use crate::usage::wrong_use;

/// Opens a device, and says which where the build has a choice.
///
/// # Errors
/// [`model::DeviceError`] as wrong use.
pub fn open(name: DeviceName) -> anyhow::Result<Opened> {
    let opened = name.open().map_err(|error| wrong_use(error.to_string()))?;
    let mut gpus = Backend::ALL.into_iter().filter(|b| *b != Backend::Cpu);
    if gpus.any(Backend::is_built) {
        eprintln!("device {} {}", opened.name, opened.product);
    }
    Ok(opened)
}
