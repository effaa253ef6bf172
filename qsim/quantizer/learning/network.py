"""A prepared graph whose weights and scales are learned, and what becomes of it.

Every observer is replaced by a fake quantizer that begins with what the observer found. When
learning is done the observers stand there again with what was learned, and the graph is converted
as without it: what registers of the target demand is seen to there.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from qsim.quantizer.learning.batch_norm import LiveNorm, norms
from qsim.quantizer.learning.fakes import (
    Fake,
    FakeActivation,
    FakeBias,
    FakeWeight,
    fake_activation,
    fake_weight,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch.fx import GraphModule, Node

    from qsim.quantizer.stages import Prepared


class LearnedNetwork:
    """A prepared graph in which fake quantizers stand for observers.

    Attributes:
        graph: the prepared graph itself, changed in place.
        constants: what it computes with, by where it stands: weights, biases and all other
            parameters, each trained.
    """

    def __init__(
        self,
        prepared: Prepared,
        *,
        live_norms: bool = False,
        weights: str | None = None,
        activations: str | None = None,
    ) -> None:
        """Put fake quantizers into a prepared graph.

        Args:
            prepared: a graph that has seen its calibration.
            live_norms: batch norms that were folded are trained with the statistics of batches.
            weights: the algorithm of weights; None takes that of the configuration.
            activations: likewise.
        """
        self._names = weights, activations
        self.graph: GraphModule = prepared.graph
        self._quantizer = prepared.quantizer
        self._quantizer.settle()
        self.constants = dict(_trainable(self.graph))
        self._fakes: dict[int, nn.Module] = {}
        self._observers = {
            str(node.target): self.graph.get_submodule(str(node.target))
            for node in self.graph.graph.nodes
            if node.op == "call_module"
        }
        for node in self._places():
            setattr(self.graph, str(node.target), self._fake(node))
        self._norms = [self._live(*found) for found in norms(self.graph)] if live_norms else []
        self.graph.recompile()

    def weights(self) -> list[nn.Parameter]:
        """Return the parameters of the network itself."""
        return list(self.constants.values())

    def scales(self) -> list[nn.Parameter]:
        """Return what is trained of scales, thresholds and offsets."""
        return [p for fake in self.fakes() for p in fake.learned.parameters()]

    def fakes(self) -> list[Fake]:
        """Return the fake quantizers of activations and weights, each once."""
        return [fake for fake in self._fakes.values() if isinstance(fake, Fake)]

    def stop_norms(self) -> None:
        """Let the statistics of batch norms stand from here on."""
        for _, behind in self._norms:
            self._norm(behind).live = False

    def state(self) -> dict[str, torch.Tensor]:
        """Return all that is learned, by where it stands."""
        found: dict[str, torch.Tensor] = dict(self.constants)
        for index, (_, behind) in enumerate(self._norms):
            norm = self._norm(behind)
            found |= {f"norm.{index}.{name}": value for name, value in norm.named_buffers()}
        for index, fake in enumerate(self.fakes()):
            found |= {f"fake.{index}.{n}": v for n, v in fake.learned.state_dict().items()}
        return found

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Let all that is learned be what :meth:`state` returned."""
        with torch.no_grad():
            for name, parameter in self.constants.items():
                parameter.copy_(state[name])
            for index, (_, behind) in enumerate(self._norms):
                for name in ("mean", "variance"):
                    setattr(self._norm(behind), name, state[f"norm.{index}.{name}"].clone())
            for index, fake in enumerate(self.fakes()):
                start = f"fake.{index}."
                held = {n[len(start) :]: v for n, v in state.items() if n.startswith(start)}
                fake.learned.load_state_dict(held)

    def all_fakes(self) -> list[nn.Module]:
        """Return all fake quantizers, those of biases among them, each once."""
        return list(self._fakes.values())

    def freeze(self) -> GraphModule:
        """Give the observers what was learned; return the network in eval mode.

        It computes by the operators of the converted graph, and the same codes.
        """
        with torch.no_grad():
            for found in self._norms:
                self._fold(*found)
            self.graph.recompile()
            for fake in self.fakes():
                if isinstance(fake, FakeActivation):
                    fake.settle()
            for node in self._places():
                fake = getattr(self.graph, str(node.target))
                if isinstance(fake, FakeWeight):
                    value = _value(self.graph, node.all_input_nodes[0])
                    value.copy_(fake.learned.finished(value))
                    fake.settle(value)
            self._quantizer.settle()
        for _, parameter in _trainable(self.graph):
            parameter.requires_grad_(False)
        for each in self._fakes.values():
            each.frozen = True  # type: ignore[assignment]
        return copy.deepcopy(self.graph)

    def leave(self) -> None:
        """Put the observers where the fake quantizers are."""
        for place, observer in self._observers.items():
            setattr(self.graph, place, observer)

    def _live(self, node: Node, norm: LiveNorm) -> tuple[Node, Node]:
        """Let a convolution be computed with a batch norm that is trained; return both nodes."""
        weight, bias = node.all_input_nodes[1:3]
        for each in (weight, bias):
            getattr(self.graph, str(each.target)).fold(norm)
            self.constants.pop(str(each.all_input_nodes[0].target))
        name = f"{node.name}_batch_norm"
        self.constants |= {f"{name}.{part}": value for part, value in norm.named_parameters()}
        self.graph.add_submodule(name, norm)
        with self.graph.graph.inserting_after(node):
            behind = self.graph.graph.call_module(name, (node,))
        node.replace_all_uses_with(behind, delete_user_cb=lambda user: user is not behind)
        return node, behind

    def _fold(self, node: Node, behind: Node) -> None:
        """Give the constants of a convolution what was trained of its batch norm, and drop that."""
        norm = self._norm(behind)
        norm.live = False
        weight, bias = node.all_input_nodes[1:3]
        for each, value in ((weight, norm.folded_weight()), (bias, norm.folded_bias())):
            _value(self.graph, each.all_input_nodes[0]).copy_(value)
            getattr(self.graph, str(each.target)).fold(None)
        behind.replace_all_uses_with(node)
        self.graph.graph.erase_node(behind)
        self.graph.delete_submodule(str(behind.target))

    def _norm(self, behind: Node) -> LiveNorm:
        found: LiveNorm = self.graph.get_submodule(str(behind.target))  # type: ignore[assignment]
        return found

    def _places(self) -> Iterator[Node]:
        return (node for node in self.graph.graph.nodes if str(node.target) in self._observers)

    def _fake(self, node: Node) -> nn.Module:
        observer = self._observers[str(node.target)]
        if id(observer) not in self._fakes:
            self._fakes[id(observer)] = self._made(observer, node)
        return self._fakes[id(observer)]

    def _made(self, observer: Any, node: Node) -> nn.Module:
        if hasattr(observer, "obs_or_fqs"):  # derived from others
            return FakeBias(observer)
        if hasattr(observer, "blocks"):
            value = _value(self.graph, node.all_input_nodes[0])
            return fake_weight(observer, value, self._names[0])
        return fake_activation(observer, self._names[1])


def _value(graph: GraphModule, node: Node) -> torch.Tensor:
    from qsim.graph import attribute

    found: torch.Tensor = attribute(graph, node)
    return found


def _trainable(graph: GraphModule) -> Iterator[tuple[str, nn.Parameter]]:
    """Make parameters of a graph's parameters, and of what a batch norm was folded into."""
    from qsim.graph import attribute

    for node in graph.graph.nodes:
        if node.op != "get_attr":
            continue
        value = attribute(graph, node)
        read = any(user.op == "call_module" for user in node.users)
        if not isinstance(value, nn.Parameter) and not (read and value.is_floating_point()):
            continue
        parameter = value if isinstance(value, nn.Parameter) else nn.Parameter(value)
        owner, _, name = str(node.target).rpartition(".")
        holder = graph.get_submodule(owner)
        if name in holder._buffers:  # noqa: SLF001 - torch has no other way to make one a parameter
            del holder._buffers[name]  # noqa: SLF001
        elif not isinstance(value, nn.Parameter):
            delattr(holder, name)
        holder.register_parameter(name, parameter)
        parameter.requires_grad_(True)
        yield str(node.target), parameter
