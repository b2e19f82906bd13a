"""What a configuration may say of the mirror behind a deployed gateway, and what it must be as a whole."""

from collections.abc import Mapping

from pydantic import Field

from llm_canaries.config.problems import Path, Problems, quoted
from llm_canaries.config.shape import DialectName, Shape
from llm_canaries.config.values import Bool, Line, Listen, Secret, Url

Data = Mapping[str, object]


class LoopbackConfig(Shape):
    """The model ids by which a gateway reaches our mirror, and what the gateway makes of them; None is "not known"."""

    model: Line = Field(description="the model id that the gateway sends on to the mirror")
    doors: Mapping[DialectName, Line] = Field(
        default={}, description="further ones, by the dialect in which the gateway asks the mirror: `dialect: model`"
    )
    upstream: Line | None = Field(default=None, description="the model id that the mirror is then asked for")
    vision: Bool | None = Field(default=None, description="`false` where the gateway takes it for a text-only model")
    thinking: Bool | None = Field(
        default=None, description="`false` where the gateway takes it for a model that cannot reason"
    )

    @property
    def models(self) -> tuple[str, ...]:
        """All model ids that lead to the mirror, each once."""
        return tuple(dict.fromkeys((self.model, *self.doors.values())))


class MirrorConfig(Shape):
    """Where the mirror of `loopback` models is: served here at `listen`, or by somebody else at `url`."""

    key: Secret = Field(description="the key that the mirror wants, as `${VARIABLE}` or `${file:/path}`")
    listen: Listen | None = Field(
        default=None, description="`HOST:PORT` at which `canaries run` and `canaries serve` serve it themselves"
    )
    url: Url | None = Field(default=None, description="the base URL of a `canaries mirror` that runs elsewhere")


def is_mirrored(gateway: Data) -> bool:
    """Whether a gateway has the built-in mirror behind it, and nothing else."""
    return gateway.get("kind") == "embedded" and "providers" not in gateway


def check_mirror(data: Data, problems: Problems) -> None:
    """The mirror is in one place, and there is one where a gateway is said to reach it."""
    mirror = data.get("mirror")
    if isinstance(mirror, dict):
        if "listen" in mirror and "url" in mirror:
            message = "`listen` and `url` exclude each other; keep `listen` to serve the mirror here"
            problems.add(("mirror", "url"), problems.told(("mirror", "url"), message), key=True)
        elif "listen" not in mirror and "url" not in mirror:
            message = "missing key `listen` or `url`; write `listen: 127.0.0.1:9878` to serve the mirror here"
            problems.add(("mirror",), problems.told(("mirror",), message), key=True)


def check_loopback(gateway: Data, kind: str, path: Path, problems: Problems, *, mirrored: bool) -> None:
    """A gateway that is said to reach the mirror does so through a `mirror` that is configured, if it is not built in.

    `mirrored`: the configuration has a `mirror`.
    """
    if "loopback" not in gateway:
        return
    place = (*path, "loopback")
    if is_mirrored(gateway):
        message = f"a gateway of kind {quoted(kind)} without `providers` has the mirror behind it; remove `loopback`"
        problems.add(place, message, key=True)
    elif not mirrored:
        message = "there is no `mirror` to loop back from; write `mirror: {listen: 127.0.0.1:9878, key: ${MIRROR_KEY}}`"
        problems.add(place, problems.told(place, message), key=True)


def check_looped(scenario: str, gateway: Data, name: str, path: Path, problems: Problems) -> None:
    """A canary of a scenario that needs the mirror, bound to a gateway that does not reach it, would be silence."""
    if "loopback" not in gateway and not is_mirrored(gateway) and gateway:
        place = (*path, "gateway")
        message = f"{problems.shown(place, name)} does not reach the mirror, which {quoted(scenario)} needs; "
        message += "give it `loopback: {model: …}`"
        problems.add(place, problems.told(place, message))
