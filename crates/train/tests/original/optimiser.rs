//! Parameters after optimiser steps on the golden batches, without dropout.

use model::{Compute, Network, Precision, Weights, parameters};
use train::{Optimiser, Schedule};

use crate::goldens::{arrays, batch, config, device, meta};

const LINEAR: Schedule = Schedule::Linear {
    peak: 4e-4,
    end: 1e-6,
    warmup_steps: 2,
    steps: 10,
};

struct Run {
    network: Network,
    optimiser: Optimiser,
}

impl Run {
    fn new(fused: bool, schedule: Schedule, global_norm: f32) -> Self {
        let weights = arrays("weights_f32.safetensors");
        let compute = Compute {
            fused,
            precision: Precision::F32,
            training: true,
        };
        let network = Network::new(&config(), weights, &device(), compute).unwrap();
        let able = Network::fused(&device());
        assert_eq!(matches!(network, Network::Fused(_)), fused && able);
        Self {
            network,
            optimiser: Optimiser::new(&config(), schedule, global_norm, 0.1),
        }
    }

    /// Trains on golden batches, `every` of them a step; checks losses and norms.
    fn train(mut self, batches: usize, every: u32, name: &str) -> Self {
        let expected = &meta()["runs"][name];
        for index in 0..batches {
            let batch = batch(index);
            let (before, mean) = self.optimiser.accumulated();
            let loss = self.network.accumulate(&batch, None, before, mean).unwrap();
            let nats = expected["losses"][index].as_f64().unwrap();
            assert!(
                (loss / nats - 1.0).abs() < 1e-6,
                "{name} {index}: {loss} {nats}"
            );
            self.optimiser.note_accumulation();
            if self.optimiser.accumulations() == every {
                let step = self.optimiser.step(&mut self.network).unwrap();
                let norm = expected["grad_norms"][index].as_f64().unwrap();
                let same = (step.gradient_norm / norm - 1.0).abs() < 1e-6;
                assert!(every > 1 || same, "{name} {index}: {step:?} {norm}");
            }
        }
        self
    }

    fn compare(&self, file: &str) {
        compare(&self.network.to_weights().unwrap(), &arrays(file));
    }
}

/// Parameters are of order 1 and a step moves each by the learning rate, at
/// most 4e-4. Where a gradient is near AdamW's epsilon its last bits decide, so
/// one element in 5,000 may be up to 0.5 % of a step away; all others agree
/// to the last bit of an f32 near 1.
fn compare(found: &Weights, expected: &Weights) {
    let (mut outliers, mut count) = (0, 0);
    for parameter in parameters(&config()) {
        let (found, _) = found.tensor(&parameter.name).unwrap();
        let (expected, _) = expected.tensor(&parameter.name).unwrap();
        for (a, b) in found.iter().zip(expected) {
            let difference = (a - b).abs() / b.abs().max(1.0);
            assert!(difference <= 2e-6, "{}: {a} {b}", parameter.name);
            outliers += usize::from(difference > 1.2e-7);
        }
        count += found.len();
    }
    assert!(outliers * 5_000 <= count, "{outliers} of {count}");
}

#[test]
fn the_schedule_is_optax_s() {
    let rates = meta()["schedule_lr"].as_array().unwrap().clone();
    for (step, rate) in rates.iter().enumerate() {
        assert_eq!(
            LINEAR.rate(step as u64),
            rate.as_f64().unwrap() as f32,
            "{step}"
        );
    }
}

#[test]
fn steps_with_the_schedule() {
    for fused in [true, false] {
        Run::new(fused, LINEAR, 1.0)
            .train(1, 1, "sched")
            .compare("sched_params_after_step1.safetensors");
        let run = Run::new(fused, LINEAR, 1.0).train(3, 1, "sched");
        run.compare("sched_params_after_step3.safetensors");

        let (state, expected) = (
            run.optimiser.to_weights(),
            arrays("sched_moments_final.safetensors"),
        );
        for (ours, theirs) in [("first", "mu"), ("second", "nu")] {
            for parameter in parameters(&config()) {
                let (found, _) = state.tensor(&format!("{ours}.{}", parameter.name)).unwrap();
                let (expected, _) = expected
                    .tensor(&format!("{theirs}.{}", parameter.name))
                    .unwrap();
                let difference = crate::goldens::difference(found, expected);
                assert!(difference < 4e-6, "{ours} {} {difference}", parameter.name);
            }
        }
    }
}

#[test]
fn steps_with_clipping() {
    for fused in [true, false] {
        let constant = Schedule::Constant { rate: 4e-4 };
        let run = Run::new(fused, constant, 0.1).train(3, 1, "const_clip0p1");
        run.compare("const_clip0p1_params_after_step3.safetensors");
    }
}

#[test]
fn steps_of_two_micro_batches() {
    for fused in [true, false] {
        let run = Run::new(fused, LINEAR, 1.0).train(4, 2, "accum2");
        assert_eq!(run.optimiser.steps(), 2);
        run.compare("accum2_params_after_step4.safetensors");
    }
}

#[test]
fn what_decays_is_what_the_original_decays() {
    let labels = meta()["decay_labels"].clone();
    for parameter in parameters(&config()) {
        let label = labels[&parameter.name].as_str().unwrap();
        assert_eq!(
            parameter.role.is_decayed(),
            label == "decay",
            "{}",
            parameter.name
        );
    }
}

#[test]
fn a_restored_state_goes_on_bit_for_bit() {
    let one = Run::new(true, LINEAR, 1.0).train(1, 1, "sched");
    let mut two = Optimiser::new(&config(), LINEAR, 1.0, 0.1);
    two.restore(one.optimiser.to_weights(), 1, 0).unwrap();
    assert_eq!(two.to_weights(), one.optimiser.to_weights());
    let error = two
        .restore(arrays("weights_f32.safetensors"), 1, 0)
        .unwrap_err();
    assert!(error.to_string().contains("first."), "{error}");
}
