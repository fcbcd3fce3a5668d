"""What the doctor looks at as a whole, and how it says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_aiperf.machine.doctor.finding import Finding, State
from pytest_aiperf.machine.doctor.report import examine, text
from pytest_aiperf.machine.instruments import Process
from tests.fakes_gpu import FakeGpu, FakePynvml, nvml, nvml_over
from tests.fakes_machine import Meanwhile, machine

CPU = "sys/devices/system/cpu"

LAPTOP = {
    "proc/cpuinfo": "processor : 0\nflags : fpu sse2\n",
    "proc/stat": "cpu  50 0 50 900 0 0 0 0 0 0\n",
    "proc/self/cgroup": "0::/user.slice\n",
    "proc/pressure/cpu": "some avg10=1.50 avg60=0.00 avg300=0.00 total=1\n",
    "proc/meminfo": "SwapTotal: 0 kB\nSwapFree: 0 kB\n",
    "sys/class/power_supply/BAT0/type": "Battery\n",
    "sys/class/power_supply/BAT0/status": "Discharging\n",
    "sys/class/power_supply/BAT0/capacity": "62\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
    f"{CPU}/intel_pstate/no_turbo": "0\n",
    f"{CPU}/smt/active": "0\n",
    **{f"{CPU}/cpu{number}/cpufreq/scaling_governor": "powersave\n" for number in range(4)},
}

REPORT = """\
NOISY  other processes     0.62 cores within 1.0 s: chrome (pid 4711) 0.40, slack (pid 812) 0.20
       -> stop them, or wait; in CI: one job at a time on a runner, or a dedicated one
NOISY  processor governor  powersave on 4 of 4 processors
       -> sudo cpupower frequency-set -g performance (no root, as in CI: --aiperf-against=REF, or a
          dedicated runner)
NOISY  turbo clocks        on: the clock depends on heat and on how many cores are busy
       -> echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo (no root, as in CI:
          --aiperf-against=REF, or a dedicated runner)
NOISY  power supply        battery, 62 % left
       -> plug in the mains
NOISY  library threads     OMP_NUM_THREADS=8 on 4 cores
       -> export OMP_NUM_THREADS=4 MKL_NUM_THREADS=4 OPENBLAS_NUM_THREADS=4; ONNX Runtime:
          SessionOptions.intra_op_num_threads = 4
NOISY  GPU throttling      GPU-aaaaaaaa power cap (900 of 1980 MHz)
       -> a clock that it can hold: sudo nvidia-smi --lock-gpu-clocks=900 (no root, as in CI:
          --aiperf-against=REF, or a dedicated runner); better cooling
fine   load average        0.10 on 4 processors
fine   processor pressure  1.5 % of the last 10 s spent waiting for a processor
fine   processor quota     no quota
fine   stolen time         0.0 % within 1.0 s, 0.0 % since boot
fine   virtual machine     no hypervisor: the hardware is this system's own
fine   hyper-threading     off, as far as this system sees
fine   clock source        tsc
fine   free memory         12.0 of 16.0 GiB
fine   swapping            no swap
fine   OpenMP waiting      OMP_WAIT_POLICY is not set
fine   Python build        release
fine   Python tracing      nobody traces, profiles or monitors
fine   Python bytecode     written and there
fine   GPU sharing         no other process on 1 device
fine   GPU persistence     on for 1 device
fine   GPU partitions      whole devices (MIG is off)
?      thermal throttling, huge pages: not readable on this system

6 noisy, 16 fine, 2 unknown. Pairs withstand what you cannot change: pytest --aiperf-against=REF"""


def test_it_reports_a_laptop_on_battery(tmp_path: Path):
    after = {(4711, 1.0): Process(name="chrome", seconds=0.4), (812, 1.0): Process(name="slack", seconds=0.2)}
    meanwhile = Meanwhile(tmp_path, foreign=0.62, after=after)
    hot = nvml(FakeGpu("GPU-aaaaaaaa-1111", throttle=0x04, clock=900))
    laptop = machine(tmp_path, LAPTOP, {"OMP_NUM_THREADS": "8"}, nvml=hot, **meanwhile.answers())
    assert text(examine(laptop)) == REPORT


def test_it_looks_for_as_long_as_it_is_told(tmp_path: Path):
    meanwhile = Meanwhile(tmp_path)
    examine(machine(tmp_path, **meanwhile.answers()), seconds=2.5)
    assert meanwhile.slept == 2.5


def test_it_closes_the_driver(tmp_path: Path):
    library = FakePynvml(FakeGpu("GPU-a"))
    examine(machine(tmp_path, nvml=nvml_over(library), **Meanwhile(tmp_path).answers()))
    assert library.log == ["init", "shutdown"]


def test_it_gives_every_noisy_finding_a_remedy_and_no_other(tmp_path: Path):
    findings = examine(machine(tmp_path, LAPTOP, **Meanwhile(tmp_path).answers()))
    assert "xdist workers" not in findings
    assert {finding.state for finding in findings.values()} == set(State)
    assert [name for name, finding in findings.items() if bool(finding.remedy) != (finding.state is State.NOISY)] == []


def test_it_says_in_one_line_what_a_system_without_proc_and_sys_does_not_tell(tmp_path: Path):
    told = text(examine(machine(tmp_path, **Meanwhile(tmp_path).answers())))
    assert told.count("not readable on this system") == 1
    assert "?      processor pressure, processor quota, stolen time, virtual machine, " in told
    for seen_by_psutil in ("fine   other processes", "fine   load average", "fine   free memory"):
        assert seen_by_psutil in told


@pytest.mark.parametrize("width", [60, 80, 100])
def test_it_keeps_to_the_width_and_to_one_line_for_what_is_fine(width: int):
    words = "many words that say --what-was-seen and /where/it/was " * 5
    findings = {
        "a fine one": Finding(state=State.FINE, seen=words),
        "unknown one": Finding(state=State.UNKNOWN, seen=words),
        "noisy one": Finding(state=State.NOISY, seen=words, remedy=words),
    }
    *rows, blank, summary = text(findings, width=width).splitlines()
    assert max(len(row) for row in rows) <= width
    assert [row.split()[0] for row in rows if not row.startswith(" ")] == ["NOISY", "fine", "?"]
    (fine,) = (row for row in rows if row.startswith("fine"))
    assert fine.endswith("...")
    assert (blank, summary.partition(".")[0]) == ("", "1 noisy, 1 fine, 1 unknown")


def test_it_needs_no_advice_where_nothing_is_noisy():
    quiet = {"a fine one": Finding(state=State.FINE, seen="well")}
    assert text(quiet) == "fine   a fine one  well\n\n0 noisy, 1 fine, 0 unknown"
