"""The environment that imgen runs in: who installs into it, what is installed, and what is wrong with it.

Nothing here imports a plugin of others into this process.
"""
