"""How the network that tells whom pictures show is trained: pairs of one identity, against all others of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Le
from torch import Tensor

from imgen.algorithm import Algorithm, Batch, Losses, Player, Turn, turn
from imgen.binding import Count, Fraction, NonNegative, Rate, Weight
from imgen.data.spec import DataSpec
from imgen.losses.contrastive import nt_xent
from imgen.metrics.embedding.network import IdentityEmbedding
from imgen.nn.augment import cropped, mirrored, relit
from imgen.optim import adam
from imgen.schedules import constant, linear

ROWS, COLUMNS = 6, 8


class EmbedIdentity(Algorithm):
    """Learns from pairs of one identity to place pictures so that whom they show is near and all others are far.

    Two pairs of a batch may by chance be of one identity, and are then held apart: a batch should have far fewer pairs
    than there are people.

    Settings:
        dims: size of an embedding [numbers]
        width: channels of the first layer [channels]
        temperature: by which cosines are divided; less looks at the nearest others alone
        lr: learning rate at the start
        weight_decay: pull of all weights to zero, as an L2 term inside Adam
        decay_from: when the learning rate begins to fall [steps]
        decay_over: time in which it falls to zero, in a straight line; 0: never [steps]
        crop: side of the smallest part of a picture that is shown in place of it, as a share; 1: always the whole
        light: most by which contrast and brightness are changed, as a share of their range; 0: not at all
        flip: mirror half of the pictures; not where left and right mean something

    Shapes: `images`: (B, 2, C, H, W) in [-1, 1].
    Logged: `nearest`, the share of pictures whose partner is the nearest of all others of the batch.
    """

    ships = "identity-embedding"
    expects: ClassVar[Mapping[str, str]] = {"images": "B 2 C H W"}
    model: IdentityEmbedding

    def __init__(
        self,
        data: DataSpec,
        *,
        dims: Count = 128,
        width: Count = 32,
        temperature: Rate = 0.1,
        lr: Rate = 1e-3,
        weight_decay: Weight = 1e-4,
        decay_from: NonNegative = 0,
        decay_over: NonNegative = 0,
        crop: Annotated[float, Ge(0.1), Le(1)] = 0.7,
        light: Fraction = 0.2,
        flip: bool = True,
    ) -> None:
        super().__init__()
        if data.group != 2:
            raise ValueError("an embedding learns from pairs of one identity; take a data set with identities and k 2")
        self.temperature, self.crop, self.light, self.flip = temperature, crop, light, flip
        self.optimizer = adam(lr, (0.9, 0.999), weight_decay=weight_decay)
        self.pace = linear(decay_from, decay_over) if decay_over else constant()
        self.model = IdentityEmbedding(data, dims=dims, width=width)

    def players(self) -> dict[str, Player]:
        return {"embedding": Player([self.model], self.optimizer, self.pace)}

    def turns(self, step: int) -> Sequence[Turn]:
        return [self.tell_apart]

    @turn("embedding")
    def tell_apart(self, batch: Batch) -> tuple[Losses, Mapping[str, Tensor]]:
        """Every picture picks its partner from all others of the batch."""
        # One after the other picture of a pair, as one batch: batch norm must not tell first from second ones.
        rows = self.model(self.changed(batch["images"].flatten(0, 1)))
        loss, nearest = nt_xent(rows[::2], rows[1::2], self.temperature)
        return {"embedding": loss}, {"nearest": nearest}

    def changed(self, images: Tensor) -> Tensor:
        """Pictures as they are learnt from: cut, lit and mirrored by chance, each for itself."""
        images = cropped(images, self.crop) if self.crop < 1 else images
        images = relit(images, self.light) if self.light else images
        return mirrored(images) if self.flip else images

    def settle(self, batch: Batch) -> None:
        self.model(batch["images"].flatten(0, 1))

    def preview(self, batch: Batch) -> Tensor:
        """A row starts with a picture of the batch; those of all others that lie nearest follow, the nearest first.

        Where the embedding is right, the first two are of one identity.
        """
        images = batch["images"].flatten(0, 1)
        rows = self.model(images)
        # The first of each pair, while there are any.
        asked = torch.arange(min(ROWS, len(batch["images"])), device=images.device) * 2
        order = (rows[asked] @ rows.T).index_put(
            (torch.arange(len(asked), device=images.device), asked), images.new_full((), 2.0, dtype=rows.dtype)
        )
        return images[order.topk(min(COLUMNS, len(images)), dim=1).indices]
