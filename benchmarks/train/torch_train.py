"""Trains the same model in PyTorch on random tokens and prints one JSON line.

The line holds the arguments, each step's tokens a second, losses, the peak memory
and PyTorch's version. A step is forward, backward, clipping and AdamW.
"""

import argparse
import ctypes
import json
import resource
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VOCABULARY = 10_000
# heads, width of a head, layers, positions
SIZES = {
    "tiny": (4, 32, 4, 512),
    "small": (4, 64, 6, 1024),
    "default": (8, 64, 8, 1024),
}


@torch.library.custom_op("benchmark::onednn", mutates_args=())
def onednn(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x weight^T + bias by oneDNN; x is (rows, in), weight (out, in)."""
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


@onednn.register_fake
def _(x, weight, bias=None):
    return x.new_empty(x.shape[0], weight.shape[0])


class OneDnnLinear(torch.autograd.Function):
    """A linear layer whose three f32 products oneDNN computes (PyTorch's go to MKL)."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        return onednn(x, weight, bias)

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        x_gradient = onednn(gradient, weight.t())
        weight_gradient = onednn(gradient.t(), x.t())
        return x_gradient, weight_gradient, gradient.sum(0) if ctx.has_bias else None


class Linear(nn.Linear):
    """nn.Linear, by oneDNN where `use_onednn`."""

    use_onednn = False

    def forward(self, x):
        if not self.use_onednn:
            return super().forward(x)
        rows = x.reshape(-1, self.in_features)
        return OneDnnLinear.apply(rows, self.weight, self.bias).view(*x.shape[:-1], -1)


class Block(nn.Module):
    """x + attention(norm1 x) + mlp(norm2 x)."""

    def __init__(self, heads, head_width, dropout):
        super().__init__()
        width = heads * head_width
        self.heads, self.dropout = heads, dropout
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v = (Linear(width, width, bias=False) for _ in range(3))
        self.output = Linear(width, width)
        self.up, self.down = Linear(width, 4 * width), Linear(4 * width, width)

    def place(self, x):
        """Tells queries or keys, (..., heads, positions, width), where they are."""
        return x

    def forward(self, x):
        normed = self.norm1(x)
        q, k, v = (
            project(normed).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project in (self.q, self.k, self.v)
        )
        q, k = self.place(q), self.place(k)
        attended = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout, is_causal=True)
        attended = self.output(attended.transpose(1, 2).flatten(2))
        return x + attended + self.down(F.silu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    """Tokens and labels, both (sequences, positions), to the mean cross-entropy."""

    def __init__(self, heads, head_width, layers, positions, dropout):
        super().__init__()
        width = heads * head_width
        self.tokens = nn.Embedding(VOCABULARY, width)
        self.positions = nn.Embedding(positions, width)
        self.blocks = nn.ModuleList(Block(heads, head_width, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = Linear(width, VOCABULARY)

    def forward(self, tokens, labels):
        x = self.tokens(tokens) + self.positions.weight
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.norm(x))
        return F.cross_entropy(logits.flatten(0, 1), labels.flatten())


def optimizer_of(model):
    """AdamW in one pass over all; decay on weights of linear layers and norms."""
    decayed, others = [], []
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            decays = name == "weight" and not isinstance(module, nn.Embedding)
            (decayed if decays else others).append(parameter)
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=4e-4, fused=True)


def keep_freed_memory():
    """Makes glibc's malloc hold on to large buffers, so that steps reuse their pages."""
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    libc = ctypes.CDLL(None)
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, 2**31 - 1)
    libc.mallopt(top_pad, 2**28)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("sequences", type=int)
    parser.add_argument("steps", type=int)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--mode", choices=["eager", "compiled"], default="eager")
    parser.add_argument("--linears", choices=["mkl", "onednn"], default="mkl", help="of f32")
    parser.add_argument("--memory", choices=["returned", "kept"], default="returned")
    parser.add_argument("--at-a-time", type=int, help="sequences; gradients are summed up")
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    if arguments.memory == "kept":
        keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    Linear.use_onednn = arguments.linears == "onednn"
    size = SIZES[arguments.size]
    positions = size[-1]
    model = Transformer(*size, arguments.dropout)
    optimizer = optimizer_of(model)
    run = torch.compile(model) if arguments.mode == "compiled" else model
    ids = torch.arange(arguments.sequences * positions + 1) * 7919 % (VOCABULARY - 3) + 3
    tokens, labels = ids[:-1].view(-1, positions), ids[1:].view(-1, positions)
    at_a_time = arguments.at_a_time or arguments.sequences
    parts = list(zip(tokens.split(at_a_time), labels.split(at_a_time)))

    rates, losses = [], []
    for _ in range(arguments.steps):
        began = time.perf_counter()
        total = 0.0
        for part in parts:
            with torch.autocast("cpu", torch.bfloat16, enabled=arguments.precision == "bf16"):
                loss = run(*part) / len(parts)
            loss.backward()
            total += loss.item()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(total)
        rates.append(round(tokens.numel() / (time.perf_counter() - began)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = {
        "arguments": vars(arguments),
        "tokens_per_second": rates,
        "losses": losses,
        "peak_memory_mb": peak * 1024 // 1_000_000,
        "torch": torch.__version__,
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
