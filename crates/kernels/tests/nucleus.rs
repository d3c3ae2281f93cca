//! The nucleus against a full sort in f64, on every instruction set.

use kernels::Isa;
use kernels::nucleus::{nucleus, sum_over};

#[test]
fn every_instruction_set_finds_the_cut_of_a_full_sort() {
    // One large weight and many small ones; equal ones; zeros; less than a line.
    let weights: [Vec<f32>; 4] = [
        (0..3000)
            .map(|i| {
                if i == 1500 {
                    1.0
                } else {
                    1e-6 + i as f32 * 1e-10
                }
            })
            .collect(),
        (0..1000).map(|i| (i % 7) as f32).collect(),
        vec![0.0; 100],
        vec![0.25, 0.5, 0.125],
    ];
    for isa in Isa::available() {
        for weights in &weights {
            let mut sorted = weights.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let total: f64 = weights.iter().map(|w| f64::from(*w)).sum();
            for share in [1e-9, 0.1, 0.5, 0.7501, 0.9, 0.9999] {
                let needed = share * total;
                let (least, above) = nucleus(isa, weights, needed);
                let mut sum = 0.0;
                let cut = sorted.iter().position(|w| {
                    sum += f64::from(*w);
                    sum >= needed
                });
                let expected = sorted[cut.unwrap()];
                let from = |least: f32| weights.iter().filter(|w| **w >= least).count();
                assert_eq!(from(least), from(expected), "{} {share}", isa.name());
                let larger = weights.iter().filter(|w| **w > expected);
                let larger: f64 = larger.map(|w| f64::from(*w)).sum();
                assert!((above - larger).abs() <= 1e-6 * total, "{above} {larger}");
                let over = sum_over(isa, weights, expected);
                assert!((over - larger).abs() <= 1e-6 * total, "{over} {larger}");
            }
            let (least, _) = nucleus(isa, weights, 2.0 * total + 1.0);
            assert_eq!(least, 0.0, "more than all together");
        }
    }
}
