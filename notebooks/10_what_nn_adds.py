# %% [markdown]
# # 10 · What `nn` adds
#
# After this lesson you can
#
# - write the heart of `nn.Module` in a dozen lines, and say how it finds parameters, and which ones it misses;
# - save a network as a state dict, load it into another one, and hand it to PyTorch;
# - look inside a running network with hooks;
# - open `Linear`, `Conv2d`, `BatchNorm1d`, `Dropout` and `MultiheadAttention`, and find only tensor operations that you know.
#
# You need tensors, `backward()`, and a training loop. The message is short: **`nn` contains no mathematics that you could not
# write yourself.** It keeps order: which tensors are trained, what they are called, how they are saved.

# %%
import tempfile
import zipfile
from pathlib import Path

import tinygrad_edu as torch
from tinygrad_edu import nn
from tinygrad_edu.learn import check, check_function, predict
from tinygrad_edu.learn.widgets.layers import layers_opened
from tinygrad_edu.viz import summary

_ = torch.manual_seed(10)

# %% [markdown]
# ## 1. Without `nn`
#
# A network with one hidden layer, by raw tensors. It needs four of them, and a function:

# %%
W1, b1 = (
    (torch.randn(4, 8) * (2 / 4) ** 0.5).requires_grad_(),
    torch.zeros(8, requires_grad=True),
)
W2, b2 = (
    (torch.randn(8, 3) * (1 / 8) ** 0.5).requires_grad_(),
    torch.zeros(3, requires_grad=True),
)


def by_hand(x):
    return (x @ W1 + b1).relu() @ W2 + b2


parameters = [W1, b1, W2, b2]  # forget one of them, and it is silently never trained
print(by_hand(torch.randn(2, 4)).shape, sum(p.numel() for p in parameters), "parameters")

# %% [markdown]
# The list is the weak point. With four tensors it is easy; a real network has hundreds. What we want is an object that holds
# its tensors as attributes and **finds them by itself**. A dozen lines:


# %%
class Module:
    """Something that has weights, or parts that have weights."""

    def named_weights(self, before=""):
        for name, value in vars(self).items():
            if isinstance(value, torch.Tensor) and value.requires_grad:
                yield before + name, value
            elif isinstance(value, Module):
                yield from value.named_weights(before + name + ".")

    def __call__(self, *inputs):
        return self.forward(*inputs)


# %%
class Linear(Module):
    def __init__(self, inputs, outputs):
        self.weight = (torch.randn(outputs, inputs) * (2 / inputs) ** 0.5).requires_grad_()
        self.bias = torch.zeros(outputs, requires_grad=True)

    def forward(self, x):
        return x @ self.weight.T + self.bias


class Network(Module):
    def __init__(self):
        self.first, self.second = Linear(4, 8), Linear(8, 3)

    def forward(self, x):
        return self.second(self.first(x).relu())


mine = Network()
for name, weight in mine.named_weights():
    print(f"{name:14} {tuple(weight.shape)}")

# %% [markdown]
# That is the idea of `nn.Module`: walk through the attributes, collect what is marked, and put together **names** out of the
# attributes' names. Our mark is `requires_grad`. The real one uses a class of its own, `nn.Parameter`, so that a tensor which
# requires a gradient for some other reason is not taken for a weight. `nn.Linear` marks its two:


# %%
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.second(self.first(x).relu())


net = Net()
for name, parameter in net.named_parameters():
    print(f"{name:14} {tuple(parameter.shape)}")
assert [n for n, _ in net.named_parameters()] == [n for n, _ in mine.named_weights()]

# %% [markdown]
# With the same weights they compute the same:

# %%
with torch.no_grad():
    for theirs, (_, ours) in zip(net.parameters(), mine.named_weights(), strict=True):
        theirs.copy_(ours)
x = torch.randn(5, 4)
print("largest difference:", (net(x) - mine(x)).abs().max().item())
assert torch.allclose(net(x), mine(x), atol=1e-6)

# %%
predict(
    "`self.layers = [nn.Linear(4, 8), nn.Linear(8, 3)]` in a module: how many parameters does `parameters()` find?",
    ["4", "2", "0"],
    "0",
    {
        "4": "Only if the list were an nn.ModuleList.",
        "2": "The layers are not found at all, so none of their parameters is.",
        "0": "A Python list is no module, and nobody looks into it. nn.ModuleList is a list that is a module.",
    },
)


# %%
class Lost(nn.Module):
    def __init__(self, container):
        super().__init__()
        self.layers = container([nn.Linear(4, 8), nn.Linear(8, 3)])


print("in a list:      ", len(list(Lost(list).parameters())), "parameters")
print("in a ModuleList:", len(list(Lost(nn.ModuleList).parameters())), "parameters")
assert len(list(Lost(list).parameters())) == 0 and len(list(Lost(nn.ModuleList).parameters())) == 4

# %% [markdown]
# Another mark is missing, too: a tensor that belongs to the network, is saved and moved with it, but is *not* trained, as a
# running mean. That is a **buffer**: `self.register_buffer("mean", torch.zeros(3))`.
#
# `nn.Sequential` is the shortest network: its parts one after the other, named 0, 1, 2. This is how the package sees it:

# %%
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
print(net)
summary(net, torch.randn(5, 4))

# %% [markdown]
# ## 2. State dicts: a network in a file
#
# All parameters and buffers with their names, in a dictionary, is a *state dict*. It holds no code: whoever loads it
# must build the same network first, then pour the numbers in.

# %%
folder = Path(tempfile.mkdtemp())
torch.save(net.state_dict(), folder / "net.pt")

torch.manual_seed(99)  # another network, with other random weights
other = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
print("before:", torch.equal(net(x), other(x)))
print(other.load_state_dict(torch.load(folder / "net.pt")))
print("after: ", torch.equal(net(x), other(x)))
assert torch.equal(net(x), other(x))

# %% [markdown]
# The names and shapes must fit, and the error says exactly what does not:

# %%
try:
    nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 3)).load_state_dict(net.state_dict())
except RuntimeError as error:
    print(error)

# %% [markdown]
# The file is PyTorch's own format: a zip archive with the numbers as plain bytes, and a small description.

# %%
with zipfile.ZipFile(folder / "net.pt") as archive:
    for entry in archive.infolist():
        print(f"{entry.file_size:5} bytes  {entry.filename}")

# %% [markdown]
# So PyTorch reads it, where it is installed, and computes the same:

# %%
try:
    import torch as pytorch  # the real one: `torch` in this notebook is this package
except ImportError:
    pytorch = None
    print(
        "PyTorch is not installed here; with it, this cell loads net.pt into a torch.nn.Sequential."
    )

if pytorch is not None:
    real = pytorch.nn.Sequential(
        pytorch.nn.Linear(4, 8), pytorch.nn.ReLU(), pytorch.nn.Linear(8, 3)
    )
    real.load_state_dict(pytorch.load(folder / "net.pt", weights_only=True))
    gap = abs(real(pytorch.from_numpy(x.numpy())).detach().numpy() - net(x).detach().numpy()).max()
    print(f"PyTorch has loaded it; its answers differ by at most {gap:.0e}")
    assert gap < 1e-5

# %% [markdown]
# ## 3. Hooks: look inside while it runs
#
# `forward` gives you the last result. What happens in between? A *hook* is a function that a layer calls after it has run,
# with its inputs and its output. You need not change the network:

# %%
deep = nn.Sequential(*[part for _ in range(6) for part in (nn.Linear(64, 64), nn.Tanh())])


def report(name):
    def hook(module, inputs, output):
        bar = "█" * round(40 * output.std().item())
        print(f"{name:3} {type(module).__name__:7} spread {output.std().item():.3f} {bar}")

    return hook


handles = [part.register_forward_hook(report(name)) for name, part in deep.named_children()]
deep(torch.randn(100, 64))
for handle in handles:
    handle.remove()  # or it goes on printing

# %% [markdown]
# The signal fades from layer to layer: PyTorch's default weights are a little too small for a deep tanh network. (Lesson 1 shows
# which scale keeps it alive, lesson 12 what happens to the gradients.) With the scale $1/\sqrt{n}$ times $5/3$:

# %%
spreads = []
for part in deep:
    if isinstance(part, nn.Linear):
        nn.init.xavier_normal_(part.weight, gain=nn.init.calculate_gain("tanh"))
last = deep[-1].register_forward_hook(
    lambda module, inputs, output: spreads.append(output.std().item())
)
deep(torch.randn(100, 64))
last.remove()
print(f"spread after the last layer: {spreads[0]:.3f}")
assert spreads[0] > 0.4

# %% [markdown]
# ## 4. The layers, opened
#
# Every layer is a few tensor operations. Choose one, look at what goes in and what comes out, and open it line by line. The
# code you see is the code that was run.

# %%
layers_opened()

# %% [markdown]
# The same in code, for the five that are worth knowing by heart: each layer beside what it does, by hand.
#
# **Linear.** PyTorch stores the weight as (outputs, inputs), so it is transposed in the product.


# %%
def compare(what, by_layer, by_hand):
    """Show that two results are equal, but for rounding."""
    gap = (by_layer - by_hand).abs().max().item()
    print(f"{what}: {tuple(by_layer.shape)}, largest difference {gap:.0e}")
    assert gap < 1e-5 * max(1, by_hand.abs().max().item())


layer, x = nn.Linear(3, 2), torch.randn(4, 3)
compare("Linear", layer(x), x @ layer.weight.T + layer.bias)

# %% [markdown]
# **Conv2d.** Cut a window out of the picture at each place, lay it flat, and send it through a linear layer. The *same* weights at
# each place: that is all the difference to `Linear`. (`unfold(dim, 3, 1)` cuts windows of length 3 along a dimension, one at
# each step of 1; `permute` puts dimensions into another order.)

# %%
layer, pictures = nn.Conv2d(3, 5, kernel_size=3), torch.randn(2, 3, 8, 8)
# (2, 3, 6, 6, 3, 3): for each place a 3 × 3 window
windows = pictures.unfold(2, 3, 1).unfold(3, 3, 1)
rows = windows.permute(0, 2, 3, 1, 4, 5).reshape(2, 6 * 6, 3 * 3 * 3)  # a row for each place
by_hand = (rows @ layer.weight.reshape(5, 27).T + layer.bias).transpose(1, 2).reshape(2, 5, 6, 6)
print("rows", tuple(rows.shape), ": 2 pictures, 36 places, 27 numbers in a window")
compare("Conv2d", layer(pictures), by_hand)

# %% [markdown]
# **BatchNorm1d.** In training: mean 0 and spread 1 over the batch, for each feature, then a learned scale and shift. It keeps
# running means on the side (buffers!), and uses *these* in evaluation, when there may be no batch to compare with. One
# subtlety: the batch is normalised by the variance with $1/n$, and the running variance collects the one with $1/(n-1)$.

# %%
layer, x = nn.BatchNorm1d(3), torch.randn(6, 3) * 5 + 2
mean, variance = x.mean(0), x.var(0, unbiased=False)
by_hand = (x - mean) / (variance + layer.eps) ** 0.5 * layer.weight + layer.bias
compare("BatchNorm1d, training", layer(x), by_hand)

running_mean = 0.9 * torch.zeros(3) + 0.1 * mean  # it began at 0, and has seen one batch
running_var = 0.9 * torch.ones(3) + 0.1 * x.var(0, unbiased=True)
compare("its running mean", layer.running_mean, running_mean)
compare("its running variance", layer.running_var, running_var)

layer.eval()
compare("BatchNorm1d, evaluation", layer(x), (x - running_mean) / (running_var + layer.eps) ** 0.5)
print("parameters", [n for n, _ in layer.named_parameters()])
print("buffers   ", [n for n, _ in layer.named_buffers()])

# %% [markdown]
# **Dropout.** In training each number is set to 0 with probability $p$, and the others are divided by $1 - p$, so that the sum stays
# the same on average. In evaluation it does nothing at all. Same seed, same mask:

# %%
layer, x = nn.Dropout(0.25), torch.ones(10_000)
torch.manual_seed(3)
out = layer(x)
kept = (out != 0).float()
compare("Dropout", out, x * kept / (1 - 0.25))
print(
    f"kept {100 * kept.mean().item():.1f}%, mean before {x.mean().item()}, after {out.mean().item():.3f}"
)
assert abs(kept.mean().item() - 0.75) < 0.02
assert torch.equal(layer.eval()(x), x)  # in evaluation nothing happens

# %% [markdown]
# **MultiheadAttention.** Three projections (questions, offers, contents), split into heads, a softmax over how well questions and
# offers fit, a mixture of the contents, and one more projection. The shapes at the end of each line: batch B, words T, E numbers
# for a word, heads H, D = E / H numbers for a head. (`chunk(3)` cuts into three parts. Lesson 19 builds this step by step.)

# %%
B, T, E, H = 2, 5, 8, 2
D = E // H
layer, x = nn.MultiheadAttention(E, H, batch_first=True), torch.randn(B, T, E)
q, k, v = (x @ layer.in_proj_weight.T + layer.in_proj_bias).chunk(3, dim=-1)  # (B, T, E) each
q, k, v = (t.reshape(B, T, H, D).transpose(1, 2) for t in (q, k, v))  # (B, H, T, D)
shares = (q @ k.transpose(2, 3) / D**0.5).softmax(-1)  # (B, H, T, T)
mixed = (shares @ v).transpose(1, 2).reshape(B, T, E)  # the heads side by side again
by_hand = mixed @ layer.out_proj.weight.T + layer.out_proj.bias
out, mean_shares = layer(x, x, x)
compare("MultiheadAttention", out, by_hand)
compare("its shares, mean of the heads", mean_shares, shares.mean(1))

# %% [markdown]
# And their gradients are the same too, since they are the same operations. For the convolution:

# %%
layer, pictures = nn.Conv2d(3, 5, 3), torch.randn(2, 3, 8, 8)
layer(pictures).square().sum().backward()
from_nn = layer.weight.grad.clone()
layer.weight.grad = None
rows = pictures.unfold(2, 3, 1).unfold(3, 3, 1).permute(0, 2, 3, 1, 4, 5).reshape(2, 36, 27)
(rows @ layer.weight.reshape(5, 27).T + layer.bias).square().sum().backward()
compare("gradient of the weights", from_nn, layer.weight.grad)

# %% [markdown]
# ## 5. `train()` and `eval()`
#
# Two of these layers behave differently in training and in evaluation. A module passes the switch on to all its parts. Forgetting
# it is one of the most common mistakes:

# %%
torch.manual_seed(0)
model = nn.Sequential(
    nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 1)
)
sample = torch.randn(1, 4)
for mode in (model.train, model.eval):
    mode()
    try:
        print(f"{mode.__name__:5}:", [round(model(sample).item(), 4) for _ in range(3)])
    except ValueError as error:
        print(f"{mode.__name__:5}:", str(error).split("\n")[0])

# %% [markdown]
# In training mode a single sample is even an error: batch normalisation has nothing to compare it with. In evaluation the same
# question gets the same answer.
#
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1. LayerNorm by hand.** Like batch normalisation, but over the *features of each sample*: mean and variance along the last
# dimension. Write it for `x` of shape (N, F) with `weight` and `bias` of shape (F,).


# %% tags=["check"]
def check_layer_norm(layer_norm):
    def layer_norm_right(x, weight, bias, eps=1e-5):
        return nn.functional.layer_norm(x, (x.shape[-1],), weight, bias, eps)

    samples = [
        (torch.randn(4, 3) * 3 + 1, torch.rand(3), torch.randn(3)),
        (torch.randn(3, 3), torch.ones(3), torch.zeros(3)),
    ]

    def over_the_batch(x, weight, bias, eps=1e-5):
        return (x - x.mean(0)) / (x.var(0, unbiased=False) + eps) ** 0.5 * weight + bias

    def with_one_less(x, weight, bias, eps=1e-5):
        centred = x - x.mean(-1, keepdim=True)
        return centred / (x.var(-1, keepdim=True) + eps) ** 0.5 * weight + bias

    hints = [
        (
            over_the_batch,
            "That is batch normalisation: each sample is to be compared with itself, along dim -1.",
        ),
        (with_one_less, "The variance is divided by n here, not by n − 1: unbiased=False."),
    ]
    return check_function(
        "layer norm",
        layer_norm,
        layer_norm_right,
        *samples,
        hints=hints,
        atol=1e-5,
        because="No batch, no running means, no train() and eval(): that is why transformers use it.",
    )


# %%
def layer_norm(x, weight, bias, eps=1e-5):
    return None


check_layer_norm(layer_norm)


# %% tags=["solution"]
def layer_norm(x, weight, bias, eps=1e-5):
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred * centred).mean(-1, keepdim=True)
    return centred / (variance + eps) ** 0.5 * weight + bias


assert check_layer_norm(layer_norm)

# %% [markdown]
# **2. Count.** How many parameters have `nn.Linear(784, 128)`, `nn.Conv2d(3, 16, 5)`, `nn.BatchNorm1d(128)`, and `nn.ReLU()`?


# %% tags=["check"]
def check_counts(counts):
    hints = [
        ((784 * 128, 3 * 16 * 25, 256, 0), "The biases are missing: one for each output."),
        ((100480, 1216, 512, 0), "Running mean and variance are buffers: they are not trained."),
        ((100480, 416, 256, 0), "Each of the 16 filters looks at all 3 channels."),
    ]
    right = (784 * 128 + 128, 3 * 16 * 25 + 16, 2 * 128, 0)
    return check(
        "counts",
        counts,
        right,
        hints,
        because="A convolution is small, however large the picture: it has one window's weights for each filter.",
    )


# %%
counts = None  # four numbers
check_counts(counts)

# %% tags=["solution"]
layers = nn.Linear(784, 128), nn.Conv2d(3, 16, 5), nn.BatchNorm1d(128), nn.ReLU()
counts = tuple(sum(p.numel() for p in layer.parameters()) for layer in layers)
assert check_counts(counts)

# %% [markdown]
# **3. Find the mistake.** This module trains, but its scale never changes, and it is not in the state dict either. Repair it.


# %% tags=["check"]
def check_state_dict(Scaled):
    model = Scaled()
    trained = sorted(name for name, _ in model.named_parameters())
    found = {"trained": trained, "saved": sorted(model.state_dict())}
    linear, both = ["linear.bias", "linear.weight"], ["linear.bias", "linear.weight", "scale"]
    hints = [
        (
            {"trained": linear, "saved": linear},
            "The module does not know `scale`: requires_grad alone is no mark for it.",
        ),
        ({"trained": linear, "saved": both}, "A buffer is saved, and not trained."),
    ]
    because = "nn.Parameter is the mark by which a module finds what it is to train."
    return check("state dict", found, {"trained": both, "saved": both}, hints, because=because)


# %%
class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.scale = torch.ones(3, requires_grad=True)

    def forward(self, x):
        return self.linear(x) * self.scale


check_state_dict(Scaled)


# %% tags=["solution"]
class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return self.linear(x) * self.scale


assert check_state_dict(Scaled)

# %% [markdown]
# **4. Dropout's division.** `nn.Dropout(0.8)` in training, and a unit whose output is 3. Which two values can the unit have after
# it, and what is their mean?


# %% tags=["check"]
def check_dropout(answer):
    hints = [
        ((0, 3, 0.6), "The kept values are divided by 1 - p, so that the mean stays what it was."),
        ((0, 3.75, 3), "0.8 is the probability to be dropped, not to be kept."),
    ]
    return check(
        "dropout",
        answer,
        (0.0, 15.0, 3.0),
        hints,
        because="The mean is 3, as without dropout: eval() needs no correction.",
    )


# %%
answer = None  # (the smaller value, the larger one, their mean weighted by how often they come)
check_dropout(answer)

# %% tags=["solution"]
answer = (0.0, 3 / (1 - 0.8), 0.2 * 3 / (1 - 0.8))
assert check_dropout(answer)

# %% [markdown]
# **5. A hook of your own.** Write `shapes(model, x)`: the shape of the output of each child of `model`, in order, as a list of
# tuples. Remove your hooks.

# %%
cnn = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 2))


# %% tags=["check"]
def check_shapes(shapes):
    def shapes_right(model, x):
        found = []
        for child in model.children():
            x = child(x)
            found.append(tuple(x.shape))
        return found

    x = torch.randn(2, 1, 8, 8)
    right = shapes_right(cnn, x)
    answer = shapes(cnn, x)
    verdict = check(
        "shapes", answer, right, hints=[(right[-1:], "One for each child, not the last alone.")]
    )
    left = sum(len(child._forward_hooks) for child in cnn.children())
    if verdict and left:
        for child in cnn.children():
            child._forward_hooks.clear()
        return check(
            "hooks",
            left,
            0,
            {left: f"{left} of your hooks are still there: call remove() on their handles."},
        )
    return verdict


# %%
def shapes(model, x):
    return None


check_shapes(shapes)


# %% tags=["solution"]
def shapes(model, x):
    found = []
    handles = [
        child.register_forward_hook(
            lambda module, inputs, output: found.append(tuple(output.shape))
        )
        for child in model.children()
    ]
    model(x)
    for handle in handles:
        handle.remove()
    return found


assert check_shapes(shapes)
assert all(not child._forward_hooks for child in cnn.children())

# %% [markdown]
# **6. Two switches.** In evaluation one often sees both of them. What does each do?

# %%
predict(
    "`net.eval()` and `with torch.no_grad():` Which one makes dropout stop?",
    ["`net.eval()`", "`torch.no_grad()`", "both", "neither"],
    "`net.eval()`",
    {
        "`net.eval()`": (
            "It changes how layers behave. no_grad() only stops the engine from recording, to save time and memory."
        ),
        "`torch.no_grad()`": "That one stops the recording of the graph; dropout goes on dropping.",
        "both": "They are independent of each other, and in evaluation one usually wants both.",
        "neither": "One of them is the switch of the layers themselves.",
    },
)

# %% [markdown]
# You know what `nn` is made of: nothing that you could not write. The next lesson moves all of it to another device by one
# line (`11_gpu`).
