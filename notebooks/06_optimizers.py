# %% [markdown]
# # 6 · Optimizers
#
# After this lesson you can
#
# - write SGD, momentum, Nesterov, RMSprop, Adam and AdamW by hand, each in two to five lines, equal to `optim` to the last
#   digits;
# - look at a path over a landscape and say which optimizer made it, and whether its learning rate is too high or too low;
# - let a learning rate rise and fall by a schedule, and recognise a forgotten `zero_grad()` by its symptoms.
#
# From before you need one thing: `loss.backward()` puts the slope of the loss, its *gradient*, into `p.grad`, for each
# parameter `p` of a network. (Lessons 4 and 5 show how.) An *optimizer* is what then changes the parameters.

# %%
import inspect
import math

import tinygrad_edu as torch
from tinygrad_edu import nn, optim
from tinygrad_edu.learn import check, check_function, predict
from tinygrad_edu.learn.widgets.optimizer_race import optimizer_race
from tinygrad_edu.viz import History, race
from tinygrad_edu.viz.landscape import LANDSCAPES, path
from tinygrad_edu.viz.lint import Linter

_ = torch.manual_seed(6)

# %% [markdown]
# ## 1. One step downhill
#
# The gradient $g$ of a loss says in which direction it grows. So go the other way, by a step that is proportional to it:
#
# $$p \leftarrow p - \mathrm{lr}\cdot g .$$
#
# That is all of *gradient descent*. The *learning rate* `lr` is the only number to choose. Take $f(p) = p^2$ with the
# slope $2p$, start at 1, and try four of them.

# %%
for lr in (0.01, 0.4, 0.9, 1.1):
    p, places = 1.0, []
    for _ in range(6):
        p = p - lr * 2 * p
        places.append(p)
    print(f"lr {lr:4}: " + "  ".join(f"{p:7.3f}" for p in places))

# %% [markdown]
# Too small: it creeps. Good: it is there after a few steps. Nearly too large: it jumps from side to side, and still
# arrives. Too large: each jump ends **higher** than it began, and it flies away. Where is the border? Each step multiplies
# $p$ by $1 - 2\,\mathrm{lr}$, and this must stay between $-1$ and $1$.

# %%
predict(
    "For f(p) = c · p² / 2 the slope is c · p. Above which learning rate does it fly away, if c = 50?",
    ["0.02", "0.04", "1", "50"],
    "0.04",
    {
        "0.02": "At 1/c one single step leads exactly into the minimum: the best rate, not the border.",
        "0.04": "Each step multiplies p by 1 - lr · c, which leaves the range from -1 to 1 at lr = 2 / c = 0.04.",
        "1": "That is the border for c = 2.",
        "50": "The steeper the landscape, the smaller the steps must be.",
    },
)

# %% [markdown]
# ## 2. The trouble with one learning rate
#
# A network has many parameters, and the loss is steep in some of them and flat in others. The simplest picture of that is a
# valley, $f(x, y) = x^2/20 + y^2$: twenty times steeper across ($y$) than along ($x$). The steep direction forbids a learning
# rate above 1; along the valley even the largest allowed one creeps.

# %%
bowl = LANDSCAPES["bowl"]
race(
    bowl,
    {
        "SGD, lr 0.1": lambda variables: optim.SGD(variables, lr=0.1),
        "SGD, lr 0.95": lambda variables: optim.SGD(variables, lr=0.95),
        "momentum, lr 0.3": lambda variables: optim.SGD(variables, lr=0.3, momentum=0.7),
    },
    start=(-5, 2),
    steps=40,
)

# %% [markdown]
# (`SGD` is gradient descent. The rings are lines of equal height, the numbers in the corner the heights reached.) The small
# rate turns into the valley and then hardly moves. The large one zigzags from wall to wall, and uses most of its way for
# that. The third one swings less from step to step, and is hundreds of times lower after the same 40. What it does, and what
# others do, is the matter of this lesson.

# %% [markdown]
# ## 3. Six optimizers by hand
#
# To compare optimizers we need a task on which all start alike: a small network (`nn.Sequential` puts its layers one after
# the other), some data, the same seed each time. A
# rule by hand is a function that gets a parameter `p`, its gradient `g`, a dictionary `s` that is this parameter's memory
# (empty at first), and the number of the step `t` from 1. It changes `p` in place.

# %%
inputs, targets = torch.randn(64, 5).double(), torch.randn(64, 3).double()


def task():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def by_hand(rule, steps=25):
    """Train with a rule of our own; the losses and the final parameters."""
    model, losses, memory = task(), [], {}
    for t in range(1, steps + 1):
        for p in model.parameters():
            p.grad = None
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        with torch.no_grad():  # the update itself is no part of the network
            for p in model.parameters():
                rule(p, p.grad, memory.setdefault(p, {}), t)
        losses.append(loss.item())
    return losses, list(model.parameters())


def by_package(make, steps=25):
    """The same with an optimizer of the package."""
    model, losses = task(), []
    optimizer = make(model.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, list(model.parameters())


curves = History("step")


def compare(name, rule, make):
    """Train both ways; they must end in the same place."""
    (mine, my_parameters), (_, their_parameters) = by_hand(rule), by_package(make)
    gap = max(
        (p - q).abs().max().item() for p, q in zip(my_parameters, their_parameters, strict=True)
    )
    print(
        f"{name}: loss {mine[0]:.4f} -> {mine[-1]:.4f}, largest difference of any weight {gap:.1e}"
    )
    assert gap < 1e-12
    for step, loss in enumerate(mine):
        curves.log(step, **{f"{name} loss": loss})


# %% [markdown]
# **SGD**, *stochastic gradient descent*: the step from above. ("Stochastic" speaks of the data, which come in random
# batches; the next lesson is about that.)


# %%
def sgd(p, g, s, t, lr=0.1):
    p -= lr * g


compare("SGD", sgd, lambda parameters: optim.SGD(parameters, lr=0.1))

# %% [markdown]
# **Momentum**: a heavy ball. It keeps a velocity $b$, a sum of all gradients in which older ones fade by $\mu = 0.9$ each
# step:
#
# $$b \leftarrow \mu\, b + g, \qquad p \leftarrow p - \mathrm{lr}\cdot b .$$
#
# Across the valley the gradients change their sign, and cancel in the sum. Along the valley they agree, and add up.


# %%
def momentum(p, g, s, t, lr=0.1, mu=0.9):
    s["b"] = mu * s["b"] + g if "b" in s else g.clone()
    p -= lr * s["b"]


compare("momentum", momentum, lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9))

# %% [markdown]
# **Nesterov**: the ball looks ahead. The velocity will carry it on by $\mu b$ anyway, so add that to the step now:
#
# $$b \leftarrow \mu\, b + g, \qquad p \leftarrow p - \mathrm{lr}\,(g + \mu\, b).$$


# %%
def nesterov(p, g, s, t, lr=0.1, mu=0.9):
    s["b"] = mu * s["b"] + g if "b" in s else g.clone()
    p -= lr * (g + mu * s["b"])


compare(
    "Nesterov",
    nesterov,
    lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True),
)

# %% [markdown]
# **RMSprop**: a learning rate for each parameter. Keep a running mean $v$ of the *square* of the gradient, and divide by
# its root. Steep directions get shorter steps, flat ones longer steps:
#
# $$v \leftarrow \alpha\, v + (1 - \alpha)\, g^2, \qquad p \leftarrow p - \mathrm{lr}\,\frac{g}{\sqrt v + \varepsilon}.$$


# %%
def rmsprop(p, g, s, t, lr=0.01, alpha=0.99, eps=1e-8):
    s["v"] = alpha * s.get("v", 0) + (1 - alpha) * g * g
    p -= lr * g / (s["v"].sqrt() + eps)


compare("RMSprop", rmsprop, lambda parameters: optim.RMSprop(parameters, lr=0.01))

# %% [markdown]
# **Adam**: both at once. A running mean $m$ of the gradient (momentum), a running mean $v$ of its square (RMSprop), and a
# correction: both means begin at 0, and are too small at first. After $t$ steps of $m \leftarrow \beta m + (1-\beta) g$ with a
# constant $g$ one finds $m = (1 - \beta^t)\, g$. So divide by $1 - \beta^t$:
#
# $$\hat m = \frac{m}{1 - \beta_1^t}, \quad \hat v = \frac{v}{1 - \beta_2^t}, \qquad p \leftarrow p - \mathrm{lr}\,\frac{\hat m}{\sqrt{\hat v} + \varepsilon}.$$


# %%
def adam(p, g, s, t, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    s["m"] = beta1 * s.get("m", 0) + (1 - beta1) * g
    s["v"] = beta2 * s.get("v", 0) + (1 - beta2) * g * g
    m, v = s["m"] / (1 - beta1**t), s["v"] / (1 - beta2**t)
    p -= lr * m / (v.sqrt() + eps)


compare("Adam", adam, lambda parameters: optim.Adam(parameters, lr=0.01))

# %% [markdown]
# **AdamW**: Adam with *weight decay*. To keep weights small, one can add $\lambda p$ to the gradient; but in Adam that is then
# divided by $\sqrt v$ like everything else, and weights with large gradients hardly decay. AdamW shrinks the weights
# directly, beside the step: $p \leftarrow (1 - \mathrm{lr}\,\lambda)\, p$.


# %%
def adamw(p, g, s, t, lr=0.01, decay=0.1):
    p *= 1 - lr * decay
    adam(p, g, s, t, lr)


compare("AdamW", adamw, lambda parameters: optim.AdamW(parameters, lr=0.01, weight_decay=0.1))

# %% [markdown]
# Six rules, twenty lines. All curves together (do not read a ranking out of it: each has the learning rate that I gave it,
# and on 64 random points there is nothing to learn but the points themselves):

# %%
curves.plot()

# %% [markdown]
# And this is what the package does in `optim.Adam`. Find your five lines in it; the differences (`*=`, `+=`) save memory.

# %%
print(inspect.getsource(optim.Adam.update))

# %%
predict(
    "The gradient of a parameter is 1000 in every step. How far does Adam with lr = 0.01 move it in its first step?",
    ["10", "1", "0.01", "0.001"],
    "0.01",
    {
        "10": "That is SGD: lr times gradient. Adam divides by the gradient's size.",
        "1": "The means begin at 0, but the corrections divide exactly that out.",
        "0.01": (
            "In the first step the corrected means are g and g², and g / √(g²) is "
            "the sign of g: every parameter moves by lr."
        ),
        "0.001": "Without the correction of m it would be so (and with neither, about 0.03).",
    },
)

# %%
first = torch.tensor([1000.0, -0.001], dtype=torch.float64)
p = torch.zeros(2, dtype=torch.float64)
adam(p, first, {}, 1)
print("a gradient of 1000 and one of -0.001, after the first step:", p.tolist())
assert torch.allclose(p, torch.tensor([-0.01, 0.01], dtype=torch.float64), rtol=1e-4)

# %% [markdown]
# That is Adam's charm, and its danger: it does not care how large gradients are. Units, scales and badly chosen weights
# hardly matter. But it also makes full steps where gradients are tiny, and next to the minimum it trembles by about `lr`,
# until a schedule lowers the rate.

# %% [markdown]
# ## 4. The race
#
# Play with it. Every point was computed by the engine; the three start from the cross.
#
# - On **bowl**, raise the learning rate until SGD flies away. Does momentum fly away earlier than SGD, or later?
# - On **rosenbrock** (a bent valley), which rates does SGD survive? Adam?
# - On **saddle** the start is almost exactly on the ridge. Who leaves it first, and why? (The gradient there is tiny.)
# - On **waves**, who gets stuck in a small hollow? What does momentum do that SGD cannot?

# %%
optimizer_race()

# %% [markdown]
# What you should have seen, as numbers:

# %%
makers = {
    "SGD": lambda lr: lambda variables: optim.SGD(variables, lr=lr),
    "momentum": lambda lr: lambda variables: optim.SGD(variables, lr=lr, momentum=0.9),
    "Adam": lambda lr: lambda variables: optim.Adam(variables, lr=lr),
}
starts = {
    "bowl": (-5.0, 2.5),
    "rosenbrock": (-1.2, 1.6),
    "saddle": (2.0, 0.05),
    "waves": (4.6, -3.9),
}


def height(landscape, name, lr, steps=80):
    """How high an optimizer still is at the end; infinite where it flew away."""
    x, y = path(LANDSCAPES[landscape], makers[name](lr), starts[landscape], steps)[-1].tolist()
    h = LANDSCAPES[landscape](torch.tensor(x), torch.tensor(y)).item()
    return h if math.isfinite(h) and h < 1e6 else math.inf


for landscape, rates in {
    "bowl": (0.05, 0.5, 1.1),
    "rosenbrock": (0.001, 0.005, 0.1),
    "saddle": (0.02, 0.1),
}.items():
    for lr in rates:
        row = "  ".join(f"{name} {height(landscape, name, lr):10.3g}" for name in makers)
        print(f"{landscape:11} lr {lr:<6} {row}")

assert height("bowl", "SGD", 1.1) == math.inf and height("bowl", "Adam", 1.1) < 10
assert height("rosenbrock", "SGD", 0.005) == math.inf and height("rosenbrock", "Adam", 0.1) < 10
assert (
    height("bowl", "momentum", 0.05) < height("bowl", "SGD", 0.05) / 100
    and height("bowl", "momentum", 1.1) < 1
)

# %% [markdown]
# Three things to take home. *Momentum* is the fastest on the bowl at small rates, and it even survives a rate at which SGD
# flies away: across the valley the gradients change sign, and in the velocity they nearly cancel. *SGD and momentum* leave
# the steep valley of rosenbrock for ever at 0.005, since their steps are as long as the gradient is large. *Adam* cannot
# fly away: its steps are about `lr` long, whatever the gradient. It pays for that with patience.

# %% [markdown]
# ## 5. Schedules
#
# Far away from the minimum long steps are good, close to it short ones. A *schedule* changes the learning rate while
# training goes on. Three common ones, as functions of the step:


# %%
def stairs(step, lr=0.1):
    """Half of it every 25 steps."""
    return lr * 0.5 ** (step // 25)


def cosine(step, lr=0.1, steps=100):
    """Down along half a cosine wave."""
    return lr * (1 + math.cos(math.pi * step / steps)) / 2


def warm_up_and_decay(step, lr=0.1, warm=10, steps=100):
    """Up from near 0 for a few steps, while Adam's means fill, then down in a straight line."""
    return lr * (step + 1) / warm if step < warm else lr * (steps - step) / (steps - warm)


# %% [markdown]
# In PyTorch's names: a scheduler holds the optimizer, and `scheduler.step()` comes **after** `optimizer.step()`.

# %%
schedules = {
    "stairs": (stairs, lambda o: optim.lr_scheduler.StepLR(o, step_size=25, gamma=0.5)),
    "cosine": (cosine, lambda o: optim.lr_scheduler.CosineAnnealingLR(o, T_max=100)),
    "warm up": (
        warm_up_and_decay,
        lambda o: optim.lr_scheduler.LambdaLR(o, lambda step: warm_up_and_decay(step, lr=1)),
    ),
}
rates = History("step")
for name, (formula, make) in schedules.items():
    optimizer = optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = make(optimizer)
    for step in range(100):
        lr = optimizer.param_groups[0]["lr"]
        assert abs(lr - formula(step)) < 1e-9, (name, step)
        rates.log(step, **{f"{name} lr": lr})
        optimizer.step()
        scheduler.step()
rates.plot()

# %% [markdown]
# Does it help? Noisy gradients are where it matters: a batch is a sample, so its gradient is the true one plus noise.
# With a constant rate SGD trembles for ever at a height that the rate decides; with a falling one it settles.


# %%
def noisy(lr_of, steps=100):
    """The mean height over 20 noisy descents into p² / 2, in the last five steps."""
    torch.manual_seed(0)
    p, last = torch.full((20,), 3.0), []
    for step in range(steps):
        p = p - lr_of(step) * (p + torch.randn(20))
        last.append((p * p / 2).mean().item())
    return sum(last[-5:]) / 5


constant = noisy(lambda step: 0.1)
falling = noisy(cosine)
print(f"constant rate: {constant:.4f}   cosine: {falling:.5f}")
assert falling < constant / 2

# %% [markdown]
# ## 6. The forgotten `zero_grad`
#
# `backward()` **adds** to `p.grad`. If nobody clears it, each step uses the sum of all gradients since the beginning.

# %%
predict(
    "Without zero_grad(), the step uses the sum of all gradients so far. Which optimizer does that look like?",
    [
        "SGD with a smaller learning rate",
        "momentum that never fades (μ = 1)",
        "Adam",
        "no difference",
    ],
    "momentum that never fades (μ = 1)",
    "b ← b + g is momentum with μ = 1: a ball without any friction. It rolls "
    "through the minimum, up the other side, and back, "
    "for ever.",
)


# %%
def train(forget, steps=60):
    p = torch.tensor([3.0], requires_grad=True)
    optimizer, places = optim.SGD([p], lr=0.02), []
    for _ in range(steps):
        if not forget:
            optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()
        places.append(p.item())
    return places


forgotten = History("step")
for step, (good, bad) in enumerate(zip(train(False), train(True), strict=True)):
    forgotten.log(step, **{"with zero_grad, p": good, "forgotten, p": bad})
forgotten.plot()

# %% [markdown]
# The symptom: `p` runs through the minimum at 0 and up the other side, so the loss falls at first, even faster than it
# should, then *rises*, and swings. Nothing crashes, no shape is wrong. If a loss swings like this, look for `zero_grad()` first. The package's linter, which watches a run from outside, knows the
# pattern too:

# %%
assert min(train(True)) < -2.5 and abs(train(False)[-1]) < 0.3

with Linter() as linter:
    train(forget=True)
print(linter.findings)
assert "no zero_grad" in [finding.kind for finding in linter.findings]

# %% [markdown]
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1. Steady state.** With momentum $\mu = 0.9$ and a gradient that is always 1, the velocity grows until it no longer
# changes: $b = \mu b + 1$. To which value?


# %% tags=["check"]
def check_velocity(velocity):
    hints = {
        0.9: "That is μ. Solve b = 0.9 b + 1 for b.",
        1.9: "That is b after two steps; it goes on.",
        1.0: "That is b after the first step.",
    }
    return check(
        "velocity",
        velocity,
        10.0,
        hints,
        because="Where gradients agree, momentum 0.9 makes steps ten times as long; where they alternate, half as long: 1 / 1.9.",
    )


# %%
velocity = None
check_velocity(velocity)

# %% tags=["solution"]
velocity = 1 / (1 - 0.9)
assert check_velocity(velocity)

# %% [markdown]
# **2. Adagrad.** An older relative of RMSprop: $v$ is the **sum** of all squares, $v \leftarrow v + g^2$, and
# $p \leftarrow p - \mathrm{lr}\; g / (\sqrt v + \varepsilon)$. Return the new `p` and the new `v`.


# %% tags=["check"]
def check_adagrad(adagrad):
    def adagrad_right(p, g, v, lr=0.1, eps=1e-10):
        q = p.clone().requires_grad_()
        optimizer = optim.Adagrad([q], lr=lr, eps=eps)
        optimizer.state[q]["sum"] = v.clone()
        q.grad = g
        optimizer.step()
        return q.detach(), optimizer.state[q]["sum"]

    samples = [
        (torch.randn(3), torch.randn(3), torch.zeros(3)),
        (torch.randn(2, 2), torch.randn(2, 2), torch.rand(2, 2)),
    ]
    hints = [
        (
            lambda p, g, v, lr=0.1, eps=1e-10: (p - lr * g / (v.sqrt() + eps), v + g * g),
            "Add g² to v first: the step divides by the new v.",
        ),
        (
            lambda p, g, v, lr=0.1, eps=1e-10: (p - lr * g / (v + g * g + eps), v + g * g),
            "The step divides by the root of v.",
        ),
    ]
    return check_function(
        "Adagrad",
        adagrad,
        adagrad_right,
        *samples,
        hints=hints,
        because="Its steps only ever get shorter: a schedule that the gradients write themselves.",
    )


# %%
def adagrad(p, g, v, lr=0.1, eps=1e-10):
    return None


check_adagrad(adagrad)


# %% tags=["solution"]
def adagrad(p, g, v, lr=0.1, eps=1e-10):
    v = v + g * g
    return p - lr * g / (v.sqrt() + eps), v


assert check_adagrad(adagrad)

# %% [markdown]
# **3. Without the correction.** If Adam's means were *not* corrected ($\beta_1 = 0.9$, $\beta_2 = 0.999$, `lr` 0.01), how long would the
# first step be, for any gradient? (The sign does not matter, nor does $\varepsilon$.)


# %% tags=["check"]
def check_first_step(first_step):
    hints = {
        0.01: "That is with the correction.",
        0.001: "m is 0.1 g, but v is too small as well: 0.001 g², and its root counts.",
    }
    return check(
        "first step",
        first_step,
        0.01 * 0.1 / math.sqrt(0.001),
        hints,
        atol=1e-4,
        because="Three times too long, in the very steps in which Adam knows least: v needs more time to fill than m.",
    )


# %%
first_step = None
check_first_step(first_step)

# %% tags=["solution"]
first_step = 0.01 * (1 - 0.9) / math.sqrt(1 - 0.999)
assert check_first_step(first_step)

# %% [markdown]
# **4. A schedule of your own.** Write `one_cycle(step)`: up in a straight line from 0.01 at step 0 to 0.1 at step 30, then down in
# a straight line to 0 at step 100.


# %% tags=["check"]
def check_one_cycle(one_cycle):
    def one_cycle_right(step):
        return 0.01 + 0.09 * step / 30 if step <= 30 else 0.1 * (100 - step) / 70

    hints = [
        (lambda step: 0.1 * step / 30, "That begins at 0, and 0.01 is wanted."),
        (lambda step: 0.01 + 0.1 * step / 30, "From 0.01 to 0.1 are only 0.09."),
        (
            lambda step: 0.1 * (100 - step) / 100,
            "The way down begins at step 30: it is 70 steps long.",
        ),
    ]
    return check_function(
        "one cycle", one_cycle, one_cycle_right, 0, 15, 30, 31, 65, 100, hints=hints
    )


# %%
def one_cycle(step):
    return None


check_one_cycle(one_cycle)


# %% tags=["solution"]
def one_cycle(step):
    return 0.01 + step * 0.003 if step <= 30 else (100 - step) / 700


assert check_one_cycle(one_cycle)

# %% [markdown]
# **5. Adam is not linear.** If the loss is multiplied by 1000, all gradients are 1000 times as large. By which factor do the
# *first steps* of SGD and of Adam get longer?


# %% tags=["check"]
def check_factors(factors):
    hints = [
        ((1000, 1000), "Adam divides by the gradient's own size."),
        ((1, 1), "SGD's step is lr · g."),
        ((1000, 1000**0.5), "Adam divides by the root of a mean of g²: that grows as g does."),
    ]
    return check(
        "factors",
        factors,
        (1000, 1),
        hints,
        because="This is why a mean or a sum over the batch matters for SGD's learning rate, and not for Adam's.",
    )


# %%
factors = None  # (of SGD, of Adam)
check_factors(factors)

# %% tags=["solution"]
factors = (1000, 1)
assert check_factors(factors)

# %% [markdown]
# You can now write every optimizer that the following lessons use. The next question is where the gradients come from:
# from which part of the data, and in what order (`07_dataloader`).
