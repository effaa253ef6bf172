"""Host operators by reason: how layers are folded, and that what is advised is true."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

import qsim
from qsim import Target
from qsim.registry import KINDS, Reason
from qsim.report.advice import _BY_KIND, advise, having
from qsim.report.host_words import fold, host_parts
from qsim.report.host_work import HostWork
from qsim.report.placement import HostGroup, by_reason
from qsim.report.words import tail_of_path
from qsim.target import has_zero_point
from tests.tree import ROOT


def test_layers_that_differ_in_one_number_are_folded() -> None:
    layers = [f"stage.{i}.block.{j}.norm" for i in range(2) for j in (0, 1, 3)]
    assert fold([*layers, "head", "stem.0"]) == [
        "stage.0.block.{0-1,3}.norm",
        "stage.1.block.{0-1,3}.norm",
        "head",
        "stem.0",
    ]
    assert fold(["a.1", "a.10", "a.2", "b"]) == ["a.{1-2,10}", "b"]
    assert fold([]) == []
    assert fold(["0", "2", "3"]) == ["0", "2", "3"]


def test_the_last_part_of_a_path_is_never_cut() -> None:
    assert tail_of_path("encoder.layer.11.attention.self.query", 30) == "….11.attention.self.query"
    assert tail_of_path("a." + "q" * 40, 20) == "…." + "q" * 40
    assert tail_of_path("conv1", 3) == "conv1"


@pytest.mark.parametrize("name", Target.names())
def test_what_is_said_of_other_targets_is_true(name: str) -> None:
    target = Target.load(name)
    for primitive in ("resize", "softmax", "lookup", "interpolate"):
        if target.has(primitive):
            continue
        first, *rest = advise("target", (primitive,), target)
        assert first.targets
        assert f"--target {first.targets[0]} has {primitive}" in first.text
        others = {t for t in Target.names() if Target.load(t).has(primitive)}
        assert set(first.targets) == others
        assert all("[primitives]" in item.text for item in rest)
    if not has_zero_point(target.output.scheme):
        found = advise("values", (), target)[0].targets
        assert found
        assert all(has_zero_point(Target.load(t).output.scheme) for t in found)


def test_the_most_alike_target_is_named_first() -> None:
    assert having(("resize",), Target.load("tflite"))[0] in (
        "integer-transformer",
        "tflite-single",
        "litert-reference",
    )
    assert advise("target", ("warp",), Target.load("q7"))[0].text == "no shipped target has warp"


def test_pages_that_advice_names_are_there() -> None:
    every = [*_BY_KIND.values(), *advise("target", ("resize",), Target.load("q7"))]
    for page, _, anchor in (item.page.partition("#") for item in every if item.page):
        titles = re.findall(r"^#+ (.+)$", (ROOT / page).read_text("utf-8"), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
        assert anchor in anchors, page
    assert set(_BY_KIND) == set(KINDS) - {"target", ""}


class Net(nn.Module):
    """Reasons of several kinds, and products on the host in two of them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.blocks = nn.Conv2d(1, 4, 3), nn.ModuleList([nn.Conv2d(4, 4, 1)] * 2)
        self.far = nn.Conv2d(4, 4, 1).double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        for block in self.blocks:
            y = torch.cumsum(block(y), 1)
        y = nn.functional.interpolate(y, scale_factor=2, mode="bilinear") / torch.relu(y).mean()
        return self.far(y.double()).float()


def test_kinds_reach_the_report(tmp_path: object) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net, x = Net().eval(), torch.rand(1, 1, 4, 4)
    target = Target.load("q7")
    lowered = qsim.lower(qsim.quantize(net, (x,), target))
    kinds = {
        item.operator.split(".")[1]: (item.kind, item.lacks) for item in lowered.host_operators
    }
    assert kinds["cumsum"] == ("operator", "")
    assert kinds["upsample_bilinear2d"] == ("target", "resize")
    assert kinds["div"] == ("arguments", "")
    assert kinds["conv2d"] == ("type", "")
    path = f"{tmp_path}/net.qsim"
    lowered.save(path)
    loaded = qsim.load(path)
    assert loaded.host_operators == lowered.host_operators
    work = HostWork()
    lowered.trace(x.numpy(), host=work.count)
    assert work.total == 4 * 4 * 16
    groups = by_reason([dict(item) for item in loaded.host_operators], target)
    assert groups[0].operators == {"aten.cumsum.default": 2}
    text = " ".join(str(part.renderable) for part in host_parts(groups))  # type: ignore[attr-defined]
    assert "2× no primitive computes it: aten.cumsum.default ×2" in text
    assert "has resize" in text
    assert "docs/extending.md#the-pattern-and-the-pass" in text


def test_a_primitive_that_would_not_help_is_no_reason() -> None:
    class Folded(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.softmax(x.transpose(0, 1), 1).transpose(0, 1) + x

    target = Target.load("q7")
    quantized = qsim.quantize(Folded().eval(), torch.rand(2, 3), target)
    assert quantized.batch
    (found,) = (o for o in qsim.lower(quantized).host_operators if "softmax" in o.operator)
    assert (found.kind, found.lacks) == ("batch", "")


def test_words_alone_are_about_arguments() -> None:
    assert Reason.of("it crops") == Reason("arguments", "it crops")
    assert str(Reason.lacking("q7", "lookup", "mul")) == "target q7 has no lookup and no mul"
    group = by_reason([{"operator": "aten.x.default", "reason": "old"}], Target.load("q7"))
    assert group == [HostGroup("old", operators={"aten.x.default": 1})]


def test_a_recurrent_layer_is_counted() -> None:
    lstm, work = nn.LSTM(8, 6, batch_first=True), HostWork()
    with work.count(), torch.no_grad():
        lstm(torch.zeros(3, 5, 8))
    assert work.total == 3 * 5 * 4 * 6 * (8 + 6)


def test_attention_is_counted() -> None:
    q, k, work = torch.zeros(2, 3, 5, 4), torch.zeros(2, 3, 7, 4), HostWork()
    with work.count(), torch.no_grad():
        nn.functional.scaled_dot_product_attention(q, k, k)
        nn.functional.scaled_dot_product_attention(q, k, k, torch.zeros(5, 7))
    assert work.total == 2 * 2 * (2 * 3 * 5 * 7 * 4)


def test_reasons_in_files_are_checked() -> None:
    from qsim.errors import FileFormatError
    from qsim.quantizer.pt2 import _reason

    assert _reason("no primitive computes it") == Reason("", "no primitive computes it")
    held = {"kind": "target", "text": "target q7 has no resize", "lacks": ["resize"]}
    assert _reason(held) == Reason.lacking("q7", "resize")
    for wrong in (1, {"kind": "target"}, {**held, "kind": "x"}, {**held, "lacks": "resize"}):
        with pytest.raises(FileFormatError):
            _reason(wrong)
    for text in ("\x1b", 1):
        with pytest.raises(FileFormatError):
            _reason({**held, "text": text})
