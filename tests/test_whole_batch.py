"""What hangs on a whole batch, in processes that are threads here: sums, rows, batch norm, and their gradients."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from imgen import dist, whole_batch
from imgen.losses.contrastive import nt_xent
from imgen.nn.batch_norm import batch_norm, norms_of_whole_batch

WORLD = 3


@pytest.fixture
def together(monkeypatch):
    """Calls a function in a thread for each process, with its rank; gives what they give, in order."""
    me, barrier, table = threading.local(), threading.Barrier(WORLD, timeout=30), {}

    def exchanged(own):
        """What all of them bring, once all are there."""
        table[me.rank] = own.clone()
        barrier.wait()
        brought = torch.stack([table[rank] for rank in range(WORLD)])
        barrier.wait()
        return brought

    monkeypatch.setattr(dist, "rank", lambda: me.rank)
    monkeypatch.setattr(dist, "world", lambda: WORLD)
    td = dist.td
    monkeypatch.setattr(td, "all_reduce", lambda own: own.copy_(exchanged(own).sum(0)))
    monkeypatch.setattr(td, "broadcast", lambda own, src: own.copy_(exchanged(own)[src]))
    gathering = [name for name in ("all_gather_single", "all_gather_into_tensor") if hasattr(td, name)]
    for name in gathering:
        monkeypatch.setattr(td, name, lambda told, own: told.copy_(exchanged(own).flatten(0, 1)))
    scattering = [name for name in ("reduce_scatter_single", "reduce_scatter_tensor") if hasattr(td, name)]
    for name in scattering:
        monkeypatch.setattr(td, name, lambda told, rows: told.copy_(exchanged(rows).sum(0)[me.rank][None]))

    def run(function):
        def called(rank):
            me.rank = rank
            return function(rank)

        with dist.sharing(), ThreadPoolExecutor(WORLD) as pool:
            return list(pool.map(called, range(WORLD)))

    return run


def drawn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def averaged(of_each):
    """The mean over processes of each gradient, as the trainer takes it."""
    return [torch.stack(some).mean(0) for some in zip(*of_each, strict=True)]


def close(one, other, near=1e-10):
    return all(torch.allclose(a, b, rtol=near, atol=near / 100) for a, b in zip(one, other, strict=True))


def test_alone_everything_is_what_it_was():
    x = drawn(6, 2).requires_grad_()
    assert whole_batch.parts() == 1
    assert whole_batch.rows(x) is x and whole_batch.share(x) is x and whole_batch.same(x) is x
    assert whole_batch.mean(x) is x and whole_batch.means([x, x]) == [x, x]
    assert whole_batch.ratio(torch.tensor(6.0), torch.tensor(0)) == 6, "of nothing, not infinity"


def test_nobody_is_asked_outside_of_steps(together):
    """As in metrics, which the first process takes alone while the others are elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dist, "_sharing", False)
        assert whole_batch.parts() == 1 and whole_batch.rows(torch.ones(2)).shape == (2,)
    assert together(lambda rank: whole_batch.parts()) == [WORLD] * WORLD
    assert whole_batch.parts() == 1


def test_rows_are_in_the_order_of_the_batch_and_everybody_finds_its_own(together):
    whole = torch.arange(12).view(6, 2)
    told = together(lambda rank: whole_batch.rows(whole[rank::WORLD]))
    own = together(lambda rank: whole_batch.share(told[rank]))
    for rank, (rows, share) in enumerate(zip(told, own, strict=True)):
        assert torch.equal(rows, whole) and torch.equal(share, whole[rank::WORLD])


def test_ratios_count_the_items_of_all(together):
    sums, counts = torch.tensor([6.0, 0.0, 3.0]), torch.tensor([1, 0, 2])
    told = together(lambda rank: whole_batch.ratio(sums[rank], counts[rank]))
    assert torch.stack(told).mean() == 3, "9 of 3 items, whoever has them"


def test_the_first_one_chooses(together):
    assert together(lambda rank: int(whole_batch.same(torch.tensor(7 + rank)))) == [7, 7, 7]


def square_of_means(x, w):
    return (whole_batch.mean((x * w).tanh().mean(0))).square().mean()


def penalised(x, w):
    """A loss of the gradient of something that compares all rows."""
    x = x.detach().requires_grad_()
    rows = whole_batch.rows((x * w).tanh())
    (slope,) = torch.autograd.grad((whole_batch.share(rows @ rows.T)).square().sum(), x, create_graph=True)
    return slope.square().sum(1).mean()


def contrast(x, w):
    rows = x * w
    return nt_xent(rows[:, :2], rows[:, 2:], 0.5)[0]


@pytest.mark.parametrize(("loss", "near"), [(square_of_means, 1e-10), (penalised, 1e-10), (contrast, 1e-5)])
def test_gradients_are_those_of_the_whole_batch(together, loss, near):
    x, w = drawn(6, 4), drawn(4, seed=1)

    def slopes(rows):
        mine = w.clone().requires_grad_()
        return torch.autograd.grad(loss(rows, mine), mine)

    assert close(averaged(together(lambda rank: slopes(x[rank::WORLD]))), slopes(x), near)


class Following(nn.BatchNorm2d):
    """A kind of its own, whose code calls batch norm by itself."""

    def forward(self, x, follow=True):
        if follow:
            return super().forward(x)
        return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)


KINDS = {
    "1d": (lambda: nn.BatchNorm1d(3), (6, 3)),
    "1d, places": (lambda: nn.BatchNorm1d(3, affine=False), (6, 3, 5)),
    "2d, one item each": (lambda: nn.BatchNorm2d(3, momentum=0.3), (3, 3, 1, 1)),
    "cumulative": (lambda: nn.BatchNorm2d(3, momentum=None), (6, 3, 2, 2)),
    "untracked": (lambda: nn.BatchNorm2d(3, track_running_stats=False), (6, 3, 2, 2)),
    "its own": (lambda: Following(3), (6, 3, 2, 2)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_batch_norm_is_that_of_the_whole_batch(together, kind):
    """Outputs, first and second gradients, and running statistics over two passes; in evaluation nothing new."""
    make, shape = KINDS[kind]
    x = 3 * drawn(*shape) + 1
    settings = {"follow": False} if kind == "its own" else {}

    def played(rows):
        layer = make().double()
        names = list(layer.state_dict())
        norms_of_whole_batch(layer)
        norms_of_whole_batch(layer)
        assert list(layer.state_dict()) == names and isinstance(layer, type(make()))
        rows = rows.clone().requires_grad_()
        layer(rows.detach() * 2)
        y = layer(rows, **settings)
        (slope,) = torch.autograd.grad((y.tanh() * rows.sin()).sum(), rows, create_graph=True)
        seen = slope.square().flatten(1).sum(1).mean()
        affine = list(layer.parameters())
        second = torch.autograd.grad(seen, [rows, *affine])
        with torch.no_grad():
            at_rest = layer.eval()(rows.detach()) if layer.track_running_stats else y.detach()
        return [y.detach(), slope.detach(), at_rest], [*second[1:], *layer.buffers()], second[0]

    wanted = played(x)
    told = together(lambda rank: played(x[rank::WORLD]))
    for rank, (of_rows, _, second) in enumerate(told):
        assert close(of_rows, [whole[rank::WORLD] for whole in wanted[0]])
        # The mean over a process's rows weighs each row as often as there are processes.
        assert close([second], [WORLD * wanted[2][rank::WORLD]])
    assert close(
        averaged([[each.double() for each in mine] for _, mine, _ in told]), [each.double() for each in wanted[1]]
    )


def test_half_precision_is_normalised_in_full(together):
    x = (drawn(6, 3, 4, 4) * 0.1 + 20).bfloat16()
    told = together(lambda rank: batch_norm(x[rank::WORLD], None, None, training=True))
    assert all(each.dtype == torch.bfloat16 for each in told)
    wanted = F.batch_norm(x.float(), None, None, training=True)
    assert all(torch.allclose(each.float(), wanted[rank::WORLD], atol=0.02) for rank, each in enumerate(told))
