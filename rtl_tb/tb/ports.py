"""The signals of ``stream_cocotb_tb``, and how a bench touches them.

Values go through cocotb's simulator objects themselves: its handles check every access again, which
would take most of a cycle's time. All accesses are made at the falling edge of the clock.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cocotb import simulator
from cocotb.clock import Clock
from cocotb.triggers import GPITrigger
from cocotb.utils import get_sim_time

if TYPE_CHECKING:
    from collections.abc import Generator

TOP: Final = "qsim_stream_cocotb_tb"
RST, VALID, READY = 1, 2, 4  # bits of control
_PERIOD: Final = 10  # ns
_DEPOSIT: Final = 0  # the way that a handle's plain assignment writes


class Ports:
    """Access to the signals of the bench's top module.

    Attributes:
        words: functions that write the 32-bit words of ``{tlast, tdata}``.
        read: returns ``seen``: s_axis_tready, m_axis_tvalid, m_axis_tlast and m_axis_tdata at the
            last rising edge, as digits 0, 1, X and Z.
    """

    def __init__(self, top: Any, width: int) -> None:
        Clock(top.clk, _PERIOD, unit="ns").start()
        root = simulator.get_root_handle(TOP)
        if root is None:
            raise RuntimeError(f"the simulation has no module {TOP}")
        words = _child(root, "words")
        self._clk = _child(root, "clk")
        self.words = [
            partial(_element(words, i).set_signal_val_int, _DEPOSIT) for i in range(width // 32 + 1)
        ]
        self.read = _child(root, "seen").get_signal_val_binstr
        self._control = _child(root, "control")
        self._dump = _child(root, "dump")

    async def play(self, cycles: Generator[None, None, None]) -> None:
        """Run a generator to its end; what follows a ``yield`` runs at the next falling edge."""
        played = _Played(self._clk, cycles)
        await played
        if played.error is not None:
            raise played.error

    def control(self, value: int) -> None:
        """Drive rst, s_axis_tvalid and m_axis_tready: a sum of RST, VALID and READY."""
        self._control.set_signal_val_int(_DEPOSIT, value)

    def time(self) -> int:
        """Return the time of the last rising edge, in ns."""
        return round(get_sim_time("ns")) - _PERIOD // 2

    def dump(self) -> None:
        """Start the waves."""
        self._dump.set_signal_val_int(_DEPOSIT, 1)


class _Played(GPITrigger):
    """Fires when a generator has ended that goes on at every falling edge of a clock.

    cocotb's own edges resume a task through its event loop: half of a cycle's time.
    """

    def __init__(self, clk: simulator.sim_obj, cycles: Generator[None, None, None]) -> None:
        super().__init__()
        self.error: Exception | None = None
        self._clk = clk
        self._step = cycles.__next__

    def _prime(self) -> None:
        self._fell()

    def _fell(self) -> None:
        try:
            self._step()
        except StopIteration:
            self._react()
        except Exception as error:  # it belongs to the test that awaits this
            self.error = error
            self._react()
        else:
            self._cbhdl = simulator.register_value_change_callback(
                self._clk, self._fell, simulator.FALLING
            )


def _child(parent: simulator.sim_obj, name: str) -> simulator.sim_obj:
    found = parent.get_handle_by_name(name)
    if found is None:
        raise RuntimeError(f"the simulation has no signal {TOP}.{name}")
    return found


def _element(parent: simulator.sim_obj, index: int) -> simulator.sim_obj:
    found = parent.get_handle_by_index(index)
    if found is None:
        raise RuntimeError(f"the simulation has no word {index}")
    return found
