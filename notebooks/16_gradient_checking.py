# %% [markdown]
# # 16 · Gradient checking
#
# After this lesson you can
#
# - compute a gradient without any calculus, and know how many of its digits are right;
# - choose a step size by reason, read the V-shaped error curve, and say when the complex step does away with it;
# - tell a wrong rule from a kink, from float32 noise and from randomness;
# - find a bug in a gradient by the *pattern* of the error: five of them are planted at the end.
#
# You need derivatives and what `backward()` does. A wrong gradient does not crash: the network learns a little worse, and
# nobody notices for weeks. So every rule ever written by hand should go through what follows.

# %%
import math

import numpy as np

import tinygrad_edu as torch
from tinygrad_edu import nn
from tinygrad_edu.autograd import gradcheck
from tinygrad_edu.learn import check, check_function, check_gradient, predict
from tinygrad_edu.viz.figures import DASHES, line_style, panels, style

_ = torch.manual_seed(16)

# %% [markdown]
# ## 1. Nudge and look
#
# The derivative says how much a result changes when the input is nudged. So nudge it. From one side, or better from both:
#
# $$f'(x) \approx \frac{f(x + h) - f(x)}{h}, \qquad f'(x) \approx \frac{f(x + h) - f(x - h)}{2h}.$$
#
# Our example has a derivative that we know: $f(x) = e^{\sin 3x}$, so $f'(x) = 3\cos(3x)\, f(x)$.


# %%
def f(x):
    return (3 * x).sin().exp()


def one_sided(f, x, h):
    return (f(x + h) - f(x)) / h


def central(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


x = torch.tensor(0.7, dtype=torch.float64)
true = (3 * (3 * x).cos() * f(x)).item()
for h in (0.1, 0.01, 0.001):
    errors = [abs(method(f, x, h).item() - true) for method in (one_sided, central)]
    print(f"h = {h:<6} error from one side {errors[0]:.1e}, from both sides {errors[1]:.1e}")

# %% [markdown]
# From 0.01 to 0.001, ten times smaller a step: the one-sided error is ten times smaller, the central one a **hundred** times. Taylor's formula
# says why: $f(x \pm h) = f \pm h f' + \tfrac{h^2}{2} f'' \pm \tfrac{h^3}{6} f''' + \dots$ In the difference of both sides the
# $h^2$ terms cancel, and what remains after the division is $\tfrac{h^2}{6} f'''$.

# %%
predict(
    "So make h tiny: 1e-15. How many digits of the central difference are right, in double precision?",
    ["all 16", "about 10", "about 5", "hardly one"],
    "hardly one",
    {
        "all 16": "In exact arithmetic it would be so. But f(x + h) and f(x - h) are rounded to 16 digits.",
        "about 10": "That is the best any h can do for the central difference.",
        "about 5": "Smaller still: look at the difference of two numbers that agree in their first 15 digits.",
        "hardly one": "f(x + h) and f(x - h) agree in 15 of their 16 digits. The difference is what is left: rounding.",
    },
)

# %% [markdown]
# ## 2. The V
#
# Two errors work against each other. The formula's own error falls with $h$ (as $h^2$). Rounding rises as $h$ falls: every
# value is exact to about $\varepsilon = 10^{-16}$, and the difference is divided by $2h$, which makes $\varepsilon / h$. Draw the
# error over $h$, both axes logarithmic.


# %%
def complex_step(f, x, h):
    return f(torch.complex(x, torch.full_like(x, h))).imag / h


def error_curve(method, x, true, steps):
    return [max(abs(method(f, x, h).item() - true), 1e-17) for h in steps]


steps = [10 ** (-k / 4) for k in range(2, 65)]
methods = {"from one side": one_sided, "from both sides": central, "complex step": complex_step}
errors = {name: error_curve(method, x, true, steps) for name, method in methods.items()}


def log_log(curves, steps, title):
    with style():
        plot, (ax,) = panels(1, title, size=(6.6, 4.2))
        for number, (name, values) in enumerate(curves.items()):
            looks = line_style(number) | {"linestyle": DASHES[number]}
            ax.loglog(steps, values, label=name, linewidth=1.6, **looks)
        ax.set_xlabel("step h")
        ax.set_ylabel("error")
        ax.set_title(title, fontsize=11)
        ax.grid(True)
        ax.legend()
    return plot


log_log(errors, steps, "error of the numerical derivative, float64")

# %% [markdown]
# Read it from right to left. On the right the slopes are 1 and 2: errors as $h$ and as $h^2$. On the left both rise again,
# jagged, because rounding is. In between is the best that each can do:
#
# | | formula's error | rounding | best step | best error |
# |---|---|---|---|---|
# | one side | $h$ | $\varepsilon / h$ | $\varepsilon^{1/2} \approx 10^{-8}$ | $10^{-8}$ |
# | both sides | $h^2$ | $\varepsilon / h$ | $\varepsilon^{1/3} \approx 10^{-5}$ | $10^{-10}$ |
#
# The third curve is another world. Take the step in the *imaginary* direction: $f(x + ih) = f + ih f' - \tfrac{h^2}{2} f'' - \dots$,
# so the imaginary part is $h f'$ and the error $h^2$, **and nothing is subtracted**: no rounding to fear. Choose
# $h = 10^{-30}$ and all digits are right. (The bottom of the picture, $10^{-17}$, stands for "no error at all".)

# %%
best = {name: min(values) for name, values in errors.items()}
where = {name: steps[int(np.argmin(values))] for name, values in errors.items()}
for name in methods:
    print(
        f"{name:16} best error {best[name]:.0e}"
        + (f" at h = {where[name]:.0e}" if name != "complex step" else "")
    )

assert 1e-11 < best["from one side"] < 1e-6 and best["from both sides"] < 1e-9
assert 1e-7 < where["from both sides"] < 1e-3
assert abs(complex_step(f, x, 1e-30).item() - true) < 1e-14

# %% [markdown]
# The slopes of the V, measured:

# %%
for name, low, high in (("from one side", 0.9, 1.1), ("from both sides", 1.9, 2.1)):
    at = dict(zip(steps, errors[name], strict=True))
    h1, h2 = 10**-2.0, 10**-3.0
    slope = math.log10(at[h1] / at[h2])
    print(f"{name}: ten times smaller a step, 10^{slope:.2f} times smaller an error")
    assert low < slope < high

# %% [markdown]
# ## 3. float32
#
# In single precision $\varepsilon \approx 10^{-7}$. The same formula, the same V, moved up: the best step is
# $\varepsilon^{1/3} \approx 5\cdot 10^{-3}$ and the best error about $10^{-5}$.

# %%
single = error_curve(central, x.float(), true, steps[:40])
log_log(
    {"float64": errors["from both sides"][:40], "float32": single},
    steps[:40],
    "from both sides, in two precisions",
)

# %%
print(
    f"best error in float32 {min(single):.0e},",
    f"with the step 1e-6: {abs(central(f, x.float(), 1e-6).item() - true):.0e}",
)
assert min(single) > 100 * best["from both sides"]

# %% [markdown]
# With `h = 1e-6`, a popular choice, a float32 check says nothing at all. So: **check in double precision.** `x.double()`,
# `module.double()`. This package's check takes its steps in double precision by itself, even from a float32 input. What it
# cannot help is a step of lower precision *inside* the function; but it recognises one:


# %%
def verdict(function, *inputs, **options):
    """What gradcheck says, in short."""
    try:
        gradcheck(function, inputs, **options)
        return "passes"
    except RuntimeError as error:
        return getattr(error, "cause", "") or str(error).split("\n")[0]


def rounded_inside(x):
    return x.float().exp().double()


print(
    "float32 inside:",
    verdict(rounded_inside, torch.randn(5, dtype=torch.float64, requires_grad=True)),
)
assert "lower precision" in verdict(
    rounded_inside, torch.randn(5, dtype=torch.float64, requires_grad=True)
)

# %% [markdown]
# ## 4. Kinks
#
# At 0, `relu` bends. From the left its slope is 0, from the right 1, and the central difference says $\tfrac12$, whatever $h$.
# The engine says 0 (as PyTorch does). **Both are right**: there is no derivative at a kink. That is no bug, but it looks like
# one, since a sample that lies within a step of a kink fails the check.

# %%
at_kink = torch.tensor([0.0, 1.5, -0.7], dtype=torch.float64, requires_grad=True)
# the slopes that it tells are multiplied by the random weight of that result: see below
print("relu:", verdict(torch.relu, at_kink))
assert "kink" in verdict(torch.relu, at_kink)
away = torch.tensor([0.3, 1.5, -0.7], dtype=torch.float64, requires_grad=True)
print("relu, sample moved:", verdict(torch.relu, away))

# %%
predict(
    "Which of these has no kink anywhere?",
    ["`x.abs()`", "`x.max()`", "`x * x.abs()`", "`x.clamp(-1, 1)`"],
    "`x * x.abs()`",
    {
        "`x.abs()`": "At 0 the slope jumps from -1 to 1.",
        "`x.max()`": "Where two elements are both the largest, a nudge of one changes the maximum only upwards.",
        "`x * x.abs()`": "Its slope is 2|x|: continuous, also at 0. (The second derivative jumps there.)",
        "`x.clamp(-1, 1)`": "At -1 and at 1 the slope jumps between 0 and 1.",
    },
)

# %%
zero = torch.zeros(2, dtype=torch.float64, requires_grad=True)
for name, function in {
    "x.abs()": lambda x: x.abs(),
    "x.max()": lambda x: x.max(),
    "x * x.abs()": lambda x: x * x.abs(),
    "clamp(x + 1)": lambda x: (x + 1).clamp(-1, 1),
}.items():
    print(f"{name:13} at 0: {verdict(function, zero)}")

# %% [markdown]
# `abs` and `max` have a kink there, and pass! At 0 the engine answers with the slope in the middle (0 for `abs`, one half for each
# of two equal maxima), and the middle is also what a difference from both sides gives. Lucky, and no reason to rely on it.

# %% [markdown]
# ## 5. Many results, many inputs
#
# A gradient is of *one* number. If a function has many results, they must become one first. Adding them up is tempting, and
# a trap: some functions keep their sum constant. A softmax always adds up to 1, so the gradient of that sum is zero, and a
# rule that returns nothing but zeros would pass.

# %%
z = torch.randn(5, dtype=torch.float64, requires_grad=True)
plain = torch.autograd.grad(torch.softmax(z, 0).sum(), z)[0]
weights = torch.randn(5, dtype=torch.float64)
weighted = torch.autograd.grad((torch.softmax(z, 0) * weights).sum(), z)[0]
print("gradient of the sum:         ", [f"{g:+.0e}" for g in plain.tolist()])
print("with random weights:         ", [f"{g:+.3f}" for g in weighted.tolist()])
assert plain.abs().max() < 1e-15 < 1e-3 < weighted.abs().max()

# %% [markdown]
# So weight the results by random numbers: nothing cancels by accident. This is also what `backward(gradient)` computes for
# these weights, in one walk. Here is a complete gradient check in a dozen lines:


# %%
def my_gradcheck(function, x, h=1e-5):
    """The largest error of the engine's gradient at x, by central differences."""
    x = x.detach().double().requires_grad_()
    result = function(x)
    weights = torch.randn(result.shape, dtype=torch.float64)
    analytic = torch.autograd.grad(result, x, weights)[0]
    numeric = torch.zeros_like(x)
    with torch.no_grad():
        for i in range(x.numel()):
            step = torch.zeros(x.numel(), dtype=torch.float64)
            step[i] = h
            step = step.reshape(x.shape)
            numeric.view(-1)[i] = ((function(x + step) - function(x - step)) * weights).sum() / (
                2 * h
            )
    return (analytic - numeric).abs().max().item()


for name, function in {
    "softmax": lambda x: x.softmax(1),
    "matmul": lambda x: x @ x.T,
    "cumsum": lambda x: x.cumsum(0),
}.items():
    error = my_gradcheck(function, torch.randn(4, 3))
    print(f"{name:8} largest error {error:.1e}")
    assert error < 1e-8

# %% [markdown]
# It runs the function twice for *each element* of the input. For a layer with a hundred thousand weights that is too
# much. But one can look along a **random direction** $d$ at the price of two runs in all:
#
# $$\frac{L(x + h d) - L(x - h d)}{2h} \approx g \cdot d .$$
#
# If $g$ is wrong, then $g \cdot d$ is wrong for nearly every $d$: only directions exactly across the error miss it.


# %%
def along_a_direction(function, x, gradient, h=1e-5):
    """The engine's slope along a random direction, and the numerical one."""
    d = torch.randn(x.shape, dtype=torch.float64)
    with torch.no_grad():
        numeric = (function(x + h * d) - function(x - h * d)) / (2 * h)
    return (gradient * d).sum().item(), numeric.item()


big = torch.randn(100_000, dtype=torch.float64, requires_grad=True)


def loss_of(x):
    return (x.sin() * x).sum()


gradient = torch.autograd.grad(loss_of(big), big)[0]
analytic, numeric = along_a_direction(loss_of, big, gradient)
print(f"right gradient: {analytic:.6f} against {numeric:.6f}")
assert abs(analytic - numeric) < 1e-4 * abs(numeric)
gradient[::2] *= -1  # half of the signs wrong
analytic, numeric = along_a_direction(loss_of, big, gradient)
print(
    f"wrong gradient: {analytic:.6f} against {numeric:.6f}: seen with two runs, instead of 200,000"
)
assert abs(analytic - numeric) > 0.01 * abs(numeric)

# %% [markdown]
# What it does not say is *where*. So `gradcheck(..., fast_mode=True)` looks along a random direction first, and goes through
# the elements only if that fails.

# %% [markdown]
# ## 6. The package's check
#
# `gradcheck(function, inputs)` is all of the above: random weights, a step by dtype and scale, the complex step where the
# function takes complex numbers, and, when something differs, a *diagnosis*. It takes a module too, and checks all its
# parameters:

# %%
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.LayerNorm(5), nn.Linear(5, 3)).double()
assert gradcheck(model, torch.randn(2, 4, dtype=torch.float64))
print("a network with", sum(p.numel() for p in model.parameters()), "parameters: right")

# %% [markdown]
# Randomness is found as well. A function that gives another result each time cannot be differentiated by differences:

# %%
dropped = nn.Dropout(0.5)
message = str(verdict(lambda x: dropped(x), away))
print(message)
assert "deterministic" in message and verdict(dropped.eval(), away) == "passes"

# %% [markdown]
# ## 7. Five planted bugs
#
# A hurried colleague has written five functions with their gradients. Every forward is right. Every rule has **one** bug, of
# the kinds that people really make, and none of them raises an error or has a wrong shape. For each: run the check, read the
# diagnosis, then repair the rule. A rule gets `g`, the gradient of the result, and the inputs, and returns a gradient for
# each input.
#
# ### Bug 1: a loss


# %%
def mse(prediction, target):
    """The mean square error."""
    return ((prediction - target) ** 2).mean()


def mse_rule(g, prediction, target):
    difference = 2 * (prediction - target)
    return g * difference, -g * difference


loss_inputs = torch.randn(3, 4), torch.randn(3, 4)
found = check_gradient("bug 1", mse, loss_inputs, rule=mse_rule)
assert not found and "a constant factor: analytic = 12" in found.text

# %% [markdown]
# *All* elements are wrong, and all by the same factor. Where does a factor of 12 come from, for inputs of 3 × 4?


# %% tags=["check"]
def check_bug_1_repaired(mse_repaired):
    return check_gradient(
        "bug 1, repaired",
        mse,
        loss_inputs,
        rule=mse_repaired,
        because="A mean is a sum divided by the number of elements: the division belongs into the rule too.",
    )


# %%
def mse_repaired(g, prediction, target):
    return None


check_bug_1_repaired(mse_repaired)


# %% tags=["solution"]
def mse_repaired(g, prediction, target):
    difference = 2 * (prediction - target) / prediction.numel()
    return g * difference, -g * difference


assert check_bug_1_repaired(mse_repaired)

# %% [markdown]
# ### Bug 2: a product of matrices


# %%
def product(a, b):
    return a @ b


def product_rule(g, a, b):
    return g @ b, a.T @ g


square = torch.randn(3, 3), torch.randn(3, 3)
found = check_gradient("bug 2", product, square, rule=product_rule)
assert not found

# %% [markdown]
# With square matrices no shape complains. The gradient of `b` is not mentioned, so it is right: the bug is in the gradient of
# input 0.


# %% tags=["check"]
def check_bug_2_repaired(product_repaired):
    return check_gradient(
        "bug 2, repaired",
        product,
        square,
        rule=product_repaired,
        because="Test with shapes that are all different, (2, 3) @ (3, 4): then a forgotten transpose "
        "is an error at once.",
    )


# %%
def product_repaired(g, a, b):
    return None


check_bug_2_repaired(product_repaired)


# %% tags=["solution"]
def product_repaired(g, a, b):
    return g @ b.T, a.T @ g


assert check_bug_2_repaired(product_repaired)

# %% [markdown]
# ### Bug 3: a scale for each row


# %%
def scale_rows(x, s):
    """Each row of x (n, m) times its own number of s (n, 1)."""
    return x * s


def scale_rows_rule(g, x, s):
    return g * s, (g * x)[:, :1]


rows = torch.randn(3, 4), torch.randn(3, 1)
found = check_gradient("bug 3", scale_rows, rows, rule=scale_rows_rule)
assert not found and "missing sum" in found.text


# %% tags=["check"]
def check_bug_3_repaired(scale_rows_repaired):
    return check_gradient(
        "bug 3, repaired",
        scale_rows,
        rows,
        rule=scale_rows_repaired,
        because="s is used m times along its row, and gradients of several uses are added.",
    )


# %%
def scale_rows_repaired(g, x, s):
    return None


check_bug_3_repaired(scale_rows_repaired)


# %% tags=["solution"]
def scale_rows_repaired(g, x, s):
    return g * s, (g * x).sum(1, keepdim=True)


assert check_bug_3_repaired(scale_rows_repaired)

# %% [markdown]
# ### Bug 4: looking up words


# %%
def look_up(table, words):
    """The rows of a table (vocabulary, width) for a list of word numbers."""
    return table[words]


def look_up_rule(g, table, words):
    gradient = torch.zeros_like(table)
    gradient[words] = g
    return gradient, None


table, words = torch.randn(5, 3), torch.tensor([0, 3, 3, 1])
found = check_gradient("bug 4", look_up, (table, words), rule=look_up_rule)
assert not found and "accumulation" in found.text

# %% [markdown]
# One row of the table is wrong. Which word does it belong to, and what is special about that word in the sentence?


# %% tags=["check"]
def check_bug_4_repaired(look_up_repaired):
    return check_gradient(
        "bug 4, repaired",
        look_up,
        (table, words),
        rule=look_up_repaired,
        because="Word 3 comes twice. An assignment keeps the last of the two gradients, index_add adds them.",
    )


# %%
def look_up_repaired(g, table, words):
    return None


check_bug_4_repaired(look_up_repaired)


# %% tags=["solution"]
def look_up_repaired(g, table, words):
    return torch.zeros_like(table).index_add(0, words, g), None


assert check_bug_4_repaired(look_up_repaired)

# %% [markdown]
# ### Bug 5: a clipped line


# %%
def hard_sigmoid(x):
    """A cheap sigmoid: a straight line, cut off at 0 and at 1."""
    return (x / 4 + 0.5).clamp(0, 1)


def hard_sigmoid_rule(g, x):
    return g / 4


spread = (torch.linspace(-4.1, 3.9, 9),)
found = check_gradient("bug 5", hard_sigmoid, spread, rule=hard_sigmoid_rule)
assert not found and "where there is none" in found.text


# %% tags=["check"]
def check_bug_5_repaired(hard_sigmoid_repaired):
    return check_gradient(
        "bug 5, repaired",
        hard_sigmoid,
        spread,
        rule=hard_sigmoid_repaired,
        because="Where the line is cut off, nothing that x does is felt any more.",
    )


# %%
def hard_sigmoid_repaired(g, x):
    return None


check_bug_5_repaired(hard_sigmoid_repaired)


# %% tags=["solution"]
def hard_sigmoid_repaired(g, x):
    return g / 4 * (x.abs() < 2)


assert check_bug_5_repaired(hard_sigmoid_repaired)

# %%
predict(
    "Would bug 5 have been found with the sample `torch.randn(9) / 10`?",
    ["yes", "no"],
    "no",
    {
        "yes": "All values are then between -0.4 and 0.4 or so, where the line is not cut off and the rule is right.",
        "no": "The sample never reaches the cut. A check finds only what its sample can show: choose samples that visit "
        "every branch, and shapes that are all different.",
    },
)

# %%
assert check_gradient(
    "bug 5, seen from too near", hard_sigmoid, (torch.randn(9) / 10,), rule=hard_sigmoid_rule
)

# %% [markdown]
# It passes, and is wrong. What you have seen, as a list to keep:
#
# | the error | the likely cause |
# |---|---|
# | one factor everywhere | a mean for a sum, a forgotten 2, a forgotten use of the input |
# | opposite sign everywhere | a minus |
# | right numbers in the wrong places | a transpose |
# | only parts of a sum arrive | broadcasting not summed, a repeated index overwritten |
# | a gradient where none belongs | a mask or a branch forgotten |
# | zeros | `detach()`, `.data`, `.item()`, a cut graph |
# | half-way between two slopes | no bug: a kink |
# | small errors everywhere | no bug: float32, or a bad step size |
# | different at each run | no bug: dropout, random numbers |

# %% [markdown]
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1. The best step.** For a *fourth-order* formula the error of the formula is $h^4$, and rounding is still $\varepsilon / h$.
# At the best step both are about equal. Which power of $\varepsilon$ is the best $h$, and which is the best error?


# %% tags=["check"]
def check_powers(powers):
    hints = [
        ((1 / 3, 2 / 3), "That is the central difference, with h². Here h⁴ = ε / h."),
        ((1 / 5, 1 / 5), "The step is right. Put it into h⁴."),
    ]
    return check(
        "powers",
        powers,
        (1 / 5, 4 / 5),
        hints,
        because="In float64 an error of about 1e-13 at h = 1e-3.",
    )


# %%
powers = None  # (power of the step, power of the error)
check_powers(powers)

# %% tags=["solution"]
powers = (1 / 5, 4 / 5)
assert check_powers(powers)

# %% [markdown]
# **2. Fourth order.** Write that formula: $\dfrac{-f(x+2h) + 8 f(x+h) - 8 f(x-h) + f(x-2h)}{12 h}$.


# %% tags=["check"]
def check_fourth_order(fourth_order):
    def fourth_order_right(f, x, h):
        return (f(x - 2 * h) - f(x + 2 * h) + 8 * (f(x + h) - f(x - h))) / (12 * h)

    hints = [
        (central, "This is the central difference. Its error is h²; two more places are needed.")
    ]
    samples = (f, x, 1e-2), (torch.exp, x, 0.1)
    return check_function("fourth order", fourth_order, fourth_order_right, *samples, hints=hints)


# %%
def fourth_order(f, x, h):
    return None


check_fourth_order(fourth_order)


# %% tags=["solution"]
def fourth_order(f, x, h):
    return (-f(x + 2 * h) + 8 * f(x + h) - 8 * f(x - h) + f(x - 2 * h)) / (12 * h)


assert check_fourth_order(fourth_order)
with_fourth = errors | {"fourth order": error_curve(fourth_order, x, true, steps)}
print(
    f"best error {min(with_fourth['fourth order']):.0e}, against "
    f"{best['from both sides']:.0e} of the central difference"
)
assert min(with_fourth["fourth order"]) < best["from both sides"]

# %% [markdown]
# **3. Costs.** A layer has 1,000 weights, and you check it by central differences of every element, then along one
# random direction. How many times does the function run in each case?


# %% tags=["check"]
def check_runs(runs):
    hints = [
        ((1000, 1), "Each difference needs two runs, one on each side."),
        ((2000, 1), "Also the direction has two sides."),
    ]
    return check(
        "runs",
        runs,
        (2000, 2),
        hints,
        because="And backward() gives all 1,000 at once: that is why it exists.",
    )


# %%
runs = None  # (every element, one direction)
check_runs(runs)

# %% tags=["solution"]
runs = (2 * 1000, 2)
assert check_runs(runs)

# %% [markdown]
# **4. Where the complex step fails.** It needs a function that takes complex numbers *as a power series does*. For which of these
# does `complex_step` give a wrong number, without an error? Answer with a set of letters.
#
# a: $x^3$ · b: `x * x.conj()` · c: `x.tanh()` · d: `x.abs() ** 2`


# %% tags=["check"]
def check_complex_step(fails):
    hints = {
        "b": "There is one more: what does abs() do to a complex number?",
        "d": "There is one more: conj() flips the step.",
    }
    return check(
        "complex step",
        fails and "".join(sorted(fails)),
        "bd",
        hints,
        because="Both are x² on real numbers, and forget the imaginary part: the slope comes out as 0.",
    )


# %%
fails = None  # for example {"a", "c"}
check_complex_step(fails)

# %% tags=["solution"]
fails = {"b", "d"}
assert check_complex_step(fails)
candidates = {
    "a": lambda x: x**3,
    "b": lambda x: x * x.conj(),
    "c": lambda x: x.tanh(),
    "d": lambda x: (x.abs() ** 2) + 0j,
}
for letter, function in candidates.items():
    print(
        letter,
        round(complex_step(function, x, 1e-20).item(), 6),
        "central:",
        round(central(function, x, 1e-5).real.item(), 6),
    )

# %% [markdown]
# **5. Your turn.** Write the rule of the *log-sum-exp*, $y = \log \sum_i e^{x_i}$. Its gradient is the softmax of `x`. (Stable for large
# `x`: use `softmax`.)


# %% tags=["check"]
def check_logsumexp(logsumexp_rule):
    return check_gradient(
        "logsumexp", lambda x: x.logsumexp(0), (torch.randn(5) * 3,), rule=logsumexp_rule
    )


# %%
def logsumexp_rule(g, x):
    return None


check_logsumexp(logsumexp_rule)


# %% tags=["solution"]
def logsumexp_rule(g, x):
    return g * x.softmax(0)


assert check_logsumexp(logsumexp_rule)
