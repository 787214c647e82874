# %% [markdown]
# # 3 · Loss by hand
#
# After this lesson you can
#
# - turn "how wrong is the network?" into one number that can be made smaller;
# - compute softmax and its logarithm without overflow, and say where the naive form breaks;
# - write cross-entropy, mean squared error and binary cross-entropy, and their gradients, and check these;
# - explain why a classifier is trained with cross-entropy and not with squared errors.
#
# You need Python, and to know that a *derivative*, here mostly called *slope*, says how fast one number changes with
# another. That a network gives a *score* for each class is lesson 2.

# %%
import math

import tinygrad_edu as torch
from tinygrad_edu.learn import check, check_function, check_gradient, curves, predict
from tinygrad_edu.learn.widgets.cross_entropy import cross_entropy_explorer
from tinygrad_edu.nn import functional as F

# %% [markdown]
# ## Surprise
#
# A network has looked at a picture and gives each of three classes a probability. The right class is number 0, and it was
# given $p$. How bad is that?
#
# A good measure is the *surprise*, $-\log p$ (with the natural logarithm, as always here). If the network was sure and right ($p = 1$), it is 0. The less it expected
# the truth, the larger it becomes, and without limit: whoever says "impossible" and is wrong pays everything.

# %%
p = torch.linspace(0.005, 1, 200)
curves(
    p,
    {"surprise": {"−log p": -p.log()}},
    "probability given to the right class",
    size=(4.6, 2.8),
)

# %%
for share in (1.0, 0.9, 0.5, 0.1, 0.001):
    print(f"p = {share:<6} loss = {math.log(1 / share):.3f}")

# %% [markdown]
# The logarithm has another good side. Several samples are right together with the product of their probabilities; the
# logarithm turns this product into a sum, so the loss of a batch is the mean of the losses of its samples.
#
# ## Softmax, the naive way
#
# Networks give scores, not probabilities. Softmax turns one into the other: `exp`, which makes everything positive, then
# divide by the sum. `dim=-1` means along the last dimension, within each row, and `keepdim=True` keeps the sums as a
# column, so that each divides its own row.


# %%
def naive_softmax(scores):
    positive = scores.exp()
    return positive / positive.sum(dim=-1, keepdim=True)


print(naive_softmax(torch.tensor([2.0, 1.0, 0.0])))
print(naive_softmax(torch.tensor([200.0, 100.0, 0.0])))

# %% [markdown]
# The second line should be 1 and twice almost 0. What happened?

# %%
print(torch.tensor([88.0, 89.0, 200.0]).exp())

# %% [markdown]
# The largest `float32` is about $3.4 \cdot 10^{38}$, which is $e^{88.7}$. From 89 on, `exp` gives infinity, and infinity
# divided by infinity is `nan`, "not a number". One `nan` in the loss is enough to spoil every weight of the network in
# one step.
#
# The cure costs one line. Adding the same number to all scores does not change softmax (try it on paper: a factor
# $e^c$ appears above and below the line of the fraction). So subtract the largest score. Then the largest exponent is 0, and nothing
# can overflow:


# %%
def softmax(scores):
    shifted = scores - scores.max(dim=-1, keepdim=True).values
    positive = shifted.exp()
    return positive / positive.sum(dim=-1, keepdim=True)


print(softmax(torch.tensor([200.0, 100.0, 0.0])))
torch.manual_seed(0)
scores = torch.randn(5, 10)
assert torch.allclose(softmax(scores), naive_softmax(scores), atol=1e-6)
assert torch.allclose(softmax(scores), torch.softmax(scores, dim=-1), atol=1e-6)

# %% [markdown]
# ## The logarithm, the naive way
#
# We need $\log p$. Why not take the logarithm of what we have?

# %%
sure_and_wrong = torch.tensor([0.0, 200.0, 0.0])  # the right class is number 0
print(softmax(sure_and_wrong).log())

# %% [markdown]
# `-inf`: the probability of class 0 is $e^{-200}$, too small for a `float32`, so it became 0, and its logarithm minus
# infinity.
# But the true answer is simple: about $-200$. The trick is never to form the probability:
#
# $$\log p_j = \log \frac{e^{s_j}}{\sum_k e^{s_k}} = s_j - \log \sum_k e^{s_k} .$$
#
# The last term, *log-sum-exp*, is computed after subtracting the largest score, and the largest score is added again.


# %%
def log_softmax(scores):
    largest = scores.max(dim=-1, keepdim=True).values
    shifted = scores - largest
    return shifted - shifted.exp().sum(dim=-1, keepdim=True).log()


print(log_softmax(sure_and_wrong))
assert torch.allclose(log_softmax(scores), F.log_softmax(scores, dim=-1), atol=1e-6)

# %% [markdown]
# This is why loss functions take *scores* (they are also called logits) and do softmax and logarithm in one go.
#
# ## Cross-entropy
#
# For a batch (a table with a sample in each row): take $\log p$ of the right class from each row, change the sign, take
# the mean. This part has a name of its own, **negative log-likelihood**, `nll_loss`. Together with the `log_softmax`
# before it, it is **cross-entropy**.

# %%
y = torch.tensor([3, 0, 9, 9, 1])  # the right class of each of the five samples
log_p = log_softmax(scores)
picked = log_p[torch.arange(5), y]  # from row i the entry y[i]
loss = -picked.mean()
print("picked", picked)
print("loss  ", loss.item())
assert torch.allclose(loss, F.nll_loss(log_p, y))
assert torch.allclose(loss, F.cross_entropy(scores, y))

# %% [markdown]
# `log_p[torch.arange(5), y]` deserves a look: two lists of indices, one for rows and one for columns, pick one entry from
# each row.
#
# **A number to remember.** A network that knows nothing gives each of 10 classes 1/10, and its loss is $\log 10$. If the
# very first loss of your training is far from this, something is wrong before anything has been learned.

# %%
print("knows nothing:", F.cross_entropy(torch.zeros(5, 10), y).item(), " log 10 =", math.log(10))
assert abs(F.cross_entropy(torch.zeros(5, 10), y).item() - math.log(10)) < 1e-6

# %% [markdown]
# ## Its gradient is the mistake itself
#
# How should each score move to make the loss smaller? We need the slope of the loss when one score $s_j$ alone moves,
# $\partial L / \partial s_j$. All these slopes together are the **gradient**. For one sample, write the loss as
# $L = -s_y + \log \sum_k e^{s_k}$ and differentiate (the derivative of $e^s$ is $e^s$, that of $\log u$ is $1/u$ times the
# derivative of $u$):
#
# $$\frac{\partial L}{\partial s_j} = \frac{e^{s_j}}{\sum_k e^{s_k}} - [j = y] = p_j - [j = y] .$$
#
# The bracket is 1 for the right class and 0 elsewhere. So the gradient is *what the network said minus what it should have
# said*. In a batch, the mean divides it by the number of samples.
#
# The engine can say the same: `requires_grad_()` marks the tensor whose gradient we want, `backward()` computes it, and
# then it stands in `.grad`. (Lessons 4 and 5 show how.)

# %%
scores.requires_grad_()
F.cross_entropy(scores, y).backward()

by_hand = softmax(scores.detach())
by_hand[torch.arange(5), y] -= 1
by_hand /= 5
print("engine ", scores.grad[0])
print("by hand", by_hand[0])
assert torch.allclose(scores.grad, by_hand, atol=1e-7)

# %% [markdown]
# Each row adds up to zero: what the right class is to gain, the others are to lose.

# %%
print("sums of the rows:", [f"{total:+.0e}" for total in by_hand.sum(dim=1).tolist()])
assert torch.allclose(by_hand.sum(dim=1), torch.zeros(5), atol=1e-7)

# %% [markdown]
# (What is left is rounding, in the eighth digit.)
#
# Now play with it. Move the scores of one picture, choose which class is right, and watch the loss and the gradient.
#
# - Find scores for which the loss is below 0.01.
# - Make the network sure and wrong. How large can a gradient become?
# - Move all four sliders to the right by the same amount. What changes?

# %%
cross_entropy_explorer()

# %% [markdown]
# ## Mean squared error
#
# When the answer is a number (a price, a temperature), there is no class to be surprised by. Then the loss is the mean of
# the squared differences between the guesses $\hat y_i$ and the truth $y_i$. Its gradient is the difference times two,
# divided by how many there are:
#
# $$L = \frac{1}{n} \sum_i (\hat y_i - y_i)^2, \qquad \frac{\partial L}{\partial \hat y_i} = \frac{2}{n} (\hat y_i - y_i) .$$

# %%
guess = torch.tensor([2.5, 0.0, 2.0, 8.0], requires_grad=True)
truth = torch.tensor([3.0, -0.5, 2.0, 7.0])
mse = ((guess - truth) ** 2).mean()
mse.backward()
print("loss", mse.item(), " gradient", guess.grad)
assert torch.allclose(mse, F.mse_loss(guess, truth))
assert torch.allclose(guess.grad, 2 * (guess.detach() - truth) / 4)

# %% [markdown]
# Here too the gradient is the mistake, up to a factor.
#
# ## Binary cross-entropy
#
# For a question with yes or no, one score $z$ is enough: the probability of "yes" is the sigmoid of it,
# $\sigma(z) = 1 / (1 + e^{-z})$. The surprise is
# $-\log \sigma(z)$ if the answer was yes ($y = 1$) and $-\log (1 - \sigma(z))$ if it was no ($y = 0$); both in one line:
#
# $$L = -y \log \sigma(z) - (1 - y) \log (1 - \sigma(z)) .$$
#
# The same trap waits here. For $z = 100$ and $y = 0$ the naive form takes the logarithm of $1 - 1$. The stable form of
# the same thing never does:
#
# $$L = \max(z, 0) - z y + \log (1 + e^{-|z|}) .$$
#
# (`log1p(u)` is $\log(1 + u)$, exact for small $u$ too. `reduction="none"` asks for the loss of each sample, not the mean.)

# %%
z = torch.tensor([-100.0, -2.0, 0.0, 3.0, 100.0])
answers = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0])

chance = torch.sigmoid(z)
naive = -(answers * chance.log() + (1 - answers) * (1 - chance).log())
stable = z.clamp(min=0) - z * answers + torch.log1p(torch.exp(-z.abs()))
print("naive ", naive)
print("stable", stable)
assert torch.allclose(stable, F.binary_cross_entropy_with_logits(z, answers, reduction="none"))
assert torch.isinf(naive[4])

# %% [markdown]
# Its gradient? You will not be surprised any more: $\sigma(z) - y$, what was said minus what was right.

# %%
z.requires_grad_()
F.binary_cross_entropy_with_logits(z, answers, reduction="sum").backward()
print("engine ", z.grad)
print("by hand", chance - answers)
assert torch.allclose(z.grad, chance - answers, atol=1e-6)

# %% [markdown]
# ## Why not squared errors for classes?
#
# One could also demand that the probability be near 1 or 0, and take $(\sigma(z) - y)^2$. It is smallest at the same place.
# But look at the gradients, for a sample whose answer is "yes", as the score $z$ moves from very wrong to very right:

# %%
score = torch.linspace(-8, 8, 201, requires_grad=True)
yes = torch.ones(201)
(cross_gradient,) = torch.autograd.grad(
    F.binary_cross_entropy_with_logits(score, yes, reduction="sum"), score
)
(square_gradient,) = torch.autograd.grad(((torch.sigmoid(score) - yes) ** 2).sum(), score)
losses = {
    "cross-entropy": F.binary_cross_entropy_with_logits(score, yes, reduction="none"),
    "squared error": (torch.sigmoid(score) - yes) ** 2,
}
gradients = {"cross-entropy": cross_gradient, "squared error": square_gradient}
curves(
    score,
    {"loss": losses, "gradient": gradients},
    "score of a sample that should be large",
    size=(3.8, 2.8),
)

# %% [markdown]
# At the left end the network is completely wrong. Cross-entropy pulls with full force, −1. The squared error does not pull
# at all: its gradient carries the slope of the sigmoid, and the sigmoid is flat there. *The worse the mistake, the less is
# learned from it.* Now both start from $z = -8$. In each step the score moves against its slope: if the loss grows with the
# score, the score is made smaller. (This is gradient descent, and `lr`, the learning rate, is the length of the steps.)


# %%
def walk(loss_of, start=-8.0, lr=1.0, steps=60):
    """The score after each step of gradient descent."""
    z, path = torch.tensor(start, requires_grad=True), []
    for _ in range(steps):
        path.append(z.item())
        (slope,) = torch.autograd.grad(loss_of(z), z)
        with torch.no_grad():
            z -= lr * slope
    return path


paths = {
    "cross-entropy": walk(lambda z: F.binary_cross_entropy_with_logits(z, torch.tensor(1.0))),
    "squared error": walk(lambda z: (torch.sigmoid(z) - 1) ** 2),
}
assert paths["cross-entropy"][-1] > 3
assert paths["squared error"][-1] < -7.5
curves(range(60), {"score": paths}, "step", size=(4.8, 2.6))

# %% [markdown]
# Sixty steps: with cross-entropy the score has crossed to the right side, with the squared error it has hardly moved.

# %% [markdown]
# ## A mistake everybody makes once
#
# `cross_entropy` takes scores. Given probabilities, it takes softmax a second time, without a word. What does that cost?

# %%
predict(
    "A perfect network gives the right one of 10 classes the probability 1. Its probabilities, not its scores, are handed "
    "to `cross_entropy`. What is the loss?",
    ["0", "about 1.46", "infinity"],
    "about 1.46",
    "The second softmax sees the numbers 1, 0, 0 … and gives the right class only e / (e + 9), about 0.23. No training "
    "can get below log(e + 9) − 1.",
)

# %%
perfect = torch.zeros(1, 10)
perfect[0, 3] = 1.0
print(F.cross_entropy(perfect, torch.tensor([3])).item(), math.log(math.e + 9) - 1)
assert abs(F.cross_entropy(perfect, torch.tensor([3])).item() - 1.4612) < 1e-4

# %% [markdown]
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1.** A network that guesses letters, 26 classes, has not been trained. What should its first cross-entropy be?


# %% tags=["check"]
def check_first_loss(first_loss):
    unsure = F.cross_entropy(torch.zeros(1, 26, dtype=torch.float64), torch.tensor([0])).item()
    return check(
        "first loss",
        first_loss,
        unsure,
        atol=0.01,
        hints={
            1 / 26: "That is the probability. How surprised is it?",
            math.log(10): "That is for 10 classes.",
            math.log2(26): "That is in bits; cross-entropy takes the natural logarithm.",
        },
    )


# %%
first_loss = None
check_first_loss(first_loss)

# %% tags=["solution"]
first_loss = math.log(26)
assert check_first_loss(first_loss)

# %% [markdown]
# **2.** Write `log_sum_exp(scores)`, $\log \sum_k e^{s_k}$ over the last dimension, so that it survives scores of 1000.


# %% tags=["check"]
def check_log_sum_exp(log_sum_exp):
    samples = [
        torch.randn(4, 3),
        torch.tensor([[1000.0, 999.0, -1000.0]]),
        torch.tensor([-1000.0, -1000.0]),
    ]

    def without_largest(scores):
        return (scores - scores.max(dim=-1, keepdim=True).values).exp().sum(dim=-1).log()

    hints = [
        (
            lambda s: s.exp().sum(dim=-1).log(),
            "exp(1000) is infinite: subtract the largest score before.",
        ),
        (without_largest, "The largest score was subtracted and must be added again at the end."),
    ]
    return check_function(
        "log-sum-exp", log_sum_exp, lambda s: torch.logsumexp(s, dim=-1), *samples, hints=hints
    )


# %%
def log_sum_exp(scores):
    return None


check_log_sum_exp(log_sum_exp)


# %% tags=["solution"]
def log_sum_exp(scores):
    largest = scores.max(dim=-1, keepdim=True).values
    return (scores - largest).exp().sum(dim=-1).log() + largest.squeeze(-1)


assert check_log_sum_exp(log_sum_exp)

# %% [markdown]
# **3.** Write the gradient of mean squared error with respect to the guess. `g` is the gradient that arrives at the loss
# itself (it is 1 when the loss is the end). The check moves each guess a little, looks how the loss changes, and compares.
# Here is first what it says about a rule that somebody else wrote, too quickly:

# %%
truth = torch.tensor([3.0, -0.5, 2.0, 7.0], dtype=torch.float64)
some_guess = torch.tensor([2.5, 0.0, 2.0, 8.0])


def squared(guess):
    return ((guess - truth) ** 2).mean()


quick = check_gradient(
    "too quick", squared, [some_guess], rule=lambda g, guess: g * (guess - truth) / len(truth)
)
assert not quick

# %% [markdown]
# "Analytic" is the rule, "numeric" what was measured (for a `g` drawn at random). Half of what it should be: the 2 from the
# square was forgotten. The last line has a sign for each of the four entries; the third is right, since its gradient is 0.
# Now yours.


# %% tags=["check"]
def check_squared_error(squared_rule):
    return check_gradient("squared error", squared, [some_guess], rule=squared_rule)


# %%
def squared_rule(g, guess):
    return None


check_squared_error(squared_rule)


# %% tags=["solution"]
def squared_rule(g, guess):
    return g * 2 * (guess - truth) / len(truth)


assert check_squared_error(squared_rule)

# %% [markdown]
# **4.** The same for cross-entropy: a rule that returns the gradient of the scores, for a batch. `y` holds the classes and
# has no gradient, so it is not among the arguments.

# %%
y = torch.tensor([2, 0, 1, 1])


# %% tags=["check"]
def check_cross_entropy(cross_entropy_rule):
    batch = torch.randn(4, 3)
    hints = [
        (
            lambda g, s: g * torch.softmax(s, 1) / 4,
            "That is what was said. What was right must be subtracted from it.",
        ),
        (
            lambda g, s: g * (torch.softmax(s, 1) - 1) / 4,
            "Subtract 1 for the right class alone, 0 for the others.",
        ),
    ]
    return check_gradient(
        "cross-entropy",
        lambda scores: F.cross_entropy(scores, y),
        [batch],
        cross_entropy_rule,
        hints,
    )


# %%
def cross_entropy_rule(g, scores):
    return None


check_cross_entropy(cross_entropy_rule)


# %% tags=["solution"]
def cross_entropy_rule(g, scores):
    said = torch.softmax(scores, dim=1)
    right = F.one_hot(y, 3)
    return g * (said - right) / len(y)


assert check_cross_entropy(cross_entropy_rule)

# %% [markdown]
# **5.** Your network's first loss on 10 classes is 8.7. Which of these explains it best?

# %%
predict(
    "First loss 8.7 instead of 2.3:",
    [
        "the learning rate is too high",
        "the first weights are too large",
        "softmax is taken twice",
    ],
    "the first weights are too large",
    {
        "the learning rate is too high": "No step has been taken yet.",
        "the first weights are too large": "Large weights give large scores: the network is sure of itself, and mostly "
        "wrong. Lesson 1 has the cure.",
        "softmax is taken twice": "Then the loss would be close to 2.3 and stay there.",
    },
)

# %%
torch.manual_seed(0)
pictures, classes = torch.rand(200, 784), torch.randint(0, 10, (200,))
too_large = F.cross_entropy(pictures @ torch.randn(784, 10), classes).item()
as_it_should = F.cross_entropy(pictures @ torch.randn(784, 10) / 28, classes).item()
print(f"randn: {too_large:.1f}, scaled by 1 / sqrt(784): {as_it_should:.1f}")
assert too_large > 8 and as_it_should < 3.2

# %% [markdown]
# **6.** Two losses are to be compared: a network with $p = 0.9$ for every sample, and one with $p = 0.999$ for nine samples
# of ten and $p = 0.0001$ for the tenth. Write the mean loss of both.


# %% tags=["check"]
def check_both_losses(steady, proud):
    shares = torch.tensor([0.999] * 9 + [0.0001], dtype=torch.float64)
    right = (-math.log(0.9), (-shares.log()).mean().item())
    hints = [
        ((right[0], -math.log(shares.mean())), "First the logarithm of each sample, then the mean.")
    ]
    return check("both losses", (steady, proud), right, hints, atol=1e-3)


# %%
steady, proud = None, None
check_both_losses(steady, proud)

# %% tags=["solution"]
steady = -math.log(0.9)
proud = -(9 * math.log(0.999) + math.log(0.0001)) / 10
print(f"steady {steady:.3f}, proud {proud:.3f}")
assert check_both_losses(steady, proud)

# %% [markdown]
# One sample in ten, missed with great confidence, costs nine times as much as honest doubt everywhere.
#
# The loss tells how wrong the network is. The next lesson finds out, for each of its 101,770 parameters, in which direction
# it should move.
