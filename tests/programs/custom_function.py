"""autograd.Function: a polynomial, a straight-through estimator, reversed gradients, an exponential with its output."""

import math

import numpy as np
import torch
import torch.nn as nn
from torch.autograd import Function


class LegendrePolynomial3(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


class BinarizeF(Function):
    @staticmethod
    def forward(ctx, input, threshold=0.0):
        ctx.save_for_backward(input)
        output = input.new(input.size())
        output[input >= threshold] = 1
        output[input < threshold] = -1
        return output

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        grad_input = grad_output.clone()
        grad_input[input.abs() > 1] = 0
        return grad_input, None


class ReverseLayerF(Function):
    @staticmethod
    def forward(ctx, x, alpha):
        ctx.alpha = alpha
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.neg() * ctx.alpha, None


class LinearFunction(Function):
    @staticmethod
    def forward(ctx, input, weight, bias=None):
        ctx.save_for_backward(input, weight, bias)
        output = input.mm(weight.t())
        if bias is not None:
            output += bias.unsqueeze(0).expand_as(output)
        return output

    @staticmethod
    def backward(ctx, grad_output):
        input, weight, bias = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_input = grad_output.mm(weight)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.t().mm(input)
        if bias is not None and ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_input, grad_weight, grad_bias


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.coefficients = nn.Parameter(torch.tensor([0.0, -1.0, 0.0, 0.3]))
        self.weight = nn.Parameter(torch.Tensor(6, 4).uniform_(-0.5, 0.5))
        self.bias = nn.Parameter(torch.zeros(6))
        self.label, self.domain = nn.Linear(6, 1), nn.Linear(6, 1)

    def forward(self, x, alpha):
        a, b, c, d = self.coefficients
        curve = a + b * LegendrePolynomial3.apply(c + d * x[:, :1])
        h = LinearFunction.apply(x, self.weight, self.bias)
        h = h + BinarizeF.apply(h)
        return self.label(h) + curve, self.domain(ReverseLayerF.apply(h, alpha))


def model():
    torch.manual_seed(20)
    return Net()


def train(net):
    rng = np.random.default_rng(20)
    x = torch.tensor(rng.uniform(-math.pi / 2, math.pi / 2, (20, 4)))
    y, where = x[:, :1].sin(), torch.tensor(rng.integers(0, 2, (20, 1)).astype(float))
    optimizer = torch.optim.Adagrad(net.parameters(), lr=0.05, lr_decay=0.01)
    losses = []
    for t in range(6):
        y_pred, domain = net(x, 2.0 / (1.0 + math.exp(-t)) - 1)
        loss = (y_pred - y).pow(2).sum() + nn.functional.soft_margin_loss(domain, 2 * where - 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    small = [torch.tensor(rng.standard_normal(s), requires_grad=True) for s in ((3, 4), (2, 4), (2,))]
    checked = torch.autograd.gradcheck(LinearFunction.apply, small, eps=1e-6, atol=1e-4)
    return losses, float(checked)
