"""Where in its configuration a case was asked for."""

from pathlib import Path

from llm_canaries.canary.canary import Case
from llm_canaries.canary.report.sarif import Place
from llm_canaries.config.source import read_source
from llm_canaries.service.settings import Settings


class Places:
    """The lines of one configuration; there are none of the embedded default."""

    def __init__(self, settings: Settings) -> None:
        self._file, self._config = settings.source, settings.config
        text = Path(settings.source).read_text(encoding="utf-8") if settings.source else ""
        self._source = read_source(text) if text else None

    def of(self, case: Case) -> Place | None:
        """The line of the canary that the case is of, else of its gateway; None where neither is written down."""
        if self._source is None:
            return None
        lines = self._source.places
        for index, canary in enumerate(self._config.canaries or ()):
            if (canary.name or canary.use) == case.canary and ("canaries", index) in lines.values:
                return Place(self._file, lines.line(("canaries", index)))
        path = ("gateways", case.gateway)
        return Place(self._file, lines.line(path, key=True)) if path in lines.keys else None
