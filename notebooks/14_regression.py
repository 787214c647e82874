# %% [markdown]
# # 14 · Regression
#
# After this lesson you can
#
# - train a network that answers with a *number*: minutes until a delivery arrives, from distance, traffic and preparation time;
# - write the backward pass of three layers with the mean squared error, and check it against numerical gradients;
# - say why inputs and targets are normalised, and turn the answer back into minutes;
# - read residual plots, which show what a single figure for the error hides;
# - tell how good a model *can* be, because some of what you measure is chance.
#
# You need `x @ W + b` and relu (lesson 2) and the idea of a gradient. Everything else is here.

# %%
import tinygrad_edu as torch
from tinygrad_edu import datasets, nn, optim
from tinygrad_edu.learn import check, check_gradient, curves, predict
from tinygrad_edu.viz.figures import COLOURS, panels, style

# %% [markdown]
# ## 1. The table
#
# 800 deliveries to learn from, 200 to test. They are invented by a formula that the network does not know, with some chance in it (two
# minutes up or down), as in life.

# %%
x_all, t_all = datasets.delivery(1000, noise=2.0, seed=0)
x_raw, t_raw = x_all[:800], t_all[:800]
x_raw_test, t_raw_test = x_all[800:], t_all[800:]

names = [*datasets.DELIVERY_COLUMNS, "minutes"]
print("  ".join(f"{name:>22}" for name in names))
for row in torch.cat([x_raw, t_raw], 1)[:5].tolist():
    print("  ".join(f"{value:22.2f}" for value in row))


# %%
def scatter(columns, title, xlabels, ylabel, level=None):
    """A panel for each pair of columns."""
    with style():
        plot, axes = panels(len(columns), title, columns=3, size=(2.9, 2.5))
        for ax, (across, up), label in zip(axes, columns, xlabels, strict=True):
            ax.scatter(
                across.tolist(),
                up.flatten().tolist(),
                s=7,
                alpha=0.6,
                color=COLOURS[0][0],
                linewidths=0,
            )
            if level is not None:
                ax.axhline(level, color=COLOURS[1][0], linewidth=1.5)
            ax.set_xlabel(label)
            ax.grid(True)
        axes[0].set_ylabel(ylabel)
    return plot


scatter(
    [(x_raw[:300, i], t_raw[:300]) for i in range(3)],
    "the data",
    datasets.DELIVERY_COLUMNS,
    "minutes",
)

# %% [markdown]
# Each column tells something, and none tells enough. And there is more to it: look at the left picture. Far away, the minutes spread much
# wider. Ten kilometres through empty streets are quick and through a jam they are not, but for half a kilometre it hardly matters. So
# the effect of the distance *depends on* the traffic. A straight line in three variables cannot say that.

# %% [markdown]
# ## 2. How good is doing nothing?
#
# Before any model, two figures to compare with. Always answer the mean. And the best straight line, by least squares.

# %%
mean_minutes = t_raw.mean()
nothing = (t_raw_test - mean_minutes).abs().mean().item()

with_one = torch.cat([x_raw, torch.ones(len(x_raw), 1)], 1)
line = torch.linalg.lstsq(with_one, t_raw).solution
line_answers = torch.cat([x_raw_test, torch.ones(len(x_raw_test), 1)], 1) @ line
straight = (t_raw_test - line_answers).abs().mean().item()
print(f"mean error of always saying {mean_minutes.item():.1f} minutes: {nothing:.2f} minutes")
print(f"mean error of the best straight line: {straight:.2f} minutes")
assert straight < nothing

# %% [markdown]
# ## 3. Normalisation
#
# The three columns have different sizes: 12 kilometres, a share below 1, 30 minutes. A network's first weights treat all inputs alike, and so
# does the learning rate. So each column gets mean 0 and deviation 1; the target too. Mean and deviation come from the training rows *only*.

# %%
x_mean, x_std = x_raw.mean(0), x_raw.std(0)
t_mean, t_std = t_raw.mean(), t_raw.std()
x, t = (x_raw - x_mean) / x_std, (t_raw - t_mean) / t_std
x_test, t_test = (x_raw_test - x_mean) / x_std, (t_raw_test - t_mean) / t_std


def in_minutes(answers):
    """Normalised answers as minutes."""
    return answers * t_std + t_mean


print(
    "means",
    [f"{abs(m):.3f}" for m in x.mean(0).tolist()],
    "deviations",
    [f"{s:.3f}" for s in x.std(0).tolist()],
)
assert torch.allclose(in_minutes(t), t_raw, atol=1e-4)

# %% [markdown]
# ## 4. Three layers, backward by hand
#
# $$a_1 = x W_1 + b_1,\quad h_1 = \mathrm{relu}(a_1),\quad a_2 = h_1 W_2 + b_2,\quad h_2 = \mathrm{relu}(a_2),\quad y = h_2 W_3 + b_3,$$
#
# and the loss is the mean squared error over $n$ rows, $L = \frac1n \sum (y - t)^2$. Its gradient is the whole beginning of the way back:
# $\partial L / \partial y = \frac{2}{n}(y - t)$: twice the error, shared by the rows. There is no activation at the end: an answer may be any number.
#
# From there on every layer does the same three things with the gradient $g$ of its output: $W$ gets $h^\top g$, $b$ gets the sum of $g$
# over the rows, and the layer before gets $g\,W^\top$, stopped where its relu was off.


# %%
def first_weights():
    """3 inputs, 32 and 16 hidden units, 1 answer."""
    weights = []
    for inputs, outputs in ((3, 32), (32, 16), (16, 1)):
        weights += [torch.randn(inputs, outputs) * (2 / inputs) ** 0.5, torch.zeros(outputs)]
    return weights


def forward(x, W1, b1, W2, b2, W3, b3):
    h1 = (x @ W1 + b1).relu()
    h2 = (h1 @ W2 + b2).relu()
    return h1, h2, h2 @ W3 + b3


def mse(y, t):
    return ((y - t) ** 2).mean()


def backward(x, t, W1, b1, W2, b2, W3, b3):
    """The gradients of the six tensors, in their order."""
    h1, h2, y = forward(x, W1, b1, W2, b2, W3, b3)
    g3 = 2 * (y - t) / len(t)
    g2 = (g3 @ W3.T) * (h2 > 0)
    g1 = (g2 @ W2.T) * (h1 > 0)
    return [x.T @ g1, g1.sum(0), h1.T @ g2, g2.sum(0), h2.T @ g3, g3.sum(0)]


# %% [markdown]
# Before it trains: **is the gradient right?** Each number is nudged and the change of the loss compared. (A few rows are enough, in
# double precision, because the nudges are tiny.)

# %%
torch.manual_seed(0)
weights = first_weights()
few, goal = x[:6].double(), t[:6].double()


def loss_of(*weights):
    return mse(forward(few, *weights)[-1], goal)


def rule(g, *weights):
    return [g * gradient for gradient in backward(few, goal, *weights)]


assert check_gradient("three layers by hand", loss_of, weights, rule)

# %% [markdown]
# And with a mistake on purpose, the relu of the second layer forgotten on the way back:


# %%
def forgetful(g, W1, b1, W2, b2, W3, b3):
    h1, h2, y = forward(few, W1, b1, W2, b2, W3, b3)
    g3 = g * 2 * (y - goal) / len(goal)
    g2 = g3 @ W3.T
    g1 = (g2 @ W2.T) * (h1 > 0)
    return [few.T @ g1, g1.sum(0), h1.T @ g2, g2.sum(0), h2.T @ g3, g3.sum(0)]


assert not check_gradient("the relu forgotten", loss_of, weights, forgetful)

# %% [markdown]
# Now the training: batches of 50, plain gradient descent.

# %%
torch.manual_seed(0)
weights = first_weights()
losses, test_losses = [], []
for _ in range(200):
    for chosen in torch.randperm(len(x)).split(50):
        for w, gradient in zip(weights, backward(x[chosen], t[chosen], *weights), strict=True):
            w -= 0.05 * gradient
    losses.append(mse(forward(x, *weights)[-1], t).item())
    test_losses.append(mse(forward(x_test, *weights)[-1], t_test).item())

answers = in_minutes(forward(x_test, *weights)[-1])
error = (answers - t_raw_test).abs().mean().item()
print(
    f"mean error: {error:.2f} minutes;",
    f"the straight line had {straight:.2f}, always the mean {nothing:.2f}",
)
assert error < 0.8 * straight
both = {"training": losses, "test": test_losses}
curves(torch.arange(200), {"mean squared error": both}, "epoch", logarithmic=True, size=(5, 3))

# %%
predict(
    "The deliveries have a chance of their own: the formula adds a random number with a deviation of 2 minutes. How small can the mean "
    "(absolute) error on new deliveries become, by any model?",
    ["zero, with enough data", "about 1.6 minutes", "2 minutes", "4 minutes"],
    "about 1.6 minutes",
    {
        "zero, with enough data": "On the training rows, yes: by heart. What chance will add tomorrow, nobody can know.",
        "about 1.6 minutes": "The mean of |r| for a normal r with deviation 2 is 2 · √(2/π) ≈ 1.6. Whoever is near it is done.",
        "2 minutes": "That is the root of the mean *square*; the mean of the absolute values is a little smaller.",
        "4 minutes": "That is the mean squared error of a perfect model, in minutes squared.",
    },
)

# %% [markdown]
# ## 5. With the engine
#
# No `backward` of your own, and Adam in place of plain descent. The first weights are the same.

# %%
model = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))
torch.manual_seed(0)
with torch.no_grad():
    for parameter, w in zip(model.parameters(), first_weights(), strict=True):
        parameter.copy_(w.T if w.ndim == 2 else w)

criterion = nn.MSELoss()
criterion(model(x[:50]), t[:50]).backward()
torch.manual_seed(0)
by_hand = backward(x[:50], t[:50], *first_weights())
for parameter, gradient in zip(model.parameters(), by_hand, strict=True):
    assert torch.allclose(parameter.grad, gradient.T if gradient.ndim == 2 else gradient, atol=1e-6)
print("the engine's gradients are those by hand")

# %%
optimizer = optim.Adam(model.parameters(), lr=0.003)
for _ in range(200):
    for chosen in torch.randperm(len(x)).split(50):
        optimizer.zero_grad()
        criterion(model(x[chosen]), t[chosen]).backward()
        optimizer.step()

with torch.no_grad():
    answers = in_minutes(model(x_test))
residuals = t_raw_test - answers
error = residuals.abs().mean().item()
share = 1 - (residuals**2).mean().item() / t_raw_test.var(correction=0).item()
print(f"mean error {error:.2f} minutes; of the spread of the minutes it explains {share:.1%}")
assert error < 2.2 and share > 0.95

# %% [markdown]
# The second figure is called $R^2$. 0 is always answering the mean, 1 is perfect, and below 0 is worse than doing nothing.
#
# ## 6. Residuals
#
# A **residual** is what is left: the true minutes minus the answer. One figure for the error can hide anything, so draw them. If the model has
# understood all there is, the residuals look like chance: no shape, the same width everywhere. First the straight line of section 2:

# %%
left_by_line = t_raw_test - line_answers
names = ["the answer", *datasets.DELIVERY_COLUMNS[:2]]
across = [line_answers[:, 0], x_raw_test[:, 0], x_raw_test[:, 1]]
scatter([(a, left_by_line) for a in across], "straight line", names, "residual in minutes", level=0)

# %% [markdown]
# There is shape. The clouds on the left and on the right are bent, and the one in the middle is broad at both ends and narrow between.
# That is what a straight line cannot say, written out. Now the network (mind the smaller numbers at the side):

# %%
across = [answers[:, 0], x_raw_test[:, 0], x_raw_test[:, 1]]
scatter([(a, residuals) for a in across], "network", names, "residual in minutes", level=0)

# %% [markdown]
# A band without shape, with a deviation of a little more than two minutes, which is the formula's own chance. Hardly anything is left to
# learn from.
#
# Does it know what traffic does? Ask it: 8 kilometres, 15 minutes of preparation, and traffic from 0 to 1, beside the formula the data were
# made with.

# %%
traffic = torch.linspace(0, 1, 50)
asked = torch.stack([torch.full((50,), 8.0), traffic, torch.full((50,), 15.0)], 1)
with torch.no_grad():
    told = in_minutes(model((asked - x_mean) / x_std))[:, 0]
truth = 15 + 8 * (2 + 4 * traffic**2) + 3
line_told = (torch.cat([asked, torch.ones(50, 1)], 1) @ line)[:, 0]
far_off, line_far_off = ((answer - truth).abs().max().item() for answer in (told, line_told))
print(f"the network is at most {far_off:.1f} minutes away, the straight line {line_far_off:.1f}")
assert far_off < line_far_off

# %%
three = {"the formula": truth, "the network": told, "a straight line": line_told}
curves(traffic, {"minutes": three}, "traffic", size=(5, 3))

# %% [markdown]
# ## 7. Without normalisation
#
# The same network and the same plain descent as in section 4, on the raw columns and raw minutes. Which rates work?

# %%
for rate in (0.05, 0.005, 0.0001):
    torch.manual_seed(0)
    weights = first_weights()
    for _ in range(50):
        for chosen in torch.randperm(len(x_raw)).split(50):
            for w, gradient in zip(
                weights, backward(x_raw[chosen], t_raw[chosen], *weights), strict=True
            ):
                w -= rate * gradient
    raw_error = (forward(x_raw_test, *weights)[-1] - t_raw_test).abs().mean().item()
    print(f"rate {rate}: mean error {raw_error:.2f} minutes")
    assert not raw_error < error  # nan is no smaller either

# %% [markdown]
# With the rate that was good before, the numbers overflow to `nan`. With a tenth of it the answers are thrown about. With a rate so small that
# it goes well, it is slow, and fifty epochs are not enough. Two lines of preparation, `(x - mean) / std`, save all that.
#
# And beyond the data? The network has seen distances up to 12 km. Ask for 40, in the worst traffic:

# %%
far = torch.tensor([[40.0, 1.0, 15.0]])
with torch.no_grad():
    told = in_minutes(model((far - x_mean) / x_std)).item()
print(f"40 km: the network says {told:.0f} minutes, the formula {15 + 40 * (2 + 4) + 3:.0f}")

# %% [markdown]
# Outside the data a network of relus goes on in a straight line from where the data ended, right or not, and no figure above warns of it.
#
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1. Back to minutes.** The target was normalised with mean 40 and deviation 12. The network says -0.5. How many minutes?


# %% tags=["check"]
def check_minutes(minutes):
    hints = {-6: "And the mean?", 46: "The sign.", 39.5: "The deviation is 12 minutes, not one."}
    return check("minutes", minutes, 34, hints)


# %%
minutes = None
check_minutes(minutes)

# %% tags=["solution"]
minutes = -0.5 * 12 + 40
assert check_minutes(minutes)

# %% [markdown]
# **2. Units of the loss.** The mean squared error on normalised targets is 0.04, the deviation of the targets is 12 minutes. What is the root
# of the mean squared error in minutes?


# %% tags=["check"]
def check_rmse(rmse):
    hints = {
        0.2: "That is the root, in deviations.",
        0.48: "Take the root first.",
        5.76: "That is in minutes squared.",
    }
    return check("root of the mean square", rmse, 2.4, hints)


# %%
rmse = None
check_rmse(rmse)

# %% tags=["solution"]
rmse = 0.04**0.5 * 12
assert check_rmse(rmse)

# %% [markdown]
# **3. Another loss.** The mean *absolute* error is not so much disturbed by a few wild rows. Write its gradient with respect to the answers
# `y` (n, 1): `rule(g, y)`; the targets are `goal`. (`.sign()` is -1, 0 or 1.)

# %%
torch.manual_seed(1)
y, goal = torch.randn(5, 1), torch.randn(5, 1).double()


def absolute(y):
    return (y - goal).abs().mean()


# %% tags=["check"]
def check_mean_absolute_error(rule):
    return check_gradient(
        "mean absolute error",
        absolute,
        [y],
        rule,
        because="Far or near, each row pulls with the same strength.",
    )


# %%
def rule(g, y):
    return None


check_mean_absolute_error(rule)


# %% tags=["solution"]
def rule(g, y):
    return g * (y - goal).sign() / len(goal)


assert check_mean_absolute_error(rule)

# %% [markdown]
# **4. Wild rows.** Ten rows with the errors 1, 1, 1, 1, 1, 1, 1, 1, 1 and 21 minutes. Which share of the *squared* error (in percent) comes
# from the last one?


# %% tags=["check"]
def check_percent(percent):
    hints = {70: "That is its share of the absolute error: 21 of 30.", 10: "Its share of the rows."}
    return check(
        "percent",
        percent,
        98,
        hints,
        atol=0.1,
        because="So the squared error nearly forgets the other nine.",
    )


# %%
percent = None
check_percent(percent)

# %% tags=["solution"]
percent = 100 * 21**2 / (9 + 21**2)
assert check_percent(percent)

# %% [markdown]
# **5. A leak.** A friend normalises with mean and deviation of *all* 1,000 rows, then splits off 200 to test. Is the test still honest? Answer
# `True` or `False`.


# %% tags=["check"]
def check_honest(honest):
    hints = {
        True: "The training has used something about the test rows: here little, with few or wild rows more."
    }
    return check(
        "honest",
        honest,
        False,
        hints,
        because="Everything that is computed from data is part of the training, the mean too.",
    )


# %%
honest = None
check_honest(honest)

# %% tags=["solution"]
honest = False
assert check_honest(honest)

# %% [markdown]
# Next: every common mistake, made on purpose (`15_mistakes`).
