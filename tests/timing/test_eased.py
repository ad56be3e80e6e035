"""Time that is eased over steps of speed."""

import numpy as np
import pytest

from vfi.timing.eased import bridged


@pytest.mark.parametrize("speed", [1 / 16, 0.5, 1.0, 2.0, 16.0])
def test_a_bridge_keeps_both_ends_and_changes_speed_evenly(speed: float):
    places = np.linspace(-1, 1, 201)
    times = np.array([bridged(place, speed) for place in places])
    assert times[0] == -1
    assert times[-1] == pytest.approx(1)
    assert np.all(np.diff(times) > 0)
    moved = np.diff(np.where(places > 0, places * speed, places))
    middles = (times[1:] + times[:-1]) / 2
    assert np.allclose(moved / np.diff(times), 1 + (speed - 1) * (middles + 1) / 2, rtol=1e-6)
