//! What decodes: the CPU's own engine, or Burn on a GPU.

use clap::ValueEnum;
use generate::{Decoder, DeviceEngine, Engine, EngineOptions, Tensors, WeightFormat};
use model::{DeviceName, ModelConfig};

use super::parts::Weights;
use crate::device;
use crate::usage::wrong_use;

/// Where and how a model is computed.
#[derive(Clone, clap::Args)]
pub struct Computing {
    /// Where to compute: cpu; auto for a GPU that this build reaches, else the
    /// CPU; or a GPU by name, such as vulkan:0.
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub device: DeviceName,
    /// How weights and the cache are kept and multiplied on the CPU: smaller is
    /// faster. A GPU has them as f32.
    #[arg(long, value_enum, default_value = "int8")]
    pub weights: Format,
    /// Threads of the CPU [default: all cores; serve leaves one free].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub threads: Option<u8>,
}

/// How weights are kept.
#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    F32,
    Bf16,
    Int8,
}

impl From<Format> for WeightFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::F32 => Self::F32,
            Format::Bf16 => Self::Bf16,
            Format::Int8 => Self::Int8,
        }
    }
}

impl Computing {
    /// An engine for so many sequences on the device that was asked for.
    pub fn engine(
        &self,
        config: &ModelConfig,
        weights: Weights,
        sequences: usize,
    ) -> anyhow::Result<Box<dyn Decoder>> {
        match weights {
            Weights::File(file) => self.with(config, file, sequences),
            Weights::Original(weights) => self.with(config, weights, sequences),
        }
    }

    fn with(
        &self,
        config: &ModelConfig,
        weights: impl Tensors,
        sequences: usize,
    ) -> anyhow::Result<Box<dyn Decoder>> {
        let opened = device::open(self.device)?;
        if opened.name != DeviceName::CPU {
            let engine = DeviceEngine::new(config, weights, &opened.device, sequences, 0);
            return Ok(Box::new(engine?));
        }
        let options = EngineOptions {
            format: self.weights.into(),
            threads: self.threads.map_or(0, usize::from),
            sequences,
            ..EngineOptions::default()
        };
        let engine = Engine::new(config, weights, options);
        Ok(Box::new(
            engine.map_err(|error| wrong_use(error.to_string()))?,
        ))
    }
}
