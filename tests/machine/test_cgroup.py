"""Quota and throttling of a container, read from made-up trees of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_aiperf.machine.cgroup import cpu_quota, throttled


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


V1 = {
    "proc/self/cgroup": "3:cpu,cpuacct:/docker/abc\n2:memory:/docker/abc\n",
    "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "150000\n",
    "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.stat": "nr_periods 10\nnr_throttled 4\nthrottled_time 2500000000\n",
}
V2 = {
    "proc/self/cgroup": "0::/ci.slice/job\n",
    "sys/fs/cgroup/ci.slice/job/cpu.max": "max 100000\n",
    "sys/fs/cgroup/ci.slice/cpu.max": "300000 100000\n",
    "sys/fs/cgroup/ci.slice/job/cpu.stat": "usage_usec 1\nnr_throttled 7\nthrottled_usec 1500000\n",
}


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        (V1, 1.5),
        (V2, 3.0),
        (V2 | {"sys/fs/cgroup/ci.slice/job/cpu.max": "200000 100000\n"}, 2.0),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5),
        ({"proc/self/cgroup": "0::/seen/from/outside\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5),
        (V1 | {"sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "-1\n"}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/\n"}, None),
        ({}, None),
    ],
)
def test_it_takes_the_tightest_quota_of_the_enclosing_groups(
    tmp_path: Path, files: dict[str, str], cores: float | None
):
    assert cpu_quota(tree(tmp_path, files)) == cores


@pytest.mark.parametrize(("files", "seen"), [(V1, (4, 2.5)), (V2, (7, 1.5)), ({}, None)])
def test_it_counts_throttled_periods_in_either_version(
    tmp_path: Path, files: dict[str, str], seen: tuple[int, float] | None
):
    assert throttled(tree(tmp_path, files)) == seen
