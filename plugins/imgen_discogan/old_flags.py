"""The flags of the two reference programs, the authors' and a later port of it, as spellings of settings."""

from __future__ import annotations

from collections.abc import Mapping

TASKS: Mapping[str, Mapping[str, str]] = {
    "celeba": {"dataset.name": "attribute-domains"},
    "facescrub": {"dataset.name": "folder-domains"},
    "edges2shoes": {"dataset.name": "aligned-domains", "dataset.thicken": "true"},
    "edges2handbags": {"dataset.name": "aligned-domains", "dataset.thicken": "true"},
    **{
        task: {
            "dataset.name": "folder-domains",
            "dataset.side_A": "right",
            "dataset.side_B": "right",
            "algorithm.starting_rate": "0.5",
        }
        for task in ("handbags2shoes", "shoes2handbags")
    },
    **{
        task: {
            "dataset.name": "pose-pairs",
            "dataset.task": task,
            "algorithm.levels": "5",
            "algorithm.matched": "deep",
            "algorithm.starting_rate": "0.9",
            "algorithm.default_rate": "0.9",
        }
        for task in ("car2car", "chair2chair", "face2face", "chair2car", "chair2face", "car2face")
    },
}
"""What each value of `--task_name` stands for."""

OLD_FLAGS: Mapping[str, str | Mapping[str, Mapping[str, str]]] = {
    "task_name": TASKS,
    "epoch_size": "train.epochs",
    "batch_size": "train.batch",
    "learning_rate": "algorithm.lr",
    "model_arch": "algorithm.variant",
    "image_size": "dataset.size",
    "gan_curriculum": "algorithm.curriculum",
    "num_layers": "algorithm.levels",
    "log_interval": "train.log_every",
    "image_save_interval": "train.preview_every",
    "model_save_interval": "train.save_every",
    "max_iters": "train.steps",
    "list": "dataset.attrs",
    "result_path": "run.out",
    "model_path": "run.out",
    "cuda": {"true": {"run.device": "cuda"}, "false": {"run.device": "cpu"}},
}
"""The others have one name there and here: `style_A`, `style_B`, `constraint`, `constraint_type`, `n_test`, `attrs`,
`update_interval`, `starting_rate` and `default_rate`."""
