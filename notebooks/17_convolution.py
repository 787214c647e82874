# %% [markdown]
# # 17 · Convolution from scratch, and a LeNet
#
# After this lesson you can
#
# - say what a convolution computes at one place, and write it twice: with loops, and as one matrix product;
# - tell the size of its result, and count its weights, for any kernel, stride and padding;
# - write its gradients, and max pooling's, by hand, and have them confirmed by the engine;
# - build and train a LeNet that reads at least 99 of 100 handwritten digits which it has never seen;
# - say why it needs fewer weights than a dense network, and what happens to both when a digit moves.
#
# You need what a layer is (`x @ W + b`), what `backward()` does, and cross-entropy. Everything else is here.

# %%
import tinygrad_edu as torch
import tinygrad_edu.nn.functional as F
from tinygrad_edu import datasets, nn, optim, viz
from tinygrad_edu.learn import check, check_function, check_gradient, curves, predict
from tinygrad_edu.learn.widgets.sliding_kernel import sliding_kernel

_ = torch.manual_seed(17)

# %% [markdown]
# ## 1. Pictures
#
# MNIST: handwritten digits of 28 × 28 grey pixels. If the files are not on this computer they are downloaded (11 MB). If that
# cannot be done, the lesson goes on with the 1,797 small digits inside the package, each 8 × 8 pixel drawn 3 × 3 times as
# large and given a margin, so that everything below fits them too.


# %%
def enlarged(pixels):
    large = pixels.repeat_interleave(3, 1).repeat_interleave(3, 2)
    return F.pad(large, (2, 2, 2, 2))


try:
    train_set, test_set = (datasets.MNIST(train=train, download=True) for train in (True, False))
    REAL = True
    pixels, pixels_test = train_set.data.float() / 255, test_set.data.float() / 255
except RuntimeError:
    train_set, test_set = (datasets.Digits(train=train) for train in (True, False))
    REAL = False
    pixels, pixels_test = (enlarged(s.data.float() / s.data.max()) for s in (train_set, test_set))
    print(
        "MNIST cannot be had here: we go on with the small digits,",
        "and skip what is said about MNIST's figures.",
    )

y, y_test = train_set.targets, test_set.targets
print("pictures to learn from", tuple(pixels.shape), " to test", tuple(pixels_test.shape))
viz.images(pixels_test[:16], [str(label) for label in y_test[:16].tolist()])

# %% [markdown]
# A dense layer would lay such a picture flat, as a row of 784 numbers, and learn one weight for each of them. It does not
# know that pixel 0 and pixel 1 are neighbours and that pixel 0 and pixel 783 are not: shuffle all pixels, in the same way for
# every picture, and it learns just as well. A convolution is a layer that does know.
#
# ## 2. One number at one place
#
# Take a small square of weights, a **kernel**. Lay it on the picture somewhere. Multiply each weight by the pixel under it,
# and add up. That is one number: how well the picture *here* agrees with the kernel.

# %%
picture = pixels_test[0]
edge = torch.tensor([[-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]])

i, j = 13, 15
patch = picture[i : i + 3, j : j + 3]
print("the pixels\n", patch)
print("times the kernel, summed:", (patch * edge).sum().item())

# %% [markdown]
# This kernel subtracts the left column from the right one. On an even ground that gives 0. Where it is light on the left and
# dark on the right it gives a large number: it looks for vertical edges.
#
# Now slide it. At each place there is one number, and these numbers are again a picture:
#
# $$\text{result}_{ij} = \sum_{a=0}^{K-1} \sum_{b=0}^{K-1} \text{kernel}_{ab}\;\text{picture}_{i+a,\;j+b}.$$


# %%
def slide(picture, kernel):
    K = kernel.shape[0]
    H, W = picture.shape
    result = torch.zeros(H - K + 1, W - K + 1)
    for i in range(H - K + 1):
        for j in range(W - K + 1):
            result[i, j] = (picture[i : i + K, j : j + K] * kernel).sum()
    return result


KERNELS = {
    "vertical edge": edge,
    "horizontal edge": edge.T,
    "corner": torch.tensor([[-1.0, -1.0, -1.0], [-1.0, 2.0, 2.0], [-1.0, 2.0, -1.0]]),
    "blur": torch.full((3, 3), 1 / 9),
    "sharpen": torch.tensor([[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]]),
    "one step to the left": torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]),
}
results = [slide(picture, kernel) for kernel in KERNELS.values()]
viz.images(torch.stack(results), list(KERNELS), columns=6)

# %% [markdown]
# Six kernels, six ways to see one digit. Dark is a large number. The kernels that look for something have answers of both
# signs: for the vertical edge, the left rim of a stroke is dark and the right rim is light.
#
# Try it. The picture is the same digit, half as large. Follow one place first: the nine products stand below. Then change
# single weights of the kernel, the stride and the padding, and guess the size of the result before you look.

# %%
small = F.avg_pool2d(picture[None, None], 2)[0, 0]
sliding_kernel(small, KERNELS)

# %%
predict(
    "The digit moves 3 pixels to the right. What does the result of `slide` do?",
    [
        "It stays as it is",
        "It moves 3 pixels to the right",
        "It becomes another pattern altogether",
    ],
    "It moves 3 pixels to the right",
    {
        "It stays as it is": "The numbers stay, their places do not: they are computed from the pixels below the kernel.",
        "It moves 3 pixels to the right": "The same weights are used at every place, so the same pixels give the same "
        "number, wherever they are. This is called translation equivariance.",
        "It becomes another pattern altogether": "That is what the hidden layer of a dense network does.",
    },
)

# %%
moved = picture.roll(3, 1)  # the margin of the picture is empty, so nothing is lost
difference = (slide(moved, edge)[:, 3:] - slide(picture, edge)[:, :-3]).abs().max().item()
print("the same numbers, 3 pixels further right; largest difference:", difference)
assert difference < 1e-6

# %% [markdown]
# (Mathematicians turn the kernel by 180° before they slide it, call *that* convolution, and call ours cross-correlation. As
# the weights are learned, it makes no difference, and in machine learning everybody says convolution.)
#
# ## 3. Size: padding and stride
#
# A 3 × 3 kernel fits on a row of 28 pixels at 26 places. **Padding** puts $P$ zeros around the picture, so that the result
# can stay as large as the picture. **Stride** $S$ goes $S$ pixels at a time, and makes the result smaller:
#
# $$\text{places} = \left\lfloor \frac{N + 2P - K}{S} \right\rfloor + 1.$$


# %%
def places(N, K, stride=1, padding=0):
    return (N + 2 * padding - K) // stride + 1


for K, S, P in [(3, 1, 0), (3, 1, 1), (5, 1, 2), (5, 2, 2), (2, 2, 0)]:
    out = F.conv2d(torch.zeros(1, 1, 28, 28), torch.zeros(1, 1, K, K), stride=S, padding=P)
    assert out.shape[-1] == places(28, K, S, P)
    print(f"kernel {K}, stride {S}, padding {P}: 28 becomes {out.shape[-1]}")

# %% [markdown]
# `padding = (K - 1) / 2` keeps the size, for odd kernels; `stride=2` halves it.
#
# ## 4. Channels
#
# A colour picture has three numbers at each place, and a layer in the middle of a network has as many as it pleases: its
# **channels**. So a kernel is a block, $C \times K \times K$: it looks through all channels at once and still gives one number.
# And a layer has $O$ such kernels, each with a bias, which make the $O$ channels of the result:
#
# | | shape |
# |---|---|
# | pictures `x` | (B, C, H, W): batch, channels, rows, columns |
# | weights `w` | (O, C, K, K) |
# | bias `b` | (O,) |
# | result | (B, O, H', W') |
#
# All of it in loops, with nothing clever:


# %%
def conv_loops(x, w, b):
    B, C, H, W = x.shape
    outs, _, K, _ = w.shape
    result = torch.zeros(B, outs, H - K + 1, W - K + 1)
    for n in range(B):
        for o in range(outs):
            for i in range(H - K + 1):
                for j in range(W - K + 1):
                    result[n, o, i, j] = (x[n, :, i : i + K, j : j + K] * w[o]).sum() + b[o]
    return result


x = torch.randn(2, 3, 6, 7)
w, b = torch.randn(4, 3, 3, 3), torch.randn(4)
out = conv_loops(x, w, b)
print(tuple(x.shape), "->", tuple(out.shape))
assert torch.allclose(out, F.conv2d(x, w, b), atol=1e-5)

# %% [markdown]
# Right, and hopelessly slow: one line of Python for each number of the result.
#
# ## 5. One matrix product
#
# Turn it inside out. Do not walk over the places; walk over the $K \times K$ weights of a kernel. Weight $(a, b)$ meets, as
# the kernel slides, the whole picture shifted by $(a, b)$. So cut out the $K^2$ shifted pictures, nine slices for a 3 × 3
# kernel, and stack them. Now each *column* of the stack is one patch, laid flat, and the convolution is a matrix product with
# the kernels laid flat:
#
# $$\underbrace{(B,\; O,\; H'W')}_{\text{result}} = \underbrace{(O,\; C K^2)}_{\text{kernels}} \;@\; \underbrace{(B,\; C K^2,\; H'W')}_{\text{patches}}.$$


# %%
def patches(x, K):
    """All K × K patches, laid flat: (B, C, H, W) -> (B, C K K, H' W')"""
    B, C, H, W = x.shape
    h, v = H - K + 1, W - K + 1
    shifted = [x[:, :, a : a + h, b : b + v] for a in range(K) for b in range(K)]
    return torch.stack(shifted, 2).reshape(B, C * K * K, h * v)


def conv(x, w, b):
    outs, _, K, _ = w.shape
    h, v = x.shape[2] - K + 1, x.shape[3] - K + 1
    flat = w.reshape(outs, -1) @ patches(x, K) + b[:, None]
    return flat.reshape(-1, outs, h, v)


assert torch.allclose(conv(x, w, b), out, atol=1e-5)
assert torch.allclose(patches(x, 3), F.unfold(x, 3))  # the package has it under this name
print("patches", tuple(patches(x, 3).shape), " kernels", tuple(w.reshape(4, -1).shape))

# %% [markdown]
# Nine slices and one product, and the loops are gone. Most libraries do it in this way, or in a way that began like this.
#
# ## 6. Backward, by hand
#
# The forward was $\text{out} = W P + b$ with $P$ the patches: a linear layer. So its gradients are a linear layer's. With $G$
# the gradient of the result, laid flat as (B, O, H'W'):
#
# $$\frac{\partial L}{\partial W} = \sum_{\text{batch}} G\,P^{\mathsf T}, \qquad
# \frac{\partial L}{\partial b} = \sum_{\text{batch, places}} G, \qquad
# \frac{\partial L}{\partial P} = W^{\mathsf T} G.$$
#
# One step is left, from the patches back to the picture. A pixel was copied into up to nine patches. What is copied on the
# way forward is **added up** on the way back: each of the nine slices is added where it was cut out.


# %%
def conv_backward(g, x, w, b):
    """The gradients of x, w, b, from the gradient g of the result (B, O, H', W')"""
    B, C, H, W = x.shape
    outs, _, K, _ = w.shape
    _, _, h, v = g.shape
    G = g.reshape(B, outs, h * v)
    gw = (G @ patches(x, K).mT).sum(0).reshape(outs, C, K, K)
    gb = G.sum((0, 2))
    gP = (w.reshape(outs, -1).T @ G).reshape(B, C, K, K, h, v)
    gx = torch.zeros(B, C, H, W, dtype=x.dtype)
    for a in range(K):
        for c in range(K):
            gx[:, :, a : a + h, c : c + v] += gP[:, :, a, c]
    return gx, gw, gb


assert check_gradient("convolution by hand", conv, (x, w, b), rule=conv_backward)

# %% [markdown]
# The check compared with numerical gradients. The engine's own must be the same, too:

# %%
leaves = [t.clone().requires_grad_() for t in (x, w, b)]
g = torch.randn(2, 4, 4, 5)
F.conv2d(*leaves).backward(g)
for name, leaf, mine in zip("xwb", leaves, conv_backward(g, x, w, b), strict=True):
    print(f"gradient of {name}: largest difference {(leaf.grad - mine).abs().max().item():.1e}")
    assert torch.allclose(leaf.grad, mine, atol=1e-4)

# %% [markdown]
# ## 7. Max pooling
#
# Having looked for something everywhere, one rarely wants to know to the pixel where it was. Pooling keeps the largest number
# of each 2 × 2 square: the picture becomes half as high and wide, and a shift by one pixel often changes nothing.


# %%
def max_pool(x):
    B, C, H, W = x.shape
    squares = x.reshape(B, C, H // 2, 2, W // 2, 2)
    return squares.amax((3, 5))


x = torch.randn(1, 1, 4, 6)
print(x[0, 0])
print(max_pool(x)[0, 0])
assert torch.equal(max_pool(x), F.max_pool2d(x, 2))

# %% [markdown]
# Backward: only the largest number of a square had a say, so it alone gets the gradient.

# %%
x.requires_grad_()
F.max_pool2d(x, 2).sum().backward()
print(x.grad[0, 0])

# %% [markdown]
# ## 8. LeNet
#
# Convolution, relu, pool; once more; then dense layers. In 1998 networks of this shape, LeNet-5, read cheques for banks. Each
# round halves the picture and has more channels: *where* is traded for *what*.

# %%
torch.manual_seed(0)
net = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2),  # (B, 6, 28, 28)
    nn.ReLU(),
    nn.MaxPool2d(2),  # (B, 6, 14, 14)
    nn.Conv2d(6, 16, 5),  # (B, 16, 10, 10)
    nn.ReLU(),
    nn.MaxPool2d(2),  # (B, 16, 5, 5)
    nn.Flatten(),  # (B, 400)
    nn.Linear(400, 120),
    nn.ReLU(),
    nn.Linear(120, 84),
    nn.ReLU(),
    nn.Linear(84, 10),
)
print(viz.summary(net, (1, 1, 28, 28)))

# %% [markdown]
# Look at the column of parameters. Both convolutions together have fewer than 2,600, and they do most of the multiplications:
# each weight is used at every place. A dense layer from 784 pixels to the 6 × 28 × 28 numbers of the first result would have
# 3.7 million weights, where the convolution has 156.

# %%
parameters = sum(p.numel() for p in net.parameters())
assert parameters == 61_706
assert sum(p.numel() for p in net[0].parameters()) == 6 * 1 * 5 * 5 + 6 == 156
dense_instead = 784 * (6 * 28 * 28)
print(
    f"LeNet {parameters:,} parameters; its first layer 156;",
    f"a dense first layer of that size {dense_instead:,}",
)

# %% [markdown]
# ## 9. Training
#
# The pixels are brought to mean 0 and deviation 1, by the training pictures' mean and deviation. The loop is the usual one.
# Two things help to reach 99%:
#
# - **a schedule**: `OneCycleLR` raises the learning rate for the first third and lowers it to almost nothing by the end. The
#   large steps find a good region; the small ones settle in it;
# - `torch.compile(step)`: the step is watched as it runs and, from the fourth time on, replayed as one flat list of array
#   operations. Same numbers, less time.

# %%
mean, std = pixels.mean(), pixels.std()
X, X_test = (((p - mean) / std)[:, None] for p in (pixels, pixels_test))
EPOCHS, BATCH = (6, 64) if REAL else (30, 32)

batches = len(X) // BATCH
optimizer = optim.Adam(net.parameters(), lr=3e-3)
schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=EPOCHS * batches)
print(f"{EPOCHS} epochs of {batches} batches of {BATCH}")


@torch.compile
def step(x, y):
    loss = F.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


@torch.no_grad()
def scores(model, x, size=500):
    return torch.cat([model(part) for part in x.split(size)])


def accuracy(model, x, y):
    return (scores(model, x).argmax(1) == y).float().mean().item()


# %%
history = viz.History()
for epoch in range(1, EPOCHS + 1):
    order, losses = torch.randperm(len(X)), []
    for k in range(0, batches * BATCH, BATCH):
        chosen = order[k : k + BATCH]
        losses.append(step(X[chosen], y[chosen]))
        schedule.step()
    test_accuracy = accuracy(net, X_test, y_test)
    history.log(epoch, loss=torch.stack(losses).mean(), accuracy=test_accuracy)
    if REAL or epoch % 5 == 0:
        print(
            f"epoch {epoch}: loss {history['loss'][-1]:.4f},",
            f"right on the test set {100 * test_accuracy:.2f}%",
        )
assert test_accuracy >= (0.99 if REAL else 0.95)
history

# %% [markdown]
# More than 99 of 100, where a dense network with one hidden layer stays near 98. It sounds like little. It is half of the
# errors gone, with fewer weights.
#
# ## 10. What it has learned
#
# Nobody told it to look for edges. Here are its six kernels of the first layer, blue for positive weights and red for
# negative ones ...

# %%
viz.weights(net[0], columns=6)

# %% [markdown]
# ... and what they make of one digit: after the first relu, and after the second, smaller and less like the digit.

# %%
with torch.no_grad():
    first = net[1](net[0](X_test[:1]))
    second = net[4](net[3](net[2](first)))
viz.images(first[0], [f"channel {k}" for k in range(6)], columns=6)

# %%
viz.images(second[0], [str(k) for k in range(16)], columns=8)

# %% [markdown]
# And what it gets wrong: each with what it was taken for, then what it is.

# %%
guesses = scores(net, X_test).argmax(1)
wrong = (guesses != y_test).nonzero().flatten()[:16]
titles = [f"{guesses[k].item()}, is {y_test[k].item()}" for k in wrong]
viz.images(pixels_test[wrong], titles)

# %% [markdown]
# With some of these you may side with the network.
#
# ## 11. When the digit moves
#
# Predict first: both networks below have learned from digits in the middle of the picture. Now the test digits are moved to
# the right, pixel by pixel. Which one suffers more, and is the other one unimpressed?

# %%
torch.manual_seed(1)
dense = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
dense_optimizer = optim.Adam(dense.parameters(), lr=1e-3)


@torch.compile
def dense_step(x, y):
    loss = F.cross_entropy(dense(x), y)
    dense_optimizer.zero_grad()
    loss.backward()
    dense_optimizer.step()
    return loss.detach()


for _ in range(3 if REAL else 20):
    for chosen in torch.randperm(len(X)).split(BATCH):
        dense_step(X[chosen], y[chosen])

shifts = list(range(7))
kept = {
    name: [100 * accuracy(model, X_test.roll(shift, 3), y_test) for shift in shifts]
    for name, model in (("LeNet", net), ("dense", dense))
}
curves(shifts, {"right, in percent": kept}, "pixels to the right", points=True, size=(4.6, 3.2))

# %%
assert kept["LeNet"][3] > kept["dense"][3] + 10
print("  ".join(f"{name} {numbers[3]:.0f}% at 3 pixels" for name, numbers in kept.items()))

# %% [markdown]
# The convolutions follow the digit wherever it goes, and pooling forgives a pixel or two. But LeNet is not unimpressed: its
# dense layers at the end do know places. Who wants more shows it moved digits while it learns: that is data augmentation.
#
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1.** A convolution takes 32 × 32 colour pictures (3 channels), has 16 kernels of 5 × 5, stride 2, padding 2. How many
# parameters has it, and what is the shape of the result for a batch of 8?


# %% tags=["check"]
def check_a_convolution_size(answer):
    layer = nn.Conv2d(3, 16, 5, stride=2, padding=2)
    expected = {
        "parameters": sum(p.numel() for p in layer.parameters()),
        "shape": tuple(layer(torch.zeros(8, 3, 32, 32)).shape),
    }
    hints = [
        (
            {**expected, "parameters": 1200},
            "The shape is right; each of the 16 kernels also has a bias.",
        ),
        (
            {**expected, "parameters": 416},
            "The shape is right; a kernel looks through all 3 channels: 3 · 5 · 5 weights.",
        ),
    ]
    return check(
        "a convolution's size", None if None in answer.values() else answer, expected, hints
    )


# %%
answer = {"parameters": None, "shape": None}
check_a_convolution_size(answer)

# %% tags=["solution"]
answer = {"parameters": 16 * (3 * 5 * 5) + 16, "shape": (8, 16, 16, 16)}
assert check_a_convolution_size(answer)

# %% [markdown]
# **2.** Find a 3 × 3 kernel that gives 0 on every even ground and on every picture that grows evenly in one direction
# (1, 2, 3, ...), but not on a single bright dot. It should have 1s at the four sides.


# %% tags=["check"]
def check_a_kernel_for_dots(kernel):
    def answers_of(kernel):
        """What a kernel says to an even ground, to two even slopes, and to a dot"""
        slope = torch.arange(5.0).expand(5, 5)
        dot = torch.zeros(5, 5)
        dot[2, 2] = 1
        return torch.stack(
            [slide(ground, kernel)[1, 1] for ground in (torch.ones(5, 5), slope, slope.T, dot)]
        )

    wanted = torch.tensor([0.0, 0.0, 0.0, -4.0])
    return check(
        "a kernel for dots",
        None if kernel is None else answers_of(kernel),
        wanted,
        because="It is the Laplacian: the neighbours minus four times the middle.",
    )


# %%
kernel = None
check_a_kernel_for_dots(kernel)

# %% tags=["solution"]
kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])
assert check_a_kernel_for_dots(kernel)

# %% [markdown]
# **3.** Write `average_pool(x)`: as `max_pool`, with the mean of each 2 × 2 square, but *as a convolution*: one call of
# `F.conv2d` with `stride=2`, for a tensor with one channel.


# %% tags=["check"]
def check_average_pooling(average_pool):
    samples = [torch.randn(2, 1, 6, 8), torch.randn(1, 1, 2, 2)]
    hints = [(max_pool, "This is the largest of each square; the average is wanted.")]
    return check_function(
        "average pooling", average_pool, lambda x: F.avg_pool2d(x, 2), *samples, hints=hints
    )


# %%
def average_pool(x):
    return None


check_average_pooling(average_pool)


# %% tags=["solution"]
def average_pool(x):
    return F.conv2d(x, torch.full((1, 1, 2, 2), 0.25), stride=2)


assert check_average_pooling(average_pool)

# %% [markdown]
# **4.** The gradient of the picture is itself a convolution: pad `g` with `K - 1` zeros on each side, turn each kernel by 180°
# (`flip`), let channels in and out change places (`transpose`), and slide. Write this rule for `x`, without loops.


# %%
def gradient_of_w(g, x, w):
    return conv_backward(g, x, w, None)[1]


x, w = torch.randn(2, 3, 5, 5), torch.randn(4, 3, 3, 3)


# %% tags=["check"]
def check_the_picture_gradient(rule):
    return check_gradient(
        "the picture's gradient",
        lambda x, w: conv(x, w, torch.zeros(4, dtype=x.dtype)),
        (x, w),
        rule=rule,
    )


# %%
def rule(g, x, w):
    return None  # (the gradient of x, the gradient of w)


check_the_picture_gradient(rule)


# %% tags=["solution"]
def rule(g, x, w):
    K = w.shape[-1]
    gx = F.conv2d(g, w.flip((2, 3)).transpose(0, 1), padding=K - 1)
    return gx, gradient_of_w(g, x, w)


assert check_the_picture_gradient(rule)

# %% [markdown]
# **5.** A convolution with a 1 × 1 kernel looks at no neighbours at all. Then what is it? Write `pixelwise(x, w, b)` with
# `F.linear`, equal to `F.conv2d(x, w, b)` for `w` of shape (O, C, 1, 1). (`movedim` puts the channels last, where `linear`
# wants them.)


# %% tags=["check"]
def check_1_1(pixelwise):
    sample = (torch.randn(2, 3, 4, 5), torch.randn(6, 3, 1, 1), torch.randn(6))
    return check_function(
        "1 × 1",
        pixelwise,
        F.conv2d,
        sample,
        atol=1e-5,
        because="The same dense layer at each place.",
    )


# %%
def pixelwise(x, w, b):
    return None


check_1_1(pixelwise)


# %% tags=["solution"]
def pixelwise(x, w, b):
    return F.linear(x.movedim(1, -1), w[:, :, 0, 0], b).movedim(-1, 1)


assert check_1_1(pixelwise)

# %% [markdown]
# **6.** How many pixels of the picture can one number after the second pooling see? Count along one side: go back through
# pool (2, stride 2), convolution (5), pool (2, stride 2), convolution (5).


# %% tags=["check"]
def check_the_field_of_view(side):
    x = torch.zeros(1, 1, 28, 28)
    x.requires_grad_()
    torch.manual_seed(0)
    # averages, so that no pixel is lost to another
    body = nn.Sequential(
        nn.Conv2d(1, 1, 5, padding=2), nn.AvgPool2d(2), nn.Conv2d(1, 1, 5), nn.AvgPool2d(2)
    )
    body(x)[0, 0, 2, 2].backward()
    seen = int((x.grad[0, 0].abs().sum(0) > 0).sum().item())
    hints = {
        10: "The second convolution's 5 numbers have been pooled twice over: each stands for more than one pixel.",
        12: "Nearly: the first convolution adds 4 more.",
    }
    return check(
        "the field of view",
        side,
        seen,
        hints,
        because="2 → 6 → 12 → 16: the engine's gradient reaches 16 columns.",
    )


# %%
side = None
check_the_field_of_view(side)

# %% tags=["solution"]
side = (2 + 4) * 2 + 4
assert check_the_field_of_view(side)
