//! The endless window: what stays, and that what is drawn has truly been drawn
//! from it.

mod common;

use common::{argmax, engine, random_model, uncached, with_format};
use generate::{Sample, SamplerOptions, Session, SessionOptions, WeightFormat, Window};

#[test]
fn keeps_bos_and_cuts_at_boundaries() {
    let bar = |id: u32| id.is_multiple_of(10);
    let mut window = Window::new(&[1, 2, 3], 20, 1, &bar);
    let mut next = 4;
    while !window.push(next, &bar) {
        next += 1;
    }
    // 21 ids are one too many; of the last ten (12 to 21) a bar starts at 20,
    // which would leave too little, so the plain half stays.
    assert_eq!(next, 21);
    assert_eq!(
        window.ids(),
        [&[1][..], &(12..=21).collect::<Vec<_>>()].concat()
    );
    assert_eq!(window.dropped(), 10);
    while !window.push(next + 1, &bar) {
        next += 1;
    }
    assert!(window.ids().len() <= 11);
    let bar = |id: u32| id == 15;
    let mut window = Window::new(&[7, 2, 3], 20, 1, &bar);
    (4..=21).for_each(|id| {
        window.push(id, &bar);
    });
    assert_eq!(
        window.ids(),
        (15..=21).collect::<Vec<_>>(),
        "no BOS; from the bar on"
    );
}

#[test]
fn keeps_the_end_of_a_long_prompt() {
    let prompt: Vec<u32> = std::iter::once(1).chain(100..200).collect();
    let window = Window::new(&prompt, 40, 1, &|_| false);
    assert_eq!(window.ids().len(), 35);
    assert_eq!((window.ids()[0], window.ids()[34]), (1, 199));
    assert_eq!(window.dropped(), 101 - 35);
    let exact = Window::new(&prompt[..40], 40, 1, &|_| false);
    assert_eq!((exact.ids(), exact.dropped()), (&prompt[..40], 0));
}

#[test]
fn slides_seldom() {
    let mut window = Window::new(&[1], 256, 1, &|id| id.is_multiple_of(16));
    let slides = (0..20_000).filter(|i| window.push(i % 64, &|id| id.is_multiple_of(16)));
    let slides = slides.count();
    assert!((150..=200).contains(&slides), "{slides}");
}

/// Whatever has dropped out, the logits are those of the ids in the window fed
/// at once from nothing, bit for bit.
#[test]
fn cached_equals_uncached_across_the_edge() {
    for format in [WeightFormat::F32, WeightFormat::Bf16, WeightFormat::Int8] {
        let model = random_model(24);
        let mut cached = engine(&model, with_format(format));
        let mut fresh = engine(&model, with_format(format));
        let mut window = Window::new(&[1, 5, 6], 24, 1, &|id| id < 30);
        cached.feed(0, window.ids()).unwrap();
        let mut slides = 0;
        for i in 0..200_u32 {
            let id = 3 + (i * i * 31 + i * 17) % 72;
            let slid = window.push(id, &|id| id < 30);
            slides += u32::from(slid);
            let logits = if slid {
                cached.truncate(0, 0).unwrap();
                cached.feed(0, window.ids()).unwrap()
            } else {
                cached.step(&[(0, id)]).unwrap()
            };
            let expected = uncached(&mut fresh, window.ids());
            assert_eq!(logits, expected[expected.len() - 1], "{format:?} after {i}");
        }
        assert!(slides > 10);
    }
}

/// The JAX original's fault: once its buffer is full, it looks at the same
/// position of the same ids for ever. Here every id is drawn from the window that
/// holds all latest ones, and no two steps have the same logits.
#[test]
fn never_freezes() {
    let options = || with_format(WeightFormat::F32);
    let model = random_model(32);
    let (mut drawing, mut fresh) = (engine(&model, options()), engine(&model, options()));
    let prompt = vec![1, 20, 30];
    let sample = Sample {
        prompt: prompt.clone(),
        seed: 0,
        grammar: None,
    };
    let options = SessionOptions {
        sampler: SamplerOptions {
            temperature: 0.0,
            ..Default::default()
        },
        max_tokens: Some(300),
        end: None,
        never: Vec::new(),
        ..SessionOptions::default()
    };
    let session = Session::new(&mut drawing, vec![sample], options).unwrap();
    let mut window = Window::new(&prompt, 32, 1, &|_| false);
    let mut before = Vec::new();
    for token in session {
        let id = token.unwrap().id;
        let logits = uncached(&mut fresh, window.ids()).pop().unwrap();
        assert_eq!(id, argmax(&logits));
        assert_ne!(logits, before, "frozen");
        before = logits;
        window.push(id, &|_| false);
        assert_eq!(window.ids().last(), Some(&id));
    }
    assert!(window.dropped() > 200);
}

#[test]
fn twenty_thousand_tokens_on_256_positions() {
    let mut engine = engine(&random_model(256), with_format(WeightFormat::Int8));
    let sample = Sample {
        prompt: vec![1],
        seed: 3,
        grammar: None,
    };
    let options = SessionOptions {
        max_tokens: Some(20_000),
        end: None,
        boundary: Box::new(|id| id == 4),
        ..SessionOptions::default()
    };
    let mut session = Session::new(&mut engine, vec![sample], options).unwrap();
    let mut count = 0;
    for token in session.by_ref() {
        token.unwrap();
        count += 1;
    }
    assert_eq!(count, 20_000);
    assert!(session.dropped(0) > 19_000);
}
