# %% [markdown]
# # 4 · Backward by hand
#
# After this lesson you can
#
# - apply the chain rule to a computation, one step at a time, from the loss back to every number in it;
# - write the gradients of a matrix product, a bias, `relu` and cross-entropy, and use shapes to remember them;
# - write all gradients of a two-layer network, and prove them in two ways;
# - train a network without any autograd (automatic gradients) at all.
#
# You need Python, the product of two matrices, and the derivatives of $x + y$, $x y$ and $x^2$. The network and its loss,
# cross-entropy, are those of lessons 2 and 3; what is needed of them is said again.

# %%
import math

import tinygrad_edu as torch
from tinygrad_edu import viz
from tinygrad_edu.datasets import Digits
from tinygrad_edu.learn import check, check_function, check_gradient, curves, predict
from tinygrad_edu.nn import functional as F

# %% [markdown]
# ## What a gradient is
#
# A gradient answers one question for one number: *if this number grows a little, how much does the loss grow?* A gradient
# of 3 means: by three times as much. A negative one: the loss falls. Nothing more is behind the word.
#
# Here is the smallest network there is, one weight and one bias, and its loss, the squared difference to the right answer
# `y`. `requires_grad=True` marks the two numbers whose gradients we will ask the engine for:

# %%
x, y = torch.tensor(2.0), torch.tensor(1.0)
w = torch.tensor(3.0, requires_grad=True)
b = torch.tensor(-1.0, requires_grad=True)

p = x * w  # 6
z = p + b  # 5
d = z - y  # 4
loss = d * d  # 16
print("loss", loss.item())

# %% [markdown]
# One could find the gradient of `w` by trying: move it a little, and look. (`detach()` gives the bare number, without what
# the engine has noted about it.)

# %%
h = 0.001
moved = (x * (w.detach() + h) + b.detach() - y) ** 2
print("measured slope:", ((moved - loss.detach()) / h).item())

# %% [markdown]
# That is right, roughly, and far too expensive: a network with 101,770 parameters would have to run 101,770 times for one
# step. The **chain rule** gets all gradients in a single walk back. At each operation it needs only one thing: how much
# does the result grow with each input?
#
# | step | slope of the result | gradient on the way back |
# |---|---|---|
# | `loss = d * d` | $2d = 8$ for `d` | `d`: 8 |
# | `d = z - y` | 1 for `z` | `z`: 8 · 1 = 8 |
# | `z = p + b` | 1 for each | `p`: 8, `b`: 8 |
# | `p = x * w` | $x = 2$ for `w` | `w`: 8 · 2 = 16 |
#
# *Multiply the gradient that arrives by the slope of the operation, and hand it on.* That is all of backpropagation. Check
# it with the engine:

# %%
loss.backward()
print("w:", w.grad.item(), " b:", b.grad.item())
assert w.grad.item() == 16.0 and b.grad.item() == 8.0

# %% [markdown]
# Step through the same computation: forward first (the numbers appear), then back (the gradients appear). Use the arrow
# keys or the buttons.


# %%
def small_network():
    d = x * w + b - y
    return d * d


viz.play(small_network)

# %% [markdown]
# ## When a number is used twice
#
# In `d * d` the number `d` is used twice, and each use has its own share of the blame. A gradient is the **sum over all
# ways** that lead from a number to the loss: here $d + d = 2d$.

# %%
predict(
    "`v = 3`, `loss = v * v + v`. What is the gradient of `v`?",
    ["6", "7", "4"],
    "7",
    {
        "6": "That is the part from `v * v`. There is another use.",
        "7": "3 + 3 from the two factors, and 1 from the sum.",
    },
)

# %%
v = torch.tensor(3.0, requires_grad=True)
(v * v + v).backward()
print(v.grad)
assert v.grad.item() == 7.0

# %% [markdown]
# The engine adds in one more place: gradients of a second `backward()` are added to those that are there. That is why
# programs that train set them to zero before each step.

# %%
(v * v + v).backward()
print("after a second backward:", v.grad)
assert v.grad.item() == 14.0

# %% [markdown]
# ## Three rules for matrices
#
# Everything in our network is one of these. $\partial L / \partial W$ is the gradient of the loss $L$ for all numbers of
# $W$ at once, in the shape of $W$. $G$ is always the gradient that arrives at the result of an operation: it has the shape
# of the result, one number for each of its numbers.
#
# **Matrix product**, $Z = X W$ with shapes $(B, n) (n, m) = (B, m)$:
#
# $$\frac{\partial L}{\partial W} = X^\top G \qquad \frac{\partial L}{\partial X} = G\, W^\top .$$
#
# Why? Take one weight $W_{kj}$. It is used in every row $i$ of the batch, where it is multiplied by $X_{ik}$ and goes
# into $Z_{ij}$. So its gradient is $\sum_i X_{ik} G_{ij}$: a sum over the ways. Written for all $k$ and $j$ at once, this
# is the product $X^\top G$.
#
# You need not remember where the transposes go, for the shapes leave no choice: the gradient of $W$ must have shape
# $(n, m)$, and from $X$ of shape $(B, n)$ and $G$ of shape $(B, m)$ there is one way to get it.
#
# **Bias**, $Z = Y + b$: the bias is used in every row, so its gradient is the sum of $G$ over the rows.
#
# **relu**, $h = \max(z, 0)$: where $z$ was positive, the gradient passes; where it was not, it stops.
#
# All three at once, as the rule of a layer. It gets `g`, which is $G$, and what the layer got, and returns a gradient for
# each of these three:

# %%
torch.manual_seed(0)
X, W, bias = torch.randn(5, 3), torch.randn(3, 4), torch.randn(4)


def layer(X, W, bias):
    return torch.relu(X @ W + bias)


def layer_rule(g, X, W, bias):
    g = g * (X @ W + bias > 0)  # back through relu
    return g @ W.T, X.T @ g, g.sum(0)


check_gradient("a layer", layer, [X, W, bias], rule=layer_rule)

# %% [markdown]
# The check has moved each of the 31 numbers a little, looked how the result changes, and compared. Now break the rule on
# purpose: a mean in place of the sum over the rows, `relu` forgotten, a transpose forgotten. In what the check says,
# "analytic" is the rule and "numeric" what was measured; the last lines show which entries are wrong.


# %%
def with_a_mean(g, X, W, bias):
    g = g * (X @ W + bias > 0)
    return g @ W.T, X.T @ g, g.mean(0)


def without_relu(g, X, W, bias):
    return g @ W.T, X.T @ g, g.sum(0)


def transposed(g, X, W, bias):
    g = g * (X @ W + bias > 0)
    return g @ W.T, g.T @ X, g.sum(0)


for rule in (with_a_mean, without_relu, transposed):
    assert not check_gradient(rule.__name__, layer, [X, W, bias], rule=rule)
    print()

# %% [markdown]
# ## The whole network
#
# The network of the lessons before, on a batch of 32: 784 pixels, 128 hidden numbers, 10 scores, and the cross-entropy
# between these and the right classes. In double precision (`float64`), so that the comparison is not blurred by rounding.

# %%
torch.manual_seed(1)
B = 32
x = torch.rand(B, 784, dtype=torch.float64)
y = torch.randint(0, 10, (B,))
W1 = torch.randn(784, 128, dtype=torch.float64) * math.sqrt(2 / 784)
b1 = torch.zeros(128, dtype=torch.float64)
W2 = torch.randn(128, 10, dtype=torch.float64) * math.sqrt(2 / 128)
b2 = torch.zeros(10, dtype=torch.float64)


def forward(x, y, W1, b1, W2, b2):
    z1 = x @ W1 + b1
    h = torch.relu(z1)
    scores = h @ W2 + b2
    return z1, h, scores, F.cross_entropy(scores, y)


print("loss", forward(x, y, W1, b1, W2, b2)[-1].item())

# %% [markdown]
# And now back, in the opposite order, from the last line of the forward to the first. `d_something` is the gradient of the loss
# with respect to `something`, and always has its shape.


# %%
def backward(x, y, W1, b1, W2, b2, z1, h, scores):
    # cross-entropy: what was said minus what was right, divided by the batch (lesson 3)
    d_scores = torch.softmax(scores, dim=1)  # (B, 10)
    d_scores[torch.arange(len(y)), y] -= 1
    d_scores /= len(y)

    # scores = h @ W2 + b2
    d_W2 = h.T @ d_scores  # (128, B) @ (B, 10) -> (128, 10)
    d_b2 = d_scores.sum(0)  # (10,)
    d_h = d_scores @ W2.T  # (B, 10) @ (10, 128) -> (B, 128)

    # h = relu(z1)
    d_z1 = d_h * (z1 > 0)  # (B, 128)

    # z1 = x @ W1 + b1
    d_W1 = x.T @ d_z1  # (784, B) @ (B, 128) -> (784, 128)
    d_b1 = d_z1.sum(0)  # (128,)
    return d_W1, d_b1, d_W2, d_b2


z1, h, scores, loss = forward(x, y, W1, b1, W2, b2)
by_hand = dict(
    zip(["W1", "b1", "W2", "b2"], backward(x, y, W1, b1, W2, b2, z1, h, scores), strict=True)
)
for name, gradient in by_hand.items():
    print(f"d_{name} {tuple(gradient.shape)}")

# %% [markdown]
# Nine lines, 101,770 gradients, and the cost of about two forward passes.
#
# ### First proof: the engine
#
# The engine does the same thing by itself: it has noted each operation on the way forward, and walks back.

# %%
parameters = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
for parameter in parameters.values():
    parameter.requires_grad_()
loss = forward(x, y, W1, b1, W2, b2)[-1]
loss.backward()
for name, parameter in parameters.items():
    worst = (parameter.grad - by_hand[name]).abs().max().item()
    print(f"{name}: largest difference {worst:.1e}")
    assert worst < 1e-14

# %% [markdown]
# ### Second proof: nature
#
# The engine and you might share an error. Measuring does not. For a few entries of each parameter: move it a little to
# both sides, and divide the change of the loss by the distance.


# %%
def measured(parameter, index, step=1e-5):
    """The slope of the loss along one entry of one parameter."""
    with torch.no_grad():
        kept = parameter[index].item()
        parameter[index] = kept + step
        above = forward(x, y, W1, b1, W2, b2)[-1].item()
        parameter[index] = kept - step
        below = forward(x, y, W1, b1, W2, b2)[-1].item()
        parameter[index] = kept
    return (above - below) / (2 * step)


for name, index in [
    ("W1", (300, 5)),
    ("W1", (42, 100)),
    ("b1", (7,)),
    ("W2", (64, 3)),
    ("b2", (9,)),
]:
    slope, gradient = measured(parameters[name], index), by_hand[name][index].item()
    print(f"{name}{list(index)!s:<11} measured {slope:+.9f}   by hand {gradient:+.9f}")
    assert abs(slope - gradient) < 1e-8

# %% [markdown]
# ## The graph, and the walk back
#
# This is what the engine has noted. Each operation is a box, and in it stand its rules: `∂x` is how the gradient of its
# first input is made from `g`, the gradient of its result. You will find your own rules among them. `_matmul_grad_x(g, y)`
# is $G\, W^\top$ and `_matmul_grad_y(g, x, y_shape)` is $X^\top G$; `_gate(g, out)` lets `g` pass where `relu` let a number
# pass; and the first matrix product has one rule only, for nobody asks for the gradient of the pictures.

# %%
viz.graph(loss, gradients=False)

# %% [markdown]
# The next page walks through a network small enough to see every number: 3 inputs, 4 hidden numbers, 2 classes, and a
# batch of 2. Go to the end of the forward, then on into the walk back, and before each step say what will come.

# %%
torch.manual_seed(2)
tiny_x, tiny_y = torch.randn(2, 3), torch.tensor([0, 1])
A1, c1 = torch.randn(3, 4, requires_grad=True), torch.zeros(4, requires_grad=True)
A2, c2 = torch.randn(4, 2, requires_grad=True), torch.zeros(2, requires_grad=True)


def tiny_network():
    hidden = torch.relu(tiny_x @ A1 + c1)
    return F.cross_entropy(hidden @ A2 + c2, tiny_y)


viz.play(tiny_network)

# %% [markdown]
# ## Does it learn?
#
# The proof of a gradient is a loss that falls when each parameter takes a small step against its own. 1,438 small pictures of digits, 8 × 8, a network 64-32-10, and no autograd
# anywhere: `forward` and `backward` are the functions above, and a step is a subtraction.

# %%
train, test = Digits(train=True), Digits(train=False)
pictures = train.data.flatten(1).float() / 255
classes = train.targets

torch.manual_seed(0)
V1, a1 = torch.randn(64, 32) * math.sqrt(2 / 64), torch.zeros(32)
V2, a2 = torch.randn(32, 10) * math.sqrt(2 / 32), torch.zeros(10)
weights = (V1, a1, V2, a2)

losses = []
for _ in range(300):
    z1, h, scores, loss = forward(pictures, classes, *weights)
    gradients = backward(pictures, classes, *weights, z1, h, scores)
    for weight, gradient in zip(weights, gradients, strict=True):
        weight -= 0.5 * gradient
    losses.append(loss.item())
curves(range(300), {"loss": {"training": losses}}, "step", size=(4.8, 2.6))

# %% [markdown]
# Does it only know these pictures by heart? 359 others were kept back:

# %%
scores = forward(test.data.flatten(1).float() / 255, test.targets, *weights)[2]
accuracy = (scores.argmax(1) == test.targets).float().mean().item()
print(f"first loss {losses[0]:.2f}, last loss {losses[-1]:.2f}")
print(f"right on {accuracy:.1%} of {len(test)} pictures it never saw")
assert losses[-1] < 0.3 and accuracy > 0.9

# %% [markdown]
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1.** `loss = (a * b + a) ** 2` with $a = 2$, $b = 3$. Find both gradients on paper.


# %% tags=["check"]
def check_two_gradients(gradient_a, gradient_b):
    a, b = torch.tensor(2.0, requires_grad=True), torch.tensor(3.0, requires_grad=True)
    ((a * b + a) ** 2).backward()
    hints = [
        ((48.0, 32.0), "`a` is used twice: in the product, and alone."),
        ((4.0, 2.0), "That is how the bracket grows. The square multiplies it by 2 · 8."),
        ((32.0, 16.0), "The square of 8 has the slope 2 · 8, not 8."),
    ]
    return check("two gradients", (gradient_a, gradient_b), (a.grad, b.grad), hints)


# %%
gradient_a, gradient_b = None, None
check_two_gradients(gradient_a, gradient_b)

# %% tags=["solution"]
gradient_a = 2 * 8 * (3 + 1)  # the square gives 2 · 8; a comes in with b and with 1
gradient_b = 2 * 8 * 2
assert check_two_gradients(gradient_a, gradient_b)

# %% [markdown]
# **2.** Replace `relu` by `tanh`: write the rule of the layer. (Its slope is $1 - \tanh^2$.)


# %%
def tanh_layer(X, W, bias):
    return torch.tanh(X @ W + bias)


# %% tags=["check"]
def check_tanh_layer(tanh_layer_rule):
    def without_slope(g, X, W, bias):
        return g @ W.T, X.T @ g, g.sum(0)

    def slope_of_input(g, X, W, bias):
        return without_slope(g * (1 - (X @ W + bias) ** 2), X, W, bias)

    hints = [
        (without_slope, "On its way back g must pass tanh first: multiply it by the slope there."),
        (
            slope_of_input,
            "The slope is 1 − tanh², the square of what comes out of tanh, not of what goes in.",
        ),
        (layer_rule, "That is the rule with relu."),
    ]
    return check_gradient("tanh layer", tanh_layer, [X, W, bias], tanh_layer_rule, hints)


# %%
def tanh_layer_rule(g, X, W, bias):
    return None


check_tanh_layer(tanh_layer_rule)


# %% tags=["solution"]
def tanh_layer_rule(g, X, W, bias):
    g = g * (1 - torch.tanh(X @ W + bias) ** 2)
    return g @ W.T, X.T @ g, g.sum(0)


assert check_tanh_layer(tanh_layer_rule)

# %% [markdown]
# **3.** A *shortcut* adds the input to a layer's result, `x + relu(x @ W)`, with a square `W`. Write its rule. How many
# ways lead from `x` to the result?


# %%
def shortcut(X, W):
    return X + torch.relu(X @ W)


# %% tags=["check"]
def check_shortcut(shortcut_rule):
    square = torch.randn(3, 3)

    def one_way(g, X, W):
        inner = g * (X @ W > 0)
        return inner @ W.T, X.T @ inner

    def without_relu(g, X, W):
        return g + g @ W.T, X.T @ g

    hints = [
        (
            one_way,
            "Two ways lead from X to the result, and this is the one through the layer; add the other.",
        ),
        (without_relu, "relu lets a gradient pass only where its input was positive."),
    ]
    return check_gradient("shortcut", shortcut, [X, square], shortcut_rule, hints)


# %%
def shortcut_rule(g, X, W):
    return None


check_shortcut(shortcut_rule)


# %% tags=["solution"]
def shortcut_rule(g, X, W):
    inner = g * (X @ W > 0)
    return g + inner @ W.T, X.T @ inner


assert check_shortcut(shortcut_rule)

# %% [markdown]
# The `g` that stands alone is why deep networks have shortcuts: however small the weights, the gradient comes through.
#
# **4.** Scale and shift: each column of the input is multiplied by its own factor and has its own number added,
# `X * scale + shift`, as at the end of a normalisation layer. Shapes: (B, n), (n,), (n,).


# %% tags=["check"]
def check_scale_and_shift(scale_rule):
    inputs = [X, torch.randn(3), torch.randn(3)]
    return check_gradient(
        "scale and shift", lambda X, scale, shift: X * scale + shift, inputs, rule=scale_rule
    )


# %%
def scale_rule(g, X, scale, shift):
    return None


check_scale_and_shift(scale_rule)


# %% tags=["solution"]
def scale_rule(g, X, scale, shift):
    return g * scale, (g * X).sum(0), g.sum(0)


assert check_scale_and_shift(scale_rule)

# %% [markdown]
# **5.** Write `backward_of_three`: the gradients of a three-layer network with two `relu`s, whose loss is the cross-entropy
# of its scores with `y`. Return those of `U1`, `U2` and `U3` (there are no biases).


# %%
def forward_of_three(x, y, U1, U2, U3):
    h1 = torch.relu(x @ U1)
    h2 = torch.relu(h1 @ U2)
    return h1, h2, h2 @ U3


# %% tags=["check"]
def check_three_layers(backward_of_three):
    def by_engine(x, y, *weights):
        weights = [weight.clone().requires_grad_() for weight in weights]
        return torch.autograd.grad(F.cross_entropy(forward_of_three(x, y, *weights)[2], y), weights)

    torch.manual_seed(3)
    sample = (
        torch.randn(8, 6),
        torch.randint(0, 4, (8,)),
        torch.randn(6, 5),
        torch.randn(5, 5),
        torch.randn(5, 4),
    )
    return check_function("three layers", backward_of_three, by_engine, sample, atol=1e-5)


# %%
def backward_of_three(x, y, U1, U2, U3):
    h1, h2, scores = forward_of_three(x, y, U1, U2, U3)
    return None


check_three_layers(backward_of_three)


# %% tags=["solution"]
def backward_of_three(x, y, U1, U2, U3):
    h1, h2, scores = forward_of_three(x, y, U1, U2, U3)
    d_scores = (torch.softmax(scores, 1) - F.one_hot(y, scores.shape[1])) / len(y)
    d_U3 = h2.T @ d_scores
    d_z2 = d_scores @ U3.T * (h2 > 0)  # where the result of relu is positive, its input was
    d_U2 = h1.T @ d_z2
    d_z1 = d_z2 @ U2.T * (h1 > 0)
    return x.T @ d_z1, d_U2, d_U3


assert check_three_layers(backward_of_three)

# %% [markdown]
# **6.** For the walk back, what has to be kept from the walk forward?

# %%
predict(
    "Which tensors of the forward does `backward` of the two-layer network use, besides parameters and classes?",
    ["only the loss", "`x`, `z1`, `h` and `scores`", "only `scores`"],
    "`x`, `z1`, `h` and `scores`",
    {
        "only the loss": "The loss is one number. `d_W1` is made from `x`.",
        "`x`, `z1`, `h` and `scores`": "Nearly everything. This is why training needs so much more memory than answering, "
        "and why a smaller batch helps when memory is full.",
        "only `scores`": "`d_W2` needs `h`, and `d_W1` needs `x`.",
    },
)

# %% [markdown]
# You have now written what an autograd engine does for one network. The next lesson writes the engine, which does it for
# any.
