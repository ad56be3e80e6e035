"""What is carried: motion in plain places, light, and how both wait on disk."""

from __future__ import annotations

import numpy as np

from vfi.paint.carry import Carried
from vfi.paint.even import contrast_of, evened
from vfi.paint.light import light_of, lit
from vfi.paint.spool import Spool

HEIGHT, WIDTH = 96, 128
DICE = np.random.default_rng(3)


def test_motion_of_a_plain_place_is_that_of_the_edges_around_it():
    """A plain picture in a textured frame; a ground of another colour beside it stands still."""
    picture = np.full((HEIGHT, WIDTH, 3), 0.7, np.float32)
    picture[:16] = picture[-16:] = DICE.random((16, WIDTH, 3))
    picture[:, :16] = DICE.random((HEIGHT, 16, 3))
    picture[:, 80:] = (0.1, 0.2, 0.1)
    picture[20:-20:6, 84::6] += 0.6
    flow = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    flow[:, :80] = (3, -1)
    other = np.empty_like(picture)
    other[:] = picture
    other[1:, 3:80] = picture[:-1, :77]  # not exactly: rows move up in the flow
    other[:-1, 3:80] = picture[1:, :77]
    guess = flow.copy()
    guess[24:72, 24:72] = DICE.normal(0, 4, (48, 48, 2))
    found = evened(guess, picture, other, contrast_of(picture))
    assert np.abs(found[28:68, 28:68] - (3, -1)).max() < 1 < np.abs(guess[28:68, 28:68] - (3, -1)).mean()
    assert np.abs(found[30:-30, 100:]).max() < 0.5


def test_light_is_a_broad_ratio_and_steady_where_nothing_changes():
    picture = DICE.random((HEIGHT, WIDTH, 3)).astype(np.float32)
    seen = np.ones((HEIGHT, WIDTH), np.float32)
    assert (light_of(picture, picture, seen) == 1).all()
    assert np.abs(light_of(0.5 * picture, picture, seen) - 0.52).max() < 0.01
    warm = light_of(picture * np.array([1.3, 1, 0.6], np.float32), picture, seen)
    assert np.abs(warm - (1.28, 1, 0.62)).max() < 0.01
    held = picture.copy()
    held[30:60, 40:90] = 0  # something dark in front, that is not seen in the key
    seen[30:60, 40:90] = 0
    assert (light_of(held, picture, seen) == 1).all()


def test_light_falls_on_colours_and_not_on_cover():
    layer = np.ones((HEIGHT, WIDTH, 4), np.float32)
    made = lit(layer, np.full((6, 8, 3), 0.5, np.float32))
    assert np.allclose(made[..., :3], 0.5)
    assert (made[..., 3] == 1).all()
    assert lit(layer, np.ones((6, 8, 3), np.float32)) is layer


def test_what_waits_on_disk_comes_back():
    carried = Carried(
        DICE.normal(0, 40, (HEIGHT, WIDTH, 2)).astype(np.float32),
        DICE.uniform(0, 0.5, (HEIGHT, WIDTH)).astype(np.float32),
        DICE.random((HEIGHT, WIDTH)).astype(np.float32),
        DICE.random((6, 8, 3)).astype(np.float32),
    )
    with Spool() as spool:
        for number in range(3):
            spool.put(number, carried._replace(seen=carried.seen * number / 2))
        found = spool.take(2)
        assert not spool.take(0).seen.any()
    for name, least in (("offset", 0.005), ("error", 0.001), ("seen", 0.002), ("light", 0.0)):
        assert np.abs(getattr(found, name) - getattr(carried, name)).max() <= least
