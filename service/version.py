"""The one place that states the version; a constant, so that `--version` imports nothing else."""

__version__ = "0.1.0"
