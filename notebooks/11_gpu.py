# %% [markdown]
# # 11 · The GPU
#
# After this lesson you can
#
# - move a training to a GPU by **one** change, `.to(device)`, and say what has to move along;
# - say what a clock shows when work is only *ordered* and not done, and time it honestly;
# - tell beforehand when a GPU loses, from three costs: starting, carrying, computing;
# - measure it on your own machine, and keep the table.
#
# You need the training loop (`08_full_loop`). You do **not** need a GPU: without one everything runs on the CPU.

# %%
import json
import queue
import statistics
import threading
import time
from itertools import pairwise
from pathlib import Path
from unittest import mock

import tinygrad_edu as torch
from tinygrad_edu import nn, optim, viz
from tinygrad_edu.datasets import Digits
from tinygrad_edu.learn import check, check_function, predict
from tinygrad_edu.learn.widgets.device_race import device_race
from tinygrad_edu.nn import functional as F

SECONDS = 0.2  # how long each thing is measured; more is more exact

# %% [markdown]
# ## 1. One change
#
# A tensor lives in the memory of a *device*: `cpu`, or `cuda` for an NVIDIA GPU. This line is in nearly every program:

# %%
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print("we compute on:", device)
if device.type == "cpu":
    try:
        torch.ones(2).to("cuda")
    except RuntimeError as error:
        print("because:", error)

# %% [markdown]
# (A GPU is used through CuPy, a NumPy for GPUs. The message says what to install, or what else is missing.)
#
# And this is the whole change in a training: the **model** goes there once, the **data** go there, and everything computed from
# them is there already. Three places, marked with an arrow.


# %%
def load(train):
    digits = Digits(train=train)
    return digits.data.float().reshape(-1, 64) / 255, digits.targets


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)).to(device)  # <- the model
x, y = (t.to(device) for t in load(train=True))  # <- the data: they are small, so all at once
optimizer = optim.Adam(model.parameters(), lr=5e-3)

for _ in range(20):
    for index in torch.randperm(len(x)).to(device).split(32):  # <- what is made on the way
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[index]), y[index])
        loss.backward()
        optimizer.step()

x_test, y_test = (t.to(device) for t in load(train=False))
with torch.no_grad():
    accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
print(f"test accuracy {accuracy:.1%}, computed on {model[0].weight.device}")
assert accuracy >= 0.95

# %% [markdown]
# On a machine with a GPU the same lines run there. The operations of this package are plain array functions, and CuPy's
# arrays answer to the same names, so there is no second version of anything.
#
# **Two mistakes** that everybody makes once. First, `.to` on a *tensor* returns a new tensor and leaves the old one where it
# was; `.to` on a *model* changes the model. You can see it with a dtype, which moves by the same rule:

# %%
t = torch.ones(2)
t.to(torch.float64)  # the result is thrown away!
print("the tensor is still", t.dtype)
layer = nn.Linear(2, 2)
layer.to(torch.float64)
print("the layer is now   ", layer.weight.dtype)
assert t.dtype == torch.float32 and layer.weight.dtype == torch.float64

# %% [markdown]
# Second, a tensor made *inside* `forward`, say `torch.zeros(len(x))`, is made on the CPU, and two devices never mix: it is an error,
# not a silent copy. Write `torch.zeros(len(x), device=x.device)`.

# %% [markdown]
# ## 2. Ordered is not done
#
# A GPU works through a **queue**. When Python says `a @ b`, the order is put into the queue, and Python goes on at once,
# with a tensor whose numbers are not there yet. This is good: Python prepares the next order while the device
# works. But a clock around `a @ b` then measures *how long it takes to write an order*.
#
# We can build this with a thread. It is not a GPU, it only behaves like one in this point: it takes orders, and works them
# off later.


# %%
class ToyDevice:
    """A thread that takes orders and works them off, one after the other."""

    def __init__(self):
        self.orders = queue.Queue()
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self):
        while True:
            function, arguments, place = self.orders.get()
            place.append(function(*arguments))
            self.orders.task_done()

    def launch(self, function, *arguments):
        """Order a computation. What is returned is a place, into which the result will come."""
        place = []
        self.orders.put((function, arguments, place))
        return place

    def synchronize(self):
        """Wait until all orders are done."""
        self.orders.join()


toy = ToyDevice()
a = torch.randn(600, 600)

began = time.perf_counter()
places = [toy.launch(torch.matmul, a, a) for _ in range(20)]
ordered = time.perf_counter() - began
waiting = sum(not place for place in places)
toy.synchronize()
done = time.perf_counter() - began

print(f"20 products ordered after {1000 * ordered:8.2f} ms; of these, {waiting} are not done yet")
print(f"20 products done after    {1000 * done:8.2f} ms")
assert all(torch.equal(place[0], a @ a) for place in places)

# %% [markdown]
# The first line looks like a miracle; the second is the truth.

# %%
predict(
    "Somebody stops the clock right after the loop, prints the time, and then prints places[-1]. What is right?",
    ["the time is right", "the time is too short, the result is right", "both are wrong"],
    "the time is too short, the result is right",
    {
        "the time is right": "The clock was stopped when the last order was written, not when it was done.",
        "the time is too short, the result is right": "To read a number one has to wait for it. Nobody gets a wrong "
        "number; only the clock was deceived.",
        "both are wrong": "A real GPU makes whoever reads a result wait until it is there.",
    },
)

# %% [markdown]
# For a real GPU the waiting is called `torch.cuda.synchronize()`. An honest measurement has four parts:
#
# 1. run once **without counting** (the first call compiles, reserves memory, fills caches);
# 2. wait, and start the clock;
# 3. run **many** times;
# 4. **wait again**, and stop the clock. And take the median of several such runs, not the best one.


# %%
def wait(device):
    """Until the device has done all that was ordered; a CPU has done it already."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def seconds_of(step, device):
    """Seconds that `step()` takes on a device: a median."""
    step()
    wait(device)
    began = time.perf_counter()
    step()
    wait(device)
    once = max(time.perf_counter() - began, 1e-7)
    count = max(1, int(SECONDS / 5 / once))
    runs = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(count):
            step()
        wait(device)
        runs.append((time.perf_counter() - began) / count)
    return statistics.median(runs)


b = torch.randn(256, 256)
print(f"a product of 256 x 256 on the CPU: {1e6 * seconds_of(lambda: b @ b, 'cpu'):.0f} µs")

# %% [markdown]
# **Who waits without being told?** Everything that needs a number *in Python*: `.item()`, `float(t)`, `.tolist()`, `.cpu()`,
# `.numpy()`, `print(t)`, `if t > 0:`. In a training loop the usual culprit is the running total:
#
# ```python
# total += loss.item()      # waits in every step: the queue runs empty
# total += loss.detach()    # orders an addition; wait once, at the end: total.item()
# ```
#
# Without `.detach()` the total would keep all graphs alive (`15_mistakes` shows it).

# %% [markdown]
# ## 3. Three costs
#
# The time of an operation on any device is about
#
# $$\text{start} \;+\; \frac{\text{bytes that are moved}}{\text{bytes a second}} \;+\; \frac{\text{multiplications}}{\text{multiplications a second}} .$$
#
# A GPU is made for the third term: thousands of small calculators. In the first term it is *worse* than a CPU, because each
# order has to travel. The first term is there on the CPU too. Look at products of matrices from 2 × 2 up:

# %%
rates = {}
for n in (2, 8, 32, 128, 512):
    matrix = torch.randn(n, n)
    seconds = seconds_of(lambda matrix=matrix: matrix @ matrix, "cpu")
    rates[n] = 2 * n**3 / seconds / 1e9  # n³ multiplications, and as many additions
    print(f"{n:4} x {n:<4} {1e6 * seconds:10.1f} µs {rates[n]:9.3f} billion calculations a second")

# %% [markdown]
# The same CPU, the same operation, and hundreds of times more calculations a second at the bottom than at the top. Small
# products are *all start*. On a GPU the same picture is stretched: the start is longer and the arithmetic is
# quicker, so that it takes larger matrices until the arithmetic counts.
#
# How many starts has a training step? Count them:


# %%
def training_step(device, batch, widths=(784, 128, 10)):
    """A function that does one training step of a network on random data."""
    torch.manual_seed(0)
    layers = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    model = nn.Sequential(*layers[:-1]).to(device)
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    x = torch.rand(batch, widths[0]).to(device)
    y = torch.randint(widths[-1], (batch,)).to(device)

    def step():
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


step = training_step("cpu", 64)
step()
with viz.profile() as profile:
    step()
operations = sum(row.calls + row.back_calls for row in profile.ops)
print(f"a step of 784-128-10 is made of {operations} operations")

# %% [markdown]
# ## 4. When does the GPU lose?
#
# Measured here and now, on this CPU, one training step of 784-128-10 for growing batches:

# %%
SIZES = [1, 4, 16, 64, 256, 1024, 4096]


def steps_by_batch(device):
    """Seconds of a training step by batch size."""
    return {batch: seconds_of(training_step(device, batch), device) for batch in SIZES}


cpu_steps = steps_by_batch("cpu")
for batch, seconds in cpu_steps.items():
    print(
        f"batch {batch:5}: {1e3 * seconds:8.3f} ms a step,",
        f"{batch / seconds:10,.0f} samples a second",
    )

# %% [markdown]
# And a table of works of very different kinds:


# %%
def product(device, n):
    matrix = torch.randn(n, n).to(device)
    return lambda: matrix @ matrix


def element_by_element(device, count):
    numbers = torch.randn(count).to(device)
    return lambda: (numbers * 2 + 1).tanh()


def there_and_back(device, count):
    numbers = torch.randn(count)
    return lambda: numbers.to(device).cpu()


WORKS = {
    "a step of 36-16-3, batch 32": lambda d: training_step(d, 32, (36, 16, 3)),
    "a step of 784-128-10, batch 128": lambda d: training_step(d, 128),
    "a step of 784-1024-1024-10, batch 512": lambda d: training_step(d, 512, (784, 1024, 1024, 10)),
    "a product of 32 x 32": lambda d: product(d, 32),
    "a product of 1024 x 1024": lambda d: product(d, 1024),
    "tanh(2 x + 1) of a million numbers": lambda d: element_by_element(d, 1_000_000),
    "a million numbers there and back": lambda d: there_and_back(d, 1_000_000),
}


def works_on(device):
    """Seconds of each work."""
    return {name: seconds_of(make(device), device) for name, make in WORKS.items()}


cpu_works = works_on("cpu")

# %% [markdown]
# **The GPU's column.** It is measured where there is a GPU, and kept in the file `gpu_table.json` beside this
# notebook, with the GPU's name and what the CPU of that machine needs. Where there is none, the file is read. And if there is no file either, the column stays
# empty: *there was no GPU when this page was made unless you see its name below, and no number is invented.* To fill it, run
# this notebook on a machine with a GPU, from top to bottom; nothing has to be changed.

# %%
RECORD = Path("gpu_table.json")


def record(path):
    """Measure the same on the GPU, and keep it."""
    table = {
        "gpu": torch.cuda.get_device_name(),
        "works": {"cpu": cpu_works, "cuda": works_on("cuda")},
        "steps": {"cpu": cpu_steps, "cuda": steps_by_batch("cuda")},
    }
    path.write_text(json.dumps(table, indent=1))


if torch.cuda.is_available():
    record(RECORD)
gpu = json.loads(RECORD.read_text()) if RECORD.exists() else None

print(f"{'':42}{'this CPU':>12}  {gpu['gpu'] if gpu else 'GPU: not measured'}")
for name, seconds in cpu_works.items():
    column = "-"
    if gpu:
        there, beside = gpu["works"]["cuda"][name], gpu["works"]["cpu"][name]
        column = f"{1e6 * there:12,.0f} µs, {beside / there:.2f} times the speed of its CPU"
    print(f"{name:42}{1e6 * seconds:9,.0f} µs  {column}")

# %% [markdown]
# What to look at, in your own table: the first line and the product of 32 x 32 (all start), the product of 1024 x 1024 (all
# arithmetic), and the last line (all carrying; on the CPU nothing has to be carried, so nothing is done).
#
# Now play. The solid line is what was just measured on this CPU; if a GPU is on record, its line is there as well. The last line is an
# **imagined** device: two sliders say how long it takes to start an operation, and how many times as fast it computes. It is a formula,
# not a measurement, and where the sliders stand at first means nothing. Find a device that is a hundred times as fast and
# still loses at a batch of 16.

# %%
recorded = {int(batch): seconds for batch, seconds in gpu["steps"]["cuda"].items()} if gpu else None
device_race(cpu_steps, operations, recorded, gpu["gpu"] if gpu else "GPU")

# %% [markdown]
# So the GPU loses when
#
# - **the tensors are small**: little networks, single samples, many tiny operations in a Python loop;
# - **the data travel**: a batch that is sent each step, results that come back each step;
# - **Python waits**: `.item()` in each step, `if` on a tensor.
#
# And it wins with large batches, wide layers, convolutions and attention, with data that stay there. Three habits
# follow: larger batches, fewer and larger operations, and moving the data once.
#
# ## 5. Memory
#
# A GPU's memory is usually smaller than the machine's, and it is what runs out first. What needs it, for each parameter: the
# parameter itself, its gradient, and what the optimizer keeps (nothing for SGD, one number with momentum, two for Adam). And for each
# *sample* of the batch: the activations that the backward pass will ask for.

# %%
model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = optim.Adam(model.parameters())
F.cross_entropy(model(torch.rand(64, 784)), torch.zeros(64, dtype=torch.int64)).backward()
optimizer.step()
parameters = sum(p.nbytes for p in model.parameters())
gradients = sum(p.grad.nbytes for p in model.parameters())
states = [t for state in optimizer.state.values() for t in state.values()]
kept = sum(t.nbytes for t in states if torch.is_tensor(t) and t.ndim)  # not the step's number
print(f"parameters {parameters:,} bytes, gradients {gradients:,}, kept by Adam {kept:,}")
print(f"on the GPU now: {torch.cuda.memory_allocated():,} bytes")  # 0 where there is none
assert kept == 2 * parameters

# %% [markdown]
# If it runs out: a smaller batch first (activations), then gradients added up over several small batches before a step, and
# `torch.no_grad()` wherever you do not train.

# %% [markdown]
# ## Exercises
#
# Put your answer in place of `None` and run the cell: a wrong answer is told why. Below each exercise its solution is
# folded; a click opens it.
#
# **1. Carrying.** The 60,000 training images of MNIST have 784 pixels each. How many bytes are sent if they are float32? And if they
# are sent as they come, one byte a pixel (`uint8`), and turned into floats on the device?


# %% tags=["check"]
def check_as_float32(bytes_as_float32):
    float_hints = {
        47_040_000: "A float32 has four bytes.",
        376_320_000: "That is float64: eight bytes.",
    }
    return check("as float32", bytes_as_float32, 188_160_000, float_hints)


def check_as_uint8(bytes_as_uint8):
    return check(
        "as uint8",
        bytes_as_uint8,
        47_040_000,
        because="A quarter of the way. x.to(device).float() / 255 carries less than x.float().to(device).",
    )


# %%
bytes_as_float32 = None
bytes_as_uint8 = None
check_as_float32(bytes_as_float32)
check_as_uint8(bytes_as_uint8)

# %% tags=["solution"]
bytes_as_float32 = 60_000 * 784 * 4
bytes_as_uint8 = 60_000 * 784
assert check_as_float32(bytes_as_float32)
assert check_as_uint8(bytes_as_uint8)

# %% [markdown]
# **2. Break-even.** *Suppose* a CPU needs 100 µs for a step, and 2 µs more for each sample; and a device 500 µs, and 0.1 µs for
# each sample. From which batch size on is the device ahead?


# %% tags=["check"]
def check_the_smallest_batch(smallest_batch):
    batch_hints = {
        200: "Close: the difference is 1.9 µs a sample, not 2.",
        210: "At 210 the CPU needs 520 µs, the device 521.",
    }
    return check(
        "the smallest batch",
        smallest_batch,
        211,
        batch_hints,
        because="400 µs behind, 1.9 µs gained a sample.",
    )


# %%
smallest_batch = None
check_the_smallest_batch(smallest_batch)

# %% tags=["solution"]
smallest_batch = int((500 - 100) / (2 - 0.1)) + 1
assert check_the_smallest_batch(smallest_batch)

# %% [markdown]
# **3. Who waits?** Which of these lines make Python wait for a GPU? Give their letters as a text, for example `"ad"`.
#
# ```python
# a    loss = F.cross_entropy(model(x), y)
# b    loss.backward()
# c    if loss > 10: break
# d    optimizer.step()
# e    print(f"loss {loss:.3f}")
# f    total = total + loss.detach()
# g    history.append(loss.item())
# ```


# %% tags=["check"]
def check_who_waits(waiting_lines):
    line_hints = {
        "g": "Not only .item(): two more lines need to know the number in Python.",
        "eg": "One more: Python cannot decide without the number.",
        "cg": "One more: what is printed has to be known.",
        "abceg": "Forward and backward only order; nobody has looked at a number yet.",
    }
    letters = waiting_lines and "".join(sorted(set("".join(waiting_lines).lower()) - set(" ,")))
    return check(
        "who waits",
        letters,
        "ceg",
        line_hints,
        because="An if, a print, an item: each needs the number itself.",
    )


# %%
waiting_lines = None
check_who_waits(waiting_lines)

# %% tags=["solution"]
waiting_lines = "ceg"
assert check_who_waits(waiting_lines)

# %% [markdown]
# **4. Wait once.** Write `mean_loss(losses)`: the average of a list of one-number tensors, as a Python number, which waits only
# once. The check counts how often you ask for a number.


# %% tags=["check"]
def check_mean_loss(mean_loss):
    def counting(*values):
        """The answer for these losses, and how often it asked for a number."""
        losses, times, item = [torch.tensor(v) for v in values], [], torch.Tensor.item

        def counted(tensor):
            times.append(1)
            return item(tensor)

        with (
            mock.patch.object(torch.Tensor, "item", counted),
            mock.patch.object(torch.Tensor, "__float__", counted),
        ):
            answer = mean_loss(losses)
        return None if answer is None else (answer, len(times))

    def right(a, b, c, times=1):
        return (a + b + c) / 3, times

    hints = [
        (
            lambda *values: right(*values, times=3),
            "The average is right, but you have waited three times: add up tensors.",
        ),
        (
            lambda *values: right(*values, times=0),
            "The average is right, but it is still a tensor: ask for its number.",
        ),
    ]
    because = "One answer, one wait."
    losses = (1.0, 2.0, 6.0)
    return check_function("mean loss", counting, right, losses, hints=hints, because=because)


# %%
def mean_loss(losses):
    return None


check_mean_loss(mean_loss)


# %% tags=["solution"]
def mean_loss(losses):
    return torch.stack(losses).mean().item()


assert check_mean_loss(mean_loss)

# %% [markdown]
# **5. Memory.** A network has 10 million parameters in float32 and is trained with Adam. How many bytes do the
# parameters, their gradients and the optimizer take together?


# %% tags=["check"]
def check_bytes_in_all(bytes_in_all):
    memory_hints = {
        40_000_000: "Only the parameters.",
        80_000_000: "Parameters and gradients; Adam keeps two numbers for each parameter as well.",
        120_000_000: "Adam keeps two: the mean of the gradient and the mean of its square.",
    }
    return check(
        "bytes in all",
        bytes_in_all,
        160_000_000,
        memory_hints,
        because="Four times the model, before the first activation.",
    )


# %%
bytes_in_all = None
check_bytes_in_all(bytes_in_all)

# %% tags=["solution"]
bytes_in_all = 10_000_000 * 4 * (1 + 1 + 2)
assert check_bytes_in_all(bytes_in_all)

# %% [markdown]
# One change moves a program, and a clock with two waits says whether it was worth it.
