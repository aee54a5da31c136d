"""The settings of the authors' programs, as spellings of ours."""

from __future__ import annotations

from collections.abc import Mapping

OLD_FLAGS: Mapping[str, str] = {
    "run": "train.seed",
    "epoch": "train.epochs",
    "batch_size": "train.batch",
    "uniform_reg_dim": "algorithm.num_codes",
    "uniform_not_reg_dim": "algorithm.d_noise",
    "q_l_dim": "algorithm.hidden",
    "info_coe_de": "algorithm.w_info",
    "info_coe_infod": "algorithm.w_info",
    "cr_coe_start": "algorithm.cr_start",
    "cr_coe_increase": "algorithm.cr_increase",
    "cr_coe_increase_times": "algorithm.cr_times",
    "cr_coe_increase_batch": "algorithm.cr_every",
    "gap_decrease_batch": "algorithm.gap_every",
    "gap_decrease_times": "algorithm.gap_times",
    "de_lr": "algorithm.lr_g",
    "infod_lr": "algorithm.lr_d",
    "crd_lr": "algorithm.lr_cr",
    "vis_freq": "train.preview_every",
    "summary_freq": "train.log_every",
}
"""`gap_start` and `gap_decrease` have one name there and here."""

OLD_VAE_FLAGS: Mapping[str, str] = {
    "run": "train.seed",
    "epoch": "train.epochs",
    "batch_size": "train.batch",
    "gaussian_dim": "algorithm.num_codes",
    "tc_coe": "algorithm.w_tc",
    "vis_freq": "train.preview_every",
}
