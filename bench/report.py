"""docs/performance.md: the tables and the chart, from what was measured."""


def imports():
    return {}


def write(results):
    pass
