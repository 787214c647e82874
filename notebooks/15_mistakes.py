# %% [markdown]
# # 15 · Every common mistake, explained and fixed
#
# After this lesson you can
#
# - recognise seventeen mistakes by what they *look* like, since most of them raise no error: the program runs, and learns badly;
# - find each with a tool instead of staring: `viz.lint` and `viz.Linter`, `viz.explain_grad`, `viz.History`, anomaly mode,
#   `viz.profile` and `viz.memory`;
# - say why it happens, and mend it in a line.
#
# Every section goes the same way: **broken**, then **found**, then **mended**. You need a training loop (`08_full_loop`).

# %%
import warnings
from itertools import pairwise

import numpy as np
from IPython.display import display

import tinygrad_edu as torch
from tinygrad_edu import nn, optim, viz
from tinygrad_edu.datasets import Digits, delivery
from tinygrad_edu.learn import check, check_function, predict
from tinygrad_edu.nn import functional as F

# the engine warns of some of these mistakes when they happen; here we want to find them ourselves
warnings.filterwarnings("ignore", message="cross_entropy: the input is the result of a softmax")
warnings.filterwarnings("ignore", message="Using a target size")

# %% [markdown]
# ## The healthy patient
#
# All experiments share 1,438 small digits to learn from, 359 to test on, and these lines. Remember the number
# at the end: it is what a healthy training gives.


# %%
def load(train):
    digits = Digits(train=train)
    return digits.data.float().reshape(-1, 64) / 255, digits.targets


x, y = load(train=True)
x_test, y_test = load(train=False)


def network(*widths, activation=nn.ReLU):
    """Linear layers with an activation between them; the same numbers at the start each time."""
    torch.manual_seed(0)
    layers = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), activation()]
    return nn.Sequential(*layers[:-1])


def train(
    model, optimizer, x=x, y=y, epochs=15, loss_of=F.cross_entropy, history=None, name="loss"
):
    """The loop from lesson 8."""
    for epoch in range(epochs):
        total = 0.0
        for index in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            loss = loss_of(model(x[index]), y[index])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(index)
        if history is not None:
            history.log(epoch, **{name: total / len(x)})


def accuracy(model, x=x_test, y=y_test):
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


model = network(64, 32, 10)
with viz.Linter() as linter:
    train(model, optim.SGD(model.parameters(), lr=0.1))
healthy = accuracy(model)
print(f"test accuracy {healthy:.1%}; the linter says: {linter.findings}")
assert healthy >= 0.93 and not linter.findings

# %% [markdown]
# `viz.Linter` looks over the shoulder of a whole run: what the operations give, what the optimizer does with the weights,
# which batches come. Here it has nothing to say. In a healthy run it keeps quiet; that is half of its use.

# %% [markdown]
# # Part one: the loop
#
# ## 1. The forgotten `zero_grad`
#
# `backward()` **adds** into `.grad`. Without `zero_grad()` each step uses the sum of all gradients since the beginning.

# %%
model = network(64, 32, 10)
optimizer = optim.SGD(model.parameters(), lr=0.1)
with viz.Linter() as linter:
    for index in torch.randperm(len(x)).split(32):
        loss = F.cross_entropy(model(x[index]), y[index])
        loss.backward()
        optimizer.step()
print(f"test accuracy {accuracy(model):.1%}")
print(linter.findings)
assert "no zero_grad" in linter.findings.kinds

# %% [markdown]
# The finding names the cell and the line. `viz.explain_grad` asks the same of a single tensor. It takes the tensor, and a function
# that computes the loss, and *measures*: it computes the gradient anew and compares.

# %%
model = network(64, 32, 10)
batch = x[:32], y[:32]


def batch_loss():
    return F.cross_entropy(model(batch[0]), batch[1])


batch_loss().backward()
batch_loss().backward()
explained = viz.explain_grad(model[0].weight, batch_loss)
print(explained)
assert explained.cause == "doubled"

# %% [markdown]
# **Mended** by `optimizer.zero_grad()` before each `backward()`.
#
# ## 2. The learning rate: too high, too low
#
# The most important number, and the first to suspect.

# %%
history = viz.History()
findings = {}
for rate in (1e-5, 0.1, 3.0):
    model = network(64, 32, 10)
    with viz.Linter() as linter:
        train(
            model, optim.SGD(model.parameters(), lr=rate), history=history, name=f"lr={rate:g} loss"
        )
    findings[rate] = linter.findings
    print(f"lr={rate:g}: test accuracy {accuracy(model):.1%}")
history.plot()

# %% [markdown]
# Two of the curves are flat, for opposite reasons! A flat curve alone does not tell. What tells is **how far a step moves the
# weights compared with their size**. Between a thousandth and a hundredth is usual.

# %%
for rate, found in findings.items():
    print(f"lr={rate:g}:", found)
assert "learning rate too high" in findings[3.0].kinds and not findings[0.1]

# %% [markdown]
# The linter speaks of the high one and also sees what it has left behind (dead units, more on them below). For the low one it says nothing:
# 1e-5 *could* be meant (fine-tuning), and it only speaks when sure. So measure it yourself:


# %%
def update_size(model, optimizer):
    """How far one step moves each weight matrix, against its size."""
    before = {name: p.detach().clone() for name, p in model.named_parameters() if p.ndim > 1}
    optimizer.zero_grad()
    F.cross_entropy(model(x[:32]), y[:32]).backward()
    optimizer.step()
    return {
        name: ((p - before[name]).norm() / p.norm()).item()
        for name, p in model.named_parameters()
        if p.ndim > 1
    }


for rate in (1e-5, 0.1, 3.0):
    model = network(64, 32, 10)
    sizes = update_size(model, optim.SGD(model.parameters(), lr=rate))
    print(f"lr={rate:g}:", {name: f"{size:.1e}" for name, size in sizes.items()})
assert max(sizes.values()) > 0.05

# %% [markdown]
# **Mended** by trying rates a factor of ten apart for a few steps each, and taking the largest that still falls smoothly.
#
# ## 3. No shuffle
#
# The digits are sorted: all zeros first, then all ones. A batch then holds one class only, and each step teaches the
# network that *everything* is this class.

# %%
order = torch.argsort(y, stable=True)
x_sorted, y_sorted = x[order], y[order]


def train_in_order(model, optimizer, shuffle):
    data = torch.utils.data.TensorDataset(x_sorted, y_sorted)
    for _ in range(15):
        for xs, ys in torch.utils.data.DataLoader(data, batch_size=32, shuffle=shuffle):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(xs), ys)
            loss.backward()
            optimizer.step()


for shuffle in (False, True):
    model = network(64, 32, 10)
    with viz.Linter() as linter:
        train_in_order(model, optim.SGD(model.parameters(), lr=0.1), shuffle)
    print(f"shuffle={shuffle}: test accuracy {accuracy(model):.1%}; {linter.findings}")
    if not shuffle:
        assert "same batches" in linter.findings.kinds and accuracy(model) < 0.7
assert accuracy(model) >= 0.93 and not linter.findings

# %% [markdown]
# ## 4. `train()` and `eval()`
#
# Dropout and batch normalisation behave differently while training and while testing, and a module does not know which
# it is: *you* say so. Forgotten `eval()` costs accuracy at random; forgotten `train()` switches the dropout off for good.

# %%
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.6), nn.Linear(128, 10))
optimizer = optim.Adam(model.parameters(), lr=3e-3)
with viz.Linter() as linter:
    train(model, optimizer, epochs=10)
    noisy = [accuracy(model) for _ in range(5)]
print("the same network, asked five times:", [f"{a:.1%}" for a in noisy])
print(linter.findings)
assert "eval mode forgotten" in linter.findings.kinds and len(set(noisy)) > 1

# %%
model.eval()
calm = [accuracy(model) for _ in range(5)]
print("after model.eval():", [f"{a:.1%}" for a in calm])
assert len(set(calm)) == 1 and calm[0] > np.mean(noisy)

# %% [markdown]
# ## 5. An optimizer that holds other parameters
#
# The optimizer gets the tensors, not the model. A layer that is replaced *afterwards* is never updated.

# %%
model = network(64, 32, 10)
optimizer = optim.SGD(model.parameters(), lr=0.1)
model[2] = nn.Linear(32, 10)  # a new last layer, say for other classes
findings = viz.lint(model, lambda: F.cross_entropy(model(x[:64]), y[:64]), optimizer)
print(findings)
assert "parameters not in the optimizer" in findings.kinds

# %% [markdown]
# `viz.lint(model, loss, optimizer)` looks at **one** step, and takes it back afterwards: nothing is changed. Call it before a long
# run. **Mended** by making the optimizer last.

# %% [markdown]
# # Part two: the loss
#
# ## 6. Softmax before `cross_entropy`
#
# `cross_entropy` wants raw scores and takes the softmax itself. Twice is one too many: probabilities lie between 0 and
# 1, so the second softmax can never become sure, and its gradient is small.

# %%
for last in ((nn.Softmax(dim=1),), ()):
    model = nn.Sequential(*network(64, 32, 10), *last)
    with viz.Linter() as linter:
        train(model, optim.SGD(model.parameters(), lr=0.1))
    print(
        f"softmax {'twice' if last else 'once '}: test accuracy {accuracy(model):.1%};",
        linter.findings,
    )
    if last:
        twice = accuracy(model)
        assert "double softmax" in linter.findings.kinds
assert twice < 0.6 < 0.93 <= accuracy(model)

# %% [markdown]
# ## 7. The wrong loss for the output
#
# Squared error on sigmoid outputs runs without complaint. But its gradient carries a factor $p(1 - p)$, and where the
# network is *confidently wrong*, $p$ is near 0 or 1 and this factor is near zero: the worst mistakes teach least.

# %%
score = torch.tensor([-8.0], requires_grad=True)  # sure that it is class 0; it is class 1
target = torch.ones(1)
(mse,) = torch.autograd.grad(F.mse_loss(torch.sigmoid(score), target), score)
(bce,) = torch.autograd.grad(F.binary_cross_entropy_with_logits(score, target), score)
print(f"gradient by squared error {mse.item():.6f}, by cross-entropy {bce.item():.6f}")
assert abs(mse.item()) < 1e-3 and abs(bce.item()) > 0.99


# %%
def squared(scores, y):
    return F.mse_loss(torch.sigmoid(scores), F.one_hot(y, 10).float())


history = viz.History()
reached = {}
for name, loss_of in {"squared error": squared, "cross-entropy": F.cross_entropy}.items():
    model = network(64, 32, 10)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(15):
        train(model, optimizer, epochs=1, loss_of=loss_of)
        history.log(epoch, **{f"{name} accuracy": accuracy(model)})
    reached[name] = history[f"{name} accuracy"][-1]
assert reached["cross-entropy"] > reached["squared error"] + 0.3
history.plot()

# %% [markdown]
# | the output is | last layer | loss |
# |---|---|---|
# | one of several classes | linear | `cross_entropy` |
# | yes or no (each on its own) | linear | `binary_cross_entropy_with_logits` |
# | a number | linear | `mse_loss`, `huber_loss` |
# | log-probabilities, already | `log_softmax` | `nll_loss` |
#
# ## 8. The broadcast trap
#
# A network with one output gives a column, $(N, 1)$. Targets often are a row, $(N)$. Subtract them, and NumPy's broadcasting
# makes a matrix of **all pairs**. No error; and the mean over all pairs is lowest when every prediction is the *average*
# of the targets.

# %%
table, minutes = delivery(400, seed=1)
table = (table - table.mean(0)) / table.std(0)
row = minutes.squeeze(1)  # (400,): this is how it comes out of most files
print("prediction:", tuple(nn.Linear(3, 1)(table).shape), " target:", tuple(row.shape))

for name, target in {"row": row, "column": row.unsqueeze(1)}.items():
    model = network(3, 16, 1)
    with viz.Linter() as linter:
        optimizer = optim.Adam(model.parameters(), lr=0.03)
        for _ in range(500):
            optimizer.zero_grad()
            ((model(table) - target) ** 2).mean().backward()
            optimizer.step()
    guess = model(table).detach().squeeze(1)
    print(
        f"{name:6}: predictions {guess.min().item():5.1f} to {guess.max().item():5.1f} minutes;",
        linter.findings,
    )
    if name == "row":
        assert "pairs" in linter.findings.kinds and guess.std() < 2
print(
    f"truth : {row.min().item():17.1f} to {row.max().item():5.1f} minutes,",
    f"{row.mean().item():.1f} on average",
)
assert not linter.findings and guess.std() > 10

# %% [markdown]
# **Mended** by `prediction.squeeze(1)` or `target.unsqueeze(1)`: one of them, and print both shapes once.

# %% [markdown]
# # Part three: numbers that flow badly
#
# ## 9. Inputs that were not normalised
#
# The same pixels, from 0 to 255 instead of from 0 to 1. The first layer's sums become hundreds of times larger, and
# `tanh` knows only two answers.

# %%
model = network(64, 32, 10, activation=nn.Tanh)
history = viz.History()
history.log_activations(0, model, x)
history.log_activations(1, model, x * 255)
with viz.Linter() as linter:
    train(model, optim.SGD(model.parameters(), lr=0.1), x=x * 255)
print(f"test accuracy {accuracy(model, x_test * 255):.1%}; {linter.findings}")
assert "saturated" in linter.findings.kinds and accuracy(model, x_test * 255) < 0.5
history.plot_activations()

# %% [markdown]
# The picture has two "epochs": 0 is the network with pixels up to 1, 1 is the same network with pixels up to 255. In the
# panel of `Tanh` all values have gone to the two ends, where the curve is flat. **Mended** by `x / 255`, or better by
# subtracting the mean and dividing by the standard deviation (of the *training* data, for both).
#
# ## 10. The saturated sigmoid
#
# The same illness from another cause: somebody wrote `rand` (from 0 to 1) for `randn` (around 0). All weights are positive,
# so the 64 products of a unit add up instead of cancelling. The pixels still go up to 255, and a sigmoid whose input is in the
# thousands has no slope left. `explain_grad` follows the gradient back and says where it ends.

# %%
model = network(64, 32, 10, activation=nn.Sigmoid)
with torch.no_grad():
    model[0].weight.copy_(torch.rand(32, 64))
explained = viz.explain_grad(model[0].weight, lambda: F.cross_entropy(model(255 * x[:32]), y[:32]))
print(explained)
assert explained.cause == "zero: saturated"

# %% [markdown]
# ## 11. The dying relu
#
# A relu unit whose input is negative for *every* sample gives zero, and gets zero gradient: nothing will ever
# change it again. It dies of one step that was too large, or of a bad start.

# %%
model = network(64, 32, 10)
with torch.no_grad():
    model[0].bias -= 10.0  # one step that was too large
findings = viz.lint(model, batch_loss)
print(findings)
explained = viz.explain_grad(model[0].weight, batch_loss)
print(explained)
assert "dead relu" in findings.kinds and explained.cause == "zero: dead relu"

# %%
predict(
    "We train this dead network for ten more epochs, with a good learning rate. What happens?",
    ["it recovers slowly", "the hidden units stay dead", "it explodes"],
    "the hidden units stay dead",
    {
        "it recovers slowly": "What should move the first layer? Its gradient is exactly zero, in every step.",
        "the hidden units stay dead": "Only the last bias learns: how often each digit occurs.",
        "it explodes": "Nothing grows: nothing moves.",
    },
)

# %%
before = model[0].weight.detach().clone()
train(model, optim.SGD(model.parameters(), lr=0.1), epochs=10)
print(
    f"relu:       test accuracy {accuracy(model):.1%}, the first layer is as it was:",
    torch.equal(before, model[0].weight),
)
assert torch.equal(before, model[0].weight)

model[1] = nn.LeakyReLU(0.1)  # a small slope on the negative side: gradients pass
train(model, optim.SGD(model.parameters(), lr=0.1), epochs=60)
print(f"leaky relu: test accuracy {accuracy(model):.1%}")
assert accuracy(model) > 0.6

# %% [markdown]
# ## 12. Vanishing gradients
#
# A deep network of sigmoids. Each layer multiplies the gradient by the slope of the sigmoid, at most $\frac{1}{4}$. Eight
# layers: $4^{-8}$ is less than a fifty-thousandth. `History.log_norms` notes how large the gradient of each layer is.


# %%
def gradient_norms(model):
    """The length of the gradient of each layer's weights, first layer first."""
    model.zero_grad()
    F.cross_entropy(model(x[:256]), y[:256]).backward()
    return [p.grad.norm().item() for name, p in model.named_parameters() if name.endswith("weight")]


deep = (64, *[32] * 8, 10)
model = network(*deep, activation=nn.Sigmoid)
history = viz.History()
for epoch in range(10):
    train(model, optim.SGD(model.parameters(), lr=0.1), epochs=1)
    gradient_norms(model)
    history.log_norms(epoch, model)
norms = gradient_norms(model)
print(f"test accuracy {accuracy(model):.1%}; gradients from the first layer to the last:")
print([f"{n:.0e}" for n in norms])
assert norms[0] < 1e-4 * norms[-1] and accuracy(model) < 0.2
history.plot_norms()

# %% [markdown]
# In the right panel (logarithmic!) the layers lie below each other like a staircase: the signal is lost step by step. **Mended** by an
# activation whose slope is 1 (relu), together with a start that fits it:


# %%
def kaiming(model):
    """Weights that keep the activations' size from layer to layer: variance 2 / fan_in for relu."""
    torch.manual_seed(0)
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    return model


model = kaiming(network(*deep))
norms = gradient_norms(model)
print([f"{n:.0e}" for n in norms])
train(model, optim.SGD(model.parameters(), lr=0.1))
print(f"test accuracy {accuracy(model):.1%}")
assert max(norms) < 10 * min(norms) and accuracy(model) >= 0.93

# %% [markdown]
# ## 13. Exploding gradients
#
# The opposite: weights from plain `randn`. Each layer makes its input about $\sqrt{32/2} = 4$ times larger, and each
# gradient too.

# %%
model = network(*deep)
for layer in model:
    if isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight)
print("gradients:", [f"{n:.0e}" for n in gradient_norms(model)])
with np.errstate(all="ignore"):
    train(model, optim.SGD(model.parameters(), lr=0.1), epochs=1)
print("after one epoch:", batch_loss().item())
assert not np.isfinite(batch_loss().item())

# %% [markdown]
# **Mended** by the start (as above); by normalisation layers; and, where the data now and then make a gradient huge (recurrent networks),
# by cutting it: `nn.utils.clip_grad_norm_`. Cutting keeps the direction and bounds the length, so that one bad step cannot destroy a
# network. But look: it does not make a good start of a bad one.

# %%
model = network(*deep)
torch.manual_seed(0)
for layer in model:
    if isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for _ in range(15):
    for index in torch.randperm(len(x)).split(32):
        optimizer.zero_grad()
        F.cross_entropy(model(x[index]), y[index]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
clipped = accuracy(model)
print(f"plain randn with clipping: test accuracy {clipped:.1%}")
assert np.isfinite(batch_loss().item()) and clipped < 0.9

# %% [markdown]
# # Part four: gradients that do not arrive, and NaN
#
# ## 14. A graph that was cut
#
# `.item()`, `.detach()`, `.numpy()`, `torch.tensor(result)`: each turns a result into a plain number, which has no past. Behind
# it, no gradient passes. The program runs; a part of it never learns.

# %%
torch.manual_seed(0)
encoder, head = nn.Linear(64, 16), nn.Linear(16, 10)


def two_stage_loss():
    code = encoder(x[:32]).relu()
    code = torch.tensor(code.tolist())  # "to be on the safe side"
    return F.cross_entropy(head(code), y[:32])


two_stage_loss().backward()
print("head:", head.weight.grad.norm().item(), "  encoder:", encoder.weight.grad)
explained = viz.explain_grad(encoder.weight, two_stage_loss)
print(explained)
assert encoder.weight.grad is None and explained.cause.startswith("cut by")

# %% [markdown]
# It was not told which line to look at: it reads the numbers that go in, and finds them again behind the cut.
#
# **Mended** by leaving the line out. Use `.item()` for printing, and `.detach()` only where you *mean* "no further".
#
# ## 15. Hunting a NaN
#
# One NaN in a gradient, one step, and every weight is NaN. When you notice, the culprit is long gone. Here is a loss with a trap: the
# *length* of a difference, which is fine until the difference is exactly zero.


# %%
def distance_loss(model, xs, goal):
    difference = model(xs) - goal
    squares = (difference**2).sum(1)
    return torch.sqrt(squares).mean()


torch.manual_seed(0)
mapping = nn.Linear(64, 3)
goal = torch.randn(8, 3)
goal[5] = mapping(x[:8])[5].detach()  # one goal is reached exactly
loss = distance_loss(mapping, x[:8], goal)
loss.backward()
print("loss:", loss.item(), "  gradient:", mapping.weight.grad[0, :4])

# %% [markdown]
# The loss is a perfectly ordinary number, and the gradient is NaN! The slope of $\sqrt{s}$ is $\frac{1}{2\sqrt{s}}$: at
# zero it is infinite. On the way back it meets the slope of the square, which is 0 there, and $\infty \cdot 0$ is NaN.
#
# **Anomaly mode** checks every step of the walk back, and names the first operation that made one:

# %%
mapping.zero_grad()
try:
    with torch.autograd.detect_anomaly():
        distance_loss(mapping, x[:8], goal).backward()
except RuntimeError as error:
    anomaly = error.with_traceback(None)
    print(error)
assert 5 in anomaly.index

# %% [markdown]
# Operation, line, element, values, and what to write instead. The error also carries a picture; red is where it happened.

# %%
try:
    display(anomaly.graph)
except ImportError as error:
    print(error)

# %% [markdown]
# **Mended** as it says. And a common repair that does **not** work:


# %%
def gradient_of(function):
    value = torch.tensor([0.0, 4.0], requires_grad=True)
    function(value).sum().backward()
    return value.grad


print("sqrt(s + 1e-8):           ", gradient_of(lambda s: torch.sqrt(s + 1e-8)))
print("where(s > 0, sqrt(s), 0): ", gradient_of(lambda s: torch.where(s > 0, torch.sqrt(s), 0.0)))
assert torch.isfinite(gradient_of(lambda s: torch.sqrt(s + 1e-8))).all()

# %%
predict(
    "Why is the gradient of `torch.where(s > 0, torch.sqrt(s), 0.0)` at s = 0 not 0? sqrt(0) was not chosen.",
    ["where has no gradient", "0 times infinity", "float32 is too coarse"],
    "0 times infinity",
    {
        "where has no gradient": "It has: the gradient goes to what was chosen, and zeros to the rest.",
        "0 times infinity": "where hands a 0 back to sqrt, which multiplies it with its infinite slope at 0.",
        "float32 is too coarse": "In float64 it is the same.",
    },
)

# %% [markdown]
# The mask must come **before** the operation: `torch.sqrt(torch.where(s > 0, s, 1.0))`, and then a `where` for the result.

# %% [markdown]
# # Part five: right, but slow or hungry
#
# ## 16. A loop where an operation would do
#
# Nothing is wrong with these numbers. `viz.profile` tells where the time goes.


# %%
def one_by_one(model):
    losses = [F.cross_entropy(model(x[i : i + 1]), y[i : i + 1]) for i in range(256)]
    return sum(losses) / 256


def all_at_once(model):
    return F.cross_entropy(model(x[:256]), y[:256])


model = network(64, 32, 10)
assert abs(one_by_one(model).item() - all_at_once(model).item()) < 1e-5
with viz.profile() as slow:
    one_by_one(model).backward()
with viz.profile() as quick:
    all_at_once(model).backward()
print(slow.table(rows=5))
print()
print(quick.table(rows=5))
calls = [sum(row.calls for row in p.ops) for p in (slow, quick)]
print(f"\noperations: {calls[0]} and {calls[1]}")
assert calls[0] > 100 * calls[1]

# %% [markdown]
# Look at the *calls*, not at the times (which are another on each machine): each call costs the same little overhead, whether it
# works on one row or on 256. **Mended** by giving operations whole batches.
#
# ## 17. A total that keeps everything alive
#
# `total += loss` looks harmless. But `loss` is a tensor with a graph behind it, so `total` holds the graphs of *all* batches,
# with all their arrays. `viz.memory` finds who holds what.

# %%
del anomaly, loss  # the error of section 15 holds its graph as well
model = network(64, 32, 10)
total = 0.0
for index in torch.arange(len(x)).split(32):
    total += F.cross_entropy(model(x[index]), y[index])
report = str(viz.memory())
print(report)
assert "total" in report and ".item()" in report

# %%
total = 0.0
for index in torch.arange(len(x)).split(32):
    total += F.cross_entropy(model(x[index]), y[index]).item()
assert "total" not in str(viz.memory())
print("with .item() nothing is held")

# %% [markdown]
# ## What to ask when it does not learn
#
# | what you see | ask | likely |
# |---|---|---|
# | the loss is flat from the start | `Linter`, `update_size`, `explain_grad` | learning rate, dead or saturated units, cut graph, other parameters |
# | it falls, then jumps or is NaN | `Linter`, anomaly mode | learning rate too high, no `zero_grad`, exploding gradients |
# | it learns, but badly | `Linter`, `lint` | double softmax, wrong loss, no shuffle, inputs not normalised |
# | predictions are all the average | `lint`: pairs | broadcasting |
# | each test gives another number | `Linter` | `eval()` forgotten |
# | only the last layers learn | `History.log_norms` | vanishing gradients |
# | a part never learns | `explain_grad` | `.item()`, `.detach()`, `torch.tensor(...)` on the way |
# | slower, or larger, than it should be | `viz.profile`, `viz.memory` | loops over samples, graphs that are held |
#
# And before all of these: **take one batch, and try to learn it by heart.** A network that cannot bring the loss of 32 samples
# near zero has a mistake; no amount of data will mend it.

# %%
model = network(64, 32, 10)
train(model, optim.Adam(model.parameters(), lr=1e-2), *batch, epochs=200)
print(f"loss of one batch, learned by heart: {batch_loss().item():.5f}")
assert batch_loss().item() < 0.01

# %% [markdown]
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1 to 5. Five patients.** Each function below is a training with **one** mistake. Read it, or let the tools look, and name the mistake by one of:
# `"no zero_grad"`, `"learning rate"`, `"no shuffle"`, `"eval forgotten"`, `"optimizer"`, `"double softmax"`, `"pairs"`,
# `"not normalised"`, `"dead relu"`, `"cut graph"`.


# %%
def patient_a():
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for index in torch.randperm(len(x)).split(32):
        log_p = model(x[index]).softmax(1).log_softmax(1)
        optimizer.zero_grad()
        F.nll_loss(log_p, y[index]).backward()
        optimizer.step()


def patient_b():
    model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for index in torch.randperm(400).repeat(2).split(32):
        optimizer.zero_grad()
        error = row[index] - model(table[index])
        error.abs().square().mean().backward()
        optimizer.step()


def patient_c():
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    for index in torch.randperm(len(x)).split(32):
        model.zero_grad
        F.cross_entropy(model(x[index]), y[index]).backward()
        optimizer.step()


def patient_d():
    body = nn.Sequential(nn.Linear(64, 32), nn.ReLU())
    model = nn.Sequential(body, nn.Linear(32, 10))
    optimizer = optim.SGD(model[1].parameters(), lr=0.1)
    for index in torch.randperm(len(x)).split(32):
        optimizer.zero_grad()
        F.cross_entropy(model(x[index]), y[index]).backward()
        optimizer.step()


def patient_e():
    model = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for index in torch.randperm(len(x)).split(32):
        optimizer.zero_grad()
        F.cross_entropy(model(x[index]), y[index]).backward()
        optimizer.step()
    with torch.no_grad():
        for i in range(0, len(x_test), 3):
            model(x_test[i : i + 3]).argmax(1)


# %% tags=["check"]
def check_patients(answers):
    truth = {
        "a": "double softmax",
        "b": "pairs",
        "c": "no zero_grad",
        "d": "optimizer",
        "e": "eval forgotten",
    }
    hints = {
        "a": {
            "cut graph": "All of it is recorded. What does the network end with, and what is done to that?"
        },
        "b": {"not normalised": "The table was normalised above. Print the shape of error."},
        "c": {"learning rate": "0.05 is fine. Which line does nothing at all?"},
        "d": {"cut graph": "The gradients do arrive, everywhere. Who uses them?"},
        "e": {"no shuffle": "randperm shuffles. The training is fine."},
    }
    verdicts = [
        check(f"patient {name}", answers.get(name), truth[name], hints[name]) for name in truth
    ]
    return all(verdicts)


# %%
answers = {"a": None, "b": None, "c": None, "d": None, "e": None}
_ = check_patients(answers)

# %% tags=["solution"]
patients = {"a": patient_a, "b": patient_b, "c": patient_c, "d": patient_d, "e": patient_e}
for patient, run in patients.items():
    torch.manual_seed(0)
    with viz.Linter() as linter:
        run()
    print(f"{patient}: {linter.findings}")

answers = {
    "a": "double softmax",
    "b": "pairs",
    "c": "no zero_grad",
    "d": "optimizer",
    "e": "eval forgotten",
}
assert check_patients(answers)

# %% [markdown]
# **6. A mask that is safe.** Write `safe_log(p)`: the logarithm where $p > 0$, and 0 where $p = 0$, with a gradient that is
# $1/p$ and 0, never NaN. (Entropy, $-\sum p \log p$, needs it.)


# %% tags=["check"]
def check_safe_log(safe_log):
    def both(function, p):
        """Values and gradient of a function, None if it returns nothing."""
        p = p.clone().requires_grad_()
        values = function(p)
        if values is None:
            return None
        return {"values": values.detach(), "gradient": torch.autograd.grad(values.sum(), p)[0]}

    def right(p):
        safe = p.clamp(min=1e-30)
        return {"values": safe.log() * (p > 0), "gradient": (p > 0) / safe}

    def too_late(p):
        return both(lambda p: torch.where(p > 0, p.log(), 0.0), p)

    hints = [(too_late, "log(0) was still computed, and its infinite slope met a 0.")]
    because = "Where p is 0, log saw a 1 and a gradient of 0."
    p = torch.tensor([0.0, 0.5, 1.0])
    return check_function(
        "safe_log", lambda p: both(safe_log, p), right, p, hints=hints, because=because
    )


# %%
def safe_log(p):
    return None


check_safe_log(safe_log)


# %% tags=["solution"]
def safe_log(p):
    inside = torch.where(p > 0, p, 1.0)  # the mask before the operation
    return torch.where(p > 0, inside.log(), 0.0)


assert check_safe_log(safe_log)

# %% [markdown]
# **7. Where does it end?** In `weights` below, only the first matrix has no gradient to speak of. Which *cause* does
# `viz.explain_grad` give (its `.cause`)? Guess first, then ask.

# %%
torch.manual_seed(0)
weights = [torch.randn(64, 32, requires_grad=True), torch.randn(32, 10, requires_grad=True)]


def puzzle():
    hidden = (x[:32] @ weights[0]).clamp(50.0, 60.0)
    return F.cross_entropy(hidden @ weights[1], y[:32])


# %% tags=["check"]
def check_the_cause(cause):
    causes = {
        "zero: dead relu": "There is no relu here.",
        "not used": "It is used; something flat stands in the way.",
    }
    return check(
        "the cause",
        cause,
        "zero: clamped",
        causes,
        because="All sums lie below 50: clamp is flat there.",
    )


# %%
cause = None
check_the_cause(cause)

# %% tags=["solution"]
explained = viz.explain_grad(weights[0], puzzle)
print(explained)
cause = explained.cause
assert check_the_cause(cause)
