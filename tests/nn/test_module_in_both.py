"""What programs do with modules, done in both engines: each scenario tells what it has seen, and both tell the same."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections import OrderedDict

from both_engines import Scenarios, numbers, raised
from small_network import small

scenario = Scenarios()


# --- members -------------------------------------------------------------------------------------------------------------


@scenario
def members(t):
    net = small(t)
    seen = [
        [n for n, _ in net.named_parameters()],
        [n for n, _ in net.named_parameters(remove_duplicate=False)],
        [n for n, _ in net.named_parameters("net", recurse=False)],
        [n for n, _ in net.named_buffers()],
        [n for n, _ in net.named_modules()],
        [n for n, _ in net.named_modules(prefix="p", remove_duplicate=False)],
        [n for n, _ in net.named_children()],
        len(list(net.parameters())),
        len(list(net.buffers())),
        len(list(net.modules())),
        len(list(net.children())),
        list(net.state_dict()),
        list(net.first._parameters),
        list(net.first._buffers),
        list(net._modules),
        repr(net),
        net.get_submodule("first") is net.first,
        net.get_submodule("") is net,
        net.get_parameter("second.weight") is net.second.weight,
        net.get_buffer("second.steps") is net.second.steps,
        "first" in dir(net) and "gain" in dir(net) and "steps" in dir(net.first),
    ]
    calls = (
        lambda: net.get_submodule("gain"),
        lambda: net.get_submodule("third"),
        lambda: net.get_parameter("first.steps"),
        lambda: net.get_buffer("first.weight"),
        lambda: net.missing,
        lambda: net.set_submodule("", net),
        lambda: net.set_submodule("gain", t.nn.Module()),
        lambda: net.set_submodule("x.y", t.nn.Module()),
    )
    seen += [raised(call) for call in calls]
    net.set_submodule("first.extra", t.nn.ReLU())
    return [*seen, repr(net)]


@scenario
def assignment(t):
    nn = t.nn
    net = small(t)
    seen = [
        raised(lambda: setattr(net, "gain", t.ones(2))),
        raised(lambda: setattr(net, "first", 3)),
        raised(lambda: setattr(net.first, "steps", "a")),
        raised(lambda: net.register_parameter("gain2", t.ones(2))),
        raised(lambda: net.register_parameter("a.b", None)),
        raised(lambda: net.register_parameter("", None)),
        raised(lambda: net.register_parameter(3, None)),
        raised(lambda: net.register_parameter("forward", None)),
        raised(lambda: net.register_parameter("gain3", nn.Parameter(t.ones(2)) * 1)),
        raised(lambda: net.register_buffer("b", 3)),
        raised(lambda: net.register_buffer("gain", t.ones(1))),
        raised(lambda: net.register_buffer("a.b", None)),
        raised(lambda: net.add_module("m", 3)),
        raised(lambda: net.add_module("gain", nn.ReLU())),
        raised(lambda: net.add_module("", nn.ReLU())),
        raised(lambda: net.add_module("a.b", nn.ReLU())),
        raised(lambda: net.add_module(None, nn.ReLU())),
        raised(lambda: nn.Module(1)),
        raised(lambda: nn.Module(a=1)),
        raised(lambda: net.forward),
        raised(lambda: nn.Module()(1)),
        raised(lambda: net.train("yes")),
    ]
    net.gain = nn.Parameter(t.zeros(2))  # keeps its place
    net.first = nn.ReLU()
    seen.append([n for n, _ in net.named_parameters()])
    net.second.bias = nn.Parameter(t.ones(2))
    net.second.weight = None
    net.second.steps = t.zeros(3)
    net.note = nn.Parameter(t.ones(1))
    net.nothing = nn.ReLU()
    seen += [list(net.state_dict()), [n for n, _ in net.named_modules()], net.second.weight]
    net.gain = None
    del net.first, net.second.steps, net.note
    seen += [list(net.state_dict()), repr(net), raised(lambda: delattr(net, "first"))]
    net.second.scratch = nn.Buffer(t.ones(1))
    net.kept = nn.Buffer(t.ones(1), persistent=False)
    return [*seen, list(net.state_dict()), [n for n, _ in net.named_buffers()]]


@scenario
def before_init(t):
    class Early(t.nn.Module):
        def __init__(self, what):
            if what == "parameter":
                self.p = t.nn.Parameter(t.ones(1))
            elif what == "module":
                self.m = t.nn.ReLU()
            elif what == "buffer":
                self.register_buffer("b", t.ones(1))
            else:
                self.plain = 3
            super().__init__()

    return [raised(lambda what=what: Early(what)) for what in ("parameter", "module", "buffer", "plain")]


@scenario
def several_bases(t):
    class Mixin:
        def __init__(self, size=1, **rest):
            super().__init__(**rest)
            self.size = size

    class Net(t.nn.Module, Mixin):
        call_super_init = True

        def __init__(self, **options):
            super().__init__(**options)

    class Other(Mixin, t.nn.Module):
        pass

    return [Net(size=3).size, Other(size=4).size, raised(lambda: Net(wrong=1))]


# --- changing all --------------------------------------------------------------------------------------------------------


@scenario
def changes(t):
    net = small(t)
    order = []
    net.apply(lambda m: order.append(type(m).__name__))
    seen = [order]
    net(t.ones(1, 2)).sum().backward()
    gain, grad = net.gain, net.gain.grad
    net.double()
    seen += [
        net.gain is gain,
        str(net.gain.dtype),
        str(net.gain.grad.dtype),
        str(net.first.steps.dtype),
        numbers(net.gain.grad),
        numbers(grad),
    ]
    net.first.register_buffer("count", t.tensor(3))
    for move in (
        lambda: net.float(),
        lambda: net.half(),
        lambda: net.to(t.float64),
        lambda: net.to("cpu", t.float32),
        lambda: net.to(t.device("cpu")),
        lambda: net.to(dtype=t.float64, non_blocking=True),
        lambda: net.to(t.ones(1)),
        lambda: net.type(t.float64),
        lambda: net.to(device="cpu"),
        lambda: net.cpu(),
    ):
        assert move() is net
        seen.append([str(v.dtype) for v in net.state_dict().values()])
    seen += [raised(lambda: net.to(t.int64)), raised(lambda: net.to("nowhere"))]
    seen.append([m.training for m in net.eval().modules()])
    seen.append([m.training for m in net.train().modules()])
    net.requires_grad_(False)
    seen.append([p.requires_grad for p in net.parameters()])
    net.requires_grad_()
    seen.append([p.requires_grad for p in net.parameters()])
    net.zero_grad(set_to_none=False)
    seen.append([numbers(p.grad) for p in net.parameters()])
    net.zero_grad()
    seen.append([p.grad for p in net.parameters()])
    net.to_empty(device="cpu")
    return [*seen, [tuple(p.shape) for p in net.parameters()]]


@scenario
def copies(t):
    net = small(t)
    net(t.ones(1, 2)).sum().backward()
    other = copy.deepcopy(net)
    seen = [
        other.first is other.again,
        other.gain is not net.gain,
        numbers(other.state_dict()),
        [p.grad for p in other.parameters()],
        type(other.gain).__name__,
        other.note,
    ]
    layer = pickle.loads(pickle.dumps(t.nn.Sequential(t.nn.Linear(2, 3), t.nn.BatchNorm1d(3), t.nn.ReLU())))
    seen += [repr(layer), list(layer.state_dict()), [p.requires_grad for p in layer.parameters()]]
    shallow = copy.copy(net)
    return [*seen, shallow._parameters is net._parameters, shallow.gain is net.gain]


# --- state ---------------------------------------------------------------------------------------------------------------


@scenario
def state(t):
    net = small(t)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        collected = OrderedDict()
        net.state_dict(collected, "p.", True)
    state = net.state_dict()
    seen = [
        list(collected),
        collected["p.gain"] is net.gain,
        state["gain"].requires_grad,
        type(state).__name__,
        dict(state._metadata.items()),
        repr(net.load_state_dict(state)),
        raised(lambda: net.load_state_dict(3)),
    ]
    state["gain"][0] = 7  # the same memory
    seen.append(numbers(net.gain))
    part = {"gain": t.zeros(2), "first.weight": t.ones(2, 2), "else": t.ones(1), "first.x.y": t.ones(1)}
    seen.append(raised(lambda: net.load_state_dict(part)))
    seen.append(numbers(net.gain))  # what fits is loaded although an error is raised
    report = net.load_state_dict(part, strict=False)
    seen += [report.missing_keys, report.unexpected_keys, repr(report)]
    for wrong in ({"gain": t.zeros(3)}, {"gain": 3}, {"gain": [1.0, 2.0]}):
        seen.append(raised(lambda wrong=wrong: net.load_state_dict(wrong, strict=False)))
    fresh = t.zeros(2, dtype=t.float64)
    gain = net.gain
    net.load_state_dict({"gain": fresh}, strict=False, assign=True)
    seen += [net.gain is gain, str(net.gain.dtype), type(net.gain).__name__, net.gain.requires_grad]
    return seen


@scenario
def errors_of_loading(t):
    net = small(t)
    try:
        net.load_state_dict({"gain": t.zeros(3), "more": t.ones(1)})
    except RuntimeError as error:
        return str(error).split("\n\tnear names")[0]
    return ""


@scenario
def number_saved_as_vector(t):
    module = t.nn.Module()
    module.p = t.nn.Parameter(t.tensor(1.0))
    module.load_state_dict({"p": t.tensor([5.0])})
    return numbers(module.p)


@scenario
def extra_state(t):
    class WithExtra(t.nn.Module):
        def __init__(self):
            super().__init__()
            self.value = 3

        def get_extra_state(self):
            return {"value": self.value}

        def set_extra_state(self, state):
            self.value = state["value"]

    net = t.nn.Sequential(WithExtra(), t.nn.ReLU())
    state = net.state_dict()
    net[0].value = 8
    net.load_state_dict(state)
    missing = net.load_state_dict({}, strict=False)
    plain = t.nn.Sequential(t.nn.ReLU(), t.nn.ReLU())
    unexpected = plain.load_state_dict(state, strict=False)
    return [list(state), net[0].value, missing, unexpected, raised(t.nn.ReLU().get_extra_state)]


@scenario
def hooks_of_state(t):
    seen = []
    net = small(t)
    net.first.register_state_dict_pre_hook(lambda m, prefix, keep: seen.append(["pre", prefix, keep]))
    net.first.register_state_dict_post_hook(lambda m, s, prefix, meta: seen.append(["post", prefix, list(s), meta]))

    def renamed(module, state, prefix, *rest):
        seen.append(["load", prefix, len(rest)])
        if prefix + "old" in state:
            state[prefix + "weight"] = state.pop(prefix + "old")

    net.second.register_load_state_dict_pre_hook(renamed)
    net.first._register_load_state_dict_pre_hook(lambda state, prefix, *rest: seen.append(["old", prefix]))
    net.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    state = net.state_dict()
    state["second.old"] = state.pop("second.weight") + 1
    del state["gain"]
    net.load_state_dict(state)
    seen.append(numbers(net.second.weight))
    handle = net.register_state_dict_post_hook(lambda *args: 3)
    seen.append(raised(net.state_dict))
    handle.remove()
    net._register_state_dict_hook(lambda m, s, prefix, meta: OrderedDict(only=1))
    seen.append(list(net.state_dict()))
    net.register_load_state_dict_post_hook(lambda m, keys: 3)
    seen.append(raised(lambda: net.load_state_dict(state)))
    return seen


@scenario
def metadata(t):
    net = t.nn.Sequential(t.nn.BatchNorm1d(2), t.nn.Linear(2, 2))
    state = net.state_dict()
    del state["0.num_batches_tracked"]
    seen = [dict(state._metadata), raised(lambda: net.load_state_dict(state))]
    state._metadata["0"] = {"version": 1}
    return [*seen, repr(net.load_state_dict(state)), repr(net.load_state_dict(dict(state)))]


@scenario
def parameters(t):
    nn = t.nn
    x = t.ones(2)
    p = nn.Parameter(x)
    x.add_(1)
    frozen = nn.Parameter(t.ones(2), requires_grad=False)
    copied = copy.deepcopy({"a": p, "b": p})
    loaded = pickle.loads(pickle.dumps(p))
    return [
        numbers(p),
        p.requires_grad,
        p.is_leaf,
        frozen.requires_grad,
        repr(p),
        isinstance(p, t.Tensor),
        type(p * 1).__name__,
        type(p.data).__name__,
        copied["a"] is copied["b"],
        type(loaded).__name__,
        loaded.requires_grad,
        tuple(nn.Parameter().shape),
        raised(lambda: nn.Parameter(t.tensor([1]))),
        nn.Parameter(t.tensor([1]), requires_grad=False).requires_grad,
        numbers(nn.Parameter(nn.Parameter(t.ones(1)) * 2)),
        isinstance(nn.Buffer(t.ones(1)), nn.Buffer),
        nn.Parameter(nn.Parameter(t.ones(1)) * 2).is_leaf,
    ]


test_same_as_pytorch = scenario.test()
