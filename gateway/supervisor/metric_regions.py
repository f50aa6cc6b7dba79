"""The shared memory of metrics in which workers count, kept when a worker ends because counters never go back."""

from gateway.observe.node_metrics import NodeMetrics
from gateway.observe.shared_memory import Region


class MetricRegions:
    """Regions that no worker uses, and regions of another supervisor's workers.

    All are part of what `metrics` shows.
    """

    def __init__(self, metrics: NodeMetrics) -> None:
        self._metrics = metrics
        self._free: list[Region] = []
        self._foreign: list[Region] = []

    @property
    def unused(self) -> list[Region]:
        """Regions that no worker of this supervisor writes to."""
        return [*self._free, *self._foreign]

    def take(self) -> Region:
        """Return a region for a new worker."""
        if self._free:
            return self._free.pop()
        region = Region.shared()
        self._metrics.add(region)
        return region

    def give_back(self, region: Region) -> None:
        """Make the region of a worker that has ended, or was never started, available again."""
        self._free.append(region)

    def add_foreign(self, regions: list[Region]) -> None:
        """Show `regions`, in which workers of another supervisor still count."""
        self._foreign = regions
        for region in regions:
            self._metrics.add(region)

    def adopt_foreign(self) -> None:
        """Make the foreign regions available: the workers of the other supervisor have ended."""
        for region in self._foreign:
            region.writer_exited()
        self._free += self._foreign
        self._foreign = []
