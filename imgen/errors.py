"""Every error that a user can cause or meet, each one line: where, what is wrong, what would be right."""


class ImgenError(Exception):
    """Something that the user can put right; `cli` prints it without a traceback.

    Several lines of text are several errors, all found at once.
    """

    exit_status = 2


class RecipeError(ImgenError):
    """A recipe, or a setting given on the command line, is wrong."""


class PluginError(ImgenError):
    """A plugin is broken, missing, or claims what another has."""


class DataError(ImgenError):
    """A data set is missing, unreadable, or not what the algorithm needs."""


class WeightsError(ImgenError):
    """A weights file or a checkpoint is damaged, foreign, or of another recipe."""


class Diverged(ImgenError):
    """A loss stopped being a number while training."""

    exit_status = 1
