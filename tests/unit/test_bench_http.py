"""What wrk prints is read in all its units."""

import pytest

from bench.http import percentile

PRINTED = """\
  Latency Distribution
     50%  812.00us
     75%    9.10ms
     90%    1.02m\x20
     99%    1.64s\x20
"""


@pytest.mark.parametrize(("percent", "ms"), [(50, 0.812), (75, 9.1), (90, 61_200), (99, 1_640)])
def test_a_percentile_is_in_milliseconds(percent: int, ms: float) -> None:
    assert percentile(PRINTED, percent) == pytest.approx(ms)
