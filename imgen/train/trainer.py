"""The loop: build, resume, step, finish."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import nn

from imgen import dist, images
from imgen.algorithm import Algorithm
from imgen.data.loader import Loader
from imgen.data.spec import Dataset
from imgen.errors import Diverged
from imgen.metrics import Evaluation
from imgen.metrics.records import Chosen
from imgen.model import ModelConfig, write_model
from imgen.nn.batch_norm import norms_of_whole_batch
from imgen.train import checkpoint, measuring, memory
from imgen.train.batches import Batches
from imgen.train.beside import MOST, Beside
from imgen.train.device import device_name, set_up, wants_channels_last
from imgen.train.ema import Averaged
from imgen.train.events import Event, Finished, Listener, Logged, Previewed, Profiled, Saved, Started
from imgen.train.meters import Meters
from imgen.train.noise import mix, seed_noise
from imgen.train.play import House, name_of, restart, take_seats
from imgen.train.profiling import Profile, part
from imgen.train.resuming import resume
from imgen.train.shipping import shipping
from imgen.train.signals import Agreed, StopSignals
from imgen.train.ways import way_of
from imgen.train_settings import TrainSettings

Metrics = Mapping[str, Chosen]


class Trainer:
    """Trains one algorithm on one data set in one run folder."""

    def __init__(
        self,
        algorithm: Algorithm,
        dataset: Dataset,
        settings: TrainSettings,
        run: Path,
        *,
        config: ModelConfig,
        device: str = "cpu",
        metrics: Metrics | None = None,
        listeners: Sequence[Listener] = (),
        profile: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Move to the device, share the first weights, and take up the newest checkpoint if there is one.

        profile: write a trace and a table of a few steps; say: told in a line what is played otherwise than asked.

        Raises: `WeightsError` where the checkpoint is damaged or of another algorithm.
        """
        self.settings, self.run, self.config, self.metrics = settings, run, config, metrics or {}
        self.device = torch.device(device)
        set_up(settings, self.device)
        self.algorithm = algorithm.to(self.device).train()
        channels_last = wants_channels_last(settings, algorithm.model, self.device)
        if channels_last:
            self.algorithm.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if dist.world() > 1:
            norms_of_whole_batch(self.algorithm)
        self.seats = take_seats(algorithm)
        self.milestones = algorithm.milestones()
        self.averaged = Averaged(algorithm.model, settings.ema_half_life)
        self.house = House(way_of(settings, self.device, say), settings.clip_grad)
        self.meters = Meters(self.device)
        self.loader = Loader(
            dataset,
            batch=settings.batch,
            seed=settings.seed,
            device=self.device,
            rank=dist.rank(),
            world=dist.world(),
            resident=settings.resident,
            workers=settings.workers,
        )
        self.batches = Batches(self.loader, channels_last=channels_last)
        self.images_a_step = settings.batch * dataset.spec.pictures
        self.dataset, self.listeners = dataset, listeners if dist.rank() == 0 else ()
        self.beside = Beside(run, self.device, tuple(self.metrics))
        self._resumed = resume(run, self.algorithm, self.seats, self.averaged, self.device)
        self.step = self._resumed.step
        self._asked_to_stop = Agreed(self.step, settings.steps, self.device)
        self.profile = Profile(run / "profile", self.device, self.step, settings.steps) if profile else None

    def fit(self, stop: StopSignals) -> None:
        """Train to the last step and write what ships.

        Raises: `Diverged` where a loss is no number; `Stopped` after a signal, with the state saved.
        """
        with memory.kept():
            for _ in self.going(stop):
                pass

    def going(self, stop: StopSignals) -> Iterator[int]:
        """The same, a step at a time, for whoever trains several in turn; gives how many steps are done."""
        settings, began = self.settings, time.monotonic()
        self._clock, self._clock_step = began, self.step
        # The last step's metrics are taken whenever a run ends.
        owed = self._resumed.owed or self.step == settings.steps
        left = self.beside.left(self.step) if dist.rank() == 0 and self.metrics else []
        before = self._resumed.before
        self._tell(Started(self.step, settings.steps, device_name(self.device), owed, left, dist.world(), before))
        try:
            yield from self._steps(stop, owed, left)
            self._finish(time.monotonic() - began)
        finally:
            self.loader.close()
            self.beside.close()
            if self.profile:
                self.profile.close()

    def _steps(self, stop: StopSignals, owed: bool, left: Sequence[int]) -> Iterator[int]:
        settings = self.settings
        with stop.between_steps():
            for step in left:
                self.beside.again(step)
            if owed and self.step < settings.steps:
                self._measure(stop)
            while self.step < settings.steps:
                with dist.sharing():
                    self._play_step(self.step)
                self.step += 1
                if self.profile and self.profile.stepped(self.step):
                    self._tell(Profiled(self.step, self.profile.folder, self.profile.lines()))
                self._beats(stop)
                yield self.step

    def _beats(self, stop: StopSignals) -> None:
        """What is due after a step: log, preview, save, and end if a signal asked for it."""
        settings = self.settings
        for event in self.beside.told():
            self._tell(event)
        if self._due(settings.log_every):
            self._log()
        if settings.preview_every and self._due(settings.preview_every):
            self._preview()
        stopping = self._asked_to_stop(stop, self.step)
        milestone = self.step in self.milestones
        beat = bool(settings.measure_every) and self.step % settings.measure_every == 0
        due = (milestone or beat) and self.step < settings.steps
        # Before the state is saved, as what comes after that is not done again; who is asked to stop has no time for
        # it, and owes it to whoever goes on.
        if due and not stopping:
            self._measure(stop)
        if stopping or self._due(settings.save_every) or milestone:
            self._save(owed=due and stopping)
        if stopping:
            raise stop.end(f"step {self.step:,} is saved in {self.run}; the same command goes on from there")

    def _play_step(self, step: int) -> None:
        algorithm = self.algorithm
        with part("data"):
            batch = self.batches.of(step)
        with part("prepare"):
            for name in algorithm.restarts(step):
                # Alike on every process, and apart from the noise of the step.
                seed_noise(mix(self.settings.seed, -1, step), self.device)
                restart(name, self.seats)
            seed_noise(mix(self.settings.seed, dist.rank(), step), self.device)
            for seat in self.seats.values():
                seat.pace(step)
            with torch.no_grad():
                algorithm.prepare(step)
            batch |= algorithm.share(batch)
        for turn in algorithm.turns(step):
            losses, values = self.house.play(turn, batch, algorithm, self.seats)
            with part("meters"):
                name = name_of(turn)
                self.meters.add({f"{name}/{key}": value for key, value in {**losses, **values}.items()}, step)
        with part("conclude"), torch.no_grad():
            algorithm.conclude(step)
        with part("average"):
            self.averaged.update(self.images_a_step, (step + 1) * self.images_a_step)

    def _due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.settings.steps

    def _log(self) -> None:
        self._check_finite()
        now, steps = time.monotonic(), max(1, self.step - self._clock_step)
        seconds = max(now - self._clock, 1e-9)
        self._clock, self._clock_step = now, self.step
        left = (self.settings.steps - self.step) * seconds / steps
        memory = torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else 0
        wait = -dist.least(-round(1e6 * self.loader.waited()), self.device) / 1e6 / seconds
        rate, values = steps * self.images_a_step / seconds, self.meters.read()
        self._tell(Logged(self.step, values, rate, left, memory, min(wait, 1.0), self.loader.remedy()))

    def _check_finite(self) -> None:
        bad = self.meters.first_bad()
        if bad is None:
            return
        step, what = bad
        good = checkpoint.newest_step(self.run)
        last = f"the last good checkpoint is of step {good:,}" if good is not None else "there is no checkpoint yet"
        turn, _, loss = what.partition("/")
        raise Diverged(
            f"{self.run}: step {step:,}: turn '{turn}': loss '{loss}' is not a finite number; {last}; "
            "a lower learning rate, clip_grad or precision=fp32 may help"
        )

    def _preview(self) -> None:
        batch = self.batches.shown(self.algorithm)
        seed_noise(mix(self.settings.seed, -2, 0), self.device)
        with self._shipping():
            sheet = images.sheet(self.algorithm.preview(batch).float().cpu())
        path = self.run / "previews" / f"step-{self.step:08d}.png"
        if dist.rank() == 0:
            images.save_png(sheet, path)
        self._tell(Previewed(self.step, path, sheet))

    def _save(self, *, owed: bool) -> None:
        self._check_finite()
        if dist.rank() == 0:
            # With the running statistics that ship: who uses a former state gets what was measured of it.
            with self._shipping() as model:
                shipped = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            path = checkpoint.write(
                self.run,
                self.step,
                algorithm=self.algorithm.state_dict(),
                averaged=shipped,
                config=self._config(),
                seats=self.seats,
                state={"algorithm": self.config.origin.get("algorithm"), "world": dist.world(), "owed": owed},
                name=self.milestones.get(self.step, ""),
            )
            checkpoint.prune(self.run, self.settings.keep_last, self.settings.keep_every)
            self._tell(Saved(self.step, path))

    def _config(self) -> ModelConfig:
        origin = {**self.config.origin, "step": self.step}
        return ModelConfig(
            name=self.config.name,
            settings=self.config.settings,
            data=self.config.data,
            plugin=self.config.plugin,
            origin=origin,
        )

    def _finish(self, seconds: float) -> None:
        """Metrics first and the weights file last: its presence says that the run is complete."""
        if dist.rank() == 0:
            for event in self.beside.wait(0):
                self._tell(event)
            self._measure()
            path = self.run / "model.safetensors"
            with self._shipping() as model:
                write_model(path, self._config(), model.state_dict())
            self._tell(Finished(self.step, path, seconds))

    def _measure(self, stop: StopSignals | None = None) -> None:
        """The recipe's metrics of the model as it would ship now; beside training, unless that is over."""
        if dist.rank() != 0 or not self.metrics:
            return
        if stop and self._measures_beside():
            # Whoever is asked to end leaves a snapshot, and has no time to wait.
            for event in self.beside.wait(MOST - 1, lambda: stop.asked is not None):
                self._tell(event)
            with self._shipping() as model:
                self.beside.take(self.step, self._config(), model.state_dict())
            return
        with self._shipping() as model:
            evaluation = Evaluation(model=model, dataset=self.dataset, device=self.device, seed=self.settings.seed)
            for event in measuring.take(self.metrics, evaluation, self.step, device_name(self.device)):
                self._tell(event)

    def _measures_beside(self) -> bool:
        wanted = self.settings.measure_beside
        return wanted == "always" or (wanted == "auto" and dist.world() > 1)

    def _shipping(self) -> AbstractContextManager[nn.Module]:
        return shipping(self.algorithm, self.averaged, self.batches.peek)

    def _tell(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)
