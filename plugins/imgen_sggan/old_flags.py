"""Flags of the authors' two programs, as spellings of settings."""

from __future__ import annotations

from collections.abc import Mapping

_FIRST = {"dataset.split": "first", "dataset.sampler": "uniform"}

OLD_FLAGS: Mapping[str, str | Mapping[str, Mapping[str, str]]] = {
    # The program of the paper's time.
    "learn_rate": "algorithm.lr",
    "batch_size": "train.batch",
    "image_size": "dataset.size",
    # Theirs counts moves of the generator, of which there is one for five batches.
    "max_iters": "train.steps * 5",
    "lam_recon": "algorithm.w_rec",
    "sp_type": {
        "0": {},
        "1": {**_FIRST, "dataset.labels_per_value": "5000", "dataset.oversample": "10"},
        "2": {**_FIRST, "dataset.labels_per_value": "500", "dataset.oversample": "50"},
    },
    "use_sp": {"true": {"algorithm.d_norm": "spectral"}, "false": {"algorithm.d_norm": "none"}},
    # The later one.
    "exper_name": "run.out",
    "data_dir": "dataset.root",
    "chosen_att_names": "dataset.attrs",
    "to_balance_att_names": "dataset.balance",
    "img_size": "dataset.size",
    "input_nc": "dataset.channels",
    "ngf": "algorithm.width",
    "ndf": "algorithm.d_width",
    "n_layers_g": "algorithm.levels",
    "niter": "train.steps",
    "lr_g": "algorithm.lr",
    "lr_d": "algorithm.d_lr",
    "loss_type": {
        "wgan_gp": {"algorithm.loss": "wasserstein"},
        "hinge": {"algorithm.loss": "hinge"},
        "softplus": {"algorithm.loss": "logistic"},
    },
    "gp_type": {
        "wgan_gp": {},
        "none": {"algorithm.w_gp": "0"},
        # Theirs asked for a norm of 1 where R1 asks for none.
        "r1": {"algorithm.w_gp": "0", "algorithm.w_r1": "10"},
        "dirac": {"algorithm.w_gp": "0", "algorithm.w_r1": "10"},
    },
    "lam_gp": "algorithm.w_gp",
    "lam_r": "algorithm.w_rec",
    "lam_rec": "algorithm.w_rec",
    "lam_c": "algorithm.w_class",
    "lam_cls": "algorithm.w_class",
    "lam_id": "algorithm.w_tie",
    "n_blocks": "algorithm.blocks",
    "iters": "train.steps",
    "save_model_freq": "train.save_every",
    "display_freq": "train.log_every",
}
"""The others have one name there and here: `beta1`, `beta2`, `n_critic`, `labels_per_value`, `split_seed`."""
