"""One turn: who moves, by what gradient, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from imgen.algorithm import Algorithm, Player, moves_of, turn
from imgen.errors import PluginError
from imgen.optim import OptimizerFactory, adam
from imgen.train.play import Eager, House, restart, take_seats

CPU = torch.device("cpu")


def descent(lr: float = 1.0) -> OptimizerFactory:
    """Plain gradient descent: a move is the gradient."""
    return lambda parameters: torch.optim.SGD(parameters, lr=lr)


class Duel(Algorithm):
    """Two players of two weights each, and a turn of every kind."""

    def __init__(self, clamp: float | None = None) -> None:
        super().__init__()
        self.model = nn.Linear(2, 1, bias=False).double()
        self.d = nn.Linear(1, 2, bias=False).double()
        self.clamp = clamp
        self.register_buffer("seen", torch.zeros(()))

    def players(self):
        return {"d": Player([self.d], descent(), clamp=self.clamp), "g": Player([self.model], descent())}

    def losses(self, batch):
        score = self.d(self.model(batch["x"])).square().sum()
        return {"d": score * 3, "g": -score}

    @turn("d", "g")
    def both(self, batch):
        return self.losses(batch), {"value": torch.ones(())}

    @turn("d")
    def judge(self, batch):
        return {"d": self.losses(batch)["d"]}, {}

    @turn("g")
    def forge(self, batch):
        return {"g": self.losses(batch)["g"]}, {}


@pytest.fixture
def duel():
    def make(**settings):
        torch.manual_seed(5)
        return Duel(**settings)

    return make


@pytest.fixture
def batch():
    return {"x": torch.tensor([[0.5, -1.0], [2.0, 0.25]], dtype=torch.float64)}


def played(algorithm, name, batch, **house):
    """The change of every parameter by one turn."""
    before = {key: value.detach().clone() for key, value in algorithm.named_parameters()}
    seats = take_seats(algorithm)
    House(Eager(CPU), **house).play(getattr(algorithm, name), batch, algorithm, seats)
    return {key: value.detach() - before[key] for key, value in algorithm.named_parameters()}


@pytest.mark.parametrize(("name", "moves"), [("judge", {"d.weight"}), ("forge", {"model.weight"})])
def test_only_movers_move(name, moves, duel, batch):
    change = played(duel(), name, batch)
    assert {key for key, value in change.items() if value.any()} == moves


def test_two_movers_of_one_forward_pass_move_as_by_two(duel, batch):
    """Each loss moves its own player alone, and both see the weights as they were before the turn."""
    together = played(duel(), "both", batch)
    apart = played(duel(), "judge", batch) | {"model.weight": played(duel(), "forge", batch)["model.weight"]}
    assert together["d.weight"].any() and together["model.weight"].any()
    for key, value in together.items():
        assert torch.equal(value, apart[key])


def test_a_move_is_the_hand_computed_gradient(duel, batch):
    algorithm = duel()
    w, v, x = algorithm.model.weight.detach().clone(), algorithm.d.weight.detach().clone(), batch["x"]
    change = played(algorithm, "both", batch)
    # score = |v|^2 sum (w x)^2
    made = x @ w.T
    assert torch.allclose(change["d.weight"], -3 * 2 * v * made.square().sum())
    assert torch.allclose(change["model.weight"], v.square().sum() * 2 * (made * x).sum(0, keepdim=True))


def test_losses_and_values_come_back(duel, batch):
    algorithm = duel()
    losses, values = House(Eager(CPU)).play(algorithm.both, batch, algorithm, take_seats(algorithm))
    assert set(losses) == {"d", "g"} and set(values) == {"value"}


def test_nothing_but_movers_asks_for_gradients(duel, batch):
    algorithm = duel()
    seen = {}
    plain = algorithm.losses
    algorithm.losses = lambda batch: (
        seen.update({name: p.requires_grad for name, p in algorithm.named_parameters()}) or plain(batch)
    )
    House(Eager(CPU)).play(algorithm.judge, batch, algorithm, take_seats(algorithm))
    assert seen == {"d.weight": True, "model.weight": False}
    assert all(parameter.grad is None for parameter in algorithm.parameters())


@pytest.mark.parametrize("bound", [1e-3, 1e6])
def test_clipping_bounds_each_players_norm(bound, duel, batch):
    free, clipped = played(duel(), "both", batch), played(duel(), "both", batch, clip_grad=bound)
    for key, value in free.items():
        assert torch.allclose(clipped[key], value * min(1, bound / value.norm().item()), rtol=1e-4)


class Sum(Duel):
    """Two weights that are added up: autograd gives both one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.d.bias = nn.Parameter(torch.zeros(2, dtype=torch.float64))
        self.d.register_parameter("more", nn.Parameter(torch.zeros(2, dtype=torch.float64)))

    @turn("d")
    def judge(self, batch):
        return {"d": (3 * (self.d.bias + self.d.more)).sum() + 0 * self.d.weight.sum()}, {}


def test_clipping_scales_a_gradient_once_that_two_parameters_share(batch):
    change = played(Sum(), "judge", batch, clip_grad=0.6)
    assert change["d.bias"].tolist() == change["d.more"].tolist()
    assert sum(each.norm() ** 2 for each in change.values()) ** 0.5 == pytest.approx(0.6)


def test_clamping_bounds_every_weight_of_that_player(duel, batch):
    algorithm = duel(clamp=0.01)
    played(algorithm, "both", batch)
    assert algorithm.d.weight.abs().max() <= 0.01
    assert algorithm.model.weight.abs().max() > 0.01
    assert duel().d.weight.abs().max() > 0.01


def test_schedules_scale_the_rate_and_never_pile_up(game):
    seats = take_seats(game())
    for step in (0, 3, 1, 0):
        seats["d"].pace(step)
        assert seats["d"].optimizer.param_groups[0]["lr"] == pytest.approx(1e-2 / (1 + step))


def test_bf16_is_autocast_and_weights_stay_float(duel, batch):
    algorithm = duel().float()
    kinds = []
    plain = algorithm.losses
    algorithm.losses = lambda batch: kinds.append(algorithm.model(batch["x"]).dtype) or plain(batch)
    seats = take_seats(algorithm)
    House(Eager(CPU, bf16=True)).play(algorithm.judge, {"x": batch["x"].float()}, algorithm, seats)
    assert kinds == [torch.bfloat16]
    assert algorithm.d.weight.dtype == torch.float32


class Odd(Duel):
    """Players that break the rules."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def players(self):
        fair = super().players()
        if self.fault == "shared":
            return fair | {"third": Player([self.d], descent())}
        return {"d": fair["d"]}


def test_shared_and_orphaned_parameters_are_refused():
    with pytest.raises(TypeError, match=r"players 'd' and 'third' both own the parameter d\.weight"):
        take_seats(Odd("shared"))
    with pytest.raises(TypeError, match=r"no player owns the parameter model\.weight \(1 in all\)"):
        take_seats(Odd("orphan"))


@pytest.mark.parametrize(
    ("player", "told"),
    [
        (lambda d: [d], "is a list; it must be a Player"),
        (lambda d: Player(d, descent()), "has a network and no list of them"),
        (lambda d: Player([d], torch.optim.SGD(d.parameters())), "has a SGD, which imgen makes"),
        (lambda d: Player([nn.Linear(1, 1)], descent()), "owns no parameter of the game"),
    ],
)
def test_what_is_no_player_is_refused(duel, monkeypatch, player, told):
    algorithm = duel()
    others = algorithm.players()
    monkeypatch.setattr(algorithm, "players", lambda: {**others, "d": player(algorithm.d)})
    with pytest.raises(PluginError) as failed:
        take_seats(algorithm)
    assert str(failed.value).startswith(f"players(): 'd' {told}")


def test_a_game_that_lacks_a_method_is_told_which():
    for call in (lambda game: game.players(), lambda game: game.turns(0), lambda game: game.preview({})):
        with pytest.raises(PluginError, match=r"Algorithm has no method `(players|turns|preview)`"):
            call(Algorithm())


def test_an_unmarked_turn_is_refused(duel, batch):
    algorithm = duel()
    with pytest.raises(TypeError, match=r"Duel\.losses is played as a turn but is not marked"):
        House(Eager(CPU)).play(algorithm.losses, batch, algorithm, take_seats(algorithm))
    assert moves_of(algorithm.both).players == ("d", "g")


ONE = torch.ones((), requires_grad=True)


@pytest.mark.parametrize(
    ("given", "movers", "told"),
    [
        (ONE, ["d"], "turn 'forge' gives a Tensor; it must give two mappings"),
        (None, ["d"], "turn 'forge' gives a NoneType; it must give two mappings"),
        ({"d": ONE}, ["d"], "turn 'forge' gives a dict; it must give two mappings"),
        (({"g": ONE}, {}), ["d"], "turn 'forge' gives no loss for 'd'; there is g"),
        (({"d": ONE}, {}), ["dd"], "turn 'forge' moves 'dd', which is no player; did you mean 'd'?"),
        (({"d": ONE.expand(3)}, {}), ["d"], "turn 'forge': 'd' is (3,); it must have no dimensions"),
        (({"d": ONE.detach()}, {}), ["d"], "turn 'forge': the loss of 'd' is cut off from its networks"),
        (({"d": ONE}, {"gap": 0.5}), ["d"], "turn 'forge': 'gap' is a float; it must be a tensor"),
    ],
)
def test_what_a_turn_must_not_give_is_told_in_a_line(duel, batch, given, movers, told):
    @turn(*movers)
    def forge(batch):
        return given

    algorithm = duel()
    with pytest.raises(PluginError) as failed:
        House(Eager(CPU)).play(forge, batch, algorithm, take_seats(algorithm))
    assert str(failed.value).startswith(told)


class Lasting:
    """Writes its gradients into the same tensors at every play of a turn, as a record does; now and then does not."""

    def __init__(self, fresh_at=()) -> None:
        self.kept, self.fresh_at, self.plays = {}, fresh_at, 0

    def derive(self, turn, batch, seats):
        fresh = Eager(CPU).derive(turn, batch, seats)
        self.plays += 1
        if self.plays in self.fresh_at:
            return fresh
        kept = self.kept.setdefault(turn, replace(fresh, lasting=True))
        for name, gradients in fresh.gradients.items():
            for key, gradient in gradients.items():
                kept.gradients[name][key].copy_(gradient)
        return kept


@pytest.mark.parametrize("fresh_at", [(), (2, 4), (3, 6)])
@pytest.mark.parametrize(("clip_grad", "clamp"), [(0, None), (0.05, 0.4)])
def test_gradients_that_last_move_players_as_fresh_ones_do(fresh_at, clip_grad, clamp, duel, batch):
    """Turns that reach other parameters of the same player, and a restart in between."""
    found = []
    for way in (Eager(CPU), Lasting(fresh_at)):
        algorithm = duel(clamp=clamp)
        algorithm.d.extra = nn.Parameter(torch.ones(2, dtype=torch.float64))
        algorithm.d.reset_parameters = lambda d=algorithm.d: d.weight.fill_(0.5)
        reaching = turn("d")(lambda batch, a=algorithm: ({"d": a.losses(batch)["d"] + 0.1 * a.d.extra.norm()}, {}))
        seats, house = take_seats(algorithm), House(way, clip_grad)
        for each in (algorithm.both, reaching, algorithm.both, reaching, reaching, "restart", algorithm.both, reaching):
            if each == "restart":
                restart("d", seats)
            else:
                house.play(each, {"x": 0.1 * batch["x"]}, algorithm, seats)
        found.append([parameter.detach() for parameter in algorithm.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    assert not torch.equal(found[0][-1], torch.ones(2)) and found[0][0].isfinite().all()


def test_parameters_that_a_loss_does_not_reach_stay(duel, batch):
    algorithm = duel()
    algorithm.d.extra = nn.Parameter(torch.ones(2, dtype=torch.float64))
    change = played(algorithm, "judge", batch)
    assert not change["d.extra"].any() and change["d.weight"].any()


def test_a_restart_is_in_place_with_a_fresh_optimizer_and_old_buffers(game):
    algorithm = game()
    algorithm.k.fill_(0.5)
    seats = take_seats(algorithm)
    batch = {"images": torch.ones(4, 3, 4, 4), "z": torch.ones(4, 2)}
    House(Eager(CPU)).play(algorithm.both, batch, algorithm, seats)
    old, weight, g = algorithm.d.weight.detach().clone(), algorithm.d.weight, algorithm.model.net[0].weight.clone()
    assert seats["d"].optimizer.state
    restart("d", seats)
    assert algorithm.d.weight is weight and not torch.equal(weight, old)
    assert not seats["d"].optimizer.state
    assert torch.equal(algorithm.model.net[0].weight, g) and algorithm.k == 0.5
    with pytest.raises(TypeError, match=r"player 'g' restarts, but its Made has no reset_parameters\(\)"):
        restart("g", seats)


class Turned(Algorithm):
    """Its weight is used transposed, so that the gradient lies in memory the other way round."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Linear(3, 2, bias=False)

    def players(self):
        return {"g": Player([self.model], adam(0.1))}

    @turn("g")
    def forge(self, batch):
        return {"g": (self.model.weight.t() * batch["x"]).sum()}, {}


def test_a_gradient_in_another_memory_order_moves_the_right_weights():
    """Adam's first move is the learning rate against the sign of each weight's own gradient."""
    x = torch.tensor([[1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    change = played(Turned(), "forge", {"x": x})["model.weight"]
    assert torch.allclose(change, -0.1 * x.t(), atol=1e-5)
