"""The same transformer in PyTorch on the CPU, decoding with a key/value cache.

    python torch_decode.py MODE BATCH PROMPT NEW THREADS

Random weights at the default size. MODE is one of
- f32: linear layers as PyTorch runs them (MKL);
- f32-onednn: linear layers on weights that oneDNN has packed;
- bf16: weights and activations in bf16 (oneDNN);
- bf16-onednn: the same on weights that oneDNN has packed.
Queries, keys and values are one product, as are equal prompts of a batch; the
cache is written in place. Prints one line of JSON.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F

VOCABULARY, DIM, HEADS, LAYERS, POSITIONS = 10_000, 512, 8, 8, 1024


class Linear:
    def __init__(self, inputs, outputs, bias, dtype, packed):
        self.weight = (torch.randn(outputs, inputs) * 0.02).to(dtype)
        self.bias = torch.zeros(outputs, dtype=dtype) if bias else None
        self.packed = packed
        if packed:
            self.weight = torch.ops.mkldnn._reorder_linear_weight(self.weight)

    def __call__(self, x):
        if self.packed:
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return F.linear(x, self.weight, self.bias)


class Block:
    def __init__(self, dtype, packed, batch):
        norm = lambda: (torch.ones(DIM, dtype=dtype), torch.zeros(DIM, dtype=dtype))
        self.norm1, self.norm2 = norm(), norm()
        self.qkv = Linear(DIM, 3 * DIM, False, dtype, packed)
        self.output = Linear(DIM, DIM, True, dtype, packed)
        self.expand = Linear(DIM, 4 * DIM, True, dtype, packed)
        self.contract = Linear(4 * DIM, DIM, True, dtype, packed)
        cache = lambda: torch.zeros(batch, HEADS, POSITIONS, DIM // HEADS, dtype=dtype)
        self.keys, self.values = cache(), cache()

    def __call__(self, x, position):
        batch, rows, _ = x.shape
        qkv = self.qkv(F.layer_norm(x, (DIM,), *self.norm1))
        q, k, v = qkv.view(batch, rows, 3, HEADS, DIM // HEADS).permute(2, 0, 3, 1, 4)
        end = position + rows
        self.keys[:batch, :, position:end] = k
        self.values[:batch, :, position:end] = v
        mixed = F.scaled_dot_product_attention(
            q, self.keys[:batch, :, :end], self.values[:batch, :, :end], is_causal=rows > 1)
        attended = self.output(mixed.transpose(1, 2).reshape(batch, rows, DIM))
        hidden = F.silu(self.expand(F.layer_norm(x, (DIM,), *self.norm2)))
        return x + attended + self.contract(hidden)


class Model:
    def __init__(self, dtype, packed, batch):
        self.ids = (torch.randn(VOCABULARY, DIM) * 0.02).to(dtype)
        self.positions = (torch.randn(POSITIONS, DIM) * 0.02).to(dtype)
        self.blocks = [Block(dtype, packed, batch) for _ in range(LAYERS)]
        self.norm = (torch.ones(DIM, dtype=dtype), torch.zeros(DIM, dtype=dtype))
        self.head = Linear(DIM, VOCABULARY, True, dtype, packed)

    def __call__(self, ids, position):
        rows = ids.shape[1]
        x = self.ids[ids] + self.positions[position:position + rows]
        for block in self.blocks:
            x = block(x, position)
        return self.head(F.layer_norm(x[:, -1], (DIM,), *self.norm))


@torch.inference_mode()
def main():
    mode = sys.argv[1]
    batch, prompt, new, threads = map(int, sys.argv[2:6])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    dtype = torch.bfloat16 if mode.startswith("bf16") else torch.float32
    model = Model(dtype, mode.endswith("onednn"), batch)
    ids = torch.randint(3, VOCABULARY, (1, prompt))

    def run(new):
        start = time.perf_counter()
        logits = model(ids, 0)
        prefill = time.perf_counter() - start
        for block in model.blocks:
            block.keys[1:] = block.keys[:1]
            block.values[1:] = block.values[:1]
        logits = logits.expand(batch, -1)
        start = time.perf_counter()
        for i in range(new):
            chosen = torch.multinomial(torch.softmax(logits.float(), -1), 1)
            logits = model(chosen, prompt + i)
        return prefill, time.perf_counter() - start

    run(min(new, 16))
    prefill, decode = run(new)
    print(json.dumps({
        "prefill_seconds": prefill,
        "decode_seconds": decode,
        "tokens_per_second": batch * new / decode,
    }))


main()
