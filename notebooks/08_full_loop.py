# %% [markdown]
# # 8 · The full loop
#
# After this lesson you can
#
# - train a network on 60,000 handwritten digits with nothing but tensors: no layer, no optimizer, no loader, and see it read
#   more than 97.8% of 10,000 digits that it never saw;
# - write the same training with `nn`, `optim` and `DataLoader`, and say which of your lines each of them replaces;
# - read a training curve: what the distance between its two lines means, and what a falling learning rate does to its end;
# - look at what a network gets wrong, and tell a bad network from a bad drawing.
#
# You need the earlier lessons' ideas (a layer is `x @ W + b`, cross-entropy, gradients by `backward()`, Adam), and nothing
# else is taken for granted: each is written out once more.

# %%
import tinygrad_edu as torch
from tinygrad_edu import datasets, nn, optim, viz
from tinygrad_edu.learn import check, check_function, predict
from tinygrad_edu.learn.widgets.training_curve import LiveCurve
from tinygrad_edu.utils.data import DataLoader, TensorDataset

# %% [markdown]
# ## 1. The data
#
# MNIST: 28 × 28 pixels, grey, 60,000 digits to learn from and 10,000 to test. If they are not on this computer, they are
# downloaded (11 MB). If that cannot be done either, the lesson goes on with the 1,797 small digits inside the package.

# %%
try:
    train_set, test_set = (datasets.MNIST(train=train, download=True) for train in (True, False))
    REAL = True
except RuntimeError:
    train_set, test_set = (datasets.Digits(train=train) for train in (True, False))
    REAL = False
    print(
        "MNIST cannot be had here: we go on with the small digits, and skip what is said about MNIST's figures."
    )

print(train_set)
print(test_set)

# %% [markdown]
# The pixels are bytes from 0 to 255. Two things are done to them. Each picture becomes one long row of numbers, because a
# layer multiplies rows by a matrix. And the numbers are brought to mean 0 and standard deviation 1, because the first weights
# are chosen for inputs of that size. Mean and deviation are those of the *training* pictures, for both sets: about the test
# set we know nothing before the end.

# %%
pixels, pixels_test = train_set.data.float(), test_set.data.float()
mean, std = pixels.mean(), pixels.std()
X, y = ((pixels - mean) / std).flatten(1), train_set.targets
X_test, y_test = ((pixels_test - mean) / std).flatten(1), test_set.targets

inputs = X.shape[1]
print(f"X {tuple(X.shape)} {X.dtype}, mean {X.mean().item():.3f}, deviation {X.std().item():.3f}")
print(f"y {tuple(y.shape)} {y.dtype}, the first ten: {y[:10].tolist()}")
viz.images(pixels[:16], [str(label) for label in y[:16].tolist()], columns=8)

# %% [markdown]
# ## 2. The network: four tensors
#
# 784 pixels, 128 numbers of the network's own (the *hidden* ones), 10 digits. The weights start small and random: with a
# standard deviation of $\sqrt{2/n}$ for $n$ inputs, the numbers keep their size on the way through a layer and its `relu`,
# which turns negative numbers into 0 (lesson 1 shows what happens otherwise).

# %%
torch.manual_seed(0)
HIDDEN, CLASSES = 128, 10

W1 = torch.randn(inputs, HIDDEN) * (2 / inputs) ** 0.5
b1 = torch.zeros(HIDDEN)
W2 = torch.randn(HIDDEN, CLASSES) * (2 / HIDDEN) ** 0.5
b2 = torch.zeros(CLASSES)

parameters = [W1, b1, W2, b2]
for p in parameters:
    p.requires_grad_()

count = sum(p.numel() for p in parameters)
print([tuple(p.shape) for p in parameters], f"{count:,} numbers")
assert not REAL or count == 101_770


# %%
def network(x):
    """Scores for the ten digits: (B, 784) to (B, 10)."""
    return (x @ W1 + b1).relu() @ W2 + b2


def cross_entropy(scores, labels):
    """The mean of -log(probability that was given to the right digit)."""
    shifted = scores - scores.max(dim=1, keepdim=True).values  # exp cannot overflow
    log_probability = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
    return -log_probability[torch.arange(len(labels)), labels].mean()


@torch.no_grad()
def test(network):
    """Mean loss and accuracy on the test set."""
    scores = network(X_test)
    return cross_entropy(scores, y_test).item(), (scores.argmax(1) == y_test).float().mean().item()


# %% [markdown]
# Before you train anything, test it. An untrained network knows nothing, so it should be right about once in ten times, and
# its loss should not be far above $\ln 10 \approx 2.3$, the loss of somebody who gives each digit the same probability.

# %%
loss, accuracy = test(network)
print(f"untrained: loss {loss:.3f}, {accuracy:.1%} right")
assert accuracy < 0.3 and 1.8 < loss < 5

# %% [markdown]
# ## 3. One step, and a test that always works
#
# `backward()` finds the gradient of the loss for each parameter: how much the loss grows with it. The parameters then take a
# small step the other way. How long? Adam keeps two running means for each of them: of its gradient, $m$, and of the
# gradient's square, $v$. The step is $m/\sqrt{v}$ times the learning rate. Both begin at zero and are too small at first;
# dividing by $1-\beta^t$, with $\beta$ = 0.9 for $m$ and 0.999 for $v$, mends that after $t$ steps (lesson 6 shows why).

# %%
LR, B1, B2, EPS = 0.002, 0.9, 0.999, 1e-8


class Adam:
    """Adam, by hand: a few lines for each parameter."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.m = [torch.zeros_like(p) for p in parameters]
        self.v = [torch.zeros_like(p) for p in parameters]
        self.t = 0

    @torch.no_grad()
    def step(self, lr):
        self.t += 1
        for p, m, v in zip(self.parameters, self.m, self.v, strict=True):
            m += (1 - B1) * (p.grad - m)
            v += (1 - B2) * (p.grad**2 - v)
            p -= lr * (m / (1 - B1**self.t)) / ((v / (1 - B2**self.t)).sqrt() + EPS)


def learn(xb, yb, adam, lr):
    """One step on one batch: forward, loss, backward, update."""
    loss = cross_entropy(network(xb), yb)
    for p in parameters:
        p.grad = None  # or this batch's gradient would be added to the last one's
    loss.backward()
    adam.step(lr)
    return loss.item()


# %% [markdown]
# The cheapest test of any training code: **can it learn one batch by heart?** Take 64 pictures and repeat. If the loss does
# not go to zero, something is broken, and you learn it in a second and not after an hour. (We keep a copy of the weights and
# put them back.)

# %%
fresh = [p.detach().clone() for p in parameters]
adam = Adam(parameters)
by_heart = [learn(X[:64], y[:64], adam, LR) for _ in range(60)]
print(
    "loss on one batch:",
    ", ".join(f"{loss:.4f}" for loss in by_heart[::10]),
    "...",
    f"{by_heart[-1]:.5f}",
)
assert by_heart[-1] < 0.05

with torch.no_grad():
    for p, start in zip(parameters, fresh, strict=True):
        p.copy_(start)
        p.grad = None

# %% [markdown]
# What the engine notes on the way from the pixels to the loss, so that it can walk back (with the library's cross-entropy,
# which is a single operation, so that the picture stays small). In each box stands how a gradient `g` is handed on:

# %%
viz.graph(nn.functional.cross_entropy(network(X[:64]), y[:64]))

# %% [markdown]
# ## 4. Ten epochs
#
# An epoch: deal the 60,000 pictures into batches of 64 in a new order, one step each. The learning rate falls in a straight
# line from 0.002 to nothing: large steps to get near, small ones to settle. The curve below grows while the cell runs; when
# it has finished, **Play** goes through it once more.

# %%
EPOCHS, BATCH = 10, 64
adam = Adam(parameters)

with LiveCurve() as curve:
    for epoch in range(EPOCHS):
        order = torch.randperm(len(X))
        lr = LR * (1 - epoch / EPOCHS)
        total = 0.0
        for start in range(0, len(X), BATCH):
            chosen = order[start : start + BATCH]
            total += learn(X[chosen], y[chosen], adam, lr) * len(chosen)
        test_loss, accuracy = test(network)
        curve.log(epoch + 1, loss=total / len(X), test_loss=test_loss, test_accuracy=accuracy)
        print(
            f"{epoch + 1:2}: loss {total / len(X):.4f}, test loss {test_loss:.4f}, {accuracy:.2%} right"
        )

if REAL:
    assert accuracy >= 0.978

# %% [markdown]
# What to look at:
#
# - After *one* epoch it already reads most digits. The other nine are for the last few in a hundred.
# - The two losses part. The lower line is measured on pictures that the network has seen, the other on new ones. Their
#   distance is what it has learned by heart rather than understood. Here that does little harm: the test loss stops falling,
#   and does not climb. Lesson 12 is about what to do when it does.
# - The line of the accuracy trembles at first and is quiet at the end: the small learning rate. With one rate
#   throughout it would tremble to the end, and where it stops would be chance.

# %% [markdown]
# ## 5. What does it get wrong?
#
# A number like 98% hides what matters to a person who relies on it. First which digits are taken for which: a row is what the
# digit *is*, a column what the network *says*.

# %%
with torch.no_grad():
    scores = network(X_test)
said = scores.argmax(1)
viz.confusion(y_test, said)

# %% [markdown]
# Now the mistakes it was most sure of, with "what it is → what the network said, and how sure it was".

# %%
sure = scores.softmax(1).max(1).values
wrong = (said != y_test).nonzero().flatten()
worst = wrong[sure[wrong].argsort(descending=True)][:16]
titles = [f"{y_test[i].item()} → {said[i].item()}  {sure[i].item():.0%}" for i in worst.tolist()]
print(f"{len(wrong)} of {len(y_test):,} are wrong")
viz.images(pixels_test[worst], titles, columns=8)

# %% [markdown]
# Some of these you would not read either. Others are plain to you, and the network is certain of something else: softmax
# gives probabilities *of the network*, and outside what it has seen they say little.

# %% [markdown]
# ## 6. The same with `nn`
#
# Now let the library do what you did. Each line replaces some of yours:
#
# | you wrote | here |
# |---|---|
# | `W1`, `b1`, Kaiming's scale, `x @ W1 + b1` | `nn.Linear(784, 128)` |
# | the list `parameters` | `model.parameters()` |
# | your `cross_entropy` | `nn.CrossEntropyLoss()` |
# | your `Adam`; `p.grad = None` | `optim.Adam`; `optimizer.zero_grad()` |
# | `randperm` and slices | `DataLoader(..., shuffle=True)` |
# | `LR * (1 - epoch / EPOCHS)` | `optim.lr_scheduler.LinearLR` |

# %%
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))
optimizer = optim.Adam(model.parameters(), lr=LR)
schedule = optim.lr_scheduler.LinearLR(
    optimizer, start_factor=1.0, end_factor=0.0, total_iters=EPOCHS
)
criterion = nn.CrossEntropyLoss()
loader = DataLoader(TensorDataset(X, y), batch_size=BATCH, shuffle=True)

for epoch in range(EPOCHS):
    total = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(xb)
    schedule.step()
    test_loss, nn_accuracy = test(model)
    print(
        f"{epoch + 1:2}: loss {total / len(X):.4f}, test loss {test_loss:.4f}, {nn_accuracy:.2%} right"
    )

if REAL:
    assert nn_accuracy >= 0.978

# %% [markdown]
# The figures are alike and not equal: other first weights, other orders. The next lesson takes these two differences away,
# and then nothing remains of the rest.

# %% [markdown]
# ## 7. A deeper network with plain SGD
#
# The other classic: 784-128-64-10, batches of 128, and the simplest optimizer, `p -= lr * p.grad`. Here the five inner lines
# are a function, because `torch.compile` wants one: it watches the step run, writes it down as a flat list of array
# operations, and from then on replays that list. The numbers are the same; only the bookkeeping is gone.

# %%
torch.manual_seed(0)
deep = nn.Sequential(
    nn.Linear(inputs, 128), nn.ReLU(),
    nn.Linear(128, 64), nn.ReLU(),
    nn.Linear(64, CLASSES),
)  # fmt: skip
sgd = optim.SGD(deep.parameters(), lr=0.1)


@torch.compile
def step(xb, yb):
    sgd.zero_grad()
    loss = criterion(deep(xb), yb)
    loss.backward()
    sgd.step()
    return loss


viz.summary(deep, torch.zeros(128, inputs))

# %%
loader = DataLoader(TensorDataset(X, y), batch_size=128, shuffle=True)
with LiveCurve() as deep_curve:
    for epoch in range(EPOCHS):
        total = sum(step(xb, yb).item() * len(xb) for xb, yb in loader)
        test_loss, deep_accuracy = test(deep)
        deep_curve.log(
            epoch + 1, loss=total / len(X), test_loss=test_loss, test_accuracy=deep_accuracy
        )

print(f"784-128-64-10 with SGD: {deep_accuracy:.2%} right")
if REAL:
    assert deep_accuracy >= 0.97

# %%
predict(
    "SGD's loss after the first epoch is clearly above Adam's. With `lr=0.1` replaced by `lr=0.001`, Adam's usual size, what "
    "would ten epochs of SGD give?",
    ["the same, only smoother", "far fewer right: it would have hardly begun", "it would explode"],
    "far fewer right: it would have hardly begun",
    {
        "the same, only smoother": "A hundredth of the step is a hundredth of the way; ten epochs are not enough for it.",
        "far fewer right: it would have hardly begun": "Adam divides by the gradient's size, so its step has the size of `lr` "
        "whatever the gradient. SGD multiplies by the gradient, which is small here. Learning rates of two optimizers "
        "cannot be compared.",
        "it would explode": "Too large a rate does that. This one is smaller.",
    },
)

# %% [markdown]
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1. Count the steps.** 60,000 pictures, batches of 64, ten epochs. How many times does `learn` run?


# %% tags=["check"]
def check_steps(steps):
    hints = {
        9375: "The last batch of each epoch is shorter, and it is a step too: round up within an epoch.",
        938: "That is one epoch.",
    }
    return check("steps", steps, 9380, hints, because="937 full batches and one of 32, ten times.")


# %%
steps = None
check_steps(steps)

# %% tags=["solution"]
steps = -(-60_000 // 64) * 10
assert check_steps(steps)

# %% [markdown]
# **2. The loss of a guess.** A network gives each of the ten digits the probability 0.1. What is its cross-entropy?


# %% tags=["check"]
def check_loss_of_a_guess(loss_of_guess):
    hints = {
        0.9: "It is not the share of the others, it is -log of the right one's.",
        1.0: "That is with log10; cross-entropy takes the natural logarithm.",
    }
    because = "ln 10: the number with which every training on ten classes should begin."
    return check("loss of a guess", loss_of_guess, 2.302585, hints, atol=1e-3, because=because)


# %%
loss_of_guess = None
check_loss_of_a_guess(loss_of_guess)

# %% tags=["solution"]
loss_of_guess = -torch.tensor(0.1).log().item()
assert check_loss_of_a_guess(loss_of_guess)

# %% [markdown]
# **3. Your own accuracy.** Write `top_k(scores, labels, k)`: the share of samples whose right class is among the `k` highest
# scores. (`scores.topk(k, dim=1).indices` has them.)


# %% tags=["check"]
def check_top_k(top_k):
    def top_k_right(scores, labels, k):
        ranks = (scores > scores[torch.arange(len(labels)), labels][:, None]).sum(1)
        return (ranks < k).float().mean().item()

    samples = [(scores[:500], y_test[:500], k) for k in (1, 2, 3)]
    return check_function(
        "top_k",
        top_k,
        top_k_right,
        *samples,
        because="The second guess is right for most of the mistakes:",
    )


# %%
def top_k(scores, labels, k):
    return None


check_top_k(top_k)


# %% tags=["solution"]
def top_k(scores, labels, k):
    return (scores.topk(k, dim=1).indices == labels[:, None]).any(1).float().mean().item()


assert check_top_k(top_k)
print(", ".join(f"among the first {k}: {top_k(scores, y_test, k):.2%}" for k in (1, 2, 3)))

# %% [markdown]
# **4. A loop with a bug.** It runs, the loss falls at first, then the training becomes wild. Which line is missing? Answer
# with the line, as a text.
#
# ```python
# for xb, yb in loader:
#     loss = criterion(model(xb), yb)
#     loss.backward()
#     optimizer.step()
# ```


# %% tags=["check"]
def check_the_missing_line(missing):
    hints = {
        "loss.item()": "That is for printing.",
        "model.train()": "There is no dropout and no batch normalisation here.",
        "optimizer.zero_grad": "It has to be called: with parentheses.",
    }
    also_right = ("model.zero_grad()", "optimizer.zero_grad(set_to_none=True)")
    return check(
        "the missing line",
        "optimizer.zero_grad()" if missing in also_right else missing,
        "optimizer.zero_grad()",
        hints,
        because="backward() adds to what is in p.grad, so each step would go in the direction of all gradients so far.",
    )


# %%
missing = None
check_the_missing_line(missing)

# %% tags=["solution"]
missing = "optimizer.zero_grad()"
assert check_the_missing_line(missing)

# %% [markdown]
# **5. Is the difference real?** One network is right for 98.2% of 10,000 test pictures, another for 98.0%. The number of right
# answers of a network that is right with probability $p$ has the standard deviation $\sqrt{n\,p\,(1-p)}$. How large is that,
# as a share of the 10,000 in percent, for $p = 0.98$?


# %% tags=["check"]
def check_deviation_in_percent(deviation):
    hints = {
        14.0: "That is in pictures; divide by 10,000.",
        0.0014: "As a share; in percent it is a hundred times that.",
    }
    return check(
        "deviation in percent",
        deviation,
        0.14,
        hints,
        atol=0.0005,
        because="So 98.2 against 98.0 may well be luck; train both with several seeds before you say one is better.",
    )


# %%
deviation = None
check_deviation_in_percent(deviation)

# %% tags=["solution"]
deviation = 100 * (10_000 * 0.98 * 0.02) ** 0.5 / 10_000
assert check_deviation_in_percent(deviation)

# %% [markdown]
# Your code by raw tensors and `nn` have reached the same accuracy. Is it the same *training*? The next lesson lets both run from
# the same numbers and compares every weight (`09_reveal`). To draw digits with your own hand and have them read, see
# `13_pixel_classifier`.
