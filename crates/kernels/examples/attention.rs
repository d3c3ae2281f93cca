//! How long attention of training takes at the default size: 4 sequences of
//! 1,024 positions, 8 heads of 64, times 8 layers. Arguments: threads, runs.

use std::time::{Duration, Instant};

use kernels::training::attention::{
    Gradients, Inputs, Results, Rows, RowsMut, Scratch, Shape, backward, forward,
};
use kernels::training::cells::Layout;
use kernels::training::dropout::Dropout;
use kernels::{Isa, Team};

const LAYERS: u32 = 8;

fn main() {
    let arguments: Vec<usize> = std::env::args().skip(1).flat_map(|x| x.parse()).collect();
    let threads = arguments.first().copied().unwrap_or(2);
    let runs = arguments.get(1).copied().unwrap_or(3);
    let shape = Shape {
        sequences: 4,
        heads: 8,
        length: 1024,
        head_dim: 64,
    };
    for layout in [Layout::Single, Layout::Pairs] {
        for probability in [0.0, 0.1] {
            let mut team = Team::with_isa(threads, Isa::detect());
            let stride = layout.cells(shape.heads * shape.head_dim);
            let rows = shape.sequences * shape.length;
            let random = |seed: u32| -> Vec<u32> {
                let value = |i: u32| {
                    let bits = i.wrapping_mul(0x9e37_79b9).wrapping_add(seed) >> 8;
                    let x = (bits as f32 / 8_388_608.0 - 1.0).to_bits();
                    match layout {
                        Layout::Pairs => x & 0xffff_0000 | x >> 16,
                        _ => x,
                    }
                };
                (0..(rows * stride) as u32).map(value).collect()
            };
            let [q, k, v, d_out] = [1, 2, 3, 4].map(random);
            let mut written = [(); 4].map(|()| vec![0; rows * stride]);
            let mut statistics = vec![0.0; rows * shape.heads];
            let mut scratch = Scratch::new(layout, shape.length, shape.head_dim, threads);
            let mut best = [Duration::MAX; 2];
            for _ in 0..runs {
                let inputs = Inputs {
                    q: rows_of(&q, stride),
                    k: rows_of(&k, stride),
                    v: rows_of(&v, stride),
                    visible: None,
                    dropout: Dropout::new(probability, 1, 0),
                    rotary: None,
                };
                let [out, d_q, d_k, d_v] = &mut written;
                let start = Instant::now();
                let cells = &mut out[..];
                let target = RowsMut { cells, stride };
                forward(
                    &mut team,
                    &shape,
                    &inputs,
                    &mut scratch,
                    target,
                    &mut statistics,
                );
                best[0] = best[0].min(start.elapsed());
                let results = Results {
                    statistics: &statistics,
                    out: rows_of(out, stride),
                    d_out: rows_of(&d_out, stride),
                };
                let gradients = Gradients {
                    q: RowsMut { cells: d_q, stride },
                    k: RowsMut { cells: d_k, stride },
                    v: RowsMut { cells: d_v, stride },
                };
                let start = Instant::now();
                backward(
                    &mut team,
                    &shape,
                    &inputs,
                    &results,
                    &mut scratch,
                    gradients,
                );
                best[1] = best[1].min(start.elapsed());
            }
            let [forward, backward] = best.map(|time| (time * LAYERS).as_secs_f64());
            println!(
                "{layout:?} dropout {probability}: {LAYERS} layers forward {forward:.3} s, backward {backward:.3} s, together {:.3} s",
                forward + backward
            );
        }
    }
}

fn rows_of(cells: &[u32], stride: usize) -> Rows<'_> {
    Rows { cells, stride }
}
