"""The samples of a scrape, for tests of what is counted."""

from gateway.observe.exposition import Exposition
from gateway.observe.families import Families


def scraped(*counting: Families, accept: str = "") -> bytes:
    for families in counting:
        families.refresh()
    return b"".join(Exposition([families.region for families in counting]).pieces(accept)[0])
