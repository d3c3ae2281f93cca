//! The transformer for decoding on any of Burn's devices.
//!
//! It keeps the caches that [`Engine`](crate::Engine) keeps, as tensors on the
//! device: ids, positions and masks go there, logits come back. A pass takes the
//! next id of several sequences or many ids of one.

use burn::tensor::activation::{silu, softmax};
use burn::tensor::{Bool, Device, IndexingUpdateOp, Int, Tensor, TensorData, s};
use kernels::Team;
use model::block::Block;
use model::rotary::Rotary;
use model::{ModelConfig, Transformer, Weights, parameters};

use crate::decoder::Decoder;
use crate::error::EngineError;
use crate::used::Used;
use crate::weight_file::Tensors;

/// Keys are looked at in multiples of so many positions, so that a growing
/// sequence does not ask for a new kernel with every id.
const STRIDE: usize = 32;

/// A model on a device, with the caches of its sequences.
pub struct DeviceEngine {
    model: Transformer,
    device: Device,
    used: Used,
    /// The angles of all positions, where these are rotary.
    rotary: Option<Rotary>,
    /// One a layer.
    caches: Vec<Cache>,
    logits: Vec<f32>,
    team: Team,
}

/// What a layer remembers, `[sequences * capacity, dim]` each.
struct Cache {
    keys: Tensor<2>,
    values: Tensor<2>,
}

/// The rows of one pass: equally many ids of each of some sequences.
struct Rows {
    sequences: usize,
    each: usize,
    /// Rows of the cache that they fill, `[sequences * each]`.
    places: Tensor<1, Int>,
    /// The first sequence, and all of them where they do not follow one another,
    /// `[sequences]`.
    first: usize,
    scattered: Option<Tensor<1, Int>>,
    /// Positions of a sequence, and how many of them are looked at.
    capacity: usize,
    keys: usize,
    /// `[sequences, 1, each, keys]`; true hides the key.
    hidden: Tensor<4, Bool>,
    /// The angles of the rows' positions.
    rotary: Option<Rotary>,
}

impl DeviceEngine {
    /// Puts `weights`, f32, on `device`, with caches for `sequences` (at least 1)
    /// of `capacity` positions; 0 means as many as the model has.
    ///
    /// # Errors
    /// [`EngineError::Config`], [`EngineError::Capacity`] or
    /// [`EngineError::Weights`].
    pub fn new(
        config: &ModelConfig,
        weights: impl Tensors,
        device: &Device,
        sequences: usize,
        capacity: usize,
    ) -> Result<Self, EngineError> {
        config.validate()?;
        weights.check(config)?;
        let used = Used::new(config, sequences.max(1), capacity)?;
        let mut all = Weights::default();
        for parameter in parameters(config) {
            let mut values = vec![0.0; parameter.shape.iter().product()];
            weights.read(&parameter.name, 0, &mut values)?;
            all.insert(parameter.name, parameter.shape, values);
        }
        let device = device.clone().inner();
        let empty = || Tensor::zeros([used.sequences() * used.capacity(), config.dim], &device);
        let cache = |_| Cache {
            keys: empty(),
            values: empty(),
        };
        Ok(Self {
            model: Transformer::new(config, all, &device)?,
            caches: (0..config.num_layers).map(cache).collect(),
            rotary: (config.rotary).then(|| Rotary::new(used.capacity(), config.head_dim, &device)),
            device,
            used,
            logits: Vec::new(),
            team: Team::new(1),
        })
    }

    /// Feeds equally many of `ids` to each of `sequences` and keeps the logits
    /// after the last of each.
    fn pass(&mut self, sequences: &[usize], ids: &[u32]) -> Result<&[f32], EngineError> {
        let each = ids.len() / sequences.len();
        let positions = sequences.iter().flat_map(|sequence| {
            let start = self.used.of(*sequence);
            start..start + each
        });
        let positions = self.ints(positions);
        let rows = self.rows(sequences, each, &positions);
        let ids = self.ints(ids.iter().map(|id| *id as usize));
        let model = &self.model;
        let mut x = model.id_embeddings.weight.val().select(0, ids);
        if let Some(learned) = &model.pos_embeddings {
            x = x + learned.weight.val().select(0, positions);
        }
        let heads = model.config().heads;
        let layers = std::mem::take(&mut self.caches)
            .into_iter()
            .zip(&model.decoder.layers);
        let mut caches = Vec::with_capacity(layers.len());
        for (cache, block) in layers {
            let after = parallel_block(x, block, cache, &rows, heads);
            x = after.0;
            caches.push(after.1);
        }
        self.caches = caches;
        let [_, dim] = x.dims();
        let last = x.reshape([rows.sequences, rows.each, dim]);
        let last = last.narrow(1, rows.each - 1, 1);
        let last = last.reshape([rows.sequences, dim]);
        let products = self.model.norm_out.forward(last);
        let products = products.matmul(self.model.head_weight().transpose());
        let logits = products + self.model.out_head.bias.val().unsqueeze();
        self.logits = model::access::values(logits)?;
        for sequence in sequences {
            self.used.grow(*sequence, rows.each);
        }
        Ok(&self.logits)
    }

    fn rows(&self, sequences: &[usize], each: usize, positions: &Tensor<1, Int>) -> Rows {
        let capacity = self.used.capacity();
        let of = |sequence: &usize| {
            let start = self.used.of(*sequence);
            start..start + each
        };
        let places = sequences.iter().flat_map(|sequence| {
            let start = sequence * capacity + self.used.of(*sequence);
            start..start + each
        });
        let longest = sequences.iter().map(|s| self.used.of(*s) + each).max();
        let keys = longest
            .unwrap_or(each)
            .next_multiple_of(STRIDE)
            .min(capacity);
        let queries = sequences.iter().flat_map(of);
        let hidden = queries.flat_map(|query| (0..keys).map(move |key| key > query));
        let hidden = TensorData::new(hidden.collect(), [sequences.len(), 1, each, keys]);
        let first = sequences.first().copied().unwrap_or(0);
        let consecutive = sequences.iter().copied().eq(first..first + sequences.len());
        Rows {
            sequences: sequences.len(),
            each,
            places: self.ints(places),
            first,
            scattered: (!consecutive).then(|| self.ints(sequences.iter().copied())),
            capacity,
            keys,
            hidden: Tensor::from_data(hidden, &self.device),
            rotary: (self.rotary.as_ref()).map(|all| all.at(positions, sequences.len())),
        }
    }

    fn ints(&self, values: impl Iterator<Item = usize>) -> Tensor<1, Int> {
        let values: Vec<i64> = values.map(|value| value as i64).collect();
        let count = values.len();
        Tensor::from_data(TensorData::new(values, [count]), &self.device)
    }
}

impl Decoder for DeviceEngine {
    fn config(&self) -> &ModelConfig {
        self.model.config()
    }

    fn capacity(&self) -> usize {
        self.used.capacity()
    }

    fn sequences(&self) -> usize {
        self.used.sequences()
    }

    fn truncate(&mut self, sequence: usize, positions: usize) -> Result<(), EngineError> {
        self.used.truncate(sequence, positions)
    }

    fn copy(&mut self, from: usize, to: usize) -> Result<(), EngineError> {
        let count = self.used.copy(from, to)?;
        let (from, to) = (from * self.capacity(), to * self.capacity());
        if count == 0 {
            return Ok(());
        }
        let copied = |table: Tensor<2>| {
            let rows = table.clone().narrow(0, from, count);
            table.slice_assign(s![to..to + count], rows)
        };
        let caches = std::mem::take(&mut self.caches).into_iter();
        let copied = caches.map(|Cache { keys, values }| Cache {
            keys: copied(keys),
            values: copied(values),
        });
        self.caches = copied.collect();
        Ok(())
    }

    fn feed(&mut self, sequence: usize, ids: &[u32]) -> Result<&[f32], EngineError> {
        self.used.check(sequence, ids)?;
        self.pass(&[sequence], ids)
    }

    fn step(&mut self, ids: &[(usize, u32)]) -> Result<&[f32], EngineError> {
        self.used.check_step(ids)?;
        let (sequences, ids): (Vec<_>, Vec<_>) = ids.iter().copied().unzip();
        self.pass(&sequences, &ids)
    }

    fn stepped(&mut self) -> (&[f32], &mut Team) {
        (&self.logits, &mut self.team)
    }
}

/// The training model's block over the rows of a pass, `[rows, dim]`, and over
/// what the cache remembers.
fn parallel_block(
    x: Tensor<2>,
    block: &Block,
    cache: Cache,
    rows: &Rows,
    heads: usize,
) -> (Tensor<2>, Cache) {
    let [count, dim] = x.dims();
    let attn = &block.attn;
    let normed = block.norm1.forward(x.clone());
    let key = rows.turn(attn.key_proj.forward(normed.clone()), heads);
    let cache = Cache {
        keys: rows.write(cache.keys, key),
        values: rows.write(cache.values, attn.value_proj.forward(normed.clone())),
    };
    let query = rows.turn(attn.query_proj.forward(normed), heads);
    let query = query / ((dim / heads) as f64).sqrt();
    let query = query.reshape([rows.sequences, rows.each, heads, dim / heads]);
    let (keys, values) = (
        rows.read(&cache.keys, heads),
        rows.read(&cache.values, heads),
    );
    let scores = query.swap_dims(1, 2).matmul(keys.swap_dims(2, 3));
    let hidden = rows.hidden.clone().expand(scores.shape());
    let weights = softmax(scores.mask_fill(hidden, f32::MIN), 3);
    let merged = weights.matmul(values).swap_dims(1, 2);
    let attention = attn.output_proj.forward(merged.reshape([count, dim]));
    let mut mlp = block.norm2.forward(x.clone());
    for (index, linear) in block.fc.layers.iter().enumerate() {
        mlp = if index == 0 { mlp } else { silu(mlp) };
        mlp = linear.forward(mlp);
    }
    (x + attention + mlp, cache)
}

impl Rows {
    /// Turns queries or keys of these rows, `[rows, dim]`, to their positions.
    fn turn(&self, x: Tensor<2>, heads: usize) -> Tensor<2> {
        let Some(rotary) = &self.rotary else {
            return x;
        };
        let [count, dim] = x.dims();
        let x = x.reshape([self.sequences, self.each, heads, dim / heads]);
        let turned = rotary.turn(x.swap_dims(1, 2));
        turned.swap_dims(1, 2).reshape([count, dim])
    }

    /// Puts keys or values of these rows, `[rows, dim]`, into a layer's table.
    fn write(&self, table: Tensor<2>, new: Tensor<2>) -> Tensor<2> {
        table.select_assign(0, self.places.clone(), new, IndexingUpdateOp::Assign)
    }

    /// What these rows look at, `[sequences, heads, keys, head_dim]`.
    fn read(&self, table: &Tensor<2>, heads: usize) -> Tensor<4> {
        let [places, dim] = table.dims();
        let shape = [places / self.capacity, self.capacity, heads, dim / heads];
        let all = table.clone().reshape(shape).narrow(1, 0, self.keys);
        let seen = match &self.scattered {
            None => all.narrow(0, self.first, self.sequences),
            Some(sequences) => all.select(0, sequences.clone()),
        };
        seen.swap_dims(1, 2)
    }
}
