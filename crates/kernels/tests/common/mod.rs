//! What the kernel tests share: numbers that look random, and how far two
//! results are apart.

/// `count` values in -1..1, the same for the same `seed` (SplitMix64).
pub fn values(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    (0..count)
        .map(|_| (next() >> 40) as f32 / (1 << 23) as f32 - 1.0)
        .collect()
}

/// The largest difference over the largest magnitude of `expected`.
#[track_caller]
pub fn distance(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().all(|x| x.is_finite()), "not finite");
    let scale = expected.iter().fold(1e-30_f32, |a, x| a.max(x.abs()));
    let pairs = found.iter().zip(expected);
    pairs.fold(0.0_f32, |a, (x, y)| a.max((x - y).abs())) / scale
}
