//! One pass of rows through the transformer.

use crate::engine::EngineOptions;
use crate::error::EngineError;
use crate::original_bf16;
use crate::packed::Packed;
use crate::prefixes::Prefixes;
use crate::weight_file::Tensors;
use kernels::{
    Activations, Attention, CacheShape, Caches, Conversion, HeadCache, Output, Prefix, Product,
    Products, Rotary, Span, Team, Then, WeightFormat, convert, products,
};
use model::ModelConfig;
use model::config::MLP_MULTIPLE;
use std::ops::Range;

/// Rows of one pass over a long input: enough to be limited by arithmetic, few
/// enough to stay in the processor's cache.
const CHUNK: usize = 128;

/// The packed model, the caches and the memory of a pass.
pub(crate) struct Pass {
    dim: usize,
    sequences: usize,
    packed: Packed,
    team: Team,
    attention: Attention,
    rotary: Option<Rotary>,
    /// `[sequences, layers, heads]`.
    caches: Vec<HeadCache>,
    /// What several sequences begin with, `[prefixes, layers, heads]`.
    shared: Vec<HeadCache>,
    rows: Rows,
}

/// The rows of one pass.
struct Rows {
    /// The residual stream, `[rows, dim]`.
    x: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    hidden: Vec<f32>,
    logits: Vec<f32>,
    normed1: Activations,
    normed2: Activations,
    mixed: Activations,
    expanded: Activations,
    /// Normed rows, `[rows, dim]`, of a model that is rounded as the original
    /// rounds those trained in bf16.
    rounded: Option<Vec<f32>>,
}

impl Pass {
    /// Packs `weights` and takes all memory.
    pub(crate) fn new(
        config: &ModelConfig,
        weights: &impl Tensors,
        capacity: usize,
        options: EngineOptions,
    ) -> Result<Self, EngineError> {
        let (format, sequences) = (options.format, options.sequences);
        let mut team = Team::new(options.threads);
        let threads = team.threads();
        let packed = Packed::new(config, weights, format, &mut team)?;
        let (layers, heads) = (config.num_layers, config.heads);
        let mut caches = |sequences| {
            let shape = CacheShape {
                sequences,
                heads: layers * heads,
                head_dim: config.head_dim,
                capacity,
                stripe: 0,
            };
            HeadCache::all(&mut team, format, shape)
        };
        let own = caches(sequences);
        // One by one: few are ever used.
        let shared = (0..Prefixes::caches(sequences)).flat_map(|_| caches(1));
        let shared = shared.collect();
        let rows = CHUNK.min(capacity).max(sequences);
        Ok(Self {
            dim: config.dim,
            sequences,
            attention: Attention::new(layers, heads, config.head_dim, capacity, threads),
            rotary: (config.rotary).then(|| Rotary::new(capacity, config.head_dim)),
            caches: own,
            shared,
            rows: Rows::new(config, format, rows, sequences, threads),
            packed,
            team,
        })
    }

    /// Rows that fit one pass.
    pub(crate) fn capacity(&self) -> usize {
        self.rows.x.len() / self.dim
    }

    pub(crate) fn packed(&self) -> &Packed {
        &self.packed
    }

    /// What [`head`](Self::head) gave last, and the threads.
    pub(crate) fn last_head(&mut self) -> (&[f32], &mut Team) {
        (&self.rows.logits, &mut self.team)
    }

    pub(crate) fn threads(&self) -> usize {
        self.team.threads()
    }

    /// Caches of a sequence.
    fn stride(&self) -> usize {
        self.caches.len() / self.sequences
    }

    /// Makes `positions` of `to` those of `from`, another sequence; the first is
    /// that of a block.
    pub(crate) fn copy(&mut self, from: usize, to: usize, positions: Range<usize>) {
        let stride = self.stride();
        let (low, high) = self.caches.split_at_mut(from.max(to) * stride);
        let (low, high) = (
            &mut low[from.min(to) * stride..][..stride],
            &mut high[..stride],
        );
        let (source, target) = if from < to { (low, high) } else { (high, low) };
        copy_all(target, source, positions);
    }

    /// Makes `prefix` the first positions of a sequence.
    pub(crate) fn share(&mut self, sequence: usize, prefix: Prefix) {
        let stride = self.stride();
        let shared = &mut self.shared[prefix.index * stride..][..stride];
        let own = &self.caches[sequence * stride..][..stride];
        copy_all(shared, own, 0..prefix.positions);
    }

    /// Makes `positions` of a prefix a sequence's own; the first is that of a
    /// block.
    pub(crate) fn keep(&mut self, sequence: usize, prefix: Prefix, positions: Range<usize>) {
        let stride = self.stride();
        let shared = &self.shared[prefix.index * stride..][..stride];
        let own = &mut self.caches[sequence * stride..][..stride];
        copy_all(own, shared, positions);
    }

    /// Makes row `row` the embedding of `id` at `position`.
    pub(crate) fn embed(&mut self, row: usize, id: u32, position: usize) {
        let x = &mut self.rows.x[row * self.dim..][..self.dim];
        x.fill(0.0);
        self.packed.ids.add(id as usize, x);
        if let Some(positions) = &self.packed.positions {
            positions.add(position, x);
        }
    }

    /// All blocks over the embedded rows, which are those of `spans`.
    pub(crate) fn layers(&mut self, spans: &[Span]) {
        let count = spans.iter().map(|span| span.rows).sum::<usize>();
        let (dim, team, rows) = (self.dim, &mut self.team, &mut self.rows);
        for (index, layer) in self.packed.layers.iter().enumerate() {
            let x = &mut rows.x[..count * dim];
            let normed = [
                (&layer.norm1, &mut rows.normed1),
                (&layer.norm2, &mut rows.normed2),
            ];
            if let Some(rounded) = &mut rows.rounded {
                original_bf16::round(x);
                for (norm, out) in normed {
                    let normed = &mut rounded[..x.len()];
                    original_bf16::norm(x, &norm.weight, &norm.bias, normed);
                    convert(team, [Conversion::plain(normed, out)]);
                }
            } else {
                convert(team, normed.map(|(norm, out)| norm.of(x, out)));
            }
            let qkv = Product {
                weights: &layer.qkv,
                bias: None,
                input: &rows.normed1,
                then: Then::Store,
            };
            let expand = Product {
                weights: &layer.expand.weight,
                bias: Some(&layer.expand.bias),
                input: &rows.normed2,
                then: Then::Silu,
            };
            let qkv = Output {
                products: &[qkv],
                out: &mut rows.qkv,
            };
            products(team, count, qkv);
            if let Some(rotary) = &self.rotary {
                turn(rotary, spans, &mut rows.qkv, dim);
            }
            let attended = &mut rows.attended[..count * dim];
            let caches = Caches {
                own: &mut self.caches,
                shared: &self.shared,
            };
            let attend = self
                .attention
                .tasks(team, index, spans, caches, &rows.qkv, attended);
            let expand = Output {
                products: &[expand],
                out: &mut rows.hidden,
            };
            let expand = Products::new(team, count, expand);
            // One waits for memory, the other for arithmetic.
            team.run_all(&[&attend, &expand]);
            if rows.rounded.is_some() {
                original_bf16::round(attended);
            }
            let hidden = &rows.hidden[..count * rows.expanded.columns()];
            let mixed = Conversion::plain(attended, &mut rows.mixed);
            let expanded = Conversion::plain(hidden, &mut rows.expanded);
            convert(team, [mixed, expanded]);
            let output = Product {
                weights: &layer.output.weight,
                bias: Some(&layer.output.bias),
                input: &rows.mixed,
                then: Then::Add,
            };
            let contract = Product {
                weights: &layer.contract.weight,
                bias: Some(&layer.contract.bias),
                input: &rows.expanded,
                then: Then::Add,
            };
            let output = Output {
                products: &[output, contract],
                out: x,
            };
            products(team, count, output);
        }
    }

    /// The logits of `count` rows from `first` on, at most as many as there are
    /// sequences, f32 `[count, vocab_size]`.
    pub(crate) fn head(&mut self, first: usize, count: usize) -> &[f32] {
        let (norm, head, rows) = (&self.packed.norm, &self.packed.head, &mut self.rows);
        let x = &rows.x[first * self.dim..][..count * self.dim];
        convert(&mut self.team, [norm.of(x, &mut rows.normed1)]);
        let product = Product {
            weights: &head.weight,
            bias: Some(&head.bias),
            input: &rows.normed1,
            then: Then::Store,
        };
        let output = Output {
            products: &[product],
            out: &mut rows.logits,
        };
        products(&mut self.team, count, output);
        &rows.logits[..count * head.bias.len()]
    }
}

/// Turns the queries and keys of rows `[query, key, value]`, f32 `[rows, 3 dim]`.
fn turn(rotary: &Rotary, spans: &[Span], qkv: &mut [f32], dim: usize) {
    for span in spans {
        let rows = qkv.chunks_exact_mut(3 * dim).skip(span.row).take(span.rows);
        for (position, row) in (span.position..).zip(rows) {
            rotary.turn(position, &mut row[..2 * dim]);
        }
    }
}

fn copy_all(to: &mut [HeadCache], from: &[HeadCache], positions: Range<usize>) {
    for (to, from) in to.iter_mut().zip(from) {
        to.copy_from(from, positions.clone());
    }
}

impl Rows {
    fn new(
        config: &ModelConfig,
        format: WeightFormat,
        rows: usize,
        sequences: usize,
        threads: usize,
    ) -> Self {
        let (dim, hidden) = (config.dim, config.dim * MLP_MULTIPLE);
        let activations = |columns| Activations::new(format, rows, columns, threads);
        Self {
            x: vec![0.0; rows * dim],
            qkv: vec![0.0; rows * 3 * dim],
            attended: vec![0.0; rows * dim],
            hidden: vec![0.0; rows * hidden],
            logits: vec![0.0; sequences * config.vocab_size],
            normed1: activations(dim),
            normed2: activations(dim),
            mixed: activations(dim),
            expanded: activations(hidden),
            rounded: config.use_bf16.then(|| vec![0.0; rows * dim]),
        }
    }
}
