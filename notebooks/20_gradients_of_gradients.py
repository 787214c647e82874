# %% [markdown]
# # 20 · Gradients of gradients
#
# After this lesson you can
#
# - differentiate a gradient again, and say what `create_graph=True` changes;
# - multiply by the matrix of all second derivatives without ever building it, and read from it how large a learning rate
#   may be;
# - write Newton's method, see it win in six steps, and see it walk to the top of a hill;
# - put a gradient *into a loss*: a critic whose slope is kept at 1, and a network that solves a differential equation
#   of which it has never seen a solution.
#
# You need derivatives, a little matrix algebra, and a training loop (`08_full_loop`).

# %%
import math

import numpy as np
from IPython.display import display

import tinygrad_edu as torch
from tinygrad_edu import nn, optim, viz
from tinygrad_edu.datasets import Digits, delivery
from tinygrad_edu.learn import check, check_function, curves, predict
from tinygrad_edu.viz.figures import line_style, panels, style

torch.manual_seed(20)
torch.set_default_dtype(torch.float64)  # sixteen digits: second derivatives are small numbers

# %% [markdown]
# ## 1. A gradient is a function too
#
# $f(x) = x^3$ has the slope $f'(x) = 3x^2$. The slope is again a function of $x$, with a slope of its own: $f''(x) = 6x$, the
# **curvature** of $f$. `torch.autograd.grad` returns a gradient instead of storing it in `.grad`. Ask for the gradient
# of the gradient:

# %%
x = torch.tensor(2.0, requires_grad=True)
(slope,) = torch.autograd.grad(x**3, x)
print("slope:", slope)
try:
    torch.autograd.grad(slope, x)
except RuntimeError as error:
    print("RuntimeError:", error)

# %% [markdown]
# The number 12 is right, and it is only a number: nobody wrote down how it was computed. The engine goes back along the
# graph of $x^3$ with plain arrays, because that is quick and is all that training needs.
#
# `create_graph=True` says: *record the walk back as well*. Then the gradient has a graph, like any other result.

# %%
(slope,) = torch.autograd.grad(x**3, x, create_graph=True)
(curvature,) = torch.autograd.grad(slope, x)
print("slope:", slope)
print("curvature:", curvature)
assert slope.item() == 12.0 and curvature.item() == 12.0  # 3 * 2 ** 2 and 6 * 2

# %% [markdown]
# Here is that graph: the way from $x$ to $3x^2$. Our program had one power, with the exponent 3. The one you see has the
# exponent 2, and then comes a product with 3: that is the *rule* of the power, recorded while it ran. (The product with 1 is
# the chain rule's: every walk back begins with the gradient 1.) Rules are written with ordinary operations, these have rules
# themselves, and so nobody had to derive second derivatives.

# %%
try:
    (slope,) = torch.autograd.grad(x**3, x, create_graph=True)
    display(viz.graph(slope, names={"x": x}))
except ImportError as error:
    print(error)

# %% [markdown]
# A whole curve at once: in $\sum_i f(x_i)$ each $x_i$ matters only for its own term, so the gradient of the sum is the list
# of all slopes. We will use this little function until the end of the lesson.


# %%
def slope_of(y, x):
    """dy/dx for each x, as something that can be differentiated again."""
    return torch.autograd.grad(y.sum(), x, create_graph=True)[0]


x = torch.linspace(-3, 3, 121).requires_grad_()
f = x.tanh()
f1 = slope_of(f, x)
f2 = slope_of(f1, x)
three = {"tanh": f, "slope": f1, "curvature": f2}
curves(x, {"tanh, its slope and its curvature": three}, "x", size=(6, 3))

# %% [markdown]
# Where tanh is steepest, its curvature is zero. To be sure, against the formulas
# $\tanh' = 1 - \tanh^2$ and $\tanh'' = -2 \tanh\,(1 - \tanh^2)$:

# %%
assert torch.allclose(f1, 1 - f**2)
assert torch.allclose(f2, -2 * f * (1 - f**2))
print("both agree")

# %% [markdown]
# ## 2. The Hessian, and how not to build it
#
# A loss of $n$ parameters has $n$ slopes, the gradient, and $n \times n$ curvatures, the **Hessian**
# $H_{ij} = \partial^2 L / \partial w_i\, \partial w_j$: how the $i$-th slope changes when you move along the $j$-th parameter.
# For a function of two numbers it is a table of two by two:


# %%
def valley(x, y):
    """A bent valley, lowest at (1, 1)."""
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


point = torch.tensor([-1.2, 1.0])
H = torch.autograd.functional.hessian(lambda p: valley(p[0], p[1]), point)
print(H)
by_hand = torch.tensor([[2 - 400 * (1 - 3 * 1.44), 480.0], [480.0, 200.0]])
assert torch.allclose(H, by_hand)

# %%
predict(
    "The network 784-128-10 has 101,770 parameters. How much memory does its Hessian take in float32?",
    ["about 400 kB", "about 40 MB", "about 41 GB"],
    "about 41 GB",
    {
        "about 400 kB": "That is the gradient: one number for each parameter.",
        "about 40 MB": "This would be a hundred numbers for each parameter. There are 101,770 for each.",
        "about 41 GB": "101,770 times 101,770 numbers of four bytes.",
    },
)

# %% [markdown]
# Nobody builds that. But one nearly always wants $H$ only **times a vector** $v$: how does the gradient change, if I go in
# direction $v$? And this is one more gradient of one number:
#
# $$H v = \nabla_w \,\big( \underbrace{\nabla_w L \cdot v}_{\text{one number}} \big) .$$
#
# First the gradient, with its graph; its product with $v$, a number; and the gradient of that. Two walks, no matrix.


# %%
def hessian_times(gradients, parameters, vectors):
    """H v, for a list of parameters; the gradients come with their graph."""
    along = sum((g * v).sum() for g, v in zip(gradients, vectors, strict=True))
    return torch.autograd.grad(along, parameters, retain_graph=True)


p = point.clone().requires_grad_()
(g,) = torch.autograd.grad(valley(p[0], p[1]), p, create_graph=True)
v = torch.tensor([1.0, -2.0])
print("H v by two walks:", hessian_times([g], [p], [v])[0])
print("H @ v:           ", H @ v)
assert torch.allclose(hessian_times([g], [p], [v])[0], H @ v)

# %% [markdown]
# Now for a network that is large enough to make the matrix a nuisance, on 1,438 small digits that come with the package:

# %%
data = Digits()
images = data.data.double().reshape(-1, 64) / 255
labels = data.targets
network = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
parameters = list(network.parameters())
count = sum(p.numel() for p in parameters)
print(f"{count:,} parameters, a Hessian of {count**2:,} numbers")

loss = nn.functional.cross_entropy(network(images), labels)
gradients = torch.autograd.grad(loss, parameters, create_graph=True)
direction = [torch.randn(p.shape) for p in parameters]
product = hessian_times(gradients, parameters, direction)

# %% [markdown]
# Is it right? Do what the Hessian promises: take a small step $h$ along the direction and see how the gradient changes,
# $(\nabla L(w + h v) - \nabla L(w - h v))\, /\, 2h$.


# %%
def gradient_after(step):
    """The gradient at w + step * direction; the parameters are put back afterwards."""
    with torch.no_grad():
        for p, v in zip(parameters, direction, strict=True):
            p += step * v
    found = torch.autograd.grad(nn.functional.cross_entropy(network(images), labels), parameters)
    with torch.no_grad():
        for p, v in zip(parameters, direction, strict=True):
            p -= step * v
    return found


h = 1e-5
names = ("W1", "b1", "W2", "b2")
for name, exact, up, down in zip(
    names, product, gradient_after(h), gradient_after(-h), strict=True
):
    gap = ((up - down) / (2 * h) - exact).abs().max().item()
    print(f"{name}: largest entry {exact.abs().max().item():.4f}, largest difference {gap:.1e}")
    assert gap < 1e-7

# %% [markdown]
# ## 3. What curvature says about the learning rate
#
# In one dimension, with the loss $\frac{1}{2}\lambda w^2$, a step of gradient descent is $w \leftarrow w - \eta \lambda w =
# (1 - \eta\lambda)\, w$. It shrinks $w$ only while $|1 - \eta\lambda| < 1$, that is
#
# $$\eta < \frac{2}{\lambda} .$$
#
# In many dimensions the same holds along each eigenvector of $H$ (a direction $v$ that $H$ only stretches, $H v = \lambda v$;
# the eigenvalue $\lambda$ is the curvature along it), and the **largest** curvature $\lambda_{\max}$ sets the
# limit for all. It is found with products alone: start anywhere, multiply by $H$, make the length 1, repeat
# (*power iteration*); the direction of the largest curvature grows fastest and wins.


# %%
def largest_curvature(loss, parameters, steps=300):
    """The largest eigenvalue of the Hessian by power iteration."""
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    v = [torch.randn(p.shape) for p in parameters]
    for _ in range(steps):
        Hv = hessian_times(gradients, parameters, v)
        length = math.sqrt(sum((each**2).sum().item() for each in Hv))
        v = [each / length for each in Hv]
    return length


# %% [markdown]
# We try it on a model for which we know the answer: a straight line through the delivery table (three columns, from which
# the minutes are to be told), whose loss is exactly quadratic.

# %%
table, minutes = (t.double() for t in delivery(300, seed=3))
columns = (table - table.mean(0)) / table.std(0)
line = nn.Linear(3, 1)


def line_loss():
    return nn.functional.mse_loss(line(columns), minutes)


curvature = largest_curvature(line_loss(), list(line.parameters()))
limit = 2 / curvature
print(f"largest curvature {curvature:.4f}: the learning rate must stay below {limit:.4f}")

with_ones = torch.cat([columns, torch.ones(300, 1)], dim=1)
by_formula = torch.linalg.eigvalsh(2 * with_ones.T @ with_ones / 300).max().item()
assert abs(curvature - by_formula) < 1e-3

# %% [markdown]
# Two runs of gradient descent, one per cent below and one per cent above the limit:

# %%
history = viz.History(unit="step")
start = {name: value.clone() for name, value in line.state_dict().items()}
for name, rate in {"below loss": 0.99 * limit, "above loss": 1.01 * limit}.items():
    line.load_state_dict(start)
    optimizer = optim.SGD(line.parameters(), lr=rate)
    for step in range(300):
        optimizer.zero_grad()
        loss = line_loss()
        loss.backward()
        optimizer.step()
        history.log(step, **{name: loss})
assert history["below loss"][-1] < history["below loss"][0] / 50
assert history["above loss"][-1] > history["above loss"][0] * 50
history.plot(logarithmic=True)

# %% [markdown]
# Two per cent apart, and one learns while the other flies away. For a network the loss is not quadratic and the curvature
# changes while you train, so the limit is only valid here and now; but it explains why one learning rate works on Monday
# and explodes on Tuesday's data. Look what the columns do if they are *not* normalised:

# %%
raw = nn.Linear(3, 1)
steep = largest_curvature(nn.functional.mse_loss(raw(table), minutes), list(raw.parameters()))
print(
    f"raw columns: largest curvature {steep:.0f}, the learning rate must stay below {2 / steep:.5f}"
)
assert steep > 100 * curvature

# %% [markdown]
# ## 4. Newton's method
#
# Gradient descent knows the slope and guesses how far to go. With the curvature one need not guess: near $w$ the loss is
# approximately $L + g^\top d + \frac{1}{2} d^\top H d$, and this is lowest where $H d = -g$. That step is **Newton's**:
#
# $$w \leftarrow w - H^{-1} g .$$


# %%
class Newton(optim.Optimizer):
    """Newton's method for a function of a few numbers."""

    def __init__(self, variables, surface):
        super().__init__(variables, {})
        self.variables, self.surface = list(variables), surface

    def step(self, closure=None):
        height = self.surface(*self.variables)
        gradient = torch.stack(torch.autograd.grad(height, self.variables, create_graph=True))
        rows = [torch.autograd.grad(g, self.variables, retain_graph=True) for g in gradient]
        H = torch.stack([torch.stack(row) for row in rows])
        step = torch.linalg.solve(H, -gradient.detach())
        with torch.no_grad():
            for variable, change in zip(self.variables, step, strict=True):
                variable += change
        return height


racers = {
    "SGD": lambda variables: optim.SGD(variables, lr=1e-3),
    "Newton": lambda variables: Newton(variables, valley),
}
viz.race(valley, racers, start=(-1.2, 1.0), steps=6, region=((-1.6, 1.6), (-3.5, 2.0)))

# %% [markdown]
# After six steps Newton stands at the bottom of the valley, with a jump through the air on the way: it trusts its parabola
# and lands wherever that is lowest. Gradient descent has just reached the floor and now has to creep along it:


# %%
def run(make, start, surface, steps):
    variables = [torch.tensor(value, requires_grad=True) for value in start]
    optimizer = make(variables)
    for _ in range(steps):
        optimizer.zero_grad()
        surface(*variables).backward()
        optimizer.step()
    return [variable.item() for variable in variables]


newton = run(racers["Newton"], (-1.2, 1.0), valley, 7)
descent = run(racers["SGD"], (-1.2, 1.0), valley, 2000)
print("Newton, 7 steps:             ", newton)
print("gradient descent, 2000 steps:", descent)
assert np.allclose(newton, [1, 1], atol=1e-6) and math.dist(descent, [1, 1]) > 0.1

# %% [markdown]
# Why does not everybody use it? Two reasons. The matrix you have seen. The other one:

# %%
predict(
    "A surface has a hill at (-0.27, -0.92) and four valleys around it. Newton starts near the top of the hill, at "
    "(0, -0.5). Where does it go?",
    ["to the nearest valley", "to the top of the hill", "it flies away"],
    "to the top of the hill",
    {
        "to the nearest valley": "Gradient descent would. Newton looks for a place where the slope is zero, of any kind.",
        "to the top of the hill": "On a hill the curvature is negative, and H⁻¹ turns the direction round: it climbs.",
        "it flies away": "The parabola fits well here, so the steps are small and sure, and upwards.",
    },
)

# %%
himmelblau = viz.LANDSCAPES["himmelblau"]
top = run(lambda v: Newton(v, himmelblau), (0.0, -0.5), himmelblau, 6)
heights = [himmelblau(*map(torch.tensor, p)).item() for p in ((0.0, -0.5), top)]
print(
    f"Newton goes to ({top[0]:.2f}, {top[1]:.2f});",
    f"the height rose from {heights[0]:.1f} to {heights[1]:.1f}",
)
assert heights[1] > heights[0] and np.allclose(top, [-0.2708, -0.9230], atol=1e-3)

# %% [markdown]
# Newton seeks points where the gradient vanishes: bottoms, tops and passes alike. For networks, whose losses are full of
# passes, it is used where the problem has only one bottom (logistic regression), with safeguards, or at the end of a
# training, when a valley has been found. The last section does that.
#
# **Without the matrix.** To solve $H d = -g$ one needs, again, only products $H v$: the method of *conjugate gradients*
# finds $d$ with a few of them. Here is a whole Newton method for a classifier of digits with 650 parameters (64 pixels to
# ten classes, no hidden layer, so there is exactly one bottom).


# %%
def conjugate_gradients(multiply, b, steps):
    """Solve A x = b, with products A v alone, for a symmetric A with positive curvature."""
    x, r = torch.zeros_like(b), b.clone()
    d, square = r.clone(), (r * r).sum()
    for _ in range(steps):
        Ad = multiply(d)
        far = square / (d * Ad).sum()
        x, r = x + far * d, r - far * Ad
        square, before = (r * r).sum(), square
        d = r + square / before * d
    return x


def digits_loss(w):
    scores = images @ w[:640].reshape(64, 10) + w[640:]
    return nn.functional.cross_entropy(scores, labels) + 5e-4 * (w * w).sum()


w = torch.zeros(650, requires_grad=True)
for step in range(7):
    loss = digits_loss(w)
    (g,) = torch.autograd.grad(loss, w, create_graph=True)
    print(f"step {step}: loss {loss.item():.6f}, length of the gradient {g.norm().item():.1e}")
    change = conjugate_gradients(
        lambda v, w=w, g=g: hessian_times([g], [w], [v])[0], -g.detach(), steps=40
    )
    w = (w.detach() + change).requires_grad_()
assert g.norm().item() < 1e-6

# %% [markdown]
# Watch the right column: once it is near, the number of zeros about doubles with each step. Gradient descent gains a
# fixed *factor* each step; its gradient after 500 steps:

# %%
slow = torch.zeros(650, requires_grad=True)
optimizer = optim.SGD([slow], lr=0.5)
for _ in range(500):
    optimizer.zero_grad()
    loss = digits_loss(slow)
    loss.backward()
    optimizer.step()
print(
    f"gradient descent, 500 steps: loss {loss.item():.6f},",
    f"length of the gradient {slow.grad.norm().item():.1e}",
)
assert slow.grad.norm().item() > 100 * g.norm().item()

# %% [markdown]
# ## 5. A gradient inside the loss: the gradient penalty
#
# How far apart are two clouds of points? One answer is the *earth mover's distance*: how far must the sand of one heap be
# carried, on average, to make the other? It has a second form: take a function $c$ (the **critic**) that is
# nowhere steeper than 1, and make $c$ as high as possible on one cloud and as low as possible on the other. The best
# difference of the averages **is** the distance.
#
# "Nowhere steeper than 1" is a statement about the gradient of the network *with respect to its input*. So let the loss
# contain that gradient: $\lambda \cdot (\lVert \nabla_x c(x) \rVert - 1)^2$, at points between the clouds. To train on it, the
# engine must differentiate a gradient. (GANs of the kind *WGAN-GP* are trained like this.)
#
# Our clouds are the same, except that the second is moved by 2 to the right. So the distance is 2.

# %%
torch.set_default_dtype(torch.float32)


def clouds(n):
    return 0.5 * torch.randn(n, 2), 0.5 * torch.randn(n, 2) + torch.tensor([2.0, 0.0])


def slopes(critic, x):
    """How steep the critic is at each point, as something to differentiate."""
    (g,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return g.norm(dim=1)


def train_critic(weight, steps=800):
    torch.manual_seed(0)
    critic = nn.Sequential(
        nn.Linear(2, 32), nn.Softplus(), nn.Linear(32, 32), nn.Softplus(), nn.Linear(32, 1)
    )
    optimizer = optim.Adam(critic.parameters(), lr=5e-3)
    for _ in range(steps):
        left, right = clouds(128)
        gap = critic(right).mean() - critic(left).mean()
        share = torch.rand(128, 1)
        between = (share * left + (1 - share) * right).requires_grad_()
        penalty = ((slopes(critic, between) - 1) ** 2).mean()
        optimizer.zero_grad()
        (-gap + weight * penalty).backward()
        optimizer.step()
    left, right = clouds(4000)
    return critic, (critic(right).mean() - critic(left).mean()).item()


_, unbounded = train_critic(weight=0.0)
critic, distance = train_critic(weight=10.0)
print(f"without the penalty: {unbounded:,.0f}")
print(f"with it:             {distance:.3f}")
assert unbounded > 1000 and abs(distance - 2.2) < 0.1

# %% [markdown]
# Without the penalty the critic simply becomes steeper and steeper, and the number means nothing. With it the answer is
# near 2, but not quite: 2.2. That is no accident, and you will find the reason in exercise 3.
#
# Here is the critic, with the clouds: a plane that rises evenly from one to the other, as it should be.

# %%
grid_x, grid_y = torch.meshgrid(torch.linspace(-2, 4, 60), torch.linspace(-2, 2, 40), indexing="ij")
with torch.no_grad():
    height = critic(torch.stack([grid_x, grid_y], dim=-1).reshape(-1, 2)).reshape(60, 40)
with style():
    plot, (axis,) = panels(1, "the critic's height", size=(6, 3.4))
    lines = axis.contour(
        grid_x.numpy(), grid_y.numpy(), (height - height.min()).numpy(), 12, linewidths=1
    )
    axis.clabel(lines, fontsize=8)
    for number, cloud in enumerate(clouds(150)):
        axis.plot(*cloud.T.numpy(), "os"[number], markersize=3, color=line_style(number)["color"])
    axis.set_aspect("equal")
plot

# %% [markdown]
# ## 6. A network that obeys a law: physics-informed fitting
#
# A weight on a spring with some friction follows
#
# $$u''(t) + 2\gamma\, u'(t) + \omega^2 u(t) = 0, \qquad u(0) = 1, \quad u'(0) = 0 .$$
#
# Let a network be $u$: time goes in, position comes out. Its derivatives with respect to **its input** are gradients, so
# the left side of the law can be computed at any time $t$, and should be zero. That is a loss. No measurement is needed, not one:
# the network learns the motion from the law alone.

# %%
torch.set_default_dtype(torch.float64)
friction, frequency = 0.3, 2.0
times = torch.linspace(0, 6, 60).reshape(-1, 1).requires_grad_()


def motion(t):
    """The solution by formula, to compare with; the training does not see it."""
    w = math.sqrt(frequency**2 - friction**2)
    return torch.exp(-friction * t) * (torch.cos(w * t) + friction / w * torch.sin(w * t))


def new_network(activation=nn.Tanh):
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(1, 24), activation(), nn.Linear(24, 24), activation(), nn.Linear(24, 1)
    )


def law(u, t, frequency):
    """How badly u breaks the law at each time: zero for a true motion."""
    u1 = slope_of(u, t)
    u2 = slope_of(u1, t)
    return u2 + 2 * friction * u1 + frequency**2 * u


def physics_loss(network):
    u = network(times / 3 - 1)
    start = (u[0] - 1) ** 2 + slope_of(u, times)[0] ** 2
    return (law(u, times, frequency) ** 2).mean() + 20 * start.sum()


# %% [markdown]
# Count the derivatives: `law` differentiates the network twice with respect to $t$; training differentiates the result
# once more, with respect to the weights. The engine does not care how often.
#
# First 500 steps of Adam, which finds the right valley. Then L-BFGS, a relative of Newton's method that guesses the curvature
# from the gradients of its last steps: at the bottom of a narrow valley that pays. It looks at the loss at several places
# before it makes a step, so it is given a function that computes loss and gradients anew, the `closure`.

# %%
network = new_network()
history = viz.History(unit="step")
optimizer = optim.Adam(network.parameters(), lr=1e-2)
for step in range(500):
    optimizer.zero_grad()
    loss = physics_loss(network)
    loss.backward()
    optimizer.step()
    history.log(step, loss=loss)
after_adam = network(times / 3 - 1).detach()

polish = optim.LBFGS(
    network.parameters(), max_iter=800, history_size=50, line_search_fn="strong_wolfe"
)


def closure():
    polish.zero_grad()
    loss = physics_loss(network)
    loss.backward()
    history.log(len(history["loss"]), loss=loss)
    return loss


polish.step(closure)
learned = network(times / 3 - 1).detach()
worst = (learned - motion(times)).abs().max().item()
print(
    f"worst error after Adam {(after_adam - motion(times)).abs().max().item():.3f},",
    f"after L-BFGS {worst:.5f}",
)
assert worst < 5e-3
history.plot(logarithmic=True)

# %%
three = {"formula": motion(times), "after Adam": after_adam, "after L-BFGS": learned}
curves(times, {"the motion of a spring": three}, "time", size=(6, 3))

# %% [markdown]
# **A trap.** The same network with `nn.ReLU` cannot learn this, whatever the optimizer. A sum of relus consists of straight
# pieces: its slope jumps, and its curvature is zero wherever it exists.

# %%
bent = new_network(nn.ReLU)(times / 3 - 1)
second = slope_of(slope_of(bent, times), times)
print("largest curvature of a relu network:", second.abs().max().item())
assert not second.any()

# %% [markdown]
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1. Three times.** What is the third derivative of $x^5$ at $x = 2$? First with a pencil, then in code: write
# `nth_derivative(function, x, n)` for a function of a tensor, element by element.


# %% tags=["check"]
def check_by_pencil(third_by_pencil):
    hints = {
        80: "This is the first derivative, 5 x⁴.",
        160: "This is the second, 20 x³.",
        480: "60 x² is 240 at 2.",
    }
    return check("third derivative", third_by_pencil, 240, hints, because="5 · 4 · 3 · x², at 2.")


# %%
third_by_pencil = None
check_by_pencil(third_by_pencil)


# %% tags=["check"]
def check_nth_derivative(nth_derivative):
    def known_derivatives(function, x, n):
        """Only for the two functions of this exercise."""
        if function is torch.sin:
            return (torch.sin, torch.cos, lambda x: -torch.sin(x), lambda x: -torch.cos(x))[n % 4](
                x
            )
        return 120 / math.factorial(5 - n) * x ** (5 - n)

    def fifth(x):
        return x**5

    hints = [
        (
            lambda function, x, n: known_derivatives(function, x, n + 1),
            "Once too often: n = 0 is the function itself.",
        )
    ]
    samples = [
        (fifth, torch.tensor([2.0]), 3),
        (torch.sin, torch.tensor([0.3, 1.2]), 2),
        (fifth, torch.tensor([1.5]), 0),
    ]
    return check_function(
        "nth derivative", nth_derivative, known_derivatives, *samples, hints=hints
    )


# %%
def nth_derivative(function, x, n):
    return None


check_nth_derivative(nth_derivative)

# %% tags=["solution"]
third_by_pencil = 240
assert check_by_pencil(third_by_pencil)


def nth_derivative(function, x, n):
    x = x.detach().requires_grad_()
    y = function(x)
    for _ in range(n):
        y = slope_of(y, x)
    return y.detach()


assert check_nth_derivative(nth_derivative)

# %% [markdown]
# **2. The trace of the Hessian.** For random signs $v_i = \pm 1$ the number $v^\top H v$ is on average the sum of the diagonal of
# $H$ (the other products cancel). Write one such sample, `sample_of_trace(gradient, w, v)`: `gradient` has its graph,
# `v` is given.


# %%
def answer_for(function):
    """What the function says for a small surface; four samples, one for each pair of signs."""
    w = torch.tensor([-1.2, 1.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(valley(w[0], w[1]), w, create_graph=True)
    signs = ([1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0])
    found = [function(gradient, w, torch.tensor(v)) for v in signs]
    return None if found[0] is None else torch.stack([torch.as_tensor(each) for each in found])


# %% tags=["check"]
def check_samples_of_the_trace(sample_of_trace):
    expected = torch.tensor([2490.0, 570.0, 570.0, 2490.0])  # a + c + 2b, a + c - 2b, ...
    return check(
        "samples of the trace",
        answer_for(sample_of_trace),
        expected,
        because="Their average is 1530, which is 1330 + 200: the diagonal.",
    )


# %%
def sample_of_trace(gradient, w, v):
    return None


check_samples_of_the_trace(sample_of_trace)


# %% tags=["solution"]
def sample_of_trace(gradient, w, v):
    (Hv,) = torch.autograd.grad((gradient * v).sum(), w, retain_graph=True)
    return (v * Hv).sum()


assert check_samples_of_the_trace(sample_of_trace)
assert answer_for(sample_of_trace).mean().item() == 1330 + 200

# %% [markdown]
# **3. Why 2.2?** Say the critic is a plane with slope $s$, and the clouds are 2 apart. Its loss is then
# $-2s + \lambda (s - 1)^2$. For $\lambda = 10$: which $s$ is best, and what distance does the critic report? And which
# distance would it report with $\lambda = 5$?


# %% tags=["check"]
def check_best_slope(best_slope):
    slope_hints = {
        1: "With s = 1 the penalty is flat, but the first term still pulls upwards.",
        0.9: "Mind the sign of -2s.",
    }
    return check("best slope", best_slope, 1.1, slope_hints)


def check_distance_with_10(reported_with_10):
    return check(
        "distance with 10",
        reported_with_10,
        2.2,
        {1.1: "This is the slope. The clouds are 2 apart."},
        because="This is what the training has found.",
    )


def check_distance_with_5(reported_with_5):
    return check(
        "distance with 5",
        reported_with_5,
        2.4,
        {2.1: "A smaller weight holds the slope less, not more."},
        because="The penalty is a spring, not a wall.",
    )


# %%
best_slope = None
reported_with_10 = None
reported_with_5 = None
check_best_slope(best_slope)
check_distance_with_10(reported_with_10)
check_distance_with_5(reported_with_5)

# %% tags=["solution"]
best_slope = 1 + 2 / (2 * 10)  # where the derivative -2 + 2 λ (s - 1) is zero
reported_with_10 = 2 * best_slope
reported_with_5 = 2 * (1 + 2 / (2 * 5))
assert check_best_slope(best_slope)
assert check_distance_with_10(reported_with_10)
assert check_distance_with_5(reported_with_5)

# %% [markdown]
# **4. Another law.** A population with limited food follows $u' = r\, u\, (1 - u)$. Write `growth_law(u, t, r)`, which is zero
# for a true solution, as `law` is for the spring.

# %%
t = torch.linspace(-1, 1, 5)


# %% tags=["check"]
def check_growth_law(growth_law):
    def growth_error(function):
        """The law for a true solution, 1 / (1 + exp(-r t)), and for the wrong one u = t²."""
        t = torch.linspace(-1, 1, 5).requires_grad_()
        found = [function(1 / (1 + torch.exp(-3.0 * t)), t, 3.0), function(t**2, t, 3.0)]
        return None if found[0] is None else torch.stack(found).detach()

    expected = torch.stack([torch.zeros(5), 2 * t - 3 * t**2 * (1 - t**2)])
    return check("growth law", growth_error(growth_law), expected)


# %%
def growth_law(u, t, r):
    return None


check_growth_law(growth_law)


# %% tags=["solution"]
def growth_law(u, t, r):
    return slope_of(u, t) - r * u * (1 - u)


assert check_growth_law(growth_law)

# %% [markdown]
# **5. Find the spring.** Now the other way round: the frequency is unknown, but there are twelve noisy measurements of the
# first half. Make `guess` a parameter that is learned together with the network, so that the motion fits the measurements
# *and* obeys the law. Complete the loss.

# %%
torch.manual_seed(4)
seen_at = torch.linspace(0, 3, 12).reshape(-1, 1)
seen = motion(seen_at) + 0.02 * torch.randn(12, 1)


def find_spring(loss_of):
    """Train a network and a frequency on `loss_of(network, guess)`; the frequency found."""
    network, guess = new_network(), nn.Parameter(torch.tensor(1.0))
    optimizer = optim.Adam([*network.parameters(), guess], lr=1e-2)
    if loss_of(network, guess) is None:
        return None
    for _ in range(1500):
        optimizer.zero_grad()
        loss_of(network, guess).backward()
        optimizer.step()
    return guess.item()


# %% tags=["check"]
def check_the_frequency(found):
    return check(
        "the frequency",
        found,
        2.0,
        {1.0: "The guess has not moved: is it in the loss, through `law`?"},
        atol=0.1,
        because="The law has turned a fit into a measurement.",
    )


# %%
def loss_of_both(network, guess):
    return None


found = find_spring(loss_of_both)


check_the_frequency(found)


# %% tags=["solution"]
def loss_of_both(network, guess):
    fit = nn.functional.mse_loss(network(seen_at / 3 - 1), seen)
    t = times[:30]  # the half that was measured
    u = network(t / 3 - 1)
    return 100 * fit + (law(u, t, guess) ** 2).mean()


found = find_spring(loss_of_both)
print(f"frequency found: {found:.3f}")
assert check_the_frequency(found)

# %% [markdown]
# A gradient is a result like any other: it can be drawn, put into a loss, and differentiated. Whatever you can compute with
# it, you can train.
