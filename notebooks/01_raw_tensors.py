# %% [markdown]
# # 1 · Raw tensors
#
# After this lesson you can
#
# - say what a tensor is made of: a line of numbers in memory, a dtype, a shape, strides and an offset;
# - tell which operations copy numbers and which only look at them in another way;
# - count the parameters of a network, and their bytes;
# - choose how large the first, random numbers of a network are, so that what goes through it neither explodes nor dies out.
#
# You need Python, and you should have multiplied two matrices before. Nothing else.

# %%
import math

import tinygrad_edu as torch
from tinygrad_edu.learn import check, check_function, curves, predict, spreads
from tinygrad_edu.learn.widgets.memory import memory_layout

# %% [markdown]
# ## A line of numbers, and a way to read it
#
# A computer's memory is one long line of places. A table has rows and columns. So a table must be laid out in a line,
# and something has to remember how to find row 1, column 2 again. A tensor is these two things together: the line,
# called its *storage*, and the way to read it.

# %%
x = torch.arange(12.0).reshape(3, 4)
x

# %%
print("shape  ", tuple(x.shape))
print("dtype  ", x.dtype)
print("strides", x.stride())
print("offset ", x.storage_offset())
print("storage", x.untyped_storage().nbytes(), "bytes")

# %% [markdown]
# - The **shape** says how many entries there are along each dimension: 3 rows, 4 columns.
# - The **dtype** says what an entry is: here a `float32`, a number with a fraction, written in 4 bytes.
# - The **strides** say how far to walk in the storage for one step along each dimension: 4 places to the next row,
#   1 place to the next column.
# - The **offset** says where the first entry lies.
#
# So entry $(i, j)$ lies at place
#
# $$\text{offset} + i \cdot \text{stride}_0 + j \cdot \text{stride}_1 .$$
#
# Try it: entry $(1, 2)$.

# %%
storage = x.flatten().tolist()
place = x.storage_offset() + 1 * x.stride()[0] + 2 * x.stride()[1]
print("place", place, "holds", storage[place], "and x[1, 2] is", x[1, 2].item())
assert storage[place] == x[1, 2].item()

# %% [markdown]
# ## Views: the same numbers, read in another way
#
# Now the good part. To transpose a table, nobody has to move a number. It is enough to swap the two strides.

# %%
predict(
    "`x` has shape (3, 4) and strides (4, 1). What are the strides of `x.T`?",
    ["(3, 1)", "(4, 1)", "(1, 4)"],
    "(1, 4)",
    {
        "(3, 1)": "That is what a freshly written 4 by 3 table would have. But nothing was written.",
        "(4, 1)": "These are the strides of `x` itself. A step to the next row of `x.T` is a step to the next column of `x`.",
        "(1, 4)": "Rows and columns change places, and so do their strides. The storage stays as it is.",
    },
)

# %% [markdown]
# Here are some tensors made from `x`. Choose one and walk through it (click into the grid, then use the arrow keys):
# the storage below shows where each entry lies. Most of them share the storage of `x`. Which one does not?

# %%
memory_layout(
    {
        "x": x,
        "x.T": x.T,
        "x[1]": x[1],
        "x[:, ::2]": x[:, ::2],
        "x.reshape(2, 3, 2)": x.reshape(2, 3, 2),
        "x[0].expand(2, 4)": x[0].expand(2, 4),
        "x.T.contiguous()": x.T.contiguous(),
    }
)

# %% [markdown]
# It was the last one: `contiguous()` means "lying in order, without gaps", and to lie so its numbers had to be copied.
#
# `expand` is worth a second look: its stride is 0, so both rows are read from the same four places. The same happens
# when you add a row of numbers to a whole table: it is added to each row of the table without being copied. That is
# called *broadcasting*.

# %%
x + torch.tensor([100.0, 200.0, 300.0, 400.0])

# %% [markdown]
# A tensor that shares another's storage is called a **view**. Views cost almost nothing, and they have one consequence
# that you should see once with your own eyes:

# %%
numbers = torch.zeros(2, 3)
row = numbers[1]
row[0] = 7.0
numbers

# %% [markdown]
# We wrote into `row`, and `numbers` has changed: they are the same memory. When you want numbers of your own, ask for a
# copy with `clone()`.

# %%
row = numbers[1].clone()
row[0] = -1.0
numbers

# %% [markdown]
# Some changes of shape cannot be expressed by strides. Laid flat, the transposed table reads 0, 4, 8, 1, 5, 9 …: no
# single stride walks like that. `view` never copies, so it refuses; `reshape` copies when it has to.

# %%
try:
    x.T.view(12)
except RuntimeError as error:
    print(error)
print(x.T.reshape(12))

# %% [markdown]
# ## dtype: what one entry is
#
# | dtype | bytes | what for |
# |---|---|---|
# | `float32` | 4 | nearly everything in a network |
# | `float64` | 8 | when you check something and want no rounding in the way |
# | `int64` | 8 | class numbers, indices |
# | `uint8` | 1 | the grey values of pictures, 0 to 255 |
# | `bool` | 1 | yes or no for each entry, as the result of `x > 3` |
#
# Each has its limits. A `float32` keeps about seven digits:

# %%
print(torch.tensor(0.1, dtype=torch.float32).item())
print(torch.tensor(16_777_216.0) + 1)

# %% [markdown]
# The first line is 0.1 as well as 32 bits can say it. In the second, adding one to sixteen million did nothing: the
# eighth digit has no place. And a `uint8` starts again from 0 after 255, which is a classic way to spoil a picture:

# %%
picture = torch.tensor([200, 250], dtype=torch.uint8)
print(picture + 100)
print(picture.float() + 100)

# %% [markdown]
# ## The four tensors of a network
#
# The network we will build in the next lessons reads a picture of 28 × 28 = 784 grey values and gives 10 scores, one
# for each digit. In between are 128 numbers of its own, the *hidden layer*. It works in two steps, called *layers*. Each
# multiplies what comes in by a matrix of *weights*, `W`, and adds a row of numbers, the *biases*, `b`. So all it knows
# is in four tensors. Their numbers are its **parameters**: training will change them, and nothing else.
#
# `torch.randn` draws random numbers, `torch.manual_seed` makes them the same each time you run this.

# %%
torch.manual_seed(0)
W1, b1 = torch.randn(784, 128), torch.zeros(128)
W2, b2 = torch.randn(128, 10), torch.zeros(10)
parameters = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
for name, tensor in parameters.items():
    print(
        f"{name}  {tuple(tensor.shape)!s:<11} {tensor.numel():>7,} numbers  {tensor.nbytes:>8,} bytes"
    )
total = sum(tensor.numel() for tensor in parameters.values())
print(f"all {total:>21,} numbers  {sum(t.nbytes for t in parameters.values()):>8,} bytes")
assert total == 101_770

# %% [markdown]
# 101,770 numbers of 4 bytes each. Nearly all of them are in `W1`: every one of the 784 inputs is joined to every one of
# the 128 hidden numbers. Your phone's photographs are larger than this network.
#
# ## How large should the first weights be?
#
# We filled the weights with `randn`: random numbers around 0, two of three between −1 and 1. Is that a good start? Let
# us send some random "pictures" through ten layers of 256 numbers, each followed by `relu` (a function that turns
# negative numbers into 0; lesson 2 says what for). What comes out of a layer are its *activations*. Watch how large they
# become, measured by the root of their mean square.

# %%
WIDTH, LAYERS = 256, 10


def sizes_on_the_way(scale):
    """How large the activations are after each layer, for weights of this scale."""
    torch.manual_seed(0)
    h = torch.randn(64, WIDTH)
    sizes = []
    for _ in range(LAYERS):
        h = (h @ (scale * torch.randn(WIDTH, WIDTH))).relu()
        sizes.append((h**2).mean().sqrt().item())
    return sizes


exploding = sizes_on_the_way(1.0)
print(f"after one layer {exploding[0]:.1f}, after ten {exploding[-1]:.3g}")
assert exploding[-1] > 1e10

# %% [markdown]
# Ten layers, and the numbers have become larger than $10^{10}$. Why? One output is a sum over $n$ inputs:
#
# $$z = \sum_{k=1}^{n} x_k w_k .$$
#
# The $w_k$ are random, as often positive as negative. So the terms partly cancel, and the sum is nowhere near $n$ times a
# term. What adds up are the mean squares (a bar means "on average"):
#
# $$\overline{z^2} = n \cdot \overline{x^2} \cdot \overline{w^2} .$$
#
# (Multiply out $z^2$: the products of two *different* terms are as often positive as negative and average to 0, and the
# $n$ squares remain.) With $\overline{w^2} = 1$ the numbers grow by $\sqrt{n}$ in a layer: here by 16. Then `relu` throws away the negative
# half, which halves the mean square. So a layer multiplies the size by $\sqrt{n/2} \approx 11.3$, and ten layers by
# $11.3^{10}$.

# %%
print("measured", round(exploding[0], 2), " expected", round(math.sqrt(WIDTH / 2), 2))
assert abs(exploding[0] / math.sqrt(WIDTH / 2) - 1) < 0.05

# %% [markdown]
# The cure stands in the formula. For the size to stay as it is, we need $n \cdot \overline{w^2} / 2 = 1$. The numbers of
# `randn` have the mean square 1, so multiply them by
#
# $$\sqrt{\frac{2}{n}} .$$
#
# This is the **Kaiming** scale. (The root of the mean square of numbers around 0 is also called their *standard
# deviation*.) Beside it we try $0.01$, which looks harmlessly small.

# %%
by_scale = {
    "randn": exploding,
    "randn × sqrt(2/n)": sizes_on_the_way(math.sqrt(2 / WIDTH)),
    "randn × 0.01": sizes_on_the_way(0.01),
}
assert 0.5 < by_scale["randn × sqrt(2/n)"][-1] < 2
assert by_scale["randn × 0.01"][-1] < 1e-6
curves(
    range(1, LAYERS + 1),
    {"size of the activations": by_scale},
    "layer",
    logarithmic=True,
    points=True,
    size=(5.6, 3.2),
)

# %% [markdown]
# One scale explodes, one dies out, one stays level. (The vertical axis is logarithmic: from one line of the grid to the
# next is a factor of 1,000.)
# Too small is as bad as too large: a signal of $10^{-9}$ tells the last layer nothing about the picture.
#
# Here is the same seen from inside: how the numbers before `relu` are spread in layers 1, 5 and 10.


# %%
def before_relu(scale, layers=(1, 5, 10)):
    """What arrives in some of the layers."""
    torch.manual_seed(0)
    h, kept = torch.randn(64, WIDTH), {}
    for layer in range(1, LAYERS + 1):
        z = h @ (scale * torch.randn(WIDTH, WIDTH))
        if layer in layers:
            kept[f"layer {layer}"] = z
        h = z.relu()
    return kept


spreads(
    {
        "scale sqrt(2/n)": before_relu(math.sqrt(2 / WIDTH)),
        "scale sqrt(1/n)": before_relu(math.sqrt(1 / WIDTH)),
        "scale 0.05": before_relu(0.05),
    },
    "value",
    limits=(-4, 4),
)

# %% [markdown]
# On the left all three layers see numbers of nearly the same spread. In the middle, where the 2 was forgotten, each layer
# sees a narrower heap. On the right layer 10 sees almost nothing but zeros.
#
# The rule is built in, under its author's first name; the argument says which function follows the layer.

# %%
ready = torch.empty(784, 128)
torch.nn.init.kaiming_normal_(
    ready.T, nonlinearity="relu"
)  # it wants a matrix (outputs, inputs), hence the .T
print(f"its spread {ready.std().item():.4f}, sqrt(2 / 784) = {math.sqrt(2 / 784):.4f}")
assert abs(ready.std().item() - math.sqrt(2 / 784)) < 1e-3

# %% [markdown]
# Look again at the middle of that cell: we gave `kaiming_normal_` the view `ready.T`, and it filled `ready`.
#
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1.** How many parameters does a network 784-256-64-10 have, with biases?


# %% tags=["check"]
def check_parameters(count):
    without_biases = 784 * 256 + 256 * 64 + 64 * 10
    return check(
        "parameters",
        count,
        without_biases + 256 + 64 + 10,
        hints={
            without_biases: "These are the weights. Each layer also has a bias for each of its outputs."
        },
    )


# %%
count = None
check_parameters(count)

# %% tags=["solution"]
count = (784 * 256 + 256) + (256 * 64 + 64) + (64 * 10 + 10)
assert check_parameters(count)

# %% [markdown]
# **2.** `y = torch.zeros(2, 3, 4)`. What are its strides, as a tuple? Think of how many places you walk to reach the next
# block, the next row, the next column.


# %% tags=["check"]
def check_strides(strides):
    return check(
        "strides", strides, torch.zeros(2, 3, 4).stride(), hints=[((2, 3, 4), "That is the shape.")]
    )


# %%
strides = None
check_strides(strides)

# %% tags=["solution"]
strides = (12, 4, 1)  # a block is 3 × 4 numbers, a row is 4
assert check_strides(strides)

# %% [markdown]
# **3.** Write `place(tensor, index)`: where in the storage an entry lies. It should work for any number of dimensions and
# for views too.


# %% tags=["check"]
def check_place(place):
    def by_memory(tensor, index):
        """The right answer, found by looking into the memory itself."""
        entry = tensor[index]
        return (entry.data_ptr() - tensor.untyped_storage().data_ptr()) // tensor.element_size()

    samples = [
        (x, (1, 2)),
        (x.T, (1, 2)),
        (x[:, 1::2], (2, 1)),
        (torch.zeros(2, 3, 4), (1, 2, 3)),
        (x[1], (3,)),
    ]
    hints = [
        (
            lambda tensor, index: sum(i * s for i, s in zip(index, tensor.stride(), strict=True)),
            "A view need not begin at the first place of the storage: the offset is missing.",
        ),
        (lambda tensor, index: tensor[index].item(), "That is the entry itself, not its place."),
    ]
    return check_function("place", place, by_memory, *samples, hints=hints)


# %%
def place(tensor, index):
    return None


check_place(place)


# %% tags=["solution"]
def place(tensor, index):
    return tensor.storage_offset() + sum(
        i * stride for i, stride in zip(index, tensor.stride(), strict=True)
    )


assert check_place(place)

# %% [markdown]
# **4.** `a = torch.zeros(3, 4)`, then each line below writes into something made of `a`. How many of them change `a`?
#
# ```python
# a[0][1] = 1
# a.T[2, 2] = 1
# a.clone()[0, 0] = 1
# a.reshape(12)[5] = 1
# a.T.reshape(12)[0] = 1
# (a + 0)[1, 1] = 1
# ```


# %% tags=["check"]
def check_writes_that_arrive(changes):
    a = torch.zeros(3, 4)
    a[0][1] = 1
    a.T[2, 2] = 1
    a.clone()[0, 0] = 1
    a.reshape(12)[5] = 1
    a.T.reshape(12)[0] = 1
    (a + 0)[1, 1] = 1
    return check(
        "writes that arrive",
        changes,
        int(a.sum().item()),
        hints={
            4: "Can `a.T` be laid flat without a copy? The lesson has a cell about it.",
            2: "`a.reshape(12)` of a table that lies in order needs no copy.",
        },
    )


# %%
changes = None
check_writes_that_arrive(changes)

# %% tags=["solution"]
changes = 3  # the first, the second and the fourth; the others write into copies
assert check_writes_that_arrive(changes)

# %% [markdown]
# **5.** Another function that may follow a layer is `tanh`. It leaves small numbers nearly as they are, positive and
# negative, so nothing is thrown away. By what must `randn` be multiplied then to keep the size? Write it as a function of
# `n`, the number of inputs.


# %% tags=["check"]
def check_scale_before_tanh(tanh_scale):
    def by_trying(n):
        """Measure how much one layer enlarges, and undo it."""
        torch.manual_seed(0)
        return 1 / (torch.randn(500, n) @ torch.randn(n, 200)).std().item()

    hints = [
        (
            lambda n: math.sqrt(2 / n),
            "That is the scale for relu; the 2 stands for the half that it throws away.",
        ),
        (lambda n: 1 / n, "The mean squares add up: n · w² = 1, so w is a root."),
    ]
    return check_function(
        "scale before tanh", tanh_scale, by_trying, 100, 784, hints=hints, atol=1e-3
    )


# %%
def tanh_scale(n):
    return None


check_scale_before_tanh(tanh_scale)


# %% tags=["solution"]
def tanh_scale(n):
    return math.sqrt(1 / n)  # n · w² = 1: no half is lost


assert check_scale_before_tanh(tanh_scale)

# %% [markdown]
# **6.** A question to take along: weights that are all equal, say all 0.05, have a perfectly good size. What goes wrong
# when training begins to change them, step by step?

# %%
predict(
    "All entries of `W1` and of `W2` are 0.05. How do the 128 hidden numbers of a picture differ "
    "after one training step?",
    ["They are random", "They are all equal", "They explode"],
    "They are all equal",
    "All hidden numbers begin with the same weights, so they have the same value, are told the "
    "same correction and take the same step. They stay copies of one another for ever. Random "
    "weights are there to break this symmetry.",
)

# %% [markdown]
# Here is that training step. (Lessons 3 and 4 explain its middle lines.) The first five hidden numbers of each of three
# pictures afterwards:

# %%
V1 = torch.full((784, 128), 0.05, requires_grad=True)
V2 = torch.full((128, 10), 0.05, requires_grad=True)
pictures = torch.rand(3, 784)

loss = torch.nn.functional.cross_entropy((pictures @ V1).relu() @ V2, torch.tensor([3, 1, 4]))
loss.backward()
hidden = (pictures @ (V1 - 0.1 * V1.grad)).relu()

assert torch.allclose(hidden, hidden[:, :1].expand(3, 128))
hidden[:, :5].detach()

# %% [markdown]
# The next lesson sends a picture through these four tensors, one operation at a time.
