"""A radiance field: positional encoding, a skip connection, and volume rendering along rays."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

mse2psnr = lambda x: -10.0 * torch.log(x) / torch.log(torch.Tensor([10.0]).to(x))  # noqa: E731


class Embedder:
    def __init__(self, multires, include_input=True):
        self.periodic_fns, self.include_input = [torch.sin, torch.cos], include_input
        self.freq_bands = 2.0 ** torch.linspace(0.0, multires - 1, steps=multires)
        self.out_dim = 3 * (int(include_input) + 2 * multires)

    def embed(self, inputs):
        outputs = [inputs] if self.include_input else []
        for freq in self.freq_bands:
            for p_fn in self.periodic_fns:
                outputs.append(p_fn(inputs * freq))
        return torch.cat(outputs, -1)


class NeRF(nn.Module):
    def __init__(self, D=3, W=16, input_ch=3, input_ch_views=3, skips=(1,)):
        super(NeRF, self).__init__()
        self.input_ch, self.input_ch_views, self.skips = input_ch, input_ch_views, skips
        self.pts_linears = nn.ModuleList(
            [nn.Linear(input_ch, W)]
            + [nn.Linear(W, W) if i not in self.skips else nn.Linear(W + input_ch, W) for i in range(D - 1)]
        )
        self.views_linears = nn.ModuleList([nn.Linear(input_ch_views + W, W // 2)])
        self.feature_linear = nn.Linear(W, W)
        self.alpha_linear = nn.Linear(W, 1)
        self.rgb_linear = nn.Linear(W // 2, 3)

    def forward(self, x):
        input_pts, input_views = torch.split(x, [self.input_ch, self.input_ch_views], dim=-1)
        h = input_pts
        for i, _l in enumerate(self.pts_linears):
            h = F.relu(self.pts_linears[i](h))
            if i in self.skips:
                h = torch.cat([input_pts, h], -1)
        alpha = self.alpha_linear(h)
        h = torch.cat([self.feature_linear(h), input_views], -1)
        for layer in self.views_linears:
            h = F.relu(layer(h))
        return torch.cat([self.rgb_linear(h), alpha], -1)


def get_rays(H, W, focal, c2w):
    i, j = torch.meshgrid(torch.linspace(0, W - 1, W), torch.linspace(0, H - 1, H), indexing="ij")
    i, j = i.t(), j.t()
    dirs = torch.stack([(i - W * 0.5) / focal, -(j - H * 0.5) / focal, -torch.ones_like(i)], -1)
    rays_d = torch.sum(dirs[..., np.newaxis, :] * c2w[:3, :3], -1)
    return c2w[:3, -1].expand(rays_d.shape), rays_d


def raw2outputs(raw, z_vals, rays_d):
    dists = z_vals[..., 1:] - z_vals[..., :-1]
    dists = torch.cat([dists, torch.Tensor([1e10]).to(dists.dtype).expand(dists[..., :1].shape)], -1)
    dists = dists * torch.norm(rays_d[..., None, :], dim=-1)
    rgb = torch.sigmoid(raw[..., :3])
    alpha = 1.0 - torch.exp(-F.softplus(raw[..., 3]) * dists)
    ones = torch.ones((alpha.shape[0], 1))
    weights = alpha * torch.cumprod(torch.cat([ones, 1.0 - alpha + 1e-10], -1), -1)[:, :-1]
    rgb_map, depth_map = torch.sum(weights[..., None] * rgb, -2), torch.sum(weights * z_vals, -1)
    disp_map = 1.0 / torch.max(1e-10 * torch.ones_like(depth_map), depth_map / torch.sum(weights, -1))
    return rgb_map, disp_map, weights


def render(net, embedders, rays_o, rays_d, N_samples=6):
    t_vals = torch.linspace(0.0, 1.0, steps=N_samples)
    z_vals = (2.0 * (1.0 - t_vals) + 6.0 * t_vals).expand([rays_o.shape[0], N_samples])
    pts = rays_o[..., None, :] + rays_d[..., None, :] * z_vals[..., :, None]
    viewdirs = (rays_d / torch.norm(rays_d, dim=-1, keepdim=True))[:, None].expand(pts.shape)
    flat = torch.cat([e.embed(p.reshape(-1, 3)) for e, p in zip(embedders, (pts, viewdirs))], -1)
    chunks = [net(flat[i : i + 64]) for i in range(0, flat.shape[0], 64)]
    raw = torch.reshape(torch.cat(chunks, 0), list(pts.shape[:-1]) + [4])
    return raw2outputs(raw, z_vals, rays_d)


def model():
    torch.manual_seed(13)
    return NeRF(input_ch=3 * 9, input_ch_views=3 * 5)


def train(net):
    rng = np.random.default_rng(13)
    embedders = Embedder(4), Embedder(2)
    pose = torch.eye(4)
    pose[:3, 3] = torch.tensor([0.1, -0.2, 4.0])
    rays_o, rays_d = (r.reshape(-1, 3) for r in get_rays(6, 6, 5.0, pose))
    target = torch.tensor(rng.uniform(size=(36, 3)))
    optimizer = torch.optim.Adam(params=list(net.parameters()), lr=5e-3, betas=(0.9, 0.999))
    log = []
    for global_step in range(4):
        select = rng.choice(36, size=[20], replace=False)
        rgb, disp, _ = render(net, embedders, rays_o[select], rays_d[select])
        loss = torch.mean((rgb - target[select]) ** 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for param_group in optimizer.param_groups:
            param_group["lr"] = 5e-3 * (0.1 ** ((global_step + 1) / 10))
        log.append((loss.item(), mse2psnr(loss.detach()).item()))
    with torch.no_grad():
        rgb, disp, weights = render(net, embedders, rays_o, rays_d)
    return log, rgb.clamp(0, 1), disp, weights.argmax(-1)
