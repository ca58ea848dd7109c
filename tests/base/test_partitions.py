"""Our table of partitions against botocore's, which is AWS's own."""

from __future__ import annotations

from botocore.loaders import create_loader

from schoolctl.base.partitions import Partition, partition_of


def test_every_region_that_botocore_knows_is_in_its_partition() -> None:
    for each in create_loader().load_data("partitions")["partitions"]:
        expected = Partition(each["id"], each["outputs"]["dnsSuffix"])
        regions = [name for name in each["regions"] if not name.endswith("-global")]
        assert regions
        assert {name: partition_of(name) for name in regions} == dict.fromkeys(regions, expected)
