"""The loop around a model: accumulated gradients, a scaler, a moving average, a schedule, and a start from a checkpoint."""

import io

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class EMA:
    def __init__(self, model, decay):
        self.decay = decay
        self.shadow = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model):
        for k, v in model.state_dict().items():
            if v.dtype.is_floating_point:
                self.shadow[k].mul_(self.decay).add_(v, alpha=1 - self.decay)
            else:
                self.shadow[k].copy_(v)


class AverageMeter:
    def __init__(self):
        self.sum, self.count = 0.0, 0

    def update(self, val, n=1):
        self.sum += val * n
        self.count += n

    @property
    def avg(self):
        return self.sum / max(self.count, 1)


def build(model):
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-2)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-2, total_steps=12, pct_start=0.3)
    return optimizer, scheduler, torch.amp.GradScaler("cuda", enabled=torch.cuda.is_available())


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 12), nn.BatchNorm1d(12), nn.SiLU(), nn.Linear(12, 3))


def run_epoch(model, loader, optimizer, scheduler, scaler, ema, accumulate=2):
    meter, criterion = AverageMeter(), nn.CrossEntropyLoss(label_smoothing=0.1)
    model.train()
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda", enabled=torch.cuda.is_available()):
            loss = criterion(model(x), y)
        scaler.scale(loss / accumulate).backward()
        if (i + 1) % accumulate == 0:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad(set_to_none=True)
            scheduler.step()
            ema.update(model)
        meter.update(loss.item(), x.size(0))
    return meter.avg


def train(model):
    rng = np.random.default_rng(0)
    x, y = torch.from_numpy(rng.standard_normal((48, 5))), torch.from_numpy(rng.integers(0, 3, 48))
    data, held_out = random_split(TensorDataset(x, y), [40, 8])
    data.indices, held_out.indices = list(range(40)), list(range(40, 48))  # the draw is not what is compared
    loader = DataLoader(data, batch_size=10)
    optimizer, scheduler, scaler = build(model)
    ema, averages = EMA(model, 0.8), []
    averages += [run_epoch(model, loader, optimizer, scheduler, scaler, ema) for _ in range(2)]

    file = io.BytesIO()
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "scaler": scaler}
    torch.save({"epoch": 2, "ema": ema.shadow, **{k: v.state_dict() for k, v in parts.items()}}, file)
    file.seek(0)
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    checkpoint = torch.load(file, map_location="cpu", weights_only=False)
    optimizer, scheduler, scaler = build(model)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    scheduler.load_state_dict(checkpoint["scheduler"])
    scaler.load_state_dict(checkpoint["scaler"])
    ema.shadow = checkpoint["ema"]
    for _ in range(checkpoint["epoch"], 4):
        averages.append(run_epoch(model, loader, optimizer, scheduler, scaler, ema))
    model.load_state_dict(ema.shadow)
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(xb) for xb, _ in DataLoader(held_out, batch_size=3)])
    return averages, scheduler.get_last_lr(), logits, logits.softmax(-1).max(-1).values
