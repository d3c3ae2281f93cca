//! Sessions: greedy outputs of the JAX original, seeds, ends, grammar.

mod common;

use common::{argmax, engine, fixture, ids, random_model, uncached, with_format};
use generate::{
    Engine, EngineOptions, Finish, Grammar, Sample, SamplerOptions, Session, SessionError,
    SessionOptions, WeightFormat,
};
use model::{ModelConfig, Weights};
use safetensors::SafeTensors;

fn sample(prompt: &[u32], seed: u64) -> Sample {
    Sample {
        prompt: prompt.to_vec(),
        seed,
        grammar: None,
    }
}

/// Draws `tokens` ids a sample, whatever they are.
fn free(tokens: usize) -> SessionOptions {
    SessionOptions {
        max_tokens: Some(tokens),
        end: None,
        never: Vec::new(),
        ..SessionOptions::default()
    }
}

fn greedy(tokens: usize) -> SessionOptions {
    let sampler = SamplerOptions {
        temperature: 0.0,
        ..Default::default()
    };
    SessionOptions {
        sampler,
        ..free(tokens)
    }
}

/// The ids of each sample.
fn collect(engine: &mut Engine, samples: Vec<Sample>, options: SessionOptions) -> Vec<Vec<u32>> {
    let mut out = vec![Vec::new(); samples.len()];
    for token in Session::new(engine, samples, options).unwrap() {
        let token = token.unwrap();
        out[token.sample].push(token.id);
    }
    out
}

/// The model whose greedy outputs the JAX original recorded.
fn greedy_model() -> (ModelConfig, Weights) {
    let config = model::folder::read_config(&fixture("greedy_config.json")).unwrap();
    let bytes = std::fs::read(fixture("greedy_model.safetensors")).unwrap();
    let mut weights = Weights::default();
    for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
        if let Some(name) = name.strip_prefix("weight:") {
            let (values, _) = view.data().as_chunks::<4>();
            let values = values.iter().map(|b| f32::from_le_bytes(*b)).collect();
            weights.insert(name.to_owned(), view.shape().to_vec(), values);
        }
    }
    (config, weights)
}

#[test]
fn greedy_equals_the_jax_original_while_its_window_lasts() {
    let bytes = std::fs::read(fixture("greedy_generation.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let list = |value: &serde_json::Value| -> Vec<u32> {
        let ids = value.as_array().unwrap().iter();
        ids.map(|id| id.as_u64().unwrap() as u32).collect()
    };
    let mut engine = engine(&greedy_model(), EngineOptions::default());
    for case in golden["cases"].as_array().unwrap() {
        let prompt = list(&case["prompt"]);
        let mut expected = list(&case["output"]);
        if case["output_generated_only"] != true {
            expected.drain(..prompt.len());
        }
        let found = collect(
            &mut engine,
            vec![sample(&prompt, 0)],
            greedy(expected.len()),
        );
        // The original's buffer holds 62 ids; from then on it looks at the same
        // 61 again and again and repeats one id.
        let lasts = expected.len().min(62 - prompt.len());
        assert_eq!(found[0][..lasts], expected[..lasts], "{}", case["name"]);
        if lasts < expected.len() {
            assert!(
                expected[lasts..].iter().all(|id| *id == expected[lasts]),
                "frozen"
            );
        }
    }
}

#[test]
fn greedy_takes_the_largest_logit() {
    let mut engine = engine(&random_model(64), EngineOptions::default());
    let prompt = ids(1, 20, 75);
    let found = collect(&mut engine, vec![sample(&prompt, 0)], greedy(30)).remove(0);
    let all = [prompt.clone(), found.clone()].concat();
    let logits = uncached(&mut engine, &all);
    for (i, id) in found.iter().enumerate() {
        assert_eq!(*id, argmax(&logits[prompt.len() - 1 + i]));
    }
}

#[test]
fn same_seed_same_ids_alone_together_and_with_any_threads() {
    let model = random_model(48);
    let prompts = [
        ids(1, 5, 75),
        ids(2, 9, 75),
        ids(1, 5, 75),
        vec![1],
        ids(2, 9, 75),
    ];
    let samples = || {
        (0..)
            .zip(&prompts)
            .map(|(seed, prompt)| sample(prompt, seed))
            .collect()
    };
    // Long enough for each window to slide several times.
    let batches = alone_and_together(&model, 3, samples, 150);
    for batch in batches {
        assert_ne!(batch[0], batch[2], "seeds differ");
    }
}

#[test]
fn samples_of_one_long_prompt_get_what_each_gets_alone() {
    let prompt = ids(3, 70, 75);
    let samples = || (0..4).map(|seed| sample(&prompt, seed)).collect();
    // Long enough for the shared positions to drop out of each window.
    alone_and_together(&random_model(96), 2, samples, 120);
}

/// Draws samples together, twice, and each alone with one thread, in every format:
/// the same ids. Gives those of each format.
fn alone_and_together(
    model: &(ModelConfig, Weights),
    threads: usize,
    samples: impl Fn() -> Vec<Sample>,
    tokens: usize,
) -> [Vec<Vec<u32>>; 3] {
    [WeightFormat::F32, WeightFormat::Bf16, WeightFormat::Int8].map(|format| {
        let options = |threads, sequences| EngineOptions {
            threads,
            sequences,
            ..with_format(format)
        };
        let mut together = engine(model, options(threads, samples().len()));
        let batch = collect(&mut together, samples(), free(tokens));
        assert_eq!(
            batch,
            collect(&mut together, samples(), free(tokens)),
            "again"
        );
        let mut alone = engine(model, options(1, 1));
        for (sample, batch) in samples().into_iter().zip(&batch) {
            let own = collect(&mut alone, vec![sample], free(tokens));
            assert_eq!(own[0], *batch, "{format:?}");
        }
        batch
    })
}

#[test]
fn ends_by_number_by_id_and_by_choice() {
    let mut engine = engine(&random_model(32), with_format(WeightFormat::F32));
    let options = SessionOptions {
        end: Some(40),
        never: vec![41, 42],
        ..free(2000)
    };
    let mut session = Session::new(&mut engine, vec![sample(&[1], 4)], options).unwrap();
    let drawn: Vec<u32> = session.by_ref().map(|token| token.unwrap().id).collect();
    assert!(drawn.len() < 2000 && drawn.iter().all(|id| ![40, 41, 42].contains(id)));
    assert_eq!(session.finish(0), Some(Finish::End));

    let stop = |_, id| id == 40;
    let options = SessionOptions {
        stop: Some(Box::new(stop)),
        never: vec![41, 42],
        ..free(2000)
    };
    let mut session = Session::new(&mut engine, vec![sample(&[1], 4)], options).unwrap();
    let stopped: Vec<u32> = session.by_ref().map(|token| token.unwrap().id).collect();
    assert_eq!(session.finish(0), Some(Finish::Stopped));
    assert_eq!(stopped, [drawn, vec![40]].concat());

    let mut session = Session::new(&mut engine, vec![sample(&[1], 4)], free(7)).unwrap();
    assert_eq!(session.finish(0), None);
    assert_eq!(session.by_ref().count(), 7);
    assert_eq!(session.finish(0), Some(Finish::MaxTokens));
    let mut none = Session::new(&mut engine, vec![sample(&[1], 4)], free(0)).unwrap();
    assert!(none.next().is_none());
}

/// Ids alternate between even and odd.
struct Alternate {
    odd_next: bool,
}

impl Grammar for Alternate {
    fn allowed(&mut self, mask: &mut [bool]) {
        for (id, allowed) in mask.iter_mut().enumerate() {
            *allowed &= id.is_multiple_of(2) != self.odd_next;
        }
    }
    fn accept(&mut self, id: u32) {
        self.odd_next = id.is_multiple_of(2);
    }
}

#[test]
fn honours_the_grammar_of_each_sample() {
    let options = EngineOptions {
        sequences: 2,
        ..EngineOptions::default()
    };
    let mut engine = engine(&random_model(32), options);
    let with_grammar = |prompt: &[u32]| Sample {
        grammar: Some(Box::new(Alternate { odd_next: false })),
        ..sample(prompt, 9)
    };
    let samples = vec![with_grammar(&[1, 8]), with_grammar(&[1, 8, 9])];
    let never = (0..75).filter(|id| id % 5 == 0).collect();
    let out = collect(&mut engine, samples, SessionOptions { never, ..free(200) });
    for (ids, odd_first) in out.iter().zip([true, false]) {
        for (i, id) in ids.iter().enumerate() {
            assert_eq!(id % 2 == 1, odd_first == (i % 2 == 0), "{ids:?}");
            assert_ne!(id % 5, 0);
        }
    }
}

#[test]
fn refuses_wrong_samples_and_ends_after_an_error() {
    let mut engine = engine(&random_model(32), EngineOptions::default());
    let none = Session::new(&mut engine, Vec::new(), free(1));
    assert!(matches!(
        none,
        Err(SessionError::Samples { samples: 0, .. })
    ));
    let two = vec![sample(&[1], 0), sample(&[1], 0)];
    let two = Session::new(&mut engine, two, free(1));
    assert!(matches!(
        two,
        Err(SessionError::Samples {
            samples: 2,
            sequences: 1
        })
    ));
    let empty = Session::new(&mut engine, vec![sample(&[], 0)], free(1));
    assert!(matches!(empty, Err(SessionError::Engine(_))));
    let mut unknown = Session::new(&mut engine, vec![sample(&[99], 0)], free(1)).unwrap();
    assert!(matches!(unknown.next(), Some(Err(SessionError::Engine(_)))));
    assert!(unknown.next().is_none());
    let options = SessionOptions {
        never: (0..75).collect(),
        ..free(1)
    };
    let mut nothing = Session::new(&mut engine, vec![sample(&[1], 0)], options).unwrap();
    assert!(matches!(
        nothing.next(),
        Some(Err(SessionError::Sampler(_)))
    ));
}
