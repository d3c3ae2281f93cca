//! Names of devices, and what of them is there.

use model::{Backend, DeviceError, DeviceName};

fn name(text: &str) -> DeviceName {
    text.parse().unwrap()
}

#[test]
fn names_are_read_and_written() {
    for text in [
        "auto", "cpu", "vulkan:0", "webgpu:1", "metal:2", "rocm:3", "cuda:12",
    ] {
        assert_eq!(name(text).to_string(), text);
    }
    assert_eq!(name("vulkan"), DeviceName::Of(Backend::Vulkan, 0));
    for text in [
        "",
        "gpu",
        "vulkan:",
        "vulkan:-1",
        "vulkan:0:0",
        "CPU",
        "auto:0",
    ] {
        let error = text.parse::<DeviceName>().unwrap_err();
        assert!(matches!(error, DeviceError::Unknown(_)), "{text}");
    }
}

#[test]
fn the_cpu_is_always_there_once() {
    assert_eq!(name("cpu").open().unwrap().name, DeviceName::CPU);
    let error = name("cpu:1").open().unwrap_err();
    assert!(
        matches!(error, DeviceError::Absent { count: 1, .. }),
        "{error}"
    );
}

#[test]
fn auto_takes_the_cpu_where_nothing_else_is_built() {
    let gpus = Backend::ALL.into_iter().filter(|b| *b != Backend::Cpu);
    let opened = DeviceName::Auto.open().unwrap();
    if gpus.filter(|gpu| gpu.is_built()).count() == 0 {
        assert_eq!(opened.name, DeviceName::CPU);
    }
    assert_ne!(opened.name, DeviceName::Auto);
}

#[test]
fn what_is_not_built_names_its_feature_and_what_is_absent_its_number() {
    for backend in Backend::ALL {
        let error = DeviceName::Of(backend, 999).open().unwrap_err();
        let text = error.to_string();
        match backend.is_built() {
            true => assert!(text.contains(":999 is not there"), "{text}"),
            false => {
                let feature = format!("--features {}`", backend.name());
                assert!(text.contains(&feature), "{text}");
            }
        }
    }
}
