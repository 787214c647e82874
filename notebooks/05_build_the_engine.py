# %% [markdown]
# # 5 · Build the engine
#
# After this lesson you can
#
# - write an automatic-differentiation engine for numbers in forty lines, and one for arrays in sixty;
# - say in which order gradients must travel back, why they are *added* where they meet, and what broadcasting costs on
#   the way back, because you will have broken each of the three and seen which check notices;
# - open this package's own engine (`op.py`, `written.py`, `plan.py`, `autograd/graph.py`, `tensor.py`), know what each
#   file is for, and find your own forty lines in it.
#
# You need derivatives of one variable and the chain rule. Nothing else is taken for granted.

# %%
import contextlib
import inspect
import itertools
import math
import textwrap
from heapq import heappop, heappush
from unittest import mock

import numpy as np

import tinygrad_edu as torch
from tinygrad_edu import plan
from tinygrad_edu.autograd import gradcheck, gradient, graph
from tinygrad_edu.learn import check, check_function, check_gradient, predict
from tinygrad_edu.op import OPS
from tinygrad_edu.tensor import Leaf
from tinygrad_edu.viz import graph as draw

_ = torch.manual_seed(5)

# %% [markdown]
# ## 1. A number that remembers
#
# The whole idea: when two numbers are multiplied, do not only compute the product. Also write down **which numbers it
# came from** and **how a gradient of the product becomes gradients of these two**. For $c = a\,b$ and a final result $L$,
#
# $$\frac{\partial L}{\partial a} = \frac{\partial L}{\partial c}\,b, \qquad \frac{\partial L}{\partial b} = \frac{\partial L}{\partial c}\,a .$$
#
# We call $\partial L/\partial c$ simply `g`: the gradient that arrives. The rule of the product is then
# `lambda g: (g * b, g * a)`, and every other operation has such a line.
#
# A gradient travels from the result back to the beginning. The only question is the order: a value may pass its gradient
# on only when all that is to arrive at it has arrived. So it comes after everything that was made from it. Such an order
# is called *topological*. Three pieces, then: `Value` remembers, `topological` finds the order, `backward` walks.


# %%
class Value:
    """A number, its gradient, and how it was made."""

    def __init__(self, data, parents=(), rule=None):
        self.data, self.grad = data, 0.0
        self.parents, self.rule = parents, rule

    def __add__(self, other):
        other = as_value(other)
        return Value(self.data + other.data, (self, other), lambda g: (g, g))

    def __mul__(self, other):
        other = as_value(other)
        return Value(
            self.data * other.data, (self, other), lambda g: (g * other.data, g * self.data)
        )

    def tanh(self):
        out = math.tanh(self.data)
        return Value(out, (self,), lambda g: (g * (1 - out * out),))

    __radd__, __rmul__ = __add__, __mul__


def as_value(x):
    return x if isinstance(x, Value) else Value(x)


def topological(root):
    """Every value behind `root`, each one after all that were made from it."""
    found, seen = [], set()

    def visit(v):
        if v not in seen:
            seen.add(v)
            for parent in v.parents:
                visit(parent)
            found.append(v)  # its parents are in the list already

    visit(root)
    return found[::-1]


def backward(root, order=topological):
    root.grad = 1.0
    for v in order(root):
        for parent, g in zip(v.parents, v.rule(v.grad) if v.rule else (), strict=True):
            parent.grad += g


# %% [markdown]
# That is the engine. Forty lines, without the imports. Try it on one neuron: two inputs, two weights, a bias, a tanh.

# %%
w1, w2, b = Value(0.5), Value(-1.5), Value(0.2)
y = (w1 * 2.0 + w2 * 1.0 + b).tanh()
backward(y)
print(f"y = {y.data:.6f}")
print(f"dy/dw1 = {w1.grad:.6f}   dy/dw2 = {w2.grad:.6f}   dy/db = {b.grad:.6f}")

# %% [markdown]
# Do you believe these numbers? Do not: **check** them. Nudge a weight by a tiny bit and see how much the result really
# moves. That is what a derivative *means*, and it needs no rule at all.


# %%
def slope(function, values, i, h=1e-6):
    """How fast function(*values) changes with its i-th argument."""
    up, down = list(values), list(values)
    up[i] += h
    down[i] -= h
    return (function(*up) - function(*down)) / (2 * h)


def neuron(w1, w2, b):
    return math.tanh(w1 * 2.0 + w2 * 1.0 + b)


numerical = [slope(neuron, (0.5, -1.5, 0.2), i) for i in range(3)]
print("numerical:", [f"{n:.6f}" for n in numerical])
assert np.allclose(numerical, [w1.grad, w2.grad, b.grad], atol=1e-8)

# %% [markdown]
# The same neuron on this package, which has PyTorch's names:

# %%
tw1, tw2, tb = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (0.5, -1.5, 0.2))
(tw1 * 2.0 + tw2 * 1.0 + tb).tanh().backward()
print(tw1.grad.item(), tw2.grad.item(), tb.grad.item())
assert np.allclose([tw1.grad.item(), tw2.grad.item(), tb.grad.item()], [w1.grad, w2.grad, b.grad])

# %% [markdown]
# ## 2. Break it: the order
#
# `topological` looks fussy. Why not simply go level by level: first the result, then its parents, then theirs? Look at
# this little expression in which `u` is used **twice**, once near the end and once further back:
#
# $$u = 3x, \qquad v = u \cdot u, \qquad y = u + v \quad\Rightarrow\quad \frac{dy}{dx} = 3\,(1 + 2u).$$


# %%
def level_by_level(root):
    """Broken on purpose: nearest to the root first."""
    found, waiting = [], [root]
    while waiting:
        v = waiting.pop(0)
        if v not in found:
            found.append(v)
            waiting += v.parents
    return found


# %%
predict(
    "With x = 1, u = 3, the true derivative is 3 · (1 + 2 · 3) = 21. What will the level-by-level walk give?",
    ["21", "3", "18", "42"],
    "3",
    {
        "21": "That would need u to have heard from v before it passes its gradient on.",
        "3": "u passes its gradient on while it has only heard from y. What v sends a moment later is never passed on.",
        "18": "This is the part that comes through v: it is exactly the part that arrives too late.",
        "42": "Nothing is counted twice here: every value passes its gradient on once, but some do it too early.",
    },
)


# %%
def derivative(order):
    x = Value(1.0)
    u = x * 3.0
    v = u * u
    y = u + v
    backward(y, order)
    return x.grad


print("level by level:", derivative(level_by_level))
print("topological:   ", derivative(topological))
print("numerical:     ", round(slope(lambda x: 3 * x + (3 * x) ** 2, (1.0,), 0), 6))
assert derivative(level_by_level) == 3.0 and derivative(topological) == 21.0

# %% [markdown]
# Which check would have caught it? **Not** the neuron from before: there every value is used once, the graph is a tree,
# and on a tree any order from the root downwards is right.

# %%
v1, v2, v3 = Value(0.5), Value(-1.5), Value(0.2)
backward((v1 * 2.0 + v2 * 1.0 + v3).tanh(), level_by_level)
assert [v1.grad, v2.grad, v3.grad] == [w1.grad, w2.grad, b.grad]
print("the broken walk passes on the neuron:", v1.grad, v2.grad, v3.grad)

# %% [markdown]
# So a test of an engine needs a value that is used more than once (a *diamond*). Remember this when you test yours.
#
# There is a simpler order than the recursive one. Values are made one after the other, and **a value can only be made
# from values that are there already**. So number them as they are created; going back by falling numbers is
# always right. No recursion either, which matters: a chain of a few thousand steps is ordinary (a network that reads a
# long text letter by letter), and Python stops a recursion at about a thousand.

# %%
chain = Value(1.0)
for _ in range(5000):
    chain = chain + 0.001
try:
    backward(chain)
except RecursionError as error:
    print("RecursionError:", str(error)[:60])

# %% [markdown]
# ## 3. Break it: the sum where gradients meet
#
# The other delicate character is the `+` in `parent.grad += g`.

# %%
predict(
    "For y = a · a with a = 5 the derivative is 10. What comes out if the line says parent.grad = g?",
    ["10", "5", "25", "0"],
    "5",
    {
        "10": "Both uses of a send 5. Only += makes 10 of it.",
        "5": "a is a parent twice, and each time 5 arrives. The second one overwrites the first: half of the truth.",
        "25": "That is the value of y.",
        "0": "Gradients do arrive; one of the two is lost.",
    },
)


# %%
def forgetful_backward(root):
    """Broken on purpose: what arrives last wins."""
    root.grad = 1.0
    for v in topological(root):
        for parent, g in zip(v.parents, v.rule(v.grad) if v.rule else (), strict=True):
            parent.grad = g


a = Value(5.0)
forgetful_backward(a * a)
print("with = :", a.grad)
assert a.grad == 5.0

# %% [markdown]
# The sum is the chain rule of several variables: if $a$ reaches the result on two ways, a nudge of $a$ is felt on both,
# $\frac{dy}{da} = \sum_{\text{ways}} (\text{product of the slopes along the way})$.
#
# But our `+=` has a trap of its own. Call `backward` a second time on the same graph:

# %%
x = Value(1.0)
u = x * 3.0
y = u * u
backward(y)
first = x.grad
backward(y)
print("after one walk:", first, "  after two walks:", x.grad)
assert (first, x.grad) == (18.0, 54.0)

# %% [markdown]
# Twice the gradient, $36$, would be right by PyTorch's convention: a *leaf*, that is a value which no operation made, like
# `x`, sums up what all `backward` calls bring until you clear it. We got $54$: `u` still held its gradient from the first walk, and passed it on **again**. What a value
# collects *during* a walk and what a leaf keeps *after* it must not be the same place. Keep this in mind; the engine below
# repairs it.

# %% [markdown]
# ## 4. From numbers to arrays
#
# A network of single numbers would need millions of `Value`s. So let one node stand for a whole array. Three changes:
#
# 1. **An operation is a function on arrays with a rule for each argument.** A rule asks *by the names of its
#    parameters* for what it needs, and only that is kept alive.
# 2. **Nodes are numbered**, and a heap (a list that always hands out its smallest entry first; Python's `heapq`) hands
#    out the newest one that has a gradient waiting.
# 3. **What arrives is kept in a dictionary of the walk**, not in the nodes. Only leaves keep a gradient.

# %%
clock = itertools.count(1).__next__


class Node:
    """How one array was made: its op, the nodes of the inputs, and what the rules asked for."""

    def __init__(self, rules=(), edges=(), kept=(), shape=(), owner=None):
        self.rules, self.edges, self.kept, self.shape = rules, edges, kept, shape
        self.owner, self.number = owner, clock()


class Array:
    """An array, its gradient, and its place in the graph."""

    def __init__(self, data, requires_grad=False):
        self.data, self.grad = np.asarray(data, float), None
        self.node = Node(shape=self.data.shape, owner=self) if requires_grad else None

    def __add__(self, other):
        return add(self, other)

    def __mul__(self, other):
        return mul(self, other)

    def __matmul__(self, other):
        return matmul(self, other)


def op(forward, **rules):
    """Make an operation of a function on arrays and its rules."""
    names = list(inspect.signature(forward).parameters)

    def call(*inputs):
        inputs = [v if isinstance(v, Array) else Array(v) for v in inputs]
        known = {name: v.data for name, v in zip(names, inputs, strict=True)}
        result = Array(forward(**known))
        known["out"] = result.data
        wanted = [(rules[name], v.node) for name, v in zip(names, inputs, strict=True) if v.node]
        if wanted:
            asks = [list(inspect.signature(rule).parameters)[1:] for rule, _ in wanted]
            kept = [[known[ask] for ask in asked] for asked in asks]
            result.node = Node(
                [r for r, _ in wanted], [edge for _, edge in wanted], kept, result.data.shape
            )
        return result

    return call


add = op(lambda x, y: x + y, x=lambda g: g, y=lambda g: g)
mul = op(lambda x, y: x * y, x=lambda g, y: g * y, y=lambda g, x: g * x)
matmul = op(lambda x, y: x @ y, x=lambda g, y: g @ y.T, y=lambda g, x: x.T @ g)
tanh = op(lambda x: np.tanh(x), x=lambda g, out: g * (1 - out * out))
total = op(lambda x: x.sum(), x=lambda g, x: np.full(x.shape, g))


def walk(root, fit):
    """Carry a gradient of 1 from `root` to the leaves, newest node first."""
    arrived = {root.node: np.ones(root.data.shape)}
    waiting = [(-root.node.number, root.node)]
    while waiting:
        node = heappop(waiting)[1]
        g = arrived.pop(node)
        if node.owner is not None:  # a leaf: here gradients end
            node.owner.grad = g if node.owner.grad is None else node.owner.grad + g
        for rule, edge, kept in zip(node.rules, node.edges, node.kept, strict=True):
            gx = fit(rule(g, *kept), edge.shape)
            if edge in arrived:
                arrived[edge] = arrived[edge] + gx
            else:
                arrived[edge] = gx
                heappush(waiting, (-edge.number, edge))


# %% [markdown]
# `rule(g, *kept)`: the rule of `mul` for `x` says `lambda g, y`, so the array `y` was kept and nothing else. The rule of
# `tanh` asks for `out`, because $\tanh' = 1 - \tanh^2$ needs the result, not the input.
#
# One function is missing: `fit`. NumPy *broadcasts*: a bias of shape $(3,)$ added to a batch $(4, 3)$ is used four times,
# once in each row. Four uses, and gradients of several uses are **added**: the gradient of the bias is the sum over the
# rows. In general, whatever was repeated on the way forth is summed on the way back:
#
# - axes that the argument did not have at all (they stand in front): sum them away;
# - axes of length 1 that were stretched: sum, but keep the axis.
#
# ### Exercise 1: unbroadcast
#
# Write it. `g` has the shape of the result, and what you return has `shape`.


# %%
def by_counting(g, shape):
    """The same, one element at a time: slow, but nobody can doubt it."""
    result = np.zeros(shape)
    for index in np.ndindex(g.shape):
        place = index[len(index) - len(shape) :]
        result[tuple(0 if n == 1 else i for i, n in zip(place, shape, strict=True))] += g[index]
    return result


# %% tags=["check"]
def check_unbroadcast(unbroadcast):
    shapes = [((4, 3), (3,)), ((4, 3), (4, 1)), ((2, 4, 3), (1, 3)), ((4, 3), (4, 3)), ((4, 3), ())]
    samples = [(np.random.default_rng(0).standard_normal(long), short) for long, short in shapes]
    return check_function("unbroadcast", unbroadcast, by_counting, *samples)


# %%
def unbroadcast(g, shape):
    raise NotImplementedError


check_unbroadcast(unbroadcast)


# %% tags=["solution"]
def unbroadcast(g, shape):
    lead = g.ndim - len(shape)
    g = g.sum(tuple(range(lead)))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    return g.sum(stretched, keepdims=True)


assert check_unbroadcast(unbroadcast)

# %% [markdown]
# Now the engine is complete. A two-layer network on it, and the same on the package; the gradients must be equal.

# %%
rng = np.random.default_rng(0)
data = {"X": (4, 2), "W1": (2, 5), "b1": (5,), "W2": (5, 1), "b2": (1,)}
data = {name: rng.standard_normal(shape) for name, shape in data.items()}


def network(X, W1, b1, W2, b2, tanh, total):
    return total(tanh(tanh(X @ W1 + b1) @ W2 + b2))


mine = {name: Array(values, requires_grad=name != "X") for name, values in data.items()}
walk(network(**mine, tanh=tanh, total=total), unbroadcast)

theirs = {name: torch.tensor(values, requires_grad=name != "X") for name, values in data.items()}
network(**theirs, tanh=torch.tanh, total=torch.sum).backward()

for name in ("W1", "b1", "W2", "b2"):
    gap = np.abs(mine[name].grad - theirs[name].grad.numpy()).max()
    print(f"{name}: shape {mine[name].grad.shape}, largest difference {gap:.1e}")
    assert gap < 1e-12

# %% [markdown]
# ## 5. Break it: broadcasting
#
# Three tempting ways to write `fit` wrong. Which check finds which?

# %%
wrong_fits = {
    "leave it out": lambda g, shape: g,
    "take the first row": lambda g, shape: g[0] if g.ndim > len(shape) else g,
    "take the mean": lambda g, shape: g.mean(0) if g.ndim > len(shape) else g,
}

# %%
predict(
    "Which of the three does a look at the gradient's shape find?",
    ["leave it out", "take the first row", "take the mean", "all of them"],
    "leave it out",
    "Only the first gives the bias a gradient of shape (4, 5). The other two "
    "have the right shape and wrong numbers: "
    "no error, no warning, only a network that learns badly.",
)

# %%
for name, fit in wrong_fits.items():
    mine = {key: Array(values, requires_grad=key != "X") for key, values in data.items()}
    try:
        walk(network(**mine, tanh=tanh, total=total), fit)
        shape_ok = mine["b1"].grad.shape == (5,)
        right = shape_ok and np.allclose(mine["b1"].grad, theirs["b1"].grad.numpy())
        print(f"{name:20} shape of b1.grad {mine['b1'].grad.shape!s:8} values right: {right}")
        assert not right
    except ValueError as error:
        print(f"{name:20} an error: {error}")

# %% [markdown]
# A numerical check finds all of them. This package's check goes one step further and says *what kind* of mistake it
# looks like: it compares the wrong gradients with the patterns that known mistakes leave behind. Here is a bias whose rule
# forgets the sum:


# %%
def add_bias(x, b):
    return (x + b) * torch.arange(1.0, 4.0)  # the weights 1, 2, 3 make the columns differ


def forgot_the_sum(g, x, b):
    g = g * torch.arange(1.0, 4.0)
    return g, g[0]


X, b = torch.randn(4, 3), torch.randn(3)
verdict = check_gradient("the gradient of a bias", add_bias, (X, b), rule=forgot_the_sum)
assert not verdict and "missing sum" in verdict.text

# %% [markdown]
# ## 6. The same in this package
#
# Now open the real thing. Five files, and you know what each of them must contain:
#
# | your code | in the package | what it is |
# |---|---|---|
# | `op(...)`, the rules | `op.py` | what an operation is |
# | `call` inside `op` | `written.py` (and `call.py` for unusual calls) | what happens when it is called |
# | `asks`, `kept`, `rule(g, *kept)` | `plan.py` | what is kept, and which rules run |
# | `Node`, `walk` | `autograd/graph.py` | nodes and the walk back |
# | `Array`, leaves | `tensor.py` | the array, its gradient, its place in the graph |
#
# What is printed below is not a copy: it is the source that runs, read by `inspect`.
#
# **`op.py`** first. An operation is a function on arrays, and its rules are stated right behind it:

# %%
print(inspect.getsource(torch.mul.op.forward))
print(inspect.getsource(torch.mul.op.rules["x"]))
print("rules for:", ", ".join(torch.mul.op.rules))

# %%
print(inspect.getsource(type(torch.mul.op).grad))

# %% [markdown]
# `grad` stores the rules by the name of the argument, as your `**rules` did. All operations are in one dictionary, so
# that tests and pictures can list them:

# %%
print(len(OPS), "operations, for example:", ", ".join(sorted(OPS)[:12]), "...")

# %% [markdown]
# **`written.py`**: what happens at `a * b`. Your `call` looked at names and signatures each time, which is slow in Python.
# The package does what you would do by hand if you had the patience: it *writes out* a special function for each
# operation, at its first use. This is the one for `mul`:

# %%
torch.mul(torch.ones(1), torch.ones(1))
print(torch.mul.op.source)

# %% [markdown]
# Read it in four pieces.
#
# 1. *Anything unusual?* Keywords, plain arrays, mixed dtypes: `return otherwise(...)`, to the general call in `call.py`.
# 2. *Compute*: `out_ = run(a_x, a_y)` is the function on arrays, and `t_` the tensor around the result.
# 3. *Does anyone want a gradient?* `needs_` has a bit for each argument: 1 for `x`, 2 for `y`, 3 for both.
# 4. *Record*: the node gets its plan, its edges, what the plan picks from the arrays, and its number from the clock.
#
# Your `call` had the pieces 2, 3 and 4.
#
# **`plan.py`**: for each pattern of `needs_` there is one `Plan`, made once. It reads the parameter names of the rules:

# %%
print(inspect.getsource(plan.Plan._ask))

# %% [markdown]
# So what a node keeps depends on who wants a gradient. Look: if only `x` needs one, only `y` is kept.

# %%
p, q = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([10.0, 20.0])
print("only x needs a gradient, kept:", (p * q).grad_fn.kept)
q.requires_grad_()
print("both do, kept:                ", (p * q).grad_fn.kept)
print("a sum, kept:                  ", (p + q).grad_fn.kept)
print("tanh, kept (its result):      ", p.tanh().grad_fn.kept)

# %%
predict(
    "`y = x.exp()` for a large x that needs a gradient. Which arrays does the node of exp keep alive?",
    ["x", "y", "x and y", "none"],
    "y",
    {
        "x": "The derivative could be written as exp(x), but that would compute the exponential again.",
        "y": "The derivative of exp is exp, which is the result itself: the rule says `lambda g, out: g * out`.",
        "x and y": "One is enough, and it is the one that is there anyway.",
        "none": "Only linear operations such as a sum need nothing: their slope does not depend on the values.",
    },
)

# %%
print(inspect.getsource(next(iter(torch.exp.op.rules.values()))).strip())
assert len(torch.ones(3, requires_grad=True).exp().grad_fn.kept) == 1

# %% [markdown]
# The node runs the rules in `back`. Look for the two lines in which your `walk` called `rule(g, *kept)` and `fit`:

# %%
print(inspect.getsource(plan.OpNode.back))

# %% [markdown]
# `sum_to` is `unbroadcast`. It is called in one place, for all operations, and so no rule ever has to think about
# broadcasting. Here it is, an operation like any other (so that it can be differentiated too):

# %%
print(inspect.getsource(OPS["sum_to"].forward))

# %% [markdown]
# **`autograd/graph.py`**: the walk. Longer than yours because of hooks, of walks that end early (`targets`, `stop`) and of
# gradients that are added in place where that is safe. The skeleton is the one you wrote: `heappop`, `arrived.pop`,
# `node.back`, and the addition where gradients meet.

# %%
print(inspect.getsource(graph.walk))

# %% [markdown]
# **`tensor.py`**: where a gradient ends. This is your `if node.owner is not None`; a `Leaf` knows its tensor only by a
# *weak* reference, so that a graph never keeps a tensor alive that nobody else needs.

# %%
print(inspect.getsource(Leaf.back))

# %% [markdown]
# And the graph, drawn. Every rounded box is an `OpNode` with its rules, every box with a thick border a `Leaf`.

# %%
w = torch.tensor([0.5, -1.5], requires_grad=True)
c = torch.tensor(0.2, requires_grad=True)
inputs = torch.tensor([[2.0, 1.0], [0.5, 3.0]])
out = ((inputs * w).sum(1) + c).tanh().sum()
draw(out, names={"w": w, "c": c, "inputs": inputs})

# %% [markdown]
# ## 7. Break the real engine
#
# You have broken your own engine in three ways. Do the same to the package: take the source of a function, change one
# expression, and put the result in the place of the original, for the length of a `with` block.


# %%
def edited(function, old, new):
    """The function, with a piece of its source replaced."""
    source = textwrap.dedent(inspect.getsource(function))
    assert old in source, f"{old!r} is not in {function.__name__}"
    space = dict(vars(inspect.getmodule(function)))
    exec(source.replace(old, new), space)
    return space[function.__name__]


@contextlib.contextmanager
def broken(home, name, old, new):
    """In this block `home.name` has been edited."""
    with mock.patch.object(home, name, edited(getattr(home, name), old, new)):
        yield


def outcome(function, *inputs):
    """What the numerical check says."""
    try:
        gradcheck(function, inputs)
        return "passes"
    except Exception as error:
        return getattr(error, "cause", "") or f"{type(error).__name__}: {error}"


def tree(x):  # every value is used once
    return (x * 2.0).tanh().exp()


def diamond(x):  # u is used twice, at different depths
    u = x * 3.0
    v = u * u
    return u + v


def biased(b):  # b is used in each of four rows
    return (torch.arange(12.0, dtype=torch.float64).reshape(4, 3) / 10 + b).tanh()


point = torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64, requires_grad=True)
tests = (tree, diamond, biased)
for test in tests:
    print(f"{test.__name__:8} {outcome(test, point)}")
    assert outcome(test, point) == "passes"

# %%
predict(
    "Edit the walk so that the oldest node goes first. Which of the three tests still pass?",
    ["tree and biased", "diamond", "all of them", "none"],
    "tree and biased",
    "On a tree there is never more than one node waiting that matters, and "
    "biased is a tree as well: b has one node, and "
    "broadcasting happens inside an operation. Only where two ways meet does the order count.",
)

# %%
breaks = {
    "the order": (gradient, "walk", "(-edge.number, edge)", "(edge.number, edge)"),
    "the sum where gradients meet": (gradient, "walk", "other + gx", "gx"),
    "the sum over broadcast axes": (
        plan.OpNode,
        "back",
        "_fitted(plan.op, position, gx, edge.shape)",
        "gx[0]",
    ),
}
found = {}
for what, (home, name, old, new) in breaks.items():
    print(f"broken: {what}")
    for test in tests:
        with broken(home, name, old, new):
            result = outcome(test, point)
        found[what, test.__name__] = result
        print(f"   {test.__name__:8} {result}")

assert found["the order", "tree"] == found["the order", "biased"] == "passes"
assert found["the sum where gradients meet", "tree"] == "passes"
assert found["the sum over broadcast axes", "diamond"] == "passes"
assert found["the order", "diamond"] != "passes" != found["the sum where gradients meet", "diamond"]
assert "missing sum over the broadcast axis 0" in found["the sum over broadcast axes", "biased"]
assert outcome(diamond, point) == "passes"  # all is whole again

# %% [markdown]
# Each mistake is found by exactly one of the three tests, and the other two are blind to it. That is the point of the
# exercise: *a test only finds what its sample can show.* (When the order is wrong, the package's node `u` runs as
# soon as a part of its gradient is there, and once more for the rest.)

# %% [markdown]
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **2. Where gradients meet.** Write the step of the walk in which a gradient `g` arrives for `node`: put it into the dictionary
# `arrived`, where another one may be waiting already. One trap is hidden here. The rule of a sum hands *the same array* to both
# of its inputs, so the check does that too.


# %% tags=["check"]
def check_deliver(deliver):
    def with_deliveries(deliver):
        """What is waiting after three deliveries; the first two are one and the same array."""
        arrived, shared = {}, np.array([1.0, 1.0])
        deliver(arrived, "x", shared)
        deliver(arrived, "y", shared)
        deliver(arrived, "x", np.array([10.0, 20.0]))
        return {name: g.tolist() for name, g in arrived.items()} or None

    hints = [
        (
            {"x": [10.0, 20.0], "y": [1.0, 1.0]},
            "The second gradient of x has overwritten the first.",
        ),
        (
            {"x": [11.0, 21.0], "y": [11.0, 21.0]},
            "y has changed as well: += writes into the array, and y holds the same one. "
            "a + b makes a new array.",
        ),
    ]
    because = (
        "Now look at `summed` in the package's walk: it remembers which sums are its own, "
        "and adds in place only to these."
    )
    right = {"x": [11.0, 21.0], "y": [1.0, 1.0]}
    return check("deliver", with_deliveries(deliver), right, hints, because=because)


# %%
def deliver(arrived, node, g):
    return None


check_deliver(deliver)


# %% tags=["solution"]
def deliver(arrived, node, g):
    arrived[node] = arrived[node] + g if node in arrived else g


assert check_deliver(deliver)

# %% [markdown]
# **3. The order by numbers.** Write `newest_first(root)` for a graph of `Node`s: the list of all nodes behind (and with)
# `root`, by falling `number`. No recursion.


# %% tags=["check"]
def check_newest_first(newest_first):
    def numbers_of(function):
        """The numbers that the function lists for a diamond, counted from its first node."""
        x = Array(np.ones(2), requires_grad=True)
        u = mul(x, 3.0)
        y = add(u, mul(u, u))
        return [node.number - x.node.number for node in function(y.node) or ()] or None

    hints = [
        ([3, 2, 1, 1, 0], "A node is listed twice: remember which you have seen."),
        ([3, 1, 2, 0], "This is the order in which they are met, not that of their numbers."),
        ([3, 2, 1], "The leaf is missing: it has a node too."),
        ([0, 1, 2, 3], "That is the order forwards: oldest first."),
    ]
    because = "Your chain of 5000 steps would now be no problem."
    return check("newest first", numbers_of(newest_first), [3, 2, 1, 0], hints, because=because)


# %%
def newest_first(root):
    return None


check_newest_first(newest_first)


# %% tags=["solution"]
def newest_first(root):
    seen, stack = {root}, [root]
    while stack:
        for edge in stack.pop().edges:
            if edge not in seen:
                seen.add(edge)
                stack.append(edge)
    return sorted(seen, key=lambda node: -node.number)


assert check_newest_first(newest_first)

# %% [markdown]
# **4. The whole walk.** Put the three pieces together that you have written: `my_walk(root)` carries a gradient of ones from
# the `Array` `root` to the leaves. Go through `newest_first(root.node)`. Each node takes what has arrived for it, runs
# its rules, lets `unbroadcast` bring each result to the shape of the `edge`, and hands it on with `deliver`. A leaf (its
# `owner` is not None) keeps in `owner.grad` what arrives.


# %% tags=["check"]
def check_my_walk(my_walk):
    def gradients(walk, build):
        """What a walk leaves in x and b."""
        x, b = (
            Array(np.array([[0.3, -0.2, 0.1]] * 4), True),
            Array(np.array([0.5, 1.0, -1.0]), True),
        )
        walk(build(x, b))
        return None if x.grad is None else {"x": x.grad, "b": b.grad}

    def diamond(x, b):
        u = x * b
        return total(u + u * u)

    graphs = {"a layer": lambda x, b: total(tanh(x * 2.0 + b)), "a diamond": diamond}
    return check_function(
        "my walk",
        lambda graph: gradients(my_walk, graphs[graph]),
        lambda graph: gradients(lambda root: walk(root, unbroadcast), graphs[graph]),
        *graphs,
        because="You have written an engine.",
    )


# %%
def my_walk(root):
    return None


check_my_walk(my_walk)


# %% tags=["solution"]
def my_walk(root):
    arrived = {root.node: np.ones(root.data.shape)}
    for node in newest_first(root.node):
        g = arrived.pop(node)
        if node.owner is not None:
            node.owner.grad = g
        for rule, edge, kept in zip(node.rules, node.edges, node.kept, strict=True):
            deliver(arrived, edge, unbroadcast(rule(g, *kept), edge.shape))


assert check_my_walk(my_walk)

# %% [markdown]
# **5. A rule of your own.** The *sigmoid* $\sigma(x) = 1 / (1 + e^{-x})$ has the derivative $\sigma (1 - \sigma)$. Write its
# rule so that it asks for the result only: `sigmoid_rule(g, out)`.


# %%
def sigmoid(x):
    return 1 / (1 + (-x).exp())


# %% tags=["check"]
def check_sigmoid(sigmoid_rule):
    hints = [
        (lambda g, x: g * sigmoid(x), "One factor is missing: σ · (1 − σ)."),
        (lambda g, x: g * (1 - sigmoid(x)), "One factor is missing: σ · (1 − σ)."),
        (lambda g, x: g * (1 - sigmoid(x) ** 2), "That is the slope of tanh."),
    ]
    point = torch.randn(2, 3)
    return check_gradient(
        "sigmoid", sigmoid, [point], lambda g, x: sigmoid_rule(g, sigmoid(x)), hints
    )


# %%
def sigmoid_rule(g, out):
    return None


check_sigmoid(sigmoid_rule)


# %% tags=["solution"]
def sigmoid_rule(g, out):
    return g * out * (1 - out)


assert check_sigmoid(sigmoid_rule)

# %% [markdown]
# **6. The rule of a product of matrices.** For `y = a @ b` with shapes $(n, k)$ and $(k, m)$, return both gradients. The
# shapes leave only one way to write each of them.


# %% tags=["check"]
def check_matmul(matmul_rule):
    return check_gradient(
        "matmul", lambda a, b: a @ b, (torch.randn(2, 3), torch.randn(3, 4)), rule=matmul_rule
    )


# %%
def matmul_rule(g, a, b):
    return None


check_matmul(matmul_rule)


# %% tags=["solution"]
def matmul_rule(g, a, b):
    return g @ b.T, a.T @ g


assert check_matmul(matmul_rule)

# %% [markdown]
# **7. Count.** How many times does the package's walk run the node of `u` in `diamond`? And how many
# different ways lead from the result to `x`, if twenty diamonds are stacked on one another, and each of them offers two
# ways? (A walk that follows every way separately would be right, and would never end.)


# %% tags=["check"]
def check_runs_of_u(runs_of_u):
    runs_hints = {2: "Its two gradients are added first; then it runs once."}
    return check("runs of u", runs_of_u, 1, runs_hints, because="Once per node.")


def check_ways(ways_through_twenty_diamonds):
    ways_hints = {
        40: "At each diamond the number of ways doubles; it does not grow by two.",
        20: "Each diamond has two ways.",
    }
    return check(
        "ways",
        ways_through_twenty_diamonds,
        2**20,
        ways_hints,
        because="Over a million ways, and the walk visits each node once: that is what the order is for.",
    )


# %%
runs_of_u = None
ways_through_twenty_diamonds = None
check_runs_of_u(runs_of_u)
check_ways(ways_through_twenty_diamonds)

# %% tags=["solution"]
runs_of_u = 1
ways_through_twenty_diamonds = 2**20
assert check_runs_of_u(runs_of_u)
assert check_ways(ways_through_twenty_diamonds)


# %% tags=["solution"]
def stacked(x, depth):
    for _ in range(depth):
        x = x * 0.5 + x * 0.5
    return x


calls = []
tall = stacked(torch.ones(1, requires_grad=True), 20)
back = plan.OpNode.back
with mock.patch.object(
    plan.OpNode, "back", lambda node, g, c: calls.append(node) or back(node, g, c)
):
    tall.backward()
print(len(calls), "nodes run, for", 2**20, "ways")
assert len(calls) == 60

# %% [markdown]
# **8. Twice.** What happens when the walk is asked for a second time?

# %%
predict(
    "In PyTorch and here, `loss.backward()` twice on the same graph of multiplications gives",
    ["the same gradient", "twice the gradient", "an error"],
    "an error",
    {
        "the same gradient": "Leaves add up what arrives; nothing is overwritten.",
        "twice the gradient": "That is what retain_graph=True gives.",
        "an error": (
            "After a walk a node frees the arrays it had kept: memory is dear. The error says so, and what to write."
        ),
    },
)

# %%
s = torch.tensor([3.0], requires_grad=True)
r = s * s
r.backward()
try:
    r.backward()
except RuntimeError as error:
    print(error)

# %% [markdown]
# You have written an engine, broken it, and found it again inside a real one. Everything else in the package, layers,
# optimizers, pictures, stands on these five files. Next: what to do with a gradient once you have it
# (`06_optimizers`).
