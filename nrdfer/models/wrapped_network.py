"""A plain ``nn.Module`` as a `ClipNetwork`: clips (B, T, 3, H, W), values 0 to 1, in; logits (B, K) out.

The module is built as timm and torchvision build theirs: by calling its class, or a function, with keyword arguments.
Of ``classes`` (or ``num_classes``), ``frames`` and ``image_size`` it is given those that it takes; its other arguments
with plain defaults are its settings.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from nrdfer.core.errors import PluginError
from nrdfer.core.plugins import last_line
from nrdfer.models.base import ClipNetwork, NetworkSettings

_OURS = [field.name for field in dataclasses.fields(NetworkSettings)]
_GIVEN = tuple(dict.fromkeys(["classes", "num_classes", *_OURS]))
_PLAIN = (bool, int, float, str)


class ByCode(ClipNetwork):
    """A network whose class other processes cannot import by its name: it is sent to them as settings and weights."""

    rebuild: Callable[[Mapping[str, Any]], ClipNetwork]  # the registry sets it

    def __reduce__(self) -> tuple[Any, ...]:
        device = next(self.parameters(), torch.empty(0)).device
        return _restored, (self.rebuild, dataclasses.asdict(self.settings), self.state_dict(), device, self.training)


def _restored(
    rebuild: Callable[[Mapping[str, Any]], ClipNetwork],
    settings: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    device: torch.device,
    training: bool,
) -> ClipNetwork:
    network = rebuild(settings).to(device).train(training)
    network.load_state_dict(weights)
    return network


class WrappedNetwork(ByCode):
    """A module that knows nothing of this project.

    Args:
        settings: of the network.
        make: class or function that returns the module.
        title: of the network, for messages.

    Raises:
        PluginError: it cannot be built, or is no module.
    """

    def __init__(self, settings: NetworkSettings, make: Callable[..., Any], title: str) -> None:
        super().__init__()
        self.settings, self.title = settings, title
        arguments = _arguments(make, settings, title)
        try:
            made = make(**arguments)
        except Exception as error:
            given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
            said = f"the {title} cannot be built with {given or 'no arguments'}: {last_line(error)}"
            raise PluginError(said) from error
        if not isinstance(made, nn.Module):
            raise PluginError(f"the {title} is a {type(made).__name__}; it must be, or return, a torch.nn.Module")
        self.wrapped = made
        self.head = nn.Identity()
        if any(is_lazy(parameter) for parameter in (*made.parameters(), *made.buffers())):  # sizes come from a clip
            size = settings.image_size
            with torch.no_grad():
                made.eval()(torch.zeros(1, settings.frames, 3, size, size))
            made.train()

    def represent(self, x_BTCHW: Tensor) -> Tensor:
        """The logits: what the module's own classifier sees is not known.

        Raises:
            PluginError: the module's answer has another shape, or holds no floating-point numbers.
        """
        logits_BK = self.wrapped(x_BTCHW)
        refuse_other_answer(logits_BK, x_BTCHW, self.settings.classes, self.title)
        return cast(Tensor, logits_BK)


def refuse_other_answer(answer: Any, x_BTCHW: Tensor, classes: int, title: str) -> None:
    """Check that a network's answer is logits (B, K).

    Raises:
        PluginError: it is not; says what it is.
    """
    clips, wanted = tuple(x_BTCHW.shape), (x_BTCHW.shape[0], classes)
    if not isinstance(answer, Tensor):
        raise PluginError(
            f"the {title} answers clips of shape {clips} with a {type(answer).__name__}; it must return a tensor of "
            f"logits, {wanted}"
        )
    if answer.ndim == 2 and answer.shape[0] == wanted[0] and answer.shape[1] != classes:
        raise PluginError(
            f"the {title} answers with {answer.shape[1]} logits a clip, but there are {classes} emotions; let it take "
            f"`classes` and make its last layer that wide (here {classes})"
        )
    if tuple(answer.shape) != wanted:
        raise PluginError(
            f"the {title} answers clips of shape {clips} with a tensor of shape {tuple(answer.shape)}; it must return "
            f"logits, {wanted}"
        )
    if not answer.is_floating_point():
        raise PluginError(f"the {title} answers with {answer.dtype}; it must return logits, floating-point numbers")


@functools.cache
def settings_of(make: Callable[..., Any], title: str) -> type[NetworkSettings]:
    """Settings dataclass of a network, from the keyword arguments of what builds it.

    Raises:
        PluginError: it cannot be called with keyword arguments alone.
    """
    own: list[tuple[str, Any, Any]] = []
    hints = _hints(make)
    for name, parameter in _parameters(make, title).items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        default = parameter.default
        if name in _GIVEN:
            if name in ("frames", "image_size") and type(default) is int:
                own.append((name, int, default))
            continue
        if default is parameter.empty or parameter.kind is parameter.POSITIONAL_ONLY:
            raise PluginError(
                f"the {title} needs the argument {name}, which is not known here; give it a default. Passed are "
                f"{', '.join(_GIVEN)}, as far as they are taken"
            )
        hint = hints.get(name)
        if not _is_plain(hint):
            hint = type(default) if type(default) in _PLAIN else None
        if hint is not None:
            own.append((name, hint, tuple(default) if isinstance(default, list) else default))
    fields = [(name, hint, dataclasses.field(default=default)) for name, hint, default in own]
    made = dataclasses.make_dataclass("Settings", fields, bases=(NetworkSettings,), frozen=True)
    return cast("type[NetworkSettings]", made)


def _arguments(make: Callable[..., Any], settings: NetworkSettings, title: str) -> dict[str, Any]:
    parameters = _parameters(make, title)
    values = {"num_classes": settings.classes, **_values(settings)}
    return {name: values[name] for name in parameters if name in values}


def _values(settings: NetworkSettings) -> dict[str, Any]:
    values = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    return {**values, "classes": settings.classes}


def _parameters(make: Callable[..., Any], title: str) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(make).parameters
    except (TypeError, ValueError) as error:
        raise PluginError(f"the {title} has no readable arguments ({error}); wrap it in a Python function") from error


def _hints(make: Callable[..., Any]) -> dict[str, Any]:
    called: Any = make
    try:
        return typing.get_type_hints(called.__init__ if isinstance(make, type) else make)
    except Exception:  # an annotation that means nothing when it is run: types of the defaults are used
        return {}


def _is_plain(hint: Any) -> bool:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return all(part is types.NoneType or part in _PLAIN for part in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return all(part is Ellipsis or part in _PLAIN for part in typing.get_args(hint))
    return hint in _PLAIN
