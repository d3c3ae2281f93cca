//! What decodes: the CPU's own engine, or Burn on a GPU.

use generate::{Decoder, DeviceEngine, Engine, EngineOptions, Tensors};
use model::{DeviceName, ModelConfig};

use super::Args;
use crate::device;
use crate::usage::wrong_use;

/// An engine for so many sequences on the device that was asked for.
pub fn engine(
    args: &Args,
    config: &ModelConfig,
    weights: impl Tensors,
    sequences: usize,
) -> anyhow::Result<Box<dyn Decoder>> {
    let opened = device::open(args.device)?;
    if opened.name != DeviceName::CPU {
        let engine = DeviceEngine::new(config, weights, &opened.device, sequences, 0);
        return Ok(Box::new(engine?));
    }
    let options = EngineOptions {
        format: args.weights.into(),
        threads: args.threads.map_or(0, usize::from),
        sequences,
        ..EngineOptions::default()
    };
    let engine = Engine::new(config, weights, options);
    Ok(Box::new(
        engine.map_err(|error| wrong_use(error.to_string()))?,
    ))
}
