//! Devices that are reached through `wgpu`.

use burn::tensor::wgpu::{WgpuBackend, WgpuInitError};
use burn::tensor::{Device, DeviceKind, DeviceType};

use super::Backend;
use super::built::{Found, product};

/// Adapters of one kind that are looked for.
const MOST: usize = 16;

/// The adapters that `backend` reaches, the most powerful kind first. Adapters
/// that do not say what they are cannot be named to Burn and are left out.
pub(super) fn adapters(backend: Backend) -> Vec<Found> {
    let Some((api, kind, device_of)) = graphics(backend) else {
        return Vec::new();
    };
    let present = Device::enumerate(kind);
    let kinds = [
        DeviceKind::DiscreteGpu,
        DeviceKind::IntegratedGpu,
        DeviceKind::VirtualGpu,
    ];
    let kinds = kinds
        .into_iter()
        .flat_map(|kind| (0..MOST).map(kind))
        .chain([DeviceKind::Cpu]);
    let found = |kind: DeviceKind| {
        let device = device_of(kind.clone());
        present.contains(&device).then(|| Found {
            device: device.clone(),
            software: kind == DeviceKind::Cpu,
            open: Box::new(move || open(api, kind, &device)),
        })
    };
    kinds.filter_map(found).collect()
}

fn graphics(backend: Backend) -> Option<(WgpuBackend, DeviceType, fn(DeviceKind) -> Device)> {
    match backend {
        #[cfg(feature = "metal")]
        Backend::Metal => Some((WgpuBackend::Metal, DeviceType::Metal, Device::metal)),
        #[cfg(feature = "vulkan")]
        Backend::Vulkan => Some((WgpuBackend::Vulkan, DeviceType::Vulkan, Device::vulkan)),
        // Burn's own WebGPU device is a browser's.
        #[cfg(feature = "webgpu")]
        Backend::WebGpu => Some((WgpuBackend::Auto, DeviceType::Wgpu, Device::wgpu)),
        _ => None,
    }
}

fn open(api: WgpuBackend, kind: DeviceKind, device: &Device) -> Result<String, String> {
    let options = Device::wgpu_options().graphics_api(api).device_kind(kind);
    match options.init() {
        // The second is that it was opened before.
        Ok(_) | Err(WgpuInitError::Registration { .. }) => Ok(product(device)),
        Err(error) => Err(error.to_string()),
    }
}
