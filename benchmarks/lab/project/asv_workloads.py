"""The same workloads for asv."""

from lab_models.workloads import WORKLOADS


class Workloads:
    """One timing benchmark with a parameter."""

    params = tuple(WORKLOADS)

    def setup(self, name):
        """Build it untimed."""
        self.run = WORKLOADS[name]()

    def time_workload(self, name):  # noqa: ARG002 - asv passes the parameter to every method
        """The timed call."""
        self.run()
