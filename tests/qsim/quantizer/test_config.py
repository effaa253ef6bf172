"""Overrides: what they change, where they apply, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from qsim.errors import UsageError
from qsim.graph import nodes
from qsim.quantizer import Override, QuantizeConfig, quantize
from qsim.registry import patterns as registry
from qsim.target import Target
from tests.fresh import loaded


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()),
        nn.Conv2d(2, 2, 1),
        nn.Flatten(),
        nn.Linear(8, 3),
    )


def run(config, target="tflite", calibration=None):
    x = torch.randn(16, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return quantize(network(), x, Target.load(target), config=config, calibration=calibration)


def products(q):
    """Weight and result parameters of every product, by layer."""
    found = {}
    for node in q.graph.graph.nodes:
        names = {pattern.name for pattern in registry.candidates(node.target)}
        if names & {"conv", "linear"} and node.name not in q.host:
            reader = next(iter(node.users))
            reader = next(iter(reader.users)) if nodes.clamp_range(reader) else reader
            found[nodes.layer(node)] = (node.args[1], reader.args[1:])
    return found


def weight_bits(q):
    return {name: (w.args[-2] + 1).bit_length() for name, (w, _) in products(q).items()}


def result_bits(q):
    return {name: (r[3] + 1).bit_length() for name, (_, r) in products(q).items()}


def test_nothing_set():
    assert weight_bits(run(None)) == {"0.0": 8, "1": 8, "3": 8}
    assert result_bits(run({})) == {"0.0": 8, "1": 8, "3": 8}


def test_the_narrower_scope_wins():
    config = {
        "default": {"weight_bits": 7, "activation_bits": 6},
        "operators": {"linear": {"weight_bits": 5}},
        "modules": {"0*": {"weight_bits": 4}, "0.0": {"weight_bits": 3}},
    }
    q = run(config)
    assert weight_bits(q) == {"0.0": 3, "1": 7, "3": 5}
    assert result_bits(q) == {"0.0": 6, "1": 6, "3": 6}


def test_a_module_path_covers_what_is_inside_and_no_namesakes():
    assert weight_bits(run({"modules": {"0": {"weight_bits": 4}}})) == {"0.0": 4, "1": 8, "3": 8}


def test_later_patterns_win():
    patterns = {"0.0": {"weight_bits": 3}, "*": {"weight_bits": 4}}
    assert weight_bits(run({"modules": patterns})) == {"0.0": 4, "1": 4, "3": 4}


def test_activation_settings_are_those_of_what_a_layer_produces():
    q = run({"modules": {"0.0": {"activation_bits": 4}}})
    # The first layer also reads the network's input.
    first = next(n for n in q.graph.graph.nodes if ".quantize_per_tensor" in str(n.target))
    assert first.args[3:5] == (-8, 7)
    assert result_bits(q) == {"0.0": 4, "1": 8, "3": 8}


def test_skip():
    q = run({"modules": {"1": {"skip": True}}})
    assert list(products(q)) == ["0.0", "3"]
    assert q.host == {"conv2d_1"}
    everything = run({"default": {"skip": True}})
    assert not [n for n in everything.graph.graph.nodes if "quantize" in str(n.target)]


def test_skipped_relu_is_not_fused():
    q = run({"operators": {"relu": {"skip": True}}})
    assert q.host == {"relu"}
    conv = next(n for n in q.graph.graph.nodes if n.name == "conv2d")
    assert ".quantize_per_tensor" in str(next(iter(conv.users)).target)


def test_per_channel_can_be_given_up():
    q = run({"operators": {"conv": {"per_channel": False}}})
    kinds = {name: "channel" in str(w.target) for name, (w, _) in products(q).items()}
    assert kinds == {"0.0": False, "1": False, "3": True}


def test_scheme_can_be_made_stricter():
    for scheme, power in (("symmetric", False), ("power_of_two", True)):
        q = run({"default": {"activation_scheme": scheme}})
        results = [r for _, r in products(q).values()]
        assert all(zero == 0 for _, zero, *_ in results)
        snapped = all(torch.frexp(torch.tensor(s)).mantissa == 0.5 for s, *_ in results)
        assert snapped is power


@pytest.mark.parametrize("observer", ["moving_average", "histogram", "mse"])
def test_observers_change_ranges(observer):
    x = torch.randn(16, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    batches = [x, 2 * x]
    few = {"activation_bits": 4}
    plain = run({"default": few}, calibration=batches)
    other = run({"default": {**few, "activation_observer": observer}}, calibration=batches)
    ours, theirs = ([r for _, r in products(q).values()] for q in (plain, other))
    assert all(a[0] >= b[0] for a, b in zip(ours, theirs, strict=True))
    assert ours != theirs


def test_weight_observer():
    config = {"default": {"weight_bits": 3}}
    plain = run(config)
    other = run({"default": {"weight_bits": 3, "weight_observer": "mse"}})
    codes = [
        torch.cat([getattr(q.graph, w.args[0].target).flatten() for w, _ in products(q).values()])
        for q in (plain, other)
    ]
    assert not torch.equal(*codes)


def test_dict_and_toml_are_the_same(tmp_path):
    text = """
[default]
activation_observer = "mse"
[operators.linear]
weight_bits = 4
[modules."0.*"]
skip = true
"""
    (tmp_path / "c.toml").write_text(text)
    config = QuantizeConfig.load(tmp_path / "c.toml")
    assert config == QuantizeConfig(
        Override(activation_observer="mse"),
        {"linear": Override(weight_bits=4)},
        {"0.*": Override(skip=True)},
    )
    assert QuantizeConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (
            {"defaults": {}},
            "config: unknown name 'defaults' (accepted: default, operators, modules, inputs, ",
        ),
        ({"default": {"bits": 4}}, "config.default: unknown name 'bits'"),
        ({"default": 3}, "config.default: is 3"),
        ({"operators": {"lin": {}}}, "config.operators: unknown name 'lin'"),
        ({"modules": {"0.1x": {}}}, "'0.1x' matches no module (accepted: 0.1"),
        ({"default": {"activation_observer": "max"}}, "accepted: min_max, moving_average"),
        ({"default": {"weight_observer": "histogram"}}, "accepted: min_max, mse"),
        ({"default": {"activation_scheme": "log"}}, "accepted: power_of_two"),
        ({"default": {"activation_bits": 9}}, "target tflite does not have (accepted: 1 to 8)"),
        ({"default": {"weight_bits": 9}}, "accepted: 2 to 8"),
        ({"default": {"weight_bits": 1}}, "accepted: 2 to 8"),
        ({"default": {"weight_bits": 0}}, "accepted: 1 or more bits"),
        ({"default": {"weight_bits": True}}, "accepted: 1 or more bits"),
        ({"default": {"weight_bits": 4.0}}, "accepted: 1 or more bits"),
        ({"default": {"skip": 1}}, "accepted: true or false"),
        ({"modules": {"1": {"per_channel": "yes"}}}, "config.modules.1.per_channel: is 'yes'"),
        ("x", "config: is 'x'"),
    ],
)
def test_refused(config, text):
    with pytest.raises(UsageError) as caught:
        run(config)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "override", "text"),
    [
        ("q7", {"per_channel": True}, "q7 has one weight scale per tensor"),
        ("q7", {"activation_scheme": "asymmetric"}, "accepted: power_of_two"),
        ("narrow20", {"activation_scheme": "asymmetric"}, "accepted: power_of_two, symmetric"),
        ("onnxruntime", {"activation_scheme": "symmetric"}, "accepted: asymmetric"),
        ("narrow20", {"weight_bits": 8}, "accepted: 2 to 6"),
    ],
)
def test_refused_by_the_target(target, override, text):
    with pytest.raises(UsageError) as caught:
        run({"default": override}, target)
    assert text in str(caught.value)


@pytest.mark.parametrize("content", [b"a = [", b"\xff\xfe", b"x = 1"])
def test_bad_file(tmp_path, content):
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        QuantizeConfig.load(path)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be read: no such file"):
        QuantizeConfig.load(tmp_path / "none.toml")


def test_importing_the_package_loads_neither_torch_nor_numba():
    code = "import qsim.quantizer, qsim.quantizer.pt2, qsim.graph.capturing, qsim.patterns.registry"
    assert loaded(code, "torch", "numba", "torchao") == []
