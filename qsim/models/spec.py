"""What a model is to qsim, and how a name or ``file.py:factory`` becomes one.

A factory is the user's own code, run because the user named it. Whatever goes wrong in it is
reported as one line that names the user's file and line, never as a traceback.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib
import importlib.util
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsim.errors import ModelError, QsimError, told
from qsim.models.registry import builtin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    import torch

    Samples = tuple[torch.Tensor | tuple[torch.Tensor, ...], torch.Tensor | None]

_RETURNS = (
    "a qsim.models.Model or (module, example_inputs[, calibration[, samples]]) with a "
    "torch.nn.Module and a tuple of tensors, or a dict of keyword arguments"
)


@dataclass(frozen=True, slots=True)
class Model:
    """A float model and what is known of its inputs.

    Attributes:
        module: the float network.
        example_inputs: one tensor for each argument; dimension 0 is the batch, 1 or more. What a
            factory gives by name or nested is flattened, and the module takes it by position.
        calibration: input tuples that show the ranges of activations; None where there are none.
        samples: ``(inputs, labels)`` to measure on: inputs ``[N, ...]`` (a tuple of tensors for a
            model of several inputs), labels integers ``[N]``, or None where there is nothing to be
            right or wrong about; None where there are none.
        name: how reports call it.
        lengths: the dimensions that are the length of a sequence, within bounds, as
            ``qsim.quantize`` takes them; None where every shape is fixed.
        training: ``(inputs, labels)`` to train on, in the form of ``samples``, and none of these.
    """

    module: torch.nn.Module
    example_inputs: tuple[torch.Tensor, ...]
    calibration: Sequence[tuple[torch.Tensor, ...]] | None = None
    samples: Samples | None = None
    name: str = "model"
    lengths: Any = None
    training: Samples | None = None


def load(spec: str) -> Model:
    """Return the model that ``spec`` names.

    Args:
        spec: a built-in name, ``package.module:factory`` or ``file.py:factory``.

    Raises:
        ModelError: an unknown name, a missing file or factory, a factory that raises or returns
            something else.
        MissingToolError: the model needs an optional package that is not installed.
    """
    for known in builtin():
        if spec == known.name:
            module, _, function = known.factory.partition(":")
            made = getattr(importlib.import_module(module), function)()
            return _as_model(made, spec, known.name)
    source, colon, function = spec.rpartition(":")
    if not (colon and source and function):
        raise ModelError(_unknown(spec), accepted=_known(spec))
    if source.endswith(".py"):
        with _run_of(spec, Path(source)):
            made = _function(_from_file(Path(source), spec), function, spec)()
        return _as_model(made, spec, Path(source).stem)
    with _run_of(spec, None):
        made = _function(_from_module(source, spec), function, spec)()
    return _as_model(made, spec, function)


def function(spec: str) -> Callable[..., Any]:
    """Return the function that ``package.module:name`` or ``file.py:name`` names.

    Importing it runs the module. What it prints goes to stderr, here and when it is called.

    Raises:
        ModelError: no such file, module or function, or one that raises; also when it is called.
    """
    source, colon, name = spec.rpartition(":")
    if not (colon and source and name):
        raise ModelError(
            f"{spec!r} names no function", accepted="package.module:function or file.py:function"
        )
    path = Path(source) if source.endswith(".py") else None
    with _run_of(spec, path):
        if path is None:
            module = _from_module(source, spec, "function")
        else:
            module = _from_file(path, spec, "function")
        found = _function(module, name, spec, "function")

    def call(*arguments: Any, **named: Any) -> Any:
        with _run_of(spec, path):
            return found(*arguments, **named)

    return call


def _unknown(spec: str) -> str:
    hint = f" (for a file, say which factory: {spec}:NAME)" if spec.endswith(".py") else ""
    return f"there is no model {spec!r}{hint}"


def _known(spec: str) -> str:
    names = _closest_first(spec, [known.name for known in builtin()])
    return f"{', '.join(names)}, package.module:factory or file.py:factory"


@contextlib.contextmanager
def _run_of(spec: str, path: Path | None) -> Iterator[None]:
    """Import and call a user's code: its own folder importable, its errors one line."""
    folder = str((path.parent if path else Path.cwd()).resolve())
    sys.path.insert(0, folder)
    try:
        # What a factory prints must not end up in a report on stdout.
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except QsimError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(_one_line(error), where=_place(error, path) or spec) from None
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


def _one_line(error: BaseException) -> str:
    kind = type(error).__name__
    text = error.msg[:300] if isinstance(error, SyntaxError) else told(error, 300)
    return kind if text == kind else f"{kind}: {text}"


def _place(error: BaseException, path: Path | None) -> str:
    """Return ``file:line`` of the deepest frame in the user's own code, or nothing."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    skip = {__file__, contextlib.__file__}
    own = [f for f in frames if path and Path(f.filename).resolve() == path.resolve()]
    libraries = (sysconfig.get_path("stdlib"), "site-packages", "<frozen")
    rest = [f for f in frames if f.filename not in skip and not _within(f.filename, libraries)]
    for frame in reversed(own or rest):
        return f"{frame.filename}:{frame.lineno}"
    return ""


def _within(filename: str, parts: tuple[str, ...]) -> bool:
    return any(part in filename for part in parts)


def _from_file(path: Path, spec: str, what: str = "factory") -> ModuleType:
    if not path.is_file():
        raise ModelError("there is no such file", where=str(path), accepted=f"file.py:{what}")
    resolved = path.resolve()
    digest = hashlib.sha256(str(resolved).encode()).hexdigest()[:12]
    name = f"qsim_user_{path.stem}_{digest}"
    found = importlib.util.spec_from_file_location(name, resolved)
    if found is None or found.loader is None:
        raise ModelError("cannot be imported", where=spec, accepted="a Python file")
    module = importlib.util.module_from_spec(found)
    # Dataclasses and torch look a class's module up by name.
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _from_module(name: str, spec: str, what: str = "factory") -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise ModelError(
                f"there is no module {error.name!r}",
                where=spec,
                accepted=f"package.module:{what}, importable from here, or file.py:{what}",
            ) from None
        raise


def _function(
    module: ModuleType, name: str, spec: str, what: str = "factory"
) -> Callable[..., Any]:
    function = getattr(module, name, None)
    if callable(function):
        return function  # type: ignore[no-any-return]  # callable() narrows to (...) -> object
    own = sorted(
        key
        for key, value in vars(module).items()
        if inspect.isfunction(value)  # a class can be called, but is no factory
        and not key.startswith("_")
        and getattr(value, "__module__", "") == module.__name__
    )
    close = _closest_first(name, own)
    fault = "is not callable" if function is not None else "does not exist"
    raise ModelError(
        f"the {what} {name!r} {fault}",
        where=spec,
        accepted=", ".join(close[:8]) if close else "a function of that module",
    )


def _closest_first(name: str, names: Sequence[str]) -> list[str]:
    """Return names with the one most like ``name`` in front, the rest in alphabetical order."""
    rest = sorted(names)
    close = difflib.get_close_matches(name[:64], rest, 1)
    return [*close, *(each for each in rest if each not in close)]


def _as_model(made: object, spec: str, name: str) -> Model:
    lengths = training = None
    if isinstance(made, Model):
        parts: tuple[Any, ...] = (
            made.module,
            made.example_inputs,
            made.calibration,
            made.samples,
        )
        name = made.name if made.name != "model" else name
        lengths, training = made.lengths, made.training
    elif isinstance(made, tuple) and 2 <= len(made) <= 4:
        parts = (*made, *(None,) * (4 - len(made)))
    else:
        raise ModelError(f"the factory returned {_kind(made)}", where=spec, accepted=_RETURNS)
    module, inputs, calibration, samples = parts
    module = _module(module, spec)
    if _is_nested(inputs):
        module, inputs, calibration, samples = _flattened(module, inputs, calibration, samples)
    return Model(
        module,
        _inputs(inputs, "example_inputs", spec),
        _calibration(calibration, spec),
        _samples(samples, spec),
        name,
        lengths,
        _samples(training, spec, "training sample"),
    )


def _is_nested(inputs: object) -> bool:
    """Return whether inputs are given by name, or hold more than tensors."""
    import torch

    if isinstance(inputs, (tuple, list)):
        return any(isinstance(each, (Mapping, tuple, list, type(None))) for each in inputs)
    return isinstance(inputs, Mapping) and not isinstance(inputs, torch.Tensor)


def _flattened(module: torch.nn.Module, inputs: Any, calibration: Any, samples: Any) -> Any:
    """Return a module that takes tensors by position, with its inputs so."""
    from qsim.graph import check_inputs

    arguments = check_inputs(module, inputs)
    if isinstance(calibration, (tuple, list)):
        calibration = [
            arguments.flat(batch, f"calibration[{index}]")
            for index, batch in enumerate(calibration)
        ]
    if isinstance(samples, (tuple, list)) and samples:
        samples = (arguments.flat(samples[0], "sample inputs"), *samples[1:])
    return arguments.positional(module), arguments.tensors, calibration, samples


def _kind(value: object) -> str:
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return "None" if value is None else f"a {type(value).__module__}.{type(value).__qualname__}"


def _module(value: object, spec: str) -> torch.nn.Module:
    import torch

    if not isinstance(value, torch.nn.Module):
        raise ModelError(f"the factory's module is {_kind(value)}", where=spec, accepted=_RETURNS)
    return value


def _inputs(value: object, what: str, spec: str) -> tuple[torch.Tensor, ...]:
    import torch

    tensors = (value,) if isinstance(value, torch.Tensor) else value
    good = isinstance(tensors, (tuple, list)) and len(tensors) > 0
    if not good or not all(isinstance(t, torch.Tensor) for t in tensors):  # type: ignore[attr-defined]  # good says it is a tuple or list
        raise ModelError(
            f"the factory's {what} are {_kind(value)}", where=spec, accepted="a tuple of tensors"
        )
    if any(t.ndim == 0 for t in tensors):  # type: ignore[attr-defined]  # as above
        raise ModelError(
            f"the factory's {what} hold a scalar",
            where=spec,
            accepted="tensors whose dimension 0 is the batch",
        )
    return tuple(tensors)  # type: ignore[arg-type]  # as above


def _calibration(value: object, spec: str) -> tuple[tuple[torch.Tensor, ...], ...] | None:
    if value is None:
        return None
    if not isinstance(value, (tuple, list)) or len(value) == 0:
        raise ModelError(
            f"the factory's calibration is {_kind(value)}",
            where=spec,
            accepted="a list of input tuples, or None",
        )
    return tuple(_inputs(batch, "calibration batches", spec) for batch in value)


def _samples(value: object, spec: str, what: str = "sample") -> Samples | None:
    if value is None:
        return None
    accepted = "(inputs, labels): a tensor [N, ...] or a tuple of them, and N integers or None"
    if not (isinstance(value, (tuple, list)) and len(value) == 2):
        message = f"the factory's {what}s are {_kind(value)}"
        raise ModelError(message, where=spec, accepted=accepted)
    tensors = _inputs(value[0], f"{what} inputs", spec)
    counts = {tensor.shape[0] for tensor in tensors}
    if len(counts) > 1:
        raise ModelError(
            f"the factory's {what} inputs hold {sorted(counts)} samples",
            where=spec,
            accepted="as many of each input",
        )
    inputs = tensors if isinstance(value[0], (tuple, list)) else tensors[0]
    return inputs, _labels(value[1], counts.pop(), spec, accepted)


def _labels(labels: object, count: int, spec: str, accepted: str) -> torch.Tensor | None:
    import torch

    if labels is None:
        return None
    if not isinstance(labels, torch.Tensor):
        try:
            labels = torch.as_tensor(labels)
        except (TypeError, ValueError, RuntimeError):
            raise ModelError(
                f"the factory's labels are {_kind(labels)}", where=spec, accepted=accepted
            ) from None
    integral = not (labels.is_floating_point() or labels.is_complex())
    if not integral or labels.shape != (count,):
        raise ModelError(
            f"the factory's labels have shape {tuple(labels.shape)} and type {labels.dtype} for "
            f"{count} samples",
            where=spec,
            accepted=accepted,
        )
    return labels
