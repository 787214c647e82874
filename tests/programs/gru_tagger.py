"""A bidirectional GRU that tags words of sentences of several lengths: packing, padding, ignore_index."""

from typing import List, Tuple

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader

PAD = 0


class GRUTagger(nn.Module):
    def __init__(self, vocab_size: int, embedding_dim: int, hidden_dim: int, tagset_size: int):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, embedding_dim, padding_idx=PAD)
        self.gru = nn.GRU(embedding_dim, hidden_dim, bidirectional=True, batch_first=True)
        self.norm = nn.LayerNorm(2 * hidden_dim)
        self.hidden2tag = nn.Linear(2 * hidden_dim, tagset_size)

    def forward(self, sentences: Tensor, lengths: Tensor) -> Tuple[Tensor, Tensor]:
        embeds = self.word_embeddings(sentences)
        packed = pack_padded_sequence(embeds, lengths.cpu(), batch_first=True, enforce_sorted=False)
        packed_out, h_n = self.gru(packed)
        out, _ = pad_packed_sequence(packed_out, batch_first=True)
        return self.hidden2tag(self.norm(out)), h_n


def sentences(rng: np.random.Generator, n: int = 12) -> List[Tuple[Tensor, Tensor]]:
    """A word's tag is whether it is greater than the word before it."""
    result = []
    for length in rng.integers(3, 9, n):
        words = rng.integers(1, 20, length)
        tags = np.concatenate([[0], 1 + (words[1:] > words[:-1])])
        result.append((torch.from_numpy(words), torch.from_numpy(tags)))
    return result


def collate_fn(batch):
    words, tags = zip(*batch)
    lengths = torch.LongTensor([len(w) for w in words])
    return pad_sequence(words, batch_first=True, padding_value=PAD), pad_sequence(tags, True, -100), lengths


def model():
    torch.manual_seed(8)
    net = GRUTagger(20, 6, 7, 3)
    for name, param in net.gru.named_parameters():
        if "weight_hh" in name:
            nn.init.orthogonal_(param)
        elif "weight_ih" in name:
            nn.init.xavier_normal_(param)
        else:
            nn.init.zeros_(param)
    return net


def train(net):
    loader = DataLoader(sentences(np.random.default_rng(8)), batch_size=5, collate_fn=collate_fn)
    loss_function = nn.CrossEntropyLoss(ignore_index=-100)
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for n, p in net.named_parameters() if not n.endswith("bias")], "weight_decay": 0.01},
            {"params": [p for n, p in net.named_parameters() if n.endswith("bias")], "weight_decay": 0.0},
        ],
        lr=0.01,
    )
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
    results = []
    for _ in range(3):
        for words, tags, lengths in loader:
            optimizer.zero_grad()
            tag_scores, _ = net(words, lengths)
            loss = loss_function(tag_scores.permute(0, 2, 1), tags)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(net.parameters(), max_norm=0.5)
            optimizer.step()
            results.append((loss.item(), norm.item()))
        scheduler.step()
    with torch.no_grad():
        tag_scores, h_n = net(words, lengths)
        mask = tags != -100
        accuracy = (tag_scores.argmax(-1)[mask] == tags[mask]).double().mean()
        confidence = tag_scores.softmax(-1).masked_select(mask.unsqueeze(-1))
    return results, accuracy, confidence, h_n
