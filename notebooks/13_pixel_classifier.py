# %% [markdown]
# # 13 · The pixel classifier
#
# After this lesson you can
#
# - train a network that tells horizontal, vertical and crossed lines apart, with a backward pass that you have written;
# - say why a `backward` that also updates the weights is a dead end, and split it in two;
# - replace the backward pass by the engine's, and show that the weights are the same ones;
# - **draw on a page and have your network answer at once**: a page of its own, which opens in any browser without a network, first
#   for lines and then for digits.
#
# You need `x @ W + b`, relu and softmax (lessons 2 and 3). Everything else is here.

# %%
import tinygrad_edu as torch
from tinygrad_edu import datasets, nn, optim, viz
from tinygrad_edu.learn import check, check_function, check_gradient, curves, predict
from tinygrad_edu.learn.widgets.drawing import draw
from tinygrad_edu.utils.data import DataLoader, TensorDataset

F = nn.functional

# %% [markdown]
# ## 1. The drawings
#
# 6 × 6 pixels, made by a formula: a horizontal line, a vertical line, or one of each. The lines have any place, some length and some
# darkness, and the paper is not quite clean.

# %%
pictures, y = datasets.pixel_lines(900, seed=0)
pictures_test, y_test = datasets.pixel_lines(300, seed=1)
CLASSES = datasets.LINES

X, X_test = pictures.flatten(1), pictures_test.flatten(1)
print(tuple(pictures.shape), "flat:", tuple(X.shape), "classes:", CLASSES)
viz.images(pictures[:16], [CLASSES[c] for c in y[:16].tolist()], columns=8)

# %% [markdown]
# Could you do it with a rule? "The darkest row against the darkest column" goes a long way. But you would have to think of it, and of
# the noise, and of short lines. The network is to find its own rule, from 900 examples.

# %% [markdown]
# ## 2. A layer that knows its own backward
#
# Most people who write a network for the first time write this class. It is short and it works. In `backward` it gets the gradient
# of its output, changes its weights, and returns the gradient of its input for the layer before.


# %%
class Layer:
    """x @ W + b, with the update inside backward."""

    def __init__(self, inputs, outputs):
        self.W = torch.randn(inputs, outputs) * (2 / inputs) ** 0.5
        self.b = torch.zeros(outputs)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, g, lr):
        dx = g @ self.W.T  # before the weights change!
        self.W -= lr * (self.x.T @ g)
        self.b -= lr * g.sum(0)
        return dx


class Relu:
    def forward(self, x):
        self.x = x
        return x.relu()

    def backward(self, g, lr):
        return g * (self.x > 0)


def forward(layers, x):
    for layer in layers:
        x = layer.forward(x)
    return x


def first_gradient(scores, labels):
    """The gradient of the mean cross-entropy: (softmax - onehot) / B."""
    return (scores.softmax(1) - F.one_hot(labels, scores.shape[1])) / len(labels)


def accuracy(scores, labels):
    return (scores.argmax(1) == labels).float().mean().item()


# %% [markdown]
# 36 pixels, 16 hidden units, 3 classes. Forward through the layers, backward through them in the opposite order:

# %%
torch.manual_seed(0)
layers = [Layer(36, 16), Relu(), Layer(16, 3)]
order = torch.Generator()


def batches(seed, size=30):
    """The numbers of the samples of each batch, in an order that depends on the seed alone."""
    return torch.randperm(len(X), generator=order.manual_seed(seed)).split(size)


for epoch in range(30):
    for chosen in batches(epoch):
        scores = forward(layers, X[chosen])
        g = first_gradient(scores, y[chosen])
        for layer in reversed(layers):
            g = layer.backward(g, lr=0.1)

learned = accuracy(forward(layers, X_test), y_test)
print(f"{learned:.1%} of {len(X_test)} new drawings are right")
assert learned > 0.9

# %% [markdown]
# It works. No library, no engine, forty lines. So what is wrong with it?
#
# ## 3. Why the update must come out
#
# Try to add **momentum**: the step follows a running mean of the gradients, $v \leftarrow 0.9\,v + g$, $W \leftarrow W - \eta v$. Where would you
# write it? `backward` has the gradient in its hands for a moment, uses it up, and throws it away. The rule for the step and the rule
# for the gradient are tied together in one line, in every layer. For Adam you would have to change every layer again. And:

# %%
predict(
    "Which of these can you do while `backward` updates the weights itself?",
    [
        "check its gradient against a numerical one",
        "limit the length of all gradients together before the step",
        "add up the gradients of two small batches to a step of one large batch",
        "none of the three",
    ],
    "none of the three",
    {
        "check its gradient against a numerical one": "The gradient is never seen, and asking for it changes the weights it belongs to.",
        "limit the length of all gradients together before the step": "When the first layer's gradient is known, the last layer has already moved.",
        "add up the gradients of two small batches to a step of one large batch": "The second batch would meet weights that the first one changed.",
        "none of the three": "Each needs the gradients as numbers that lie somewhere, before anything is changed.",
    },
)

# %% [markdown]
# See it happen: ask twice for the gradient of the same input, and get two answers.

# %%
layer = Layer(36, 3)
g = first_gradient(layer.forward(X[:8]), y[:8])
first, second = layer.backward(g, lr=0.1), layer.backward(g, lr=0.1)
print("largest difference between the two answers:", (first - second).abs().max().item())
assert not torch.allclose(first, second)

# %% [markdown]
# So `backward` only *tells* the gradient, and somebody else takes the step. This is why PyTorch has `loss.backward()` and
# `optimizer.step()`, and `zero_grad()` in between.


# %%
class Layer:
    """x @ W + b; backward leaves the gradients in dW and db."""

    def __init__(self, inputs, outputs):
        self.W = torch.randn(inputs, outputs) * (2 / inputs) ** 0.5
        self.b = torch.zeros(outputs)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, g):
        self.dW = self.x.T @ g
        self.db = g.sum(0)
        return g @ self.W.T  # the order of these lines does not matter any more


class Relu:
    def forward(self, x):
        self.x = x
        return x.relu()

    def backward(self, g):
        return g * (self.x > 0)


class Momentum:
    """One rule for all parameters, and no layer knows of it."""

    def __init__(self, lr, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, {}

    def step(self, pairs):
        for i, (p, gradient) in enumerate(pairs):
            self.v[i] = self.momentum * self.v.get(i, 0.0) + gradient
            p -= self.lr * self.v[i]


def train_by_hand(momentum, epochs=30):
    torch.manual_seed(0)
    layers, losses = [Layer(36, 16), Relu(), Layer(16, 3)], []
    first, last = layers[0], layers[2]
    optimizer = Momentum(lr=0.1, momentum=momentum)
    for epoch in range(epochs):
        for chosen in batches(epoch):
            scores = forward(layers, X[chosen])
            g = first_gradient(scores, y[chosen])
            for layer in reversed(layers):
                g = layer.backward(g)
            optimizer.step(
                [(first.W, first.dW), (first.b, first.db), (last.W, last.dW), (last.b, last.db)]
            )
        losses.append(F.cross_entropy(forward(layers, X), y).item())
    return layers, losses


without, losses_without = train_by_hand(momentum=0.0)
by_hand, losses = train_by_hand(momentum=0.9)
reached = [accuracy(forward(layers_, X_test), y_test) for layers_ in (without, by_hand)]
print(f"without momentum {reached[0]:.1%}, with it {reached[1]:.1%}")
assert torch.allclose(without[0].W, layers[0].W, atol=1e-5)  # as the class with the update inside
assert reached[1] >= 0.97

# %%
both = {"without momentum": losses_without, "with momentum": losses}
curves(torch.arange(30), {"loss": both}, "epoch", logarithmic=True, size=(5, 3))

# %% [markdown]
# Now the gradient can be checked too. `check_gradient` compares it with a numerical one: nudge each number, see how the loss moves.

# %%
torch.manual_seed(1)
layer = Layer(4, 3)
x, W, b = torch.randn(5, 4), layer.W, layer.b


def back(g, x, W, b):
    layer.x, layer.W = x, W
    dx = layer.backward(g)
    return dx, layer.dW, layer.db


assert check_gradient("Layer.backward", lambda x, W, b: x @ W + b, [x, W, b], back)

# %% [markdown]
# ## 4. And now with the engine
#
# What is left to write if the engine does the way back? The layers need no `backward` at all. The rest you know by PyTorch's names:

# %%
model = nn.Sequential(nn.Linear(36, 16), nn.ReLU(), nn.Linear(16, 3))
with torch.no_grad():  # begin with the weights that our own layers began with
    torch.manual_seed(0)
    for linear in (model[0], model[2]):
        linear.weight.copy_(Layer(linear.in_features, linear.out_features).W.T)
        linear.bias.zero_()

optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in range(30):
    for chosen in batches(epoch):
        optimizer.zero_grad()
        F.cross_entropy(model(X[chosen]), y[chosen]).backward()
        optimizer.step()

difference = max((model[i].weight.T - by_hand[i].W).abs().max().item() for i in (0, 2))
print(
    f"{accuracy(model(X_test), y_test):.1%} right;",
    f"largest difference to the weights by hand: {difference:.1e}",
)
assert difference < 1e-3

# %% [markdown]
# The same weights, up to the rounding of `float32`. (Lesson 9 does this in double precision, to a millionth of a millionth.)
#
# ## 5. What has it found?
#
# Each hidden unit has 36 weights, one for each pixel, so they can be drawn as a picture: blue where ink speaks *for* the unit, red where
# it speaks against it.

# %%
viz.weights(model[0], (6, 6))

# %% [markdown]
# Many units have stripes: rows or columns with one colour. Nobody told the network about rows and columns. It was told 36 numbers in a
# line, and that rows matter was in the data.

# %% [markdown]
# ## 6. Draw!
#
# Now your own drawing. The page below has the weights in it and four small functions in JavaScript: product, relu, another product,
# softmax. Click into the paper to set cells, drag to draw a line, click a cell again to clear it. With the keyboard: arrow keys and the
# space bar.

# %%
shown = nn.Sequential(nn.Flatten(), *model)
page = draw(shown, pictures_test[:12, None], y_test[:12], CLASSES, title="lines of 6 by 6 pixels")
page

# %% [markdown]
# It is one file. `page.save("lines.html")` writes it, and you can send it to somebody who has no Python.
#
# Three things to try:
#
# - Draw a **diagonal**. There is no such class, and the network cannot say "none of these": softmax spreads 100% over the three that
#   it knows. It may even be quite sure.
# - Leave the paper **empty**. What it says then comes from the biases and from chance.
# - Draw a horizontal line **two cells thick**. There were none in the examples. What is outside the data is a matter of luck.

# %%
diagonal = torch.eye(6).reshape(1, 36)
with torch.no_grad():
    shares = model(diagonal).softmax(1)[0]
print(
    "a diagonal:",
    {name: f"{share:.1%}" for name, share in zip(CLASSES, shares.tolist(), strict=True)},
)
assert abs(shares.sum().item() - 1) < 1e-5

# %% [markdown]
# ## 7. The same for digits
#
# A larger paper: MNIST's digits, 28 × 28, and a network 784-48-10, three epochs with Adam. (If MNIST cannot be had here, it is trained on the
# package's small digits of 8 × 8.) Nothing else is different.

# %%
try:
    train_set, test_set = (datasets.MNIST(train=train, download=True) for train in (True, False))
    EPOCHS = 3
except RuntimeError:
    train_set, test_set = (datasets.Digits(train=train) for train in (True, False))
    EPOCHS = 30
    print("MNIST cannot be had here: we go on with the small digits.")

X, y = train_set.data.float()[:, None] / 255, train_set.targets
X_test, y_test = test_set.data.float()[:, None] / 255, test_set.targets
side = X.shape[-1]

torch.manual_seed(0)
reader = nn.Sequential(nn.Flatten(), nn.Linear(side * side, 48), nn.ReLU(), nn.Linear(48, 10))
optimizer = optim.Adam(reader.parameters(), lr=0.002)
for _ in range(EPOCHS):
    for xb, yb in DataLoader(TensorDataset(X, y), batch_size=64, shuffle=True):
        optimizer.zero_grad()
        F.cross_entropy(reader(xb), yb).backward()
        optimizer.step()

print(f"{accuracy(reader(X_test), y_test):.1%} of {len(X_test):,} digits are right")
assert accuracy(reader(X_test), y_test) > 0.93

# %%
draw(reader, X_test[:6], y_test[:6], [str(digit) for digit in range(10)], title="digits")

# %% [markdown]
# The small picture beside it is what the network gets. Your drawing is brought to the size and the place that MNIST's digits have: 20 pixels
# high, the middle of the ink in the middle of the picture. Without that the network would be helpless, because it has never seen a digit
# in a corner: for a network of this kind a digit three pixels further left is *another* picture. Networks that do not mind are the
# subject of lesson 17.
#
# Try a 7 with and without a bar, a 1 with a foot, a 4 that is closed at the top. Which ones does it know?
#
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1. Count.** How many numbers does the network 36-16-3 learn?


# %% tags=["check"]
def check_numbers(count):
    hints = {
        624: "Those are the weights; each unit has a bias too.",
        612: "The weights are 36 · 16 and 16 · 3.",
    }
    return check("numbers", count, 643, hints)


# %%
count = None
check_numbers(count)

# %% tags=["solution"]
count = 36 * 16 + 16 + 16 * 3 + 3
assert check_numbers(count)

# %% [markdown]
# **2. The order of two lines.** In the first `Layer`, somebody moves `dx = g @ self.W.T` below the update. Every shape fits and the training
# still works somehow. Write what `dx` then is, as a function of `g`, `x`, `W` and `lr`.


# %% tags=["check"]
def check_dx_too_late(dx_too_late):
    def run_late(g, x, W, lr):
        """The moved line, run"""
        layer = Layer(4, 3)
        layer.W = W.clone()
        layer.forward(x)
        layer.backward(g)
        layer.W -= lr * layer.dW
        return layer.backward(g)

    torch.manual_seed(2)
    sample = torch.randn(5, 3), torch.randn(5, 4), torch.randn(4, 3), 0.1
    hints = [
        (
            lambda g, x, W, lr: g @ W.T,
            "That is the right dx. After the update, W is another one.",
        )
    ]
    because = "The error grows with lr, so with a small rate nobody notices."
    return check_function(
        "dx too late", dx_too_late, run_late, sample, atol=1e-5, hints=hints, because=because
    )


# %%
def dx_too_late(g, x, W, lr):
    return None


check_dx_too_late(dx_too_late)


# %% tags=["solution"]
def dx_too_late(g, x, W, lr):
    return g @ W.T - lr * (g @ g.T) @ x


assert check_dx_too_late(dx_too_late)

# %% [markdown]
# **3. Leaky relu.** It lets a hundredth of negative numbers through: $f(x) = x$ for $x > 0$, else $0.01\,x$. Write its rule: `rule(g, x)`.


# %%
def leaky(x):
    return torch.where(x > 0, x, 0.01 * x)


# %% tags=["check"]
def check_leaky_relu(rule):
    torch.manual_seed(3)
    return check_gradient("leaky relu", leaky, [torch.randn(8)], rule)


# %%
def rule(g, x):
    return None


check_leaky_relu(rule)


# %% tags=["solution"]
def rule(g, x):
    return torch.where(x > 0, g, 0.01 * g)


assert check_leaky_relu(rule)

# %% [markdown]
# **4. Two half batches.** With the second `Layer`, you want the gradient of a batch of 30 from two batches of 15 (`first_gradient` divides by
# the batch's length). By which number must the *sum* of the two gradients be multiplied?


# %% tags=["check"]
def check_number(number):
    hints = {
        2: "Each half has been divided by 15 only, so it is too large already.",
        1: "Then the step would be twice as large as that of one batch of 30.",
    }
    return check(
        "number", number, 0.5, hints, because="The mean of two means is half of their sum."
    )


# %%
number = None
check_number(number)

# %% tags=["solution"]
number = 15 / 30
assert check_number(number)

# %% [markdown]
# Next: a network that answers with a number and not with a class (`14_regression`).
