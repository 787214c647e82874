"""A U-Net that finds discs in noise: transposed convolutions, skips by torch.cat, a Dice loss."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class DoubleConv(nn.Module):
    """(convolution => [BN] => ReLU) * 2"""

    def __init__(self, in_channels, out_channels, mid_channels=None):
        super().__init__()
        if not mid_channels:
            mid_channels = out_channels
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, mid_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(mid_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(mid_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.InstanceNorm2d(out_channels, affine=True),
            nn.LeakyReLU(0.1, inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class Up(nn.Module):
    def __init__(self, in_channels, out_channels, bilinear=True):
        super().__init__()
        if bilinear:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.conv = DoubleConv(in_channels + out_channels, out_channels, in_channels // 2)
        else:
            self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2)
            self.conv = DoubleConv(in_channels // 2 + out_channels, out_channels)

    def forward(self, x1, x2):
        x1 = self.up(x1)
        diff_y, diff_x = x2.size()[2] - x1.size()[2], x2.size()[3] - x1.size()[3]
        x1 = F.pad(x1, [diff_x // 2, diff_x - diff_x // 2, diff_y // 2, diff_y - diff_y // 2])
        return self.conv(torch.cat([x2, x1], dim=1))


class UNet(nn.Module):
    def __init__(self, n_channels, n_classes):
        super().__init__()
        self.inc = DoubleConv(n_channels, 4)
        self.down1 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(4, 8))
        self.down2 = nn.Sequential(nn.AvgPool2d(2), DoubleConv(8, 16))
        self.up1 = Up(16, 8, bilinear=False)
        self.up2 = Up(8, 4, bilinear=True)
        self.outc = nn.Conv2d(4, n_classes, kernel_size=1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        return self.outc(self.up2(self.up1(x3, x2), x1))


def dice_loss(logits, target, smooth=1.0):
    iflat = torch.sigmoid(logits).contiguous().view(logits.shape[0], -1)
    tflat = target.contiguous().view(target.shape[0], -1)
    intersection = (iflat * tflat).sum(-1)
    return 1 - ((2.0 * intersection + smooth) / (iflat.sum(-1) + tflat.sum(-1) + smooth)).mean()


def discs(rng, n=4, size=18):
    yy, xx = np.mgrid[:size, :size]
    centers = rng.uniform(4, size - 4, (n, 2, 1, 1))
    masks = ((yy - centers[:, 0]) ** 2 + (xx - centers[:, 1]) ** 2 < 16)[:, None]
    return torch.tensor(masks + 0.3 * rng.standard_normal(masks.shape)), torch.tensor(masks)


def model():
    torch.manual_seed(5)
    return UNet(n_channels=1, n_classes=1)


def train(net):
    images, masks = discs(np.random.default_rng(5))
    true_masks = masks.to(images.dtype)
    optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3, weight_decay=1e-8, momentum=0.9, foreach=True)
    losses = []
    for _ in range(3):
        masks_pred = net(images)
        loss = F.binary_cross_entropy_with_logits(masks_pred, true_masks) + dice_loss(masks_pred, true_masks)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(net.parameters(), 0.5)
        optimizer.step()
        losses.append(loss.item())
    net.eval()
    with torch.no_grad():
        mask = net(images).sigmoid()
    iou = ((mask > 0.5) & masks).sum() / ((mask > 0.5) | masks).sum()
    return losses, mask, iou
