"""From MODEL to a network on a target: what ``run`` and ``compile`` share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qsim.cli.calibrating import quantized_model
from qsim.cli.program_names import is_executorch
from qsim.errors import FileFormatError, ModelError, UsageError

if TYPE_CHECKING:
    from qsim.cli.output import Output
    from qsim.models import Model
    from qsim.network import Lowered
    from qsim.quantizer import Quantized
    from qsim.target import Target

DEFAULT_TARGET: Final = "tflite"
_MODEL_FORMS: Final = (
    "a built-in name (`qsim models`), package.module:factory, file.py:factory, a .pt2 or a .qsim"
)


@dataclass(frozen=True)
class Built:
    """A network on a target and where it came from.

    Attributes:
        lowered: what runs.
        quantized: its Q/DQ and float graphs; None for a ``.qsim`` file.
        model: the float model with its samples; None for a file.
        length: of the sequences of a run, and the bounds; None where every shape is fixed.
    """

    lowered: Lowered
    quantized: Quantized | None = None
    model: Model | None = None
    length: tuple[int, int, int] | None = None


def target_of(spec: str, name: str | None) -> Target | None:
    """Return the target that a run will use, or None where the file of MODEL holds it.

    Raises:
        TargetError: there is no such target, or its file is not acceptable.
        UsageError: MODEL has a suffix that this version does not read.
    """
    from qsim.target import Target

    _refuse_program(spec)
    if spec.endswith((".qsim", ".pt2")) and name is None:
        return None
    return Target.load(name or DEFAULT_TARGET)


def _refuse_program(spec: str) -> None:
    if is_executorch(spec):
        raise UsageError(
            "an ExecuTorch program cannot be quantized or lowered again: `qsim run` and "
            "`qsim inspect` take it",
            where=spec,
            accepted=_MODEL_FORMS,
        )


def check_model_name(spec: str) -> None:
    """Refuse a name that no built-in has, before torch is loaded.

    Raises:
        ModelError: with the closest names.
        UsageError: it is an ExecuTorch program.
    """
    from qsim.models import builtin, load

    _refuse_program(spec)
    names = {item.name for item in builtin()}
    if spec not in names and ":" not in spec and not spec.endswith((".pt2", ".qsim")):
        load(spec)


def read_config(path: Path | None) -> Any:
    """Return the QuantizeConfig of a TOML file, or None without one.

    Raises:
        UsageError: the file cannot be read or a field is not acceptable.
    """
    if path is None:
        return None
    from qsim.quantizer import QuantizeConfig

    return QuantizeConfig.load(path)


def build(
    spec: str, target: Target | None, config: Path | None, output: Output, *, quantized_io: bool
) -> Built:
    """Load, quantize and lower MODEL, with progress on a terminal.

    Raises:
        QsimError: whatever is wrong with the model, the target or a file, in one line.
    """
    built = _build(spec, target, config, output)
    if quantized_io:
        _check_integer_outputs(built.lowered)
        return Built(built.lowered.quantized_io(), built.quantized, built.model)
    return built


def _check_integer_outputs(lowered: Lowered) -> None:
    """Refuse ``--quantized-io``, in the user's words, where the host makes an output.

    Raises:
        ModelError: names the output and the operator.
    """
    makers = {name: step for step in lowered.steps for name in step.outputs}
    for spec in lowered.outputs:
        step = makers.get(spec.name)
        # A part of an operator's result: the operator itself is what the user knows.
        while step is not None and step.attributes.get("operator") == "getitem":
            step = makers.get(step.inputs[0])
        if step is not None and step.kind == "torch" and "float" in spec.dtype:
            raise ModelError(
                f"its output comes from {step.attributes['operator']}, which runs on the host in "
                "float",
                where="--quantized-io",
                accepted="a network that ends on the accelerator; drop the operator or run "
                "without --quantized-io",
            )


def _build(spec: str, target: Target | None, config: Path | None, output: Output) -> Built:
    if spec.endswith(".qsim"):
        refuse_config(spec, config)
        return Built(_load_qsim(spec, target))
    from qsim.lowering import lower

    quantized, model = quantized_of(spec, target, config, output)
    with output.stage("lowering"):
        lowered = lower(quantized)
    lowered.model = model.name if model is not None else Path(spec).stem
    return Built(lowered, quantized, model)


def load_network(path: str | Path) -> Lowered:
    """Return the network of a ``.qsim`` file.

    Raises:
        FileFormatError: always with what would be accepted.
    """
    from qsim.network import load

    try:
        return load(path)
    except FileFormatError as error:
        whole = error.accepted or "a whole file, as `qsim compile` writes it"
        raise FileFormatError(error.message, where=error.where, accepted=whole) from None


def _load_qsim(spec: str, target: Target | None) -> Lowered:
    lowered = load_network(spec)
    same_target(spec, lowered.target, target)
    return lowered


def quantized_of(
    spec: str, target: Target | None, config: Path | None, output: Output
) -> tuple[Quantized, Model | None]:
    """Load and quantize MODEL, which is no ``.qsim`` file; None for a model out of a ``.pt2``.

    Raises:
        QsimError: whatever is wrong with the model, the target or a file, in one line.
    """
    from qsim.quantizer import Quantized, quantize

    settings = read_config(config)
    if spec.endswith(".pt2"):
        from qsim.quantizer import load_pt2

        loaded = load_pt2(spec)
        if isinstance(loaded, Quantized):
            refuse_config(spec, config)
            same_target(spec, loaded.target, target, done="quantized", source="float model")
            return loaded, None
        module, examples = _exported(spec, loaded)
        wanted = target or target_or_default(None)
        with output.stage("calibrating"):
            return quantize(module, examples, wanted, config=settings), None
    from qsim.models import load

    with output.stage("loading"):
        model = load(spec)
    return quantized_model(model, target or target_or_default(None), settings, output)[0], model


def target_or_default(name: str | None) -> Target:
    """Return a target by name, the default one without; errors as those of :func:`target_of`."""
    found = target_of("", name)
    assert found is not None  # noqa: S101 - without a file's suffix there is a default
    return found


def _exported(spec: str, program: Any) -> tuple[Any, tuple[Any, ...]]:
    examples = program.example_inputs
    if not examples:
        raise FileFormatError(
            "the exported program carries no example inputs",
            where=spec,
            accepted="a program saved by torch.export.save right after torch.export.export",
        )
    return program.module(check_guards=False), tuple(examples[0])


def same_target(
    spec: str,
    held: Target,
    asked: Target | None,
    *,
    done: str = "compiled",
    source: str = "model",
) -> None:
    """Refuse a target that a file was not made for.

    Args:
        spec: the file.
        held: the target that it holds.
        asked: that of ``--target``; None where it was not given.
        done: what was done for the target.
        source: what it was done to.

    Raises:
        UsageError: they differ.
    """
    if asked is not None and asked.hash != held.hash:
        raise UsageError(
            f"{spec} was {done} for {held.name} {held.short_hash}, not for {asked.name} "
            f"{asked.short_hash}",
            where="--target",
            accepted=f"no --target, or the {source} it was {done} from",
        )


def refuse_config(spec: str, config: Path | None) -> None:
    """Refuse ``--config`` for what is quantized already.

    Raises:
        UsageError: it was given.
    """
    if config is not None:
        raise UsageError(
            f"{spec} is quantized already", where="--config", accepted="--config with a float model"
        )
