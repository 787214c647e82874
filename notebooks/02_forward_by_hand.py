# %% [markdown]
# # 2 · Forward by hand
#
# After this lesson you can
#
# - compute one neuron, one layer and a whole network with nothing but `@`, `+` and one nonlinearity;
# - follow the shapes through it, and read the error when they do not fit;
# - say what `relu`, `sigmoid` and `tanh` do to a number, and to the gradient that will come back through them;
# - turn scores into probabilities with `softmax`.
#
# You need Python and the product of two matrices. What a tensor is and how its shape reads is lesson 1.

# %%
import tinygrad_edu as torch
from tinygrad_edu import viz
from tinygrad_edu.learn import check, check_function, curves, predict
from tinygrad_edu.learn.widgets.shapes_flow import shapes_flow

# %% [markdown]
# ## One neuron
#
# A neuron is a weighted sum. It has one weight for each input, and one number more, the *bias*, which shifts the sum:
#
# $$z = x_0 w_0 + x_1 w_1 + x_2 w_2 + b .$$
#
# A large weight means: this input matters to me. A negative one: this input speaks against it.

# %%
x = torch.tensor([0.5, 1.0, -2.0])
w = torch.tensor([2.0, -1.0, 0.25])
b = torch.tensor(0.3)

z = x[0] * w[0] + x[1] * w[1] + x[2] * w[2] + b
print("term by term     ", z.item())
print("as a dot product ", (x @ w + b).item())
assert torch.allclose(z, x @ w + b)

# %% [markdown]
# `@` is the matrix product; for two lines of numbers it is the dot product, which is just this sum.
#
# The same as a picture. The boxes on the left are the numbers that go in, the rounded ones operations. The picture is drawn from what the
# engine notes while it computes. It takes notes only for tensors that `requires_grad_()` has marked, those that are to be
# trained: here the weights and the bias. What the notes are good for is the matter of lesson 4.

# %%
w.requires_grad_()
b.requires_grad_()
viz.graph(x @ w + b, direction="right", rules=False)

# %% [markdown]
# ## One layer: many neurons at once
#
# A layer of 4 neurons that all read the same 3 inputs has 4 columns of weights, one for each neuron: a matrix `W` of
# shape (3, 4). Its biases are 4 numbers. The four sums are one product:
#
# $$z = x W + b .$$

# %%
torch.manual_seed(0)
W = torch.randn(3, 4)
b = torch.randn(4)

z = x @ W + b
print("all at once  ", z)
print("one by one   ", torch.stack([x @ W[:, j] + b[j] for j in range(4)]))  # neuron j has column j
assert torch.allclose(z[2], x @ W[:, 2] + b[2])

# %% [markdown]
# ## Many samples at once
#
# A *batch* is a table with one sample in each row. The same line of code now computes all rows, and this is all there is
# to "batching":

# %%
X = torch.randn(5, 3)
Z = X @ W + b
print(tuple(X.shape), "@", tuple(W.shape), "+", tuple(b.shape), "=", tuple(Z.shape))
assert torch.allclose(Z[2], X[2] @ W + b, atol=1e-6)

# %% [markdown]
# In a product the inner lengths must agree and vanish: (5, **3**) @ (**3**, 4) is (5, 4). The bias has shape (4,) and is
# added to each of the 5 rows: it is broadcast.
#
# Predict, then run the next cell.

# %%
predict(
    "`X` is (5, 3), `W` is (3, 4). What does `W @ X` give?",
    ["a tensor of shape (5, 4), the same as X @ W", "a tensor of shape (4, 5)", "an error"],
    "an error",
    "The inner lengths would be 4 and 5. With matrices the order matters.",
)

# %%
try:
    W @ X
except RuntimeError as error:
    print(error)

# %% [markdown]
# Errors like this one will be your daily bread. Read the two shapes in it, and ask which of your tensors has which.
#
# There is a worse case than an error: shapes that fit by accident. Here the five answers of a network stand in a column,
# and the five right answers, from which we subtract them, in a line.

# %%
column = torch.zeros(5, 1)
line = torch.zeros(5)
print(tuple((column - line).shape))

# %% [markdown]
# Five differences were wanted and 25 came out, without a word: the column was repeated five times to the right and the
# line five times downwards, so that they fit. When a result looks strange, print shapes first.
#
# ## Nonlinearities
#
# Two layers without anything in between are one layer in disguise:
#
# $$(x W_1) W_2 = x (W_1 W_2) .$$

# %%
first, second = torch.randn(3, 4), torch.randn(4, 2)
two_layers, one_layer = (X @ first) @ second, X @ (first @ second)
print("the first sample through both layers:", two_layers[0])
print("and through one matrix:              ", one_layer[0])
assert torch.allclose(two_layers, one_layer, atol=1e-5)

# %% [markdown]
# So every layer but the last is followed by a function that is not a straight line, a *nonlinearity*. Here are three,
# each with its *slope*: how much the value grows, per step, when $z$ grows a little. The engine computes slopes. After
# `backward()` they are in `points.grad`, one for each point. (Lessons 4 and 5 show how it does that.)

# %%
grid = torch.linspace(-5, 5, 201)


def with_slope(function):
    """A function's values on the grid, and its slope at each of them."""
    points = grid.clone().requires_grad_()
    values = function(points)
    values.sum().backward()
    return {"value": values, "slope": points.grad}


shown = {
    "relu": with_slope(torch.relu),
    "sigmoid": with_slope(torch.sigmoid),
    "tanh": with_slope(torch.tanh),
}
assert shown["sigmoid"]["slope"].max().item() == 0.25
assert shown["tanh"]["slope"].max().item() == 1.0
curves(grid, shown, "z")

# %% [markdown]
# | | formula | slope | good for |
# |---|---|---|---|
# | `relu` | $\max(z, 0)$ | 0 or 1 | hidden layers, the usual choice |
# | `sigmoid` | $\sigma(z) = 1 / (1 + e^{-z})$ | $\sigma (1 - \sigma)$, at most 0.25 | a probability, yes or no |
# | `tanh` | $(e^z - e^{-z}) / (e^z + e^{-z})$ | $1 - \tanh^2$, at most 1 | values from −1 to 1 |
#
# Why do the slopes matter? A network learns by asking how its result would change if one of its weights did. The answer,
# the *gradient*, is carried from the result back to the weights, and is multiplied by the slope of every nonlinearity on
# its way. Through ten sigmoids at their very best it is multiplied by $0.25^{10}$, about a millionth. Through `relu` it
# passes whole, or not at all.

# %%
print("ten sigmoids:", 0.25**10)

# %% [markdown]
# ## The network: 784-128-10
#
# It reads pictures of 28 × 28 = 784 pixels, makes 128 numbers of its own out of each, the *hidden layer*, and of these ten
# scores, one for each digit. A handful of lines. The weights are random, of the size that lesson 1 has found, $\sqrt{2/n}$
# for $n$ inputs; the biases begin at zero.

# %%
torch.manual_seed(0)
W1, b1 = torch.randn(784, 128) * (2 / 784) ** 0.5, torch.zeros(128)
W2, b2 = torch.randn(128, 10) * (2 / 128) ** 0.5, torch.zeros(10)


def forward(batch):
    """Every tensor on the way from pictures to scores, by name."""
    z1 = batch @ W1 + b1  # (B, 784) @ (784, 128) + (128,) -> (B, 128)
    h = z1.relu()  # (B, 128)
    scores = h @ W2 + b2  # (B, 128) @ (128, 10) + (10,) -> (B, 10)
    return {"x": batch, "z1": z1, "h": h, "scores": scores}


pictures = torch.rand(32, 784)  # noise in place of digits: this lesson is about shapes
for name, tensor in forward(pictures).items():
    print(f"{name:<7}{tuple(tensor.shape)}")

# %% [markdown]
# Move the slider. What grows with the batch, and what does not? At which batch size does what flows need more memory than
# the parameters?

# %%
shapes_flow(
    lambda batch: forward(torch.rand(batch, 784)),
    {"W1": W1, "b1": b1, "W2": W2, "b2": b2},
    [
        ("x @ W1 + b1", ["W1", "b1"], "z1"),
        ("relu(z1)", [], "h"),
        ("h @ W2 + b2", ["W2", "b2"], "scores"),
    ],
)

# %%
flowing = sum(tensor.nbytes for tensor in forward(torch.rand(128, 784)).values())
kept = sum(tensor.nbytes for tensor in (W1, b1, W2, b2))
print(f"at 128: {flowing:,} bytes flow, {kept:,} are parameters")
assert flowing > kept

# %% [markdown]
# The parameters do not know the batch size. That is why a network trained with batches of 64 answers for one picture.
#
# This is also the place to see what a wrong shape looks like in a network: a picture that was not laid flat.

# %%
try:
    forward(torch.rand(32, 28, 28))
except RuntimeError as error:
    print(error)
print(tuple(forward(torch.rand(32, 28, 28).flatten(1))["scores"].shape))

# %% [markdown]
# ## From scores to probabilities: softmax
#
# The ten scores may be any numbers. Probabilities are positive and add up to 1. So: make them positive with `exp`, then
# divide by their sum, row by row.
#
# $$p_j = \frac{e^{s_j}}{\sum_k e^{s_k}}$$

# %%
scores = forward(pictures)["scores"]
positive = scores.exp()
probabilities = positive / positive.sum(dim=1, keepdim=True)
print(probabilities[0])
print("sums:", probabilities.sum(dim=1)[:4])
assert torch.allclose(probabilities, torch.softmax(scores, dim=1), atol=1e-6)

# %% [markdown]
# `keepdim=True` leaves the sums as a column of shape (32, 1), which then divides each row. Without it they have shape
# (32,), and the division either fails or, if the batch has as many samples as there are classes, divides the wrong way
# without a word.
#
# Softmax keeps the order of the scores: the largest score has the largest probability. What it does look at are their
# *differences*: adding the same number to all scores changes nothing. And multiplying all scores makes it surer:

# %%
three = torch.tensor([2.0, 1.0, 0.0])
print("scores     ", torch.softmax(three, 0))
print("plus 100   ", torch.softmax(three + 100, 0))
print("times 5    ", torch.softmax(three * 5, 0))
print("divided by 5", torch.softmax(three / 5, 0))
assert torch.allclose(torch.softmax(three, 0), torch.softmax(three + 100, 0))

# %% [markdown]
# Here are two scores held at 1 and 0 while the third moves from −5 to 5. On the right are the slopes: how each of the three
# probabilities answers when the moving score grows a little.

# %%
points = grid.clone().requires_grad_()
shares = torch.softmax(torch.stack([points, torch.ones(201), torch.zeros(201)], dim=1), dim=1)
names = ["the moving score", "score 1", "score 0"]
# torch.autograd.grad gives slopes too: of each probability, at each point
slopes = [torch.autograd.grad(shares[:, k].sum(), points, retain_graph=True)[0] for k in range(3)]
curves(
    grid,
    {
        "probability": {name: shares[:, k] for k, name in enumerate(names)},
        "slope": dict(zip(names, slopes, strict=True)),
    },
    "the moving score",
    size=(4.0, 2.8),
)

# %% [markdown]
# What one class wins, the others lose: the three slopes add up to zero. There is a formula for them. On its left stands
# the slope of the probability $p_j$ when the score $s_k$ alone moves; $[j = k]$ is 1 if the two are the same class, and 0
# if not:
#
# $$\frac{\partial p_j}{\partial s_k} = p_j \, ([j = k] - p_k) .$$

# %%
p = shares.detach()  # the same numbers, without the engine's notes
print("where the moving score is 0, slopes", [round(slope[100].item(), 4) for slope in slopes])
print(
    "by the formula                     ",
    [round((p[100, j] * ((j == 0) - p[100, 0])).item(), 4) for j in range(3)],
)
assert torch.allclose(sum(slopes), torch.zeros(201), atol=1e-6)
assert torch.allclose(slopes[0], p[:, 0] * (1 - p[:, 0]), atol=1e-6)
assert torch.allclose(slopes[1], -p[:, 1] * p[:, 0], atol=1e-6)

# %% [markdown]
# With random weights the network knows nothing, and so its probabilities should be near 1/10 each. This is a good first
# check of any network: *before training, it should be unsure*.

# %%
largest = probabilities.max(dim=1).values.mean().item()
print(f"the largest of ten probabilities, on average: {largest:.2f}")
assert largest < 0.6

# %% [markdown]
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1.** `x` has shape (8, 20), and it goes into a layer of 50 neurons. What are the shapes of `W`, of `b` and of the
# result of `x @ W + b`? Write each as a tuple.


# %% tags=["check"]
def check_shapes(answer):
    hints = [
        (
            {"W": (50, 20), "b": (50,), "result": (8, 50)},
            "W has a column for each neuron: (inputs, neurons).",
        ),
        ({"W": (20, 50), "b": (20,), "result": (8, 50)}, "Each neuron has one bias."),
        (
            {"W": (20, 50), "b": (8, 50), "result": (8, 50)},
            "The bias belongs to the neuron and is the same for all rows.",
        ),
    ]
    return check("shapes", answer, {"W": (20, 50), "b": (50,), "result": (8, 50)}, hints)


# %%
answer = {"W": None, "b": None, "result": None}
check_shapes(answer)

# %% tags=["solution"]
answer = {"W": (20, 50), "b": (50,), "result": (8, 50)}
assert check_shapes(answer)

# %% [markdown]
# **2.** Write `layer(x, W, b)`: a linear layer followed by `relu`, but without calling `relu`. (`t.clamp(min=…)` raises
# what is smaller, `torch.where(condition, a, b)` chooses entry by entry.)


# %% tags=["check"]
def check_layer(layer):
    samples = [(X, W, b), (torch.randn(1, 3), W, b)]
    hints = [
        (
            lambda x, W, b: x @ W + b,
            "There are negative numbers in it: what would relu make of them?",
        ),
        (lambda x, W, b: torch.relu(x @ W) + b, "The bias belongs inside: first add it, then cut."),
        (lambda x, W, b: (x @ W + b).clamp(max=0), "This keeps the negative half: min=, not max=."),
    ]
    return check_function(
        "layer", layer, lambda x, W, b: torch.relu(x @ W + b), *samples, hints=hints
    )


# %%
def layer(x, W, b):
    return None


check_layer(layer)


# %% tags=["solution"]
def layer(x, W, b):
    return (x @ W + b).clamp(min=0)


assert check_layer(layer)

# %% [markdown]
# **3.** Write `tanh` by means of `torch.sigmoid` alone. (Look at the two curves: one is the other, stretched and shifted.)


# %% tags=["check"]
def check_tanh(tanh):
    hints = [
        (
            lambda z: 2 * torch.sigmoid(z) - 1,
            "From −1 to 1, as it should, but not steep enough at 0: tanh has the slope 1.",
        ),
        (
            lambda z: torch.sigmoid(2 * z),
            "As steep as needed, but from 0 to 1: tanh goes from −1 to 1.",
        ),
    ]
    return check_function("tanh", tanh, torch.tanh, grid, hints=hints)


# %%
def tanh(z):
    return None


check_tanh(tanh)


# %% tags=["solution"]
def tanh(z):
    return 2 * torch.sigmoid(2 * z) - 1


assert check_tanh(tanh)

# %% [markdown]
# **4.** The slope of the sigmoid at any point can be computed from its value there, without another `exp`. Write
# `sigmoid_slope(value)`. The check asks the engine.


# %% tags=["check"]
def check_sigmoid_slope(sigmoid_slope):
    def slope_by_engine(value):
        """The slope where the sigmoid has this value."""
        z = torch.log(value / (1 - value)).requires_grad_()
        torch.sigmoid(z).sum().backward()
        return z.grad

    hints = [
        (
            lambda value: torch.sigmoid(value) * (1 - torch.sigmoid(value)),
            "`value` is the sigmoid's value already; do not take its sigmoid again.",
        ),
        (lambda value: 1 - value**2, "That is the slope of tanh."),
    ]
    values = torch.linspace(0.05, 0.95, 19)
    return check_function("sigmoid's slope", sigmoid_slope, slope_by_engine, values, hints=hints)


# %%
def sigmoid_slope(value):
    return None


check_sigmoid_slope(sigmoid_slope)


# %% tags=["solution"]
def sigmoid_slope(value):
    return value * (1 - value)


assert check_sigmoid_slope(sigmoid_slope)

# %% [markdown]
# **5.** Softmax over two classes is a sigmoid. Of what? Write the probability of class 0 as `torch.sigmoid(...)` of the
# two scores, a tensor of shape (B, 2).


# %% tags=["check"]
def check_two_classes(first_of_two):
    def right(scores):
        return torch.softmax(scores, dim=1)[:, 0]

    hints = [
        (lambda s: torch.sigmoid(s[:, 1] - s[:, 0]), "That is the probability of class 1."),
        (lambda s: torch.sigmoid(s[:, 0]), "The other score counts too: only differences matter."),
    ]
    return check_function("two classes", first_of_two, right, torch.randn(6, 2), hints=hints)


# %%
def first_of_two(scores):
    return None


check_two_classes(first_of_two)


# %% tags=["solution"]
def first_of_two(scores):
    return torch.sigmoid(scores[:, 0] - scores[:, 1])


assert check_two_classes(first_of_two)

# %% [markdown]
# **6.** How many multiplications does one picture cost in this network? Count those of the two matrix products.


# %% tags=["check"]
def check_multiplications(multiplications):
    return check(
        "multiplications",
        multiplications,
        W1.numel() + W2.numel(),
        hints={
            W1.numel(): "That is the first layer alone.",
            101_770: "A bias is added, not multiplied.",
        },
    )


# %%
multiplications = None
check_multiplications(multiplications)

# %% tags=["solution"]
multiplications = 784 * 128 + 128 * 10  # each weight is used once
assert check_multiplications(multiplications)

# %% [markdown]
# The network now has an opinion about every picture. The next lesson measures how wrong it is.
