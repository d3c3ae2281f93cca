//! Devices by name: what `--device` means.
//!
//! Which backends a build has is decided by cargo features of the same names,
//! which device computes when the program runs.

#[cfg(any(feature = "metal", feature = "vulkan", feature = "webgpu"))]
mod adapters;
mod built;

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use thiserror::Error;

/// A kind of device. In this order, the most direct way to a GPU first,
/// [`DeviceName::Auto`] looks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// NVIDIA's CUDA.
    Cuda,
    /// AMD's ROCm (HIP).
    Rocm,
    /// Apple's Metal.
    Metal,
    /// Vulkan, with shaders in SPIR-V.
    Vulkan,
    /// What WebGPU's implementation `wgpu` finds on the system: Vulkan, Metal,
    /// DirectX 12 or OpenGL.
    WebGpu,
    /// Burn's pure Rust backend Flex; in every build.
    Cpu,
}

impl Backend {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Cuda,
        Self::Rocm,
        Self::Metal,
        Self::Vulkan,
        Self::WebGpu,
        Self::Cpu,
    ];

    /// Its part of a device's name; for GPUs also the cargo feature.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Rocm => "rocm",
            Self::Metal => "metal",
            Self::Vulkan => "vulkan",
            Self::WebGpu => "webgpu",
            Self::Cpu => "cpu",
        }
    }

    /// Whether this program was built with it.
    pub fn is_built(self) -> bool {
        built::list(self).is_some()
    }
}

/// The name of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceName {
    /// `auto`: the first GPU that this build reaches, and the CPU where it
    /// reaches none. A software driver is no GPU.
    Auto,
    /// Such as `cpu` or `vulkan:0`: a device of a backend, counted from 0. The
    /// number 0 may be left out.
    Of(Backend, usize),
}

/// Why there is no such device.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// The name means nothing.
    #[error(
        "there is no device {0}: say auto, cpu, or a GPU such as vulkan:0, webgpu:0, metal:0, rocm:0 or cuda:0"
    )]
    Unknown(String),
    /// The program was built without the backend.
    #[error(
        "this program was built without {0}: build it with `cargo build --release --features {0}`, or use --device cpu"
    )]
    NotBuilt(&'static str),
    /// The system has no device of that number.
    #[error(
        "device {name} is not there: this machine has {count} of its kind; install the GPU's driver, or use --device cpu"
    )]
    Absent {
        /// What was asked for.
        name: DeviceName,
        /// How many devices the backend has.
        count: usize,
    },
    /// The driver refuses.
    #[error("device {name} cannot be opened: {reason}")]
    Refused {
        /// What was asked for.
        name: DeviceName,
        /// What the driver said.
        reason: String,
    },
}

/// A device that is ready.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The device, without autodiff.
    pub device: Device,
    /// Its name; never [`DeviceName::Auto`].
    pub name: DeviceName,
    /// What it calls itself; empty for the CPU.
    pub product: String,
}

impl DeviceName {
    /// The CPU, which every build has.
    pub const CPU: Self = Self::Of(Backend::Cpu, 0);

    /// Opens the device.
    ///
    /// # Errors
    /// [`DeviceError::NotBuilt`], [`DeviceError::Absent`] or
    /// [`DeviceError::Refused`]; none for `cpu`, and `auto` ends with that.
    pub fn open(self) -> Result<Opened, DeviceError> {
        match self {
            Self::Auto => {
                let of = |backend| {
                    let found = built::list(backend).unwrap_or_default().into_iter();
                    let hardware = found.enumerate().filter(|(_, device)| !device.software);
                    hardware.map(move |(index, _)| Self::Of(backend, index))
                };
                let mut names = Backend::ALL.into_iter().flat_map(of);
                let opened = names.find_map(|name| name.open().ok());
                opened.map_or_else(|| Self::CPU.open(), Ok)
            }
            Self::Of(backend, index) => {
                let found = built::list(backend).ok_or(DeviceError::NotBuilt(backend.name()))?;
                let count = found.len();
                let device = found.into_iter().nth(index);
                let device = device.ok_or(DeviceError::Absent { name: self, count })?;
                let refused = |reason| DeviceError::Refused { name: self, reason };
                Ok(Opened {
                    product: (device.open)().map_err(refused)?,
                    device: device.device,
                    name: self,
                })
            }
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            &Self::CPU => f.write_str("cpu"),
            Self::Of(backend, index) => write!(f, "{}:{index}", backend.name()),
        }
    }
}

impl FromStr for DeviceName {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let (name, index) = text.split_once(':').unwrap_or((text, "0"));
        let backend = Backend::ALL.into_iter().find(|known| known.name() == name);
        match (backend, index.parse()) {
            (Some(backend), Ok(index)) => Ok(Self::Of(backend, index)),
            _ => Err(DeviceError::Unknown(text.to_owned())),
        }
    }
}
