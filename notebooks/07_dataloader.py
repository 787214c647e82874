# %% [markdown]
# # 7 · The data loader
#
# After this lesson you can
#
# - write a data loader in five lines, and know what each of PyTorch's options adds to it;
# - explain, and show, why data are shuffled before each epoch, and what happens when they are not;
# - choose a batch size knowing what it costs and what it buys: steps, noise, memory;
# - handle the short batch at the end, samples of different lengths, and loading in other processes.
#
# You need to have seen a network trained by `loss.backward()`, which finds the gradients, and `optimizer.step()`, which
# changes the parameters by them; the lessons before this one build both.

# %%
import tinygrad_edu as torch
from tinygrad_edu import datasets, nn, optim
from tinygrad_edu.learn import check, check_function, predict
from tinygrad_edu.learn.widgets.batches import shuffle_and_batch
from tinygrad_edu.utils.data import DataLoader, Dataset, TensorDataset
from tinygrad_edu.viz import History

_ = torch.manual_seed(7)

# %% [markdown]
# ## 1. Five lines
#
# Data are *samples* (pictures, say), each with its *label*, the right answer. A loss is a mean over samples. With 60,000 of
# them nobody computes the mean over all before each step: a few dozen, picked at random, tell nearly the same. So: **shuffle** the data, **slice** them into batches, **yield** one after the other.


# %%
def batches(X, y, size):
    order = torch.randperm(len(X))  # shuffle: the numbers 0, 1, 2, ... in random order
    for start in range(0, len(X), size):
        chosen = order[start : start + size]  # slice
        yield X[chosen], y[chosen]  # yield


# %% [markdown]
# Ten samples; the label of each is its own number, so that you see who is where.

# %%
X, y = torch.arange(10.0).reshape(10, 1) * 100, torch.arange(10)
for xb, yb in batches(X, y, size=4):
    print("labels", yb.tolist(), " inputs", xb.flatten().tolist())

# %% [markdown]
# Look at three things. Each sample comes **exactly once**: one pass over all data is an *epoch*. The last batch is
# **shorter**, since 10 is no multiple of 4. And inputs and labels have stayed **together**: the *same* `chosen` picks both.
#
# Play with it: sixty samples of three classes, cats (blue), dogs (orange) and birds (green), sorted by class, as they often
# are in a file.

# %%
shuffle_and_batch()

# %% [markdown]
# - Switch *shuffle* off. What does the first batch know of birds?
# - Set the batch size to 60, then to 1. How many steps are in an epoch?
# - With batch size 8, how large is the last batch? What does *drop* leave out, and is it the same in each epoch?

# %%
predict(
    "60,000 samples in batches of 128: how many batches are in an epoch, and how long is the last one?",
    ["468, of 128", "469, of 96", "469, of 128", "468, of 96"],
    "469, of 96",
    {
        "468, of 128": "468 · 128 = 59,904: this is what drop_last=True would give, and 96 samples were left out.",
        "469, of 96": "468 full batches are 59,904 samples, and the remaining 96 are a batch of their own.",
        "469, of 128": "That would need 60,032 samples.",
        "468, of 96": "The short batch comes after 468 full ones.",
    },
)

# %%
loader = DataLoader(TensorDataset(torch.zeros(60_000, 1)), batch_size=128)
sizes = [len(batch) for (batch,) in loader]
print(len(loader), "batches, the last one of", sizes[-1])
assert (len(loader), sizes[-1]) == (469, 96)

# %% [markdown]
# ## 2. The same in PyTorch's words
#
# PyTorch splits the five lines into parts, so that each can be exchanged:
#
# | your line | the part | |
# |---|---|---|
# | `X[...]`, `y[...]` | `Dataset` | how many samples there are, and sample number `i` |
# | `randperm` | `Sampler` | in which order |
# | the slice | `BatchSampler` | how many at a time |
# | `X[chosen]`: many at once | `collate_fn` | how single samples become one tensor |
# | `yield` | `DataLoader` | all together, in other processes if wanted |
#
# A dataset is any object with `__len__` and `__getitem__`:


# %%
class Squares(Dataset):
    """The numbers 0 to n - 1 and their squares, computed when asked for, stored nowhere."""

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return torch.tensor([float(i)]), i * i


loader = DataLoader(
    Squares(7), batch_size=3, shuffle=True, generator=torch.Generator().manual_seed(0)
)
for inputs, squares in loader:
    print(inputs.flatten().tolist(), squares.tolist(), squares.dtype)

# %% [markdown]
# The loader made a tensor of the single inputs, and one of the Python numbers. Going through it once more shuffles anew.
# With a `generator` of its own the order does not depend on who else draws random numbers, so a run can be repeated:

# %%
first = [
    i.flatten().tolist()
    for i, _ in DataLoader(Squares(7), 3, True, generator=torch.Generator().manual_seed(0))
]
again = [
    i.flatten().tolist()
    for i, _ in DataLoader(Squares(7), 3, True, generator=torch.Generator().manual_seed(0))
]
assert first == again
every = sorted(i for batch in first for i in batch)
assert every == list(range(7))  # each sample exactly once
print(first)

# %% [markdown]
# ## 3. Why shuffle?
#
# Real data: 1,797 small handwritten digits come with this package. We sort them by class, as some files are, and train
# the same network for three epochs, once in this order and once shuffled.

# %%
digits = datasets.Digits(train=True)
test = datasets.Digits(train=False)


def prepared(images):
    """Pixels from 0 to 1 in a row for each picture, and the labels."""
    return images.data.float().reshape(len(images), -1) / 255, images.targets


X, y = prepared(digits)
X_test, y_test = prepared(test)
order = y.argsort()
X, y = X[order], y[order]
print(f"{len(X)} digits to learn from, {len(X_test)} to test; the first labels: {y[:12].tolist()}")


# %%
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def train(loader, epochs=3, lr=0.3, after=lambda model, step, loss: None):
    """Train a new network; its accuracy on the test pictures."""
    model, step = network(), 0
    optimizer = optim.SGD(model.parameters(), lr=lr)
    for _ in range(epochs):
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
            step += 1
            after(model, step, loss.item())
    return model, accuracy(model)


def accuracy(model):
    with torch.no_grad():
        return (model(X_test).argmax(1) == y_test).float().mean().item()


data = TensorDataset(X, y)
results = {}
for shuffle in (False, True):
    loader = DataLoader(
        data, batch_size=32, shuffle=shuffle, generator=torch.Generator().manual_seed(0)
    )
    model, results[shuffle] = train(loader)
    with torch.no_grad():
        guesses = model(X_test).argmax(1).bincount(minlength=10).tolist()
    print(
        f"shuffle={shuffle!s:5}: {100 * results[shuffle]:.1f}% right. How often it says 0, 1, ... 9: {guesses}"
    )

assert results[True] > 0.85 and results[False] < 0.4

# %% [markdown]
# The sorted run is nearly useless, and look at *what* it says: the digits that it saw last. In the last dozens of steps
# there was nothing but eights and nines, so "say nine" was always right, and it unlearned the rest. The gradient of a batch
# is an estimate of the gradient over *all* data. From a sorted file it is an estimate of something else.
#
# Why anew in each epoch, and not once? With one fixed order the same samples always share a batch and the same ones come
# last; the network can follow such accidents. It costs nothing to deal anew.

# %% [markdown]
# ## 4. How large a batch?
#
# Two extremes, *full batch* (all samples, one step an epoch) and *single sample*, and what lies between, a *mini-batch*.
# First: how good is a batch's gradient as an estimate? Take the network after a little training, compute the gradient of
# many random batches, and see how far they are from the gradient over all data.

# %%
model, _ = train(
    DataLoader(data, 32, shuffle=True, generator=torch.Generator().manual_seed(0)), epochs=1
)


def gradient(indices):
    """The gradient of the loss over some samples, all parameters in a row."""
    loss = nn.functional.cross_entropy(model(X[indices]), y[indices])
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])


torch.manual_seed(1)
true = gradient(torch.arange(len(X)))
noise = {}
for size in (1, 4, 16, 64, 256):
    gaps = [(gradient(torch.randint(len(X), (size,))) - true).norm().item() for _ in range(100)]
    noise[size] = (sum(g * g for g in gaps) / len(gaps)) ** 0.5 / true.norm().item()
    print(f"batch of {size:3}: the error is {noise[size]:5.2f} times as long as the true gradient")

# %%
predict(
    "From a batch of 16 to one of 64 costs four times the work. By how much does the error shrink?",
    ["not at all", "to a half", "to a quarter", "to a sixteenth"],
    "to a half",
    "The error of a mean over n random samples falls as 1/√n. Four times the "
    "work for half of the error: a bad bargain, "
    "and the reason why small batches train so well.",
)

# %%
for small, large in ((1, 4), (4, 16), (16, 64), (64, 256)):
    print(f"{small:2} -> {large:3}: error times {noise[large] / noise[small]:.2f}")
    assert 0.35 < noise[large] / noise[small] < 0.7

# %% [markdown]
# Now train with each size. All get four epochs, so all see the same number of samples; each gets a learning rate that suits
# it (found by trying a few). The steps differ by a factor of more than a thousand.

# %%
curves = History("samples seen")
table = {}
for size, lr in ((1, 0.03), (32, 0.3), (256, 1.0), (len(X), 1.0)):
    loader = DataLoader(
        data, batch_size=size, shuffle=True, generator=torch.Generator().manual_seed(0)
    )
    every = max(1, len(loader) // 8)
    name = "full batch" if size == len(X) else f"batch {size}"

    def note(model, step, loss, size=size, every=every, name=name):
        if step % every == 0:
            curves.log(step * size, **{f"{name} accuracy": accuracy(model)})

    _, table[size] = train(loader, epochs=4, lr=lr, after=note)
    print(f"{name:10} lr {lr:<5} {4 * len(loader):5} steps: {100 * table[size]:.1f}% right")

assert table[1] > 0.85 and table[32] > 0.85 and table[len(X)] < table[32]

# %%
curves.plot()

# %% [markdown]
# - **Full batch**: the exact gradient, and hardly any steps. After four epochs it has moved four times.
# - **Single sample**: most steps, each by a very noisy gradient; the learning rate must be small. And each step pays the
#   overhead of Python and of the engine for one sample, so an epoch takes many times longer than with batches.
# - **Mini-batch**: nearly as good a direction as the full batch at a tiny part of its cost. Matrices of 32 to 256 rows also
#   keep a processor busy. That is why nearly everybody trains like this.

# %% [markdown]
# ## 5. The batch at the end
#
# The mean over the batches is **not** the mean over the samples if the last batch is shorter: its few samples would count
# too much.

# %%
losses = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 9.0, 9.0])
parts = [losses[i : i + 4] for i in range(0, 10, 4)]
of_means = sum(p.mean().item() for p in parts) / len(parts)
weighted = sum(p.mean().item() * len(p) for p in parts) / len(losses)
print(
    f"mean of the batches' means {of_means:.3f}, weighted by their lengths "
    f"{weighted:.3f}, true {losses.mean().item():.3f}"
)
assert abs(weighted - losses.mean().item()) < 1e-6 < abs(of_means - weighted)

# %% [markdown]
# While *training*, that hardly matters. In *measuring* it is a mistake: weight by `len(xb)`, as above. And sometimes a short
# batch is an error: batch normalisation compares the samples of a batch with each other, and one sample has no spread.

# %%
norm = nn.BatchNorm1d(3)
try:
    for (batch,) in DataLoader(TensorDataset(torch.randn(9, 3)), batch_size=4):
        norm(batch)
        print("a batch of", len(batch))
except ValueError as error:
    print("ValueError:", error)

# %% [markdown]
# `drop_last=True` leaves the short batch out; with shuffling, it is another few samples in each epoch, so nothing is lost.
# For the *test* data never drop: there each sample counts.

# %%
print(
    [len(b) for (b,) in DataLoader(TensorDataset(torch.randn(9, 3)), batch_size=4, drop_last=True)]
)

# %% [markdown]
# ## 6. Samples of different lengths
#
# The loader stacks samples, so they must have one shape. Words do not. A `collate_fn` says how a list of samples becomes a
# batch: here, fill up with zeros to the longest one, and tell the lengths.

# %%
words = ["tensor", "op", "gradient", "a", "leaf"]


def pad(samples):
    lengths = [len(word) for word in samples]
    letters = torch.zeros(len(samples), max(lengths), dtype=torch.int64)
    for row, word in enumerate(samples):
        letters[row, : len(word)] = torch.tensor([ord(c) - 96 for c in word])
    return letters, torch.tensor(lengths)


for letters, lengths in DataLoader(words, batch_size=3, collate_fn=pad):
    print(letters.tolist(), "lengths", lengths.tolist())

# %% [markdown]
# ## 7. Workers
#
# If it takes long to make a sample (to read a file, to turn a picture), `num_workers=2` lets two other processes prepare the
# next batches while this one trains. The order, and so the result, is the same; only the time is not. For data that lie in
# memory as ours do it is slower: each batch travels from one process to another.

# %%
alone = [
    xb for xb, _ in DataLoader(data, 256, shuffle=True, generator=torch.Generator().manual_seed(3))
]
helped = [
    xb
    for xb, _ in DataLoader(
        data, 256, shuffle=True, num_workers=2, generator=torch.Generator().manual_seed(3)
    )
]
assert all(torch.equal(a, b) for a, b in zip(alone, helped, strict=True))
print(f"{len(alone)} batches, the same with and without workers")

# %% [markdown]
# (In a program of its own, put what starts workers under `if __name__ == "__main__":`, since on Windows and macOS each worker
# begins by importing that program.)
#
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1. Write it yourself.** `dealt(order, size, drop_last)` returns the list of batches (lists of indices) for a given order.


# %% tags=["check"]
def check_dealt(dealt):
    def dealt_right(order, size, drop_last):
        return [
            list(order[i : i + size])
            for i in range(0, len(order), size)
            if not drop_last or i + size <= len(order)
        ]

    samples = [
        ([3, 1, 4, 0, 2], 2, False),
        ([3, 1, 4, 0, 2], 2, True),
        ([1, 0, 2, 3], 2, True),
        ([0, 1], 5, True),
    ]

    def without_the_last(order, size, drop_last):
        found = [list(order[i : i + size]) for i in range(0, len(order), size)]
        return found[:-1] if drop_last else found

    hints = [
        (lambda o, n, d: dealt_right(o, n, False), "With drop_last the short batch is left out."),
        (lambda o, n, d: dealt_right(o, n, True), "Without drop_last the short batch stays."),
        (without_the_last, "The last batch is dropped only if it is short."),
    ]
    because = "As BatchSampler does it."
    return check_function("dealt", dealt, dealt_right, *samples, hints=hints, because=because)


# %%
def dealt(order, size, drop_last):
    return None


check_dealt(dealt)


# %% tags=["solution"]
def dealt(order, size, drop_last):
    found = [order[start : start + size] for start in range(0, len(order), size)]
    return found[:-1] if drop_last and found and len(found[-1]) < size else found


assert check_dealt(dealt)

# %% [markdown]
# **2. A bug that no shape shows.** This loader was found in a real program. It runs, the loss even falls a little. What is
# wrong? Predict the accuracy on ten classes, roughly, in percent.


# %%
class Scrambled:
    def __iter__(self):
        xs, ys = X[torch.randperm(len(X))], y[torch.randperm(len(y))]
        for start in range(0, len(X), 32):
            yield xs[start : start + 32], ys[start : start + 32]


# %% tags=["check"]
def check_accuracy_in_percent(percent):
    hints = {
        90: "That would be a loader that keeps inputs and labels together. Look at the two calls of randperm.",
        0: "Labels that are dealt at random are right now and then: as often as a guess.",
    }
    return check(
        "accuracy in percent",
        percent,
        10,
        hints,
        atol=6,
        because="Inputs and labels are shuffled by two different orders: every label is random, and nothing can be learned.",
    )


# %%
percent = None
check_accuracy_in_percent(percent)

# %% tags=["solution"]
percent = 10
assert check_accuracy_in_percent(percent)
_, scrambled = train(Scrambled())
print(f"{100 * scrambled:.1f}%")
assert scrambled < 0.3

# %% [markdown]
# **3. An epoch's loss.** The batches of an epoch had the mean losses 0.5, 0.4 and 0.9, and 100, 100 and 20 samples. Which loss
# has the epoch?


# %% tags=["check"]
def check_loss_of_the_epoch(loss_of_epoch):
    hints = {
        0.6: "That is the mean of the three numbers; the short batch counts too much.",
        108.0: "That is the sum; divide by the samples.",
    }
    because = "As if all 220 samples had been in one batch."
    return check("loss of the epoch", loss_of_epoch, 108 / 220, hints, atol=1e-3, because=because)


# %%
loss_of_epoch = None
check_loss_of_the_epoch(loss_of_epoch)

# %% tags=["solution"]
loss_of_epoch = (0.5 * 100 + 0.4 * 100 + 0.9 * 20) / (100 + 100 + 20)
assert check_loss_of_the_epoch(loss_of_epoch)

# %% [markdown]
# **4. Steps.** You double the batch size, and keep everything else. By which factor do the number of steps an epoch, and the
# error of each gradient, change?


# %% tags=["check"]
def check_factors(factors):
    hints = [
        ((0.5, 0.5), "The error falls with the root of the batch size."),
        ((2, 0.5), "Larger batches, fewer of them."),
    ]
    return check(
        "factors",
        factors,
        (0.5, 0.5**0.5),
        hints,
        atol=0.01,
        because="Half as many steps, each only a little better: so one usually raises the learning rate along with the batch size.",
    )


# %%
factors = None  # (of the steps, of the error)
check_factors(factors)

# %% tags=["solution"]
factors = (0.5, 0.5**0.5)
assert check_factors(factors)

# %% [markdown]
# **5. Rare classes.** Of 1,000 samples 950 are of class 0 and 50 of class 1. A `WeightedRandomSampler` draws each sample in
# proportion to its weight (with replacement). Which weight must a sample of class 1 have, if those of class 0 have 1, so that
# both classes come equally often?


# %% tags=["check"]
def check_weight(weight):
    hints = {
        20: "One sample in 20 is of class 1. But compare with those of class 0: they are 19 in 20.",
        950: "Per class, not per sample: 50 · weight = 950 · 1.",
    }
    return check("weight", weight, 19, hints, because="50 · 19 = 950 · 1.")


# %%
weight = None
check_weight(weight)

# %% tags=["solution"]
weight = 950 / 50
assert check_weight(weight)
sampler = torch.utils.data.WeightedRandomSampler(
    [1.0] * 950 + [weight] * 50, 2000, generator=torch.Generator().manual_seed(0)
)
share = sum(i >= 950 for i in sampler) / 2000
print(f"{100 * share:.1f}% of the samples drawn are of class 1")
assert 0.45 < share < 0.55

# %% [markdown]
# You know where the gradients come from, and how to use them. The next lesson puts it all together: ten epochs on 60,000
# digits (`08_full_loop`).
