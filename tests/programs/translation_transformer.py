"""The full nn.Transformer on a copying task with padding: Noam's warmup by LambdaLR, greedy decoding."""

import numpy as np
import torch
from torch import Tensor, nn

PAD_IDX, BOS_IDX, EOS_IDX, SIZE = 0, 1, 2, 9


class Seq2SeqTransformer(nn.Module):
    def __init__(self, num_layers: int, emb_size: int, nhead: int, vocab: int, dim_feedforward: int = 16):
        super().__init__()
        self.transformer = nn.Transformer(
            d_model=emb_size,
            nhead=nhead,
            num_encoder_layers=num_layers,
            num_decoder_layers=num_layers,
            dim_feedforward=dim_feedforward,
            dropout=0.0,
            batch_first=True,
            norm_first=True,
        )
        self.generator = nn.Linear(emb_size, vocab)
        self.tok_emb = nn.Embedding(vocab, emb_size, padding_idx=PAD_IDX)
        self.positions = nn.Parameter(torch.zeros(1, 10, emb_size))
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.xavier_uniform_(p)

    def embed(self, tokens: Tensor) -> Tensor:
        return self.tok_emb(tokens) + self.positions[:, : tokens.shape[1]]

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        causal = torch.triu(torch.ones(trg.shape[1], trg.shape[1], dtype=torch.bool), diagonal=1)
        src_pad, trg_pad = src == PAD_IDX, trg == PAD_IDX
        outs = self.transformer(self.embed(src), self.embed(trg), None, causal, None, src_pad, trg_pad, src_pad)
        return self.generator(outs)

    def encode(self, src: Tensor) -> Tensor:
        return self.transformer.encoder(self.embed(src))

    def decode(self, tgt: Tensor, memory: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(tgt.size(1))
        return self.transformer.decoder(self.embed(tgt), memory, mask)


def batch(rng, n=6):
    src, tgt = np.full((n, 7), PAD_IDX), np.full((n, 9), PAD_IDX)
    for row, length in enumerate(rng.integers(3, 8, n)):
        src[row, :length] = rng.integers(3, SIZE, length)
        tgt[row, : length + 2] = [BOS_IDX, *src[row, :length], EOS_IDX]
    return torch.from_numpy(src), torch.from_numpy(tgt)


def greedy_decode(model, src, max_len):
    memory = model.encode(src)
    ys = torch.ones(1, 1).fill_(BOS_IDX).type(torch.long)
    best = []
    for _ in range(max_len - 1):
        prob = model.generator(model.decode(ys, memory)[:, -1])
        top, next_word = torch.max(prob, dim=1)
        best.append(top.item())
        ys = torch.cat([ys, torch.ones(1, 1).type_as(src.data).fill_(next_word.item())], dim=1)
    return best


def model():
    torch.manual_seed(6)
    return Seq2SeqTransformer(1, 8, 2, SIZE)


def train(net):
    rng = np.random.default_rng(6)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.5, betas=(0.9, 0.98), eps=1e-6)
    rate = lambda step: 8**-0.5 * min((step + 1) ** -0.5, (step + 1) * 10**-1.5)  # noqa: E731
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_lambda=rate)
    loss_fn = nn.CrossEntropyLoss(ignore_index=PAD_IDX, label_smoothing=0.05)
    history = []
    for _ in range(4):
        src, tgt = batch(rng)
        tgt_input, tgt_out = tgt[:, :-1], tgt[:, 1:]
        logits = net(src, tgt_input)
        optimizer.zero_grad()
        loss = loss_fn(logits.reshape(-1, logits.shape[-1]), tgt_out.reshape(-1))
        loss.backward()
        optimizer.step()
        scheduler.step()
        history += [loss.item(), optimizer.param_groups[0]["lr"]]
    net.train(False)
    with torch.no_grad():
        return history, greedy_decode(net, src[:1, :3], 6)
