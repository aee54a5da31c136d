"""The network that tells attributes, for measuring what others make."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from imgen.binding import Count
from imgen.data.spec import DataSpec
from imgen.nn.residual import seen, stages


class AttributeClassifier(nn.Module):
    """Probabilities of the values of every attribute, from a narrow residual network.

    The layers of `imgen.nn.residual`, the mean over places, and a linear layer for each attribute.

    Settings:
        width: channels of the first layer [channels]

    Raises: `ValueError` where the data have no attributes.
    """

    def __init__(self, data: DataSpec, *, width: Count = 16) -> None:
        super().__init__()
        if not data.attributes:
            raise ValueError("a classifier of attributes needs data whose attributes are told")
        self.attributes = data.attributes
        self.first, self.norm, self.blocks, channels = stages(data.image[0], min(data.image[1:]), width)
        self.heads = nn.ModuleList(nn.Linear(channels, len(attribute.values)) for attribute in data.attributes)

    def embed(self, images: Tensor) -> Tensor:
        """What is seen before it is told. Shapes: images: (B, C, H, W) in [-1, 1] -> (B, D)."""
        return seen(self, images)

    def forward(self, images: Tensor) -> list[Tensor]:
        """For each attribute the logits of its values, (B, values), of pictures (B, C, H, W) in [-1, 1]."""
        embedded = self.embed(images)
        return [head(embedded) for head in self.heads]

    def classify(self, images: Tensor) -> list[Tensor]:
        """For each attribute the probabilities of its values, (B, values), of pictures (B, C, H, W) in [-1, 1]."""
        return [torch.softmax(logits.float(), dim=1) for logits in self(images)]
