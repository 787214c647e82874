# %% [markdown]
# # 18 · A character model
#
# After this lesson you can
#
# - turn words into numbers, and "what comes next?" into a classification with 27 classes;
# - invent names by counting pairs of letters, and get the same table by gradient descent;
# - let a network look further back: three letters (an MLP with embeddings), and then everything (an RNN and an LSTM);
# - write the steps of an RNN and of an LSTM by hand, equal to `nn.RNN` and `nn.LSTM`;
# - compare all of them by one number, and choose by a temperature how daring they are.
#
# You need softmax and cross-entropy, and what `backward()` does. Everything else is here.

# %%
import tinygrad_edu as torch
import tinygrad_edu.nn.functional as F
from tinygrad_edu import datasets, nn, optim
from tinygrad_edu.learn import check, check_function, curves, predict
from tinygrad_edu.learn.widgets.next_letter import next_letter
from tinygrad_edu.viz.figures import panels, style

_ = torch.manual_seed(18)

# %% [markdown]
# ## 1. Names
#
# 32,033 first names. If the list is not on this computer, it is downloaded (230 kB). If that cannot be done, the lesson goes on
# with the 167 names below: too few to learn much from, but everything runs.

# %%
try:
    names = datasets.names(download=True)
    REAL = True
except RuntimeError:
    REAL = False
    names = """
    ada adam agnes albert alice amelia amos anna anton arthur astrid august barbara beatrice
    benjamin bernard bertha bruno camilla carl carla caroline cecilia charles clara claude
    conrad cora daniel david diana dora dorothea edgar edith edmund edward elena elias elisa
    ella elsa emil emilia emma eric erica ernest esther eugene eva fanny felix flora
    florence frances frank frederick frida george gerda gloria grace gustav hannah harold
    harriet helen henry herbert hilda hugo ida ingrid irene isaac isabel ivan jacob james
    jane jasper joan johanna john jonas joseph julia julian karl karla katharina konrad lara
    laura leah leo leonora lily linda lorenz louis louisa lucas lucy ludwig magda marcus
    margaret maria marian martha martin mary matilda max maya michael mina miriam mona nadia
    nathan nell nicholas nina nora oliver olivia oscar otto paul paula peter petra philip
    rachel ralph rebecca robert roger rosa rose rudolf ruth samuel sara simon sofia stella
    susan theodor thomas tilda tobias ursula valentin vera victor viola walter wanda wilma
    xenia yvonne zara zelda
    """.split()
    print(
        "The list cannot be had here: we go on with a short one,",
        "and skip what is said about its figures.",
    )

print(
    f"{len(names):,} names, from {min(map(len, names))} to {max(map(len, names))} letters:",
    *names[:8],
)

# %% [markdown]
# A network wants numbers. The letters are 1 to 26. Number 0, written as a dot, stands before the first letter *and* after the
# last one. That little trick makes the beginning and the end things that can be predicted like any letter.

# %%
letters = ".abcdefghijklmnopqrstuvwxyz"
number_of = {letter: number for number, letter in enumerate(letters)}

name = names[0]
dotted = f".{name}."
for k in range(len(name) + 1):
    before, after = dotted[k], dotted[k + 1]
    print(f"after {before!r} comes {after!r}: {number_of[before]} -> {number_of[after]}")

# %% [markdown]
# So one name is several samples. All names as two tables of numbers: in `X`, what is known (the dot and the letters), in `Y`,
# the same one place further on: what is to be predicted. Short names are filled up; -100 is the number that `cross_entropy`
# does not count.


# %%
def tables(names, length):
    X = torch.zeros(len(names), length, dtype=torch.int64)
    Y = torch.full((len(names), length), -100)
    for row, name in enumerate(names):
        numbers = torch.tensor([number_of[letter] for letter in name] + [0])
        Y[row, : len(numbers)] = numbers
        X[row, 1 : len(numbers)] = numbers[:-1]
    return X, Y


length = max(map(len, names)) + 1
order = torch.randperm(len(names)).tolist()
held_back = len(names) // 10
X, Y = tables([names[k] for k in order[held_back:]], length)
X_test, Y_test = tables([names[k] for k in order[:held_back]], length)
print("to learn from", tuple(X.shape), " to test", tuple(X_test.shape))
print("X", X[0].tolist())
print("Y", Y[0].tolist())

# %% [markdown]
# Every model of this lesson answers the same question with 27 numbers, and is judged in the same way: by the mean of
# $-\log p(\text{the letter that really came})$, the cross-entropy, over all letters of names that it has **not** seen. Who
# knows nothing gives each letter $1/27$:

# %%
knows_nothing = torch.tensor(27.0).log().item()
print(f"{knows_nothing:.3f}")

# %% [markdown]
# ## 2. Counting pairs
#
# The simplest model looks at one letter, and has counted what followed it.

# %%
before, after = X[Y >= 0], Y[Y >= 0]
counts = torch.zeros(27, 27)
counts.index_put_((before, after), torch.ones(len(before)), accumulate=True)

with style():
    plot, (ax,) = panels(1, "pairs of letters", size=(7, 6.4))
    ax.imshow(counts.sqrt().numpy(), cmap="Blues")
    ax.set_xticks(range(27), letters)
    ax.set_yticks(range(27), letters)
    ax.set_xlabel("comes next (the dot: the name ends)")
    ax.set_ylabel("letter (the dot: the name begins)")
plot

# %% [markdown]
# Find in it: which letters do names end with (the column of the dot)? What follows `q`? Which letter follows `t` most often?
#
# Divide each row by its sum, and it is a table of probabilities. One is added to each count first: a pair that was never seen
# gets a small chance. Otherwise one such pair in the test names would cost $-\log 0 = \infty$.

# %%
P = (counts + 1) / (counts + 1).sum(1, keepdim=True)


def loss_of(P, X, Y):
    return -P[X[Y >= 0], Y[Y >= 0]].log().mean().item()


losses = {"knows nothing": knows_nothing, "pairs, counted": loss_of(P, X_test, Y_test)}
print(f"{losses['pairs, counted']:.3f} on names not seen, {loss_of(P, X, Y):.3f} on the others")
if REAL:
    assert 2.43 < losses["pairs, counted"] < 2.49

# %% [markdown]
# Both numbers are nearly equal: 729 numbers counted from so many letters cannot learn anything by heart. To invent a name,
# begin with the dot, draw a letter by its row, go on with that letter's row, until the dot is drawn.


# %%
def invent(next_probabilities, count=8, longest=20):
    made = []
    for _ in range(count):
        numbers = []
        while len(numbers) < longest:
            number = torch.multinomial(next_probabilities(numbers), 1).item()
            if number == 0:
                break
            numbers.append(number)
        made.append("".join(letters[number] for number in numbers))
    return made


print(*invent(lambda numbers: P[numbers[-1] if numbers else 0]))
print(*invent(lambda numbers: torch.full((27,), 1 / 27)))

# %% [markdown]
# The first line is bad. The second, from the model that knows nothing, shows how much the first has learned.
#
# ## 3. The same table, learned
#
# Now forget the counts. Let `W` be a table of 27 × 27 unknown **scores**; softmax makes each row probabilities. Go downhill on
# the cross-entropy. Picking row `before` out of a table is all that the forward does.

# %%
predict(
    "All names, 200 steps of gradient descent, starting from zeros. What will `softmax(W)` be like?",
    [
        "The table of counted probabilities, nearly",
        "Some other table with a smaller loss",
        "The uniform table",
    ],
    "The table of counted probabilities, nearly",
    {
        "The table of counted probabilities, nearly": "For a free table, the cross-entropy is smallest at the relative "
        "frequencies. That is what maximum likelihood means.",
        "Some other table with a smaller loss": "On the names that are learned from there is none: frequencies are best.",
        "The uniform table": "It begins there, with a loss of log 27.",
    },
)

# %%
W = torch.zeros(27, 27, requires_grad=True)
optimizer = optim.Adam([W], lr=0.1)


@torch.compile
def step_of_table(before, after):
    loss = F.cross_entropy(W[before], after)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


learned = [step_of_table(before, after).item() for _ in range(200)]
frequencies = counts / counts.sum(1, keepdim=True).clamp(min=1)
floor = -frequencies[before, after].log().mean().item()
print(f"loss {learned[0]:.3f} -> {learned[-1]:.4f}; with the counted frequencies it is {floor:.4f}")
assert abs(learned[-1] - floor) < 0.02

# %% [markdown]
# So counting *is* training, for this model: the answer can be written down. From here on it cannot, because we want to look
# further back. A table for the last three letters would have $27^3 \cdot 27 = 531{,}441$ numbers, most of which never occur.
#
# ## 4. Three letters back: embeddings and an MLP
#
# The way out: give each letter a short row of numbers, its **embedding**, and learn these rows. Letters that behave alike can
# then *be* alike, and what is learned for `.an` helps with `.en`. The last three embeddings, side by side, go through a hidden
# layer.

# %%
CONTEXT = 3


def windows(X, Y):
    """The last three letters before each letter, and that letter: (N, 3) and (N,)"""
    padded = F.pad(X, (CONTEXT - 1, 0))
    last = torch.stack([padded[:, k : k + X.shape[1]] for k in range(CONTEXT)], 2)
    return last[Y >= 0], Y[Y >= 0]


last, following = windows(X, Y)
last_test, following_test = windows(X_test, Y_test)
for k in range(4):
    print("".join(letters[n] for n in last[k].tolist()), "->", letters[following[k].item()])

# %%
torch.manual_seed(0)
embedding, hidden, to_scores = nn.Embedding(27, 8), nn.Linear(CONTEXT * 8, 100), nn.Linear(100, 27)


def mlp(last):
    x = embedding(last).flatten(1)  # (B, 3, 8) -> (B, 24)
    return to_scores(torch.tanh(hidden(x)))


print("four windows", tuple(last[:4].shape), "-> their scores", tuple(mlp(last[:4]).shape))

# %% [markdown]
# All networks of this lesson are trained by the same function: random batches, Adam, a learning rate that goes up for a third
# of the steps and then down to nothing. `torch.compile` watches the step as it runs, and replays it from then on as a flat
# list of array operations: same numbers, less time.


# %%
def trained(parameters, loss_of_batch, data, steps, batch, lr):
    """Adam over random batches, the learning rate once up and down; the losses on the way"""
    optimizer = optim.AdamW(parameters, lr=lr)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=steps)

    @torch.compile
    def step(*tensors):
        loss = loss_of_batch(*tensors)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    history = []
    for _ in range(steps):
        chosen = torch.randint(0, len(data[0]), (batch,))
        history.append(step(*[t[chosen] for t in data]))
        schedule.step()
    return torch.stack(history)


# %%
mlp_parts = nn.ModuleList([embedding, hidden, to_scores])
steps = 6000 if REAL else 300
trained(
    mlp_parts.parameters(),
    lambda x, y: F.cross_entropy(mlp(x), y),
    (last, following),
    steps,
    128,
    1e-2,
)
with torch.no_grad():
    losses["three letters, MLP"] = F.cross_entropy(mlp(last_test), following_test).item()
print(
    f"{sum(p.numel() for p in mlp_parts.parameters()):,} parameters,",
    f"{losses['three letters, MLP']:.3f}",
)
if REAL:
    assert losses["three letters, MLP"] < 2.22


# %%
@torch.no_grad()
def next_by_mlp(numbers):
    window = ([0] * CONTEXT + numbers)[-CONTEXT:]
    return mlp(torch.tensor([window]))[0].softmax(0)


print(*invent(next_by_mlp))

# %% [markdown]
# These begin to sound like names. Look at what it has learned about letters. Two embeddings are alike if they point in the same
# direction: the cosine of their angle is near 1. All pairs, the vowels first:

# %%
vowels_first = "aeiou" + "".join(letter for letter in letters[1:] if letter not in "aeiou")
chosen = [number_of[letter] for letter in vowels_first]
with torch.no_grad():
    rows = embedding.weight - embedding.weight.mean(0)
    rows = (rows / rows.norm(dim=1, keepdim=True))[chosen]
    alike = rows @ rows.T

with style():
    plot, (ax,) = panels(1, "how alike letters are", size=(5.6, 5))
    picture = ax.imshow(alike.numpy(), cmap="RdBu", vmin=-1, vmax=1)
    ax.set_xticks(range(26), vowels_first)
    ax.set_yticks(range(26), vowels_first)
    plot.figure.colorbar(picture, ax=ax, shrink=0.7, label="cosine")
plot

# %%
among_vowels = (alike[:5, :5].sum().item() - 5) / 20
with_others = alike[:5, 5:].mean().item()
print(f"mean cosine: two vowels {among_vowels:.2f}, a vowel and a consonant {with_others:.2f}")
if REAL:
    assert among_vowels > with_others + 0.2

# %% [markdown]
# With the long list of names, the square of the vowels at the top left is all blue, and beside it red prevails: vowels are alike,
# and mostly unlike the consonants. Nobody said what a vowel is: the next letters gave it away.
#
# ## 5. Everything so far: a recurrent network
#
# Why three letters? A **recurrent** network reads one letter after the other and keeps a state $h$, a row of numbers with room
# for whatever it needs to remember. The same weights are used at each step:
#
# $$h_t = \tanh(x_t W + h_{t-1} U + b), \qquad \text{scores}_t = h_t V + c .$$
#
# Written out, and compared with the layer that does it:


# %%
def rnn_by_hand(x, W, U, b):
    """x (B, T, E) -> all states (B, T, H)"""
    h = torch.zeros(x.shape[0], U.shape[0])
    states = []
    for t in range(x.shape[1]):
        h = torch.tanh(x[:, t] @ W + h @ U + b)
        states.append(h)
    return torch.stack(states, 1)


layer = nn.RNN(8, 5, batch_first=True)
x = torch.randn(2, 6, 8)
mine = rnn_by_hand(
    x, layer.weight_ih_l0.T, layer.weight_hh_l0.T, layer.bias_ih_l0 + layer.bias_hh_l0
)
difference = (mine - layer(x)[0]).abs().max().item()
print(f"largest difference from nn.RNN: {difference:.1e}")
assert difference < 1e-6

# %% [markdown]
# Unrolled like this it is a feed-forward network with as many layers as there are letters, and `backward()` needs no new idea.
# But the gradient on its way back goes through $U^{\mathsf T}$ and a $\tanh'$ once for each step. Look at how much of it
# arrives, from the last state back to each input:

# %%
torch.manual_seed(0)
LONG = 60


def arriving(layer):
    """How large the gradient of the last state is at each step of the input"""
    x = torch.randn(32, LONG, 8, requires_grad=True)
    layer(x)[0][:, -1].sum().backward()
    return x.grad.norm(dim=2).mean(0)


lstm_layer = nn.LSTM(8, 32, batch_first=True)
with torch.no_grad():
    lstm_layer.bias_ih_l0[32:64] = 3.0  # the forget gate begins open
back = {
    "RNN": arriving(nn.RNN(8, 32, batch_first=True)),
    "LSTM, forget gate open": arriving(lstm_layer),
}
ago = list(range(LONG - 1, -1, -1))
curves(ago, {"size of the gradient": back}, "steps back", logarithmic=True, size=(4.8, 3.2))

# %% [markdown]
# After 60 steps, of the plain RNN's gradient nothing is left that float32 could feel. What happened long ago cannot be learned
# from. The other curve is the remedy.
#
# ## 6. LSTM
#
# The **long short-term memory** keeps a second state, the memory $c$, which is not multiplied by a matrix at each step. It is
# kept, or not, number by number, by *gates* between 0 and 1:
#
# $$
# \begin{aligned}
# i, f, o &= \sigma(\ldots) && \text{let in, keep, show} \\
# n &= \tanh(\ldots) && \text{what is new} \\
# c_t &= f \odot c_{t-1} + i \odot n && \text{the memory} \\
# h_t &= o \odot \tanh(c_t) && \text{what it shows}
# \end{aligned}
# $$
#
# Each $(\ldots)$ is $x_t W + h_{t-1} U + b$ with its own weights; the four are computed by one product and cut apart. If
# $f$ is near 1, the gradient walks back through $c$ almost undiminished.


# %%
def lstm_by_hand(x, W, U, b):
    H = U.shape[0]
    h = c = torch.zeros(x.shape[0], H)
    states = []
    for t in range(x.shape[1]):
        i, f, n, o = (x[:, t] @ W + h @ U + b).split(H, 1)
        c = f.sigmoid() * c + i.sigmoid() * n.tanh()
        h = o.sigmoid() * c.tanh()
        states.append(h)
    return torch.stack(states, 1)


layer = nn.LSTM(8, 5, batch_first=True)
mine = lstm_by_hand(
    x, layer.weight_ih_l0.T, layer.weight_hh_l0.T, layer.bias_ih_l0 + layer.bias_hh_l0
)
difference = (mine - layer(x)[0]).abs().max().item()
print(f"largest difference from nn.LSTM: {difference:.1e}")
assert difference < 1e-6

# %% [markdown]
# Now train both, with 64 numbers of state. A whole name is read at once: at each of its letters the model predicts the next
# one, and all these predictions count.


# %%
class Recurrent(nn.Module):
    def __init__(self, kind, size=64):
        super().__init__()
        self.embedding = nn.Embedding(27, 16)
        self.recurrent = kind(16, size, batch_first=True)
        self.scores = nn.Linear(size, 27)

    def forward(self, x):
        states, _ = self.recurrent(self.embedding(x))
        return self.scores(states)  # (B, T, 27)


def names_loss(model, x, y):
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())


models, histories = {}, {}
steps = 2000 if REAL else 200
for title, kind, lr in (("all letters, RNN", nn.RNN, 5e-3), ("all letters, LSTM", nn.LSTM, 1e-2)):
    torch.manual_seed(0)
    model = models[title] = Recurrent(kind)
    histories[title] = trained(
        model.parameters(),
        lambda x, y, model=model: names_loss(model, x, y),
        (X, Y),
        steps,
        128,
        lr,
    )
    with torch.no_grad():
        losses[title] = names_loss(model, X_test, Y_test).item()
    print(
        f"{title}: {sum(p.numel() for p in model.parameters()):,} parameters, {losses[title]:.3f}"
    )
if REAL:
    assert losses["all letters, LSTM"] < 2.06 < losses["three letters, MLP"]

smoothed = {title: history.view(-1, 50).mean(1) for title, history in histories.items()}
at = [50 * (k + 1) for k in range(steps // 50)]
curves(at, {"loss while learning": smoothed}, "step", size=(4.8, 3.2))

# %% [markdown]
# ## 7. All of them
#
# $e^{\text{loss}}$ is easier to feel: among how many letters, all equally likely, one would have to guess to do as badly.

# %%
for title, loss in losses.items():
    print(f"{title:20} loss {loss:.3f}   as uncertain as among {2.718281828**loss:4.1f} letters")

# %% [markdown]
# With the long list: 27, 12, 9, 8, 7.5. It will not become one: after `ma` there *are* many names.
#
# **Temperature.** Divide the scores by a number $\tau$ before softmax. Below 1, the likely becomes likelier: safe and
# monotonous. Above 1, the unlikely gets its chance.

# %%
lstm = models["all letters, LSTM"]


@torch.no_grad()
def next_by_lstm(numbers, temperature=1.0):
    scores = lstm(torch.tensor([[0, *numbers]]))[0, -1]
    return (scores / temperature).softmax(0)


for temperature in (0.5, 1.0, 1.5):
    print(f"{temperature}: ", *invent(lambda numbers, t=temperature: next_by_lstm(numbers, t)))

# %% [markdown]
# Your turn. The trained models are inside the piece below: it computes with their weights. Type a beginning, see what each
# model expects, press a bar to add its letter. Compare the models after `jose`, after `q`, and after `xxxxa`: who remembers?

# %%
next_letter(
    letters,
    {
        "pairs": W,
        "three letters": (embedding, hidden, to_scores),
        "LSTM": (lstm.embedding, lstm.recurrent, lstm.scores),
    },
)

# %% [markdown]
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1.** A model gives the letters of `.ana.` the probabilities 0.1, 0.5, 0.2, 0.4: `a`, then `n`, `a`, and the end. What is its
# loss for this name, the mean over the four predictions?

# %%
p = torch.tensor([0.1, 0.5, 0.2, 0.4])


# %% tags=["check"]
def check_loss_of_a_name(answer):
    hints = {
        -p.log().sum().item(): "This is the sum; take the mean.",
        p.log().mean().item(): "The sign: a loss is positive.",
        -p.mean().log().item(): "First the logarithm of each, then the mean.",
    }
    return check("loss of a name", answer, -p.log().mean().item(), hints, atol=1e-3)


# %%
answer = None
check_loss_of_a_name(answer)

# %% tags=["solution"]
answer = -(p.log().sum() / 4).item()
assert check_loss_of_a_name(answer)

# %% [markdown]
# **2.** Write the counted model for *two* letters back: `triples(X, Y)` returns counts of shape (27, 27, 27), where
# `[a, b, c]` is how often `c` came after `a` and then `b`. `windows(X, Y)` gives the last three letters before each.


# %% tags=["check"]
def check_triples(triples):
    def counted(X, Y):
        table = torch.zeros(27, 27, 27)
        for row, targets in zip(X.tolist(), Y.tolist(), strict=True):
            for t, c in enumerate(targets):
                if c >= 0:
                    table[row[t - 1] if t else 0, row[t], c] += 1
        return table

    hints = [
        (
            lambda X, Y: counted(X, Y).transpose(0, 1),
            "The order of the indices: the letter two back, the letter before, the letter that comes.",
        )
    ]
    return check_function("triples", triples, counted, (X[:20], Y[:20]), hints=hints)


# %%
def triples(X, Y):
    return None


check_triples(triples)


# %% tags=["solution"]
def triples(X, Y):
    last, following = windows(X, Y)
    table = torch.zeros(27, 27, 27)
    return table.index_put(
        (last[:, 1], last[:, 2], following), torch.ones(len(following)), accumulate=True
    )


assert check_triples(triples)

# %% [markdown]
# **3.** Smoothing. Add `k` to each count of the triples before they become probabilities, for k = 0.001, 0.1, 1 and 10. For
# which is the loss on the *test* names smallest? Predict, then compute.


# %%
def loss_with(k):
    smoothed = triples(X, Y) + k
    probabilities = smoothed / smoothed.sum(2, keepdim=True)
    last, following = windows(X_test, Y_test)
    return -probabilities[last[:, 1], last[:, 2], following].log().mean().item()


by_k = {k: loss_with(k) for k in (0.001, 0.1, 1, 10)}


# %% tags=["check"]
def check_smoothing(best_k):
    hints = {
        0.001: "Pairs that were never seen become too expensive.",
        10: "So much is added that what was counted drowns.",
    }
    return check(
        "smoothing",
        best_k,
        min(by_k, key=by_k.get),
        {k: why for k, why in hints.items() if k != min(by_k, key=by_k.get)},
    )


# %%
best_k = None
check_smoothing(best_k)

# %% tags=["solution"]
print({k: round(loss, 3) for k, loss in by_k.items()})
best_k = min(by_k, key=by_k.get)
assert check_smoothing(best_k)

# %% [markdown]
# **4.** How many parameters has an LSTM layer with 16 inputs and 64 numbers of state? (PyTorch's and ours keep two biases.)


# %% tags=["check"]
def check_an_lstm_parameters(answer):
    right = sum(p.numel() for p in lstm.recurrent.parameters())
    hints = {
        right - 4 * 64: "Nearly: there are two biases for each gate.",
        right // 4: "That is one gate; there are four of them: input, forget, new, output.",
    }
    return check("an LSTM's parameters", answer, right, hints)


# %%
answer = None
check_an_lstm_parameters(answer)

# %% tags=["solution"]
answer = 4 * (16 * 64 + 64 * 64 + 64 + 64)
assert check_an_lstm_parameters(answer)

# %% [markdown]
# **5.** The **gated recurrent unit** is the LSTM's smaller sister. It has no second state. With
# $r, z = \sigma(\ldots)$ and $n = \tanh(x W_n + b_n + r \odot (h U_n + c_n))$:
#
# $$h_t = (1 - z) \odot n + z \odot h_{t-1} .$$
#
# Write one step. `a = x W + b` and `d = h U + c` are given, each (B, 3H), with the parts in the order r, z, n. (The dots in $r$
# and $z$ are the sums of their parts of both.)


# %% tags=["check"]
def check_a_gru_step(gru_step):
    cell = nn.GRUCell(8, 5)
    x, h = torch.randn(4, 8), torch.randn(4, 5)

    def reference(a, d, h, exchanged=False):
        """The cell itself, with its products given; perhaps with z and 1 - z in each other's place"""
        r, z, n = ((a[:, k : k + 5], d[:, k : k + 5]) for k in (0, 5, 10))
        new = (n[0] + sum(r).sigmoid() * n[1]).tanh()
        old, new = (new, h) if exchanged else (h, new)
        return new + sum(z).sigmoid() * (old - new)

    with torch.no_grad():
        a, d = F.linear(x, cell.weight_ih, cell.bias_ih), F.linear(h, cell.weight_hh, cell.bias_hh)
        assert torch.allclose(reference(a, d, h), cell(x, h), atol=1e-6)

    def swapped(a, d, h):
        return reference(a, d, h, exchanged=True)

    hints = [(swapped, "z says how much of the old state is kept, 1 - z how much is new.")]
    return check_function("a GRU's step", gru_step, reference, (a, d, h), hints=hints)


# %%
def gru_step(a, d, h):
    return None


check_a_gru_step(gru_step)


# %% tags=["solution"]
def gru_step(a, d, h):
    (ar, az, an), (dr, dz, dn) = a.chunk(3, 1), d.chunk(3, 1)
    r, z = (ar + dr).sigmoid(), (az + dz).sigmoid()
    n = (an + r * dn).tanh()
    return (1 - z) * n + z * h


assert check_a_gru_step(gru_step)

# %% [markdown]
# **6.** What does the temperature do at its ends? Name the probabilities of softmax(scores / τ) for scores (1, 2, 3) as τ goes
# to 0, and as τ goes to infinity, as lists of three numbers.


# %% tags=["check"]
def check_temperature(answer):
    scores = torch.tensor([1.0, 2.0, 3.0])
    expected = {"to 0": (scores / 1e-3).softmax(0), "to infinity": (scores / 1e6).softmax(0)}
    given = None if None in answer.values() else {end: torch.tensor(p) for end, p in answer.items()}
    return check(
        "temperature",
        given,
        expected,
        atol=1e-3,
        because="Cold: always the best. Hot: knows nothing.",
    )


# %%
answer = {"to 0": None, "to infinity": None}
check_temperature(answer)

# %% tags=["solution"]
answer = {"to 0": [0.0, 0.0, 1.0], "to infinity": [1 / 3, 1 / 3, 1 / 3]}
assert check_temperature(answer)
