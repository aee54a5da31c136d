"""The network that tells whom pictures show, for measuring what others make."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import normalize

from imgen.binding import Count
from imgen.data.spec import DataSpec
from imgen.nn.residual import seen, stages


class IdentityEmbedding(nn.Module):
    """Points on a sphere, near for pictures of one identity and far for pictures of two.

    The layers of `imgen.nn.residual`, the mean over places, a linear layer, and division by the length.

    Settings:
        dims: size of an embedding [numbers]
        width: channels of the first layer [channels]
    """

    def __init__(self, data: DataSpec, *, dims: Count = 128, width: Count = 32) -> None:
        super().__init__()
        self.first, self.norm, self.blocks, channels = stages(data.image[0], min(data.image[1:]), width)
        self.head = nn.Linear(channels, dims)

    def embed(self, images: Tensor) -> Tensor:
        """Rows of length 1, (B, dims), of pictures (B, C, H, W) in [-1, 1], of the size of training."""
        return normalize(self.head(seen(self, images)).float(), dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """As `embed`."""
        return self.embed(images)
