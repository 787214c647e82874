# %% [markdown]
# # 21 · Two processes
#
# After this lesson you can
#
# - say what all-reduce computes, how it is done without anybody in the middle, and how many bytes it moves;
# - show that averaged gradients of two half batches are the gradient of the whole batch, and say when they are not;
# - write a training program that runs in one process or in many without a change;
# - estimate when a second process pays, and read the error when processes disagree.
#
# You need a training loop and `backward()`. The two processes below are real: this notebook starts them. They need MPI, which
# `pip install "tinygrad_edu[mpi]"` brings. Without it everything else here still runs.

# %%
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import tinygrad_edu as torch
from tinygrad_edu import nn
from tinygrad_edu.distributed import launch
from tinygrad_edu.learn import check, check_function, predict

_ = torch.manual_seed(21)

# %% [markdown]
# ## 1. Two programs that know nothing of each other
#
# A *process* is a running program with memory of its own. Start the same program twice, and you have two processes with two
# sets of variables; neither can look into the other's. What a **launcher** adds is little: it starts them together, and tells
# each one its number, the **rank**, and how many there are, the **world size**.
#
# This helper writes a program into a file, starts it with `python -m tinygrad_edu launch -n 2 program.py`, and prints what the
# processes have said, sorted, since who speaks first is chance.


# %%
def together(count, program):
    """Run a program in so many processes; the lines that they print, sorted, or the error."""
    if missing := launch.missing():
        print(f"Not run: {missing}.")
        return []
    file = Path(tempfile.mkdtemp(), "program.py")
    file.write_text(program)
    command = [sys.executable, "-m", "tinygrad_edu", "launch", "-n", str(count), file]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    lines = sorted(ended.stdout.splitlines())
    if ended.returncode:  # the last line of the traceback, and what it says
        said = ended.stderr[ended.stderr.rindex("Error: ") + 7 :]
        lines = [line for line in said.splitlines() if not line.startswith("Abort")]
    print("\n".join(lines))
    return lines


# %%
HELLO = """
import torch
import torch.distributed as dist

dist.init_process_group()
rank, size = dist.get_rank(), dist.get_world_size()
x = torch.tensor([1.0, 10.0]) * (rank + 1)
print(f"process {rank} of {size}: my x is {x.tolist()}")
"""
lines = together(2, HELLO)
assert not lines or lines[1] == "process 1 of 2: my x is [2.0, 20.0]"

# %% [markdown]
# One program, two values of `x`. The only thing that differs between the two is the rank; whatever they do differently, they do
# because of an expression with `rank` in it.
#
# ## 2. All-reduce
#
# The one thing they must do together in training is to add: every process has a tensor, and afterwards **every process has the
# sum of all**. That is *all-reduce*:
#
# $$x_k \;\longleftarrow\; x_0 + x_1 + \dots + x_{n-1} \quad\text{in every process } k.$$

# %%
SUM = """
import torch
import torch.distributed as dist

dist.init_process_group()
rank, size = dist.get_rank(), dist.get_world_size()
x = torch.tensor([1.0, 10.0]) * (rank + 1)
before = x.tolist()
dist.all_reduce(x)
print(f"process {rank} of {size}: before {before}, after {x.tolist()}")
"""
lines = together(2, SUM)
assert not lines or lines[0].endswith("after [3.0, 30.0]")

# %% [markdown]
# Nobody asked for the other's value, and nobody is in charge. But both had to call it: a process that calls `all_reduce` waits
# until all the others have called it too. With three processes:

# %%
lines = together(3, SUM)
assert not lines or lines[0].endswith("[6.0, 60.0]")

# %% [markdown]
# ## 3. How it is done
#
# The simplest way: everybody sends everything to process 0, which adds, and sends the sum back. Then process 0 takes in
# $n - 1$ tensors while the others wait. A better way has no centre. Cut each tensor into $n$ pieces, and let the processes
# stand in a ring. In each step everybody hands one piece to the right, and adds what comes from the left to its own:


# %%
def ring(vectors):
    """All-reduce in a ring, written out; how many numbers each process has sent."""
    n = len(vectors)
    pieces = [list(v.chunk(n)) for v in vectors]  # pieces[process][piece]
    sent = 0
    for step in range(2 * (n - 1)):
        moving = [(k, (k - step) % n) for k in range(n)]  # process k sends this piece
        on_the_way = [pieces[k][i].clone() for k, i in moving]
        for (k, i), piece in zip(moving, on_the_way, strict=True):
            right = (k + 1) % n
            adding = step < n - 1  # first sums grow on their way, then the finished ones go round
            pieces[right][i] = pieces[right][i] + piece if adding else piece
        sent += len(on_the_way[0])
    return [torch.cat(p) for p in pieces], sent


vectors = [torch.randn(12) for _ in range(4)]
results, sent = ring(vectors)
for result in results:
    assert torch.allclose(result, sum(vectors), atol=1e-6)
print(f"4 processes, 12 numbers each: every one sends {sent}, and all have the sum")

# %% [markdown]
# After $n - 1$ steps each process has one piece that is complete; after $n - 1$ more, the complete pieces have gone all the way
# round. Each step sends an $n$-th of the tensor, so a process sends $2\frac{n-1}{n}$ times its tensor. Look at how that grows:

# %%
for n in (2, 4, 8, 16, 64):
    _, sent = ring([torch.randn(64 * 64) for _ in range(n)])
    print(
        f"{n:3} processes: each sends {sent / (64 * 64):.3f} times its tensor, in {2 * (n - 1):3} steps"
    )
    assert math.isclose(sent / (64 * 64), 2 * (n - 1) / n)

# %% [markdown]
# It hardly grows: never more than twice the tensor, for any number of processes. That is why thousands can train together.
# (What does grow is the number of steps; libraries use trees instead of a ring where messages are small.)
#
# There are relatives, which you will meet by name: `broadcast` gives everybody what one process has, `reduce` gives the sum
# to one alone, `all_gather` gives everybody the list of all tensors, `reduce_scatter` is the first half of our ring.

# %%
predict(
    "Process 0 calls `all_reduce`, process 1 goes home without calling it. What happens to process 0?",
    ["It gets its own tensor back", "It gets a sum with zeros", "It waits"],
    "It waits",
    {
        "It gets its own tensor back": "Then it could never be sure whether it has the sum of all.",
        "It gets a sum with zeros": "Nobody has said that process 1 has only zeros.",
        "It waits": (
            "All must come. In a library that only waits, forever; here it hears that process 1 has ended its "
            "program, and stops with an error."
        ),
    },
)

# %% [markdown]
# ## 4. Why averaging gradients is a larger batch
#
# The loss of a batch is the mean over its samples. Take $2b$ samples, and give $b$ of them to each of two processes:
#
# $$L = \frac{1}{2b}\sum_{i=1}^{2b} \ell_i
#     = \frac12 \Bigl( \underbrace{\frac1b \sum_{i \le b} \ell_i}_{L_0} + \underbrace{\frac1b \sum_{i > b} \ell_i}_{L_1} \Bigr),
# \qquad \nabla L = \frac12 (\nabla L_0 + \nabla L_1).$$
#
# The second equation needs nothing but that the gradient of a sum is the sum of the gradients. In code, in one process:

# %%
model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
x, y = torch.randn(8, 5), torch.randn(8, 1)


def gradient(x, y):
    """All gradients of the loss in one long vector."""
    model.zero_grad()
    nn.functional.mse_loss(model(x), y).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()]).clone()


whole = gradient(x, y)
halves = (gradient(x[:4], y[:4]) + gradient(x[4:], y[4:])) / 2
print("largest difference:", f"{(whole - halves).abs().max().item():.0e}")
assert torch.allclose(whole, halves, atol=1e-6)

# %% [markdown]
# The same up to rounding. Now cut it into parts of 3 and 5 samples:

# %%
first, second = gradient(x[:3], y[:3]), gradient(x[3:], y[3:])
print("plain average:   ", f"{(whole - (first + second) / 2).abs().max().item():.0e}")
print("weighted average:", f"{(whole - (3 * first + 5 * second) / 8).abs().max().item():.0e}")
assert not torch.allclose(whole, (first + second) / 2, atol=1e-3)
assert torch.allclose(whole, (3 * first + 5 * second) / 8, atol=1e-6)

# %% [markdown]
# With unequal parts the plain average lets each of the 3 samples count more than each of the 5. Equal parts, or weights: that
# is the small print. (The other one is a layer that looks at the whole batch: batch normalisation computes its mean over the
# process's own half. `nn.SyncBatchNorm` asks the others.)
#
# ## 5. Two real processes
#
# A whole training program. Each process takes every `size`-th sample from its rank on, and averages its gradients with the
# others by hand, in two lines. With one process, `size` is 1, and nothing is different.

# %%
TRAIN = """
import torch
import torch.distributed as dist
from torch import nn

dist.init_process_group()
rank, size = dist.get_rank(), dist.get_world_size()
torch.manual_seed(0)
data = torch.randn(64, 5)
target = data.square().sum(1, keepdim=True)
model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))  # the same seed: the same start
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(100):
    x, y = data[rank::size], target[rank::size]
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    for p in model.parameters():  # AVERAGE
        dist.all_reduce(p.grad, dist.ReduceOp.AVG)  # AVERAGE
    optimizer.step()
mark = sum(p.sum().item() for p in model.parameters())
print(f"process {rank} of {size}: {len(x)} samples a step, sum of all weights {mark:.4f}")
"""
one = together(1, TRAIN)
two = together(2, TRAIN)


# %%
def mark(line):
    return float(line.split()[-1])


if two:
    assert mark(two[0]) == mark(two[1])  # both have the same weights, to the last bit
    assert abs(mark(two[0]) - mark(one[0])) < 1e-3  # and those of one process with all 64 samples

# %% [markdown]
# A hundred steps, and three times the same weights: in both processes, and in the one that had all the samples. The two never
# exchanged a weight. They started alike, and every update was the same; so they stay alike.
#
# Take the average out, and they drift apart: two different networks, each trained on half of the data.

# %%
without = "\n".join(line for line in TRAIN.splitlines() if "AVERAGE" not in line)
apart = together(2, without)
assert not apart or abs(mark(apart[0]) - mark(apart[1])) > 1e-2

# %% [markdown]
# In practice one wraps the model, and writes the loop as ever. `DistributedDataParallel` gives all processes the weights of
# rank 0 at the start, so that equal seeds are not needed, and sends gradients off *while* `backward()` still runs: the last
# layer's are ready first.

# %%
wrapped = without.replace(
    "optimizer =", "model = nn.parallel.DistributedDataParallel(model)\noptimizer ="
)
lines = together(2, wrapped)
assert not lines or abs(mark(lines[0]) - mark(two[0])) < 1e-3

# %% [markdown]
# ## 6. When does a second process pay?
#
# A step has work $W$, which is divided, and gradients of $B$ bytes, which are not: every process has all weights. At a
# bandwidth of $\beta$ bytes a second, and if nothing is hidden behind the work,
#
# $$T(n) \approx \frac{W}{n} + 2\,\frac{n-1}{n}\,\frac{B}{\beta}.$$


# %%
def step_time(n, work, size, bandwidth):
    """Seconds of a step that n processes divide among themselves."""
    return work / n + 2 * (n - 1) / n * size / bandwidth


for name, work, size in (("small network", 0.001, 0.4e6), ("large batch", 0.200, 7.5e6)):
    speeds = [step_time(1, work, size, 1e9) / step_time(n, work, size, 1e9) for n in (2, 4, 8, 16)]
    said = [f"{n:2} processes: {s:4.2f}x" for n, s in zip((2, 4, 8, 16), speeds, strict=True)]
    print(f"{name:14}", "  ".join(said))

# %% [markdown]
# At 1 GB/s, the small network, with a step of a millisecond, hardly gains. The large batch gains much more: its gradients are
# larger, too, but they travel once for a lot of work. And 16 processes are never 16 times as fast, since what travels does not
# shrink. **First more work in a step, then more processes.**
#
# ## 7. When processes disagree
#
# The classic mistake: a call that only one process makes, behind an `if rank == 0`. Each call carries a number that stands for
# what it is; so processes that disagree notice it, and say who does what, and where. The error ends all of them at once.

# %%
WRONG = """
import torch
import torch.distributed as dist

dist.init_process_group()
x = torch.ones(3)
if dist.get_rank() == 0:
    dist.broadcast(x, src=0)
dist.all_reduce(x)
"""
lines = together(2, WRONG)
assert not lines or any("do not make the same call" in line for line in lines)

# %% [markdown]
# ## Exercises
#
# **1. Four processes.** Process $k$ holds `torch.tensor([k, k * k, 1])`, with $k = 0, 1, 2, 3$. What does process 2 hold after
# `all_reduce`?


# %% tags=["check"]
def check_sums(answer):
    hints = [
        ([2, 4, 1], "That is what process 2 had before."),
        ([1.5, 3.5, 1], "That is the average: all_reduce adds, unless it is asked for AVG."),
    ]
    because = "And so does every other one. The last number has counted the processes."
    return check("all-reduce", answer, [6, 14, 4], hints, because=because)


# %%
answer = None  # a list of three numbers
check_sums(answer)

# %% tags=["solution"]
answer = [sum(range(4)), sum(k * k for k in range(4)), 4]
assert check_sums(answer)

# %% [markdown]
# **2. Bytes.** A network has 25 million parameters in float32; 8 processes train it. How many megabytes (millions of bytes) of
# gradients does each process send in a step, in a ring?


# %% tags=["check"]
def check_bytes(megabytes):
    hints = {
        100: "That is the tensor once. It goes round twice, less what a process keeps.",
        200: "Almost: a process does not send the piece that it keeps, in neither half of the ring.",
        700: "Each step sends one piece, an eighth of the tensor.",
        43.75: "A float32 has four bytes.",
    }
    because = "With 1,000 processes it would be 199.8: the bytes hardly grow."
    return check("megabytes", megabytes, 175.0, hints, because=because)


# %%
megabytes = None
check_bytes(megabytes)

# %% tags=["solution"]
megabytes = 2 * (8 - 1) / 8 * 25 * 4
assert check_bytes(megabytes)

# %% [markdown]
# **3. Unequal parts.** Write `combined(gradients, counts)`: the gradient of the whole batch, from each process's gradient of its
# *mean* loss, and from how many samples each one had. (A process may have none.)


# %% tags=["check"]
def check_combined(combined):
    def right(gradients, counts):
        return sum(g * n for g, n in zip(gradients, counts, strict=True)) / sum(counts)

    def plain(gradients, counts):
        return sum(gradients) / len(gradients)

    def undivided(gradients, counts):
        return sum(g * n for g, n in zip(gradients, counts, strict=True))

    samples = [
        ([torch.tensor([1.0, 2.0]), torch.tensor([3.0, -2.0])], [3, 5]),
        ([torch.randn(4), torch.randn(4), torch.zeros(4)], [4, 2, 0]),
    ]
    hints = [
        (plain, "Every process counts the same here; every sample should."),
        (undivided, "That is the gradient of the summed loss: divide by all samples."),
    ]
    because = "DistributedDataParallel does it with weigh_samples=True."
    return check_function("combined", combined, right, *samples, hints=hints, because=because)


# %%
def combined(gradients, counts):
    return None


check_combined(combined)


# %% tags=["solution"]
def combined(gradients, counts):
    return sum(n * g for g, n in zip(gradients, counts, strict=True)) / sum(counts)


assert check_combined(combined)

# %% [markdown]
# **4. The learning rate.** You train with batches of 32 and a learning rate of 0.1, then start 8 processes, each with batches of
# 32. What is the batch of a step now? And a common rule of thumb makes the learning rate grow with the batch: what does it say?


# %% tags=["check"]
def check_batch(answer):
    hints = [
        ((32, 0.1), "Each process has 32 samples, and one step uses the gradients of all."),
        ((256, 0.1), "The rule of thumb: 8 times the batch, 8 times the learning rate."),
    ]
    because = "Fewer, larger steps. The rule holds until steps become too large; many warm up slowly first."
    return check("batch", answer, (256, 0.8), hints, because=because)


# %%
answer = None  # (batch, learning rate)
check_batch(answer)

# %% tags=["solution"]
answer = (8 * 32, 8 * 0.1)
assert check_batch(answer)

# %% [markdown]
# **5. Does it pay?** One process needs 20 ms for a step with gradients of 10 MB; two processes, each with half of the samples,
# are joined by a network of 1 GB/s. How many times as fast are the two, if nothing is hidden?


# %% tags=["check"]
def check_pays(speedup):
    hints = {
        2: "Only the work is halved; the gradients must travel too.",
        round(20 / 30, 3): "With two processes each sends its gradients once: 2 (n - 1) / n is 1.",
    }
    because = "No gain at all: 10 ms of work are saved, and 10 ms of travel are new."
    return check("speed-up", speedup, 1.0, hints, atol=1e-3, because=because)


# %%
speedup = None
check_pays(speedup)

# %% tags=["solution"]
speedup = step_time(1, 0.020, 10e6, 1e9) / step_time(2, 0.020, 10e6, 1e9)
assert check_pays(speedup)

# %% [markdown]
# **6. Predict.**

# %%
predict(
    "The loss is the *sum* over the samples, not the mean. What must two processes do with their gradients to train as one?",
    ["average them", "add them", "multiply them"],
    "add them",
    {
        "average them": "That gives half of the gradient of the whole sum.",
        "add them": "The loss of the whole is the sum of both losses, and so is its gradient.",
        "multiply them": "Nothing in the loss multiplies samples.",
    },
)
