//! `--device` of the real binary.

use std::process::Command;

use assert_cmd::assert::OutputAssertExt;
use assert_cmd::cargo::cargo_bin;

fn refusal(device: &str) -> String {
    let mut command = Command::new(cargo_bin!("tchaikovsky"));
    let folder = tempfile::tempdir().unwrap();
    command
        .current_dir(&folder)
        .args(["train", "--device", device]);
    let output = command.assert().code(2).get_output().clone();
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn devices_that_cannot_be_are_wrong_use() {
    let text = refusal("quantum:0");
    assert!(text.contains("there is no device quantum:0"), "{text}");
    let built = [
        ("vulkan", cfg!(feature = "vulkan")),
        ("webgpu", cfg!(feature = "webgpu")),
        ("metal", cfg!(feature = "metal")),
        ("rocm", cfg!(feature = "rocm")),
        ("cuda", cfg!(feature = "cuda")),
    ];
    for (name, built) in built {
        let text = refusal(&format!("{name}:999"));
        let expected = match built {
            true => format!("device {name}:999 is not there"),
            false => format!("cargo build --release --features {name}"),
        };
        assert!(text.contains(&expected), "{text}");
    }
}
