# %% [markdown]
# # 12 · Training dynamics
#
# After this lesson you can
#
# - see overfitting in two curves, and know which remedy helps in which case;
# - write dropout in a line, and say why it divides by $1 - p$;
# - write weight decay, batch normalisation, a learning-rate schedule, early stopping and gradient clipping, each in a few lines,
#   and find each of them in `nn` and `optim` with equal numbers;
# - say why a network needs `train()` and `eval()`.
#
# A training that runs is not yet a good training. This lesson takes one small network, lets it go wrong in the usual ways, and mends
# each.

# %%
import copy

import tinygrad_edu as torch
from tinygrad_edu import datasets, nn, optim
from tinygrad_edu.learn import check, check_function, curves, predict
from tinygrad_edu.learn.widgets.training_curve import training_curve
from tinygrad_edu.viz import History

F = nn.functional

# %% [markdown]
# ## 1. Overfitting
#
# The digits of the package, 8 × 8 pixels. To make it hard we keep only 100 of them to learn from, and give a tenth of these a wrong
# label, as happens in real data. The network has far more weights than that: it *can* learn all by heart, the wrong labels too.

# %%
digits, unseen = datasets.Digits(train=True), datasets.Digits(train=False)
X, y = digits.data.float().flatten(1)[:100] / 255, digits.targets[:100].clone()
X_test, y_test = unseen.data.float().flatten(1) / 255, unseen.targets

torch.manual_seed(0)
y[:10] = (y[:10] + torch.randint(1, 10, (10,))) % 10
print(f"{len(X)} digits to learn from, 10 of them with a wrong label; {len(X_test)} to test")


# %%
def plain():
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


@torch.no_grad()
def test(model):
    """Loss and accuracy on the test set."""
    model.eval()
    scores = model(X_test)
    right = (scores.argmax(1) == y_test).float().mean()
    return F.cross_entropy(scores, y_test).item(), right.item()


def train(make, epochs=150, lr=0.003, weight_decay=0.0, size=20):
    """Train a new network, and keep its history: loss, test loss and accuracy by epoch."""
    torch.manual_seed(1)
    model, history = make(), History()
    optimizer = optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    for epoch in range(1, epochs + 1):
        model.train()
        total = 0.0
        for chosen in torch.randperm(len(X)).split(size):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(X[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(chosen)
        test_loss, accuracy = test(model)
        history.log(epoch, loss=total / len(X), test_loss=test_loss, test_accuracy=accuracy)
    return model, history


overfitted, history = train(plain)
lowest = min(range(150), key=lambda i: history["test_loss"][i])
print(f"the test loss is lowest after epoch {lowest + 1}: {history['test_loss'][lowest]:.3f}")
print(f"at the end it is {history['test_loss'][-1]:.3f}")
assert history["loss"][-1] < 0.05 and history["test_loss"][-1] > 1.3 * history["test_loss"][lowest]
training_curve(history)

# %% [markdown]
# Look at the two lines on the left. The loss on the samples that it learns from goes to zero. The test loss falls with it for a
# while, turns, and climbs. From the turn on the network learns *these hundred samples*, their wrong labels included, and no longer
# digits.
#
# The accuracy on the right hardly shows it. A network that has become too sure of its mistakes has a worse loss at once, and a worse
# accuracy only later. That is why one watches the test loss.

# %%
scores = overfitted(X[:10])
sure = scores.softmax(1)[torch.arange(10), y[:10]]
print("how sure it is of the ten wrong labels:", *(f"{p:.2f}" for p in sure.tolist()))
assert sure.min() > 0.8

# %% [markdown]
# ## 2. Dropout
#
# In each training step, set every hidden unit to zero with probability $p$. No unit can rely on another one, so the network
# cannot build a special path for each sample.
#
# A unit that stays must carry the share of those that are gone: its value is divided by $1 - p$. Then the *expected* input of the
# next layer is the same with and without dropout, and nothing needs to be done when the network is used. (That is called inverted
# dropout. The original form left the division out, and multiplied by $1 - p$ at the end instead.)


# %%
def dropout(x, p, mask):
    """Zero where the mask is zero, the rest larger; the mask is 1 with probability 1 - p."""
    return x * mask / (1 - p)


torch.manual_seed(0)
x = torch.ones(100_000)
for p in (0.2, 0.5, 0.8):
    mask = (torch.rand(len(x)) >= p).float()
    kept, without = dropout(x, p, mask), x * mask
    mean, mean_without = kept.mean().item(), without.mean().item()
    print(
        f"p = {p}: mean {mean:.3f}, without the division {mean_without:.3f};",
        f"what stays becomes {kept.max().item():.2f}",
    )
    assert abs(mean - 1) < 0.02

# %% [markdown]
# `nn.Dropout` does this, and only while the module is in training mode:

# %%
layer = nn.Dropout(0.5)
layer.train()
print("train:", layer(torch.ones(8)).tolist())
layer.eval()
print("eval: ", layer(torch.ones(8)).tolist())


# %%
def with_dropout(p=0.5):
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(p), nn.Linear(128, 10))


_, dropped = train(with_dropout)
print(
    f"test loss at the end: {history['test_loss'][-1]:.3f} without,",
    f"{dropped['test_loss'][-1]:.3f} with dropout",
)
assert dropped["test_loss"][-1] < history["test_loss"][-1]

# %%
predict(
    "You forget `model.eval()` before measuring a network with `Dropout(0.5)`. What happens?",
    [
        "an error",
        "the accuracy is too high",
        "the accuracy is too low, and differs from run to run",
        "nothing",
    ],
    "the accuracy is too low, and differs from run to run",
    {
        "an error": "No. Nothing warns you, which makes this mistake so common.",
        "the accuracy is too high": "Half of the hidden units are thrown away. That does not help.",
        "the accuracy is too low, and differs from run to run": "Each measurement is that of another half of the network.",
        "nothing": "Dropout acts in training mode, and training mode is what a new module is in.",
    },
)

# %% [markdown]
# ## 3. Weight decay
#
# Large weights make a network that changes its mind over tiny differences. So pull every weight towards zero, a little in each step:
#
# $$w \leftarrow (1 - \eta\lambda)\,w - \eta \cdot (\text{step of Adam}).$$
#
# Here $\eta$ is the learning rate, and $\lambda$ says how strong the pull is. That is AdamW, the W for *weight decay*. Adding
# $\lambda w$ to the gradient instead is not the same for Adam, which divides each weight's step by the size of its recent gradients
# (lesson 6): it would divide the pull as well, and weights with large gradients would hardly be pulled at all.

# %%
w = torch.tensor([2.0, -1.0], requires_grad=True)
optimizer = optim.AdamW([w], lr=0.1, weight_decay=0.5)
(w * torch.tensor([0.3, 0.1])).sum().backward()
optimizer.step()
adam_step = torch.tensor([1.0, 1.0])  # the first one has the length 1 for every weight
by_hand = torch.tensor([2.0, -1.0]) * (1 - 0.1 * 0.5) - 0.1 * adam_step
print("AdamW:", w.tolist(), "  by hand:", by_hand.tolist())
assert torch.allclose(w.detach(), by_hand)

# %%
decayed_model, decayed = train(plain, weight_decay=1.0)
lengths = [
    torch.cat([p.flatten() for p in m.parameters()]).norm().item()
    for m in (overfitted, decayed_model)
]
print(f"length of all weights: {lengths[0]:.1f} without decay, {lengths[1]:.1f} with it")
print(
    f"test loss at the end: {history['test_loss'][-1]:.3f} without,",
    f"{decayed['test_loss'][-1]:.3f} with it",
)
assert lengths[1] < lengths[0] and decayed["test_loss"][-1] < history["test_loss"][-1]

# %% [markdown]
# ## 4. Early stopping
#
# The cheapest remedy: stop at the turn. One keeps a copy of the best weights so far, and stops if the test loss has not become
# better for some epochs (the *patience*), because the curve trembles and the first rise may be chance.
#
# One warning. Whoever chooses the epoch by the test set has *used* the test set, and its figure is then a little too good. With
# enough data one keeps a third part for such choices, the *validation set*, and touches the test set once.


# %%
class EarlyStopping:
    """Says when to stop, and keeps the best model."""

    def __init__(self, patience):
        self.patience, self.best, self.waited, self.model = patience, float("inf"), 0, None

    def stop(self, loss, model):
        if loss < self.best:
            self.best, self.waited, self.model = loss, 0, copy.deepcopy(model)
        else:
            self.waited += 1
        return self.waited > self.patience


torch.manual_seed(1)
model, watch = plain(), EarlyStopping(patience=10)
optimizer = optim.AdamW(model.parameters(), lr=0.003, weight_decay=0.0)
for epoch in range(1, 151):
    model.train()
    for chosen in torch.randperm(len(X)).split(20):
        optimizer.zero_grad()
        F.cross_entropy(model(X[chosen]), y[chosen]).backward()
        optimizer.step()
    if watch.stop(test(model)[0], model):
        print(f"stopped after {epoch} of 150 epochs")
        break

print(f"the best test loss was {watch.best:.3f}, now it is {test(model)[0]:.3f}")
assert epoch < 150 and test(watch.model)[0] == watch.best

# %%
compared = {"nothing": history, "dropout": dropped, "weight decay": decayed}
shown = {
    what: {name: h[what] for name, h in compared.items()}
    for what in ("loss", "test_loss", "test_accuracy")
}
curves(torch.arange(1, 151), shown, "epoch")

# %% [markdown]
# Left: both remedies make the *training* loss worse. That is their purpose. Middle: and the test loss better, where it counts.
#
# ## 5. Batch normalisation
#
# Another problem: a deep network whose inner numbers shrink or grow from layer to layer learns slowly or not at all. Batch
# normalisation gives each unit mean 0 and deviation 1 *over the batch*, and then a learned scale $\gamma$ and shift $\beta$:
#
# $$\hat x = \frac{x - \mathrm{mean}(x)}{\sqrt{\mathrm{var}(x) + \varepsilon}}, \qquad y = \gamma\,\hat x + \beta .$$

# %%
torch.manual_seed(0)
batch = torch.randn(32, 4) * torch.tensor([1.0, 10.0, 0.1, 3.0]) + torch.tensor(
    [0.0, 5.0, -2.0, 100.0]
)
norm = nn.BatchNorm1d(4)

by_hand = (batch - batch.mean(0)) / (batch.var(0, correction=0) + 1e-5).sqrt()
assert torch.allclose(norm(batch), by_hand, atol=1e-5)
print("means before:", [f"{m:.2f}" for m in batch.mean(0).tolist()])
print("means after: ", [f"{abs(m):.2f}" for m in by_hand.mean(0).tolist()])

# %% [markdown]
# In use there may be no batch: a single picture has no spread. So the layer keeps *running* averages of mean and variance while it
# trains, and uses those in eval mode. That is the second reason why `train()` and `eval()` exist.

# %%
for _ in range(50):
    norm(batch)  # each call moves the averages a tenth of the way
norm.eval()
print("running mean:", [f"{m:.2f}" for m in norm.running_mean.tolist()])
print("one row alone:", [f"{v:.2f}" for v in norm(batch[:1])[0].tolist()])
assert torch.allclose(norm.running_mean, batch.mean(0), atol=1.0)

# %% [markdown]
# Does it help? Six hidden layers, and first weights that are much too small, on all 1,438 digits:


# %%
def deep(normalised):
    layers, width = [], 64
    for _ in range(6):
        linear = nn.Linear(width, 32)
        nn.init.normal_(linear.weight, std=0.03)
        layers += [linear, *([nn.BatchNorm1d(32)] if normalised else []), nn.ReLU()]
        width = 32
    return nn.Sequential(*layers, nn.Linear(32, 10))


X, y = digits.data.float().flatten(1) / 255, digits.targets
results = {
    "plain": train(lambda: deep(False), epochs=8, size=64)[1],
    "normalised": train(lambda: deep(True), epochs=8, size=64)[1],
}
for name, h in results.items():
    print(f"{name:10} test accuracy by epoch:", ", ".join(f"{a:.2f}" for a in h["test_accuracy"]))
assert results["normalised"]["test_accuracy"][-1] > 0.9 > results["plain"]["test_accuracy"][-1]

# %% [markdown]
# ## 6. Schedules
#
# At the beginning a large step is good: far to go, and any direction is roughly right. At the end it jumps over the goal. So the
# learning rate falls. Three usual forms, by hand and from `optim.lr_scheduler`:

# %%
EPOCHS = 40


def step_decay(epoch):
    return 0.1 * 0.5 ** (epoch // 10)


def cosine(epoch):
    return 0.05 * (1 + torch.tensor(torch.pi * epoch / EPOCHS).cos().item())


def warm_up(epoch):
    return 0.1 * min(1.0, (epoch + 1) / 5)


def rates(make):
    """The rates that a scheduler of `optim` sets, epoch by epoch."""
    optimizer = optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule, seen = make(optimizer), []
    for _ in range(EPOCHS):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


L = optim.lr_scheduler
pairs = {
    "halved every ten": (step_decay, lambda o: L.StepLR(o, step_size=10, gamma=0.5)),
    "cosine": (cosine, lambda o: L.CosineAnnealingLR(o, T_max=EPOCHS)),
    "warm-up": (warm_up, lambda o: L.LinearLR(o, start_factor=0.2, end_factor=1.0, total_iters=4)),
}
drawn = {}
for name, (by_hand, make) in pairs.items():
    drawn[name] = torch.tensor([by_hand(epoch) for epoch in range(EPOCHS)])
    assert torch.allclose(drawn[name], torch.tensor(rates(make)), atol=1e-6)
curves(torch.arange(EPOCHS), {"learning rate": drawn}, "epoch", size=(5.2, 2.8))

# %% [markdown]
# ## 7. Gradient clipping
#
# Sometimes one batch has a gradient a thousand times longer than usual: a steep wall in the landscape, a strange sample, a long
# sequence. One step along it can ruin everything learned so far. Clipping keeps the *direction* and limits the *length*:
#
# $$g \leftarrow g \cdot \min\!\left(1, \frac{c}{\lVert g \rVert}\right),$$
#
# where the length is that of all parameters' gradients together.


# %%
def clip(gradients, limit):
    """The same directions, all together no longer than the limit."""
    length = sum((g * g).sum() for g in gradients).sqrt()
    factor = torch.clamp(limit / (length + 1e-6), max=1.0)
    return [g * factor for g in gradients]


model = plain()
F.cross_entropy(model(X[:20] * 50), y[:20]).backward()  # inputs fifty times too large
mine = clip([p.grad for p in model.parameters()], 1.0)
length = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
assert all(torch.allclose(a, p.grad) for a, p in zip(mine, model.parameters(), strict=True))
now = sum((p.grad**2).sum() for p in model.parameters()).sqrt()
print(f"the gradient was {length.item():.2f} long and is now {now.item():.2f}")

# %% [markdown]
# What it saves you from. The same training with one rotten batch in the middle, its pixels a thousand times too large:


# %%
def with_accident(limit):
    """Losses step by step; in step 60 the batch is rotten."""
    torch.manual_seed(1)
    model, losses = plain(), []
    optimizer = optim.SGD(model.parameters(), lr=0.3)
    for step in range(120):
        chosen = torch.randint(len(X), (64,))
        inputs = X[chosen] * (1000 if step == 60 else 1)
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), y[chosen]).backward()
        if limit:
            nn.utils.clip_grad_norm_(model.parameters(), limit)
        optimizer.step()
        with torch.no_grad():
            losses.append(F.cross_entropy(model(X), y).item())
    return losses


accident = {"not clipped": with_accident(None), "clipped": with_accident(1.0)}
print({name: f"{losses[-1]:.3g}" for name, losses in accident.items()})
assert accident["clipped"][-1] < 0.5 * accident["not clipped"][-1]
curves(torch.arange(120), {"loss": accident}, "step", logarithmic=True, size=(5.2, 2.8))

# %% [markdown]
# ## Which remedy?
#
# | what you see | what helps |
# |---|---|
# | test loss turns and climbs, training loss goes to zero | more data; early stopping; dropout; weight decay; a smaller network |
# | both losses stay high | the opposite: a larger network, less dropout, longer training, a better learning rate |
# | a deep network does not begin to learn | first weights of the right scale; batch normalisation |
# | the loss falls, then trembles on one height | let the learning rate fall |
# | sudden leaps, `nan` | a smaller rate; clipping; warm-up; look at the batch |
#
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1. The factor.** Dropout with $p = 0.8$: by which number is a unit that stays multiplied?


# %% tags=["check"]
def check_factor(factor):
    hints = {
        1.25: "That is 1 / p. A fifth of the units stays and must carry all.",
        0.2: "It must become larger, not smaller.",
    }
    return check("factor", factor, 5, hints, because="A fifth stays, five times as large.")


# %%
factor = None
check_factor(factor)

# %% tags=["solution"]
factor = 1 / (1 - 0.8)
assert check_factor(factor)

# %% [markdown]
# **2. Its gradient.** Where the mask is zero, the gradient of the input is zero. Write the gradient of `dropout(x, p, mask)` with
# respect to `x`, given the gradient `g` of the result.


# %% tags=["check"]
def check_dropout_back(dropout_back):
    def dropout_back_right(g, p, mask):
        return torch.where(mask > 0, g / (1 - p), torch.zeros(()))

    torch.manual_seed(0)
    samples = [(torch.randn(6), p, (torch.rand(6) >= p).float()) for p in (0.2, 0.5)]
    hints = [
        (
            lambda g, p, mask: g * mask,
            "What stays was made larger on the way forward; so is its gradient.",
        ),
        (lambda g, p, mask: g / (1 - p), "What was dropped had no say in the result."),
        (
            lambda g, p, mask: g * mask * (1 - p),
            "Divided on the way forward, divided on the way back.",
        ),
    ]
    because = "The same mask, the same factor."
    return check_function(
        "dropout_back", dropout_back, dropout_back_right, *samples, because=because, hints=hints
    )


# %%
def dropout_back(g, p, mask):
    return None


check_dropout_back(dropout_back)


# %% tags=["solution"]
def dropout_back(g, p, mask):
    return g * mask / (1 - p)


assert check_dropout_back(dropout_back)

# %% [markdown]
# **3. Decay alone.** A weight is 1, its gradient is zero from now on. With SGD, `lr=0.1` and `weight_decay=0.01`, how large is it
# after 1,000 steps?


# %% tags=["check"]
def check_weight(weight):
    hints = {
        0.0: "It shrinks by a factor in each step and never arrives.",
        0.99**1000: "The factor is 1 - lr * weight_decay.",
        0.9: "That is after about 100 steps.",
    }
    return check(
        "weight",
        weight,
        0.999**1000,
        hints,
        atol=1e-3,
        because="0.999 to the power of 1000, about 1/e.",
    )


# %%
weight = None
check_weight(weight)

# %% tags=["solution"]
weight = (1 - 0.1 * 0.01) ** 1000
assert check_weight(weight)

# %% [markdown]
# **4. Patience.** The test losses of the epochs are 0.9, 0.7, 0.8, 0.6, 0.65, 0.64, 0.7. With `patience=2` and the class above: after
# which epoch (counted from 1) does the training stop?


# %% tags=["check"]
def check_stops_after(stops_after):
    hints = {
        3: "One rise is within the patience.",
        6: "After epoch 6 it has waited twice; it stops when it has waited more than `patience` times.",
        4: "That is the best epoch.",
    }
    return check(
        "stops after",
        stops_after,
        7,
        hints,
        because="Epochs 5, 6 and 7 are all worse than epoch 4, and three is more than two.",
    )


# %%
stops_after = None
check_stops_after(stops_after)

# %% tags=["solution"]
watch = EarlyStopping(patience=2)
stops_after = next(
    n for n, loss in enumerate([0.9, 0.7, 0.8, 0.6, 0.65, 0.64, 0.7], 1) if watch.stop(loss, None)
)
assert check_stops_after(stops_after)

# %% [markdown]
# **5. Clipped, all together.** Two parameters have the gradients [3] and [4]. The limit is 1. What are they afterwards? (The answer is a
# tensor of two numbers.)


# %% tags=["check"]
def check_clipped(clipped):
    hints = [
        (
            torch.tensor([1.0, 1.0]),
            "Each by itself would change the direction. Take the length of both together.",
        ),
        (torch.tensor([3.0, 4.0]), "Together they are 5 long."),
    ]
    return check("clipped", clipped, torch.tensor([0.6, 0.8]), hints, atol=1e-4)


# %%
clipped = None
check_clipped(clipped)

# %% tags=["solution"]
clipped = torch.cat(clip([torch.tensor([3.0]), torch.tensor([4.0])], 1.0))
assert check_clipped(clipped)

# %% [markdown]
# Next: a network that you can draw for (`13_pixel_classifier`).
