//! Devices that are reached through `wgpu`.

use burn::tensor::wgpu::{WgpuBackend, WgpuInitError};
use burn::tensor::{Device, DeviceKind, DeviceType, Tensor, TensorData};

use super::Backend;
use super::built::{Found, product};
use crate::access::values;

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
        Ok(device) => multiplies(&device)?,
        // Opened before.
        Err(WgpuInitError::Registration { .. }) => {}
        Err(error) => return Err(error.to_string()),
    }
    Ok(product(device))
}

/// Multiplies matrices of small whole numbers, which any precision gets right:
/// there are drivers that accept the kernels and compute nonsense. Which kernel
/// multiplies depends on the shape: one is large, one small, one that of
/// attention scores.
fn multiplies(device: &Device) -> Result<(), String> {
    for shape in [[1, 64, 64, 64], [1, 5, 7, 3], [6, 20, 16, 20]] {
        let [batch, rows, inner, columns] = shape;
        let entry = |rate: usize| move |i: usize| (i * rate % 7) as f32 - 3.0;
        let matrix = |rate, [rows, columns]: [usize; 2]| {
            let count = batch * rows * columns;
            let values: Vec<f32> = (0..count).map(entry(rate)).collect();
            let data = TensorData::new(values, [batch, rows, columns]);
            Tensor::<3>::from_data(data, device)
        };
        let (left, right) = (matrix(3, [rows, inner]), matrix(5, [inner, columns]));
        let found = values(left.matmul(right)).map_err(|error| error.to_string())?;
        let product = |i: usize| {
            let (row, column) = (i / columns, i % columns);
            let first = row / rows * inner * columns + column;
            let each =
                (0..inner).map(|k| entry(3)(row * inner + k) * entry(5)(first + k * columns));
            each.sum::<f32>()
        };
        if found
            .iter()
            .enumerate()
            .any(|(i, found)| product(i) != *found)
        {
            return Err("its driver multiplies matrices wrongly".to_owned());
        }
    }
    Ok(())
}
