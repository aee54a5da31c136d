"""The network that tells whom pictures show: it learns, it ships, and its sheet shows what it takes for near."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from imgen.data.shapes import shapes
from imgen.data.spec import DataSpec
from imgen.images import to_float
from imgen.metrics.embedding.algorithm import EmbedIdentity
from imgen.metrics.embedding.network import IdentityEmbedding
from imgen.model import Embedder
from imgen.testing import check_model

SPEC = DataSpec(image=(3, 16, 16), group=2)


@pytest.mark.parametrize(("size", "channels"), [(16, 3), (64, 1), (128, 3)])
def test_embeddings_have_length_one(size, channels):
    spec = DataSpec(image=(channels, size, size), group=2)
    model = IdentityEmbedding(spec, dims=7, width=4).eval()
    check_model(model, spec)
    rows = model.embed(torch.rand(3, channels, size, size) * 2 - 1)
    assert rows.shape == (3, 7) and isinstance(model, Embedder)
    assert rows.norm(dim=1).tolist() == pytest.approx([1, 1, 1])


def test_it_learns_who_is_who():
    """Hues apart, in forty moves: partners are then nearest much more often than at first."""
    torch.manual_seed(0)
    data = shapes(identities=40, photos=4, size=16)
    made = EmbedIdentity(data.spec, dims=8, width=4, lr=1e-2, crop=0.9, light=0.0)
    (player,) = made.players().values()
    moves = player.optimizer(list(made.parameters()))
    images = to_float(data.columns["images"]).view(40, 4, 3, 16, 16)
    told = []
    for _ in range(40):
        batch = images[torch.randperm(40)[:16]][:, torch.randperm(4)[:2]]
        losses, values = made.tell_apart({"images": batch})
        moves.zero_grad()
        losses["embedding"].backward()
        moves.step()
        told.append(float(values["nearest"]))
    assert sum(told[:5]) / 5 < 0.45
    assert sum(told[-5:]) / 5 > 0.6


def test_a_row_is_a_picture_and_its_nearest():
    """Pictures of one grey each, embedded as their greys on a circle."""

    class Greys(nn.Module):
        def forward(self, images):
            angle = images.mean(dim=(1, 2, 3))
            return torch.stack([angle.cos(), angle.sin()], dim=1)

    made = EmbedIdentity(SPEC, dims=2, width=4)
    greys = torch.tensor([[0.0, 0.1], [0.5, 0.45], [-0.9, -0.3]])
    made.model = Greys()
    sheet = made.preview({"images": greys[:, :, None, None, None].expand(3, 2, 3, 16, 16)})
    assert sheet.shape == (3, 6, 3, 16, 16)
    shown = sheet[:, :, 0, 0, 0]
    assert shown[0].tolist() == pytest.approx([0.0, 0.1, -0.3, 0.45, 0.5, -0.9])
    assert shown[1].tolist() == pytest.approx([0.5, 0.45, 0.1, 0.0, -0.3, -0.9])
    assert shown[2].tolist() == pytest.approx([-0.9, -0.3, 0.0, 0.1, 0.45, 0.5])


def test_it_needs_pairs():
    with pytest.raises(ValueError, match="take a data set with identities and k 2"):
        EmbedIdentity(DataSpec(image=(3, 16, 16)))
