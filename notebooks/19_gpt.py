# %% [markdown]
# # 19 · A GPT from scratch
#
# After this lesson you can
#
# - write attention by hand, first as a mean of the past, then as a mean that chooses, and say what query, key and value are;
# - split it into heads, and show that it equals `nn.MultiheadAttention` number by number;
# - say why the scores are divided by $\sqrt d$, why positions are needed, and prove that no character sees the future;
# - build a small GPT, train it on Shakespeare, and let it write;
# - look into its heads, and see what each character looks at.
#
# You need softmax, cross-entropy, and what a layer and `backward()` are. Everything else is here.

# %%
import math

import tinygrad_edu as torch
import tinygrad_edu.nn.functional as F
from tinygrad_edu import datasets, nn, optim
from tinygrad_edu.learn import check, check_function, check_gradient, curves, predict
from tinygrad_edu.learn.widgets.attention_map import attention_map

_ = torch.manual_seed(19)

# %% [markdown]
# ## 1. The text
#
# About a million characters from Shakespeare's plays. If the file is not on this computer, it is downloaded (1.1 MB). If that
# cannot be done, the lesson goes on with a sonnet and two speeches: too little to learn English from, but everything runs.

# %%
try:
    text = datasets.tiny_shakespeare(download=True)
    REAL = True
except RuntimeError:
    REAL = False
    text = """Shall I compare thee to a summer's day?
Thou art more lovely and more temperate:
Rough winds do shake the darling buds of May,
And summer's lease hath all too short a date:
Sometime too hot the eye of heaven shines,
And often is his gold complexion dimm'd;
And every fair from fair sometime declines,
By chance, or nature's changing course, untrimm'd;
But thy eternal summer shall not fade,
Nor lose possession of that fair thou ow'st;
Nor shall Death brag thou wander'st in his shade,
When in eternal lines to time thou grow'st:
So long as men can breathe, or eyes can see,
So long lives this, and this gives life to thee.

All the world's a stage,
And all the men and women merely players:
They have their exits and their entrances;
And one man in his time plays many parts,
His acts being seven ages. At first the infant,
Mewling and puking in the nurse's arms.
And then the whining school-boy, with his satchel
And shining morning face, creeping like snail
Unwillingly to school.

To be, or not to be, that is the question:
Whether 'tis nobler in the mind to suffer
The slings and arrows of outrageous fortune,
Or to take arms against a sea of troubles
And by opposing end them. To die: to sleep;
No more; and by a sleep to say we end
The heart-ache and the thousand natural shocks
That flesh is heir to, 'tis a consummation
Devoutly to be wish'd. To die, to sleep;
To sleep: perchance to dream: ay, there's the rub;
For in that sleep of death what dreams may come
When we have shuffled off this mortal coil,
Must give us pause.
"""
    print(
        "The plays cannot be had here: we go on with three pieces of them,",
        "and skip what is said about the whole.",
    )

print(f"{len(text):,} characters")
print(text[:160])

# %% [markdown]
# Each character gets a number. The last tenth of the text is set aside: by it the model is judged.

# %%
vocabulary = datasets.Vocabulary(text)
V = len(vocabulary)
print(V, "characters:", "".join(vocabulary.characters).replace("\n", "⏎"))

numbers = vocabulary.encode(text)
cut = int(0.9 * len(numbers))
to_learn, to_test = numbers[:cut], numbers[cut:]
print("to be or not ->", vocabulary.encode("to be or not").tolist())

# %% [markdown]
# The task: given the characters so far, which comes next? From a stretch of 64 characters we get 64 such questions at once:
# `x` is the stretch, `y` the same one place further on.

# %%
T = 64  # how many characters the model sees: its context


def batch(numbers, size):
    starts = torch.randint(0, len(numbers) - T, (size, 1))
    stretches = numbers[starts + torch.arange(T + 1)]  # (B, T + 1)
    return stretches[:, :-1], stretches[:, 1:]


x, y = batch(to_learn, 4)
print(tuple(x.shape), tuple(y.shape))
print("x:", repr(vocabulary.decode(x[0, :12])))
print("y:", repr(vocabulary.decode(y[0, :12])))

# %% [markdown]
# A yardstick before anything clever: count which character follows which, and predict from these counts alone. (The loss is
# the mean of $-\log p$ of what really came, as always. Who knows nothing has $\log V$.)

# %%
counts = torch.ones(V, V)
counts.index_put_((to_learn[:-1], to_learn[1:]), torch.ones(cut - 1), accumulate=True)
P = counts / counts.sum(1, keepdim=True)
pairs_loss = -P[to_test[:-1], to_test[1:]].log().mean().item()
print(f"knows nothing {math.log(V):.3f}, pairs of characters {pairs_loss:.3f}")

# %% [markdown]
# ## 2. A mean of the past
#
# We want more than the last character. The plainest way for position $t$ to learn about all before it: take their mean. Each
# character is a row of $C$ numbers here, its embedding.

# %%
torch.manual_seed(0)
x = torch.randn(5, 3)  # 5 characters, 3 numbers each

by_loop = torch.stack([x[: t + 1].mean(0) for t in range(5)])

weights = torch.ones(5, 5).tril()
weights = weights / weights.sum(1, keepdim=True)
print(weights)
assert torch.allclose(weights @ x, by_loop)

# %% [markdown]
# A mean of the past is a **matrix product**. Row $t$ of the matrix says how much position $t$ takes from each position. Zeros
# above the diagonal: nobody looks ahead.
#
# The same matrix, written in a third way, which is the one that will grow: start from *scores*, put $-\infty$ where looking is
# forbidden, and let softmax make weights of them.

# %%
scores = torch.zeros(5, 5)
ahead = torch.ones(5, 5).triu(1).bool()
weights_again = scores.masked_fill(ahead, -math.inf).softmax(1)
print("the same weights:", torch.allclose(weights_again, weights))
assert torch.allclose(weights_again, weights)

# %% [markdown]
# All scores are 0 here, so all weights are equal. A mean treats an `e` and a full stop alike. Now let the scores depend on what
# the characters *are*.
#
# ## 3. A mean that chooses: attention
#
# Each position makes three rows of numbers from its own, by three matrices:
#
# - a **query** $q$: what am I looking for?
# - a **key** $k$: what am I?
# - a **value** $v$: what do I give to whoever looks at me?
#
# The score between position $t$ and an earlier position $s$ is the dot product $q_t \cdot k_s$: large if what $t$ looks for is
# what $s$ is. Then as above:
#
# $$\text{attention}(Q, K, V) = \text{softmax}\!\left(\frac{Q K^{\mathsf T}}{\sqrt d} + \text{mask}\right) V .$$


# %%
def attention(q, k, v):
    """q, k, v (..., T, d) -> what each position gathers (..., T, d), and the weights (..., T, T)"""
    T, d = q.shape[-2:]
    scores = q @ k.mT / math.sqrt(d)
    ahead = torch.ones(T, T).triu(1).bool()
    weights = scores.masked_fill(ahead, -math.inf).softmax(-1)
    return weights @ v, weights


C, d = 16, 8
x = torch.randn(6, C)
to_query, to_key, to_value = (nn.Linear(C, d, bias=False) for _ in range(3))
gathered, weights = attention(to_query(x), to_key(x), to_value(x))
print("gathered", tuple(gathered.shape))
print(weights.detach())
assert torch.allclose(weights.sum(1), torch.ones(6))

# %% [markdown]
# Each row sums to 1, above the diagonal all is 0, and the weights differ: with random matrices, at random. What to look for is
# what training has to find.
#
# Why divide by $\sqrt d$?

# %%
predict(
    "q and k are 64 random numbers each, of mean 0 and variance 1. What is the variance of q · k?",
    ["1", "8", "64"],
    "64",
    {
        "1": "That is the variance of one number. The dot product is a sum of 64 products.",
        "8": "That is its standard deviation.",
        "64": "A sum of 64 independent products of variance 1. So the standard deviation is 8, and dividing by √64 brings "
        "it back to 1.",
    },
)

# %%
q, k = torch.randn(10_000, 64), torch.randn(10_000, 64)
dots = (q * k).sum(1)
print(f"variance of q · k: {dots.var():.1f}; divided by √64: {(dots / 8).var():.2f}")

row = torch.randn(8)
for factor in (1, 8):
    shares = (factor * row).softmax(0).tolist()
    print(f"softmax of {factor} times the scores:", *(f"{share:.3f}" for share in shares))

# %% [markdown]
# With large scores softmax puts everything on one place, and there it is flat: the gradient that should teach the model to look
# elsewhere is nearly 0. So the scores are kept near 1 at the beginning.
#
# ## 4. Several heads
#
# One head can look for one thing at a time. So use several, each with fewer numbers: $C = 64$ is cut into 4 heads of 16. They
# work side by side, as one more dimension of the tensors, and a last matrix mixes what they have gathered.


# %%
class Attention(nn.Module):
    def __init__(self, C, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(C, 3 * C)
        self.out = nn.Linear(C, C)

    def split(self, x):
        """Queries, keys and values, by head: (B, T, C) -> three of (B, heads, T, d)"""
        B, T, C = x.shape
        return self.qkv(x).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)

    def forward(self, x):
        gathered, _ = attention(*self.split(x))
        side_by_side = gathered.transpose(1, 2).flatten(2)  # the heads: (B, T, C)
        return self.out(side_by_side)


mine = Attention(64, 4)
x = torch.randn(2, 10, 64)
print(tuple(x.shape), "->", tuple(mine(x).shape))

# %% [markdown]
# `nn.MultiheadAttention` is this, and nothing else. Give it the same weights, and compare: the results, and the weights of each
# head.

# %%
theirs = nn.MultiheadAttention(64, 4, batch_first=True)
with torch.no_grad():
    theirs.in_proj_weight.copy_(mine.qkv.weight)
    theirs.in_proj_bias.copy_(mine.qkv.bias)
    theirs.out_proj.load_state_dict(mine.out.state_dict())

ahead = torch.ones(10, 10).triu(1).bool()
result, head_weights = theirs(x, x, x, attn_mask=ahead, average_attn_weights=False)
_, my_weights = attention(*mine.split(x))
print(f"largest difference of the results {(result - mine(x)).abs().max().item():.1e}")
assert torch.allclose(result, mine(x), atol=1e-5) and torch.allclose(
    head_weights, my_weights, atol=1e-5
)

# %% [markdown]
# The three lines of `attention` exist as one operation too, which is quicker. From here on we use it, now that we know what it
# does.

# %%
q, k, v = mine.split(x)
at_once = F.scaled_dot_product_attention(q, k, v, is_causal=True)
difference = (at_once - attention(q, k, v)[0]).abs().max().item()
print(f"largest difference {difference:.1e}")
assert difference < 1e-5


class FastAttention(Attention):
    def forward(self, x):
        gathered = F.scaled_dot_product_attention(*self.split(x), is_causal=True)
        return self.out(gathered.transpose(1, 2).flatten(2))


# %% [markdown]
# ## 5. Who stands where?
#
# Attention is a weighted mean, and a mean does not care about order. Shuffle the earlier characters: the last one gathers the
# same as before.

# %%
shuffled = x[:, [3, 0, 7, 5, 1, 8, 2, 6, 4, 9]]  # the last stays in its place
difference = (mine(x)[:, -1] - mine(shuffled)[:, -1]).abs().max().item()
print(f"{difference:.1e}")
assert difference < 1e-5

# %% [markdown]
# For a reader of text that is a disaster: "dog bites man". The remedy is simple. Each *place* gets an embedding of its own,
# which is added to that of the character. So `e` at place 5 and `e` at place 6 are different rows, and a head can learn to look
# "one to the left".
#
# ## 6. The whole model
#
# A **block** is attention, in which positions talk to each other, then a small MLP, in which each thinks for itself. Both are
# *added* to what was there (`x = x + ...`), so that the gradient has a straight way down through all blocks. Before each
# of them `LayerNorm` brings every row to mean 0 and variance 1.


# %%
class Block(nn.Module):
    def __init__(self, C, heads):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(C), FastAttention(C, heads)
        self.norm2 = nn.LayerNorm(C)
        self.mlp = nn.Sequential(nn.Linear(C, 4 * C), nn.ReLU(), nn.Linear(4 * C, C))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    def __init__(self, V, T, C, heads, blocks):
        super().__init__()
        self.character, self.place = nn.Embedding(V, C), nn.Embedding(T, C)
        self.blocks = nn.Sequential(*(Block(C, heads) for _ in range(blocks)))
        self.norm, self.scores = nn.LayerNorm(C), nn.Linear(C, V)
        for embedding in (self.character, self.place):
            # small, so that what the blocks add is heard
            nn.init.normal_(embedding.weight, std=0.1)

    def forward(self, numbers):  # (B, T)
        x = self.character(numbers) + self.place.weight[: numbers.shape[1]]  # (B, T, C)
        return self.scores(self.norm(self.blocks(x)))  # (B, T, V)


torch.manual_seed(0)
gpt = GPT(V, T, C=64, heads=4, blocks=2)
print(f"{sum(p.numel() for p in gpt.parameters()):,} parameters")
x, y = batch(to_learn, 4)
first_loss = F.cross_entropy(gpt(x).flatten(0, 1), y.flatten()).item()
print(
    f"{tuple(x.shape)} -> {tuple(gpt(x).shape)},",
    f"loss before training {first_loss:.2f}, log V {math.log(V):.2f}",
)

# %% [markdown]
# A GPT that you have heard of has much the same lines, with $C$ = 12,288 in place of 64 and 96 blocks in place of 2.
#
# Does it look ahead? If it did, the loss would fall beautifully and the model would be worthless. The engine can prove that it
# does not: the scores at place 5 must have a gradient of exactly 0 with respect to every later character.

# %%
embedded = (gpt.character(x[:1, :10]) + gpt.place.weight[:10]).detach().requires_grad_()
gpt.blocks(embedded)[0, 5].sum().backward()
sizes = embedded.grad[0].abs().sum(1)
print("gradient at each place:", [f"{size:.2f}" for size in sizes.tolist()])
assert (sizes[:6] > 0).all() and (sizes[6:] == 0).all()

# %% [markdown]
# ## 7. Training
#
# AdamW; the learning rate goes up for a tenth of the steps and then down to nothing. `torch.compile` watches the step as it
# runs, and replays it from then on as a flat list of array operations.

# %%
STEPS, SIZE = (2500, 16) if REAL else (300, 16)
optimizer = optim.AdamW(gpt.parameters(), lr=5e-3, betas=(0.9, 0.99))
schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=STEPS, pct_start=0.1)


@torch.compile
def step(x, y):
    loss = F.cross_entropy(gpt(x).flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


losses = []
for k in range(STEPS):
    losses.append(step(*batch(to_learn, SIZE)))
    schedule.step()
    if (k + 1) % (STEPS // 4) == 0:
        print(f"step {k + 1}: loss {torch.stack(losses[-50:]).mean().item():.3f}")


# %%
@torch.no_grad()
def losses_on(numbers, size=250, batches=8):
    """The loss at each place of the context: (T,)"""
    torch.manual_seed(1)
    each = []
    for x, y in (batch(numbers, size) for _ in range(batches)):
        each.append(
            F.cross_entropy(gpt(x).flatten(0, 1), y.flatten(), reduction="none").view(size, T)
        )
    return torch.cat(each).mean(0)


by_place = losses_on(to_test)
test_loss = by_place.mean().item()
print(f"on text never seen: {test_loss:.3f}; pairs of characters had {pairs_loss:.3f}")
if REAL:
    assert test_loss < 1.82

over = torch.stack(losses).view(-1, 20).mean(1)
curves([20 * (k + 1) for k in range(len(over))], {"loss": {"loss": over}}, "step", size=(4.8, 3.0))

# %% [markdown]
# Does it use its context? At the first place of a stretch it knows one character, at the last place 64:

# %%
shown = {"GPT": by_place, "pairs, counted": [pairs_loss] * T}
if REAL:
    assert by_place[0] > by_place[8:].mean() + 0.3
curves(list(range(1, T + 1)), {"loss by place": shown}, "characters it has seen", size=(4.8, 3.0))

# %% [markdown]
# With one character it is as good as counting pairs can be. Half a dozen characters make most of the difference; for what lies
# further back, so small a model finds little use.
#
# ## 8. Writing
#
# Give it a beginning, draw the next character from its probabilities, append it, ask again. Two knobs:
#
# - **temperature**: the scores are divided by it; below 1 it is careful, above 1 it is daring;
# - **top-k**: only the `k` likeliest are allowed, so that no wild character slips in.


# %%
@torch.no_grad()
def write(beginning, length, temperature=0.8, top_k=None):
    numbers = vocabulary.encode(beginning)[None]
    for _ in range(length):
        scores = gpt(numbers[:, -T:])[:, -1] / temperature
        if top_k is not None:
            least = scores.topk(top_k).values[:, -1:]
            scores = scores.masked_fill(scores < least, -math.inf)
        numbers = torch.cat([numbers, torch.multinomial(scores.softmax(1), 1)], 1)
    return vocabulary.decode(numbers)


torch.manual_seed(3)
print(write("ROMEO:" if REAL else "To ", 420, temperature=0.8, top_k=20))

# %%
for temperature in (0.3, 1.0, 1.5):
    print(
        f"--- temperature {temperature}\n{write('KING ' if REAL else 'And ', 130, temperature)}\n"
    )

# %% [markdown]
# Nobody told it about words, about names in capitals followed by a colon, or that lines end. A minute of training, and no
# sentence makes sense. The same lines with more text, more blocks and more time are what you know from elsewhere.
#
# ## 9. What does it look at?
#
# The weights of every head, for a piece of text that it was not trained on. Point at a character.


# %%
@torch.no_grad()
def look(numbers):
    """The weights of each head (blocks, heads, T, T), and the scores"""
    x = gpt.character(numbers[None]) + gpt.place.weight[: len(numbers)]
    found = []
    for block in gpt.blocks:
        found.append(attention(*block.attention.split(block.norm1(x)))[1][0])
        x = block(x)
    return torch.stack(found), gpt.scores(gpt.norm(x))[0]


piece = to_test[: T - 4]
head_weights, scores = look(piece)
likely, which = scores.softmax(1).topk(5)
following = [
    [(vocabulary.characters[n], p) for n, p in zip(row, shares, strict=True)]
    for row, shares in zip(which.tolist(), likely.tolist(), strict=True)
]
attention_map(vocabulary.decode(piece), head_weights, following)

# %% [markdown]
# Go through the heads before you read on. A line beside the diagonal is a head that always looks at the same distance; columns
# are characters at which everybody looks. In numbers, the share of its weight that each head puts where, on average:

# %%
where = {
    "itself": torch.eye(len(piece)),
    "one before": torch.ones(len(piece) - 1).diag(-1),
    "two before": torch.ones(len(piece) - 2).diag(-2),
    "spaces and signs": torch.tensor(
        [float(not c.isalpha()) for c in vocabulary.decode(piece)]
    ).expand(len(piece), -1),
}
share = {name: (head_weights * places).sum(3)[:, :, 20:].mean(2) for name, places in where.items()}
for b in range(2):
    for h in range(4):
        print(
            f"block {b + 1}, head {h + 1}:",
            "  ".join(f"{name} {share[name][b, h].item():4.0%}" for name in where),
        )
if REAL:
    assert share["one before"].max() > 0.5

# %% [markdown]
# With the whole text to learn from, one head of the first block has learned to look one character back, nearly always, and
# another one two. Nobody arranged that: it is what predicts best, and the places' embeddings made it possible. The second block
# reads what the first has gathered. Its heads look further, and much at spaces and signs, where words and lines end: a fifth of
# the characters, and up to half of the weight.
#
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1.** Write `mask(T, window)`: a tensor of booleans (T, T), True where looking is *allowed*: at oneself and the `window - 1`
# characters just before, never ahead. (This is sliding-window attention.)


# %% tags=["check"]
def check_sliding_window(mask):
    def allowed(T, window):
        return torch.tensor([[t - window < s <= t for s in range(T)] for t in range(T)])

    hints = [
        (
            lambda T, window: allowed(T, window + 1),
            "One too many: `window` counts the place itself.",
        ),
        (lambda T, window: allowed(T, T), "Nobody looks ahead, but some look too far back."),
        (lambda T, window: ~allowed(T, window), "True is to stand where looking is allowed."),
    ]
    return check_function("sliding window", mask, allowed, (6, 3), (5, 1), (4, 10), hints=hints)


# %%
def mask(T, window):
    return None


check_sliding_window(mask)


# %% tags=["solution"]
def mask(T, window):
    back = torch.arange(T)[:, None] - torch.arange(T)
    return (back >= 0) & (back < window)


assert check_sliding_window(mask)

# %% [markdown]
# **2.** The context grows from 64 to 256 characters. By which factor do the multiplications of $Q K^{\mathsf T}$ grow, for one
# stretch? And those of the MLP?


# %% tags=["check"]
def check_a_longer_context(answer):
    expected = {"scores": 16, "mlp": 4}
    hints = [
        (
            {"scores": 4, "mlp": 4},
            "Each of four times as many positions looks at four times as many.",
        )
    ]
    return check(
        "a longer context",
        None if None in answer.values() else answer,
        expected,
        hints,
        because="This square is why long contexts are dear.",
    )


# %%
answer = {"scores": None, "mlp": None}
check_a_longer_context(answer)

# %% tags=["solution"]
answer = {"scores": (256 // 64) ** 2, "mlp": 256 // 64}
assert check_a_longer_context(answer)

# %% [markdown]
# **3.** Write `layer_norm(x, weight, bias)`: subtract the mean of each row (the last dimension), divide by the root of its
# variance plus `1e-5`, multiply by `weight`, add `bias`. Which variance: divided by n, or by n - 1?


# %% tags=["check"]
def check_layer_norm(layer_norm):
    def right(x, weight, bias):
        return F.layer_norm(x, (8,), weight, bias)

    def by_seven(x, weight, bias):
        """The variance divided by one less than the number of values"""
        centred = x - x.mean(-1, keepdim=True)
        return centred / (x.var(-1, keepdim=True) + 1e-5).sqrt() * weight + bias

    sample = (torch.randn(2, 3, 8), torch.randn(8), torch.randn(8))
    hints = [
        (by_seven, "The variance is the mean of the squares here: `x.var(..., correction=0)`.")
    ]
    return check_function("layer norm", layer_norm, right, sample, atol=1e-5, hints=hints)


# %%
def layer_norm(x, weight, bias):
    return None


check_layer_norm(layer_norm)


# %% tags=["solution"]
def layer_norm(x, weight, bias):
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred * centred).mean(-1, keepdim=True)  # divided by n
    return centred / (variance + 1e-5).sqrt() * weight + bias


assert check_layer_norm(layer_norm)

# %% [markdown]
# **4.** How many parameters has one block, as a formula in $C$? Write it as a function.


# %% tags=["check"]
def check_a_block_parameters(block_parameters):
    def counted(C):
        return sum(p.numel() for p in Block(C, 1).parameters())

    hints = [
        (lambda C: 12 * C * C, "These are the weights; the biases and both norms are missing."),
        (
            lambda C: 12 * C * C + 9 * C,
            "Each of the two norms has a weight and a bias for each number.",
        ),
    ]
    return check_function("a block's parameters", block_parameters, counted, 8, 64, hints=hints)


# %%
def block_parameters(C):
    return None


check_a_block_parameters(block_parameters)


# %% tags=["solution"]
def block_parameters(C):
    attention = (C * 3 * C + 3 * C) + (C * C + C)
    mlp = (C * 4 * C + 4 * C) + (4 * C * C + C)
    norms = 2 * 2 * C
    return attention + mlp + norms  # 12 C² + 13 C


assert check_a_block_parameters(block_parameters)

# %% [markdown]
# **5.** Write `nucleus(p, share)`, another way to be careful: from sorted probabilities (largest first), keep as many as are
# needed until their sum is at least `share`, set the others to 0, and divide by what is left. (`cumsum` helps: keep an entry
# if the sum of those *before* it is less than `share`.)

# %%
p = torch.tensor([0.45, 0.3, 0.15, 0.07, 0.03])


# %% tags=["check"]
def check_nucleus(nucleus):
    def kept_one_by_one(p, share):
        kept, total = [], 0.0
        for chance in p.tolist():
            kept.append(chance if total < share else 0.0)
            total += chance
        return torch.tensor(kept) / sum(kept)

    def unscaled(p, share):
        return torch.where(kept_one_by_one(p, share) > 0, p, 0.0)

    hints = [(unscaled, "The right ones are kept; now they must add up to 1 again.")]
    samples = (p, 0.8), (p, 0.5), (p, 0.1)
    return check_function("nucleus", nucleus, kept_one_by_one, *samples, hints=hints)


# %%
def nucleus(p, share):
    return None


check_nucleus(nucleus)


# %% tags=["solution"]
def nucleus(p, share):
    before = p.cumsum(0) - p
    kept = torch.where(before < share, p, torch.zeros_like(p))
    return kept / kept.sum()


assert check_nucleus(nucleus)

# %% [markdown]
# **6.** The gradients of attention, by hand. The forward is $S = QK^{\mathsf T}/\sqrt d$ (with $-\infty$ ahead),
# $W = \text{softmax}(S)$, $\text{out} = WV$. Go back line by line; for softmax use
# $\partial S = W \odot (\partial W - \text{rowsum}(\partial W \odot W))$.

# %%
q, k, v = (torch.randn(5, 4) for _ in range(3))


# %% tags=["check"]
def check_attention_gradients(rule):
    return check_gradient(
        "attention's gradients", lambda q, k, v: attention(q, k, v)[0], (q, k, v), rule=rule
    )


# %%
def rule(g, q, k, v):
    _, W = attention(q, k, v)
    return None  # the gradients of q, k, v


check_attention_gradients(rule)


# %% tags=["solution"]
def rule(g, q, k, v):
    _, W = attention(q, k, v)
    gv = W.mT @ g
    gW = g @ v.mT
    gS = W * (gW - (gW * W).sum(-1, keepdim=True))
    scale = 1 / math.sqrt(q.shape[-1])
    return gS @ k * scale, gS.mT @ q * scale, gv


assert check_attention_gradients(rule)
