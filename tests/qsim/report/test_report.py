"""The table and the page, on hand-made results."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pytest

from qsim.cli.listing import target_fields
from qsim.cli.output import render
from qsim.report import words
from qsim.report.html import render_html
from qsim.report.placement import Share
from qsim.report.result import AccumulatorUse, Evaluation, Layer
from qsim.report.table import headline, run_report
from qsim.target import Target

LONG = "backbone.stages.3.blocks.11.a_rather_long_module_name.depthwise"


def layer(name: str = "conv", **changes: object) -> Layer:
    use = AccumulatorUse("n.correlation", 20, "saturate", bits_used=17)
    values = {
        "name": name,
        "anchor": "n",
        "primitive": "correlation",
        "node": "n",
        "tensor": "n",
        "shape": (16, 8, 8),
        "accumulators": [use],
        "macs": 147_456,
        "elements": 1000,
        "has_float": True,
        "has_qdq": True,
        "signal": 1000.0,
        "noise": 1.0,
        "path": "vnni",
    }
    return Layer(**(values | changes))


def evaluation(*layers: Layer, **changes: object) -> Evaluation:
    target = Target.load("narrow20")
    values = {
        "model": "net",
        "target": {"name": target.name, "hash": target.hash},
        "samples": 540,
        "accuracy": {"float": 0.99, "qdq": 0.98, "hardware": 0.975},
        "agreement": {"qdq": 0.99, "hardware": 0.98},
        "host_operators": [],
        "outputs_sha256": "ab" * 32,
        "seconds": 0.5,
        "compiling_seconds": 1.5,
        "layers": list(layers),
    }
    return Evaluation(**(values | changes))


def saturated() -> Layer:
    use = AccumulatorUse("n.correlation", 20, "saturate", 23, 1234, (3, 1, 2, 0))
    return layer("conv2", accumulators=[use])


def text(result: Evaluation, columns: int = 100, *, verbose: bool = False) -> str:
    parts = run_report(result, source="540 samples", columns=columns, verbose=verbose)
    return render(*parts, terminal=False, columns=columns)


@pytest.mark.parametrize("columns", [40, 60, 80, 100])
@pytest.mark.parametrize("verbose", [False, True])
def test_every_line_fits(columns: int, verbose: bool) -> None:
    big = AccumulatorUse("n.correlation", 64, "wrap", 64, 10**9, (123456, 1023, 511, 511))
    worst = layer(
        LONG,
        shape=(2048, 512, 512),
        macs=10**12,
        lsb_max=2**31,
        lsb_differing=10**10,
        accumulators=[big],
        clamped=999,
        path="ordered-int64-saturate",
    )
    host = [{"operator": "aten.softmax.int", "layer": LONG, "reason": "the target has no softmax"}]
    result = evaluation(layer(), worst, host_operators=host)
    lines = text(result, columns, verbose=verbose).splitlines()
    assert max(map(len, lines)) <= columns
    assert any("wise" in line for line in lines)
    first = render(
        headline(LONG, Target.load("narrow20"), columns), terminal=False, columns=columns
    )
    assert len(first.splitlines()) == 1
    assert len(first.rstrip("\n")) <= columns


def test_saturation_is_told_in_words() -> None:
    shown = " ".join(text(evaluation(layer(), saturated())).split())
    assert (
        "1 accumulator saturated: conv2 correlation (needs 23 bits, has 20; 1,234 outputs, the "
        "first in sample 3 at [1, 2, 0])."
    ) in shown
    assert "saturated" not in text(evaluation(layer()))


def test_raised_scales_and_losses_are_told_in_words() -> None:
    raised = [
        {"layer": "conv", "tensor": "weight", "channels": 3, "channel": 1, "factor": 12.5},
        {"layer": "", "tensor": "activation", "channels": 1, "channel": None, "factor": 4096.0},
    ]
    found = evaluation(layer(), raised=raised, warnings=["fc: its mean loses 3 bits"])
    first, second = words.findings(found)
    assert first == (
        "Scales of 2 tensors were raised to fit the registers: activation (4.1e+03 times); "
        "conv weight of channel 1 (12.5 times, 3 channels)."
    )
    assert second == "fc: its mean loses 3 bits"
    assert found.to_dict()["raised_scales"] == raised
    assert found.to_dict()["warnings"] == ["fc: its mean loses 3 bits"]
    assert "conv weight of channel 1" in " ".join(text(found).split())


def test_many_findings_are_counted_not_listed() -> None:
    layers = [layer(f"l{i}", signal=1.0, noise=1.0 + i) for i in range(20)]
    (sentence,) = words.findings(evaluation(*layers))
    assert sentence.startswith(
        "20 layers are below 10 dB against float, worst first: l19 (-13.0 dB)"
    )
    assert sentence.endswith("and 15 more.")


def test_without_labels_the_agreement_is_shown() -> None:
    nothing = {"float": None, "qdq": None, "hardware": None}
    shown = text(evaluation(layer(), accuracy=nothing))
    assert "argmax agrees with float    Q/DQ 99.00 %  hardware 98.00 %" in shown
    alone = text(evaluation(layer(), accuracy=nothing, agreement={"qdq": None, "hardware": None}))
    assert "nothing to score against" in alone


def test_layers_that_only_move_data_are_left_out() -> None:
    reshape = layer("flatten", primitive="reshape", accumulators=[])
    assert "flatten" not in text(evaluation(layer(), reshape))
    assert "flatten" in text(evaluation(layer(), reshape), verbose=True)


def test_weak_layers_that_only_move_data_are_not_blamed() -> None:
    weak = layer("flatten", primitive="reshape", accumulators=[], noise=1e6)
    assert words.findings(evaluation(layer(), weak)) == []
    (sentence,) = words.findings(evaluation(layer("fc", noise=1e6), weak))
    assert "flatten" not in sentence
    assert sentence.startswith("1 layer is below 10 dB")


@pytest.mark.parametrize(
    ("reason", "hinted"),
    [
        ("it reads float16; the primitives take float32", True),
        ("it reads bfloat16", True),
        ("it reads float64", True),
        ("the target has no softmax; the primitives take activations in float32", False),
    ],
)
def test_nothing_on_the_accelerator_is_not_a_score(reason: str, hinted: bool) -> None:
    host = [{"operator": "aten.linear.default", "layer": "head", "reason": reason}]
    result = evaluation(
        host_operators=host,
        accuracy={"float": 0.99, "qdq": 0.98, "hardware": None},
        agreement={"qdq": 1.0, "hardware": None},
    )
    shown = text(result, 150)
    page = render_html(result, Target.load("q7"), "8 samples")
    assert "accuracy    float 99.00 %  Q/DQ 98.00 %  hardware –" in shown
    assert '<div class="value">–</div>' in page
    for output in (shown, page):
        assert "Nothing runs on the accelerator: its only operator stays on the host." in output
        assert reason in output
        assert ("call .float() on the model" in output) == hinted
    assert ".float()" not in text(evaluation(layer(), host_operators=host))


def test_no_layer_and_no_operator() -> None:
    for output in (text(evaluation()), render_html(evaluation(), Target.load("q7"), "8 samples")):
        assert "Nothing runs on the accelerator: the network computes nothing." in output
        assert "Everything runs" not in output


def test_random_samples_are_not_judged() -> None:
    weak = layer("fc", noise=1e6)
    nothing = {"float": None, "qdq": None, "hardware": None}
    chosen = evaluation(weak, saturated(), accuracy=nothing)
    chance = evaluation(weak, saturated(), accuracy=nothing, random=True)
    pages = [render_html(each, Target.load("q7"), "8") for each in (chosen, chance)]
    assert 'class="alarm" x="200"' in pages[0]
    assert 'class="alarm" x="200"' not in pages[1]
    for judged, unjudged in ((text(chosen), text(chance)), pages):
        assert "below 10 dB" in judged
        assert "agrees with float" in judged
        assert "below 10 dB" not in unjudged
        assert "agrees with float" not in unjudged
        assert "random and not representative" in " ".join(unjudged.split())
        assert "random" not in judged
        assert "1 accumulator saturated" in unjudged


@pytest.mark.parametrize("columns", [40, 44, 50, 60, 79, 80, 100])
def test_hashes_are_shortened_never_broken(columns: int) -> None:
    lines = text(evaluation(layer()), columns).splitlines()
    (digest,) = (line for line in lines if "Output sha256:" in line)
    assert digest.endswith("ab" * 32 if columns >= 80 else "…")
    assert not any(line.strip().startswith("abab") for line in lines)
    target = Target.load("narrow20")
    first = headline(LONG, target, columns).plain
    assert re.search("sha256:([0-9a-f]{8}|[0-9a-f]{16})( ·|$)", first), first
    shown = render(*target_fields(target), terminal=False, columns=columns).splitlines()[1]
    assert shown == (target.hash if columns >= 71 else f"{target.hash[: columns - 1]}…")


def test_module_names_are_not_markup() -> None:
    assert "blocks[0].conv" in text(evaluation(layer("blocks[0].conv")))
    assert "[red]x" in text(evaluation(layer("[red]x")))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00k"),
        (9216, "9.22k"),
        (36864, "36.9k"),
        (147456, "147k"),
        (999499, "999k"),
        (999500, "1.00M"),
        (12501000, "12.5M"),
        (10**15, "1000T"),
    ],
)
def test_compact(value: int, shown: str) -> None:
    assert words.compact(value) == shown


def test_percentages_never_round_to_a_claim() -> None:
    assert words.percent(1.0) == "100.00 %"
    assert words.percent(0.999999) == "99.99 %"
    assert words.share(1, 10**6) == "<0.1 %"
    assert words.share(0, 10) == "0 %"
    assert words.share(10, 10) == "100 %"


def test_sqnr_of_exact_and_absent() -> None:
    exact = layer(noise=0.0)
    assert exact.sqnr_db == math.inf
    assert exact.to_dict()["sqnr_db"] is None
    assert exact.to_dict()["sqnr_infinite"] is True
    assert "∞" in text(evaluation(exact))
    absent = layer(has_float=False)
    assert absent.sqnr_db is None
    assert absent.to_dict()["sqnr_infinite"] is False
    assert layer(signal=0.0).sqnr_db == -math.inf


def test_colour_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = run_report(evaluation(saturated()), source="x", columns=100)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in render(*parts, terminal=True, columns=100)
    assert "\x1b[" not in render(*parts, terminal=False, columns=100)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", render(*parts, terminal=True, columns=100))


class Page(HTMLParser):
    """Collects text, and fails on tags that do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag not in ("meta", "rect", "line", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "line"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_page_is_well_formed_and_escaped() -> None:
    evil = "<script>alert(1)</script>"
    host = [{"operator": evil, "layer": evil, "reason": evil}]
    result = evaluation(layer(evil), saturated(), model=evil, host_operators=host)
    page = render_html(result, Target.load("narrow20"), evil)
    assert "<script" not in page
    parser = Page()
    parser.feed(page)
    assert parser.open == []
    assert page.count("&lt;script&gt;") >= 5
    assert "prefers-color-scheme: dark" in page
    assert "1 accumulator saturated" in page
    assert page.count("<rect") >= 2 * 3


def scheme_register(**changes: object) -> Layer:
    """A layer whose requantize wraps inside, and whose accumulator does not."""
    inner = {"register": "left shift", "bits_used": 40, "overflows": 7, "first": (2, 1, 0, 3)}
    uses = [
        AccumulatorUse("n.correlation", 32, "wrap", 31),
        AccumulatorUse("n.requantize", 32, "wrap", **(inner | changes)),
    ]
    return layer("conv3", accumulators=uses)


def test_a_register_of_a_scheme_is_told_as_an_accumulator_is() -> None:
    result = evaluation(scheme_register())
    sentence = (
        "1 register wrapped around: conv3 requantize left shift (needs 40 bits, has 32; 7 outputs, "
        "the first in sample 2 at [1, 0, 3])."
    )
    page = render_html(result, Target.load("narrow20"), "8")
    for shown in (text(result), page):
        assert sentence in " ".join(shown.split())
        assert "40/32" in shown
    assert "<details open>\n<summary>All 2 registers</summary>" in page
    assert result.layers[0].to_dict()["overflows"] == 7
    assert result.layers[0].to_dict()["first_overflow"] == [2, 1, 0, 3]
    assert "left shift" not in text(evaluation(scheme_register(overflows=0)))


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_every_register_is_shown_on_request(columns: int) -> None:
    lines = text(evaluation(layer(), scheme_register()), columns, verbose=True).splitlines()
    assert max(map(len, lines)) <= columns
    start = next(i for i, line in enumerate(lines) if line.split()[:2] == ["layer", "register"])
    rows = [line.split() for line in lines[start + 2 : start + 5]]
    assert [row[0] for row in rows] == ["conv", "conv3", "conv3"]
    if columns > 60:
        assert rows[2] == ["conv3", "requantize", "left", "shift", "wrap", "40/32", "7"]


def test_a_register_that_no_ledger_has_is_a_finding() -> None:
    """An extension may declare an accumulator and record nothing: 0 would be a claim."""
    silent = AccumulatorUse("n.mine", 24, "wrap", watched=False)
    shown = text(evaluation(layer("mine", accumulators=[silent])), verbose=True)
    assert "1 register is in no ledger: mine mine." in shown
    assert "?/24" in shown
    both = layer(accumulators=[silent, AccumulatorUse("n.b", 32, "wrap", 20)])
    assert both.accumulator is both.accumulators[1]


def test_what_is_no_oracle_is_said_where_it_is_compared() -> None:
    said = "which is float inside: it is no oracle"
    assert said in " ".join(text(evaluation(layer())).split())
    assert said in render_html(evaluation(layer()), Target.load("q7"), "8")
    assert said not in " ".join(text(evaluation(layer(has_qdq=False))).split())


def test_host_operators_are_grouped() -> None:
    host = [
        {"operator": f"aten.{name}.default", "layer": f"l{i}", "reason": "no primitive computes it"}
        for i, name in enumerate(["cumsum", "cumsum", "erfinv"])
    ]
    result = evaluation(layer(), host_operators=host, macs=Share(75, 25))
    shown = " ".join(text(result).split())
    assert "3 operators on the host, in torch, by reason:" in shown
    line = "3× no primitive computes it: aten.cumsum.default ×2, aten.erfinv.default in l{0-2}"
    assert line in shown
    assert "75 of 100 MACs per sample (75.00 %), 1 of 4 operators" in shown
    page = render_html(result, Target.load("q7"), "8")
    assert "<code>aten.cumsum.default</code> ×2" in page
    assert "of the MACs; 1 of 4 operators" in page
