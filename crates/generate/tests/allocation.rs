//! No memory is taken while ids are drawn, by any thread: the grammar, every
//! filter and the sliding window included.

mod common;

use common::{engine, random_model};
use generate::{EngineOptions, Sample, SamplerOptions, Session, SessionOptions, WeightFormat};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Ids alternate between even and odd.
struct Alternate(bool);

impl generate::Grammar for Alternate {
    fn allowed(&mut self, mask: &mut [bool]) {
        for (id, allowed) in mask.iter_mut().enumerate() {
            *allowed &= id.is_multiple_of(2) == self.0;
        }
    }
    fn accept(&mut self, id: u32) {
        self.0 = !id.is_multiple_of(2);
    }
}

#[test]
fn drawing_takes_no_memory() {
    for format in [WeightFormat::F32, WeightFormat::Bf16, WeightFormat::Int8] {
        let options = EngineOptions {
            format,
            threads: 2,
            sequences: 3,
            capacity: 0,
        };
        let mut engine = engine(&random_model(64), options);
        let sample = |seed| Sample {
            prompt: vec![1],
            seed,
            grammar: Some(Box::new(Alternate(true))),
        };
        let sampler = SamplerOptions {
            temperature: 0.9,
            top_k: 60,
            top_p: 0.95,
            min_p: 0.001,
            repetition_penalty: 1.1,
            ..SamplerOptions::default()
        };
        let options = SessionOptions {
            sampler,
            end: None,
            boundary: Box::new(|id| id < 10),
            ..SessionOptions::default()
        };
        let mut session = Session::new(&mut engine, (0..3).map(sample).collect(), options).unwrap();
        session.by_ref().take(600).for_each(|token| {
            token.unwrap();
        });
        let slid = session.dropped(0);
        let region = Region::new(GLOBAL);
        session.by_ref().take(900).for_each(|token| {
            token.unwrap();
        });
        let change = region.change();
        let taken = change.allocations + change.reallocations;
        assert_eq!(taken, 0, "{format:?}: {change:?}");
        assert!(session.dropped(0) > slid + 100);
    }
}
