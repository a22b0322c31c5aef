"""A run launcher whose first launch fails."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster._config import UserConfigSchema
from dagster._core.launcher import LaunchRunContext
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._serdes import ConfigurableClassData


class StumblingRunLauncher(DefaultRunLauncher):
    """Dagster's default launcher, but for one launch. `mark`: the file that records it, and whose launch it was."""

    def __init__(self, mark: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._mark = Path(mark)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {"mark": str}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> "StumblingRunLauncher":
        return cls(inst_data=inst_data, **config_value)

    def launch_run(self, context: LaunchRunContext) -> None:
        if not self._mark.exists():
            self._mark.write_text(context.dagster_run.run_id)
            raise RuntimeError("no machine to be had for this run")
        super().launch_run(context)
