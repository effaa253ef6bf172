"""What a person may choose about quantization, and what the target does not let them choose.

Settings are looked up in this order, the later one wins field by field: ``default``, the operator
family (``operators``), then every module pattern that matches, in the order they are written
(``modules``). A module pattern is an exact path (``layer1.0``, which covers everything inside it)
or a glob (``layer1.*.conv1``).

An activation has one set of parameters, so the activation settings of a layer are those of what it
*produces*, and of the network's input where the layer is the first to read it. Pools, reshapes and
lone activation functions move codes about: their tensors follow the tensor they read.
"""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from qsim import toml
from qsim.errors import FileFormatError, UsageError
from qsim.quantizer.settings import (
    ALGORITHMS,
    Calibration,
    Reconstruction,
    Training,
    read,
)
from qsim.quantizer.stated import read_all
from qsim.registry import patterns as registry
from qsim.target import schemes_within

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from qsim.quantizer.stated import Stated
    from qsim.target import Target

ActivationMethod: TypeAlias = Literal["min_max", "moving_average", "histogram", "mse"]
WeightMethod: TypeAlias = Literal["min_max", "mse"]
ACTIVATION_OBSERVERS: Final[tuple[ActivationMethod, ...]] = get_args(ActivationMethod)
WEIGHT_OBSERVERS: Final[tuple[WeightMethod, ...]] = get_args(WeightMethod)
_TABLES: Final[Mapping[str, Any]] = {
    "calibration": Calibration,
    "reconstruction": Reconstruction,
    "training": Training,
}
SCHEMES: Final = schemes_within("asymmetric")  # the freest: all of them


@dataclass(frozen=True)
class Override:
    """Settings of one scope; None leaves a setting to the wider scope.

    Attributes:
        activation_observer: ``min_max``, ``moving_average``, ``histogram`` or ``mse``.
        weight_observer: ``min_max`` or ``mse``.
        activation_scheme: ``asymmetric``, ``symmetric`` or ``power_of_two``; never a freer one
            than the target's.
        activation_bits: width in bits, at most the target's.
        weight_bits: width in bits, at most the target's.
        per_channel: one weight scale per output channel; only where the target has that.
        skip: true leaves the operators in float, on the host.
        algorithm: what trains scales, where ``[training]`` is: ``iao``, ``lsq``, ``lsq+``, ``tqt``
            or ``pact``; ``lsq`` where nothing is said.
        dynamic: true quantizes what products read at run time, and leaves other operators in float;
            false quantizes all ahead of time, from calibration. Where nothing is said it is true on
            targets that have ``[dynamic]``; others have it not.
    """

    activation_observer: str | None = None
    weight_observer: str | None = None
    activation_scheme: str | None = None
    activation_bits: int | None = None
    weight_bits: int | None = None
    per_channel: bool | None = None
    skip: bool | None = None
    dynamic: bool | None = None
    algorithm: str | None = None

    def merged(self, narrower: Override) -> Override:
        """Return these settings with those of a narrower scope laid over them."""
        given = {k: v for k, v in dataclasses.asdict(narrower).items() if v is not None}
        return dataclasses.replace(self, **given)


@dataclass(frozen=True)
class QuantizeConfig:
    """The settings of one quantization.

    Attributes:
        default: for every operator.
        operators: by operator family, see ``qsim.patterns.registry.names``.
        modules: by module path or glob; later entries win.
        inputs: parameters that no data changes, by the name or the position of an input.
        outputs: likewise, by the position of an output.
        calibration: how much of the calibration data is taken.
        reconstruction: how the rounding of weights is learned; None rounds to the nearest.
        training: how weights and scales are trained; None trains nothing.
    """

    default: Override = field(default_factory=Override)
    operators: Mapping[str, Override] = field(default_factory=dict)
    modules: Mapping[str, Override] = field(default_factory=dict)
    inputs: Mapping[str, Stated] = field(default_factory=dict)
    outputs: Mapping[str, Stated] = field(default_factory=dict)
    calibration: Calibration = field(default_factory=Calibration)
    reconstruction: Reconstruction | None = None
    training: Training | None = None

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], where: str = "config") -> QuantizeConfig:
        """Read the form that TOML and JSON have: ``{"default": {...}, "modules": {"a.b": {...}}}``.

        Raises:
            UsageError: an unknown field, or a value of the wrong type or name.
        """
        table = _table(document, where)
        _known(table, [f.name for f in dataclasses.fields(cls)], where)
        return cls(
            default=_override(table.get("default", {}), f"{where}.default"),
            operators=_overrides(table.get("operators", {}), f"{where}.operators"),
            modules=_overrides(table.get("modules", {}), f"{where}.modules"),
            inputs=read_all(table.get("inputs", {}), f"{where}.inputs"),
            outputs=read_all(table.get("outputs", {}), f"{where}.outputs"),
            **{
                name: read(kind, table[name], f"{where}.{name}")
                for name, kind in _TABLES.items()
                if name in table
            },
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> QuantizeConfig:
        """Read a TOML file.

        Raises:
            UsageError: the file cannot be read, is not TOML, or is not such a config.
        """
        try:
            document = toml.load(path)
        except FileFormatError as error:
            raise UsageError.placed(error, str(path)) from None
        return cls.from_dict(document, str(path))

    def to_dict(self) -> dict[str, Any]:
        """Return the form that ``from_dict`` reads; settings that are not made are left out."""

        def plain(override: Override) -> dict[str, Any]:
            return {k: v for k, v in dataclasses.asdict(override).items() if v is not None}

        return {
            "default": plain(self.default),
            "operators": {name: plain(o) for name, o in self.operators.items()},
            "modules": {name: plain(o) for name, o in self.modules.items()},
            "inputs": {name: fixed.plain() for name, fixed in self.inputs.items()},
            "outputs": {name: fixed.plain() for name, fixed in self.outputs.items()},
            **{name: made for name in _TABLES if (made := _plain(getattr(self, name))) is not None},
        }

    def check(self, target: Target) -> None:
        """Refuse what the target cannot do.

        Raises:
            UsageError: names the scope and the setting, and says what the target accepts.
        """
        if self.training is not None and self.reconstruction is not None:
            raise UsageError(
                "both are there: training would undo the rounding that reconstruction learns",
                where="config.training, config.reconstruction",
                accepted="one of the two tables",
            )
        _known(self.operators, registry.names(), "config.operators")
        scopes = [("config.default", self.default)]
        scopes += [(f"config.operators.{name}", o) for name, o in self.operators.items()]
        scopes += [(f'config.modules."{name}"', o) for name, o in self.modules.items()]
        for where, override in scopes:
            _check_values(override, where)
            _check_against(override, target, where)
            if override.algorithm is not None and self.training is None:
                raise UsageError(
                    f"is {override.algorithm}, and nothing is trained",
                    where=f"{where}.algorithm",
                    accepted="a table [training] beside it, or no algorithm",
                )

    def check_modules(self, paths: Iterable[str]) -> None:
        """Refuse a module pattern that matches no module with operators in it.

        Raises:
            UsageError: shows the pattern and the names that are near it.
        """
        known = sorted(set(paths))
        for pattern in self.modules:
            if not any(matches(pattern, path) for path in known):
                raise UsageError(
                    f"{pattern!r} matches no module",
                    where="config.modules",
                    accepted=_near(pattern, known) or "a model with modules",
                )

    def settings(self, family: str, paths: tuple[str, ...]) -> Override:
        """Return the settings of an operator of a family inside the modules of these paths."""
        merged = self.default.merged(self.operators.get(family, Override()))
        for pattern, override in self.modules.items():
            if any(matches(pattern, path) for path in paths):
                merged = merged.merged(override)
        return merged


def _plain(table: Any) -> dict[str, Any] | None:
    """Return a table as TOML has it; None where it is not there, or says nothing."""
    if table is None or table == Calibration():
        return None
    return {name: value for name, value in dataclasses.asdict(table).items() if value is not None}


def matches(pattern: str, path: str) -> bool:
    """Return whether a pattern names the module: exactly, or as a case-sensitive glob."""
    return pattern == path or fnmatch.fnmatchcase(path, pattern)


def _near(name: str, known: Iterable[str]) -> str:
    names = list(known)
    return ", ".join(difflib.get_close_matches(name, names, n=5, cutoff=0.3) or names[:8])


def _known(table: Mapping[str, object], names: Iterable[str], where: str) -> None:
    accepted = tuple(names)
    for name in table:
        if name not in accepted:
            raise UsageError(f"unknown name {name!r}", where=where, accepted=", ".join(accepted))


def _table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise UsageError(f"is {value!r}", where=where, accepted="a table of named settings")
    return value


def _overrides(value: object, where: str) -> dict[str, Override]:
    return {name: _override(item, f"{where}.{name}") for name, item in _table(value, where).items()}


def _override(value: object, where: str) -> Override:
    if isinstance(value, Override):
        return value
    table = _table(value, where)
    _known(table, [f.name for f in dataclasses.fields(Override)], where)
    override = Override(**table)
    _check_values(override, where)
    return override


def _check_values(override: Override, where: str) -> None:
    _one_of(override.activation_observer, ACTIVATION_OBSERVERS, f"{where}.activation_observer")
    _one_of(override.weight_observer, WEIGHT_OBSERVERS, f"{where}.weight_observer")
    _one_of(override.activation_scheme, SCHEMES, f"{where}.activation_scheme")
    _one_of(override.algorithm, ALGORITHMS, f"{where}.algorithm")
    for name in ("activation_bits", "weight_bits"):
        bits = getattr(override, name)
        if bits is not None and (type(bits) is not int or bits < 1):
            raise UsageError(f"is {bits!r}", where=f"{where}.{name}", accepted="1 or more bits")
    for name in ("per_channel", "skip", "dynamic"):
        flag = getattr(override, name)
        if flag is not None and type(flag) is not bool:
            raise UsageError(f"is {flag!r}", where=f"{where}.{name}", accepted="true or false")


def _one_of(value: object, accepted: tuple[str, ...], where: str) -> None:
    if value is not None and value not in accepted:
        raise UsageError(f"is {value!r}", where=where, accepted=", ".join(accepted))


def _check_against(override: Override, target: Target, where: str) -> None:
    for name, section in (("activation_bits", target.input), ("weight_bits", target.weight)):
        bits = getattr(override, name)
        least = 2 if section.format.narrow else 1
        if bits is not None and not least <= bits <= section.format.bits:
            raise UsageError(
                f"is {bits}, which target {target.name} does not have",
                where=f"{where}.{name}",
                accepted=f"{least} to {section.format.bits}",
            )
    if override.per_channel and not target.weight.per_channel:
        raise UsageError(
            f"is true, but target {target.name} has one weight scale per tensor",
            where=f"{where}.per_channel",
            accepted="false",
        )
    if override.dynamic and target.dynamic is None:
        raise UsageError(
            f"is true, but target {target.name} quantizes nothing at run time",
            where=f"{where}.dynamic",
            accepted="false, or a target with a section [dynamic]",
        )
    # Zero point 0 leaves an unsigned format without negative codes.
    signed = target.input.format.signed
    allowed = schemes_within(target.input.scheme) if signed else ("asymmetric",)
    if override.activation_scheme is not None and override.activation_scheme not in allowed:
        raise UsageError(
            f"is {override.activation_scheme}, but target {target.name} is {target.input.scheme}",
            where=f"{where}.activation_scheme",
            accepted=", ".join(allowed),
        )
