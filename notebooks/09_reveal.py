# %% [markdown]
# # 9 · The reveal
#
# After this lesson you can
#
# - train a network with no library at all (your forward, your backward, your Adam) beside the same network by `nn`, and show
#   that after ten epochs **no weight differs by more than a millionth** and no prediction differs at all;
# - say what must be equal for that: the first weights, the order of the samples, each formula to its last constant;
# - find out which of these is different when two programs do *not* agree;
# - explain why two correct programs drift apart in single precision, and why that is not a mistake.
#
# So far you were asked to believe that `nn.Linear`, `CrossEntropyLoss` and `optim.Adam` do what you would do by hand. Now
# nothing is left to belief.

# %%
import importlib.util
import inspect
import textwrap

import tinygrad_edu as torch
from tinygrad_edu import datasets, nn
from tinygrad_edu.learn import check, check_gradient, predict
from tinygrad_edu.learn.widgets.scratch_beside_nn import scratch_beside_nn
from tinygrad_edu.viz import History

# %% [markdown]
# ## 1. The data, in double precision
#
# MNIST again (or the small digits of the package, if MNIST cannot be had). One thing is unusual: all numbers are `float64`.
# Section 5 shows what happens otherwise.

# %%
try:
    train_set, test_set = (datasets.MNIST(train=train, download=True) for train in (True, False))
except RuntimeError:
    train_set, test_set = (datasets.Digits(train=train) for train in (True, False))
    print("MNIST cannot be had here: we go on with the small digits.")


def prepared(images):
    """Pixels from 0 to 1, a row for each picture, and the labels."""
    return images.data.double().flatten(1) / 255, images.targets


X, y = prepared(train_set)
X_test, y_test = prepared(test_set)
INPUTS, HIDDEN, CLASSES = X.shape[1], 128, 10
EPOCHS, BATCH, LR = 10, 128, 0.001
print(tuple(X.shape), X.dtype, tuple(X_test.shape))

# %% [markdown]
# ## 2. By hand
#
# All of it: first weights, forward, backward, Adam. No `requires_grad`, no `backward()` of the engine, no graph. Forward, from
# a batch of $B$ pictures $x$: $a = x W_1^\top + b_1$, then $h = \max(a, 0)$, which is relu, then the scores
# $z = h W_2^\top + b_2$, then cross-entropy. Look for the five lines of the backward pass; they are those of lesson 4
# ($\text{onehot}(y)$ is 1 for the right class and 0 elsewhere, $[a > 0]$ is 1 where $a$ is positive, and $\odot$ multiplies
# entry by entry):
#
# $$\delta = \frac{\mathrm{softmax}(z) - \text{onehot}(y)}{B}, \quad
# \frac{\partial L}{\partial W_2} = \delta^\top h, \quad
# \frac{\partial L}{\partial h} = \delta\,W_2, \quad
# \frac{\partial L}{\partial a} = \frac{\partial L}{\partial h}\odot[a > 0], \quad
# \frac{\partial L}{\partial W_1} = \frac{\partial L}{\partial a}^{\!\top} x .$$
#
# Two conventions are PyTorch's: a weight has the shape *(outputs, inputs)*, so a layer is `x @ W.T + b`; and the first numbers
# of a layer with $n$ inputs are uniform between $-1/\sqrt n$ and $1/\sqrt n$, the weight's before the bias's.


# %%
class Scratch:
    """A network of two layers with Adam: nothing but tensors and formulas."""

    def __init__(self, dtype=torch.float64):
        self.W1, self.b1 = self.layer(INPUTS, HIDDEN, dtype)
        self.W2, self.b2 = self.layer(HIDDEN, CLASSES, dtype)
        self.parameters = [self.W1, self.b1, self.W2, self.b2]
        self.m = [torch.zeros_like(p) for p in self.parameters]
        self.v = [torch.zeros_like(p) for p in self.parameters]
        self.t = 0

    def layer(self, inputs, outputs, dtype):
        bound = 1 / inputs**0.5
        weight = torch.empty(outputs, inputs, dtype=dtype).uniform_(-bound, bound)
        bias = torch.empty(outputs, dtype=dtype).uniform_(-bound, bound)
        return weight, bias

    def forward(self, x):
        self.x = x
        self.a = x @ self.W1.T + self.b1
        self.h = self.a * (self.a > 0)
        return self.h @ self.W2.T + self.b2

    def backward(self, p, labels):
        g = p.clone()  # of the scores
        g[torch.arange(len(labels)), labels] -= 1
        g /= len(labels)
        dh = g @ self.W2
        da = dh * (self.a > 0)
        return [da.T @ self.x, da.sum(0), g.T @ self.h, g.sum(0)]

    def step(self, x, labels):
        z = self.forward(x)
        z = z - z.max(1, keepdim=True).values
        p = z.exp() / z.exp().sum(1, keepdim=True)
        loss = -p[torch.arange(len(labels)), labels].log().mean()
        gradients = self.backward(p, labels)
        self.t += 1
        for w, g, m, v in zip(self.parameters, gradients, self.m, self.v, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            w -= LR * (m / (1 - 0.9**self.t)) / ((v / (1 - 0.999**self.t)).sqrt() + 1e-8)
        return loss.item()


# %% [markdown]
# ## 3. By `nn`
#
# The same, as everybody writes it. The class takes the library as an argument: `torch` is only a name, and at the end of the
# lesson it will be another library's.


# %%
class Library:
    """The same network and the same Adam, by the library."""

    def __init__(self, torch, dtype=None):
        nn = torch.nn
        self.net = nn.Sequential(
            nn.Linear(INPUTS, HIDDEN, dtype=dtype or torch.float64),
            nn.ReLU(),
            nn.Linear(HIDDEN, CLASSES, dtype=dtype or torch.float64),
        )
        self.parameters = list(self.net.parameters())
        self.criterion = nn.CrossEntropyLoss()
        self.adam = torch.optim.Adam(self.parameters, lr=LR)

    def forward(self, x):
        return self.net(x)

    def step(self, x, labels):
        self.adam.zero_grad()
        loss = self.criterion(self.net(x), labels)
        loss.backward()
        self.adam.step()
        return loss.item()


# %% [markdown]
# Do both begin with the same numbers? With the same seed they draw the same random numbers, if they draw in the same order.

# %%
torch.manual_seed(42)
scratch = Scratch()
torch.manual_seed(42)
library = Library(torch)


def largest_difference(one, other):
    """The largest difference between two weights of the same place."""
    pairs = zip(one.parameters, other.parameters, strict=True)
    return max((p.detach() - q.detach()).abs().max().item() for p, q in pairs)


print("largest difference at the start:", largest_difference(scratch, library))
assert largest_difference(scratch, library) < 1e-16

# %% [markdown]
# The same numbers, to the last digit.
#
# One step each, on the same batch. Not the gradients alone: also Adam's first step, with its corrections, must agree.

# %%
losses = scratch.step(X[:BATCH], y[:BATCH]), library.step(X[:BATCH], y[:BATCH])
print("losses:", *losses)
print("largest difference after one step:", largest_difference(scratch, library))
assert largest_difference(scratch, library) < 1e-12

# %% [markdown]
# Not zero, but nearly. What is computed in another order is rounded differently in its last digit: the library's cross-entropy, for
# example, never computes the probabilities and then their logarithm, it computes the logarithms at once. Both are right.

# %%
predict(
    "There are 469 steps an epoch, and ten epochs. Each adds some rounding. What is the largest difference at the end?",
    [
        "exactly as after one step",
        "below 1e-6",
        "about 0.01",
        "the weights have nothing to do with each other any more",
    ],
    "below 1e-6",
    {
        "exactly as after one step": "It grows a little: a difference in the weights makes one in the gradients.",
        "below 1e-6": "It hardly grows, from a beginning as small as that.",
        "about 0.01": "In float32 you would be nearer the truth. See section 5.",
        "the weights have nothing to do with each other any more": "That needs far more steps, or a beginning less exact.",
    },
)

# %% [markdown]
# ## 4. Ten epochs
#
# Both get the same batches in the same order. Each keeps its own weights; they never see each other.


# %%
def ten_epochs(one, other, data, note, convert=lambda t: t):
    """Train both on the same batches; after each epoch `note` gets both mean losses."""
    inputs, labels = data
    generator = torch.Generator().manual_seed(7)
    for epoch in range(1, EPOCHS + 1):
        order = torch.randperm(len(inputs), generator=generator)
        sums = [0.0, 0.0]
        for start in range(0, len(inputs), BATCH):
            chosen = order[start : start + BATCH]
            xb, yb = inputs[chosen], labels[chosen]
            sums[0] += one.step(xb, yb) * len(chosen)
            sums[1] += other.step(convert(xb), convert(yb)) * len(chosen)
        note(epoch, *(total / len(inputs) for total in sums))


def predictions(network, inputs=X_test):
    with torch.no_grad():
        return network.forward(inputs).argmax(1)


history = History()


def note(epoch, loss, nn_loss):
    right, nn_right = (
        (predictions(n) == y_test).double().mean().item() for n in (scratch, library)
    )
    difference = largest_difference(scratch, library)
    values = {
        "scratch loss": loss,
        "nn loss": nn_loss,
        "scratch accuracy": right,
        "nn accuracy": nn_right,
    }
    history.log(epoch, difference=difference, **values)
    losses, accuracies = f"{loss:.10f} and {nn_loss:.10f}", f"{right:.2%} and {nn_right:.2%}"
    print(f"{epoch:2}: loss {losses}, {accuracies} right, difference {difference:.1e}")


torch.manual_seed(42)
scratch = Scratch()
torch.manual_seed(42)
library = Library(torch)
ten_epochs(scratch, library, (X, y), note)

# %%
assert largest_difference(scratch, library) < 1e-6
assert torch.equal(predictions(scratch), predictions(library))
count = sum(p.numel() for p in scratch.parameters)
print(f"after {EPOCHS} epochs {len(y_test):,} predictions are identical, and no two")
print(f"of {count:,} weights differ by more than {history['difference'][-1]:.1e}")

# %% [markdown]
# Both programs, and their curves on top of each other. There are two lines in each picture, a wide one and a thin one;
# *pull the curves apart* if you doubt it.

# %%
programs = [(Scratch.step, Scratch.backward), (Library.__init__, Library.step)]
codes = [
    "\n".join(textwrap.dedent(inspect.getsource(part)) for part in parts) for parts in programs
]
scratch_beside_nn(history, codes)

# %% [markdown]
# That is the reveal: **there is no magic in `nn`**. A layer is two tensors and a product. An optimizer is a loop over parameters. The
# engine does your five lines of backward by itself, for any network. Everything else is convenience: and lesson 10 shows how much
# of it there is.

# %% [markdown]
# ## 5. Why double precision?
#
# The same in `float32`, as one trains in practice. Seven digits instead of sixteen:

# %%
single = History()
X32 = X.float()
torch.manual_seed(42)
scratch32 = Scratch(torch.float32)
torch.manual_seed(42)
library32 = Library(torch, torch.float32)


def note32(epoch, loss, nn_loss):
    single.log(epoch, **{"float32 difference": largest_difference(scratch32, library32)})


ten_epochs(scratch32, library32, (X32, y), note32)
for epoch, difference in enumerate(history["difference"], 1):
    single.log(epoch, **{"float64 difference": difference})

said, said_nn = (predictions(network, X_test.float()) for network in (scratch32, library32))
same = (said == said_nn).double().mean().item()
largest = largest_difference(scratch32, library32)
print(f"float32 after {EPOCHS} epochs: {largest:.1e}, {same:.2%} of the predictions agree")
assert largest > 1e4 * history["difference"][-1]

# %%
single.plot(logarithmic=True)

# %% [markdown]
# What to look at: in float64 the line hardly rises. In float32 it begins a billion times higher, and then it *leaps*. The reason
# is relu. A hidden unit whose input is nearly zero may be on in one program and off in the other, by rounding alone. From then on
# the two gradients differ, not in the last digit but by that picture's whole share; the weights part, more units disagree, and so
# on. In float64 there are a billion times fewer near misses, and not one of them has happened. (With the small digits there are too
# few steps for it: there neither line leaps.)


# %%
def disagreeing(one, other, inputs):
    """How many hidden units are on in one network and off in the other, over all test pictures."""
    one.forward(inputs)
    with torch.no_grad():
        return ((one.a > 0) != (other.net[0](inputs) > 0)).sum().item()


disagree = disagreeing(scratch, library, X_test)
disagree32 = disagreeing(scratch32, library32, X_test.float())
print(
    f"of {len(X_test) * HIDDEN:,} decisions {disagree32:,} differ in float32, {disagree} in float64"
)
assert disagree == 0

# %% [markdown]
# So in float32 you get two different networks, equally good. If you compare two programs, do it in double precision, or after a few
# steps. If they differ *there* by more than rounding, one of them does something else.

# %% [markdown]
# ## 6. Against PyTorch itself
#
# `Library` takes the library as an argument. So give it PyTorch, if it is installed here. Its random numbers are others (each
# library has its own generator), so the first weights are copied over; the batches are converted on the way.

# %%
if importlib.util.find_spec("torch"):
    import torch as pytorch

    pytorch.set_num_threads(1)
    there = Library(pytorch)
    torch.manual_seed(42)
    here = Library(torch)
    with pytorch.no_grad():
        for p, q in zip(there.parameters, here.parameters, strict=True):
            p.copy_(pytorch.from_numpy(q.detach().numpy()))

    def difference_there():
        pairs = zip(there.parameters, here.parameters, strict=True)
        return max(abs(p.detach().numpy() - q.detach().numpy()).max() for p, q in pairs)

    def note_there(epoch, loss, its):
        difference = difference_there()
        print(f"{epoch:2}: loss {loss:.10f} here, {its:.10f} there, difference {difference:.1e}")

    ten_epochs(here, there, (X, y), note_there, convert=lambda t: pytorch.from_numpy(t.numpy()))
    assert difference_there() < 1e-6
    with pytorch.no_grad():
        its = there.forward(pytorch.from_numpy(X_test.numpy())).argmax(1).numpy()
    assert (its == predictions(here).numpy()).all()
    print("PyTorch's network and this one: the same weights, the same predictions")
else:
    print("PyTorch is not installed here, so this part is skipped: pip install torch")

# %% [markdown]
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1. What must be equal?** Which of these does *not* have to be equal for the weights to agree? Answer with its letter.
#
# - a: the first weights
# - b: the order of the samples
# - c: Adam's epsilon
# - d: the seed, after the first weights and the order are given


# %% tags=["check"]
def check_not_needed(letter):
    hints = {
        "a": "Other first weights, other last weights: compare the two runs of lesson 8.",
        "b": "Other batches have other gradients.",
        "c": "Where gradients are tiny, v is, and then epsilon decides how large the step is.",
    }
    return check(
        "not needed",
        letter,
        "d",
        hints,
        because="The seed matters only through what is drawn with it.",
    )


# %%
letter = None
check_not_needed(letter)

# %% tags=["solution"]
letter = "d"
assert check_not_needed(letter)

# %% [markdown]
# **2. The gradient of the scores.** Write the gradient of the mean cross-entropy with respect to the scores `z` of shape (B, C):
# `rule(g, z)`, where `g` is the gradient of the loss. The labels are `labels`.

# %%
torch.manual_seed(0)
labels = torch.tensor([2, 0, 1])
z = torch.randn(3, 4)


def loss_of(z):
    return nn.functional.cross_entropy(z, labels)


# %% tags=["check"]
def check_gradient_of_the_scores(rule):
    onehot = nn.functional.one_hot(labels, z.shape[1])
    hints = [
        (
            lambda g, z: g * (z.softmax(1) - onehot),
            "That is for the sum over the batch; the loss is the mean.",
        ),
        (lambda g, z: g * z.softmax(1) / len(labels), "What was said; subtract what was right."),
        (
            lambda g, z: g * (onehot - z.softmax(1)) / len(labels),
            "It is said minus right, not right minus said.",
        ),
    ]
    return check_gradient("gradient of the scores", loss_of, [z], rule, hints)


# %%
def rule(g, z):
    return None


check_gradient_of_the_scores(rule)


# %% tags=["solution"]
def rule(g, z):
    onehot = nn.functional.one_hot(labels, z.shape[1])
    return g * (z.softmax(1) - onehot) / len(labels)


assert check_gradient_of_the_scores(rule)

# %% [markdown]
# **3. Find the difference.** A friend's Adam goes in the same directions as `optim.Adam`, but his first step is much too large:
#
# ```python
# p -= lr * (m / (1 - 0.9**t)) / (v.sqrt() + 1e-8)
# ```
#
# At the first step $v = 0.001\,g^2$. By which factor is his step too large? (Forget epsilon.)


# %% tags=["check"]
def check_factor(factor):
    hints = {
        1000: "By that much v is too small; the step has its square root below the line.",
        1: "v is never divided by 1 - 0.999**t.",
    }
    return check(
        "factor",
        factor,
        1000**0.5,
        hints,
        atol=0.1,
        because="The correction of v, 1 - 0.999**t, is missing.",
    )


# %%
factor = None
check_factor(factor)

# %% tags=["solution"]
factor = 1 / (1 - 0.999) ** 0.5
assert check_factor(factor)
g, v = torch.tensor(0.7), 0.001 * torch.tensor(0.7) ** 2
print(
    "his first step, for lr = 1:",
    (g / v.sqrt()).item(),
    "  Adam's:",
    (g / (v / 0.001).sqrt()).item(),
)

# %% [markdown]
# **4. Near misses.** A hidden unit's inputs are spread over about one unit of length, and two programs differ in them by about
# 1e-7 (float32) or 1e-16 (float64). An epoch has 60,000 pictures and 128 hidden units. In about how many decisions an epoch does the
# input lie so near to zero that float32 may decide otherwise?


# %% tags=["check"]
def check_near_misses(near_misses):
    hints = {
        60_000 * 128: "That is all decisions; now the share of them that lies within 1e-7.",
        0.006: "There are 128 units for each picture.",
        7.68e-10: "That is for float64: one in a billion epochs.",
    }
    return check(
        "near misses",
        near_misses,
        0.768,
        hints,
        atol=0.3,
        because="About one an epoch, and each makes the next ones likelier; in float64 one in a billion epochs.",
    )


# %%
near_misses = None
check_near_misses(near_misses)

# %% tags=["solution"]
near_misses = 60_000 * 128 * 1e-7
assert check_near_misses(near_misses)

# %% [markdown]
# You have seen that `nn` is what you would write. Lesson 10 is about what it gives you beyond that (`10_what_nn_adds`).
