//! The backends of this build, and the devices they find on this machine.

use super::Backend;
#[cfg(any(feature = "metal", feature = "vulkan", feature = "webgpu"))]
use super::adapters::adapters;
use burn::tensor::Device;
#[cfg(any(feature = "cuda", feature = "rocm"))]
use burn::tensor::DeviceType;

/// A device that the system names. Nothing is opened yet.
pub(super) struct Found {
    pub(super) device: Device,
    /// A driver that computes on the CPU.
    pub(super) software: bool,
    /// Opens it and tells what it calls itself, or what the driver said.
    pub(super) open: Box<dyn FnOnce() -> Result<String, String>>,
}

type List = fn() -> Vec<Found>;

const BUILT: &[(Backend, List)] = &[
    (Backend::Cpu, cpu),
    #[cfg(feature = "cuda")]
    (Backend::Cuda, || cards(DeviceType::Cuda)),
    #[cfg(feature = "rocm")]
    (Backend::Rocm, || cards(DeviceType::Rocm)),
    #[cfg(feature = "metal")]
    (Backend::Metal, || adapters(Backend::Metal)),
    #[cfg(feature = "vulkan")]
    (Backend::Vulkan, || adapters(Backend::Vulkan)),
    #[cfg(feature = "webgpu")]
    (Backend::WebGpu, || adapters(Backend::WebGpu)),
];

/// The devices of a backend in the order of their numbers; `None` when it is not
/// built in.
pub(super) fn list(backend: Backend) -> Option<Vec<Found>> {
    let mut built = BUILT.iter();
    let (_, list) = built.find(|(built, _)| *built == backend)?;
    Some(list())
}

fn cpu() -> Vec<Found> {
    vec![Found {
        device: Device::flex(),
        software: false,
        open: Box::new(|| Ok(String::new())),
    }]
}

/// Devices of drivers that count their cards.
#[cfg(any(feature = "cuda", feature = "rocm"))]
fn cards(kind: DeviceType) -> Vec<Found> {
    let found = |device: Device| Found {
        device: device.clone(),
        software: false,
        open: Box::new(move || Ok(product(&device))),
    };
    Device::enumerate(kind).into_iter().map(found).collect()
}

/// What a device calls itself. Opens it.
#[cfg(any(
    feature = "cuda",
    feature = "rocm",
    feature = "metal",
    feature = "vulkan",
    feature = "webgpu"
))]
pub(super) fn product(device: &Device) -> String {
    device.identity().map_or_else(String::new, |id| id.name)
}
